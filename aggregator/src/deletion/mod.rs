//! Deletions: records that a query names are taken out of the partitions for good, because somebody has a right to it.
//!
//! A deletion is a job. It is written down before it is answered, so that it survives a restart; to do it twice changes nothing.
//! First the head is committed, then each partition that holds such records is rewritten in one Tantivy commit: blocks lose the
//! records, rows of transactions go whose records are all gone, and the segments are merged, so that the bytes are gone too. In the
//! end the query is asked once more: it must find nothing of what had been received by then.
//!
//! | file | what it is |
//! | --- | --- |
//! | `job` | what there is to be deleted, and how far that is |
//! | `rewrite` | one partition without the records |
//! | `listed` | documents as a Tantivy query, to delete them |

pub mod job;
mod listed;
pub mod rewrite;
