//! Numbers in what was found, by groups and by time: counts, sums, percentiles, how many different values.

use std::hash::Hash;

use datasketches::hll::{HllType, HllUnion};
use hashbrown::HashMap;
use sketches_ddsketch::{Config, DDSketch};

use super::candidates::Candidate;
use super::scan::{Collector, Found};
use crate::block::container::Corrupt;
use crate::index::find::FindError;
use crate::query::dimension::Dimension;

/// So many groups are told apart; records of further ones are counted as left out.
pub const GROUPS_MAX: usize = 10_000;
/// Percentiles are right within this fraction of their value.
pub const PERCENTILE_ERROR: f64 = 0.01;
/// Bins of a percentile sketch: from a nanosecond to an hour takes some 1,400.
const SKETCH_BINS_MAX: u32 = 2_048;
const SKETCH_VALUE_MIN: f64 = 1e-9;
/// 2^12 registers: different values are estimated within some two percent; few are counted exactly.
const DISTINCT_LG_K: u8 = 12;

/// What is asked for.
pub struct Asked {
    /// Of which number; without one, records alone are counted.
    pub field: Option<Dimension>,
    /// Whose different values are counted.
    pub distinct: Option<Dimension>,
    pub by: Vec<Dimension>,
    /// Width of a time bucket, nanoseconds.
    pub interval_ns: Option<i64>,
    /// Whether percentiles are wanted.
    pub percentiles: bool,
}

/// A group: its bucket of time, if there are any, and its values; None where the record has no such field.
pub type GroupKey = (Option<i64>, Vec<Option<Box<[u8]>>>);

/// See the module.
pub struct Statistics {
    asked: Asked,
    pub groups: HashMap<GroupKey, Group, foldhash::fast::RandomState>,
    /// Records whose group came when [`GROUPS_MAX`] were known.
    pub beyond: u64,
}

/// What is known of one group.
#[derive(Default)]
pub struct Group {
    pub records: u64,
    /// Numbers that the field had.
    pub values: u64,
    pub min: f64,
    pub max: f64,
    pub sum: f64,
    sketch: Option<DDSketch>,
    distinct: Option<HllUnion>,
}

impl Statistics {
    pub fn new(asked: Asked) -> Self {
        Self { asked, groups: HashMap::default(), beyond: 0 }
    }

    /// The group of each record that was found, as an index into the groups' keys.
    fn groups_of(&self, block: &Found<'_>) -> Result<(Vec<u32>, Vec<GroupKey>), Corrupt> {
        let records: Vec<usize> = block.found.iter().collect();
        let mut grouping = Grouping { of_record: vec![0; records.len()], keys: vec![(None, Vec::new())] };
        if let Some(interval) = self.asked.interval_ns {
            let times = block.view.times()?;
            grouping.refine(|place| bucket(times[records[place]], interval), |key, bucket| key.0 = Some(*bucket));
        }
        for dimension in &self.asked.by {
            let mut names: HashMap<Vec<u8>, usize, foldhash::fast::RandomState> = HashMap::default();
            let mut of_record: Vec<Option<usize>> = vec![None; records.len()];
            let mut place = 0;
            dimension.each(&block.view, &block.found, |record, value| {
                while records[place] < record {
                    place += 1;
                }
                // The first value of a record is its group.
                if of_record[place].is_none() {
                    let next = names.len();
                    of_record[place] = Some(*names.entry_ref(value).or_insert(next));
                }
            })?;
            let mut values: Vec<Box<[u8]>> = vec![Box::default(); names.len()];
            names.into_iter().for_each(|(name, number)| values[number] = name.into());
            grouping
                .refine(|place| of_record[place], |key, value| key.1.push(value.map(|number| values[number].clone())));
        }
        Ok((grouping.of_record, grouping.keys))
    }
}

/// Groups of one block's records, told apart by one thing after the other. Names are put together once a group, not once a record.
struct Grouping {
    of_record: Vec<u32>,
    keys: Vec<GroupKey>,
}

