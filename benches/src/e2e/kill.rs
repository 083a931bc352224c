//! Lines lost and lines stored twice after SIGKILLs of both programs while a million numbered lines are written.
//!
//! Every file has one ID that all of its lines carry, so that one answer tells what became of the file.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use fastrand::Rng;
use serde_json::Value;

use super::{Bench, STALL_DEADLINE, STOP_DEADLINE};
use crate::client::Client;
use crate::process::Process;
use crate::programs::{Aggregator, Source, start_agent};
use crate::report::Results;

const FILES: usize = 200;
const LINES_PER_FILE: usize = 5000;
/// What one write(2) holds.
const LINES_PER_WRITE: usize = 50;
/// All lines are written within it, and all kills happen within it.
const WRITING: Duration = Duration::from_secs(25);

pub fn run(bench: &Bench, results: &mut Results) -> anyhow::Result<()> {
    let mut random = Rng::new();
    let work = bench.folder("kill")?;
    let logs = bench.folder("kill/logs")?;
    let ids: Vec<String> = (0..FILES).map(|_| format!("{:032x}", random.u128(1..))).collect();
    let writer = std::thread::spawn({
        let (logs, ids) = (logs.clone(), ids.clone());
        move || write(&logs, &ids)
    });

    let data_dir = work.join("data");
    let source = [Source { service: "{name}".into(), include: logs.join("{name}.log") }];
    let mut aggregator = Some(Aggregator::start(&work, &data_dir, None)?);
    let (grpc, http) =
        aggregator.as_ref().map(|aggregator| (aggregator.grpc.clone(), aggregator.http.clone())).expect("set");
    let mut agent: Option<Process> = Some(start_agent(&work, &grpc, &source)?);
    let mut kills = 0;
    while !writer.is_finished() {
        std::thread::sleep(Duration::from_millis(random.u64(200..2500)));
        kills += 1;
        if random.bool() {
            agent.take().expect("it runs").kill();
            std::thread::sleep(Duration::from_millis(random.u64(..500)));
            agent = Some(start_agent(&work, &grpc, &source)?);
        } else {
            aggregator.take().expect("it runs").process.kill();
            std::thread::sleep(Duration::from_millis(random.u64(..500)));
            aggregator = Some(Aggregator::start(&work, &data_dir, Some((&grpc, &http)))?);
        }
    }
    writer.join().expect("the writer does not panic").context("write numbered lines")?;

    let client = Client::new(&http);
    let lines = (FILES * LINES_PER_FILE) as u64;
    if let Err(error) = wait(&client, lines) {
        results.errors.push(format!("Kill: {error:#}"));
    }
    let (mut lost, mut twice) = (0, 0);
    for id in &ids {
        let (missing, repeated) = count(&client, id)?;
        lost += missing;
        twice += repeated;
    }
    results.lost = Some(lost as f64);
    results.twice = Some(twice as f64);
    results.kills = Some(kills);
    results.kill_lines = Some(lines);
    agent.take().expect("it runs").terminate(STOP_DEADLINE)?;
    aggregator.take().expect("it runs").process.terminate(STOP_DEADLINE)?;
    Ok(())
}

/// Writes all files in turns, spread over the time.
fn write(logs: &Path, ids: &[String]) -> anyhow::Result<()> {
    let path = |file: usize| -> PathBuf { logs.join(format!("numbered-{file}.log")) };
    let mut files = (0..FILES).map(|file| File::create(path(file))).collect::<Result<Vec<_>, _>>()?;
    let begin = Instant::now();
    let rounds = LINES_PER_FILE / LINES_PER_WRITE;
    for round in 0..rounds {
        for (file, id) in files.iter_mut().zip(ids) {
            let mut text = Vec::new();
            for number in round * LINES_PER_WRITE..(round + 1) * LINES_PER_WRITE {
                let time = jiff::Timestamp::now();
                writeln!(
                    text,
                    r#"{{"time":"{time}","level":"INFO","logger":"bench.Writer","trace_id":"{id}","number":{number},"message":"numbered line {number} of the kill run"}}"#
                )?;
            }
            file.write_all(&text)?;
        }
        let due = WRITING * (round as u32 + 1) / rounds as u32;
        std::thread::sleep(due.saturating_sub(begin.elapsed()));
    }
    Ok(())
}

/// Until all lines are held, or nothing has come for a while.
fn wait(client: &Client, lines: u64) -> anyhow::Result<()> {
    let (mut held, mut changed) = (0, Instant::now());
    loop {
        // It may still replay; an error here is one only when it lasts.
        let now = client.records().unwrap_or(held);
        if now >= lines {
            return Ok(());
        }
        if now != held {
            (held, changed) = (now, Instant::now());
        }
        ensure!(
            changed.elapsed() < STALL_DEADLINE,
            "{held} of {lines} records are held, no more for {STALL_DEADLINE:?}"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Lines of one file that are missing, and copies that are too many.
fn count(client: &Client, id: &str) -> anyhow::Result<(u64, u64)> {
    let (status, body) = client.get(&format!("/api/v1/transactions/{id}"), "application/x-ndjson")?;
    ensure!(matches!(status, 200 | 404), "transaction {id}: status {status}: {}", String::from_utf8_lossy(&body));
    let mut seen = vec![0_u64; LINES_PER_FILE];
    if status == 200 {
        for record in body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let record: Value = serde_json::from_slice(record).context("a record of an NDJSON answer")?;
            let line: Value = serde_json::from_str(record["line"].as_str().context("a record has a line")?)?;
            let number = line["number"].as_u64().context("a numbered line")? as usize;
            *seen.get_mut(number).with_context(|| format!("number {number} was never written"))? += 1;
        }
    }
    let missing = seen.iter().filter(|times| **times == 0).count() as u64;
    Ok((missing, seen.iter().map(|times| times.saturating_sub(1)).sum()))
}
