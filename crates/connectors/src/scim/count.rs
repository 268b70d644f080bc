//! How many objects a class has, by the target's own word, as far as that can be believed.
//!
//! Some targets give the length of the page for the total. What is larger than its page is no such length; the rest is
//! asked for in another way.

use provost_connector::{ConnectorError, Context, ErrorCode};
use provost_scim::client::ListAnswer;

use super::read::{list, without_members};
use super::session::{Class, Target};
use super::wire::Query;

/// The number of objects; [`ErrorCode::NotSupported`] when the target does not say, or nothing that can be true.
pub async fn count(cx: &Context, target: &Target, class: &Class) -> Result<u64, ConnectorError> {
    let ask = async |start: u64, count: u64| -> Result<ListAnswer, ConnectorError> {
        let query = without_members(class, Query::new(&class.endpoint)).with("startIndex", start).with("count", count);
        list(cx, target, class, query).await
    };
    let is_told = |page: &ListAnswer| page.total_results.filter(|total| *total > page.records.len() as u64);
    match ask(1, 0).await {
        Ok(page) => {
            if let Some(total) = is_told(&page) {
                return Ok(total);
            }
        }
        // Entra ID's own server refuses to count without reading.
        Err(error) if error.target_status == Some(400) => {}
        Err(error) => return Err(error),
    }
    // Nobody: that may be how many were asked for.
    let first = ask(1, 1).await?;
    if let Some(total) = is_told(&first) {
        return Ok(total);
    }
    let unknown = || {
        let message = format!("the target does not say how many objects class `{}` has", class.name);
        ConnectorError::new(ErrorCode::NotSupported, message)
    };
    let received = first.records.len() as u64;
    if first.next_cursor.is_some() || first.total_results != Some(received) {
        return Err(unknown());
    }
    if received == 0 {
        return Ok(0);
    }
    // All there are, or as many as the page has.
    let more = ask(received + 1, 1).await?;
    let is_new = more.records.iter().any(|record| first.records.iter().all(|known| known.id != record.id));
    if is_new { Err(unknown()) } else { Ok(received) }
}
