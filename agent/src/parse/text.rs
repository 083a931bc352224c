//! Plain text: time and severity by one of the layouts, IDs anywhere. Pure.
//!
//! IDs come as `key=value`, `key: value` and `"key":"value"`, in Spring's brackets, behind New Relic's mark, as a bare traceparent or
//! X-Ray ID, and, in access logs, as the last 32 hex digits or UUID, or where Envoy writes it.

use super::layout::{self, Memory, Source};
use super::reading::Reading;
use super::zone::Zone;
use super::{key, severity, time};
use crate::record::{Fields, IdKind, Ids};
use crate::transaction::{self, is_hex, is_traceparent, is_uuid, is_xray};

/// So far right an access log's `[23/Nov/2026:12:00:00 +0000]` may be.
const ACCESS_TIME_WITHIN: usize = 200;
const KEY_LENGTH_MAX: usize = 40;
/// The shortest bare token that is an ID without a key.
const BARE_LENGTH_MIN: usize = 35;

/// Reads `line`.
pub fn parse(line: &[u8], reading: &Reading, reference_ns: i64, memory: &mut Memory, fields: &mut Fields) {
    let source = Source { reading, reference_ns };
    if let Some(found) = layout::find(line, source, memory) {
        fields.time_ns = found.time_ns;
        fields.severity = found.severity;
        fields.layout = found.layout;
    } else if layout::allows_access(reading.format)
        && let Some((time, end)) = access_time(line, &reading.zone)
    {
        fields.time_ns = time;
        fields.layout = "access";
        find_ids(line, &mut fields.ids);
        return access(&line[end..], fields);
    } else if reading.format.guesses() {
        fields.severity = severity::in_text(line, 0);
    }
    find_ids(line, &mut fields.ids);
}

/// What a byte may be part of, as bits.
const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let at = byte as u8;
        if at.is_ascii_alphanumeric() || matches!(at, b'_' | b'-' | b'.' | b'@') {
            classes[byte] |= KEY;
        }
        let closes = matches!(at, b'"' | b'\'' | b'\\' | b',' | b';' | b'&' | b'|');
        if at.is_ascii_whitespace() || closes || matches!(at, b'[' | b']' | b'(' | b')' | b'{' | b'}' | b'<' | b'>') {
            classes[byte] |= VALUE_END;
        }
        if at.is_ascii_hexdigit() || at == b'-' {
            classes[byte] |= HEX_OR_DASH;
        }
        byte += 1;
    }
    classes
};
const KEY: u8 = 1;
const VALUE_END: u8 = 2;
const HEX_OR_DASH: u8 = 4;

#[inline]
fn is(byte: u8, class: u8) -> bool {
    CLASSES[byte as usize] & class != 0
}

/// Puts the IDs of `text` into `ids`.
pub fn find_ids(text: &[u8], ids: &mut Ids) {
    for at in memchr::memchr3_iter(b'=', b':', b'[', text) {
        if text[at] == b'[' {
            bracket(&text[at + 1..], ids);
        } else if at > 0
            && let Some((key, quoted)) = key_before(text, at)
            && let Some(kind) = key::meaning_id(key)
        {
            transaction::take(kind, value_after(text, at + 1, quoted), "key in text", ids);
        }
    }
    bare(text, ids);
    linking(text, ids);
}

/// The key that ends before the `=` or `:` at `at`, and whether it stands in quotes.
#[inline]
fn key_before(text: &[u8], at: usize) -> Option<(&[u8], bool)> {
    let mut end = at;
    let mut quoted = false;
    if matches!(text[end - 1], b'"' | b'\'') {
        quoted = true;
        end -= 1;
        if end > 0 && text[end - 1] == b'\\' {
            end -= 1;
        }
    }
    if end == 0 || !key::may_end_id(text[end - 1]) {
        return None;
    }
    let low = end.saturating_sub(KEY_LENGTH_MAX);
    let mut begin = end;
    while begin > low && is(text[begin - 1], KEY) {
        begin -= 1;
    }
    (begin < end).then(|| (&text[begin..end], quoted))
}

