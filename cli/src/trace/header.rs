//! What the transaction is, whether that is all of it, when it was, how long it took, and who took part.

use std::io::{self, Write};

use crate::answer::{Completeness, Transaction};
use crate::identifier::spelling;
use crate::json::Json;
use crate::record::readable::{self, Noise};
use crate::terminal::{self, BOLD, DIM, GREEN, Output, Piece, RED, Style, YELLOW, escape};
use crate::words;

use super::table;

/// Which of the transaction's records the answer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of them.
    Whole,
    /// Those that were asked for.
    Filtered,
    /// None: they came before it.
    Streamed,
}

pub fn print(transaction: &Transaction, part: Part, output: Output, out: &mut impl Write) -> io::Result<()> {
    let summary = &transaction.summary;
    let kinds: Vec<&str> =
        transaction.ids.iter().filter(|id| id.value == transaction.id).map(|id| id.kind.as_str()).collect();
    let kinds = if kinds.is_empty() { String::new() } else { format!("  ({})", escape(&kinds.join(", "))) };
    row(output, out, "transaction", BOLD, &format!("{}{kinds}", escape(&transaction.id)))?;
    for id in transaction.ids.iter().filter(|id| id.value != transaction.id) {
        let joined = joined(transaction, &id.value);
        row(output, out, "also", PLAIN_VALUE, &format!("{}  ({}){joined}", escape(&id.value), escape(&id.kind)))?;
    }
    for left in &transaction.bridges.not_followed {
        let why = if left.detail.is_empty() { &left.reason } else { &left.detail };
        let text = format!("{}  ({}): {}", escape(&left.id), escape(&left.kind), escape(why));
        row(output, out, "not joined", YELLOW, &text)?;
    }
    let completeness = &transaction.completeness;
    let to = completeness.complete_to.as_ref().filter(|_| completeness.state == "open");
    let until = to.map_or(String::new(), |time| format!("; complete up to {}", words::time(time)));
    row(output, out, "complete", verdict_style(&completeness.state), &format!("{}{until}", verdict(completeness)))?;
    row(output, out, "start", PLAIN_VALUE, &words::time(&summary.time_min))?;
    let errors = words::count(summary.errors, "error");
    let size = format!(
        "{}, {}, {errors}",
        words::duration(summary.duration_ns.into()),
        words::count(summary.records, "record")
    );
    row(output, out, "duration", if summary.errors > 0 { RED } else { PLAIN_VALUE }, &size)?;
    if let Some(error) = first_error(transaction) {
        row(output, out, "first error", RED, &error)?;
    }
    let services: Vec<String> = table::services(transaction).iter().map(|service| escape(service)).collect();
    row(output, out, "services", PLAIN_VALUE, &services.join(" → "))?;
    if summary.hosts.len() > 1 {
        row(output, out, "hosts", PLAIN_VALUE, &escape(&summary.hosts.join(", ")))?;
    }
    for warning in warnings(transaction, part) {
        row(output, out, "note", YELLOW, &warning)?;
    }
    if part == Part::Filtered {
        let shown = words::thousands(transaction.records.len() as u64);
        row(output, out, "shown", YELLOW, &format!("{shown} of {}", words::count(summary.records, "record")))?;
    }
    writeln!(out)
}

const PLAIN_VALUE: Style = terminal::PLAIN;
/// The record itself has all of it.
const ERROR_CHARACTERS_MAX: usize = 160;

/// Who wrote the first error, and what it says.
fn first_error(transaction: &Transaction) -> Option<String> {
    let index = transaction.summary.first_error?;
    let record = transaction.records.iter().find(|record| record.index == Some(index))?;
    let line: String = readable::lines(record, &Noise::of(&transaction.ids))
        .first()?
        .iter()
        .filter(|piece| piece.style != DIM)
        .map(|piece| piece.text.as_str())
        .collect();
    let mut text: String = line.trim().chars().take(ERROR_CHARACTERS_MAX).collect();
    if text.len() < line.trim().len() {
        text.push('…');
    }
    Some(format!("record {index}, {}: {text}", escape(&record.service)))
}

/// Which record says that this ID is of the same transaction.
fn joined(transaction: &Transaction, id: &str) -> String {
    let Some(joined) = transaction.bridges.joined.iter().find(|joined| spelling(&joined.id) == spelling(id)) else {
        return String::new();
    };
    let by = joined.by.as_ref().map_or(String::new(), |by| format!(" by {}", escape(&by.service)));
    let support = words::count(joined.support, "record");
    format!("  joined{by}, {support} with both, brought {}", words::thousands(joined.records))
}

