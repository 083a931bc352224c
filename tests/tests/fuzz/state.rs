//! Files that the agent and the aggregator read at their start: checkpoint, configs; and what stands in them: globs, units.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clew_agent::checkpoint::{self, Checkpoint, Covered, Remembered};
use clew_agent::discover::glob::{Captures, Exclude, Pattern, fill, placeholders};
use clew_agent::identity::Fingerprint;
use clew_agent::tail::file::FileKey;
use clew_agent::tail::inflate::Compression;
use clew_service::units::{Size, Span};

use crate::driver::Fuzz;

/// Magic, version, length, checksum.
const CHECKPOINT_HEAD_BYTES: usize = 24;

fn remembered(number: u64) -> Remembered {
    Remembered {
        source_id: [number as u8; 16],
        key: FileKey { device: 2049, inode: number },
        path: format!("/var/log/app-{number}.log").into(),
        frontier: number * 1000,
        origin: number * 1000,
        prefix: Fingerprint::of(b"first bytes"),
        guard: Fingerprint::guard(b"bytes before the frontier"),
        tail: Fingerprint::guard(b"bytes before the end"),
        last_time_ns: (number > 1).then_some(-1),
        seen_s: 1_795_608_000,
        service: "payments".into(),
        size: number * 1000 + 5,
        complete: number == 1,
        ended: number == 2,
        compression: [None, Some(Compression::Gzip), Some(Compression::Zstd)][number as usize % 3],
        fresh: number == 3,
        may_be_copy: false,
        windows_from: (number == 2).then_some((number, Some(-7))),
    }
}

#[test]
fn checkpoint() {
    let covered = Covered { key: FileKey { device: 1, inode: 2 }, size: 3, modified_ns: -1 };
    let full = Checkpoint {
        epoch: 7,
        sources: (0..4).map(remembered).collect(),
        covered: vec![covered],
        started: vec![u64::MAX, 0],
    };
    let seeds = [Checkpoint::default(), full].map(|checkpoint| {
        let bytes = checkpoint::encode(&checkpoint);
        assert_eq!(checkpoint::decode(&bytes), Ok(checkpoint));
        bytes
    });
    Fuzz::new("checkpoint", 60_000).seeds(seeds).tokens(&["CLEWAGNT", "/var/log/a.log"]).run(|bytes| {
        let damaged = checkpoint::decode(bytes).is_ok();
        // With length and checksum put right, only the body decides.
        let body = bytes.get(CHECKPOINT_HEAD_BYTES..).unwrap_or_default();
        let mut sealed = checkpoint::encode(&Checkpoint::default());
        sealed[12..20].copy_from_slice(&(body.len() as u64).to_le_bytes());
        sealed[20..24].copy_from_slice(&crc32c::crc32c(body).to_le_bytes());
        sealed.truncate(CHECKPOINT_HEAD_BYTES);
        sealed.extend_from_slice(body);
        let decoded = checkpoint::decode(&sealed);
        if let Ok(checkpoint) = &decoded {
            assert_eq!(checkpoint::decode(&checkpoint::encode(checkpoint)).as_ref(), Ok(checkpoint));
            let sources = &checkpoint.sources;
            assert!(sources.iter().all(|source| source.size >= source.frontier));
        }
        (
            damaged,
            decoded.map(|checkpoint| (checkpoint.sources.len(), checkpoint.covered.len(), checkpoint.started.len())),
        )
    });
}

/// A file to be overwritten again and again, in memory where there is such a file system.
fn scratch() -> (tempfile::TempDir, PathBuf) {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    let folder = folder.expect("a temporary folder");
    let path = folder.path().join("config.toml");
    (folder, path)
}

const AGENT_CONFIG: &[&str] = &[
    "[[source]]\n",
    "service = '{name}'\n",
    "include = ['/a/{name}/*.log']\n",
    "exclude = ['**/x']\n",
    "format = 'json'\n",
    "encoding = 'latin1'\n",
    "time_zone = 'Europe/Berlin'\n",
    "time_patterns = ['%F %T']\n",
    "[source.multiline]\nstart = '^\\d'\n",
    "[[source.id]]\npattern = '(?<id>x+)'\nkind = 'trace'\n",
    "[[source.redact]]\nbuiltin = 'all'\n",
    "[[source.redact]]\npattern = 'a(b)'\nreplace = '$1'\n",
    "[[source.drop]]\nbelow = 'info'\n",
    "[[source.sample]]\nrate = 0.1\n",
    "[limits]\n",
    "linger = '100ms'\n",
    "batch_bytes_max = '512KiB'\n",
    "{1000}",
    "(?i)",
    "\\p{L}",
    "''",
    "\"\"\"",
    "\u{1f600}",
    "1e400",
    "-0",
];

