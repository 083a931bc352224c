//! What is kept in memory of one document of rows: which of them may be parts of transactions with several, what the whole ones come to by
//! entry service, errors and time, and how long each took and what it touched. A document never changes, so a list of millions reads
//! hardly any but those of which it shows something.
//!
//! It takes some twelve bytes a row, four of which are a part of its ID.

use std::sync::Arc;

use hashbrown::HashMap;

use super::durations;
use super::filter::Filter;
use super::joined::tag;
use super::summary::{Group, Names, Summary};
use super::top::{Rank, Sort};
use crate::block::container::{Corrupt, Unzstd};
use crate::block::standing::Standing;
use crate::block::transactions::planes::{self, Planes};
use crate::block::transactions::rows::Rows;
use crate::search::statistics::bucket;

/// Rows are kept apart by the minute in which they began: intervals of a summary are whole minutes, unless they are shorter.
const MINUTE_NS: i64 = 60_000_000_000;
/// Rows that are spread over more minutes than this are not kept apart.
const BINS_MAX: usize = 16;

/// See the module.
pub struct Tally {
    /// By row (`joined::tag`).
    pub tags: Box<[u32]>,
    classes: Box<[Class]>,
    /// By row; of an alias, none.
    class_of: Box<[u16]>,
    durations: Planes,
    /// By row, a bit for each of `services`; none when there are too many of them.
    masks: Option<Planes>,
    services: Box<[Arc<str>]>,
    errors_max: u64,
    records_max: u64,
}

/// Stands for no class.
const ALIAS: u16 = u16::MAX;

/// Transactions of one entry service that began within one minute, and have errors, or have none.
pub struct Class {
    /// When the first and the last one of this minute began, of all classes.
    pub began: (i64, i64),
    pub entry: Arc<str>,
    pub has_errors: bool,
    /// Of the longest one.
    pub duration_max: u64,
    /// Steps of durations, rising, and how many took so long.
    pub steps: Box<[(u16, u16)]>,
}

impl Class {
    /// How many transactions.
    pub fn transactions(&self) -> u64 {
        self.steps.iter().map(|(_, count)| u64::from(*count)).sum()
    }

    fn is_wanted(&self, filter: &Filter) -> bool {
        let (from, to) = filter.times;
        self.began.1 >= from
            && self.began.0 < to
            && filter.errors.is_none_or(|wanted| wanted == self.has_errors)
            && (filter.entries.is_empty() || filter.entries.iter().any(|entry| **entry == *self.entry))
    }

    /// Whether some of them may take from `least` to `most`.
    fn may_take(&self, (least, most): (u64, u64)) -> bool {
        let (first, last) = (durations::step(least), durations::step(most));
        let from = self.steps.partition_point(|(step, _)| usize::from(*step) < first);
        self.duration_max >= least && self.steps.get(from).is_some_and(|(step, _)| usize::from(*step) <= last)
    }
}

