//! Both programs, whole, over the corpus.
//!
//! | file | what it measures |
//! | --- | --- |
//! | `ship` | CPU, memory, throughput and disk while the corpus is shipped, the last commit included |
//! | `query` | a transaction by its ID: first after a restart, and warm |
//! | `search` | rare words, phrases, a histogram, and how fast text is gone through when the index says nothing |
//! | `assembly` | one transaction of 20, 1,000 and 100,000 records, as its page shows it |
//! | `partitions` | a start on hundreds of days, and an ID in one of them |
//! | `list` | transactions in a list: a page and the summary of five million |
//! | `visible` | from a line's write to its being found |
//! | `load` | twenty who search at the same time while an agent ships at full speed, and what it costs the agent |
//! | `shapes` | the same corpus as text with stack traces, and in a container's log; what was lost or stored twice of it |
//! | `backlog` | a file of gigabytes, and how fresh a live one beside it is meanwhile |
//! | `idle` | an agent with 1,000 quiet files |
//! | `quiet` | an agent with 10,000 of them: from a cold start, and after a restart |
//! | `kill` | lines lost and stored twice after kills of both |
//! | `large` | a run of its own: 100 million records, and some of the questions of `query` and `search` |
//! | `passes` | its input: the corpus again and again |

mod assembly;
mod backlog;
mod idle;
mod kill;
pub mod large;
mod list;
mod load;
mod partitions;
mod passes;
mod query;
mod quiet;
mod search;
mod shapes;
mod ship;
mod visible;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::ValueEnum;

use crate::client::Client;
use crate::corpus::{self, Corpus, Parameters, Shape};
use crate::process::Process;
use crate::reference;
use crate::report::{Machine, Results};

/// A stop commits the head and waits for merges.
const STOP_DEADLINE: Duration = Duration::from_secs(120);
/// So long nothing may happen before a wait is given up.
const STALL_DEADLINE: Duration = Duration::from_secs(60);

#[derive(clap::Args, Clone, Debug)]
pub struct Options {
    #[command(flatten)]
    parameters: Parameters,
    /// Parts to leave out.
    #[arg(long, value_delimiter = ',')]
    skip: Vec<Part>,
    /// Parts to run; default: all.
    #[arg(long, value_delimiter = ',', conflicts_with = "skip")]
    only: Vec<Part>,
    /// Size of the backlog, in GB (10^9 bytes).
    #[arg(long, default_value_t = 2.0)]
    backlog_gb: f64,
    /// Files of the quiet part.
    #[arg(long, default_value_t = 10_000)]
    quiet_files: u32,
    /// Keep the programs' data and logs in target/bench/run.
    #[arg(long)]
    keep: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    Reference,
    /// Without it there is nothing for query, search, visible and load.
    Ship,
    Query,
    Search,
    Assembly,
    List,
    Partitions,
    Visible,
    Load,
    Text,
    Cri,
    Backlog,
    Idle,
    Quiet,
    Kill,
}

/// What every part gets.
struct Bench<'a> {
    /// What outlives the run: corpora.
    folder: &'a Path,
    work: PathBuf,
    corpus: &'a Corpus,
    options: &'a Options,
}

impl Options {
    fn chosen(&self, part: Part) -> bool {
        !self.skip.contains(&part) && (self.only.is_empty() || self.only.contains(&part))
    }
}

impl Bench<'_> {
    /// A part's own folder, created.
    fn folder(&self, name: &str) -> anyhow::Result<PathBuf> {
        let path = self.work.join(name);
        std::fs::create_dir_all(&path).with_context(|| format!("make {}", path.display()))?;
        Ok(path)
    }
}

