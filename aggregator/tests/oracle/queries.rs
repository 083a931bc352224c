//! Queries that some of the records fulfil: their words, values and patterns are cut out of what was written.

use clew_aggregator::query::language::ast::{Bound, Comparison, FieldName, Query, Span, Test, What};
use clew_aggregator::query::language::level;
use fastrand::Rng;

use super::lines::{self, Ingredients, KEYS, WORDS};
use super::logs::{Entry, NOON_NS};

/// Texts that stand where the overlay hides something, or where an escape ends.
const DELICATE: [&str; 26] = [
    "t",
    "z",
    "absent",
    "nfoo",
    "foo",
    "tby",
    "-",
    ":",
    "\u{1}",
    "\u{2}",
    "\u{1}\u{1}",
    "00",
    "2026",
    "2026-11-23",
    "11",
    "n",
    "u003creset",
    "timeoutab",
    "be",
    "_",
    "xyz_",
    "\u{212a}",
    "\u{17f}",
    "ab",
    "at",
    "zfoo",
];

pub struct Queries<'a> {
    pub entries: &'a [Entry],
    pub ids: &'a dyn Fn(&mut Rng) -> String,
}

impl Queries<'_> {
    pub fn query(&self, random: &mut Rng, depth: usize) -> Query {
        match random.u8(..12) {
            0 if depth > 0 => Query::not(self.query(random, depth - 1)),
            1 | 2 if depth > 0 => Query::and(self.parts(random, depth - 1)),
            3 | 4 if depth > 0 => Query::or(self.parts(random, depth - 1)),
            5 if depth == 0 && random.u8(..20) == 0 => Query::All,
            5..8 => self.of_key(random),
            8 | 9 => self.of_origin(random),
            _ => Query::Test(Test { field: None, what: self.of_line(random), span: Span::default() }),
        }
    }

    fn parts(&self, random: &mut Rng, depth: usize) -> Vec<Query> {
        (0..random.usize(2..4)).map(|_| self.query(random, depth)).collect()
    }

    fn entry(&self, random: &mut Rng) -> &Entry {
        &self.entries[random.usize(..self.entries.len())]
    }

    fn of_line(&self, random: &mut Rng) -> What {
        let Entry { time, line, .. } = self.entry(random);
        let text = match random.u8(..10) {
            0 => DELICATE[random.usize(..DELICATE.len())].to_owned(),
            1 => {
                let id = (self.ids)(random);
                if random.bool() { id } else { piece(random, id.as_bytes()) }
            }
            2 => lines::time_text(random, *time),
            3 => {
                let ids = [(self.ids)(random)];
                lines::word(random, &Ingredients { time: *time, ids: &ids })
            }
            4..7 => token(random, line),
            _ => piece(random, line),
        };
        what(random, &text, false)
    }

    fn of_key(&self, random: &mut Rng) -> Query {
        let fields = (0..8).map(|_| &self.entry(random).fields[..]).find(|fields| !fields.is_empty());
        let fields = fields.unwrap_or_default();
        let (path, value) = match fields.len() {
            0 => (KEYS[random.usize(..KEYS.len())].to_owned(), b"500".to_vec()),
            count => {
                let (path, value) = &fields[random.usize(..count)];
                (String::from_utf8_lossy(path).into_owned(), value.text())
            }
        };
        // A key that begins or ends with a dot is written in quotes, as one segment.
        let is_plain = path.chars().all(|character| character.is_alphanumeric() || "._".contains(character));
        let segments = match path.split('.').map(String::from).collect::<Vec<_>>() {
            segments if is_plain && segments.iter().all(|segment| !segment.is_empty()) => segments,
            _ => vec![path],
        };
        let value = match random.u8(..8) {
            0 => WORDS[random.usize(..WORDS.len())].to_owned(),
            1 => piece(random, &value),
            2 | 3 => token(random, &value),
            _ => String::from_utf8_lossy(&value).into_owned(),
        };
        test(FieldName::Key(segments), what(random, &value, true))
    }

    fn of_origin(&self, random: &mut Rng) -> Query {
        let entry = self.entry(random);
        let (source, time) = (&entry.source, entry.time);
        match random.u8(..8) {
            0 => test(FieldName::Service, what(random, &source.service, true)),
            1 => test(FieldName::Host, what(random, &source.host, true)),
            2 => {
                let path = String::from_utf8_lossy(&source.path).into_owned();
                let end = path.rsplit('/').next().unwrap_or_default();
                let asked = if random.bool() { end } else { &path };
                test(FieldName::File, what(random, asked, true))
            }
            3 => {
                let name = ["app", "k8s.io/name", "absent"][random.usize(..3)];
                let value = ["shop", "Web", "sh"][random.usize(..3)];
                test(FieldName::Label(name.into()), what(random, value, true))
            }
            4 => test(FieldName::Level, level_test(random)),
            5 => test(FieldName::Source, what(random, &source.id.simple().to_string(), true)),
            6 => {
                let what = if random.u8(..4) == 0 { What::Exists } else { What::Word((self.ids)(random)) };
                test(FieldName::Txn, what)
            }
            _ => {
                let other = self.entry(random).time;
                let (left, right) = (time_point(random, time), time_point(random, other));
                test(FieldName::Time, compared(random, left, right))
            }
        }
    }
}

