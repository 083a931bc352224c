//! The demo's folder: configs, logs, data and the programs' standard error. It is emptied at each start, so it must be one
//! that a demo made: a marker file says so, and the lock on it says that no other demo runs there.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use rustix::fs::{FlockOperation, flock};

use crate::service::Name;

const MARKER: &str = ".clew-demo";

pub struct Workdir {
    root: PathBuf,
    /// Held for as long as the demo runs.
    _lock: File,
}

impl Workdir {
    /// Takes `root`, and removes what an earlier demo left in it.
    pub fn prepare(root: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(root).with_context(|| format!("create {}", root.display()))?;
        let root = root.canonicalize().with_context(|| format!("find {}", root.display()))?;
        let marker = root.join(MARKER);
        let is_empty = fs::read_dir(&root).with_context(|| format!("list {}", root.display()))?.next().is_none();
        if !is_empty && !marker.exists() {
            bail!("{} is not empty and no demo made it; choose another folder with --dir", root.display());
        }
        let lock = File::create(&marker).with_context(|| format!("write {}", marker.display()))?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            bail!("another demo runs in {}; stop it, or choose another folder with --dir", root.display());
        }
        for entry in fs::read_dir(&root)? {
            let path = entry?.path();
            if path != marker {
                let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
                removed.with_context(|| format!("remove {}", path.display()))?;
            }
        }
        for folder in ["logs", "stderr"] {
            fs::create_dir(root.join(folder)).with_context(|| format!("create {}", root.join(folder).display()))?;
        }
        Ok(Self { root, _lock: lock })
    }

    pub fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    /// Where a child's standard error goes.
    pub fn stderr(&self, program: &str) -> PathBuf {
        self.root.join("stderr").join(program)
    }

    /// Writes aggregator.toml, and says where it is.
    pub fn aggregator_config(&self, grpc_port: u16, http_port: u16) -> anyhow::Result<PathBuf> {
        let text = format!(
            "data_dir    = {}\ngrpc_listen = \"127.0.0.1:{grpc_port}\"\nhttp_listen = \"127.0.0.1:{http_port}\"\n",
            toml_string(&self.root.join("data"))
        );
        self.write("aggregator.toml", &text)
    }

    /// Writes agent.toml, and says where it is.
    pub fn agent_config(&self, grpc: &str) -> anyhow::Result<PathBuf> {
        let state_dir = toml_string(&self.root.join("agent"));
        let mut text = format!("aggregator = \"http://{grpc}\"\nstate_dir  = {state_dir}\nhost       = \"shop-1\"\n");
        for name in Name::ALL.into_iter().rev() {
            let log = toml_string(&name.log_path(&self.logs()));
            text += &format!("\n[[source]]\nservice = \"{}\"\ninclude = [{log}]\n", name.as_str());
        }
        self.write("agent.toml", &text)
    }

    fn write(&self, name: &str, text: &str) -> anyhow::Result<PathBuf> {
        let path = self.root.join(name);
        let written = File::create(&path).and_then(|mut file| file.write_all(text.as_bytes()));
        written.with_context(|| format!("write {}", path.display()))?;
        Ok(path)
    }
}

/// A path as a TOML basic string.
fn toml_string(path: &Path) -> String {
    format!("\"{}\"", path.display().to_string().replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_folder_of_ours_is_emptied() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("thesis.txt"), "dear").expect("written");
        let refused = Workdir::prepare(folder.path()).err().expect("refused").to_string();
        assert!(refused.contains("no demo made it"), "{refused}");
        assert!(folder.path().join("thesis.txt").exists());

        let ours = folder.path().join("demo");
        let first = Workdir::prepare(&ours).expect("taken");
        fs::write(first.logs().join("old.log"), "x").expect("written");
        assert!(Workdir::prepare(&ours).err().expect("locked").to_string().contains("another demo runs"));
        drop(first);
        let second = Workdir::prepare(&ours).expect("taken again");
        assert!(!second.logs().join("old.log").exists());
    }
}
