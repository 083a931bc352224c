//! HTTP to the aggregator. Whatever goes wrong becomes one line that names the address and says what to do.

use std::io::{ErrorKind, Read};
use std::time::Duration;

use serde::de::DeserializeOwned;
use ureq::typestate::WithoutBody;
use ureq::{BodyReader, RequestBuilder};

use crate::access::{Access, TOKEN_VARIABLE};
use crate::answer::{Problem, Unknown};

/// The most that one answer may weigh: a page of the longest records stays below it.
const BODY_BYTES_MAX: u64 = 1 << 30;
/// The most that is read of an error's text.
const PROBLEM_BYTES_MAX: u64 = 1 << 20;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Why there is no answer to print.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("{0}")]
    Usage(String),
    #[error("{0}")]
    Server(String),
    /// The aggregator does not let us in; to ask again is of no use.
    #[error("{0}")]
    Refused(String),
    /// The aggregator holds nothing under this ID.
    #[error("unknown id")]
    Unknown(Box<Unknown>),
    /// The aggregator cannot make sense of the request.
    #[error("{base} answered 400: {}", .problem.one_line())]
    Rejected { base: String, problem: Box<Problem> },
}

/// One aggregator.
pub struct Client {
    agent: ureq::Agent,
    base: String,
    /// The header with the token.
    authorization: Option<String>,
    timeout: Duration,
}

