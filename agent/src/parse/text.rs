//! Plain text: time and severity by one of the layouts, IDs anywhere. Pure.
//!
//! IDs come as `key=value`, `key: value` and `"key":"value"`, in Spring's brackets, behind New Relic's mark, as a bare traceparent or
//! X-Ray ID, and, in access logs, as the last 32 hex digits or UUID, or where Envoy writes it.

use super::layout::{self, Memory, Source};
use super::reading::Reading;
use super::zone::Zone;
use super::{key, scan, severity, time};
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
    scan::each(text, [b'=', b':', b'['], |at| match &text[..=at] {
        // Most brackets hold a level or a thread, and most words before a colon are no keys: told by a few bytes, and only the rest is
        // looked at. Half of the time that plain text takes was spent here.
        [.., b'['] if scan::is_in_first_chunk(&text[at + 1..], b']') => {}
        [.., b'['] => bracket(&text[at + 1..], ids),
        [.., before, last, _] if key::may_end_id(*before, *last) || matches!(last, b'"' | b'\'') => {
            keyed(text, at, ids);
        }
        _ => {}
    });
    bare(text, ids);
    linking(text, ids);
}

/// What stands around the `=` or `:` at `at`, if it is an ID behind its key.
#[inline(never)]
fn keyed(text: &[u8], at: usize, ids: &mut Ids) {
    if let Some((key, quoted)) = key_before(text, at)
        && let Some(kind) = key::meaning_id(key)
    {
        transaction::take(kind, value_after(text, at + 1, quoted), "key in text", ids);
    }
}

