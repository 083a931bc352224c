//! `key=value key="quoted value"`, as Go's and Heroku's loggers write it. Pure. Words without `=` are stepped over.

use super::key::{self, Key};
use super::reading::Reading;
use super::{severity, text};
use crate::record::{Fields, Severity};
use crate::transaction;

const KEY_LENGTH_MAX: usize = 64;

/// Whether the line begins like logfmt: a key of letters, then `=`.
#[inline]
pub fn looks_like(line: &[u8]) -> bool {
    for (at, byte) in line.iter().enumerate().take(KEY_LENGTH_MAX) {
        match byte {
            b'=' => return at > 0,
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'@' => {}
            b'0'..=b'9' | b'.' | b'-' if at > 0 => {}
            _ => return false,
        }
    }
    false
}

/// Reads `line`.
pub fn parse(line: &[u8], reading: &Reading, fields: &mut Fields) {
    let mut message = None;
    let mut rest = line;
    while let Some(at) = memchr::memchr(b'=', rest) {
        let key_begin = rest[..at].iter().rposition(|byte| byte.is_ascii_whitespace()).map_or(0, |space| space + 1);
        let key = &rest[key_begin..at];
        let (value, end) = value(rest, at + 1);
        match key::meaning(key) {
            Some(Key::Time) if fields.time_ns.is_none() => fields.time_ns = reading.time(value),
            Some(Key::Severity) if fields.severity == Severity::Unknown => {
                fields.severity = severity::of_value(value).unwrap_or_default();
            }
            Some(Key::Message) => message = Some(value),
            Some(Key::Id(kind)) => transaction::take(kind, value, "field", &mut fields.ids),
            Some(_) => {}
            None => {
                if let Some(kind) = key::meaning_id(key) {
                    transaction::take(kind, value, "field", &mut fields.ids);
                }
            }
        }
        rest = &rest[end..];
    }
    if let (true, Some(message)) = (fields.ids.is_empty(), message) {
        text::find_ids(message, &mut fields.ids);
    }
}

/// The value that begins at `at`, without its quotes, and where the line goes on.
fn value(rest: &[u8], at: usize) -> (&[u8], usize) {
    if rest.get(at) != Some(&b'"') {
        let length = rest[at..].iter().position(|byte| byte.is_ascii_whitespace()).unwrap_or(rest.len() - at);
        return (&rest[at..at + length], at + length);
    }
    let begin = at + 1;
    let mut from = begin;
    while let Some(found) = rest.get(from..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        if rest[from + found] == b'"' {
            return (&rest[begin..from + found], from + found + 1);
        }
        from += found + 2;
    }
    (&rest[begin..], rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::IdKind;

    #[test]
    fn lines() {
        let mut fields = Fields::default();
        parse(
            br#"time="2026-11-23T12:00:00Z" level=warning msg="a \"quoted\" word=x" traceID=4bf92f3577b34da6a3ce929d0e0e4736 empty= request_id="req-1""#,
            &Reading::default(),
            &mut fields,
        );
        assert_eq!(fields.time_ns, Some(1_795_435_200_000_000_000));
        assert_eq!(fields.severity, Severity::Warn);
        let ids: Vec<_> = fields.ids.iter().collect();
        assert_eq!(ids, [(IdKind::Trace, &b"4bf92f3577b34da6a3ce929d0e0e4736"[..]), (IdKind::Request, b"req-1")]);
        fields.clear();
        parse(b"at=info method=GET app.txn_id=txn-99 fwd=\"unclosed", &Reading::default(), &mut fields);
        assert_eq!(fields.ids.iter().collect::<Vec<_>>(), [(IdKind::Transaction, &b"txn-99"[..])]);
        fields.clear();
        parse(b"level=info msg=\"answered, correlation_id: c-0042\"", &Reading::default(), &mut fields);
        assert_eq!(fields.ids.iter().collect::<Vec<_>>(), [(IdKind::Correlation, &b"c-0042"[..])]);
    }

    #[test]
    fn what_it_looks_like() {
        assert!(looks_like(b"level=info"));
        assert!(looks_like(b"@t=1"));
        for line in [&b"2026-11-23 a=b"[..], b"hello a=b", b"=x", b"", b"abc"] {
            assert!(!looks_like(line));
        }
    }
}
