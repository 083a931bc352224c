//! Below the records: how many there are, whether that is all, and how to see more.

use super::{Ended, LIMIT_MAX, Options};
use crate::terminal::escape;
use crate::words;

/// Programs are told only what they would miss.
pub fn text(ended: &Ended, query: &str, options: &Options) -> Option<String> {
    let warnings: Vec<String> = ended.warnings.iter().map(|warning| escape(warning)).collect();
    let is_complete = !ended.more && ended.late.is_none();
    if !options.format.is_for_people() && is_complete && warnings.is_empty() {
        return None;
    }
    let took = words::duration(ended.took.as_nanos() as i128);
    let mut parts = vec![match ended.records {
        0 if ended.late.is_some() => format!("nothing found yet in {took}"),
        0 => format!("nothing found in {took}: no record{} fulfils {}", times(options), escape(query)),
        records if is_complete => format!("{} in {took}, and no more", words::count(records, "record")),
        records => format!("{} in {took}", words::count(records, "record")),
    }];
    if let Some((scanned, blocks)) = ended.late {
        let (scanned, blocks) = (words::thousands(scanned), words::thousands(blocks));
        parts.push(format!(
            "the time was up after {scanned} of {blocks} blocks, there may be more: look for longer with --timeout, at less with --since, or at --all"
        ));
    }
    if ended.more {
        let which = if options.oldest { "newer" } else { "older" };
        let limit = ended.records.saturating_mul(10).min(LIMIT_MAX as u64);
        let some = if limit > ended.records { format!("--limit {limit} shows more of them, ") } else { String::new() };
        parts.push(format!("there are {which} ones, too: {some}--all shows every one"));
    }
    parts.extend(warnings);
    Some(parts.join("; "))
}

fn times(options: &Options) -> String {
    let since = options.since.as_ref().map(|since| format!(" since {}", escape(since)));
    let until = options.until.as_ref().map(|until| format!(" until {}", escape(until)));
    since.into_iter().chain(until).collect()
}
