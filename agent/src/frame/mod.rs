//! What container runtimes put around the lines: taken off before records are assembled. Pure.
//!
//! **Invariant: nothing is lost.** What does not fit the framing is a line of its own, as it stands in the file.
//!
//! | file | what it is |
//! | --- | --- |
//! | `cri`, `docker` | one physical line of each format |
//! | `nuls` | holes in files |
//! | `encoding` | lines in other encodings, as one stream |
//! | `unwrap` | physical lines to contents, stream by stream |
//! | `open` | what the bytes before a position say about each stream |
//! | `weave` | the streams' records in the order of the file |
//! | `origin` | which pod or container a path belongs to |

pub mod cri;
pub mod docker;
pub mod encoding;
pub mod nuls;
pub mod open;
pub mod origin;
pub mod unwrap;
pub mod weave;

use std::borrow::Cow;

use memchr::memchr;

/// What stands around each line of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    #[default]
    Plain,
    /// containerd, CRI-O: `2026-11-23T12:00:00.1Z stdout F message`
    Cri,
    /// Docker's json-file: `{"log":"message\n","stream":"stdout","time":"2026-11-23T12:00:00.1Z"}`
    Docker,
}

/// Where a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    Stdout = 0,
    Stderr = 1,
    /// A line that does not fit the framing.
    Unframed = 2,
}

/// One physical line without its framing.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    pub stream: Stream,
    pub time_ns: Option<i64>,
    pub content: Cow<'a, [u8]>,
    /// The runtime split the line; the next frame of this stream goes on with it.
    pub partial: bool,
}

impl Framing {
    /// Reads one physical line, without its line feed.
    pub fn parse<'a>(self, line: &'a [u8]) -> Option<Frame<'a>> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let frame = match self {
            Self::Plain => None,
            Self::Cri => cri::parse(line),
            Self::Docker => docker::parse(line),
        };
        // A part without content would be a record without content, if nothing followed.
        frame.filter(|frame| !(frame.partial && frame.content.is_empty()) && frame.is_one_line())
    }
}

impl Frame<'_> {
    /// A piece of the line holds no line feed, as the line does not; what was unescaped may.
    fn is_one_line(&self) -> bool {
        matches!(self.content, Cow::Borrowed(_)) || memchr(b'\n', &self.content).is_none()
    }
}

/// The framing of a file that begins with these bytes; none before its first line is whole.
pub fn detect(first_bytes: &[u8]) -> Option<Framing> {
    let line = &first_bytes[..memchr(b'\n', first_bytes)?];
    let framing = [Framing::Cri, Framing::Docker].into_iter().find(|framing| framing.parse(line).is_some());
    Some(framing.unwrap_or(Framing::Plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_tells() {
        let cri = b"2026-11-23T12:00:00Z stdout F a\n";
        assert_eq!(detect(cri), Some(Framing::Cri));
        assert_eq!(detect(&cri[..20]), None);
        let docker = br#"{"log":"a\n","stream":"stdout","time":"2026-11-23T12:00:00Z"}"#;
        assert_eq!(detect(&[&docker[..], b"\n"].concat()), Some(Framing::Docker));
        assert_eq!(detect(b"{\"log\":\"a\"}\n"), Some(Framing::Plain));
    }

    #[test]
    fn what_would_be_no_line_does_not_fit() {
        assert!(Framing::Cri.parse(b"2026-11-23T12:00:00Z stdout P ").is_none());
        let two = br#"{"log":"a\nb\n","stream":"stdout","time":"2026-11-23T12:00:00Z"}"#;
        assert!(Framing::Docker.parse(two).is_none());
    }
}
