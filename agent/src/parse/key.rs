//! What a key means: a time, a severity, a message, a transaction ID, or nothing, which is the usual case and is told in a few
//! nanoseconds by its first letter, its last letter and its length.
//!
//! Invariant: the filter never refuses a name of the tables (a test goes through them with all their spellings).

use crate::record::IdKind;
use crate::transaction;

/// The meaning of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    Time,
    /// What a time of whole seconds lacks.
    Nanoseconds,
    Severity,
    Message,
    Id(IdKind),
}

const TIME: &[&str] = &[
    "ts",
    "time",
    "timestamp",
    "@timestamp",
    "t",
    "@t",
    "datetime",
    "date",
    "eventtime",
    "asctime",
    "timestampns",
    "timems",
    "timemillis",
    "timelocal",
    "timeiso8601",
    "timeunixnano",
    "instantepochsecond",
    "timestampseconds",
];
const NANOSECONDS: &[&str] = &["instantnanoofsecond", "timestampnanos"];
const SEVERITY: &[&str] = &["level", "lvl", "severity", "loglevel", "levelname", "@l", "severitytext"];
const MESSAGE: &[&str] = &["msg", "message", "@m", "@mt"];

/// The longest normalised name.
const LENGTH_MAX: usize = 28;
/// So many separators may be in a name beyond its letters.
const SEPARATORS_MAX: usize = 4;
const SLOTS: usize = 256;

/// The meaning of `key`, at the top of a record.
#[inline]
pub fn meaning(key: &[u8]) -> Option<Key> {
    let (first, last) = (*key.first()?, *key.last()?);
    if !maybe(first, last, key.len()) {
        return None;
    }
    match common(key) {
        Some(known) => known,
        None => look_up(&[key]),
    }
}

/// What most loggers write, exactly as they write it: saves the look-up. Measured: a tenth of the time spent in parsing.
#[inline]
fn common(key: &[u8]) -> Option<Option<Key>> {
    Some(match key {
        b"ts" | b"time" | b"timestamp" | b"@timestamp" => Some(Key::Time),
        b"level" | b"severity" => Some(Key::Severity),
        b"msg" | b"message" => Some(Key::Message),
        b"trace_id" | b"traceId" | b"trace.id" => Some(Key::Id(IdKind::Trace)),
        b"request_id" | b"requestId" => Some(Key::Id(IdKind::Request)),
        b"thread" => None,
        _ => return None,
    })
}

/// The meaning of `key` inside the objects of `path` (`a.b.`): all of it as one name, else the key alone when it carries an ID.
#[inline]
pub fn meaning_nested(path: &[u8], key: &[u8]) -> Option<Key> {
    let last = *key.last()?;
    if maybe(*path.first()?, last, path.len() + key.len())
        && let Some(found) = look_up(&[path, key])
    {
        return Some(found);
    }
    meaning_id(key).map(Key::Id)
}

/// The kind of ID that `key` carries, also when other names stand before it (`app.request_id`).
#[inline]
pub fn meaning_id(key: &[u8]) -> Option<IdKind> {
    match meaning(key) {
        Some(Key::Id(kind)) => return Some(kind),
        Some(_) => return None,
        None => {}
    }
    meaning_behind_dot(key)
}

/// The kind of ID that the last name of a dotted key carries.
#[inline]
pub fn meaning_behind_dot(key: &[u8]) -> Option<IdKind> {
    if key.len() <= 6 || key[key.len() - 1] | 0x20 != b'd' {
        return None;
    }
    // Half an ID: the high half of the trace whose low half Datadog calls `dd.trace_id`.
    if key.ends_with(b"_dd.p.tid") {
        return None;
    }
    let dot = key.iter().rposition(|byte| *byte == b'.')?;
    match meaning(&key[dot + 1..]) {
        Some(Key::Id(kind)) => Some(kind),
        _ => None,
    }
}

/// Whether an ID's name can end with these two bytes. Most words before a colon do not.
#[inline(always)]
pub fn may_end_id(before: u8, last: u8) -> bool {
    ENDS[last as usize] >> (before & 31) & 1 == 1
}

#[inline]
fn maybe(first: u8, last: u8, length: usize) -> bool {
    length < 64 && FILTER[(first & 31) as usize][(last & 31) as usize] >> length & 1 == 1
}

#[inline(never)]
fn look_up(parts: &[&[u8]]) -> Option<Key> {
    let mut name = [0u8; LENGTH_MAX];
    let mut length = 0;
    for byte in parts.iter().flat_map(|part| part.iter()) {
        if matches!(byte, b'-' | b'_' | b'.') {
            continue;
        }
        *name.get_mut(length)? = byte.to_ascii_lowercase();
        length += 1;
    }
    let name = &name[..length];
    let mut slot = hash(name) % SLOTS;
    loop {
        let entry = TABLE[slot];
        if entry == 0 {
            return None;
        }
        let (known, key) = named(entry as usize - 1);
        if known.as_bytes() == name {
            return Some(key);
        }
        slot = (slot + 1) % SLOTS;
    }
}

const COUNT: usize = TIME.len() + NANOSECONDS.len() + SEVERITY.len() + MESSAGE.len() + transaction::NAMES.len();

const fn named(mut index: usize) -> (&'static str, Key) {
    if index < TIME.len() {
        return (TIME[index], Key::Time);
    }
    index -= TIME.len();
    if index < NANOSECONDS.len() {
        return (NANOSECONDS[index], Key::Nanoseconds);
    }
    index -= NANOSECONDS.len();
    if index < SEVERITY.len() {
        return (SEVERITY[index], Key::Severity);
    }
    index -= SEVERITY.len();
    if index < MESSAGE.len() {
        return (MESSAGE[index], Key::Message);
    }
    index -= MESSAGE.len();
    (transaction::NAMES[index].0, Key::Id(transaction::NAMES[index].1))
}

