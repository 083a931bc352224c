//! One partition without the records: one Tantivy commit, then merges that leave nothing of them on disk.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tantivy::index::SegmentId;
use tantivy::indexer::NoMergePolicy;
use tantivy::{DocId, IndexWriter};

use super::job::Deletion;
use super::listed::Listed;
use crate::block::container::Unzstd;
use crate::block::encode::{Encoder, Sealed};
use crate::block::mask::Mask;
use crate::block::transactions;
use crate::block::transactions::share::Share;
use crate::block::view::View;
use crate::block::word_filter::WordFilter;
use crate::head::view::Snapshot;
use crate::id::Canonical;
use crate::index::committed::Committed;
use crate::index::document::{IndexDocument, SealedBlock};
use crate::index::find::{FindError, stored_payload, stored_rows};
use crate::index::partition::{self, CommitPayload, Partition, PartitionError};
use crate::index::schema::kind;
use crate::query::evaluate::evaluate;
use crate::query::narrow::Narrow;
use crate::query::predicate::Predicate;
use crate::search::candidates::{self, Place};

/// Memory of the writer: it adds a few blocks.
const WRITER_MEMORY_BYTES: usize = 32 << 20;

/// A partition that could not be rewritten; it is as it was.
#[derive(Debug, thiserror::Error)]
pub enum RewriteError {
    #[error(transparent)]
    Partition(#[from] PartitionError),
    #[error(transparent)]
    Find(#[from] FindError),
    #[error("rewrite: {0}")]
    Tantivy(#[from] tantivy::TantivyError),
    #[error("rewrite: {0}")]
    Io(#[from] std::io::Error),
}

/// What a rewritten partition takes out and puts in.
#[derive(Default)]
struct Change {
    out: HashMap<SegmentId, Vec<DocId>>,
    blocks: Vec<(Arc<SealedBlock>, String)>,
    /// IDs of the records that go.
    touched: HashSet<Canonical>,
    /// IDs that blocks of `blocks` still carry.
    kept: HashSet<Canonical>,
    deleted: u64,
}

/// Takes what `job` names out of `partition`, which nobody else writes. Returns whether there was anything.
pub fn rewrite(partition: &Arc<Partition>, job: &mut Deletion, predicate: &Predicate) -> Result<bool, RewriteError> {
    let committed = Arc::new(Committed::newest(partition)?);
    let mut change = change(&committed, job, predicate)?;
    if change.deleted == 0 {
        return Ok(false);
    }
    let rows = transaction_rows(&committed, &mut change)?;
    let mut writer: IndexWriter<IndexDocument> = partition.writer_with(WRITER_MEMORY_BYTES)?;
    writer.set_merge_policy(Box::new(NoMergePolicy));
    let (deleted, blocks) = (change.deleted, change.out.values().map(Vec::len).sum::<usize>() as u64);
    let segments: Vec<SegmentId> = change.out.keys().copied().collect();
    writer.delete_query(Box::new(Listed(Arc::new(change.out))))?;
    for (block, words) in change.blocks {
        writer.add_document(IndexDocument::block(&partition.fields, &block, words))?;
    }
    for (kind, rows) in &rows.kept {
        let rows: Vec<_> = rows.iter().map(|(id, share)| (id, share)).collect();
        writer.add_document(IndexDocument::transactions(&partition.fields, *kind, &rows))?;
    }
    let payload = CommitPayload::new(partition.wal_position()?).text();
    let mut prepared = writer.prepare_commit()?;
    prepared.set_payload(&payload);
    prepared.commit()?;
    job.deleted += deleted;
    job.blocks_rewritten += blocks;
    job.transactions_deleted += rows.deleted;
    job.partitions.push(partition::name(partition.day));
    drop(committed);
    // A segment is written anew without what was deleted in it. One of which nothing is left is gone with the commit.
    let left = partition.segments()?;
    for segment in segments.into_iter().filter(|segment| left.contains(segment)) {
        writer.merge(&[segment]).wait()?;
    }
    writer.garbage_collect_files().wait()?;
    writer.wait_merging_threads()?;
    Ok(true)
}

/// How many records of `partition` fulfil the predicate.
pub fn count(committed: &Arc<Committed>, job: &Deletion, predicate: &Predicate) -> Result<u64, RewriteError> {
    let mut records = 0;
    each_found(committed, job, predicate, |_, _, found| {
        records += found.count() as u64;
        Ok(())
    })?;
    Ok(records)
}

/// Calls `each` with every block that holds such records.
fn each_found(
    committed: &Arc<Committed>,
    job: &Deletion,
    predicate: &Predicate,
    mut each: impl FnMut((usize, DocId), View<'_>, Mask) -> Result<(), FindError>,
) -> Result<(), FindError> {
    let snapshot = Snapshot { head: Vec::new(), partitions: Arc::new(vec![Arc::clone(committed)]) };
    let unzstd = RefCell::new(Unzstd::default());
    for candidate in candidates::find(&snapshot, &Narrow::of(predicate), job.times)? {
        let Place::Disk(_, segment, doc) = candidate.place else { continue };
        let document = committed.stores[segment].get_document_bytes(doc)?;
        let view = View::sealed(stored_payload(&document), &unzstd)?;
        let mut among = Mask::all(view.records()?);
        let times = view.times()?;
        among.retain(|record| (job.times.0..job.times.1).contains(&times[record]));
        let found = evaluate(predicate, &view, among)?;
        if !found.is_empty() {
            each((segment, doc), view, found)?;
        }
    }
    Ok(())
}

fn change(committed: &Arc<Committed>, job: &Deletion, predicate: &Predicate) -> Result<Change, RewriteError> {
    let mut change = Change::default();
    let mut encoder = Encoder::default();
    each_found(committed, job, predicate, |(segment, doc), view, found| {
        let columns = view.into_plain_columns()?;
        change.deleted += found.count() as u64;
        change.touched.extend(columns.only(&found).ids.into_iter().map(|id| id.canonical));
        let mut rest = Mask::all(columns.records());
        rest.minus(&found);
        let segment = committed.searcher.segment_readers()[segment].segment_id();
        change.out.entry(segment).or_default().push(doc);
        if rest.is_empty() {
            return Ok(());
        }
        let rest = columns.only(&rest);
        change.kept.extend(rest.ids.iter().map(|id| id.canonical.clone()));
        let service = rest.sources[0].service.as_str().into();
        let Sealed { payload, summary, words } = encoder.seal(&rest);
        change.blocks.push((Arc::new(SealedBlock { service, payload, words: WordFilter::of(&words), summary }), words));
        Ok(())
    })?;
    change.out.values_mut().for_each(|docs| docs.sort_unstable());
    Ok(change)
}

/// Rows of transactions that were in documents of which some row goes.
struct Rows {
    /// Each with the kind of its document.
    kept: Vec<(u64, Vec<(Canonical, Share)>)>,
    deleted: u64,
}

/// Finds the rows of IDs that have no record left in the partition, and adds their documents to what goes.
fn transaction_rows(committed: &Committed, change: &mut Change) -> Result<Rows, RewriteError> {
    let mut gone: HashSet<&Canonical> = HashSet::new();
    for id in change.touched.iter().filter(|id| !change.kept.contains(id)) {
        let blocks = crate::index::find::places(committed, std::slice::from_ref(id))?;
        let is_gone = |(segment, doc): &(usize, DocId)| {
            let segment = committed.searcher.segment_readers()[*segment].segment_id();
            change.out.get(&segment).is_some_and(|docs| docs.binary_search(doc).is_ok())
        };
        if blocks.iter().all(is_gone) {
            gone.insert(id);
        }
    }
    let mut rows = Rows { kept: Vec::new(), deleted: 0 };
    let mut documents = Vec::new();
    if !gone.is_empty() {
        let mut unzstd = Unzstd::default();
        for (segment, reader) in committed.searcher.segment_readers().iter().enumerate() {
            let kinds = reader.fast_fields().u64("kind")?;
            for doc in reader.doc_ids_alive() {
                let Some(kind @ (kind::TRANSACTIONS | kind::CONTINUED)) = kinds.first(doc) else { continue };
                let document = committed.stores[segment].get_document_bytes(doc)?;
                let shares = transactions::decode(stored_rows(&document), &mut unzstd).map_err(FindError::from)?;
                let before = shares.len();
                let kept: Vec<_> = shares.into_iter().filter(|(id, _)| !gone.contains(id)).collect();
                if kept.len() < before {
                    rows.deleted += (before - kept.len()) as u64;
                    documents.push((reader.segment_id(), doc));
                    if !kept.is_empty() {
                        rows.kept.push((kind, kept));
                    }
                }
            }
        }
    }
    for (segment, doc) in documents {
        let docs = change.out.entry(segment).or_default();
        docs.push(doc);
        docs.sort_unstable();
    }
    Ok(rows)
}
