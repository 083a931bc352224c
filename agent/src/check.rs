//! `clew-agent check`: what would be read and how, what is not read and why, and whether the aggregator answers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clew_proto::v1::SourcesRequest;
use clew_proto::v1::ingest_client::IngestClient;
use clew_service::exit::ConfigError;
use tonic::Code;

use crate::checkpoint::{Remembered, StateDir, StateError, peek};
use crate::config::{Config, SourceConfig, StartAt};
use crate::discover::glob::fill;
use crate::discover::verdict::title;
use crate::discover::walk::{Entry, Found, Walk};
use crate::pipeline::files::labels;
use crate::pipeline::report::lines_text;
use crate::ship::session::why;
use crate::tail::file::{FileKey, LogFile, OpenError};
use crate::treatment::Lines;

const ANSWER_TIME_MAX: Duration = Duration::from_secs(8);
/// So many files of a source are shown, and so many that are not read.
const FILES_SHOWN_MAX: usize = 20;
/// So much of a file is looked at to find out what it is made of.
const FIRST_BYTES: usize = 32 << 10;

/// What stands in the way.
#[derive(Debug, Default)]
pub struct Problems {
    /// Of the configuration, or of what it names on this host.
    pub config: Vec<String>,
    /// Of the world around.
    pub world: Vec<String>,
}

/// Hands each line of what it finds to `print`; gives the problems. `offline`: the aggregator is not asked.
pub fn check(path: &Path, offline: bool, print: &mut dyn FnMut(&str)) -> Result<Problems, ConfigError> {
    let config = Config::load(path)?;
    let mut problems = Problems::default();
    let remembered: BTreeMap<FileKey, Remembered> = match peek(&config.state_dir) {
        Ok(checkpoint) => checkpoint.sources.into_iter().map(|source| (source.key, source)).collect(),
        Err(_) => BTreeMap::new(),
    };
    let mut files: Vec<Vec<String>> = config.sources.iter().map(|_| Vec::new()).collect();
    let mut named: Vec<Vec<Names>> =
        config.sources.iter().map(|source| vec![Names::Nothing; source.include.len()]).collect();
    let mut left = Vec::new();
    let mut walk = Walk::new(config.state_dir.clone());
    walk.full(&config.sources, &mut |entry| match entry {
        Entry::File(found) => {
            let source = &config.sources[found.source];
            for (number, other) in config.sources.iter().enumerate() {
                if let Some((include, _)) = other.named_by(&found.path) {
                    let names = &mut named[number][include];
                    *names = if number == found.source { Names::Files } else { (*names).max(Names::FilesOfOthers) };
                }
            }
            match found.open() {
                Ok((file, _)) => files[found.source].push(file_line(&found, &file, source, &remembered)),
                Err(error) => problems.config.push(cannot_read(&found.path, &error)),
            }
        }
        // The directories are looked at below.
        Entry::Unlisted(..) => {}
        Entry::Refused(path, why) | Entry::Ignored(path, why) => left.push(format!("{}: {why}", path.display())),
    });
    let directories: Vec<PathBuf> = walk.directories().map(Path::to_owned).collect();
    for (number, source) in config.sources.iter().enumerate() {
        show_source(number, source, &mut files[number], &named[number], &config.state_dir, print);
    }
    show(&mut left, "not read: ", "", print);
    for directory in directories {
        match std::fs::read_dir(&directory) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                print(&format!("note: directory {} is not there", directory.display()));
            }
            Err(error) => problems.config.push(format!("directory {} cannot be listed: {error}", directory.display())),
        }
    }
    match StateDir::probe(&config.state_dir) {
        Ok(()) => print(&format!("state_dir {}: ok", config.state_dir.display())),
        // It may well be checked while it runs.
        Err(StateError::Locked(_)) => {
            print(&format!("state_dir {}: an agent runs with it", config.state_dir.display()));
        }
        Err(error) => problems.config.push(error.to_string()),
    }
    if let Err(error) = config.destination.read_files() {
        problems.config.push(error);
    } else if offline {
        print(&format!("aggregator {}: not asked (--offline)", config.destination.aggregator));
    } else {
        match ask(&config) {
            Ok(shown) => print(&format!("aggregator {}: answers{shown}", config.destination.aggregator)),
            Err(error) => problems.world.push(format!(
                "aggregator {} does not let this agent in: {error}; the agent would wait for it (--offline leaves this out)",
                config.destination.aggregator
            )),
        }
    }
    Ok(problems)
}

