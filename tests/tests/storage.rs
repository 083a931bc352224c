//! What the store does by itself, over the real programs: records are taken out for good, and damage stays where it is.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clew_tests::agent::Agent;
use clew_tests::aggregator::Aggregator;
use clew_tests::api::Api;
use clew_tests::line::{self, FORMATS};
use clew_tests::logfile::LogFile;
use clew_tests::process::run;
use clew_tests::stage::Stage;
use clew_tests::wait;
use serde_json::{Value, json};

const DEADLINE: Duration = Duration::from_secs(60);
const SERVICES: [&str; 3] = ["one", "two", "three"];

/// Lines of three services; each of `ids` has some in every service.
struct Written {
    /// By the index of the ID.
    lines: Vec<usize>,
    all: u64,
}

fn write(stage: &Stage, logs: &Path, ids: &[String], lines: u64, stream: u64) -> Written {
    let mut random = stage.random(stream);
    let mut written = Written { lines: vec![0; ids.len()], all: 0 };
    for (writer, service) in SERVICES.iter().enumerate() {
        let mut file = LogFile::open(&logs.join(format!("{service}.log")));
        for number in 0..lines {
            let id = random.usize(..ids.len());
            let format = FORMATS[writer];
            file.append(&line::line(&mut random, format, &ids[id], writer as u32, stream * 1_000_000 + number));
            written.lines[id] += 1;
            written.all += 1;
        }
    }
    written
}

fn wait_for_deletion(api: &Api, id: u64) -> Value {
    wait::until("the deletion", DEADLINE, || {
        let answer = api.try_get(&format!("/api/v1/admin/deletions/{id}"), "application/json")?;
        let job = answer.json();
        wait::check(job["state"] == "done", || job.to_string()).map(|()| job)
    })
}

#[test]
fn what_is_deleted_is_gone_for_good() {
    let stage = Stage::new("deletion");
    let logs = stage.folder("logs");
    let mut random = stage.random(0);
    let ids: Vec<String> = (0..40).map(|_| line::id(&mut random)).collect();
    let mut aggregator = Aggregator::started(&stage, &[("head_bytes", "64KiB"), ("head_age", "500ms")]);
    let _agent = Agent::started(&stage, &aggregator, &logs);
    let first = write(&stage, &logs, &ids, 600, 1);
    let api = aggregator.api();
    api.wait_for_records(first.all, DEADLINE);

    let refused = api.post("/api/v1/admin/deletions", &json!({}));
    assert_eq!(refused.status, 400, "everything is not to be deleted: {}", refused.problem());
    // As a browser sends it from anybody's page, without asking first.
    let path = format!("/api/v1/admin/deletions?txn={}", ids[0]);
    for (content_type, body) in [("text/plain", "{}"), ("application/x-www-form-urlencoded", "")] {
        let foreign = api.request_with("POST", &path, content_type, body);
        assert_eq!(foreign.status, 415, "{}", foreign.problem());
    }
    let dry = api.post("/api/v1/admin/deletions", &json!({"txn": ids[0], "dry_run": true})).json();
    assert_eq!(dry["matched"], first.lines[0], "{dry}");

    // By ID. Its records are found until the job has come to them, and then no more.
    let job = api.post("/api/v1/admin/deletions", &json!({"txn": ids[0]}));
    assert_eq!(job.status, 202, "{}", job.json());
    let job = wait_for_deletion(&api, job.json()["id"].as_u64().expect("a number"));
    assert_eq!((&job["deleted"], &job["remaining"]), (&json!(first.lines[0]), &json!(0)), "{job}");
    assert!(api.transaction(&ids[0]).expect("an answer").is_empty(), "{job}");
    assert_eq!(api.get(&format!("/api/v1/logs/search?q={}&limit=1", ids[0])).json()["records"], json!([]));
    api.wait_for_records(first.all - first.lines[0] as u64, DEADLINE);
    for (id, lines) in ids.iter().zip(&first.lines).skip(1) {
        assert_eq!(api.transaction(id).expect("an answer").len(), *lines, "other transactions are whole");
    }

    // By a query, with a kill right behind the promise.
    let numbers = api.get("/api/v1/logs/search?q=service:two+writer:1&limit=1").json();
    assert_eq!(numbers["records"].as_array().map(Vec::len), Some(1), "{numbers}");
    let promised = api.post("/api/v1/admin/deletions", &json!({"q": "service:two"})).json();
    aggregator.kill();
    aggregator.start();
    let job = wait_for_deletion(&api, promised["id"].as_u64().expect("a number"));
    assert_eq!(job["remaining"], 0, "{job}");
    assert_eq!(api.get("/api/v1/logs/search?q=service:two").json()["records"], json!([]));

    // What comes in later is no part of it, and is taken as ever.
    let second = write(&stage, &logs, &ids, 50, 2);
    wait::until("later records", DEADLINE, || {
        let found = api.get("/api/v1/logs/facets?q=service:two&fields=service").json()["records"].as_u64();
        wait::check(found == Some(50), || format!("{found:?} of {}", second.all))
    });
    assert!(aggregator.terminate().success());
    verify(&aggregator, 0);
}

