//! Charging cards. Logs logfmt as Go services do, with trace_id and span_id.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use hyper::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Reply, Service, reply, work};
use crate::context::Context;

/// Cards that end so are declined, as the test cards of payment providers are.
const DECLINED_CARD: &str = "0002";

pub fn router(service: Arc<Service>) -> Router {
    Router::new().route("/charges", post(charge)).with_state(service)
}

async fn charge(State(service): State<Arc<Service>>, context: Context, Json(charge): Json<Value>) -> Reply {
    let started = Instant::now();
    let amount_cents = charge["amount_cents"].as_u64().unwrap_or_default();
    let card = charge["card"].as_str().unwrap_or_default();
    let last4 = card.get(card.len().saturating_sub(4)..).unwrap_or_default();
    let id = format!("ch_{:08x}", fastrand::u32(..));
    let log = |level: &str, message: &str, fields: &str| {
        service.log.append(&format!(
            "ts={} level={level} msg=\"{message}\" trace_id={} span_id={} charge={id} {fields}",
            Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.6fZ"),
            context.trace_id,
            context.span_id,
        ));
    };
    log("info", "charge requested", &format!("amount_cents={amount_cents} currency=EUR card_last4={last4}"));
    let score = fastrand::u8(0..60);
    log("debug", "risk scored", &format!("score={score} rules=velocity,geo,amount verdict=pass"));
    work(5..40).await;
    if fastrand::u8(..) < 20 {
        log("warn", "bank did not answer, trying again", "bank=nordbank attempt=1 backoff_ms=50");
        work(50..60).await;
    }
    let took_ms = started.elapsed().as_millis();
    if last4 == DECLINED_CARD {
        let fields = format!("reason=insufficient_funds bank=nordbank bank_code=51 took_ms={took_ms} retryable=false");
        log("error", "card declined", &fields);
        return reply(StatusCode::PAYMENT_REQUIRED, json!({"charge": id, "reason": "insufficient_funds"}));
    }
    log(
        "info",
        "charge authorised",
        &format!("bank=nordbank auth={:06} took_ms={took_ms}", fastrand::u32(..1_000_000)),
    );
    reply(StatusCode::CREATED, json!({"charge": id}))
}
