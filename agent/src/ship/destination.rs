//! The aggregator that is shipped to, how it is reached, and the token that is shown there.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clew_service::tls::certificate::Certificate;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, Endpoint, Uri};
use tower::service_fn;

use super::session::chain;
use super::tls::{Terms, Tls};

const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);
const WINDOW_BYTES: u32 = 1 << 20;
/// A file that holds more is no file of tokens.
const TOKEN_FILE_BYTES_MAX: u64 = 4 << 10;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// `http://host:port`, or `https://host:port`.
    pub aggregator: String,
    /// Where the token lies: the file's first line that is not empty. It is read at each connection, so a new one needs no restart.
    pub token_file: Option<PathBuf>,
    /// How `https://` is spoken.
    pub tls: Tls,
}

/// A connection, and what goes along with each call.
pub struct Connection {
    pub channel: Channel,
    /// What this agent showed; none: no certificate.
    pub certificate: Option<Certificate>,
    authorization: Option<MetadataValue<Ascii>>,
}

impl Destination {
    /// Whether what is shown at each connection can be read now. The error names the file.
    pub fn read_files(&self) -> Result<(), String> {
        if let Some(path) = &self.token_file {
            authorization(path)?;
        }
        match self.aggregator.strip_prefix("https://") {
            Some(address) => self.tls.read(address).map(drop),
            None => Ok(()),
        }
    }

    /// Connects. The error says what to do.
    pub async fn connect(&self) -> Result<Connection, String> {
        let authorization = match self.token_file.clone() {
            Some(path) => {
                let read = tokio::task::spawn_blocking(move || authorization(&path)).await;
                Some(read.map_err(|error| error.to_string())??)
            }
            None => None,
        };
        let terms = match self.aggregator.strip_prefix("https://") {
            Some(address) => {
                let (tls, address) = (self.tls.clone(), address.to_owned());
                let read = tokio::task::spawn_blocking(move || tls.read(&address)).await;
                Some(Arc::new(read.map_err(|error| error.to_string())??))
            }
            None => None,
        };
        let endpoint = Endpoint::from_shared(self.aggregator.clone()).map_err(|error| error.to_string())?;
        let endpoint = endpoint
            .connect_timeout(CONNECT_TIME_MAX)
            .tcp_nodelay(true)
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES);
        let certificate = terms.as_ref().and_then(|terms| terms.certificate.clone());
        let channel = match terms {
            Some(terms) => endpoint.connect_with_connector(service_fn(move |_: Uri| connect(Arc::clone(&terms)))).await,
            None => endpoint.connect().await,
        };
        let channel = channel.map_err(|error| format!("cannot connect: {}", chain(&error)))?;
        Ok(Connection { channel, certificate, authorization })
    }
}

async fn connect(terms: Arc<Terms>) -> Result<TokioIo<TlsStream<TcpStream>>, std::io::Error> {
    terms.connect().await.map_err(std::io::Error::other)
}

impl Connection {
    /// A call with what goes along.
    pub fn request<T>(&self, content: T) -> tonic::Request<T> {
        let mut request = tonic::Request::new(content);
        if let Some(authorization) = &self.authorization {
            request.metadata_mut().insert("authorization", authorization.clone());
        }
        request
    }
}

/// What stands in the file may be a secret even where it is no token: errors do not show it.
fn authorization(path: &Path) -> Result<MetadataValue<Ascii>, String> {
    let wrong = |why: &dyn std::fmt::Display| format!("token_file {}: {why}", path.display());
    // A pipe would hold us up for ever.
    let is_file = path.metadata().map_err(|error| wrong(&error))?.is_file();
    let mut text = String::new();
    match is_file {
        true => File::open(path).and_then(|file| file.take(TOKEN_FILE_BYTES_MAX).read_to_string(&mut text)),
        false => return Err(wrong(&"it is no file")),
    }
    .map_err(|error| wrong(&error))?;
    let Some(token) = text.lines().map(str::trim).find(|line| !line.is_empty()) else {
        return Err(wrong(&"it is empty; put a token with the scope ingest there"));
    };
    let value = format!("Bearer {token}").parse::<MetadataValue<Ascii>>();
    let mut value = value.map_err(|_| wrong(&"what stands there is no token"))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_the_first_line_and_is_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let missing = authorization(&path).unwrap_err();
        assert!(missing.starts_with(&format!("token_file {}: No such file", path.display())), "{missing}");
        for text in ["clew_a", "clew_a\n", "\n clew_a \nclew_b\n"] {
            std::fs::write(&path, text).unwrap();
            let value = authorization(&path).unwrap();
            assert_eq!(value.to_str().unwrap(), "Bearer clew_a");
            assert!(!format!("{value:?}").contains("clew_a"));
        }
        for (text, why) in [("", "is empty"), (" \n\n", "is empty"), ("clew_\u{7}a", "is no token")] {
            std::fs::write(&path, text).unwrap();
            let error = authorization(&path).unwrap_err();
            assert!(error.contains(why) && !error.contains("clew_"), "{error}");
        }
        assert!(authorization(folder.path()).unwrap_err().contains("it is no file"));
    }
}
