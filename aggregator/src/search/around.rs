//! The records around one record, as they stand in its file; where the file was rotated, in the files before and behind it.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::candidates::Candidate;
use super::pace::Pace;
use super::scan::{Collector, Found};
use crate::index::find::FindError;
use crate::record::Record;

/// Where a record stands: which of the files, and its position there.
pub type Place = (usize, u64);

/// See the module.
pub struct Around {
    files: Vec<InFile>,
    target: Place,
    before_max: usize,
    after_max: usize,
}

/// What was found in one incarnation of the file.
struct InFile {
    source: Uuid,
    /// Of its records, the earliest time. Incarnations are put in order by it: they are not always read in the order in which they
    /// were written, an agent that missed rotations reads the newest one first.
    time_min: i64,
    /// Its first records by position; of the record's own file, those from the record on.
    first: BTreeMap<u64, Record>,
    /// Its last records; of the record's own file, those before the record.
    last: BTreeMap<u64, Record>,
}

impl Around {
    /// Around `position` in the file at `target`; the record itself counts as neither before nor behind. Files whose records have the
    /// same times stay in the order that they are given in.
    pub fn new(files: &[Uuid], target: Place, before_max: usize, after_max: usize) -> Self {
        let in_file = |source: &Uuid| InFile {
            source: *source,
            time_min: i64::MAX,
            first: BTreeMap::new(),
            last: BTreeMap::new(),
        };
        Self { files: files.iter().map(in_file).collect(), target, before_max, after_max }
    }

    /// What was found, in the order in which it was written.
    pub fn into_records(self) -> Vec<Record> {
        let mut order: Vec<usize> = (0..self.files.len()).collect();
        order.sort_by_key(|file| self.files[*file].time_min);
        let own = order.iter().position(|file| *file == self.target.0).expect("the record's own file is among them");
        let last = order[..=own].iter().rev().flat_map(|file| self.files[*file].last.values().rev());
        let mut records: Vec<Record> = last.take(self.before_max).cloned().collect();
        records.reverse();
        let first = order[own..].iter().flat_map(|file| self.files[*file].first.values());
        records.extend(first.take(self.after_max + 1).cloned());
        records
    }

    /// Whether the record itself was found.
    pub fn has_target(&self) -> bool {
        self.files[self.target.0].first.contains_key(&self.target.1)
    }

    /// Whether there are as many as were asked for, one directly behind the other in one file: then none is missing between them.
    pub fn is_gapless(&self) -> bool {
        let own = &self.files[self.target.0];
        let places: Vec<(u64, u64)> = own
            .last
            .iter()
            .chain(&own.first)
            .map(|(position, record)| (*position, position + u64::from(record.length)))
            .collect();
        own.last.len() == self.before_max
            && own.first.len() == self.after_max + 1
            && places.windows(2).all(|pair| pair[0].1 == pair[1].0)
    }

    fn is_wanted_first(&self, (file, position): Place) -> bool {
        let first = &self.files[file].first;
        let farthest = first.last_key_value().filter(|_| first.len() > self.after_max);
        (file != self.target.0 || position >= self.target.1)
            && farthest.is_none_or(|(farthest, _)| position < *farthest)
    }

    fn is_wanted_last(&self, (file, position): Place) -> bool {
        let last = &self.files[file].last;
        let farthest = last.first_key_value().filter(|_| last.len() == self.before_max);
        self.before_max > 0
            && (file != self.target.0 || position < self.target.1)
            && farthest.is_none_or(|(farthest, _)| position > *farthest)
    }
}

impl Collector for Around {
    /// The earliest time of each file, and records.
    type Part = (Vec<(usize, i64)>, Vec<(Place, Record)>);

    const PACE: Pace = Pace::new(4, 64);

    fn part(&self, block: Found<'_>) -> Result<Self::Part, FindError> {
        let indexes: Vec<u32> = block.found.iter().map(|record| record as u32).collect();
        let times = block.view.times()?;
        let times: Vec<i64> = indexes.iter().map(|record| times[*record as usize]).collect();
        let columns = block.into_columns()?;
        let mut earliest = vec![i64::MAX; self.files.len()];
        let mut wanted: Vec<(u32, Place)> = Vec::new();
        for (((source, position), record), time) in columns.places(&indexes).into_iter().zip(&indexes).zip(times) {
            let Some(file) = self.files.iter().position(|file| file.source == source) else { continue };
            earliest[file] = earliest[file].min(time);
            let place = (file, position);
            if self.is_wanted_first(place) || self.is_wanted_last(place) {
                wanted.push((*record, place));
            }
        }
        let records: Vec<u32> = wanted.iter().map(|(record, _)| *record).collect();
        let records = wanted.into_iter().map(|(_, place)| place).zip(columns.materialise(&records));
        Ok((earliest.into_iter().enumerate().collect(), records.collect()))
    }

    fn take(&mut self, (earliest, records): Self::Part) {
        for (file, time) in earliest {
            self.files[file].time_min = self.files[file].time_min.min(time);
        }
        for ((file, position), record) in records {
            if self.is_wanted_last((file, position)) {
                let last = &mut self.files[file].last;
                last.insert(position, record.clone());
                if last.len() > self.before_max {
                    last.pop_first();
                }
            }
            if self.is_wanted_first((file, position)) {
                let first = &mut self.files[file].first;
                first.insert(position, record);
                if first.len() > self.after_max + 1 {
                    first.pop_last();
                }
            }
        }
    }

    fn has_enough(&self, _next: &Candidate) -> bool {
        false
    }
}
