//! Whether the members that a read of a group gave are all that it has.
//!
//! Some targets cut the list and say nothing. What is missing from such a list is no member who left, and a list that is
//! written back as a whole would throw the others out. So the dialect can say where a target cuts; and where it does not, the
//! largest groups of a read, and those of a size that looks like a limit, are counted in another way: by how many users the
//! target finds in them.

use provost_connector::{ConnectorError, Context, ErrorCode, Scope};
use provost_model::{Incomplete, Record, Value};

use super::read::list;
use super::session::{Class, Target};
use super::wire::Query;

/// Sizes at which targets are known to cut, or would.
const ROUND: [u64; 19] =
    [100, 200, 250, 256, 300, 400, 500, 512, 1000, 1024, 1500, 2000, 2500, 5000, 8000, 10_000, 20_000, 50_000, 100_000];

/// Groups of one size that are counted in one read, when no other is larger.
const SAMPLE: u32 = 10;

/// A group id that no target has.
const NOBODYS: &str = "provost-no-such-group";

/// How much is to be found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Care {
    /// Sizes that look like a limit.
    Usual,
    /// Any size: the list is to be written back as a whole, or it is among the largest of a read.
    Full,
}

/// The largest group of a read so far.
#[derive(Debug, Default)]
pub struct Largest {
    size: u64,
    counted: u32,
    /// A size at which this target cuts, as one group has shown.
    cut: Option<u64>,
}

impl Largest {
    /// Judges the next group of a read.
    pub async fn judge(&mut self, cx: &Context, target: &Target, class: &Class, record: &mut Record) {
        let Some(size) = size(class, record) else { return };
        if self.cut.is_some_and(|cut| size >= cut) {
            return note(record, size, None, "the target cuts lists of members at this length".to_owned());
        }
        if size > self.size {
            (self.size, self.counted) = (size, 0);
        }
        let care = if size == self.size && size > 0 && self.counted < SAMPLE { Care::Full } else { Care::Usual };
        self.counted += u32::from(care == Care::Full);
        if judge(cx, target, class, record, care).await == Found::Cut {
            self.cut = Some(size);
        }
    }
}

/// What a judgement says of the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// Nothing, be the list whole or not known to be.
    Nothing,
    /// It cuts lists of this length.
    Cut,
}

/// Notes in the record when its members are not all.
pub async fn judge(cx: &Context, target: &Target, class: &Class, record: &mut Record, care: Care) -> Found {
    let Some(size) = size(class, record) else { return Found::Nothing };
    match target.dialect.members_shown {
        Some(0) => return Found::Nothing,
        Some(most) if size >= most => {
            note(record, size, None, format!("the target shows {most} members of a group at most"));
            return Found::Cut;
        }
        Some(_) => return Found::Nothing,
        None => {}
    }
    let looks_cut = ROUND.contains(&size);
    if !looks_cut && care == Care::Usual {
        return Found::Nothing;
    }
    match count(cx, target, record).await {
        Ok(Some(users)) if users > users_of(record) => {
            let total = Some(size - users_of(record) + users);
            note(record, size, total, "the target finds more users in the group than it shows".to_owned());
            return Found::Cut;
        }
        Ok(Some(users)) if users == users_of(record) => {}
        // What is to be written back has to be known.
        Err(error) if care == Care::Full => {
            note(record, size, None, format!("the target could not be asked how many there are: {error}"));
        }
        _ if looks_cut => {
            let reason = "a list of this length may have been cut, and the target does not count otherwise: say \
                          `members_shown: 0` in `dialect` if it never cuts";
            note(record, size, None, reason.to_owned());
            return Found::Cut;
        }
        _ => {}
    }
    Found::Nothing
}

/// How many members are shown; none where it does not matter or is known.
fn size(class: &Class, record: &Record) -> Option<u64> {
    if !class.has_members || record.is_incomplete("members") {
        return None;
    }
    record.attributes.find("members").and_then(Value::as_list).map(|list| list.len() as u64)
}

fn note(record: &mut Record, have: u64, total: Option<u64>, reason: String) {
    tracing::info!(class = %record.class, id = %record.id, have, total, "members of a group are not all shown");
    record.incomplete.push(Incomplete { attribute: "members".into(), reason: reason.into(), have: Some(have), total });
}

/// The members that are no groups.
fn users_of(record: &Record) -> u64 {
    let is_group = |member: &&Value| {
        let kind = member.as_complex().and_then(|member| member.find("type")).and_then(Value::as_text);
        kind.is_some_and(|kind| kind.eq_ignore_ascii_case("Group"))
    };
    let members = record.attributes.find("members").map(Value::elements).unwrap_or_default();
    (members.len() - members.iter().filter(is_group).count()) as u64
}

/// How many users the target finds in a group; none when it cannot tell.
async fn count(cx: &Context, target: &Target, record: &Record) -> Result<Option<u64>, ConnectorError> {
    if !target.dialect.filter || target.class("User").is_err() {
        return Ok(None);
    }
    let honest = target.counts_members.get_or_try_init(|| async {
        // One that ignores the filter finds everybody in any group.
        match users_in(cx, target, NOBODYS).await {
            Ok(total) => Ok(total == Some(0)),
            // What fails in passing says nothing about the target; the next group asks again.
            Err(error) if error.scope == Scope::Job => Err(error),
            Err(_) => Ok(false),
        }
    });
    if !*honest.await? {
        return Ok(None);
    }
    match users_in(cx, target, &record.id).await {
        // It does not do that; what fails in passing is another matter.
        Err(error) if error.code == ErrorCode::NotSupported => Ok(None),
        counted => counted,
    }
}

async fn users_in(cx: &Context, target: &Target, group: &str) -> Result<Option<u64>, ConnectorError> {
    let class = target.class("User")?;
    let id = serde_json::Value::from(group);
    let query = Query::new(&class.endpoint).with("filter", format_args!("groups.value eq {id}"));
    Ok(list(cx, target, class, query.with("startIndex", 1).with("count", 1)).await?.total_results)
}