fn test(field: FieldName, what: What) -> Query {
    Query::Test(Test { field: Some(field), what, span: Span::default() })
}

fn time_point(random: &mut Rng, time: i64) -> String {
    match random.u8(..4) {
        0 => time.to_string(),
        1 => jiff::Timestamp::from_nanosecond(i128::from(time)).expect("in range").to_string(),
        2 => format!("-{}ns", (NOON_NS - time).max(0)),
        _ => "2026-11-24".into(),
    }
}

fn level_test(random: &mut Rng) -> What {
    let name = |random: &mut Rng| level::NAMES[random.usize(..level::NAMES.len())].to_uppercase();
    let (left, right) = (name(random), name(random));
    match random.u8(..4) {
        0 => What::Exists,
        1 => What::Word(left),
        _ => compared(random, left, right),
    }
}

fn compared(random: &mut Rng, left: String, right: String) -> What {
    let comparisons = [Comparison::Less, Comparison::LessEqual, Comparison::Greater, Comparison::GreaterEqual];
    let bound = |random: &mut Rng, text: String| match random.u8(..4) {
        0 => Bound::Open,
        1 => Bound::Excluding(text),
        _ => Bound::Including(text),
    };
    if random.bool() {
        return What::Compare(comparisons[random.usize(..4)], left);
    }
    What::Range { from: bound(random, left), to: bound(random, right) }
}

/// Something to ask of a field or of the line.
fn what(random: &mut Rng, text: &str, fielded: bool) -> What {
    let text = match random.u8(..4) {
        0 => text.to_uppercase(),
        1 => text.to_lowercase(),
        _ => text.to_owned(),
    };
    if fielded && random.u8(..8) == 0 {
        return What::Exists;
    }
    if fielded && random.u8(..6) == 0 {
        let other = ["0", "-7", "500", "500.0", "5e2", "1e400", "m", ""][random.usize(..8)];
        return compared(random, text, other.to_owned());
    }
    if text.is_empty() {
        return if fielded { What::Phrase(text) } else { What::Word("nothing".into()) };
    }
    match random.u8(..6) {
        0 | 1 => What::Word(text),
        2 | 3 => What::Phrase(text),
        4 => {
            let ends: Vec<usize> = text.char_indices().map(|(at, character)| at + character.len_utf8()).collect();
            What::Prefix(text[..ends[random.usize(..ends.len())]].to_owned())
        }
        _ => {
            // Without a field, what holds no sign of a regex is a path.
            What::Regex(format!("(?:{})", pattern(random, &text)))
        }
    }
}

fn pattern(random: &mut Rng, text: &str) -> String {
    let mut pattern = if random.u8(..4) == 0 { "(?i)".to_owned() } else { String::new() };
    if random.u8(..8) == 0 {
        pattern.push('^');
    }
    for character in text.chars().take(60) {
        match random.u8(..12) {
            0 => pattern.push('.'),
            1 if character.is_ascii_digit() => pattern += r"\d",
            2 => pattern += &format!("({}|x)", regex::escape(&character.to_string())),
            _ => pattern += &regex::escape(&character.to_string()),
        }
    }
    if random.u8(..8) == 0 {
        pattern.push('$');
    }
    pattern
}

/// A word of `line`.
fn token(random: &mut Rng, line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line).into_owned();
    let words: Vec<_> = text
        .split(|character: char| !character.is_alphanumeric() && character != '_')
        .filter(|word| !word.is_empty())
        .collect();
    if words.is_empty() { piece(random, line) } else { words[random.usize(..words.len())].to_owned() }
}

/// Characters of `line` that stand side by side, wherever they begin.
fn piece(random: &mut Rng, line: &[u8]) -> String {
    if line.is_empty() {
        return String::new();
    }
    let begin = random.usize(..line.len());
    let end = line.len().min(begin + random.usize(1..30));
    let text = String::from_utf8_lossy(&line[begin..end]).into_owned();
    text.trim_matches(char::REPLACEMENT_CHARACTER).to_owned()
}
