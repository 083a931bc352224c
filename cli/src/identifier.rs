//! An ID as people paste it: with quotes, braces, spaces, its key, or as a whole `traceparent`.
//!
//! Only wrapping is removed here. What spellings are the same ID is for the aggregator to know.

/// Names that may stand before an ID when a piece of a log line was copied; compared without `_`, `-`, `.` and case.
const KEYS: [&str; 9] = [
    "traceid",
    "traceparent",
    "requestid",
    "xrequestid",
    "correlationid",
    "xcorrelationid",
    "transactionid",
    "oteltraceid",
    "ddtraceid",
];

/// The ID alone, or nothing when nothing is left of it.
pub fn clean(pasted: &str) -> Option<&str> {
    let mut id = unwrap(pasted);
    if let Some((key, value)) = id.split_once(['=', ':'])
        && is_key(unwrap(key))
    {
        id = unwrap(value);
    }
    Some(trace_id_of_traceparent(id).unwrap_or(id)).filter(|id| !id.is_empty())
}

/// For one segment of a path: everything but RFC 3986's unreserved characters is escaped.
pub fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => encoded.push(byte as char),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    // A segment of dots alone would be taken for a step in the path.
    if encoded.chars().all(|c| c == '.') { encoded.replace('.', "%2E") } else { encoded }
}

fn unwrap(text: &str) -> &str {
    const WRAPPING: &[char] =
        &['"', '\'', '`', '{', '}', '[', ']', '(', ')', '<', '>', ',', ';', '\u{201c}', '\u{201d}'];
    text.trim_matches(|c: char| c.is_whitespace() || c.is_control() || WRAPPING.contains(&c))
}

fn is_key(text: &str) -> bool {
    let name: String = text.chars().filter(|c| !matches!(c, '_' | '-' | '.')).map(|c| c.to_ascii_lowercase()).collect();
    KEYS.contains(&name.as_str())
}

/// W3C trace context: `00-<32 hex>-<16 hex>-<2 hex>`.
fn trace_id_of_traceparent(text: &str) -> Option<&str> {
    let parts: Vec<&str> = text.split('-').collect();
    let is_hex = |part: &str, digits: usize| part.len() == digits && part.bytes().all(|b| b.is_ascii_hexdigit());
    match parts[..] {
        [version, trace, parent, flags]
            if is_hex(version, 2) && is_hex(trace, 32) && is_hex(parent, 16) && is_hex(flags, 2) =>
        {
            Some(trace)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn wrapping_is_removed() {
        for pasted in [
            TRACE,
            "  \"4bf92f3577b34da6a3ce929d0e0e4736\",\n",
            "{4bf92f3577b34da6a3ce929d0e0e4736}",
            "[ '4bf92f3577b34da6a3ce929d0e0e4736' ]",
            "trace_id=4bf92f3577b34da6a3ce929d0e0e4736",
            r#""traceId":"4bf92f3577b34da6a3ce929d0e0e4736""#,
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(clean(pasted), Some(TRACE), "{pasted}");
        }
    }

    #[test]
    fn what_belongs_to_an_id_stays() {
        for id in
            ["7b1e6f0a-5c1d-4a8e-9d53-0c8a3f2b1e77", "order/17 b", "4bf9:00f0:0:1", "abc==", "Root=1-5759e988-bd862e3f"]
        {
            assert_eq!(clean(id), Some(id));
        }
        for nothing in ["", "  ", "\"\"", "{}", "trace_id="] {
            assert_eq!(clean(nothing), None, "{nothing:?}");
        }
    }

    #[test]
    fn a_path_segment_is_escaped() {
        assert_eq!(percent_encode("a/b c?d#é%"), "a%2Fb%20c%3Fd%23%C3%A9%25");
        assert_eq!(percent_encode(".."), "%2E%2E");
    }
}
