//! A clew-agent with its config. Its state directory stays the same over its lives.

use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use crate::aggregator::{Aggregator, limits_table};
use crate::process::Process;
use crate::stage::Stage;

const STOP_DEADLINE: Duration = Duration::from_secs(30);

/// Small, so that batches, flushes and reconciles come often.
const LIMITS: [(&str, &str); 6] = [
    ("reconcile_interval", "500ms"),
    ("batch_bytes_max", "32KiB"),
    ("linger", "50ms"),
    ("record_bytes_max", "16KiB"),
    ("idle_flush", "3s"),
    ("drain_timeout", "10s"),
];

/// The program, running or not.
pub struct Agent {
    config: PathBuf,
    log: PathBuf,
    state_dir: PathBuf,
    /// What it logs, as `CLEW_LOG` has it.
    log_filter: &'static str,
    process: Option<Process>,
}

/// What differs between agents.
pub struct AgentOptions<'a> {
    /// Names its files on the stage, and its host.
    pub name: &'a str,
    pub agent_id: Option<&'a str>,
    /// The folder whose `<service>.log` files are followed, rotated siblings included.
    pub logs: &'a Path,
    pub limits: &'a [(&'a str, &'a str)],
}

impl Agent {
    /// Configured, not started.
    pub fn new(stage: &Stage, aggregator: &Aggregator, options: &AgentOptions) -> Self {
        let agent = Self {
            config: stage.path().join(format!("{}.toml", options.name)),
            log: stage.path().join(format!("{}.stderr", options.name)),
            state_dir: stage.path().join(format!("{}-state", options.name)),
            log_filter: "info",
            process: None,
        };
        let agent_id = options.agent_id.map(|id| format!("agent_id = {id:?}\n")).unwrap_or_default();
        let text = format!(
            "aggregator = {:?}\nstate_dir = {:?}\nhost = {:?}\n{agent_id}{}\
             [[source]]\nservice = \"{{service}}\"\ninclude = [{:?}]\nrotated = true\n",
            aggregator.grpc_url(),
            agent.state_dir,
            options.name,
            limits_table(&LIMITS, options.limits),
            options.logs.join("{service}.log"),
        );
        std::fs::write(&agent.config, text).expect("write agent.toml");
        agent
    }

    /// Called `agent`, follows `logs`, and runs.
    pub fn started(stage: &Stage, aggregator: &Aggregator, logs: &Path) -> Self {
        let mut agent =
            Self::new(stage, aggregator, &AgentOptions { name: "agent", agent_id: None, logs, limits: &[] });
        agent.start();
        agent
    }

    /// Changes its config.
    pub fn configure(&self, change: impl FnOnce(String) -> String) {
        let text = std::fs::read_to_string(&self.config).expect("read agent.toml");
        std::fs::write(&self.config, change(text)).expect("write agent.toml");
    }

    /// Its config.
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// Starts it.
    pub fn start(&mut self) {
        assert!(self.process.is_none(), "the agent runs already");
        let config = self.config.to_str().expect("a UTF-8 path");
        let environment = [("CLEW_LOG", self.log_filter)];
        self.process = Some(Process::start_with("clew-agent", &["run", "--config", config], &environment, &self.log));
    }

    /// Has it log everything.
    pub fn log_everything(&mut self) {
        self.log_filter = "trace";
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        if let Some(process) = self.process.take() {
            process.kill();
        }
    }

    /// SIGTERM, and its exit status.
    pub fn terminate(&mut self) -> ExitStatus {
        self.process.take().expect("the agent runs").terminate(STOP_DEADLINE)
    }

    /// Whether it is alive.
    pub fn runs(&mut self) -> bool {
        self.process.as_mut().is_some_and(|process| process.ended().is_none())
    }

    /// What it logged since its last start.
    pub fn log(&self) -> String {
        self.process.as_ref().map(Process::log).unwrap_or_default()
    }

    pub fn state_dir(&self) -> &Path {
        &self.state_dir
    }
}
