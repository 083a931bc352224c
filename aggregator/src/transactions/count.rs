//! What one thread makes of the documents that it looks at: their part of the summary, what may be shown, and parts of transactions with
//! several rows.
//!
//! A document's tally is asked first. Its rows are read where it does not tell enough: some are parts of other transactions, single IDs
//! are asked for, a bucket of time ends within it, or some of them may be shown.

use std::sync::Arc;

use super::documents::Document;
use super::filter::Filter;
use super::list::{List, Place};
use super::summary::{Counted, Summary};
use super::tally::Tally;
use super::top::{Key, Sort, Top};
use crate::block::container::{Corrupt, Unzstd};
use crate::block::standing::Standing;
use crate::block::transactions;
use crate::block::transactions::planes::{self, Planes};
use crate::block::transactions::rows::Rows;
use crate::block::transactions::share::Share;
use crate::id::Canonical;
use crate::index::find::{FindError, stored_rows};

/// See the module.
pub struct Count {
    pub summary: Summary,
    pub top: Top<Place>,
    /// Rows of transactions that have several.
    pub parts: Vec<(Canonical, Share)>,
    /// Documents that cannot be read.
    pub damaged: usize,
}

/// What rows are read for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// To be counted, and shown if they are among the first.
    Count,
    /// To be shown alone: a tally has counted them.
    Show,
}

impl Count {
    /// Looks at the document at `index`.
    pub fn look(&mut self, list: &List, index: usize, unzstd: &mut Unzstd) -> Result<(), FindError> {
        let (document, filter) = (&list.documents[index], &list.wanted.filter);
        let tally = list.tally(index, unzstd)?;
        let may_be_part = |tag: &u32| list.joined.may_hold(*tag);
        let has_parts = tally.tags.iter().any(may_be_part);
        let may_pass = may_pass(document, filter) && (list.wanted.ids.is_some() || tally.may_pass(filter));
        if !has_parts && !may_pass {
            return Ok(());
        }
        let is_told = !has_parts && list.wanted.ids.is_none();
        let is_told = is_told && tally.count(filter, list.interval_ns, &mut self.summary, &list.names);
        if is_told && !tally.may_rank(filter, list.wanted.sort, self.top.ranks()) {
            return Ok(());
        }
        let purpose = if is_told { Purpose::Show } else { Purpose::Count };
        let stored = list.stored(index)?;
        transactions::with_rows(stored_rows(&stored), unzstd, |rows, unzstd| {
            let keep = self.keep_whole(list, &tally, rows, unzstd)?;
            if may_pass && keep.contains(&true) {
                self.count(list, index, rows, &keep, purpose, unzstd)?;
            }
            Ok(())
        })
    }

    /// Takes the rows out that are parts of transactions with several. Which of the others have an ID that is wanted.
    fn keep_whole(
        &mut self,
        list: &List,
        tally: &Tally,
        rows: &Rows<'_>,
        unzstd: &mut Unzstd,
    ) -> Result<Vec<bool>, Corrupt> {
        let ids = rows.ids()?;
        let mut keep = vec![true; rows.count()];
        if let Some(wanted) = list.wanted.ids.as_deref() {
            let is_wanted = |row: usize| ids.get(row).is_some_and(|id| wanted.contains(&id));
            keep.iter_mut().enumerate().for_each(|(row, keep)| *keep = is_wanted(row));
        }
        let mut parts = Vec::new();
        for (row, tag) in tally.tags.iter().enumerate() {
            if list.joined.may_hold(*tag) && ids.get(row).is_some_and(|id| list.joined.holds(&id)) {
                keep[row] = false;
                parts.push(row);
            }
        }
        if !parts.is_empty() {
            self.parts.extend(transactions::shares(rows, parts.into_iter(), unzstd)?);
        }
        Ok(keep)
    }