impl Grouping {
    /// Splits each group by what `value` says of its records; `extend` adds that to the group's key.
    fn refine<T: Copy + Eq + Hash>(&mut self, value: impl Fn(usize) -> T, extend: impl Fn(&mut GroupKey, &T)) {
        let mut parts: HashMap<(u32, T), u32, foldhash::fast::RandomState> = HashMap::default();
        let mut keys: Vec<GroupKey> = Vec::new();
        for (place, group) in self.of_record.iter_mut().enumerate() {
            let value = value(place);
            *group = *parts.entry((*group, value)).or_insert_with(|| {
                let mut key = self.keys[*group as usize].clone();
                extend(&mut key, &value);
                keys.push(key);
                keys.len() as u32 - 1
            });
        }
        self.keys = keys;
    }
}

/// Where the bucket of `time` begins.
pub fn bucket(time: i64, interval_ns: i64) -> i64 {
    time.saturating_sub(time.rem_euclid(interval_ns))
}

impl Group {
    fn add(&mut self, value: f64, percentiles: bool) {
        (self.min, self.max) =
            if self.values == 0 { (value, value) } else { (self.min.min(value), self.max.max(value)) };
        self.values += 1;
        self.sum += value;
        if percentiles {
            self.sketch.get_or_insert_with(sketch).add(value);
        }
    }

    fn add_distinct(&mut self, value: &[u8]) {
        self.distinct.get_or_insert_with(union).update_value(value);
    }

    fn merge(&mut self, other: Self) {
        self.records += other.records;
        if other.values > 0 {
            (self.min, self.max) = match self.values {
                0 => (other.min, other.max),
                _ => (self.min.min(other.min), self.max.max(other.max)),
            };
        }
        self.values += other.values;
        self.sum += other.sum;
        if let Some(theirs) = other.sketch {
            match &mut self.sketch {
                Some(ours) => ours.merge(&theirs).expect("all sketches are of one configuration"),
                None => self.sketch = Some(theirs),
            }
        }
        if let Some(theirs) = other.distinct {
            match &mut self.distinct {
                Some(ours) => ours.update(&theirs.to_sketch(HllType::Hll8)),
                None => self.distinct = Some(theirs),
            }
        }
    }

    /// The value below which `quantile` (0 to 1) of all lie.
    pub fn percentile(&self, quantile: f64) -> Option<f64> {
        let estimate = self.sketch.as_ref()?.quantile(quantile).ok()??;
        Some(estimate.clamp(self.min, self.max))
    }

    /// How many different values.
    pub fn distinct(&self) -> Option<u64> {
        self.distinct.as_ref().map(|union| union.estimate().round() as u64)
    }
}

fn sketch() -> DDSketch {
    DDSketch::new(Config::new(PERCENTILE_ERROR, SKETCH_BINS_MAX, SKETCH_VALUE_MIN))
}

fn union() -> HllUnion {
    HllUnion::new(DISTINCT_LG_K).expect("a size that there is")
}

impl Collector for Statistics {
    type Part = Vec<(GroupKey, Group)>;

    fn part(&self, block: Found<'_>) -> Result<Self::Part, FindError> {
        let (of_record, keys) = self.groups_of(&block)?;
        let mut groups: Vec<Group> = keys.iter().map(|_| Group::default()).collect();
        of_record.iter().for_each(|group| groups[*group as usize].records += 1);
        let records: Vec<usize> = block.found.iter().collect();
        let group_of = |record: usize| of_record[records.partition_point(|known| *known < record)] as usize;
        if let Some(field) = &self.asked.field {
            field.scalars(&block.view, &block.found, |record, value| {
                if let Some(number) = value.number().filter(|number| number.is_finite()) {
                    groups[group_of(record)].add(number, self.asked.percentiles);
                }
            })?;
        }
        if let Some(distinct) = &self.asked.distinct {
            distinct.each(&block.view, &block.found, |record, value| {
                groups[group_of(record)].add_distinct(value);
            })?;
        }
        Ok(keys.into_iter().zip(groups).collect())
    }

    fn take(&mut self, part: Self::Part) {
        for (key, group) in part {
            if let Some(known) = self.groups.get_mut(&key) {
                known.merge(group);
            } else if self.groups.len() < GROUPS_MAX {
                self.groups.insert(key, group);
            } else {
                self.beyond += group.records;
            }
        }
    }

    fn has_enough(&self, _next: &Candidate) -> bool {
        false
    }
}
