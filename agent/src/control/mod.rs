//! The operator's way to a running agent: a socket in `state_dir`, one question and one answer for each connection.
//!
//! | file | what it is |
//! | --- | --- |
//! | `protocol` | questions and answers, one line of JSON each |
//! | `socket` | where the socket is, however long its path |
//! | `server` | takes questions, has them answered |
//! | `client` | asks |
//!
//! **Only the agent's own user and root are answered**, and no client can hurt: their number, their bytes and their time are bounded.
//! What is asked is answered by the pipeline's thread between two turns, so that every answer is of one moment.

pub mod client;
pub mod protocol;
pub mod server;
pub mod socket;
