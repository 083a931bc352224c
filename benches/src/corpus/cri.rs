//! A JSON line as containerd writes it to `/var/log/pods`: time, stream, tag, content. Errors go to standard error, and some lines
//! come in two parts.
//!
//! The content is the JSON corpus', byte for byte: nothing here is random.

use std::io::Write;

use super::transaction::{Entry, time};

/// A real line is split at 16 KiB, which none of these reaches. Those whose length is a multiple of this are split, about one in a
/// hundred, so that the parts are exercised.
const SPLIT_LENGTH: usize = 101;

/// Wraps `json`, one line with its line feed.
pub fn write(out: &mut Vec<u8>, json: &[u8], entry: &Entry<'_>) {
    let stream = if entry.level == "ERROR" { "stderr" } else { "stdout" };
    let mut part = |tag: &str, content: &[u8]| {
        time(out, entry.time_ns, true);
        write!(out, " {stream} {tag} ").expect("a Vec takes whatever is written to it");
        out.extend_from_slice(content);
    };
    if json.len().is_multiple_of(SPLIT_LENGTH) {
        let (first, rest) = json.split_at(json.len() / 2);
        part("P", &[first, b"\n"].concat());
        part("F", rest);
    } else {
        part("F", json);
    }
}
