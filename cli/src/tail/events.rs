//! Server-sent events, as far as they are needed: `event`, `data`, `id` and comments; lines end with `\n` or `\r\n`.
//!
//! <https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation>

use std::io::{self, BufRead, BufReader, Read};

/// The longest event that is taken: one of the longest lines, escaped, and once more in base64, stays below it.
const EVENT_BYTES_MAX: u64 = 64 << 20;

/// What the stream holds next.
#[derive(Debug, PartialEq)]
pub enum Item {
    Event {
        /// Its type.
        name: String,
        /// Lines joined by line feeds.
        data: String,
        /// Of this event or the last one before it that had one.
        id: Option<String>,
    },
    /// A sign of life.
    Comment,
}

pub struct Events<R> {
    lines: BufReader<R>,
    line: Vec<u8>,
    id: Option<String>,
}

impl<R: Read> Events<R> {
    pub fn new(stream: R) -> Self {
        Self { lines: BufReader::new(stream), line: Vec::new(), id: None }
    }

    /// None at the end of the stream; an event that breaks off there is none.
    pub fn next(&mut self) -> io::Result<Option<Item>> {
        let (mut name, mut data) = (String::new(), String::new());
        let mut left = EVENT_BYTES_MAX;
        loop {
            self.line.clear();
            let read = self.lines.by_ref().take(left).read_until(b'\n', &mut self.line)? as u64;
            left -= read;
            if !self.line.ends_with(b"\n") {
                return if left == 0 { Err(io::Error::other("an event is too long")) } else { Ok(None) };
            }
            let line = String::from_utf8_lossy(&self.line);
            let line = line.trim_end_matches(['\r', '\n']);
            if line.is_empty() {
                match data.pop() {
                    // The line feed behind the last line of data.
                    Some(_) => return Ok(Some(Item::Event { name, data, id: self.id.clone() })),
                    None => name.clear(),
                }
                continue;
            }
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "" if data.is_empty() && name.is_empty() => return Ok(Some(Item::Comment)),
                "event" => value.clone_into(&mut name),
                "data" => data.extend([value, "\n"]),
                // As a header it has to be one line of visible text.
                "id" if value.bytes().all(|byte| (b' '..=b'~').contains(&byte)) => self.id = Some(value.to_owned()),
                _ => {}
            }
        }
    }

    /// Whether an event has come that was not given yet.
    pub fn has_more(&self) -> bool {
        let buffer = self.lines.buffer();
        buffer.windows(2).any(|bytes| bytes == b"\n\n") || buffer.windows(4).any(|bytes| bytes == b"\r\n\r\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(text: &str) -> Vec<Item> {
        let mut events = Events::new(text.as_bytes());
        std::iter::from_fn(|| events.next().expect("readable")).collect()
    }

    fn event(name: &str, data: &str, id: Option<&str>) -> Item {
        Item::Event { name: name.into(), data: data.into(), id: id.map(Into::into) }
    }

    #[test]
    fn fields_comments_and_ends() {
        let text = ": hello\n\nevent: record\nid: 7\ndata: {\"a\":1}\n\ndata:x\ndata: y\r\nretry: 5\r\n\r\n:\n\nevent: none\n\ndata\n\n\
                    event: cut\ndata: off\n";
        let wanted = [
            Item::Comment,
            event("record", "{\"a\":1}", Some("7")),
            event("", "x\ny", Some("7")),
            Item::Comment,
            event("", "", Some("7")),
        ];
        assert_eq!(items(text), wanted);
    }

    #[test]
    fn an_id_that_is_no_header_is_passed_over() {
        assert_eq!(items("id: é\ndata: a\n\nid: b\ndata: c\n\n"), [event("", "a", None), event("", "c", Some("b"))]);
    }

    #[test]
    fn more_is_a_whole_event() {
        let mut events = Events::new(&b"data: a\n\ndata: b\n\ndata: c\n"[..]);
        events.next().expect("readable");
        assert!(events.has_more());
        events.next().expect("readable");
        assert!(!events.has_more());
    }
}
