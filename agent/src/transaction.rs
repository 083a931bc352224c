//! Which names carry a transaction ID, and which values are one.
//!
//! Pure. Names are compared in lower case and without `-`, `_` and `.`, so `traceId`, `trace_id`, `TRACE-ID` and `trace.id` are
//! one name. Values stay as they were spelled; of a composite carrier (traceparent, b3, Jaeger, X-Ray, Google) only the
//! trace ID is kept. Span and session IDs are never transaction IDs.

use crate::record::{IdKind, Ids};

/// Normalised names and what they carry.
pub const NAMES: &[(&str, IdKind)] = &[
    ("traceid", IdKind::Trace),
    ("ddtraceid", IdKind::Trace),
    ("oteltraceid", IdKind::Trace),
    ("tracetraceid", IdKind::Trace),
    ("@tr", IdKind::Trace),
    ("logginggoogleapiscom/trace", IdKind::Trace),
    ("xraytraceid", IdKind::Trace),
    ("awsxraytraceid", IdKind::Trace),
    ("xamzntraceid", IdKind::Trace),
    ("traceparent", IdKind::Trace),
    ("b3", IdKind::Trace),
    ("xb3traceid", IdKind::Trace),
    ("ubertraceid", IdKind::Trace),
    ("xcloudtracecontext", IdKind::Trace),
    ("requestid", IdKind::Request),
    ("reqid", IdKind::Request),
    ("xrequestid", IdKind::Request),
    ("xreqid", IdKind::Request),
    ("httprequestid", IdKind::Request),
    ("httpxrequestid", IdKind::Request),
    ("awsrequestid", IdKind::Request),
    ("correlationid", IdKind::Correlation),
    ("xcorrelationid", IdKind::Correlation),
    ("corrid", IdKind::Correlation),
    ("transactionid", IdKind::Transaction),
    ("xtransactionid", IdKind::Transaction),
    ("globaltransactionid", IdKind::Transaction),
    ("txnid", IdKind::Transaction),
    ("txid", IdKind::Transaction),
    ("operationid", IdKind::Other),
];

const LENGTH_MIN: usize = 4;
const LENGTH_MAX: usize = 128;

/// Takes the value of a field that carries an ID of `kind`; keeps what is an ID.
pub fn take(kind: IdKind, value: &[u8], ids: &mut Ids) {
    let value = if kind == IdKind::Trace && value.len() != 32 { trace_part(value) } else { value };
    if is_id(value) {
        ids.push(kind, value);
    }
}

/// Whether `value` is no placeholder and has the length and the letters of an ID.
pub fn is_id(value: &[u8]) -> bool {
    if !(LENGTH_MIN..=LENGTH_MAX).contains(&value.len()) || !value.iter().all(|byte| (0x21..=0x7e).contains(byte)) {
        return false;
    }
    !is_placeholder(value)
}

fn is_placeholder(value: &[u8]) -> bool {
    match value[0] {
        b'0' | b'-' => value.iter().all(|byte| matches!(byte, b'0' | b'-')),
        b'f' | b'F' => value.iter().all(|byte| matches!(byte, b'f' | b'F' | b'-')) || is_word(value, b"false"),
        b'n' | b'N' => [&b"null"[..], b"none", b"(null)"].iter().any(|word| is_word(value, word)),
        b'u' | b'U' => [&b"undefined"[..], b"unknown"].iter().any(|word| is_word(value, word)),
        b'e' | b'E' => is_word(value, b"empty"),
        b't' | b'T' => is_word(value, b"true"),
        b'(' => is_word(value, b"(null)") || is_word(value, b"(none)"),
        b'<' => is_word(value, b"<nil>") || is_word(value, b"<null>"),
        _ => false,
    }
}

fn is_word(value: &[u8], word: &[u8]) -> bool {
    value.eq_ignore_ascii_case(word)
}

