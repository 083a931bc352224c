//! State of other versions: what an older one wrote is read, what a newer one wrote is refused by name.
//!
//! `formats/partition-2.tar.gz` is the `data_dir` of the program of commit fb15fc4 (partitions of format 2, whose rows of transactions have another form) after
//! `kill -9`: 400 records in a partition, 100 more in the log. Lines n = 0 to 499 of the file `old.log` are
//! `2026-11-27T10:00:00.000Z INFO request_id=<32 hex digits of n / 10 + 1> line n`.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use clew_tests::aggregator::Aggregator;
use clew_tests::process::run;
use clew_tests::stage::Stage;

const DEADLINE: Duration = Duration::from_secs(60);
const LINES: u64 = 500;

/// An aggregator that finds what the older version left.
fn with_old_state(stage: &Stage) -> Aggregator {
    let aggregator = Aggregator::new(stage, &[]);
    let archive = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/formats/partition-2.tar.gz");
    std::fs::create_dir(aggregator.data_dir()).expect("make a folder");
    let unpacked = Command::new("tar").arg("-xzf").arg(archive).arg("-C").arg(aggregator.data_dir()).status();
    assert!(unpacked.expect("run tar").success());
    aggregator
}

fn assert_all_is_found(aggregator: &Aggregator) {
    let api = aggregator.api();
    assert_eq!(api.records(), Ok(LINES));
    for id in 0..LINES / 10 {
        let records = api.transaction(&format!("{:032x}", id + 1)).expect("an answer");
        let lines: Vec<String> =
            records.iter().map(|record| String::from_utf8_lossy(&record.line).into_owned()).collect();
        let wanted: Vec<String> = (id * 10..id * 10 + 10)
            .map(|number| format!("2026-11-27T10:00:00.000Z INFO request_id={:032x} line {number}", id + 1))
            .collect();
        assert_eq!(lines, wanted);
    }
    let sources = api.agents()[0]["sources"].as_array().expect("sources").clone();
    assert_eq!((sources.len(), &sources[0]["records"]), (1, &LINES.into()), "{sources:?}");
}

#[test]
fn what_an_older_version_left_is_read_and_backed_up() {
    let stage = Stage::new("older");
    let mut aggregator = with_old_state(&stage);
    aggregator.start();
    assert_all_is_found(&aggregator);
    let config = aggregator.config().to_str().expect("a UTF-8 path").to_owned();
    let target = stage.path().join("target");
    let target = target.to_str().expect("a UTF-8 path");
    assert!(run("clew-aggregator", &["backup", target, "--config", &config], DEADLINE).status.success());
    assert!(aggregator.terminate().success());
    aggregator.start();
    assert_all_is_found(&aggregator);
    // It comes back on another machine as well.
    aggregator.kill();
    std::fs::rename(aggregator.data_dir(), stage.path().join("before")).expect("move data_dir away");
    let restored = run("clew-aggregator", &["restore", target, "--config", &config], DEADLINE);
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    aggregator.start();
    assert_all_is_found(&aggregator);
}

#[test]
fn what_a_newer_version_left_is_refused_and_left_alone() {
    for part in ["partition", "log", "absences"] {
        let stage = Stage::new("newer");
        let aggregator = with_old_state(&stage);
        let newest = |folder: &str, suffix: &str| {
            let mut found: Vec<_> = std::fs::read_dir(aggregator.data_dir().join(folder))
                .expect("list a folder")
                .map(|entry| entry.expect("list a folder").path())
                .filter(|path| path.to_string_lossy().ends_with(suffix))
                .collect();
            found.sort();
            found.pop().expect("a file")
        };
        let changed = match part {
            "partition" => {
                let list = newest("partitions", "").join("meta.json");
                let text = std::fs::read_to_string(&list).expect("read meta.json");
                assert!(text.contains(r#"\"format\":2"#), "{text}");
                std::fs::write(&list, text.replace(r#"\"format\":2"#, r#"\"format\":99"#)).expect("write meta.json");
                list
            }
            "log" => {
                let segment = newest("wal", ".wal");
                let mut bytes = std::fs::read(&segment).expect("read a segment");
                bytes[7] = 99;
                std::fs::write(&segment, bytes).expect("write a segment");
                segment
            }
            _ => {
                let absences = aggregator.data_dir().join("absences");
                std::fs::write(&absences, r#"{"format":99}"#).expect("write absences");
                absences
            }
        };
        let before = std::fs::read(&changed).expect("read it");
        let config = aggregator.config().to_str().expect("a UTF-8 path");
        let refused = run("clew-aggregator", &["run", "--config", config], DEADLINE);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && said.contains("has format 99"), "{part}: {said}");
        assert!(said.contains("run the version that wrote it"), "{part}: {said}");
        assert_eq!(std::fs::read(&changed).expect("read it"), before, "{part}");
    }
}
