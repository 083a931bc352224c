//! The corpus in another shape than JSON: what it costs, and whether every record is held, once.
//!
//! The sum of all records tells of lines that were joined or split wrongly; of the sampled transactions each is counted on its own.

use super::{Bench, ship};
use crate::client::{Client, count_records};
use crate::corpus::{self, Corpus, Shape};
use crate::report::ShapeResults;

/// Ships the corpus in that shape.
pub fn run(bench: &Bench, shape: Shape) -> anyhow::Result<ShapeResults> {
    let corpus = corpus::prepare(bench.folder, bench.options.parameters, shape)?;
    let work = bench.folder(&format!("{:?}", corpus.shape).to_lowercase())?;
    let data_dir = work.join("data");
    let (mut lost, mut twice) = (0, 0);
    let shipped = ship::measure(&work, &data_dir, &corpus, &ship::sources_of(&corpus), |client| {
        (lost, twice) = account(client, &corpus)?;
        Ok(())
    })?;
    std::fs::remove_dir_all(&data_dir)?;
    Ok(ShapeResults {
        agent_cpu_s_per_gb: shipped.agent_cpu_s_per_gb,
        agent_rss_mb: shipped.agent.peak_mb,
        aggregator_cpu_s_per_gb: shipped.aggregator_cpu_s_per_gb,
        aggregator_rss_mb: shipped.aggregator.peak_mb,
        disk_ratio: corpus.bytes as f64 / shipped.disk_bytes as f64,
        mb_per_s: shipped.mb_per_s,
        records: corpus.records,
        bytes: corpus.bytes,
        transactions: corpus.transactions.len() as u64,
        lost,
        twice,
    })
}

/// Records of the sampled transactions that are missing, and those that are too many.
fn account(client: &Client, corpus: &Corpus) -> anyhow::Result<(u64, u64)> {
    let (mut lost, mut twice) = (0, 0);
    for (id, expected) in &corpus.transactions {
        let found = match client.transaction(id)? {
            Some(body) => count_records(&body)? as u64,
            None => 0,
        };
        lost += u64::from(*expected).saturating_sub(found);
        twice += found.saturating_sub(u64::from(*expected));
    }
    Ok((lost, twice))
}
