//! Connections: who gets one, how many, and how fast they may speak. What comes through them is for `receive` and `http`.
//!
//! | file | what it is |
//! | --- | --- |
//! | `doorman` | accepts, shakes hands, hands on |
//! | `crowd` | how many there are, of one client and of all |
//! | `pace` | how fast a client may speak |
//! | `connection` | one that was let in, plain or by TLS |
//! | `tls` | the certificates in force, read again when a file changes |

pub mod connection;
pub mod crowd;
pub mod doorman;
pub mod pace;
pub mod tls;
