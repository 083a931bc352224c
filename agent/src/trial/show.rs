//! A record in words, and all of them in numbers. Pure.

use serde::Serialize;

use super::decode::Record;
use super::kind_name;
use super::stages::Reasons;
use crate::record::{flag, mark};
use crate::rules::keep::Decision;

const SEVERITIES: [&str; 8] = ["unknown", "trace", "debug", "info", "notice", "warn", "error", "fatal"];
const FLAGS: [(u8, &str); 4] = [
    (flag::UNTERMINATED, "unterminated"),
    (flag::CONTINUES, "continues"),
    (flag::CUT, "cut"),
    (flag::JOINED, "joined"),
];
const MARKS: [(u8, &str); 6] = [
    (mark::STDERR, "stderr"),
    (mark::UNWRAPPED, "unwrapped"),
    (mark::TRANSCODED, "transcoded"),
    (mark::REDACTED, "redacted"),
    (mark::WITHHELD, "withheld"),
    (mark::IDS_LEFT_OUT, "ids_left_out"),
];

/// What is shown of an ID.
#[derive(Debug, Serialize)]
pub struct ShownId {
    kind: &'static str,
    value: String,
    why: String,
    attached: bool,
}

/// What is shown of a record, or of what is none.
#[derive(Debug, Default, Serialize)]
pub struct Shown {
    #[serde(skip_serializing_if = "Option::is_none")]
    left_out: Option<String>,
    position: u64,
    bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time_from: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    layout: Option<&'static str>,
    ids: Vec<ShownId>,
    flags: Vec<&'static str>,
    marks: Vec<&'static str>,
    /// After redaction. What is not UTF-8 is replaced, here only.
    line: String,
}

impl Shown {
    /// A record of the batch.
    pub fn record(record: &Record, reasons: Option<&Reasons>) -> Self {
        let names = |table: &[(u8, &'static str)], bits: u8| -> Vec<&'static str> {
            table.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, name)| *name).collect()
        };
        let ids = record.ids.iter().enumerate().map(|(place, (kind, value, attached))| {
            let why = reasons.and_then(|reasons| reasons.ids.get(place)).copied().unwrap_or_default();
            ShownId {
                kind: kind_name(*kind),
                value: String::from_utf8_lossy(value).into_owned(),
                why: why_text(why, &record.content, value),
                attached: *attached,
            }
        });
        Self {
            left_out: None,
            position: record.position,
            bytes: record.bytes,
            time: jiff::Timestamp::from_nanosecond(record.time_ns.into()).ok().map(|time| time.to_string()),
            time_from: Some(match record.flags {
                flags if flags & flag::TIME_INHERITED != 0 => "the record before",
                flags if flags & flag::TIME_OF_READING != 0 => "the time of reading",
                _ => "the record",
            }),
            severity: SEVERITIES.get(usize::from(record.severity)).copied(),
            layout: reasons.map(|reasons| reasons.layout).filter(|layout| !layout.is_empty()),
            ids: ids.collect(),
            flags: names(&FLAGS, record.flags),
            marks: names(&MARKS, record.marks),
            line: text(&record.content),
        }
    }

    /// What a rule left out. `position` is that of the first of its neighbours, which has the bytes of all.
    pub fn left_out(position: u64, bytes: u64, decision: Decision, content: &[u8]) -> Self {
        let left_out = match decision {
            Decision::Dropped(rule) => format!("dropped by drop rule {}", rule + 1),
            Decision::Sampled(rule) => format!("sampled out by sample rule {}", rule + 1),
            Decision::Keep => String::new(),
        };
        Self { left_out: Some(left_out), position, bytes, line: text(content), ..Self::default() }
    }

    /// A hole in the file.
    pub fn nuls(position: u64, bytes: u64) -> Self {
        Self { left_out: Some("NUL bytes: a hole in the file".into()), position, bytes, ..Self::default() }
    }

