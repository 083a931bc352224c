//! The write-ahead log: what was acknowledged and may not be in a Tantivy commit yet.
//!
//! | file | what it is |
//! | --- | --- |
//! | `entry` | what is logged: batches, sources, gaps |
//! | `frame` | bytes with a length and a checksum, at a position |
//! | `segment` | one file of frames |
//! | `image` | a copy for a backup, while it grows |
//! | `recovery` | reads what is there, tells a torn tail from corruption |
//! | `writer` | appends groups; syncs before it says that they are there |
//!
//! A *position* counts the bytes of all frames ever written, so that it never comes back. Invariants: a group is durable
//! when `Writer::commit` returns, and not before; after a failed sync nothing is written any more; a segment is removed
//! only when Tantivy's commit payload has passed its end.

pub mod entry;
pub mod frame;
pub mod image;
pub mod inspect;
pub mod recovery;
pub mod segment;
pub mod writer;

#[cfg(test)]
mod model_test;
