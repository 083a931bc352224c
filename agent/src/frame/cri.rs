//! The log format of Kubernetes' container runtime interface: `<RFC 3339> <stdout|stderr> <tags> <message>`.
//!
//! The first of the tags, which colons separate, is `P` for a part of a line and `F` for a whole line or its last part.
//! Source: kubernetes/design-proposals, node/kubelet-cri-logging.md.

use std::borrow::Cow;

use super::{Frame, Stream};
use crate::parse::scan;
use crate::parse::time::date_time;
use crate::parse::zone::Zone;

/// Reads one physical line, without its line feed.
pub fn parse(line: &[u8]) -> Option<Frame<'_>> {
    let (time, rest) = split_at_blank(line)?;
    let stamp = date_time(time)?;
    let (stream, rest) = match rest {
        [b's', b't', b'd', b'o', b'u', b't', b' ', rest @ ..] => (Stream::Stdout, rest),
        [b's', b't', b'd', b'e', b'r', b'r', b' ', rest @ ..] => (Stream::Stderr, rest),
        _ => return None,
    };
    let (tags, content) = split_at_blank(rest).unwrap_or((rest, b""));
    let partial = match tags {
        [b'P'] | [b'P', b':', ..] => true,
        [b'F'] | [b'F', b':', ..] => false,
        _ => return None,
    };
    let content = Cow::Borrowed(content);
    (stamp.end == time.len()).then_some(Frame { stream, time_ns: stamp.instant_ns(&Zone::default()), content, partial })
}

/// What stands before the first blank, and behind it.
#[inline(always)]
fn split_at_blank(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = scan::byte(text, b' ')?;
    Some((&text[..at], &text[at + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let frame = parse(b"2026-11-23T12:00:00.000000001+00:00 stderr P:x:y  a b ").unwrap();
        assert_eq!((frame.stream, frame.partial, &*frame.content), (Stream::Stderr, true, &b" a b "[..]));
        assert_eq!(frame.time_ns.unwrap() % 1000, 1);
        for empty in [&b"2026-11-23T12:00:00Z stdout F "[..], b"2026-11-23T12:00:00Z stdout F"] {
            assert!(parse(empty).is_some_and(|frame| frame.content.is_empty() && !frame.partial));
        }
        for other in [
            "",
            "2026-11-23T12:00:00Z",
            "2026-11-23T12:00:00Z stdlog F x",
            "2026-11-23T12:00:00Z stdout X x",
            "12:00 stdout F x",
        ] {
            assert_eq!(parse(other.as_bytes()), None, "{other}");
        }
    }
}
