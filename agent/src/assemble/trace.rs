//! The built-in rules: where in a stack trace a record's last line stands, and so what may follow it.
//!
//! Most lines of a trace tell by themselves that they belong to it ([`line::is_continuation`]). The place is for those that
//! do not: blank lines, the last line of a Python traceback, the functions of a goroutine, the message of a Rust panic.

use memchr::{memchr, memmem};

use super::Belongs;
use super::line;
use crate::parse::time::date_time;

/// What the record's last line was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Nothing that asks for more.
    Message,
    /// In a Python traceback, before its last line.
    Python,
    /// Behind its last line: another one may be chained to it.
    PythonEnd,
    /// Announced that another one follows.
    PythonChain,
    /// `panic: ...` of Go: a goroutine follows.
    GoPanic,
    Goroutine,
    /// Rust's line before the message of a panic.
    RustPanic,
    RustMessage,
    Php,
    /// `/app/x.js:10`: the line of source follows.
    Node,
    /// A line that points at a column: Node puts a blank line and the error behind it.
    Caret,
    /// A line that ended in `{`.
    Brace,
}

impl Place {
    pub(super) fn first(text: &[u8]) -> Self {
        match text.first() {
            Some(b'p') if text.starts_with(b"panic: ") => Self::GoPanic,
            Some(b'f') if text.starts_with(b"fatal error: ") => Self::GoPanic,
            Some(b'g') if line::is_goroutine(text) => Self::Goroutine,
            Some(b'/' | b'n' | b'f') if line::is_node_place(text) => Self::Node,
            _ => Self::Message.behind(text),
        }
    }

    /// Whether no line that begins with a digit, as times do, can belong to a record that begins with `text`: told by its first
    /// and last letter, without its place. A Rust panic ends with a colon, and its message may begin with anything; frames of
    /// goroutines and a source line of Node may, too.
    #[inline]
    pub(super) fn ends_before_digit(text: &[u8]) -> bool {
        !matches!(text.first(), Some(b'p' | b'f' | b'g' | b'/' | b'n')) && text.last() != Some(&b':')
    }

    /// Whether `text` belongs to the record; `rest` is what stands behind it. Moves on when it does.
    pub(super) fn belongs(&mut self, text: &[u8], rest: &[u8]) -> Belongs {
        if text.is_empty() {
            return self.blank(rest);
        }
        let next = match *self {
            Self::Python if !text[0].is_ascii_whitespace() => {
                line::is_python_exception(text).then_some(Self::PythonEnd)
            }
            Self::GoPanic if text.starts_with(b"[signal ") => Some(Self::GoPanic),
            Self::Goroutine if line::is_go_frame(text) => Some(Self::Goroutine),
            Self::RustPanic if date_time(text).is_none() && text[0] != b'{' => Some(Self::RustMessage),
            Self::RustMessage if text.starts_with(b"note: ") || text == b"stack backtrace:" => Some(*self),
            Self::Php if is_php_rest(text) => Some(*self),
            Self::Node => return self.node_source(text, rest),
            Self::Brace if matches!(text, b"}" | b"]" | b"}," | b"],") => Some(Self::Message),
            // An exception of any name, as its frames behind it tell; they may not be there yet.
            _ if line::is_class(text) && rest.len() < line::JAVA_FRAME.len() && line::JAVA_FRAME.starts_with(rest) => {
                return Belongs::Unknown;
            }
            _ if line::is_class(text) && rest.starts_with(line::JAVA_FRAME) => Some(self.behind(text)),
            _ => None,
        };
        let next =
            next.or_else(|| (line::is_continuation(text) && *self != Self::RustPanic).then(|| self.behind(text)));
        let Some(next) = next else { return Belongs::No };
        *self = next;
        Belongs::Yes { behind: 0 }
    }

    /// The place behind a line that belongs to the record.
    fn behind(self, text: &[u8]) -> Self {
        let is_plain = matches!(self, Self::Message | Self::Caret | Self::Brace);
        if self == Self::Python {
            self
        } else if text.ends_with(b"(most recent call last):") && is_python_header(text) {
            Self::Python
        } else if line::is_goroutine(text) {
            Self::Goroutine
        } else if text.ends_with(b"Stack trace:") || text == b"[stacktrace]" {
            Self::Php
        } else if line::is_thread(text) {
            if line::is_rust_panic(text) { Self::RustPanic } else { Self::RustMessage }
        } else if is_plain && text.ends_with(b"{") {
            Self::Brace
        } else if is_plain && line::is_caret(text) {
            Self::Caret
        } else if self == Self::Caret {
            Self::Message
        } else {
            self
        }
    }

