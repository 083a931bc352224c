//! `clew-agent check`: what would be tailed, what stands in the way, and whether the aggregator answers.

use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::time::Duration;

use clew_service::exit::ConfigError;

use crate::checkpoint::{StateDir, StateError};
use crate::config::Config;
use crate::discover::walk::{Entry, Walk};

const CONNECT_TIME_MAX: Duration = Duration::from_secs(3);
/// So many files of a source are shown.
const FILES_SHOWN_MAX: usize = 20;

/// Prints what it finds; gives the problems.
pub fn check(path: &Path) -> Result<Vec<String>, ConfigError> {
    let config = Config::load(path)?;
    let mut problems = Vec::new();
    let mut files: Vec<Vec<(String, String)>> = config.sources.iter().map(|_| Vec::new()).collect();
    let mut refused = Vec::new();
    Walk::new(config.state_dir.clone()).full(&config.sources, &mut |entry| match entry {
        Entry::File(found) => {
            if let Err(error) = found.open() {
                problems.push(format!("{} cannot be read: {error}", found.path.display()));
            }
            files[found.source].push((found.path.display().to_string(), found.service()));
        }
        Entry::Refused(path, why) | Entry::Ignored(path, why) => {
            refused.push(format!("{} is not tailed: {why}", path.display()));
        }
    });
    for (source, files) in config.sources.iter().zip(&mut files) {
        let patterns: Vec<&str> = source.include.iter().map(|pattern| pattern.text()).collect();
        println!("source {}: {} files match {}", source.service, files.len(), patterns.join(" "));
        files.sort();
        for (path, service) in files.iter().take(FILES_SHOWN_MAX) {
            println!("  {path} ({service})");
        }
        if files.len() > FILES_SHOWN_MAX {
            println!("  and {} more", files.len() - FILES_SHOWN_MAX);
        }
    }
    for line in refused {
        println!("note: {line}");
    }
    match StateDir::open(&config.state_dir) {
        // It may well be checked while it runs.
        Ok(_) | Err(StateError::Locked(_)) => println!("state_dir {}: ok", config.state_dir.display()),
        Err(error) => problems.push(error.to_string()),
    }
    match connect(&config.aggregator) {
        Ok(()) => println!("aggregator {}: answers", config.aggregator),
        // No fault of the configuration: the agent waits for it as long as it takes.
        Err(error) => println!("note: aggregator {} does not answer now: {error}", config.aggregator),
    }
    Ok(problems)
}

fn connect(aggregator: &str) -> std::io::Result<()> {
    let address = aggregator.trim_start_matches("http://");
    let mut last = std::io::Error::new(std::io::ErrorKind::NotFound, "the name has no address");
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT_TIME_MAX) {
            Ok(_) => return Ok(()),
            Err(error) => last = error,
        }
    }
    Err(last)
}
