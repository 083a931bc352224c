//! What one transaction did, or a part of it: what is added up from block to block, and from commit to commit.

use std::sync::Arc;

use crate::block::encode::IdSummary;
use crate::block::standing::Standing;

/// What one transaction did between two commits.
#[derive(Clone, Debug, PartialEq)]
pub struct Share {
    /// Its earliest record, nanoseconds since the epoch.
    pub time_min: i64,
    /// Its latest record.
    pub time_max: i64,
    /// Its records.
    pub records: u64,
    /// Those of severity error and above.
    pub errors: u64,
    /// The services that it touched, in the order of their first records; of two at one time, the name decides. Never empty: the first
    /// one is where it came in.
    pub services: Vec<Touched>,
    /// Of its ID among those that its records carry.
    pub standing: Standing,
}

/// A service that a transaction touched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touched {
    pub service: Arc<str>,
    /// When, first. A row does not keep it, only the order: once it was stored, this is the transaction's own earliest time.
    pub first: i64,
}

impl Share {
    /// Of the records of one block, all of which are of `service`.
    pub fn of(service: &Arc<str>, block: &IdSummary) -> Self {
        Self {
            time_min: block.time_min,
            time_max: block.time_max,
            records: block.records,
            errors: block.errors,
            services: Vec::from([Touched { service: Arc::clone(service), first: block.time_min }]),
            standing: block.standing,
        }
    }

    /// Adds the records of one more block.
    pub fn add(&mut self, service: &Arc<str>, block: &IdSummary) {
        self.time_min = self.time_min.min(block.time_min);
        self.time_max = self.time_max.max(block.time_max);
        self.records += block.records;
        self.errors += block.errors;
        self.standing.merge(block.standing);
        let known = self.services.iter_mut().find(|known| is_same(&known.service, service));
        match known {
            Some(known) if known.first <= block.time_min => return,
            Some(known) => known.first = block.time_min,
            None => self.services.push(Touched { service: Arc::clone(service), first: block.time_min }),
        }
        self.services
            .sort_by(|left, right| left.first.cmp(&right.first).then_with(|| left.service.cmp(&right.service)));
    }

    /// Adds another part of the same transaction. Which of its services came first is known of each part alone, so the services of the
    /// earlier part stand before those that only the later one touched.
    pub fn merge(&mut self, mut other: Self) {
        if (other.time_min, other.entry_service()) < (self.time_min, self.entry_service()) {
            std::mem::swap(self, &mut other);
        }
        self.time_max = self.time_max.max(other.time_max);
        self.records += other.records;
        self.errors += other.errors;
        self.standing.merge(other.standing);
        for touched in other.services {
            if !self.services.iter().any(|known| is_same(&known.service, &touched.service)) {
                self.services.push(touched);
            }
        }
    }

    /// The service of its earliest record.
    pub fn entry_service(&self) -> &Arc<str> {
        &self.services.first().expect("a transaction has touched a service").service
    }

    /// From its earliest to its latest record, nanoseconds.
    pub fn duration(&self) -> u64 {
        self.time_max.abs_diff(self.time_min)
    }
}

/// Names are mostly shared; then nothing has to be compared.
pub fn is_same(left: &Arc<str>, right: &Arc<str>) -> bool {
    Arc::ptr_eq(left, right) || left == right
}
