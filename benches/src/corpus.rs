//! The corpus: JSON log lines of transactions that cross 3 to 8 of twelve services on six hosts, about 20 records each,
//! interleaved as they would be. The same parameters give the same bytes; what is there already is not written again.
//!
//! On disk: `<folder>/<host>/<service>.log`, `transactions.txt` with sampled IDs and their record counts (`id count`), and
//! `corpus.json`, written last, with the parameters that it was made from.

use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use fastrand::Rng;
use serde::{Deserialize, Serialize};

use crate::templates::{Level, Piece, Service, Template, Variable, services};

/// Raise it when the generator's output changes.
const GENERATOR_VERSION: u32 = 1;
pub const HOSTS: usize = 6;
const LINES_DEFAULT: u64 = 2_000_000;
/// 2026-11-20T08:00:00Z; a day must hold all of it.
const BEGIN_NS: u64 = 8 * 3600 * NS_PER_S;
const DATE: &str = "2026-11-20";
const NS_PER_S: u64 = 1_000_000_000;
/// Between two transactions' begins, on average: about 40 a second, 800 lines a second.
const ARRIVAL_NS: u64 = 25_000_000;
/// One in so many transactions is sampled for queries.
const SAMPLED_ONE_IN: u32 = 40;

const CURRENCIES: [&str; 4] = ["EUR", "USD", "GBP", "CHF"];
const CITIES: [&str; 12] =
    ["Berlin", "Hamburg", "Köln", "Paris", "Lyon", "Wien", "Zürich", "London", "Leeds", "Rotterdam", "Milano", "Praha"];
const WORDS: [&str; 16] = [
    "reserve", "charge", "ship", "notify", "welcome", "receipt", "jacket", "shoes", "lamp", "table", "summer",
    "bundle", "loyalty", "express", "voucher", "return",
];

/// What decides every byte of it.
#[derive(clap::Args, Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parameters {
    /// Lines to write.
    #[arg(long, default_value_t = LINES_DEFAULT)]
    pub lines: u64,
    /// Every random choice follows from it.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// A written corpus.
pub struct Corpus {
    pub folder: PathBuf,
    pub lines: u64,
    pub bytes: u64,
    /// Sampled IDs with their record counts.
    pub transactions: Vec<(String, u32)>,
}

#[derive(PartialEq, Serialize, Deserialize)]
struct Manifest {
    version: u32,
    parameters: Parameters,
    lines: u64,
    bytes: u64,
}

impl Corpus {
    /// Its log files.
    pub fn files(&self) -> anyhow::Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        for host in 0..HOSTS {
            for service in services() {
                files.push(self.folder.join(host_name(host)).join(format!("{}.log", service.name)));
            }
        }
        Ok(files)
    }
}

pub fn host_name(host: usize) -> String {
    format!("web-{}", host + 1)
}

/// Writes the corpus below `bench_folder`, unless it is there.
pub fn prepare(bench_folder: &Path, parameters: Parameters) -> anyhow::Result<Corpus> {
    let name = if parameters.lines == LINES_DEFAULT { "corpus".into() } else { format!("corpus-{}", parameters.lines) };
    let folder = bench_folder.join(name);
    if let Some(corpus) = load(&folder, parameters) {
        return Ok(corpus);
    }
    eprintln!("writing {} lines to {}", parameters.lines, folder.display());
    if folder.exists() {
        std::fs::remove_dir_all(&folder).with_context(|| format!("delete {}", folder.display()))?;
    }
    write(&folder, parameters).with_context(|| format!("write the corpus to {}", folder.display()))?;
    load(&folder, parameters).context("read back the corpus that was just written")
}

fn load(folder: &Path, parameters: Parameters) -> Option<Corpus> {
    let manifest: Manifest = serde_json::from_slice(&std::fs::read(folder.join("corpus.json")).ok()?).ok()?;
    if manifest.version != GENERATOR_VERSION || manifest.parameters != parameters {
        return None;
    }
    let list = std::fs::read_to_string(folder.join("transactions.txt")).ok()?;
    let transactions = list
        .lines()
        .map(|line| line.split_once(' ').and_then(|(id, count)| Some((id.to_owned(), count.parse().ok()?))))
        .collect::<Option<Vec<_>>>()?;
    Some(Corpus { folder: folder.to_owned(), lines: manifest.lines, bytes: manifest.bytes, transactions })
}

