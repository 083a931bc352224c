//! The ledger against what was collected. Pure.
//!
//! A line is found exactly once, byte for byte, under its ID, at its position in its incarnation. Or its incarnation was
//! destroyed and a gap of a source of that incarnation names it. Or nobody can have known: it was destroyed while the agent was
//! down or before it had time to look, and nothing of the incarnation was ever found; that is counted, and rare.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write;

use super::ledger::{Ledger, Line};
use crate::api::Record;
use crate::oracle::Findings;

/// So many per cent of all lines may be beyond anybody's knowledge.
const UNKNOWABLE_PERCENT_MAX: usize = 3;
/// How many sources a failure lists.
const SOURCES_SHOWN: usize = 12;

/// A source as the aggregator accounts for it.
#[derive(Clone, Debug, Default)]
pub struct Source {
    pub id: String,
    pub file: String,
    pub begin: u64,
    pub frontier: u64,
    /// Where the frontier should be: `begin` and all bytes that were stored, skipped or declared lost.
    pub accounted: Option<u64>,
    pub gaps: Vec<Gap>,
}

/// A declared loss.
#[derive(Clone, Debug, Default)]
pub struct Gap {
    pub begin: u64,
    pub end: u64,
    pub open_ended: bool,
    pub reason: String,
}

impl Gap {
    fn names(&self, position: u64) -> bool {
        self.begin <= position && (self.open_ended || position < self.end)
    }
}

/// What came out.
#[derive(Debug, Default)]
pub struct Verdict {
    pub lines: usize,
    pub found: usize,
    /// Missing and named by a gap.
    pub declared: usize,
    /// Missing, and nobody can have known.
    pub unknowable: usize,
    /// Everything that is wrong; empty when nothing is.
    pub failures: String,
}

/// Judges. `records` come with the index of the ID under which they were found.
pub fn judge(ledger: &Ledger, records: &[(usize, Record)], sources: &[Source]) -> Verdict {
    let mut case = Case::new(ledger, sources);
    case.read(records);
    case.one_incarnation_per_source();
    case.accounts();
    case.lines()
}

struct Case<'a> {
    ledger: &'a Ledger,
    sources: &'a [Source],
    /// For each line, the records that hold it.
    found: Vec<Vec<&'a Record>>,
    /// The incarnations whose lines were found in a source, each with how many.
    owners: BTreeMap<&'a str, BTreeMap<usize, usize>>,
    findings: Findings,
}

/// What a missing line is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Missing {
    Declared,
    Unknowable,
    Wrong(&'static str),
}

impl<'a> Case<'a> {
    fn new(ledger: &'a Ledger, sources: &'a [Source]) -> Self {
        let found = vec![Vec::new(); ledger.lines.len()];
        Self { ledger, sources, found, owners: BTreeMap::new(), findings: Findings::default() }
    }

    /// Sorts the records to the lines.
    fn read(&mut self, records: &'a [(usize, Record)]) {
        let ledger = self.ledger;
        let by_bytes: HashMap<&[u8], usize> =
            ledger.lines.iter().enumerate().map(|(index, line)| (&line.bytes[..], index)).collect();
        assert_eq!(by_bytes.len(), ledger.lines.len(), "all lines differ");
        let known: BTreeSet<&str> = self.sources.iter().map(|source| &source.id[..]).collect();
        for (id, record) in records {
            let Some(index) = by_bytes.get(&record.line[..]).copied() else {
                self.findings.add("foreign or damaged", || {
                    let text = String::from_utf8_lossy(&record.line);
                    format!("{} at {} {:?}: {text}", record.file, record.position, record.flags)
                });
                continue;
            };
            let line = &ledger.lines[index];
            self.found[index].push(record);
            *self.owners.entry(&record.source_id).or_default().entry(line.incarnation).or_default() += 1;
            if *id != line.id {
                self.findings.add("under a wrong ID", || describe(line));
            }
            if record.position != line.position {
                self.findings.add("at a wrong position", || {
                    let seen = format!("at {} in source {}", record.position, record.source_id);
                    format!("{seen} instead of {}\n{}", describe(line), story(ledger, line.incarnation))
                });
            }
            if !known.contains(&record.source_id[..]) {
                self.findings.add("in a source that status/agents does not list", || record.source_id.clone());
            }
        }
    }

    fn one_incarnation_per_source(&mut self) {
        for (id, owners) in self.owners.iter().filter(|(_, owners)| owners.len() > 1) {
            let ledger = self.ledger;
            self.findings.add("a source of several incarnations", || {
                let mut text = format!("source {id}");
                for (incarnation, lines) in owners {
                    let _ = write!(text, "\n    {lines} lines of:\n{}", story(ledger, *incarnation));
                }
                text
            });
        }
    }

    fn accounts(&mut self) {
        for source in self.sources {
            if source.accounted.is_some_and(|accounted| accounted != source.frontier) {
                self.findings.add("an account that does not add up", || format!("{source:?}"));
            }
        }
    }

