//! One line to time, severity and IDs: in every format, and against other parsers where there is one.

use clew_agent::parse::id_pattern::{IdPattern, RawIdPattern};
use clew_agent::parse::layout::Memory;
use clew_agent::parse::pattern::TimePattern;
use clew_agent::parse::reading::{RawReading, Reading};
use clew_agent::parse::zone::Zone;
use clew_agent::parse::{json, key, parse_with, scan, severity, text, time};
use clew_agent::record::{Fields, IDS_MAX, IdKind, Ids};
use clew_agent::transaction;

use crate::driver::Fuzz;
use crate::seeds;

/// 2026-11-25T12:00:00Z
const NOW_NS: i64 = 1_795_608_000_000_000_000;
const FORMATS: [&str; 20] = [
    "auto", "json", "logfmt", "text", "syslog", "nginx", "apache", "spring", "log4j", "java", "python", "go", "klog",
    "tracing", "rails", "postgres", "mysql", "redis", "dotnet", "php",
];
const LINE: &[&str] = &[
    "2026-11-23T12:00:00.123456789Z",
    "2026-11-23 12:00:00,123",
    "23/Nov/2026:12:00:00 +0000",
    "Nov 23 12:00:00",
    "1795435200000",
    "trace_id=4bf92f3577b34da6a3ce929d0e0e4736",
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8",
    "9f1c2d3e-4b5a-4c6d-8e7f-0a1b2c3d4e5f",
    "AABL+S81d7NNpqPOkp0ODkc2AQDwZ6oLqQK3AgE=",
    "\"trace_id\":\"",
    "\"level\":\"error\",",
    "[app,4bf92f3577b34da6a3ce929d0e0e4736,00f067aa0ba902b7]",
    "request_id: ",
    " level=warn ",
    "<165>1 ",
    "\u{1b}[31mERROR\u{1b}[0m",
    "\\u0074race_id",
    "{\"a\":{",
    "NR-LINKING|a|b|c|d|",
    "00000000000000000000000000000000",
    "%3A",
];

#[derive(Hash)]
struct Answer {
    shape: u8,
    layout: &'static str,
    severity: u8,
    has_time: bool,
    ids: Vec<&'static str>,
}

#[test]
fn formats() {
    let readings: Vec<Reading> = FORMATS
        .iter()
        .enumerate()
        .map(|(index, format)| {
            let zone = ["UTC", "+02:00", "-11:30", "Europe/Berlin"][index % 4];
            let patterns = ["%d.%m.%Y %H:%M:%S", "%s", "%y%j %I%M%p %z", "%b %e %T"];
            let raw = RawReading {
                time_zone: Some(zone.to_owned()),
                time_patterns: if index % 3 == 0 { vec![patterns[index % 4].to_owned()] } else { Vec::new() },
                format: Some((*format).to_owned()),
            };
            Reading::new(&raw).expect("a valid reading")
        })
        .collect();
    let seeds = seeds::lines();
    let pairs = seeds
        .iter()
        .zip(seeds.iter().skip(7))
        .map(|(first, second)| [first, second].map(|line| line.as_slice()).join(&b'\n'));
    Fuzz::new("formats", 2000).seeds(pairs).tokens(LINE).run(|lines| {
        let mut fields = Fields::default();
        let mut answers = Vec::new();
        for (index, reading) in readings.iter().enumerate() {
            let reference_ns = if index % 5 == 4 { 0 } else { NOW_NS };
            let mut memory = Memory::default();
            for line in lines.split(|byte| *byte == b'\n') {
                let shape = parse_with(line, reading, reference_ns, &mut memory, &mut fields) as u8;
                if index < 4 && answers.len() < 8 {
                    answers.push(answer(shape, &fields));
                }
                // What the lines before were like may save time, and never changes what is found.
                let found = (fields.time_ns, fields.layout);
                parse_with(line, reading, reference_ns, &mut Memory::default(), &mut fields);
                assert_eq!(found, (fields.time_ns, fields.layout), "{} with a memory and without", FORMATS[index]);
            }
        }
        answers
    });
}

