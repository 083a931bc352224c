//! One child process. Its standard error is appended to a file; it ends with its owner, whatever happens.

use std::fs::{File, OpenOptions};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};

use crate::{programs, wait};

/// A running program.
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
    log_begin: usize,
}

impl Process {
    /// Starts `program`; its standard error goes to the end of `log`.
    pub fn start(program: &str, arguments: &[&str], log: &Path) -> Self {
        Self::start_with(program, arguments, &[], log)
    }

    /// The same, with more in its environment.
    pub fn start_with(program: &str, arguments: &[&str], environment: &[(&str, &str)], log: &Path) -> Self {
        let file = append(log);
        let log_begin = file.metadata().expect("stat the log").len() as usize;
        let mut command = Command::new(programs::path(program));
        command
            .args(arguments)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(file);
        // SAFETY: between fork and exec the closure makes one system call and touches no memory of the parent.
        unsafe {
            command.pre_exec(|| Ok(set_parent_process_death_signal(Some(Signal::KILL))?));
        }
        let child = command.spawn().unwrap_or_else(|error| panic!("start {program}: {error}"));
        Self { name: program.to_owned(), child, log: log.to_owned(), log_begin }
    }

    /// What it logged since it was started.
    pub fn log(&self) -> String {
        let bytes = std::fs::read(&self.log).expect("read the log");
        String::from_utf8_lossy(&bytes[self.log_begin.min(bytes.len())..]).into_owned()
    }

    /// The most memory that it ever had (`VmHWM`).
    pub fn memory_max_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("read its status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a line of its peak");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
    }

    /// How it ended, if it did.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("wait for a child")
    }

    /// SIGKILL, at once.
    pub fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// SIGTERM, and how it ended within `deadline`.
    pub fn terminate(mut self, deadline: Duration) -> ExitStatus {
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let what = format!("{} to end after SIGTERM", self.name);
        wait::until(&what, deadline, || self.ended().ok_or_else(|| "it runs".to_owned()))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs `program` to its end, bounded; for commands and for programs that must refuse to start.
pub fn run(program: &str, arguments: &[&str], deadline: Duration) -> Output {
    let mut child = Command::new(programs::path(program))
        .args(arguments)
        .env_remove("CLEW_SERVER")
        .env_remove("CLEW_TOKEN")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("start {program}: {error}"));
    let begin = std::time::Instant::now();
    while child.try_wait().expect("wait for a child").is_none() {
        if begin.elapsed() > deadline {
            let _ = child.kill();
            let output = child.wait_with_output().expect("collect output");
            let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
            panic!("{program} {arguments:?} still ran after {deadline:?}; it said: {stderr}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child.wait_with_output().expect("collect output")
}

fn append(path: &Path) -> File {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .unwrap_or_else(|error| panic!("open {}: {error}", path.display()))
}
