//! `clew-agent test`: what would become of a file's lines, record by record, without an aggregator.
//!
//! | file | what it is |
//! | --- | --- |
//! | `stages` | runs bytes through the stages, as a turn of the pipeline does |
//! | `decode` | a batch, taken apart: what would leave the host |
//! | `show` | a record in words |
//!
//! **What is shown was decoded from the encoded batches**: it is what an aggregator would get. Only the reasons come from
//! somebody who looked on: the layout, what an ID was known by, the rule that left a record out.

mod decode;
mod show;
mod stages;

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use clew_service::exit::ConfigError;

use crate::config::Config;
use crate::discover::verdict::title;
use crate::parse::id_pattern;
use crate::tail::inflate::Compression;
use crate::treatment::Treatment;
use show::{Shown, Summary};

/// No more of a file is tried.
const BYTES_MAX: u64 = 64 << 20;

/// What to try it with.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Of the configuration, counted from 1; none: the one that names the file.
    pub source: Option<usize>,
    /// One JSON object for each record.
    pub json: bool,
}

/// Tries the file at `path` (`-` is standard input) and hands each line of output to `print`.
pub fn trial(config: &Path, path: &Path, options: Options, print: &mut dyn FnMut(String)) -> Result<(), ConfigError> {
    let config = Config::load(config)?;
    let (treatment, note) = choose(&config, path, options)?;
    let in_file = |error: std::io::Error| ConfigError::new(format!("read {}: {error}", path.display()));
    let (bytes, modified_ns) = read(path).map_err(in_file)?;
    let mut notes = vec![note];
    let mut bytes = bytes;
    if bytes.len() as u64 > BYTES_MAX {
        bytes.truncate(BYTES_MAX as usize);
        notes.push(format!("only the first {BYTES_MAX} bytes are tried"));
    }
    if treatment.join().is_some_and(|join| !join.is_access()) {
        notes.push("join: the IDs stand in the access log, which is not read here".to_owned());
    }
    let mut summary = Summary::default();
    if !options.json {
        notes.iter().for_each(|note| print(format!("note: {note}")));
    }
    let mut emit = |shown: Shown| {
        summary.count(&shown);
        print(if options.json { shown.json() } else { shown.text() });
    };
    let lines = stages::run(&bytes, modified_ns, &treatment, &config.limits, &mut emit);
    summary.lines = lines;
    summary.notes = notes;
    print(if options.json { summary.json() } else { summary.text() });
    Ok(())
}

/// The treatment of the source that was asked for, or that names the file; and a word on which one that is.
fn choose(config: &Config, path: &Path, options: Options) -> Result<(Arc<Treatment>, String), ConfigError> {
    let of = |number: usize| (config.sources[number].treatment.clone(), title(number, &config.sources[number]));
    if let Some(number) = options.source {
        let index = number.checked_sub(1).filter(|index| *index < config.sources.len()).ok_or_else(|| {
            ConfigError::new(format!("--source {number}: the configuration has sources 1 to {}", config.sources.len()))
        })?;
        let (treatment, title) = of(index);
        return Ok((treatment, format!("as {title}")));
    }
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let naming = config.sources.iter().position(|source| source.covers(&absolute));
    let (treatment, title) = of(naming.unwrap_or(0));
    Ok(match naming {
        Some(_) => (treatment, format!("as {title}, which names the file")),
        None => (treatment, format!("as {title}, the first one: no source names the file (--source N chooses)")),
    })
}

/// The bytes, decompressed, one more than are tried at most; and when they were written last.
fn read(path: &Path) -> std::io::Result<(Vec<u8>, i64)> {
    let now_ns = crate::ship::clock::now_ns() as i64;
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        std::io::stdin().lock().take(BYTES_MAX + 1).read_to_end(&mut bytes)?;
        return Ok((bytes, now_ns));
    }
    // Opening a FIFO would wait for its writer.
    if !std::fs::metadata(path)?.is_file() {
        return Err(std::io::Error::other("it is not a regular file; give it to standard input with -"));
    }
    let file = std::fs::File::open(path)?;
    let modified = file.metadata()?.modified()?;
    let modified_ns = modified.duration_since(std::time::UNIX_EPOCH).map_or(now_ns, |time| time.as_nanos() as i64);
    match Compression::of_name(path.as_os_str().as_encoded_bytes()) {
        Some(Compression::Gzip) => {
            flate2::read::MultiGzDecoder::new(file).take(BYTES_MAX + 1).read_to_end(&mut bytes)?
        }
        Some(Compression::Zstd) => zstd::Decoder::new(file)?.take(BYTES_MAX + 1).read_to_end(&mut bytes)?,
        None => file.take(BYTES_MAX + 1).read_to_end(&mut bytes)?,
    };
    Ok((bytes, modified_ns))
}