    /// For programs.
    pub fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// For people.
    pub fn text(&self) -> String {
        if let Some(left_out) = &self.left_out {
            return match self.line.is_empty() {
                true => format!("@{} {left_out}: {} bytes", self.position, self.bytes),
                false => format!("@{} {left_out}: {}", self.position, self.line.trim_end()),
            };
        }
        let mut out = format!(
            "@{} {} (of {})  {}  {}",
            self.position,
            self.time.as_deref().unwrap_or("-"),
            self.time_from.unwrap_or("-"),
            self.severity.unwrap_or("-"),
            self.layout.unwrap_or("no layout known"),
        );
        let words: Vec<&str> = self.flags.iter().chain(&self.marks).copied().collect();
        if !words.is_empty() {
            out.push_str(&format!("  [{}]", words.join(", ")));
        }
        for id in &self.ids {
            let attached = if id.attached { ", attached" } else { "" };
            out.push_str(&format!("\n    {} {} ({}{attached})", id.kind, id.value, id.why));
        }
        for line in self.line.trim_end_matches('\n').split('\n') {
            out.push_str(&format!("\n  | {line}"));
        }
        out
    }
}

fn text(content: &[u8]) -> String {
    String::from_utf8_lossy(content).into_owned()
}

/// What the ID was known by: of a field its key, as far as the content still has it.
fn why_text(why: &str, content: &[u8], value: &[u8]) -> String {
    match why {
        "field" | "key in text" => match key_before(content, value) {
            Some(key) => format!("field {key}"),
            None => why.to_owned(),
        },
        "pattern" => "pattern of [[source.id]]".to_owned(),
        why => why.to_owned(),
    }
}

/// The word before the first place where `value` follows a `:` or `=`.
fn key_before(content: &[u8], value: &[u8]) -> Option<String> {
    let is_key = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'@' | b'/');
    memchr::memmem::find_iter(content, value).find_map(|at| {
        // Of a composite carrier the ID may be a part further in.
        let before = &content[..at];
        let separator = before.iter().rposition(|byte| matches!(byte, b':' | b'='))?;
        let end = before[..separator].iter().rposition(|byte| is_key(*byte))? + 1;
        let begin = before[..end].iter().rposition(|byte| !is_key(*byte)).map_or(0, |at| at + 1);
        Some(String::from_utf8_lossy(&before[begin..end]).into_owned())
    })
}

/// All of it in numbers.
#[derive(Debug, Default, Serialize)]
pub struct Summary {
    pub lines: String,
    pub notes: Vec<String>,
    bytes: u64,
    records: u64,
    dropped: u64,
    sampled: u64,
    nul_bytes: u64,
    without_time: u64,
    without_id: u64,
    without_layout: u64,
    redacted: u64,
    withheld: u64,
    joined: u64,
    cut: u64,
}

impl Summary {
    /// Adds one.
    pub fn count(&mut self, shown: &Shown) {
        self.bytes += shown.bytes;
        let has = |name: &str| u64::from(shown.flags.iter().chain(&shown.marks).any(|word| *word == name));
        match &shown.left_out {
            Some(left_out) if left_out.starts_with("dropped") => self.dropped += 1,
            Some(left_out) if left_out.starts_with("sampled") => self.sampled += 1,
            Some(_) => self.nul_bytes += shown.bytes,
            None => {
                self.records += 1;
                self.without_time += u64::from(shown.time_from != Some("the record"));
                self.without_id += u64::from(shown.ids.is_empty());
                self.without_layout += u64::from(shown.layout.is_none());
                self.redacted += has("redacted");
                self.withheld += has("withheld");
                self.joined += has("joined");
                self.cut += has("cut");
            }
        }
    }

    /// For programs.
    pub fn json(&self) -> String {
        serde_json::json!({ "summary": self }).to_string()
    }

    /// For people.
    pub fn text(&self) -> String {
        format!(
            "{} bytes as {}: {} records ({} without a time of their own, {} without an ID, {} of no known layout, {} joined, {} cut, \
             {} redacted, {} withheld); left out: {} dropped, {} sampled, {} NUL bytes",
            self.bytes,
            self.lines,
            self.records,
            self.without_time,
            self.without_id,
            self.without_layout,
            self.joined,
            self.cut,
            self.redacted,
            self.withheld,
            self.dropped,
            self.sampled,
            self.nul_bytes
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_before_values() {
        for (content, value, key) in [
            ("{\"trace_id\":\"4bf9\"}", "4bf9", "trace_id"),
            ("x traceparent: 00-4bf9-x", "4bf9", "traceparent"),
            ("request_id=req-1 x", "req-1", "request_id"),
            ("trace.id = \"4bf9\"", "4bf9", "trace.id"),
        ] {
            assert_eq!(key_before(content.as_bytes(), value.as_bytes()).as_deref(), Some(key), "{content}");
        }
        assert_eq!(key_before(b"4bf9", b"4bf9"), None);
    }
}
