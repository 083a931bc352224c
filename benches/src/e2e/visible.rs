//! From the write(2) of a line to its first being found by its ID, with the whole corpus held. The file is a new one, so
//! the first lines count its discovery as well.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::{Duration, Instant};

use anyhow::ensure;
use fastrand::Rng;

use super::{Bench, STOP_DEADLINE, milliseconds, percentile, ship, sorted, wait_for_acknowledgement};
use crate::client::Client;
use crate::programs::{Aggregator, start_agent};
use crate::report::Results;

const LINES: u32 = 500;
const LINE_INTERVAL: Duration = Duration::from_millis(20);
const POLL_INTERVAL: Duration = Duration::from_millis(3);
const LINE_DEADLINE: Duration = Duration::from_secs(30);

pub fn run(bench: &Bench, results: &mut Results) -> anyhow::Result<()> {
    let work = bench.folder(ship::FOLDER)?;
    let mut aggregator = Aggregator::start(&work, &ship::data_dir(bench), None)?;
    let client = aggregator.client();
    let mut agent = start_agent(&work, &aggregator.grpc, &ship::sources(bench)?)?;
    wait_for_acknowledgement(&client, &mut [&mut agent, &mut aggregator.process])?;

    let path = ship::live_folder(bench)?.join(format!("live-{}.log", std::process::id()));
    let (sender, written) = channel();
    let writer = std::thread::spawn(move || -> anyhow::Result<()> {
        let mut file = File::create(path)?;
        let mut random = Rng::new();
        let begin = Instant::now();
        for number in 0..LINES {
            let id = format!("{:032x}", random.u128(1..));
            let time = jiff::Timestamp::now();
            let line = format!(
                "{{\"time\":\"{time}\",\"level\":\"INFO\",\"trace_id\":\"{id}\",\"message\":\"line {number}\"}}\n"
            );
            file.write_all(line.as_bytes())?;
            sender.send((id, Instant::now()))?;
            std::thread::sleep((LINE_INTERVAL * (number + 1)).saturating_sub(begin.elapsed()));
        }
        Ok(())
    });
    let delays = sorted(follow(&client, &written)?);
    writer.join().expect("the writer does not panic")?;
    ensure!(delays.len() == LINES as usize, "{} of {LINES} lines were found", delays.len());
    results.visible_ms_p50 = Some(percentile(&delays, 0.5));
    results.visible_ms_p99 = Some(percentile(&delays, 0.99));
    agent.terminate(STOP_DEADLINE)?;
    aggregator.process.terminate(STOP_DEADLINE)?;
    Ok(())
}

/// Asks for the oldest line that was not found yet, again and again: lines of one file are found in order.
fn follow(client: &Client, written: &Receiver<(String, Instant)>) -> anyhow::Result<Vec<f64>> {
    let mut due: VecDeque<(String, Instant)> = VecDeque::new();
    let mut delays = Vec::new();
    loop {
        let ended = loop {
            match written.try_recv() {
                Ok(line) => due.push_back(line),
                Err(reason) => break reason == TryRecvError::Disconnected,
            }
        };
        let Some((id, begin)) = due.front() else {
            if ended {
                return Ok(delays);
            }
            std::thread::sleep(POLL_INTERVAL);
            continue;
        };
        if client.transaction(id)?.is_some() {
            delays.push(milliseconds(begin.elapsed()));
            due.pop_front();
        } else {
            ensure!(begin.elapsed() < LINE_DEADLINE, "a line was not found within {LINE_DEADLINE:?} of its write");
            std::thread::sleep(POLL_INTERVAL);
        }
    }
}
