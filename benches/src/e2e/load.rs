//! Twenty clients that search without a pause while an agent ships the corpus at full speed, into what is there already: how long
//! their answers take, and how many times slower lines come in than without them. Both programs, the twenty clients and their bookkeeping
//! share the machine.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use fastrand::Rng;

use super::{Bench, STOP_DEADLINE, milliseconds, percentile, ship, sorted, wait_for_records};
use crate::client::Client;
use crate::corpus::again;
use crate::programs::{Aggregator, start_agent};
use crate::questions::Questions;
use crate::report::Results;

const CLIENTS: u64 = 20;

pub fn run(bench: &Bench, results: &mut Results) -> anyhow::Result<()> {
    let work = bench.folder("load")?;
    let mut aggregator = Aggregator::start(&work, &ship::data_dir(bench), None)?;
    let alone = ingest(bench, &mut aggregator, "load/alone")?;

    let questions = Questions::new();
    let done = AtomicBool::new(false);
    let (beside, times) = std::thread::scope(|scope| {
        let (questions, done, http) = (&questions, &done, aggregator.http.clone());
        let clients: Vec<_> = (0..CLIENTS)
            .map(|seed| {
                let client = Client::new(&http);
                scope.spawn(move || ask_until(bench, &client, questions, &mut Rng::with_seed(seed), done))
            })
            .collect();
        let beside = ingest(bench, &mut aggregator, "load/beside");
        done.store(true, Ordering::Relaxed);
        let times: anyhow::Result<Vec<Vec<f64>>> =
            clients.into_iter().map(|client| client.join().expect("a client does not panic")).collect();
        (beside, times)
    });
    let (beside, times) = (beside?, sorted(times?.concat()));
    let usage = aggregator.process.terminate(STOP_DEADLINE)?;
    results.search_p50_ms = Some(percentile(&times, 0.5));
    results.search_p99_ms = Some(percentile(&times, 0.99));
    results.search_ingest_slowdown = Some(beside.as_secs_f64() / alone.as_secs_f64());
    results.searches_per_s = Some(times.len() as f64 / beside.as_secs_f64());
    results.search_aggregator_rss_mb = Some(usage.memory.peak_mb);
    Ok(())
}

/// Ships the whole corpus with an agent that knows nothing of it; how long until all of it was held.
fn ingest(bench: &Bench, aggregator: &mut Aggregator, folder: &str) -> anyhow::Result<Duration> {
    let client = aggregator.client();
    let before = client.records()?;
    let begin = Instant::now();
    let mut agent = start_agent(&bench.folder(folder)?, &aggregator.grpc, &ship::sources_of(bench.corpus))?;
    wait_for_records(&client, &mut [&mut agent, &mut aggregator.process], before + bench.corpus.records)?;
    let elapsed = begin.elapsed();
    agent.terminate(STOP_DEADLINE)?;
    Ok(elapsed)
}

/// Asks one question after the other; how long the answers took, in ms.
fn ask_until(
    bench: &Bench,
    client: &Client,
    questions: &Questions,
    random: &mut Rng,
    done: &AtomicBool,
) -> anyhow::Result<Vec<f64>> {
    let mut times = Vec::new();
    while !done.load(Ordering::Relaxed) {
        let begin = Instant::now();
        match random.u8(..5) {
            0 => client.search(questions.word(random)).map(drop)?,
            1 => client.search(questions.phrase(random)).map(drop)?,
            2 => client.search(&questions.level_and_service(random)).map(drop)?,
            3 => client.histogram(Some((&again::date(0), &again::date(1)))).map(drop)?,
            _ => {
                let transactions = &bench.corpus.transactions;
                let (id, _) = &transactions[random.usize(..transactions.len())];
                client.transaction(id)?.with_context(|| format!("transaction {id} was not found"))?;
            }
        }
        times.push(milliseconds(begin.elapsed()));
    }
    Ok(times)
}
