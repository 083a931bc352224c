//! The door: everybody who wants something shows what they have, and is let in or refused.
//!
//! There are two: agents come to gRPC, people and programs to HTTP. Each is locked from its first token on, and for good: that all
//! tokens were revoked or have expired opens nothing.

use std::collections::HashSet;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{RwLock, RwLockReadGuard};

use clew_service::tls::certificate::{Certificate, Number};
use serde::{Deserialize, Serialize};

use super::principal::{Owner, Principal, Proof, Scope};
use super::secret::Hash;
use super::token::{State, Token};
use super::uses::Uses;
use crate::clock;

/// Who is not let in, and why. Says nothing of what was shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Nothing was shown.
    #[error("a token is needed")]
    Missing,
    /// Nobody knows the token.
    #[error("the token is not known")]
    Unknown,
    /// It was good once.
    #[error("the token {name} ({id}) has expired")]
    Expired {
        /// The token's name.
        name: String,
        /// The token's ID.
        id: String,
    },
    /// Somebody took it back.
    #[error("the token {name} ({id}) is revoked")]
    Revoked {
        /// The token's name.
        name: String,
        /// The token's ID.
        id: String,
    },
    /// The certificate was good when it was shown.
    #[error("the certificate {name} ({serial}) has expired")]
    CertificateExpired {
        /// Its name.
        name: String,
        /// Its serial number.
        serial: String,
    },
    /// Its authority took it back.
    #[error("the certificate {name} ({serial}) is revoked")]
    CertificateRevoked {
        /// Its name.
        name: String,
        /// Its serial number.
        serial: String,
    },
    /// Who vouched for it may be trusted no more.
    #[error("the certificate {name} ({serial}) was shown before the authorities were replaced; connect again")]
    CertificateStale {
        /// Its name.
        name: String,
        /// Its serial number.
        serial: String,
    },
    /// A certificate without any could be anybody's.
    #[error(
        "the certificate {name} ({serial}) names no host (it has no DNS name), and does not say for which one it may ship"
    )]
    CertificateNameless {
        /// Its name.
        name: String,
        /// Its serial number.
        serial: String,
    },
    /// It is good, and the agent is somebody else's.
    #[error(
        "{name} may not ship as the agent of the host {host:?}: that belongs to {owner}, which is still good (take that back, give both \
         tokens one name, bind one to the host, or retire the agent)"
    )]
    Agent {
        /// Of the token or the certificate.
        name: String,
        /// The agent's.
        host: String,
        /// Whose it is.
        owner: Owner,
    },
    /// It is good, and not for this host.
    #[error("{name} may not ship for the host {host:?}")]
    Host {
        /// Of the token or the certificate.
        name: String,
        /// As the agent names it.
        host: String,
    },
    /// It is good, and not for this.
    #[error("{name} has not the scope {scope}")]
    Scope {
        /// Of the token or the certificate.
        name: String,
        /// What it lacks.
        scope: Scope,
    },
}

impl Refused {
    /// As metrics name it.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Unknown => "unknown",
            Self::Expired { .. } | Self::CertificateExpired { .. } => "expired",
            Self::Revoked { .. } | Self::CertificateRevoked { .. } => "revoked",
            Self::CertificateNameless { .. } => "nameless",
            Self::CertificateStale { .. } => "stale",
            Self::Agent { .. } => "agent",
            Self::Scope { .. } => "scope",
            Self::Host { .. } => "host",
        }
    }
}

/// Which of the two doors are locked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Locks {
    /// For agents.
    pub grpc: bool,
    /// For people and programs.
    pub http: bool,
}

impl Locks {
    /// Locked where either is.
    pub fn or(self, other: Self) -> Self {
        Self { grpc: self.grpc || other.grpc, http: self.http || other.http }
    }

    /// What tokens with these scopes lock.
    pub fn by(scopes: &[Scope]) -> Self {
        Self { grpc: scopes.contains(&Scope::Ingest), http: scopes.iter().any(|scope| *scope != Scope::Ingest) }
    }

    /// Whether what asks for `scope` lies behind a lock.
    pub fn locks(self, scope: Scope) -> bool {
        if scope == Scope::Ingest { self.grpc } else { self.http }
    }
}

/// A token, and when it was last used; zero: not since the start.
#[derive(Debug)]
struct Key {
    token: Token,
    used_ns: AtomicI64,
}

