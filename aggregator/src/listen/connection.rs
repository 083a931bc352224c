//! One connection that was let in, plain or by TLS, and who is at its other end.

use std::future::Future;
use std::io::{self, IoSlice};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use clew_service::tls::certificate::Certificate;
use prometheus_client::metrics::counter::Counter;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;

use super::crowd::Place;

/// Whoever connects says something within this time.
const FIRST_BYTE_TIME_MAX: Duration = Duration::from_secs(20);

/// Who is at the other end.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Its address; one of IPv4 is written as such.
    pub address: IpAddr,
    /// What the handshake has proved.
    pub certificate: Option<Arc<Certificate>>,
}

/// See the module. Reads more slowly than the client writes where that is too fast.
pub struct Connection {
    stream: Stream,
    caller: Caller,
    place: Place,
    /// Until it has said something.
    silence: Option<Pin<Box<Sleep>>>,
    /// While it is not listened to.
    rest: Option<Pin<Box<Sleep>>>,
    /// Rests.
    paced: Counter,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Connection {
    /// One in the clear. `paced` counts the times that its client was too fast.
    pub fn plain(stream: TcpStream, address: IpAddr, place: Place, paced: Counter) -> Self {
        Self::new(Stream::Plain(stream), Caller { address, certificate: None }, place, paced)
    }

    /// One whose handshake is over, in an `era` of the authorities. The error is what is wrong with the client's certificate.
    pub fn tls(
        stream: TlsStream<TcpStream>,
        era: u64,
        address: IpAddr,
        place: Place,
        paced: Counter,
    ) -> Result<Self, String> {
        let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let shown = shown.map(|der| Certificate::read(der)).transpose()?;
        let certificate = shown.map(|certificate| Arc::new(Certificate { era, ..certificate }));
        Ok(Self::new(Stream::Tls(Box::new(stream)), Caller { address, certificate }, place, paced))
    }

    fn new(stream: Stream, caller: Caller, place: Place, paced: Counter) -> Self {
        let silence = Some(Box::pin(tokio::time::sleep(FIRST_BYTE_TIME_MAX)));
        Self { stream, caller, place, silence, rest: None, paced }
    }

    /// Who is at the other end.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// So much was read.
    fn took(&mut self, bytes: usize) {
        self.silence = None;
        let Some(bucket) = &self.place.bucket else { return };
        let rest = bucket.take(bytes, Instant::now());
        if !rest.is_zero() {
            self.paced.inc();
            self.rest = Some(Box::pin(tokio::time::sleep(rest)));
        }
    }
}

impl Connected for Connection {
    type ConnectInfo = Caller;

    fn connect_info(&self) -> Caller {
        self.caller.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Some(rest) = &mut this.rest {
            ready!(rest.as_mut().poll(context));
            this.rest = None;
        }
        let before = buffer.filled().len();
        let read = match &mut this.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Stream::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        };
        match read {
            Poll::Ready(Ok(())) => {
                this.took(buffer.filled().len() - before);
                Poll::Ready(Ok(()))
            }
            Poll::Pending => match &mut this.silence {
                Some(silence) => silence.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into())),
                None => Poll::Pending,
            },
            failed => failed,
        }
    }
}

/// Passes a call on to the stream.
macro_rules! stream {
    ($this:ident, $method:ident $(, $argument:expr)*) => {
        match &mut $this.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).$method($($argument),*),
            Stream::Tls(stream) => Pin::new(stream).$method($($argument),*),
        }
    };
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        stream!(self, poll_write, context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        stream!(self, poll_write_vectored, context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Plain(stream) => stream.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        stream!(self, poll_flush, context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        stream!(self, poll_shutdown, context)
    }
}
