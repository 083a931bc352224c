//! A transaction by its ID: the first query after a restart with cold caches, and the median of many on one connection.
//! Each answer must hold as many records as were written.

use std::time::Instant;

use anyhow::{Context, ensure};
use fastrand::Rng;

use super::{Bench, STOP_DEADLINE, milliseconds, percentile, ship, sorted};
use crate::client::{Client, count_records};
use crate::programs::Aggregator;
use crate::report::Results;

const RESTARTS: usize = 7;
const WARM_QUERIES: usize = 500;
/// Before the measurement, so that warm means warm.
const WARMING_QUERIES: usize = 200;

pub fn run(bench: &Bench, results: &mut Results) -> anyhow::Result<()> {
    let work = bench.folder(ship::FOLDER)?;
    let mut random = Rng::with_seed(5);
    let mut cold = Vec::new();
    for _ in 0..RESTARTS {
        drop_caches();
        let aggregator = Aggregator::start(&work, &ship::data_dir(bench), None)?;
        cold.push(query(bench, &aggregator.client(), &mut random)?);
        aggregator.process.terminate(STOP_DEADLINE)?;
    }
    let aggregator = Aggregator::start(&work, &ship::data_dir(bench), None)?;
    let client = aggregator.client();
    for _ in 0..WARMING_QUERIES {
        query(bench, &client, &mut random)?;
    }
    let warm = (0..WARM_QUERIES).map(|_| query(bench, &client, &mut random)).collect::<Result<Vec<_>, _>>()?;
    aggregator.process.terminate(STOP_DEADLINE)?;
    let warm = sorted(warm);
    results.txn_cold_ms = Some(percentile(&sorted(cold), 0.5));
    results.txn_warm_ms = Some(percentile(&warm, 0.5));
    results.txn_warm_ms_p99 = Some(percentile(&warm, 0.99));
    Ok(())
}

/// One query of a random sampled ID; how long it took, in ms.
fn query(bench: &Bench, client: &Client, random: &mut Rng) -> anyhow::Result<f64> {
    let transactions = &bench.corpus.transactions;
    let (id, count) = &transactions[random.usize(..transactions.len())];
    ask(client, id, *count)
}

/// Asks for a transaction that has `count` records; how long it took, in ms.
pub fn ask(client: &Client, id: &str, count: u32) -> anyhow::Result<f64> {
    let begin = Instant::now();
    let body = client.transaction(id)?.with_context(|| format!("transaction {id} was not found"))?;
    let elapsed = begin.elapsed();
    let found = count_records(&body)?;
    ensure!(found == count as usize, "transaction {id} has {count} records, {found} were found");
    Ok(milliseconds(elapsed))
}

/// The page cache, when we are allowed to; otherwise a restart is as cold as it gets.
pub fn drop_caches() {
    rustix::fs::sync();
    if let Err(error) = std::fs::write("/proc/sys/vm/drop_caches", "3") {
        eprintln!("query: the page cache stays warm: {error}");
    }
}
