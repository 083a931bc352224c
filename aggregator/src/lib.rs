//! The aggregator: takes batches, makes them durable, indexes them, answers.
//!
//! | module | what it is |
//! | --- | --- |
//! | `access` | who may do what: tokens, sessions of browsers, the rule about where to listen |
//! | `receive` | sessions with agents; dedupes, logs, acknowledges |
//! | `wal` | the write-ahead log |
//! | `catalog` | agents, sources, frontiers |
//! | `head` | what is durable and not yet committed |
//! | `block` | records as columns, and their encoding |
//! | `index` | blocks and transactions in Tantivy |
//! | `indexer` | the thread that adds, commits, and tells the head |
//! | `query` | the query language, and which records of a block fulfil a query |
//! | `search` | goes through blocks and makes something of what is found |
//! | `transactions` | lists of transactions, and what they come to |
//! | `deletion` | takes records out for good |
//! | `store` | what may be asked of all that |
//! | `backup` | backups of all that, and how they come back |
//! | `verify` | reads everything on disk and says what is damaged |
//! | `trace` | one transaction from its records |
//! | `http` | the API |
//! | `data_dir` | where things lie, and the lock |
//! | `supervise` | what systemd is told |
//! | `app` | wires the parts, alone |

pub mod access;
pub mod app;
pub mod backup;
pub mod batch;
pub mod block;
pub mod catalog;
pub mod clock;
pub mod config;
pub mod data_dir;
pub mod deletion;
pub mod head;
pub mod health;
pub mod http;
pub mod id;
pub mod index;
pub mod indexer;
pub mod listen;
pub mod metrics;
pub mod pki;
pub mod query;
pub mod receive;
pub mod record;
pub mod retention;
pub mod search;
pub mod source;
pub mod space;
pub mod store;
pub mod supervise;
pub mod trace;
pub mod transactions;
pub mod verify;
pub mod wal;
pub mod words;
