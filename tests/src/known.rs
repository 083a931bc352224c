//! Lines of which everything is known that can be asked of them: service, level, time, and keys with numbers and names.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::line::Format;
use crate::logfile::LogFile;

/// Each service writes in a format of its own.
pub const SERVICES: [(&str, Format); 3] = [("shop", Format::Json), ("cart", Format::Logfmt), ("stock", Format::Text)];
/// As answers spell them.
const LEVELS: [&str; 4] = ["debug", "info", "warn", "error"];

/// A line that was written, and what it says.
#[derive(Clone, Debug)]
pub struct Known {
    pub service: &'static str,
    pub level: &'static str,
    /// Whole milliseconds.
    pub time: Timestamp,
    pub status: u16,
    /// Lines of text have none.
    pub duration_ms: Option<f64>,
    pub user: String,
    pub line: String,
}

/// `count` lines in each service's file, a time apart from 20 minutes ago on; some share one.
pub fn write(logs: &std::path::Path, random: &mut fastrand::Rng, count: usize) -> Vec<Known> {
    let begin = Timestamp::now().as_millisecond() - 20 * 60_000;
    let mut written = Vec::new();
    for (service, format) in SERVICES {
        let mut file = LogFile::open(&logs.join(format!("{service}.log")));
        let mut text = Vec::new();
        for number in 0..count {
            let at = begin + (number as i64 / 2) * 2 * 600_000 / count as i64;
            let known = known(random, (service, format), Timestamp::from_millisecond(at).expect("a time"), number);
            text.extend_from_slice(known.line.as_bytes());
            text.push(b'\n');
            written.push(known);
        }
        file.write(&text);
    }
    written
}

fn known(
    random: &mut fastrand::Rng,
    (service, format): (&'static str, Format),
    time: Timestamp,
    number: usize,
) -> Known {
    let level = LEVELS[random.usize(..LEVELS.len())];
    let status = [200, 201, 404, 500, 503][random.usize(..5)];
    let user = format!("user-{}", random.u8(..37));
    let millis = f64::from(random.u32(1..400_000)) / 64.0;
    let stamp = time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ");
    let line = match format {
        Format::Json => format!(
            r#"{{"time":"{stamp}","level":"{level}","number":{number},"status":{status},"duration_ms":{millis},"user":"{user}","msg":"order placed"}}"#
        ),
        Format::Logfmt => format!(
            r#"time={stamp} level={level} number={number} status={status} duration_ms={millis} user={user} msg="cart filled""#
        ),
        Format::Text => {
            format!("{stamp} {} number={number} status={status} user={user} stock low", level.to_uppercase())
        }
    };
    let duration_ms = (format != Format::Text).then_some(millis);
    Known { service, level, time, status, duration_ms, user, line }
}

/// How many lines have each key.
pub fn counted<K: Ord>(lines: impl IntoIterator<Item = K>) -> BTreeMap<K, u64> {
    let mut counts = BTreeMap::new();
    lines.into_iter().for_each(|key| *counts.entry(key).or_insert(0) += 1);
    counts
}
