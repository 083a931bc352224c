//! Lines as programs write them, and as nobody should.
//!
//! Vocabulary and IDs are few, so that lines have much in common and a query finds some of them and not others. Some words stand in
//! one line alone: only they show whether the index passes a block over that it must not.

use fastrand::Rng;

/// A time and the IDs that a line may show.
pub struct Ingredients<'a> {
    /// Nanoseconds since the epoch.
    pub time: i64,
    /// Spellings.
    pub ids: &'a [String],
}

/// Many of them are hex digits as well, or end or begin with some.
pub const WORDS: [&str; 34] = [
    "timeout",
    "Connection",
    "reset",
    "by",
    "peer",
    "added",
    "feed",
    "facade",
    "be",
    "dead",
    "cafe",
    "decade",
    "a",
    "T",
    "Z",
    "user_id",
    "GET",
    "POST",
    "200",
    "500",
    "0500",
    "42",
    "3.14",
    "-7",
    "über",
    "ÜBER",
    "Größe",
    "straße",
    "ключ",
    "КЛЮЧ",
    "名前",
    "nfoo",
    "foo",
    "_",
];
/// What stands between two words; glue, mostly.
const BETWEEN: [&str; 22] = [
    " ", " ", " ", " ", " ", "", "_", "-", "-", ".", ":", "=", "/", ",", ", ", "\t", "\\", "\"", "<", "\u{2014}", "]",
    "\u{7f}",
];
pub const KEYS: [&str; 14] = [
    "status", "msg", "user", "name", "http", "added", "trace_id", "größe", "odd key", "a<b", "x\ny", "a.b", "items",
    "e",
];
/// Control characters, what encoders escape, and text behind them; `@` is a word of this line alone.
const TEXTS: [&str; 15] = [
    "one\n@",
    "<@>\t@\u{8}@\u{c}@",
    "\\n@ \\@ \"@/@",
    "line one\nfoo",
    "\ttimeout\tby",
    "<reset>&'by'",
    "say \"reset\" \\nfoo C:\\users",
    "\u{1}\u{2}\u{3}\u{4}\u{5}",
    "\u{8}added\u{c}feed\r",
    "über ключ😀foo",
    "",
    "500",
    "007",
    "true",
    "null",
];
const NUMBERS: [&str; 14] = [
    "0",
    "-0",
    "500",
    "500.0",
    "500.50",
    "500.5",
    "5e2",
    "-7",
    "42",
    "1e400",
    "9007199254740993",
    "0.1",
    "1E+2",
    "12345678901234567890",
];

/// The content of one record, without the line feed at its end.
pub fn line(random: &mut Rng, of: &Ingredients<'_>) -> Vec<u8> {
    match random.u8(..14) {
        0..4 => json(random, of).into_bytes(),
        4..6 => logfmt(random, of).into_bytes(),
        6..9 => plain(random, of).into_bytes(),
        9 => format!(
            "{}\n\tat com.foo.Bar(Baz.java:{})\nCaused by: {}",
            plain(random, of),
            random.u8(..),
            words(random, of)
        )
        .into_bytes(),
        10 => format!("{} {}", logfmt(random, of), json(random, of)).into_bytes(),
        11 => {
            let text = json(random, of);
            cut(random, &text).into_bytes()
        }
        12 => noise(random, of),
        _ => match random.u8(..3) {
            0 => Vec::new(),
            1 => long(random).into_bytes(),
            _ => word(random, of).into_bytes(),
        },
    }
}

/// RFC 3339 with so many digits as the fraction has, or more or fewer, and sometimes another time than the record's.
pub fn time_text(random: &mut Rng, time: i64) -> String {
    let time = if random.u8(..8) == 0 { time + 1_000_000_000 } else { time };
    let text =
        jiff::Timestamp::from_nanosecond(i128::from(time)).expect("in range").strftime("%Y-%m-%dT%H:%M:%S").to_string();
    let text = if random.bool() { text } else { text.replace('T', " ") };
    let nanos = format!("{:09}", time.rem_euclid(1_000_000_000));
    let digits = if nanos.ends_with("000000") { 3 } else { 9 };
    let mark = if random.u8(..4) == 0 { ',' } else { '.' };
    let fraction = match random.u8(..4) {
        0 => String::new(),
        1 => format!("{mark}{}", &nanos[..6]),
        _ => format!("{mark}{}", &nanos[..digits]),
    };
    let zone = ["Z", "", "+00:00", "T", "Zfoo"][random.usize(..5)];
    format!("{text}{fraction}{zone}")
}

fn pick<'t>(random: &mut Rng, from: &[&'t str]) -> &'t str {
    from[random.usize(..from.len())]
}

pub fn word(random: &mut Rng, of: &Ingredients<'_>) -> String {
    match random.u8(..12) {
        0 if !of.ids.is_empty() => of.ids[random.usize(..of.ids.len())].clone(),
        1 if !of.ids.is_empty() => {
            let id = &of.ids[random.usize(..of.ids.len())];
            let glue = ["timeout", "_", "ab", "x", "0", "-"];
            match random.u8(..3) {
                0 => format!("{}{id}", pick(random, &glue)),
                1 => format!("{id}{}", pick(random, &glue)),
                _ => id.to_uppercase(),
            }
        }
        2 => time_text(random, of.time),
        3 if random.u8(..6) == 0 => long(random),
        4..6 => rare(random),
        _ => {
            let word = pick(random, &WORDS);
            match random.u8(..6) {
                0 => word.to_uppercase(),
                1 => word.to_lowercase(),
                _ => word.to_owned(),
            }
        }
    }
}

