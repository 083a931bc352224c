//! clew-agent: tails log files, finds transaction IDs, ships batches to an aggregator.
//!
//! Stages in the way of a line; they share [`record`] and meet only in [`pipeline`]:
//! [`discover`] > [`tail`] > [`assemble`] > [`parse`] > [`transaction`] > [`batch`] > [`ship`].
//! [`frame`] takes off what a container runtime put around the lines, in front of [`assemble`].
//! Beside them: [`identity`] (is this the same file), [`checkpoint`] (what is remembered), [`watermark`] (how far everything is
//! shipped), [`rules`] (what a source drops, redacts and attaches), [`config`], [`metrics`], and [`run`] that starts and ends it
//! all. For the operator: [`check`], [`trial`], [`control`] with [`explain`], [`audit`] and [`reload`] ([`changes`]), what they
//! tell ([`report`]), and [`supervise`] (what systemd is told).

pub mod assemble;
pub mod audit;
pub mod batch;
pub mod changes;
pub mod check;
pub mod checkpoint;
pub mod config;
pub mod control;
pub mod discover;
pub mod explain;
pub mod frame;
pub mod identity;
pub mod metrics;
pub mod parse;
pub mod pipeline;
pub mod record;
pub mod reload;
pub mod report;
pub mod rules;
pub mod run;
pub mod ship;
pub mod supervise;
pub mod tail;
pub mod transaction;
pub mod treatment;
pub mod trial;
pub mod watermark;
