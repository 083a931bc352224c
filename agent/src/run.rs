//! Starts the agent, waits for its end, and ends it: the session lives until the pipeline has drained.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use clew_service::notify::Notifier;
use clew_service::shutdown::CancellationToken;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::checkpoint::StateDir;
use crate::config::Config;
use crate::control::server::{Operator, serve};
use crate::control::socket;
use crate::discover::watch::Watch;
use crate::metrics::{self, Metrics};
use crate::pipeline::{Event, Pipeline, Until};
use crate::reload::Reloader;
use crate::ship::{self, Peer, clock::now_ns};
use crate::supervise::supervise;

/// After the pipeline's end the session may still write for this long.
const LAST_WORDS: Duration = Duration::from_millis(50);

/// A configuration, and the file that it was made of.
pub struct Loaded {
    pub config: Config,
    pub path: PathBuf,
    pub text: String,
}

/// Runs until `stop`, or as `until` says, and drains. Answers what was to be shipped and is not acknowledged.
pub async fn run(
    loaded: Loaded,
    state: StateDir,
    stop: CancellationToken,
    until: Until,
) -> anyhow::Result<Option<String>> {
    let config = Arc::new(loaded.config);
    let metrics = Arc::new(Metrics::default());
    if let Some(address) = config.metrics_listen {
        let listener =
            TcpListener::bind(address).await.map_err(|error| anyhow::anyhow!("metrics_listen {address}: {error}"))?;
        tracing::info!("metrics on http://{}/metrics", listener.local_addr()?);
        tokio::spawn(metrics::serve(listener, metrics.clone()));
    }
    let control = socket::bind(&config.state_dir)
        .and_then(tokio::net::UnixListener::from_std)
        .map_err(|error| anyhow::anyhow!("listen in state_dir {}: {error}", config.state_dir.display()))?;
    let mut checkpoint = state.load();
    checkpoint.epoch = now_ns().max(checkpoint.epoch + 1);
    let peer = Peer {
        destination: config.destination.clone(),
        agent_id: config.agent_id,
        host: config.host.clone(),
        epoch: checkpoint.epoch,
    };
    tracing::info!(
        "agent {} on {}: {} sources, aggregator {}",
        uuid::Uuid::from_bytes(config.agent_id),
        config.host,
        config.sources.len(),
        config.destination.aggregator
    );

    // Not bounded by itself: hints coalesce, and what the aggregator says is bounded by the credit that it gives.
    let (events, inbox) = channel();
    let (elsewhere, destination) = watch::channel(config.destination.clone());
    let notifier = Notifier::from_env();
    let reloader = {
        let (file, events, hint) = ((loaded.path, loaded.text.as_str()), events.clone(), events.clone());
        let watch = move |config: &Config| new_watch(config, &hint);
        Arc::new(Reloader::new(file, config.clone(), events, elsewhere, metrics.clone(), notifier.clone(), watch))
    };
    let watch = new_watch(&config, &events);
    let pipeline = Pipeline::new(config.clone(), metrics.clone(), state, checkpoint, watch, (events.clone(), inbox))?;
    let (ended, mut end) = tokio::sync::oneshot::channel();
    let thread = std::thread::Builder::new().name("pipeline".into()).spawn(move || {
        let remains = pipeline.run(until);
        let _ = ended.send(());
        remains
    })?;
    let operator = Operator { events: events.clone(), reloader: reloader.clone(), metrics: metrics.clone() };
    tokio::spawn(serve(control, Arc::new(operator)));
    tokio::spawn(supervise(notifier.clone(), events.clone()));
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            // What came of it is logged.
            let _ = reloader.reload().await;
        }
    });

    let shipped = CancellationToken::new();
    let to_pipeline = events.clone();
    let ship = tokio::spawn(ship::run(
        peer,
        destination,
        move |event| {
            let _ = to_pipeline.send(Event::Ship(event));
        },
        {
            let metrics = metrics.clone();
            move || {
                metrics.reconnects.inc();
            }
        },
        shipped.clone(),
    ));
    tokio::select! {
        () = stop.cancelled() => {
            notifier.stopping();
            let _ = events.send(Event::Drain);
            let _ = (&mut end).await;
        }
        _ = &mut end => notifier.stopping(),
    }
    tokio::time::sleep(LAST_WORDS).await;
    shipped.cancel();
    let _ = ship.await;
    match thread.join() {
        Ok(remains) => Ok(remains),
        Err(_) => anyhow::bail!("the pipeline ended by a panic"),
    }
}

fn new_watch(config: &Config, events: &Sender<Event>) -> Watch {
    let hint = events.clone();
    Watch::new(config.limits.watches_max, move || {
        let _ = hint.send(Event::Hint);
    })
}
