//! `aggregator.toml`: as it is written, and as it is used.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clew_service::config;
use clew_service::exit::ConfigError;
use clew_service::tls::{Identity, server};
use clew_service::units::{Size, Span};
use serde::Deserialize;

use crate::access::keyring::Configured;
use crate::access::principal::Scope;
use crate::access::{binding, command};
use crate::head::appender;
use crate::listen::crowd;
use crate::receive::ingest::BATCH_BYTES_MAX;

/// The file. Every key has a working default.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Raw {
    data_dir: PathBuf,
    grpc_listen: String,
    http_listen: String,
    http_hosts: Vec<String>,
    insecure: bool,
    tls: Option<RawTls>,
    token: Vec<RawToken>,
    retention: RawRetention,
    backup: RawBackup,
    limits: RawLimits,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTls {
    certificate: PathBuf,
    key: PathBuf,
    client_ca: Option<PathBuf>,
    client_crl: Option<PathBuf>,
    http: Option<bool>,
}

/// A token whose secret somebody else keeps.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawToken {
    name: String,
    scopes: Vec<Scope>,
    #[serde(default)]
    hosts: Vec<String>,
    file: PathBuf,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawRetention {
    max_age: Span,
    max_disk: Size,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawBackup {
    max_lag: Option<Span>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawLimits {
    head_bytes: Size,
    head_age: Span,
    block_bytes: Size,
    wal_segment_bytes: Size,
    credit_bytes: Size,
    disk_free_min: Size,
    block_cache_bytes: Size,
    list_cache_bytes: Size,
    tail_bytes: Size,
    search_timeout: Span,
    connections: usize,
    client_connections: usize,
    client_bytes_per_second: Size,
}

impl Default for Raw {
    fn default() -> Self {
        Self {
            data_dir: "/var/lib/clew".into(),
            grpc_listen: "127.0.0.1:7600".into(),
            http_listen: "127.0.0.1:7601".into(),
            http_hosts: Vec::new(),
            insecure: false,
            tls: None,
            token: Vec::new(),
            retention: RawRetention::default(),
            backup: RawBackup::default(),
            limits: RawLimits::default(),
        }
    }
}

impl Default for RawRetention {
    fn default() -> Self {
        Self { max_age: Span(Duration::from_secs(30 * 86_400)), max_disk: Size(200 << 30) }
    }
}

impl Default for RawLimits {
    fn default() -> Self {
        Self {
            head_bytes: Size(256 << 20),
            head_age: Span(Duration::from_secs(300)),
            block_bytes: Size(256 << 10),
            wal_segment_bytes: Size(64 << 20),
            credit_bytes: Size(8 << 20),
            disk_free_min: Size(512 << 20),
            block_cache_bytes: Size(64 << 20),
            list_cache_bytes: Size(64 << 20),
            tail_bytes: Size(8 << 20),
            search_timeout: Span(Duration::from_secs(10)),
            connections: 4096,
            client_connections: 1024,
            client_bytes_per_second: Size(100 << 20),
        }
    }
}

/// What the program runs with.
#[derive(Debug)]
pub struct Config {
    /// Everything durable is below it.
    pub data_dir: PathBuf,
    /// Where agents connect.
    pub grpc_listen: SocketAddr,
    /// Where people and programs ask.
    pub http_listen: SocketAddr,
    /// More names under which it may be asked while everybody on its machine may ask.
    pub http_hosts: Vec<String>,
    /// Others may reach what has no lock.
    pub insecure: bool,
    /// What agents are shown, and whose certificates are taken.
    pub tls: Option<server::Files>,
    /// Whether HTTP speaks it as well.
    pub tls_http: bool,
    /// How many connections each door has, and how fast they are.
    pub crowd: crowd::Limits,
    /// Tokens whose secrets lie in files.
    pub tokens: Vec<Configured>,
    /// Partitions older than this are removed.
    pub retention_age: Duration,
    /// The oldest partitions are removed above this.
    pub retention_bytes: u64,
    /// A last good backup that is older is trouble; none: no age is.
    pub backup_max_lag: Option<Duration>,
    /// When blocks and generations are full.
    pub head: appender::Limits,
    /// A WAL segment is begun anew past this.
    pub wal_segment_bytes: u64,
    /// Raw bytes that one agent may have in flight.
    pub credit_bytes: u64,
    /// Nothing is acknowledged below this.
    pub disk_free_min: u64,
    /// Lines that came in last are kept for those who follow, up to this.
    pub tail_bytes: usize,
    /// Decoded blocks are kept up to this.
    pub block_cache_bytes: u64,
    /// What documents of transactions come to is kept up to this.
    pub list_cache_bytes: u64,
    /// A search answers with what it has after so long, unless it is asked to take another time.
    pub search_timeout: Duration,
}

impl Config {
    /// Reads and validates the file; without one, the defaults.
    pub fn load(path: Option<&Path>) -> Result<Self, ConfigError> {
        match path {
            Some(path) => validate(config::load(path)?),
            None => validate(Raw::default()),
        }
    }
}

fn validate(raw: Raw) -> Result<Config, ConfigError> {
    let Raw { data_dir, grpc_listen, http_listen, http_hosts, insecure, tls, token, retention, backup, limits } = raw;
    let at_least = |name: &str, size: Size, min: u64| {
        if size.0 >= min {
            Ok(size.0)
        } else {
            Err(ConfigError::new(format!("limits.{name}: at least {} is needed", Size(min))))
        }
    };
    if retention.max_age.0 < Duration::from_secs(86_400) {
        return Err(ConfigError::new("retention.max_age: at least 1d is needed, partitions are whole days"));
    }
    if limits.head_age.0 < Duration::from_millis(100) {
        return Err(ConfigError::new("limits.head_age: at least 100ms is needed"));
    }
    let block_bytes = at_least("block_bytes", limits.block_bytes, 4 << 10)?;
    if block_bytes > 16 << 20 {
        return Err(ConfigError::new("limits.block_bytes: at most 16 MiB makes sense"));
    }
    if limits.connections == 0 || limits.client_connections == 0 {
        return Err(ConfigError::new("limits.connections and limits.client_connections: at least 1 is needed"));
    }
    let http_listen = address("http_listen", &http_listen)?;
    let tls_http = tls.as_ref().is_some_and(|tls| tls.http.unwrap_or(!binding::is_loopback(http_listen)));
    Ok(Config {
        data_dir,
        grpc_listen: address("grpc_listen", &grpc_listen)?,
        http_listen,
        http_hosts,
        insecure,
        tls: tls.map(files).transpose()?,
        tls_http,
        crowd: crowd::Limits {
            connections: limits.connections,
            client_connections: limits.client_connections,
            client_bytes_per_second: limits.client_bytes_per_second.0,
        },
        tokens: token.into_iter().map(configured).collect::<Result<_, _>>()?,
        retention_age: retention.max_age.0,
        retention_bytes: retention.max_disk.0,
        backup_max_lag: backup.max_lag.map(|max_lag| max_lag.0),
        head: appender::Limits {
            block_bytes: block_bytes as usize,
            head_bytes: at_least("head_bytes", limits.head_bytes, block_bytes)?,
            head_age: limits.head_age.0,
        },
        wal_segment_bytes: at_least("wal_segment_bytes", limits.wal_segment_bytes, 64 << 10)?,
        credit_bytes: at_least("credit_bytes", limits.credit_bytes, u64::from(BATCH_BYTES_MAX) / 4)?,
        disk_free_min: limits.disk_free_min.0,
        block_cache_bytes: limits.block_cache_bytes.0,
        list_cache_bytes: limits.list_cache_bytes.0,
        tail_bytes: usize::try_from(limits.tail_bytes.0).unwrap_or(usize::MAX),
        search_timeout: limits.search_timeout.0,
    })
}

fn files(tls: RawTls) -> Result<server::Files, ConfigError> {
    if tls.client_crl.is_some() && tls.client_ca.is_none() {
        return Err(ConfigError::new(
            "tls.client_crl: it says which certificates of tls.client_ca are revoked; name that as well",
        ));
    }
    let identity = Identity { certificate: tls.certificate, key: tls.key };
    Ok(server::Files { identity, client_ca: tls.client_ca, client_crl: tls.client_crl })
}

fn configured(RawToken { name, scopes, hosts, file }: RawToken) -> Result<Configured, ConfigError> {
    if scopes.is_empty() {
        return Err(ConfigError::new(format!(
            "token {name}: scopes: it opens nothing; there are ingest, read and admin"
        )));
    }
    command::check_hosts(&format!("token {name}: hosts"), &scopes, &hosts)?;
    Ok(Configured { name, scopes, hosts, file })
}

fn address(key: &str, text: &str) -> Result<SocketAddr, ConfigError> {
    let mut addresses = text.to_socket_addrs().map_err(|error| {
        ConfigError::new(format!("{key}: {text:?} is no address to listen on ({error}); write it like 127.0.0.1:7600"))
    })?;
    addresses.next().ok_or_else(|| ConfigError::new(format!("{key}: {text:?} has no address")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, ConfigError> {
        config::parse(text, "a.toml").and_then(validate)
    }

    #[test]
    fn nothing_is_needed() {
        let config = parse("").unwrap();
        assert_eq!(config.http_listen.to_string(), "127.0.0.1:7601");
        assert_eq!(config.head.head_bytes, 256 << 20);
    }

    #[test]
    fn http_speaks_tls_where_others_reach_it_unless_it_is_told() {
        let https = |more: &str| parse(&format!("{more}\n")).unwrap().tls_http;
        let tls = "[tls]\ncertificate = 'c'\nkey = 'k'";
        assert!(!https("") && !https(tls) && https(&format!("http_listen = '10.0.0.1:7601'\n{tls}")));
        assert!(https(&format!("{tls}\nhttp = true")));
        assert!(!https(&format!("http_listen = '10.0.0.1:7601'\n{tls}\nhttp = false")));
    }

    #[test]
    fn errors_name_the_key_and_what_to_do() {
        let cases = [
            ("[limits]\nhead_byte = 1", "a.toml:2: unknown key `head_byte`, did you mean `head_bytes`?"),
            ("[limits]\nblock_bytes = 1", "limits.block_bytes: at least 4.0 KiB is needed"),
            ("http_listen = 'nowhere'", "http_listen: \"nowhere\" is no address to listen on"),
            ("[retention]\nmax_age = '1h'", "retention.max_age: at least 1d is needed"),
            ("[[token]]\nname = 'a'\nscopes = []\nfile = 'f'", "token a: scopes: it opens nothing"),
            (
                "[[token]]\nname = 'a'\nscopes = ['reed']\nfile = 'f'",
                "a.toml:3: unknown value `reed`, did you mean `read`?",
            ),
            ("[[token]]\nname = 'a'\nscopes = ['read']", "a.toml:1: missing field `file`"),
            ("[[token]]\nname='a'\nscopes=['read']\nhosts=['h']\nfile='f'", "token a: hosts: it binds who ships"),
            ("[tls]\ncertificate = 'c'", "missing field `key`"),
            ("[tls]\ncertificate = 'c'\nkey = 'k'\nclient_crl = 'l'", "tls.client_crl: it says which"),
            ("[limits]\nconnections = 0", "limits.connections and limits.client_connections: at least 1"),
            ("[retention]\nmax_age = 'soon'", "is no duration; write it like"),
        ];
        for (text, expected) in cases {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
