//! The certificates in force. Every second it is looked whether one of the files has changed; then new connections are made with what it says
//! now, and sessions whose certificate was revoked end, as all do that came by a certificate when the authorities are others.
//!
//! Files that make no sense change nothing: what was good stays, and `tls` is in trouble. A certificate and its key are
//! two files, and for a moment one is new and the other is not.

use std::sync::{Arc, RwLock, RwLockReadGuard};
use std::time::Duration;

use super::doorman::Handshake;
use crate::access::door::Door;
use crate::clock;
use crate::health::{Health, Part};
use crate::metrics::Metrics;
use clew_service::look::{Look, look};
use clew_service::shutdown::CancellationToken;
use clew_service::tls::pem::FileError;
use clew_service::tls::server::{Files, Server};

const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// A certificate that ends so soon is trouble.
const EXPIRY_WARNING_NS: i64 = 7 * 86_400 * 1_000_000_000;

/// What is in force.
pub struct Tls {
    files: Files,
    /// And how often its authorities were replaced.
    server: RwLock<(Server, u64)>,
}

impl Tls {
    /// Reads the files.
    pub fn read(files: Files) -> Result<Self, FileError> {
        let server = RwLock::new((Server::read(&files)?, 0));
        Ok(Self { files, server })
    }

    /// For agents.
    pub fn grpc(&self) -> Handshake {
        let (server, era) = &*self.server();
        Handshake { config: Arc::clone(&server.grpc), era: *era }
    }

    /// For people and programs.
    pub fn http(&self) -> Handshake {
        let (server, era) = &*self.server();
        Handshake { config: Arc::clone(&server.http), era: *era }
    }

    fn server(&self) -> RwLockReadGuard<'_, (Server, u64)> {
        self.server.read().expect("no thread panics with the certificates in hand")
    }

    /// Tells the door whose certificates open it.
    pub fn instruct(&self, door: &Door) {
        if self.files.client_ca.is_some() {
            let (server, era) = &*self.server();
            door.take_certificates(server.revoked.iter().cloned(), *era);
        }
    }

    fn expires_ns(&self) -> i64 {
        self.server().0.certificate.expires_ns
    }

    fn renew(&self) -> Result<(), FileError> {
        let server = Server::read(&self.files)?;
        let mut held = self.server.write().expect("no thread panics with the certificates in hand");
        let is_replaced = held.0.authorities != server.authorities;
        *held = (server, held.1 + u64::from(is_replaced));
        Ok(())
    }
}

/// Keeps `tls` as the files say, until `shutdown`.
pub async fn watch(
    tls: Arc<Tls>,
    door: Arc<Door>,
    health: Arc<Health>,
    metrics: Arc<Metrics>,
    shutdown: CancellationToken,
) {
    let mut watcher = Watcher { tls, door, health, metrics, seen: Vec::new(), trouble: None };
    let mut looks = tokio::time::interval(LOOK_INTERVAL);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = looks.tick() => {}
        }
        let looked = tokio::task::spawn_blocking(move || {
            watcher.look();
            watcher
        });
        let Ok(back) = looked.await else { return };
        watcher = back;
    }
}

struct Watcher {
    tls: Arc<Tls>,
    door: Arc<Door>,
    health: Arc<Health>,
    metrics: Arc<Metrics>,
    seen: Vec<Option<Look>>,
    /// Of the files.
    trouble: Option<String>,
}

impl Watcher {
    fn look(&mut self) {
        let seen: Vec<Option<Look>> = self.tls.files.paths().map(look).collect();
        // What is wrong may come right without another change: a key follows its certificate.
        if seen != self.seen || self.trouble.is_some() {
            let is_first = self.seen.is_empty();
            match self.tls.renew() {
                Ok(()) => {
                    if !is_first {
                        tracing::info!("tls: what the files say now is in force");
                    }
                    (self.trouble, self.seen) = (None, seen);
                    self.tls.instruct(&self.door);
                }
                Err(error) => self.trouble = Some(format!("{error}; what was read before stays in force")),
            }
        }
        let expires_ns = self.tls.expires_ns();
        self.metrics.tls_expires.set(expires_ns as f64 / 1e9);
        let left_ns = expires_ns.saturating_sub(clock::now_ns());
        let expires = (left_ns < EXPIRY_WARNING_NS).then(|| {
            let how = if left_ns <= 0 { "has expired, at" } else { "is good until" };
            format!("the certificate {how} {}; put a new one into its file", clock::rfc3339(expires_ns))
        });
        match self.trouble.clone().or(expires) {
            Some(why) => self.health.trouble(Part::Tls, &why),
            None => self.health.well(Part::Tls),
        }
    }
}
