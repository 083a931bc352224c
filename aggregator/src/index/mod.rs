//! Blocks and transactions as Tantivy documents.
//!
//! | file | what it is |
//! | --- | --- |
//! | `schema` | the fields |
//! | `document` | a block of records, or one of transactions, as a document |
//! | `descriptors` | the files of stores that are open |
//! | `directory` | how a partition's files are read |
//! | `partition` | one UTC day of receipt: one directory, one Tantivy index |
//! | `committed` | a partition with its newest commit |
//! | `find` | the records of an ID, from one partition |
//! | `seen` | which IDs there are rows of |
//!
//! Invariant: the commit's payload holds the WAL position up to which every record is in a partition. What lies behind it
//! is indexed again after a crash, from the WAL, and nothing before it is.

pub mod committed;
pub mod descriptors;
pub mod directory;
pub mod document;
pub mod find;
pub mod partition;
pub mod schema;
pub mod seen;
