//! Which documents have rows of the time that is wanted, as the index knows them.

use crate::head::view::Snapshot;
use crate::index::find::FindError;
use crate::index::schema::kind;

/// A document of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Document {
    /// Index of the partition in the snapshot.
    pub partition: usize,
    pub segment: usize,
    pub doc: u32,
    /// Its rows may go on with others.
    pub continued: bool,
    /// Earliest record of a row, nanoseconds since the epoch.
    pub time_min: i64,
    /// Latest record of a row.
    pub time_max: i64,
    /// Of its longest row.
    pub duration_max: u64,
    /// Of all rows.
    pub errors: u64,
}

/// Those that reach into the time from `from` to before `to`.
pub fn find(snapshot: &Snapshot, (from, to): (i64, i64)) -> Result<Vec<Document>, FindError> {
    let mut documents = Vec::new();
    for (partition, committed) in snapshot.partitions.iter().enumerate() {
        for (segment, reader) in committed.searcher.segment_readers().iter().enumerate() {
            let fast = reader.fast_fields();
            let (kinds, durations, errors) = (fast.u64("kind")?, fast.u64("duration")?, fast.u64("errors")?);
            let (times_min, times_max) = (fast.i64("time_min")?, fast.i64("time_max")?);
            // Of blocks, too; a segment is mostly of one stretch of time.
            if times_min.min_value() >= to || times_max.max_value() < from {
                continue;
            }
            for doc in reader.doc_ids_alive() {
                let continued = match kinds.first(doc) {
                    Some(kind::TRANSACTIONS) => false,
                    Some(kind::CONTINUED) => true,
                    _ => continue,
                };
                let (Some(time_min), Some(time_max)) = (times_min.first(doc), times_max.first(doc)) else { continue };
                if time_min < to && time_max >= from {
                    let duration_max = durations.first(doc).unwrap_or(u64::MAX);
                    let errors = errors.first(doc).unwrap_or(u64::MAX);
                    documents.push(Document {
                        partition,
                        segment,
                        doc,
                        continued,
                        time_min,
                        time_max,
                        duration_max,
                        errors,
                    });
                }
            }
        }
    }
    Ok(documents)
}
