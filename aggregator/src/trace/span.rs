//! Span and parent span of a line that carries them.
//!
//! Names are found wherever they stand, in JSON, logfmt or text: in front of a colon or an equals sign. The last letter alone
//! tells of most that they are none of ours. What is understood: `span_id` and `parent_span_id` in their spellings (OpenTelemetry, ECS,
//! Micrometer, .NET, Serilog's `@sp` and `@ps`, Google, Datadog's decimal ones), `traceparent` (W3C), `b3` and `X-B3-*`,
//! `uber-trace-id` (Jaeger), `X-Amzn-Trace-Id`, `NR-LINKING` (New Relic), and Spring's `[app,trace,span]` and `[trace-span]`.
//!
//! A header that came with a request (`traceparent`, Jaeger's, Amazon's) holds the span of who called: it is the parent, unless
//! it is the line's own span, or the line names its parent. Of `b3` the span is shared by both sides, and is the line's own.
//! Zeros, and the `f`s that some put for nothing, are none.

use memchr::memmem;

/// The spans of a line, as numbers: 16 hexadecimal digits are 64 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spans {
    pub span: Option<u64>,
    pub parent: Option<u64>,
}

/// A longer name is none of ours.
const NAME_BYTES_MAX: usize = 40;
/// Quotes, blanks and the like between a name and its value.
const BETWEEN_BYTES_MAX: usize = 8;
/// Spring writes its brackets in front.
const BRACKETS_WITHIN: usize = 400;
const BRACKET_BYTES_MAX: usize = 160;

/// The spans of `line`.
pub fn of(line: &[u8]) -> Spans {
    let mut found = Found::default();
    for at in memchr::memchr2_iter(b':', b'=', line) {
        found.before(line, at);
    }
    if found.span.is_none() {
        if line.first() != Some(&b'{') {
            found.brackets(line);
        }
        // NR-LINKING|entity|host|trace|span|
        if let Some(at) = memmem::find(line, b"NR-LINKING|") {
            found.span = line[at..].split(|byte| *byte == b'|').nth(4).and_then(hex16);
        }
    }
    found.spans()
}

#[derive(Default)]
struct Found {
    span: Option<u64>,
    parent: Option<u64>,
    /// The span in a header that came with the request.
    header: Option<u64>,
}

/// What a name stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Name {
    Span,
    /// Written in decimal digits.
    DecimalSpan,
    Parent,
    DecimalParent,
    /// Others have parents, too: only a value that looks like a span is one.
    PerhapsParent,
    Traceparent,
    Jaeger,
    B3,
}

impl Found {
    fn spans(self) -> Spans {
        let parent = self.parent.or(self.header).filter(|parent| self.span != Some(*parent));
        Spans { span: self.span, parent }
    }

    /// Perhaps a name ends in front of the separator at `at`.
    #[inline]
    fn before(&mut self, line: &[u8], at: usize) {
        let is_between = |byte: &&u8| matches!(byte, b'"' | b'\'' | b'\\' | b' ');
        let end = at - line[..at].iter().rev().take(BETWEEN_BYTES_MAX).take_while(is_between).count();
        // span_id, parent, span, @sp, @ps, b3.
        if end > 1 && matches!(line[end - 1] | 0x20, b'd' | b't' | b'n' | b'p' | b's' | b'3') {
            self.named(line, end, at);
        }
    }

