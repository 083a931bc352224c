//! The records, aligned: offset from the start, service, host where there are several, severity, line.

use std::io::{self, Write};

use crate::answer::{Record, Transaction};
use crate::terminal::{self, BOLD_RED, DIM, Output, PLAIN, Piece, RED, Style, YELLOW, escape};
use crate::words;

use super::readable::{self, Noise};

/// A service's own colour, by order of appearance; red and yellow are left to severities.
const SERVICE_COLOURS: [Style; 10] = ["36", "32", "35", "34", "96", "92", "95", "94", "38;5;208", "38;5;180"];
/// A physical line that wraps further than this is cut on a terminal, and says so; `--raw` has it all.
const ROWS_MAX: usize = 40;
/// A transaction shorter than this is shown with microseconds.
const SHORT_NS: i64 = 10_000_000;
const TEXT_WIDTH_MIN: usize = 30;

/// The services in order of appearance.
pub fn services(transaction: &Transaction) -> Vec<&str> {
    let mut services: Vec<&str> = Vec::new();
    let seen = transaction.records.iter().map(|record| record.service.as_str());
    for service in seen.chain(transaction.summary.services.iter().map(String::as_str)) {
        if !services.contains(&service) {
            services.push(service);
        }
    }
    services
}

pub fn print(transaction: &Transaction, output: Output, out: &mut impl Write) -> io::Result<()> {
    let services = services(transaction);
    let noise = Noise::of(transaction);
    let rows: Vec<Row> = transaction.records.iter().map(|record| Row::new(record, transaction, &services)).collect();
    let widest = |column: fn(&Row) -> &str| rows.iter().map(|row| terminal::columns(column(row))).max().unwrap_or(0);
    let widths = Widths {
        offset: widest(|row| &row.offset),
        service: widest(|row| &row.service),
        host: if transaction.summary.hosts.len() > 1 { widest(|row| &row.host) } else { 0 },
        severity: widest(|row| &row.severity),
    };
    for (row, record) in rows.iter().zip(&transaction.records) {
        row.print(record, &noise, &widths, output, out)?;
    }
    let estimated = transaction.records.iter().any(is_estimated);
    if estimated {
        writeln!(
            out,
            "\n{}",
            output.paint(DIM, "~ the line has no time of its own: that of the record before it, or of reading")
        )?;
    }
    Ok(())
}

struct Widths {
    offset: usize,
    service: usize,
    host: usize,
    severity: usize,
}

/// One record's columns but the last, escaped.
struct Row {
    offset: String,
    service: String,
    service_style: Style,
    host: String,
    severity: String,
}

impl Row {
    fn new(record: &Record, transaction: &Transaction, services: &[&str]) -> Self {
        let start = words::nanoseconds(&transaction.summary.time_min);
        let digits = if transaction.summary.duration_ns < SHORT_NS { 6 } else { 3 };
        let offset = match (start, words::nanoseconds(&record.time)) {
            (Some(start), Some(time)) => words::offset(time - start, digits),
            _ => escape(&record.time),
        };
        let place = services.iter().position(|service| *service == record.service).unwrap_or(0);
        Self {
            offset: if is_estimated(record) { offset.replacen('+', "~", 1) } else { offset },
            service: escape(&record.service),
            service_style: SERVICE_COLOURS[place % SERVICE_COLOURS.len()],
            host: escape(&record.host),
            severity: if record.severity == "unknown" { "-".to_owned() } else { escape(&record.severity) },
        }
    }

    fn print(
        &self,
        record: &Record,
        noise: &Noise,
        widths: &Widths,
        output: Output,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let style = severity_style(&record.severity);
        let offset = format!("{}{}", " ".repeat(widths.offset - terminal::columns(&self.offset)), self.offset);
        write!(out, "{}  ", output.paint(DIM, &offset))?;
        write!(out, "{}  ", output.paint(self.service_style, &terminal::pad(&self.service, widths.service)))?;
        let mut indent = widths.offset + 2 + widths.service + 2 + widths.severity + 2;
        if widths.host > 0 {
            write!(out, "{}  ", output.paint(DIM, &terminal::pad(&self.host, widths.host)))?;
            indent += widths.host + 2;
        }
        write!(out, "{}  ", output.paint(style, &terminal::pad(&self.severity, widths.severity)))?;

        let mut lines = readable::lines(record, noise);
        if let Some(last) = lines.last_mut() {
            last.extend(flags(record));
        }
        for (index, line) in lines.iter().enumerate() {
            if index > 0 && !line.is_empty() {
                write!(out, "{}", " ".repeat(indent))?;
            }
            print_line(line, style, indent, output, out)?;
        }
        Ok(())
    }
}

/// One physical line, wrapped under itself where there is a width.
fn print_line(line: &[Piece], message: Style, indent: usize, output: Output, out: &mut impl Write) -> io::Result<()> {
    let rows = match output.width {
        Some(width) => terminal::wrap(line, width.saturating_sub(indent).max(TEXT_WIDTH_MIN)),
        None => vec![line.to_vec()],
    };
    for (index, row) in rows.iter().take(ROWS_MAX).enumerate() {
        if index > 0 {
            write!(out, "{}", " ".repeat(indent))?;
        }
        for piece in row {
            // Only what is bad colours its whole line; the rest stays easy to read.
            let style =
                if piece.style == PLAIN && (message == RED || message == BOLD_RED) { message } else { piece.style };
            write!(out, "{}", output.paint(style, &piece.text))?;
        }
        writeln!(out)?;
    }
    if rows.len() > ROWS_MAX {
        let hidden = rows[ROWS_MAX..].iter().flatten().map(|piece| piece.text.chars().count()).sum::<usize>();
        let note = format!("… {} more characters of this line; --raw shows them", words::thousands(hidden as u64));
        writeln!(out, "{}{}", " ".repeat(indent), output.paint(DIM, &note))?;
    }
    Ok(())
}

fn is_estimated(record: &Record) -> bool {
    matches!(record.time_origin.as_str(), "inherited" | "reading")
}

/// What there is to know about how the line was read.
fn flags(record: &Record) -> Option<Piece> {
    let notes: Vec<&str> = record
        .flags
        .iter()
        .filter_map(|flag| match flag.as_str() {
            "cut" => Some("cut at the agent's record limit"),
            "continues" => Some("continues the line before"),
            "unterminated" => Some("no line feed yet"),
            // A stack trace is seen to be joined.
            "joined" => None,
            other => Some(other),
        })
        .collect();
    if notes.is_empty() { None } else { Some(Piece::new(DIM, &format!("  [{}]", notes.join(", ")))) }
}

fn severity_style(severity: &str) -> Style {
    match severity {
        "fatal" => BOLD_RED,
        "error" => RED,
        "warn" => YELLOW,
        "notice" => "36",
        "trace" | "debug" | "unknown" => DIM,
        _ => PLAIN,
    }
}
