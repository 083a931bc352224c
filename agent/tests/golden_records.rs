//! Real-shaped files and the records they fall into: `golden/records/<name>.log` and `.expected`.
//!
//! `CLEW_BLESS=1` writes what is found; read it before it is committed.

use std::path::Path;

use clew_agent::assemble::joining::Joining;
use clew_agent::assemble::{Limits, Tail};
use clew_agent::frame::open::open_streams;
use clew_agent::frame::unwrap::{How, Unwrapped, unwrap};
use clew_agent::frame::weave::{Rules, Woven, weave};
use clew_agent::frame::{Framing, detect};
use clew_agent::parse::{self, Shape};
use clew_agent::record::Fields;

fn records(file: &[u8]) -> String {
    let framing = detect(file).unwrap_or(Framing::Plain);
    let how = How { framing, inside_line: false, take_unterminated: true, line_bytes_max: 100_000 };
    let (mut unwrapped, mut woven) = (Unwrapped::default(), Woven::default());
    unwrap(file, how, &mut unwrapped);
    let limits = Limits { record_bytes_max: 100_000, record_lines_max: 1000 };
    let rules = Rules { joining: &Joining::BuiltIn, limits, tail: Tail::All };
    let mut fields = Fields::default();
    let is_text = |line: &[u8]| parse::parse(line, &mut fields) == Shape::Text;
    weave(&unwrapped, open_streams(b"", framing), &rules, is_text, &mut woven);
    assert_eq!(woven.consumed, file.len());
    let mut text = String::new();
    for record in &woven.records {
        text.push_str(&format!("=== {:?} flags {} file bytes {}\n", record.stream, record.flags, record.file_length));
        text.push_str(&String::from_utf8_lossy(&woven.content[record.content.clone()]));
    }
    text
}

#[test]
fn files_fall_into_the_expected_records() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/records");
    let mut seen = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "log") {
            continue;
        }
        seen += 1;
        let found = records(&std::fs::read(&path).unwrap());
        let expected = path.with_extension("expected");
        if std::env::var_os("CLEW_BLESS").is_some() {
            std::fs::write(&expected, &found).unwrap();
        }
        assert_eq!(found, std::fs::read_to_string(&expected).unwrap_or_default(), "{}", path.display());
    }
    assert!(seen > 0);
}
