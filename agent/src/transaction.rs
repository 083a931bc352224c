//! Which names carry a transaction ID, and which values are one.
//!
//! Pure. Names are compared in lower case and without `-`, `_` and `.`, so `traceId`, `trace_id`, `TRACE-ID` and `trace.id` are
//! one name. Values stay as they were spelled; of a composite carrier (traceparent, b3, Jaeger, X-Ray, Google, .NET, Cloudflare) only
//! the ID is kept, and of a binary one (`grpc-trace-bin`) its hex digits. Span and session IDs are never transaction IDs, and
//! `_dd.p.tid` is none by itself: the aggregator finds a trace by its low half, which `dd.trace_id` has.

use crate::record::{IdKind, Ids};

/// Normalised names and what they carry.
pub const NAMES: &[(&str, IdKind)] = &[
    ("traceid", IdKind::Trace),
    ("ddtraceid", IdKind::Trace),
    ("xdatadogtraceid", IdKind::Trace),
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
    ("grpctracebin", IdKind::Trace),
    ("requestid", IdKind::Request),
    ("reqid", IdKind::Request),
    ("xrequestid", IdKind::Request),
    ("xreqid", IdKind::Request),
    ("httprequestid", IdKind::Request),
    ("httpxrequestid", IdKind::Request),
    ("awsrequestid", IdKind::Request),
    ("xamzrequestid", IdKind::Request),
    ("xmsrequestid", IdKind::Request),
    ("xgithubrequestid", IdKind::Request),
    ("kongrequestid", IdKind::Request),
    ("xkongrequestid", IdKind::Request),
    ("cfray", IdKind::Request),
    ("uniqueid", IdKind::Request),
    ("correlationid", IdKind::Correlation),
    ("xcorrelationid", IdKind::Correlation),
    ("corrid", IdKind::Correlation),
    ("transactionid", IdKind::Transaction),
    ("xtransactionid", IdKind::Transaction),
    ("globaltransactionid", IdKind::Transaction),
    ("txnid", IdKind::Transaction),
    ("txid", IdKind::Transaction),
    // A job is a transaction of its own.
    ("jobid", IdKind::Transaction),
    ("jid", IdKind::Transaction),
    // Also names of threads, kinds of events and numbers of texts: see `OTHER_LENGTH_MIN`.
    ("operationid", IdKind::Other),
    ("tid", IdKind::Other),
    ("messageid", IdKind::Other),
    ("eventid", IdKind::Other),
];

const LENGTH_MIN: usize = 4;
const LENGTH_MAX: usize = 128;
/// Under a name that says little, a shorter value is a thread (`tid=4711`), or the kind of an event (`event_id=4624`).
const OTHER_LENGTH_MIN: usize = 16;

/// Takes the value of a field that carries an ID of `kind`; keeps what is an ID. `why` is what it is known by.
pub fn take(kind: IdKind, value: &[u8], why: &'static str, ids: &mut Ids) {
    let value = match kind {
        IdKind::Trace if value.len() != 32 => trace_part(value),
        IdKind::Request => request_part(value),
        IdKind::Other if value.len() < OTHER_LENGTH_MIN => return,
        _ => value,
    };
    if kind == IdKind::Trace
        && let Some(trace) = grpc_trace(value)
    {
        if is_id(&trace) {
            ids.push(kind, &trace, why);
        }
        return;
    }
    if is_id(value) {
        ids.push(kind, value, why);
    }
}

