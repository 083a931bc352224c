//! The agent's configuration: raw as TOML has it, then checked into what is used.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clew_service::config::{parse, read};
use clew_service::exit::ConfigError;
use clew_service::tls::{Identity, client};
use clew_service::units::{Size, Span};
use serde::Deserialize;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use crate::assemble::joining::RawJoining;
use crate::discover::glob::{Exclude, Pattern, placeholders};
use crate::discover::rotated::live_names;
use crate::frame::origin;
use crate::parse::id_pattern::RawIdPattern;
use crate::rules::attach::RawAttach;
use crate::rules::join::RawJoin;
use crate::rules::keep::{RawDrop, RawSample};
use crate::rules::redact::RawRedact;
use crate::ship::destination::Destination;
use crate::ship::tls::Tls;
use crate::treatment::{RawTreatment, Treatment};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    aggregator: Option<String>,
    state_dir: Option<PathBuf>,
    host: Option<String>,
    agent_id: Option<String>,
    metrics_listen: Option<String>,
    token_file: Option<PathBuf>,
    tls: Option<RawTls>,
    ephemeral: Option<bool>,
    #[serde(default)]
    limits: RawLimits,
    #[serde(default)]
    source: Vec<RawSource>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTls {
    ca: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    server_name: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLimits {
    reconcile_interval: Option<Span>,
    batch_bytes_max: Option<Size>,
    linger: Option<Span>,
    record_bytes_max: Option<Size>,
    idle_flush: Option<Span>,
    drain_timeout: Option<Span>,
    deleted_bytes_max: Option<Size>,
    max_bytes_per_second: Option<Size>,
    watches_max: Option<usize>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSource {
    service: Option<String>,
    include: Vec<String>,
    #[serde(default)]
    exclude: Vec<String>,
    rotated: Option<bool>,
    #[serde(default)]
    symlinks: Vec<PathBuf>,
    ignore_older: Option<Span>,
    start_at: Option<StartAt>,
    format: Option<String>,
    encoding: Option<String>,
    time_zone: Option<String>,
    #[serde(default)]
    time_patterns: Vec<String>,
    #[serde(default)]
    multiline: RawJoining,
    #[serde(default)]
    id: Vec<RawIdPattern>,
    #[serde(default)]
    redact: Vec<RawRedact>,
    #[serde(default)]
    drop: Vec<RawDrop>,
    #[serde(default)]
    sample: Vec<RawSample>,
    attach: Option<RawAttach>,
    join: Option<RawJoin>,
}

/// A name of a host is no longer (RFC 1035), and the aggregator takes no longer one.
const HOST_BYTES_MAX: usize = 255;

/// What the agent runs with.
#[derive(Clone, Debug)]
pub struct Config {
    /// Whom to ship to.
    pub destination: Destination,
    pub state_dir: PathBuf,
    pub host: String,
    pub agent_id: [u8; 16],
    pub metrics_listen: Option<std::net::SocketAddr>,
    /// Neither the agent nor its files are there again once it has ended.
    pub ephemeral: bool,
    pub limits: Limits,
    pub sources: Vec<SourceConfig>,
}

/// See the brief words at each key in the documentation of `agent.toml`.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub reconcile_interval: Duration,
    pub batch_bytes_max: u64,
    pub linger: Duration,
    pub record_bytes_max: u64,
    pub idle_flush: Duration,
    pub drain_timeout: Duration,
    pub deleted_bytes_max: u64,
    /// Zero: as fast as it goes.
    pub max_bytes_per_second: u64,
    pub watches_max: Option<usize>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            reconcile_interval: Duration::from_secs(5),
            batch_bytes_max: 512 << 10,
            linger: Duration::from_millis(100),
            record_bytes_max: 256 << 10,
            idle_flush: Duration::from_secs(5),
            drain_timeout: Duration::from_secs(10),
            deleted_bytes_max: 4 << 30,
            max_bytes_per_second: 0,
            watches_max: None,
        }
    }
}

