//! Accepts connections at one of the doors, shakes hands where that is done by TLS, and hands on those that were let in.
//!
//! A client that is slow, silent or wrong keeps nobody else waiting: each shakes hands on its own, and for so long.

use std::fmt::Display;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clew_service::shutdown::CancellationToken;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use super::connection::Connection;
use super::crowd::{Crowd, Place};
use crate::access::gate::Gate;
use crate::metrics::{DoorLabel, Metrics};

const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(10);
/// For the last bytes of a client that is turned away.
const PARTING_TIME_MAX: Duration = Duration::from_secs(2);
/// Connections that wait to be served.
const WAITING_MAX: usize = 64;
/// After an error that is not one connection's: the process has no descriptor left, for one.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);

/// The TLS that is in force when somebody comes; none: in the clear.
pub type Terms = Arc<dyn Fn() -> Option<Handshake> + Send + Sync>;

/// How hands are shaken.
pub struct Handshake {
    /// What is shown and asked for.
    pub config: Arc<ServerConfig>,
    /// How often the authorities had been replaced by then.
    pub era: u64,
}

/// See the module.
#[derive(Clone)]
pub struct Doorman {
    /// `grpc` or `http`.
    pub door: &'static str,
    /// Who is inside.
    pub crowd: Arc<Crowd>,
    /// By what TLS.
    pub terms: Terms,
    /// Counts who is turned away.
    pub gate: Arc<Gate>,
    /// And the others.
    pub metrics: Arc<Metrics>,
}

impl Doorman {
    /// Begins to accept; until `shutdown`.
    pub fn open(self, listener: TcpListener, shutdown: CancellationToken) -> mpsc::Receiver<Connection> {
        let (let_in, receiver) = mpsc::channel(WAITING_MAX);
        tokio::spawn(async move {
            tokio::select! {
                () = self.accept(listener, let_in) => {}
                () = shutdown.cancelled() => {}
            }
        });
        receiver
    }

    async fn accept(self, listener: TcpListener, let_in: mpsc::Sender<Connection>) {
        while !let_in.is_closed() {
            let (stream, peer) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!("{}: a connection is not accepted: {error}", self.door);
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let address = peer.ip().to_canonical();
            match self.crowd.enter(address, Instant::now()) {
                Ok(place) => {
                    let (doorman, let_in) = (self.clone(), let_in.clone());
                    tokio::spawn(async move { doorman.greet(stream, address, place, &let_in).await });
                }
                Err(full) => self.turn_away(address, full.reason(), &full),
            }
        }
    }

    async fn greet(&self, stream: TcpStream, address: IpAddr, place: Place, let_in: &mpsc::Sender<Connection>) {
        let _ = stream.set_nodelay(true);
        let paced = self.metrics.paced.get_or_create(&DoorLabel { door: self.door }).clone();
        let connection = match (self.terms)() {
            None => Connection::plain(stream, address, place, paced),
            Some(Handshake { config, era }) => match self.shake_hands(config, stream, address).await {
                Some(stream) => match Connection::tls(stream, era, address, place, paced) {
                    Ok(connection) => connection,
                    Err(why) => return self.turn_away(address, "tls", &why),
                },
                None => return,
            },
        };
        let _ = let_in.send(connection).await;
    }

    async fn shake_hands(
        &self,
        config: Arc<ServerConfig>,
        stream: TcpStream,
        address: IpAddr,
    ) -> Option<tokio_rustls::server::TlsStream<TcpStream>> {
        let handshake = TlsAcceptor::from(config).accept(stream).into_fallible();
        match tokio::time::timeout(HANDSHAKE_TIME_MAX, handshake).await {
            Ok(Ok(stream)) => return Some(stream),
            // Whoever looks whether somebody listens says nothing.
            Ok(Err((error, _))) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                tracing::debug!("{}: {address} leaves without a handshake", self.door);
            }
            Ok(Err((error, stream))) => {
                self.turn_away(address, "tls", &error);
                part(stream).await;
            }
            Err(_) => self.turn_away(address, "tls", &"no handshake in time"),
        }
        None
    }

    fn turn_away(&self, address: IpAddr, reason: &'static str, why: &dyn Display) {
        self.gate.turned_away(&self.metrics, self.door, address, reason, why);
    }
}

/// Ends a connection so that the client reads what it was told last, why the handshake failed. To close while bytes of it are unread would take
/// that back.
async fn part(mut stream: TcpStream) {
    let _ = stream.shutdown().await;
    let mut unread = [0; 4 << 10];
    let rest = async { while matches!(stream.read(&mut unread).await, Ok(1..)) {} };
    let _ = tokio::time::timeout(PARTING_TIME_MAX, rest).await;
}
