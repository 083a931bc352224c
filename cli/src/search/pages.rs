//! As many records as were asked for, page by page.

use std::time::Duration;

use serde_json::value::RawValue;

use super::Ended;
use crate::answer::Page;
use crate::client::{Client, Failure};
use crate::identifier::percent_encode;

/// Records asked for at once; the API gives up to 10,000.
const PAGE_RECORDS: usize = 5_000;
/// The API takes no longer for an answer.
const TIMEOUT_MAX: Duration = Duration::from_secs(300);
/// An answer that is made when the time is up needs some more to arrive.
const GRACE: Duration = Duration::from_secs(5);

/// In the order of the answer.
pub struct Found {
    pub records: Vec<Box<RawValue>>,
    pub ended: Ended,
}

/// Up to `limit` records; without `timeout` the aggregator decides how long it looks for each page.
pub fn fetch(client: &Client, path: &str, limit: usize, timeout: Option<Duration>) -> Result<Found, Failure> {
    let mut found = Found { records: Vec::new(), ended: Ended::default() };
    let mut cursor: Option<String> = None;
    loop {
        let left = (limit - found.records.len()).min(PAGE_RECORDS);
        let mut path = format!("{path}&limit={left}");
        if let Some(cursor) = &cursor {
            path.push_str(&format!("&cursor={}", percent_encode(cursor)));
        }
        let page = page(client, &path, timeout)?;
        if page.next_cursor.is_some() && page.next_cursor == cursor {
            let cursor = cursor.unwrap_or_default();
            return Err(Failure::Server(format!("{} gave the same page twice (cursor {cursor})", client.base())));
        }
        found.add(page, &mut cursor);
        if cursor.is_none() || found.ended.late.is_some() || found.records.len() >= limit {
            found.ended.more = cursor.is_some() && found.ended.late.is_none();
            return Ok(found);
        }
    }
}

fn page(client: &Client, path: &str, timeout: Option<Duration>) -> Result<Page, Failure> {
    client.parse(&body(client, path, timeout)?)
}

/// The answer to one question, which the aggregator may take so long for.
pub fn body(client: &Client, path: &str, timeout: Option<Duration>) -> Result<Vec<u8>, Failure> {
    match timeout {
        None => client.get(path),
        Some(timeout) => {
            let asked = timeout.clamp(Duration::from_millis(1), TIMEOUT_MAX);
            client.get_within(&format!("{path}&timeout={}ms", asked.as_millis()), timeout + GRACE)
        }
    }
}

impl Found {
    fn add(&mut self, mut page: Page, cursor: &mut Option<String>) {
        self.records.append(&mut page.records);
        let ended = &mut self.ended;
        ended.records = self.records.len() as u64;
        // The sum of a few answers' times, each of them below an hour.
        ended.took += Duration::try_from_secs_f64(page.meta.took_ms / 1000.0).unwrap_or_default();
        ended.late = page.meta.partial.then_some((page.meta.blocks_scanned, page.meta.blocks));
        // What pages and cursors are, nobody has to know here: the footer says how to go on.
        let warnings = page.meta.warnings.into_iter().filter(|warning| !warning.contains("next_cursor"));
        ended.warnings.extend(warnings);
        ended.warnings.dedup();
        *cursor = page.next_cursor;
    }
}
