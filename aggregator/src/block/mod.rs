//! Blocks: up to about 256 KiB of records of one service, the unit of storage and of indexing. Pure code: no IO.
//!
//! | file | what it is |
//! | --- | --- |
//! | `columns` | a block that still takes records: plain columns in memory |
//! | `spelling` | a transaction ID with the way it was spelled |
//! | `standing` | which of a record's IDs names the transaction |
//! | `overlay` | takes IDs and timestamps out of the raw bytes, because the columns hold them already |
//! | `tokens` | the distinct words of a block, for the index |
//! | `varint` | LEB128, zigzag |
//! | `container` | encoded columns with a table and a checksum |
//! | `encode` | columns to payload |
//! | `decode` | payload to the columns that a reader asks for |
//! | `tally` | how many records, by minute and severity |
//! | `word_filter` | which words a sealed block may hold |
//! | `mask` | which records of a block |
//! | `view` | one block as a query reads it |
//! | `transactions` | what many transactions did, as columns |

pub mod columns;
pub mod container;
pub mod decode;
pub mod encode;
pub mod mask;
pub mod overlay;
pub mod spelling;
pub mod standing;
pub mod tally;
pub mod tokens;
pub mod transactions;
pub mod varint;
pub mod view;
pub mod word_filter;