/// What is in force; read at each request, changed when a file has changed. `certificates`: whether they are taken, but for these.
#[derive(Debug, Default)]
struct Keys {
    keys: Vec<Key>,
    locks: Locks,
    certificates: Option<HashSet<Number>>,
    /// Of the authorities that are trusted now.
    era: u64,
}

impl Keys {
    fn token(&self, id: &str) -> Option<&Token> {
        self.keys.iter().map(|key| &key.token).find(|token| token.id == id)
    }

    fn principal_of(&self, certificate: &Certificate, now_ns: i64) -> Result<Principal, Refused> {
        let (name, hosts) = (certificate.name.clone(), certificate.hosts.clone());
        if hosts.is_empty() {
            return Err(Refused::CertificateNameless { name, serial: certificate.number.serial.clone() });
        }
        self.certificate_is_good(certificate, now_ns)?;
        let proof = Proof::Certificate(Box::new(certificate.clone()));
        Ok(Principal { name, scopes: vec![Scope::Ingest], hosts, proof })
    }

    /// The handshake has seen to that; sessions last longer than it.
    fn certificate_is_good(&self, certificate: &Certificate, now_ns: i64) -> Result<(), Refused> {
        let (name, serial) = (certificate.name.clone(), certificate.number.serial.clone());
        match &self.certificates {
            Some(revoked) if !revoked.contains(&certificate.number) => {}
            _ => return Err(Refused::CertificateRevoked { name, serial }),
        }
        if certificate.era != self.era {
            return Err(Refused::CertificateStale { name, serial });
        }
        if certificate.expires_ns <= now_ns { Err(Refused::CertificateExpired { name, serial }) } else { Ok(()) }
    }
}

/// Shared by both servers.
#[derive(Debug, Default)]
pub struct Door {
    keys: RwLock<Keys>,
    /// Written down already: what is not newer.
    uses_taken_ns: AtomicI64,
    uses_before: Uses,
}

impl Door {
    /// A door with these tokens; it is locked where they lock it, and where `locks` says so.
    pub fn new(tokens: Vec<Token>, locks: Locks) -> Self {
        let door = Self::default();
        door.change(tokens, locks);
        door
    }

    /// The same; `uses` is what an earlier run wrote down.
    pub fn with_uses(self, uses: Uses) -> Self {
        Self { uses_before: uses, ..self }
    }

    /// From now on these tokens are known. What was locked stays locked. Answers whether anything is different now.
    pub fn change(&self, tokens: Vec<Token>, locks: Locks) -> bool {
        let locks = tokens.iter().fold(locks, |locks, token| locks.or(Locks::by(&token.scopes)));
        let mut keys = self.keys.write().expect("no thread panics with the keys in hand");
        let locks = keys.locks.or(locks);
        let is_same = keys.locks == locks && keys.keys.iter().map(|key| &key.token).eq(&tokens);
        if is_same {
            return false;
        }
        let used_ns = |token: &Token| {
            let before = keys.keys.iter().find(|key| key.token.id == token.id);
            before.map_or(0, |key| key.used_ns.load(Ordering::Relaxed))
        };
        let renewed = tokens.into_iter().map(|token| Key { used_ns: used_ns(&token).into(), token }).collect();
        (keys.keys, keys.locks) = (renewed, locks);
        true
    }

    /// From now on certificates open the door of agents, but for those with a number in `revoked`, and those that were shown in another
    /// `era`.
    pub fn take_certificates(&self, revoked: impl IntoIterator<Item = Number>, era: u64) {
        let mut keys = self.keys.write().expect("no thread panics with the keys in hand");
        (keys.certificates, keys.era) = (Some(revoked.into_iter().collect()), era);
        keys.locks.grpc = true;
    }

    /// Whether somebody may still come whose the agents are.
    pub fn knows(&self, owner: &Owner) -> bool {
        let keys = self.keys();
        match owner {
            Owner::Certificate(_) => keys.certificates.is_some(),
            Owner::Token(name) => keys.keys.iter().map(|key| &key.token).any(|token| {
                token.name == *name
                    && token.scopes.contains(&Scope::Ingest)
                    && token.state(clock::now_ns()) == State::Good
            }),
        }
    }

