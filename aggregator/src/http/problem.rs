//! Errors as RFC 9457 problem details (`application/problem+json`). Status codes are chosen here alone.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use crate::access::door::Refused;
use crate::index::find::FindError;
use crate::query::language::error::SyntaxError;

/// What went wrong with a request.
#[derive(Debug)]
pub enum Problem {
    /// A parameter makes no sense.
    BadParameter {
        /// Its name.
        name: &'static str,
        /// What is wrong and what to do.
        detail: String,
    },
    /// The query cannot be read.
    Query {
        /// As it was given.
        query: String,
        /// Where and why.
        error: SyntaxError,
    },
    /// Nothing carries this ID; the members say where it was looked for.
    UnknownTransaction {
        /// The ID as it was given.
        id: String,
        /// More members.
        members: Map<String, Value>,
    },
    /// There is no such thing.
    Unknown {
        /// What it would be.
        what: &'static str,
        /// What was asked for.
        name: String,
    },
    /// The body of the request has more bytes than may be.
    BodyTooLarge {
        /// How many may be.
        max: usize,
    },
    /// The body has to be JSON, and to say so.
    NotJson,
    /// So many are served already.
    TooMany {
        /// What there are too many of.
        what: &'static str,
        /// How many may be.
        max: usize,
    },
    /// Whoever asks may not.
    Refused(Refused),
    /// Too many wrong tokens came from there.
    Throttled {
        /// So long none is looked at.
        wait: Duration,
    },
    /// A page of another site asks for a change.
    Foreign,
    /// It was asked for by a name that is not the aggregator's.
    Misdirected {
        /// The name.
        host: String,
    },
    /// There is nothing random to make a login of.
    Random {
        /// Why.
        detail: String,
    },
    /// No such route.
    NoRoute,
    /// The route has no such method.
    Method,
    /// The catalog could not be written.
    Catalog {
        /// Why.
        detail: String,
    },
    /// Things stand in the way of it.
    Conflict {
        /// Which, and what to do.
        detail: String,
    },
    /// What was asked for is damaged on disk.
    Damaged {
        /// What, and what to do.
        detail: String,
    },
    /// The store could not answer.
    Store(FindError),
    /// The program ends before the answer is there.
    Stopping,
}

impl From<FindError> for Problem {
    fn from(error: FindError) -> Self {
        Self::Store(error)
    }
}

