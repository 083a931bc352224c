//! Every written line is a debt until it is found: exactly once, byte for byte, at its position, in order within its
//! file, and its transaction whole.

use std::collections::HashMap;
use std::fmt::Write;
use std::time::Duration;

use crate::api::{Api, Record};
use crate::wait;
use crate::writer::Written;

/// How many examples of each kind of failure are shown.
const EXAMPLES_MAX: usize = 8;

/// Waits until the aggregator holds as many records as there are lines, then looks at each of them.
pub fn settle_and_verify(api: &Api, ids: &[String], written: &[Written], deadline: Duration) {
    settle(api, ids, written, deadline);
    verify(api, ids, written);
}

/// Waits until as many records are held as lines were written. If they never come, says which are missing.
fn settle(api: &Api, ids: &[String], written: &[Written], deadline: Duration) {
    let begin = std::time::Instant::now();
    let mut seen = api.records();
    while !seen.as_ref().is_ok_and(|records| *records >= written.len() as u64) {
        if begin.elapsed() > deadline {
            let details = compare(api, ids, written);
            panic!("after {deadline:?} {seen:?} records are held of {} lines\n{details}", written.len());
        }
        std::thread::sleep(Duration::from_millis(50));
        seen = api.records();
    }
}

/// Looks at every transaction and panics with what is wrong.
pub fn verify(api: &Api, ids: &[String], written: &[Written]) {
    // Records are found at the latest one second after they were acknowledged; a failure after that is one.
    let visible = Duration::from_secs(3);
    let begin = std::time::Instant::now();
    let mut wrong = compare(api, ids, written);
    while !wrong.is_empty() && begin.elapsed() < visible {
        std::thread::sleep(Duration::from_millis(200));
        wrong = compare(api, ids, written);
    }
    assert!(wrong.is_empty(), "{wrong}");
    wait::until("the records' number to be that of the lines", visible, || {
        let records = api.records()?;
        wait::check(records == written.len() as u64, || format!("{records} records of {} lines", written.len()))
    });
}

/// What differs between what was written and what is found; empty when nothing does.
fn compare(api: &Api, ids: &[String], written: &[Written]) -> String {
    let mut findings = Findings::default();
    let mut due: Vec<Vec<&Written>> = vec![Vec::new(); ids.len()];
    for line in written {
        due[line.id].push(line);
    }
    for (id, due) in ids.iter().zip(due) {
        match api.transaction(id) {
            Ok(records) => compare_one(id, &due, &records, &mut findings),
            Err(error) => findings.add("unanswered", || error),
        }
    }
    findings.report()
}

fn compare_one(id: &str, due: &[&Written], records: &[Record], findings: &mut Findings) {
    let by_line: HashMap<&[u8], &Written> = due.iter().map(|line| (line.line.as_slice(), *line)).collect();
    let mut found: HashMap<&[u8], u32> = HashMap::new();
    let mut last_of_source: HashMap<&str, (u64, u64)> = HashMap::new();
    for record in records {
        let Some(line) = by_line.get(record.line.as_slice()) else {
            findings.add("foreign or damaged", || {
                let text = String::from_utf8_lossy(&record.line);
                format!("{id}: {} at {} {:?}: {text}", record.file, record.position, record.flags)
            });
            continue;
        };
        *found.entry(&line.line).or_default() += 1;
        if record.position != line.position {
            findings.add("at a wrong position", || format!("{} instead of {}", record.position, describe(id, line)));
        }
        if !record.flags.is_empty() {
            findings.add("flagged", || format!("{:?}: {}", record.flags, describe(id, line)));
        }
        let last = last_of_source.insert(&record.source_id, (record.position, line.number));
        if last.is_some_and(|(position, number)| position >= record.position || number >= line.number) {
            findings.add("out of order", || format!("after {last:?}: {}", describe(id, line)));
        }
    }
    for line in due {
        match found.get(line.line.as_slice()) {
            None => findings.add("lost", || describe(id, line)),
            Some(1) => {}
            Some(times) => findings.add("more than once", || format!("{times} times: {}", describe(id, line))),
        }
    }
}

fn describe(id: &str, line: &Written) -> String {
    let path = line.path.file_name().unwrap_or_default().to_string_lossy();
    let text = String::from_utf8_lossy(&line.line);
    let head: String = text.chars().take(160).collect();
    format!(
        "{id} writer {} number {} in {path} (rotated {} times) at {}: {head}",
        line.writer, line.number, line.generation, line.position
    )
}

/// Failures by kind, each with its count and some examples.
#[derive(Default)]
pub struct Findings(std::collections::BTreeMap<&'static str, (usize, Vec<String>)>);

impl Findings {
    /// One more of `kind`.
    pub fn add(&mut self, kind: &'static str, example: impl FnOnce() -> String) {
        let (count, examples) = self.0.entry(kind).or_default();
        *count += 1;
        if examples.len() < EXAMPLES_MAX {
            examples.push(example());
        }
    }

    /// All of them; empty when there are none.
    pub fn report(&self) -> String {
        let mut text = String::new();
        for (kind, (count, examples)) in &self.0 {
            let _ = writeln!(text, "{count} {kind}, for example:");
            for example in examples {
                let _ = writeln!(text, "  {example}");
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(number: u64, line: &str, position: u64) -> Written {
        let path = "a.log".into();
        Written { id: 0, writer: 0, number, line: line.into(), path, generation: 0, position }
    }

    fn record(line: &str, position: u64) -> Record {
        let (source_id, file) = ("s".to_owned(), "a.log".to_owned());
        Record { line: line.into(), source_id, position, file, flags: Vec::new() }
    }

    fn report(due: &[Written], records: &[Record]) -> String {
        let mut findings = Findings::default();
        compare_one("id", &due.iter().collect::<Vec<_>>(), records, &mut findings);
        findings.report()
    }

    #[test]
    fn the_oracle_sees_each_kind_of_failure() {
        let due = [written(0, "a", 0), written(1, "b", 2)];
        assert_eq!(report(&due, &[record("a", 0), record("b", 2)]), "");
        for (records, wrong) in [
            (vec![record("a", 0)], "1 lost"),
            (vec![record("a", 0), record("b", 2), record("b", 2)], "1 more than once"),
            (vec![record("b", 2), record("a", 0)], "1 out of order"),
            (vec![record("a", 0), record("b", 3)], "1 at a wrong position"),
            (vec![record("a", 0), record("b", 2), record("c", 4)], "1 foreign"),
        ] {
            assert!(report(&due, &records).contains(wrong), "{wrong}: {}", report(&due, &records));
        }
    }
}
