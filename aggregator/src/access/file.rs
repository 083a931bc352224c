//! `data_dir/tokens`: the tokens that `clew-aggregator token` made. JSON, for its owner's eyes alone (mode 0600), replaced as a whole:
//! whoever reads it sees one state or the next.
//!
//! ```json
//! {"version": 1, "locked": {"grpc": true, "http": false}, "tokens": [{"id": "5a1f3c09", "name": "web", "sha256": "…",
//!  "scopes": ["ingest"], "hosts": ["web-1"], "created": "2026-11-28T00:00:00Z", "expires": null, "revoked": null}]}
//! ```
//!
//! The command writes it, the aggregator only reads it. `locked` remembers what tokens have locked that are not in it any more.

use std::fs::{File, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use super::door::Locks;
use super::principal::Scope;
use super::secret::Hash;
use super::token::{State, Token};
use crate::clock::rfc3339;
use crate::data_dir::own;

const NAME: &str = "tokens";
const LOCK: &str = "tokens.lock";
const VERSION: u32 = 1;
/// So many are kept: a request compares what it shows with each of them.
pub const TOKENS_MAX: usize = 1_000;
/// Far above what so many take.
const FILE_BYTES_MAX: u64 = 8 << 20;
/// What is good no more is listed for so long, and then forgotten.
const REMEMBERED_NS: i64 = 30 * 86_400 * 1_000_000_000;

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It, or its folder, cannot be read or written.
    #[error("{what} {}: {error}{remedy}", .path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// Of what.
        path: PathBuf,
        /// Why it failed.
        error: std::io::Error,
        /// What to do.
        remedy: String,
    },
    /// It is not what was written.
    #[error(
        "{}: {why}; put back a copy of it, or remove it and make new tokens (what is open without one is open then)",
        .path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where and why.
        why: String,
    },
    /// A later version wrote it.
    #[error("{}: it has version {version}, and this clew-aggregator knows {VERSION}; install the later one again", .path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// What it says.
        version: u32,
    },
    /// There are too many.
    #[error(
        "{TOKENS_MAX} tokens are kept already; revoke some: they are forgotten after 30 days, at the next token that is made"
    )]
    Full,
}

/// What it holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Good ones and others.
    pub tokens: Vec<Token>,
    /// What is locked whatever tokens there are.
    pub locks: Locks,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    version: u32,
    locked: Locks,
    tokens: Vec<StoredToken>,
}

#[derive(Serialize, Deserialize)]
struct StoredToken {
    id: String,
    name: String,
    sha256: String,
    scopes: Vec<Scope>,
    hosts: Vec<String>,
    created: String,
    expires: Option<String>,
    revoked: Option<String>,
}

/// Where it lies.
pub fn path(data_dir: &Path) -> PathBuf {
    data_dir.join(NAME)
}

/// What it holds now; nothing where there is none.
pub fn read(data_dir: &Path) -> Result<Kept, FileError> {
    let path = path(data_dir);
    let size = match path.metadata() {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Kept::default()),
        Err(error) => return Err(io("read", &path, error)),
    };
    let damaged = |why: String| FileError::Damaged { path: path.clone(), why };
    if size > FILE_BYTES_MAX {
        return Err(damaged(format!("it has {size} bytes, more than a file of tokens can have")));
    }
    let text = std::fs::read(&path).map_err(|error| io("read", &path, error))?;
    parse(&text).map_err(|error| match error {
        Unreadable::Version(version) => FileError::Version { path: path.clone(), version },
        Unreadable::Damaged(why) => damaged(why),
    })
}

/// Changes what it holds, one process at a time. `change` may refuse; then nothing is written.
pub fn change<T, E: From<FileError>>(
    data_dir: &Path,
    now_ns: i64,
    change: impl FnOnce(&mut Kept) -> Result<T, E>,
) -> Result<T, E> {
    let _lock = lock(data_dir)?;
    let mut kept = read(data_dir)?;
    let outcome = change(&mut kept)?;
    for token in &kept.tokens {
        kept.locks = kept.locks.or(Locks::by(&token.scopes));
    }
    kept.tokens.retain(|token| is_remembered(token, now_ns));
    if kept.tokens.len() > TOKENS_MAX {
        return Err(FileError::Full.into());
    }
    write(data_dir, &kept)?;
    Ok(outcome)
}