/// One `[[source]]`.
#[derive(Clone, Debug)]
pub struct SourceConfig {
    /// A name, or a template with captures of the path: `{name}`.
    pub service: String,
    pub include: Vec<Pattern>,
    pub exclude: Exclude,
    pub rotated: bool,
    /// A symbolic link to a file beneath one of these directories is followed.
    pub symlinks: Vec<PathBuf>,
    /// Files that were last modified longer ago are left alone.
    pub ignore_older: Option<Duration>,
    pub start_at: StartAt,
    /// What is done with its records.
    pub treatment: Arc<Treatment>,
}

impl SourceConfig {
    /// Whether one of the includes names `path`, by itself or as a rotated sibling.
    pub fn covers(&self, path: &Path) -> bool {
        self.named_by(path).is_some_and(|(_, live)| self.left_out_by(path, live.as_deref()).is_none())
    }

    /// The exclude that leaves out `path`, by itself or as a rotated sibling of `live`.
    pub fn left_out_by(&self, path: &Path, live: Option<&OsStr>) -> Option<&str> {
        self.exclude.which(path).or_else(|| self.exclude.which(&path.with_file_name(live?)))
    }

    /// The include that names `path`, by itself or as a rotated sibling: its place in the list, and the live name in the latter case.
    pub fn named_by(&self, path: &Path) -> Option<(usize, Option<std::ffi::OsString>)> {
        let name = path.file_name()?;
        self.include.iter().enumerate().find_map(|(place, pattern)| {
            // As the walk does: a rotated sibling first.
            let live = live_names(name.as_bytes()).map(OsStr::from_bytes).filter(|_| self.rotated);
            let mut live = live.filter(|live| pattern.matches(&path.with_file_name(live)));
            match live.next() {
                Some(live) => Some((place, Some(live.to_owned()))),
                None => pattern.matches(path).then_some((place, None)),
            }
        })
    }

    /// Tells sources apart by the files that they name.
    pub fn include_hash(&self) -> u64 {
        let texts: Vec<&str> = self.include.iter().map(Pattern::text).collect();
        xxh3_64(format!("{}\0{}", self.service, texts.join("\0")).as_bytes())
    }
}

/// Where a file is begun that nothing is known of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartAt {
    #[default]
    Beginning,
    End,
}

impl Config {
    /// Reads and checks the file at `path`.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        Self::parse(&read(path)?, &path.display().to_string())
    }

    /// The state folder that the file at `path` names, whatever else is wrong with it.
    pub fn state_dir_in(path: &Path) -> Result<PathBuf, ConfigError> {
        let text = read(path)?;
        let table: toml::Table = parse(&text, &path.display().to_string())?;
        state_dir(table.get("state_dir").and_then(toml::Value::as_str).map(PathBuf::from))
    }

    /// Checks `text`; `name` stands for it in errors.
    pub fn parse(text: &str, name: &str) -> Result<Self, ConfigError> {
        let raw = parse::<Raw>(text, name)?;
        Self::check(raw).map_err(|error| ConfigError::new(format!("{name}: {error}")))
    }

    fn check(raw: Raw) -> Result<Self, ConfigError> {
        let given = |host: &String| !host.is_empty();
        let host = match raw.host.filter(given).or_else(|| std::env::var("CLEW_HOST").ok().filter(given)) {
            Some(host) => host,
            None => rustix::system::uname().nodename().to_string_lossy().into_owned(),
        };
        if host.len() > HOST_BYTES_MAX || host.chars().any(char::is_control) {
            return Err(ConfigError::new(format!("host: up to {HOST_BYTES_MAX} bytes, and no control characters")));
        }
        let state_dir = state_dir(raw.state_dir)?;
        let metrics_listen = match raw.metrics_listen.as_deref() {
            None | Some("") => None,
            Some(text) => Some(text.parse().map_err(|_| {
                ConfigError::new(format!("metrics_listen {text:?} is no address; write it like 127.0.0.1:7602"))
            })?),
        };
        if raw.source.is_empty() {
            return Err(ConfigError::new("no [[source]]; add one with `service` and `include`"));
        }
        let aggregator = aggregator(raw.aggregator.as_deref().unwrap_or("http://127.0.0.1:7600"))?;
        if raw.tls.is_some() && !aggregator.starts_with("https://") {
            return Err(ConfigError::new(format!(
                "tls: the aggregator is {aggregator:?}; write https:// to speak TLS with it"
            )));
        }
        Ok(Self {
            destination: Destination { aggregator, token_file: raw.token_file, tls: tls(raw.tls.unwrap_or_default())? },
            agent_id: agent_id(raw.agent_id.as_deref(), &host, &state_dir)?,
            metrics_listen,
            ephemeral: raw.ephemeral.unwrap_or(false),
            limits: limits(&raw.limits)?,
            sources: paired(raw.source.into_iter().map(source).collect::<Result<_, _>>()?)?,
            state_dir,
            host,
        })
    }
}

