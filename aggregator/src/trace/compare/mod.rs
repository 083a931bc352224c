//! One transaction against others with the same entry service: what is missing, new, slow, or more than usual.
//!
//! **A statement stands on counts that are told with it**, and is made only where they carry it: enough others, and a value
//! beyond what these show as their own spread. No statement repeats another: of a service that is missing no template is
//! missing, too.
//!
//! | file | what it is |
//! | --- | --- |
//! | `profile` | what a transaction came to |
//! | `usual` | what others have of something, and whether that explains a value |
//!
//! `fleet_test` plants faults in simulated fleets.

pub mod profile;
mod usual;

use std::cmp::Ordering;
use std::collections::BTreeSet;

use self::profile::{Count, Profile, Service};
use self::usual::Usual;
use crate::words::duration;

/// Fewer others say nothing of what is usual.
pub const OTHERS_MIN: usize = 10;
/// Fewer times of two services that follow each other say nothing of how long their silence may be.
const SILENCES_MIN: usize = 20;
/// Among fewer others what is rare may well not have come up.
const OTHERS_FOR_NEW_MIN: usize = 30;
/// What so many of a hundred have is missed where it is missing.
const USUAL_PERCENT: usize = 95;
/// What more than so many of a hundred have is not new.
const NEW_PERCENT_MAX: usize = 1;
/// More records or errors are at least so many times what half of the others have.
const MORE_TIMES_MIN: f64 = 2.0;
/// And at least so many records more.
const MORE_RECORDS_MIN: u64 = 10;
/// So many findings are told, the most telling ones.
pub const FINDINGS_MAX: usize = 50;

/// What is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    MissingService,
    NewService,
    MissingTemplate,
    NewTemplate,
    Slow,
    SlowSilence,
    MoreErrors,
    MoreRecords,
}

/// A difference, and what justifies it.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    pub kind: Kind,
    /// The service; of a silence, the one that was heard before it.
    pub service: String,
    /// Of a silence, the service that was heard behind it.
    pub to: Option<String>,
    pub template: Option<String>,
    /// All of it as a sentence.
    pub text: String,
    /// The value here: nanoseconds of [`Kind::Slow`] and [`Kind::SlowSilence`], else a number of records or errors; none where it
    /// is missing.
    pub here: Option<u64>,
    /// Half of the others have no more.
    pub p50: Option<u64>,
    /// 95 of 100 others have no more.
    pub p95: Option<u64>,
    /// How many of the others have it.
    pub seen_in: usize,
    /// How many others were looked at.
    pub of: usize,
}

/// What distinguishes `here` from `others`, the most telling first. Nothing when there are too few others.
pub fn of(here: &Profile, others: &[Profile]) -> Vec<Finding> {
    if others.len() < OTHERS_MIN {
        return Vec::new();
    }
    let comparison = Comparison { here, others };
    let mut ranked = Vec::new();
    comparison.services(&mut ranked);
    comparison.templates(&mut ranked);
    comparison.silences(&mut ranked);
    ranked.sort_by(|left, right| left.rank.cmp(&right.rank));
    ranked.truncate(FINDINGS_MAX);
    ranked.into_iter().map(|ranked| ranked.finding).collect()
}

/// How telling a finding is: first by what it tells, then by where it was first, then by how far it is from what is usual.
#[derive(Clone, Copy, Debug)]
struct Rank {
    class: Class,
    place: usize,
    /// The greater, the more it tells.
    surprise: f64,
}

/// An error tells why; what is missing or slow tells where; the rest may follow from either.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Error,
    MissingService,
    Slow,
    NewService,
    MissingTemplate,
    NewTemplate,
    MoreRecords,
}

impl Rank {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_class = self.class.cmp(&other.class).then(self.place.cmp(&other.place));
        by_class.then(other.surprise.total_cmp(&self.surprise))
    }
}

struct Ranked {
    rank: Rank,
    finding: Finding,
}

struct Comparison<'a> {
    here: &'a Profile,
    others: &'a [Profile],
}

