//! All tokens: those that the command made, in `data_dir/tokens`, and those of the configuration's `[[token]]`, whose secrets lie in
//! files (a Secret of Kubernetes, a secret of Compose). Every second it is looked whether one of the files has changed; then what it
//! says now is in force.
//!
//! A file that cannot be read changes nothing: what was good stays good, and the log says so once.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clew_service::look::{Look, look};
use clew_service::shutdown::CancellationToken;

use super::door::{Door, Locks};
use super::file::{self, FileError};
use super::principal::Scope;
use super::secret::{self, Hash};
use super::token::Token;
use super::uses;

/// Files are looked at this often.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// When tokens were used is written down this often, when it has changed.
const USES_INTERVAL: Duration = Duration::from_secs(60);
/// Two secrets while one takes the other's place, and some that were forgotten.
const SECRETS_MAX: usize = 16;
const SECRET_FILE_BYTES_MAX: u64 = 64 << 10;

/// A `[[token]]` of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configured {
    /// Who uses it.
    pub name: String,
    /// What it opens.
    pub scopes: Vec<Scope>,
    /// The hosts that may be shipped for; empty: any.
    pub hosts: Vec<String>,
    /// Where its secrets lie, one a line.
    pub file: PathBuf,
}

/// Why tokens cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// Those that the command made.
    #[error(transparent)]
    File(#[from] FileError),
    /// One of the configuration.
    #[error("token {name}: {}: {why}", .path.display())]
    Configured {
        /// Its name.
        name: String,
        /// Its file.
        path: PathBuf,
        /// What is wrong, and what to do.
        why: String,
    },
}

/// Where tokens come from.
#[derive(Clone, Debug)]
pub struct Keyring {
    /// The aggregator's.
    pub data_dir: PathBuf,
    /// Of the configuration.
    pub configured: Vec<Configured>,
}

impl Keyring {
    /// What there is now: those of the configuration, then the others.
    pub fn read(&self) -> Result<(Vec<Token>, Locks), KeyringError> {
        let mut tokens = Vec::new();
        for configured in &self.configured {
            tokens.extend(configured.read()?);
        }
        for (index, token) in tokens.iter().enumerate() {
            let is_other = |before: &&Token| before.name != token.name || before.scopes != token.scopes;
            let same = tokens[..index].iter().filter(is_other).find(|before| before.hash == token.hash);
            if let (Some(before), Some(configured)) = (same, self.named(&token.name)) {
                let why = format!("it has the same secret as the token {}: who holds one holds both", before.name);
                return Err(KeyringError::Configured { name: token.name.clone(), path: configured.file.clone(), why });
            }
        }
        let kept = file::read(&self.data_dir)?;
        tokens.extend(kept.tokens);
        let locks =
            self.configured.iter().fold(kept.locks, |locks, configured| locks.or(Locks::by(&configured.scopes)));
        Ok((tokens, locks))
    }

    fn named(&self, name: &str) -> Option<&Configured> {
        self.configured.iter().find(|configured| configured.name == name)
    }

    /// Keeps the door as the files say, and writes down which tokens were used, until `shutdown`.
    pub async fn watch(self, door: Arc<Door>, shutdown: CancellationToken) {
        let mut look = tokio::time::interval(LOOK_INTERVAL);
        let mut write = tokio::time::interval(USES_INTERVAL);
        // The door was made of what was read before: the first look is a change, and reads once more what may have changed meanwhile.
        let mut watcher = Watcher { keyring: self, door, seen: Vec::new(), told: String::new() };
        loop {
            let work: fn(&mut Watcher) = tokio::select! {
                () = shutdown.cancelled() => return watcher.write_uses(),
                _ = look.tick() => Watcher::look,
                _ = write.tick() => Watcher::write_uses,
            };
            let moved = tokio::task::spawn_blocking(move || {
                work(&mut watcher);
                watcher
            });
            let Ok(back) = moved.await else { return };
            watcher = back;
        }
    }
}

struct Watcher {
    keyring: Keyring,
    door: Arc<Door>,
    seen: Vec<Option<Look>>,
    /// The last trouble that was logged.
    told: String,
}

impl Watcher {
    fn look(&mut self) {
        let configured = self.keyring.configured.iter().map(|configured| look(&configured.file));
        let seen: Vec<Option<Look>> = configured.chain([look(&file::path(&self.keyring.data_dir))]).collect();
        if seen == self.seen && self.told.is_empty() {
            return;
        }
        match self.keyring.read() {
            Ok((tokens, locks)) => {
                if self.door.change(tokens, locks) {
                    tracing::info!("tokens: what the files say now is in force");
                }
                self.told.clear();
                self.seen = seen;
            }
            Err(error) => {
                let why = error.to_string();
                if why != self.told {
                    tracing::error!("tokens: {why}; those that were read before stay in force");
                    self.told = why;
                }
            }
        }
    }

    fn write_uses(&mut self) {
        if let Some(uses) = self.door.take_new_uses()
            && let Err(error) = uses::write(&self.keyring.data_dir, &uses)
        {
            tracing::warn!("tokens: when they were used is not written down: {error}");
        }
    }
}

