//! Very many records: shipped by agents pass by pass (see `passes`), then the aggregator is started on them: how long until it is ready,
//! how much memory it takes at rest and under queries, how fast it answers, and what all of it takes on disk.
//!
//! The corpus' words are those of one pass, so that a rare word stands as often in a thousand lines as in the small corpus; its transactions
//! are others in every pass, so the dictionary of IDs is as large as it would be.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use fastrand::Rng;
use serde::Serialize;

use super::passes::{self, Pass};
use super::query::{ask, drop_caches};
use super::{milliseconds, percentile, search, ship, sorted, wait_for_records};
use crate::client::Client;
use crate::corpus::{self, Corpus, Parameters, Shape, again};
use crate::process::Process;
use crate::programs::{Aggregator, start_agent};
use crate::questions::Questions;
use crate::reference::{self, Reference};
use crate::report::{Machine, show};

/// Records of a pass: those of the corpus that the budgets are set on.
const PASS_RECORDS: u64 = 2_000_000;
/// The last commit, and merges of gigabytes.
const STOP_DEADLINE: Duration = Duration::from_secs(900);
const READY_DEADLINE: Duration = Duration::from_secs(600);
/// Bytes of a line, about.
const LINE_BYTES: u64 = 325;
/// Raw bytes ÷ those on disk while segments are merged into larger ones.
const RATIO_WHILE_MERGING: u64 = 4;
/// Log, catalog, and what the aggregator wants to remain free.
const SPARE_BYTES: u64 = 3 << 30;
const RESTARTS: usize = 5;
const WARM_QUERIES: usize = 500;
const WARMING_QUERIES: usize = 200;
/// At rest means that it was left alone for so long.
const REST: Duration = Duration::from_secs(5);

#[derive(clap::Args, Clone, Debug)]
pub struct Options {
    /// Records to ingest.
    #[arg(long, default_value_t = 100_000_000)]
    records: u64,
    /// Agents that ship side by side, each the files of some of the six hosts.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=corpus::HOSTS as u64))]
    agents: u64,
    /// Every random choice of the corpus follows from it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Keep the aggregator's data in target/bench/large.
    #[arg(long)]
    keep: bool,
    /// Ask on what an earlier run with --keep and as many records left, and keep it.
    #[arg(long)]
    again: bool,
}

/// What was measured.
#[derive(Debug, Serialize)]
struct LargeResults {
    records: u64,
    #[serde(flatten)]
    ingest: Option<Ingest>,
    disk_bytes: u64,
    /// From the start of the program to its being ready, with cold caches.
    ready_ms: f64,
    rest_rss_mb: f64,
    rest_rss_anonymous_mb: f64,
    query_rss_mb: f64,
    query_rss_anonymous_mb: f64,
    txn_cold_ms: f64,
    txn_warm_ms: f64,
    txn_warm_ms_p99: f64,
    word_ms: f64,
    word_ms_p99: f64,
    phrase_ms: f64,
    phrase_ms_p99: f64,
    #[serde(flatten)]
    reference: Reference,
    machine: Machine,
}

/// What was measured while they came in.
#[derive(Debug, Serialize)]
struct Ingest {
    bytes: u64,
    agents: u64,
    lines_per_s: f64,
    mb_per_s: f64,
    aggregator_cpu_s_per_gb: f64,
    ingest_rss_mb: f64,
    /// The rest of it is files that are mapped: segments that are read or merged.
    ingest_rss_anonymous_mb: f64,
    disk_ratio: f64,
}

/// What became of the passes.
struct Ingested {
    records: u64,
    bytes: u64,
    elapsed: Duration,
    aggregator: crate::process::Usage,
}

/// Where everything is.
struct Large<'a> {
    work: PathBuf,
    corpus: Corpus,
    options: &'a Options,
}

/// Runs it, prints and writes what was measured.
pub fn run(bench_folder: &Path, options: &Options) -> anyhow::Result<()> {
    let work = bench_folder.join("large");
    ensure!(!options.again || work.exists(), "{} is missing: run with --keep first", work.display());
    if work.exists() && !options.again {
        std::fs::remove_dir_all(&work).with_context(|| format!("delete {}", work.display()))?;
    }
    if !options.again {
        ensure_space(bench_folder, options.records)?;
    }
    let parameters = Parameters { lines: PASS_RECORDS.min(options.records), seed: options.seed };
    let corpus = corpus::prepare(bench_folder, parameters, Shape::Json)?;
    std::fs::create_dir_all(&work).with_context(|| format!("make {}", work.display()))?;
    let large = Large { work, corpus, options };
    let results = large.measure()?;
    results.print();
    let mut text = serde_json::to_string_pretty(&results)?;
    text.push('\n');
    let path = bench_folder.join("large.json");
    std::fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
    if !options.keep && !options.again {
        std::fs::remove_dir_all(&large.work).with_context(|| format!("delete {}", large.work.display()))?;
    }
    Ok(())
}

