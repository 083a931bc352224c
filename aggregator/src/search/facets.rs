//! Counts the values of fields in what was found.

use std::collections::HashSet;

use hashbrown::HashMap;

use super::candidates::Candidate;
use super::scan::{Collector, Found};
use crate::index::find::FindError;
use crate::query::dimension::Dimension;
use crate::query::field::list;
use crate::query::lines::Lines;

/// So many values of a field are told apart; further ones are counted together.
pub const VALUES_MAX: usize = 100_000;
/// Of so many records each block's fields are discovered.
const DISCOVER_RECORDS: usize = 64;
/// So many fields are discovered.
pub const DISCOVERED_MAX: usize = 1_000;

type Counts = HashMap<Vec<u8>, u64, foldhash::fast::RandomState>;

/// See the module.
pub struct Facets {
    pub fields: Vec<Facet>,
    pub records: u64,
}

/// One field's values.
pub struct Facet {
    pub dimension: Dimension,
    counts: Counts,
    /// Records that have the field.
    pub records: u64,
    /// Values that came when [`VALUES_MAX`] were known: so many of them are in no count.
    pub beyond: u64,
}

impl Facets {
    pub fn new(dimensions: Vec<Dimension>) -> Self {
        let facet = |dimension| Facet { dimension, counts: Counts::default(), records: 0, beyond: 0 };
        Self { fields: dimensions.into_iter().map(facet).collect(), records: 0 }
    }
}

impl Facet {
    /// The `limit` commonest values, the commonest first; equal ones by their text.
    pub fn top(&self, limit: usize) -> Vec<(&[u8], u64)> {
        let mut values: Vec<_> = self.counts.iter().map(|(value, count)| (&value[..], *count)).collect();
        values.sort_unstable_by(|left, right| right.1.cmp(&left.1).then_with(|| left.0.cmp(right.0)));
        values.truncate(limit);
        values
    }

    /// Different values, when all of them are known.
    pub fn distinct(&self) -> usize {
        self.counts.len()
    }
}

impl Collector for Facets {
    /// Records, and of each field its counts and the records that have it.
    type Part = (u64, Vec<(Counts, u64)>);

    fn part(&self, block: Found<'_>) -> Result<Self::Part, FindError> {
        let of_field = |facet: &Facet| {
            // Of each value its records, and the last one of them: a value counts once in a record.
            let mut values: HashMap<Vec<u8>, (u64, usize), foldhash::fast::RandomState> = HashMap::default();
            let (mut records, mut last) = (0, None);
            facet.dimension.each(&block.view, &block.found, |record, value| {
                records += u64::from(last.replace(record) != Some(record));
                let (count, last_of_value) = values.entry_ref(value).or_insert((0, usize::MAX));
                *count += u64::from(*last_of_value != record);
                *last_of_value = record;
            })?;
            let counts: Counts = values.into_iter().map(|(value, (count, _))| (value, count)).collect();
            Ok((counts, records))
        };
        let fields = self.fields.iter().map(of_field).collect::<Result<_, FindError>>()?;
        Ok((block.found.count() as u64, fields))
    }

    fn take(&mut self, (records, fields): Self::Part) {
        self.records += records;
        for (facet, (counts, records)) in self.fields.iter_mut().zip(fields) {
            facet.records += records;
            for (value, count) in counts {
                if facet.counts.len() < VALUES_MAX || facet.counts.contains_key(&value) {
                    *facet.counts.entry(value).or_insert(0) += count;
                } else {
                    facet.beyond += count;
                }
            }
        }
    }

    fn has_enough(&self, _next: &Candidate) -> bool {
        false
    }
}

/// Which fields there are in what was found, and what their values look like: from a sample of the newest blocks.
pub struct Discovery {
    fields: HashMap<String, Discovered>,
    /// Records that were looked at.
    pub records: u64,
    records_max: u64,
    /// Fields that came when [`DISCOVERED_MAX`] were known.
    pub beyond: u64,
}

/// A field that was seen.
#[derive(Clone, Default)]
pub struct Discovered {
    /// Records of the sample that have it.
    pub records: u64,
    /// `text`, `number`, `bool` or `null`, in the order in which they were seen.
    pub types: Vec<&'static str>,
    pub samples: Vec<String>,
}

/// So many different values are shown of a field.
const SAMPLES_MAX: usize = 5;

impl Discovery {
    /// Looks at about `records_max` records.
    pub fn new(records_max: u64) -> Self {
        Self { fields: HashMap::new(), records: 0, records_max, beyond: 0 }
    }

    /// The fields, the commonest first.
    pub fn fields(&self) -> Vec<(&str, &Discovered)> {
        let mut fields: Vec<_> = self.fields.iter().map(|(name, field)| (name.as_str(), field)).collect();
        fields.sort_by(|left, right| right.1.records.cmp(&left.1.records).then_with(|| left.0.cmp(right.0)));
        fields
    }
}

impl Discovered {
    fn add(&mut self, other: &Self) {
        self.records += other.records;
        for kind in &other.types {
            if !self.types.contains(kind) {
                self.types.push(kind);
            }
        }
        for sample in &other.samples {
            if self.samples.len() < SAMPLES_MAX && !self.samples.contains(sample) {
                self.samples.push(sample.clone());
            }
        }
    }
}

impl Collector for Discovery {
    type Part = (u64, HashMap<String, Discovered>);

    fn part(&self, block: Found<'_>) -> Result<Self::Part, FindError> {
        let raw = block.view.restored()?;
        let lines = Lines::new(raw, raw, block.view.lengths()?);
        let mut fields: HashMap<String, Discovered> = HashMap::new();
        let mut records = 0;
        for record in block.found.iter().take(DISCOVER_RECORDS) {
            records += 1;
            let mut seen = HashSet::new();
            list::each(&raw[lines.content(record)], |name, value| {
                let field = fields.entry_ref(name).or_default();
                field.records += u64::from(seen.insert(name.to_owned()));
                let kind = value.kind();
                if !field.types.contains(&kind) {
                    field.types.push(kind);
                }
                if field.samples.len() < SAMPLES_MAX {
                    let text = value.text();
                    let sample = String::from_utf8_lossy(&text[..text.len().min(64)]).into_owned();
                    if !field.samples.contains(&sample) {
                        field.samples.push(sample);
                    }
                }
            });
        }
        Ok((records, fields))
    }

    fn take(&mut self, (records, fields): Self::Part) {
        self.records += records;
        for (name, field) in fields {
            if self.fields.len() < DISCOVERED_MAX || self.fields.contains_key(&name) {
                self.fields.entry(name).or_default().add(&field);
            } else {
                self.beyond += 1;
            }
        }
    }

    fn has_enough(&self, _next: &Candidate) -> bool {
        self.records >= self.records_max
    }
}