    fn named(&mut self, line: &[u8], end: usize, separator: usize) {
        let is_name_byte =
            |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'/' | b'@');
        let begin = end - line[..end].iter().rev().take(NAME_BYTES_MAX).take_while(is_name_byte).count();
        let Some(name) = name(&line[begin..end]) else { return };
        let value = value_at(line, separator);
        if value.first() == Some(&b'{') {
            self.id_in(name, value);
        } else {
            self.take(name, value);
        }
    }

    fn take(&mut self, name: Name, value: &[u8]) {
        let (field, taken) = match name {
            Name::Span => (&mut self.span, span(value)),
            Name::DecimalSpan => (&mut self.span, decimal(value).or_else(|| span(value))),
            Name::Parent => (&mut self.parent, span(value)),
            Name::DecimalParent => (&mut self.parent, decimal(value).or_else(|| span(value))),
            Name::PerhapsParent => (&mut self.parent, hex16(digits(value)).or_else(|| long_decimal(digits(value)))),
            Name::Traceparent => (&mut self.header, traceparent(value)),
            Name::Jaeger => (&mut self.header, jaeger(value)),
            Name::B3 => return self.b3(value),
        };
        *field = field.or(taken);
    }

    /// `"span":{"id":"…"}`, of ECS.
    fn id_in(&mut self, name: Name, object: &[u8]) {
        let object = &object[..memchr::memchr(b'}', object).unwrap_or(object.len())];
        if let Some(at) = memmem::find(object, b"\"id\"") {
            self.take(name, value_at(object, at + 4));
        }
    }

    /// `{trace}-{span}-{sampled}-{parent}`
    fn b3(&mut self, value: &[u8]) {
        let mut parts = digits(value).split(|byte| *byte == b'-');
        if parts.next().is_some_and(|trace| matches!(trace.len(), 16 | 32) && is_hex(trace)) {
            self.span = self.span.or(parts.next().and_then(hex16));
            self.parent = self.parent.or(parts.nth(1).and_then(hex16));
        }
    }

    /// `[app,trace,span]`, `[app,trace,span,true]`, `[app,trace,span,parent,true]`, `[trace,span]`, `[trace-span]`.
    fn brackets(&mut self, line: &[u8]) {
        let front = &line[..line.len().min(BRACKETS_WITHIN)];
        for at in memchr::memchr_iter(b'[', front) {
            let inside = &line[at + 1..line.len().min(at + 1 + BRACKET_BYTES_MAX)];
            let Some(length) = memchr::memchr(b']', inside) else { continue };
            let inside = inside[..length].trim_ascii();
            if inside.len() == 49 && inside[32] == b'-' && is_hex(&inside[..32]) {
                self.span = hex16(&inside[33..]);
            } else if memchr::memchr(b',', inside).is_some() {
                let parts: Vec<&[u8]> = inside.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).take(5).collect();
                let is_trace = |part: &[u8]| matches!(part.len(), 16 | 32) && is_hex(part);
                match parts[..] {
                    [_, trace, span, ref behind @ ..] if is_trace(trace) => {
                        self.span = hex16(span);
                        self.parent = self.parent.or_else(|| behind.first().and_then(|parent| hex16(parent)));
                    }
                    [trace, span] if is_trace(trace) => self.span = hex16(span),
                    _ => {}
                }
            }
            if self.span.is_some() {
                return;
            }
        }
    }
}

/// What `written` stands for; case, `_`, `-` and `.` make no difference.
fn name(written: &[u8]) -> Option<Name> {
    let mut bare = [0; NAME_BYTES_MAX];
    let mut length = 0;
    // Behind `mdc.`, `context.` and the like.
    let mut last = 0;
    for byte in written {
        match byte {
            b'.' => last = length,
            b'_' | b'-' => {}
            _ => {
                *bare.get_mut(length)? = byte.to_ascii_lowercase();
                length += 1;
            }
        }
    }
    known(&bare[..length]).or_else(|| known(&bare[last..length]))
}

fn known(name: &[u8]) -> Option<Name> {
    Some(match name {
        b"spanid"
        | b"otelspanid"
        | b"xb3spanid"
        | b"@sp"
        | b"tracespanid"
        | b"logginggoogleapiscom/spanid"
        | b"span" => Name::Span,
        b"ddspanid" => Name::DecimalSpan,
        b"parentspanid" | b"otelparentspanid" | b"xb3parentspanid" | b"spanparentid" | b"@ps" => Name::Parent,
        b"ddparentid" | b"xdatadogparentid" | b"ddparentspanid" => Name::DecimalParent,
        b"parentid" | b"parent" => Name::PerhapsParent,
        b"traceparent" | b"httptraceparent" => Name::Traceparent,
        b"ubertraceid" => Name::Jaeger,
        b"b3" => Name::B3,
        _ => return None,
    })
}

/// What stands behind the separator at `at` and its quotes; empty when there is too much between them.
fn value_at(line: &[u8], at: usize) -> &[u8] {
    let behind = &line[at..];
    let is_between = |byte: &&u8| matches!(byte, b':' | b'=' | b'"' | b'\'' | b'\\' | b' ');
    let between = behind.iter().take(BETWEEN_BYTES_MAX).take_while(is_between).count();
    if between < BETWEEN_BYTES_MAX { &behind[between..] } else { &[] }
}