fn is_remembered(token: &Token, now_ns: i64) -> bool {
    let ended_ns = match token.state(now_ns) {
        State::Good => return true,
        State::Expired => token.expires_ns,
        State::Revoked => token.revoked_ns,
    };
    ended_ns.is_some_and(|ended| ended > now_ns.saturating_sub(REMEMBERED_NS))
}

/// Makes the folder if there is none, and holds off others who would change the file.
fn lock(data_dir: &Path) -> Result<File, FileError> {
    if !data_dir.is_dir() {
        std::fs::create_dir_all(data_dir).map_err(|error| io("make folder", data_dir, error))?;
        std::fs::set_permissions(data_dir, Permissions::from_mode(0o700))
            .map_err(|error| io("set the mode of", data_dir, error))?;
    }
    let path = data_dir.join(LOCK);
    let file = own::open_lock(data_dir, LOCK).map_err(|error| io("open", &path, error))?;
    flock(&file, FlockOperation::LockExclusive).map_err(|error| io("lock", &path, error.into()))?;
    Ok(file)
}

fn write(data_dir: &Path, kept: &Kept) -> Result<(), FileError> {
    let stored = Stored { version: VERSION, locked: kept.locks, tokens: kept.tokens.iter().map(stored).collect() };
    let mut text = serde_json::to_vec_pretty(&stored).expect("texts and numbers become JSON");
    text.push(b'\n');
    own::write(data_dir, NAME, &text).map_err(|error| io("write", &path(data_dir), error))
}

fn io(what: &'static str, path: &Path, error: std::io::Error) -> FileError {
    let remedy = match error.kind() {
        ErrorKind::PermissionDenied => "; run this as root, or as the user of clew-aggregator".to_owned(),
        _ => String::new(),
    };
    FileError::Io { what, path: path.to_owned(), error, remedy }
}

enum Unreadable {
    Version(u32),
    Damaged(String),
}

fn parse(text: &[u8]) -> Result<Kept, Unreadable> {
    #[derive(Deserialize)]
    struct Versioned {
        version: u32,
    }
    // Serde's own words may quote what stands there.
    let json = |error: serde_json::Error| {
        Unreadable::Damaged(format!("line {}, column {}: it is not what was written", error.line(), error.column()))
    };
    let Versioned { version } = serde_json::from_slice(text).map_err(json)?;
    if version != VERSION {
        return Err(Unreadable::Version(version));
    }
    let stored: Stored = serde_json::from_slice(text).map_err(json)?;
    let tokens: Option<Vec<Token>> = stored.tokens.iter().map(restored).collect();
    let tokens = tokens.ok_or_else(|| Unreadable::Damaged("a hash or a time in it makes no sense".to_owned()))?;
    Ok(Kept { tokens, locks: stored.locked })
}

fn stored(token: &Token) -> StoredToken {
    StoredToken {
        id: token.id.clone(),
        name: token.name.clone(),
        sha256: token.hash.to_string(),
        scopes: token.scopes.clone(),
        hosts: token.hosts.clone(),
        created: rfc3339(token.created_ns),
        expires: token.expires_ns.map(rfc3339),
        revoked: token.revoked_ns.map(rfc3339),
    }
}