impl Configured {
    /// Its secrets, hashed.
    fn read(&self) -> Result<Vec<Token>, KeyringError> {
        let secrets = self.secrets().map_err(|why| {
            let (name, path) = (self.name.clone(), self.file.clone());
            KeyringError::Configured { name, path, why }
        })?;
        let tokens = secrets.iter().map(|secret| {
            let hash = Hash::of(secret);
            Token { hosts: self.hosts.clone(), ..Token::new(&hash.id(), &self.name, hash, &self.scopes, 0) }
        });
        Ok(tokens.collect())
    }

    fn secrets(&self) -> Result<Vec<String>, String> {
        let size = self.file.metadata().map_err(|error| error.to_string())?.len();
        if size > SECRET_FILE_BYTES_MAX {
            return Err(format!("it has {size} bytes, more than a file of secrets can have"));
        }
        let text = std::fs::read_to_string(&self.file).map_err(|error| error.to_string())?;
        let lines = text.lines().enumerate().map(|(number, line)| (number + 1, line.trim()));
        let secrets: Vec<(usize, &str)> = lines.filter(|(_, line)| !line.is_empty()).collect();
        // What stands there is named by its place: it may be somebody's password.
        let wrong = secrets.iter().find(|(_, secret)| !secret::is_well_formed(secret));
        if let Some((number, _)) = wrong {
            return Err(format!("line {number} is no secret as `clew-aggregator token generate` makes them"));
        }
        match secrets.len() {
            0 => Err("it is empty; put a secret into it: clew-aggregator token generate".to_owned()),
            1..=SECRETS_MAX => Ok(secrets.into_iter().map(|(_, secret)| secret.to_owned()).collect()),
            many => Err(format!("it has {many} secrets, at most {SECRETS_MAX} make sense; take old ones out")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn keyring(folder: &Path) -> Keyring {
        let configured = Configured {
            name: "agents".into(),
            scopes: vec![Scope::Ingest],
            hosts: vec![],
            file: folder.join("secret"),
        };
        Keyring { data_dir: folder.to_owned(), configured: vec![configured] }
    }

    fn watcher(folder: &Path) -> Watcher {
        let keyring = keyring(folder);
        let (tokens, locks) = keyring.read().expect("readable");
        Watcher { keyring, door: Arc::new(Door::new(tokens, locks)), seen: Vec::new(), told: String::new() }
    }

    fn opens(door: &Door, secret: &str) -> bool {
        door.admit(Some(secret), None, Scope::Ingest).is_ok()
    }

    #[test]
    fn a_file_has_several_secrets_and_every_change_of_it_counts() {
        let folder = tempfile::tempdir().expect("a folder");
        let [old, new] = [0, 1].map(|_| secret::generate().expect("random"));
        let path = folder.path().join("secret");
        std::fs::write(&path, format!("{old}\n")).expect("written");
        let mut watcher = watcher(folder.path());
        watcher.look();
        assert!(opens(&watcher.door, &old) && !opens(&watcher.door, &new));
        std::fs::write(&path, format!("{old}\n\n  {new}\r\n")).expect("written");
        watcher.look();
        assert!(opens(&watcher.door, &old) && opens(&watcher.door, &new));
        std::fs::write(&path, &new).expect("written");
        watcher.look();
        assert!(!opens(&watcher.door, &old) && opens(&watcher.door, &new));
    }

    #[test]
    fn a_file_that_cannot_be_read_changes_nothing_until_it_can() {
        let folder = tempfile::tempdir().expect("a folder");
        let [old, new] = [0, 1].map(|_| secret::generate().expect("random"));
        let path = folder.path().join("secret");
        std::fs::write(&path, &old).expect("written");
        let mut watcher = watcher(folder.path());
        for broken in [None, Some(""), Some("password")] {
            match broken {
                Some(text) => std::fs::write(&path, text).expect("written"),
                None => std::fs::remove_file(&path).expect("removed"),
            }
            watcher.look();
            assert!(opens(&watcher.door, &old), "{broken:?}");
            assert!(!watcher.told.is_empty() && !watcher.told.contains("password"), "{}", watcher.told);
        }
        std::fs::write(&path, &new).expect("written");
        watcher.look();
        assert!(watcher.told.is_empty() && opens(&watcher.door, &new) && !opens(&watcher.door, &old));
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said_without_what_stands_in_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let good = secret::generate().expect("random");
        let many = format!("{good}\n").repeat(SECRETS_MAX + 1);
        for (text, wanted) in [
            ("", "it is empty; put a secret into it"),
            ("\npassword", "line 2 is no secret as `clew-aggregator token generate` makes them"),
            (many.as_str(), "it has 17 secrets, at most 16 make sense"),
        ] {
            std::fs::write(folder.path().join("secret"), text).expect("written");
            let error = keyring(folder.path()).read().expect_err("wrong").to_string();
            assert!(error.starts_with("token agents: /") && error.contains(wanted), "{error}");
            assert!(!error.contains("password") && !error.contains(&good), "{error}");
        }
    }
}