fn answer(shape: u8, fields: &Fields) -> Answer {
    check_ids(&fields.ids);
    Answer {
        shape,
        layout: fields.layout,
        severity: fields.severity as u8,
        has_time: fields.time_ns.is_some(),
        ids: fields.ids.iter_why().map(|found| found.why).collect(),
    }
}

/// What the aggregator takes for granted.
fn check_ids(ids: &Ids) {
    assert!(ids.len() <= IDS_MAX);
    let values: Vec<&[u8]> = ids.iter().map(|(_, value)| value).collect();
    for (at, value) in values.iter().enumerate() {
        assert!(transaction::is_id(value), "{:?} is an ID", value.escape_ascii().to_string());
        assert!(!values[..at].contains(value), "none is there twice");
    }
}

#[test]
fn json_objects() {
    let seeds = seeds::golden("").into_iter().chain(seeds::golden("ids"));
    let lines = seeds.flat_map(|file| file.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>());
    let objects = lines.filter(|line| line.starts_with(b"{")).chain([
        br#"{"ts":1795435200.5,"a":[1,{"trace_id":"x\\"}],"b":{"c":"\u00e9\ud83d\ude00","level":30},"d":null}"#
            .to_vec(),
    ]);
    Fuzz::new("json_objects", 30_000).seeds(objects).tokens(LINE).run(|line| {
        let mut fields = Fields::default();
        let taken = json::parse(line, &Reading::default(), &mut fields);
        // What is read is one line that begins with a brace: its parser is asked for no other, and a line feed is no blank to it.
        let valid = line.starts_with(b"{")
            && !line.contains(&b'\n')
            && serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(line).is_ok();
        assert!(taken || !valid, "what is JSON is taken for JSON");
        let from = line.len() / 3;
        let plain = line[from..].iter().position(|byte| matches!(byte, b'"' | b'\\'));
        assert_eq!(scan::quote_or_backslash(&line[from..]), plain);
        (taken, valid, answer(0, &fields))
    });
}

#[test]
fn times() {
    let seeds = LINE[..5].iter().map(|text| text.as_bytes().to_vec()).chain([
        b"2026-11-23T12:00:00-0500".to_vec(),
        b"2262-04-11T23:47:16.854775807Z".to_vec(),
        b"1970-01-01T00:00:00Z".to_vec(),
        b"2026-02-28 23:59:60.5 +14:00".to_vec(),
        b"1.7954352E9".to_vec(),
        b"1795435200.25".to_vec(),
    ]);
    let zones = ["UTC", "+23:59", "-23:59", "Europe/Berlin"].map(|name| Zone::new(name).expect("a zone"));
    let tokens = &["T", "Z", "+01:00", ".5", ",", "-", "60", "2262", "Dec", "24:00:00", "00:00:00", "E9", "e-3"];
    Fuzz::new("times", 60_000).bytes_max(80).seeds(seeds).tokens(tokens).run(|text| {
        let stamp = time::date_time(text);
        let end = stamp.map_or(0, |stamp| stamp.end);
        assert!(end <= text.len());
        let values = zones.each_ref().map(|zone| {
            if let Some(stamp) = stamp {
                stamp.instant_ns(zone);
            }
            time::value(text, zone)
        });
        for (number, reader) in [time::epoch, time::number].into_iter().enumerate() {
            assert!(reader(text).is_none_or(|time| time >= 0), "reader {number} tells of times before 1970");
        }
        if let Some(stamp) = time::apache(text) {
            assert!(stamp.end <= text.len());
        }
        severity::of_value(text);
        severity::of_number(text);
        // RFC 3339, as jiff reads it too.
        let is_strict =
            end == text.len() && text.get(10) == Some(&b'T') && text.ends_with(b"Z") && !text.contains(&b',');
        // A leap second is the second behind it here, and the one before it there.
        if is_strict && !text.contains(&b'/') && memchr::memmem::find(text, b":60").is_none() {
            let jiffs = std::str::from_utf8(text).ok().and_then(|text| text.parse::<jiff::Timestamp>().ok());
            if let (Some(jiffs), Some(ours)) = (jiffs, values[0]) {
                assert_eq!(i128::from(ours), jiffs.as_nanosecond(), "jiff reads it otherwise");
            }
        }
        (end, values.map(|value| value.is_some()))
    });
}