/// A word that hardly stands in another line; half of its letters are hex digits.
fn rare(random: &mut Rng) -> String {
    (0..random.usize(2..8)).map(|_| char::from(b"abcdefghijkmxyz_"[random.usize(..16)])).collect()
}

fn key(random: &mut Rng) -> String {
    match random.u8(..8) {
        0 => rare(random),
        1 => format!("{}{}{}", rare(random), pick(random, &["<", "\n", "-", ".", "\"", "'"]), rare(random)),
        _ => pick(random, &KEYS).to_owned(),
    }
}

/// Around 64 bytes, where the index cuts words.
fn long(random: &mut Rng) -> String {
    let mut text = "longword".repeat(8);
    text.truncate(random.usize(60..=64));
    text + pick(random, &["", "s", "st", "ü", "_x", "0", "wort"])
}

fn words(random: &mut Rng, of: &Ingredients<'_>) -> String {
    let mut text = String::new();
    for _ in 0..random.usize(1..7) {
        text += &word(random, of);
        text += pick(random, &BETWEEN);
    }
    text
}

fn plain(random: &mut Rng, of: &Ingredients<'_>) -> String {
    let glue = pick(random, &["", " ", "[", "at", "x ", "at "]);
    let time = if random.u8(..4) == 0 { String::new() } else { time_text(random, of.time) };
    format!("{glue}{time}{}{}", pick(random, &[" ", "", " INFO ", "] "]), words(random, of))
}

fn logfmt(random: &mut Rng, of: &Ingredients<'_>) -> String {
    let mut text = String::new();
    for _ in 0..random.usize(1..6) {
        let key = key(random);
        let value = match random.u8(..6) {
            0 => pick(random, &NUMBERS).to_owned(),
            1 => {
                let text = pick_text(random, of);
                quoted(random, &text)
            }
            2 => words(random, of).replace(['"', ' '], ""),
            3 => pick(random, &["true", "null", "", "f(x)", "1s"]).to_owned(),
            _ => word(random, of),
        };
        text += &format!(
            "{}={value}{}",
            key.replace([' ', '\n', '<', '"', '\''], "-"),
            pick(random, &[" ", " ", ",", ";", ") "])
        );
    }
    text
}

fn json(random: &mut Rng, of: &Ingredients<'_>) -> String {
    let blank = if random.u8(..4) == 0 { " " } else { "" };
    object(random, of, blank, 0)
}

fn object(random: &mut Rng, of: &Ingredients<'_>, blank: &str, depth: usize) -> String {
    let fields: Vec<_> = (0..random.usize(usize::from(depth == 0)..6))
        .map(|_| {
            let key = key(random);
            format!("{}{blank}:{blank}{}", quoted(random, &key), value(random, of, blank, depth))
        })
        .collect();
    format!("{{{}}}", fields.join(","))
}

fn value(random: &mut Rng, of: &Ingredients<'_>, blank: &str, depth: usize) -> String {
    match random.u8(..12) {
        0 => pick(random, &["true", "false", "null"]).to_owned(),
        1 | 2 => pick(random, &NUMBERS).to_owned(),
        3 if depth < 3 => object(random, of, blank, depth + 1),
        4 if depth < 3 => {
            let values: Vec<_> = (0..random.usize(..4)).map(|_| value(random, of, blank, depth + 1)).collect();
            format!("[{}]", values.join(&format!("{blank},")))
        }
        5 => {
            let time = time_text(random, of.time);
            quoted(random, &time)
        }
        _ => {
            let text = pick_text(random, of);
            quoted(random, &text)
        }
    }
}

fn pick_text(random: &mut Rng, of: &Ingredients<'_>) -> String {
    match random.u8(..3) {
        0 => pick(random, &TEXTS).split('@').collect::<Vec<_>>().join(&rare(random)),
        1 => word(random, of),
        _ => words(random, of),
    }
}

/// As one of the encoders that there are writes a string: only what must be escaped, or all but ASCII, or what HTML minds as well.
fn quoted(random: &mut Rng, text: &str) -> String {
    let (ascii_only, html) = (random.u8(..3) == 0, random.u8(..3) == 0);
    let upper = random.bool();
    let mut out = String::from("\"");
    let code = |out: &mut String, character: char| {
        for unit in character.encode_utf16(&mut [0; 2]) {
            *out += &if upper { format!("\\u{unit:04X}") } else { format!("\\u{unit:04x}") };
        }
    };
    for character in text.chars() {
        match character {
            '"' => out += "\\\"",
            '\\' => out += "\\\\",
            '\n' => out += "\\n",
            '\r' => out += "\\r",
            '\t' => out += "\\t",
            '\u{8}' => out += "\\b",
            '\u{c}' => out += "\\f",
            '/' if html => out += "\\/",
            '<' | '>' | '&' | '\'' | '\u{7f}' if html => code(&mut out, character),
            control if control.is_ascii_control() && control != '\u{7f}' => code(&mut out, character),
            other if ascii_only && !other.is_ascii() => code(&mut out, other),
            other => out.push(other),
        }
    }
    out + "\""
}

fn cut(random: &mut Rng, text: &str) -> String {
    let mut end = random.usize(1..=text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

/// Bytes that are no text, and those that the overlay puts in the place of others.
fn noise(random: &mut Rng, of: &Ingredients<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..random.usize(1..8) {
        match random.u8(..4) {
            0 => bytes.push(random.u8(1..6)),
            1 => bytes.push(random.u8(0x80..=0xff)),
            2 => bytes.push(random.u8(..)),
            _ => bytes.extend(words(random, of).into_bytes()),
        }
    }
    // A line feed at the end would be taken for the record's own.
    while bytes.last() == Some(&b'\n') {
        bytes.pop();
    }
    bytes
}
