//! What is shown to an aggregator that is locked, and which one is trusted with it: a token, and the authorities that may have signed
//! its certificate.
//!
//! A token comes from a file or from the environment, and never from the command line: that is in everybody's list of processes, and in
//! the shell's history.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use crate::client::Failure;

/// Names the token; `--token-file` goes before it.
pub const TOKEN_VARIABLE: &str = "CLEW_TOKEN";
/// More than any token, or any bundle of certificates.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// What the command line says about it.
pub struct Access {
    /// The first line is the token.
    pub token_file: Option<PathBuf>,
    /// PEM; else those that the system trusts.
    pub ca: Option<PathBuf>,
}

impl Access {
    /// The value of the header `authorization`, if there is a token.
    pub fn authorization(&self) -> Result<Option<String>, Failure> {
        let (token, origin) = match &self.token_file {
            Some(path) => (text(&read("--token-file", path)?), format!("--token-file {}", path.display())),
            None => match std::env::var_os(TOKEN_VARIABLE).filter(|token| !token.is_empty()) {
                Some(token) => (token.to_string_lossy().into_owned(), TOKEN_VARIABLE.to_owned()),
                None => return Ok(None),
            },
        };
        let token = token.trim();
        // What stands there is not shown: it may be a part of a token.
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            let why = "holds no token; it is what `clew-aggregator token create` printed, clew_…, and nothing else";
            return Err(Failure::Usage(format!("{origin} {why}")));
        }
        Ok(Some(format!("Bearer {token}")))
    }

    /// How to speak to an address that begins with https.
    pub fn tls(&self) -> Result<TlsConfig, Failure> {
        let roots = match &self.ca {
            Some(path) => authorities(path)?,
            None => rustls_native_certs::load_native_certs()
                .certs
                .iter()
                .map(|certificate| Certificate::from_der(certificate).to_owned())
                .collect(),
        };
        if roots.is_empty() {
            return Err(Failure::Usage(
                "this system trusts no certificates (the package ca-certificates has some); name the aggregator's authority: --ca FILE, or CLEW_CA".into(),
            ));
        }
        Ok(TlsConfig::builder()
            .root_certs(RootCerts::new_with_certs(&roots))
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build())
    }
}

fn authorities(path: &Path) -> Result<Vec<Certificate<'static>>, Failure> {
    let pem = read("--ca", path)?;
    let items: Result<Vec<PemItem<'static>>, ureq::Error> = parse_pem(&pem).collect();
    let items = items.map_err(|error| Failure::Usage(format!("--ca {}: {error}", path.display())))?;
    let certificates = items.into_iter().filter_map(|item| match item {
        PemItem::Certificate(certificate) => Some(certificate),
        _ => None,
    });
    let certificates: Vec<_> = certificates.collect();
    if certificates.is_empty() {
        return Err(Failure::Usage(format!("--ca {}: it holds no certificate (PEM)", path.display())));
    }
    Ok(certificates)
}

fn read(option: &str, path: &Path) -> Result<Vec<u8>, Failure> {
    let usage = |why: String| Failure::Usage(format!("{option} {}: {why}", path.display()));
    let size = path.metadata().map_err(|error| usage(error.to_string()))?.len();
    if size > FILE_BYTES_MAX {
        return Err(usage(format!("it has {size} bytes, that is no such file")));
    }
    std::fs::read(path).map_err(|error| usage(error.to_string()))
}

/// The first line that is not empty.
fn text(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default().to_owned()
}
