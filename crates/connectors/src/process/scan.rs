//! A scan that a program has open.

use std::sync::Arc;

use async_trait::async_trait;
use provost_connector::protocol::method;
use provost_connector::protocol::params::{OfScan, Opened};
use provost_connector::{ConnectorError, Context, ErrorCode, Scan, ScanPage};

use super::keeper::Keeper;
use super::link::{Failed, Link};

/// The longest cursor, in bytes.
const LONGEST_CURSOR: usize = 16 << 10;

fn cursor(page: &ScanPage) -> usize {
    page.end.as_ref().and_then(|end| end.cursor.as_ref()).map_or(0, |cursor| cursor.0.len())
}

pub(super) struct ProcessScan {
    link: Arc<Link>,
    /// Keeps the program running.
    _keeper: Arc<Keeper>,
    scan: OfScan,
    repeats: bool,
    /// Why there is no further page.
    over: Option<String>,
}

impl ProcessScan {
    pub fn new(link: Arc<Link>, keeper: Arc<Keeper>, opened: Opened) -> Self {
        let Opened { scan, repeats } = opened;
        Self { link, _keeper: keeper, scan: OfScan { scan }, repeats, over: None }
    }
}

impl Drop for ProcessScan {
    fn drop(&mut self) {
        self.link.tell(method::SCAN_CLOSE, &self.scan);
    }
}

#[async_trait]
impl Scan for ProcessScan {
    fn repeats(&self) -> bool {
        self.repeats
    }

    async fn next(&mut self, cx: &Context) -> Result<ScanPage, ConnectorError> {
        if let Some(why) = &self.over {
            let message = format!("the read has no further page: {why}");
            return Err(ConnectorError::new(ErrorCode::Unreadable, message).hint("it has to begin anew"));
        }
        // Until the answer is there: a call that is dropped half-way takes a page with it.
        self.over = Some("a page was lost on the way".to_owned());
        match self.link.call::<_, ScanPage>(cx, method::SCAN_NEXT, &self.scan, false).await {
            Ok(page) if cursor(&page) > LONGEST_CURSOR => {
                let message = format!("the program `{}` gave a cursor of {} bytes", self.link.name, cursor(&page));
                let hint = format!("a cursor has at most {LONGEST_CURSOR}");
                Err(ConnectorError::new(ErrorCode::Protocol, message).hint(hint))
            }
            Ok(mut page) => {
                self.over = page.end.is_some().then(|| "it came to its end".to_owned());
                for fault in &mut page.faults {
                    fault.error = self.link.secrets.mask_error(fault.error.clone());
                }
                Ok(page)
            }
            // The page was not asked for, or the program knows where it is.
            Err(failed @ (Failed::Before(_) | Failed::TooLong(_))) => {
                self.over = (!self.link.is_alive()).then(|| "the program was ended in the middle of it".to_owned());
                Err(failed.into())
            }
            Err(Failed::Told(error)) => {
                self.over = (!self.repeats).then(|| error.message.clone());
                Err(error)
            }
            Err(Failed::Lost(error)) => {
                self.over = Some(error.message.clone());
                Err(error)
            }
        }
    }
}
