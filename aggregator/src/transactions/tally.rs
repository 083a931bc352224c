//! What one document of rows comes to, without the rows: which of them may be parts of transactions with several, and what the whole ones
//! come to by entry service, errors and time. A document never changes, so a list of millions that asks for nothing else needs no rows but
//! those that it shows.
//!
//! It takes some six bytes a row, four of which are a part of its ID.

use std::sync::Arc;

use hashbrown::HashMap;

use super::durations;
use super::filter::Filter;
use super::joined::tag;
use super::top::{Rank, Sort};
use crate::block::container::{Corrupt, Unzstd};
use crate::block::standing::Standing;
use crate::block::transactions::planes;
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
    bins: Box<[Bin]>,
    errors_max: u64,
    records_max: u64,
}

/// Transactions that began within one minute.
struct Bin {
    /// When the first and the last of them began.
    began: (i64, i64),
    classes: Box<[Class]>,
}

/// Those of one entry service that have errors, or have none.
pub struct Class {
    pub entry: Arc<str>,
    pub has_errors: bool,
    /// Of the longest one.
    pub duration_max: u64,
    /// Steps of durations, rising, and how many took so long.
    pub steps: Box<[(u16, u16)]>,
}

/// A class while it is filled.
#[derive(Default)]
struct Filling {
    duration_max: u64,
    steps: Vec<u16>,
}

impl Class {
    /// How many transactions.
    pub fn transactions(&self) -> u64 {
        self.steps.iter().map(|(_, count)| u64::from(*count)).sum()
    }

    fn is_wanted(&self, filter: &Filter) -> bool {
        filter.errors.is_none_or(|wanted| wanted == self.has_errors)
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
        let (durations, errors) = (rows.durations(unzstd)?.all(), rows.errors(unzstd)?.all());
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
        let mut classes: HashMap<(i64, u64, bool), Filling> = HashMap::new();
        for row in listed() {
            let minute = if is_spread { 0 } else { bucket(times[row], MINUTE_NS) };
            let class = classes.entry((minute, entries[row], errors[row] > 0)).or_default();
            class.duration_max = class.duration_max.max(durations[row]);
            class.steps.push(durations::step(durations[row]) as u16);
        }
        let names: Vec<Arc<str>> = rows.services().iter().map(|name| Arc::from(name.as_str())).collect();
        let mut bins: HashMap<i64, Vec<Class>> = HashMap::new();
        for ((minute, entry, has_errors), filling) in classes {
            let entry = Arc::clone(&names[entry as usize]);
            bins.entry(minute).or_default().push(filling.class(entry, has_errors));
        }
        let bins = bins.into_iter().map(|(minute, classes)| Bin { began: minutes[&minute], classes: classes.into() });
        Ok(Self {
            tags: tags.into(),
            bins: bins.collect(),
            errors_max: errors.into_iter().max().unwrap_or(0),
            records_max,
        })
    }

    /// Bytes of memory.
    pub fn memory_bytes(&self) -> usize {
        let class = |class: &Class| size_of::<Class>() + size_of_val(&class.steps[..]) + class.entry.len();
        let bin = |bin: &Bin| size_of::<Bin>() + bin.classes.iter().map(class).sum::<usize>();
        size_of::<Self>() + size_of_val(&self.tags[..]) + self.bins.iter().map(bin).sum::<usize>()
    }

    /// The classes of what is wanted, each with a time within the bucket in which all of it began; none if only rows tell that.
    pub fn wanted<'t>(
        &'t self,
        filter: &'t Filter,
        interval_ns: i64,
    ) -> Option<impl Iterator<Item = (i64, &'t Class)>> {
        let is_told = |bin: &Bin| {
            let (first, last) = bin.began;
            !bin.may_begin(filter.times)
                || filter.began(first) && filter.began(last) && bucket(first, interval_ns) == bucket(last, interval_ns)
        };
        let is_told = filter.services.is_empty() && filter.is_any_duration() && self.bins.iter().all(is_told);
        is_told.then(|| self.classes(filter).map(|(bin, class)| (bin.began.0, class)))
    }

    /// Whether a row may be wanted.
    pub fn may_pass(&self, filter: &Filter) -> bool {
        self.classes(filter).any(|(_, class)| class.may_take(filter.durations))
    }

    /// Whether a row that is wanted may have a rank between these, the ends included.
    pub fn may_rank(&self, filter: &Filter, sort: Sort, (lowest, highest): (Rank, Rank)) -> bool {
        self.classes(filter).any(|(bin, class)| {
            let (first, last) = bin.began;
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

    fn classes<'t>(&'t self, filter: &'t Filter) -> impl Iterator<Item = (&'t Bin, &'t Class)> {
        let bins = self.bins.iter().filter(|bin| bin.may_begin(filter.times));
        bins.flat_map(|bin| bin.classes.iter().map(move |class| (bin, class)))
            .filter(|(_, class)| class.is_wanted(filter))
    }
}

impl Bin {
    /// Whether one may have begun from the first to before the second time.
    fn may_begin(&self, (from, to): (i64, i64)) -> bool {
        self.began.1 >= from && self.began.0 < to
    }
}

impl Filling {
    fn class(mut self, entry: Arc<str>, has_errors: bool) -> Class {
        self.steps.sort_unstable();
        let steps = self.steps.chunk_by(|left, right| left == right).map(|same| (same[0], same.len() as u16));
        Class { entry, has_errors, duration_max: self.duration_max, steps: steps.collect() }
    }
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;
    use proptest::prelude::*;

    use super::super::summary::{Names, Summary};
    use super::*;
    use crate::block::container::Reader;
    use crate::block::transactions::share::{Share, Touched};
    use crate::block::transactions::{MAGIC, encode};
    use crate::id::Canonical;

    const SERVICES: [&str; 3] = ["gateway", "shop", "mail"];

    fn share(random: &mut Rng, minutes: i64) -> Share {
        let time_min = random.i64(0..minutes * MINUTE_NS / 1_000_000_000) * 1_000_000_000;
        let duration_bits = random.u8(1..36);
        Share {
            time_min,
            time_max: time_min + random.i64(0..1 << duration_bits),
            records: random.u64(1..30),
            errors: if random.u8(..4) == 0 { random.u64(1..4) } else { 0 },
            services: vec![Touched { service: SERVICES[random.usize(..3)].into(), first: time_min }],
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
                let Some(classes) = tally.wanted(&filter, interval_ns) else { continue };
                let names = Names::default();
                let (mut told, mut exact) = (Summary::new(interval_ns), Summary::new(interval_ns));
                classes.for_each(|(time, class)| told.add_class(time, class, &names));
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
        assert!(tally.wanted(&within, MINUTE_NS).is_some());
        assert!(tally.wanted(&within, MINUTE_NS / 2).is_none(), "a bucket ends within a minute");
        let between = Filter { times: (MINUTE_NS / 2, i64::MAX), ..Filter::default() };
        assert!(tally.wanted(&between, MINUTE_NS).is_none(), "the time begins within a minute");
    }
}
