//! Runs of NUL bytes: the hole that a writer without O_APPEND leaves in front of its position when its file is truncated,
//! and lines that other tools blanked out. They are no records, and they are never held back to wait for a line's end.

use memchr::memchr;

/// How many NUL bytes the bytes begin with.
pub fn nuls(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len())
}

/// How many bytes are to be skipped at the beginning of a line: the whole line when it holds nothing but NUL bytes and white
/// space, or else the NUL bytes in front of it.
pub fn skip(bytes: &[u8]) -> usize {
    if let Some(feed) = memchr(b'\n', bytes) {
        let line = &bytes[..feed];
        let is_blank = |byte: &u8| *byte == 0 || byte.is_ascii_whitespace();
        if line.iter().all(is_blank) && line.contains(&0) {
            return feed + 1;
        }
    }
    nuls(bytes)
}

/// Whether a line begins behind `bytes_before`: a hole that was read so far may go on, and what follows it is a line of its own.
pub fn line_begins_behind(bytes_before: &[u8]) -> bool {
    bytes_before.iter().rfind(|byte| **byte != 0).is_none_or(|byte| *byte == b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_skipped() {
        for (bytes, skipped) in
            [(&b""[..], 0), (b"\0\0a\n", 2), (b"\0\0", 2), (b" \0\t\r\nb", 5), (b"\n", 0), (b" \n", 0), (b"a\0\n", 0)]
        {
            assert_eq!(skip(bytes), skipped, "{bytes:?}");
        }
    }

    #[test]
    fn a_hole_that_was_read_in_part_goes_on() {
        for (before, begins) in
            [(&b""[..], true), (b"\0\0", true), (b"a\n", true), (b"a\n\0", true), (b"a", false), (b"a\0", false)]
        {
            assert_eq!(line_begins_behind(before), begins, "{before:?}");
        }
    }
}