/// The letters and digits that a value begins with.
fn digits(value: &[u8]) -> &[u8] {
    let is_in = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'-';
    &value[..value.iter().take_while(is_in).count()]
}

/// Jaeger leaves zeros away at the front.
const HEX_BYTES_MIN: usize = 10;

fn span(value: &[u8]) -> Option<u64> {
    let digits = digits(value);
    match digits.len() {
        HEX_BYTES_MIN..=16 => hex(digits),
        _ => long_decimal(digits),
    }
}

fn hex16(digits: &[u8]) -> Option<u64> {
    if digits.len() == 16 { hex(digits) } else { None }
}

fn is_hex(digits: &[u8]) -> bool {
    digits.iter().all(u8::is_ascii_hexdigit)
}

fn hex(digits: &[u8]) -> Option<u64> {
    let digit = |number: u64, digit: &u8| Some(number << 4 | u64::from(char::from(*digit).to_digit(16)?));
    digits.iter().try_fold(0, digit).filter(|number| *number > 0 && *number < u64::MAX)
}

/// What is longer than 16 digits cannot be hexadecimal.
fn long_decimal(digits: &[u8]) -> Option<u64> {
    if (17..=20).contains(&digits.len()) { decimal(digits) } else { None }
}

fn decimal(value: &[u8]) -> Option<u64> {
    let digits = digits(value);
    let number = |digits: &[u8]| std::str::from_utf8(digits).ok()?.parse::<u64>().ok();
    if digits.iter().all(u8::is_ascii_digit) { number(digits).filter(|number| *number > 0) } else { None }
}

/// The span of `00-{32}-{16}-{2}`.
fn traceparent(value: &[u8]) -> Option<u64> {
    let value = value.get(..55)?;
    let has_dashes = [2, 35, 52].iter().all(|at| value[*at] == b'-');
    if has_dashes && is_hex(&value[3..35]) { hex16(&value[36..52]) } else { None }
}

