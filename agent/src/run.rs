//! Starts the agent, waits for its end, and ends it: the session lives until the pipeline has drained.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use clew_service::shutdown::CancellationToken;
use tokio::net::TcpListener;

use crate::checkpoint::StateDir;
use crate::config::Config;
use crate::discover::watch::Watch;
use crate::metrics::{self, Metrics};
use crate::pipeline::{Event, Pipeline};
use crate::ship::{self, Peer, session::now_ns};

/// After the pipeline's end the session may still write for this long.
const LAST_WORDS: Duration = Duration::from_millis(50);

/// Runs until `stop`, and drains.
pub async fn run(config: Config, state: StateDir, stop: CancellationToken) -> anyhow::Result<()> {
    let config = Arc::new(config);
    let metrics = Arc::new(Metrics::default());
    if let Some(address) = config.metrics_listen {
        let listener =
            TcpListener::bind(address).await.map_err(|error| anyhow::anyhow!("metrics_listen {address}: {error}"))?;
        tracing::info!("metrics on http://{}/metrics", listener.local_addr()?);
        tokio::spawn(metrics::serve(listener, metrics.clone()));
    }
    let mut checkpoint = state.load();
    checkpoint.epoch = now_ns().max(checkpoint.epoch + 1);
    let peer = Peer {
        aggregator: config.aggregator.clone(),
        agent_id: config.agent_id,
        host: config.host.clone(),
        epoch: checkpoint.epoch,
    };
    tracing::info!(
        "agent {} on {}: {} sources, aggregator {}",
        uuid::Uuid::from_bytes(config.agent_id),
        config.host,
        config.sources.len(),
        config.aggregator
    );

    // Not bounded by itself: hints coalesce, and what the aggregator says is bounded by the credit that it gives.
    let (events, inbox) = channel();
    let hint = events.clone();
    let watch = Watch::new(config.limits.watches_max, move || {
        let _ = hint.send(Event::Hint);
    });
    let pipeline = Pipeline::new(config.clone(), metrics.clone(), state, checkpoint, watch, (events.clone(), inbox))?;
    let (ended, mut end) = tokio::sync::oneshot::channel();
    let thread = std::thread::Builder::new().name("pipeline".into()).spawn(move || {
        pipeline.run();
        let _ = ended.send(());
    })?;

    let shipped = CancellationToken::new();
    let to_pipeline = events.clone();
    let ship = tokio::spawn(ship::run(
        peer,
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
            let _ = events.send(Event::Drain);
            let _ = (&mut end).await;
        }
        _ = &mut end => {}
    }
    tokio::time::sleep(LAST_WORDS).await;
    shipped.cancel();
    let _ = ship.await;
    match thread.join() {
        Ok(()) => Ok(()),
        Err(_) => anyhow::bail!("the pipeline ended by a panic"),
    }
}
