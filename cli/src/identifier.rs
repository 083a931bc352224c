//! An ID as people paste it: with quotes, braces, spaces, its key, as a whole `traceparent`, or somewhere in a whole log line.
//!
//! Only wrapping is removed here. What spellings are the same ID is for the aggregator to know. A line may hold several IDs: they are
//! given in the order of likelihood, a trace's before a request's, a named one before one that only looks like one.

/// More IDs than this are not looked for in what was pasted.
const CANDIDATES_MAX: usize = 5;
/// What is longer is no ID.
const LENGTH_MAX: usize = 128;
/// Names that may stand before an ID; compared without `_`, `-`, `.` and case, the likeliest first.
#[rustfmt::skip]
const KEYS: [&str; 26] = [
    "traceid", "traceparent", "httptraceparent", "oteltraceid", "ddtraceid", "tracetraceid", "xb3traceid", "@tr", "b3",
    "xraytraceid", "awsxraytraceid", "xamzntraceid", "ubertraceid", "operationid",
    "transactionid", "xtransactionid", "globaltransactionid", "txnid", "txid",
    "requestid", "xrequestid", "httprequestid", "awsrequestid", "reqid",
    "correlationid", "xcorrelationid",
];

/// One ID that was found in what was pasted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub id: String,
    /// The name that it has there; none when it only looks like an ID, or was all that was pasted.
    pub name: Option<String>,
}

/// The IDs in what was pasted, the likeliest first; none when nothing is left of it.
pub fn candidates(pasted: &str) -> Vec<Candidate> {
    let Some(whole) = clean(pasted) else { return Vec::new() };
    let alone = Candidate { id: whole.to_owned(), name: None };
    let is_one_word =
        !whole.contains(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '{' | '}' | '[' | ']' | ','));
    if is_one_word {
        return vec![alone];
    }
    let mut found = named(pasted);
    found.extend(bracketed(pasted));
    found.extend(shaped(pasted));
    found.sort_by_key(|(rank, _)| *rank);
    let mut all: Vec<Candidate> = Vec::new();
    for (_, candidate) in found {
        if !all.iter().any(|known| spelling(&known.id) == spelling(&candidate.id)) {
            all.push(candidate);
        }
    }
    all.truncate(CANDIDATES_MAX);
    // Some make their IDs out of words.
    if all.is_empty() && whole.len() <= LENGTH_MAX {
        all.push(alone);
    }
    all
}

/// The ID alone, or nothing when nothing is left of it.
fn clean(pasted: &str) -> Option<&str> {
    let mut id = unwrap(pasted);
    if let Some((key, value)) = id.split_once(['=', ':'])
        && rank(unwrap(key)).is_some()
    {
        id = unwrap(value);
    }
    Some(trace_id_of_traceparent(id).unwrap_or(id)).filter(|id| !id.is_empty())
}

/// The smaller, the likelier.
type Ranked = (usize, Candidate);

/// `trace_id=…`, `"traceId":"…"`, `X-Request-ID: …`
fn named(text: &str) -> Vec<Ranked> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '@');
    let mut found = Vec::new();
    for (at, _) in text.match_indices(['=', ':']) {
        let before = text[..at].trim_end_matches(['"', '\'', '\\', ' ']);
        let name = &before[before.rfind(|c| !is_name(c)).map_or(0, |end| end + next_length(&before[end..]))..];
        // `mdc.traceId`, `context.trace_id`
        let last = name.rsplit('.').next().unwrap_or(name);
        let Some(rank) = rank(name).or_else(|| rank(last)) else { continue };
        let value = text[at + 1..].trim_start_matches(['"', '\'', '\\', ' ', ':', '=']);
        let ends =
            |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '\\' | ',' | ';' | ')' | ']' | '}' | '>' | '|');
        // X-Ray's has parts of its own.
        let value = value.strip_prefix("Root=").unwrap_or(value);
        let value = unwrap(&value[..value.find(ends).unwrap_or(value.len())]);
        let id = trace_id_of_traceparent(value).unwrap_or(value);
        if is_id(id) {
            found.push((rank, Candidate { id: id.to_owned(), name: Some(name.to_owned()) }));
        }
    }
    found
}

/// Spring's `[app,trace,span]` and `[trace-span]`.
fn bracketed(text: &str) -> Vec<Ranked> {
    let inside = text.split('[').skip(1).filter_map(|rest| Some(rest.split_once(']')?.0));
    let trace = |inside: &str| {
        let parts: Vec<&str> = inside.split(',').map(str::trim).collect();
        match parts[..] {
            [_, trace, span, ..] if is_hex(trace, 32) || is_hex(trace, 16) && is_hex(span, 16) => {
                Some(trace.to_owned())
            }
            [pair] => {
                let (trace, span) = pair.split_once('-')?;
                (is_hex(trace, 32) && is_hex(span, 16)).then(|| trace.to_owned())
            }
            _ => None,
        }
    };
    // As likely as a trace's name.
    inside.filter_map(trace).filter(|id| is_id(id)).map(|id| (0, Candidate { id, name: None })).collect()
}

