//! A file of gigabytes that nobody has read yet, beside a file that gets a line every 50 ms: how fresh the latter is while the
//! former is read, from each line's write to its being found through the HTTP API.
//!
//! The backlog is the corpus' lines, again and again, each time with other transaction IDs.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use super::visible::{follow, write};
use super::{Bench, STOP_DEADLINE, percentile, sorted, wait_for_acknowledgement, wait_for_records};
use crate::client::Client;
use crate::corpus::{Corpus, again};
use crate::programs::{Aggregator, Source, start_agent};
use crate::report::{BacklogResults, Results};

const LINE_INTERVAL: Duration = Duration::from_millis(50);

pub fn run(bench: &Bench, results: &mut Results) -> anyhow::Result<()> {
    let work = bench.folder("backlog")?;
    let (old, live) = (bench.folder("backlog/old")?, bench.folder("backlog/live")?);
    let (lines, bytes) = fill(&old.join("backlog.log"), bench.corpus, (bench.options.backlog_gb * 1e9) as u64)?;
    let mut aggregator = Aggregator::start(&work, &work.join("data"), None)?;
    let client = aggregator.client();
    let sources = [
        Source { service: "backlog".into(), include: old.join("*.log") },
        Source { service: "live".into(), include: live.join("*.log") },
    ];

    let begin = Instant::now();
    let mut agent = start_agent(&work, &aggregator.grpc, &sources)?;
    let done = Arc::new(AtomicBool::new(false));
    let (sender, written) = channel();
    let writer = std::thread::spawn({
        let (path, done) = (live.join("live.log"), Arc::clone(&done));
        move || write(&path, LINE_INTERVAL, &sender, |_| !done.load(Ordering::Relaxed))
    });
    let follower = std::thread::spawn({
        let client = Client::new(&aggregator.http);
        move || follow(&client, &written)
    });
    // A few hundred live lines are counted with the backlog's millions: too few to tell.
    let outcome = wait_for_records(&client, &mut [&mut agent, &mut aggregator.process], lines);
    let elapsed = begin.elapsed();
    done.store(true, Ordering::Relaxed);
    let live_lines = writer.join().expect("the writer does not panic")?;
    let delays = sorted(follower.join().expect("the follower does not panic")?);
    outcome?;
    ensure!(delays.len() as u64 == live_lines, "{} of {live_lines} live lines were found", delays.len());
    wait_for_acknowledgement(&client, &mut [&mut agent, &mut aggregator.process])?;
    let held = client.records()?;
    ensure!(held == lines + live_lines, "{held} records are held of {lines} and {live_lines} lines");

    let agent = agent.terminate(STOP_DEADLINE)?;
    let aggregator = aggregator.process.terminate(STOP_DEADLINE)?;
    results.backlog = Some(BacklogResults {
        bytes,
        records: lines,
        mb_per_s: bytes as f64 / 1e6 / elapsed.as_secs_f64(),
        live_lines,
        visible_ms_p50: percentile(&delays, 0.5),
        visible_ms_p99: percentile(&delays, 0.99),
        visible_ms_max: percentile(&delays, 1.0),
        agent_cpu_s_per_gb: agent.cpu_s / (bytes as f64 / 1e9),
        agent_rss_mb: agent.memory.peak_mb,
        aggregator_rss_mb: aggregator.memory.peak_mb,
    });
    // Gigabytes are not kept, whatever became of the other parts.
    std::fs::remove_dir_all(&work).with_context(|| format!("delete {}", work.display()))
}

/// Writes at least `bytes` bytes of whole lines; how many lines and bytes.
fn fill(path: &Path, corpus: &Corpus, bytes: u64) -> anyhow::Result<(u64, u64)> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let (mut lines, mut written) = (0, 0);
    let finder = corpus.files()?;
    let mut line = Vec::new();
    for (pass, path) in (0u32..).flat_map(|pass| finder.iter().map(move |path| (pass, path))) {
        let mut input = BufReader::with_capacity(1 << 20, File::open(path)?);
        loop {
            line.clear();
            if input.read_until(b'\n', &mut line)? == 0 {
                break;
            }
            if written >= bytes {
                out.flush()?;
                return Ok((lines, written));
            }
            again::renumber(&mut line, pass);
            out.write_all(&line)?;
            lines += 1;
            written += line.len() as u64;
        }
    }
    unreachable!("passes have no end")
}
