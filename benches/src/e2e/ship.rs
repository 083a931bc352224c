//! The whole corpus through both programs: CPU and memory of each in its whole life, throughput, bytes on disk.
//!
//! The aggregator's CPU time counts until it has ended, so that the last commit and its merges are in it.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;

use super::{Bench, STOP_DEADLINE, wait_for_acknowledgement, wait_for_records};
use crate::corpus::{HOSTS, host_name};
use crate::programs::{Aggregator, Source, start_agent};
use crate::report::Results;

/// What later parts go on with.
pub const FOLDER: &str = "ship";
/// Block units of `st_blocks`, whatever the file system's own.
const DISK_BLOCK_BYTES: u64 = 512;

pub fn run(bench: &Bench, results: &mut Results) -> anyhow::Result<()> {
    let work = bench.folder(FOLDER)?;
    let mut aggregator = Aggregator::start(&work, &data_dir(bench), None)?;
    let client = aggregator.client();
    let begin = Instant::now();
    let mut agent = start_agent(&work, &aggregator.grpc, &sources(bench)?)?;
    wait_for_records(&client, &mut [&mut agent, &mut aggregator.process], bench.corpus.lines)?;
    let elapsed = begin.elapsed();
    wait_for_acknowledgement(&client, &mut [&mut agent, &mut aggregator.process])?;
    let held = client.records()?;
    anyhow::ensure!(held == bench.corpus.lines, "{held} records are held of {} lines", bench.corpus.lines);

    let agent = agent.terminate(STOP_DEADLINE)?;
    let aggregator = aggregator.process.terminate(STOP_DEADLINE)?;
    let gigabytes = bench.corpus.bytes as f64 / 1e9;
    let disk_bytes = disk_bytes(&data_dir(bench))?;
    results.agent_cpu_s_per_gb = Some(agent.cpu_s / gigabytes);
    results.agent_rss_mb = Some(agent.memory.peak_mb);
    results.agent_rss_anonymous_mb = Some(agent.memory.anonymous_peak_mb);
    results.aggregator_cpu_s_per_gb = Some(aggregator.cpu_s / gigabytes);
    results.aggregator_rss_mb = Some(aggregator.memory.peak_mb);
    results.aggregator_rss_anonymous_mb = Some(aggregator.memory.anonymous_peak_mb);
    results.disk_ratio = Some(bench.corpus.bytes as f64 / disk_bytes as f64);
    results.disk_bytes = Some(disk_bytes);
    results.ship_mb_per_s = Some(bench.corpus.bytes as f64 / 1e6 / elapsed.as_secs_f64());
    Ok(())
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
    let mut sources: Vec<Source> = (0..HOSTS)
        .map(|host| Source {
            service: "{name}".into(),
            include: bench.corpus.folder.join(host_name(host)).join("{name}.log"),
        })
        .collect();
    sources.push(Source { service: "live".into(), include: live_folder(bench)?.join("*.log") });
    Ok(sources)
}

/// Bytes that the file system gave to everything below `folder`.
fn disk_bytes(folder: &Path) -> anyhow::Result<u64> {
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
