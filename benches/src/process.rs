//! A child process: its CPU time, its memory, its end. It is killed when its owner or this program ends, however.

use std::fs::{File, OpenOptions};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, set_parent_process_death_signal, waitid};

/// A running program.
pub struct Process {
    pub name: &'static str,
    child: Child,
    log: PathBuf,
    log_begin: usize,
    memory: Memory,
}

/// What a process used in its whole life.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    pub cpu_s: f64,
    pub memory: Memory,
}

/// In MB (10^6 bytes): the peak of all resident pages, and of those that no file backs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory {
    pub peak_mb: f64,
    pub anonymous_peak_mb: f64,
}

impl Process {
    /// Starts a program; its standard error goes to the end of `log`.
    pub fn start(name: &'static str, program: &Path, arguments: &[&str], log: &Path) -> anyhow::Result<Self> {
        let file = append(log).with_context(|| format!("open {}", log.display()))?;
        let log_begin = file.metadata()?.len() as usize;
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(file);
        // SAFETY: between fork and exec the closure makes one system call and touches no memory of the parent.
        unsafe {
            command.pre_exec(|| Ok(set_parent_process_death_signal(Some(Signal::KILL))?));
        }
        let child = command.spawn().with_context(|| {
            format!("start {}: run cargo build --release --workspace --bins first", program.display())
        })?;
        Ok(Self { name, child, log: log.to_owned(), log_begin, memory: Memory::default() })
    }

    /// What it logged since it was started.
    pub fn log(&self) -> String {
        let bytes = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&bytes[self.log_begin.min(bytes.len())..]).into_owned()
    }

    /// An error when it has ended.
    pub fn ensure_running(&mut self) -> anyhow::Result<()> {
        if let Some(status) = self.child.try_wait()? {
            let log = self.log();
            let tail: Vec<&str> = log.lines().rev().take(10).collect();
            bail!(
                "{} ended with {status}; its last lines: {}",
                self.name,
                tail.into_iter().rev().collect::<Vec<_>>().join("\n")
            );
        }
        Ok(())
    }

    /// CPU time of all threads that run now, to the nanosecond.
    pub fn live_cpu_s(&self) -> anyhow::Result<f64> {
        let mut total_ns = 0;
        for task in std::fs::read_dir(self.proc("task"))? {
            let text = std::fs::read_to_string(task?.path().join("schedstat"))?;
            total_ns += text.split(' ').next().and_then(|text| text.parse::<u64>().ok()).context("read schedstat")?;
        }
        Ok(total_ns as f64 / 1e9)
    }

    /// CPU time of its whole life, ended threads included, to the clock tick.
    pub fn cpu_s(&self) -> anyhow::Result<f64> {
        let text = std::fs::read_to_string(self.proc("stat"))?;
        let (_, rest) = text.rsplit_once(") ").context("read /proc/<pid>/stat")?;
        let field = |index: usize| rest.split(' ').nth(index).and_then(|text| text.parse::<u64>().ok());
        // utime and stime are the 14th and 15th field; the name before was the second.
        let ticks = field(11).zip(field(12)).map(|(user, system)| user + system).context("read /proc/<pid>/stat")?;
        Ok(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
    }

    /// Resident memory now, in MB.
    pub fn resident_mb(&self) -> anyhow::Result<f64> {
        self.status_mb("VmRSS:").context("read VmRSS")
    }

    /// Resident memory that no file backs, in MB.
    pub fn anonymous_mb(&self) -> anyhow::Result<f64> {
        self.status_mb("RssAnon:").context("read RssAnon")
    }

    /// How many descriptors it has open.
    pub fn descriptors(&self) -> anyhow::Result<usize> {
        Ok(std::fs::read_dir(self.proc("fd"))?.count())
    }

    /// Takes note of its memory; to be called again and again.
    pub fn observe(&mut self) {
        if let (Some(peak), Some(anonymous)) = (self.status_mb("VmHWM:"), self.status_mb("RssAnon:")) {
            self.memory.peak_mb = self.memory.peak_mb.max(peak);
            self.memory.anonymous_peak_mb = self.memory.anonymous_peak_mb.max(anonymous);
        }
    }

    /// SIGKILL, at once.
    pub fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// SIGTERM; waits until it has ended with 0, and says what it used in its whole life.
    pub fn terminate(mut self, deadline: Duration) -> anyhow::Result<Usage> {
        let pid = Pid::from_child(&self.child);
        self.ensure_running()?;
        kill_process(pid, Signal::TERM)?;
        let begin = Instant::now();
        let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        // Left as a zombie for now: /proc still tells its CPU time, the last commit included.
        while waitid(WaitId::Pid(pid), ended)?.is_none() {
            ensure!(begin.elapsed() < deadline, "{} still runs {deadline:?} after SIGTERM", self.name);
            self.observe();
            std::thread::sleep(Duration::from_millis(10));
        }
        let cpu_s = self.cpu_s()?;
        let status = self.child.wait()?;
        ensure!(status.success(), "{} ended with {status} after SIGTERM: {}", self.name, self.log());
        Ok(Usage { cpu_s, memory: self.memory })
    }

    fn status_mb(&self, name: &str) -> Option<f64> {
        let text = std::fs::read_to_string(self.proc("status")).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        let kibibytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kibibytes * 1024.0 / 1e6)
    }

    fn proc(&self, file: &str) -> PathBuf {
        format!("/proc/{}/{file}", self.child.id()).into()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn append(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_time_of_an_ended_process_is_known() {
        let folder = tempfile::tempdir().unwrap();
        let script =
            "trap 'exit 0' TERM; i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; while :; do sleep 0.01; done";
        let mut process =
            Process::start("sh", "/bin/sh".as_ref(), &["-c", script], &folder.path().join("log")).unwrap();
        let begin = Instant::now();
        while process.cpu_s().unwrap() < 0.1 && begin.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(10));
        }
        process.observe();
        assert!(process.resident_mb().unwrap() > 0.1);
        let usage = process.terminate(Duration::from_secs(5)).unwrap();
        assert!(usage.cpu_s >= 0.1 && usage.memory.peak_mb > 0.1, "{usage:?}");
    }
}
