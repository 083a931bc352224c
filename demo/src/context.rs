//! W3C trace context: taken from a request, passed on with the next call. Each hop gets a span of its own.
//!
//! Format: <https://www.w3.org/TR/trace-context/#traceparent-header>, `00-<32 hex>-<16 hex>-<2 hex>`.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use hyper::HeaderMap;
use hyper::http::request::Parts;

pub const TRACEPARENT: &str = "traceparent";
pub const REQUEST_ID: &str = "x-request-id";

/// Where in which trace a service is while it serves one request.
#[derive(Clone, Debug, PartialEq)]
pub struct Context {
    pub trace_id: String,
    pub span_id: String,
    /// The gateway's own ID, as nginx's `$request_id`.
    pub request_id: String,
}

impl Context {
    /// The caller's trace with a new span; what the caller did not send is made.
    pub fn receive(headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let trace_id = text(TRACEPARENT).and_then(trace_id).map(str::to_owned);
        let request_id = text(REQUEST_ID).filter(|id| !id.is_empty() && id.len() <= 64).map(str::to_owned);
        Self {
            trace_id: trace_id.unwrap_or_else(|| hex(32)),
            span_id: hex(16),
            request_id: request_id.unwrap_or_else(|| hex(32)),
        }
    }

    /// For the next hop: its parent is this span.
    pub fn traceparent(&self) -> String {
        format!("00-{}-{}-01", self.trace_id, self.span_id)
    }
}

/// Any handler may ask for it.
impl<S: Sync> FromRequestParts<S> for Context {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::receive(&parts.headers))
    }
}

/// So many random hexadecimal digits, never all zero.
pub fn hex(digits: usize) -> String {
    (0..digits).map(|at| fastrand::digit(16).max(if at == 0 { '1' } else { '0' })).collect()
}

fn trace_id(traceparent: &str) -> Option<&str> {
    let mut parts = traceparent.split('-');
    let (_, trace, parent) = (parts.next()?, parts.next()?, parts.next()?);
    let is_id = |id: &str, digits: usize| {
        id.len() == digits
            && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
            && id.bytes().any(|byte| byte != b'0')
    };
    (is_id(trace, 32) && is_id(parent, 16)).then_some(trace)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(traceparent: &str) -> HeaderMap {
        HeaderMap::from_iter([(TRACEPARENT.parse().expect("a name"), traceparent.parse().expect("a value"))])
    }

    #[test]
    fn a_trace_goes_on_with_a_new_span() {
        let first = Context::receive(&HeaderMap::new());
        let second = Context::receive(&headers(&first.traceparent()));
        assert_eq!(first.trace_id, second.trace_id);
        assert_ne!(first.span_id, second.span_id);
        assert_eq!((second.trace_id.len(), second.span_id.len()), (32, 16));
    }

    #[test]
    fn a_broken_traceparent_starts_a_new_trace() {
        for broken in ["", "00-xyz-1-01", "00-00000000000000000000000000000000-00f067aa0ba902b7-01"] {
            assert_eq!(Context::receive(&headers(broken)).trace_id.len(), 32, "{broken}");
        }
    }
}