/// An error that says how much is missing, before anything is written.
fn ensure_space(folder: &Path, records: u64) -> anyhow::Result<()> {
    let pass = PASS_RECORDS.min(records) * LINE_BYTES;
    // The corpus, a pass that is shipped and the next one.
    let needed = 3 * pass + records * LINE_BYTES / RATIO_WHILE_MERGING + SPARE_BYTES;
    let stat =
        rustix::fs::statvfs(folder).with_context(|| format!("ask for the free space of {}", folder.display()))?;
    let free = stat.f_bavail * stat.f_frsize;
    let gb = |bytes: u64| bytes as f64 / 1e9;
    eprintln!("{records} records need {:.1} GB of disk; {:.1} GB are free", gb(needed), gb(free));
    ensure!(
        free >= needed,
        "{} has {:.1} GB free, and {records} records need {:.1} GB: make room, or ask for fewer with --records",
        folder.display(),
        gb(free),
        gb(needed)
    );
    Ok(())
}

impl Large<'_> {
    fn measure(&self) -> anyhow::Result<LargeResults> {
        let reference = reference::measure(&self.corpus.files()?)?;
        let ingested = if self.options.again { None } else { Some(self.ingest()?) };
        let disk_bytes = ship::disk_bytes(&self.data_dir())?;

        let mut random = Rng::with_seed(11);
        let (mut ready, mut cold) = (Vec::new(), Vec::new());
        for _ in 0..RESTARTS {
            drop_caches();
            let (aggregator, ready_ms) = self.start()?;
            ready.push(ready_ms);
            cold.push(self.transaction(&aggregator.client(), &mut random)?);
            aggregator.process.terminate(STOP_DEADLINE)?;
        }

        let (aggregator, _) = self.start()?;
        let client = aggregator.client();
        std::thread::sleep(REST);
        let rest = resident(&aggregator.process)?;
        for _ in 0..WARMING_QUERIES {
            self.transaction(&client, &mut random)?;
        }
        let transactions =
            sorted((0..WARM_QUERIES).map(|_| self.transaction(&client, &mut random)).collect::<Result<_, _>>()?);
        let questions = Questions::new();
        let words = search::warm(&client, || questions.word(&mut random))?;
        let phrases = search::warm(&client, || questions.phrase(&mut random))?;
        let under_queries = resident(&aggregator.process)?;
        aggregator.process.terminate(STOP_DEADLINE)?;

        Ok(LargeResults {
            records: self.options.records,
            ingest: ingested.map(|ingested| ingested.figures(self.options.agents, disk_bytes)),
            disk_bytes,
            ready_ms: percentile(&sorted(ready), 0.5),
            rest_rss_mb: rest.0,
            rest_rss_anonymous_mb: rest.1,
            query_rss_mb: under_queries.0,
            query_rss_anonymous_mb: under_queries.1,
            txn_cold_ms: percentile(&sorted(cold), 0.5),
            txn_warm_ms: percentile(&transactions, 0.5),
            txn_warm_ms_p99: percentile(&transactions, 0.99),
            word_ms: percentile(&words, 0.5),
            word_ms_p99: percentile(&words, 0.99),
            phrase_ms: percentile(&phrases, 0.5),
            phrase_ms_p99: percentile(&phrases, 0.99),
            reference,
            machine: Machine::this(),
        })
    }

    fn data_dir(&self) -> PathBuf {
        self.work.join("data")
    }

    /// How many records a pass has.
    fn pass_records(&self, number: u32) -> u64 {
        let before = u64::from(number) * self.corpus.records;
        self.corpus.records.min(self.options.records.saturating_sub(before))
    }

    /// Ships pass after pass; the next one is written meanwhile.
    fn ingest(&self) -> anyhow::Result<Ingested> {
        let folder = self.work.join("logs");
        let mut aggregator = Aggregator::start(&self.work, &self.data_dir(), None)?;
        let client = aggregator.client();
        let mut agents = Vec::new();
        for agent in 0..self.options.agents {
            let sources = passes::sources(&folder, |host| host as u64 % self.options.agents == agent)?;
            let state = self.work.join(format!("agent-{agent}"));
            std::fs::create_dir_all(&state).with_context(|| format!("make {}", state.display()))?;
            agents.push(start_agent(&state, &aggregator.grpc, &sources)?);
        }
        let (mut records, mut bytes) = (0, 0);
        let mut next = Some(Pass::write(&folder, &self.corpus, 0, self.pass_records(0))?);
        let begin = Instant::now();
        for number in 1.. {
            let Some(mut pass) = next.take() else { break };
            pass.begin()?;
            (records, bytes) = (records + pass.records, bytes + pass.bytes);
            let (folder, corpus) = (&folder, &self.corpus);
            next = std::thread::scope(|scope| {
                let more = self.pass_records(number);
                let writer =
                    scope.spawn(move || (more > 0).then(|| Pass::write(folder, corpus, number, more)).transpose());
                let mut processes: Vec<&mut Process> = agents.iter_mut().collect();
                processes.push(&mut aggregator.process);
                wait_for_records(&client, &mut processes, records)?;
                writer.join().expect("the writer does not panic")
            })?;
            eprintln!("{records} records after {:.0} s", begin.elapsed().as_secs_f64());
            pass.delete()?;
        }
        let elapsed = begin.elapsed();
        ensure!(client.records()? == records, "{} records are held of {records}", client.records()?);
        for agent in agents {
            agent.terminate(STOP_DEADLINE)?;
        }
        Ok(Ingested { records, bytes, elapsed, aggregator: aggregator.process.terminate(STOP_DEADLINE)? })
    }

    /// Starts the aggregator on what was ingested; after how many ms it was ready.
    fn start(&self) -> anyhow::Result<(Aggregator, f64)> {
        let begin = Instant::now();
        let aggregator = Aggregator::start(&self.work, &self.data_dir(), None)?;
        let client = aggregator.client();
        while !client.is_ready() {
            ensure!(
                begin.elapsed() < READY_DEADLINE,
                "not ready after {READY_DEADLINE:?}: {}",
                aggregator.process.log()
            );
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok((aggregator, milliseconds(begin.elapsed())))
    }

    /// Asks for a sampled transaction of any pass; how long it took, in ms.
    fn transaction(&self, client: &Client, random: &mut Rng) -> anyhow::Result<f64> {
        // Of the last pass there may be a part only.
        let whole_passes = (self.options.records / self.corpus.records) as u32;
        let pass = random.u32(..whole_passes);
        let (id, count) = &self.corpus.transactions[random.usize(..self.corpus.transactions.len())];
        ask(client, &again::renumbered(id, pass), *count)
    }
}

