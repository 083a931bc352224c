//! `DIR/ca.key` and `DIR/ca.crt`: what signs certificates, and what agents and the aggregator trust.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clew_service::exit::ConfigError;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData,
};
use rustls::pki_types::CertificateDer;
use time::OffsetDateTime;
use x509_parser::certificate::X509Certificate;

use super::files::{self, PRIVATE, PUBLIC};
use super::issued::{Issued, Kind};
use super::names::COMMON_NAME_CHARACTERS_MAX;
use super::serial::Serial;

/// A certificate is good for this long before it is made: clocks differ.
const CLOCKS_DIFFER_S: i64 = 300;
const DAY_S: i64 = 86_400;
const DAYS_MAX: u32 = 36_500;

/// From when to when, in seconds since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first second.
    pub not_before_s: i64,
    /// The last second.
    pub not_after_s: i64,
}

impl Validity {
    /// So many days from now on.
    pub fn days(days: u32, now_s: i64) -> Result<Self, ConfigError> {
        if !(1..=DAYS_MAX).contains(&days) {
            return Err(ConfigError::new(format!("--days: {days} is not between 1 and {DAYS_MAX}")));
        }
        Ok(Self { not_before_s: now_s - CLOCKS_DIFFER_S, not_after_s: now_s + i64::from(days) * DAY_S })
    }
}

/// Opened to sign.
pub struct Authority {
    /// Its name and its key.
    pub issuer: Issuer<'static, KeyPair>,
    /// When it is good itself.
    pub validity: Validity,
}

/// What everybody is to trust.
pub fn certificate_path(dir: &Path) -> PathBuf {
    dir.join("ca.crt")
}

/// What nobody is to have.
pub fn key_path(dir: &Path) -> PathBuf {
    dir.join("ca.key")
}

/// Refuses a folder that holds none.
pub fn check_is_there(dir: &Path) -> Result<(), ConfigError> {
    if certificate_path(dir).symlink_metadata().is_ok() {
        return Ok(());
    }
    let shown = dir.display();
    Err(ConfigError::new(format!(
        "{shown} holds no certificate authority; make one with `clew-aggregator pki init {shown}`"
    )))
}

/// Locks the one that is there, for whoever changes something.
pub fn lock(dir: &Path) -> anyhow::Result<File> {
    check_is_there(dir)?;
    files::lock(dir)
}

/// A key of the kind that all have.
pub fn new_key() -> anyhow::Result<KeyPair> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).context("make a key")
}

/// The key in the text of the file at `path`. What is wrong with it is not said: it is secret.
pub fn parse_key(path: &Path, text: &str) -> Result<KeyPair, ConfigError> {
    KeyPair::from_pem(text).map_err(|_| {
        let why = "it holds no private key in PKCS #8 and PEM (\"BEGIN PRIVATE KEY\"); put back a copy";
        ConfigError::new(format!("{}: {why}", path.display()))
    })
}

impl Authority {
    /// A new one in `dir`, which has none.
    pub fn create(dir: &Path, name: &str, validity: Validity) -> anyhow::Result<()> {
        let serial = Serial::random()?;
        let mut params = params(validity, serial)?;
        // Two of one name are told apart: a certificate says who signed it by that one's name.
        params.distinguished_name.push(DnType::CommonName, format!("{name} {}", &serial.to_string()[..8]));
        // It signs certificates of agents and servers, never another authority.
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = new_key()?;
        let certificate = params.self_signed(&key).context("sign the authority's certificate")?;
        files::write(&key_path(dir), PRIVATE, &key.serialize_pem())?;
        files::write(&certificate_path(dir), PUBLIC, &certificate.pem())
    }

