//! Who asks, and what they may do.

use std::fmt;

use clew_service::tls::certificate::Certificate;
use serde::{Deserialize, Serialize};

/// What a token or a certificate opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// To ship log lines: the gRPC service.
    Ingest,
    /// To read them: the HTTP API.
    Read,
    /// To change the store: `/api/v1/admin`. Includes `Read`.
    Admin,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Ingest, Self::Read, Self::Admin];

    /// As commands, files and answers name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Read => "read",
            Self::Admin => "admin",
        }
    }

    /// Whether who has this may do what asks for `wanted`.
    pub fn covers(self, wanted: Self) -> bool {
        self == wanted || (self, wanted) == (Self::Admin, Self::Read)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

impl std::str::FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let scope = Self::ALL.into_iter().find(|scope| scope.name() == text);
        scope.ok_or_else(|| format!("{text:?} is no scope; there are ingest, read and admin"))
    }
}

/// By what somebody was let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// By nothing: the door is open.
    None,
    /// By a token, which has this ID.
    Token(String),
    /// By a certificate.
    Certificate(Box<Certificate>),
}

/// Whose an agent is. It stays the same when a token's secret or a certificate is renewed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Of whoever has a token with this name.
    Token(String),
    /// Of whoever has a certificate with this name.
    Certificate(String),
}

impl fmt::Display for Owner {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(name) => write!(out, "token {name}"),
            Self::Certificate(name) => write!(out, "certificate {name}"),
        }
    }
}

impl std::str::FromStr for Owner {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text.split_once(' ') {
            Some(("token", name)) => Ok(Self::Token(name.to_owned())),
            Some(("certificate", name)) => Ok(Self::Certificate(name.to_owned())),
            _ => Err(()),
        }
    }
}

/// Somebody who was let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Of the token or the certificate; empty where the door is open.
    pub name: String,
    /// What may be done.
    pub scopes: Vec<Scope>,
    /// The hosts that may be shipped for; empty: any.
    pub hosts: Vec<String>,
    /// What let them in.
    pub proof: Proof,
}

impl Principal {
    /// Whoever comes through an open door.
    pub fn anybody() -> Self {
        Self { name: String::new(), scopes: Scope::ALL.to_vec(), hosts: Vec::new(), proof: Proof::None }
    }

    /// Whether it may do what asks for `scope`.
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.iter().any(|held| held.covers(scope))
    }

    /// Whose the agents are that it ships as; none: nobody's, the door is open.
    pub fn owner(&self) -> Option<Owner> {
        match &self.proof {
            Proof::None => None,
            Proof::Token(_) => Some(Owner::Token(self.name.clone())),
            Proof::Certificate(..) => Some(Owner::Certificate(self.name.clone())),
        }
    }

    /// Whether it may ship the lines of `host`. Names of hosts are compared without regard to case (RFC 4343).
    pub fn may_ship_as(&self, host: &str) -> bool {
        self.hosts.is_empty() || self.hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(host))
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.proof {
            Proof::None => out.write_str("anybody"),
            Proof::Token(id) => write!(out, "token {} ({id})", self.name),
            Proof::Certificate(shown) => write!(out, "certificate {} ({})", self.name, shown.number.serial),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn admin_includes_read_and_nothing_else_includes_anything() {
        let covered: Vec<(Scope, Scope)> = Scope::ALL
            .iter()
            .flat_map(|held| Scope::ALL.iter().map(|wanted| (*held, *wanted)))
            .filter(|(held, wanted)| held.covers(*wanted))
            .collect();
        let wanted = [
            (Scope::Ingest, Scope::Ingest),
            (Scope::Read, Scope::Read),
            (Scope::Admin, Scope::Read),
            (Scope::Admin, Scope::Admin),
        ];
        assert_eq!(covered, wanted);
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        for scope in Scope::ALL {
            assert_eq!(scope.name().parse(), Ok(scope));
            assert_eq!(serde_json::to_value(scope).expect("a text"), scope.name());
        }
        assert_eq!("Read".parse::<Scope>(), Err("\"Read\" is no scope; there are ingest, read and admin".to_owned()));
    }

    #[test]
    fn owners_are_read_as_they_are_written() {
        for owner in [Owner::Token("web 1".into()), Owner::Certificate(String::new())] {
            assert_eq!(owner.to_string().parse(), Ok(owner));
        }
        assert_eq!("nobody".parse::<Owner>(), Err(()));
    }

    #[test]
    fn hosts_bind_where_there_are_any() {
        let mut principal = Principal::anybody();
        assert!(principal.may_ship_as("web-1"));
        principal.hosts = vec!["web-1".into(), "web-2".into()];
        assert!(principal.may_ship_as("WEB-2") && !principal.may_ship_as("web-3") && !principal.may_ship_as(""));
    }
}
