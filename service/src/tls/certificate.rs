//! What a certificate (X.509, RFC 5280) says of who shows it, and a list of revoked ones of those that are good no more.

use std::fmt::Write;

use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;
use x509_parser::x509::X509Name;

/// What a handshake has proved of the other side. Its issuer is one that we were told to trust.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Of its subject, or its first host: for logs.
    pub name: String,
    /// Its DNS names.
    pub hosts: Vec<String>,
    /// No other certificate has it.
    pub number: Number,
    /// From when on it is good no more, nanoseconds since the epoch.
    pub expires_ns: i64,
    /// Which authorities were trusted when it was shown: counted by whoever replaces them.
    pub era: u64,
}

/// The issuer, and the serial number that it gave, in hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Number {
    issuer: Vec<u8>,
    /// As authorities list it.
    pub serial: String,
}

impl Certificate {
    /// Of a certificate in DER.
    pub fn read(der: &[u8]) -> Result<Self, String> {
        let (_, certificate) = X509Certificate::from_der(der).map_err(|error| format!("a certificate: {error}"))?;
        let names = certificate.subject_alternative_name().map_err(|error| format!("its names: {error}"))?;
        let names = names.iter().flat_map(|names| &names.value.general_names);
        let hosts: Vec<String> = names
            .filter_map(|name| match name {
                GeneralName::DNSName(host) => Some((*host).to_owned()),
                _ => None,
            })
            .collect();
        let subject = common_name(certificate.subject());
        Ok(Self {
            name: subject.or_else(|| hosts.first().cloned()).unwrap_or_default(),
            hosts,
            number: Number::new(certificate.issuer().as_raw(), certificate.raw_serial()),
            expires_ns: certificate.validity().not_after.timestamp().saturating_mul(1_000_000_000),
            era: 0,
        })
    }
}

impl Number {
    /// `issuer`: its name in DER; `serial`: the number's bytes.
    pub fn new(issuer: &[u8], serial: &[u8]) -> Self {
        // A zero in front says that the number is positive (DER), and is no part of it.
        let digits = serial.iter().skip_while(|byte| **byte == 0).fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        });
        Self { issuer: issuer.to_vec(), serial: digits }
    }
}

/// The numbers in a list of revoked certificates in DER.
pub fn revoked(der: &[u8]) -> Result<Vec<Number>, String> {
    let (_, list) =
        CertificateRevocationList::from_der(der).map_err(|error| format!("a list of revoked certificates: {error}"))?;
    Ok(list
        .iter_revoked_certificates()
        .map(|revoked| Number::new(list.issuer().as_raw(), revoked.raw_serial()))
        .collect())
}

/// An authority's name (in DER), from its certificate in DER. The error says why it is none.
pub fn authority(der: &[u8]) -> Result<Vec<u8>, String> {
    let (_, certificate) = X509Certificate::from_der(der).map_err(|error| format!("a certificate: {error}"))?;
    let name = common_name(certificate.subject()).unwrap_or_default();
    if certificate.is_ca() {
        Ok(certificate.subject().as_raw().to_vec())
    } else {
        Err(format!("the certificate {name:?} is no authority's (it is not marked as one, CA:TRUE)"))
    }
}

/// Whether a server may show it, where it says what it is for. The error says that it may not.
pub fn is_for_servers(der: &[u8]) -> Result<(), String> {
    let (_, certificate) = X509Certificate::from_der(der).map_err(|error| format!("a certificate: {error}"))?;
    let uses = certificate.extended_key_usage().map_err(|error| format!("its uses: {error}"))?;
    match uses {
        Some(uses) if !uses.value.any && !uses.value.server_auth => {
            Err("it is not for servers (its extended key usage lacks serverAuth); pki server makes one".to_owned())
        }
        _ => Ok(()),
    }
}

/// Who issued a list of revoked certificates in DER: a name in DER.
pub fn issuer_of_list(der: &[u8]) -> Result<Vec<u8>, String> {
    let (_, list) =
        CertificateRevocationList::from_der(der).map_err(|error| format!("a list of revoked certificates: {error}"))?;
    Ok(list.issuer().as_raw().to_vec())
}

/// What is shown in logs is plain, whatever somebody had signed.
fn common_name(subject: &X509Name<'_>) -> Option<String> {
    let name = subject.iter_common_name().next()?.as_str().ok()?;
    let plain: String = name.chars().filter(|character| !character.is_control()).take(256).collect();
    (!plain.is_empty()).then_some(plain)
}
