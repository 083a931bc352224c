//! The TLS by which the aggregator is reached: whom it is taken for, and what this agent shows.

use std::io;
use std::sync::Arc;

use clew_service::tls::certificate::Certificate;
use clew_service::tls::client::{Client, Files};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{CertificateError, ClientConfig, Error};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// How the aggregator is reached by `https://`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// Authorities, certificate and key. They are read at each connection, so new ones need no restart.
    pub files: Files,
    /// The name in the aggregator's certificate; none: that of its address.
    pub server_name: Option<String>,
}

/// What was read of the files: good for one connection.
pub struct Terms {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    /// Where to connect: a host's name or address, and a port.
    address: (String, u16),
    /// What is shown.
    pub certificate: Option<Certificate>,
}

impl Tls {
    /// Reads the files. `address`: a host and a port, as `https://` has them.
    pub fn read(&self, address: &str) -> Result<Terms, String> {
        let Client { config, certificate } = Client::read(&self.files).map_err(|error| error.to_string())?;
        let (host, port) = address.rsplit_once(':').ok_or_else(|| format!("{address} has no port"))?;
        let port = port.parse().map_err(|_| format!("{address} has no port"))?;
        // An address of IPv6 stands in brackets.
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let name = self.server_name.as_deref().unwrap_or(host);
        let name = ServerName::try_from(name.to_owned())
            .map_err(|_| format!("tls.server_name: {name:?} is no name of a host"))?;
        Ok(Terms { config, name, address: (host.to_owned(), port), certificate })
    }
}

impl Terms {
    /// Connects and shakes hands.
    pub async fn connect(&self) -> Result<TokioIo<TlsStream<TcpStream>>, String> {
        let (host, port) = &self.address;
        let stream = TcpStream::connect((host.as_str(), *port)).await.map_err(|error| error.to_string())?;
        let _ = stream.set_nodelay(true);
        let connector = TlsConnector::from(Arc::clone(&self.config));
        let stream = connector.connect(self.name.clone(), stream).await;
        Ok(TokioIo::new(stream.map_err(|error| self.why(&error))?))
    }

    /// What went wrong in the handshake, and what to do.
    fn why(&self, error: &io::Error) -> String {
        let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
        let name = self.name.to_str();
        match tls {
            Some(Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature)) => {
                "its certificate comes from no authority that is trusted here; name the right one in tls.ca".into()
            }
            Some(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => {
                format!(
                    "its certificate is not for {name}; name what it is for in tls.server_name, or have one made for {name}"
                )
            }
            Some(Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. })) => {
                "its certificate has expired (or a clock is wrong)".into()
            }
            Some(Error::InvalidMessage(_)) => "it does not speak TLS; if that is meant to be, write http://".into(),
            _ if error.kind() == io::ErrorKind::UnexpectedEof => "it ends the connection in the handshake".into(),
            _ => error.to_string(),
        }
    }
}
