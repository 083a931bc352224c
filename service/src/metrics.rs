//! Prometheus text of a registry, and the figures that every process has.

use prometheus_client::encoding::text;
pub use prometheus_client::registry::Registry;

/// Content type of [`encode`]'s answer (OpenMetrics 1.0).
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The registry's metrics as OpenMetrics text.
pub fn encode(registry: &Registry) -> String {
    let mut out = String::new();
    text::encode(&mut out, registry).expect("a String takes whatever is written to it");
    out
}
