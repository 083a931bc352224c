//! An agent with 10,000 files that nobody writes to: how long and how much CPU it takes to ship them from a cold start, what it
//! needs while they are quiet, and the same after a restart that finds its checkpoint.

use std::fmt::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use fastrand::Rng;
use jiff::Timestamp;

use super::{Bench, STALL_DEADLINE, STOP_DEADLINE, wait_for_acknowledgement, wait_for_records};
use crate::client::Client;
use crate::process::Process;
use crate::programs::{Aggregator, Source, start_agent};
use crate::report::{QuietResults, Results};

const DIRECTORIES: u32 = 40;
/// A few KB each.
const LINES_PER_FILE: std::ops::RangeInclusive<u32> = 8..=32;
/// Whatever follows the last acknowledgement (a checkpoint, a last reconcile) is over after it.
const CALMING: Duration = Duration::from_secs(10);
const WINDOW: Duration = Duration::from_secs(30);

pub fn run(bench: &Bench, results: &mut Results) -> anyhow::Result<()> {
    let work = bench.folder("quiet")?;
    let files = bench.options.quiet_files;
    let (records, bytes) = write(&bench.folder("quiet/logs")?, files)?;
    let mut aggregator = Aggregator::start(&work, &work.join("data"), None)?;
    let client = aggregator.client();
    let source = [Source { service: "{name}".into(), include: work.join("logs/{name}/*.log") }];

    let begin = Instant::now();
    let mut agent = start_agent(&work, &aggregator.grpc, &source)?;
    wait_for_records(&client, &mut [&mut agent, &mut aggregator.process], records)?;
    wait_for_acknowledgement(&client, &mut [&mut agent, &mut aggregator.process])?;
    let (settle_s, settle_cpu_s) = (begin.elapsed().as_secs_f64(), agent.cpu_s()?);
    let cold = idle(&agent)?;
    agent.observe();
    let peak_mb = agent.terminate(STOP_DEADLINE)?.memory.peak_mb;

    let (begin, begin_time) = (Instant::now(), Timestamp::now());
    let mut agent = start_agent(&work, &aggregator.grpc, &source)?;
    wait_for_watermark(&client, &mut agent, begin_time)?;
    let (restart_settle_s, restart_settle_cpu_s) = (begin.elapsed().as_secs_f64(), agent.cpu_s()?);
    let restarted = idle(&agent)?;
    agent.terminate(STOP_DEADLINE)?;
    let held = client.records()?;
    ensure!(held == records, "{held} records are held of {records} that were written");
    aggregator.process.terminate(STOP_DEADLINE)?;
    results.quiet = Some(QuietResults {
        files,
        bytes,
        settle_s,
        settle_cpu_s,
        peak_rss_mb: peak_mb,
        cpu_percent: cold.cpu_percent,
        rss_mb: cold.rss_mb,
        descriptors: cold.descriptors,
        restart_settle_s,
        restart_settle_cpu_s,
        restart_cpu_percent: restarted.cpu_percent,
        restart_rss_mb: restarted.rss_mb,
        restart_descriptors: restarted.descriptors,
    });
    Ok(())
}

/// What an agent needs while nothing happens.
struct Idle {
    cpu_percent: f64,
    rss_mb: f64,
    descriptors: usize,
}

fn idle(agent: &Process) -> anyhow::Result<Idle> {
    std::thread::sleep(CALMING);
    let (begin, begin_cpu_s) = (Instant::now(), agent.live_cpu_s()?);
    std::thread::sleep(WINDOW);
    let cpu_percent = (agent.live_cpu_s()? - begin_cpu_s) / begin.elapsed().as_secs_f64() * 100.0;
    Ok(Idle { cpu_percent, rss_mb: agent.resident_mb()?, descriptors: agent.descriptors()? })
}

/// Writes the files; how many records and bytes.
fn write(logs: &Path, files: u32) -> anyhow::Result<(u64, u64)> {
    let mut random = Rng::with_seed(3);
    for directory in 0..DIRECTORIES {
        std::fs::create_dir_all(logs.join(format!("service-{directory}"))).context("make a folder of quiet files")?;
    }
    let (mut records, mut bytes) = (0, 0);
    for file in 0..files {
        let mut text = String::new();
        for line in 0..random.u32(LINES_PER_FILE) {
            let (id, number) = (random.u128(1..), random.u32(..));
            writeln!(
                text,
                r#"{{"time":"2026-11-20T08:00:{line:02}.000Z","level":"INFO","trace_id":"{id:032x}","message":"request {number} of shard {file} answered"}}"#
            )?;
            records += 1;
        }
        bytes += text.len() as u64;
        let folder = logs.join(format!("service-{}", file % DIRECTORIES));
        std::fs::write(folder.join(format!("shard-{file}.log")), text).context("write a quiet file")?;
    }
    Ok((records, bytes))
}

/// Until the agent says that everything that its files held after `begin` is shipped: it has looked at all of them again.
fn wait_for_watermark(client: &Client, agent: &mut Process, begin: Timestamp) -> anyhow::Result<()> {
    let started = Instant::now();
    while client.watermark()?.is_none_or(|watermark| watermark < begin) {
        agent.ensure_running()?;
        agent.observe();
        ensure!(started.elapsed() < STALL_DEADLINE, "no watermark for {STALL_DEADLINE:?} after a restart");
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
