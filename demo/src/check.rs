//! Compares what the aggregator holds with what stands in the files: of every request each line once, byte for byte.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::Value;

use crate::api::{self, Api};
use crate::logfile;
use crate::service::Name;
use crate::traffic::Finished;

/// The last line was written before the check began; it must be found and settled within this.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(100);
const COMPLAINTS_MAX: usize = 20;

/// What was compared.
#[derive(Default)]
pub struct Report {
    transactions: usize,
    records: usize,
    /// Lines of stack traces and the like, which carry no ID themselves: those in the files, and those that came back.
    continuations_written: usize,
    continuations_held: usize,
    services: BTreeSet<Name>,
    complaints: Vec<String>,
}

/// Checks every request of `finished`. The services must have stopped: the files are final.
pub async fn run(api: &Api, logs: &Path, finished: &[Finished]) -> anyhow::Result<Report> {
    if finished.is_empty() {
        bail!("no request was answered, so there is nothing to check; let it run for longer with --for");
    }
    let files = Files::read(logs)?;
    let mut report = Report::default();
    let started = Instant::now();
    for request in finished {
        let mut answer = api.transaction(&request.trace_id).await?;
        while !api::is_settled(answer.as_ref()) && started.elapsed() < SETTLE_TIMEOUT {
            tokio::time::sleep(LOOK).await;
            answer = api.transaction(&request.trace_id).await?;
        }
        match answer {
            Some(answer) => report.compare(request, &answer, &files),
            None => report.complain(request, "is unknown to the aggregator"),
        }
    }
    if report.complaints.is_empty() {
        return Ok(report);
    }
    let shown = &report.complaints[..report.complaints.len().min(COMPLAINTS_MAX)];
    bail!("{} differences between the files and the aggregator:\n  {}", report.complaints.len(), shown.join("\n  "))
}

/// Every service's log, from its first line to its last.
struct Files {
    lines: BTreeMap<Name, Vec<String>>,
}

impl Files {
    fn read(logs: &Path) -> anyhow::Result<Self> {
        let mut lines = BTreeMap::new();
        for name in Name::ALL {
            let path = name.log_path(logs);
            let (bytes, is_whole) = logfile::read_all(&path).with_context(|| format!("read {}", path.display()))?;
            if !is_whole {
                bail!(
                    "{} was rotated so often that its beginning is gone; check with a larger --rotate-every",
                    path.display()
                );
            }
            let text = String::from_utf8(bytes).with_context(|| format!("read {}", path.display()))?;
            lines.insert(name, text.lines().map(str::to_owned).collect());
        }
        Ok(Self { lines })
    }
}

impl Report {
    /// What was compared, in one sentence.
    pub fn summary(&self) -> String {
        format!(
            "checked {} requests: their {} records of {} services came back complete, once, and byte for byte, \
             with {} of {} lines of stack traces",
            self.transactions,
            self.records,
            self.services.len(),
            self.continuations_held,
            self.continuations_written
        )
    }

    fn compare(&mut self, request: &Finished, answer: &Value, files: &Files) {
        self.transactions += 1;
        if answer["completeness"]["state"] != "settled" {
            self.complain(request, &format!("is not settled but {}", answer["completeness"]));
        }
        let empty = Vec::new();
        let records = answer["records"].as_array().unwrap_or(&empty);
        for (&name, lines) in &files.lines {
            let expected: Vec<usize> = (0..lines.len()).filter(|at| lines[*at].contains(&request.trace_id)).collect();
            if expected.is_empty() && request.crossed.contains(&name) {
                self.complain(request, &format!("must have crossed {}, whose log does not know it", name.as_str()));
            }
            let of_service = records.iter().filter(|record| record["service"] == name.as_str());
            let held: Vec<&str> = of_service.filter_map(|record| record["line"].as_str()).collect();
            self.compare_service(request, name, lines, expected, &held);
        }
        let known = |record: &&Value| Name::ALL.iter().any(|name| record["service"] == name.as_str());
        if records.iter().filter(known).count() != records.len() {
            self.complain(request, "has records of a service that is none of ours");
        }
    }

    /// `expected` are the places of the lines that carry the ID.
    fn compare_service(
        &mut self,
        request: &Finished,
        name: Name,
        lines: &[String],
        mut expected: Vec<usize>,
        held: &[&str],
    ) {
        for record in held {
            let parts: Vec<&str> = record.split('\n').collect();
            let stands =
                |at: &usize| lines[*at..].len() >= parts.len() && lines[*at..].iter().zip(&parts).all(|(a, b)| a == b);
            match expected.iter().position(stands) {
                Some(place) => {
                    let at = expected.remove(place);
                    self.continuations_written +=
                        lines[at + 1..].iter().take_while(|line| !begins_record(line)).count();
                    self.records += 1;
                    self.continuations_held += parts.len() - 1;
                    self.services.insert(name);
                }
                None => self.complain(
                    request,
                    &format!("has a record of {} that no line stands for: {record:?}", name.as_str()),
                ),
            }
        }
        for at in expected {
            self.complain(request, &format!("lacks a line of {}: {:?}", name.as_str(), lines[at]));
        }
    }

    fn complain(&mut self, request: &Finished, what: &str) {
        self.complaints.push(format!("{} ({}, {}) {what}", request.trace_id, request.what, request.status));
    }
}

/// Whether a line is the first of a record, in any of the shop's formats: a date, an address, an object, or `ts=`.
fn begins_record(line: &str) -> bool {
    line.starts_with(['1', '2', '{']) || line.starts_with("ts=")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(file: &[&str], held: &[&str]) -> Vec<String> {
        let request = Finished { trace_id: "abc".into(), what: "look", status: 200, crossed: vec![] };
        let lines: Vec<String> = file.iter().map(|line| (*line).to_owned()).collect();
        let expected = (0..lines.len()).filter(|at| lines[*at].contains("abc")).collect();
        let mut report = Report::default();
        report.compare_service(&request, Name::Cart, &lines, expected, held);
        report.complaints
    }

    #[test]
    fn every_line_once_and_byte_for_byte() {
        let file = ["1 abc", "2 abd", "3 abc", "\tat x", "4 abc", "4 abc"];
        assert!(complaints(&file, &["1 abc", "3 abc\n\tat x", "4 abc", "4 abc"]).is_empty());
        assert!(complaints(&file, &["1 abc", "3 abc", "4 abc", "4 abc"]).is_empty());
        assert_eq!(complaints(&file, &["1 abc", "3 abc", "4 abc"]).len(), 1, "one is lacking");
        assert_eq!(complaints(&file, &["1 abc", "1 abc", "3 abc", "4 abc", "4 abc"]).len(), 1, "one is there twice");
        assert_eq!(complaints(&file, &["1 abc", "3 abc\n\tat y", "4 abc", "4 abc"]).len(), 2, "one is changed");
    }
}
