//! A record's columns, aligned with those of other records: when, service, host, severity, and its line.

use std::io::{self, Write};

use crate::answer::Record;
use crate::terminal::{self, BOLD_RED, DIM, Output, PLAIN, Piece, RED, Style, YELLOW, escape};
use crate::words;

/// A service's own colour, by order of appearance; red and yellow are left to severities.
const SERVICE_COLOURS: [Style; 10] = ["36", "32", "35", "34", "96", "92", "95", "94", "38;5;208", "38;5;180"];
/// A physical line that wraps further than this is cut on a terminal, and says so; `--raw` has it all.
const ROWS_MAX: usize = 40;
const TEXT_WIDTH_MIN: usize = 30;

/// Which service has which colour.
#[derive(Default)]
pub struct Palette {
    services: Vec<String>,
}

/// Columns of each column; 0 is not shown.
#[derive(Default)]
pub struct Widths {
    pub when: usize,
    pub service: usize,
    pub host: usize,
    pub severity: usize,
}

/// One record's columns but the last, escaped.
pub struct Row {
    when: String,
    service: String,
    service_style: Style,
    host: String,
    severity: String,
    severity_style: Style,
}

impl Palette {
    /// The service's colour; its own from now on.
    pub fn style(&mut self, service: &str) -> Style {
        let place = self.services.iter().position(|seen| seen == service).unwrap_or_else(|| {
            self.services.push(service.to_owned());
            self.services.len() - 1
        });
        SERVICE_COLOURS[place % SERVICE_COLOURS.len()]
    }
}

impl Widths {
    /// Makes room for this row, too.
    pub fn include(&mut self, row: &Row) {
        self.when = self.when.max(terminal::columns(&row.when));
        self.service = self.service.max(terminal::columns(&row.service));
        self.host = self.host.max(terminal::columns(&row.host));
        self.severity = self.severity.max(terminal::columns(&row.severity));
    }

    /// Where the lines begin.
    pub fn indent(&self) -> usize {
        let host = if self.host > 0 { self.host + 2 } else { 0 };
        self.when + 2 + self.service + 2 + host + self.severity + 2
    }
}

impl Row {
    /// `when` stands in the first column.
    pub fn new(record: &Record, when: String, palette: &mut Palette) -> Self {
        Self {
            when,
            service: escape(&record.service),
            service_style: palette.style(&record.service),
            host: escape(&record.host),
            severity: if record.severity == "unknown" { "-".to_owned() } else { escape(&record.severity) },
            severity_style: severity_style(&record.severity),
        }
    }

    /// The columns, and beside them the record's physical lines; the columns are no wider than `widths`.
    pub fn print(&self, lines: &[Vec<Piece>], widths: &Widths, output: Output, out: &mut impl Write) -> io::Result<()> {
        let when = format!("{}{}", " ".repeat(widths.when - terminal::columns(&self.when)), self.when);
        write!(out, "{}  ", output.paint(DIM, &when))?;
        write!(out, "{}  ", output.paint(self.service_style, &terminal::pad(&self.service, widths.service)))?;
        let indent = widths.indent();
        if widths.host > 0 {
            write!(out, "{}  ", output.paint(DIM, &terminal::pad(&self.host, widths.host)))?;
        }
        write!(out, "{}  ", output.paint(self.severity_style, &terminal::pad(&self.severity, widths.severity)))?;
        for (index, line) in lines.iter().enumerate() {
            if index > 0 && !line.is_empty() {
                write!(out, "{}", " ".repeat(indent))?;
            }
            print_line(line, self.severity_style, indent, output, out)?;
        }
        Ok(())
    }
}

/// What there is to know about how the line was read.
pub fn flags(record: &Record) -> Option<Piece> {
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