impl Problem {
    fn parts(self) -> (StatusCode, &'static str, String, Map<String, Value>) {
        let none = Map::new();
        match self {
            Self::BadParameter { name, detail } => {
                let members = Map::from_iter([("parameter".to_owned(), json!(name))]);
                (StatusCode::BAD_REQUEST, "bad parameter", format!("{name}: {detail}"), members)
            }
            Self::Query { query, error } => {
                let members = json!({
                    "parameter": "q",
                    "position": {"begin": error.span.begin, "end": error.span.end},
                    "excerpt": query.get(error.span.range()),
                    "hint": error.hint,
                });
                let Value::Object(members) = members else { unreachable!("written as an object") };
                (StatusCode::BAD_REQUEST, "query cannot be read", error.message, members)
            }
            Self::UnknownTransaction { id, members } => {
                (StatusCode::NOT_FOUND, "unknown transaction", format!("no record carries the ID {id:?}"), members)
            }
            Self::Unknown { what, name } => {
                (StatusCode::NOT_FOUND, "not found", format!("there is no {what} {name}"), none)
            }
            Self::BodyTooLarge { max } => {
                (StatusCode::PAYLOAD_TOO_LARGE, "body too large", format!("the body may have {max} bytes"), none)
            }
            Self::NotJson => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "not JSON",
                "send the parameters as JSON, with the header content-type: application/json".into(),
                none,
            ),
            Self::TooMany { what, max } => (
                StatusCode::SERVICE_UNAVAILABLE,
                "too many at a time",
                format!("{max} {what} are served already, and no more at a time; end one, or come again later"),
                none,
            ),
            Self::Refused(refused @ Refused::Scope { scope, .. }) => {
                let members = Map::from_iter([("scope".to_owned(), json!(scope))]);
                let detail = format!(
                    "{refused}; ask with a token that has it: clew-aggregator token create NAME --scope {scope}"
                );
                (StatusCode::FORBIDDEN, "not allowed", detail, members)
            }
            Self::Refused(refused) => {
                let detail =
                    format!("{refused}; send one as `Authorization: Bearer clew_…`, or log in on the web page");
                (StatusCode::UNAUTHORIZED, "who are you", detail, none)
            }
            Self::Throttled { wait } => (
                StatusCode::TOO_MANY_REQUESTS,
                "too many wrong tokens",
                format!(
                    "too many wrong tokens came from this address; the next one is looked at in {} s",
                    wait.as_secs() + 1
                ),
                none,
            ),
            Self::Foreign => (
                StatusCode::FORBIDDEN,
                "another site",
                "a page of another site cannot change anything here; programs send a token, and no Origin".into(),
                none,
            ),
            Self::Misdirected { host } => (
                StatusCode::MISDIRECTED_REQUEST,
                "another name",
                format!(
                    "this aggregator is not known as {host:?}; if it is, put that into http_hosts of its configuration, or make a token"
                ),
                none,
            ),
            Self::Random { detail } => (StatusCode::INTERNAL_SERVER_ERROR, "no random bytes", detail, none),
            Self::NoRoute => {
                (StatusCode::NOT_FOUND, "no such route", "the API is described at /openapi.json".into(), none)
            }
            Self::Method => (
                StatusCode::METHOD_NOT_ALLOWED,
                "method not allowed",
                "the header `allow` names the methods of this route".into(),
                none,
            ),
            Self::Catalog { detail } => (StatusCode::INTERNAL_SERVER_ERROR, "catalog failed", detail, none),
            Self::Conflict { detail } => (StatusCode::CONFLICT, "conflict", detail, none),
            Self::Damaged { detail } => (StatusCode::INTERNAL_SERVER_ERROR, "damaged", detail, none),
            Self::Store(error) => (StatusCode::INTERNAL_SERVER_ERROR, "store failed", error.to_string(), none),
            Self::Stopping => (
                StatusCode::SERVICE_UNAVAILABLE,
                "stopping",
                "the aggregator stops; ask again in a moment".into(),
                none,
            ),
        }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::BadParameter { name, detail } => write!(formatter, "{name}: {detail}"),
            Self::Query { error, .. } => write!(formatter, "{error}"),
            Self::UnknownTransaction { id, .. } => write!(formatter, "no record carries the ID {id:?}"),
            Self::Unknown { what, name } => write!(formatter, "there is no {what} {name}"),
            Self::BodyTooLarge { max } => write!(formatter, "the body has more than {max} bytes"),
            Self::NotJson => write!(formatter, "the body is not JSON"),
            Self::TooMany { what, max } => write!(formatter, "{max} {what} are served already"),
            Self::Refused(refused) => write!(formatter, "{refused}"),
            Self::Throttled { .. } => write!(formatter, "too many wrong tokens"),
            Self::Foreign => write!(formatter, "a page of another site asks"),
            Self::Misdirected { host } => write!(formatter, "not known as {host:?}"),
            Self::NoRoute => write!(formatter, "no such route"),
            Self::Method => write!(formatter, "method not allowed"),
            Self::Catalog { detail }
            | Self::Conflict { detail }
            | Self::Damaged { detail }
            | Self::Random { detail } => formatter.write_str(detail),
            Self::Store(error) => write!(formatter, "{error}"),
            Self::Stopping => write!(formatter, "the aggregator stops"),
        }
    }
}

impl Problem {
    /// What goes beside the answer: how to be let in (RFC 6750), and when to come again.
    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let (name, value) = match self {
            Self::Refused(Refused::Missing) => (header::WWW_AUTHENTICATE, "Bearer realm=\"clew\"".to_owned()),
            Self::Refused(Refused::Scope { scope, .. }) => (
                header::WWW_AUTHENTICATE,
                format!("Bearer realm=\"clew\", error=\"insufficient_scope\", scope=\"{scope}\""),
            ),
            Self::Refused(_) => (header::WWW_AUTHENTICATE, "Bearer realm=\"clew\", error=\"invalid_token\"".to_owned()),
            Self::Throttled { wait } => (header::RETRY_AFTER, (wait.as_secs() + 1).to_string()),
            _ => return headers,
        };
        headers.insert(name, HeaderValue::from_str(&value).expect("letters, digits and signs"));
        headers
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let headers = self.headers();
        let (status, title, detail, members) = self.parts();
        if status.is_server_error() {
            tracing::error!("{title}: {detail}");
        }
        let mut body = json!({
            "type": "about:blank",
            "title": title,
            "status": status.as_u16(),
            "detail": detail,
        });
        if let Value::Object(body) = &mut body {
            body.extend(members);
        }
        let content_type = HeaderValue::from_static("application/problem+json");
        (status, headers, [(header::CONTENT_TYPE, content_type)], body.to_string()).into_response()
    }
}
