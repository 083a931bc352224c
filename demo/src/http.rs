//! Calling another service over HTTP/1.1, with the trace context passed on.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{HeaderMap, Method, Request, Response};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde_json::Value;

use crate::context::{Context, REQUEST_ID, TRACEPARENT};

/// The shop's answers are small; the aggregator's are bounded by what the demo asks for.
const BODY_BYTES_MAX: usize = 64 << 20;

/// Keeps connections open between calls.
#[derive(Clone)]
pub struct Caller {
    client: Client<HttpConnector, Full<Bytes>>,
}

/// What came back: any status is an answer.
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// No answer: refused, cut off, or too late.
#[derive(Debug)]
pub struct NoAnswer(pub String);

impl Caller {
    pub fn new() -> Self {
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(20))
            .build_http();
        Self { client }
    }

    /// Calls another service on behalf of `context`.
    pub async fn call(
        &self,
        context: &Context,
        method: Method,
        address: SocketAddr,
        path: &str,
        body: Option<Value>,
        timeout: Duration,
    ) -> Result<Answer, NoAnswer> {
        let request = Request::builder()
            .method(method)
            .uri(format!("http://{address}{path}"))
            .header(TRACEPARENT, context.traceparent())
            .header(REQUEST_ID, &context.request_id)
            .header("content-type", "application/json");
        let bytes = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        let request = request.body(Full::new(bytes)).map_err(|error| NoAnswer(error.to_string()))?;
        self.send(request, timeout).await
    }

    /// Sends a request as it is.
    pub async fn send(&self, request: Request<Full<Bytes>>, timeout: Duration) -> Result<Answer, NoAnswer> {
        let exchange = async {
            let response = self.client.request(request).await.map_err(|error| NoAnswer(chain(&error)))?;
            let (parts, body) = Response::into_parts(response);
            let body =
                Limited::new(body, BODY_BYTES_MAX).collect().await.map_err(|error| NoAnswer(error.to_string()))?;
            Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body: body.to_bytes() })
        };
        match tokio::time::timeout(timeout, exchange).await {
            Ok(answer) => answer,
            Err(_) => Err(NoAnswer(format!("timed out after {} ms", timeout.as_millis()))),
        }
    }
}

impl Answer {
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body as JSON; null when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// hyper's errors say the reason only in their sources.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}
