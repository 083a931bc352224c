//! A request's parameters: in the query string of a GET, in the JSON body of a POST.

use axum::RequestPartsExt;
use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, RawQuery, Request};
use axum::http::{HeaderMap, Method, header};
use serde::de::DeserializeOwned;
use serde_json::{Map, Number, Value};

use super::problem::Problem;

/// A body may have so many bytes.
const BODY_BYTES_MAX: usize = 1 << 20;

/// Parameters that a body may have as numbers.
const NUMBERS: [&str; 8] = ["limit", "sample", "position", "before", "after", "from", "to", "time"];
/// Those that a body may have as `true` and `false`.
const SWITCHES: [&str; 2] = ["errors", "dry_run"];

/// The parameters by name; none is null, a list or an object.
pub struct Arguments(Map<String, Value>);

impl<S: Send + Sync> FromRequest<S> for Arguments {
    type Rejection = Problem;

    async fn from_request(request: Request<Body>, _state: &S) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let RawQuery(query) = parts.extract().await.unwrap_or(RawQuery(None));
        let mut arguments = Self::of_query(query.as_deref().unwrap_or_default())?;
        if parts.method == Method::POST {
            let bytes = axum::body::to_bytes(body, BODY_BYTES_MAX).await.map_err(unreadable)?;
            arguments.add_body(&bytes)?;
        }
        Ok(arguments)
    }
}

/// For what changes something: a page of somebody else's site can have a browser send anything but JSON here.
pub fn require_json(headers: &HeaderMap) -> Result<(), Problem> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.starts_with("application/json") { Ok(()) } else { Err(Problem::NotJson) }
}

/// As a person would write it: some clients have no other numbers than `100.0` and `1e3`.
fn spelled(number: &Number) -> String {
    match number.as_f64().filter(|_| number.is_f64()) {
        Some(float) => float.to_string(),
        None => number.to_string(),
    }
}

/// Why a body could not be read.
fn unreadable(error: axum::Error) -> Problem {
    let is_too_large = error.into_inner().is::<http_body_util::LengthLimitError>();
    if is_too_large {
        Problem::BodyTooLarge { max: BODY_BYTES_MAX }
    } else {
        Problem::BadParameter { name: "body", detail: "it broke off".into() }
    }
}

impl Arguments {
    fn of_query(query: &str) -> Result<Self, Problem> {
        let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query)
            .map_err(|error| Problem::BadParameter { name: "query", detail: error.to_string() })?;
        let mut arguments = Map::new();
        for (name, value) in pairs {
            if arguments.insert(name.clone(), Value::String(value)).is_some() {
                let detail = format!("{name:?} is given twice");
                return Err(Problem::BadParameter { name: "query", detail });
            }
        }
        Ok(Self(arguments))
    }

    fn add_body(&mut self, bytes: &Bytes) -> Result<(), Problem> {
        let bad = |detail: String| Problem::BadParameter { name: "body", detail };
        if bytes.is_empty() {
            return Ok(());
        }
        let body: Map<String, Value> = serde_json::from_slice(bytes)
            .map_err(|error| bad(format!("{error}; it is a JSON object with the same names as the parameters")))?;
        for (name, value) in body {
            match value {
                Value::Null => return Err(bad(format!("{name:?} is null; leave it out, or give it a value"))),
                Value::Array(_) | Value::Object(_) => return Err(bad(format!("{name:?} has to be a single value"))),
                value => self.0.insert(name, value),
            };
        }
        Ok(())
    }

    /// All values as text.
    fn texts(self) -> Result<Map<String, Value>, Problem> {
        let text = |name: &str, value| match value {
            Value::String(text) => Ok(text),
            Value::Number(number) if NUMBERS.contains(&name) => Ok(spelled(&number)),
            Value::Bool(value) if SWITCHES.contains(&name) => Ok(value.to_string()),
            _ => {
                let wanted = match name {
                    name if NUMBERS.contains(&name) => "a number or text",
                    name if SWITCHES.contains(&name) => "true or false",
                    _ => "text",
                };
                Err(Problem::BadParameter { name: "body", detail: format!("{name:?} has to be {wanted}") })
            }
        };
        let texts = self.0.into_iter().map(|(name, value)| {
            let text = text(&name, value)?;
            Ok((name, Value::String(text)))
        });
        texts.collect()
    }

    /// As the route's own type. `known` are the names that it takes.
    pub fn read<T: DeserializeOwned>(self, known: &[&str]) -> Result<T, Problem> {
        if let Some(name) = self.0.keys().find(|name| !known.contains(&name.as_str())) {
            let meant =
                known.iter().max_by(|left, right| strsim::jaro(left, name).total_cmp(&strsim::jaro(right, name)));
            let detail = match meant.filter(|meant| strsim::jaro(meant, name) > 0.75) {
                Some(meant) => format!("there is no {name:?}, did you mean {meant:?}?"),
                None => format!("there is no {name:?}; known here: {}", known.join(", ")),
            };
            return Err(Problem::BadParameter { name: "query", detail });
        }
        serde_json::from_value(Value::Object(self.texts()?))
            .map_err(|error| Problem::BadParameter { name: "query", detail: error.to_string() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn posted(body: &str) -> Result<Map<String, Value>, Problem> {
        let mut arguments = Arguments::of_query("limit=1&q=a")?;
        arguments.add_body(&Bytes::copy_from_slice(body.as_bytes()))?;
        arguments.texts()
    }

    #[test]
    fn values_of_a_body_are_text() {
        for (value, wanted) in [
            ("100", "100"),
            ("100.0", "100"),
            ("1e3", "1000"),
            ("1764071000.5", "1764071000.5"),
            ("1795601702123456789", "1795601702123456789"),
            ("\"100\"", "100"),
        ] {
            let arguments = posted(&format!("{{\"limit\":{value}}}")).expect(value);
            assert_eq!((&arguments["limit"], &arguments["q"]), (&Value::from(wanted), &Value::from("a")), "{value}");
        }
        assert_eq!(posted("{\"errors\":true}").expect("a switch")["errors"], "true");
        for body in ["", " {} "] {
            assert_eq!(posted(body).map_err(|problem| problem.to_string()).map(|known| known.len()), Ok(2), "{body:?}");
        }
    }

    #[test]
    fn what_is_no_object_of_texts_is_refused() {
        for body in [
            "{\"q\":5}",
            "{\"limit\":true}",
            "{\"dry_run\":0}",
            "[]",
            "5",
            "null",
            "{",
            "{\"q\":[1]}",
            "{\"q\":{}}",
            "{\"q\":null}",
            "{} {}",
            "\u{0}",
        ] {
            assert!(matches!(posted(body), Err(Problem::BadParameter { name: "body", .. })), "{body:?}");
        }
    }

    #[test]
    fn a_name_is_there_once_and_known() {
        assert!(Arguments::of_query("q=a&q=b").is_err());
        let problem = Arguments::of_query("limitt=5").and_then(|arguments| arguments.read::<Value>(&["limit"]));
        assert!(problem.expect_err("a wrong name").to_string().contains("did you mean \"limit\"?"));
    }
}
