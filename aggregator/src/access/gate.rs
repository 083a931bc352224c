//! What the two servers ask of access, in one place: the door, the logins of browsers, and wrong attempts.

use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, header};

use super::attempts::Attempts;
use super::binding;
use super::door::{Door, Refused};
use super::logins::Logins;
use crate::metrics::{Metrics, RefusedLabel};

/// The door of people and programs, as metrics and logs name it.
pub const HTTP: &str = "http";
/// That of agents.
pub const GRPC: &str = "grpc";

/// Shared by all requests.
#[derive(Debug, Default)]
pub struct Gate {
    /// Lets in, or refuses.
    pub door: Arc<Door>,
    /// Of browsers.
    pub logins: Logins,
    /// With wrong secrets.
    pub attempts: Attempts,
    /// The names under which an open door may be asked for; none: any.
    pub names: Option<Names>,
}

/// Names of an aggregator that everybody on its machine may read. A page of another site can give a name of its own the address
/// 127.0.0.1 (DNS rebinding), and would then count as ours in the eyes of a browser; but it cannot change what the browser says that it
/// asked for.
#[derive(Clone, Debug)]
pub struct Names {
    /// Where it listens.
    pub address: SocketAddr,
    /// More names, of the configuration's `http_hosts`.
    pub more: Vec<String>,
}

impl Gate {
    /// Counts who is refused at one of the doors, and logs a wrong attempt: with the address, and never with what was shown. How long until
    /// the next one of this address is looked at, if it made too many.
    pub fn refused(&self, metrics: &Metrics, door: &'static str, peer: IpAddr, refused: &Refused) -> Option<Duration> {
        let count = |reason| {
            metrics.refused.get_or_create(&RefusedLabel { door, reason }).inc();
        };
        // People come without a token to be asked for one, programs do not.
        let is_wrong = door == GRPC || !matches!(refused, Refused::Missing | Refused::Scope { .. });
        if is_wrong && let Some(wait) = self.attempts.wrong(peer, Instant::now()) {
            count("throttled");
            return Some(wait);
        }
        count(refused.reason());
        if is_wrong {
            tracing::warn!("{door}: {peer} is refused: {refused}");
        }
        None
    }
}

impl Gate {
    /// Counts a connection that was turned away at one of the doors, and logs it as wrong attempts are: not without end.
    pub fn turned_away(
        &self,
        metrics: &Metrics,
        door: &'static str,
        peer: IpAddr,
        reason: &'static str,
        why: &dyn Display,
    ) {
        metrics.turned_away.get_or_create(&RefusedLabel { door, reason }).inc();
        if self.attempts.wrong(peer, Instant::now()).is_none() {
            tracing::warn!("{door}: {peer} is turned away: {why}");
        }
    }
}

impl Names {
    /// Whether `host`, as a request names it, with its port or without, is one of them.
    pub fn know(&self, host: &str) -> bool {
        let name = without_port(host);
        let is_local = name.eq_ignore_ascii_case("localhost") || name.to_ascii_lowercase().ends_with(".localhost");
        is_local
            || bare_address(name).is_some_and(|address| {
                address == self.address.ip() || binding::is_loopback(SocketAddr::new(address, 0))
            })
            || self.more.iter().any(|known| known.eq_ignore_ascii_case(name))
    }
}

/// The token that a request shows as `Authorization: Bearer` (RFC 6750); the scheme's case does not matter (RFC 9110).
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        // The colons of an address of IPv6 stand in brackets, its port behind them.
        Some((name, port))
            if port.bytes().all(|byte| byte.is_ascii_digit()) && (!name.contains(':') || name.ends_with(']')) =>
        {
            name
        }
        _ => host,
    }
}

fn bare_address(name: &str) -> Option<std::net::IpAddr> {
    let inner = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    inner.unwrap_or(name).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_and_what_was_configured_are_known_and_what_others_call_it_is_not() {
        let names = Names { address: "127.0.0.1:7601".parse().expect("an address"), more: vec!["logs.example".into()] };
        for host in [
            "localhost",
            "localhost:7601",
            "LOCALHOST:1",
            "clew.localhost:7601",
            "127.0.0.1",
            "127.0.0.1:7601",
            "127.9.9.9:80",
            "[::1]",
            "[::1]:7601",
            "logs.example",
            "Logs.Example:443",
        ] {
            assert!(names.know(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "evil.example:7601",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "notlocalhost",
            "10.0.0.1",
            "logs.example.evil",
            "[::2]",
            "::",
            ":7601",
            "localhost:7601.evil.example",
        ] {
            assert!(!names.know(host), "{host}");
        }
    }
}
