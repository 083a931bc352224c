//! Backups of real programs: made while lines come in, broken off, damaged, restored on an empty machine. What comes back is what was
//! acknowledged at one moment, and the same agents go on from there: nothing is lost, nothing is there twice.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use clew_tests::agent::Agent;
use clew_tests::aggregator::Aggregator;
use clew_tests::api::Api;
use clew_tests::process::{Process, run};
use clew_tests::stage::Stage;
use clew_tests::writer::{Pace, Writer, Writers, Written};
use clew_tests::{line, oracle, programs, wait};

const DEADLINE: Duration = Duration::from_secs(60);
const UNROTATED: Pace = Pace { lines_per_s: 100, lines_per_rotation: 0 };
const ROTATED: Pace = Pace { lines_per_s: 400, lines_per_rotation: 400 };

fn ids(random: &mut fastrand::Rng, count: usize) -> Vec<String> {
    (0..count).map(|_| line::id(random)).collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// `clew-aggregator backup` or `restore` with the aggregator's configuration.
fn command(aggregator: &Aggregator, name: &str, target: &str, more: &[&str]) -> Output {
    let config = aggregator.config().to_str().expect("a UTF-8 path");
    run("clew-aggregator", &[&[name, target, "--config", config], more].concat(), DEADLINE)
}

/// What it says when it succeeds.
fn succeed(aggregator: &Aggregator, name: &str, target: &str, more: &[&str]) -> String {
    let output = command(aggregator, name, target, more);
    assert!(output.status.success(), "{name} {more:?}: {}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

/// What it says when it fails.
fn fail(aggregator: &Aggregator, name: &str, target: &str, more: &[&str]) -> String {
    let output = command(aggregator, name, target, more);
    assert!(!output.status.success(), "{name} {more:?}: {}", text(&output.stdout));
    text(&output.stdout) + &text(&output.stderr)
}

/// Another, empty machine: the aggregator's next start finds a folder of this name. Answers where that is.
fn another_machine(stage: &Stage, aggregator: &Aggregator, name: &str) -> PathBuf {
    let folder = stage.path().join(name);
    aggregator.configure(|config| {
        let rest: String =
            config.lines().filter(|line| !line.starts_with("data_dir")).map(|line| format!("{line}\n")).collect();
        format!("data_dir = {folder:?}\n{rest}")
    });
    folder
}

/// The frontiers are those of the records: each source's records are those that were written to its file, from the first to the one that
/// ends at the frontier, and there are no others. Answers how many there are.
fn assert_frontiers_are_those_of_the_records(api: &Api, ids: &[String], written: &[Written]) -> u64 {
    let lengths: HashMap<&[u8], u64> =
        written.iter().map(|line| (&line.line[..], line.line.len() as u64 + 1)).collect();
    let mut found: HashMap<String, Vec<(u64, u64)>> = HashMap::new();
    for id in ids {
        for record in api.transaction(id).expect("an answer") {
            let length = lengths.get(&record.line[..]).unwrap_or_else(|| panic!("foreign: {}", text(&record.line)));
            found.entry(record.source_id).or_default().push((record.position, *length));
        }
    }
    let mut records = 0;
    for source in api.agents().iter().flat_map(|agent| agent["sources"].as_array().expect("sources").clone()) {
        let id = source["source_id"].as_str().expect("an ID").to_owned();
        let mut pieces = found.remove(&id).unwrap_or_default();
        pieces.sort_unstable();
        let mut end = source["begin"].as_u64().expect("a position");
        for (position, length) in &pieces {
            assert_eq!(*position, end, "a hole or something twice in {source}");
            end += length;
        }
        assert_eq!(source["frontier"], end, "records and frontier of {source}");
        assert_eq!(source["records"], pieces.len(), "{source}");
        records += pieces.len() as u64;
    }
    assert!(found.is_empty(), "records of unknown sources: {found:?}");
    assert_eq!(api.records(), Ok(records));
    records
}

#[test]
fn a_backup_made_while_lines_come_in_comes_back_and_the_agents_go_on() {
    let stage = Stage::new("backup");
    let mut random = stage.random(0);
    let (logs, ids) = (stage.folder("logs"), ids(&mut random, 40));
    let target = stage.path().join("target");
    let target = target.to_str().expect("a UTF-8 path");
    let mut aggregator = Aggregator::started(&stage, &[]);
    let mut agent = Agent::started(&stage, &aggregator, &logs);
    let writers = Writers::start(&mut random, &logs, &ids, 2, &ROTATED);
    let api = aggregator.api();
    let wait_for = |records: u64| {
        wait::until("records", DEADLINE, || {
            let held = api.records()?;
            wait::check(held >= records, || format!("{held} of {records} records"))
        });
    };
    wait_for(1_000);
    succeed(&aggregator, "backup", target, &[]);
    wait_for(2_500);
    let said = succeed(&aggregator, "backup", target, &[]);
    assert!(said.contains("of which"), "{said}");
    let held = api.records().expect("an answer");
    // Acknowledged after the backup: in the files, and nowhere else soon.
    wait_for(held + 1_500);
    let written = writers.stop();
    oracle::settle_and_verify(&api, &ids, &written, DEADLINE);
    assert!(!aggregator.data_dir().join("snapshot").exists(), "the image is gone");

    // In order, so that its state holds all that was acknowledged: after a kill it may be older than the backup.
    assert!(agent.terminate().success(), "{}", agent.log());
    aggregator.kill();
    let listed = succeed(&aggregator, "backup", target, &["--list"]);
    assert_eq!(listed.lines().count(), 2, "{listed}");
    assert!(succeed(&aggregator, "backup", target, &["--verify"]).starts_with("ok: "));
    another_machine(&stage, &aggregator, "second");
    succeed(&aggregator, "restore", target, &[]);
    aggregator.start();
    let restored = assert_frontiers_are_those_of_the_records(&aggregator.api(), &ids, &written);
    assert!(restored >= 2_500 && restored < written.len() as u64, "{restored} of {}", written.len());

    // The agent remembers more than the aggregator holds, in files that go on, were rotated, or came after the backup.
    agent.start();
    oracle::settle_and_verify(&aggregator.api(), &ids, &written, DEADLINE);
    let warned = agent.log();
    assert!(warned.contains("it was restored from a backup"), "{warned}");

    // The same with an agent that is connected all the while, and with its state lost.
    for (name, is_lost) in [("third", false), ("fourth", true)] {
        aggregator.kill();
        another_machine(&stage, &aggregator, name);
        succeed(&aggregator, "restore", target, &[]);
        if is_lost {
            agent.kill();
            std::fs::remove_dir_all(agent.state_dir()).expect("delete the state folder");
            agent.start();
        }
        aggregator.start();
        oracle::settle_and_verify(&aggregator.api(), &ids, &written, DEADLINE);
    }
    // What was acknowledged between the two may be gone: no answer about that time is certain.
    let answer = aggregator.api().get(&format!("/api/v1/transactions/{}", ids[0])).json();
    assert_eq!(answer["completeness"]["state"], "gapped", "{}", answer["completeness"]);
    assert_eq!(answer["completeness"]["absences"][0]["why"], "after_backup", "{}", answer["completeness"]);
}

#[test]
fn what_is_gone_after_the_backup_is_told_as_a_gap() {
    let stage = Stage::new("backup-gap");
    let mut random = stage.random(0);
    let (logs, ids) = (stage.folder("logs"), ids(&mut random, 10));
    let target = stage.path().join("target");
    let target = target.to_str().expect("a UTF-8 path");
    let mut aggregator = Aggregator::started(&stage, &[]);
    let _agent = Agent::started(&stage, &aggregator, &logs);
    let mut writer = Writer::new(random.fork(), &logs, 0, &UNROTATED);
    writer.write(200, &ids);
    oracle::settle_and_verify(&aggregator.api(), &ids, &writer.written, DEADLINE);
    succeed(&aggregator, "backup", target, &[]);
    let held = writer.written.clone();
    writer.write(200, &ids);
    oracle::settle_and_verify(&aggregator.api(), &ids, &writer.written, DEADLINE);
    aggregator.kill();
    // The files are overwritten: what the agent had been acknowledged for stands nowhere any more.
    for entry in std::fs::read_dir(&logs).expect("list a folder") {
        let file =
            std::fs::File::options().write(true).open(entry.expect("list a folder").path()).expect("open a log file");
        file.set_len(0).expect("truncate a log file");
    }
    another_machine(&stage, &aggregator, "second");
    succeed(&aggregator, "restore", target, &[]);
    aggregator.start();
    let api = aggregator.api();
    wait::until("gaps in both files", DEADLINE, || {
        let agents = api.agents();
        let gaps: Vec<_> = agents
            .iter()
            .flat_map(|agent| agent["sources"].as_array().expect("sources"))
            .flat_map(|source| source["gaps"].as_array().expect("gaps").clone())
            .collect();
        wait::check(gaps.len() == 2, || format!("{agents:?}"))
    });
    oracle::verify(&api, &ids, &held);
}

#[test]
fn a_backup_that_is_broken_off_leaves_the_one_before() {
    let stage = Stage::new("backup-killed");
    let mut random = stage.random(0);
    let (logs, ids) = (stage.folder("logs"), ids(&mut random, 40));
    let target = stage.path().join("target");
    let target = target.to_str().expect("a UTF-8 path");
    let mut aggregator = Aggregator::started(&stage, &[("head_age", "300ms")]);
    let mut agent = Agent::started(&stage, &aggregator, &logs);
    let writers = Writers::start(&mut random, &logs, &ids, 2, &ROTATED);
    wait::until("records", DEADLINE, || {
        let held = aggregator.api().records()?;
        wait::check(held >= 1_000, || format!("{held} records"))
    });
    succeed(&aggregator, "backup", target, &[]);
    let config = aggregator.config().to_str().expect("a UTF-8 path").to_owned();
    let log = stage.path().join("backup.stderr");
    for round in 0..8 {
        let mut backup = Process::start("clew-aggregator", &["backup", target, "--config", &config], &log);
        // In the middle of the image, or a little later: while objects are written.
        let image = aggregator.data_dir().join("snapshot/partitions");
        wait::until("the image to be made", DEADLINE, || {
            wait::check(image.exists() || backup.ended().is_some(), || "none".to_owned())
        });
        std::thread::sleep(Duration::from_micros(random.u64(..30_000)));
        if round % 2 == 0 {
            aggregator.kill();
            wait::until("the backup to end", DEADLINE, || backup.ended().ok_or_else(|| "it runs".to_owned()));
            aggregator.start();
        } else {
            backup.kill();
        }
        assert!(succeed(&aggregator, "backup", target, &["--verify"]).starts_with("ok: "), "round {round}");
    }
    // What was left behind is in nobody's way.
    succeed(&aggregator, "backup", target, &["--keep", "1"]);
    assert!(!aggregator.data_dir().join("snapshot").exists());
    let listed = succeed(&aggregator, "backup", target, &["--list"]);
    assert_eq!(listed.lines().count(), 1, "{listed}");
    assert!(succeed(&aggregator, "backup", target, &["--verify"]).starts_with("ok: "));
    agent.kill();
    let written = writers.stop();
    aggregator.kill();
    another_machine(&stage, &aggregator, "second");
    succeed(&aggregator, "restore", target, &[]);
    aggregator.start();
    assert_frontiers_are_those_of_the_records(&aggregator.api(), &ids, &written);
    agent.start();
    oracle::settle_and_verify(&aggregator.api(), &ids, &written, DEADLINE);
}

#[test]
fn a_folder_that_nobody_has_open_is_backed_up_as_it_is() {
    let stage = Stage::new("backup-closed");
    let mut random = stage.random(0);
    let (logs, ids) = (stage.folder("logs"), ids(&mut random, 20));
    let target = stage.path().join("target");
    let target = format!("file://{}", target.to_str().expect("a UTF-8 path"));
    let mut aggregator = Aggregator::new(&stage, &[("head_age", "1h"), ("head_bytes", "64MiB")]);
    assert!(fail(&aggregator, "backup", &target, &[]).contains("holds no data"));
    aggregator.start();
    let mut agent = Agent::started(&stage, &aggregator, &logs);
    let mut writer = Writer::new(random.fork(), &logs, 0, &UNROTATED);
    writer.write(400, &ids);
    oracle::settle_and_verify(&aggregator.api(), &ids, &writer.written, DEADLINE);
    agent.kill();
    // All of it is in the log, none in the index.
    aggregator.kill();
    succeed(&aggregator, "backup", &target, &[]);
    another_machine(&stage, &aggregator, "second");
    succeed(&aggregator, "restore", &target, &[]);
    aggregator.start();
    assert_frontiers_are_those_of_the_records(&aggregator.api(), &ids, &writer.written);
    oracle::verify(&aggregator.api(), &ids, &writer.written);

    // After a clean stop there is no log. What was restored is a backup's object as well, of the same store.
    assert!(aggregator.terminate().success());
    let said = succeed(&aggregator, "backup", &target, &[]);
    assert!(said.contains("of which"), "{said}");
    another_machine(&stage, &aggregator, "third");
    succeed(&aggregator, "restore", &target, &[]);
    aggregator.start();
    oracle::verify(&aggregator.api(), &ids, &writer.written);
    let refused = fail(&aggregator, "restore", &target, &[]);
    assert!(refused.contains("is held by a running clew-aggregator"), "{refused}");
    assert!(aggregator.terminate().success());
    let refused = fail(&aggregator, "restore", &target, &[]);
    assert!(refused.contains("is not empty, it holds partitions"), "{refused}");

    // Another store's backups are no place for this one's.
    another_machine(&stage, &aggregator, "other");
    aggregator.start();
    let refused = fail(&aggregator, "backup", &target, &[]);
    assert!(refused.contains("holds backups of another aggregator"), "{refused}");
}

/// The files of the target's objects that no manifest is.
fn objects(target: &Path) -> Vec<PathBuf> {
    let folders = std::fs::read_dir(target.join("objects")).expect("list the objects");
    let files = folders.flat_map(|folder| std::fs::read_dir(folder.expect("a folder").path()).expect("list a folder"));
    let mut files: Vec<PathBuf> = files.map(|file| file.expect("an object").path()).collect();
    files.sort();
    files
}

#[test]
fn a_damaged_object_is_named_and_nothing_is_restored() {
    let stage = Stage::new("backup-damaged");
    let mut random = stage.random(0);
    let (logs, ids) = (stage.folder("logs"), ids(&mut random, 20));
    let folder = stage.path().join("target");
    let target = folder.to_str().expect("a UTF-8 path");
    let mut aggregator = Aggregator::started(&stage, &[]);
    let _agent = Agent::started(&stage, &aggregator, &logs);
    let mut writer = Writer::new(random.fork(), &logs, 0, &UNROTATED);
    writer.write(400, &ids);
    oracle::settle_and_verify(&aggregator.api(), &ids, &writer.written, DEADLINE);
    succeed(&aggregator, "backup", target, &[]);
    assert!(aggregator.terminate().success());
    let second = another_machine(&stage, &aggregator, "second");
    let objects = objects(&folder);
    let damaged = &objects[random.usize(..objects.len())];
    let bytes = std::fs::read(damaged).expect("read an object");
    let mut flipped = bytes.clone();
    flipped[random.usize(..bytes.len())] ^= 1 << random.u8(..8);
    let name = damaged.file_name().and_then(|name| name.to_str()).expect("a name");
    for damage in [&flipped[..], &bytes[..bytes.len() - 1]] {
        std::fs::write(damaged, damage).expect("damage an object");
        for (command, more) in [("restore", &[][..]), ("backup", &["--verify"])] {
            let said = fail(&aggregator, command, target, more);
            assert!(said.contains(name) && said.to_lowercase().contains("damaged"), "{command}: {said}");
        }
        assert!(!second.join("catalog.redb").exists() && !second.join("partitions").exists());
        // What is half there is not taken for a store.
        let config = aggregator.config().to_str().expect("a UTF-8 path");
        let refused = run("clew-aggregator", &["check", "--config", config], DEADLINE);
        assert_eq!(refused.status.code(), Some(78), "{}", text(&refused.stderr));
        assert!(text(&refused.stderr).contains("a restore was broken off"), "{}", text(&refused.stderr));
    }
    std::fs::write(damaged, bytes).expect("repair an object");
    succeed(&aggregator, "restore", target, &[]);
    aggregator.start();
    oracle::settle_and_verify(&aggregator.api(), &ids, &writer.written, DEADLINE);
}

#[test]
fn some_days_come_back_and_the_others_are_told_to_be_missing() {
    let stage = Stage::new("backup-days");
    let mut random = stage.random(0);
    let (logs, old, new) = (stage.folder("logs"), ids(&mut random, 10), ids(&mut random, 10));
    let target = stage.path().join("target");
    let target = target.to_str().expect("a UTF-8 path");
    let mut aggregator = Aggregator::started(&stage, &[]);
    let mut agent = Agent::started(&stage, &aggregator, &logs);
    let mut writer = Writer::new(random.fork(), &logs, 0, &UNROTATED);
    writer.write(200, &old);
    aggregator.api().wait_for_records(200, DEADLINE);
    assert!(aggregator.terminate().success());
    // As if what is there had come in a day before: a partition is a day by its name.
    let partitions = aggregator.data_dir().join("partitions");
    let day = std::fs::read_dir(&partitions).expect("list the days").next().expect("a day").expect("a day").file_name();
    let today: jiff::civil::Date = day.to_str().expect("a day").parse().expect("a day");
    let (yesterday, today) = (today.yesterday().expect("a day").to_string(), today.to_string());
    std::fs::rename(partitions.join(&today), partitions.join(&yesterday)).expect("rename a day");
    aggregator.start();
    writer.write(300, &new);
    aggregator.api().wait_for_records(500, DEADLINE);
    succeed(&aggregator, "backup", target, &[]);
    let frontiers = |api: &Api| {
        let agents = api.agents();
        let sources = agents.iter().flat_map(|agent| agent["sources"].as_array().expect("sources").clone());
        sources.map(|source| (source["source_id"].to_string(), source["frontier"].as_u64())).collect::<HashMap<_, _>>()
    };
    let all = frontiers(&aggregator.api());
    let mut later = 0;
    for (kept, records, found) in [(&yesterday, 200, &old), (&today, 300, &new)] {
        agent.kill();
        aggregator.kill();
        another_machine(&stage, &aggregator, &format!("with-{kept}"));
        let refused = fail(&aggregator, "restore", target, &["--day", "1999-01-01"]);
        assert!(refused.contains("has no day 1999-01-01") && refused.contains(kept.as_str()), "{refused}");
        let said = succeed(&aggregator, "restore", target, &["--day", kept]);
        assert!(said.contains(&format!("1 days ({kept})")), "{said}");
        aggregator.start();
        let api = aggregator.api();
        assert_eq!(api.records(), Ok(records));
        assert_eq!(frontiers(&api), all);
        let answer = api.get(&format!("/api/v1/transactions/{}", found[0])).json();
        let absences = answer["completeness"]["absences"].to_string();
        // What is found was received today, whatever its partition is called: when today is left out, its verdict says so.
        assert!(absences.contains("left_out") || kept == &today, "{absences}");
        assert_eq!(answer["completeness"]["state"], "gapped");
        // The agent has both days in its files and ships neither again; it goes on with what came after the backup.
        writer.write(50, &new);
        later += 50;
        agent.start();
        api.wait_for_records(records + later, DEADLINE);
    }
}

#[test]
fn a_backup_that_is_late_is_told_and_keeps_nobody_away() {
    let stage = Stage::new("backup-late");
    let target = stage.path().join("target");
    let target = target.to_str().expect("a UTF-8 path");
    let mut aggregator = Aggregator::new(&stage, &[]);
    aggregator.configure(|config| format!("{config}[backup]\nmax_lag = \"1h\"\n"));
    aggregator.start();
    let api = aggregator.api();
    let check = || {
        let answer = api.get("/readyz");
        assert_eq!(answer.status, 200);
        let checks = answer.json()["checks"].as_array().expect("checks").clone();
        checks.into_iter().find(|check| check["name"] == "backup").expect("a check of backups")
    };
    let metric = |name: &str| {
        let text = text(&api.get("/metrics").body);
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name} in {text}"));
        line.rsplit(' ').next().expect("a value").parse::<f64>().expect("a number")
    };
    let trouble = "clew_aggregator_trouble{part=\"backup\"}";
    assert!(check()["detail"].as_str().expect("a text").contains("no backup was made yet"), "{}", check());
    assert!((metric(trouble) - 1.0).abs() < 0.1);
    assert!(metric("clew_aggregator_backup_age_seconds").is_nan());
    assert!(api.storage()["backup"].is_null());

    succeed(&aggregator, "backup", target, &[]);
    assert_eq!(check()["ok"], true, "{}", check());
    assert!(metric(trouble).abs() < 0.1);
    assert!(metric("clew_aggregator_backup_age_seconds") < 60.0);
    assert!(metric("clew_aggregator_backup_bytes") > 0.0);
    assert!(metric("clew_aggregator_backup_duration_seconds") > 0.0);
    assert!(api.storage()["backup"]["bytes"].as_u64() > Some(0), "{}", api.storage());

    // Two hours pass.
    let path = aggregator.data_dir().join("backup.last");
    let mut last: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).expect("read it")).expect("JSON");
    last["taken_ns"] = (last["taken_ns"].as_i64().expect("a time") - 7_200_000_000_000).into();
    std::fs::write(&path, last.to_string()).expect("write it");
    assert!(check()["detail"].as_str().expect("a text").contains("backup.max_lag is 60 min"), "{}", check());
    assert!(metric("clew_aggregator_backup_age_seconds") > 7_200.0);
}

