//! `clew trace ID`: the whole transaction, however many pages it has.
//!
//! | file | what it is |
//! | --- | --- |
//! | `pages` | fetching every page, and joining them into one answer |
//! | `header` | what, whether it is all, when, how long, who |
//! | `table` | the records, aligned |

mod header;
mod pages;
mod table;

use std::io::Write;

use clap::Args;

use crate::answer::{AgentBehind, Transaction, Unknown};
use crate::client::{Client, Failure};
use crate::terminal::{Output, escape, escape_json, remark};
use crate::{identifier, record, words};

#[derive(Args)]
pub struct Options {
    /// The transaction's ID in any spelling: a trace or request ID, or a whole traceparent.
    id: String,
    /// Print the API's answer as JSON, all pages joined.
    #[arg(long, conflicts_with_all = ["raw", "width"])]
    json: bool,
    /// Print nothing but the lines as they were written; on a terminal control characters are escaped.
    #[arg(long, conflicts_with = "width")]
    raw: bool,
    /// Wrap to this many columns [default: the terminal's, and no wrapping where there is none].
    #[arg(long, value_name = "COLUMNS", value_parser = clap::value_parser!(u16).range(40..))]
    width: Option<u16>,
}

pub fn run(client: &Client, options: &Options, out: &mut impl Write) -> anyhow::Result<()> {
    let id = identifier::clean(&options.id).ok_or_else(|| {
        Failure::Usage(format!(
            "{:?} holds no transaction id; give one like 4bf92f3577b34da6a3ce929d0e0e4736",
            options.id
        ))
    })?;
    let pages = pages::fetch(client, id).map_err(|failure| match failure {
        Failure::Unknown(unknown) => Failure::Server(nothing_held(id, client.base(), &unknown)),
        other => other,
    })?;
    let output = Output::of_stdout(options.width.map(usize::from));
    if options.json {
        let json = pages.json.to_string();
        writeln!(out, "{}", if output.is_terminal { escape_json(&json) } else { json })?;
        return Ok(());
    }
    if options.raw {
        return raw(&pages.transaction, output, out);
    }
    header::print(&pages.transaction, output, out)?;
    table::print(&pages.transaction, output, out)?;
    Ok(())
}

/// The lines alone. That there may be more of them still has to be said, where it does not mix with them.
fn raw(transaction: &Transaction, output: Output, out: &mut impl Write) -> anyhow::Result<()> {
    for record in &transaction.records {
        record::raw(record, output, out)?;
    }
    out.flush()?;
    if transaction.completeness.state != "settled" {
        remark(&header::verdict(&transaction.completeness));
    }
    for warning in header::warnings(transaction) {
        remark(&warning);
    }
    Ok(())
}

/// One line that says what was searched, and whose records may still be on their way.
fn nothing_held(id: &str, base: &str, unknown: &Unknown) -> String {
    let searched = &unknown.searched;
    let days = words::count(searched.partitions, "partition");
    let records = words::count(searched.records, "record");
    let range = match (&searched.from, &searched.to) {
        (Some(from), Some(to)) => format!(" from {} to {}", words::time(from), words::time(to)),
        (Some(from), None) => format!(" since {}", words::time(from)),
        (None, Some(to)) => format!(" up to {}", words::time(to)),
        (None, None) => String::new(),
    };
    let behind = behind(&unknown.agents_behind);
    let behind = if behind.is_empty() { "no agent is behind".to_owned() } else { format!("may still come: {behind}") };
    format!("{}: no record with this id at {base}; searched {days} with {records}{range}; {behind}", escape(id))
}

/// "web-2 is 3.2s behind, web-3 is 5m00s behind, not connected".
fn behind(agents: &[AgentBehind]) -> String {
    escape(&agents.iter().map(AgentBehind::sentence).collect::<Vec<_>>().join("; "))
}