/// FNV-1a.
const fn hash(name: &[u8]) -> usize {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut at = 0;
    while at < name.len() {
        hash = (hash ^ name[at] as u64).wrapping_mul(0x0000_0100_0000_01b3);
        at += 1;
    }
    (hash ^ hash >> 32) as usize
}

static TABLE: [u8; SLOTS] = {
    let mut table = [0u8; SLOTS];
    let mut index = 0;
    while index < COUNT {
        let name = named(index).0.as_bytes();
        assert!(name.len() <= LENGTH_MAX);
        let mut slot = hash(name) % SLOTS;
        while table[slot] != 0 {
            slot = (slot + 1) % SLOTS;
        }
        table[slot] = index as u8 + 1;
        index += 1;
    }
    table
};

/// By first and last letter: a bit for each length.
static FILTER: [[u64; 32]; 32] = {
    let mut filter = [[0u64; 32]; 32];
    let mut index = 0;
    while index < COUNT {
        let name = named(index).0.as_bytes();
        let lengths = ((1u64 << (SEPARATORS_MAX + 1)) - 1) << name.len();
        filter[(name[0] & 31) as usize][(name[name.len() - 1] & 31) as usize] |= lengths;
        index += 1;
    }
    filter
};

/// By the last byte of an ID's name: a bit for each letter that may stand before it. A separator may always.
static ENDS: [u32; 256] = {
    let separators = 1 << (b'-' & 31) | 1 << (b'_' & 31) | 1 << (b'.' & 31);
    let mut ends = [0; 256];
    let mut index = 0;
    while index < transaction::NAMES.len() {
        let name = transaction::NAMES[index].0.as_bytes();
        let (before, last) = (name[name.len() - 2], name[name.len() - 1]);
        ends[last as usize] |= separators | 1 << (before & 31);
        ends[last.to_ascii_uppercase() as usize] = ends[last as usize];
        index += 1;
    }
    ends
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_the_tables_passes() {
        for index in 0..COUNT {
            let (name, key) = named(index);
            assert_eq!(meaning(name.as_bytes()), Some(key), "{name}");
            assert_eq!(look_up(&[name.as_bytes()]), Some(key), "{name}");
            assert_eq!(meaning(name.to_uppercase().as_bytes()), Some(key), "{name}");
        }
    }

    #[test]
    fn every_end_of_an_id_passes() {
        for (name, _) in transaction::NAMES {
            let [.., before, last] = name.as_bytes() else { panic!("{name} has two letters at least") };
            for before in [*before, before.to_ascii_uppercase(), b'-', b'_', b'.'] {
                assert!(may_end_id(before, *last) && may_end_id(before, last.to_ascii_uppercase()), "{name}");
            }
        }
        for end in ["er", "00", "ed", "py", "d_", "d."] {
            assert!(!may_end_id(end.as_bytes()[0], end.as_bytes()[1]), "{end}");
        }
    }

    #[test]
    fn spellings() {
        for name in [
            "trace_id",
            "traceId",
            "traceID",
            "TraceId",
            "trace.id",
            "TRACE-ID",
            "dd.trace_id",
            "otelTraceID",
            "@tr",
            "xray_trace_id",
            "logging.googleapis.com/trace",
            "X-Amzn-Trace-Id",
            "traceparent",
            "b3",
            "x-b3-traceid",
            "uber-trace-id",
            "AWS-XRAY-TRACE-ID",
            "trace.trace_id",
            "x-datadog-trace-id",
            "grpc-trace-bin",
        ] {
            assert_eq!(meaning(name.as_bytes()), Some(Key::Id(IdKind::Trace)), "{name}");
        }
        for name in [
            "request_id",
            "requestId",
            "RequestId",
            "req_id",
            "reqId",
            "x_request_id",
            "x-request-id",
            "http.request.id",
            "x-github-request-id",
            "cf-ray",
            "Kong-Request-ID",
            "UNIQUE_ID",
        ] {
            assert_eq!(meaning(name.as_bytes()), Some(Key::Id(IdKind::Request)), "{name}");
        }
        for name in ["correlation_id", "CorrelationId", "x-correlation-id"] {
            assert_eq!(meaning(name.as_bytes()), Some(Key::Id(IdKind::Correlation)), "{name}");
        }
        for name in ["transaction_id", "transactionId", "transaction.id", "txn_id", "txnId", "tx_id", "job_id", "jid"] {
            assert_eq!(meaning(name.as_bytes()), Some(Key::Id(IdKind::Transaction)), "{name}");
        }
        for name in ["operation_Id", "tid", "message_id", "event_id"] {
            assert_eq!(meaning(name.as_bytes()), Some(Key::Id(IdKind::Other)), "{name}");
        }
        assert_eq!(meaning_id(b"context.mdc.request_id"), Some(IdKind::Request));
        assert_eq!(meaning_id(b"_dd.p.tid"), None);
        assert_eq!(meaning_nested(b"http.request.", b"id"), Some(Key::Id(IdKind::Request)));
        assert_eq!(meaning_nested(b"log.", b"level"), Some(Key::Severity));
        assert_eq!(meaning_nested(b"req.", b"time"), None);
    }

    #[test]
    fn others_mean_nothing() {
        for name in [
            "",
            "span_id",
            "spanId",
            "session_id",
            "user_id",
            "id",
            "service",
            "host",
            "thread",
            "duration_ms",
            "status",
            "parent_id",
            "_dd.p.tid",
        ] {
            assert_eq!(meaning(name.as_bytes()), None, "{name}");
        }
    }
}
