//! Real inputs: the agent's golden files.

use std::path::Path;

/// The golden `.log` files below `folder` (empty: of `golden` itself), whole.
pub fn golden(folder: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../agent/tests/golden").join(folder);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("list {}: {error}", folder.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("a golden file").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
    paths.sort();
    assert!(!paths.is_empty(), "no golden files in {}", folder.display());
    paths.iter().map(|path| std::fs::read(path).expect("a golden file can be read")).collect()
}

/// All lines of the golden files of records, formats and IDs, without their line feeds.
pub fn lines() -> Vec<Vec<u8>> {
    let files = [golden(""), golden("ids"), golden("records")].concat();
    let mut lines: Vec<_> =
        files.iter().flat_map(|file| file.split(|byte| *byte == b'\n')).map(<[u8]>::to_vec).collect();
    lines.sort();
    lines.dedup();
    lines
}