fn value_after(text: &[u8], mut at: usize, quoted: bool) -> &[u8] {
    let blanks = if quoted { 4 } else { 1 };
    for _ in 0..blanks {
        if text.get(at) == Some(&b' ') {
            at += 1;
        }
    }
    while matches!(text.get(at), Some(b'"' | b'\'' | b'\\' | b'[' | b'<' | b'{' | b'(')) {
        at += 1;
    }
    let rest = &text[at.min(text.len())..];
    // .NET's hierarchical IDs begin with a bar.
    let from = usize::from(rest.first() == Some(&b'|'));
    let value =
        &rest[..rest[from..].iter().position(|byte| is(*byte, VALUE_END)).map_or(rest.len(), |length| from + length)];
    // A full stop ends a sentence, a colon a heading.
    match value.last() {
        Some(b'.' | b':') => &value[..value.len() - 1],
        _ => value,
    }
}

/// `[app,trace,span]`, `[app,trace,span,true]`, `[trace-span]` padded with blanks, `[trace,span]`, Rails' `[uuid]`, and the time of
/// Envoy's access log.
fn bracket(rest: &[u8], ids: &mut Ids) {
    const LENGTH_MAX: usize = 120;
    // A time in front of an access log's line.
    const BRACKET_LENGTH_MIN: usize = 20;
    // `,<16 hex>,<16 hex>`
    const SLEUTH_LENGTH_MIN: usize = 34;
    let window = &rest[..rest.len().min(LENGTH_MAX)];
    let Some(end) = memchr::memchr(b']', window) else { return };
    let inside = &window[..end];
    if inside.len() < BRACKET_LENGTH_MIN {
        return;
    }
    let is_trace = |trace: &[u8]| matches!(trace.len(), 16 | 32) && is_hex(trace);
    let is_span = |span: &[u8]| span.len() == 16 && is_hex(span);
    if inside.len() == 36 && is_uuid(inside) {
        return transaction::take(IdKind::Request, inside, "tag in brackets", ids);
    }
    if inside.len() == 49 && matches!(inside[32], b'-' | b',') {
        let trace = inside[..32].trim_ascii();
        if is_trace(trace) && is_span(&inside[33..]) {
            transaction::take(IdKind::Trace, trace, "spring brackets", ids);
        }
        return;
    }
    if inside.len() >= 20 && inside[10] == b'T' && inside.ends_with(b"Z") && rest[end + 1..].starts_with(b" \"") {
        return envoy(&rest[end + 1..], ids);
    }
    if inside.len() < SLEUTH_LENGTH_MIN {
        return;
    }
    let mut parts = inside.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    if let (Some(_), Some(trace), Some(span)) = (parts.next(), parts.next(), parts.next())
        && is_trace(trace)
        && is_span(span)
    {
        transaction::take(IdKind::Trace, trace, "sleuth brackets", ids);
    }
}

/// What follows the time of Envoy's access log. The default format has six strings in quotes, the fourth being X-REQUEST-ID; Istio's
/// and others have more, of which the first UUID or 32 hex digits behind the request are taken.
fn envoy(rest: &[u8], ids: &mut Ids) {
    const STRINGS: usize = 6;
    let strings = || rest.split(|byte| *byte == b'"').skip(1).step_by(2);
    let is_default = memchr::memchr_iter(b'"', rest).count() == 2 * STRINGS;
    let id = if is_default { strings().nth(3) } else { strings().skip(1).find(is_bare_id) };
    if let Some(id) = id {
        transaction::take(IdKind::Request, id, "envoy access log", ids);
    }
}

fn is_bare_id(token: &&[u8]) -> bool {
    (token.len() == 32 && is_hex(token)) || is_uuid(token)
}