/// The key that ends before the `=` or `:` at `at`, and whether it stands in quotes; none if it cannot be that of an ID.
fn key_before(text: &[u8], at: usize) -> Option<(&[u8], bool)> {
    let mut end = at;
    let mut quoted = false;
    if let [.., b'"' | b'\''] = text[..end] {
        quoted = true;
        end -= 1;
        if let [.., b'\\'] = text[..end] {
            end -= 1;
        }
    }
    match text[..end] {
        [.., before, last] if key::may_end_id(before, last) => {}
        _ => return None,
    }
    let key = &text[end.saturating_sub(KEY_LENGTH_MAX)..end];
    let length = key.iter().rev().take_while(|byte| is(**byte, KEY)).count();
    (length > 0).then(|| (&key[key.len() - length..], quoted))
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
    // No digit and no dash ends a value, and most IDs are nothing else.
    let from = from + scan::hex_or_dash_at_start(&rest[from..]);
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
#[inline(never)]
fn bracket(rest: &[u8], ids: &mut Ids) {
    const LENGTH_MAX: usize = 120;
    // A time in front of an access log's line. More than the first chunk that `find_ids` looks at.
    const BRACKET_LENGTH_MIN: usize = 20;
    // `,<16 hex>,<16 hex>`
    const SLEUTH_LENGTH_MIN: usize = 34;
    let window = &rest[..rest.len().min(LENGTH_MAX)];
    let Some(end) = scan::byte(window, b']') else { return };
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
    let Some(behind_app) = scan::byte(inside, b',').map(|comma| &inside[comma + 1..]) else { return };
    let Some(comma) = scan::byte(behind_app, b',') else { return };
    let (trace, behind_trace) = (behind_app[..comma].trim_ascii(), &behind_app[comma + 1..]);
    if is_trace(trace) && is_span(behind_trace.split(|byte| *byte == b',').next().unwrap_or_default().trim_ascii()) {
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
#[inline(never)]
fn bare(text: &[u8], ids: &mut Ids) {
    let is_part = |at: usize| text.get(at).is_some_and(|byte| is(*byte, HEX_OR_DASH));
    let mut at = BARE_LENGTH_MIN - 1;
    while at < text.len() {
        // One that holds this byte reaches as far as that to one side at least.
        const REACH: usize = BARE_LENGTH_MIN / 2;
        if !is_part(at) || !(is_part(at - REACH) || is_part(at + REACH)) {
            at += BARE_LENGTH_MIN;
            continue;
        }
        let begin = at - scan::hex_or_dash_at_end(&text[..at]);
        let end = at + scan::hex_or_dash_at_start(&text[at..]);
        if end - begin >= BARE_LENGTH_MIN {
            bare_token(text, begin, end, ids);
        }
        at = end + BARE_LENGTH_MIN;
    }
}

fn bare_token(text: &[u8], begin: usize, end: usize, ids: &mut Ids) {
    // `%27` and the like, in a URL, look like the first digits.
    let begin = if begin > 0 && text[begin - 1] == b'%' { (begin + 2).min(end) } else { begin };
    let token = &text[begin..end];
    if is_traceparent(token) {
        transaction::take(IdKind::Trace, token, "bare traceparent", ids);
    } else if is_xray(token) && !text[..begin].ends_with(b"Self=") {
        transaction::take(IdKind::Trace, token, "bare x-ray id", ids);
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
    use proptest::prelude::*;

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

    /// The same byte by byte, without anything that passes over a place before it is looked at.
    fn find_ids_slowly(text: &[u8], ids: &mut Ids) {
        for at in 0..text.len() {
            match text[at] {
                b'[' => bracket(&text[at + 1..], ids),
                b'=' | b':' => {
                    let (quoted, end) = match text[..at] {
                        [.., b'\\', b'"' | b'\''] => (true, at - 2),
                        [.., b'"' | b'\''] => (true, at - 1),
                        _ => (false, at),
                    };
                    let mut begin = end;
                    while begin > 0 && end - begin < KEY_LENGTH_MAX && is(text[begin - 1], KEY) {
                        begin -= 1;
                    }
                    let ends_in_letter = end > 0 && text[end - 1].is_ascii_alphanumeric();
                    if let Some(kind) = key::meaning_id(&text[begin..end]).filter(|_| ends_in_letter) {
                        transaction::take(kind, value_after(text, at + 1, quoted), "key in text", ids);
                    }
                }
                _ => {}
            }
        }
        let mut begin = 0;
        for token in text.split(|byte| !is(*byte, HEX_OR_DASH)) {
            bare_token(text, begin, begin + token.len(), ids);
            begin += token.len() + 1;
        }
        linking(text, ids);
    }

    proptest! {
        #[test]
        fn nothing_is_passed_over(parts in proptest::collection::vec(part(), 0..24)) {
            let text = parts.concat();
            let (mut quickly, mut slowly) = (Ids::default(), Ids::default());
            find_ids(text.as_bytes(), &mut quickly);
            find_ids_slowly(text.as_bytes(), &mut slowly);
            prop_assert_eq!(quickly.iter_why().collect::<Vec<_>>(), slowly.iter_why().collect::<Vec<_>>());
            prop_assert_eq!(quickly.left_out(), slowly.left_out());
        }
    }

    /// What lines with IDs are made of, and what looks like it.
    fn part() -> impl Strategy<Value = String> {
        let names = transaction::NAMES.iter().map(|(name, _)| *name).collect::<Vec<_>>();
        let words = [
            "traceId",
            "trace_id",
            "TRACE-ID",
            "x.request.id",
            "requestId_",
            "b-3",
            "cf-ray",
            "spanId",
            "client",
            "Root",
            "Self",
            "NR-LINKING|a|b|4bf92f3577b34da6a3ce929d0e0e4736|c|",
            "12:00:00,3",
        ];
        let values = [
            "4bf92f3577b34da6a3ce929d0e0e4736",
            "00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "1-67891233-abcdef012345678912345678",
            "9f1c2d3e-4b5a-4c6d-8e7f-0a1b2c3d4e5f",
            "req-17",
            "|4bf92f3577b34da6.1.",
        ];
        let marks =
            ["=", ":", ": ", "[", "]", "\"", "'", "\\\"", " ", ",", ", ", "-", ".", "%27", ";", "e", "0", "é", "    "];
        prop_oneof![
            2 => proptest::sample::select(names).prop_map(str::to_owned),
            2 => proptest::sample::select(words.to_vec()).prop_map(str::to_owned),
            4 => proptest::sample::select(values.to_vec()).prop_map(str::to_owned),
            8 => proptest::sample::select(marks.to_vec()).prop_map(str::to_owned),
            1 => "[0-9a-f-]{1,60}",
        ]
    }
}
