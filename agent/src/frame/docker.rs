//! The log format of Docker's json-file driver: `{"log":"message\n","stream":"stdout","time":"..."[,"attrs":{...}]}`.
//!
//! A `log` without a line feed at its end is a part of a line. Source: moby, daemon/logger/jsonfilelog/jsonlog.

use std::borrow::Cow;

use super::{Frame, Stream};
use crate::parse::time::date_time;
use crate::parse::zone::Zone;

/// Reads one physical line, without its line feed. The keys may stand in any order; others are passed over.
pub fn parse(line: &[u8]) -> Option<Frame<'_>> {
    let mut rest = line.strip_prefix(b"{")?;
    let (mut log, mut stream, mut time_ns) = (None, None, None);
    loop {
        let key;
        (key, rest) = string(rest.trim_ascii_start())?;
        rest = rest.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
        if rest.first() == Some(&b'"') {
            let value;
            (value, rest) = string(rest)?;
            match key {
                b"log" => log = Some(value),
                b"stream" => stream = Some(value),
                b"time" => time_ns = date_time(value)?.instant_ns(&Zone::default()),
                _ => {}
            }
        } else {
            rest = behind_value(rest)?;
        }
        rest = rest.trim_ascii_start();
        match rest.split_first()? {
            (b',', behind) => rest = behind,
            (b'}', behind) if behind.trim_ascii().is_empty() => break,
            _ => return None,
        }
    }
    let stream = match stream? {
        b"stdout" => Stream::Stdout,
        b"stderr" => Stream::Stderr,
        _ => return None,
    };
    let log = log?;
    let (content, partial) = match log.strip_suffix(br"\n") {
        Some(content) if !ends_in_escape(content) => (content, false),
        _ => (log, true),
    };
    Some(Frame { stream, time_ns: Some(time_ns?), content: unescape(content), partial })
}

/// A string and what stands behind it.
fn string(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let text = text.strip_prefix(b"\"")?;
    let mut at = 0;
    loop {
        at += memchr::memchr2(b'"', b'\\', &text[at..])?;
        if text[at] == b'"' {
            return Some((&text[..at], &text[at + 1..]));
        }
        at += 2;
        if at > text.len() {
            return None;
        }
    }
}

/// Whether the last byte is a backslash that escapes what stands behind it.
fn ends_in_escape(text: &[u8]) -> bool {
    text.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

/// What stands behind an object, a list, a number or a word.
fn behind_value(text: &[u8]) -> Option<&[u8]> {
    let (mut rest, mut depth) = (text, 0usize);
    loop {
        match rest.first()? {
            b'"' => rest = string(rest)?.1,
            b'}' | b']' | b',' if depth == 0 => return Some(rest),
            byte => {
                match byte {
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => depth -= 1,
                    _ => {}
                }
                rest = &rest[1..];
            }
        }
    }
}

/// What a JSON string says. An escape that says nothing becomes U+FFFD.
fn unescape(text: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = memchr::memchr(b'\\', text) else { return Cow::Borrowed(text) };
    let mut said = text[..first].to_vec();
    let mut rest = &text[first..];
    while let Some((&byte, behind)) = rest.split_first() {
        if byte != b'\\' {
            let plain = memchr::memchr(b'\\', rest).unwrap_or(rest.len());
            said.extend_from_slice(&rest[..plain]);
            rest = &rest[plain..];
            continue;
        }
        let Some((&escaped, behind)) = behind.split_first() else { break };
        rest = behind;
        match escaped {
            b'n' => said.push(b'\n'),
            b't' => said.push(b'\t'),
            b'r' => said.push(b'\r'),
            b'b' => said.push(8),
            b'f' => said.push(12),
            b'"' | b'\\' | b'/' => said.push(escaped),
            b'u' => {
                let (character, length) = code(behind);
                said.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                rest = &behind[length..];
            }
            _ => said.extend_from_slice("\u{fffd}".as_bytes()),
        }
    }
    Cow::Owned(said)
}

/// The character behind `\u`, and how many bytes it took: a pair of surrogates takes two escapes.
fn code(text: &[u8]) -> (char, usize) {
    let hex = |at: usize| {
        let digits = text.get(at..at + 4).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
        u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let Some(high) = hex(0) else { return (char::REPLACEMENT_CHARACTER, 0) };
    if let Some(character) = char::from_u32(high) {
        return (character, 4);
    }
    let low = if text[4..].starts_with(br"\u") { hex(6) } else { None };
    match low {
        Some(low @ 0xdc00..=0xdfff) if high < 0xdc00 => {
            let code = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
            (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), 10)
        }
        _ => (char::REPLACEMENT_CHARACTER, 4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let frame = parse(br#"{"log":"a \"b\"\n","stream":"stderr","time":"2026-11-23T12:00:00.000000001Z"}"#).unwrap();
        assert_eq!((frame.stream, frame.partial, &*frame.content), (Stream::Stderr, false, &br#"a "b""#[..]));
        let frame = parse(
            br#"{"time":"2026-11-23T12:00:00Z","attrs":{"tag":"}\"","n":[1,2]},"stream":"stdout","log":"part\\n"}"#,
        );
        let frame = frame.unwrap();
        assert_eq!((frame.partial, &*frame.content), (true, &br"part\n"[..]));
        for other in
            ["", "{", "{}", r#"{"log":"a\n"}"#, r#"{"log":"a\n","stream":"stdout","time":"x"}"#, r#"{"log":"a"#]
        {
            assert_eq!(parse(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn escapes() {
        let said = |text: &str| String::from_utf8(unescape(text.as_bytes()).into_owned()).unwrap();
        assert_eq!(said(r"\t\u00e9\ud83d\ude00\\\/"), "\té😀\\/");
        assert_eq!(said(r"\ud83d!\ude00\ud83d\u0041\uzz\x"), "\u{fffd}!\u{fffd}\u{fffd}A\u{fffd}zz\u{fffd}");
    }
}