/// `NR-LINKING|guid|host|trace|span|` and perhaps `service|`, which New Relic's agents put behind a message.
fn linking(text: &[u8], ids: &mut Ids) {
    let text = text.trim_ascii_end();
    if text.last() != Some(&b'|') {
        return;
    }
    if let Some(at) = memchr::memmem::rfind(text, b"NR-LINKING|")
        && let Some(trace) = text[at..].split(|byte| *byte == b'|').nth(3)
    {
        transaction::take(IdKind::Trace, trace, "new relic linking", ids);
    }
}

/// Tokens that are an ID by their shape alone. Only every 35th byte is looked at until one may be inside of such a token.
fn bare(text: &[u8], ids: &mut Ids) {
    let is_part = |byte: u8| is(byte, HEX_OR_DASH);
    let mut at = BARE_LENGTH_MIN - 1;
    while at < text.len() {
        if !is_part(text[at]) {
            at += BARE_LENGTH_MIN;
            continue;
        }
        let begin = text[..at].iter().rposition(|byte| !is_part(*byte)).map_or(0, |before| before + 1);
        let end = text[at..].iter().position(|byte| !is_part(*byte)).map_or(text.len(), |length| at + length);
        // `%27` and the like, in a URL, look like the first digits.
        let begin = if begin > 0 && text[begin - 1] == b'%' { (begin + 2).min(end) } else { begin };
        let token = &text[begin..end];
        if is_traceparent(token) {
            transaction::take(IdKind::Trace, token, "bare traceparent", ids);
        } else if is_xray(token) && !text[..begin].ends_with(b"Self=") {
            transaction::take(IdKind::Trace, token, "bare x-ray id", ids);
        }
        at = end + BARE_LENGTH_MIN;
    }
}

fn access_time(line: &[u8], zone: &Zone) -> Option<(Option<i64>, usize)> {
    let window = &line[..line.len().min(ACCESS_TIME_WITHIN)];
    memchr::memchr_iter(b'[', window).find_map(|at| {
        let stamp = time::apache(&line[at + 1..])?;
        Some((stamp.instant_ns(zone), at + 1 + stamp.end))
    })
}