fn write(folder: &Path, parameters: Parameters) -> anyhow::Result<()> {
    let services = services();
    let mut files = Vec::new();
    for host in 0..HOSTS {
        let host = folder.join(host_name(host));
        std::fs::create_dir_all(&host)?;
        for service in &services {
            files.push(BufWriter::with_capacity(1 << 16, File::create(host.join(format!("{}.log", service.name)))?));
        }
    }
    let mut sampled = BufWriter::new(File::create(folder.join("transactions.txt"))?);
    let mut random = Rng::with_seed(parameters.seed);
    let mut sampling = Rng::with_seed(!parameters.seed);
    let mut pending: BinaryHeap<Pending> = BinaryHeap::new();
    let (mut lines, mut bytes, mut now) = (0, 0, BEGIN_NS);
    while lines < parameters.lines || !pending.is_empty() {
        if lines < parameters.lines {
            now += exponential(&mut random, ARRIVAL_NS);
            let left = parameters.lines - lines;
            let transaction = Transaction::begin(&mut random, now);
            let records = transaction.records(&mut random, &services, left as usize);
            if sampling.u32(..SAMPLED_ONE_IN) == 0 {
                writeln!(sampled, "{} {}", transaction.trace_id, records.len())?;
            }
            lines += records.len() as u64;
            pending.extend(records);
        } else {
            now = u64::MAX;
        }
        // All that comes later begins later: what lies before now is in its final order.
        while pending.peek().is_some_and(|record| record.time_ns < now) {
            let record = pending.pop().expect("just seen");
            files[record.file].write_all(&record.line)?;
            bytes += record.line.len() as u64;
        }
    }
    for mut file in files {
        file.flush()?;
    }
    sampled.flush()?;
    let manifest = Manifest { version: GENERATOR_VERSION, parameters, lines, bytes };
    std::fs::write(folder.join("corpus.json"), serde_json::to_vec_pretty(&manifest)?)?;
    Ok(())
}

/// A line that waits for its turn. The heap gives the earliest first.
#[derive(PartialEq, Eq)]
struct Pending {
    time_ns: u64,
    order: u32,
    file: usize,
    line: Vec<u8>,
}

impl Ord for Pending {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (other.time_ns, other.order).cmp(&(self.time_ns, self.order))
    }
}

impl PartialOrd for Pending {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// One request through the shop.
struct Transaction {
    begin_ns: u64,
    trace_id: String,
    user: String,
    order: String,
    session: String,
    ip: String,
    product: String,
    amount: String,
    currency: &'static str,
    city: &'static str,
    method: &'static str,
    path: String,
    status: u16,
}

/// One service's part of it.
struct Hop {
    service: usize,
    host: usize,
    span_id: String,
    thread: String,
    begin_ns: u64,
    duration_ns: u64,
}

impl Transaction {
    fn begin(random: &mut Rng, begin_ns: u64) -> Self {
        let product = product(random);
        // Orders are numbered by a sequence; its numbers are given out in the order of the requests.
        let order = format!("ord-{:08}", 40_000_000 + begin_ns / ARRIVAL_NS);
        let (method, path) = match random.u8(..10) {
            0..=2 => ("GET", format!("/api/v2/products/{product}")),
            3..=4 => ("POST", "/api/v2/cart/items".to_owned()),
            5 => ("GET", "/api/v2/search".to_owned()),
            6 => ("PUT", format!("/api/v2/orders/{order}/address")),
            _ => ("POST", format!("/api/v2/orders/{order}/checkout")),
        };
        let status = match random.u8(..100) {
            0 => 500,
            1 => 503,
            2..=4 => 404,
            5 => 409,
            6..=20 => 201,
            _ => 200,
        };
        let cents = 99 + exponential(random, 5000);
        Self {
            begin_ns,
            product,
            amount: format!("{}.{:02}", cents / 100, cents % 100),
            currency: CURRENCIES[skewed(random, CURRENCIES.len() as u64) as usize],
            city: CITIES[random.usize(..CITIES.len())],
            trace_id: format!("{:032x}", random.u128(..)),
            user: format!("u-{}", 100_000 + skewed(random, 400_000)),
            order,
            session: format!("s{:08x}", random.u32(..)),
            ip: format!("{}.{}.{}.{}", random.u8(11..220), random.u8(..), random.u8(..), random.u8(1..255)),
            method,
            path,
            status,
        }
    }

