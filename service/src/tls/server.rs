//! The side that listens: what it shows, and whose certificates it takes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};

use super::certificate::{self, Certificate, Number};
use super::client::unfit;
use super::pem::{self, FileError};
use super::{HTTP1, HTTP2, Identity, provider};

/// The files of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// What it shows.
    pub identity: Identity,
    /// The authorities that clients' certificates may come from; none: clients are not asked for one.
    pub client_ca: Option<PathBuf>,
    /// Certificates of clients that are good no more.
    pub client_crl: Option<PathBuf>,
}

/// What was made of them.
pub struct Server {
    /// For gRPC: clients are asked for a certificate. Whoever has none goes on without, whoever has a wrong one does not.
    pub grpc: Arc<ServerConfig>,
    /// For HTTP: nobody is asked for a certificate.
    pub http: Arc<ServerConfig>,
    /// What it shows.
    pub certificate: Certificate,
    /// Numbers of clients' certificates that are good no more.
    pub revoked: Vec<Number>,
    /// The authorities that clients' certificates may come from, in DER.
    pub authorities: Vec<CertificateDer<'static>>,
}

impl Files {
    /// All of them.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        let more = [&self.client_ca, &self.client_crl].into_iter().flatten();
        [&self.identity.certificate, &self.identity.key].into_iter().chain(more).map(PathBuf::as_path)
    }
}

impl Server {
    /// Reads the files.
    pub fn read(files: &Files) -> Result<Self, FileError> {
        let chain = pem::certificates("tls.certificate", &files.identity.certificate)?;
        let wrong = |why: String| FileError::new("tls.certificate", &files.identity.certificate, why);
        let certificate = Certificate::read(&chain[0]).map_err(wrong)?;
        certificate::is_for_servers(&chain[0]).map_err(wrong)?;
        let key = pem::private_key("tls.key", &files.identity.key)?;
        let builder = || {
            ServerConfig::builder_with_provider(provider())
                .with_safe_default_protocol_versions()
                .expect("the provider has the suites of the default versions")
        };
        let mut http = builder()
            .with_no_client_auth()
            .with_single_cert(chain.clone(), key.clone_key())
            .map_err(|error| unfit(&files.identity, &error))?;
        let mut authorities = Vec::new();
        let (mut grpc, revoked) = match &files.client_ca {
            None => (http.clone(), Vec::new()),
            Some(ca) => {
                authorities = pem::certificates("tls.client_ca", ca)?;
                let roots = pem::roots("tls.client_ca", ca, authorities.clone())?;
                let names = authorities.iter().map(|authority| certificate::authority(authority));
                let names: Vec<Vec<u8>> =
                    names.collect::<Result<_, _>>().map_err(|why| FileError::new("tls.client_ca", ca, why))?;
                let lists = match &files.client_crl {
                    Some(path) => pem::revocations("tls.client_crl", path)?,
                    None => Vec::new(),
                };
                let revoked = lists.iter().map(|list| certificate::revoked(list)).collect::<Result<Vec<_>, _>>();
                let wrong =
                    |why: String| FileError::new("tls.client_crl", files.client_crl.as_deref().unwrap_or(ca), why);
                let revoked = revoked.map_err(wrong)?.concat();
                for list in &lists {
                    // It would revoke nothing, and nobody would know.
                    if !names.contains(&certificate::issuer_of_list(list).map_err(wrong)?) {
                        return Err(wrong("it is the list of an authority that is not in tls.client_ca".to_owned()));
                    }
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
                    .with_crls(lists)
                    .only_check_end_entity_revocation()
                    // Of an authority that has no list nothing is revoked.
                    .allow_unknown_revocation_status()
                    .allow_unauthenticated()
                    .build()
                    .map_err(|error| FileError::new("tls.client_ca", ca, error))?;
                let config = builder().with_client_cert_verifier(verifier).with_single_cert(chain, key);
                (config.map_err(|error| unfit(&files.identity, &error))?, revoked)
            }
        };
        for config in [&mut grpc, &mut http] {
            // Each connection proves everything anew: what was revoked meanwhile does not come back by a ticket.
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        grpc.alpn_protocols = vec![HTTP2.to_vec()];
        http.alpn_protocols = vec![HTTP2.to_vec(), HTTP1.to_vec()];
        Ok(Self { grpc: Arc::new(grpc), http: Arc::new(http), certificate, revoked, authorities })
    }
}