/// Runs all parts, prints and writes what they measured. Whether all is sound.
pub fn run(bench_folder: &Path, options: &Options) -> anyhow::Result<bool> {
    let corpus = corpus::prepare(bench_folder, options.parameters, Shape::Json)?;
    let work = bench_folder.join("run");
    if work.exists() {
        std::fs::remove_dir_all(&work).with_context(|| format!("delete {}", work.display()))?;
    }
    let bench = Bench { folder: bench_folder, work, corpus: &corpus, options };
    let mut results = Results {
        corpus_lines: corpus.records,
        corpus_bytes: corpus.bytes,
        machine: Machine::this(),
        ..Results::default()
    };
    let parts: [(Part, PartRun); 15] = [
        (Part::Reference, |bench, results| {
            results.reference = Some(reference::measure(&bench.corpus.files()?)?);
            Ok(())
        }),
        (Part::Ship, ship::run),
        (Part::Query, query::run),
        (Part::Search, search::run),
        (Part::Assembly, assembly::run),
        (Part::List, list::run),
        (Part::Partitions, partitions::run),
        (Part::Visible, visible::run),
        (Part::Load, load::run),
        (Part::Text, |bench, results| {
            results.text = Some(shapes::run(bench, Shape::Text)?);
            Ok(())
        }),
        (Part::Cri, |bench, results| {
            results.cri = Some(shapes::run(bench, Shape::Cri)?);
            Ok(())
        }),
        (Part::Backlog, backlog::run),
        (Part::Idle, idle::run),
        (Part::Quiet, quiet::run),
        (Part::Kill, kill::run),
    ];
    let mut shipped = false;
    for (part, part_run) in parts {
        let needs_data = matches!(part, Part::Query | Part::Search | Part::Visible | Part::Load);
        if !options.chosen(part) || (needs_data && !shipped) {
            continue;
        }
        let begin = Instant::now();
        let outcome = part_run(&bench, &mut results);
        eprintln!("{part:?}: {:.1} s", begin.elapsed().as_secs_f64());
        match outcome {
            Ok(()) => shipped |= part == Part::Ship,
            Err(error) => {
                eprintln!("{part:?} failed: {error:#}");
                results.errors.push(format!("{part:?}: {error:#}"));
            }
        }
    }
    results.print();
    results.write(&bench_folder.join("e2e.json"))?;
    if results.sound() && !options.keep && bench.work.exists() {
        std::fs::remove_dir_all(&bench.work).with_context(|| format!("delete {}", bench.work.display()))?;
    }
    Ok(results.sound())
}

type PartRun = fn(&Bench, &mut Results) -> anyhow::Result<()>;

/// Waits until `records` records are held; an error when nothing has come for a while. Takes note of memory meanwhile.
fn wait_for_records(client: &Client, processes: &mut [&mut Process], records: u64) -> anyhow::Result<()> {
    let (mut held, mut changed) = (0, Instant::now());
    loop {
        for process in processes.iter_mut() {
            process.ensure_running()?;
            process.observe();
        }
        let now = client.records()?;
        if now >= records {
            return Ok(());
        }
        if now != held {
            (held, changed) = (now, Instant::now());
        }
        ensure!(
            changed.elapsed() < STALL_DEADLINE,
            "{held} of {records} records are held, no more for {STALL_DEADLINE:?}"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Waits until the agent says that all is acknowledged.
fn wait_for_acknowledgement(client: &Client, processes: &mut [&mut Process]) -> anyhow::Result<()> {
    let begin = Instant::now();
    loop {
        let unread = client.unread_bytes()?;
        if unread == Some(0) {
            return Ok(());
        }
        for process in processes.iter_mut() {
            process.ensure_running()?;
            process.observe();
        }
        ensure!(begin.elapsed() < STALL_DEADLINE, "after {STALL_DEADLINE:?} agents still say {unread:?} unread bytes");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The value below which `share` of the sorted values lie.
fn percentile(sorted: &[f64], share: f64) -> f64 {
    let index = (sorted.len() as f64 * share).ceil() as usize;
    sorted[index.clamp(1, sorted.len()) - 1]
}

fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles() {
        let values = sorted((1..=100).rev().map(f64::from).collect());
        assert_eq!(
            (percentile(&values, 0.5), percentile(&values, 0.99), percentile(&values, 1.0)),
            (50.0, 99.0, 100.0)
        );
        assert_eq!(percentile(&[7.0], 0.5), 7.0);
    }
}
