//! Goes through the documents of rows, slice by slice, and makes a page and a summary of them.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use hashbrown::HashSet;
use rayon::prelude::*;

use super::JOIN_MARGIN_NS;
use super::cache::{self, TallyCache};
use super::count::Count;
use super::documents::{self, Document};
use super::filter::Filter;
use super::joined::Joined;
use super::summary::{Names, Summary, Told};
use super::top::{Key, Sort, Top};
use crate::block::container::Unzstd;
use crate::block::transactions;
use crate::block::transactions::share::Share;
use crate::head::view::{Head, Snapshot};
use crate::id::Canonical;
use crate::index::find::{FindError, stored_rows};
use crate::search::histogram::usual_interval;
use crate::search::scan::Step;

/// Documents of a slice: some milliseconds.
const SLICE_DOCUMENTS: usize = 128;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub filter: Filter,
    /// Only these IDs, if a query was given.
    pub ids: Option<Arc<HashSet<Canonical, foldhash::fast::RandomState>>>,
    pub sort: Sort,
    /// Transactions of a page.
    pub limit: usize,
    /// Behind which the page begins.
    pub after: Option<Key>,
}

impl Wanted {
    /// Whether a transaction that was put together is one of those.
    fn passes(&self, id: &Canonical, share: &Share) -> bool {
        let is_wanted = match &self.ids {
            Some(ids) => ids.contains(id),
            None => !share.standing.is_alias(),
        };
        is_wanted && self.filter.passes(share)
    }
}

/// See the module.
pub struct List {
    pub(super) wanted: Wanted,
    pub(super) documents: Vec<Document>,
    pub(super) joined: Joined,
    pub(super) names: Names,
    pub(super) interval_ns: i64,
    pub(super) tallies: Arc<TallyCache>,
    snapshot: Snapshot,
    next: usize,
    /// What was made of documents so far: as many as there were threads at the same time.
    counts: Mutex<Vec<Count>>,
    progress: Progress,
}

/// What was looked at.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    /// Documents of rows.
    pub documents: usize,
    /// Those that were looked at.
    pub documents_scanned: usize,
    /// Those that cannot be read.
    pub documents_damaged: usize,
}

/// Where a transaction that is shown can be found.
#[derive(Clone, Copy)]
pub enum Place {
    /// Document and row.
    Row(usize, usize),
    /// Among the joined ones.
    Joined,
}

/// The answer.
pub struct Listed {
    /// In order.
    pub transactions: Vec<(Canonical, Share)>,
    /// Behind which the next page begins; none when this is the last one.
    pub next: Option<Key>,
    pub summary: Told,
    /// Width of the summary's buckets of time.
    pub interval_ns: i64,
    pub progress: Progress,
    /// There were more transactions with several rows than are put together.
    pub is_cut: bool,
}

impl List {
    /// Finds the documents, and gathers what may have several rows. To be called on the thread pool that it shall run on, like the rest.
    pub fn begin(head: &Head, tallies: &Arc<TallyCache>, wanted: Wanted) -> Result<Self, FindError> {
        let snapshot = head.snapshot();
        let (from, to) = wanted.filter.times;
        let times = (from.saturating_sub(JOIN_MARGIN_NS), to.saturating_add(JOIN_MARGIN_NS));
        let (continued, mut documents): (Vec<_>, Vec<_>) =
            documents::find(&snapshot, times)?.into_iter().partition(|document| document.continued);
        match wanted.sort {
            Sort::Oldest => documents.sort_unstable_by_key(|document| document.time_min),
            _ => documents.sort_unstable_by_key(|document| std::cmp::Reverse(document.time_max)),
        }
        let mut progress = Progress { documents: documents.len() + continued.len(), ..Progress::default() };
        let decoded: Vec<Option<Vec<(Canonical, Share)>>> = continued
            .par_iter()
            .map(|document| {
                let decoded = head.with_unzstd(|unzstd| {
                    let stored = snapshot.partitions[document.partition].stores[document.segment]
                        .get_document_bytes(document.doc)?;
                    Ok(transactions::decode(stored_rows(&stored), &mut unzstd.borrow_mut())?)
                });
                decoded.map_err(|error: FindError| damaged(&snapshot, document, &error)).ok()
            })
            .collect();
        progress.documents_scanned = decoded.len();
        progress.documents_damaged = decoded.iter().filter(|decoded| decoded.is_none()).count();
        let joined = Joined::of(&snapshot.head, decoded.into_iter().flatten().collect());
        let span = span(&documents, &joined, wanted.filter.times);
        let interval_ns = usual_interval(span.1.saturating_sub(span.0));
        Ok(Self {
            wanted,
            documents,
            joined,
            names: Names::default(),
            interval_ns,
            tallies: Arc::clone(tallies),
            snapshot,
            next: 0,
            counts: Mutex::default(),
            progress,
        })
    }

    /// Looks at the next documents, side by side.
    pub fn slice(&mut self, head: &Head, deadline: Option<Instant>) -> Step {
        let is_late = || deadline.is_some_and(|deadline| Instant::now() >= deadline);
        let end = self.documents.len().min(self.next + SLICE_DOCUMENTS);
        let looked: usize = (self.next..end)
            .into_par_iter()
            .map(|index| {
                if is_late() {
                    return 0;
                }
                let mut count = self.lent();
                let looked = head.with_unzstd(|unzstd| count.look(self, index, &mut unzstd.borrow_mut()));
                if let Err(error) = looked {
                    damaged(&self.snapshot, &self.documents[index], &error);
                    count.damaged += 1;
                }
                self.counts.lock().expect(UNBROKEN).push(count);
                1
            })
            .sum();
        self.progress.documents_scanned += looked;
        let is_whole = looked == end - self.next;
        self.next = end;
        match () {
            () if !is_whole => Step::Late,
            () if end == self.documents.len() => Step::Done,
            () if is_late() => Step::Late,
            () => Step::More,
        }
    }

