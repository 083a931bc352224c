//! A request and its status, as access logs write them: `"GET /path HTTP/1.1" 200`.

use std::borrow::Cow;

use super::Message;

/// `… "GET /path HTTP/1.1" 200 …`, as nginx, Apache, Envoy and others write it.
pub fn request(text: &[u8]) -> Option<Message<'_>> {
    let mut from = 0;
    while let Some(at) = memchr::memchr(b'"', &text[from..]) {
        let begin = from + at + 1;
        from = begin;
        let end = begin + memchr::memchr(b'"', &text[begin..]).unwrap_or(text.len() - begin);
        let Some((method, path)) = request_line(&text[begin..end]) else { continue };
        let behind = text.get(end + 1..).unwrap_or_default().trim_ascii_start();
        let is_status = |digits: &&[u8]| {
            digits.iter().all(u8::is_ascii_digit) && behind.get(3).is_none_or(|next| !next.is_ascii_digit())
        };
        let status = behind.get(..3).filter(is_status).unwrap_or_default();
        return Some(Message::Access {
            method: Cow::Borrowed(method),
            path: Cow::Borrowed(path),
            status: Cow::Borrowed(status),
        });
    }
    None
}

/// Method and path of `GET /a HTTP/1.1`.
pub fn request_line(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let method = *METHODS.iter().find(|method| text.starts_with(method) && text.get(method.len()) == Some(&b' '))?;
    let rest = text[method.len()..].trim_ascii_start();
    let (path, version) = rest.split_at(memchr::memchr(b' ', rest).unwrap_or(rest.len()));
    (!path.is_empty() && version.trim_ascii_start().starts_with(b"HTTP/")).then_some((method, path))
}

const METHODS: [&[u8]; 9] = [b"GET", b"POST", b"PUT", b"DELETE", b"PATCH", b"HEAD", b"OPTIONS", b"CONNECT", b"TRACE"];
