//! One token for a program's end: cancelled by SIGTERM or SIGINT. A second signal ends the process at once.

use tokio::signal::unix::{Signal, SignalKind, signal};
pub use tokio_util::sync::CancellationToken;

/// Exit code of a program that a second signal ended: 128 + SIGTERM.
const NOW: i32 = 143;

/// Watches for the signals from now on. Must be called inside a tokio runtime.
pub fn on_signal() -> std::io::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let token = CancellationToken::new();
    let cancelled = token.clone();
    tokio::spawn(async move {
        next(&mut terminate, &mut interrupt).await;
        tracing::info!("stopping; a second signal ends at once");
        cancelled.cancel();
        next(&mut terminate, &mut interrupt).await;
        tracing::warn!("ended at once by a second signal");
        std::process::exit(NOW);
    });
    Ok(token)
}

async fn next(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