/// What follows the time of a combined access log: the request in quotes, the status, and perhaps an ID without a key.
fn access(rest: &[u8], fields: &mut Fields) {
    let Some(request) = memchr::memchr(b'"', rest) else { return };
    let Some(close) = memchr::memmem::find(&rest[request + 1..], b"\" ") else { return };
    let tail = &rest[request + close + 3..];
    fields.severity = severity::of_http_status(&tail[..tail.len().min(3)]).unwrap_or_default();
    if !fields.ids.is_empty() {
        return;
    }
    let is_separator = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'[' | b']' | b'=');
    if let Some(id) = tail.rsplit(is_separator).find(is_bare_id) {
        transaction::take(IdKind::Request, id, "access log", &mut fields.ids);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Severity;

    fn read(line: &str) -> (Option<i64>, Severity, Vec<(IdKind, String)>) {
        let mut fields = Fields::default();
        parse(line.as_bytes(), &Reading::default(), 0, &mut Memory::default(), &mut fields);
        let ids = fields.ids.iter().map(|(kind, id)| (kind, String::from_utf8_lossy(id).into_owned())).collect();
        (fields.time_ns, fields.severity, ids)
    }

    const NOON: Option<i64> = Some(1_795_435_200_000_000_000);
    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn lines_of_real_programs() {
        let trace = || vec![(IdKind::Trace, TRACE.to_owned())];
        for (line, time, severity, ids) in [
            (
                "2026-11-23 12:00:00.000  INFO [billing,4bf92f3577b34da6a3ce929d0e0e4736,00f067aa0ba902b7] 1 --- [main] c.e.Foo : ok",
                NOON,
                Severity::Info,
                trace(),
            ),
            (
                "2026-11-23T12:00:00.000Z ERROR 1 --- [nio-1] [4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7] c.e.Foo : error",
                NOON,
                Severity::Error,
                trace(),
            ),
            (
                "2026-11-23 12:00:00,000 WARNING app.views trace_id=4bf92f3577b34da6a3ce929d0e0e4736 span_id=00f067aa0ba902b7 slow",
                NOON,
                Severity::Warn,
                trace(),
            ),
            (
                "[2026-11-23 12:00:00] production.ERROR: failed {\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\"}",
                NOON,
                Severity::Error,
                trace(),
            ),
            (
                "2026-11-23T12:00:00Z  info order traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                NOON,
                Severity::Info,
                trace(),
            ),
            (
                "2026/11/23 12:00:00 [warn] 7#7: *9 upstream, 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01, host",
                NOON,
                Severity::Warn,
                trace(),
            ),
            (
                "DEBUG 2026-11-23 12:00:00,000 traceId: 4bf92f3577b34da6a3ce929d0e0e4736.",
                NOON,
                Severity::Debug,
                trace(),
            ),
            ("ERROR:root:trace_id='4bf92f3577b34da6a3ce929d0e0e4736' gone", None, Severity::Error, trace()),
            (
                "2026-11-23 12:00:00 nothing here, no error at 12:00:00, span_id=00f067aa0ba902b7",
                NOON,
                Severity::Unknown,
                vec![],
            ),
            ("2026-11-23 12:00:00.000 INFO [app,,] no trace", NOON, Severity::Info, vec![]),
        ] {
            assert_eq!(read(line), (time, severity, ids), "{line}");
        }
    }

    #[test]
    fn access_logs() {
        let line = |tail: &str| format!("10.0.0.1 - - [23/Nov/2026:12:00:00 +0000] \"GET /a?b=c HTTP/1.1\" {tail}");
        let request = |id: &str| vec![(IdKind::Request, id.to_owned())];
        assert_eq!(
            read(&line("200 12 \"-\" \"curl/8\" \"4bf92f3577b34da6a3ce929d0e0e4736\"")),
            (NOON, Severity::Info, request(TRACE))
        );
        assert_eq!(
            read(&line("502 12 \"-\" \"curl/8\" 0.003 9f1c2d3e-4b5a-4c6d-8e7f-0a1b2c3d4e5f")),
            (NOON, Severity::Error, request("9f1c2d3e-4b5a-4c6d-8e7f-0a1b2c3d4e5f"))
        );
        assert_eq!(read(&line("404 12 \"-\" \"curl/8\" request_id=req-17")), (NOON, Severity::Warn, request("req-17")));
        assert_eq!(read(&line("200 12 \"-\" \"-\" \"-\"")), (NOON, Severity::Info, vec![]));
    }

    #[test]
    fn ids_in_the_oddest_places() {
        for (text, id) in [
            ("started (requestId=req-1)", "req-1"),
            ("[request_id: req-2] x", "req-2"),
            ("a|correlationId=corr-3|b", "corr-3"),
            (
                "X-Amzn-Trace-Id: Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8",
                "1-67891233-abcdef012345678912345678",
            ),
            ("saw 1-67891233-abcdef012345678912345678 again", "1-67891233-abcdef012345678912345678"),
            ("{\\\"txn_id\\\":\\\"txn-4\\\"}", "txn-4"),
            ("request_id=req-5", "req-5"),
            ("[9f1c2d3e-4b5a-4c6d-8e7f-0a1b2c3d4e5f] Started GET", "9f1c2d3e-4b5a-4c6d-8e7f-0a1b2c3d4e5f"),
        ] {
            let mut ids = Ids::default();
            find_ids(text.as_bytes(), &mut ids);
            assert_eq!(ids.iter().map(|(_, id)| id).collect::<Vec<_>>(), [id.as_bytes()], "{text}");
        }
    }
}
