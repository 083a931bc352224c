//! The corpus: log records of transactions that cross 3 to 8 of twelve services on six hosts, about 20 records each, interleaved
//! as they would be. The same parameters give the same bytes; what is there already is not written again.
//!
//! On disk: `<folder>/<host>/<service>.log`, `transactions.txt` with sampled IDs and their record counts (`id count`), and
//! `corpus.json`, written last, with the parameters that it was made from.
//!
//! | file | what it is |
//! | --- | --- |
//! | `transaction` | one request through the shop, and its records as JSON |
//! | `text` | the same as nginx, Spring Boot, log4j and Python's logging write it, stack traces included |
//! | `cri` | the JSON lines as containerd wraps them |
//! | `again` | the JSON lines once more, as those of other transactions |

pub mod again;
mod cri;
mod text;
pub mod transaction;

use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::ValueEnum;
use fastrand::Rng;
use serde::{Deserialize, Serialize};
use transaction::{Transaction, exponential};

use crate::templates::services;

/// Raise it when the generator's output changes.
const GENERATOR_VERSION: u32 = 1;
pub const HOSTS: usize = 6;
const LINES_DEFAULT: u64 = 2_000_000;
/// 2026-11-20T08:00:00Z; a day must hold all of it.
const BEGIN_NS: u64 = 8 * 3600 * NS_PER_S;
const NS_PER_S: u64 = 1_000_000_000;
/// Between two transactions' begins, on average: about 40 a second, 800 lines a second.
const ARRIVAL_NS: u64 = 25_000_000;
/// One in so many transactions is sampled for queries.
const SAMPLED_ONE_IN: u32 = 40;

/// What decides every byte of it.
#[derive(clap::Args, Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parameters {
    /// Records to write; in JSON, each is a line.
    #[arg(long, default_value_t = LINES_DEFAULT)]
    pub lines: u64,
    /// Every random choice follows from it.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// What the records look like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// A JSON object each.
    #[default]
    Json,
    /// Access lines, and text with stack traces.
    Text,
    /// The JSON objects in a container's log.
    Cri,
}

/// A written corpus.
pub struct Corpus {
    pub folder: PathBuf,
    pub shape: Shape,
    pub records: u64,
    pub bytes: u64,
    /// Sampled IDs with their record counts.
    pub transactions: Vec<(String, u32)>,
}

#[derive(PartialEq, Serialize, Deserialize)]
struct Manifest {
    version: u32,
    parameters: Parameters,
    shape: Shape,
    records: u64,
    bytes: u64,
}

impl Corpus {
    /// Its log files.
    pub fn files(&self) -> anyhow::Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        for host in 0..HOSTS {
            for service in services() {
                files.push(self.folder.join(host_name(host)).join(format!("{}.log", service.name)));
            }
        }
        Ok(files)
    }
}

pub fn host_name(host: usize) -> String {
    format!("web-{}", host + 1)
}

/// Writes the corpus below `bench_folder`, unless it is there.
pub fn prepare(bench_folder: &Path, parameters: Parameters, shape: Shape) -> anyhow::Result<Corpus> {
    let mut name = String::from("corpus");
    if shape != Shape::Json {
        name += &format!("-{shape:?}").to_lowercase();
    }
    if parameters.lines != LINES_DEFAULT {
        name += &format!("-{}", parameters.lines);
    }
    let folder = bench_folder.join(name);
    if let Some(corpus) = load(&folder, parameters, shape) {
        return Ok(corpus);
    }
    eprintln!("writing {} records to {}", parameters.lines, folder.display());
    if folder.exists() {
        std::fs::remove_dir_all(&folder).with_context(|| format!("delete {}", folder.display()))?;
    }
    write(&folder, parameters, shape).with_context(|| format!("write the corpus to {}", folder.display()))?;
    load(&folder, parameters, shape).context("read back the corpus that was just written")
}

fn load(folder: &Path, parameters: Parameters, shape: Shape) -> Option<Corpus> {
    let manifest: Manifest = serde_json::from_slice(&std::fs::read(folder.join("corpus.json")).ok()?).ok()?;
    if manifest.version != GENERATOR_VERSION || manifest.parameters != parameters || manifest.shape != shape {
        return None;
    }
    let list = std::fs::read_to_string(folder.join("transactions.txt")).ok()?;
    let transactions = list
        .lines()
        .map(|line| line.split_once(' ').and_then(|(id, count)| Some((id.to_owned(), count.parse().ok()?))))
        .collect::<Option<Vec<_>>>()?;
    let (records, bytes) = (manifest.records, manifest.bytes);
    Some(Corpus { folder: folder.to_owned(), shape, records, bytes, transactions })
}