fn cannot_read(path: &Path, error: &OpenError) -> String {
    format!("{} cannot be read by user {}: {error}", path.display(), rustix::process::geteuid().as_raw())
}

/// What an include names now.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Names {
    Nothing,
    FilesOfOthers,
    Files,
}

fn show_source(
    number: usize,
    source: &SourceConfig,
    files: &mut [String],
    named: &[Names],
    state_dir: &Path,
    print: &mut dyn FnMut(&str),
) {
    print(&format!("{}: {} files", title(number, source), files.len()));
    show(files, "  ", "  ", print);
    for (pattern, names) in source.include.iter().zip(named) {
        let why = match names {
            Names::Files => continue,
            Names::Nothing if pattern.root().starts_with(state_dir) => "lies in state_dir, where nothing is read",
            Names::Nothing => "names no file now",
            Names::FilesOfOthers => "names only files that another source reads",
        };
        print(&format!("  note: include {:?} {why}", pattern.text()));
    }
}

fn show(lines: &mut [String], prefix: &str, more_prefix: &str, print: &mut dyn FnMut(&str)) {
    lines.sort();
    for line in lines.iter().take(FILES_SHOWN_MAX) {
        print(&format!("{prefix}{line}"));
    }
    if lines.len() > FILES_SHOWN_MAX {
        print(&format!("{more_prefix}and {} more", lines.len() - FILES_SHOWN_MAX));
    }
}

/// A file, its service, what it is made of, where it would be begun, and its labels.
fn file_line(
    found: &Found<'_>,
    file: &LogFile,
    source: &SourceConfig,
    remembered: &BTreeMap<FileKey, Remembered>,
) -> String {
    let labels = labels(&found.path, &found.location());
    let service = fill(&found.service(), &labels);
    let lines = match first_bytes(file, found) {
        Ok(first) => source.treatment.lines(&first).unwrap_or(Lines::Plain),
        Err(_) => Lines::Plain,
    };
    let mut parts = vec![lines_text(lines)];
    parts.extend(found.compression.map(|compression| format!("{compression:?}").to_lowercase()));
    parts.push(match (remembered.get(&found.status.key), source.start_at) {
        (Some(remembered), _) => format!("from position {} (checkpoint)", remembered.frontier),
        (None, StartAt::Beginning) => "from its beginning".into(),
        (None, StartAt::End) => "from its end (start_at)".into(),
    });
    parts.extend(labels.iter().map(|(name, value)| format!("{name}={value}")));
    format!("{} ({service}): {}", found.path.display(), parts.join(", "))
}

fn first_bytes(file: &LogFile, found: &Found<'_>) -> std::io::Result<Vec<u8>> {
    let mut first = vec![0; FIRST_BYTES];
    let read = match found.compression {
        Some(compression) => file.decoder(compression)?.read_at(0, &mut first)?,
        None => file.read_at(0, &mut first)?,
    };
    first.truncate(read);
    Ok(first)
}

/// Whether the aggregator lets this agent in, and by what: asks what the audit asks, which changes nothing.
fn ask(config: &Config) -> Result<String, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("start the runtime: {error}"))?;
    let asked = async {
        let connection = config.destination.connect().await?;
        let request =
            connection.request(SourcesRequest { agent_id: config.agent_id.to_vec().into(), host: config.host.clone() });
        let shown = connection.certificate.as_ref().map_or(String::new(), |certificate| {
            format!(" (shown: certificate {}, good until {})", certificate.name, moment(certificate.expires_ns))
        });
        match IngestClient::new(connection.channel.clone()).sources(request).await {
            Ok(_) => Ok(shown),
            // It was let in: how long the answer is, or whether this version has it, matters to the audit alone.
            Err(status)
                if matches!(status.code(), Code::OutOfRange | Code::ResourceExhausted | Code::Unimplemented) =>
            {
                Ok(shown)
            }
            Err(status) => Err(why(status)),
        }
    };
    let answered = runtime.block_on(async { tokio::time::timeout(ANSWER_TIME_MAX, asked).await });
    // A name may still be looked up.
    runtime.shutdown_background();
    answered.unwrap_or_else(|_| Err(format!("no answer within {} s", ANSWER_TIME_MAX.as_secs())))
}

fn moment(time_ns: i64) -> String {
    jiff::Timestamp::from_second(time_ns / 1_000_000_000).map_or_else(|_| "for ever".into(), |time| time.to_string())
}
