//! Carts, in memory. Logs JSON as Node's pino does: numeric levels, time in milliseconds, the message last.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use hyper::{Method, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Name, Reply, Service, refusal, reply};
use crate::context::Context;

const INFO: u8 = 30;
const WARN: u8 = 40;
const ERROR: u8 = 50;
/// Carts that customers left behind; beyond this some are forgotten.
const CARTS_MAX: usize = 10_000;

struct Carts {
    service: Arc<Service>,
    /// Items with their prices in cents, by cart.
    items: Mutex<HashMap<String, Vec<(String, u64)>>>,
}

pub fn router(service: Arc<Service>) -> Router {
    Router::new()
        .route("/carts/{cart}/items", post(add))
        .route("/carts/{cart}", get(load).delete(close))
        .with_state(Arc::new(Carts { service, items: Mutex::default() }))
}

async fn add(
    State(carts): State<Arc<Carts>>,
    context: Context,
    Path(cart): Path<String>,
    Json(item): Json<Value>,
) -> Reply {
    let started = Instant::now();
    let sku = item["sku"].as_str().unwrap_or_default().to_owned();
    let url = format!("/carts/{cart}/items");
    let request = json!({"req": {"method": "POST", "url": url}, "reqId": context.request_id});
    carts.log(INFO, &context, &request, "incoming request");
    let stock =
        carts.service.call(&context, Method::GET, Name::Inventory, &format!("/products/{sku}"), None, 1_000).await;
    let stock = match stock {
        Ok(answer) if answer.is_success() => answer.json(),
        Ok(answer) => {
            carts.log(
                WARN,
                &context,
                &json!({"cart": cart, "sku": sku, "status": answer.status}),
                "product is not available",
            );
            return refusal(StatusCode::NOT_FOUND, "no such product");
        }
        Err(error) => {
            let err = json!({"type": "FetchError", "message": error.0, "stack": format!("FetchError: {}\n    at stock (/app/src/stock.js:31:11)\n    at async add (/app/src/carts.js:18:17)", error.0)});
            carts.log(ERROR, &context, &json!({"cart": cart, "err": err}), "inventory is out of reach");
            return refusal(StatusCode::BAD_GATEWAY, "inventory is out of reach");
        }
    };
    let price_cents = stock["price_cents"].as_u64().unwrap_or_default();
    let count = carts.put(&cart, sku.clone(), price_cents);
    let added = json!({"cart": cart, "sku": sku, "priceCents": price_cents, "items": count});
    carts.log(INFO, &context, &added, "item added to cart");
    let took = (started.elapsed().as_secs_f64() * 1e5).round() / 100.0;
    carts.log(INFO, &context, &json!({"res": {"statusCode": 201}, "responseTime": took}), "request completed");
    reply(StatusCode::CREATED, json!({"cart": cart, "items": count}))
}

async fn load(State(carts): State<Arc<Carts>>, context: Context, Path(cart): Path<String>) -> Reply {
    let items = carts.items.lock().expect("no handler panics with it").get(&cart).cloned();
    let Some(items) = items else {
        carts.log(WARN, &context, &json!({"cart": cart}), "cart not found");
        return refusal(StatusCode::NOT_FOUND, "no such cart");
    };
    let total_cents: u64 = items.iter().map(|(_, cents)| cents).sum();
    carts.log(INFO, &context, &json!({"cart": cart, "items": items.len(), "totalCents": total_cents}), "cart loaded");
    let skus: Vec<&str> = items.iter().map(|(sku, _)| sku.as_str()).collect();
    reply(StatusCode::OK, json!({"cart": cart, "skus": skus, "total_cents": total_cents}))
}

async fn close(State(carts): State<Arc<Carts>>, context: Context, Path(cart): Path<String>) -> Reply {
    let items = carts.items.lock().expect("no handler panics with it").remove(&cart);
    carts.log(INFO, &context, &json!({"cart": cart, "items": items.map_or(0, |items| items.len())}), "cart closed");
    reply(StatusCode::OK, json!({}))
}

impl Carts {
    /// How many items the cart holds then.
    fn put(&self, cart: &str, sku: String, price_cents: u64) -> usize {
        let mut carts = self.items.lock().expect("no handler panics with it");
        if carts.len() >= CARTS_MAX
            && let Some(forgotten) = carts.keys().next().cloned()
        {
            carts.remove(&forgotten);
        }
        let items = carts.entry(cart.to_owned()).or_default();
        items.push((sku, price_cents));
        items.len()
    }

    /// pino's order of keys: level, time, process, bindings, the call's own fields, and the message last.
    fn log(&self, level: u8, context: &Context, fields: &Value, message: &str) {
        let fields = fields.to_string();
        let fields = fields.strip_prefix('{').and_then(|fields| fields.strip_suffix('}')).unwrap_or_default();
        self.service.log.append(&format!(
            r#"{{"level":{level},"time":{},"pid":{},"hostname":"shop-1","name":"cart","trace_id":"{}","span_id":"{}","trace_flags":"01",{fields},"msg":{}}}"#,
            Timestamp::now().as_millisecond(),
            self.service.process_id,
            context.trace_id,
            context.span_id,
            Value::from(message),
        ));
    }
}
