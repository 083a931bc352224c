//! `clew-agent explain`: why a file is read or not, and how far. The agent that runs is asked; without one, the configuration and
//! the checkpoint answer. Nothing is changed.

use std::fmt::Write;
use std::path::Path;

use clew_service::exit::ConfigError;
use serde::Serialize;

use crate::checkpoint::{Remembered, peek};
use crate::config::Config;
use crate::control::client::{AskError, ask};
use crate::control::protocol::{Answer, Request, WirePath};
use crate::discover::verdict::verdict;
use crate::pipeline::report::remembered_note;
use crate::report::{Explanation, SourceReport};
use crate::tail::file::FileKey;

#[derive(Serialize)]
struct Explained {
    /// Asked of the agent that runs; else from the configuration file and the checkpoint.
    running: bool,
    #[serde(flatten)]
    explanation: Explanation,
}

/// Answers what is to be printed.
pub fn explain(config: &Path, path: &Path, json: bool) -> Result<String, ConfigError> {
    let config = Config::load(config)?;
    let path = std::path::absolute(path).map_err(|error| ConfigError::new(format!("{}: {error}", path.display())))?;
    let request = Request::Explain { path: WirePath::new(&path) };
    let explained = match ask(&config.state_dir, &request) {
        Ok(Answer::Explain(explanation)) => Explained { running: true, explanation },
        Ok(_) => without_agent(&config, &path, "the agent answered something else"),
        Err(error @ AskError::NotRunning(_)) => without_agent(&config, &path, &error.to_string()),
        Err(error) => without_agent(&config, &path, &format!("the agent cannot be asked: {error}")),
    };
    match json {
        true => serde_json::to_string_pretty(&explained).map_err(ConfigError::new),
        false => Ok(text(&explained)),
    }
}

fn without_agent(config: &Config, path: &Path, why: &str) -> Explained {
    let verdict = verdict(path, &config.sources, &config.state_dir);
    let mut notes = vec![format!("{why}; this is by the configuration and the checkpoint")];
    let key = rustix::fs::stat(path).ok().map(|stat| FileKey::of(&stat));
    match peek(&config.state_dir) {
        Ok(checkpoint) => {
            let is_it = |source: &&Remembered| Some(source.key) == key || source.path == path;
            notes.extend(checkpoint.sources.iter().filter(is_it).map(remembered_note));
            if checkpoint.covered.iter().any(|covered| Some(covered.key) == key) {
                notes.push("all that it holds was delivered from another file or before".into());
            }
        }
        Err(error) => notes.push(format!("the checkpoint in {} cannot be read: {error}", config.state_dir.display())),
    }
    let explanation = Explanation {
        path: path.display().to_string(),
        reads: verdict.reads,
        rules: verdict.rules,
        sources: Vec::new(),
        notes,
    };
    Explained { running: false, explanation }
}

fn text(explained: &Explained) -> String {
    let Explanation { path, reads, rules, sources, notes } = &explained.explanation;
    let mut out = format!("{path}\n  {}\n", if *reads { "is read" } else { "is not read" });
    for line in rules.iter().chain(notes) {
        let _ = writeln!(out, "  - {line}");
    }
    for source in sources {
        put(&mut out, source);
    }
    out.pop();
    out
}

fn put(out: &mut String, source: &SourceReport) {
    let mut row = |name: &str, value: String| {
        let _ = writeln!(out, "    {name:<13} {value}");
    };
    row("source", format!("{} of {}: {}", source.source_id, source.service, source.phase));
    let kind = [(source.rotated, "rotated"), (source.deleted, "deleted")];
    let kind: Vec<&str> =
        kind.into_iter().filter(|(is, _)| *is).map(|(_, word)| word).chain(source.compression.as_deref()).collect();
    let kind = if kind.is_empty() { String::new() } else { format!(" ({})", kind.join(", ")) };
    row("file", format!("{}{kind}, device {}, inode {}", source.path, source.device, source.inode));
    row("lines", source.lines.clone());
    for (name, value) in &source.labels {
        row("label", format!("{name} = {value}"));
    }
    row("begun", source.begun.clone());
    row("size", source.size.to_string());
    row("acknowledged", source.acknowledged.to_string());
    row("read", source.read.to_string());
    row("in flight", format!("{} in {} batches", source.in_flight_bytes, source.in_flight_batches));
    row("unread", source.unread_bytes.to_string());
    row("waits for", source.waits_for.clone().unwrap_or_else(|| "nothing".into()));
    if let Some(error) = &source.last_error {
        row("last error", error.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_an_agent_the_rules_and_the_checkpoint_answer() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().display();
        let file = folder.path().join("agent.toml");
        let text = format!(
            "state_dir = '{root}/state'\n[[source]]\nservice = 'a'\ninclude = ['{root}/*.log']\nexclude = ['**/no.log']\n"
        );
        std::fs::write(&file, text).unwrap();
        for name in ["yes.log", "no.log"] {
            std::fs::write(folder.path().join(name), "x\n").unwrap();
        }
        let told = |name: &str| explain(&file, &folder.path().join(name), false).unwrap();
        let yes = told("yes.log");
        assert!(yes.contains("is read") && yes.contains("source 1 (a) names it by include"), "{yes}");
        assert!(yes.contains("no agent runs with state_dir"), "{yes}");
        let no = told("no.log");
        assert!(no.contains("is not read") && no.contains("exclude \"**/no.log\""), "{no}");
        let json = explain(&file, &folder.path().join("no.log"), true).unwrap();
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!((&json["running"], &json["reads"]), (&false.into(), &false.into()));
        assert!(!folder.path().join("state").exists(), "nothing is changed");
    }
}
