//! The records, aligned: number and offset from the start, service, host where there are several, severity, line.
//!
//! Runs of alike records are folded behind their first one, and what is folded is counted.

use std::io::{self, Write};

use crate::answer::{Record, Transaction};
use crate::record::is_estimated;
use crate::record::readable::{self, Noise};
use crate::record::row::{self, Palette, Row, Widths};
use crate::terminal::{DIM, Output, Piece, YELLOW, escape};
use crate::words;

/// A transaction shorter than this is shown with microseconds.
const SHORT_NS: i64 = 10_000_000;
/// A line that says that there are more is as long as one of them.
const HIDDEN_MIN: usize = 2;

/// What stands before the offset of a record whose time is not its own.
const ESTIMATED: &str = "~";
/// And of one whose place in the order is not sure.
const UNCERTAIN: &str = "±";

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

/// How records are shown in one answer.
pub struct Columns {
    noise: Noise,
    palette: Palette,
    pub widths: Widths,
    start_ns: Option<i128>,
    digits: usize,
    /// Digits of the numbers; 0: there are none.
    number_width: usize,
}

impl Columns {
    pub fn of(transaction: &Transaction, palette: Palette) -> Self {
        let lanes = transaction.lanes.iter().filter_map(|lane| words::nanoseconds(&lane.first));
        let has_numbers = transaction.records.iter().any(|record| record.index.is_some());
        let last = transaction.summary.records.max(transaction.records.len() as u64).saturating_sub(1);
        Self {
            noise: Noise::of(&transaction.ids),
            palette,
            widths: Widths::default(),
            // Where the axis begins, too.
            start_ns: lanes.min().or_else(|| words::nanoseconds(&transaction.summary.time_min)),
            digits: if transaction.summary.duration_ns < SHORT_NS { 6 } else { 3 },
            number_width: if has_numbers { last.to_string().len() } else { 0 },
        }
    }

    /// Of a transaction of which no more is known than this record.
    pub fn since(record: &Record) -> Self {
        let time = record.at.as_ref().unwrap_or(&record.time);
        Self {
            noise: Noise::of(&record.ids),
            palette: Palette::default(),
            widths: Widths::default(),
            start_ns: words::nanoseconds(time),
            digits: 3,
            number_width: 0,
        }
    }

    pub fn row(&mut self, record: &Record) -> Row {
        let offset = self.offset(record);
        let when = match record.index {
            Some(index) if self.number_width > 0 => format!("{index:>width$}  {offset}", width = self.number_width),
            _ => offset,
        };
        let row = Row::new(record, when, &mut self.palette);
        self.widths.include(&row);
        row
    }

    pub fn lines(&self, record: &Record) -> Vec<Vec<Piece>> {
        let mut lines = readable::lines(record, &self.noise);
        if let Some(last) = lines.last_mut() {
            last.extend(row::flags(record));
        }
        lines
    }

    fn offset(&self, record: &Record) -> String {
        let time = record.at.as_ref().unwrap_or(&record.time);
        let offset = match (self.start_ns, words::nanoseconds(time)) {
            (Some(start), Some(time)) => words::offset(time - start, self.digits),
            _ => escape(time),
        };
        match record {
            _ if record.order_uncertain => offset.replacen('+', UNCERTAIN, 1),
            _ if is_estimated(record) => offset.replacen('+', ESTIMATED, 1),
            _ => offset,
        }
    }
}

pub fn print(
    transaction: &Transaction,
    palette: Palette,
    is_folded: bool,
    output: Output,
    out: &mut impl Write,
) -> io::Result<()> {
    let records = &transaction.records;
    let mut columns = Columns::of(transaction, palette);
    let rows: Vec<Row> = records.iter().map(|record| columns.row(record)).collect();
    if transaction.summary.hosts.len() <= 1 {
        columns.widths.host = 0;
    }
    let mut place = 0;
    while let Some(record) = records.get(place) {
        let silence = transaction.silences.iter().find(|silence| Some(silence.before) == record.index && place > 0);
        if let Some(silence) = silence {
            let text = format!("⋮ {} of silence", words::duration(silence.duration_ns.into()));
            writeln!(out, "{}{}", " ".repeat(columns.widths.indent()), output.paint(YELLOW, &text))?;
        }
        rows[place].print(&columns.lines(record), &columns.widths, output, out)?;
        let hidden = if is_folded { hidden_behind(transaction, place) } else { 0 };
        if hidden > 0 {
            let until = columns.offset(&records[place + hidden]);
            let text = format!("… {} more like this, until {until}", words::thousands(hidden as u64));
            writeln!(out, "{}{}", " ".repeat(columns.widths.indent()), output.paint(DIM, &text))?;
        }
        place += 1 + hidden;
    }
    notes(records, output, out)
}

/// How many records behind this one are folded into it.
fn hidden_behind(transaction: &Transaction, place: usize) -> usize {
    let records = &transaction.records;
    let Some(index) = records[place].index else { return 0 };
    let folds = &transaction.folds;
    let Some(fold) = folds.get(folds.partition_point(|fold| fold.end <= index)).filter(|fold| fold.begin <= index)
    else {
        return 0;
    };
    // Of a filtered answer only what is there can be hidden.
    let is_in = |record: &&Record| record.index.is_some_and(|index| index < fold.end);
    let hidden = records[place + 1..].iter().take_while(is_in).count();
    if hidden < HIDDEN_MIN { 0 } else { hidden }
}

/// What the signs before the offsets mean.
fn notes(records: &[Record], output: Output, out: &mut impl Write) -> io::Result<()> {
    let notes = [
        (
            records.iter().any(|record| is_estimated(record) && !record.order_uncertain),
            "~ the line has no time of its own: that of the record before it, or of reading",
        ),
        (
            records.iter().any(|record| record.order_uncertain),
            "± the clocks of the hosts leave open where exactly it belongs among the records of others",
        ),
    ];
    let mut notes = notes.iter().filter(|(is_needed, _)| *is_needed).peekable();
    if notes.peek().is_some() {
        writeln!(out)?;
    }
    notes.try_for_each(|(_, note)| writeln!(out, "{}", output.paint(DIM, note)))
}
