//! The records around one record, as they stand in its file; where the file was rotated, in the files before and behind it.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::candidates::Candidate;
use super::scan::{Collector, Found};
use crate::index::find::FindError;
use crate::record::Record;

/// Where a record stands: which of the files in their order, and its position there.
pub type Place = (usize, u64);

/// See the module.
pub struct Around {
    /// The incarnations of the file, in the order in which they were written.
    files: Vec<Uuid>,
    target: Place,
    before_max: usize,
    after_max: usize,
    before: BTreeMap<Place, Record>,
    /// The record itself is the first one of these.
    after: BTreeMap<Place, Record>,
}

impl Around {
    /// Around `position` in the file at `target`; the record itself counts as neither before nor behind.
    pub fn new(files: Vec<Uuid>, target: Place, before_max: usize, after_max: usize) -> Self {
        let (before, after) = (BTreeMap::new(), BTreeMap::new());
        Self { files, target, before_max, after_max: after_max + 1, before, after }
    }

    /// What was found, in the order of the file.
    pub fn into_records(self) -> Vec<Record> {
        self.before.into_values().chain(self.after.into_values()).collect()
    }

    /// Whether the record itself was found.
    pub fn has_target(&self) -> bool {
        self.after.contains_key(&self.target)
    }

    /// Whether there are as many as were asked for, one directly behind the other in one file: then none is missing between them.
    pub fn is_gapless(&self) -> bool {
        let places: Vec<(&Place, u64)> = self
            .before
            .iter()
            .chain(&self.after)
            .map(|(place, record)| (place, place.1 + u64::from(record.length)))
            .collect();
        self.before.len() == self.before_max
            && self.after.len() == self.after_max
            && places.windows(2).all(|pair| pair[0].0.0 == pair[1].0.0 && pair[0].1 == pair[1].0.1)
    }

    fn is_wanted(&self, place: Place) -> bool {
        if place < self.target {
            let farthest = self.before.first_key_value().filter(|_| self.before.len() == self.before_max);
            self.before_max > 0 && farthest.is_none_or(|(farthest, _)| place > *farthest)
        } else {
            let farthest = self.after.last_key_value().filter(|_| self.after.len() == self.after_max);
            farthest.is_none_or(|(farthest, _)| place < *farthest)
        }
    }
}

impl Collector for Around {
    type Part = Vec<(Place, Record)>;

    fn part(&self, block: Found<'_>) -> Result<Self::Part, FindError> {
        let indexes: Vec<u32> = block.found.iter().map(|record| record as u32).collect();
        let columns = block.into_columns()?;
        let wanted: Vec<(u32, Place)> = columns
            .places(&indexes)
            .into_iter()
            .zip(&indexes)
            .filter_map(|((source, position), record)| {
                let file = self.files.iter().position(|file| *file == source)?;
                let place = (file, position);
                self.is_wanted(place).then_some((*record, place))
            })
            .collect();
        let records: Vec<u32> = wanted.iter().map(|(record, _)| *record).collect();
        Ok(wanted.into_iter().map(|(_, place)| place).zip(columns.materialise(&records)).collect())
    }

    fn take(&mut self, part: Self::Part) {
        for (place, record) in part {
            if !self.is_wanted(place) {
                continue;
            }
            if place < self.target {
                self.before.insert(place, record);
                if self.before.len() > self.before_max {
                    self.before.pop_first();
                }
            } else {
                self.after.insert(place, record);
                if self.after.len() > self.after_max {
                    self.after.pop_last();
                }
            }
        }
    }

    fn has_enough(&self, _next: &Candidate) -> bool {
        false
    }
}