impl Tally {
    /// Goes through all rows.
    pub fn of(rows: &Rows<'_>, unzstd: &mut Unzstd) -> Result<Self, Corrupt> {
        let mut tags = vec![0; rows.count()];
        rows.ids()?.fingerprints(|row, fingerprint| tags[row] = tag(fingerprint));
        let standings = rows.standings(unzstd)?;
        let entries = rows.entries(unzstd)?.all();
        if entries.iter().any(|entry| *entry >= rows.services().len() as u64) {
            return Err(Corrupt::Table);
        }
        let times: Vec<i64> = rows.times(unzstd)?.all().into_iter().map(planes::to_time).collect();
        let (durations, errors) = (rows.durations(unzstd)?, rows.errors(unzstd)?.all());
        let all_durations = durations.all();
        let records_max = rows.records(unzstd)?.all().into_iter().max().unwrap_or(0);
        let listed = || (0..rows.count()).filter(|row| !Standing::from_byte(standings[*row]).is_alias());

        let mut minutes: HashMap<i64, (i64, i64)> = HashMap::new();
        for row in listed() {
            let time = times[row];
            let began = minutes.entry(bucket(time, MINUTE_NS)).or_insert((time, time));
            *began = (began.0.min(time), began.1.max(time));
        }
        let is_spread = minutes.len() > BINS_MAX;
        if is_spread {
            let ends = minutes.values().copied().reduce(|left, right| (left.0.min(right.0), left.1.max(right.1)));
            minutes = ends.into_iter().map(|ends| (0, ends)).collect();
        }
        let services: Box<[Arc<str>]> = rows.services().iter().map(|name| Arc::from(name.as_str())).collect();
        let mut numbers: HashMap<(i64, u64, bool), u16> = HashMap::new();
        let mut classes: Vec<Class> = Vec::new();
        let mut steps: Vec<Vec<u16>> = Vec::new();
        let mut class_of = vec![ALIAS; rows.count()];
        for row in listed() {
            let minute = if is_spread { 0 } else { bucket(times[row], MINUTE_NS) };
            let has_errors = errors[row] > 0;
            // There are fewer than there are rows.
            let number = *numbers.entry((minute, entries[row], has_errors)).or_insert_with(|| {
                let entry = Arc::clone(&services[entries[row] as usize]);
                classes.push(Class {
                    began: minutes[&minute],
                    entry,
                    has_errors,
                    duration_max: 0,
                    steps: Box::default(),
                });
                steps.push(Vec::new());
                classes.len() as u16 - 1
            });
            class_of[row] = number;
            let class = &mut classes[usize::from(number)];
            class.duration_max = class.duration_max.max(all_durations[row]);
            steps[usize::from(number)].push(durations::step(all_durations[row]) as u16);
        }
        for (class, mut steps) in classes.iter_mut().zip(steps) {
            steps.sort_unstable();
            let runs = steps.chunk_by(|left, right| left == right);
            class.steps = runs.map(|same| (same[0], same.len() as u16)).collect();
        }
        Ok(Self {
            tags: tags.into(),
            classes: classes.into(),
            class_of: class_of.into(),
            durations,
            masks: rows.masks(unzstd)?,
            services,
            errors_max: errors.into_iter().max().unwrap_or(0),
            records_max,
        })
    }

    /// Bytes of memory.
    pub fn memory_bytes(&self) -> usize {
        let class = |class: &Class| size_of::<Class>() + size_of_val(&class.steps[..]);
        size_of::<Self>()
            + size_of_val(&self.tags[..])
            + size_of_val(&self.class_of[..])
            + self.durations.memory_bytes()
            + self.masks.as_ref().map_or(0, Planes::memory_bytes)
            + self.services.iter().map(|name| size_of::<Arc<str>>() + name.len()).sum::<usize>()
            + self.classes.iter().map(class).sum::<usize>()
    }

    /// Counts what is wanted; false, and nothing, if only the document tells that.
    pub fn count(&self, filter: &Filter, interval_ns: i64, summary: &mut Summary, names: &Names) -> bool {
        let is_told = |class: &Class| {
            let (first, last) = class.began;
            filter.began(first) && filter.began(last) && bucket(first, interval_ns) == bucket(last, interval_ns)
        };
        if !self.classes(filter).all(is_told) {
            return false;
        }
        if filter.services.is_empty() && filter.is_any_duration() {
            self.classes(filter).for_each(|class| summary.add_class(class, names));
            return true;
        }
        let Some(touched) = self.touched(filter) else { return false };
        let (least, most) = filter.durations;
        let is_wanted: Vec<bool> = self.classes.iter().map(|class| class.is_wanted(filter)).collect();
        let mut groups: Vec<Group> = vec![Group::default(); self.classes.len()];
        for (row, duration) in self.durations.all().into_iter().enumerate() {
            let class = usize::from(self.class_of[row]);
            if least <= duration && duration <= most && is_wanted.get(class) == Some(&true) && touched(row) {
                groups[class].add(duration, self.classes[class].has_errors);
            }
        }
        for (class, group) in self.classes.iter().zip(&groups).filter(|(_, group)| group.transactions > 0) {
            summary.add_group(class.began.0, &class.entry, group, names);
        }
        true
    }

