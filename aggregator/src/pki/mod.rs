//! `clew-aggregator pki`: a certificate authority of one's own, in a folder, for those who have none.
//!
//! | file | what it is |
//! | --- | --- |
//! | `names` | what may stand in a certificate, and so in the name of a file |
//! | `serial` | the number that a certificate is revoked by |
//! | `files` | folders and files that are replaced as a whole, and the lock |
//! | `issued` | `DIR/issued`: every certificate that there is |
//! | `authority` | `DIR/ca.key` and `DIR/ca.crt`: signs |
//! | `crl` | `DIR/ca.crl`: what is revoked |
//! | `issue` | a certificate and its key, from the wish to the files |
//! | `command` | `clew-aggregator pki` |
//!
//! `DIR/server.crt` and `DIR/agents/HOST.crt` hold the certificate alone, without the authority's: none is between the
//! two, and whoever verifies has `ca.crt`. Keys are ECDSA P-256, in PKCS #8.
//!
//! Invariants: a key is written to its file and nowhere else. A certificate is in `issued` before it is in a file:
//! there is none that cannot be revoked. Who changes anything holds the lock (`DIR/lock`).

pub mod authority;
pub mod command;
pub mod crl;
pub mod files;
pub mod issue;
pub mod issued;
pub mod names;
pub mod serial;
#[cfg(test)]
mod tests;
