//! From the write(2) of a line to its first being found by its ID, with the whole corpus held. The file is a new one, so
//! the first lines count its discovery as well.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::time::{Duration, Instant};

use anyhow::ensure;
use fastrand::Rng;

use super::{Bench, STOP_DEADLINE, milliseconds, percentile, ship, sorted, wait_for_acknowledgement};
use crate::client::Client;
use crate::programs::{Aggregator, start_agent};
use crate::report::Results;

const LINES: u64 = 500;
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
    let writer = std::thread::spawn(move || write(&path, LINE_INTERVAL, &sender, |number| number < LINES));
    let delays = sorted(follow(&client, &written)?);
    writer.join().expect("the writer does not panic")?;
    ensure!(delays.len() == LINES as usize, "{} of {LINES} lines were found", delays.len());
    results.visible_ms_p50 = Some(percentile(&delays, 0.5));
    results.visible_ms_p99 = Some(percentile(&delays, 0.99));
    agent.terminate(STOP_DEADLINE)?;
    aggregator.process.terminate(STOP_DEADLINE)?;
    Ok(())
}

/// An ID, and when its line was written.
pub type Written = (String, Instant);

/// Writes a line to a new file in every interval as long as `go_on` says so of its number, and tells of each. How many.
pub fn write(
    path: &Path,
    interval: Duration,
    sender: &Sender<Written>,
    go_on: impl Fn(u64) -> bool,
) -> anyhow::Result<u64> {
    let mut file = File::create(path)?;
    let mut random = Rng::new();
    let begin = Instant::now();
    let mut number = 0;
    while go_on(number) {
        let id = format!("{:032x}", random.u128(1..));
        let time = jiff::Timestamp::now();
        let line =
            format!("{{\"time\":\"{time}\",\"level\":\"INFO\",\"trace_id\":\"{id}\",\"message\":\"line {number}\"}}\n");
        file.write_all(line.as_bytes())?;
        sender.send((id, Instant::now()))?;
        number += 1;
        std::thread::sleep((interval * number as u32).saturating_sub(begin.elapsed()));
    }
    Ok(number)
}

/// Asks for the oldest line that was not found yet, again and again: lines of one file are found in order.
pub fn follow(client: &Client, written: &Receiver<Written>) -> anyhow::Result<Vec<f64>> {
    let mut due: VecDeque<Written> = VecDeque::new();
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