/// Whether `value` is no placeholder and has the length and the letters of an ID.
pub fn is_id(value: &[u8]) -> bool {
    let is_printable = || value.iter().fold(true, |all, byte| all & (0x21..=0x7e).contains(byte));
    if !(LENGTH_MIN..=LENGTH_MAX).contains(&value.len()) || !is_printable() {
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
        // What a format had in place of a value: `%X{traceId}`, `$request_id`, `${...}`.
        b'%' | b'$' => true,
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
    if value.starts_with(b"Self=") {
        return b"";
    }
    // The X-Ray SDK for Java adds the segment: `1-…-…@<16 hex>`.
    if value.len() > XRAY_LENGTH && is_xray(&value[..XRAY_LENGTH]) {
        return &value[..XRAY_LENGTH];
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
    // Jaeger: {trace}:{span}:{parent}:{flags}, its colons perhaps as %3A. Google: {trace}/{span};o=1.
    for separator in [b':', b'/', b'%'] {
        let part = until(value, separator);
        if part.len() < value.len() && (8..=32).contains(&part.len()) && is_hex(part) {
            return part;
        }
    }
    value
}

/// .NET: `|{root}.{1}.{2}.`. Cloudflare: `{16 hex}-{data centre}`. Or the value itself.
fn request_part(value: &[u8]) -> &[u8] {
    match value {
        [b'|', rest @ ..] => until(rest, b'.'),
        [ray @ .., b'-', first, second, third]
            if ray.len() == 16
                && is_hex(ray)
                && [first, second, third].iter().all(|letter| letter.is_ascii_uppercase()) =>
        {
            ray
        }
        _ => value,
    }
}

/// The hex digits of the trace in `grpc-trace-bin`: base64 of a version, and fields with their numbers before them, field 0 being
/// the 16 bytes of the trace (OpenCensus, BinaryEncoding.md).
fn grpc_trace(value: &[u8]) -> Option<[u8; 32]> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    /// Version and number of the field, of a byte each.
    const BEFORE: usize = 2;
    if !(38..=40).contains(&value.len()) || !value.starts_with(b"AA") {
        return None;
    }
    let mut trace = [0; 32];
    // Three bytes to four digits; the trace ends with the sixth group.
    for (group, digits) in value.chunks_exact(4).take(6).enumerate() {
        let mut bits = 0;
        for digit in digits {
            bits = bits << 6 | base64_value(*digit)?;
        }
        for (at, byte) in bits.to_be_bytes()[1..].iter().enumerate() {
            let Some(at) = (group * 3 + at).checked_sub(BEFORE) else { continue };
            trace[2 * at] = DIGITS[usize::from(byte >> 4)];
            trace[2 * at + 1] = DIGITS[usize::from(byte & 15)];
        }
    }
    Some(trace)
}

fn base64_value(digit: u8) -> Option<u32> {
    let value = match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    };
    Some(u32::from(value))
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

const XRAY_LENGTH: usize = 35;

/// `1-<8 hex>-<24 hex>` (AWS X-Ray).
pub fn is_xray(value: &[u8]) -> bool {
    value.len() == XRAY_LENGTH
        && value.starts_with(b"1-")
        && value[10] == b'-'
        && is_hex(&value[2..10])
        && is_hex(&value[11..])
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
#[inline]
pub fn is_hex(value: &[u8]) -> bool {
    // Without a branch for each byte: many bytes are looked at in one step.
    value.iter().fold(true, |all, byte| all & byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(kind: IdKind, value: &str) -> Vec<String> {
        let mut ids = Ids::default();
        take(kind, value.as_bytes(), "field", &mut ids);
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
            "4bf92f3577b34da6a3ce929d0e0e4736%3A00f067aa0ba902b7%3A0%3A1",
            "AABL+S81d7NNpqPOkp0ODkc2AQDwZ6oLqQK3AgE=",
            "AABL-S81d7NNpqPOkp0ODkc2AQDwZ6oLqQK3AgE",
        ] {
            assert_eq!(taken(IdKind::Trace, value), [TRACE], "{value}");
        }
        for value in [
            "Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=1",
            "Root=1-67891233-abcdef012345678912345678",
            "Self=1-67891234-12456789abcdef012345678;Root=1-67891233-abcdef012345678912345678",
            "1-67891233-abcdef012345678912345678@1ce7df03252d99e1",
        ] {
            assert_eq!(taken(IdKind::Trace, value), ["1-67891233-abcdef012345678912345678"]);
        }
        assert_eq!(taken(IdKind::Trace, "7b34da6a3ce929d:f067aa0ba902b7:0:1"), ["7b34da6a3ce929d"]);
        assert_eq!(taken(IdKind::Request, "|4bf92f3577b34da6.1.da4e9679_"), ["4bf92f3577b34da6"]);
        assert_eq!(taken(IdKind::Request, "8a1b2c3d4e5f6789-FRA"), ["8a1b2c3d4e5f6789"]);
    }

    #[test]
    fn names_that_say_little_need_long_values() {
        for value in ["4711", "gnx1k2", "HHH000400"] {
            assert!(taken(IdKind::Other, value).is_empty(), "{value}");
        }
        assert_eq!(taken(IdKind::Other, "9f1c2d3e-4b5a-4c6d-8e7f-0a1b2c3d4e5f").len(), 1);
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
            "%X{traceId}",
            "$request_id",
            "AAAAAAAAAAAAAAAAAAAAAAAAAQAAAAAAAAAAAgE=",
            "Self=1-67891234-12456789abcdef012345678",
            "00-00000000000000000000000000000000-0000000000000000-00",
            "ab\u{e9}cd",
            long.as_str(),
        ] {
            assert!(taken(IdKind::Trace, value).is_empty(), "{value}");
        }
    }
}
