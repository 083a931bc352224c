//! `clew trace ID --around RECORD`: the lines of the file before and behind one record, whatever transaction they belong to.

use std::io::Write;
use std::str::FromStr;

use super::Options;
use crate::answer::{Context, Record, Transaction};
use crate::client::{Client, Failure};
use crate::identifier::percent_encode;
use crate::json::Json;
use crate::record;
use crate::record::readable::{self, Noise};
use crate::record::row::{self, Palette, Row, Widths};
use crate::terminal::{BOLD, Output, escape, escape_json, remark};
use crate::words;

/// Lines on each side, unless asked otherwise.
const LINES_DEFAULT: u16 = 10;

/// `17`, `error`, `17:50`: which record, and how many lines on each side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Around {
    which: Which,
    lines: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    /// By its number in the transaction.
    Number(u64),
    /// The first error.
    Error,
}

impl FromStr for Around {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (which, lines) = text.split_once(':').unwrap_or((text, ""));
        let wrong = || format!("{text:?} names no record; write its number (17), or error, and perhaps lines: 17:50");
        let lines = if lines.is_empty() { LINES_DEFAULT } else { lines.parse().map_err(|_| wrong())? };
        let which = match which {
            "error" => Which::Error,
            number => Which::Number(number.trim_start_matches('#').parse().map_err(|_| wrong())?),
        };
        Ok(Self { which, lines })
    }
}

pub fn run(
    client: &Client,
    transaction: &Transaction,
    around: Around,
    options: &Options,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let record = find(transaction, around.which)?;
    let path = format!(
        "/api/v1/logs/context?source={}&position={}&time={}&before={lines}&after={lines}",
        percent_encode(&record.source_id),
        record.position,
        percent_encode(&record.time),
        lines = around.lines,
    );
    let body = client.get(&path)?;
    let context: Context = client.parse(&body)?;
    let output = Output::of_stdout(options.width.map(usize::from));
    if options.json {
        let json = client.parse::<Json>(&body)?.to_string();
        writeln!(out, "{}", if output.is_terminal { escape_json(&json) } else { json })?;
        return Ok(());
    }
    if options.raw {
        context.records.iter().try_for_each(|record| record::raw(record, output, out))?;
    } else {
        let place = format!("{} {} {}", escape(&record.service), escape(&record.file), escape(&record.host));
        writeln!(out, "{}\n", output.paint(BOLD, &place))?;
        print(&context, record, output, out)?;
    }
    out.flush()?;
    context.meta.warnings.iter().for_each(|warning| remark(&escape(warning)));
    Ok(())
}

fn find(transaction: &Transaction, which: Which) -> Result<&Record, Failure> {
    let records = &transaction.records;
    let found = match which {
        Which::Error => records.iter().find(|record| matches!(record.severity.as_str(), "error" | "fatal")),
        // Of an answer without numbers the place is the number.
        Which::Number(number) => records.iter().find(|record| record.index == Some(number)).or_else(|| {
            let place = records.get(usize::try_from(number).ok()?)?;
            place.index.is_none().then_some(place)
        }),
    };
    found.ok_or_else(|| {
        let shown = words::count(records.len() as u64, "record");
        Failure::Server(match which {
            Which::Error => format!("--around error: there is no error among {shown}"),
            Which::Number(number) => {
                format!("--around {number}: there is no such record among {shown}; they are numbered from 0")
            }
        })
    })
}

/// The record itself is marked.
fn print(context: &Context, target: &Record, output: Output, out: &mut impl Write) -> anyhow::Result<()> {
    let (mut palette, mut widths) = (Palette::default(), Widths::default());
    let is_target = |record: &Record| (&record.source_id, record.position) == (&target.source_id, target.position);
    let row = |record: &Record| {
        let mark = if is_target(record) { '>' } else { ' ' };
        Row::new(record, format!("{mark} {}", words::clock(&record.time)), &mut palette)
    };
    let rows: Vec<Row> = context.records.iter().map(row).collect();
    rows.iter().for_each(|row| widths.include(row));
    widths.host = 0;
    for (row, record) in rows.iter().zip(&context.records) {
        let mut lines = readable::lines(record, &Noise::of(&[]));
        if let Some(last) = lines.last_mut() {
            last.extend(row::flags(record));
        }
        row.print(&lines, &widths, output, out)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_record_and_how_many_lines() {
        let around = |which, lines| Ok(Around { which, lines });
        for (text, expected) in [
            ("17", around(Which::Number(17), LINES_DEFAULT)),
            ("#0", around(Which::Number(0), LINES_DEFAULT)),
            ("error", around(Which::Error, LINES_DEFAULT)),
            ("error:50", around(Which::Error, 50)),
            ("17:0", around(Which::Number(17), 0)),
        ] {
            assert_eq!(text.parse(), expected);
        }
        for wrong in ["", "x", "-1", "17:x", "17:5:5", ":5"] {
            assert!(wrong.parse::<Around>().is_err(), "{wrong}");
        }
    }
}
