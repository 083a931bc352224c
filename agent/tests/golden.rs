//! Lines of real programs, one file for each format, and what is read out of them: time, severity, layout.
//!
//! `golden/<format>.log` has the lines, `golden/<format>.expected` a line for each. `CLEW_BLESS=1` rewrites the latter; every line
//! of it is then to be read by a human. A year or date that a line lacks is taken near 2026-11-25T12:00:00Z.

use std::fmt::Write;
use std::path::Path;

use clew_agent::parse::layout::Memory;
use clew_agent::parse::parse_with;
use clew_agent::parse::reading::Reading;
use clew_agent::record::Fields;
use jiff::Timestamp;

const REFERENCE_NS: i64 = 1_795_608_000_000_000_000;

#[test]
fn every_line_reads_as_expected() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut differences = String::new();
    let mut files = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "log") {
            continue;
        }
        files += 1;
        let lines = std::fs::read_to_string(&path).unwrap();
        let found = read(&lines);
        let expected_path = path.with_extension("expected");
        if std::env::var_os("CLEW_BLESS").is_some() {
            std::fs::write(&expected_path, found.join("\n") + "\n").unwrap();
            continue;
        }
        let expected = std::fs::read_to_string(&expected_path).unwrap();
        let name = path.file_name().unwrap().display();
        let expected: Vec<&str> = expected.lines().collect();
        assert_eq!(expected.len(), found.len(), "{name}: so many lines were expected, so many were read");
        for (number, ((line, found), expected)) in lines.lines().zip(&found).zip(expected).enumerate() {
            if found != expected {
                writeln!(differences, "{name}:{}: {line}\n  expected {expected}\n  found    {found}", number + 1)
                    .unwrap();
            }
        }
    }
    assert!(files > 0);
    assert!(differences.is_empty(), "\n{differences}");
}

fn read(lines: &str) -> Vec<String> {
    let mut fields = Fields::default();
    let mut memory = Memory::default();
    let reading = Reading::default();
    lines
        .lines()
        .map(|line| {
            parse_with(line.as_bytes(), &reading, REFERENCE_NS, &mut memory, &mut fields);
            let time = fields.time_ns.map(|time| Timestamp::from_nanosecond(time.into()).unwrap().to_string());
            let layout = if fields.layout.is_empty() { "-" } else { fields.layout };
            format!("{} {:?} {layout}", time.as_deref().unwrap_or("-"), fields.severity)
        })
        .collect()
}
