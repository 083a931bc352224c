//! Mails to customers. Logs JSON in the Elastic Common Schema, as its logging libraries write it: `@timestamp`, `log.level`,
//! `message`, `trace.id`, dotted names.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use hyper::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Reply, Service, refusal, reply, work};
use crate::context::Context;

/// One mail of so many meets a relay that takes longer than the caller waits.
const SLOW_ONE_IN: u8 = 8;

pub fn router(service: Arc<Service>) -> Router {
    Router::new().route("/mails", post(send)).with_state(service)
}

async fn send(State(service): State<Arc<Service>>, context: Context, Json(mail): Json<Value>) -> Reply {
    let tasks = service.tasks.clone();
    // The mail goes out even when the caller has hung up meanwhile.
    let sending = tasks.spawn(async move {
        let started = Instant::now();
        let to = mail["to"].as_str().unwrap_or_default();
        let order = mail["order"].as_u64().unwrap_or_default();
        let log = Log { service: &service, context: &context };
        log.write(
            "INFO",
            "shop.mailer.Queue",
            &format!("mail for order {order} queued"),
            &json!({"mail.template": mail["template"]}),
        );
        if fastrand::u8(..SLOW_ONE_IN) == 0 {
            work(300..400).await;
            log.write(
                "WARN",
                "shop.mailer.Smtp",
                "relay smtp-2.example.net is slow, still waiting for 250",
                &json!({"smtp.relay": "smtp-2.example.net"}),
            );
            work(500..800).await;
        } else {
            work(5..40).await;
        }
        let took_ms = started.elapsed().as_millis() as u64;
        log.write(
            "INFO",
            "shop.mailer.Smtp",
            &format!("mail for order {order} sent to {to}"),
            &json!({"event.duration_ms": took_ms, "smtp.code": 250}),
        );
    });
    match sending.await {
        Ok(()) => reply(StatusCode::ACCEPTED, json!({})),
        Err(_) => refusal(StatusCode::INTERNAL_SERVER_ERROR, "the mail was not sent"),
    }
}

struct Log<'a> {
    service: &'a Service,
    context: &'a Context,
}

impl Log<'_> {
    fn write(&self, level: &str, logger: &str, message: &str, fields: &Value) {
        let fields = fields.to_string();
        let fields = fields.strip_prefix('{').and_then(|fields| fields.strip_suffix('}')).unwrap_or_default();
        self.service.log.append(&format!(
            r#"{{"@timestamp":"{}","log.level":"{level}","message":{},"ecs.version":"1.6.0","service.name":"mailer","process.thread.name":"smtp-{}","log.logger":"{logger}","trace.id":"{}","span.id":"{}",{fields}}}"#,
            Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ"),
            Value::from(message),
            fastrand::u8(1..4),
            self.context.trace_id,
            self.context.span_id,
        ));
    }
}