/// `settled`, `open`, `gapped` or `expired`, and what that means here.
pub fn verdict(completeness: &Completeness) -> String {
    let behind = super::behind(&completeness.agents_behind);
    let gaps: Vec<String> = completeness.gaps.iter().map(gap).collect();
    let mut reasons = Vec::new();
    match completeness.state.as_str() {
        "settled" => reasons.push("every agent has shipped what its files held".to_owned()),
        "open" if behind.is_empty() => reasons.push("more may still come".to_owned()),
        "gapped" if gaps.is_empty() => reasons.push("some bytes could not be read".to_owned()),
        "expired" if completeness.removed_before.is_none() => reasons.push("some of it was removed".to_owned()),
        _ => {}
    }
    if let Some(time) = &completeness.removed_before {
        reasons.push(format!("what was received before {} is not held any more", words::time(time)));
    }
    if !gaps.is_empty() {
        reasons.push(format!("missing {}", gaps.join(", ")));
    }
    if !behind.is_empty() {
        reasons.push(format!("more may still come: {behind}"));
    }
    for gone in &completeness.agents_gone {
        let last = gone.watermark.as_ref().map_or("that never said how far it was".to_owned(), |time| {
            format!("whose last word was of {}", words::time(time))
        });
        reasons.push(format!("not waited for {}, {last}", escape(&gone.host)));
    }
    let known: Vec<String> = completeness.reasons.iter().map(|reason| escape(reason)).collect();
    // The aggregator knows it best, and says all of it.
    let reasons = if known.is_empty() { reasons } else { known };
    let state = escape(&completeness.state);
    if reasons.is_empty() { state } else { format!("{state}: {}", reasons.join("; ")) }
}

/// What the aggregator wants to be known about its answer.
pub fn warnings(transaction: &Transaction, part: Part) -> Vec<String> {
    let mut warnings: Vec<String> = transaction.meta.warnings.iter().map(|warning| escape(warning)).collect();
    let (got, all) = (transaction.records.len() as u64, transaction.summary.records);
    if got < all && part == Part::Whole {
        warnings.push(format!("the aggregator gave {} of {}", words::thousands(got), words::count(all, "record")));
    } else if (transaction.meta.truncated || transaction.meta.partial) && warnings.is_empty() {
        warnings.push("the aggregator cut its answer at a limit".to_owned());
    }
    warnings
}

fn verdict_style(state: &str) -> Style {
    match state {
        "settled" => GREEN,
        "gapped" | "expired" => RED,
        _ => YELLOW,
    }
}

/// A gap in words when it has the fields of one, else its JSON.
fn gap(gap: &Json) -> String {
    let mut gap = gap.clone();
    let mut text = |key: &str| match gap.get_mut(key) {
        Some(Json::String(text)) => Some(escape(text)),
        Some(Json::Number(number)) => Some(number.to_string()),
        _ => None,
    };
    let (begin, end) = (text("begin"), text("end"));
    let (file, host, service) = (text("file"), text("host"), text("service"));
    let reason = text("reason").map(|reason| format!(" ({reason})")).unwrap_or_default();
    match (begin, end) {
        (Some(begin), Some(end)) => {
            let place = [service, file, host].into_iter().flatten().collect::<Vec<_>>().join(" ");
            let of = if place.is_empty() { String::new() } else { format!(" of {place}") };
            format!("bytes {begin} to {end}{of}{reason}")
        }
        _ => escape(&gap.to_string()),
    }
}

/// A label and its value, wrapped under itself.
fn row(output: Output, out: &mut impl Write, label: &str, style: Style, value: &str) -> io::Result<()> {
    const LABEL_WIDTH: usize = 13;
    let value = [Piece { style, text: value.to_owned() }];
    let rows = match output.width {
        Some(width) => terminal::wrap(&value, width.saturating_sub(LABEL_WIDTH).max(20)),
        None => vec![value.to_vec()],
    };
    for (index, row) in rows.iter().enumerate() {
        let label = terminal::pad(if index == 0 { label } else { "" }, LABEL_WIDTH);
        write!(out, "{}", output.paint(DIM, &label))?;
        for piece in row {
            write!(out, "{}", output.paint(piece.style, &piece.text))?;
        }
        writeln!(out)?;
    }
    Ok(())
}
