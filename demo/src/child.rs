//! A child process that ends with us, and tells why it ended.
//!
//! **No orphan outlives the demo**: the kernel kills each child when its parent dies, however that happens; agent and
//! aggregator survive that as any other crash. Each is in a process group of its own, so that Ctrl-C reaches only the
//! orchestrator, which stops them in order.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child as Process, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, getpid, getppid, kill_process, set_parent_process_death_signal};

/// Children are looked at this often; it is the end of a process, or a line in a file, that is waited for.
const LOOK: Duration = Duration::from_millis(20);
const START_TIMEOUT: Duration = Duration::from_secs(20);
const LAST_LINES: usize = 8;

pub struct Child {
    pub name: String,
    process: Process,
    stderr: PathBuf,
}

impl Child {
    /// Its standard error goes to the file `stderr`.
    pub fn spawn(name: &str, program: &Path, arguments: &[String], stderr: PathBuf) -> anyhow::Result<Self> {
        let file = File::create(&stderr).with_context(|| format!("create {}", stderr.display()))?;
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(file).process_group(0);
        let parent = getpid();
        // SAFETY: between fork and exec only two system calls are made; nothing is allocated or locked.
        unsafe {
            command.pre_exec(move || {
                set_parent_process_death_signal(Some(Signal::KILL))?;
                // The parent may have died before the line above.
                if getppid() == Some(parent) { Ok(()) } else { Err(std::io::ErrorKind::Interrupted.into()) }
            });
        }
        let process = command.spawn().with_context(|| format!("start {}", program.display()))?;
        Ok(Self { name: name.to_owned(), process, stderr })
    }

    /// Waits for the line of its standard error in which `find` finds something.
    pub async fn announced<T>(&mut self, find: impl Fn(&str) -> Option<T>) -> anyhow::Result<T> {
        let started = Instant::now();
        loop {
            // Only whole lines: the last one may be half written.
            let text = self.text();
            let whole = text.rfind('\n').map_or("", |end| &text[..end]);
            if let Some(found) = whole.lines().find_map(&find) {
                return Ok(found);
            }
            self.must_run()?;
            if started.elapsed() > START_TIMEOUT {
                bail!("{} is not listening after {} s{}", self.name, START_TIMEOUT.as_secs(), self.last_lines());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// An error when it has ended.
    pub fn must_run(&mut self) -> anyhow::Result<()> {
        match self.process.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("{} ended by itself ({status}){}", self.name, self.last_lines()),
        }
    }

    /// Asks it to end; after `patience` it is killed, which is an error, and so is a bad exit.
    pub async fn stop(&mut self, patience: Duration) -> anyhow::Result<()> {
        let started = Instant::now();
        self.signal(Signal::TERM);
        loop {
            if let Some(status) = self.process.try_wait()? {
                return self.judge(status);
            }
            if started.elapsed() > patience {
                self.signal(Signal::KILL);
                self.process.wait()?;
                bail!("{} did not stop within {} s and was killed{}", self.name, patience.as_secs(), self.last_lines());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn judge(&self, status: ExitStatus) -> anyhow::Result<()> {
        if status.success() {
            return Ok(());
        }
        bail!("{} stopped badly ({status}){}", self.name, self.last_lines())
    }

    fn signal(&mut self, signal: Signal) {
        // Not yet waited for, so the number still is this child's.
        if let (Ok(None), Some(pid)) = (self.process.try_wait(), Pid::from_raw(self.process.id() as i32)) {
            let _ = kill_process(pid, signal);
        }
    }

    fn text(&self) -> String {
        std::fs::read(&self.stderr).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// What it said last, each line on its own, and where the rest is.
    fn last_lines(&self) -> String {
        let text = self.text();
        let lines: Vec<&str> = text.lines().collect();
        if lines.is_empty() {
            return format!("; it wrote nothing to {}", self.stderr.display());
        }
        let last = lines[lines.len().saturating_sub(LAST_LINES)..].join("\n  ");
        format!("; the end of {}:\n  {last}", self.stderr.display())
    }
}

/// Whatever way the orchestrator leaves, its children are gone then.
impl Drop for Child {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        let _ = self.process.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(folder: &Path, script: &str) -> Child {
        let arguments = ["-c".to_owned(), script.to_owned()];
        Child::spawn("sh", Path::new("/bin/sh"), &arguments, folder.join("stderr")).expect("it starts")
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
    }

    #[test]
    fn what_it_announces_is_found_and_its_end_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut child = shell(folder.path(), "echo listening 7 >&2; echo disk on fire >&2; exit 3");
        assert_eq!(
            block_on(child.announced(|line| line.strip_prefix("listening ").map(str::to_owned))).expect("it says"),
            "7"
        );
        let error =
            block_on(child.announced(|line| line.strip_prefix("never").map(drop))).expect_err("it ended").to_string();
        assert!(
            error.starts_with("sh ended by itself (exit status: 3)") && error.ends_with("\n  disk on fire"),
            "{error}"
        );
    }

    #[test]
    fn one_that_does_not_listen_to_a_signal_is_killed() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut deaf = shell(folder.path(), "trap '' TERM; echo ready >&2; while :; do sleep 0.05; done");
        block_on(deaf.announced(|line| (line == "ready").then_some(()))).expect("it is ready");
        let error = block_on(deaf.stop(Duration::from_millis(100))).expect_err("killed").to_string();
        assert!(error.contains("was killed"), "{error}");
        let mut good = shell(folder.path(), "trap 'exit 0' TERM; echo ready >&2; while :; do sleep 0.05; done");
        block_on(good.announced(|line| (line == "ready").then_some(()))).expect("it is ready");
        block_on(good.stop(Duration::from_secs(10))).expect("it stops");
    }
}
