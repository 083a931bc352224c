//! Torture: every rotation there is, in random order, while both programs are killed and started again.
//!
//! What is judged is not a file but an **incarnation**: what was written since a file was created or truncated. Renames, copies
//! and compression carry it on; only truncating or deleting its last copy destroys it. Every line of it is found exactly once at
//! its position, or it was destroyed and a gap says so.
//!
//! | file | what it is |
//! | --- | --- |
//! | `ledger` | all incarnations, the lines they hold, and whether the programs ran |
//! | `incarnation` | one of them: its names, its end, its story |
//! | `family` | one service's files on the disk: the live one and its rotated siblings |
//! | `name` | what a rotated file is called |
//! | `lines` | the lines and the beginnings of files |
//! | `operations` | the kinds of operation, how often each is chosen, how often each was done |
//! | `outages` | when the programs are killed, stopped and started |
//! | `collect` | what the aggregator holds once everything settled |
//! | `verdict` | the ledger against what was collected; pure |

pub mod collect;
pub mod family;
pub mod incarnation;
pub mod ledger;
pub mod lines;
pub mod name;
pub mod operations;
pub mod outages;
pub mod verdict;
