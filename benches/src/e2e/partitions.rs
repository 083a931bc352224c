//! A start on hundreds of days: how long until the program is ready, what it holds open, and how long an ID takes that is in one of them.
//! One day is shipped, a few commits of it; the others are the same files under other names.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, ensure};
use fastrand::Rng;

use super::query::drop_caches;
use super::{Bench, STOP_DEADLINE, milliseconds, percentile, sorted, wait_for_records};
use crate::programs::{Aggregator, Source, start_agent};
use crate::report::Results;

const DAYS: usize = 400;
/// Commits of a day: so many segments.
const COMMITS: usize = 6;
const COMMIT_TRANSACTIONS: usize = 2_000;
const TRANSACTION_RECORDS: usize = 5;
const WARM_QUERIES: usize = 200;
/// No partition is too old.
const CONFIG: &str = "[retention]\nmax_age = '2000d'\n";

pub fn run(bench: &Bench, results: &mut Results) -> anyhow::Result<()> {
    let work = bench.folder("partitions")?;
    let data = work.join("data");
    let ids = ship(&work, &data)?;
    multiply(&data.join("partitions"))?;
    let begin = Instant::now();
    drop_caches();
    let aggregator = Aggregator::start_with(&work, &data, None, CONFIG)?;
    let client = aggregator.client();
    while !client.is_ready() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    results.days_ready_ms = Some(milliseconds(begin.elapsed()));
    results.days_rest_rss_mb = Some(aggregator.process.resident_mb()?);
    let mut random = Rng::with_seed(5);
    let mut times = Vec::new();
    for number in 0..=WARM_QUERIES {
        let begin = Instant::now();
        let answer = client.transaction(&ids[random.usize(..ids.len())])?;
        let elapsed = milliseconds(begin.elapsed());
        ensure!(answer.is_some(), "a transaction is not found");
        match number {
            0 => results.days_txn_cold_ms = Some(elapsed),
            _ => times.push(elapsed),
        }
    }
    results.days_txn_warm_ms = Some(percentile(&sorted(times), 0.5));
    results.days_descriptors = Some(aggregator.process.descriptors()? as f64);
    results.days_rss_mb = Some(aggregator.process.resident_mb()?);
    aggregator.process.terminate(STOP_DEADLINE)?;
    Ok(())
}

/// Ships a day of few lines, and gives the IDs in it.
fn ship(work: &Path, data: &Path) -> anyhow::Result<Vec<String>> {
    let mut random = Rng::with_seed(17);
    let log = work.join("service.log");
    let mut ids = Vec::new();
    let mut lines = 0;
    for _ in 0..COMMITS {
        let mut text = String::new();
        for _ in 0..COMMIT_TRANSACTIONS {
            let id = format!("{:032x}", random.u128(1 << 100..));
            for record in 0..TRANSACTION_RECORDS {
                let time = jiff::Timestamp::now();
                writeln!(
                    text,
                    "{{\"time\":\"{time}\",\"level\":\"info\",\"trace_id\":\"{id}\",\"msg\":\"step {record}\"}}"
                )?;
                lines += 1;
            }
            ids.push(id);
        }
        append(&log, &text)?;
        let mut aggregator = Aggregator::start(work, data, None)?;
        let sources = [Source { service: "service".into(), include: log.clone() }];
        let mut agent = start_agent(work, &aggregator.grpc, &sources)?;
        wait_for_records(&aggregator.client(), &mut [&mut agent, &mut aggregator.process], lines)?;
        agent.terminate(STOP_DEADLINE)?;
        aggregator.process.terminate(STOP_DEADLINE)?;
    }
    Ok(ids)
}

fn append(path: &Path, text: &str) -> anyhow::Result<()> {
    use std::io::Write as _;
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path)?;
    file.write_all(text.as_bytes()).with_context(|| format!("write {}", path.display()))
}

/// The same day, hundreds of times: files never change, so that links will do; the list of them is a file of its own.
fn multiply(root: &Path) -> anyhow::Result<()> {
    let day = std::fs::read_dir(root)?.next().context("a day was shipped")??.path();
    let name = day.file_name().and_then(|name| name.to_str()).context("a day has a name")?;
    let last: jiff::civil::Date = name.parse().with_context(|| format!("{name} is no day"))?;
    for days in 1..DAYS {
        let other = root.join(last.checked_sub(jiff::Span::new().days(days as i64))?.to_string());
        std::fs::create_dir(&other)?;
        for entry in std::fs::read_dir(&day)? {
            let path = entry?.path();
            let target = other.join(path.file_name().context("a file has a name")?);
            if path.extension().is_some_and(|kind| kind == "json" || kind == "lock") {
                std::fs::copy(&path, &target)?;
            } else {
                std::fs::hard_link(&path, &target)?;
            }
        }
    }
    Ok(())
}
