//! What a log line says: its message, without time, level, logger and IDs in front of it.
//!
//! Of JSON it is the value of `message`, `msg` and the like, of logfmt too; of any other line it is the text behind the
//! columns that every line of the file has. An access log has no message: what it says is method, path and status. Only the
//! first physical line counts: a stack trace belongs to the line above it.
//!
//! | file | what it is |
//! | --- | --- |
//! | `object` | the message of a JSON object |
//! | `columns` | what stands in front of the message of a text |
//! | `access` | a request and its status, as access logs write them |

mod access;
mod columns;
mod object;

use std::borrow::Cow;

use crate::query::field::line::Parts;
use crate::query::field::logfmt;
use crate::query::field::scalar::Scalar;

/// A message is told from others by its beginning.
pub const BYTES_MAX: usize = 512;

/// What a line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// A sentence.
    Text(Cow<'a, [u8]>),
    /// A request that was answered. The status is empty where it is not known.
    Access { method: Cow<'a, [u8]>, path: Cow<'a, [u8]>, status: Cow<'a, [u8]> },
}

/// The message of `line`.
pub fn of(line: &[u8]) -> Message<'_> {
    let parts = Parts::of(first_line(line));
    if parts.text.is_empty() && !parts.object.is_empty() {
        return object::message(parts.object);
    }
    let text = parts.text;
    if let Some(request) = access::request(text) {
        return request;
    }
    if begins_with_pair(text)
        && let Some(message) = of_pairs(text)
    {
        return sentence(message);
    }
    Message::Text(Cow::Borrowed(cut(columns::behind(text))))
}

fn first_line(line: &[u8]) -> &[u8] {
    let line = line.trim_ascii();
    // An object that is written over several lines is read as a whole.
    if line.first() == Some(&b'{') { line } else { &line[..memchr::memchr(b'\n', line).unwrap_or(line.len())] }
}

fn cut(text: &[u8]) -> &[u8] {
    let text = &text[..memchr::memchr(b'\n', text).unwrap_or(text.len())];
    text[..text.len().min(BYTES_MAX)].trim_ascii()
}

fn sentence(text: Cow<'_, [u8]>) -> Message<'_> {
    match text {
        Cow::Borrowed(text) => access::request(text).unwrap_or(Message::Text(Cow::Borrowed(cut(text)))),
        Cow::Owned(text) => match access::request(&text) {
            Some(request) => request.into_owned(),
            None => Message::Text(Cow::Owned(cut(&text).to_vec())),
        },
    }
}

impl Message<'_> {
    fn into_owned(self) -> Message<'static> {
        let own = |part: Cow<'_, [u8]>| Cow::Owned(part.into_owned());
        match self {
            Message::Text(text) => Message::Text(own(text)),
            Message::Access { method, path, status } => {
                Message::Access { method: own(method), path: own(path), status: own(status) }
            }
        }
    }
}

fn begins_with_pair(text: &[u8]) -> bool {
    let word = text.iter().take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'@'));
    let length = word.count();
    length > 0 && text.get(length) == Some(&b'=')
}

