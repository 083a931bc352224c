//! An agent with 1,000 files that nobody writes to, after they were shipped.

use std::fmt::Write;
use std::time::Duration;

use anyhow::Context;
use fastrand::Rng;

use super::{Bench, STOP_DEADLINE, wait_for_acknowledgement, wait_for_records};
use crate::programs::{Aggregator, Source, start_agent};
use crate::report::Results;

const FILES: u32 = 1000;
const LINES_PER_FILE: u32 = 20;
/// Whatever follows the last acknowledgement (a checkpoint, a last reconcile) is over after it.
const CALMING: Duration = Duration::from_secs(5);
const WINDOW: Duration = Duration::from_secs(20);

pub fn run(bench: &Bench, results: &mut Results) -> anyhow::Result<()> {
    let work = bench.folder("idle")?;
    let logs = bench.folder("idle/logs")?;
    let mut random = Rng::with_seed(3);
    for file in 0..FILES {
        let mut text = String::new();
        for line in 0..LINES_PER_FILE {
            let (id, number) = (random.u128(1..), random.u32(..));
            writeln!(
                text,
                r#"{{"time":"2026-11-20T08:00:{line:02}.000Z","level":"INFO","trace_id":"{id:032x}","message":"request {number} of service {file} answered"}}"#
            )?;
        }
        std::fs::write(logs.join(format!("service-{file}.log")), text).context("write a quiet file")?;
    }
    let mut aggregator = Aggregator::start(&work, &work.join("data"), None)?;
    let client = aggregator.client();
    let source = Source { service: "{name}".into(), include: logs.join("{name}.log") };
    let mut agent = start_agent(&work, &aggregator.grpc, &[source])?;
    let records = u64::from(FILES * LINES_PER_FILE);
    wait_for_records(&client, &mut [&mut agent, &mut aggregator.process], records)?;
    wait_for_acknowledgement(&client, &mut [&mut agent, &mut aggregator.process])?;
    std::thread::sleep(CALMING);

    let begin_cpu_s = agent.live_cpu_s()?;
    std::thread::sleep(WINDOW);
    results.agent_idle_cpu_percent = Some((agent.live_cpu_s()? - begin_cpu_s) / WINDOW.as_secs_f64() * 100.0);
    results.agent_idle_rss_mb = Some(agent.resident_mb()?);
    agent.terminate(STOP_DEADLINE)?;
    aggregator.process.terminate(STOP_DEADLINE)?;
    Ok(())
}
