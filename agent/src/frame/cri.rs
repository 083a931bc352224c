//! The log format of Kubernetes' container runtime interface: `<RFC 3339> <stdout|stderr> <tags> <message>`.
//!
//! The first of the tags, which colons separate, is `P` for a part of a line and `F` for a whole line or its last part.
//! Source: kubernetes/design-proposals, node/kubelet-cri-logging.md.

use std::borrow::Cow;

use super::{Frame, Stream};
use crate::parse::time::date_time;
use crate::parse::zone::Zone;

/// Reads one physical line, without its line feed.
pub fn parse(line: &[u8]) -> Option<Frame<'_>> {
    let mut words = line.splitn(4, |byte| *byte == b' ');
    let time = words.next()?;
    let stamp = date_time(time)?;
    let stream = match words.next()? {
        b"stdout" => Stream::Stdout,
        b"stderr" => Stream::Stderr,
        _ => return None,
    };
    let partial = match words.next()?.split(|byte| *byte == b':').next()? {
        b"P" => true,
        b"F" => false,
        _ => return None,
    };
    let content = Cow::Borrowed(words.next().unwrap_or_default());
    (stamp.end == time.len()).then_some(Frame { stream, time_ns: stamp.instant_ns(&Zone::default()), content, partial })
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