    /// Which rows touched a service that is wanted; none if that is not known.
    fn touched(&self, filter: &Filter) -> Option<impl Fn(usize) -> bool> {
        let is_any = filter.services.is_empty();
        let is_wanted = |name: &Arc<str>| filter.services.iter().any(|wanted| **wanted == **name);
        let masks = self.masks.as_ref();
        let wanted = self.services.iter().enumerate().filter(|(_, name)| is_wanted(name));
        let wanted = wanted.fold(0, |all, (service, _)| all | 1u64.checked_shl(service as u32).unwrap_or(0));
        let touched = move |row: usize| is_any || masks.is_some_and(|masks| masks.get(row) & wanted != 0);
        (is_any || masks.is_some()).then_some(touched)
    }

    /// Whether a row may be wanted.
    pub fn may_pass(&self, filter: &Filter) -> bool {
        self.classes(filter).any(|class| class.may_take(filter.durations))
    }

    /// Whether a row that is wanted may have a rank between these, the ends included.
    pub fn may_rank(&self, filter: &Filter, sort: Sort, (lowest, highest): (Rank, Rank)) -> bool {
        self.classes(filter).any(|class| {
            let (first, last) = class.began;
            match sort {
                Sort::Newest => sort.rank(last, 0) >= lowest && sort.rank(first, 0) <= highest,
                Sort::Oldest => sort.rank(first, 0) >= lowest && sort.rank(last, 0) <= highest,
                Sort::Duration => class.may_take((lowest.0, highest.0)),
                Sort::Errors if !class.has_errors => lowest.0 == 0,
                Sort::Errors => sort.rank(last, self.errors_max) >= lowest,
                Sort::Records => sort.rank(last, self.records_max) >= lowest,
            }
        })
    }

    fn classes<'t>(&'t self, filter: &'t Filter) -> impl Iterator<Item = &'t Class> {
        self.classes.iter().filter(|class| class.is_wanted(filter))
    }
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;
    use proptest::prelude::*;

    use super::*;
    use crate::block::container::Reader;
    use crate::block::transactions::share::{Share, Touched};
    use crate::block::transactions::{MAGIC, encode};
    use crate::id::Canonical;

    const SERVICES: [&str; 3] = ["gateway", "shop", "mail"];

    fn share(random: &mut Rng, minutes: i64) -> Share {
        let time_min = random.i64(0..minutes * MINUTE_NS / 1_000_000_000) * 1_000_000_000;
        let duration_bits = random.u8(1..36);
        let touched = |service: &&str| Touched { service: (*service).into(), first: time_min };
        Share {
            time_min,
            time_max: time_min + random.i64(0..1 << duration_bits),
            records: random.u64(1..30),
            errors: if random.u8(..4) == 0 { random.u64(1..4) } else { 0 },
            services: SERVICES[random.usize(..3)..].iter().map(touched).collect(),
            standing: if random.u8(..5) == 0 { Standing::from_byte(0x31) } else { Standing::unknown() },
        }
    }

    fn filter(random: &mut Rng, shares: &[Share]) -> Filter {
        let mut filter = Filter::default();
        let mut any = || &shares[random.usize(..shares.len())];
        let (left, right) = (any().clone(), any().clone());
        if random.bool() {
            filter.times = (left.time_min.min(right.time_min), left.time_min.max(right.time_min) + random.i64(0..2));
        }
        if random.u8(..3) == 0 {
            filter.durations = (left.duration().min(right.duration()), left.duration().max(right.duration()));
        }
        if random.u8(..3) == 0 {
            filter.entries = vec![SERVICES[random.usize(..3)].to_owned(), "unknown".to_owned()];
        }
        if random.u8(..3) == 0 {
            filter.services = vec![SERVICES[random.usize(..3)].to_owned(), "unknown".to_owned()];
        }
        filter.errors = [None, Some(true), Some(false)][random.usize(..3)];
        filter
    }

