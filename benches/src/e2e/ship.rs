//! The whole corpus through both programs: CPU and memory of each in its whole life, throughput, bytes on disk.
//!
//! The aggregator's CPU time counts until it has ended, so that the last commit and its merges are in it.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;

use super::{Bench, STOP_DEADLINE, wait_for_acknowledgement, wait_for_records};
use crate::client::Client;
use crate::corpus::{Corpus, HOSTS, host_name};
use crate::process::Memory;
use crate::programs::{Aggregator, Source, start_agent};
use crate::report::Results;

/// What later parts go on with.
pub const FOLDER: &str = "ship";
/// Block units of `st_blocks`, whatever the file system's own.
const DISK_BLOCK_BYTES: u64 = 512;

pub fn run(bench: &Bench, results: &mut Results) -> anyhow::Result<()> {
    let work = bench.folder(FOLDER)?;
    let data_dir = data_dir(bench);
    let shipped = measure(&work, &data_dir, bench.corpus, &sources(bench)?, |_| Ok(()))?;
    results.agent_cpu_s_per_gb = Some(shipped.agent_cpu_s_per_gb);
    results.agent_rss_mb = Some(shipped.agent.peak_mb);
    results.agent_rss_anonymous_mb = Some(shipped.agent.anonymous_peak_mb);
    results.aggregator_cpu_s_per_gb = Some(shipped.aggregator_cpu_s_per_gb);
    results.aggregator_rss_mb = Some(shipped.aggregator.peak_mb);
    results.aggregator_rss_anonymous_mb = Some(shipped.aggregator.anonymous_peak_mb);
    results.disk_ratio = Some(bench.corpus.bytes as f64 / shipped.disk_bytes as f64);
    results.disk_bytes = Some(shipped.disk_bytes);
    results.ship_mb_per_s = Some(shipped.mb_per_s);
    Ok(())
}

/// What one corpus cost.
pub struct Shipped {
    pub agent_cpu_s_per_gb: f64,
    pub agent: Memory,
    pub aggregator_cpu_s_per_gb: f64,
    pub aggregator: Memory,
    pub disk_bytes: u64,
    pub mb_per_s: f64,
}

/// Ships a corpus through both programs; `inspect` may ask the aggregator for what it holds before it ends, and what the answers
/// cost does not count.
pub fn measure(
    work: &Path,
    data_dir: &Path,
    corpus: &Corpus,
    sources: &[Source],
    inspect: impl FnOnce(&Client) -> anyhow::Result<()>,
) -> anyhow::Result<Shipped> {
    let mut aggregator = Aggregator::start(work, data_dir, None)?;
    let client = aggregator.client();
    let begin = Instant::now();
    let mut agent = start_agent(work, &aggregator.grpc, sources)?;
    wait_for_records(&client, &mut [&mut agent, &mut aggregator.process], corpus.records)?;
    let elapsed = begin.elapsed();
    wait_for_acknowledgement(&client, &mut [&mut agent, &mut aggregator.process])?;
    let held = client.records()?;
    anyhow::ensure!(held == corpus.records, "{held} records are held of {}", corpus.records);

    let agent = agent.terminate(STOP_DEADLINE)?;
    let before_cpu_s = aggregator.process.cpu_s()?;
    inspect(&client)?;
    let inspect_cpu_s = aggregator.process.cpu_s()? - before_cpu_s;
    let aggregator = aggregator.process.terminate(STOP_DEADLINE)?;
    let gigabytes = corpus.bytes as f64 / 1e9;
    Ok(Shipped {
        agent_cpu_s_per_gb: agent.cpu_s / gigabytes,
        agent: agent.memory,
        aggregator_cpu_s_per_gb: (aggregator.cpu_s - inspect_cpu_s) / gigabytes,
        aggregator: aggregator.memory,
        disk_bytes: disk_bytes(data_dir)?,
        mb_per_s: corpus.bytes as f64 / 1e6 / elapsed.as_secs_f64(),
    })
}

/// Where the aggregator keeps the corpus.
pub fn data_dir(bench: &Bench) -> PathBuf {
    bench.work.join(FOLDER).join("data")
}

/// Where `visible` writes; empty until then.
pub fn live_folder(bench: &Bench) -> anyhow::Result<PathBuf> {
    bench.folder("live")
}

/// One source per host, and the live folder.
pub fn sources(bench: &Bench) -> anyhow::Result<Vec<Source>> {
    let mut sources = sources_of(bench.corpus);
    sources.push(Source { service: "live".into(), include: live_folder(bench)?.join("*.log") });
    Ok(sources)
}

/// One source per host.
pub fn sources_of(corpus: &Corpus) -> Vec<Source> {
    let include = |host| corpus.folder.join(host_name(host)).join("{name}.log");
    (0..HOSTS).map(|host| Source { service: "{name}".into(), include: include(host) }).collect()
}

/// Bytes that the file system gave to everything below `folder`.
pub fn disk_bytes(folder: &Path) -> anyhow::Result<u64> {
    let mut total = 0;
    for entry in std::fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        total += metadata.blocks() * DISK_BLOCK_BYTES;
        if metadata.is_dir() {
            total += disk_bytes(&entry.path())?;
        }
    }
    Ok(total)
}
