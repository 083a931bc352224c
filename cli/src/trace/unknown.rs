//! Nothing is held of an ID: one line that says what was searched, and whose records may still be on their way.

use super::behind;
use crate::answer::Unknown;
use crate::terminal::escape;
use crate::words;

/// `id` may be several, with commas between them.
pub fn nothing_held(id: &str, base: &str, unknown: &Unknown) -> String {
    let searched = &unknown.searched;
    let days = words::count(searched.partitions, "partition");
    let records = words::count(searched.records, "record");
    let range = match (&searched.from, &searched.to) {
        (Some(from), Some(to)) => format!(" from {} to {}", words::time(from), words::time(to)),
        (Some(from), None) => format!(" since {}", words::time(from)),
        (None, Some(to)) => format!(" up to {}", words::time(to)),
        (None, None) => String::new(),
    };
    let behind = behind(&unknown.agents_behind);
    let behind = if behind.is_empty() { "no agent is behind".to_owned() } else { format!("may still come: {behind}") };
    format!("{}: no record with this id at {base}; searched {days} with {records}{range}; {behind}", escape(id))
}
