//! One transaction as its page shows it: of 20, 1,000 and 100,000 records, which lie among others in the files of six services, on
//! disk and warm. Measured is the whole answer over HTTP: finding the records, bridges, order, lanes, templates, the first 500 records.

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Instant;

use anyhow::ensure;
use fastrand::Rng;

use super::{Bench, STOP_DEADLINE, milliseconds, percentile, sorted, wait_for_records};
use crate::programs::{Aggregator, Source, start_agent};
use crate::report::Results;

const SIZES: [usize; 3] = [20, 1_000, 100_000];
const SERVICES: usize = 6;
/// Lines of other transactions for each line of these.
const OTHERS: usize = 2;
const WARMING_QUERIES: usize = 5;
const QUERIES: usize = 30;

pub fn run(bench: &Bench, results: &mut Results) -> anyhow::Result<()> {
    let work = bench.folder("assembly")?;
    let mut random = Rng::with_seed(11);
    let ids = SIZES.map(|_| format!("{:032x}", random.u128(1 << 100..)));
    let mut files = vec![String::new(); SERVICES];
    let mut time = jiff::Timestamp::now().as_nanosecond() - 3_600_000_000_000;
    let mut lines = 0;
    for (size, id) in SIZES.iter().zip(&ids) {
        for number in 0..*size {
            for other in 0..=OTHERS {
                time += random.i128(100_000..400_000);
                let id = if other == 0 { id.clone() } else { format!("{:032x}", random.u128(1 << 100..)) };
                line(&mut files[random.usize(..SERVICES)], time, &id, number, &mut random)?;
                lines += 1;
            }
        }
    }
    let mut sources = Vec::new();
    for (number, text) in files.iter().enumerate() {
        let path = work.join(format!("service-{number}.log"));
        std::fs::File::create(&path)?.write_all(text.as_bytes())?;
        sources.push(Source { service: format!("service-{number}"), include: path });
    }
    let data = work.join("data");
    let mut aggregator = Aggregator::start(&work, &data, None)?;
    let mut agent = start_agent(&work, &aggregator.grpc, &sources)?;
    wait_for_records(&aggregator.client(), &mut [&mut agent, &mut aggregator.process], lines)?;
    agent.terminate(STOP_DEADLINE)?;
    aggregator.process.terminate(STOP_DEADLINE)?;

    let aggregator = Aggregator::start(&work, &data, None)?;
    let client = aggregator.client();
    let mut medians = [0.0; SIZES.len()];
    for ((size, id), median) in SIZES.into_iter().zip(&ids).zip(&mut medians) {
        let mut times = Vec::new();
        for number in 0..WARMING_QUERIES + QUERIES {
            let begin = Instant::now();
            let (status, body) = client.get(&format!("/api/v1/transactions/{id}"), "application/json")?;
            let elapsed = milliseconds(begin.elapsed());
            if number == 0 {
                let answer: serde_json::Value = serde_json::from_slice(&body)?;
                let records = answer["summary"]["records"].as_u64();
                ensure!(status == 200 && records == Some(size as u64), "{id}: status {status}, {records:?} of {size}");
            }
            if number >= WARMING_QUERIES {
                times.push(elapsed);
            }
        }
        *median = percentile(&sorted(times), 0.5);
    }
    [results.txn_20_ms, results.txn_1000_ms, results.txn_100000_ms] = medians.map(Some);
    aggregator.process.terminate(STOP_DEADLINE)?;
    Ok(())
}

fn line(out: &mut String, time: i128, id: &str, number: usize, random: &mut Rng) -> anyhow::Result<()> {
    let time = jiff::Timestamp::from_nanosecond(time)?;
    let (level, said) = match random.u8(..50) {
        0 => ("error", "payment was declined"),
        1..=9 => ("warn", "answer came late"),
        10..=29 => ("info", "item was reserved"),
        _ => ("info", "request is handled"),
    };
    let (span, item, took) = (random.u64(1..), random.u32(..100_000), random.u32(..5_000));
    writeln!(
        out,
        "{{\"time\":\"{time}\",\"level\":\"{level}\",\"trace_id\":\"{id}\",\"span_id\":\"{span:016x}\",\"msg\":\"{said}\",\
         \"step\":{number},\"item\":\"item-{item}\",\"duration_ms\":{took},\"path\":\"/api/v1/orders/{item}/items\"}}"
    )?;
    Ok(())
}