/// The configuration's word for a kind of ID.
fn kind_name(kind: i32) -> &'static str {
    id_pattern::KINDS.iter().find(|(_, known)| *known as i32 == kind).map_or("other", |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "[[source]]\nservice = 'first'\ninclude = ['/nowhere/*.log']\n\
        [[source]]\nservice = 'shop'\ninclude = ['ROOT/*.log']\ntime_zone = 'UTC'\n\
        [[source.redact]]\nbuiltin = 'card'\n[[source.drop]]\nbelow = 'debug'\n[[source.drop]]\npattern = 'healthz'\n\
        [[source.sample]]\nrate = 0.0\npattern = 'noise'\n[[source.id]]\npattern = 'order=(?<id>[A-Z0-9]+)'\nkind = 'transaction'\n\
        [[source]]\nservice = 'batch'\ninclude = ['/nowhere/else/*.log']\n\
        [source.attach]\nbegin = 'job started'\nend = 'job done'\nkey = 'thread=(\\w+)'\n";

    fn tried(text: &str, name: &str, options: Options) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("agent.toml");
        std::fs::write(&config, CONFIG.replace("ROOT", folder.path().to_str().unwrap())).unwrap();
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        let mut lines = Vec::new();
        trial(&config, &file, options, &mut |line| lines.push(line)).unwrap();
        lines
    }

    const LINES: &str = "{\"ts\":\"2026-11-23T12:00:00Z\",\"level\":\"info\",\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\",\"msg\":\"paid 4111 1111 1111 1111\"}\n\
        2026-11-23T12:00:01Z ERROR order=AB12CD failed\n  at x\n  at y\n\
        2026-11-23T12:00:02Z INFO GET /healthz 200\n\
        2026-11-23T12:00:03Z INFO noise\n\
        no time here\nthe end";

    #[test]
    fn every_record_is_told_with_its_reasons() {
        let lines = tried(LINES, "a.log", Options { source: None, json: true });
        let records: Vec<serde_json::Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        let first = &records[0];
        assert_eq!((first["position"].as_u64(), first["layout"].as_str()), (Some(0), Some("json")));
        assert_eq!(
            (first["time"].as_str(), first["time_from"].as_str()),
            (Some("2026-11-23T12:00:00Z"), Some("the record"))
        );
        assert_eq!(first["severity"], "info");
        assert_eq!(first["ids"][0]["kind"], "trace");
        assert_eq!(first["ids"][0]["why"], "field trace_id");
        assert!(first["marks"].to_string().contains("redacted"), "{first}");
        assert!(first["line"].as_str().unwrap().contains("[redacted:card]"), "{first}");
        let second = &records[1];
        assert_eq!(
            (second["ids"][0]["value"].as_str(), second["ids"][0]["why"].as_str()),
            (Some("AB12CD"), Some("pattern of [[source.id]]"))
        );
        assert!(second["flags"].to_string().contains("joined"), "{second}");
        assert_eq!(second["line"].as_str().unwrap().lines().count(), 3);
        assert_eq!(records[2]["left_out"], "dropped by drop rule 2");
        assert_eq!(records[3]["left_out"], "sampled out by sample rule 1");
        assert_eq!(records[4]["time_from"], "the record before");
        assert_eq!(records[5]["line"], "the end");
        assert!(records[5]["flags"].to_string().contains("unterminated"));
        let summary = records.last().unwrap();
        let count = |name: &str| summary["summary"][name].as_u64();
        assert_eq!((count("records"), count("dropped"), count("sampled")), (Some(4), Some(1), Some(1)));
        assert_eq!((count("without_time"), count("without_id"), count("redacted")), (Some(2), Some(2), Some(1)));
        assert_eq!(count("bytes"), Some(LINES.len() as u64));
    }

    #[test]
    fn people_are_told_the_same_in_words() {
        let text = tried(LINES, "a.log", Options::default()).join("\n");
        for part in [
            "note: as source 2 (shop), which names the file",
            "trace 4bf92f3577b34da6a3ce929d0e0e4736 (field trace_id)",
            "dropped by drop rule 2: 2026-11-23T12:00:02Z INFO GET /healthz 200",
            "4 records",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let text = tried(LINES, "other.txt", Options::default()).join("\n");
        assert!(text.contains("as source 1 (first), the first one: no source names the file"), "{text}");
        assert!(!text.contains("dropped by"), "{text}");
        let text = tried(LINES, "other.txt", Options { source: Some(2), json: false }).join("\n");
        assert!(text.contains("note: as source 2 (shop)\n") && text.contains("dropped by"), "{text}");
    }

    #[test]
    fn a_fifo_is_refused_and_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("x.log");
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        assert!(read(&fifo).unwrap_err().to_string().contains("not a regular file"));
    }

    #[test]
    fn ids_are_attached_as_the_agent_would() {
        let lines = "2026-11-23T12:00:00Z INFO thread=a job started\n2026-11-23T12:00:01Z INFO thread=b between\n\
            2026-11-23T12:00:02Z INFO thread=a work\n2026-11-23T12:00:03Z INFO thread=a job done\n\
            2026-11-23T12:00:04Z INFO thread=a after\n";
        let lines = tried(lines, "a.log", Options { source: Some(3), json: true });
        let ids: Vec<_> = lines[..5]
            .iter()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["ids"][0].clone())
            .collect();
        assert_eq!((ids[0]["why"].as_str(), ids[1].is_null(), ids[4].is_null()), (Some("by a rule"), true, true));
        assert_eq!((&ids[2]["value"], &ids[3]["value"]), (&ids[0]["value"], &ids[0]["value"]));
    }

    #[test]
    fn many_batches_and_containers() {
        let mut many = String::new();
        for number in 0..20_000 {
            many.push_str(&format!(
                "2026-11-23T12:00:00Z stdout F level=info number={number} request_id=req-{number}\n"
            ));
        }
        let lines = tried(&many, "a.log", Options { source: None, json: true });
        assert_eq!(lines.len(), 20_001);
        let last: serde_json::Value = serde_json::from_str(&lines[19_999]).unwrap();
        assert_eq!((last["layout"].as_str(), last["ids"][0]["value"].as_str()), (Some("logfmt"), Some("req-19999")));
        assert!(last["marks"].to_string().contains("unwrapped"), "{last}");
        let summary: serde_json::Value = serde_json::from_str(&lines[20_000]).unwrap();
        assert_eq!(summary["summary"]["bytes"].as_u64(), Some(many.len() as u64));
        assert_eq!(summary["summary"]["lines"], "a container's lines (cri)");
    }
}