fn of_pairs(text: &[u8]) -> Option<Cow<'_, [u8]>> {
    let mut event = None;
    for pair in logfmt::pairs(text) {
        let is_event = match pair.key {
            b"msg" | b"message" => false,
            b"event" => true,
            _ => continue,
        };
        if let Scalar::Text(text) = pair.scalar() {
            if !is_event {
                return Some(text);
            }
            event.get_or_insert(text);
        }
    }
    event
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn said(line: &str) -> String {
        match of(line.as_bytes()) {
            Message::Text(text) => String::from_utf8_lossy(&text).into_owned(),
            Message::Access { method, path, status } => {
                [method, path, status].map(|part| String::from_utf8_lossy(&part).into_owned()).join("|")
            }
        }
    }

    #[test]
    fn the_message_of_json() {
        for (line, expected) in [
            (r#"{"level":30,"time":1,"req":{"method":"POST"},"msg":"item added"}"#, "item added"),
            (r#"{"event":"sent","message":"mail sent"}"#, "mail sent"),
            (r#"{"event":"sent","took_ms":1.5}"#, "sent"),
            (r#"{"error":{"message":"deep"},"msg":"top"}"#, "top"),
            (r#"{"@t":"x","@mt":"Order {Id} confirmed","@m":"Order 7 confirmed"}"#, "Order {Id} confirmed"),
            (r#"{"msg":"a \"b\"\nTraceback"}"#, r#"a "b""#),
            (r#"{"msg":"","event":"e"}"#, "e"),
            (r#"{"request_method":"GET","uri":"/a/1","status":200}"#, "GET|/a/1|200"),
            (r#"{"request":"GET /a/1 HTTP/2.0","status":"404"}"#, "GET|/a/1|404"),
            (
                r#"{"http":{"request":{"method":"GET"},"response":{"status_code":500}},"url":{"path":"/b"}}"#,
                "GET|/b|500",
            ),
            (r#"{"a":1,"b":{"c":2}}"#, "a b"),
            (r#"{"msg":"\"GET /a HTTP/1.1\" 500 12"}"#, "GET|/a|500"),
            (r#"{"level":"info","msg":"cut of"#, "level msg"),
            ("{}", ""),
        ] {
            assert_eq!(said(line), expected, "{line}");
        }
    }

    #[test]
    fn the_message_of_text() {
        for (line, expected) in [
            (r#"ts=2026-11-23T12:00:00Z level=info msg="mail sent" to=a"#, "mail sent"),
            ("level=info event=sent to=a", "sent"),
            ("level=info to=a", "level=info to=a"),
            (
                "2026-11-23 12:00:00.123  INFO [checkout,4bf9,00f0] 1 --- [exec-1] c.shop.Checkout  : Started: cart=7",
                "Started: cart=7",
            ),
            ("2026-11-23 12:00:00,123 - inventory.stock - WARNING - unknown sku 'x'", "unknown sku 'x'"),
            ("2026-11-23T12:00:00Z ERROR payment event=declined", "payment event=declined"),
            (
                "2026-11-23 12:00:00,123 INFO [stock.cache] [worker-3] trace_id=4bf9 span_id=00f0 cache miss for id=7",
                "cache miss for id=7",
            ),
            ("[2026-11-23 12:00:00] production.ERROR: no such order", "production.ERROR: no such order"),
            ("I1123 12:00:00.123456    4711 main.go:42] pod started", "pod started"),
            ("INFO: started", "started"),
            ("error: no such file", "no such file"),
            ("error while reading", "error while reading"),
            ("boom\n\tat a.b(C.java:1)\n", "boom"),
            (r#"2026-11-23 INFO order saved {"order":7}"#, "order saved"),
            (
                r#"10.0.0.1 - - [23/Nov/2026:12:00:00 +0000] "POST /checkout?a=1 HTTP/1.1" 502 157 "-" "curl/8""#,
                "POST|/checkout?a=1|502",
            ),
            (r#"[2026-11-23T12:00:00Z] "GET /x HTTP/2" 200 - 0"#, "GET|/x|200"),
            (r#"he said "GET out" 200"#, r#"he said "GET out" 200"#),
            (r#"x "GET /a HTTP/1.1" 2001"#, "GET|/a|"),
            ("2026-11-23 12:00:00", "2026-11-23 12:00:00"),
            ("", ""),
        ] {
            assert_eq!(said(line), expected, "{line}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_are_never_too_much(
            bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b'"'), Just(b'['), Just(b' '), Just(b'{'), Just(b'=')], 0..80),
            front in prop_oneof![Just(""), Just("{\"msg\":\""), Just("\"GET /"), Just("2026-01-01 INFO [")],
        ) {
            let line = [front.as_bytes(), &bytes].concat();
            let length = match of(&line) {
                Message::Text(text) => text.len(),
                Message::Access { method, .. } => method.len(),
            };
            prop_assert!(length <= BYTES_MAX);
        }
    }
}
