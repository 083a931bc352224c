//! One transaction against others with the same entry service: what is missing, new, slow, or more than usual.
//!
//! **A statement stands on counts that are told with it**, and is made only where they carry it: enough others, and a value
//! beyond what these show as their own spread. No statement repeats another: of a service that is missing no template is
//! missing, too.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::lanes::Event;

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
/// What is slower by less is not slow, whatever the others took.
const SLOWER_NS_MIN: u64 = 100_000_000;
/// Nor what is slower by less than this part of the whole: 1/10.
const SLOWER_PART: u64 = 10;
/// Slow is at least so many times what half of the others take.
const SLOWER_TIMES_MIN: f64 = 3.0;
/// More records or errors are at least so many times what half of the others have.
const MORE_TIMES_MIN: f64 = 2.0;
/// Nor is it much when there are fewer records more.
const MORE_RECORDS_MIN: u64 = 10;
/// So many findings are told, the most telling ones.
pub const FINDINGS_MAX: usize = 50;

/// What a transaction came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// From the first record to the last.
    pub duration_ns: u64,
    /// By service.
    pub services: BTreeMap<String, Service>,
    /// By service and template.
    pub templates: BTreeMap<(String, String), Count>,
    /// The longest silence between a record of the one service and a following one of the other (or the same) one.
    pub silences_ns: BTreeMap<(String, String), u64>,
}

/// What a service did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Service {
    pub records: u64,
    pub errors: u64,
    /// From its first record to its last.
    pub duration_ns: u64,
    /// Where its first error stands among the records of the transaction.
    pub first_error: Option<usize>,
}

/// Records of one template.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    pub records: u64,
    pub errors: u64,
}

impl Profile {
    /// Of records in order; `text` says what a template is.
    pub fn of<'t>(events: &[Event<'_>], text: impl Fn(u32) -> &'t str) -> Self {
        let mut profile = Self::default();
        let mut times: HashMap<&str, (i64, i64), FixedState> = HashMap::default();
        let mut templates: HashMap<(&str, u32), Count, FixedState> = HashMap::default();
        for (index, event) in events.iter().enumerate() {
            let (first, last) = times.entry(event.service).or_insert((event.at_ns, event.at_ns));
            (*first, *last) = ((*first).min(event.at_ns), (*last).max(event.at_ns));
            let service = match profile.services.get_mut(event.service) {
                Some(service) => service,
                None => profile.services.entry(event.service.to_owned()).or_default(),
            };
            let count = templates.entry((event.service, event.template)).or_default();
            service.records += 1;
            count.records += 1;
            if event.is_error() {
                service.errors += 1;
                service.first_error = service.first_error.or(Some(index));
                count.errors += 1;
            }
        }
        for (name, (first, last)) in &times {
            profile.services.entry((*name).to_owned()).or_default().duration_ns = last.abs_diff(*first);
        }
        let first = times.values().map(|(first, _)| *first).min().unwrap_or(0);
        let last = times.values().map(|(_, last)| *last).max().unwrap_or(0);
        profile.duration_ns = last.abs_diff(first);
        for ((service, template), count) in templates {
            // Two templates may say the same.
            let all = profile.templates.entry((service.to_owned(), text(template).to_owned())).or_default();
            (all.records, all.errors) = (all.records + count.records, all.errors + count.errors);
        }
        profile.silences_ns = silences(events);
        profile
    }
}