#[test]
fn only_the_newest_are_kept() {
    let stage = Stage::new("backup-keep");
    let mut random = stage.random(0);
    let (logs, ids) = (stage.folder("logs"), ids(&mut random, 20));
    let folder = stage.path().join("target");
    let target = folder.to_str().expect("a UTF-8 path");
    let aggregator = Aggregator::started(&stage, &[]);
    let _agent = Agent::started(&stage, &aggregator, &logs);
    let mut writer = Writer::new(random.fork(), &logs, 0, &UNROTATED);
    for _ in 0..4 {
        writer.write(100, &ids);
        oracle::settle_and_verify(&aggregator.api(), &ids, &writer.written, DEADLINE);
        succeed(&aggregator, "backup", target, &["--keep", "2"]);
    }
    let listed = succeed(&aggregator, "backup", target, &["--list"]);
    assert_eq!(listed.lines().count(), 2, "{listed}");
    // No object is there that the two do not name.
    let verified = succeed(&aggregator, "backup", target, &["--verify"]);
    assert!(verified.starts_with(&format!("ok: {} objects", objects(&folder).len())), "{verified}");
    let oldest = listed.split_whitespace().next().expect("an ID").to_owned();
    let second = another_machine(&stage, &aggregator, "second");
    succeed(&aggregator, "restore", target, &["--backup", &oldest]);
    assert!(second.join("catalog.redb").exists());
    let unknown = fail(&aggregator, "restore", target, &["--backup", "20200101T000000.000Z"]);
    assert!(unknown.contains("holds no backup 20200101T000000.000Z"), "{unknown}");
}

