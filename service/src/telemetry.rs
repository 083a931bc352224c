//! Our own log: one line per event on standard error, filtered by `CLEW_LOG` (default `info`), without log content.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Starts it. To be called once, first thing in `main`.
pub fn start() {
    let filter = EnvFilter::try_from_env("CLEW_LOG").unwrap_or_else(|_| EnvFilter::new("info,tantivy=warn"));
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .try_init();
}