fn verify(aggregator: &Aggregator, code: i32) -> String {
    let config = aggregator.config().to_str().expect("a UTF-8 path");
    let output = run("clew-aggregator", &["verify", "--config", config], DEADLINE);
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{text}");
    text
}

fn files(folder: &Path, kind: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("list a folder").map(|entry| entry.expect("an entry").path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == kind)).collect()
}

#[test]
fn damage_stays_where_it_is() {
    let stage = Stage::new("damage");
    let logs = stage.folder("logs");
    let mut random = stage.random(0);
    let ids: Vec<String> = (0..40).map(|_| line::id(&mut random)).collect();
    let mut aggregator = Aggregator::started(&stage, &[]);
    let _agent = Agent::started(&stage, &aggregator, &logs);
    let written = write(&stage, &logs, &ids, 600, 1);
    let api = aggregator.api();
    api.wait_for_records(written.all, DEADLINE);
    assert!(aggregator.terminate().success());
    assert!(verify(&aggregator, 0).contains("ok partition"));

    // One byte in the middle of a store: one block, as nearly all of it are blocks.
    let partitions = aggregator.data_dir().join("partitions");
    let partition = std::fs::read_dir(&partitions).expect("list").next().expect("a day").expect("an entry").path();
    let store = files(&partition, "store").into_iter().max_by_key(|path| path.metadata().expect("stat").len());
    let store = store.expect("a store");
    let mut bytes = std::fs::read(&store).expect("read a store");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x55;
    std::fs::write(&store, &bytes).expect("write a store");
    let text = verify(&aggregator, 1);
    assert!(text.contains("DAMAGED") && text.contains("checksum"), "{text}");
    aggregator.start();
    let found = api.get("/api/v1/logs/search?limit=10000").json();
    let records = found["records"].as_array().map_or(0, Vec::len) as u64;
    assert_eq!(found["meta"]["blocks_damaged"], 1, "{}", found["meta"]);
    assert!(records > 0 && records < written.all, "{records} of {}: the rest is found", written.all);
    let warnings = found["meta"]["warnings"].to_string();
    assert!(warnings.contains("damaged"), "{warnings}");
    aggregator.kill();

    // The list of the index: nothing of the partition can be read, and everything else goes on.
    std::fs::write(partition.join("meta.json"), b"{}").expect("write meta.json");
    aggregator.start();
    let storage = api.storage();
    assert_eq!(storage["set_aside"].as_array().map(Vec::len), Some(1), "{storage}");
    let later = write(&stage, &logs, &ids, 20, 2);
    api.wait_for_records(later.all, DEADLINE);
    assert!(aggregator.terminate().success());
    let text = verify(&aggregator, 0);
    assert!(text.contains("set aside earlier"), "{text}");
}
