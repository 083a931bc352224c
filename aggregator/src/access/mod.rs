//! Who may do what.
//!
//! | file | what it is |
//! | --- | --- |
//! | `principal` | who was let in: scopes, hosts |
//! | `secret` | the secret of a token, and its hash |
//! | `token` | a token, and whether it is good |
//! | `door` | lets in, or refuses |
//!
//! Invariant: a secret is in nobody's hands but its owner's. It is printed once, kept as a hash, and stands in no log, error or metric.

pub mod door;
pub mod principal;
pub mod secret;
pub mod token;
