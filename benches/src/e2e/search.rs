//! Searches on the shipped corpus, with nothing else going on: rare words and phrases, their newest 100 records; everything by minute and
//! level; and text that no line holds and of which the index knows nothing, so that every block is gone through.
//!
//! Words and phrases change from question to question; the blocks that hold them were asked for before, as by somebody who looks for
//! a cause. The scan is told in raw bytes per second of the aggregator's CPU. Beside the one that counts (`scan_gb_per_s`) stand one for
//! what may be a part of the times and IDs that blocks hide, and one with a regex.

use std::time::Instant;

use anyhow::{Context, ensure};
use fastrand::Rng;
use serde_json::Value;

use super::{Bench, STOP_DEADLINE, milliseconds, percentile, ship, sorted};
use crate::client::Client;
use crate::process::Process;
use crate::programs::Aggregator;
use crate::questions::{ABSENT_GROUP, ABSENT_MARKS, ABSENT_NUMBER, ABSENT_REGEX, Questions, check_lines};
use crate::report::Results;

const WARM_QUERIES: usize = 500;
/// Before the measurement, so that warm means warm.
const WARMING_QUERIES: usize = 200;
const HISTOGRAMS: usize = 50;
const WARMING_HISTOGRAMS: usize = 5;
const SCANS: usize = 5;

pub fn run(bench: &Bench, results: &mut Results) -> anyhow::Result<()> {
    let work = bench.folder(ship::FOLDER)?;
    let aggregator = Aggregator::start(&work, &ship::data_dir(bench), None)?;
    let client = aggregator.client();
    let questions = Questions::new();
    let mut random = Rng::with_seed(7);

    let words = warm(&client, || questions.word(&mut random))?;
    results.word_ms = Some(percentile(&words, 0.5));
    results.word_ms_p99 = Some(percentile(&words, 0.99));
    let phrases = warm(&client, || questions.phrase(&mut random))?;
    results.phrase_ms = Some(percentile(&phrases, 0.5));
    results.phrase_ms_p99 = Some(percentile(&phrases, 0.99));
    results.histogram_ms = Some(histogram(&client, bench.corpus.records)?);
    results.number_ms = Some(absent(&client, ABSENT_NUMBER)?);
    results.scan_gb_per_s = Some(scan(&client, &aggregator.process, ABSENT_MARKS)?);
    results.scan_restored_gb_per_s = Some(scan(&client, &aggregator.process, ABSENT_GROUP)?);
    results.scan_regex_gb_per_s = Some(scan(&client, &aggregator.process, ABSENT_REGEX)?);
    aggregator.process.terminate(STOP_DEADLINE)?;
    Ok(())
}

/// How long the answers took, in ms, sorted; each is checked.
pub fn warm<'q>(client: &Client, mut question: impl FnMut() -> &'q str) -> anyhow::Result<Vec<f64>> {
    let mut ask = || {
        let text = question();
        let begin = Instant::now();
        let body = client.search(text)?;
        let elapsed = begin.elapsed();
        check_lines(&body, text)?;
        Ok(milliseconds(elapsed))
    };
    for _ in 0..WARMING_QUERIES {
        ask()?;
    }
    (0..WARM_QUERIES).map(|_| ask()).collect::<anyhow::Result<Vec<f64>>>().map(sorted)
}

/// The median of many, in ms.
fn histogram(client: &Client, records: u64) -> anyhow::Result<f64> {
    let ask = || {
        let begin = Instant::now();
        let body = client.histogram(None)?;
        let elapsed = begin.elapsed();
        let answer: Value = serde_json::from_slice(&body)?;
        ensure!(answer["records"] == records, "{} records are counted of {records}", answer["records"]);
        anyhow::Ok(milliseconds(elapsed))
    };
    for _ in 0..WARMING_HISTOGRAMS {
        ask()?;
    }
    let times = (0..HISTOGRAMS).map(|_| ask()).collect::<Result<Vec<_>, _>>()?;
    Ok(percentile(&sorted(times), 0.5))
}

/// How long it takes to know that a text is nowhere, in ms, the median of many.
fn absent(client: &Client, query: &str) -> anyhow::Result<f64> {
    let ask = || {
        let begin = Instant::now();
        let body = client.search(query)?;
        let elapsed = begin.elapsed();
        let answer: Value = serde_json::from_slice(&body)?;
        ensure!(answer["meta"]["partial"] == false, "{query}: {}", answer["meta"]);
        anyhow::Ok(milliseconds(elapsed))
    };
    Ok(percentile(&sorted((0..HISTOGRAMS).map(|_| ask()).collect::<Result<Vec<_>, _>>()?), 0.5))
}

/// GB of text per second of CPU, the median of a few.
fn scan(client: &Client, process: &Process, query: &str) -> anyhow::Result<f64> {
    let ask = || {
        let before_s = process.live_cpu_s()?;
        let body = client.search(query)?;
        let cpu_s = process.live_cpu_s()? - before_s;
        let answer: Value = serde_json::from_slice(&body)?;
        let meta = &answer["meta"];
        let found = answer["records"].as_array().map(Vec::len);
        ensure!(meta["partial"] == false && found == Some(0), "{query}: {found:?} records, {meta}");
        let bytes = meta["bytes_scanned"].as_u64().context("an answer without bytes_scanned")?;
        Ok(bytes as f64 / 1e9 / cpu_s)
    };
    let speeds = (0..SCANS).map(|_| ask()).collect::<anyhow::Result<Vec<_>>>()?;
    Ok(percentile(&sorted(speeds), 0.5))
}
