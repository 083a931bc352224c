//! System tests over the real binaries: what a reader of `tests/*.rs` needs to start, hurt and question them.
//!
//! Small limits everywhere, so that every roll-over happens within seconds. Every wait has a deadline and polls for a
//! condition that can be observed; a failure prints its seed and keeps its directory.
//!
//! | file | what it is |
//! | --- | --- |
//! | `stage` | one test's directory and seed; says both when the test fails |
//! | `wait` | waiting for a condition, with a deadline |
//! | `process` | one child: start, SIGKILL, SIGTERM, its log |
//! | `programs` | where the binaries are, and ports for them |
//! | `aggregator`, `agent` | the two programs with their configs |
//! | `authority` | certificates, good ones and bad ones |
//! | `hostile` | a client that speaks the contract as no agent does |
//! | `network` | hosts with addresses of their own, and what happens between them |
//! | `remote` | a folder as NFS shows it, and the troubles of that |
//! | `api` | the aggregator's HTTP API as a client sees it |
//! | `follow` | a client that follows what comes in |
//! | `known` | lines of which everything is known that can be asked |
//! | `line` | log lines of several formats that carry an ID and a number |
//! | `logfile` | a log file with rename-and-create rotation |
//! | `writer` | threads that write lines to files until they are stopped |
//! | `oracle` | every written line is a debt until it is found, exactly once, byte for byte |
//! | `torture` | random mixes of every rotation and outage, with a ledger of what was written, and a verdict |

pub mod agent;
pub mod aggregator;
pub mod api;
pub mod authority;
pub mod follow;
pub mod hostile;
pub mod known;
pub mod line;
pub mod logfile;
pub mod network;
pub mod oracle;
pub mod process;
pub mod programs;
pub mod remote;
pub mod stage;
pub mod torture;
pub mod wait;
pub mod writer;
