//! `DIR/ca.crl`: the certificates that are revoked and would be good otherwise, signed by the authority (RFC 5280,
//! section 5).

use std::path::{Path, PathBuf};

use anyhow::Context;
use rcgen::{CertificateRevocationListParams, KeyIdMethod, RevokedCertParams, SerialNumber};

use super::authority::{Authority, date};
use super::files::{self, PUBLIC};
use super::issued::Issued;

/// Ten years: it is written anew when something is revoked, the aggregator reads the file, and nobody fetches it.
const NEXT_UPDATE_S: i64 = 3_650 * 86_400;

/// Where it lies.
pub fn path(dir: &Path) -> PathBuf {
    dir.join("ca.crl")
}

/// Writes all that is revoked. Only with the lock.
pub fn write(dir: &Path, authority: &Authority, issued: &[Issued], now_s: i64) -> anyhow::Result<()> {
    let mut revoked_certs = Vec::new();
    for certificate in issued.iter().filter(|certificate| !certificate.is_over(now_s)) {
        if let Some(revoked_s) = certificate.revoked_s {
            revoked_certs.push(RevokedCertParams {
                serial_number: certificate.serial.into(),
                revocation_time: date(revoked_s)?,
                reason_code: None,
                invalidity_date: None,
            });
        }
    }
    let list = CertificateRevocationListParams {
        this_update: date(now_s)?,
        next_update: date(now_s + NEXT_UPDATE_S)?,
        crl_number: SerialNumber::from(next_number(&path(dir), now_s)),
        issuing_distribution_point: None,
        revoked_certs,
        key_identifier_method: KeyIdMethod::Sha256,
    };
    let signed = list
        .signed_by(&authority.issuer)
        .and_then(|list| list.pem())
        .context("sign the list of revoked certificates")?;
    files::write(&path(dir), PUBLIC, &signed)
}

/// It only grows. The clock is ahead of any count, so that it grows even after a list that is lost.
fn next_number(path: &Path, now_s: i64) -> u64 {
    let by_clock = u64::try_from(now_s).unwrap_or(1);
    number(path).map_or(by_clock, |number| by_clock.max(number.saturating_add(1)))
}

fn number(path: &Path) -> Option<u64> {
    let text = files::read(path).ok()?;
    let (_, pem) = x509_parser::pem::parse_x509_pem(text.as_bytes()).ok()?;
    let (_, list) = x509_parser::parse_x509_crl(&pem.contents).ok()?;
    list.crl_number().and_then(|number| u64::try_from(number).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::authority::Validity;

    #[test]
    fn the_number_grows_also_when_the_clock_does_not_and_when_the_list_is_lost() {
        let dir = tempfile::tempdir().unwrap();
        let now_s = 1_795_910_000;
        Authority::create(dir.path(), "Clew", Validity::days(10, now_s).unwrap()).unwrap();
        let authority = Authority::open(dir.path(), now_s).unwrap();
        let mut last = 0;
        for (now_s, wanted) in [(now_s, 0), (now_s, 1), (now_s - 100, 2), (now_s + 50, 50)] {
            write(dir.path(), &authority, &[], now_s).unwrap();
            let number = number(&path(dir.path())).unwrap();
            assert_eq!(number, 1_795_910_000 + wanted);
            assert!(std::mem::replace(&mut last, number) < number);
        }
        std::fs::write(path(dir.path()), "damaged").unwrap();
        write(dir.path(), &authority, &[], now_s + 51).unwrap();
        assert!(number(&path(dir.path())).unwrap() > last);
    }
}
