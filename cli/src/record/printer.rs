//! Records as they come: for a person, as JSON, or the bare lines.
//!
//! **JSON is handed on as it came.** On a terminal, what it would obey is written as JSON escapes: the same text to a program.

use std::io::{self, Write};

use clap::Args;

use super::readable::{self, Noise};
use super::row::{self, Palette, Row, Widths};
use super::{is_estimated, raw};
use crate::answer::Record;
use crate::client::Failure;
use crate::terminal::{DIM, Output, Piece, escape, escape_json};
use crate::words;

#[derive(Args)]
pub struct Format {
    /// Print the records as JSON, one a line.
    #[arg(long, conflicts_with_all = ["raw", "width"])]
    pub json: bool,
    /// Print nothing but the lines as they were written; on a terminal control characters are escaped.
    #[arg(long, conflicts_with = "width")]
    pub raw: bool,
    /// Wrap to this many columns [default: the terminal's, and no wrapping where there is none].
    #[arg(long, value_name = "COLUMNS", value_parser = clap::value_parser!(u16).range(40..))]
    width: Option<u16>,
}

pub struct Printer<'a, W> {
    format: &'a Format,
    output: Output,
    palette: Palette,
    /// Of all rows so far: a wider one moves those behind it, and the ones before stay as they are.
    widths: Widths,
    out: &'a mut W,
}

impl Format {
    /// Columns and colours; the other formats are for programs.
    pub fn is_for_people(&self) -> bool {
        !self.json && !self.raw
    }
}

impl<'a, W: Write> Printer<'a, W> {
    pub fn new(format: &'a Format, out: &'a mut W) -> Self {
        let output = Output::of_stdout(format.width.map(usize::from));
        Self { format, output, palette: Palette::default(), widths: Widths::default(), out }
    }

    /// One record of which nobody knows what follows; `json` is what the API gave.
    pub fn record(&mut self, json: &str) -> anyhow::Result<()> {
        if self.format.json {
            return Ok(self.json(json)?);
        }
        let record = parse(json)?;
        if self.format.raw {
            return Ok(raw(&record, self.output, self.out)?);
        }
        let row = self.row(&record);
        self.widths.include(&row);
        Ok(row.print(&lines(&record), &self.widths, self.output, self.out)?)
    }

    /// These records and no others, so that they can be aligned and a host that all of them have is left out.
    pub fn records<'r>(&mut self, all: impl Iterator<Item = &'r str> + Clone) -> anyhow::Result<()> {
        if !self.format.is_for_people() {
            return all.into_iter().try_for_each(|json| self.record(json));
        }
        let records: Vec<Record> = all.map(parse).collect::<Result<_, _>>()?;
        let rows: Vec<Row> = records.iter().map(|record| self.row(record)).collect();
        rows.iter().for_each(|row| self.widths.include(row));
        if records.iter().all(|record| record.host == records[0].host) {
            self.widths.host = 0;
        }
        for (row, record) in rows.iter().zip(&records) {
            row.print(&lines(record), &self.widths, self.output, self.out)?;
        }
        if records.iter().any(is_estimated) {
            let note = "~ the line has no time of its own: that of the record before it, or of reading";
            writeln!(self.out, "\n{}", self.output.paint(DIM, note))?;
        }
        Ok(())
    }

    /// Hands on what was printed so far.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn json(&mut self, json: &str) -> io::Result<()> {
        let json = json.trim();
        if self.output.is_terminal { writeln!(self.out, "{}", escape_json(json)) } else { writeln!(self.out, "{json}") }
    }

    fn row(&mut self, record: &Record) -> Row {
        let estimated = if is_estimated(record) { "~" } else { "" };
        Row::new(record, format!("{estimated}{}", words::clock(&record.time)), &mut self.palette)
    }
}

fn parse(json: &str) -> Result<Record, Failure> {
    serde_json::from_str(json).map_err(|error| {
        let begin: String = json.chars().take(80).collect();
        Failure::Server(format!("the aggregator gave a record that cannot be read ({error}): {}", escape(&begin)))
    })
}

fn lines(record: &Record) -> Vec<Vec<Piece>> {
    let mut lines = readable::lines(record, &Noise::of(&record.ids));
    let unseen = unseen_ids(record, &lines);
    if let Some(first) = lines.first_mut() {
        first.extend(unseen);
    }
    if let Some(last) = lines.last_mut() {
        last.extend(row::flags(record));
    }
    lines
}

/// IDs that the lines do not show: those of a JSON line's fields, and those that a rule attached. `clew trace` takes each of them.
fn unseen_ids(record: &Record, lines: &[Vec<Piece>]) -> Vec<Piece> {
    let is_seen = |value: &str| lines.iter().flatten().any(|piece| piece.text.contains(value));
    let unseen = record.ids.iter().filter(|id| !id.value.is_empty() && !is_seen(&id.value));
    unseen
        .map(|id| {
            let kind = if id.kind == "other" { "id" } else { &id.kind };
            Piece::new(DIM, &format!("  {kind}={}", id.value))
        })
        .collect()
}
