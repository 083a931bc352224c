//! Stock and reservations. Logs text as Python's `logging` does with
//! `%(asctime)s %(levelname)s [%(name)s] [%(threadName)s] trace_id=… span_id=… %(message)s`, and tracebacks.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use hyper::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Reply, Service, refusal, reply, work};
use crate::context::Context;

/// One reservation of so many meets a lock in the database and times out.
const TIMEOUT_ONE_IN: u8 = 16;
const TIMEOUT_MS: u64 = 350;

pub fn router(service: Arc<Service>) -> Router {
    Router::new()
        .route("/products/{sku}", get(product))
        .route("/reservations", post(reserve))
        .route("/reservations/{reservation}", delete(release))
        .with_state(service)
}

async fn product(State(service): State<Arc<Service>>, context: Context, Path(sku): Path<String>) -> Reply {
    let log = Logger::new(&service, &context);
    log.write("DEBUG", "inventory.cache", &format!("cache miss for sku {sku:?}"));
    work(1..8).await;
    if !sku.starts_with("TEA-") {
        log.write("WARNING", "inventory.stock", &format!("unknown sku {sku:?}"));
        return refusal(StatusCode::NOT_FOUND, "unknown sku");
    }
    let left = fastrand::u8(3..90);
    log.write("INFO", "inventory.stock", &format!("{sku}: {left} left in ber-1, {} in ams-2", left / 3));
    let price_cents = 490 + sku.bytes().map(u64::from).sum::<u64>() % 40 * 50;
    reply(StatusCode::OK, json!({"sku": sku, "left": left, "price_cents": price_cents}))
}

async fn reserve(State(service): State<Arc<Service>>, context: Context, Json(order): Json<Value>) -> Reply {
    let log = Logger::new(&service, &context);
    let reservation = format!("r-{:06x}", fastrand::u32(..0x100_0000));
    let skus = order["skus"].as_array().cloned().unwrap_or_default();
    log.write("INFO", "inventory.reserve", &format!("reserving {} items as {reservation}", skus.len()));
    if fastrand::u8(..TIMEOUT_ONE_IN) == 0 {
        work(TIMEOUT_MS..TIMEOUT_MS + 30).await;
        log.write("ERROR", "inventory.reserve", &timeout(&reservation));
        return refusal(StatusCode::SERVICE_UNAVAILABLE, "stock database timed out");
    }
    work(3..20).await;
    for sku in &skus {
        let sku = sku.as_str().unwrap_or_default();
        log.write("INFO", "inventory.reserve", &format!("{reservation}: 1 x {sku} from ber-1"));
    }
    reply(StatusCode::CREATED, json!({"reservation": reservation}))
}

async fn release(State(service): State<Arc<Service>>, context: Context, Path(reservation): Path<String>) -> Reply {
    let log = Logger::new(&service, &context);
    log.write("INFO", "inventory.reserve", &format!("{reservation} released"));
    reply(StatusCode::OK, json!({}))
}

/// What `logger.exception` writes: message, traceback, and the traceback of what it was raised from.
fn timeout(reservation: &str) -> String {
    format!(
        "reservation {reservation} failed\n\
         Traceback (most recent call last):\n  \
           File \"/srv/inventory/app/db.py\", line 88, in execute\n    \
             return await self._connection.execute(statement, *parameters)\n           \
                    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^\n  \
           File \"/usr/lib/python3.13/site-packages/asyncpg/connection.py\", line 349, in execute\n    \
             result = await self._protocol.query(query, timeout)\n\
         asyncpg.exceptions.QueryCanceledError: canceling statement due to statement timeout\n\
         \n\
         The above exception was the direct cause of the following exception:\n\
         \n\
         Traceback (most recent call last):\n  \
           File \"/srv/inventory/app/reserve.py\", line 52, in reserve\n    \
             await stock.take(sku, count, reservation)\n  \
           File \"/srv/inventory/app/stock.py\", line 31, in take\n    \
             raise StockTimeout(sku) from error\n\
         app.stock.StockTimeout: rows of warehouse ber-1 stayed locked for {TIMEOUT_MS} ms"
    )
}

struct Logger<'a> {
    service: &'a Service,
    context: &'a Context,
    thread: u8,
}

impl<'a> Logger<'a> {
    fn new(service: &'a Service, context: &'a Context) -> Self {
        Self { service, context, thread: fastrand::u8(0..4) }
    }

    fn write(&self, level: &str, logger: &str, message: &str) {
        self.service.log.append(&format!(
            "{} {level} [{logger}] [worker-{}] trace_id={} span_id={} {message}",
            Timestamp::now().strftime("%Y-%m-%d %H:%M:%S,%3f"),
            self.thread,
            self.context.trace_id,
            self.context.span_id,
        ));
    }
}
