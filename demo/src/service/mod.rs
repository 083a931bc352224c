//! The shop's services: each a real HTTP server on loopback that calls the others and writes its own log.
//!
//! | file | calls | log |
//! | --- | --- | --- |
//! | `gateway` | all that customers reach | nginx "combined" with request ID, traceparent and times |
//! | `cart` | inventory | JSON as pino writes it |
//! | `checkout` | cart, inventory, payments, mailer | Spring Boot 3 text, Java stack traces |
//! | `payments` | | logfmt |
//! | `inventory` | | Python logging text, tracebacks |
//! | `mailer` | | JSON in ECS shape |
//!
//! What a service writes is what such software writes in earnest; nothing in its log is there to please Clew.

mod cart;
mod checkout;
mod gateway;
mod inventory;
mod mailer;
mod payments;

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use clap::ValueEnum;
use clew_service::shutdown;
use clew_service::units::Size;
use hyper::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

use crate::context::Context;
use crate::http::{Answer, Caller, NoAnswer};
use crate::logfile::LogFile;

/// Requests under way when the signal comes may take this long to end.
const DRAIN: Duration = Duration::from_secs(4);

/// The services; those that are called by others come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ValueEnum)]
pub enum Name {
    Mailer,
    Payments,
    Inventory,
    Cart,
    Checkout,
    Gateway,
}

#[derive(clap::Args)]
pub struct Options {
    name: Name,
    /// Where to listen on 127.0.0.1; 0 takes a free port, and standard error says which.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// The folder under which the service makes its own.
    #[arg(long, value_name = "DIR")]
    logs: PathBuf,
    /// A service that this one calls, like `cart=127.0.0.1:8001`.
    #[arg(long = "peer", value_name = "NAME=ADDRESS", value_parser = peer)]
    peers: Vec<(Name, SocketAddr)>,
    /// Rotate the log when it has grown to this size.
    #[arg(long, value_name = "SIZE", default_value = "4MiB")]
    rotate_every: Size,
}

/// What every service has.
pub struct Service {
    log: LogFile,
    caller: Caller,
    peers: HashMap<Name, SocketAddr>,
    /// Work that goes on when the caller has hung up.
    tasks: TaskTracker,
    process_id: u32,
}

impl Name {
    pub const ALL: [Name; 6] =
        [Name::Mailer, Name::Payments, Name::Inventory, Name::Cart, Name::Checkout, Name::Gateway];

    pub fn as_str(self) -> &'static str {
        match self {
            Name::Mailer => "mailer",
            Name::Payments => "payments",
            Name::Inventory => "inventory",
            Name::Cart => "cart",
            Name::Checkout => "checkout",
            Name::Gateway => "gateway",
        }
    }

    pub fn log_path(self, logs: &Path) -> PathBuf {
        let file = match self {
            Name::Gateway => "access.log",
            Name::Cart => "cart.json.log",
            Name::Checkout => "spring.log",
            Name::Payments => "payments.log",
            Name::Inventory => "inventory.log",
            Name::Mailer => "mailer.ecs.log",
        };
        logs.join(self.as_str()).join(file)
    }

    /// The services that this one cannot do without.
    pub fn calls(self) -> &'static [Name] {
        match self {
            Name::Mailer | Name::Payments | Name::Inventory => &[],
            Name::Cart => &[Name::Inventory],
            Name::Checkout => &[Name::Cart, Name::Inventory, Name::Payments, Name::Mailer],
            Name::Gateway => &[Name::Inventory, Name::Cart, Name::Checkout],
        }
    }
}

pub async fn run(options: Options) -> anyhow::Result<()> {
    let Options { name, port, logs, peers, rotate_every } = options;
    let stop = shutdown::on_signal()?;
    let peers = HashMap::from_iter(peers);
    if let Some(missing) = name.calls().iter().find(|peer| !peers.contains_key(peer)) {
        let missing = missing.as_str();
        anyhow::bail!("{} calls {missing}: say where it is with --peer {missing}=127.0.0.1:PORT", name.as_str());
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
    let listener = listener.with_context(|| format!("listen on 127.0.0.1:{port}"))?;
    let path = name.log_path(&logs);
    let log = LogFile::open(&path, rotate_every.0).with_context(|| format!("open log {}", path.display()))?;
    let tasks = TaskTracker::new();
    let process_id = std::process::id();
    let service = Arc::new(Service { log, caller: Caller::new(), peers, tasks: tasks.clone(), process_id });
    eprintln!("listening {}", listener.local_addr()?);

    let serving = axum::serve(listener, router(name, service)).with_graceful_shutdown(stop.clone().cancelled_owned());
    let drained = async {
        stop.cancelled().await;
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        served = serving => served?,
        () = drained => {}
    }
    tasks.close();
    let _ = tokio::time::timeout(DRAIN, tasks.wait()).await;
    Ok(())
}

fn router(name: Name, service: Arc<Service>) -> Router {
    match name {
        Name::Mailer => mailer::router(service),
        Name::Payments => payments::router(service),
        Name::Inventory => inventory::router(service),
        Name::Cart => cart::router(service),
        Name::Checkout => checkout::router(service),
        Name::Gateway => gateway::router(service),
    }
}

impl Service {
    /// Calls `peer`; it is known, since `run` saw to that.
    async fn call(
        &self,
        context: &Context,
        method: Method,
        peer: Name,
        path: &str,
        body: Option<Value>,
        timeout_ms: u64,
    ) -> Result<Answer, NoAnswer> {
        let timeout = Duration::from_millis(timeout_ms);
        self.caller.call(context, method, self.peers[&peer], path, body, timeout).await
    }
}

/// What handlers answer with.
type Reply = (StatusCode, axum::Json<Value>);

fn reply(status: StatusCode, body: Value) -> Reply {
    (status, axum::Json(body))
}

fn refusal(status: StatusCode, why: &str) -> Reply {
    reply(status, json!({"error": why}))
}

/// A pause as work takes it, in milliseconds.
async fn work(milliseconds: std::ops::Range<u64>) {
    tokio::time::sleep(Duration::from_micros(fastrand::u64(milliseconds.start * 1000..milliseconds.end * 1000))).await;
}

fn peer(text: &str) -> Result<(Name, SocketAddr), String> {
    let (name, address) = text.split_once('=').ok_or("write it like cart=127.0.0.1:8001")?;
    let address = address.parse().map_err(|_| format!("{address:?} is no address like 127.0.0.1:8001"))?;
    Ok((Name::from_str(name, false)?, address))
}