/// Both sides of each join are there.
fn paired(sources: Vec<SourceConfig>) -> Result<Vec<SourceConfig>, ConfigError> {
    let joins = || sources.iter().filter_map(|source| source.treatment.join());
    for join in joins() {
        if !joins().any(|other| other.name == join.name && other.is_access() != join.is_access()) {
            let missing = if join.is_access() { "error" } else { "access" };
            return Err(ConfigError::new(format!(
                "join.name {:?} has no source with role = {missing:?}; give both logs the same name",
                join.name
            )));
        }
    }
    Ok(sources)
}

fn state_dir(given: Option<PathBuf>) -> Result<PathBuf, ConfigError> {
    let state_dir = given.unwrap_or_else(|| "/var/lib/clew-agent".into());
    std::path::absolute(&state_dir)
        .map_err(|error| ConfigError::new(format!("state_dir {}: {error}", state_dir.display())))
}

fn tls(raw: RawTls) -> Result<Tls, ConfigError> {
    let identity = match (raw.certificate, raw.key) {
        (Some(certificate), Some(key)) => Some(Identity { certificate, key }),
        (None, None) => None,
        (Some(_), None) => return Err(ConfigError::new("tls.certificate is shown with its key: name that in tls.key")),
        (None, Some(_)) => {
            return Err(ConfigError::new("tls.key belongs to a certificate: name that in tls.certificate"));
        }
    };
    Ok(Tls { files: client::Files { ca: raw.ca, identity }, server_name: raw.server_name })
}

fn aggregator(text: &str) -> Result<String, ConfigError> {
    let schemes = ["http://", "https://"].map(|scheme| text.strip_prefix(scheme).map(|address| (scheme, address)));
    let (scheme, address) = schemes.into_iter().flatten().next().unzip();
    let address = address.map(|address| address.trim_end_matches('/'));
    let port = address.and_then(|address| address.rsplit_once(':')).and_then(|(host, port)| {
        let port = port.parse::<u16>().ok().filter(|port| *port != 0)?;
        (!host.is_empty() && !host.contains(['/', '@', ' '])).then_some(port)
    });
    match (scheme, address, port) {
        (Some(scheme), Some(address), Some(_)) => Ok(format!("{scheme}{address}")),
        _ => Err(ConfigError::new(format!("aggregator {text:?} is no address; write it like http://127.0.0.1:7600"))),
    }
}

fn agent_id(text: Option<&str>, host: &str, state_dir: &Path) -> Result<[u8; 16], ConfigError> {
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        let id = text.parse::<uuid::Uuid>().map_err(|_| ConfigError::new(format!("agent_id {text:?} is no UUID")))?;
        return Ok(*id.as_bytes());
    }
    let machine = std::fs::read_to_string("/etc/machine-id").unwrap_or_default();
    let seed = format!("{}\0{host}\0{}", machine.trim(), state_dir.display());
    Ok(*uuid::Builder::from_custom_bytes(xxh3_128(seed.as_bytes()).to_be_bytes()).into_uuid().as_bytes())
}