impl Client {
    /// `server` may come without its scheme and with a slash at its end.
    pub fn new(server: &str, timeout: Duration, access: &Access) -> Result<Self, Failure> {
        let server = server.trim();
        let base = if server.contains("://") { server.to_owned() } else { format!("http://{server}") };
        let base = base.trim_end_matches('/').to_owned();
        let is_https = base.starts_with("https://");
        let host = base.strip_prefix("http://").or_else(|| base.strip_prefix("https://")).unwrap_or_default();
        if host.is_empty() || host.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(Failure::Usage(format!(
                "--server {server:?} is no address; write it like http://127.0.0.1:7601 or https://logs.example:7601"
            )));
        }
        if access.ca.is_some() && !is_https {
            return Err(Failure::Usage(format!("--ca: {base} has no certificate; name it as https://")));
        }
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            // A token is for the aggregator that was named, and for none that this one names.
            .max_redirects(0)
            // The aggregator is named by the user; a proxy meant for the web does not know the way to it.
            .proxy(None)
            .timeout_connect(Some(CONNECT_TIMEOUT.min(timeout)))
            .timeout_global(Some(timeout))
            .user_agent(concat!("clew/", env!("CARGO_PKG_VERSION")));
        let config = if is_https { config.tls_config(access.tls()?) } else { config };
        Ok(Self { agent: config.build().into(), base, authorization: access.authorization()?, timeout })
    }

    /// The address, as errors and hints name it.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The answer's body, once it is known to be a Clew aggregator's.
    pub fn get(&self, path_and_query: &str) -> Result<Vec<u8>, Failure> {
        self.get_within(path_and_query, self.timeout)
    }

    /// The same, from an aggregator that was told to answer within a time of its own.
    pub fn get_within(&self, path_and_query: &str, wait: Duration) -> Result<Vec<u8>, Failure> {
        let url = format!("{}{path_and_query}", self.base);
        let request = self.agent.get(&url).config().timeout_global(Some(wait)).build();
        let response = self.with_token(request).header("accept", "application/json").call();
        let mut response = response.map_err(|error| self.unreachable(&error, wait))?;
        let status = response.status().as_u16();
        let mime = mime(&response);
        let body = response.body_mut().with_config().limit(BODY_BYTES_MAX).read_to_vec();
        let body = body.map_err(|error| self.unreachable(&error, wait))?;
        match status {
            200 if mime == "application/json" => Ok(body),
            _ => Err(self.refusal(status, &mime, &body)),
        }
    }

    /// An answer of type `accept` that comes bit by bit, perhaps without an end. `silence` is how long nothing may come; none is as
    /// long as it takes.
    pub fn stream(
        &self,
        path_and_query: &str,
        accept: &str,
        last_event_id: Option<&str>,
        silence: Option<Duration>,
    ) -> Result<BodyReader<'static>, Failure> {
        let url = format!("{}{path_and_query}", self.base);
        let request = self.agent.get(&url).config().timeout_global(None).timeout_per_read(silence).build();
        let mut request = self.with_token(request).header("accept", accept);
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id);
        }
        let wait = silence.unwrap_or(CONNECT_TIMEOUT);
        let response = request.call().map_err(|error| self.unreachable(&error, wait))?;
        let status = response.status().as_u16();
        let mime = mime(&response);
        let body = response.into_body();
        if status == 200 && mime == accept {
            return Ok(body.into_with_config().limit(u64::MAX).reader());
        }
        let mut text = Vec::new();
        // What is cut off here is no problem of ours, and told by its status alone.
        let _ = body.into_reader().take(PROBLEM_BYTES_MAX).read_to_end(&mut text);
        Err(self.refusal(status, &mime, &text))
    }

    fn with_token(&self, request: RequestBuilder<WithoutBody>) -> RequestBuilder<WithoutBody> {
        match &self.authorization {
            Some(authorization) => request.header("authorization", authorization),
            None => request,
        }
    }

    /// Why a stream cannot be read any more; `silence` is what it was opened with.
    pub fn broken(error: &std::io::Error, silence: Option<Duration>) -> String {
        let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<ureq::Error>());
        match (cause, silence) {
            (Some(ureq::Error::Timeout(_)), Some(silence)) => {
                format!("nothing came for {}", crate::words::duration(silence.as_nanos() as i128))
            }
            _ => crate::terminal::escape(&error.to_string()),
        }
    }

    /// Parses a body as what the API promises.
    pub fn parse<T: DeserializeOwned>(&self, body: &[u8]) -> Result<T, Failure> {
        serde_json::from_slice(body).map_err(|error| self.stranger(&error.to_string()))
    }

    /// An answer that is not what was asked for: a problem of ours, or from someone else.
    fn refusal(&self, status: u16, mime: &str, body: &[u8]) -> Failure {
        if status < 400 {
            return self.stranger(&format!("{status}, {mime}"));
        }
        if status == 404
            && let Ok(unknown) = serde_json::from_slice::<Unknown>(body)
        {
            return Failure::Unknown(Box::new(unknown));
        }
        match serde_json::from_slice::<Problem>(body) {
            Ok(problem) if mime == "application/problem+json" && status == 400 => {
                Failure::Rejected { base: self.base.clone(), problem: Box::new(problem) }
            }
            Ok(_) if mime == "application/problem+json" && status == 401 && self.authorization.is_none() => {
                Failure::Refused(format!(
                    "{} is locked; name a file with a token by --token-file, or put the token into {TOKEN_VARIABLE} (on the \
                     aggregator's host: clew-aggregator token create NAME --scope read)",
                    self.base
                ))
            }
            Ok(problem) if mime == "application/problem+json" && (status == 401 || status == 403) => {
                Failure::Refused(format!("{} does not let us in: {}", self.base, problem.one_line()))
            }
            Ok(problem) if mime == "application/problem+json" => {
                Failure::Server(format!("{} answered {status}: {}", self.base, problem.one_line()))
            }
            _ => self.stranger(&format!("{status}, {mime}")),
        }
    }

    fn stranger(&self, what: &str) -> Failure {
        Failure::Server(format!(
            "{} answered, but not like a clew-aggregator ({what}); name its http_listen address with --server or CLEW_SERVER",
            self.base
        ))
    }

    fn unreachable(&self, error: &ureq::Error, wait: Duration) -> Failure {
        use ureq::Error;
        let base = &self.base;
        let remedy = "is clew-aggregator running there? name its http_listen address with --server or CLEW_SERVER";
        Failure::Server(match error {
            Error::Timeout(_) => format!(
                "no answer from {base} within {}; it may be overloaded or out of reach: see {base}/readyz, or wait longer with --timeout",
                crate::words::duration(wait.as_nanos() as i128)
            ),
            Error::HostNotFound => format!("{base}: no such host; {remedy}"),
            Error::BadUri(why) => {
                return Failure::Usage(format!("--server {base}: {why}; write it like http://127.0.0.1:7601"));
            }
            Error::Rustls(error) => return Failure::Refused(untrusted(base, error)),
            Error::Io(error) if tls_error(error).is_some() => {
                return Failure::Refused(untrusted(base, tls_error(error).expect("just seen")));
            }
            Error::Io(error) if error.kind() == ErrorKind::ConnectionRefused => {
                format!("{base}: connection refused; {remedy}")
            }
            Error::Io(error) => format!("{base}: {error}; {remedy}"),
            Error::BodyExceedsLimit(_) => {
                format!("{base}: an answer is larger than the {} GiB that clew takes", BODY_BYTES_MAX >> 30)
            }
            Error::Protocol(error) => format!(
                "{base} does not speak HTTP/1.1 ({error}); if it speaks TLS, write https://; if this is the aggregator's grpc_listen, name its http_listen instead"
            ),
            error => format!("{base}: {error}; {remedy}"),
        })
    }
}

fn untrusted(base: &str, error: &rustls::Error) -> String {
    format!("{base}: {error}; if it is ours, name the authority that signed its certificate: --ca FILE, or CLEW_CA")
}

fn tls_error(error: &std::io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

fn mime(response: &ureq::http::Response<ureq::Body>) -> String {
    response.body().mime_type().unwrap_or("no content type").to_owned()
}
