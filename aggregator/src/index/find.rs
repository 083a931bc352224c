//! The records of an ID, from one partition.

use tantivy::schema::{IndexRecordOption, TantivyDocument, Term, Value};
use tantivy::{DocAddress, DocId, DocSet, Searcher, SegmentReader, TERMINATED};

use super::schema::Fields;
use crate::block::container::{Corrupt, Unzstd};
use crate::block::decode::Payload;
use crate::id::Canonical;
use crate::record::Record;

/// A search that failed.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// Tantivy says so.
    #[error("read index: {0}")]
    Tantivy(#[from] tantivy::TantivyError),
    /// The file system says so.
    #[error("read index: {0}")]
    Io(#[from] std::io::Error),
    /// A block cannot be read.
    #[error("read block: {0}")]
    Block(#[from] Corrupt),
}

/// Appends every record that carries one of `wanted`.
pub fn records(
    searcher: &Searcher,
    fields: &Fields,
    wanted: &[Canonical],
    unzstd: &mut Unzstd,
    found: &mut Vec<Record>,
) -> Result<(), FindError> {
    for (ordinal, segment) in searcher.segment_readers().iter().enumerate() {
        for doc in blocks(segment, fields, wanted)? {
            let document: TantivyDocument = searcher.doc(DocAddress::new(ordinal as u32, doc))?;
            let payload = document.get_first(fields.payload).and_then(|value| value.as_bytes());
            found.extend(Payload::open(payload.unwrap_or_default())?.find(wanted, unzstd)?);
        }
    }
    Ok(())
}

/// The blocks that hold one of `wanted`, rising.
fn blocks(segment: &SegmentReader, fields: &Fields, wanted: &[Canonical]) -> Result<Vec<DocId>, FindError> {
    let index = segment.inverted_index(fields.ids)?;
    let mut docs = Vec::new();
    for id in wanted {
        let term = Term::from_field_bytes(fields.ids, &id.term());
        if let Some(mut postings) = index.read_postings(&term, IndexRecordOption::Basic)? {
            let mut doc = postings.doc();
            while doc != TERMINATED {
                docs.push(doc);
                doc = postings.advance();
            }
        }
    }
    docs.sort_unstable();
    docs.dedup();
    Ok(docs)
}