    /// A blank line belongs to the record only if what follows it does.
    fn blank(&mut self, rest: &[u8]) -> Belongs {
        if matches!(self, Self::Python | Self::PythonChain) {
            return Belongs::Yes { behind: 0 };
        }
        let Some(feed) = memchr(b'\n', rest) else {
            return if self.may_follow_blank(rest) { Belongs::Unknown } else { Belongs::No };
        };
        let text = rest[..feed].strip_suffix(b"\r").unwrap_or(&rest[..feed]);
        let next = match *self {
            Self::PythonEnd => line::is_python_chain(text).then_some(Self::PythonChain),
            Self::Caret if line::is_python_exception(text) => Some(self.behind(text)),
            Self::GoPanic | Self::Goroutine if line::is_goroutine(text) => Some(Self::Goroutine),
            Self::Php if text.starts_with(b"Next ") => Some(Self::Php),
            _ => {
                let belongs = line::is_throwable(text)
                    || line::is_ruby_frame(text)
                    || text == b"Caused by:"
                    || text.starts_with(b"Node.js v")
                    || text == b"Stack backtrace:";
                belongs.then(|| self.behind(text))
            }
        };
        let Some(next) = next else { return Belongs::No };
        *self = next;
        Belongs::Yes { behind: feed + 1 }
    }

    /// Whether a line of which only `part` is there may follow a blank line in the record.
    fn may_follow_blank(self, part: &[u8]) -> bool {
        let starts_like = |start: &[u8]| start.starts_with(&part[..part.len().min(start.len())]);
        match self {
            Self::PythonEnd => line::PYTHON_CHAINS.iter().any(|chain| starts_like(chain)),
            Self::GoPanic | Self::Goroutine if starts_like(b"goroutine ") => true,
            Self::Caret => true,
            Self::Php if starts_like(b"Next ") => true,
            _ => {
                let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"._$/:-\r".contains(byte);
                starts_like(b"Caused by:")
                    || starts_like(b"Node.js v")
                    || starts_like(b"Stack backtrace:")
                    || memmem::find(part, b":in ").is_some()
                    || line::is_throwable(part)
                    // A frame of Ruby: its path holds anything but blanks.
                    || !part.contains(&b' ')
                    || !part.first().is_some_and(u8::is_ascii_digit) && part.iter().all(is_name)
            }
        }
    }

    /// The line of source that Node shows; a caret stands below it.
    fn node_source(&mut self, text: &[u8], rest: &[u8]) -> Belongs {
        match memchr(b'\n', rest) {
            Some(feed) if line::is_caret(&rest[..feed]) => {
                *self = Self::Caret;
                return Belongs::Yes { behind: feed + 1 };
            }
            // The next line is not whole, and may still point.
            None if rest.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'^' | b'~' | b'\r')) => {
                return Belongs::Unknown;
            }
            _ => {}
        }
        *self = Self::Message;
        if line::is_continuation(text) { Belongs::Yes { behind: 0 } } else { Belongs::No }
    }
}

/// Those of an exception group are indented as a whole and need no place.
fn is_python_header(text: &[u8]) -> bool {
    memmem::find(text, line::PYTHON_HEADER).is_some() && memmem::find(text, b"Exception Group Traceback").is_none()
}

/// A frame, the line that closes Laravel's context, or the exception that this one was raised behind.
fn is_php_rest(text: &[u8]) -> bool {
    line::is_php_frame(text) || text.trim_ascii_end() == b"\"}" || text.starts_with(b"Next ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_ends_before_a_digit_is_followed_by_none(
            first in "(panic: |goroutine 1 |fatal error: |node:|/app|thread '|a)?(main|x\\.js| |\\[running\\]|panicked at|Exception|'| panicked at |Stack trace|\\^|~|\\(most recent call last\\)){0,4}(:|:1|\\{|: no)?",
            line in "[0-9](2|6-11-23 12:00:00| at |main\\.f\\(|\\)|#|\"}|:in |'|:|\\.|Exception){0,5}",
            rest in "(\tat |  \\^\n|\n|x|\"\\}\n)?",
        ) {
            if Place::ends_before_digit(first.as_bytes()) {
                let mut place = Place::first(first.as_bytes());
                prop_assert!(matches!(place.belongs(line.as_bytes(), rest.as_bytes()), Belongs::No));
            }
        }
    }
}
