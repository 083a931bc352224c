//! What any long-running process needs, and nothing about logs.
//!
//! | file | what it is |
//! | --- | --- |
//! | `exit` | exit codes and the one line that a failing program prints |
//! | `config` | reading a TOML file; a misspelt key is answered with the right one |
//! | `units` | durations and sizes with units, as configs and flags spell them |
//! | `telemetry` | our own log, to standard error |
//! | `shutdown` | one token for a program's end; a second signal means now |
//! | `notify` | what systemd is told: ready, reloading, stopping, alive |
//! | `private` | files that are for nobody else |
//! | `tls` | certificates and keys, and what both sides of a connection make of them |
//! | `look` | whether a file has changed |
//! | `table` | rows for a terminal |
//! | `metrics` | Prometheus text of a registry |
//! | `manual` | man pages and completions of a program |

pub mod config;
pub mod exit;
pub mod look;
pub mod manual;
pub mod metrics;
pub mod notify;
pub mod private;
pub mod shutdown;
pub mod table;
pub mod telemetry;
pub mod tls;
pub mod units;
