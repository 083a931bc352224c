//! A clew-aggregator with its config. Ports and directory stay the same over its lives.

use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use crate::api::Api;
use crate::process::{self, Process};
use crate::stage::Stage;
use crate::{programs, wait};

const START_DEADLINE: Duration = Duration::from_secs(30);
const STOP_DEADLINE: Duration = Duration::from_secs(60);

/// Small, so that segments, blocks and commits roll over within seconds.
const LIMITS: [(&str, &str); 6] = [
    ("head_bytes", "256KiB"),
    ("head_age", "2s"),
    ("block_bytes", "16KiB"),
    ("wal_segment_bytes", "128KiB"),
    ("credit_bytes", "1MiB"),
    ("disk_free_min", "1MiB"),
];

/// The program, running or not.
pub struct Aggregator {
    config: PathBuf,
    log: PathBuf,
    data_dir: PathBuf,
    grpc_port: u16,
    http_port: u16,
    /// What it logs, as `CLEW_LOG` has it.
    log_filter: &'static str,
    process: Option<Process>,
}

impl Aggregator {
    /// Configured, not started. `limits` come on top of the small ones.
    pub fn new(stage: &Stage, limits: &[(&str, &str)]) -> Self {
        let aggregator = Self {
            config: stage.path().join("aggregator.toml"),
            log: stage.path().join("aggregator.stderr"),
            data_dir: stage.path().join("data"),
            grpc_port: programs::free_port(),
            http_port: programs::free_port(),
            log_filter: "info,tantivy=warn",
            process: None,
        };
        let mut text = format!(
            "data_dir = {:?}\ngrpc_listen = \"127.0.0.1:{}\"\nhttp_listen = \"127.0.0.1:{}\"\n",
            aggregator.data_dir, aggregator.grpc_port, aggregator.http_port
        );
        text.push_str(&limits_table(&LIMITS, limits));
        std::fs::write(&aggregator.config, text).expect("write aggregator.toml");
        aggregator
    }

    /// Changes its configuration; `change` gets the file's text.
    pub fn configure(&self, change: impl FnOnce(String) -> String) {
        let text = std::fs::read_to_string(&self.config).expect("read aggregator.toml");
        std::fs::write(&self.config, change(text)).expect("write aggregator.toml");
    }

    /// Has it log everything.
    pub fn log_everything(&mut self) {
        self.log_filter = "trace";
    }

    /// Runs `clew-aggregator token` with its configuration, and answers what that prints to standard output.
    pub fn token(&self, arguments: &[&str]) -> String {
        let config = self.config.to_str().expect("a UTF-8 path");
        let output =
            process::run("clew-aggregator", &[&["token", "--config", config], arguments].concat(), START_DEADLINE);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
        assert!(output.status.success(), "token {arguments:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    /// Configured and listening.
    pub fn started(stage: &Stage, limits: &[(&str, &str)]) -> Self {
        let mut aggregator = Self::new(stage, limits);
        aggregator.start();
        aggregator
    }

    /// Starts it and waits until it listens.
    pub fn start(&mut self) {
        self.spawn();
        let process = self.process.as_mut().expect("just started");
        wait::until("the aggregator to listen", START_DEADLINE, || {
            if let Some(status) = process.ended() {
                panic!("the aggregator ended with {status} instead of listening: {}", process.log());
            }
            wait::check(process.log().contains("listening"), || process.log())
        });
    }

    /// Starts it and does not wait.
    pub fn spawn(&mut self) {
        assert!(self.process.is_none(), "the aggregator runs already");
        let config = self.config.to_str().expect("a UTF-8 path");
        let environment = [("CLEW_LOG", self.log_filter)];
        let arguments = ["run", "--config", config];
        self.process = Some(Process::start_with("clew-aggregator", &arguments, &environment, &self.log));
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        if let Some(process) = self.process.take() {
            process.kill();
        }
    }

    /// SIGTERM, and its exit status.
    pub fn terminate(&mut self) -> ExitStatus {
        self.process.take().expect("the aggregator runs").terminate(STOP_DEADLINE)
    }

    /// Whether it is alive.
    pub fn runs(&mut self) -> bool {
        self.process.as_mut().is_some_and(|process| process.ended().is_none())
    }

    /// The most memory that it ever had.
    pub fn memory_max_bytes(&self) -> u64 {
        self.process.as_ref().expect("the aggregator runs").memory_max_bytes()
    }

    /// What it logged since its last start.
    pub fn log(&self) -> String {
        self.process.as_ref().map(Process::log).unwrap_or_default()
    }

    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    pub fn config(&self) -> &Path {
        &self.config
    }

    /// Its gRPC address as agents write it.
    pub fn grpc_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.grpc_port)
    }

    /// Its HTTP address.
    pub fn http_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.http_port)
    }

    /// The same without a scheme.
    pub fn http_address(&self) -> String {
        format!("127.0.0.1:{}", self.http_port)
    }

    /// A client of its HTTP API.
    pub fn api(&self) -> Api {
        Api::new(self.http_url())
    }
}

/// A `[limits]` table: `defaults`, each replaced by the one of the same name in `changes`, and the rest of `changes`.
pub fn limits_table(defaults: &[(&str, &str)], changes: &[(&str, &str)]) -> String {
    let mut text = "[limits]\n".to_owned();
    let kept = defaults.iter().filter(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
    for (name, value) in kept.chain(changes) {
        text.push_str(&format!("{name} = {value:?}\n"));
    }
    text
}
