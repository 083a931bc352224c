//! Certificates: those that `clew-aggregator pki` makes, and those that it never would.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, Issuer, KeyPair, SanType};

use crate::process;
use crate::stage::Stage;

const DEADLINE: Duration = Duration::from_secs(30);

/// An authority in a folder of its own.
pub struct Authority {
    folder: PathBuf,
}

/// A certificate and its key, as files.
#[derive(Clone)]
pub struct Identity {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Authority {
    pub fn new(stage: &Stage, name: &str) -> Self {
        let authority = Self { folder: stage.path().join(name) };
        authority.pki(&["init"], &[]);
        authority
    }

    /// Its certificate.
    pub fn ca(&self) -> PathBuf {
        self.folder.join("ca.crt")
    }

    /// The list of what it took back.
    pub fn crl(&self) -> PathBuf {
        self.folder.join("ca.crl")
    }

    /// For an aggregator; the files are the same each time.
    pub fn server(&self, names: &[&str]) -> Identity {
        self.pki(&["server"], names);
        Identity { certificate: self.folder.join("server.crt"), key: self.folder.join("server.key") }
    }

    /// For the agent of `host`; the files are the same each time.
    pub fn agent(&self, host: &str) -> Identity {
        self.pki(&["agent"], &[host]);
        let file = |ending: &str| self.folder.join("agents").join(format!("{host}.{ending}"));
        Identity { certificate: file("crt"), key: file("key") }
    }

    pub fn revoke(&self, host: &str) {
        self.pki(&["revoke"], &[host]);
    }

    /// Signed by it, for `host` and a use, and good until so long ago.
    pub fn expired(&self, host: &str, usage: ExtendedKeyUsagePurpose, since: Duration) -> Identity {
        let mut parameters = CertificateParams::new([host.to_owned()]).expect("a DNS name");
        parameters.distinguished_name.push(DnType::CommonName, host);
        parameters.extended_key_usages = vec![usage];
        let end = SystemTime::now() - since;
        parameters.not_before = (end - Duration::from_secs(86_400)).into();
        parameters.not_after = end.into();
        self.sign(&format!("{host}-expired"), &parameters)
    }

    /// Signed by it, for an agent, and it names no host.
    pub fn nameless(&self) -> Identity {
        let mut parameters = CertificateParams::new([]).expect("no names");
        parameters.distinguished_name.push(DnType::CommonName, "anybody");
        parameters.subject_alt_names = vec![SanType::Rfc822Name("anybody@example.org".try_into().expect("ASCII"))];
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign("nameless", &parameters)
    }

    fn sign(&self, name: &str, parameters: &CertificateParams) -> Identity {
        let read = |name: &str| std::fs::read_to_string(self.folder.join(name)).expect("read the authority's file");
        let own = KeyPair::from_pem(&read("ca.key")).expect("its key");
        let issuer = Issuer::from_ca_cert_pem(&read("ca.crt"), own).expect("its certificate");
        let key = KeyPair::generate().expect("a key");
        let certificate = parameters.signed_by(&key, &issuer).expect("signed");
        let file = |ending: &str| self.folder.join(format!("{name}.{ending}"));
        std::fs::write(file("crt"), certificate.pem()).expect("write a certificate");
        std::fs::write(file("key"), key.serialize_pem()).expect("write a key");
        Identity { certificate: file("crt"), key: file("key") }
    }

    fn pki(&self, command: &[&str], arguments: &[&str]) {
        let folder = self.folder.to_str().expect("a UTF-8 path");
        let output = process::run("clew-aggregator", &[&["pki"], command, &[folder], arguments].concat(), DEADLINE);
        assert!(output.status.success(), "pki {command:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// `[tls]` of an aggregator.
pub fn server_table(identity: &Identity, authority: &Authority) -> String {
    let Identity { certificate, key } = identity;
    format!(
        "\n[tls]\ncertificate = {certificate:?}\nkey = {key:?}\nclient_ca = {:?}\nclient_crl = {:?}\n",
        authority.ca(),
        authority.crl()
    )
}

/// `[tls]` of an agent.
pub fn client_table(ca: &Path, identity: Option<&Identity>) -> String {
    let shown = identity.map(|Identity { certificate, key }| format!("certificate = {certificate:?}\nkey = {key:?}\n"));
    format!("\n[tls]\nca = {ca:?}\n{}", shown.unwrap_or_default())
}
