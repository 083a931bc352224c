//! The records, aligned: offset from the start, service, host where there are several, severity, line.

use std::io::{self, Write};

use crate::answer::{Record, Transaction};
use crate::record::is_estimated;
use crate::record::readable::{self, Noise};
use crate::record::row::{self, Palette, Row, Widths};
use crate::terminal::{DIM, Output, escape};
use crate::words;

/// A transaction shorter than this is shown with microseconds.
const SHORT_NS: i64 = 10_000_000;

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
    let noise = Noise::of(&transaction.ids);
    let mut palette = Palette::default();
    let mut widths = Widths::default();
    let row = |record| Row::new(record, offset(record, transaction), &mut palette);
    let rows: Vec<Row> = transaction.records.iter().map(row).collect();
    rows.iter().for_each(|row| widths.include(row));
    if transaction.summary.hosts.len() <= 1 {
        widths.host = 0;
    }
    for (row, record) in rows.iter().zip(&transaction.records) {
        let mut lines = readable::lines(record, &noise);
        if let Some(last) = lines.last_mut() {
            last.extend(row::flags(record));
        }
        row.print(&lines, &widths, output, out)?;
    }
    if transaction.records.iter().any(is_estimated) {
        writeln!(
            out,
            "\n{}",
            output.paint(DIM, "~ the line has no time of its own: that of the record before it, or of reading")
        )?;
    }
    Ok(())
}

fn offset(record: &Record, transaction: &Transaction) -> String {
    let start = words::nanoseconds(&transaction.summary.time_min);
    let digits = if transaction.summary.duration_ns < SHORT_NS { 6 } else { 3 };
    let offset = match (start, words::nanoseconds(&record.time)) {
        (Some(start), Some(time)) => words::offset(time - start, digits),
        _ => escape(&record.time),
    };
    if is_estimated(record) { offset.replacen('+', "~", 1) } else { offset }
}
