//! Log lines of several formats. Each carries one transaction ID in some usual spelling, the number of its writer and its
//! own number, so that no two are equal and none can be mistaken for another.

use fastrand::Rng;
use jiff::Timestamp;

/// How a line is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Json,
    Logfmt,
    Text,
}

/// All formats.
pub const FORMATS: [Format; 3] = [Format::Json, Format::Logfmt, Format::Text];

/// 32 hex digits, as trace IDs are.
pub fn id(random: &mut Rng) -> String {
    format!("{:032x}", random.u128(1..))
}

/// A line without its line feed, of now. `number` rises within its writer.
pub fn line(random: &mut Rng, format: Format, id: &str, writer: u32, number: u64) -> Vec<u8> {
    let (hex, id) = (id, spelled(random, id));
    let level = ["DEBUG", "INFO", "WARN", "ERROR"][random.usize(..4)];
    let time = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.6fZ");
    let filler = filler(random);
    let text = match format {
        Format::Json => {
            let key = ["trace_id", "traceId", "trace.id", "request_id", "correlation_id"][random.usize(..5)];
            format!(
                r#"{{"time":"{time}","level":"{level}","{key}":"{id}","writer":{writer},"number":{number},"message":"{filler}"}}"#
            )
        }
        Format::Logfmt => {
            let key = ["trace_id", "request_id", "transaction_id"][random.usize(..3)];
            format!(r#"time={time} level={level} writer={writer} number={number} {key}={id} msg="{filler}""#)
        }
        Format::Text => match random.u8(..3) {
            // Spring writes hex digits there, nothing else.
            0 => format!("{time} {level} [shop,{hex},00f067aa0ba902b7] writer {writer} number {number} {filler}"),
            1 => format!("{time} {level} writer {writer} number {number} trace_id={id} {filler}"),
            // It has no time of its own.
            _ => format!("{level} writer {writer} number {number} {filler} request_id={id}"),
        },
    };
    let mut bytes = text.into_bytes();
    if random.u8(..16) == 0 {
        let begin = find(&bytes, filler.as_bytes());
        corrupt(&mut bytes[begin..begin + filler.len()], random);
    }
    if random.u8(..32) == 0 {
        bytes.push(b'\r');
    }
    bytes
}

fn find(bytes: &[u8], part: &[u8]) -> usize {
    bytes.windows(part.len()).rposition(|window| window == part).expect("the line holds its filler")
}

/// Any usual spelling of the same ID.
fn spelled(random: &mut Rng, id: &str) -> String {
    match random.u8(..8) {
        0 => id.to_uppercase(),
        1 => format!("{}-{}-{}-{}-{}", &id[..8], &id[8..12], &id[12..16], &id[16..20], &id[20..]),
        _ => id.to_owned(),
    }
}

/// Words of a random length, mostly short, now and then some kilobytes.
fn filler(random: &mut Rng) -> String {
    const WORDS: [&str; 12] =
        ["order", "placed", "for", "stock", "low", "retry", "the", "pool", "grün", "slow", "query", "日本"];
    let words = if random.u8(..50) == 0 { random.usize(200..1200) } else { random.usize(1..30) };
    (0..words).map(|_| WORDS[random.usize(..WORDS.len())]).collect::<Vec<_>>().join(" ")
}

/// Bytes that are no UTF-8, in the free text alone: quotes, keys and the ID stay.
fn corrupt(filler: &mut [u8], random: &mut Rng) {
    for byte in filler {
        if *byte == b' ' && random.bool() {
            *byte = [0xff, 0xfe, 0xc3, 0x80][random.usize(..4)];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_one_line_and_unique() {
        let mut random = Rng::with_seed(7);
        let id = id(&mut random);
        let mut seen = std::collections::HashSet::new();
        for number in 0..3000 {
            let line = line(&mut random, FORMATS[number as usize % 3], &id, 1, number);
            assert!(!line.contains(&b'\n') && !line.is_empty());
            assert!(line.len() < 16 * 1024, "below record_bytes_max: {}", line.len());
            assert!(seen.insert(line));
        }
    }

    #[test]
    fn a_corrupt_line_keeps_its_id() {
        let mut random = Rng::with_seed(11);
        let id = id(&mut random);
        let mut corrupt_lines = 0;
        for number in 0..2000 {
            let line = line(&mut random, Format::Json, &id, 1, number);
            corrupt_lines += usize::from(std::str::from_utf8(&line).is_err());
            let text = String::from_utf8_lossy(&line).to_lowercase().replace('-', "");
            assert!(text.contains(&id), "{text}");
        }
        assert!(corrupt_lines > 50);
    }
}