    fn records(&self, random: &mut Rng, services: &[Service], records_max: usize) -> Vec<Pending> {
        let mut records = Vec::new();
        for hop in self.hops(random, services.len()) {
            let service = &services[hop.service];
            let between = random.u64(1..=5).min(random.u64(0..=9));
            for index in 0..between + 2 {
                if records.len() == records_max {
                    return records;
                }
                let (template, at) = match index {
                    0 => (&service.templates[0], 0),
                    _ if index == between + 1 => (&service.templates[1], hop.duration_ns),
                    _ => {
                        let step = hop.duration_ns / (between + 1);
                        (between_template(random, service), step * index + random.u64(0..step.max(2) / 2))
                    }
                };
                let time_ns = hop.begin_ns + at;
                let mut line = Vec::with_capacity(400);
                self.line(&mut line, random, service, template, &hop, time_ns);
                let file = hop.host * services.len() + hop.service;
                records.push(Pending { time_ns, order: records.len() as u32, file, line });
            }
        }
        records
    }

    /// The gateway, and other services one inside or after another.
    fn hops(&self, random: &mut Rng, services: usize) -> Vec<Hop> {
        let count = random.usize(3..=8).min(random.usize(3..=8));
        let mut others: Vec<usize> = (1..services).collect();
        random.shuffle(&mut others);
        let total_ns = 5_000_000 + exponential(random, 180_000_000);
        std::iter::once(0)
            .chain(others.into_iter().take(count - 1))
            .enumerate()
            .map(|(index, service)| {
                let (offset_ns, duration_ns) = if index == 0 {
                    (0, total_ns)
                } else {
                    let slot = total_ns / count as u64;
                    (slot * index as u64 - random.u64(..slot / 4 + 1), slot / 2 + random.u64(..slot / 3 + 1))
                };
                Hop {
                    service,
                    host: random.usize(..HOSTS),
                    span_id: format!("{:016x}", random.u64(..)),
                    thread: format!("worker-{}", random.u8(1..=16)),
                    begin_ns: self.begin_ns + offset_ns,
                    duration_ns,
                }
            })
            .collect()
    }

    fn line(
        &self,
        out: &mut Vec<u8>,
        random: &mut Rng,
        service: &Service,
        template: &Template,
        hop: &Hop,
        time_ns: u64,
    ) {
        let is_answer = std::ptr::eq(template, &service.templates[1]);
        let level = match template.level {
            Level::Info if is_answer && self.status >= 500 => "ERROR",
            Level::Info if is_answer && self.status >= 404 => "WARN",
            Level::Debug => "DEBUG",
            Level::Info => "INFO",
            Level::Warn => "WARN",
            Level::Error => "ERROR",
        };
        out.extend_from_slice(b"{\"time\":\"");
        time(out, time_ns, service.nanoseconds);
        let Hop { thread, span_id, .. } = hop;
        let (name, logger) = (service.name, template.logger);
        write!(
            out,
            r#"","level":"{level}","service":"{name}","logger":"{logger}","thread":"{thread}","trace_id":"{}","span_id":"{span_id}","user_id":"{}","message":""#,
            self.trace_id, self.user
        )
        .expect("a Vec takes whatever is written to it");
        self.fill(out, random, &template.message, hop);
        out.push(b'"');
        self.fill(out, random, &template.members, hop);
        out.extend_from_slice(b"}\n");
    }

    fn fill(&self, out: &mut Vec<u8>, random: &mut Rng, pieces: &[Piece], hop: &Hop) {
        for piece in pieces {
            match piece {
                Piece::Text(text) => out.extend_from_slice(text.as_bytes()),
                Piece::Variable(variable) => self.value(out, random, *variable, hop),
            }
        }
    }

