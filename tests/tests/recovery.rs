//! What breaks besides processes: the network's other end, state folders, checkpoints, the WAL's tail, the disk, and an
//! agent that exists twice. Every time, every line is found exactly once.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use clew_tests::agent::{Agent, AgentOptions};
use clew_tests::aggregator::Aggregator;
use clew_tests::stage::Stage;
use clew_tests::writer::{Pace, Writer, Writers};
use clew_tests::{line, oracle, wait};
use rustix::fs::statvfs;

const SETTLE_DEADLINE: Duration = Duration::from_secs(60);
const UNROTATED: Pace = Pace { lines_per_s: 100, lines_per_rotation: 0 };

fn ids(random: &mut fastrand::Rng, count: usize) -> Vec<String> {
    (0..count).map(|_| line::id(random)).collect()
}

#[test]
fn the_aggregator_is_away_while_files_rotate() {
    let stage = Stage::new("away");
    let mut random = stage.random(0);
    let (logs, ids) = (stage.folder("logs"), ids(&mut random, 20));
    let mut aggregator = Aggregator::started(&stage, &[]);
    let _agent = Agent::started(&stage, &aggregator, &logs);
    let mut writer = Writer::new(random.fork(), &logs, 0, &UNROTATED);
    writer.write(300, &ids);
    oracle::settle_and_verify(&aggregator.api(), &ids, &writer.written, SETTLE_DEADLINE);

    assert!(aggregator.terminate().success());
    for _ in 0..5 {
        writer.write(200, &ids);
        writer.rotate();
        // Longer than a reconcile: some of these rotations the agent sees happen, the last ones in one look.
        std::thread::sleep(Duration::from_millis(random.u64(..900)));
    }
    writer.write(100, &ids);
    writer.rotate();
    writer.write(100, &ids);
    aggregator.start();
    oracle::settle_and_verify(&aggregator.api(), &ids, &writer.written, SETTLE_DEADLINE);
}

#[test]
fn a_deleted_file_is_read_to_its_end() {
    let stage = Stage::new("deleted");
    let mut random = stage.random(0);
    let (logs, ids) = (stage.folder("logs"), ids(&mut random, 20));
    let mut aggregator = Aggregator::started(&stage, &[]);
    let _agent = Agent::started(&stage, &aggregator, &logs);
    let mut writer = Writer::new(random.fork(), &logs, 0, &UNROTATED);
    writer.write(200, &ids);
    oracle::settle_and_verify(&aggregator.api(), &ids, &writer.written, SETTLE_DEADLINE);
    aggregator.kill();
    writer.write(200, &ids);
    writer.delete();
    writer.write(200, &ids);
    // Some reconciles that do not find the files.
    std::thread::sleep(Duration::from_secs(2));
    aggregator.start();
    oracle::settle_and_verify(&aggregator.api(), &ids, &writer.written, SETTLE_DEADLINE);
}

#[test]
fn the_agent_loses_its_state_folder() {
    let stage = Stage::new("state");
    let mut random = stage.random(0);
    let (logs, ids) = (stage.folder("logs"), ids(&mut random, 20));
    let aggregator = Aggregator::started(&stage, &[]);
    let mut agent = Agent::started(&stage, &aggregator, &logs);
    let mut writer = Writer::new(random.fork(), &logs, 0, &UNROTATED);
    for round in 0..3 {
        writer.write(400, &ids);
        oracle::settle_and_verify(&aggregator.api(), &ids, &writer.written, SETTLE_DEADLINE);
        writer.write(200, &ids);
        agent.kill();
        std::fs::remove_dir_all(agent.state_dir()).expect("delete the state folder");
        if round > 0 {
            writer.write(100, &ids);
            writer.rotate();
            writer.write(100, &ids);
            writer.rotate();
        }
        agent.start();
    }
    writer.write(100, &ids);
    oracle::settle_and_verify(&aggregator.api(), &ids, &writer.written, SETTLE_DEADLINE);
}