/// What looks like an ID: a traceparent, 32 hexadecimal digits, a UUID, X-Ray's.
fn shaped(text: &str) -> Vec<Ranked> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
    let shape = |word: &str| {
        let parts: Vec<&str> = word.split('-').collect();
        let is_parts = |lengths: &[usize]| {
            parts.len() == lengths.len() && parts.iter().zip(lengths).all(|(part, length)| is_hex(part, *length))
        };
        if let Some(trace) = trace_id_of_traceparent(word) {
            // As likely as by its name.
            return Some((1, trace.to_owned()));
        }
        let rank = if is_hex(word, 32) || (is_parts(&[1, 8, 24]) && parts[0] == "1") {
            KEYS.len()
        } else if is_parts(&[8, 4, 4, 4, 12]) {
            KEYS.len() + 1
        } else {
            return None;
        };
        Some((rank, word.to_owned()))
    };
    let found = words.filter_map(shape).filter(|(_, id)| is_id(id));
    found.map(|(rank, id)| (rank, Candidate { id, name: None })).collect()
}

/// Long enough, and no placeholder.
fn is_id(id: &str) -> bool {
    const PLACEHOLDERS: [&str; 6] = ["null", "none", "undefined", "unknown", "(null)", "<nil>"];
    let is_zero = id.chars().all(|c| matches!(c, '0' | '-'));
    (4..=LENGTH_MAX).contains(&id.len()) && !is_zero && !PLACEHOLDERS.contains(&id.to_ascii_lowercase().as_str())
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn next_length(text: &str) -> usize {
    text.chars().next().map_or(0, char::len_utf8)
}

/// IDs are the same without dashes and case.
pub fn spelling(id: &str) -> String {
    id.chars().filter(|c| *c != '-').map(|c| c.to_ascii_lowercase()).collect()
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

/// How likely the value of this name is the ID that is meant; none: it is no name of an ID.
fn rank(text: &str) -> Option<usize> {
    let name: String = text.chars().filter(|c| !matches!(c, '_' | '-' | '.')).map(|c| c.to_ascii_lowercase()).collect();
    KEYS.iter().position(|key| *key == name)
}

/// W3C trace context: `00-<32 hex>-<16 hex>-<2 hex>`.
fn trace_id_of_traceparent(text: &str) -> Option<&str> {
    let parts: Vec<&str> = text.split('-').collect();
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

    fn found(pasted: &str) -> Vec<String> {
        let text = |candidate: Candidate| match candidate.name {
            Some(name) => format!("{name} {}", candidate.id),
            None => candidate.id,
        };
        candidates(pasted).into_iter().map(text).collect()
    }

    #[test]
    fn one_id_is_taken_as_it_is() {
        for id in [TRACE, "7B1E6F0A-5C1D-4A8E-9D53-0C8A3F2B1E77", "order/17", "abc==", "4bf9:00f0:0:1"] {
            assert_eq!(found(&format!(" '{id}' ")), [id]);
        }
        assert_eq!(found("order/17 b"), ["order/17 b"]);
        assert!(found(" \"\" ").is_empty());
        assert!(found(&"no id here ".repeat(20)).is_empty());
    }

    #[test]
    fn ids_in_a_line_the_likeliest_first() {
        const REQUEST: &str = "7b1e6f0a-5c1d-4a8e-9d53-0c8a3f2b1e77";
        let trace_and_request = [format!("trace_id {TRACE}"), format!("request_id {REQUEST}")];
        for line in [
            format!(r#"{{"level":"info","request_id":"{REQUEST}","trace_id":"{TRACE}","span_id":"00f067aa0ba902b7"}}"#),
            format!("2026-11-23 INFO request_id={REQUEST} trace_id={TRACE} span_id=00f067aa0ba902b7 done"),
            // As the shell leaves it without quotes around it.
            format!("{{level:info,request_id:{REQUEST},trace_id:{TRACE}}}"),
            format!(r#"{{\"request_id\":\"{REQUEST}\",\"trace_id\":\"{TRACE}\"}}"#),
        ] {
            assert_eq!(found(&line), trace_and_request, "{line}");
        }
        for (line, expected) in [
            (
                format!("2026-11-23 12:00:00.123  INFO [checkout,{TRACE},00f067aa0ba902b7] 1 --- x"),
                vec![TRACE.to_owned()],
            ),
            (format!("INFO [shop] [{TRACE}-00f067aa0ba902b7] x"), vec![TRACE.to_owned()]),
            ("INFO [checkout,a3ce929d0e0e4736,00f067aa0ba902b7] x".to_owned(), vec!["a3ce929d0e0e4736".to_owned()]),
            (format!("got traceparent: 00-{TRACE}-00f067aa0ba902b7-01 from a"), vec![format!("traceparent {TRACE}")]),
            (
                format!("GET /x 200 \"00-{TRACE}-00f067aa0ba902b7-01\" {REQUEST}"),
                vec![TRACE.to_owned(), REQUEST.to_owned()],
            ),
            (
                format!("10.0.0.1 - - \"GET / HTTP/1.1\" 200 {REQUEST} {TRACE}"),
                vec![TRACE.to_owned(), REQUEST.to_owned()],
            ),
            (
                "x X-Amzn-Trace-Id: Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8".to_owned(),
                vec!["X-Amzn-Trace-Id 1-67891233-abcdef012345678912345678".to_owned()],
            ),
            (format!("INFO mdc.traceId={TRACE} ünd request_id=null tid=0000"), vec![format!("mdc.traceId {TRACE}")]),
            ("level=info correlation_id=order/17 x".to_owned(), vec!["correlation_id order/17".to_owned()]),
        ] {
            assert_eq!(found(&line), expected, "{line}");
        }
    }

    #[test]
    fn a_path_segment_is_escaped() {
        assert_eq!(percent_encode("a/b c?d#é%"), "a%2Fb%20c%3Fd%23%C3%A9%25");
        assert_eq!(percent_encode(".."), "%2E%2E");
    }
}