#[test]
fn agent_config() {
    let (_folder, path) = scratch();
    let sample = include_bytes!("../../../deploy/agent.toml");
    // With its samples switched on, too.
    let all = String::from_utf8_lossy(sample).replace("\n# [[", "\n[[").replace("\n# [source.", "\n[source.");
    let seeds = [sample.to_vec(), all.into_bytes(), AGENT_CONFIG[..16].concat().into_bytes()];
    Fuzz::new("agent_config", 3000).seeds(seeds).tokens(AGENT_CONFIG).run(|text| {
        std::fs::write(&path, text).expect("write the config");
        let config = clew_agent::config::Config::load(&path);
        match config {
            Ok(config) => {
                assert!(!config.sources.is_empty() && config.limits.batch_bytes_max >= 4 << 10);
                (config.sources.len(), String::new())
            }
            Err(error) => (0, one_line(&error.to_string())),
        }
    });
}

const AGGREGATOR_CONFIG: &[&str] = &[
    "data_dir = '/x'\n",
    "[retention]\n",
    "max_age = '1d'\n",
    "[limits]\n",
    "head_bytes = '1MiB'\n",
    "[::1]:0",
    "'",
    "1e9",
];

#[test]
fn aggregator_config() {
    let (_folder, path) = scratch();
    let seeds = [include_bytes!("../../../deploy/aggregator.toml").to_vec()];
    Fuzz::new("aggregator_config", 4000).seeds(seeds).tokens(AGGREGATOR_CONFIG).run(|text| {
        std::fs::write(&path, text).expect("write the config");
        let config = clew_aggregator::config::Config::load(Some(&path));
        config.err().map(|error| one_line(&error.to_string()))
    });
}

/// A mistake in a config is told in one line. What kind of mistake, without what was written and where.
fn one_line(error: &str) -> String {
    assert!(!error.contains('\n'), "an error is one line: {error:?}");
    assert!(!error.is_empty());
    let words = error.split(|letter: char| !letter.is_ascii_alphabetic());
    words.filter(|word| word.len() > 3).skip(3).take(4).collect::<Vec<_>>().join(" ")
}

#[test]
fn globs() {
    let seeds = [
        ("/var/log/*.log", "/var/log/a.log"),
        ("/srv/{name}/log/**/*.[a-z]?g", "/srv/shop/log/x/y/a.log"),
        ("/var/log/{app,web}-[0-9].log", "/var/log/app-1.log"),
        ("/var/log/pods/{namespace}_{pod}_{uid}/{container}/*.log", "/var/log/pods/a_b_c/d/0.log"),
        ("/a/../b/./c", "/b/c"),
    ];
    let tokens =
        &["**", "*", "?", "[a-z]", "[!a]", "{a,b}", "{name}", "/", "//", "..", "\\", "{", "}", "[", ",", "/**/"];
    let seeds = seeds.map(|(pattern, path)| format!("{pattern}\n{path}").into_bytes());
    Fuzz::new("globs", 6000).bytes_max(200).seeds(seeds).tokens(tokens).run(|input| {
        use std::os::unix::ffi::OsStrExt;
        let feed = memchr::memchr(b'\n', input).unwrap_or(input.len());
        let text = String::from_utf8_lossy(&input[..feed]).into_owned();
        let path = Path::new(std::ffi::OsStr::from_bytes(input.get(feed + 1..).unwrap_or_default()));
        if let Err(error) = Exclude::new(std::slice::from_ref(&text)) {
            one_line(&error);
        }
        let pattern = match Pattern::new(&text) {
            Ok(pattern) => pattern,
            Err(error) => return (one_line(&error), false),
        };
        assert!(!pattern.segments().is_empty() && pattern.root().is_absolute());
        let matches = pattern.matches(path);
        // Without anything special in it, a pattern names itself.
        let is_plain = text.starts_with('/') && !text.contains(['*', '?', '[', '{', '\\', ']', '}']);
        if is_plain {
            let absolute = std::path::absolute(&text).expect("it is absolute");
            assert!(pattern.matches(&absolute), "{text:?} names itself");
        }
        let mut captures = Captures::new();
        if let (Some(segment), Some(name)) = (pattern.segments().last(), path.file_name()) {
            segment.matches(name.as_bytes(), &mut captures);
        }
        let filled = fill(&text, &captures);
        assert!(captures.is_empty() || placeholders(&text).count() >= placeholders(&filled).count().min(1));
        (format!("{} {}", pattern.segments().len().min(5), pattern.captures().count()), matches)
    });
}

#[test]
fn units() {
    let seeds = ["250ms", "1.5m", "2 h", "30d", "64KiB", "1.5 GiB", "512", "10MB"].map(|text| text.as_bytes().to_vec());
    let tokens = &["ms", "d", "TiB", "KB", "B", ".", " ", "e9", "-", "18446744073709551616"];
    Fuzz::new("units", 100_000).bytes_max(60).seeds(seeds).tokens(tokens).run(|text| {
        let text = String::from_utf8_lossy(text);
        let span = text.parse::<Span>().ok();
        assert!(span.is_none_or(|span| span.0 <= Duration::MAX));
        let size = text.parse::<Size>().ok();
        if let Some(size) = size {
            // What is shown can be read back, to its one decimal.
            let again = size.to_string().parse::<Size>().expect("what is shown can be read");
            assert!(again.0.abs_diff(size.0) <= size.0 / 15 + 1, "{size} of {} became {}", size.0, again.0);
        }
        (span.map(|span| span.0.as_nanos().checked_ilog2()), size.map(|size| size.0.checked_ilog2()))
    });
}