    proptest! {
        #[test]
        fn a_tally_tells_what_the_rows_tell(seed in any::<u64>(), minutes in 1i64..40, count in 1usize..300) {
            let mut random = Rng::with_seed(seed);
            let shares: Vec<Share> = (0..count).map(|_| share(&mut random, minutes)).collect();
            let ids: Vec<Canonical> = (0..count).map(|_| Canonical::Number(random.u128(..))).collect();
            let rows: Vec<(&Canonical, &Share)> = ids.iter().zip(&shares).collect();
            let mut unzstd = Unzstd::default();
            let encoded = encode(&rows);
            let tally = Tally::of(
                &Rows::of(Reader::open(&encoded, MAGIC).unwrap(), &mut unzstd).unwrap(),
                &mut unzstd,
            ).unwrap();
            let listed: Vec<&Share> = shares.iter().filter(|share| !share.standing.is_alias()).collect();
            for _ in 0..20 {
                let filter = filter(&mut random, &shares);
                let wanted: Vec<&&Share> = listed.iter().filter(|share| filter.passes(share)).collect();
                prop_assert!(wanted.is_empty() || tally.may_pass(&filter));
                for (_, sort) in Sort::NAMES {
                    let rank = |share: &Share| sort.rank(share.time_min, match sort {
                        Sort::Newest | Sort::Oldest | Sort::Duration => share.duration(),
                        Sort::Errors => share.errors,
                        Sort::Records => share.records,
                    });
                    let (left, right) = (&shares[random.usize(..count)], &shares[random.usize(..count)]);
                    let ranks = (rank(left).min(rank(right)), rank(left).max(rank(right)));
                    let is_ranked = wanted.iter().any(|share| (ranks.0..=ranks.1).contains(&rank(share)));
                    prop_assert!(!is_ranked || tally.may_rank(&filter, sort, ranks), "{sort:?} {ranks:?}");
                }
                let interval_ns = [1, 60, 300, 3_600][random.usize(..4)] * 1_000_000_000;
                let names = Names::default();
                let (mut told, mut exact) = (Summary::new(interval_ns), Summary::new(interval_ns));
                if !tally.count(&filter, interval_ns, &mut told, &names) {
                    continue;
                }
                wanted.iter().for_each(|share| exact.add(share, &names));
                prop_assert_eq!(format!("{:?}", told.told(&names)), format!("{:?}", exact.told(&names)));
            }
        }
    }

    #[test]
    fn whole_minutes_are_told_without_rows() {
        let mut random = Rng::with_seed(1);
        let shares: Vec<Share> = (0..4096).map(|_| share(&mut random, 10)).collect();
        let ids: Vec<Canonical> = (0..4096).map(Canonical::Number).collect();
        let rows: Vec<(&Canonical, &Share)> = ids.iter().zip(&shares).collect();
        let (mut unzstd, encoded) = (Unzstd::default(), encode(&rows));
        let rows = Rows::of(Reader::open(&encoded, MAGIC).unwrap(), &mut unzstd).unwrap();
        let tally = Tally::of(&rows, &mut unzstd).unwrap();
        let within = Filter { times: (2 * MINUTE_NS, 7 * MINUTE_NS), errors: Some(true), ..Filter::default() };
        let is_told = |filter: &Filter, interval_ns: i64| {
            tally.count(filter, interval_ns, &mut Summary::new(interval_ns), &Names::default())
        };
        assert!(is_told(&within, MINUTE_NS));
        assert!(is_told(
            &Filter { services: vec!["mail".into()], durations: (9, 99_999), ..within.clone() },
            MINUTE_NS
        ));
        assert!(!is_told(&within, MINUTE_NS / 2), "a bucket ends within a minute");
        let between = Filter { times: (MINUTE_NS / 2, i64::MAX), ..Filter::default() };
        assert!(!is_told(&between, MINUTE_NS), "the time begins within a minute");
    }
}
