//! The requests of a world, and the lines that they write: the truth.

use clew_aggregator::block::spelling::SpelledId;
use clew_proto::v1::IdKind;
use fastrand::Rng;

const MS: i64 = 1_000_000;
const SECOND: i64 = 1_000 * MS;

/// A line as it is written.
#[derive(Clone)]
pub struct Written {
    /// When, in truth.
    pub at_ns: i64,
    /// The file, by its number.
    pub file: usize,
    /// The request, by its number; none: something else.
    pub request: Option<usize>,
    pub ids: Vec<SpelledId>,
    pub text: String,
    /// It has no time of its own.
    pub is_rest: bool,
}

/// The IDs by which a request may be asked for.
pub struct Request {
    /// The proxy's, the trace's, and the order's if there is one.
    pub ids: Vec<String>,
    /// The first of them was used before, by something else.
    pub is_first_used: bool,
}

/// A request of very many lines.
pub fn huge(random: &mut Rng, files: usize, records: usize, begin_ns: i64) -> (Vec<Request>, Vec<Written>) {
    let trace = format!("{:032x}", random.u128(1 << 100..));
    let mut now = begin_ns;
    let mut lines = Vec::with_capacity(records);
    for _ in 0..records {
        now += random.i64(1_000..MS);
        let file = random.usize(..files);
        lines.push(line(random, now, file, Some(0), &[(&trace, IdKind::Trace)], "step"));
    }
    (vec![Request { ids: vec![trace], is_first_used: false }], lines)
}

/// What is written from `begin_ns` to `end_ns` into so many files, in the order of time; the files' first one is that of the proxy.
pub fn write(random: &mut Rng, files: usize, count: usize, begin_ns: i64, end_ns: i64) -> (Vec<Request>, Vec<Written>) {
    let (mut requests, mut lines): (Vec<Request>, Vec<Written>) = (Vec::new(), Vec::new());
    for number in 0..count {
        let begin = random.i64(begin_ns..end_ns);
        let (mut request, of_request) = one(random, number, files, begin);
        if random.u8(..8) == 0 {
            request.is_first_used = true;
            let ids = [(request.ids[0].as_str(), IdKind::Request)];
            lines.push(line(random, begin - 3 * 3_600 * SECOND, 0, None, &ids, "used before"));
        }
        requests.push(request);
        lines.extend(of_request);
    }
    // What many share was there before, and goes on.
    for number in 0..count * 4 {
        let at = if number % 2 == 0 { begin_ns - 300 * SECOND } else { random.i64(begin_ns..end_ns) };
        let file = random.usize(..files);
        let other = format!("{:032x}", random.u128(1 << 100..));
        let ids = [(SESSION, IdKind::Correlation), (other.as_str(), IdKind::Trace)];
        lines.push(line(random, at, file, None, &ids, "of a session"));
        lines.push(line(random, at, file, None, &[], "of nobody"));
    }
    lines.sort_by_key(|line| line.at_ns);
    (requests, lines)
}

/// On lines of very many requests.
pub const SESSION: &str = "session-of-everybody";

fn line(
    random: &mut Rng,
    at_ns: i64,
    file: usize,
    request: Option<usize>,
    ids: &[(&str, IdKind)],
    text: &str,
) -> Written {
    let ids: Vec<SpelledId> = ids.iter().map(|(id, kind)| SpelledId::new(id.as_bytes(), *kind as u8)).collect();
    Written { at_ns, file, request, ids, text: format!("{text} {}", random.u32(..)), is_rest: false }
}

fn one(random: &mut Rng, number: usize, files: usize, begin: i64) -> (Request, Vec<Written>) {
    let trace = format!("{:032x}", random.u128(1 << 100..));
    let request = format!("{:032x}", random.u128(1 << 100..));
    let order = format!("order-{:016x}", random.u64(..));
    let mut lines = Vec::new();
    let mut now = begin;
    let of = Some(number);
    // The proxy knows its own ID alone, until it passes the request on.
    lines.push(line(random, now, 0, of, &[(&request, IdKind::Request)], "accepted"));
    now += random.i64(MS / 10..30 * MS);
    lines.push(line(random, now, 0, of, &[(&request, IdKind::Request), (&trace, IdKind::Trace)], "passed on"));
    let mut span = random.u64(1..);
    for _ in 0..random.usize(1..6) {
        let (file, parent) = (random.usize(..files), span);
        span = random.u64(1..);
        for _ in 0..random.usize(1..6) {
            now += if random.u8(..12) == 0 { random.i64(SECOND..4 * SECOND) } else { random.i64(MS / 20..20 * MS) };
            let spans = format!("trace_id={trace} span_id={span:016x} parent_span_id={parent:016x} msg=work");
            let mut written = line(random, now, file, of, &[(&trace, IdKind::Trace)], &spans);
            written.is_rest = random.u8(..20) == 0;
            lines.push(written);
        }
    }
    let has_order = random.bool();
    if has_order {
        now += random.i64(MS..30 * MS);
        let ids =
            [(trace.as_str(), IdKind::Trace), (order.as_str(), IdKind::Correlation), (SESSION, IdKind::Correlation)];
        let (ordering, mailing) = (random.usize(..files), random.usize(..files));
        lines.push(line(random, now, ordering, of, &ids, "ordered"));
        now += random.i64(MS..3 * SECOND);
        lines.push(line(random, now, mailing, of, &[(&order, IdKind::Correlation)], "mailed"));
    }
    let mut ids = vec![request, trace];
    if has_order {
        ids.push(order);
    }
    (Request { ids, is_first_used: false }, lines)
}
