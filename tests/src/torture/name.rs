//! What rotated files are called: `x.log.1`, `x.log-1764000000` (dateext with `%s`), and either of them with `.gz` or `.zst`.

use std::path::{Path, PathBuf};

/// The part behind the live name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suffix {
    /// It is shifted by one at each rotation.
    Number(u32),
    /// It stays.
    Date(u32),
}

/// How the contents are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    Plain,
    Gzip,
    Zstd,
}

/// The path of a rotated sibling of `live`.
pub fn path(live: &Path, suffix: Suffix, packing: Packing) -> PathBuf {
    let suffix = match suffix {
        Suffix::Number(number) => format!(".{number}"),
        Suffix::Date(sequence) => format!("-{}", 1_764_000_000 + sequence),
    };
    let extension = match packing {
        Packing::Plain => "",
        Packing::Gzip => ".gz",
        Packing::Zstd => ".zst",
    };
    with_end(live, &format!("{suffix}{extension}"))
}

/// The path with something behind its last name.
pub fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(end);
    path.into()
}
