//! The rule about where to listen: whatever others can reach is locked, unless the configuration says `insecure = true`.

use std::net::SocketAddr;

use clew_service::exit::ConfigError;

use super::door::Locks;

/// Refuses addresses that are not loopback without a lock. Answers which of the two doors others can reach, and must therefore stay
/// locked whatever becomes of the tokens.
pub fn check(grpc: SocketAddr, http: SocketAddr, locks: Locks, insecure: bool) -> Result<Locks, ConfigError> {
    if insecure {
        return Ok(Locks::default());
    }
    let reached = Locks { grpc: !is_loopback(grpc), http: !is_loopback(http) };
    let refuse = |key: &str, address: SocketAddr, what: &str, remedy: &str| {
        Err(ConfigError::new(format!(
            "{key}: others can reach {address}, and without a lock anybody there could {what}: {remedy}, listen on 127.0.0.1, or say \
             insecure = true"
        )))
    };
    if reached.grpc && !locks.grpc {
        let remedy = "make a token for agents (clew-aggregator token create NAME --scope ingest), name an authority for their certificates (tls.client_ca)";
        return refuse("grpc_listen", grpc, "ship log lines under any name", remedy);
    }
    if reached.http && !locks.http {
        let remedy = "make a token (clew-aggregator token create NAME --scope read)";
        return refuse("http_listen", http, "read and delete log lines", remedy);
    }
    Ok(reached)
}

/// Whether this machine alone can reach it.
pub fn is_loopback(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: Locks = Locks { grpc: false, http: false };
    const BOTH: Locks = Locks { grpc: true, http: true };

    fn checked(grpc: &str, http: &str, locks: Locks, insecure: bool) -> Result<Locks, String> {
        check(grpc.parse().expect("an address"), http.parse().expect("an address"), locks, insecure)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn what_others_can_reach_is_locked() {
        let http_only = Locks { http: true, ..OPEN };
        let grpc_only = Locks { grpc: true, ..OPEN };
        for (grpc, http, locks, wanted) in [
            ("127.0.0.1:1", "[::1]:2", OPEN, Ok(OPEN)),
            ("127.9.9.9:1", "[::ffff:127.0.0.1]:2", OPEN, Ok(OPEN)),
            ("0.0.0.0:1", "127.0.0.1:2", OPEN, Err("grpc_listen: others can reach 0.0.0.0:1")),
            ("0.0.0.0:1", "127.0.0.1:2", http_only, Err("grpc_listen")),
            ("0.0.0.0:1", "127.0.0.1:2", grpc_only, Ok(grpc_only)),
            ("127.0.0.1:1", "[::]:2", grpc_only, Err("http_listen: others can reach [::]:2")),
            ("127.0.0.1:1", "10.0.0.1:2", http_only, Ok(http_only)),
            ("192.168.0.1:1", "10.0.0.1:2", BOTH, Ok(BOTH)),
            ("[fe80::1]:1", "[::ffff:10.0.0.1]:2", grpc_only, Err("http_listen")),
        ] {
            match (checked(grpc, http, locks, false), wanted) {
                (Ok(reached), Ok(wanted)) => assert_eq!(reached, wanted, "{grpc} {http}"),
                (Err(error), Err(wanted)) => {
                    assert!(error.starts_with(wanted) && error.contains("token create"), "{error}");
                }
                (checked, wanted) => panic!("{grpc} {http}: {checked:?}, not {wanted:?}"),
            }
            assert_eq!(checked(grpc, http, locks, true), Ok(OPEN));
        }
    }
}