impl Comparison<'_> {
    fn services(&self, out: &mut Vec<Ranked>) {
        let names: BTreeSet<&String> = self.profiles().flat_map(|profile| profile.services.keys()).collect();
        for name in names {
            let there: Vec<&Service> = self.others.iter().filter_map(|other| other.services.get(name)).collect();
            let (seen_in, of) = (there.len(), self.others.len());
            let finding = |kind, text, here| Finding { seen_in, of, ..told(kind, name, text, here) };
            match self.here.services.get(name) {
                None if is_usual(seen_in, of) => {
                    let text = format!("{name} is missing: {seen_in} of {of} others have it");
                    let rank = Rank { class: Class::MissingService, place: 0, surprise: seen_in as f64 };
                    out.push(Ranked { rank, finding: finding(Kind::MissingService, text, None) });
                }
                None => {}
                Some(service) => {
                    self.errors(name, service, &there, out);
                    if is_new(seen_in, of) {
                        let text = format!("{name} is new: {} others have it", of_all(seen_in, of));
                        let rank = Rank { class: Class::NewService, place: 0, surprise: service.records as f64 };
                        out.push(Ranked { rank, finding: finding(Kind::NewService, text, Some(service.records)) });
                    } else if seen_in >= OTHERS_MIN {
                        self.slow(name, service, &there, out);
                        self.records(name, service, &there, out);
                    }
                }
            }
        }
    }

    fn profiles(&self) -> impl Iterator<Item = &Profile> {
        std::iter::once(self.here).chain(self.others)
    }

    /// Errors count in all of the others: a service that is not there has none.
    fn errors(&self, name: &str, here: &Service, there: &[&Service], out: &mut Vec<Ranked>) {
        let of = self.others.len();
        let mut errors: Vec<u64> = there.iter().map(|service| service.errors).collect();
        errors.resize(of, 0);
        let usual = Usual::of(errors);
        let seen_in = there.iter().filter(|service| service.errors > 0).count();
        // Where errors are rare each one tells; where they are not, only many do.
        let is_rare = is_new(seen_in, of) && here.errors > 0;
        if !is_rare && !usual.is_beyond(here.errors, 1, MORE_TIMES_MIN) {
            return;
        }
        let text = format!(
            "{name} has {} here; {} others have any{}",
            count(here.errors, "error"),
            of_all(seen_in, of),
            if seen_in > 0 {
                format!(", half have up to {}, 95 % up to {}", usual.p50, usual.p95)
            } else {
                String::new()
            }
        );
        let place = here.first_error.unwrap_or(usize::MAX);
        // A new template of that service says more, and comes first.
        let rank = Rank { class: Class::Error, place, surprise: 0.0 };
        let finding = Finding { seen_in, of, ..told(Kind::MoreErrors, name, text, Some(here.errors)) };
        out.push(Ranked { rank, finding: usual.justify(finding) });
    }

    fn slow(&self, name: &str, here: &Service, there: &[&Service], out: &mut Vec<Ranked>) {
        let usual = Usual::of(there.iter().map(|service| service.duration_ns).collect());
        if usual.is_slow(here.duration_ns, self.here.duration_ns) {
            let text =
                format!("{name} took {} here; {}", duration(here.duration_ns), usual.durations(there.len(), "took"));
            let finding = told(Kind::Slow, name, text, Some(here.duration_ns));
            let finding = Finding { seen_in: there.len(), of: self.others.len(), ..usual.justify(finding) };
            out.push(Ranked { rank: usual.slow_rank(here.duration_ns), finding });
        }
    }

    fn records(&self, name: &str, here: &Service, there: &[&Service], out: &mut Vec<Ranked>) {
        let usual = Usual::of(there.iter().map(|service| service.records).collect());
        if usual.is_beyond(here.records, 1, MORE_TIMES_MIN) && here.records - usual.p50 >= MORE_RECORDS_MIN {
            let text = format!(
                "{name} wrote {} here; of {} others half wrote up to {}, and 95 % up to {}",
                count(here.records, "record"),
                there.len(),
                usual.p50,
                usual.p95
            );
            let surprise = here.records as f64 / usual.p50.max(1) as f64;
            let finding = told(Kind::MoreRecords, name, text, Some(here.records));
            let finding = Finding { seen_in: there.len(), of: self.others.len(), ..usual.justify(finding) };
            out.push(Ranked { rank: Rank { class: Class::MoreRecords, place: 0, surprise }, finding });
        }
    }

    fn templates(&self, out: &mut Vec<Ranked>) {
        let keys: BTreeSet<&(String, String)> = self.profiles().flat_map(|profile| profile.templates.keys()).collect();
        for key in keys {
            let (service, template) = key;
            // Of a service that is missing, or new, everything is.
            let Some(here_service) = self.here.services.get(service) else { continue };
            // Only those can have it that have the service.
            let of = self.others.iter().filter(|other| other.services.contains_key(service)).count();
            let there = self.others.iter().filter_map(|other| other.templates.get(key));
            let counts: Vec<u64> = there.map(|count| count.records).collect();
            let seen_in = counts.len();
            let here = self.here.templates.get(key).copied();
            // Of a service that few others have, only an error is worth a word.
            let is_new_error = |count: Count| count.errors > 0 && is_new(seen_in, self.others.len());
            let (class, kind, place, text) = match here {
                None if is_usual(seen_in, of) => {
                    let text = format!("{service} did not write \"{template}\": in {seen_in} of {of} others it did");
                    (Class::MissingTemplate, Kind::MissingTemplate, 0, text)
                }
                Some(count) if is_new(seen_in, of) || is_new_error(count) => {
                    let (class, place) = match count.errors {
                        0 => (Class::NewTemplate, 0),
                        _ => (Class::Error, here_service.first_error.unwrap_or(usize::MAX)),
                    };
                    let what = if count.errors > 0 { "an error that is new" } else { "what is new" };
                    let times = if count.records > 1 { format!(", {} times", count.records) } else { String::new() };
                    let text =
                        format!("{service} wrote {what}: \"{template}\"{times}; {} others did", of_all(seen_in, of));
                    (class, Kind::NewTemplate, place, text)
                }
                _ => continue,
            };
            let surprise = if here.is_some() { (of - seen_in) as f64 + 1.0 } else { seen_in as f64 };
            let finding = told(kind, service, text, here.map(|count| count.records));
            let finding = Finding { template: Some(template.clone()), seen_in, of, ..finding };
            let finding = if seen_in > 0 { Usual::of(counts).justify(finding) } else { finding };
            out.push(Ranked { rank: Rank { class, place, surprise }, finding });
        }
    }

    fn silences(&self, out: &mut Vec<Ranked>) {
        let longest = |other: &Profile| other.silences_ns.values().copied().max().unwrap_or(0);
        for (pair @ (from, to), here) in &self.here.silences_ns {
            let there: Vec<u64> = self.others.iter().filter_map(|other| other.silences_ns.get(pair)).copied().collect();
            let seen_in = there.len();
            // Services that seldom follow each other are compared with all the silences there were.
            let is_known = seen_in >= SILENCES_MIN;
            let compared = if is_known { there } else { self.others.iter().map(longest).collect() };
            let number = compared.len();
            let usual = Usual::of(compared);
            if !usual.is_slow(*here, self.here.duration_ns) {
                continue;
            }
            let place = if from == to { format!("within {from}") } else { format!("between {from} and {to}") };
            let others =
                if is_known { usual.durations(number, "had") } else { usual.durations(number, "had anywhere") };
            let text = format!("{} of silence {place}; {others}", duration(*here));
            let finding = told(Kind::SlowSilence, from, text, Some(*here));
            let finding = Finding { to: Some(to.clone()), seen_in, of: self.others.len(), ..usual.justify(finding) };
            out.push(Ranked { rank: usual.slow_rank(*here), finding });
        }
    }
}

fn told(kind: Kind, service: &str, text: String, here: Option<u64>) -> Finding {
    let service = service.to_owned();
    Finding { kind, service, to: None, template: None, text, here, p50: None, p95: None, seen_in: 0, of: 0 }
}

fn is_usual(seen_in: usize, of: usize) -> bool {
    of >= OTHERS_MIN && seen_in * 100 >= of * USUAL_PERCENT
}

fn is_new(seen_in: usize, of: usize) -> bool {
    of >= OTHERS_FOR_NEW_MIN && seen_in * 100 <= of * NEW_PERCENT_MAX
}

fn of_all(seen_in: usize, of: usize) -> String {
    if seen_in == 0 { format!("none of {of}") } else { format!("{seen_in} of {of}") }
}

fn count(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod fleet_test;
