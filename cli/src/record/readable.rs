//! One log line as a person reads it.
//!
//! A JSON line becomes its message and the fields that say something more, as `key=value`; its time, level, IDs and host
//! stand in other columns, in the header or behind the line already. Any other line stays as it is. Pure: text in, pieces out.

use std::collections::HashSet;

use crate::answer::{Id, Record};
use crate::json::Json;
use crate::terminal::{DIM, PLAIN, Piece};

const MESSAGE_KEYS: [&str; 7] = ["message", "msg", "@message", "short_message", "body", "event", "log"];

/// A date and a time of day have at least so many characters.
const TIME_CHARACTERS_MIN: usize = 19;

/// Keys, lower case and without `_`, `-`, `.`, `@`, that repeat what the other columns say, or are IDs.
#[rustfmt::skip]
const NOISE_KEYS: [&str; 39] = [
    "time", "ts", "t", "timestamp", "datetime", "date", "asctime", "instant", "eventtime", "timeunixnano",
    "level", "lvl", "severity", "severitytext", "severitynumber", "loglevel", "levelname", "levelno",
    "traceid", "spanid", "parentid", "parentspanid", "traceflags", "tracesampled", "traceparent", "tracestate",
    "oteltraceid", "otelspanid", "oteltraceflags", "oteltracesampled", "ddtraceid", "ddspanid", "sampled",
    "pid", "processpid", "hostname", "host", "ecsversion", "v",
];

/// IDs that are shown elsewhere already: in the transaction's header, or behind the record.
pub struct Noise {
    ids: HashSet<String>,
    /// The same IDs as they are spelt there.
    raw: Vec<String>,
}

impl Noise {
    pub fn of(ids: &[Id]) -> Self {
        let raw: Vec<String> = ids.iter().map(|id| id.value.clone()).filter(|id| !id.is_empty()).collect();
        Self { ids: raw.iter().map(|id| spelling(id)).collect(), raw }
    }

    fn hides(&self, key: &str, value: &Json, record: &Record) -> bool {
        let key: String =
            key.chars().filter(|c| !matches!(c, '_' | '-' | '.' | '@')).map(|c| c.to_ascii_lowercase()).collect();
        let text = match value {
            Json::String(text) => text.as_str(),
            Json::Null => return true,
            _ => "",
        };
        NOISE_KEYS.contains(&key.as_str())
            || (!text.is_empty() && self.ids.contains(&spelling(text)))
            || (matches!(key.as_str(), "service" | "servicename" | "app" | "application" | "name")
                && text == record.service)
    }
}

/// The record's physical lines.
pub fn lines(record: &Record, noise: &Noise) -> Vec<Vec<Piece>> {
    let line = record.line.trim_end_matches(['\r', '\n']);
    if line.trim_start().starts_with('{')
        && let Ok(Json::Object(fields)) = serde_json::from_str(line)
    {
        return json_lines(fields, record, noise);
    }
    dimmed_lines(line, noise)
}

fn json_lines(fields: Vec<(String, Json)>, record: &Record, noise: &Noise) -> Vec<Vec<Piece>> {
    let mut flat = Vec::new();
    flatten("", fields, &mut flat);
    let is_message = |(key, value): &(String, Json)| {
        matches!(value, Json::String(_)) && MESSAGE_KEYS.contains(&key.to_ascii_lowercase().as_str())
    };
    // The list's order decides, not the line's: `event` may be a mere name beside a `message`.
    let message = MESSAGE_KEYS
        .iter()
        .find_map(|wanted| flat.iter().position(|field| is_message(field) && field.0.eq_ignore_ascii_case(wanted)))
        .map(|at| flat.remove(at).1);
    let mut lines = match message {
        Some(Json::String(text)) => text_lines(text.trim_end_matches('\n')),
        _ => vec![Vec::new()],
    };
    let mut blocks = Vec::new();
    for (key, value) in flat {
        if noise.hides(&key, &value, record) {
            continue;
        }
        match value {
            Json::String(text) if text.trim_end().contains('\n') => blocks.push((key, text)),
            value => {
                let first = &mut lines[0];
                let gap = if first.is_empty() { "" } else { "  " };
                first.push(Piece::new(DIM, &format!("{gap}{key}=")));
                first.push(Piece::new(PLAIN, &plain(&value)));
            }
        }
    }
    for (key, text) in blocks {
        lines.push(vec![Piece::new(DIM, &format!("{key}:"))]);
        lines.extend(text_lines(text.trim_end()));
    }
    lines
}

/// Nested objects as `http.status=200`. A field named twice is shown twice.
fn flatten(prefix: &str, fields: Vec<(String, Json)>, flat: &mut Vec<(String, Json)>) {
    for (key, value) in fields {
        let key = if prefix.is_empty() { key } else { format!("{prefix}.{key}") };
        match value {
            Json::Object(fields) if !fields.is_empty() => flatten(&key, fields, flat),
            value => flat.push((key, value)),
        }
    }
}

