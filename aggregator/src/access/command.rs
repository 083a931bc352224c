//! `clew-aggregator token create|list|revoke|generate`: works on the files of `data_dir`, beside a running aggregator or without one.

use std::io::Write;
use std::path::Path;

use clap::Subcommand;
use clew_service::exit::ConfigError;
use clew_service::table;
use clew_service::units::Span;

use super::file::{self, FileError, Kept};
use super::keyring::Keyring;
use super::principal::Scope;
use super::secret::{self, Hash};
use super::token::Token;
use super::uses;
use crate::clock::{self, rfc3339};

const NAME_CHARACTERS_MAX: usize = 64;
const NOTHING: &str = "-";

/// What is to be done with tokens.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token and print its secret, this once. A running aggregator knows it within a second or two.
    Create {
        /// Who will use it: letters, digits, ".", "_" and "-". Several tokens may have one name: make a second one, hand it out, revoke
        /// the first by its ID.
        name: String,
        /// What it opens: ingest (to ship lines), read (the HTTP API), admin (read, and what changes the store). May be repeated.
        #[arg(long = "scope", required = true, value_name = "ingest|read|admin")]
        scopes: Vec<Scope>,
        /// With ingest: the only host that may be shipped for, by the name in the agent's `host`. May be repeated [default: any].
        #[arg(long = "host", value_name = "HOST")]
        hosts: Vec<String>,
        /// It is good for so long, for instance 90d [default: until it is revoked].
        #[arg(long, value_name = "DURATION")]
        expires: Option<Span>,
    },
    /// List tokens: what they open, whether they are good, when they were last used. No secrets.
    List,
    /// Take tokens back, for good. Sessions and streams that were opened with them end.
    Revoke {
        /// The ID of one, or the name of all that have it.
        token: String,
    },
    /// Print a new secret and keep nothing: for the file of a [[token]] in the configuration.
    Generate,
}

/// Does it. The secret of a new token is all that is written to `out`; what there is to say about it goes to `remarks`.
pub fn run(
    command: &TokenCommand,
    keyring: &Keyring,
    out: &mut impl Write,
    remarks: &mut impl Write,
) -> anyhow::Result<()> {
    let now_ns = clock::now_ns();
    match command {
        TokenCommand::Create { name, scopes, hosts, expires } => {
            let secret = secret::generate()?;
            let expires_ns = expires.map(|expires| now_ns.saturating_add(nanoseconds(expires)));
            let hash = Hash::of(&secret);
            let token = Token {
                hosts: hosts.clone(),
                expires_ns,
                ..Token::new(&hash.id(), name, hash, &unique(scopes), now_ns)
            };
            create(&keyring.data_dir, &token, now_ns)?;
            writeln!(out, "{secret}")?;
            let until =
                expires_ns.map_or("until it is revoked".to_owned(), |expires| format!("until {}", rfc3339(expires)));
            writeln!(
                remarks,
                "token {name} ({}): {}, good {until}; its secret is not shown again",
                token.id,
                words(&token.scopes)
            )?;
        }
        TokenCommand::List => list(keyring, now_ns, out)?,
        TokenCommand::Revoke { token } => {
            for revoked in revoke(&keyring.data_dir, token, now_ns)? {
                writeln!(remarks, "token {} ({}) is revoked", revoked.name, revoked.id)?;
            }
        }
        TokenCommand::Generate => writeln!(out, "{}", secret::generate()?)?,
    }
    Ok(())
}

fn create(data_dir: &Path, token: &Token, now_ns: i64) -> anyhow::Result<()> {
    let plain = |character: char| character.is_ascii_alphanumeric() || "._-".contains(character);
    if token.name.is_empty() || token.name.len() > NAME_CHARACTERS_MAX || !token.name.chars().all(plain) {
        let why = format!("NAME: up to {NAME_CHARACTERS_MAX} letters, digits, \".\", \"_\" and \"-\"");
        return Err(ConfigError::new(why).into());
    }
    check_hosts("--host", &token.scopes, &token.hosts)?;
    file::change(data_dir, now_ns, |kept| -> Result<(), FileError> {
        kept.tokens.push(token.clone());
        Ok(())
    })?;
    Ok(())
}

/// Hosts bind what is shipped, and nothing else.
pub fn check_hosts(key: &str, scopes: &[Scope], hosts: &[String]) -> Result<(), ConfigError> {
    if hosts.iter().any(String::is_empty) {
        return Err(ConfigError::new(format!("{key}: a host has a name")));
    }
    if hosts.is_empty() || scopes == [Scope::Ingest] {
        return Ok(());
    }
    Err(ConfigError::new(format!("{key}: it binds who ships, the only scope beside it is ingest")))
}

fn revoke(data_dir: &Path, wanted: &str, now_ns: i64) -> anyhow::Result<Vec<Token>> {
    file::change(data_dir, now_ns, |kept: &mut Kept| {
        let is_id = kept.tokens.iter().any(|token| token.id == wanted);
        let is_meant = |token: &Token| if is_id { token.id == wanted } else { token.name == wanted };
        let mut revoked = Vec::new();
        for token in kept.tokens.iter_mut().filter(|token| is_meant(token) && token.revoked_ns.is_none()) {
            token.revoked_ns = Some(now_ns);
            revoked.push(token.clone());
        }
        anyhow::ensure!(
            !revoked.is_empty(),
            "no token that is not revoked has the ID or the name {wanted:?} (`token list` has all; one of the configuration is taken \
             back by another secret in the place of its own in its file)"
        );
        Ok(revoked)
    })
}

