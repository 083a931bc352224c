//! Transactions in a list: the newest fifty and the summary of all, over five million rows. The partition is written directly, as commits of
//! 100,000 transactions would leave it, because the lines of five million transactions are a hundred million.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, ensure};
use clew_aggregator::block::standing::Standing;
use clew_aggregator::block::transactions::ROWS_MAX;
use clew_aggregator::block::transactions::share::{Share, Touched};
use clew_aggregator::id::Canonical;
use clew_aggregator::index::document::IndexDocument;
use clew_aggregator::index::partition::{CommitPayload, Partition};
use clew_aggregator::index::schema::kind;
use fastrand::Rng;
use serde_json::Value;

use super::{Bench, STOP_DEADLINE, milliseconds, percentile, sorted};
use crate::client::Client;
use crate::programs::Aggregator;
use crate::report::Results;
use crate::templates::services;

const TRANSACTIONS: usize = 5_000_000;
/// Transactions of a commit.
const COMMIT_TRANSACTIONS: usize = 100_000;
/// Those of the commit before that go on in a commit.
const COMMIT_CONTINUED: usize = 500;
/// Between the beginnings of two transactions, on average, ns: five million take five hours.
const APART_NS: i64 = 3_600_000;
const WARMING_QUERIES: usize = 5;
const QUERIES: usize = 40;
/// Services through which requests come in.
const ENTRIES: usize = 3;

pub fn run(bench: &Bench, results: &mut Results) -> anyhow::Result<()> {
    let work = bench.folder("list")?;
    let data = work.join("data");
    let begin = Instant::now();
    write(&data.join("partitions"))?;
    eprintln!("list: {TRANSACTIONS} transactions written in {:.0} s", begin.elapsed().as_secs_f64());
    let aggregator = Aggregator::start(&work, &data, None)?;
    let client = aggregator.client();
    let all = client.transactions("")?;
    let count = all["summary"]["transactions"].as_u64();
    ensure!(count == Some(TRANSACTIONS as u64), "{count:?} transactions are counted of {TRANSACTIONS}");
    results.txn_list_ms = Some(ask(&client, "")?);
    results.txn_list_errors_ms = Some(ask(&client, "&errors=true")?);
    let service = services()[ENTRIES].name;
    results.txn_list_slow_ms = Some(ask(&client, &format!("&min_duration=1s&service={service}"))?);
    results.txn_list_rss_mb = Some(aggregator.process.resident_mb()?);
    aggregator.process.terminate(STOP_DEADLINE)?;
    Ok(())
}

/// How long the answer takes, in ms: the median of many.
fn ask(client: &Client, parameters: &str) -> anyhow::Result<f64> {
    let mut times = Vec::new();
    for number in 0..WARMING_QUERIES + QUERIES {
        let begin = Instant::now();
        let answer = client.transactions(parameters)?;
        let elapsed = milliseconds(begin.elapsed());
        let shown = answer["transactions"].as_array().map(Vec::len);
        ensure!(shown == Some(50) && answer["meta"]["partial"] == false, "{parameters}: {shown:?}, {}", answer["meta"]);
        if number >= WARMING_QUERIES {
            times.push(elapsed);
        }
    }
    Ok(percentile(&sorted(times), 0.5))
}

/// Today's partition.
fn write(root: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(root).with_context(|| format!("make {}", root.display()))?;
    let now = jiff::Timestamp::now().as_nanosecond() as i64;
    let partition = Partition::open(root, now.div_euclid(86_400_000_000_000))?;
    let mut writer = partition.writer()?;
    let names: Vec<Arc<str>> = services().iter().map(|service| Arc::from(service.name)).collect();
    let mut random = Rng::with_seed(3);
    let mut began = now - APART_NS * TRANSACTIONS as i64;
    let mut before: Vec<(Canonical, Share)> = Vec::new();
    for _ in 0..TRANSACTIONS / COMMIT_TRANSACTIONS {
        let continued: Vec<_> = before
            .iter()
            .rev()
            .take(COMMIT_CONTINUED)
            .map(|(id, share)| (id.clone(), transaction(&mut random, &names, share.time_max)))
            .collect();
        let mut rows = Vec::with_capacity(COMMIT_TRANSACTIONS);
        for _ in 0..COMMIT_TRANSACTIONS {
            began += random.i64(0..2 * APART_NS / 1_000) * 1_000;
            rows.push((Canonical::Number(random.u128(..)), transaction(&mut random, &names, began)));
        }
        for (kind, rows) in [(kind::TRANSACTIONS, &rows), (kind::CONTINUED, &continued)] {
            let rows: Vec<_> = rows.iter().map(|(id, share)| (id, share)).collect();
            for rows in rows.chunks(ROWS_MAX) {
                writer.add_document(IndexDocument::transactions(&partition.fields, kind, rows))?;
            }
        }
        let mut prepared = writer.prepare_commit()?;
        prepared.set_payload(&CommitPayload::new(0).text());
        prepared.commit()?;
        before = rows;
    }
    writer.wait_merging_threads()?;
    Ok(())
}

/// One that begins at `began`: 3 to 8 services, 20 records, most of it within 100 ms, some of it slower, one in fifty with errors.
fn transaction(random: &mut Rng, names: &[Arc<str>], began: i64) -> Share {
    let entry = random.usize(..ENTRIES);
    let mut others: Vec<usize> = (0..names.len()).filter(|service| *service != entry).collect();
    random.shuffle(&mut others);
    let services = std::iter::once(entry).chain(others.into_iter().take(random.usize(2..8)));
    let milliseconds = (random.f64() * 3.0 + random.f64() * 3.0).exp() * 4.0;
    Share {
        time_min: began,
        time_max: began + (milliseconds * 1_000.0) as i64 * 1_000,
        records: random.u64(10..30),
        errors: if random.u8(..50) == 0 { random.u64(1..4) } else { 0 },
        services: services.map(|service| Touched { service: Arc::clone(&names[service]), first: began }).collect(),
        standing: Standing::unknown(),
    }
}

impl Client {
    fn transactions(&self, parameters: &str) -> anyhow::Result<Value> {
        let (status, body) = self.get(&format!("/api/v1/transactions?limit=50{parameters}"), "application/json")?;
        ensure!(status == 200, "transactions{parameters}: status {status}: {}", String::from_utf8_lossy(&body));
        Ok(serde_json::from_slice(&body)?)
    }
}