/// None: something in it cannot be read.
fn restored(stored: &StoredToken) -> Option<Token> {
    let time = |text: &str| i64::try_from(text.parse::<Timestamp>().ok()?.as_nanosecond()).ok();
    let optional = |text: &Option<String>| text.as_deref().map(|text| time(text).ok_or(())).transpose().ok();
    Some(Token {
        id: stored.id.clone(),
        name: stored.name.clone(),
        hash: Hash::parse(&stored.sha256)?,
        scopes: stored.scopes.clone(),
        hosts: stored.hosts.clone(),
        created_ns: time(&stored.created)?,
        expires_ns: optional(&stored.expires)?,
        revoked_ns: optional(&stored.revoked)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_000_000_000_000_000;

    fn token(id: &str) -> Token {
        Token {
            hosts: vec!["web-1".into()],
            expires_ns: Some(NOW + 5),
            ..Token::new(id, "name", Hash::of(id), &[Scope::Ingest], NOW - 1)
        }
    }

    fn add(data_dir: &Path, token: Token) -> Result<(), FileError> {
        change(data_dir, NOW, |kept| {
            kept.tokens.push(token);
            Ok(())
        })
    }

    #[test]
    fn what_is_written_is_read_by_its_owner_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let data_dir = folder.path().join("data");
        assert_eq!(read(&data_dir).expect("nothing"), Kept::default());
        let revoked = Token { revoked_ns: Some(NOW), scopes: vec![Scope::Read, Scope::Admin], ..token("b") };
        add(&data_dir, token("a")).expect("written");
        add(&data_dir, revoked.clone()).expect("written");
        let locks = Locks { grpc: true, http: true };
        assert_eq!(read(&data_dir).expect("both"), Kept { tokens: vec![token("a"), revoked], locks });
        for (name, mode) in [("", 0o700), ("tokens", 0o600), ("tokens.lock", 0o600)] {
            assert_eq!(data_dir.join(name).metadata().expect("there").permissions().mode() & 0o777, mode, "{name:?}");
        }
        let names: Vec<_> =
            data_dir.read_dir().expect("a folder").map(|entry| entry.expect("a name").file_name()).collect();
        assert_eq!(names.len(), 2, "{names:?}");
    }

    #[test]
    fn what_is_over_is_forgotten_after_a_month_and_its_lock_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let old = NOW - REMEMBERED_NS;
        add(folder.path(), Token { expires_ns: Some(old), ..token("long expired") }).expect("written");
        add(folder.path(), Token { revoked_ns: Some(old), ..token("long revoked") }).expect("written");
        add(folder.path(), Token { revoked_ns: Some(old + 1), ..token("just revoked") }).expect("written");
        let kept = read(folder.path()).expect("read");
        let ids: Vec<&str> = kept.tokens.iter().map(|token| token.id.as_str()).collect();
        assert_eq!((ids, kept.locks), (vec!["just revoked"], Locks { grpc: true, http: false }));
    }

    #[test]
    fn a_change_that_is_refused_and_one_too_many_write_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        add(folder.path(), token("a")).expect("written");
        let before = std::fs::read(path(folder.path())).expect("read");
        let refused: Result<(), FileError> = change(folder.path(), NOW, |kept| {
            kept.tokens.clear();
            Err(FileError::Full)
        });
        assert!(refused.is_err());
        let many = change(folder.path(), NOW, |kept| -> Result<(), FileError> {
            kept.tokens.extend((0..TOKENS_MAX).map(|number| token(&number.to_string())));
            Ok(())
        });
        assert!(matches!(many, Err(FileError::Full)));
        assert_eq!(std::fs::read(path(folder.path())).expect("read"), before);
    }

    #[test]
    fn what_cannot_be_read_is_named_and_not_quoted() {
        let folder = tempfile::tempdir().expect("a folder");
        add(folder.path(), token("a")).expect("written");
        let good = std::fs::read_to_string(path(folder.path())).expect("read");
        for (text, wanted) in [
            (good.replace("\"version\": 1", "\"version\": 2"), "it has version 2, and this clew-aggregator knows 1"),
            (good[..good.len() / 2].to_owned(), "it is not what was written"),
            (good.replace("ingest", "clew_secret"), "it is not what was written"),
            (good.replace(&Hash::of("a").to_string(), "clew_secret"), "a hash or a time in it makes no sense"),
            (good.replace("2026", "clew_secret"), "a hash or a time in it makes no sense"),
            (String::new(), "it is not what was written"),
        ] {
            std::fs::write(path(folder.path()), &text).expect("written");
            let error = read(folder.path()).expect_err("damaged").to_string();
            assert!(error.contains(wanted) && error.contains("/tokens: "), "{error}");
            assert!(!error.contains("clew_secret"), "{error}");
            assert!(add(folder.path(), token("b")).is_err());
            assert_eq!(std::fs::read_to_string(path(folder.path())).expect("read"), text);
        }
    }
}