    /// Locked from now on, whatever tokens there are.
    pub fn lock(&self, locks: Locks) {
        let mut keys = self.keys.write().expect("no thread panics with the keys in hand");
        keys.locks = keys.locks.or(locks);
    }

    /// When tokens were last used, of this run and those before; none: nothing is new since this was asked last.
    pub fn take_new_uses(&self) -> Option<Uses> {
        let keys = self.keys();
        let used = keys.keys.iter().map(|key| (&key.token.id, key.used_ns.load(Ordering::Relaxed)));
        let used: Vec<(&String, i64)> = used.filter(|(_, used_ns)| *used_ns > 0).collect();
        let newest = used.iter().map(|(_, used_ns)| *used_ns).max()?;
        if self.uses_taken_ns.fetch_max(newest, Ordering::Relaxed) >= newest {
            return None;
        }
        let before = self.uses_before.iter().filter(|(id, _)| keys.token(id).is_some());
        let mut uses: Uses = before.map(|(id, used_ns)| (id.clone(), *used_ns)).collect();
        uses.extend(used.into_iter().map(|(id, used_ns)| (id.clone(), used_ns)));
        Some(uses)
    }

    /// Lets in who may do what asks for `scope`. A certificate is enough to ship; for anything else, and without one, `bearer` is the
    /// secret of a token.
    pub fn admit(
        &self,
        bearer: Option<&str>,
        certificate: Option<&Certificate>,
        scope: Scope,
    ) -> Result<Principal, Refused> {
        self.admit_at(bearer, certificate, scope, clock::now_ns())
    }

    /// Whether who was let in for `scope` may stay: tokens expire and are revoked while a session or a stream lasts.
    pub fn may_stay(&self, principal: &Principal, scope: Scope) -> Result<(), Refused> {
        let keys = self.keys();
        match &principal.proof {
            Proof::None if keys.locks.locks(scope) => Err(Refused::Missing),
            Proof::None => Ok(()),
            Proof::Certificate(certificate) => keys.certificate_is_good(certificate, clock::now_ns()),
            Proof::Token(id) => {
                let token = keys.token(id).ok_or(Refused::Unknown)?;
                principal_of(token, scope, clock::now_ns()).map(drop)
            }
        }
    }

    /// Which of the two doors are locked.
    pub fn locks(&self) -> Locks {
        self.keys().locks
    }

    fn keys(&self) -> RwLockReadGuard<'_, Keys> {
        self.keys.read().expect("no thread panics with the keys in hand")
    }

    fn admit_at(
        &self,
        bearer: Option<&str>,
        certificate: Option<&Certificate>,
        scope: Scope,
        now_ns: i64,
    ) -> Result<Principal, Refused> {
        let keys = self.keys();
        if let Some(certificate) = certificate.filter(|_| scope == Scope::Ingest && keys.certificates.is_some()) {
            return keys.principal_of(certificate, now_ns);
        }
        if !keys.locks.locks(scope) {
            return Ok(Principal::anybody());
        }
        let shown = Hash::of(bearer.ok_or(Refused::Missing)?);
        // All of them are compared, whichever it is: the time says nothing.
        let key =
            keys.keys.iter().fold(None, |found, key| if key.token.hash.matches(&shown) { Some(key) } else { found });
        let key = key.ok_or(Refused::Unknown)?;
        let principal = principal_of(&key.token, scope, now_ns)?;
        key.used_ns.store(now_ns, Ordering::Relaxed);
        Ok(principal)
    }
}