    /// A count that nobody uses right now.
    fn lent(&self) -> Count {
        let known = self.counts.lock().expect(UNBROKEN).pop();
        known.unwrap_or_else(|| Count {
            summary: Summary::new(self.interval_ns),
            // One more than the page has: then there is a next one.
            top: Top::new(self.wanted.limit + 1, self.wanted.after.clone()),
            parts: Vec::new(),
            damaged: 0,
        })
    }

    /// The key of the document at `index` in the cache.
    pub(super) fn key(&self, index: usize) -> cache::Key {
        let document = &self.documents[index];
        let committed = &self.snapshot.partitions[document.partition];
        (committed.searcher.segment_readers()[document.segment].segment_id(), document.doc)
    }

    /// The document at `index`.
    pub(super) fn stored(&self, index: usize) -> Result<tantivy::directory::OwnedBytes, FindError> {
        let document = &self.documents[index];
        let committed = &self.snapshot.partitions[document.partition];
        Ok(committed.stores[document.segment].get_document_bytes(document.doc)?)
    }

    /// What was found.
    pub fn finish(mut self) -> Result<Listed, FindError> {
        let mut total = self.lent();
        for mut count in std::mem::take(&mut self.counts).into_inner().expect(UNBROKEN) {
            total.summary.merge(&count.summary);
            total.top.merge(count.top);
            total.parts.append(&mut count.parts);
            total.damaged += count.damaged;
        }
        let (wanted, names) = (&self.wanted, &self.names);
        let joined = self.joined.merge(std::mem::take(&mut total.parts), |shares| {
            let mut summary = Summary::new(self.interval_ns);
            let mut top = Top::new(wanted.limit + 1, wanted.after.clone());
            for (id, share) in shares.filter(|(id, share)| wanted.passes(id, share)) {
                summary.add(share, names);
                let number = match wanted.sort {
                    Sort::Newest | Sort::Oldest | Sort::Duration => share.duration(),
                    Sort::Errors => share.errors,
                    Sort::Records => share.records,
                };
                let rank = wanted.sort.rank(share.time_min, number);
                let (lowest, highest) = top.ranks();
                if rank >= lowest && rank <= highest {
                    top.offer(Key { rank, id: id.clone() }, Place::Joined);
                }
            }
            (summary, top)
        });
        for (summary, top) in joined {
            total.summary.merge(&summary);
            total.top.merge(top);
        }
        let mut shown = total.top.into_sorted();
        let has_more = shown.len() > self.wanted.limit;
        shown.truncate(self.wanted.limit);
        let next = if has_more { shown.last().map(|(key, _)| key.clone()) } else { None };
        self.progress.documents_damaged += total.damaged;
        Ok(Listed {
            transactions: self.shown(shown)?,
            next,
            summary: total.summary.told(&self.names),
            interval_ns: self.interval_ns,
            progress: self.progress,
            is_cut: self.joined.is_cut,
        })
    }

    /// The transactions of a page, read where they stand.
    fn shown(&self, shown: Vec<(Key, Place)>) -> Result<Vec<(Canonical, Share)>, FindError> {
        let mut places: Vec<(usize, usize, usize)> = shown
            .iter()
            .enumerate()
            .filter_map(|(at, (_, place))| match place {
                Place::Row(document, row) => Some((*document, *row, at)),
                Place::Joined => None,
            })
            .collect();
        places.sort_unstable();
        let mut shares: Vec<Option<Share>> = vec![None; shown.len()];
        let mut unzstd = Unzstd::default();
        for places in places.chunk_by(|left, right| left.0 == right.0) {
            let stored = self.stored(places[0].0)?;
            let read = transactions::with_rows(stored_rows(&stored), &mut unzstd, |rows, unzstd| {
                transactions::shares(rows, places.iter().map(|(_, row, _)| *row), unzstd)
            })?;
            for ((_, _, at), (_, share)) in places.iter().zip(read) {
                shares[*at] = Some(share);
            }
        }
        let share = |(key, _): (Key, Place), read: Option<Share>| {
            let share = read.or_else(|| self.joined.get(&key.id).cloned())?;
            Some((key.id, share))
        };
        Ok(shown.into_iter().zip(shares).filter_map(|(shown, read)| share(shown, read)).collect())
    }
}

const UNBROKEN: &str = "no thread panics with the counts in hand";

/// Between which times there may be transactions that are wanted.
fn span(documents: &[Document], joined: &Joined, (from, to): (i64, i64)) -> (i64, i64) {
    let ends = documents.iter().map(|document| (document.time_min, document.time_max)).chain(joined.times());
    let ends = ends.reduce(|left, right| (left.0.min(right.0), left.1.max(right.1))).unwrap_or_default();
    (from.max(ends.0), to.min(ends.1.saturating_add(1)))
}

/// A document that cannot be read takes nothing from the others; the answer tells of it.
fn damaged(snapshot: &Snapshot, document: &Document, error: &FindError) {
    let committed = &snapshot.partitions[document.partition];
    let segment = committed.searcher.segment_readers()[document.segment].segment_id().short_uuid_string();
    let path = committed.partition.path.display();
    tracing::error!("partition {path}: transactions {} of segment {segment}: {error}", document.doc);
}
