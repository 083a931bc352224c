//! One request through the shop, and the records that it leaves behind. The same random numbers give the same records.

use std::io::Write;

use fastrand::Rng;

use super::{ARRIVAL_NS, HOSTS, NS_PER_S, Pending, Shape, cri, text};
use crate::templates::{Level, Piece, Service, Template, Variable};

/// 2026-11-20; a day must hold all of it.
pub const DATE: &str = "2026-11-20";

const CURRENCIES: [&str; 4] = ["EUR", "USD", "GBP", "CHF"];
pub const CITIES: [&str; 12] =
    ["Berlin", "Hamburg", "Köln", "Paris", "Lyon", "Wien", "Zürich", "London", "Leeds", "Rotterdam", "Milano", "Praha"];
pub const WORDS: [&str; 16] = [
    "reserve", "charge", "ship", "notify", "welcome", "receipt", "jacket", "shoes", "lamp", "table", "summer",
    "bundle", "loyalty", "express", "voucher", "return",
];

/// One request through the shop.
pub struct Transaction {
    begin_ns: u64,
    pub trace_id: String,
    pub user: String,
    order: String,
    session: String,
    pub ip: String,
    product: String,
    amount: String,
    currency: &'static str,
    city: &'static str,
    pub method: &'static str,
    pub path: String,
    pub status: u16,
}

/// One service's part of it.
pub struct Hop {
    service: usize,
    host: usize,
    pub span_id: String,
    pub thread: String,
    begin_ns: u64,
    pub duration_ns: u64,
}

/// One record of a hop, before it is written in some shape.
pub struct Entry<'a> {
    pub service: &'a Service,
    pub template: &'a Template,
    pub hop: &'a Hop,
    pub time_ns: u64,
    pub level: &'static str,
    pub is_answer: bool,
}

impl Transaction {
    pub fn begin(random: &mut Rng, begin_ns: u64) -> Self {
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

    pub fn records(&self, random: &mut Rng, services: &[Service], shape: Shape, records_max: usize) -> Vec<Pending> {
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
                let is_answer = std::ptr::eq(template, &service.templates[1]);
                let level = self.level(template.level, is_answer);
                let entry = Entry { service, template, hop: &hop, time_ns, level, is_answer };
                let mut line = Vec::with_capacity(400);
                match shape {
                    Shape::Json => self.json(&mut line, random, &entry),
                    Shape::Text => text::write(&mut line, random, self, &entry),
                    Shape::Cri => {
                        let mut json = Vec::with_capacity(400);
                        self.json(&mut json, random, &entry);
                        cri::write(&mut line, &json, &entry);
                    }
                }
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

    /// Answers that failed are told louder.
    fn level(&self, level: Level, is_answer: bool) -> &'static str {
        match level {
            Level::Info if is_answer && self.status >= 500 => "ERROR",
            Level::Info if is_answer && self.status >= 404 => "WARN",
            Level::Debug => "DEBUG",
            Level::Info => "INFO",
            Level::Warn => "WARN",
            Level::Error => "ERROR",
        }
    }

    fn json(&self, out: &mut Vec<u8>, random: &mut Rng, entry: &Entry<'_>) {
        out.extend_from_slice(b"{\"time\":\"");
        time(out, entry.time_ns, entry.service.nanoseconds);
        let Hop { thread, span_id, .. } = entry.hop;
        let (name, logger, level) = (entry.service.name, entry.template.logger, entry.level);
        write!(
            out,
            r#"","level":"{level}","service":"{name}","logger":"{logger}","thread":"{thread}","trace_id":"{}","span_id":"{span_id}","user_id":"{}","message":""#,
            self.trace_id, self.user
        )
        .expect("a Vec takes whatever is written to it");
        self.fill(out, random, &entry.template.message, entry.hop);
        out.push(b'"');
        self.fill(out, random, &entry.template.members, entry.hop);
        out.extend_from_slice(b"}\n");
    }

    /// Writes a statement with its variables filled in.
    pub fn fill(&self, out: &mut Vec<u8>, random: &mut Rng, pieces: &[Piece], hop: &Hop) {
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

pub fn exponential(random: &mut Rng, mean: u64) -> u64 {
    (-(1.0 - random.f64()).ln() * mean as f64) as u64
}

/// The time of day.
pub struct Clock {
    pub hour: u64,
    pub minute: u64,
    pub second: u64,
    pub fraction_ns: u64,
}

impl Clock {
    pub fn of(time_ns: u64) -> Self {
        let (seconds, fraction_ns) = (time_ns / NS_PER_S, time_ns % NS_PER_S);
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        assert!(hour < 24, "more records than a day of this shop has");
        Self { hour, minute, second, fraction_ns }
    }
}

/// RFC 3339, with micro- or nanoseconds.
pub fn time(out: &mut Vec<u8>, time_ns: u64, nanoseconds: bool) {
    let Clock { hour, minute, second, fraction_ns } = Clock::of(time_ns);
    let result = if nanoseconds {
        write!(out, "{DATE}T{hour:02}:{minute:02}:{second:02}.{fraction_ns:09}Z")
    } else {
        write!(out, "{DATE}T{hour:02}:{minute:02}:{second:02}.{:06}Z", fraction_ns / 1000)
    };
    result.expect("a Vec takes whatever is written to it");
}