fn silences(events: &[Event<'_>]) -> BTreeMap<(String, String), u64> {
    let mut longest: HashMap<(&str, &str), u64, FixedState> = HashMap::default();
    for pair in events.windows(2) {
        let silence = longest.entry((pair[0].service, pair[1].service)).or_default();
        let gap = pair[1].at_ns.saturating_sub(pair[0].at_ns).max(0);
        *silence = (*silence).max(gap.unsigned_abs());
    }
    longest.into_iter().map(|((from, to), ns)| ((from.to_owned(), to.to_owned()), ns)).collect()
}

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

/// What others have of something.
struct Usual {
    p50: u64,
    p95: u64,
    p99: u64,
}

impl Usual {
    /// Of at least one value.
    fn of(mut values: Vec<u64>) -> Self {
        values.sort_unstable();
        let rank = |percent: usize| values[(values.len() * percent).div_ceil(100).max(1) - 1];
        Self { p50: rank(50), p95: rank(95), p99: rank(99) }
    }

    /// Whether the spread of the others does not explain `here`: by ratio it is as far beyond nearly all of them as 95 of 100
    /// are from the median. `least` stands for less.
    fn is_beyond(&self, here: u64, least: u64, times_min: f64) -> bool {
        let p50 = self.p50.max(least) as f64;
        let spread = (self.p95 as f64 / p50).max(1.0);
        here as f64 > (self.p99 as f64 * spread).max(p50 * times_min)
    }

    /// In a transaction that took `whole_ns`.
    fn is_slow(&self, here_ns: u64, whole_ns: u64) -> bool {
        // Of what takes a millisecond or less the spread is chance.
        self.is_beyond(here_ns, 1_000_000, SLOWER_TIMES_MIN)
            && here_ns - self.p50 >= SLOWER_NS_MIN.max(whole_ns / SLOWER_PART)
    }

    /// What is slow makes slow whoever waits for it, by the same time, but by a smaller part of theirs.
    fn slow_rank(&self, here_ns: u64) -> Rank {
        Rank { class: Class::Slow, place: 0, surprise: here_ns as f64 / self.p50.max(1_000_000) as f64 }
    }

    fn justify(&self, finding: Finding) -> Finding {
        Finding { p50: Some(self.p50), p95: Some(self.p95), ..finding }
    }

    fn durations(&self, number: usize, verb: &str) -> String {
        let (p50, p95) = (duration(self.p50), duration(self.p95));
        format!("of {number} others half {verb} up to {p50}, and 95 % up to {p95}")
    }
}

fn of_all(seen_in: usize, of: usize) -> String {
    if seen_in == 0 { format!("none of {of}") } else { format!("{seen_in} of {of}") }
}

fn count(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// `1.9 s`, `120 ms`.
fn duration(ns: u64) -> String {
    match ns {
        0..10_000 => format!("{:.1} us", ns as f64 / 1e3),
        10_000..1_000_000 => format!("{} us", ns / 1_000),
        1_000_000..10_000_000 => format!("{:.1} ms", ns as f64 / 1e6),
        10_000_000..1_000_000_000 => format!("{} ms", ns / 1_000_000),
        1_000_000_000..120_000_000_000 => format!("{:.1} s", ns as f64 / 1e9),
        120_000_000_000..7_200_000_000_000 => format!("{} min", ns / 60_000_000_000),
        _ => format!("{:.1} h", ns as f64 / 3.6e12),
    }
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;

    use super::*;

    const MS: u64 = 1_000_000;
    /// The innermost first: each waits for the one before it.
    const SERVICES: [&str; 6] = ["inventory", "mailer", "payments", "cart", "checkout", "gateway"];

    /// About as a logarithmic normal distribution: most within half and twice the median, a few at four times.
    fn about(rng: &mut Rng, median_ns: u64) -> u64 {
        let normal = (0..12).map(|_| rng.f64()).sum::<f64>() - 6.0;
        (median_ns as f64 * (0.5 * normal).exp()) as u64
    }

    /// A checkout that went as they mostly go.
    fn normal(rng: &mut Rng) -> Profile {
        let mut profile = Profile::default();
        for name in SERVICES {
            // Caches make a service unnecessary now and then.
            if name == "inventory" && rng.u32(0..100) < 30 {
                continue;
            }
            profile.duration_ns += about(rng, 60 * MS);
            let mut service = Service { duration_ns: profile.duration_ns, ..Service::default() };
            // Always; mostly; often; seldom.
            for (template, percent) in
                [("started", 100), ("done in <*>", 100), ("cache miss for <*>", 60), ("lock was busy", 15)]
            {
                if rng.u32(0..100) < percent {
                    let records = 1 + u64::from(rng.u32(0..3));
                    let key = (name.to_owned(), template.to_owned());
                    profile.templates.insert(key, Count { records, errors: 0 });
                    service.records += records;
                }
            }
            profile.services.insert(name.into(), service);
            for to in SERVICES {
                if rng.u32(0..100) < 40 {
                    profile.silences_ns.insert((name.into(), to.into()), about(rng, 30 * MS));
                }
            }
        }
        profile
    }

    fn fleet(seed: u64) -> (Profile, Vec<Profile>) {
        let mut rng = Rng::with_seed(seed);
        let others = 30 + rng.usize(0..171);
        (normal(&mut rng), (0..others).map(|_| normal(&mut rng)).collect())
    }

    #[test]
    fn a_normal_transaction_has_no_findings() {
        let (mut with_findings, seeds) = (Vec::new(), 300);
        for seed in 0..seeds {
            let (here, others) = fleet(seed);
            let findings = of(&here, &others);
            if !findings.is_empty() {
                with_findings.push((seed, findings));
            }
        }
        assert!(with_findings.len() as u64 * 100 <= seeds, "{} of {seeds}: {with_findings:#?}", with_findings.len());
    }

    /// Plants a fault, in many fleets; it must be told, and first but for what the same transaction had without it: among so many
    /// some are odd by chance.
    fn first(plant: impl Fn(&mut Profile), is_it: impl Fn(&Finding) -> bool) {
        for seed in 0..60 {
            let (mut here, others) = fleet(seed);
            let before = of(&here, &others);
            plant(&mut here);
            let mut findings = of(&here, &others);
            findings.retain(|finding| !before.contains(finding));
            assert!(findings.first().is_some_and(&is_it), "seed {seed}: {findings:#?}");
        }
    }

    fn forget(profile: &mut Profile, name: &str) {
        profile.services.remove(name);
        profile.templates.retain(|(service, _), _| service != name);
        profile.silences_ns.retain(|(from, to), _| from != name && to != name);
    }

    #[test]
    fn a_missing_service() {
        first(
            |here| forget(here, "mailer"),
            |finding| finding.kind == Kind::MissingService && finding.service == "mailer",
        );
        let (mut here, others) = fleet(7);
        forget(&mut here, "mailer");
        let finding = &of(&here, &others)[0];
        assert_eq!((finding.here, finding.seen_in, finding.of), (None, others.len(), others.len()));
        assert_eq!(finding.text, format!("mailer is missing: {0} of {0} others have it", others.len()));
    }

    #[test]
    fn a_new_service_and_what_it_wrote_is_one_finding() {
        let plant = |here: &mut Profile| {
            here.services.insert("fraud".into(), Service { records: 1, ..Service::default() });
            here.templates.insert(("fraud".into(), "checked".into()), Count { records: 1, errors: 0 });
        };
        first(plant, |finding| finding.kind == Kind::NewService && finding.service == "fraud");
        let (mut here, others) = fleet(7);
        plant(&mut here);
        assert_eq!(of(&here, &others).len(), 1);
    }

    #[test]
    fn a_missing_and_a_new_line() {
        let key = || ("checkout".to_owned(), "done in <*>".to_owned());
        first(
            |here| assert!(here.templates.remove(&key()).is_some()),
            |finding| finding.kind == Kind::MissingTemplate && finding.service == "checkout",
        );
        first(
            |here| {
                here.templates.insert(("cart".into(), "fell back".into()), Count { records: 2, errors: 0 });
            },
            |finding| finding.kind == Kind::NewTemplate && finding.template.as_deref() == Some("fell back"),
        );
    }

    #[test]
    fn a_slow_service_is_told_before_those_that_wait_for_it() {
        let plant = |here: &mut Profile| {
            for name in ["gateway", "checkout", "cart", "payments"] {
                if let Some(service) = here.services.get_mut(name) {
                    service.duration_ns += 5_000 * MS;
                }
            }
        };
        first(plant, |finding| finding.kind == Kind::Slow && finding.service == "payments");
        let (mut here, others) = fleet(7);
        plant(&mut here);
        let finding = &of(&here, &others)[0];
        assert!(finding.p50.unwrap() < 200 * MS && finding.here.unwrap() > 5_000 * MS, "{finding:?}");
        assert!(
            finding.text.starts_with("payments took 5.") && finding.text.contains("others half took up to"),
            "{finding:?}"
        );
    }

    #[test]
    fn a_silence() {
        let plant = |pair: (&str, &str)| {
            let pair = (pair.0.to_owned(), pair.1.to_owned());
            move |here: &mut Profile| {
                here.silences_ns.insert(pair.clone(), 1_800 * MS);
            }
        };
        let is_it = |finding: &Finding| finding.kind == Kind::SlowSilence && finding.here == Some(1_800 * MS);
        first(plant(("gateway", "payments")), is_it);
        // Two that were never seen to follow each other.
        first(plant(("mailer", "billing")), is_it);
    }

    #[test]
    fn the_first_error_is_told_first() {
        let plant = |here: &mut Profile| {
            for (name, place) in [("gateway", 30), ("checkout", 20), ("payments", 10)] {
                let service = here.services.get_mut(name).unwrap();
                (service.errors, service.first_error) = (1, Some(place));
                let key = (name.to_owned(), format!("{name} failed"));
                here.templates.insert(key, Count { records: 1, errors: 1 });
            }
            forget(here, "mailer");
        };
        let is_it = |finding: &Finding| finding.kind == Kind::NewTemplate && finding.service == "payments";
        first(plant, is_it);
        let (mut here, others) = fleet(7);
        plant(&mut here);
        let kinds: Vec<_> = of(&here, &others).iter().map(|finding| (finding.kind, finding.service.clone())).collect();
        assert_eq!(kinds[1], (Kind::MoreErrors, "payments".into()));
        assert_eq!(kinds.last(), Some(&(Kind::MissingService, "mailer".into())));
    }

    #[test]
    fn a_storm_of_retries() {
        first(
            |here| here.services.get_mut("cart").unwrap().records += 60,
            |finding| finding.kind == Kind::MoreRecords && finding.service == "cart" && finding.here > Some(60),
        );
    }

    #[test]
    fn few_others_say_nothing() {
        let (mut here, others) = fleet(7);
        forget(&mut here, "mailer");
        assert!(of(&here, &others[..OTHERS_MIN - 1]).is_empty());
        assert_eq!(of(&here, &others[..OTHERS_MIN]).len(), 1);
        assert!(of(&here, &[]).is_empty());
    }

    #[test]
    fn a_profile_of_records() {
        let event =
            |service, at_ns, severity, template| Event { service, at_ns, severity, template, ..Event::default() };
        let events = [
            event("gateway", 0, 3, 0),
            event("cart", 10, 3, 1),
            event("cart", 40, 6, 1),
            event("gateway", 90, 3, 2),
            event("gateway", 70, 3, 0),
        ];
        let profile = Profile::of(&events, |template| ["request", "loaded", "request"][template as usize]);
        assert_eq!(profile.duration_ns, 90);
        assert_eq!(profile.services["cart"], Service { records: 2, errors: 1, duration_ns: 30, first_error: Some(2) });
        assert_eq!(profile.services["gateway"].duration_ns, 90);
        let count = |service: &str, template: &str| profile.templates[&(service.to_owned(), template.to_owned())];
        assert_eq!(count("gateway", "request"), Count { records: 3, errors: 0 });
        assert_eq!(count("cart", "loaded"), Count { records: 2, errors: 1 });
        let silence = |from: &str, to: &str| profile.silences_ns[&(from.to_owned(), to.to_owned())];
        assert_eq!((silence("cart", "cart"), silence("cart", "gateway"), silence("gateway", "gateway")), (30, 50, 0));
        assert_eq!(Profile::of(&[], |_| ""), Profile::default());
    }

    #[test]
    fn durations_as_they_are_told() {
        for (ns, text) in [
            (0, "0.0 us"),
            (1_500_000, "1.5 ms"),
            (120_000_000, "120 ms"),
            (1_900_000_000, "1.9 s"),
            (180_000_000_000, "3 min"),
        ] {
            assert_eq!(duration(ns), text);
        }
    }
}
