//! Backups: an image of `data_dir` as of one moment, kept in a folder or an S3-compatible store, and brought back from there.
//!
//! | file | what it is |
//! | --- | --- |
//! | `command` | `clew-aggregator backup` and `restore` |
//! | `snapshot` | the image: hard links below `data_dir/snapshot` |
//! | `control` | how the command asks a running aggregator for one |
//! | `target` | the folder or bucket |
//! | `manifest` | what one backup consists of |
//! | `repository` | objects and manifests in a target |
//! | `create` | writes what a target lacks, and the manifest last |
//! | `restore` | brings one back into an empty `data_dir` |
//! | `last` | when the last good one was made, and whether that is too long ago |
//!
//! An image is what a `kill -9` would have left at that moment: partitions, then the catalog, then the log, taken by the thread that
//! commits, so that the log reaches back to the oldest of the commits and forward past the catalog. Bringing it back is the replay that
//! every crash needs: frontiers are exactly those of the records.

pub mod command;
pub mod control;
pub mod create;
pub mod last;
pub mod manifest;
pub mod repository;
pub mod restore;
pub mod snapshot;
pub mod target;
