//! Logs on a file system of another host: nothing tells of its changes, and it fails, hangs and is mounted anew. Every line is found once.

use std::path::PathBuf;
use std::time::Duration;

use clew_tests::agent::Agent;
use clew_tests::aggregator::Aggregator;
use clew_tests::remote::{Health, Remote};
use clew_tests::stage::Stage;
use clew_tests::writer::{Pace, Writer, Written};
use clew_tests::{line, oracle, wait};

const SETTLE_DEADLINE: Duration = Duration::from_secs(60);
const UNROTATED: Pace = Pace { lines_per_s: 100, lines_per_rotation: 0 };
/// Some looks of the agent.
const LOOKS: Duration = Duration::from_secs(3);

/// Where the other host writes and the agent reads, both running, and a first lot of lines found.
struct Scene {
    // First, so that nothing hangs when the agent is ended.
    remote: Remote,
    agent: Agent,
    written: Writer,
    aggregator: Aggregator,
    ids: Vec<String>,
    mount: PathBuf,
    folder: PathBuf,
    stage: Stage,
}

impl Scene {
    /// None: this machine has no such file system, which was said.
    fn new(name: &str) -> Option<Self> {
        let stage = Stage::new(name);
        let mut random = stage.random(0);
        let (folder, mount) = (stage.folder("written"), stage.path().join("mount"));
        let remote = match Remote::mount(&folder, &mount) {
            Ok(remote) => remote,
            Err(why) => {
                println!("skipped: {why}");
                return None;
            }
        };
        let ids = (0..20).map(|_| line::id(&mut random)).collect();
        let aggregator = Aggregator::started(&stage, &[]);
        let agent = Agent::started(&stage, &aggregator, &mount);
        let written = Writer::new(random.fork(), &folder, 0, &UNROTATED);
        let mut scene = Self { agent, remote, written, aggregator, ids, mount, folder, stage };
        scene.write(300);
        scene.verify();
        Some(scene)
    }

    fn write(&mut self, count: usize) {
        self.written.write(count, &self.ids);
    }

    /// As the agent knows the files.
    fn expected(&self) -> Vec<Written> {
        let mounted = |written: &Written| {
            let path = written.path.strip_prefix(&self.folder).expect("all is written there");
            Written { path: self.mount.join(path), ..written.clone() }
        };
        self.written.written.iter().map(mounted).collect()
    }

    fn verify(&self) {
        oracle::settle_and_verify(&self.aggregator.api(), &self.ids, &self.expected(), SETTLE_DEADLINE);
    }

    /// On the other host.
    fn remove_rotated(&self) {
        for entry in std::fs::read_dir(&self.folder).expect("list the folder") {
            let path = entry.expect("list the folder").path();
            if path.extension().is_none_or(|extension| extension != "log") {
                std::fs::remove_file(path).expect("remove a rotated file");
            }
        }
    }

    fn mount_anew(&mut self) {
        self.remote.detach();
        self.remote = Remote::mount(&self.folder, &self.mount).expect("it was mounted before");
    }
}

#[test]
fn changes_are_found_by_looking() {
    let Some(mut scene) = Scene::new("remote-changes") else { return };
    for _ in 0..3 {
        scene.write(200);
        scene.written.rotate();
        scene.write(200);
        std::thread::sleep(Duration::from_millis(scene.stage.random(1).u64(..1500)));
    }
    scene.verify();
    // All of it is shipped: removed by the other host, which gives no warning, it is missed by nobody.
    scene.written.rotate();
    scene.remove_rotated();
    scene.write(200);
    scene.verify();
}

#[test]
fn what_another_host_removes_unread_is_a_gap() {
    let Some(mut scene) = Scene::new("remote-removed") else { return };
    let before = scene.expected().len();
    scene.remote.set(Health::Failing);
    scene.write(100);
    scene.written.rotate();
    scene.remove_rotated();
    scene.write(100);
    scene.remote.set(Health::Good);
    wait::until("a gap to be declared", SETTLE_DEADLINE, || {
        let log = scene.agent.log();
        wait::check(log.contains("cannot be had any more (Vanished); declared as a gap"), || log)
    });
    // What was written to the files that were removed is lost, and all else is there.
    scene.written.written.drain(before..before + 100);
    scene.verify();
}

/// Lines are written and files renamed while the server is not well.
fn trouble(name: &str, health: Health) {
    let Some(mut scene) = Scene::new(name) else { return };
    scene.remote.set(health);
    scene.write(200);
    std::thread::sleep(LOOKS);
    scene.written.rotate();
    scene.write(200);
    scene.remote.set(Health::Good);
    scene.verify();
}

#[test]
fn a_server_that_fails_takes_nothing_with_it() {
    trouble("remote-fails", Health::Failing);
}

#[test]
fn a_server_that_hangs_is_waited_for() {
    trouble("remote-hangs", Health::Hanging);
}

#[test]
fn another_mount_has_the_same_files() {
    let Some(mut scene) = Scene::new("remote-anew") else { return };
    scene.write(100);
    scene.mount_anew();
    scene.write(200);
    scene.verify();
    assert!(scene.agent.terminate().success());
    scene.mount_anew();
    scene.write(200);
    scene.written.rotate();
    scene.write(100);
    scene.agent.start();
    scene.verify();
}
