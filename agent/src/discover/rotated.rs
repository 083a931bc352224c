//! The live name behind a rotated one: `app.log` of `app.log.1` and `app.log-20261123.gz`, `0.log` of
//! `0.log.20261125-110000.gz`; and what the end of a name says about the contents. Pure.
//!
//! Known: logrotate's numbers, `dateext` (`-%Y%m%d`, `-%Y%m%d%H`, `-%s`) and compression, the kubelet's time behind
//! `<restart>.log`, and the habits of the usual logging libraries.

use crate::tail::inflate::Compression;

const WORDS: [&[u8]; 6] = [b"old", b"bak", b"prev", b"previous", b"orig", b"backup"];
/// So many suffixes are taken off at most.
const SUFFIXES_MAX: usize = 4;

/// What the end of a name says about the contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contents {
    Lines,
    Compressed(Compression),
    /// Somebody still writes it; it gets another name when it is whole.
    Unfinished,
    /// Compressed with what is not read.
    Unreadable,
}

const SUFFIXES: [(&[u8], Contents); 6] = [
    (b".gz", Contents::Compressed(Compression::Gzip)),
    (b".zst", Contents::Compressed(Compression::Zstd)),
    (b".tmp", Contents::Unfinished),
    (b".xz", Contents::Unreadable),
    (b".bz2", Contents::Unreadable),
    (b".lz4", Contents::Unreadable),
];

/// What a file of this name holds.
pub fn contents(name: &[u8]) -> Contents {
    SUFFIXES.iter().find(|(suffix, _)| name.ends_with(suffix)).map_or(Contents::Lines, |(_, contents)| *contents)
}

/// The names that `name` may have had before it was rotated or compressed, the nearest first.
pub fn live_names(name: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::successors(without_suffix(name), |name| without_suffix(name)).take(SUFFIXES_MAX)
}

fn without_suffix(name: &[u8]) -> Option<&[u8]> {
    if let Some(live) = name.strip_suffix(b"~").or_else(|| without_compression(name)) {
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

fn without_compression(name: &[u8]) -> Option<&[u8]> {
    SUFFIXES.iter().find_map(|(suffix, _)| name.strip_suffix(*suffix))
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
            "app.log-2026112317",
            "app.log.2026-11-23",
            "app.log.20261123-101500",
            "app.log-1700000000",
            "app.log.old",
            "app.log.bak",
            "app.log~",
            "app.log-2026-11-23T10:15:00",
            "app.log_20261123",
            "app.log.gz",
            "app.log.zst",
            "app.log.xz",
            "app.log.tmp",
        ] {
            assert_eq!(live(name), ["app.log"], "{name}");
        }
        for (name, names) in [
            ("app.log-20261123.1", &["app.log-20261123", "app.log"][..]),
            ("app.log.1.old", &["app.log.1", "app.log"]),
            ("app.log.1.gz", &["app.log.1", "app.log"]),
            ("app.log-1764068400.zst", &["app.log-1764068400", "app.log"]),
            ("0.log.20261125-110000", &["0.log"]),
            ("0.log.20261125-110000.gz", &["0.log.20261125-110000", "0.log"]),
            ("12.log.20261125-110000.tmp", &["12.log.20261125-110000", "12.log"]),
            ("a.log.1.gz.tmp", &["a.log.1.gz", "a.log.1", "a.log"]),
        ] {
            assert_eq!(live(name), names, "{name}");
        }
        for name in ["app.log", "web-1", "", ".", ".1", ".gz", "-20261123", "20261123", "app.log."] {
            assert!(live(name).is_empty(), "{name} {:?}", live(name));
        }
    }

    #[test]
    fn ends_of_names() {
        for (name, expected) in [
            ("app.log", Contents::Lines),
            ("app.log.1", Contents::Lines),
            ("app.log.1.gz", Contents::Compressed(Compression::Gzip)),
            ("app.log.zst", Contents::Compressed(Compression::Zstd)),
            ("app.log.gz.tmp", Contents::Unfinished),
            ("app.log.xz", Contents::Unreadable),
            ("gz", Contents::Lines),
        ] {
            assert_eq!(contents(name.as_bytes()), expected, "{name}");
        }
    }
}
