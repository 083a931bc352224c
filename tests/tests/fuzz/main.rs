//! Fuzzing of everything that reads bytes which others wrote: lines, files, configs, batches, blocks, the write-ahead log.
//!
//! Each target is a test. It takes real inputs (golden files, what our own encoders write), changes them at random, and asserts
//! what the decoder promises: not only that it does not panic, but that records tile the bytes, that what was encoded comes back,
//! that reading in pieces gives what reading at once gives, that output is bounded. An input on which the target answers in a
//! new way is kept and changed further.
//!
//! In `make test` a target runs a fixed number of rounds from a fixed seed. `make fuzz` runs each for `FUZZ_SECONDS`. An input
//! that fails is made as small as it goes and written to `target/fuzz/`, with the command that runs it again; once mended, it
//! moves to `found/<target>/`, which every run begins with.
//!
//! | variable | what it does |
//! | --- | --- |
//! | `CLEW_FUZZ_SECONDS` | run each target so long |
//! | `CLEW_FUZZ_SEED` | another sequence of changes |
//! | `CLEW_FUZZ_INPUT` | run this file alone |
//!
//! | file | what it is |
//! | --- | --- |
//! | `driver` | the loop, what is kept, what is said of a failure |
//! | `mutate` | the changes |
//! | `shrink` | a failing input, smaller |
//! | `seeds` | real inputs |
//! | `frame`, `lines`, `assemble`, `rules`, `state`, `inflate` | the agent's targets |
//! | `batch`, `block`, `wal`, `id` | the aggregator's |

mod assemble;
mod batch;
mod block;
mod driver;
mod frame;
mod id;
mod inflate;
mod lines;
mod mutate;
mod rules;
mod seeds;
mod shrink;
mod state;
mod wal;
