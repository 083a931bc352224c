//! The live name behind a rotated one: `app.log` of `app.log.1`, `app.log-20261123`, `app.log.2026-11-23-1.old`. Pure.

/// Compressed copies are not read yet; temporary ones are half written.
const UNREADABLE: [&[u8]; 6] = [b".gz", b".zst", b".xz", b".bz2", b".tmp", b".lz4"];
const WORDS: [&[u8]; 6] = [b"old", b"bak", b"prev", b"previous", b"orig", b"backup"];
/// So many suffixes are taken off at most.
const SUFFIXES_MAX: usize = 3;

/// Whether a file of this name holds no lines that can be read.
pub fn is_unreadable(name: &[u8]) -> bool {
    UNREADABLE.iter().any(|suffix| name.ends_with(suffix))
}

/// The names that `name` may have had before it was rotated, the nearest first.
pub fn live_names(name: &[u8]) -> impl Iterator<Item = &[u8]> {
    let first = if is_unreadable(name) { None } else { without_suffix(name) };
    std::iter::successors(first, |name| without_suffix(name)).take(SUFFIXES_MAX)
}

fn without_suffix(name: &[u8]) -> Option<&[u8]> {
    if let Some(live) = name.strip_suffix(b"~") {
        return Some(live).filter(|live| !live.is_empty());
    }
    if let Some(dot) = memchr::memrchr(b'.', name).filter(|dot| *dot > 0)
        && WORDS.contains(&&name[dot + 1..])
    {
        return Some(&name[..dot]);
    }
    // The longest tail of digits and of what stands between digits in dates.
    let is_date_part = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'_' | b'T' | b':');
    let mut begin = name.iter().rposition(|byte| !is_date_part(*byte)).map_or(0, |at| at + 1);
    // It must begin with a digit behind a separator.
    let dotted = begin > 0 && name[begin - 1] == b'.';
    if !dotted {
        while begin < name.len() && !matches!(name[begin], b'-' | b'_') {
            begin += 1;
        }
        begin += 1;
    }
    let tail = name.get(begin..)?;
    let digits = tail.iter().filter(|byte| byte.is_ascii_digit()).count();
    let is_rotation = tail.first().is_some_and(u8::is_ascii_digit)
        && tail.last().is_some_and(u8::is_ascii_digit)
        && (digits >= 8 || (dotted && digits == tail.len()));
    (is_rotation && begin > 1).then(|| &name[..begin - 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(name: &str) -> Vec<&str> {
        live_names(name.as_bytes()).map(|name| std::str::from_utf8(name).unwrap()).collect()
    }

    #[test]
    fn suffixes() {
        for name in [
            "app.log.1",
            "app.log.12",
            "app.log-20261123",
            "app.log.2026-11-23",
            "app.log.20261123-101500",
            "app.log-1700000000",
            "app.log.old",
            "app.log.bak",
            "app.log~",
            "app.log-2026-11-23T10:15:00",
            "app.log_20261123",
        ] {
            assert_eq!(live(name), ["app.log"], "{name}");
        }
        assert_eq!(live("app.log-20261123.1"), ["app.log-20261123", "app.log"]);
        assert_eq!(live("app.log.1.old"), ["app.log.1", "app.log"]);
        for name in [
            "app.log",
            "app.log.gz",
            "app.log.1.gz",
            "app.log.tmp",
            "web-1",
            "",
            ".",
            ".1",
            "-20261123",
            "20261123",
            "app.log.",
        ] {
            assert!(live(name).is_empty(), "{name} {:?}", live(name));
        }
    }
}