fn limits(raw: &RawLimits) -> Result<Limits, ConfigError> {
    let default = Limits::default();
    let span = |given: Option<Span>, default| given.map_or(default, |span| span.0);
    let size = |given: Option<Size>, default| given.map_or(default, |size| size.0);
    let limits = Limits {
        reconcile_interval: span(raw.reconcile_interval, default.reconcile_interval),
        batch_bytes_max: size(raw.batch_bytes_max, default.batch_bytes_max),
        linger: span(raw.linger, default.linger),
        record_bytes_max: size(raw.record_bytes_max, default.record_bytes_max),
        idle_flush: span(raw.idle_flush, default.idle_flush),
        drain_timeout: span(raw.drain_timeout, default.drain_timeout),
        deleted_bytes_max: size(raw.deleted_bytes_max, default.deleted_bytes_max),
        max_bytes_per_second: size(raw.max_bytes_per_second, default.max_bytes_per_second),
        watches_max: raw.watches_max,
    };
    let within = |name: &str, value: u64, low: u64, high: u64| match value {
        value if (low..=high).contains(&value) => Ok(()),
        _ => Err(ConfigError::new(format!("limits.{name} must lie between {} and {}", Size(low), Size(high)))),
    };
    within("batch_bytes_max", limits.batch_bytes_max, 4 << 10, 8 << 20)?;
    within("record_bytes_max", limits.record_bytes_max, 64, 8 << 20)?;
    if limits.reconcile_interval < Duration::from_millis(50) {
        return Err(ConfigError::new("limits.reconcile_interval must be at least 50ms"));
    }
    Ok(limits)
}

/// What a capture of this name says is the service, unless `service` says something else.
const SERVICE: &str = "service";

