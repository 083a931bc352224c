//! The head: records that are durable in the WAL and not yet in a Tantivy commit. Always searchable.
//!
//! | file | what it is |
//! | --- | --- |
//! | `view` | what a query sees: open and sealed blocks, and the commits, as of one moment |
//! | `appender` | the thread that puts batches into blocks, seals them, and decides when to commit |
//! | `tail` | what came in last, for those who follow it |
//!
//! Invariant: at every moment a record is either in the head or in a searcher of the view, never in both and never in
//! neither. A commit's blocks leave the head in the same step in which its searcher enters.

pub mod appender;
pub mod tail;
pub mod view;
