//! Before a request is looked at: who asks, and may they? Programs show a token as `Authorization: Bearer`, browsers the cookie of a
//! login. A cookie goes along with whatever page asks, so a request that changes something has to prove that it comes from our own.

use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{Extensions, HeaderMap, HeaderValue, Method, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::time::Interval;
use tokio_stream::Stream;

use super::api::Api;
use super::problem::Problem;
use crate::access::door::Refused;
use crate::access::gate::{self, Gate};
use crate::access::principal::{Principal, Scope};
use crate::access::secret::Hash;
use crate::listen::connection::Caller;

/// Names of the cookie: the first where the browser asked by HTTPS, and then no other program of the host can set it.
pub const COOKIES: [&str; 2] = ["__Host-clew", "clew"];
/// Who reads a stream is looked at again this often.
const STREAM_INTERVAL: Duration = Duration::from_secs(1);

/// Who was let in.
#[derive(Clone, Debug)]
pub struct Admitted {
    /// And what they may do.
    pub principal: Principal,
    /// The login by whose cookie.
    login: Option<Hash>,
}

impl Admitted {
    fn may_stay(&self, gate: &Gate, scope: Scope) -> bool {
        gate.door.may_stay(&self.principal, scope).is_ok()
            && self.login.is_none_or(|login| gate.logins.is_open(&login, Instant::now()))
    }
}

/// A route, and what it takes to ask it.
#[derive(Clone)]
pub struct Guarded {
    /// What all handlers share.
    pub api: Api,
    /// What the route asks for.
    pub scope: Scope,
}

/// Lets a request through to a route that asks for a scope.
pub async fn guard(State(guarded): State<Guarded>, request: Request, next: Next) -> Response {
    let Guarded { api, scope } = guarded;
    let peer = peer(request.extensions());
    let admitted = match admit(&api.gate, request.method(), request.uri(), request.headers(), scope) {
        Ok(admitted) => admitted,
        Err(Denied::Foreign) => return Problem::Foreign.into_response(),
        Err(Denied::Refused(refused)) => return refuse(&api, peer, refused).into_response(),
    };
    if scope == Scope::Admin && !request.method().is_safe() {
        tracing::info!("http: {} of {peer} asks for {} {}", admitted.principal, request.method(), request.uri().path());
    }
    let response = next.run(request).await;
    if is_stream(&response) { while_admitted(response, Arc::clone(&api.gate), admitted, scope) } else { response }
}

/// Before all routes: what asks for another name than ours is turned away while everybody may read, and what all answers say to browsers.
pub async fn doorstep(State(api): State<Api>, request: Request, next: Next) -> Response {
    let is_open = !api.gate.door.locks().http;
    let names = api.gate.names.as_ref().filter(|_| is_open && !matches!(request.uri().path(), "/livez" | "/readyz"));
    // A browser always names a host.
    let stranger = names.and_then(|names| host(request.uri(), request.headers()).filter(|host| !names.know(host)));
    let mut response = match stranger {
        Some(host) => Problem::Misdirected { host: host.to_owned() }.into_response(),
        None => next.run(request).await,
    };
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    headers.entry(header::REFERRER_POLICY).or_insert(HeaderValue::from_static("no-referrer"));
    // Log lines are for who asked, and for no cache on the way.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Why a request goes no further.
#[derive(Debug, PartialEq, Eq)]
pub enum Denied {
    /// Another site's page asks.
    Foreign,
    /// The door does not open.
    Refused(Refused),
}

impl From<Refused> for Denied {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

/// Who asks, if they may do what asks for `scope`.
pub fn admit(gate: &Gate, method: &Method, uri: &Uri, headers: &HeaderMap, scope: Scope) -> Result<Admitted, Denied> {
    if let Some(bearer) = gate::bearer(headers) {
        return Ok(Admitted { principal: gate.door.admit(Some(bearer), None, scope)?, login: None });
    }
    let login = cookie(headers).and_then(|value| gate.logins.of(value, Instant::now()));
    let origin = origin(uri, headers);
    if !method.is_safe() && (origin == Origin::Foreign || (login.is_some() && origin != Origin::Own)) {
        return Err(Denied::Foreign);
    }
    let Some((login, principal)) = login else {
        return Ok(Admitted { principal: gate.door.admit(None, None, scope)?, login: None });
    };
    gate.door.may_stay(&principal, scope)?;
    Ok(Admitted { principal, login: Some(login) })
}

/// Counts and logs who is refused, and says it.
pub fn refuse(api: &Api, peer: IpAddr, refused: Refused) -> Problem {
    match api.gate.refused(&api.metrics, gate::HTTP, peer, &refused) {
        Some(wait) => Problem::Throttled { wait },
        None => Problem::Refused(refused),
    }
}

/// Who is at the other end of the connection.
pub fn peer(extensions: &Extensions) -> IpAddr {
    extensions.get::<Caller>().map_or(IpAddr::from(Ipv4Addr::UNSPECIFIED), |caller| caller.address)
}

/// Where a request comes from, as a browser says; no page can change what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Our own page, or somebody who typed the address.
    Own,
    /// A page of another site, or of another port of this host.
    Foreign,
    /// No browser says anything.
    Unknown,
}

/// Browsers say `Sec-Fetch-Site` by HTTPS and on loopback, and `Origin` everywhere with what is not a plain GET.
pub fn origin(uri: &Uri, headers: &HeaderMap) -> Origin {
    if let Some(site) = text(headers, "sec-fetch-site") {
        return if matches!(site, "same-origin" | "none") { Origin::Own } else { Origin::Foreign };
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return Origin::Unknown };
    let named = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, authority)| authority);
    let is_own = named.zip(host(uri, headers)).is_some_and(|(origin, host)| origin.eq_ignore_ascii_case(host));
    if is_own { Origin::Own } else { Origin::Foreign }
}