    fn value(&self, out: &mut Vec<u8>, random: &mut Rng, variable: Variable, hop: &Hop) {
        let result = match variable {
            Variable::User => write!(out, "{}", self.user),
            Variable::Order => write!(out, "{}", self.order),
            Variable::Session => write!(out, "{}", self.session),
            Variable::Ip => write!(out, "{}", self.ip),
            Variable::Method => write!(out, "{}", self.method),
            Variable::Path => write!(out, "{}", self.path),
            Variable::Status => write!(out, "{}", self.status),
            Variable::Milliseconds => write!(out, "{}", 1 + exponential(random, 30)),
            Variable::Duration => write!(out, "{:.1}", hop.duration_ns as f64 / 1e6),
            Variable::Product => write!(out, "{}", self.product),
            Variable::Amount => write!(out, "{}", self.amount),
            Variable::Currency => write!(out, "{}", self.currency),
            Variable::City => write!(out, "{}", self.city),
            Variable::Count => write!(out, "{}", 1 + exponential(random, 12)),
            Variable::Bytes => write!(out, "{}", 200 + exponential(random, 9000)),
            Variable::Shard => write!(out, "{}", random.u8(..32)),
            Variable::Attempt => write!(out, "{}", random.u8(1..=3)),
            Variable::Peer => write!(out, "10.20.{}.{}:8443", hop.service, random.u8(1..9)),
            Variable::Reference => write!(out, "{:08X}", random.u32(..)),
            Variable::Percent => write!(out, "{}", random.u8(1..100)),
            Variable::Word => write!(out, "{}", WORDS[random.usize(..WORDS.len())]),
        };
        result.expect("a Vec takes whatever is written to it");
    }
}

/// Of the statements between request and answer the fifth is the rare one, a warning or an error.
fn between_template<'a>(random: &mut Rng, service: &'a Service) -> &'a Template {
    let index = match random.u8(..100) {
        0..=49 => 2,
        50..=91 => 3,
        _ => 4,
    };
    &service.templates[index]
}

fn product(random: &mut Rng) -> String {
    format!("SKU-{:06}", 1000 + skewed(random, 50_000))
}

/// Below `limit`, small ones more often.
fn skewed(random: &mut Rng, limit: u64) -> u64 {
    let uniform = random.f64();
    (uniform * uniform * limit as f64) as u64
}

fn exponential(random: &mut Rng, mean: u64) -> u64 {
    (-(1.0 - random.f64()).ln() * mean as f64) as u64
}

/// RFC 3339, with micro- or nanoseconds.
fn time(out: &mut Vec<u8>, time_ns: u64, nanoseconds: bool) {
    let (seconds, fraction) = (time_ns / NS_PER_S, time_ns % NS_PER_S);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    assert!(hour < 24, "more lines than a day of this shop has");
    let result = if nanoseconds {
        write!(out, "{DATE}T{hour:02}:{minute:02}:{second:02}.{fraction:09}Z")
    } else {
        write!(out, "{DATE}T{hour:02}:{minute:02}:{second:02}.{:06}Z", fraction / 1000)
    };
    result.expect("a Vec takes whatever is written to it");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_corpus_is_what_it_says_and_is_cached() {
        let folder = tempfile::tempdir().unwrap();
        let parameters = Parameters { lines: 20_000, seed: 3 };
        let corpus = prepare(folder.path(), parameters).unwrap();
        let mut counts = std::collections::HashMap::new();
        let mut bytes = 0;
        for path in corpus.files().unwrap() {
            let text = std::fs::read_to_string(&path).unwrap();
            bytes += text.len() as u64;
            let mut last = String::new();
            for line in text.lines() {
                let json: serde_json::Value =
                    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
                let time = json["time"].as_str().unwrap();
                assert!(time >= last.as_str(), "times rise within a file");
                last = time.to_owned();
                *counts.entry(json["trace_id"].as_str().unwrap().to_owned()).or_insert(0) += 1;
            }
        }
        assert_eq!((counts.values().sum::<u32>(), corpus.lines, corpus.bytes), (20_000, 20_000, bytes));
        let (line_bytes, per_transaction) = (bytes / 20_000, 20_000 / counts.len());
        assert!(
            (300..340).contains(&line_bytes) && (18..22).contains(&per_transaction),
            "{line_bytes} {per_transaction}"
        );
        assert!(corpus.transactions.iter().all(|(id, count)| counts[id] == *count));

        let written = std::fs::metadata(corpus.folder.join("corpus.json")).unwrap().modified().unwrap();
        prepare(folder.path(), parameters).unwrap();
        assert_eq!(std::fs::metadata(corpus.folder.join("corpus.json")).unwrap().modified().unwrap(), written);
    }
}
