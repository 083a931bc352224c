//! The front door: passes requests on, makes the IDs that a request has not got, and writes an access log as nginx does
//! with `log_format main '… "$http_user_agent" request_time=$request_time upstream=$upstream_addr
//! request_id=$request_id traceparent="$traceparent"'`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{HeaderMap, Method, Request, Response, Uri};
use jiff::Timestamp;

use super::{Name, Service};
use crate::context::{Context, REQUEST_ID, TRACEPARENT};

const UPSTREAM_TIMEOUT: Duration = Duration::from_secs(5);
/// nginx's `client_max_body_size`.
const BODY_BYTES_MAX: usize = 1 << 20;

pub fn router(service: Arc<Service>) -> Router {
    Router::new().fallback(pass).with_state(service)
}

async fn pass(
    State(service): State<Arc<Service>>,
    context: Context,
    request: Request<Body>,
) -> Response<Full<bytes::Bytes>> {
    let started = Instant::now();
    let (parts, body) = request.into_parts();
    let upstream = upstream(&parts.uri).map(|name| service.peers[&name]);
    let (status, body) = match (upstream, Limited::new(body, BODY_BYTES_MAX).collect().await) {
        (None, _) => (404, bytes::Bytes::from_static(b"404 page not found\n")),
        (_, Err(_)) => (413, bytes::Bytes::from_static(b"413 request entity too large\n")),
        (Some(address), Ok(body)) => {
            let onward = Request::builder()
                .method(&parts.method)
                .uri(format!("http://{address}{}", parts.uri))
                .header(TRACEPARENT, context.traceparent())
                .header(REQUEST_ID, &context.request_id)
                .header("content-type", "application/json")
                .body(Full::new(body.to_bytes()))
                .expect("made of valid parts");
            match service.caller.send(onward, UPSTREAM_TIMEOUT).await {
                Ok(answer) => (answer.status, answer.body),
                Err(error) if error.0.starts_with("timed out") => (504, "504 gateway time-out\n".into()),
                Err(_) => (502, "502 bad gateway\n".into()),
            }
        }
    };
    let upstream = upstream.map_or("-".to_owned(), |address| address.to_string());
    service.log.append(&line(
        &context,
        &parts.method,
        &parts.uri,
        &parts.headers,
        status,
        body.len(),
        started,
        &upstream,
    ));
    Response::builder()
        .status(status)
        .header(TRACEPARENT, context.traceparent())
        .header(REQUEST_ID, &context.request_id)
        .body(Full::new(body))
        .expect("made of valid parts")
}

fn upstream(uri: &Uri) -> Option<Name> {
    match uri.path().split('/').nth(1)? {
        "products" => Some(Name::Inventory),
        "carts" => Some(Name::Cart),
        "checkout" => Some(Name::Checkout),
        _ => None,
    }
}

#[expect(clippy::too_many_arguments, reason = "an access log line has so many variables")]
fn line(
    context: &Context,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    status: u16,
    bytes: usize,
    started: Instant,
    upstream: &str,
) -> String {
    let header =
        |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("-").replace('"', "\\x22");
    format!(
        "127.0.0.1 - - [{}] \"{method} {uri} HTTP/1.1\" {status} {bytes} \"{}\" \"{}\" request_time={:.3} upstream={upstream} request_id={} traceparent=\"{}\"",
        Timestamp::now().strftime("%d/%b/%Y:%H:%M:%S +0000"),
        header("referer"),
        header("user-agent"),
        started.elapsed().as_secs_f64(),
        context.request_id,
        context.traceparent(),
    )
}
