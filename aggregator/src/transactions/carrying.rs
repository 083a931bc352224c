//! The IDs of the records that fulfil a query: of each record the ID that names its transaction best.

use hashbrown::HashSet;

use crate::block::standing;
use crate::id::Canonical;
use crate::index::find::FindError;
use crate::search::candidates::Candidate;
use crate::search::scan::{Collector, Found};

/// So many different IDs are collected. Transactions of further ones are not in the answer, which says so.
pub const IDS_MAX: usize = 200_000;

/// See the module.
#[derive(Default)]
pub struct Carrying {
    pub ids: HashSet<Canonical, foldhash::fast::RandomState>,
    /// There are more than [`IDS_MAX`].
    pub is_cut: bool,
}

impl Collector for Carrying {
    type Part = Vec<Canonical>;

    fn part(&self, block: Found<'_>) -> Result<Self::Part, FindError> {
        let ids = block.view.ids()?;
        let mut is_wanted = vec![false; ids.dictionary.len()];
        let mut at = 0;
        for (record, count) in ids.counts.iter().enumerate() {
            let references = &ids.references[at..at + usize::from(*count)];
            at += references.len();
            if block.found.has(record) {
                let best = standing::best(references.iter().map(|id| *id as usize), ids.dictionary);
                best.for_each(|id| is_wanted[id] = true);
            }
        }
        let wanted = ids.dictionary.iter().zip(is_wanted).filter(|(_, is_wanted)| *is_wanted);
        Ok(wanted.map(|(id, _)| id.canonical.clone()).collect())
    }

    fn take(&mut self, part: Self::Part) {
        for id in part {
            if self.ids.len() < IDS_MAX {
                self.ids.insert(id);
            } else {
                self.is_cut |= !self.ids.contains(&id);
            }
        }
    }

    fn has_enough(&self, _next: &Candidate) -> bool {
        self.is_cut
    }
}
