//! The aggregator's HTTP API as a client sees it.

use std::time::Duration;

use base64::Engine;
use serde_json::Value;

use crate::wait;
use ureq::AsSendBody;
use ureq::http::{HeaderMap, HeaderName, HeaderValue, Request};

/// Bounds one call: a replay of a torn WAL on a busy machine may take a while, for ever it may not.
const CALL_DEADLINE: Duration = Duration::from_secs(20);
/// More than any answer of a test.
const ANSWER_BYTES_MAX: u64 = 1 << 30;

/// A client.
pub struct Api {
    base: String,
    http: ureq::Agent,
    /// Go along with every request.
    headers: Vec<(String, String)>,
}

/// An answer, whatever its status.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub content_type: String,
    /// Methods that the route has, when it was asked with another.
    pub allow: String,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as JSON; anything else is a failure.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| {
            panic!("status {}: no JSON ({error}): {}", self.status, String::from_utf8_lossy(&self.body))
        })
    }

    /// A header's first value; empty: there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body as `application/problem+json` with its mandatory members.
    pub fn problem(&self) -> Value {
        let text = String::from_utf8_lossy(&self.body);
        assert!(
            self.content_type.starts_with("application/problem+json"),
            "status {}: content type {:?}, body {text}",
            self.status,
            self.content_type
        );
        let problem = self.json();
        assert_eq!(problem["status"], self.status, "the problem repeats the status: {text}");
        for member in ["type", "title", "detail"] {
            assert!(problem[member].is_string(), "the problem has {member}: {text}");
        }
        problem
    }
}

/// A record of a transaction, as far as tests look at it.
#[derive(Debug)]
pub struct Record {
    pub line: Vec<u8>,
    pub source_id: String,
    pub position: u64,
    pub file: String,
    pub flags: Vec<String>,
}

impl Api {
    pub fn new(base: String) -> Self {
        let http = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .timeout_global(Some(CALL_DEADLINE))
            .build()
            .new_agent();
        Self { base, http, headers: Vec::new() }
    }

    /// The same with one more header.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same with a token.
    pub fn with_token(self, secret: &str) -> Self {
        self.with("authorization", &format!("Bearer {secret}"))
    }

    /// GET, with an error only when there was no answer.
    pub fn try_get(&self, path: &str, accept: &str) -> Result<Answer, String> {
        let request = Request::get(format!("{}{path}", self.base)).header("accept", accept);
        self.send(request.body(()).map_err(|error| format!("GET {path}: {error}"))?)
    }

    /// POST of JSON; no answer is a failure.
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.request("POST", path, body.to_string())
    }

    /// Any method, with a body of JSON; no answer is a failure.
    pub fn request(&self, method: &str, path: &str, body: impl Into<Vec<u8>>) -> Answer {
        self.request_with(method, path, "application/json", body)
    }

    /// Any method and kind of body; no answer is a failure.
    pub fn request_with(&self, method: &str, path: &str, content_type: &str, body: impl Into<Vec<u8>>) -> Answer {
        let request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        // Who answers before it has read a body may hang up; the next request shall not find that out.
        let request = request.header("content-type", content_type).header("connection", "close");
        let body = body.into();
        let answer = if body.is_empty() {
            self.send(request.body(()).expect("a request"))
        } else {
            self.send(request.body(body).expect("a request"))
        };
        answer.unwrap_or_else(|error| panic!("{error}"))
    }

    fn send(&self, mut request: Request<impl AsSendBody>) -> Result<Answer, String> {
        let what = format!("{} {}", request.method(), request.uri());
        for (name, value) in &self.headers {
            let (name, value) = (HeaderName::try_from(name), HeaderValue::try_from(value));
            request.headers_mut().insert(name.expect("a name"), value.expect("a value"));
        }
        let mut response = self.http.run(request).map_err(|error| format!("{what}: {error}"))?;
        let header = |name: &str| {
            let value = response.headers().get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        let (content_type, allow) = (header("content-type"), header("allow"));
        let headers = response.headers().clone();
        // A stream has no end.
        let body = if content_type.starts_with("text/event-stream") {
            Ok(Vec::new())
        } else {
            response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec()
        };
        let body = body.map_err(|error| format!("read {what}: {error}"))?;
        Ok(Answer { status: response.status().as_u16(), content_type, allow, headers, body })
    }

    /// GET; no answer is a failure.
    pub fn get(&self, path: &str) -> Answer {
        self.try_get(path, "application/json").unwrap_or_else(|error| panic!("{error}"))
    }

    /// Records that the aggregator holds, in the head or committed.
    pub fn records(&self) -> Result<u64, String> {
        let answer = self.try_get("/api/v1/status/storage", "application/json")?;
        if answer.status != 200 {
            return Err(format!("status/storage says {}: {}", answer.status, String::from_utf8_lossy(&answer.body)));
        }
        answer.json()["records"].as_u64().ok_or_else(|| "status/storage has no records".to_owned())
    }

    /// Waits until it holds so many records.
    pub fn wait_for_records(&self, records: u64, deadline: Duration) {
        wait::until("all records to be held", deadline, || {
            let held = self.records()?;
            wait::check(held == records, || format!("{held} of {records} records"))
        });
    }

    /// `/api/v1/status/storage`.
    pub fn storage(&self) -> Value {
        self.get("/api/v1/status/storage").json()
    }

    /// `/api/v1/status/agents`, its list.
    pub fn agents(&self) -> Vec<Value> {
        self.get("/api/v1/status/agents").json()["agents"].as_array().expect("a list of agents").clone()
    }

    /// Every record of the transaction, streamed as NDJSON; none when the ID is unknown.
    pub fn transaction(&self, id: &str) -> Result<Vec<Record>, String> {
        let answer = self.try_get(&format!("/api/v1/transactions/{id}"), "application/x-ndjson")?;
        match answer.status {
            200 => answer.body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(record).collect(),
            404 => Ok(Vec::new()),
            status => Err(format!("transaction {id}: status {status}: {}", String::from_utf8_lossy(&answer.body))),
        }
    }
}

/// A text as a value in an address.
pub fn escaped(text: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(byte);
    text.bytes().map(|byte| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

fn record(line: &[u8]) -> Result<Record, String> {
    let json: Value = serde_json::from_slice(line)
        .map_err(|error| format!("no JSON in NDJSON: {error}: {}", String::from_utf8_lossy(line)))?;
    let text = |name: &str| json[name].as_str().map(str::to_owned).ok_or_else(|| format!("no {name} in {json}"));
    let line = match json["line_base64"].as_str() {
        Some(encoded) => {
            let bytes = base64::engine::general_purpose::STANDARD
                .decode(encoded)
                .map_err(|error| format!("line_base64: {error}: {encoded}"))?;
            if std::str::from_utf8(&bytes).is_ok() {
                return Err(format!("line_base64 although the line is valid UTF-8: {encoded}"));
            }
            bytes
        }
        None => text("line")?.into_bytes(),
    };
    Ok(Record {
        line,
        source_id: text("source_id")?,
        position: json["position"].as_u64().ok_or_else(|| format!("no position in {json}"))?,
        file: text("file")?,
        flags: json["flags"]
            .as_array()
            .map(|flags| flags.iter().filter_map(|flag| flag.as_str().map(str::to_owned)).collect())
            .unwrap_or_default(),
    })
}