/// The path of a program of the machine's own.
fn find(program: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join(program)).find(|path| path.is_file())
}

#[test]
fn a_bucket_is_a_target_like_a_folder() {
    let stage = Stage::new("backup-bucket");
    // The server of PyPI's moto[server] speaks S3.
    let Some(server) = find("moto_server") else {
        println!("bucket: skipped, there is no moto_server in PATH (pip install 'moto[server]')");
        return;
    };
    let port = programs::free_port();
    let arguments = ["-H", "127.0.0.1", "-p", &port.to_string()];
    let _server = Process::start(server.to_str().expect("a UTF-8 path"), &arguments, &stage.path().join("moto.stderr"));
    let bucket = Api::new(format!("http://127.0.0.1:{port}"));
    wait::until("the bucket to be made", DEADLINE, || {
        bucket.try_get("/", "*/*")?;
        let made = bucket.request_with("PUT", "/logs", "text/plain", "");
        wait::check(made.status == 200, || format!("{made:?}"))
    });
    let mut random = stage.random(0);
    let (logs, ids) = (stage.folder("logs"), ids(&mut random, 20));
    let mut aggregator = Aggregator::started(&stage, &[]);
    let mut agent = Agent::started(&stage, &aggregator, &logs);
    let mut writer = Writer::new(random.fork(), &logs, 0, &UNROTATED);
    let command = |aggregator: &Aggregator, name: &str, more: &[&str]| {
        let output = std::process::Command::new(programs::path("clew-aggregator"))
            .args([name, "s3://logs/clew/one", "--config"])
            .arg(aggregator.config())
            .args(more)
            .env("AWS_ENDPOINT", format!("http://127.0.0.1:{port}"))
            .envs([("AWS_ALLOW_HTTP", "true"), ("AWS_REGION", "eu-central-1")])
            .envs([("AWS_ACCESS_KEY_ID", "key"), ("AWS_SECRET_ACCESS_KEY", "secret")])
            .output()
            .expect("run the command");
        assert!(output.status.success(), "{name} {more:?}: {}{}", text(&output.stdout), text(&output.stderr));
        text(&output.stdout)
    };
    for _ in 0..2 {
        writer.write(300, &ids);
        oracle::settle_and_verify(&aggregator.api(), &ids, &writer.written, DEADLINE);
        command(&aggregator, "backup", &["--keep", "1"]);
    }
    assert_eq!(command(&aggregator, "backup", &["--list"]).lines().count(), 1);
    assert!(command(&aggregator, "backup", &["--verify"]).starts_with("ok: "));
    agent.kill();
    aggregator.kill();
    another_machine(&stage, &aggregator, "second");
    command(&aggregator, "restore", &[]);
    aggregator.start();
    oracle::verify(&aggregator.api(), &ids, &writer.written);
    writer.write(100, &ids);
    agent.start();
    oracle::settle_and_verify(&aggregator.api(), &ids, &writer.written, DEADLINE);
}