/// The span of `{trace}:{span}:{parent}:{flags}`.
fn jaeger(value: &[u8]) -> Option<u64> {
    let mut parts = value.split(|byte| *byte == b':');
    let (trace, span) = (parts.next()?, parts.next()?);
    if (1..=32).contains(&trace.len()) && is_hex(trace) && (1..=16).contains(&span.len()) { hex(span) } else { None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";
    const PARENT: &str = "b7ad6b7169203331";

    fn read(line: &str) -> (Option<String>, Option<String>) {
        let line = line.replace("THETRACE", TRACE).replace("SPANVALUE", SPAN).replace("PARENTVALUE", PARENT);
        let spans = of(line.as_bytes());
        (spans.span.map(|span| format!("{span:016x}")), spans.parent.map(|span| format!("{span:016x}")))
    }

    #[test]
    fn spans_and_parents_in_their_spellings() {
        for line in [
            r#"{"trace_id":"THETRACE","span_id":"SPANVALUE","parent_span_id":"PARENTVALUE"}"#,
            r#"{"traceId":"THETRACE","spanId":"SPANVALUE","parentSpanId":"PARENTVALUE"}"#,
            r#"{"TraceId":"THETRACE","SpanId":"SPANVALUE","ParentId":"PARENTVALUE"}"#,
            r#"{"span.id" : "SPANVALUE", "parent.id" : "PARENTVALUE"}"#,
            r#"{"span":{"id":"SPANVALUE"},"parent":{"id":"PARENTVALUE"}}"#,
            r#"{"otelSpanID":"SPANVALUE","parent_id":"PARENTVALUE"}"#,
            r#"{"@tr":"THETRACE","@sp":"SPANVALUE","@ps":"PARENTVALUE"}"#,
            r#"{"context":{"span_id":"SPANVALUE"},"parent_id":"PARENTVALUE"}"#,
            r#"{"log":"{\"span_id\":\"SPANVALUE\",\"parent_id\":\"PARENTVALUE\"}"}"#,
            r#"{"dd.trace_id":"1","dd.span_id":"67667974448284343","dd.parent_id":"13235353014750950193"}"#,
            r#"{"dd":{"span_id":67667974448284343,"parent_id":13235353014750950193}}"#,
            "level=info span_id=SPANVALUE parent_id=PARENTVALUE msg=x",
            "INFO mdc.spanId=SPANVALUE mdc.parentSpanId: PARENTVALUE done",
            "INFO SPAN_ID=SPANVALUE PARENT_SPAN_ID=PARENTVALUE",
            "span_id:SPANVALUE\ttraceparent:00-THETRACE-PARENTVALUE-01",
            r#"{"span_id":"SPANVALUE","headers":{"traceparent":"00-THETRACE-PARENTVALUE-01"}}"#,
            "SELECT 1 /*traceparent='00-THETRACE-PARENTVALUE-01'*/ span_id=SPANVALUE",
            "span_id=SPANVALUE TRACEPARENT=00-THETRACE-PARENTVALUE-01",
            "X-B3-TraceId: THETRACE, X-B3-SpanId: SPANVALUE, X-B3-ParentSpanId: PARENTVALUE",
            r#"{"b3":"THETRACE-SPANVALUE-1-PARENTVALUE"}"#,
            "spanId=SPANVALUE uber-trace-id=THETRACE:PARENTVALUE:0:1",
            "spanId=SPANVALUE X-Amzn-Trace-Id: Root=1-67891233-abcdef012345678912345678;Parent=PARENTVALUE;Sampled=1",
            "2026-11-23 INFO [checkout,THETRACE,SPANVALUE,PARENTVALUE,true] 1 --- [exec-1] c.s.C : x",
            r#"2026-11-23 [opentelemetry trace_id="THETRACE" span_id="SPANVALUE"] parent_span_id=PARENTVALUE"#,
        ] {
            assert_eq!(read(line), (Some(SPAN.to_owned()), Some(PARENT.to_owned())), "{line}");
        }
        for line in [
            "INFO [checkout,THETRACE,SPANVALUE] x",
            "INFO [checkout,THETRACE,SPANVALUE,true] x",
            "INFO [shop] [THETRACE-SPANVALUE] x",
            "INFO [main] [THETRACE,SPANVALUE] x",
            "x NR-LINKING|guid|host|THETRACE|SPANVALUE|",
            "span_id=SPANVALUE traceparent=00-THETRACE-SPANVALUE-01",
            "b3=THETRACE-SPANVALUE",
            "logging.googleapis.com/spanId=SPANVALUE",
            "spanId=f067aa0ba902b7",
            "dd.span_id=67667974448284343",
        ] {
            assert_eq!(read(line), (Some(SPAN.to_owned()), None), "{line}");
        }
    }

    #[test]
    fn what_is_no_span() {
        for line in [
            "",
            "a company's parent spans the world",
            "span_id=0000000000000000 parent_id=ffffffffffffffff",
            "span_id=0 parent_id=- spanId=null",
            r#"{"span_id":"","parent_id":null,"parent":{"name":"x"},"span":{}}"#,
            r#"{"parent_id":42,"comment":{"parent_id":"1234567"}}"#,
            "timespan=00f067aa0ba902b7 lifespan_id=00f067aa0ba902b7",
            "span_id",
            "span_id=",
            "INFO [checkout,,] x [a,b,c] [,00f067aa0ba902b7,]",
            "INFO [                                                 ] x",
            "traceparent=00-short",
            "traceparent=00-00000000000000000000000000000000-0000000000000000-00",
            "the span 00f067aa0ba902b7",
            "span_id=00f067aa0ba902bz",
        ] {
            assert_eq!(read(line), (None, None), "{line}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_are_taken(
            front in prop_oneof![Just("span_id"), Just("traceparent=00-"), Just("["), Just("b3"), Just("@sp\""), Just("NR-LINKING|"), Just("span\":{\"id\"")],
            bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b'"'), Just(b':'), Just(b'-'), Just(b'a'), Just(b'|'), Just(b',')], 0..80),
        ) {
            of(&[front.as_bytes(), &bytes].concat());
        }

        #[test]
        fn any_span_is_read(span in 1..u64::MAX, parent in 1..u64::MAX) {
            prop_assume!(span != parent);
            let line = format!(r#"{{"msg":"x","span_id":"{span:016x}","parent_span_id":"{parent:016X}"}}"#);
            prop_assert_eq!(of(line.as_bytes()), Spans { span: Some(span), parent: Some(parent) });
            let line = format!("dd.span_id={span} dd.parent_id={parent}");
            prop_assert_eq!(of(line.as_bytes()), Spans { span: Some(span), parent: Some(parent) });
        }
    }
}