#[test]
fn the_agents_checkpoint_is_damaged() {
    let stage = Stage::new("checkpoint");
    let mut random = stage.random(0);
    let (logs, ids) = (stage.folder("logs"), ids(&mut random, 20));
    let aggregator = Aggregator::started(&stage, &[]);
    let mut agent = Agent::started(&stage, &aggregator, &logs);
    let mut writer = Writer::new(random.fork(), &logs, 0, &UNROTATED);
    for damage in [Damage::Flip, Damage::Truncate, Damage::Empty, Damage::Zeros] {
        writer.write(400, &ids);
        oracle::settle_and_verify(&aggregator.api(), &ids, &writer.written, SETTLE_DEADLINE);
        writer.write(100, &ids);
        agent.kill();
        let mut damaged = 0;
        for path in files_below(agent.state_dir()) {
            damaged += usize::from(damage.apply(&path, &mut random));
        }
        assert!(damaged > 0, "the agent keeps a checkpoint in {}", agent.state_dir().display());
        writer.write(100, &ids);
        writer.rotate();
        writer.write(100, &ids);
        agent.start();
    }
    oracle::settle_and_verify(&aggregator.api(), &ids, &writer.written, SETTLE_DEADLINE);
}

/// What may happen to a file when the power goes.
#[derive(Clone, Copy)]
enum Damage {
    Flip,
    Truncate,
    Empty,
    Zeros,
}

impl Damage {
    /// Whether there was anything to damage.
    fn apply(self, path: &Path, random: &mut fastrand::Rng) -> bool {
        let mut bytes = std::fs::read(path).expect("read a state file");
        if bytes.is_empty() {
            return false;
        }
        let at = random.usize(..bytes.len());
        match self {
            Self::Flip => bytes[at] ^= 1 << random.u8(..8),
            Self::Truncate => bytes.truncate(at),
            Self::Empty => bytes.clear(),
            Self::Zeros => bytes.fill(0),
        }
        std::fs::write(path, bytes).expect("damage a state file");
        true
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).expect("list a folder") {
        let path = entry.expect("list a folder").path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else if path.is_file() {
            // No socket.
            files.push(path);
        }
    }
    files.sort();
    files
}

#[test]
fn the_wals_tail_is_torn() {
    let stage = Stage::new("torn");
    let mut random = stage.random(0);
    let (logs, ids) = (stage.folder("logs"), ids(&mut random, 20));
    // Nothing is committed on its own: what is found after a kill came from the WAL.
    let mut aggregator = Aggregator::started(&stage, &[("head_age", "1h"), ("head_bytes", "64MiB")]);
    let _agent = Agent::started(&stage, &aggregator, &logs);
    let mut writer = Writer::new(random.fork(), &logs, 0, &UNROTATED);
    for round in 0..6 {
        writer.write(400, &ids);
        oracle::settle_and_verify(&aggregator.api(), &ids, &writer.written, SETTLE_DEADLINE);
        aggregator.kill();
        let newest = files_below(&aggregator.data_dir().join("wal")).pop().expect("a WAL segment");
        let frames = std::fs::read(&newest).expect("read a WAL segment");
        let torn: Vec<u8> = match round % 3 {
            // Garbage; the begin of a frame that was there before; the zeros of a file that grew before its bytes came.
            0 => (0..random.usize(1..200)).map(|_| random.u8(..)).collect(),
            1 => frames[..random.usize(1..frames.len().clamp(2, 400))].to_vec(),
            _ => vec![0; random.usize(1..5000)],
        };
        let mut file = OpenOptions::new().append(true).open(&newest).expect("open a WAL segment");
        file.write_all(&torn).expect("tear the WAL's tail");
        writer.write(50, &ids);
        aggregator.start();
    }
    oracle::settle_and_verify(&aggregator.api(), &ids, &writer.written, SETTLE_DEADLINE);
}

