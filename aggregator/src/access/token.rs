//! A token: a name, what it opens, and the hash of its secret.

use super::principal::Scope;
use super::secret::Hash;

/// Whether a token still opens anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It does.
    Good,
    /// Its time is over.
    Expired,
    /// Somebody took it back.
    Revoked,
}

impl State {
    /// As `clew-aggregator token list` says it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

/// One secret. Several may have one name: that is how a name's secret is changed without a moment in which none is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Tells it apart from others of its name; no secret.
    pub id: String,
    /// Who uses it.
    pub name: String,
    /// What is kept of its secret.
    pub hash: Hash,
    /// What it opens.
    pub scopes: Vec<Scope>,
    /// The hosts that may be shipped for; empty: any.
    pub hosts: Vec<String>,
    /// When it was made, nanoseconds since the epoch.
    pub created_ns: i64,
    /// From when on it is good no more.
    pub expires_ns: Option<i64>,
    /// When it was taken back.
    pub revoked_ns: Option<i64>,
}

impl Token {
    /// For any host, and without an end.
    pub fn new(id: &str, name: &str, hash: Hash, scopes: &[Scope], created_ns: i64) -> Self {
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            hash,
            scopes: scopes.to_vec(),
            hosts: Vec::new(),
            created_ns,
            expires_ns: None,
            revoked_ns: None,
        }
    }

    /// Whether it is good at `now_ns`.
    pub fn state(&self, now_ns: i64) -> State {
        if self.revoked_ns.is_some() {
            State::Revoked
        } else if self.expires_ns.is_some_and(|expires| expires <= now_ns) {
            State::Expired
        } else {
            State::Good
        }
    }
}
