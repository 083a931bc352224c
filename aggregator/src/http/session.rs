//! `/api/v1/session`: who asks (GET), a browser's login with a token (POST), and its end (DELETE).
//!
//! The token comes in the body, once; from then on the browser shows a cookie that no script can read and that goes along with
//! requests of our own page alone.

use std::time::Instant;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::api::Api;
use super::arguments;
use super::guard::{self, COOKIES, Denied, Origin};
use super::problem::Problem;
use crate::access::logins;
use crate::access::principal::{Principal, Proof, Scope};

/// Names of the members of a login.
pub const PARAMETERS: &[&str] = &["token"];
/// A token has 48.
const BODY_BYTES_MAX: usize = 4 << 10;

/// `GET /api/v1/session`: who asks.
pub async fn show(State(api): State<Api>, request: Request) -> Json<Value> {
    let (method, uri, headers) = (request.method(), request.uri(), request.headers());
    let admitted = guard::admit(&api.gate, method, uri, headers, Scope::Read);
    // A wrong token is one here as well; it is counted, and the answer is that of nobody.
    if let Err(Denied::Refused(refused)) = &admitted
        && headers.contains_key(header::AUTHORIZATION)
    {
        drop(guard::refuse(&api, guard::peer(request.extensions()), refused.clone()));
    }
    Json(answer(&api, admitted.ok().map(|admitted| admitted.principal).as_ref()))
}

/// `DELETE /api/v1/session`: the end of a browser's login.
pub async fn logout(State(api): State<Api>, request: Request) -> Result<Response, Problem> {
    if guard::origin(request.uri(), request.headers()) == Origin::Foreign {
        return Err(Problem::Foreign);
    }
    if let Some(value) = guard::cookie(request.headers()) {
        api.gate.logins.end(value);
    }
    let gone = COOKIES.map(|name| cookie(name, "", 0));
    Ok(with_cookies(&gone, &answer(&api, None)))
}

/// `POST /api/v1/session`: a browser's login.
pub async fn login(State(api): State<Api>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    if guard::origin(&parts.uri, &parts.headers) == Origin::Foreign {
        return Err(Problem::Foreign);
    }
    arguments::require_json(&parts.headers)?;
    let body = axum::body::to_bytes(body, BODY_BYTES_MAX).await;
    let token = token(&body.map_err(|_| Problem::BodyTooLarge { max: BODY_BYTES_MAX })?)?;
    let peer = guard::peer(&parts.extensions);
    let principal = api.gate.door.admit(Some(&token), None, Scope::Read);
    let principal = principal.map_err(|refused| guard::refuse(&api, peer, refused))?;
    let shown = answer(&api, Some(&principal));
    if principal.proof == Proof::None {
        return Ok(Json(shown).into_response());
    }
    // One browser, one login.
    if let Some(value) = guard::cookie(&parts.headers) {
        api.gate.logins.end(value);
    }
    tracing::info!("http: {principal} logs in from {peer}");
    let value = api.gate.logins.begin(principal, Instant::now());
    let value = value.map_err(|error| Problem::Random { detail: error.to_string() })?;
    let name = COOKIES[usize::from(!is_https(&parts.headers))];
    Ok(with_cookies(&[cookie(name, &value, logins::AGE_MAX.as_secs())], &shown))
}

/// What the body says; and of what is wrong with it nothing that stands in it.
fn token(body: &Bytes) -> Result<String, Problem> {
    let members = serde_json::from_slice::<Map<String, Value>>(body).unwrap_or_default();
    let token = members.get("token").and_then(Value::as_str).filter(|_| members.len() == 1);
    let detail = "send {\"token\": \"clew_…\"}, and nothing else".to_owned();
    token.map(|token| token.trim().to_owned()).ok_or(Problem::BadParameter { name: "body", detail })
}

fn answer(api: &Api, principal: Option<&Principal>) -> Value {
    json!({
        "locked": api.gate.door.locks().http,
        "name": principal.map(|principal| &principal.name).filter(|name| !name.is_empty()),
        "scopes": principal.map(|principal| principal.scopes.clone()).unwrap_or_default(),
    })
}

/// Browsers say where the page is from with every POST; behind a proxy they alone know that it came by HTTPS.
fn is_https(headers: &HeaderMap) -> bool {
    headers.get(header::ORIGIN).is_some_and(|origin| origin.as_bytes().starts_with(b"https://"))
}

fn cookie(name: &str, value: &str, seconds: u64) -> String {
    let secure = if name.starts_with("__Host-") { "; Secure" } else { "" };
    format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}")
}

fn with_cookies(cookies: &[String], body: &Value) -> Response {
    let mut response = Json(body).into_response();
    for cookie in cookies {
        let value = HeaderValue::from_str(cookie).expect("letters, digits and signs");
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_for_our_own_page_alone() {
        assert_eq!(cookie("clew", "v", 7), "clew=v; Path=/; Max-Age=7; HttpOnly; SameSite=Strict");
        assert_eq!(
            cookie("__Host-clew", "v", 7),
            "__Host-clew=v; Path=/; Max-Age=7; HttpOnly; SameSite=Strict; Secure"
        );
    }

    #[test]
    fn what_is_wrong_with_a_login_is_not_quoted() {
        assert_eq!(token(&Bytes::from("{\"token\":\" clew_a\\n\"}")).expect("a token"), "clew_a");
        for body in [
            "",
            "\"clew_a\"",
            "[\"clew_a\"]",
            "{\"tokn\":\"clew_a\"}",
            "{\"token\":1}",
            "{\"token\":\"clew_a\",\"x\":1}",
        ] {
            let problem = token(&Bytes::from(body)).expect_err("wrong").to_string();
            assert!(!problem.contains("clew_a"), "{problem}");
        }
    }
}
