//! Who may do what.
//!
//! | file | what it is |
//! | --- | --- |
//! | `principal` | who was let in: scopes, hosts |
//! | `secret` | the secret of a token, and its hash |
//! | `token` | a token, and whether it is good |
//! | `door` | lets in, or refuses |
//! | `file` | `data_dir/tokens`: those that the command made |
//! | `keyring` | all of them, read again when a file changes |
//! | `uses` | `data_dir/tokens.used`: when they were used |
//! | `logins` | of browsers, behind a cookie |
//! | `attempts` | wrong ones, by address |
//! | `binding` | where to listen without a lock |
//! | `gate` | what the two servers ask of all that; the names of an open door |
//! | `command` | `clew-aggregator token` |
//!
//! Invariant: a secret is in nobody's hands but its owner's. It is printed once, kept as a hash, and stands in no log, error or metric.

pub mod attempts;
pub mod binding;
pub mod command;
pub mod door;
pub mod file;
pub mod gate;
pub mod keyring;
pub mod logins;
pub mod principal;
pub mod secret;
pub mod token;
pub mod uses;
