//! Random logs and random queries, and what a naive scan says of them.
//!
//! | file | what it is |
//! | --- | --- |
//! | `lines` | lines as programs write them, and as nobody should |
//! | `logs` | records of several sources, and the batches that they arrive in |
//! | `queries` | queries that some of the records fulfil |
//! | `fields` | the fields of a line, read anew |
//! | `naive` | whether a record fulfils a query, after the page about the language and nothing else |
//! | `house` | head, appender, indexer and store over a directory, with small limits |
//! | `check` | one query: the engine's pages against the naive scan |

pub mod check;
pub mod fields;
pub mod house;
pub mod lines;
pub mod logs;
pub mod naive;
pub mod queries;
