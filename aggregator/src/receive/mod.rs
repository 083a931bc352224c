//! Takes batches from agents and makes them durable.
//!
//! | file | what it is |
//! | --- | --- |
//! | `ingest` | the gRPC service: one task per session |
//! | `admission` | who may ship, and as which agent |
//! | `session` | one agent's session: its open sources, its credit, its answers |
//! | `journal` | the thread that dedupes, logs, syncs, acknowledges, and hands on to the head |
//!
//! Invariant: an acknowledgement is sent only after the WAL's sync, and a byte range is handed to the head exactly once.

pub mod admission;
pub mod ingest;
pub mod journal;
pub mod session;