fn source(raw: RawSource) -> Result<SourceConfig, ConfigError> {
    let is_named = raw.service.is_some();
    let service = raw.service.unwrap_or_else(|| format!("{{{SERVICE}}}"));
    let name = &service;
    if name.is_empty() {
        return Err(ConfigError::new("a [[source]] has an empty service"));
    }
    if raw.include.is_empty() {
        return Err(ConfigError::new(format!("source {name:?}: include is empty; name at least one file or glob")));
    }
    let in_source = |error: String| ConfigError::new(format!("source {name:?}: {error}"));
    let include: Vec<Pattern> =
        raw.include.iter().map(|text| Pattern::new(text)).collect::<Result<_, _>>().map_err(in_source)?;
    for pattern in &include {
        if !pattern.text().starts_with('/') {
            return Err(in_source(format!("include {:?} is not absolute; write the whole path", pattern.text())));
        }
        let is_known = |name: &str| pattern.captures().any(|known| known == name) || origin::NAMES.contains(&name);
        if let Some(missing) = placeholders(name).find(|capture| !is_known(capture)) {
            let help =
                if is_named { "" } else { "; write that where the path has it, or name the service with `service`" };
            return Err(in_source(format!("include {:?} captures no {{{missing}}}{help}", pattern.text())));
        }
    }
    let exclude = Exclude::new(&raw.exclude).map_err(in_source)?;
    if let Some(root) = raw.symlinks.iter().find(|root| !root.is_absolute()) {
        return Err(in_source(format!("symlinks {root:?} is not absolute; name a directory from / on")));
    }
    let treatment = Treatment::new(&RawTreatment {
        format: raw.format,
        encoding: raw.encoding,
        time_zone: raw.time_zone,
        time_patterns: raw.time_patterns,
        multiline: raw.multiline,
        id: raw.id,
        redact: raw.redact,
        drop: raw.drop,
        sample: raw.sample,
        attach: raw.attach,
        join: raw.join,
    })
    .map_err(in_source)?;
    Ok(SourceConfig {
        include,
        exclude,
        treatment: Arc::new(treatment),
        rotated: raw.rotated.unwrap_or(true),
        symlinks: raw.symlinks,
        ignore_older: raw.ignore_older.map(|span| span.0),
        start_at: raw.start_at.unwrap_or_default(),
        service,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<Config, String> {
        clew_service::config::parse::<Raw>(text, "agent.toml")
            .and_then(Config::check)
            .map_err(|error| error.to_string())
    }

    const SOURCE: &str = "\n[[source]]\nservice='a'\ninclude=['/a/*.log']\n";

    #[test]
    fn every_key_has_a_default_but_the_sources() {
        let config = check(SOURCE).unwrap();
        assert_eq!(config.destination.aggregator, "http://127.0.0.1:7600");
        assert_eq!(config.limits.batch_bytes_max, 512 << 10);
        assert!(config.sources[0].rotated && !config.host.is_empty() && config.agent_id != [0; 16]);
        assert_eq!(check(SOURCE).unwrap().agent_id, config.agent_id);
        let source = &config.sources[0];
        assert!(source.symlinks.is_empty() && source.ignore_older.is_none() && source.start_at == StartAt::Beginning);
    }

    #[test]
    fn keys_of_a_source() {
        let config = check(&format!("{SOURCE}symlinks=['/var/log/pods']\nignore_older='7d'\nstart_at='end'")).unwrap();
        let source = &config.sources[0];
        assert_eq!(source.symlinks, [PathBuf::from("/var/log/pods")]);
        assert_eq!(source.ignore_older, Some(Duration::from_secs(7 * 86_400)));
        assert_eq!(source.start_at, StartAt::End);
        assert!(check(&format!("{SOURCE}start_at='middle'")).is_err());
    }

    #[test]
    fn what_is_wrong_is_told_in_one_line() {
        for (text, error) in [
            ("", "no [[source]]; add one with `service` and `include`"),
            ("agregator = 'x'", "agent.toml:1: unknown key `agregator`, did you mean `aggregator`?"),
            ("[tls]\nca='a'", "tls: the aggregator is \"http://127.0.0.1:7600\"; write https:// to speak TLS with it"),
            (
                "aggregator='https://a:1'\n[tls]\ncertificate='a'",
                "tls.certificate is shown with its key: name that in tls.key",
            ),
            (
                "aggregator='127.0.0.1:7600'",
                "aggregator \"127.0.0.1:7600\" is no address; write it like http://127.0.0.1:7600",
            ),
            ("host=\"a\\u0007\"", "host: up to 255 bytes, and no control characters"),
            ("agent_id='x'", "agent_id \"x\" is no UUID"),
            ("metrics_listen='x'", "metrics_listen \"x\" is no address; write it like 127.0.0.1:7602"),
            ("limits.batch_bytes_max='1B'", "limits.batch_bytes_max must lie between 4.0 KiB and 8.0 MiB"),
            ("[[source]]\nservice='b'\ninclude=[]", "source \"b\": include is empty; name at least one file or glob"),
            (
                "[[source]]\nservice='b'\ninclude=['/a']\nsymlinks=['pods']",
                "source \"b\": symlinks \"pods\" is not absolute; name a directory from / on",
            ),
            (
                "[[source]]\nservice='{x}'\ninclude=['/a/{y}.log']",
                "source \"{x}\": include \"/a/{y}.log\" captures no {x}",
            ),
            (
                "[[source]]\ninclude=['/a/{service}.log', '/b']",
                "source \"{service}\": include \"/b\" captures no {service}; write that where the path has it, or name the \
                 service with `service`",
            ),
            (
                "[[source]]\nservice='b'\ninclude=['/a']\n[source.attach]\nbegin='('",
                "source \"b\": attach.begin \"(\" is no regular expression: unclosed group",
            ),
            (
                "[[source]]\nservice='b'\ninclude=['/a']\n[source.join]\nname='a'\nrole='error'\nconnection='(b)'\n\
                 [source.attach]\nbegin='a'",
                "source \"b\": attach and join give a record an ID each; one source has one of them",
            ),
        ] {
            let whole = if text.contains("[[source]]") || text.is_empty() {
                text.to_owned()
            } else {
                format!("{text}{SOURCE}")
            };
            assert_eq!(check(&whole).unwrap_err(), error);
        }
        assert!(check("[[source]]\nservice='b'\ninclude=['/a/[.log']").unwrap_err().contains("/a/[.log"));
        let config = check("[[source]]\ninclude=['/a/{service}.log']").unwrap();
        assert_eq!(config.sources.last().map(|source| source.service.as_str()), Some("{service}"));
    }
}