    /// The one in `dir`, when it can still sign.
    pub fn open(dir: &Path, now_s: i64) -> anyhow::Result<Self> {
        let path = certificate_path(dir);
        let text = files::read(&path)?;
        let key_path = key_path(dir);
        let key = parse_key(&key_path, &files::read_private(&key_path)?)?;
        let refused = |why: &str| ConfigError::new(format!("{}: {why}", path.display()));
        let unreadable = || refused("it holds no certificate in PEM; put back a copy");
        let (_, pem) = x509_parser::pem::parse_x509_pem(text.as_bytes()).map_err(|_| unreadable())?;
        let certificate = pem.parse_x509().map_err(|_| unreadable())?;
        if !certificate.is_ca() {
            return Err(refused(
                "it is no certificate of an authority; put back a copy of the one that `pki init` made",
            )
            .into());
        }
        if certificate.public_key().raw != key.subject_public_key_info() {
            return Err(refused(
                "ca.key beside it belongs to another certificate; put back the two that belong together",
            )
            .into());
        }
        let validity = validity_of(&certificate);
        check_now(validity, now_s).map_err(|why| refused(&why))?;
        let der = CertificateDer::from(pem.contents.as_slice());
        let issuer = Issuer::from_ca_cert_der(&der, key).map_err(|_| unreadable())?;
        Ok(Self { issuer, validity })
    }

    /// Within its own: whoever verifies a certificate verifies the authority's as well.
    pub fn cut(&self, wanted: Validity) -> Validity {
        Validity {
            not_before_s: wanted.not_before_s.max(self.validity.not_before_s),
            not_after_s: wanted.not_after_s.min(self.validity.not_after_s),
        }
    }

    /// The certificate that `issued` says, for the owner of `key`.
    pub fn sign(&self, issued: &Issued, key: &KeyPair) -> anyhow::Result<Certificate> {
        let validity = Validity { not_before_s: issued.not_before_s, not_after_s: issued.not_after_s };
        let mut params = params(validity, issued.serial)?;
        params.subject_alt_names = CertificateParams::new(issued.names.clone())?.subject_alt_names;
        // For people; programs go by the alternative names, which are all that a long one has.
        if let Some(name) = issued.names.first().filter(|name| name.len() <= COMMON_NAME_CHARACTERS_MAX) {
            params.distinguished_name.push(DnType::CommonName, name);
        }
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![match issued.kind {
            Kind::Server => ExtendedKeyUsagePurpose::ServerAuth,
            Kind::Agent => ExtendedKeyUsagePurpose::ClientAuth,
        }];
        params.use_authority_key_identifier_extension = true;
        params
            .signed_by(key, &self.issuer)
            .with_context(|| format!("sign a certificate for {}", issued.names.join(", ")))
    }
}

/// As RFC 3339, to the second.
pub fn rfc3339(time_s: i64) -> String {
    jiff::Timestamp::from_second(time_s).map_or_else(|_| time_s.to_string(), |time| time.to_string())
}

/// As certificates want it.
pub fn date(time_s: i64) -> anyhow::Result<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(time_s).context("a time that no certificate can have; is the clock right?")
}

fn params(validity: Validity, serial: Serial) -> anyhow::Result<CertificateParams> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.serial_number = Some(serial.into());
    params.not_before = date(validity.not_before_s)?;
    params.not_after = date(validity.not_after_s)?;
    Ok(params)
}

fn validity_of(certificate: &X509Certificate<'_>) -> Validity {
    let validity = certificate.validity();
    Validity { not_before_s: validity.not_before.timestamp(), not_after_s: validity.not_after.timestamp() }
}

fn check_now(validity: Validity, now_s: i64) -> Result<(), String> {
    let Validity { not_before_s, not_after_s } = validity;
    if now_s > not_after_s {
        let remedy = "make a new authority with `pki init` in another folder, and new certificates with it";
        return Err(format!("it expired at {}; {remedy}", rfc3339(not_after_s)));
    }
    if now_s < not_before_s {
        return Err(format!("it is not good before {}; is the clock right?", rfc3339(not_before_s)));
    }
    Ok(())
}