/// A value as logfmt writes it: quoted only where it would not be one word.
fn plain(value: &Json) -> String {
    match value {
        Json::String(text) if !text.is_empty() && !text.contains([' ', '"', '=', '\n', '\t']) => text.clone(),
        value => value.to_string(),
    }
}

fn text_lines(text: &str) -> Vec<Vec<Piece>> {
    text.split('\n').map(|line| vec![Piece::new(PLAIN, line.trim_end_matches('\r'))]).collect()
}

/// The physical lines of a record that is no JSON, word for word; its time and the transaction's IDs step back.
fn dimmed_lines(text: &str, noise: &Noise) -> Vec<Vec<Piece>> {
    text.split('\n').map(|line| dimmed(line.trim_end_matches('\r'), noise)).collect()
}

fn dimmed(line: &str, noise: &Noise) -> Vec<Piece> {
    let time = line.find(|c: char| !(c.is_ascii_digit() || "-:.,TZ+/ ".contains(c))).unwrap_or(0);
    let (time, mut rest) = line.split_at(if time >= TIME_CHARACTERS_MIN { time } else { 0 });
    let mut pieces = Vec::new();
    let mut push = |style, text: &str| {
        if !text.is_empty() {
            pieces.push(Piece::new(style, text));
        }
    };
    push(DIM, time);
    let next = |rest: &str| noise.raw.iter().filter_map(|id| Some((rest.find(id.as_str())?, id.len()))).min();
    while let Some((at, length)) = next(rest) {
        push(PLAIN, &rest[..at]);
        push(DIM, &rest[at..at + length]);
        rest = &rest[at + length..];
    }
    push(PLAIN, rest);
    pieces
}

/// IDs are the same without dashes and case.
fn spelling(id: &str) -> String {
    id.chars().filter(|c| *c != '-').map(|c| c.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise() -> Noise {
        let id = "7b1e6f0a-5c1d-4a8e-9d53-0c8a3f2b1e77".to_owned();
        Noise { ids: HashSet::from([spelling(&id)]), raw: vec![id] }
    }

    fn text(line: &str) -> Vec<String> {
        let record = Record { severity: "info".into(), service: "cart".into(), line: line.into(), ..Record::default() };
        lines(&record, &noise()).iter().map(|line| line.iter().map(|piece| piece.text.as_str()).collect()).collect()
    }

    #[test]
    fn a_json_line_shows_its_message_and_what_it_adds() {
        assert_eq!(
            text(
                r#"{"level":30,"time":1764000000123,"pid":7,"hostname":"a","name":"cart","trace_id":"ab","reqId":"7B1E6F0A5C1D4A8E9D530C8A3F2B1E77","items":3,"req":{"method":"POST","url":"/carts/a b"},"tags":["x",1],"none":null,"msg":"item added"}"#
            ),
            [r#"item added  items=3  req.method=POST  req.url="/carts/a b"  tags=["x",1]"#]
        );
        assert_eq!(
            text(
                r#"{"@timestamp":"x","log.level":"INFO","trace":{"id":"ab"},"span.id":"c","service.name":"cart","event":"sent","took_ms":1.5}"#
            ),
            ["sent  took_ms=1.5"]
        );
        assert_eq!(text(r#"{"a":1,"b":"two words"}"#), [r#"a=1  b="two words""#]);
    }

    #[test]
    fn a_text_line_s_time_and_ids_step_back() {
        let line = "2026-11-23 12:00:00,123 INFO id=7b1e6f0a-5c1d-4a8e-9d53-0c8a3f2b1e77 done";
        let piece = Piece::new;
        let expected = [
            piece(DIM, "2026-11-23 12:00:00,123 "),
            piece(PLAIN, "INFO id="),
            piece(DIM, "7b1e6f0a-5c1d-4a8e-9d53-0c8a3f2b1e77"),
            piece(PLAIN, " done"),
        ];
        assert_eq!(dimmed(line, &noise()), expected);
        assert_eq!(dimmed("42 done", &noise()), [piece(PLAIN, "42 done")]);
        assert!(dimmed("", &noise()).is_empty());
    }

    #[test]
    fn a_stack_trace_in_a_field_stands_below() {
        assert_eq!(
            text("{\"message\":\"failed\",\"error.stack_trace\":\"E: x\\n\\tat a\\n\\tat b\\n\",\"n\":1}"),
            ["failed  n=1", "error.stack_trace:", "E: x", "    at a", "    at b"]
        );
    }

    #[test]
    fn any_other_line_stays_as_it_is_and_harmless() {
        assert_eq!(text("a=1 msg=\"x\"\r\n  at b\n"), ["a=1 msg=\"x\"", "  at b"]);
        assert_eq!(text("{broken \x1b[2J"), ["{broken \\x1b[2J"]);
        assert_eq!(text("{\"msg\":\"\\u001b[2J\\rgone\"}"), ["\\x1b[2J\\rgone"]);
        assert_eq!(text(""), [""]);
    }
}