fn write(folder: &Path, parameters: Parameters, shape: Shape) -> anyhow::Result<()> {
    let services = services();
    let mut files = Vec::new();
    for host in 0..HOSTS {
        let host = folder.join(host_name(host));
        std::fs::create_dir_all(&host)?;
        for service in &services {
            files.push(BufWriter::with_capacity(1 << 16, File::create(host.join(format!("{}.log", service.name)))?));
        }
    }
    let mut sampled = BufWriter::new(File::create(folder.join("transactions.txt"))?);
    let mut random = Rng::with_seed(parameters.seed);
    let mut sampling = Rng::with_seed(!parameters.seed);
    let mut pending: BinaryHeap<Pending> = BinaryHeap::new();
    let (mut written, mut bytes, mut now) = (0, 0, BEGIN_NS);
    while written < parameters.lines || !pending.is_empty() {
        if written < parameters.lines {
            now += exponential(&mut random, ARRIVAL_NS);
            let left = parameters.lines - written;
            let transaction = Transaction::begin(&mut random, now);
            let records = transaction.records(&mut random, &services, shape, left as usize);
            if sampling.u32(..SAMPLED_ONE_IN) == 0 {
                writeln!(sampled, "{} {}", transaction.trace_id, records.len())?;
            }
            written += records.len() as u64;
            pending.extend(records);
        } else {
            now = u64::MAX;
        }
        // All that comes later begins later: what lies before now is in its final order.
        while pending.peek().is_some_and(|record| record.time_ns < now) {
            let record = pending.pop().expect("just seen");
            files[record.file].write_all(&record.line)?;
            bytes += record.line.len() as u64;
        }
    }
    for mut file in files {
        file.flush()?;
    }
    sampled.flush()?;
    let manifest = Manifest { version: GENERATOR_VERSION, parameters, shape, records: written, bytes };
    std::fs::write(folder.join("corpus.json"), serde_json::to_vec_pretty(&manifest)?)?;
    Ok(())
}

/// A record that waits for its turn. The heap gives the earliest first.
#[derive(PartialEq, Eq)]
pub struct Pending {
    time_ns: u64,
    order: u32,
    file: usize,
    line: Vec<u8>,
}

impl Ord for Pending {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (other.time_ns, other.order).cmp(&(self.time_ns, self.order))
    }
}

impl PartialOrd for Pending {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_corpus_is_what_it_says_and_is_cached() {
        let folder = tempfile::tempdir().unwrap();
        let parameters = Parameters { lines: 20_000, seed: 3 };
        let corpus = prepare(folder.path(), parameters, Shape::Json).unwrap();
        let mut counts = std::collections::HashMap::new();
        let mut bytes = 0;
        for path in corpus.files().unwrap() {
            let text = std::fs::read_to_string(&path).unwrap();
            bytes += text.len() as u64;
            let mut last = String::new();
            for line in text.lines() {
                let json: serde_json::Value =
                    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
                let time = json["time"].as_str().unwrap();
                assert!(time >= last.as_str(), "times rise within a file");
                last = time.to_owned();
                *counts.entry(json["trace_id"].as_str().unwrap().to_owned()).or_insert(0) += 1;
            }
        }
        assert_eq!((counts.values().sum::<u32>(), corpus.records, corpus.bytes), (20_000, 20_000, bytes));
        let (line_bytes, per_transaction) = (bytes / 20_000, 20_000 / counts.len());
        assert!(
            (300..340).contains(&line_bytes) && (18..22).contains(&per_transaction),
            "{line_bytes} {per_transaction}"
        );
        assert!(corpus.transactions.iter().all(|(id, count)| counts[id] == *count));

        let written = std::fs::metadata(corpus.folder.join("corpus.json")).unwrap().modified().unwrap();
        prepare(folder.path(), parameters, Shape::Json).unwrap();
        assert_eq!(std::fs::metadata(corpus.folder.join("corpus.json")).unwrap().modified().unwrap(), written);
    }

    #[test]
    fn every_shape_holds_the_same_number_of_records() {
        let folder = tempfile::tempdir().unwrap();
        let parameters = Parameters { lines: 20_000, seed: 3 };
        let text = prepare(folder.path(), parameters, Shape::Text).unwrap();
        let (mut heads, mut lines) = (0, 0);
        for line in String::from_utf8(read(&text)).unwrap().lines() {
            lines += 1;
            // A line of a stack trace begins with white space, or with what was thrown.
            heads += u64::from(line.starts_with("2026") || line.contains(" - u-"));
        }
        assert_eq!((heads, text.records), (20_000, 20_000));
        assert!(lines > 22_000 && lines < 60_000, "{lines}");

        let cri = prepare(folder.path(), parameters, Shape::Cri).unwrap();
        let json = prepare(folder.path(), parameters, Shape::Json).unwrap();
        let mut unwrapped = Vec::new();
        let mut parts = 0;
        // A line may be split in the middle of a character.
        for line in read(&cri).split_inclusive(|byte| *byte == b'\n') {
            let words: Vec<&[u8]> = line.splitn(4, |byte| *byte == b' ').collect();
            let is_part = words[2] == b"P";
            unwrapped.extend_from_slice(if is_part { words[3].strip_suffix(b"\n").unwrap() } else { words[3] });
            parts += u32::from(is_part);
        }
        assert!(unwrapped == read(&json));
        assert!(parts > 20, "{parts}");
    }

    fn read(corpus: &Corpus) -> Vec<u8> {
        corpus.files().unwrap().iter().flat_map(|path| std::fs::read(path).unwrap()).collect()
    }
}
