//! PEM files (RFC 7468). Errors name the key of the configuration, the file, and what should stand in it; never what does.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};

/// Hundreds of certificates fit; what holds more is no such file.
const BYTES_MAX: u64 = 4 << 20;

/// A file that is not what it should be.
#[derive(Debug, thiserror::Error)]
#[error("{key} {}: {why}", .path.display())]
pub struct FileError {
    /// As the configuration names it.
    key: &'static str,
    path: PathBuf,
    /// What is wrong, and what to do.
    why: String,
}

impl FileError {
    #[allow(clippy::needless_pass_by_value)] // texts and errors, as they come
    pub(super) fn new(key: &'static str, path: &Path, why: impl std::fmt::Display) -> Self {
        Self { key, path: path.to_owned(), why: format!("{why}") }
    }
}

/// All certificates of a file, in its order; at least one.
pub fn certificates(key: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, FileError> {
    objects(key, path, "certificate (-----BEGIN CERTIFICATE-----)")
}

/// The authorities of a file; at least one.
pub fn authorities(key: &'static str, path: &Path) -> Result<RootCertStore, FileError> {
    roots(key, path, certificates(key, path)?)
}

/// The authorities that these certificates of a file are.
pub fn roots(
    key: &'static str,
    path: &Path,
    certificates: Vec<CertificateDer<'static>>,
) -> Result<RootCertStore, FileError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots
            .add(certificate)
            .map_err(|error| FileError::new(key, path, format!("one of its certificates: {error}")))?;
    }
    Ok(roots)
}

/// The lists of revoked certificates of a file; at least one.
pub fn revocations(key: &'static str, path: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, FileError> {
    objects(key, path, "list of revoked certificates (-----BEGIN X509 CRL-----)")
}

/// The first private key of a file.
pub fn private_key(key: &'static str, path: &Path) -> Result<PrivateKeyDer<'static>, FileError> {
    let wrong = |why: &str| FileError::new(key, path, why);
    match PrivateKeyDer::from_pem_slice(&read(key, path)?) {
        Ok(found) => Ok(found),
        Err(pem::Error::NoItemsFound) => Err(wrong("it holds no private key (-----BEGIN PRIVATE KEY-----)")),
        Err(_) => Err(wrong("it is no PEM file with a private key")),
    }
}

fn objects<T: PemObject>(key: &'static str, path: &Path, what: &str) -> Result<Vec<T>, FileError> {
    let text = read(key, path)?;
    let objects: Result<Vec<T>, pem::Error> = T::pem_slice_iter(&text).collect();
    match objects {
        Ok(objects) if objects.is_empty() => Err(FileError::new(key, path, format!("it holds no {what}"))),
        Ok(objects) => Ok(objects),
        Err(_) => Err(FileError::new(key, path, format!("it is no PEM file with a {what}"))),
    }
}

fn read(key: &'static str, path: &Path) -> Result<Vec<u8>, FileError> {
    let wrong = |why: &dyn std::fmt::Display| FileError::new(key, path, why);
    // A pipe would hold us up for ever.
    if !path.metadata().map_err(|error| wrong(&error))?.is_file() {
        return Err(wrong(&"it is no file"));
    }
    let mut text = Vec::new();
    let read = File::open(path).and_then(|file| file.take(BYTES_MAX + 1).read_to_end(&mut text));
    match read.map_err(|error| wrong(&error))? as u64 {
        0 => Err(wrong(&"it is empty")),
        length if length > BYTES_MAX => Err(wrong(&"it is too long for a file of certificates or keys")),
        _ => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_such_file_is_named_and_not_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.pem");
        let told = |error: FileError| error.to_string();
        assert!(
            told(certificates("tls.ca", &path).unwrap_err())
                .starts_with(&format!("tls.ca {}: No such", path.display()))
        );
        std::fs::write(&path, "").unwrap();
        assert!(told(private_key("tls.key", &path).unwrap_err()).ends_with("it is empty"));
        std::fs::write(&path, "a secret").unwrap();
        for error in [
            told(private_key("tls.key", &path).unwrap_err()),
            told(certificates("tls.ca", &path).unwrap_err()),
            told(revocations("tls.client_crl", &path).unwrap_err()),
        ] {
            assert!(error.contains("-----BEGIN") && !error.contains("a secret"), "{error}");
        }
        std::fs::write(&path, "-----BEGIN CERTIFICATE-----\n????\n-----END CERTIFICATE-----\n").unwrap();
        assert!(told(certificates("tls.ca", &path).unwrap_err()).contains("it is no PEM file"));
        std::fs::write(&path, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
        assert!(told(authorities("tls.ca", &path).unwrap_err()).contains("one of its certificates"));
        assert!(told(authorities("tls.ca", folder.path()).unwrap_err()).ends_with("it is no file"));
    }
}
