//! The message of a JSON object. Where it has none, it is a request when it has method and path, in any of the usual places; else the
//! names of its keys say what it is about.

use std::borrow::Cow;

use super::{BYTES_MAX, Message, access, sentence};
use crate::query::field::json::{self, Reader};
use crate::query::field::scalar::Scalar;

/// The message of a line's `object`.
pub fn message(object: &[u8]) -> Message<'_> {
    let mut found = Found { rank: usize::MAX, ..Found::default() };
    json::read(object, &mut found, Some(Place::Top));
    if found.rank < usize::MAX {
        return sentence(Cow::Owned(found.message));
    }
    if !found.request.is_empty()
        && let Some((method, path)) = access::request_line(&found.request)
    {
        (found.method, found.path) = (method.to_vec(), path.to_vec());
    }
    if !found.method.is_empty() && !found.path.is_empty() {
        return Message::Access {
            method: Cow::Owned(found.method),
            path: Cow::Owned(found.path),
            status: Cow::Owned(found.status),
        };
    }
    // What it is about is seen from what it holds.
    let mut names = Names::default();
    json::read(object, &mut names, Some(true));
    Message::Text(Cow::Owned(names.0))
}

/// What a key of an object is good for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    /// The smaller, the more it is the message.
    Message(usize),
    Method,
    Path,
    Status,
    /// `GET /a HTTP/1.1`
    Request,
    Other,
}

/// In the order of their worth; the first two are worth the same.
const MESSAGES: [&[u8]; 10] =
    [b"message", b"msg", b"@mt", b"@m", b"@message", b"short_message", b"body", b"textPayload", b"event", b"log"];
/// Behind one of so many nothing better is looked for.
const SURE: usize = 2;

/// A message is a field of the record itself.
fn at_top(key: &[u8]) -> Key {
    match MESSAGES.iter().position(|name| *name == key) {
        Some(rank) => Key::Message(rank),
        None => anywhere(key),
    }
}

/// Method, path and status stand at the top, or in `http`, `req`, `request`, `res` and so on.
fn anywhere(key: &[u8]) -> Key {
    match key {
        b"method" | b"request_method" | b"http.method" | b"http.request.method" | b"verb" => Key::Method,
        b"path" | b"uri" | b"url" | b"request_uri" | b"http.target" | b"url.path" | b"http.url" | b"requestUrl" => {
            Key::Path
        }
        b"status"
        | b"status_code"
        | b"statusCode"
        | b"http.status_code"
        | b"http.response.status_code"
        | b"response_code"
        | b"http.status" => Key::Status,
        b"request" => Key::Request,
        _ => Key::Other,
    }
}

#[derive(Default)]
struct Found {
    rank: usize,
    message: Vec<u8>,
    method: Vec<u8>,
    path: Vec<u8>,
    status: Vec<u8>,
    request: Vec<u8>,
}

#[derive(Clone, Copy)]
enum Place {
    Top,
    At(Key),
}

impl Reader for Found {
    type Place = Place;

    fn is_over(&mut self, _: Place, _: usize) -> bool {
        self.rank < SURE
    }

    fn key(&mut self, object: Place, key: &[u8]) -> Option<Place> {
        match object {
            Place::Top => Some(Place::At(at_top(key))),
            Place::At(_) => Some(Place::At(anywhere(key))),
        }
    }

    fn container(&mut self, _: Place) -> bool {
        false
    }

    fn scalar(&mut self, place: Place, scalar: &Scalar<'_>) -> bool {
        let Place::At(key) = place else { return false };
        if key == Key::Other {
            return false;
        }
        let put = |field: &mut Vec<u8>| {
            if field.is_empty() {
                field.extend_from_slice(scalar.text());
            }
        };
        match key {
            Key::Message(rank) => {
                if rank < self.rank
                    && let Scalar::Text(text) = scalar
                    && !text.is_empty()
                {
                    (self.rank, self.message) = (rank, text[..text.len().min(BYTES_MAX)].to_vec());
                }
            }
            Key::Method => put(&mut self.method),
            Key::Path => put(&mut self.path),
            Key::Status => put(&mut self.status),
            Key::Request => put(&mut self.request),
            Key::Other => {}
        }
        false
    }
}

/// The names of an object's keys, with blanks between them.
#[derive(Default)]
struct Names(Vec<u8>);

impl Reader for Names {
    /// Whether it is the object itself.
    type Place = bool;

    fn is_over(&mut self, _: bool, _: usize) -> bool {
        self.0.len() >= BYTES_MAX
    }

    fn key(&mut self, is_top: bool, key: &[u8]) -> Option<bool> {
        if is_top {
            if !self.0.is_empty() {
                self.0.push(b' ');
            }
            self.0.extend_from_slice(key);
            self.0.truncate(BYTES_MAX);
        }
        None
    }

    fn container(&mut self, _: bool) -> bool {
        false
    }

    fn scalar(&mut self, _: bool, _: &Scalar<'_>) -> bool {
        false
    }
}