/// The value of the cookie.
pub fn cookie(headers: &HeaderMap) -> Option<&str> {
    let pairs = || {
        let values = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='))
    };
    COOKIES.iter().find_map(|name| pairs().find(|(named, _)| named == name).map(|(_, value)| value))
}

fn host<'r>(uri: &'r Uri, headers: &'r HeaderMap) -> Option<&'r str> {
    let authority = uri.authority().map(|authority| authority.as_str());
    // What cannot be read is no name of ours.
    authority.or_else(|| headers.get(header::HOST).map(|host| host.to_str().unwrap_or_default()))
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).map(|value| value.to_str().unwrap_or_default())
}

fn is_stream(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    kind.starts_with(b"text/event-stream") || kind.starts_with(b"application/x-ndjson")
}

/// A stream breaks off when its reader may read no more: a token was revoked or has expired, a login has ended.
fn while_admitted(response: Response, gate: Arc<Gate>, admitted: Admitted, scope: Scope) -> Response {
    response.map(|body| {
        Body::from_stream(watched(body.into_data_stream(), STREAM_INTERVAL, move || admitted.may_stay(&gate, scope)))
    })
}

fn watched<S, F>(body: S, every: Duration, may_stay: F) -> Watched<S, F> {
    Watched { body, may_stay, looks: tokio::time::interval(every), is_over: false }
}

#[derive(Debug, thiserror::Error)]
#[error("whoever reads this may read no more")]
struct NoMore;

/// What a body says, as long as its reader may stay; then an error, so that nobody takes it for the whole.
struct Watched<S, F> {
    body: S,
    may_stay: F,
    looks: Interval,
    is_over: bool,
}

