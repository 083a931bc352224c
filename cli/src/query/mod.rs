//! A query and its times, from the command line to the aggregator, and back when it cannot be read.
//!
//! | file | what it is |
//! | --- | --- |
//! | `arguments` | words that begin with a dash are words, wherever they stand |
//! | `words` | from the arguments to the query's text |
//! | `mistake` | where it cannot be read, underlined |

pub mod arguments;
pub mod mistake;
pub mod words;

/// A time for the API: a bare duration (`15m`) is so long ago; everything else is for the aggregator to read.
pub fn time(text: &str) -> String {
    if is_duration(text.trim()) { format!("-{}", text.trim()) } else { text.to_owned() }
}

/// `15m`, `1h30m`, `1.5d`.
fn is_duration(mut text: &str) -> bool {
    const UNITS: [&str; 10] = ["ns", "us", "µs", "μs", "ms", "s", "m", "h", "d", "w"];
    let is_number = |c: char| c.is_ascii_digit() || c == '.';
    if text.is_empty() {
        return false;
    }
    while !text.is_empty() {
        let rest = text.trim_start_matches(is_number);
        let end = rest.find(is_number).unwrap_or(rest.len());
        if rest.len() == text.len() || !UNITS.contains(&&rest[..end]) {
            return false;
        }
        text = &rest[end..];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bare_durations_are_counted_back() {
        for (text, wanted) in [
            ("15m", "-15m"),
            (" 1h30m ", "-1h30m"),
            ("1.5d", "-1.5d"),
            ("-15m", "-15m"),
            ("now-15m", "now-15m"),
            ("2026-11-25", "2026-11-25"),
            ("2026-11-25T10:15:02Z", "2026-11-25T10:15:02Z"),
            ("1795601702", "1795601702"),
            ("15", "15"),
            ("m", "m"),
            ("15x", "15x"),
            ("", ""),
        ] {
            assert_eq!(time(text), wanted);
        }
    }
}