#[test]
fn the_aggregators_disk_is_full_for_a_while() {
    let stage = Stage::new("full");
    let mut random = stage.random(0);
    let (logs, ids) = (stage.folder("logs"), ids(&mut random, 20));
    let Some(disk) = SmallDisk::mount(&stage.folder("data"), "24m") else {
        println!("full: skipped, mounting a tmpfs is not permitted here");
        return;
    };
    let mut aggregator = Aggregator::started(&stage, &[("disk_free_min", "4MiB")]);
    let _agent = Agent::started(&stage, &aggregator, &logs);
    let api = aggregator.api();
    let mut writer = Writer::new(random.fork(), &logs, 0, &UNROTATED);
    writer.write(500, &ids);
    oracle::settle_and_verify(&api, &ids, &writer.written, SETTLE_DEADLINE);

    disk.fill_until_free(4 << 20);
    wait::until("/readyz to name the disk", Duration::from_secs(30), || {
        writer.write(20, &ids);
        let answer = api.try_get("/readyz", "application/json")?;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        let disk_is_named = answer.status == 503
            && answer.json()["checks"].as_array().is_some_and(|checks| {
                checks.iter().any(|check| check["ok"] == false && check.to_string().to_lowercase().contains("disk"))
            });
        wait::check(disk_is_named, || format!("{}: {text}", answer.status))
    });
    writer.write(500, &ids);
    // Not even one byte more: whatever was under way meets the file system's own error.
    disk.fill_until_free(0);
    writer.write(500, &ids);
    let held = api.records().expect("an aggregator with a full disk answers");
    // Longer than head_age: a commit comes due on the full disk.
    std::thread::sleep(Duration::from_secs(4));
    assert!(aggregator.runs(), "the aggregator ended on a full disk: {}", aggregator.log());
    assert_eq!(api.records(), Ok(held), "nothing more was acknowledged");
    assert!(held < writer.written.len() as u64);

    disk.empty();
    oracle::settle_and_verify(&api, &ids, &writer.written, SETTLE_DEADLINE);
    wait::until("/readyz to be well again", Duration::from_secs(10), || {
        let answer = api.try_get("/readyz", "application/json")?;
        wait::check(answer.status == 200, || String::from_utf8_lossy(&answer.body).into_owned())
    });
    aggregator.kill();
    aggregator.start();
    oracle::settle_and_verify(&api, &ids, &writer.written, SETTLE_DEADLINE);
    drop(aggregator);
    drop(disk);
}

/// A tmpfs with a ballast file.
struct SmallDisk {
    path: PathBuf,
}

impl SmallDisk {
    /// `None` when this user may not mount.
    fn mount(path: &Path, size: &str) -> Option<Self> {
        let option = format!("size={size}");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &option, "clew-test"]).arg(path).output().ok()?;
        mounted.status.success().then(|| Self { path: path.to_owned() })
    }

    fn fill_until_free(&self, free_bytes: u64) {
        let mut ballast = OpenOptions::new().create(true).append(true).open(self.ballast()).expect("open the ballast");
        loop {
            let disk = statvfs(&self.path).expect("statvfs");
            let excess = (disk.f_bavail * disk.f_frsize).saturating_sub(free_bytes).min(1 << 20) as usize;
            if excess == 0 || ballast.write_all(&vec![b'x'; excess]).is_err() {
                return;
            }
        }
    }

    fn empty(&self) {
        std::fs::remove_file(self.ballast()).expect("remove the ballast");
    }

    fn ballast(&self) -> PathBuf {
        self.path.join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: while a panic unwinds the aggregator may still have files there.
        let _ = Command::new("umount").arg("--lazy").arg(&self.path).status();
    }
}

