//! Who ships what, and how far: agents, sources, frontiers, gaps, clocks.
//!
//! | file | what it is |
//! | --- | --- |
//! | `registry` | all of it in memory, shared; the journal alone moves frontiers |
//! | `host_clock` | what was measured of a host's clock, and what its stamps mean on ours |
//! | `store` | its snapshot in redb, taken at each commit |
//! | `absence` | times of which a restore left something out |
//!
//! The truth is the last snapshot plus the WAL behind it. Applying a WAL entry twice changes nothing, so that a snapshot
//! may be newer than the position that it is filed under.

pub mod absence;
pub mod host_clock;
pub mod registry;
pub mod store;