#[test]
fn time_patterns() {
    let seeds = [
        ("%d/%m/%Y %H:%M:%S", "23/11/2026 12:00:00 x"),
        ("%m/%d/%y %I:%M:%S %p", "[x] 11/23/26 12:00:00 PM x"),
        ("%Y%m%d-%H%M%S.%f", "app 20261123-120000.000|x"),
        ("%A %d %B %Y %T %z", "Monday 23 November 2026 13:00:00 +0100"),
        ("%Y-%j %T %Z", "2026-327 12:00:00 UTC"),
        ("%s", "1795435200.000 x"),
        ("@%F %T,%f", "@2026-11-23 12:00:00,5"),
    ];
    let tokens = &[
        "%Y", "%y", "%m", "%d", "%e", "%j", "%b", "%a", "%H", "%I", "%p", "%M", "%S", "%f", "%z", "%Z", "%s", "%F",
        "%T", "%%", "\n", "366", "9999", "Feb", "PM", "CEST", "+99:99",
    ];
    let seeds = seeds.map(|(pattern, line)| format!("{pattern}\n{line}").into_bytes());
    Fuzz::new("time_patterns", 60_000).bytes_max(300).seeds(seeds).tokens(tokens).run(|input| {
        let feed = memchr::memchr(b'\n', input).unwrap_or(input.len());
        let (pattern, line) = (String::from_utf8_lossy(&input[..feed]), input.get(feed + 1..).unwrap_or_default());
        let pattern = match TimePattern::new(&pattern) {
            Ok(pattern) => pattern,
            Err(error) => {
                assert!(!error.contains('\n'), "an error is one line: {error:?}");
                return (0, false);
            }
        };
        for reference_ns in [0, NOW_NS, i64::MAX] {
            if let Some((_, begin, end)) = pattern.find(line, &Reading::default(), reference_ns) {
                assert!(begin <= end && end <= line.len());
            }
        }
        (pattern.find(line, &Reading::default(), NOW_NS).map_or(1, |(_, begin, _)| begin.min(9) + 2), true)
    });
}

const KINDS: [IdKind; 5] = [IdKind::Other, IdKind::Trace, IdKind::Request, IdKind::Correlation, IdKind::Transaction];

#[test]
fn ids() {
    let pattern = |pattern: &str| {
        let raw = RawIdPattern { pattern: pattern.to_owned(), kind: Some("transaction".to_owned()) };
        IdPattern::new(&raw).expect("a valid pattern")
    };
    let patterns = [pattern("order=(?<id>[A-Z0-9-]+)"), pattern(r"(\S+)")];
    Fuzz::new("ids", 8000).seeds(seeds::lines()).tokens(LINE).run(|line| {
        let mut ids = Ids::default();
        text::find_ids(line, &mut ids);
        check_ids(&ids);
        let found: Vec<_> = ids.iter_why().map(|found| (found.why, found.kind as u8)).collect();
        for kind in KINDS {
            ids.clear();
            transaction::take(kind, line, "field", &mut ids);
            check_ids(&ids);
        }
        for pattern in &patterns {
            ids.clear();
            pattern.find(line, &mut ids);
            check_ids(&ids);
        }
        // Keys are short; the meaning of a nested one may depend on where it stands.
        let (path, key) = line.split_at(line.len() / 2);
        (found, key::meaning(line).is_some(), key::meaning_nested(path, key).is_some(), key::meaning_id(line).is_some())
    });
}