fn list(keyring: &Keyring, now_ns: i64, out: &mut impl Write) -> anyhow::Result<()> {
    let (tokens, _) = keyring.read()?;
    let uses = uses::read(&keyring.data_dir);
    let head = ["ID", "NAME", "SCOPES", "HOSTS", "STATE", "EXPIRES", "CREATED", "LAST USED"].map(str::to_owned);
    let mut rows = vec![head];
    rows.extend(tokens.iter().map(|token| {
        let or_nothing = |text: Option<String>| text.unwrap_or_else(|| NOTHING.to_owned());
        // Nobody knows when somebody wrote the secret of a configured one.
        let created = (token.created_ns > 0).then(|| seconds(token.created_ns));
        [
            token.id.clone(),
            token.name.clone(),
            words(&token.scopes),
            if token.hosts.is_empty() { "any".to_owned() } else { token.hosts.join(",") },
            token.state(now_ns).name().to_owned(),
            or_nothing(token.expires_ns.map(seconds)),
            created.unwrap_or_else(|| "configured".to_owned()),
            or_nothing(uses.get(&token.id).copied().map(seconds)),
        ]
    }));
    table::write(&rows, out)?;
    Ok(())
}

/// To the second: what is more is of no use.
fn seconds(time_ns: i64) -> String {
    rfc3339(time_ns - time_ns.rem_euclid(1_000_000_000))
}

fn nanoseconds(span: Span) -> i64 {
    i64::try_from(span.0.as_nanos()).unwrap_or(i64::MAX)
}

fn unique(scopes: &[Scope]) -> Vec<Scope> {
    scopes.iter().copied().collect::<std::collections::BTreeSet<Scope>>().into_iter().collect()
}

fn words(scopes: &[Scope]) -> String {
    scopes.iter().map(|scope| scope.name()).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::door::{Door, Refused};

    fn keyring(folder: &tempfile::TempDir) -> Keyring {
        Keyring { data_dir: folder.path().to_owned(), configured: Vec::new() }
    }

    fn said(keyring: &Keyring, command: &TokenCommand) -> anyhow::Result<(String, String)> {
        let (mut out, mut remarks) = (Vec::new(), Vec::new());
        run(command, keyring, &mut out, &mut remarks)?;
        Ok((String::from_utf8(out)?, String::from_utf8(remarks)?))
    }

    fn create_command(name: &str, scopes: &[Scope], hosts: &[&str]) -> TokenCommand {
        let hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
        TokenCommand::Create { name: name.into(), scopes: scopes.to_vec(), hosts, expires: None }
    }

    fn door(keyring: &Keyring) -> Door {
        let (tokens, locks) = keyring.read().expect("readable");
        Door::new(tokens, locks)
    }

    #[test]
    fn a_secret_is_printed_once_and_opens_until_it_is_revoked() {
        let folder = tempfile::tempdir().expect("a folder");
        let keyring = keyring(&folder);
        let make = create_command("web", &[Scope::Ingest], &["web-1", "web-2"]);
        let [first, second] = [0, 1].map(|_| said(&keyring, &make).expect("made"));
        let secret = first.0.trim_end();
        assert!(secret::is_well_formed(secret) && !first.1.contains(secret), "{first:?}");
        let admitted = door(&keyring).admit(Some(secret), None, Scope::Ingest).expect("let in");
        assert_eq!((admitted.name.as_str(), admitted.hosts.len()), ("web", 2));
        // The first goes by its ID, and the second is still good.
        let id = Hash::of(secret).id();
        said(&keyring, &TokenCommand::Revoke { token: id }).expect("revoked");
        assert!(matches!(door(&keyring).admit(Some(secret), None, Scope::Ingest), Err(Refused::Revoked { .. })));
        assert!(door(&keyring).admit(Some(second.0.trim_end()), None, Scope::Ingest).is_ok());
        let (list, _) = said(&keyring, &TokenCommand::List).expect("listed");
        let states: Vec<&str> = list.lines().skip(1).filter_map(|line| line.split_whitespace().nth(4)).collect();
        assert_eq!(states, ["revoked", "good"], "{list}");
        assert!(!list.contains(secret), "{list}");
        // The rest goes by its name, and nothing is left to revoke.
        said(&keyring, &TokenCommand::Revoke { token: "web".into() }).expect("revoked");
        assert!(door(&keyring).admit(Some(second.0.trim_end()), None, Scope::Ingest).is_err());
        let again = said(&keyring, &TokenCommand::Revoke { token: "web".into() }).expect_err("all are revoked");
        assert!(again.to_string().contains("no token that is not revoked"), "{again}");
    }

    #[test]
    fn what_makes_no_sense_is_refused_and_nothing_is_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let keyring = keyring(&folder);
        for (command, wanted) in [
            (create_command("", &[Scope::Read], &[]), "NAME"),
            (create_command("a b", &[Scope::Read], &[]), "NAME"),
            (create_command(&"a".repeat(65), &[Scope::Read], &[]), "NAME"),
            (create_command("a", &[Scope::Read], &["web-1"]), "--host: it binds who ships"),
            (create_command("a", &[Scope::Ingest, Scope::Admin], &["web-1"]), "--host: it binds who ships"),
            (create_command("a", &[Scope::Ingest], &[""]), "--host: a host has a name"),
        ] {
            let error = said(&keyring, &command).expect_err("refused").to_string();
            assert!(error.starts_with(wanted), "{error}");
        }
        assert!(!file::path(folder.path()).exists());
    }
}