impl Ingested {
    fn figures(&self, agents: u64, disk_bytes: u64) -> Ingest {
        let Self { records, bytes, elapsed, aggregator } = self;
        Ingest {
            bytes: *bytes,
            agents,
            lines_per_s: *records as f64 / elapsed.as_secs_f64(),
            mb_per_s: *bytes as f64 / 1e6 / elapsed.as_secs_f64(),
            aggregator_cpu_s_per_gb: aggregator.cpu_s / (*bytes as f64 / 1e9),
            ingest_rss_mb: aggregator.memory.peak_mb,
            ingest_rss_anonymous_mb: aggregator.memory.anonymous_peak_mb,
            disk_ratio: *bytes as f64 / disk_bytes as f64,
        }
    }
}

/// All resident memory, and that which no file backs, in MB.
fn resident(process: &Process) -> anyhow::Result<(f64, f64)> {
    Ok((process.resident_mb()?, process.anonymous_mb()?))
}

impl LargeResults {
    /// Prints every field.
    fn print(&self) {
        println!();
        let value = serde_json::to_value(self).expect("numbers are JSON");
        let fields = value.as_object().into_iter().flatten();
        for (name, value) in fields.filter_map(|(name, value)| Some((name, value.as_f64()?))) {
            println!("{name:<26}{:>14}", show(Some(value)));
        }
        let Machine { cpu, cores, kernel, commit, date, .. } = &self.machine;
        println!("\n{cpu}, {cores} cores, Linux {kernel}; {commit}, {date}");
    }
}