/// The trace ID of a composite carrier, or the value itself.
fn trace_part(value: &[u8]) -> &[u8] {
    if is_traceparent(value) {
        return &value[3..35];
    }
    if let Some(at) = memchr::memmem::find(value, b"Root=") {
        return until(&value[at + 5..], b';');
    }
    if value.starts_with(b"projects/") {
        return value.rsplit(|byte| *byte == b'/').next().unwrap_or(value);
    }
    // b3: {trace}-{span}[-{sampled}[-{parent}]]
    for length in [32, 16] {
        if value.len() > length + 16
            && value[length] == b'-'
            && is_hex(&value[..length])
            && is_hex(&value[length + 1..length + 17])
        {
            return &value[..length];
        }
    }
    // Jaeger: {trace}:{span}:{parent}:{flags}. Google: {trace}/{span};o=1.
    for separator in [b':', b'/'] {
        let part = until(value, separator);
        if part.len() < value.len() && (8..=32).contains(&part.len()) && is_hex(part) {
            return part;
        }
    }
    value
}

fn until(value: &[u8], byte: u8) -> &[u8] {
    &value[..memchr::memchr(byte, value).unwrap_or(value.len())]
}

/// `00-<32 hex>-<16 hex>-<2 hex>` (W3C Trace Context).
pub fn is_traceparent(value: &[u8]) -> bool {
    value.len() == 55
        && value[2] == b'-'
        && value[35] == b'-'
        && value[52] == b'-'
        && is_hex(&value[..2])
        && is_hex(&value[3..35])
        && is_hex(&value[36..52])
        && is_hex(&value[53..])
}

/// `1-<8 hex>-<24 hex>` (AWS X-Ray).
pub fn is_xray(value: &[u8]) -> bool {
    value.len() == 35 && value.starts_with(b"1-") && value[10] == b'-' && is_hex(&value[2..10]) && is_hex(&value[11..])
}

/// 8-4-4-4-12 hex digits (RFC 9562).
pub fn is_uuid(value: &[u8]) -> bool {
    value.len() == 36
        && value.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Whether all of it is hexadecimal digits.
pub fn is_hex(value: &[u8]) -> bool {
    value.iter().all(u8::is_ascii_hexdigit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(kind: IdKind, value: &str) -> Vec<String> {
        let mut ids = Ids::default();
        take(kind, value.as_bytes(), &mut ids);
        ids.iter().map(|(_, value)| String::from_utf8_lossy(value).into_owned()).collect()
    }

    #[test]
    fn carriers_are_reduced_to_the_trace() {
        const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
        for value in [
            TRACE,
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1-05e3ac9a4f6e3b90",
            "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "4bf92f3577b34da6a3ce929d0e0e4736:00f067aa0ba902b7:0:1",
            "projects/shop/traces/4bf92f3577b34da6a3ce929d0e0e4736",
            "4bf92f3577b34da6a3ce929d0e0e4736/123456;o=1",
        ] {
            assert_eq!(taken(IdKind::Trace, value), [TRACE], "{value}");
        }
        for value in [
            "Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=1",
            "Root=1-67891233-abcdef012345678912345678",
        ] {
            assert_eq!(taken(IdKind::Trace, value), ["1-67891233-abcdef012345678912345678"]);
        }
    }

    #[test]
    fn values_stay_as_spelled() {
        for value in
            ["4BF92F35-77B3-4DA6-A3CE-929D0E0E4736", "01HZX3V6Q5W8Y2", "123456789012345", "req-42", "a3ce929d0e0e4736"]
        {
            assert_eq!(taken(IdKind::Request, value), [value]);
        }
    }

    #[test]
    fn placeholders_are_no_ids() {
        let long = "x".repeat(129);
        for value in [
            "",
            "-",
            "0",
            "null",
            "NULL",
            "none",
            "None",
            "undefined",
            "n/a",
            "unknown",
            "00000000000000000000000000000000",
            "00000000-0000-0000-0000-000000000000",
            "ffffffffffffffffffffffffffffffff",
            "abc",
            "a b c d",
            "true",
            "<nil>",
            "00-00000000000000000000000000000000-0000000000000000-00",
            "ab\u{e9}cd",
            long.as_str(),
        ] {
            assert!(taken(IdKind::Trace, value).is_empty(), "{value}");
        }
    }
}
