//! The side that connects: whom it trusts, and what it shows.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::{ClientConfig, RootCertStore};

use super::certificate::Certificate;
use super::pem::{self, FileError};
use super::{HTTP2, Identity, provider};

/// The files of a client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    /// The authorities that the server's certificate may come from; none: those that the system trusts.
    pub ca: Option<PathBuf>,
    /// What is shown to a server that asks.
    pub identity: Option<Identity>,
}

/// What was made of them.
pub struct Client {
    /// For a connector.
    pub config: Arc<ClientConfig>,
    /// What is shown to a server that asks.
    pub certificate: Option<Certificate>,
}

/// Why nothing can be made of them.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// One of the files.
    #[error(transparent)]
    File(#[from] FileError),
    /// No authority is named, and the system has none.
    #[error(
        "this system trusts no certificates (the package ca-certificates has some); name the aggregator's authority in tls.ca"
    )]
    NoAuthorities,
}

impl Client {
    /// Reads the files.
    pub fn read(files: &Files) -> Result<Self, ClientError> {
        let roots = match &files.ca {
            Some(path) => pem::authorities("tls.ca", path)?,
            None => system()?,
        };
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("the provider has the suites of the default versions")
            .with_root_certificates(roots);
        let (mut config, certificate) = match &files.identity {
            Some(identity) => {
                let chain = pem::certificates("tls.certificate", &identity.certificate)?;
                let wrong = |why: String| FileError::new("tls.certificate", &identity.certificate, why);
                let certificate = Certificate::read(&chain[0]).map_err(wrong)?;
                let key = pem::private_key("tls.key", &identity.key)?;
                let config = builder.with_client_auth_cert(chain, key).map_err(|error| unfit(identity, &error))?;
                (config, Some(certificate))
            }
            None => (builder.with_no_client_auth(), None),
        };
        // Each connection proves everything anew.
        config.resumption = Resumption::disabled();
        config.alpn_protocols = vec![HTTP2.to_vec()];
        Ok(Self { config: Arc::new(config), certificate })
    }
}

/// A key and a certificate that cannot be used, or not together.
pub(super) fn unfit(identity: &Identity, error: &rustls::Error) -> FileError {
    let why = match error {
        rustls::Error::InconsistentKeys(_) => {
            format!("it is not the key of the certificate in {}", identity.certificate.display())
        }
        error => error.to_string(),
    };
    FileError::new("tls.key", &identity.key, why)
}

fn system() -> Result<RootCertStore, ClientError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() { Err(ClientError::NoAuthorities) } else { Ok(roots) }
}
