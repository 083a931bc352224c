//! Agent and aggregator with default settings: only addresses, directories and sources are set.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use crate::client::Client;
use crate::process::Process;

const START_DEADLINE: Duration = Duration::from_secs(60);

/// A running aggregator.
pub struct Aggregator {
    pub process: Process,
    pub grpc: String,
    pub http: String,
}

impl Aggregator {
    /// Starts it on `data_dir` and waits until it listens. `listen`: addresses to take again; else it chooses.
    pub fn start(work: &Path, data_dir: &Path, listen: Option<(&str, &str)>) -> anyhow::Result<Self> {
        Self::start_with(work, data_dir, listen, "")
    }

    /// The same with more in its config.
    pub fn start_with(work: &Path, data_dir: &Path, listen: Option<(&str, &str)>, more: &str) -> anyhow::Result<Self> {
        let (grpc, http) = listen.unwrap_or(("127.0.0.1:0", "127.0.0.1:0"));
        let config = work.join("aggregator.toml");
        let text = format!("data_dir = {data_dir:?}\ngrpc_listen = {grpc:?}\nhttp_listen = {http:?}\n{more}");
        std::fs::write(&config, text).with_context(|| format!("write {}", config.display()))?;
        let arguments = ["run", "--config", config.to_str().context("the work folder is UTF-8")?];
        let log = work.join("aggregator.stderr");
        let mut process = Process::start("clew-aggregator", &program("clew-aggregator")?, &arguments, &log)?;
        let begin = Instant::now();
        loop {
            process.ensure_running()?;
            if let Some((grpc, http)) = listening(&process.log()) {
                return Ok(Self { process, grpc, http });
            }
            ensure!(begin.elapsed() < START_DEADLINE, "no listening line after {START_DEADLINE:?}: {}", process.log());
            std::thread::sleep(Duration::from_micros(500));
        }
    }

    pub fn client(&self) -> Client {
        Client::new(&self.http)
    }
}

/// Takes the addresses from the line that says `listening`.
fn listening(log: &str) -> Option<(String, String)> {
    let line = log.lines().find(|line| line.contains("listening"))?;
    let value = |name: &str| {
        let rest = line.split(name).nth(1)?.trim_start_matches('"');
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || ".:[]".contains(c))).unwrap_or(rest.len());
        Some(rest[..end].to_owned())
    };
    Some((value("grpc=")?, value("http=")?))
}

/// What an agent follows: service, and a glob.
pub struct Source {
    pub service: String,
    pub include: PathBuf,
}

/// Starts an agent with its state below `work`.
pub fn start_agent(work: &Path, aggregator: &str, sources: &[Source]) -> anyhow::Result<Process> {
    let config = work.join("agent.toml");
    let state_dir = work.join("agent-state");
    let mut text = format!("aggregator = \"http://{aggregator}\"\nstate_dir = {state_dir:?}\nhost = \"bench\"\n");
    for source in sources {
        write!(text, "[[source]]\nservice = {:?}\ninclude = [{:?}]\n", source.service, source.include)?;
    }
    std::fs::write(&config, text).with_context(|| format!("write {}", config.display()))?;
    let arguments = ["run", "--config", config.to_str().context("the work folder is UTF-8")?];
    Process::start("clew-agent", &program("clew-agent")?, &arguments, &work.join("agent.stderr"))
}

/// Beside this program.
fn program(name: &str) -> anyhow::Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found_in_the_log() {
        let log = "x\n2026 INFO listening grpc=127.0.0.1:4000 http=127.0.0.1:4001 version=\"0.1\"\n";
        assert_eq!(listening(log), Some(("127.0.0.1:4000".into(), "127.0.0.1:4001".into())));
        assert_eq!(listening("starting"), None);
    }
}
