//! What the tests of the real program share: a folder, an aggregator in memory, the program, and lines.
#![allow(dead_code)] // each test program uses a part of it

use std::cell::RefCell;
use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::fake::Fake;

/// A folder with logs, a state folder, an aggregator, and the program.
pub struct House {
    pub folder: tempfile::TempDir,
    pub fake: Fake,
    pub extra: String,
    pub limits: String,
    /// Keys of the source, and sources behind it.
    pub source: String,
    /// All sources, in place of the one above.
    pub sources: RefCell<Option<String>>,
    pub environment: Vec<(String, String)>,
    pub agent: Option<Child>,
    pub metrics: SocketAddr,
}

impl House {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("logs")).unwrap();
        let metrics = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        Self {
            folder,
            fake: Fake::start(),
            extra: String::new(),
            limits: String::new(),
            source: String::new(),
            sources: RefCell::default(),
            environment: Vec::new(),
            agent: None,
            metrics,
        }
    }

    /// With more keys of the source.
    pub fn with_source(keys: &str) -> Self {
        let mut house = Self::new();
        keys.clone_into(&mut house.source);
        house
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("logs").join(name)
    }

    pub fn config(&self) -> PathBuf {
        let root = self.folder.path().display();
        let own = || format!("[[source]]\nservice = \"app\"\ninclude = [\"{root}/logs/*.log\"]\n{}", self.source);
        let sources = self.sources.borrow().clone().unwrap_or_else(own);
        let text = format!(
            "aggregator = \"http://{}\"\nstate_dir = \"{root}/state\"\nhost = \"test\"\n{}\n[limits]\nreconcile_interval = \"300ms\"\nidle_flush = \"400ms\"\n{}\n{sources}",
            self.fake.address, self.extra, self.limits
        );
        let path = self.folder.path().join("agent.toml");
        // As a whole: an agent that was just started may be reading it.
        fs::write(path.with_extension("new"), text).unwrap();
        fs::rename(path.with_extension("new"), &path).unwrap();
        path
    }

    pub fn start(&mut self) {
        let child = Command::new(env!("CARGO_BIN_EXE_clew-agent"))
            .args(["run", "--config"])
            .arg(self.config())
            .envs(self.environment.clone())
            .stderr(if std::env::var_os("CLEW_LOG").is_some() { Stdio::inherit() } else { Stdio::null() })
            .spawn()
            .unwrap();
        self.agent = Some(child);
    }

    /// Runs `clew-agent` with these arguments, and `--config` behind the first: exit code, standard output, standard error.
    pub fn run(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_clew-agent"))
            .arg(arguments[0])
            .arg("--config")
            .arg(self.folder.path().join("agent.toml"))
            .args(&arguments[1..])
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let child = self.agent.as_ref().unwrap();
        rustix::process::kill_process(rustix::process::Pid::from_child(child), signal).unwrap();
    }

    pub fn kill(&mut self) {
        let mut child = self.agent.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// SIGTERM; answers the exit code.
    pub fn stop(&mut self) -> Option<i32> {
        let mut child = self.agent.take().unwrap();
        rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::TERM).unwrap();
        child.wait().unwrap().code()
    }

    /// The checkpoint, as soon as this file stands in it.
    #[track_caller]
    pub fn checkpoint_that_names(&self, name: &str) -> Vec<u8> {
        let path = self.path(name);
        self.wait_checkpoint(|bytes| memchr::memmem::find(bytes, path.as_os_str().as_encoded_bytes()).is_some())
    }

    /// The checkpoint, as soon as it is as wanted.
    #[track_caller]
    pub fn wait_checkpoint(&self, is_wanted: impl Fn(&[u8]) -> bool) -> Vec<u8> {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let bytes = fs::read(self.path("../state/checkpoint")).unwrap_or_default();
            if is_wanted(&bytes) {
                return bytes;
            }
            assert!(Instant::now() < deadline, "no such checkpoint");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Goes back to an earlier checkpoint.
    pub fn restore(&self, checkpoint: &[u8]) {
        fs::write(self.path("../state/checkpoint"), checkpoint).unwrap();
    }

    /// What the agent's `metrics_listen` answers, the head included.
    #[track_caller]
    pub fn get(&self, path: &str) -> String {
        let mut text = String::new();
        let mut stream = TcpStream::connect(self.metrics).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\n\r\n").unwrap();
        stream.read_to_string(&mut text).unwrap();
        text
    }

    /// Waits until a metric has this value.
    #[track_caller]
    pub fn wait_metric(&self, name: &str, wanted: u64) {
        let deadline = Instant::now() + Duration::from_secs(20);
        let line = format!("{name} {wanted}");
        loop {
            let text = self.get("/metrics");
            if text.lines().any(|found| found == line) {
                return;
            }
            assert!(Instant::now() < deadline, "no {line} in {text}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    #[track_caller]
    pub fn wait_lines(&self, count: usize) {
        self.fake.wait_for(&format!("{count} lines"), |state| state.count("app") >= count);
    }

    #[track_caller]
    pub fn assert_lines(&self, mut expected: Vec<String>) {
        expected.sort();
        let found = self.fake.state().lines("app");
        assert_eq!(found.len(), expected.len());
        assert!(found == expected);
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if let Some(mut child) = self.agent.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

pub fn line(number: usize) -> String {
    format!(
        "{{\"ts\":\"2026-11-23T12:00:00.{:06}Z\",\"level\":\"info\",\"number\":{number},\"trace_id\":\"{:032x}\",\"msg\":\"something happened\"}}",
        number % 1_000_000,
        number + 1
    )
}

pub fn lines(numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(line).collect()
}

pub fn bytes(numbers: std::ops::Range<usize>) -> u64 {
    lines(numbers).iter().map(|line| line.len() as u64 + 1).sum()
}

pub fn append(path: &Path, numbers: std::ops::Range<usize>) {
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    let mut text = lines(numbers).join("\n");
    text.push('\n');
    file.write_all(text.as_bytes()).unwrap();
}

pub fn append_text(path: &Path, text: &str) {
    OpenOptions::new().create(true).append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}
