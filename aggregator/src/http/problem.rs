//! Errors as RFC 9457 problem details (`application/problem+json`). Status codes are chosen here alone.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

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
            Self::NoRoute => write!(formatter, "no such route"),
            Self::Method => write!(formatter, "method not allowed"),
            Self::Catalog { detail } | Self::Conflict { detail } | Self::Damaged { detail } => {
                formatter.write_str(detail)
            }
            Self::Store(error) => write!(formatter, "{error}"),
            Self::Stopping => write!(formatter, "the aggregator stops"),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
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
        (status, [(header::CONTENT_TYPE, content_type)], body.to_string()).into_response()
    }
}
