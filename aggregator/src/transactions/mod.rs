//! Lists of transactions, and what all of them come to: a scan of the rows that commits wrote, and of what is not committed.
//!
//! A transaction has a row for each commit that it touched, and hardly any has more than one. A commit writes the rows of IDs that earlier
//! commits have rows of, too, into documents of their own (`index::seen`, `schema::kind::CONTINUED`). A reader gathers those few and
//! everything that is not committed yet by ID (`joined`); of all other rows it looks at 32 bits of the ID, and a row whose ID was gathered
//! is added to it. All others are whole transactions. What those of a document come to is kept (`tally`): only where it does not tell what
//! is asked for, and for what is shown, a document's rows are counted where they stand, column by column.
//!
//! What lies outside of the time that is asked for is looked at as far as [`JOIN_MARGIN_NS`] goes: parts of a transaction that lie further
//! apart, one of them outside, are not put together then. Without a time everything is put together, but for IDs that come back after
//! millions of others (`index::seen`).
//!
//! There is one row per ID, and several IDs may stand for one transaction. An ID that a record carries beside a better one is an alias
//! (`block::standing`): its rows are passed over, the transaction is listed under the better one, with the records that carry that.
//!
//! | file | what it is |
//! | --- | --- |
//! | `documents` | which documents have rows of the time that is wanted |
//! | `joined` | transactions that may have several rows, by ID |
//! | `filter` | which transactions are wanted |
//! | `tally` | what a document of rows comes to |
//! | `cache` | tallies, within a budget of bytes |
//! | `carrying` | the IDs of the records that fulfil a query |
//! | `durations` | how long transactions took, on a logarithmic scale |
//! | `summary` | what transactions come to: all, by entry, by time |
//! | `top` | those that are shown: order, cursor, the first ones |
//! | `count` | what one thread makes of the documents that it looks at |
//! | `list` | goes through the documents, slice by slice |

pub mod cache;
pub mod carrying;
pub mod count;
pub mod documents;
pub mod durations;
pub mod filter;
pub mod joined;
pub mod list;
#[cfg(test)]
mod model_test;
pub mod summary;
pub mod tally;
pub mod top;

/// Parts of one transaction are looked for so far outside of the time that is asked for: an hour.
pub const JOIN_MARGIN_NS: i64 = 3_600_000_000_000;
