//! TLS between agent and aggregator (RFC 8446, RFC 5246): what both sides need of it.
//!
//! | file | what it is |
//! | --- | --- |
//! | `pem` | certificates, keys and lists of revoked ones, out of files |
//! | `certificate` | what a certificate says: names, number, until when |
//! | `client` | the side that connects |
//! | `server` | the side that listens |
//!
//! Files are read each time that something is made of them: a new certificate needs no restart.

pub mod certificate;
pub mod client;
pub mod pem;
pub mod server;

use std::path::PathBuf;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use serde::Deserialize;

/// The protocol of gRPC, as ALPN (RFC 7301) names it.
pub const HTTP2: &[u8] = b"h2";
/// That of everything else that asks over HTTP.
pub const HTTP1: &[u8] = b"http/1.1";

/// A certificate and its key.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Identity {
    /// PEM: the certificate, then those that lead from it to an authority.
    pub certificate: PathBuf,
    /// PEM: the private key.
    pub key: PathBuf,
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
