//! Where a long line was cut, a secret may have been cut in two, and no pattern finds a half. In a source that redacts, the bytes
//! around a cut are withheld. Pure.

/// So many bytes on either side of a cut. No secret that a pattern is written for is longer.
pub const SEAM_BYTES: usize = 4096;

/// Stands in their place.
pub const SEAM: &[u8] = b"[withheld: cut here]";

/// Writes `content` without the bytes at its cut ends to `out`. The line feed at its end stays. False: neither end is cut.
pub fn withhold(content: &[u8], begins_cut: bool, ends_cut: bool, out: &mut Vec<u8>) -> bool {
    if !begins_cut && !ends_cut {
        return false;
    }
    out.clear();
    let (line, feed) = match content.strip_suffix(b"\n") {
        Some(line) => (line, &b"\n"[..]),
        None => (content, &b""[..]),
    };
    let begin = if begins_cut { boundary(line, SEAM_BYTES.min(line.len())) } else { 0 };
    let end = if ends_cut { boundary(line, line.len().saturating_sub(SEAM_BYTES).max(begin)) } else { line.len() };
    if begins_cut {
        out.extend_from_slice(SEAM);
    }
    out.extend_from_slice(&line[begin..end]);
    if ends_cut && !(begins_cut && begin == end) {
        out.extend_from_slice(SEAM);
    }
    out.extend_from_slice(feed);
    true
}

/// The first position from `at` on that is not inside a character.
fn boundary(line: &[u8], at: usize) -> usize {
    let inside = |byte: &u8| byte & 0b1100_0000 == 0b1000_0000;
    at + line[at..].iter().take(3).take_while(|byte| inside(byte)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn withheld(content: &str, begins_cut: bool, ends_cut: bool) -> String {
        let mut out = b"old".to_vec();
        assert!(withhold(content.as_bytes(), begins_cut, ends_cut, &mut out));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_stands_at_a_cut_is_withheld() {
        let seam = "x".repeat(SEAM_BYTES);
        let mark = std::str::from_utf8(SEAM).unwrap();
        assert!(!withhold(b"whole", false, false, &mut Vec::new()));
        assert_eq!(withheld(&format!("first{seam}"), false, true), format!("first{mark}"));
        assert_eq!(withheld(&format!("{seam}last\n"), true, false), format!("{mark}last\n"));
        assert_eq!(withheld(&format!("{seam}middle{seam}"), true, true), format!("{mark}middle{mark}"));
        // Nothing is left of a short piece.
        assert_eq!(withheld("short", true, true), mark);
        assert_eq!(withheld("short\n", true, false), format!("{mark}\n"));
        // Characters stay whole.
        let odd = format!("{}日本", "x".repeat(SEAM_BYTES - 1));
        assert_eq!(withheld(&odd, true, false), format!("{mark}本"));
    }
}
