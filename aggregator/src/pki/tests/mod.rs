//! All commands together, as somebody types them.
//!
//! | file | what it is |
//! | --- | --- |
//! | `trust` | who believes which certificate |
//! | `folder` | what the folder holds afterwards |

mod folder;
mod trust;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;

use super::command::{PkiCommand, run_at};
use super::issued::{self, Issued};

const NOW_S: i64 = 1_795_910_000;
const DAY_S: i64 = 86_400;

#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: PkiCommand,
}

/// An authority of its own.
struct Folder {
    _temporary: tempfile::TempDir,
    dir: PathBuf,
}

impl Folder {
    fn empty() -> Self {
        let temporary = tempfile::tempdir().unwrap();
        Self { dir: temporary.path().join("pki"), _temporary: temporary }
    }

    fn new() -> Self {
        let folder = Self::empty();
        folder.pki("init").unwrap();
        folder
    }

    /// `pki VERB DIR REST`, with what it said.
    fn pki(&self, line: &str) -> anyhow::Result<(String, String)> {
        self.pki_at(line, NOW_S)
    }

    fn pki_at(&self, line: &str, now_s: i64) -> anyhow::Result<(String, String)> {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let words = ["pki", verb, self.dir.to_str().unwrap()].into_iter().chain(rest.split_whitespace());
        let command = Arguments::try_parse_from(words)?.command;
        let (mut out, mut remarks) = (Vec::new(), Vec::new());
        run_at(&command, now_s, &mut out, &mut remarks)?;
        Ok((String::from_utf8(out)?, String::from_utf8(remarks)?))
    }

    fn refused(&self, line: &str) -> String {
        format!("{:#}", self.pki(line).expect_err(line))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    fn certificate(&self, name: &str) -> CertificateDer<'static> {
        CertificateDer::from_pem_file(self.path(name)).unwrap()
    }

    fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate("ca.crt")).unwrap();
        Arc::new(roots)
    }

    /// Whether an agent that trusts this authority believes `certificate` to be `name`.
    fn agent_believes(&self, certificate: &CertificateDer<'_>, name: &str) -> bool {
        let verifier =
            WebPkiServerVerifier::builder_with_provider(self.roots(), default_provider().into()).build().unwrap();
        let name = ServerName::try_from(name).unwrap();
        verifier.verify_server_cert(certificate, &[], &name, &[], unix(NOW_S)).is_ok()
    }

    /// Whether an aggregator that trusts this authority lets `certificate` in, with the list of revoked ones or not.
    fn aggregator_believes(&self, certificate: &CertificateDer<'_>, with_list: bool) -> bool {
        let mut builder = WebPkiClientVerifier::builder_with_provider(self.roots(), default_provider().into());
        if with_list {
            builder = builder.with_crls([CertificateRevocationListDer::from_pem_file(self.path("ca.crl")).unwrap()]);
        }
        builder.build().unwrap().verify_client_cert(certificate, &[], unix(NOW_S)).is_ok()
    }

    fn issued(&self) -> Vec<Issued> {
        issued::read(&self.dir).unwrap()
    }

    fn states(&self, now_s: i64) -> Vec<(String, String)> {
        let (list, _) = self.pki_at("list", now_s).unwrap();
        let column = |line: &str, index: usize| line.split_whitespace().nth(index).unwrap().to_owned();
        list.lines().skip(1).map(|line| (column(line, 2), column(line, 3))).collect()
    }
}

fn unix(time_s: i64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(time_s).unwrap()))
}

fn states(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, state)| ((*name).to_owned(), (*state).to_owned())).collect()
}