#[test]
fn a_rolling_restart_loses_nothing_and_repeats_nothing() {
    let stage = Stage::new("rolling");
    let mut random = stage.random(0);
    let (logs, ids) = (stage.folder("logs"), ids(&mut random, 20));
    let mut aggregator = Aggregator::started(&stage, &[]);
    let mut agents: Vec<Agent> = ["one", "two"]
        .map(|name| {
            let logs = &stage.folder(&format!("logs/{name}"));
            Agent::new(&stage, &aggregator, &AgentOptions { name, agent_id: None, logs, limits: &[] })
        })
        .into();
    agents.iter_mut().for_each(Agent::start);
    let pace = Pace { lines_per_s: 200, lines_per_rotation: 300 };
    let writers = ["one", "two"].map(|name| Writers::start(&mut random, &logs.join(name), &ids, 1, &pace));
    // As an upgrade does it: one after the other, while lines come in.
    for round in 1..4 {
        wait::until("records between two restarts", SETTLE_DEADLINE, || {
            let records = aggregator.api().records()?;
            wait::check(records >= round * 300, || format!("{records} records"))
        });
        assert!(aggregator.terminate().success());
        aggregator.start();
        for agent in &mut agents {
            assert!(agent.terminate().success());
            agent.start();
        }
    }
    let written: Vec<_> = writers.into_iter().flat_map(Writers::stop).collect();
    oracle::settle_and_verify(&aggregator.api(), &ids, &written, SETTLE_DEADLINE);
}

#[test]
fn two_agents_have_one_id() {
    let stage = Stage::new("twins");
    let mut random = stage.random(0);
    let (logs, ids) = (stage.folder("logs"), ids(&mut random, 20));
    let aggregator = Aggregator::started(&stage, &[]);
    let agent_id = Some("7d9f5a4e-0c55-4e62-9a3c-2f6f3c1c9b10");
    let mut twins: Vec<Agent> = ["twin-a", "twin-b"]
        .map(|name| Agent::new(&stage, &aggregator, &AgentOptions { name, agent_id, logs: &logs, limits: &[] }))
        .into();
    let pace = Pace { lines_per_s: 200, lines_per_rotation: 200 };
    let writers = Writers::start(&mut random, &logs, &ids, 2, &pace);
    let api = aggregator.api();
    twins[0].start();
    wait::until("the first agent's records", Duration::from_secs(20), || {
        let records = api.records()?;
        wait::check(records >= 100, || format!("{records} records"))
    });
    twins[1].start();
    wait::until("one of them to be told that it is fenced", Duration::from_secs(20), || {
        let logs: Vec<String> = twins.iter().map(|twin| twin.log().to_lowercase()).collect();
        let fenced = |log: &String| log.contains("fenced") || log.contains("another agent with agent_id");
        wait::check(logs.iter().any(fenced), || logs.join("\n---\n"))
    });
    let records = api.records().expect("the aggregator answers");
    wait::until("the other one to go on", Duration::from_secs(20), || {
        let now = api.records()?;
        wait::check(now > records + 200, || format!("{now} records, {records} when one was fenced"))
    });
    let written = writers.stop();
    oracle::settle_and_verify(&api, &ids, &written, SETTLE_DEADLINE);
    // The one that ships may die; the other one, started again, takes over from where it was.
    for twin in &mut twins {
        twin.kill();
    }
    twins[0].start();
    oracle::settle_and_verify(&api, &ids, &written, SETTLE_DEADLINE);
}

#[test]
fn files_of_a_folder_that_is_not_there_yet_are_found() {
    let stage = Stage::new("later");
    let mut random = stage.random(0);
    let ids = ids(&mut random, 5);
    let logs = stage.path().join("logs/not/yet");
    let aggregator = Aggregator::started(&stage, &[]);
    let _agent = Agent::started(&stage, &aggregator, &logs);
    wait::until("the agent to be connected", Duration::from_secs(20), || {
        let agents = aggregator.api().agents();
        wait::check(agents.iter().any(|agent| agent["connected"] == true), || format!("{agents:?}"))
    });
    std::fs::create_dir_all(&logs).expect("make a folder");
    let mut writer = Writer::new(random.fork(), &logs, 0, &UNROTATED);
    writer.write(50, &ids);
    // An empty file is no obstacle either.
    File::create(logs.join("empty.log")).expect("make a file");
    oracle::settle_and_verify(&aggregator.api(), &ids, &writer.written, SETTLE_DEADLINE);
}