    fn lines(mut self) -> Verdict {
        let ledger = self.ledger;
        let mut verdict = Verdict { lines: ledger.lines.len(), ..Verdict::default() };
        let of_incarnation = self.sources_by_incarnation();
        // One example of each kind for each incarnation: they share their story.
        let mut wrong: BTreeMap<(&'static str, usize), Vec<usize>> = BTreeMap::new();
        for (index, line) in ledger.lines.iter().enumerate() {
            match self.found[index].len() {
                0 => match self.missing(line, &of_incarnation) {
                    Missing::Declared => verdict.declared += 1,
                    Missing::Unknowable => verdict.unknowable += 1,
                    Missing::Wrong(kind) => wrong.entry((kind, line.incarnation)).or_default().push(index),
                },
                1 => verdict.found += 1,
                _ => wrong.entry(("files with lines found more than once", line.incarnation)).or_default().push(index),
            }
        }
        for ((kind, incarnation), lines) in wrong {
            let sources = of_incarnation.get(&incarnation).map_or(&[][..], |sources| &sources[..]);
            let found = &self.found;
            self.findings.add(kind, || {
                let first = lines[0];
                let mut text = format!("{} lines, first {}\n", lines.len(), describe(&ledger.lines[first]));
                for record in &found[first] {
                    let (file, position, source) = (&record.file, record.position, &record.source_id);
                    let _ = writeln!(text, "    found in {file} at {position}, source {source}");
                }
                text.push_str(&story(ledger, incarnation));
                for source in sources.iter().take(SOURCES_SHOWN) {
                    let _ = writeln!(text, "    {source:?}");
                }
                text
            });
        }
        if verdict.unknowable * 100 > verdict.lines * UNKNOWABLE_PERCENT_MAX {
            self.findings.add("too many lines beyond anybody's knowledge", || format!("{}", verdict.unknowable));
        }
        verdict.failures = self.findings.report();
        verdict
    }

    fn missing(&self, line: &Line, of_incarnation: &BTreeMap<usize, Vec<&Source>>) -> Missing {
        let Some(destroyed) = self.ledger.incarnations[line.incarnation].destroyed else {
            return Missing::Wrong("files with lines lost although nothing destroyed them");
        };
        let mut sources = of_incarnation.get(&line.incarnation).into_iter().flatten();
        if sources.any(|source| source.gaps.iter().any(|gap| gap.names(line.position))) {
            return Missing::Declared;
        }
        // Only found lines prove that a source is this incarnation's; that one of its former names appears somewhere does not:
        // most incarnations were called x.log once.
        let has_proof = self.owners.values().any(|owners| owners.contains_key(&line.incarnation));
        match destroyed.perhaps_unseen && !has_proof {
            true => Missing::Unknowable,
            false => Missing::Wrong("files with lines lost without a gap"),
        }
    }

    /// By the lines that were found in them. An incarnation without any may be that of a source without any, by its names.
    fn sources_by_incarnation(&self) -> BTreeMap<usize, Vec<&'a Source>> {
        let mut all: BTreeMap<usize, Vec<&Source>> = BTreeMap::new();
        for source in self.sources {
            for incarnation in self.owners.get(&source.id[..]).into_iter().flat_map(BTreeMap::keys) {
                all.entry(*incarnation).or_default().push(source);
            }
        }
        let mut without_lines: HashMap<&str, Vec<&Source>> = HashMap::new();
        for source in self.sources.iter().filter(|source| !self.owners.contains_key(&source.id[..])) {
            without_lines.entry(&source.file).or_default().push(source);
        }
        for (index, incarnation) in self.ledger.incarnations.iter().enumerate() {
            if let std::collections::btree_map::Entry::Vacant(entry) = all.entry(index) {
                let names = incarnation.names.iter().filter_map(|name| name.to_str());
                let sources = names.filter_map(|name| without_lines.get(name)).flatten().copied().collect();
                entry.insert(sources);
            }
        }
        all
    }
}

fn describe(line: &Line) -> String {
    let text = String::from_utf8_lossy(&line.bytes);
    let head: String = text.chars().take(160).collect();
    format!("at {} in incarnation {}: {head}", line.position, line.incarnation)
}

