//! What is taken for an ID in lines as real programs write them. Of `golden/ids/<name>.log` every line is a record; in
//! `<name>.expected` the IDs stand below their line, as kind, value and reason. `CLEW_BLESS=1` writes what is found now.

use std::fmt::Write as _;
use std::path::Path;

use clew_agent::parse;
use clew_agent::record::Fields;

#[test]
fn ids_of_real_lines() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/ids");
    let mut logs: Vec<_> = std::fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .collect();
    logs.sort_unstable();
    assert!(!logs.is_empty(), "{} is empty", directory.display());
    let bless = std::env::var_os("CLEW_BLESS").is_some();
    for log in logs {
        let found = found(&std::fs::read_to_string(&log).unwrap());
        let expected = log.with_extension("expected");
        if bless {
            std::fs::write(&expected, found).unwrap();
        } else {
            let text = std::fs::read_to_string(&expected).unwrap_or_default();
            assert_eq!(found, text, "{}: look at it, then bless it with CLEW_BLESS=1", expected.display());
        }
    }
}

fn found(log: &str) -> String {
    let mut out = String::new();
    let mut fields = Fields::default();
    for line in log.lines() {
        parse::parse(line.as_bytes(), &mut fields);
        writeln!(out, "{line}").unwrap();
        for found in fields.ids.iter_why() {
            let kind = format!("{:?}", found.kind).to_lowercase();
            writeln!(out, "    {kind} {} ({})", String::from_utf8_lossy(found.value), found.why).unwrap();
        }
    }
    out
}
