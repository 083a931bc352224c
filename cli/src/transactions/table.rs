//! One row for each transaction: when it began, how long it took, records, errors, the way through the services, its ID. The way is
//! shortened to what fits; the ID never is, because `clew trace` takes it.

use std::io::{self, Write};

use crate::answer::TransactionRow;
use crate::terminal::{self, BOLD_RED, DIM, Output, PLAIN, Style, YELLOW, escape};
use crate::words;

const ARROW: &str = " → ";
/// The way gets so much at least, however narrow the terminal is.
const WAY_COLUMNS_MIN: usize = 8;
/// Between two columns.
const GAP: usize = 2;
const DATE_CHARACTERS: usize = "2026-11-23".len();

struct Row<'a> {
    began: String,
    took: String,
    records: String,
    errors: (Style, String),
    services: Vec<String>,
    id: &'a str,
}

pub fn print(transactions: &[TransactionRow], output: Output, out: &mut impl Write) -> io::Result<()> {
    if transactions.is_empty() {
        return Ok(());
    }
    let clocks: Vec<String> = transactions.iter().map(|row| words::clock(&row.time_min)).collect();
    let date = common_date(&clocks);
    let rows: Vec<Row<'_>> = transactions
        .iter()
        .zip(&clocks)
        .map(|(row, clock)| Row {
            began: clock.get(if date.is_some() { DATE_CHARACTERS + 1 } else { 0 }..).unwrap_or(clock).to_owned(),
            took: words::duration(row.duration_ns.into()),
            records: words::thousands(row.records),
            errors: match row.errors {
                0 => (DIM, "-".to_owned()),
                errors => (BOLD_RED, words::thousands(errors)),
            },
            services: row.services.iter().map(|service| escape(service)).collect(),
            id: &row.id,
        })
        .collect();
    let head = [date.unwrap_or("BEGAN"), "TOOK", "REC", "ERR", "SERVICES"];
    let width = |column: usize, texts: &mut dyn Iterator<Item = &str>| {
        texts.map(terminal::columns).max().unwrap_or(0).max(terminal::columns(head[column]))
    };
    let widths = [
        width(0, &mut rows.iter().map(|row| row.began.as_str())),
        width(1, &mut rows.iter().map(|row| row.took.as_str())),
        width(2, &mut rows.iter().map(|row| row.records.as_str())),
        width(3, &mut rows.iter().map(|row| row.errors.1.as_str())),
    ];
    let ids = rows.iter().map(|row| terminal::columns(row.id)).max().unwrap_or(0);
    let room = output.width.map_or(usize::MAX, |width| {
        width.saturating_sub(widths.iter().sum::<usize>() + ids + 5 * GAP).max(WAY_COLUMNS_MIN)
    });
    let ways: Vec<String> = rows.iter().map(|row| way(&row.services, room)).collect();
    let way_width = ways.iter().map(|way| terminal::columns(way)).max().unwrap_or(0).max(head[4].len());
    let mut line = |cells: [(Style, &str); 6]| -> io::Result<()> {
        let [began, took, records, errors, way, id] = cells;
        let paint = |(style, text): (Style, &str), width: usize| output.paint(style, &terminal::pad(text, width));
        let right = |(style, text): (Style, &str), width: usize| {
            let fill = " ".repeat(width.saturating_sub(terminal::columns(text)));
            format!("{fill}{}", output.paint(style, text))
        };
        writeln!(
            out,
            "{}  {}  {}  {}  {}  {}",
            paint(began, widths[0]),
            right(took, widths[1]),
            right(records, widths[2]),
            right(errors, widths[3]),
            paint(way, way_width),
            output.paint(id.0, id.1)
        )
    };
    let [began, took, records, errors, services] = head;
    line([(DIM, began), (DIM, took), (DIM, records), (DIM, errors), (DIM, services), (DIM, "ID")])?;
    for (row, way) in rows.iter().zip(&ways) {
        let errors = (row.errors.0, row.errors.1.as_str());
        let id = escape(row.id);
        line([(DIM, &row.began), (PLAIN, &row.took), (PLAIN, &row.records), errors, (YELLOW, way), (PLAIN, &id)])?;
    }
    Ok(())
}

/// The date of all of them, if it is one.
fn common_date(clocks: &[String]) -> Option<&str> {
    let date = clocks.first()?.get(..DATE_CHARACTERS)?;
    let is_date = date.bytes().filter(|byte| *byte == b'-').count() == 2;
    (is_date && clocks.iter().all(|clock| clock.starts_with(date))).then_some(date)
}

/// The services in order, as many as fit, and how many more there are.
fn way(services: &[String], room: usize) -> String {
    let whole = services.join(ARROW);
    if terminal::columns(&whole) <= room {
        return whole;
    }
    for shown in (1..services.len()).rev() {
        let some = format!("{} +{}", services[..shown].join(ARROW), services.len() - shown);
        if terminal::columns(&some) <= room {
            return some;
        }
    }
    let mut cut = String::new();
    for character in services.first().map(String::as_str).unwrap_or_default().chars() {
        if terminal::columns(&cut) + terminal::columns(character.encode_utf8(&mut [0; 4])) >= room {
            break;
        }
        cut.push(character);
    }
    format!("{cut}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_are_as_long_as_there_is_room() {
        let services = ["gateway", "shop", "payments"].map(String::from);
        for (room, wanted) in [
            (usize::MAX, "gateway → shop → payments"),
            (25, "gateway → shop → payments"),
            (24, "gateway → shop +1"),
            (16, "gateway +2"),
            (8, "gateway…"),
            (4, "gat…"),
        ] {
            assert_eq!(way(&services, room), wanted, "{room}");
        }
        assert_eq!(way(&[], 10), "");
    }
}