fn principal_of(token: &Token, scope: Scope, now_ns: i64) -> Result<Principal, Refused> {
    let (name, id) = (token.name.clone(), token.id.clone());
    match token.state(now_ns) {
        State::Revoked => return Err(Refused::Revoked { name, id }),
        State::Expired => return Err(Refused::Expired { name, id }),
        State::Good => {}
    }
    let proof = Proof::Token(id);
    let principal = Principal { name, scopes: token.scopes.clone(), hosts: token.hosts.clone(), proof };
    if principal.may(scope) { Ok(principal) } else { Err(Refused::Scope { name: principal.name, scope }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_000_000_000;

    fn token(secret: &str, scopes: &[Scope]) -> Token {
        Token { hosts: vec!["web-1".into()], ..Token::new(secret, "name", Hash::of(secret), scopes, NOW) }
    }

    fn certificate() -> Certificate {
        Certificate {
            name: "web-1".into(),
            hosts: vec!["web-1".into()],
            number: Number::new(b"authority", &[0, 0xab, 1]),
            expires_ns: NOW + 10,
            era: 0,
        }
    }

    #[test]
    fn without_a_token_everybody_is_let_in() {
        let door = Door::default();
        for scope in Scope::ALL {
            assert_eq!(door.admit(None, None, scope), Ok(Principal::anybody()));
            assert_eq!(door.admit(Some("anything"), None, scope), Ok(Principal::anybody()));
        }
    }

    #[test]
    fn each_door_is_locked_by_its_own_tokens_and_stays_locked() {
        let door = Door::new(vec![token("a", &[Scope::Ingest])], Locks::default());
        assert_eq!(door.locks(), Locks { grpc: true, http: false });
        assert_eq!(door.admit(None, None, Scope::Ingest), Err(Refused::Missing));
        assert_eq!(door.admit(None, None, Scope::Admin), Ok(Principal::anybody()));
        door.change(vec![token("r", &[Scope::Read])], Locks::default());
        assert_eq!(door.locks(), Locks { grpc: true, http: true });
        door.change(Vec::new(), Locks::default());
        for scope in Scope::ALL {
            assert_eq!(door.admit(None, None, scope), Err(Refused::Missing));
        }
    }

    #[test]
    fn each_token_opens_what_it_is_for() {
        let tokens = [("i", Scope::Ingest), ("r", Scope::Read), ("a", Scope::Admin)]
            .map(|(secret, scope)| token(secret, &[scope]));
        let door = Door::new(tokens.to_vec(), Locks::default());
        for (secret, scope, opens) in [
            ("i", Scope::Ingest, true),
            ("i", Scope::Read, false),
            ("i", Scope::Admin, false),
            ("r", Scope::Ingest, false),
            ("r", Scope::Read, true),
            ("r", Scope::Admin, false),
            ("a", Scope::Ingest, false),
            ("a", Scope::Read, true),
            ("a", Scope::Admin, true),
        ] {
            let admitted = door.admit(Some(secret), None, scope);
            assert_eq!(admitted.is_ok(), opens, "{secret} {scope}");
            if opens {
                let principal = admitted.expect("let in");
                assert_eq!((principal.hosts.len(), principal.proof), (1, Proof::Token(secret.into())));
            } else {
                assert_eq!(admitted, Err(Refused::Scope { name: "name".into(), scope }));
            }
        }
        for secret in ["", "x", "ii", " i"] {
            assert_eq!(door.admit(Some(secret), None, Scope::Ingest), Err(Refused::Unknown), "{secret:?}");
        }
    }

    #[test]
    fn a_token_is_good_until_it_expires_or_is_revoked() {
        let expires = Token { expires_ns: Some(NOW + 10), ..token("e", &[Scope::Read]) };
        let revoked = Token { revoked_ns: Some(NOW), ..token("r", &[Scope::Read]) };
        let door = Door::new(vec![expires, revoked], Locks::default());
        let ask =
            |secret, now_ns| door.admit_at(Some(secret), None, Scope::Read, now_ns).map(|principal| principal.name);
        let (name, id) = ("name".to_owned(), "e".to_owned());
        assert_eq!(ask("e", NOW + 9), Ok(name.clone()));
        assert_eq!(ask("e", NOW + 10), Err(Refused::Expired { name: name.clone(), id }));
        assert_eq!(ask("r", NOW), Err(Refused::Revoked { name, id: "r".into() }));
    }

    #[test]
    fn a_certificate_ships_and_does_nothing_else() {
        let door = Door::new(vec![token("i", &[Scope::Ingest]), token("r", &[Scope::Read])], Locks::default());
        let shown = certificate();
        let ask = |shown, scope, now_ns| door.admit_at(None, Some(shown), scope, now_ns);
        // Nobody takes any before there is an authority.
        assert_eq!(ask(&shown, Scope::Ingest, NOW), Err(Refused::Missing));
        door.take_certificates([], 0);
        let principal = ask(&shown, Scope::Ingest, NOW).expect("let in");
        assert_eq!((&principal.hosts, principal.owner()), (&shown.hosts, Some(Owner::Certificate("web-1".into()))));
        assert_eq!(ask(&shown, Scope::Read, NOW), Err(Refused::Missing));
        let (name, serial) = (shown.name.clone(), "ab01".to_owned());
        let expired = Refused::CertificateExpired { name: name.clone(), serial: serial.clone() };
        assert_eq!(ask(&shown, Scope::Ingest, NOW + 10), Err(expired.clone()));
        assert_eq!(door.may_stay(&principal, Scope::Ingest), Err(expired));
        door.take_certificates([shown.number.clone()], 0);
        let revoked = Refused::CertificateRevoked { name: name.clone(), serial: serial.clone() };
        assert_eq!(ask(&shown, Scope::Ingest, NOW), Err(revoked.clone()));
        assert_eq!(door.may_stay(&principal, Scope::Ingest), Err(revoked));
        door.take_certificates([], 1);
        let stale = Refused::CertificateStale { name: name.clone(), serial: serial.clone() };
        assert_eq!(door.may_stay(&principal, Scope::Ingest), Err(stale));
        let again = Certificate { era: 1, ..certificate() };
        assert!(ask(&again, Scope::Ingest, NOW).is_ok());
        let nameless = Certificate { hosts: Vec::new(), ..certificate() };
        assert_eq!(ask(&nameless, Scope::Ingest, NOW), Err(Refused::CertificateNameless { name, serial }));
    }

    #[test]
    fn whose_an_agent_is_counts_while_they_may_come() {
        let door = Door::new(vec![token("i", &[Scope::Ingest]), token("r", &[Scope::Read])], Locks::default());
        let (known, gone) = (Owner::Token("name".into()), Owner::Token("gone".into()));
        let certificate = Owner::Certificate("web-1".into());
        assert!(door.knows(&known) && !door.knows(&gone) && !door.knows(&certificate));
        door.take_certificates([], 0);
        assert!(door.knows(&certificate) && door.locks().grpc);
        door.change(vec![token("r", &[Scope::Read])], Locks::default());
        assert!(!door.knows(&known));
    }

    #[test]
    fn uses_are_told_once_and_those_of_earlier_runs_with_them() {
        let before = Uses::from([("a".to_owned(), 1), ("b".to_owned(), 2), ("gone".to_owned(), 3)]);
        let tokens = ["a", "b"].map(|secret| token(secret, &[Scope::Read])).to_vec();
        let door = Door::new(tokens, Locks::default()).with_uses(before);
        assert_eq!(door.take_new_uses(), None);
        assert!(door.admit_at(Some("x"), None, Scope::Read, NOW).is_err());
        assert!(door.admit_at(Some("a"), None, Scope::Admin, NOW).is_err());
        assert_eq!(door.take_new_uses(), None);
        assert!(door.admit_at(Some("a"), None, Scope::Read, NOW).is_ok());
        assert_eq!(door.take_new_uses(), Some(Uses::from([("a".to_owned(), NOW), ("b".to_owned(), 2)])));
        assert_eq!(door.take_new_uses(), None);
        let changed = ["a", "c"].map(|secret| token(secret, &[Scope::Read])).to_vec();
        assert!(door.change(changed.clone(), Locks::default()) && !door.change(changed, Locks::default()));
        assert!(door.admit_at(Some("c"), None, Scope::Read, NOW + 1).is_ok());
        assert_eq!(door.take_new_uses(), Some(Uses::from([("a".to_owned(), NOW), ("c".to_owned(), NOW + 1)])));
    }

    #[test]
    fn who_is_in_may_stay_until_the_token_goes() {
        let door = Door::default();
        let anybody = door.admit(None, None, Scope::Read).expect("an open door");
        assert_eq!(door.may_stay(&anybody, Scope::Read), Ok(()));
        door.change(vec![token("r", &[Scope::Read])], Locks::default());
        assert_eq!(door.may_stay(&anybody, Scope::Read), Err(Refused::Missing));
        let reader = door.admit(Some("r"), None, Scope::Read).expect("let in");
        assert_eq!(door.may_stay(&reader, Scope::Read), Ok(()));
        door.change(vec![Token { revoked_ns: Some(NOW), ..token("r", &[Scope::Read]) }], Locks::default());
        assert!(matches!(door.may_stay(&reader, Scope::Read), Err(Refused::Revoked { .. })));
        door.change(Vec::new(), Locks::default());
        assert_eq!(door.may_stay(&reader, Scope::Read), Err(Refused::Unknown));
    }
}