    /// Counts the rows of `keep` that fulfil the filter.
    fn count(
        &mut self,
        list: &List,
        index: usize,
        rows: &Rows<'_>,
        keep: &[bool],
        purpose: Purpose,
        unzstd: &mut Unzstd,
    ) -> Result<(), FindError> {
        let kept = list.filtered(index, rows, keep, unzstd)?;
        if kept.is_empty() {
            return Ok(());
        }
        let times: Vec<i64> = rows.times(unzstd)?.pick(&kept).into_iter().map(planes::to_time).collect();
        let durations = rows.durations(unzstd)?.pick(&kept);
        let errors = rows.errors(unzstd)?.pick(&kept);
        if purpose == Purpose::Count {
            let entries = rows.entries(unzstd)?.pick(&kept);
            let numbers: Vec<usize> = rows.services().iter().map(|name| list.names.number(name)).collect();
            if entries.iter().any(|entry| *entry >= numbers.len() as u64) {
                return Err(Corrupt::Table.into());
            }
            let counted = Counted { entries: &entries, times: &times, durations: &durations, errors: &errors };
            self.summary.add_rows(&counted, &numbers);
        }
        let sort = list.wanted.sort;
        let number = match sort {
            Sort::Newest | Sort::Oldest | Sort::Duration => &durations,
            Sort::Errors => &errors,
            Sort::Records => &rows.records(unzstd)?.pick(&kept),
        };
        let ids = rows.ids()?;
        let (mut lowest, highest) = self.top.ranks();
        for (place, row) in kept.iter().enumerate() {
            let rank = sort.rank(times[place], number[place]);
            if rank >= lowest && rank <= highest {
                let id = ids.get(*row as usize).ok_or(Corrupt::Table)?;
                self.top.offer(Key { rank, id }, Place::Row(index, *row as usize));
                lowest = self.top.ranks().0;
            }
        }
        Ok(())
    }
}

impl List {
    /// What the document at `index` comes to.
    fn tally(&self, index: usize, unzstd: &mut Unzstd) -> Result<Arc<Tally>, FindError> {
        let key = self.key(index);
        if let Some(tally) = self.tallies.get(&key) {
            return Ok(tally);
        }
        let stored = self.stored(index)?;
        let tally = transactions::with_rows(stored_rows(&stored), unzstd, Tally::of);
        let tally = Arc::new(tally?);
        self.tallies.insert(key, &tally);
        Ok(tally)
    }

    /// The rows of `keep` that fulfil the filter. A column is decoded only if it is asked for, and then for the rows that are left.
    fn filtered(&self, index: usize, rows: &Rows<'_>, keep: &[bool], unzstd: &mut Unzstd) -> Result<Vec<u32>, Corrupt> {
        let (document, filter) = (&self.documents[index], &self.wanted.filter);
        let mut kept: Vec<u32> = (0..keep.len() as u32).filter(|row| keep[*row as usize]).collect();
        // With a query, an alias is what its records are found by.
        if self.wanted.ids.is_none() {
            let standings = rows.standings(unzstd)?;
            kept.retain(|row| !Standing::from_byte(standings[*row as usize]).is_alias());
        }
        if let Some(wanted) = filter.errors {
            narrow(&mut kept, &rows.errors(unzstd)?, |errors| wanted == (errors > 0));
        }
        if !filter.is_any_duration() {
            let (least, most) = filter.durations;
            narrow(&mut kept, &rows.durations(unzstd)?, |duration| least <= duration && duration <= most);
        }
        if document.time_min < filter.times.0 || document.time_max >= filter.times.1 {
            narrow(&mut kept, &rows.times(unzstd)?, |time| filter.began(planes::to_time(time)));
        }
        let named = |names: &[String]| rows.services().iter().map(|name| names.contains(name)).collect::<Vec<bool>>();
        if !filter.entries.is_empty() {
            let wanted = named(&filter.entries);
            let is_wanted = |entry: u64| usize::try_from(entry).ok().and_then(|entry| wanted.get(entry).copied());
            narrow(&mut kept, &rows.entries(unzstd)?, |entry| is_wanted(entry).unwrap_or(false));
        }
        if !filter.services.is_empty() {
            let wanted = named(&filter.services);
            if let Some(masks) = rows.masks(unzstd)? {
                let bits = wanted.iter().enumerate().map(|(service, wanted)| u64::from(*wanted) << service);
                let wanted = bits.fold(0, |all, bit| all | bit);
                narrow(&mut kept, &masks, |mask| mask & wanted != 0);
            } else {
                let touched = rows.touched(unzstd)?;
                kept.retain(|row| touched.of(*row as usize).iter().any(|service| wanted[*service as usize]));
            }
        }
        Ok(kept)
    }
}

/// Whether a row of it may be wanted that is no part of a transaction with several rows.
fn may_pass(document: &Document, filter: &Filter) -> bool {
    document.time_min < filter.times.1
        && document.time_max >= filter.times.0
        && document.duration_max >= filter.durations.0
        && (filter.errors != Some(true) || document.errors > 0)
}

/// Leaves the rows whose number is wanted.
fn narrow(kept: &mut Vec<u32>, column: &Planes, is_wanted: impl Fn(u64) -> bool) {
    let mut numbers = column.pick(kept).into_iter();
    kept.retain(|_| numbers.next().is_some_and(&is_wanted));
}