impl<S, F> Stream for Watched<S, F>
where
    S: Stream<Item = Result<Bytes, axum::Error>> + Unpin,
    F: Fn() -> bool + Unpin,
{
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        while self.looks.poll_tick(context).is_ready() {
            if !(self.may_stay)() {
                self.is_over = true;
                return Poll::Ready(Some(Err(axum::Error::new(NoMore))));
            }
        }
        Pin::new(&mut self.body).poll_next(context)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use tokio_stream::StreamExt;

    use super::*;
    use crate::access::door::{Door, Locks};
    use crate::access::token::Token;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value"))).collect()
    }

    /// With tokens called as their scopes, and a login of each.
    fn gate() -> (Gate, [String; 2]) {
        let token = |scope: Scope| Token::new(scope.name(), scope.name(), Hash::of(scope.name()), &[scope], 0);
        let door = Arc::new(Door::new(Scope::ALL.map(token).to_vec(), Locks::default()));
        let gate = Gate { door, ..Gate::default() };
        let values = [Scope::Read, Scope::Admin].map(|scope| {
            let principal = gate.door.admit(Some(scope.name()), None, scope).expect("let in");
            gate.logins.begin(principal, Instant::now()).expect("random")
        });
        (gate, values)
    }

    fn ask(gate: &Gate, method: &Method, pairs: &[(&'static str, &str)], scope: Scope) -> Result<String, Denied> {
        let uri = Uri::from_static("/api/v1/x");
        admit(gate, method, &uri, &headers(pairs), scope).map(|admitted| admitted.principal.name)
    }

    #[test]
    fn a_token_is_shown_as_a_bearer() {
        let (gate, _) = gate();
        for (value, wanted) in [
            ("Bearer read", Ok("read".to_owned())),
            ("bearer  read ", Ok("read".to_owned())),
            ("Bearer nothing", Err(Denied::Refused(Refused::Unknown))),
            ("Bearer ", Err(Denied::Refused(Refused::Unknown))),
            ("Basic cmVhZDo=", Err(Denied::Refused(Refused::Missing))),
            ("read", Err(Denied::Refused(Refused::Missing))),
        ] {
            assert_eq!(ask(&gate, &Method::GET, &[("authorization", value)], Scope::Read), wanted, "{value:?}");
        }
    }

    #[test]
    fn a_cookie_stands_for_its_login_and_no_more() {
        let (gate, [read, admin]) = gate();
        let cookie = |value: &str| format!("other=1; clew={value}; last=2");
        let get = |value: &str, scope| ask(&gate, &Method::GET, &[("cookie", &cookie(value))], scope);
        assert_eq!(get(&read, Scope::Read), Ok("read".into()));
        assert!(matches!(get(&read, Scope::Admin), Err(Denied::Refused(Refused::Scope { .. }))));
        assert_eq!(get(&admin, Scope::Admin), Ok("admin".into()));
        assert_eq!(get("guessed", Scope::Read), Err(Denied::Refused(Refused::Missing)));
        gate.door.change(Vec::new(), Locks::default());
        assert_eq!(get(&read, Scope::Read), Err(Denied::Refused(Refused::Unknown)));
    }

    #[test]
    fn what_changes_something_by_a_cookie_comes_from_our_own_page() {
        let (gate, [_, admin]) = gate();
        let cookie = format!("__Host-clew={admin}");
        for (from, is_let_in) in [
            (&[][..], false),
            (&[("sec-fetch-site", "same-origin")], true),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("sec-fetch-site", "cross-site"), ("origin", "http://logs:7601")], false),
            (&[("origin", "http://logs:7601")], true),
            (&[("origin", "https://logs:7601")], true),
            (&[("origin", "http://logs:3000")], false),
            (&[("origin", "http://evil.example")], false),
            (&[("origin", "null")], false),
        ] {
            let pairs = [&[("cookie", cookie.as_str()), ("host", "logs:7601")], from].concat();
            let asked = ask(&gate, &Method::POST, &pairs, Scope::Admin);
            assert_eq!(asked.is_ok(), is_let_in, "{from:?}: {asked:?}");
            // What it reads nobody else's page gets to see.
            assert!(ask(&gate, &Method::GET, &pairs, Scope::Admin).is_ok(), "{from:?}");
            // A program shows its token itself.
            let pairs = [&[("authorization", "Bearer admin")], &pairs[..]].concat();
            assert!(ask(&gate, &Method::POST, &pairs, Scope::Admin).is_ok(), "{from:?}");
        }
    }

    #[test]
    fn through_an_open_door_programs_change_things_and_pages_of_others_do_not() {
        let gate = Gate::default();
        for (from, is_let_in) in [
            (&[][..], true),
            (&[("sec-fetch-site", "same-origin")], true),
            (&[("sec-fetch-site", "cross-site")], false),
            (&[("origin", "http://evil.example")], false),
        ] {
            let pairs = [&[("host", "localhost:7601")], from].concat();
            assert_eq!(ask(&gate, &Method::POST, &pairs, Scope::Admin).is_ok(), is_let_in, "{from:?}");
        }
    }

    #[tokio::test]
    async fn a_stream_breaks_off_when_its_reader_may_read_no_more() {
        let may_stay = Arc::new(AtomicBool::new(true));
        let (sender, receiver) = tokio::sync::mpsc::channel(1);
        let body = tokio_stream::wrappers::ReceiverStream::new(receiver);
        let allowed = Arc::clone(&may_stay);
        let mut watched = watched(body, Duration::from_millis(1), move || allowed.load(Ordering::Relaxed));
        sender.send(Ok(Bytes::from("a"))).await.expect("read");
        assert_eq!(watched.next().await.expect("a piece").expect("good"), "a");
        may_stay.store(false, Ordering::Relaxed);
        let last = watched.next().await.expect("an end");
        assert_eq!(last.expect_err("an error").to_string(), "whoever reads this may read no more");
        assert!(watched.next().await.is_none());
    }
}