fn story(ledger: &Ledger, incarnation: usize) -> String {
    ledger.incarnations[incarnation].story()
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::*;
    use crate::torture::incarnation::Destroyed;

    /// Two incarnations of a.log with one line each at position 5; the second one is alive.
    fn ledger(destroyed: Option<bool>) -> Ledger {
        let mut ledger = Ledger::default();
        for line in ["first", "second"] {
            let incarnation = ledger.created(Path::new("a.log"), "created");
            ledger.owe(incarnation, 0, 5, line.into());
            ledger.wrote(incarnation, 1, 20);
        }
        ledger.incarnations[0].destroyed =
            destroyed.map(|perhaps_unseen| Destroyed { at: Duration::from_secs(9), perhaps_unseen });
        ledger
    }

    fn record(line: &str, source_id: &str, position: u64) -> (usize, Record) {
        let record = Record {
            line: line.into(),
            source_id: source_id.into(),
            position,
            file: "a.log".into(),
            flags: Vec::new(),
        };
        (0, record)
    }

    fn source(id: &str, gaps: &[(u64, u64, bool)]) -> Source {
        let gaps = gaps
            .iter()
            .map(|(begin, end, open_ended)| Gap { begin: *begin, end: *end, open_ended: *open_ended, ..Gap::default() })
            .collect();
        Source { id: id.into(), file: "a.log".into(), gaps, frontier: 20, accounted: Some(20), ..Source::default() }
    }

    #[track_caller]
    fn fails(ledger: &Ledger, records: &[(usize, Record)], sources: &[Source], with: &str) {
        let verdict = judge(ledger, records, sources);
        assert!(verdict.failures.contains(with), "{with}: {verdict:?}");
    }

    #[test]
    fn all_found_once_is_right() {
        let records = [record("first", "s", 5), record("second", "t", 5)];
        let verdict = judge(&ledger(None), &records, &[source("s", &[]), source("t", &[])]);
        assert_eq!((verdict.failures.as_str(), verdict.found), ("", 2));
    }

    #[test]
    fn a_missing_line_fails_without_a_gap() {
        let records = [record("second", "t", 5)];
        fails(&ledger(Some(false)), &records, &[source("t", &[])], "lost without a gap");
        fails(&ledger(None), &records, &[source("t", &[])], "although nothing destroyed them");
        // The gap has to be there, and of a source of the same incarnation.
        for sources in [
            vec![source("s", &[(0, 5, false), (6, 20, true)]), source("t", &[])],
            vec![source("s", &[]), source("t", &[(0, 20, true)])],
        ] {
            fails(&ledger(Some(false)), &records, &sources, "lost without a gap");
        }
    }

    #[test]
    fn a_gap_names_what_was_destroyed_and_excuses_nothing_else() {
        let records = [record("second", "t", 5)];
        for gap in [(0, 20, false), (5, 6, false), (5, 5, true), (0, 0, true)] {
            let sources = [source("s", &[gap]), source("t", &[])];
            let verdict = judge(&ledger(Some(false)), &records, &sources);
            assert_eq!((verdict.failures.as_str(), verdict.declared), ("", 1), "{gap:?}");
            fails(&ledger(None), &records, &sources, "although nothing destroyed them");
        }
    }

    #[test]
    fn a_line_of_a_known_incarnation_is_not_beyond_knowledge() {
        let mut ledger = ledger(Some(true));
        let sources = [source("s", &[]), source("t", &[])];
        // Of two lines one, which is more than the few that may be.
        fails(&ledger, &[record("second", "t", 5)], &sources, "too many lines beyond anybody's knowledge");
        for number in 0..100 {
            ledger.owe(1, 0, 20 + number, format!("more {number}").into_bytes());
        }
        let mut records: Vec<_> = (0..100).map(|number| record(&format!("more {number}"), "t", 20 + number)).collect();
        records.push(record("second", "t", 5));
        let verdict = judge(&ledger, &records, &sources);
        assert_eq!((verdict.failures.as_str(), verdict.unknowable), ("", 1));
        // Another line of the same incarnation was found: the agent knew it.
        ledger.owe(0, 0, 12, b"third".to_vec());
        records.push(record("third", "s", 12));
        fails(&ledger, &records, &sources, "lost without a gap");
    }

    #[test]
    fn twice_or_elsewhere_or_otherwise_fails() {
        let sources = [source("s", &[(0, 20, true)]), source("t", &[])];
        let right = || vec![record("first", "s", 5), record("second", "t", 5)];
        type Change<'a> = &'a dyn Fn(&mut Vec<(usize, Record)>);
        let with = |change: Change<'_>| {
            let mut records = right();
            change(&mut records);
            records
        };
        for (records, wrong) in [
            (with(&|records| records.push(record("first", "s", 5))), "more than once"),
            (with(&|records| records[0].1.position = 6), "at a wrong position"),
            (with(&|records| records[0].1.line = b"firs".to_vec()), "foreign or damaged"),
            (with(&|records| records[0].0 = 1), "under a wrong ID"),
            (with(&|records| records[0].1.source_id = "t".into()), "a source of several incarnations"),
            (with(&|records| records[0].1.source_id = "u".into()), "does not list"),
        ] {
            fails(&ledger(Some(false)), &records, &sources, wrong);
        }
    }

    #[test]
    fn an_account_has_to_add_up() {
        let records = [record("first", "s", 5), record("second", "t", 5)];
        let short = Source { accounted: Some(19), ..source("s", &[]) };
        fails(&ledger(None), &records, &[short, source("t", &[])], "does not add up");
    }
}
