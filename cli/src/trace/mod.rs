//! `clew trace ID`: the whole transaction, however many pages it has.
//!
//! | file | what it is |
//! | --- | --- |
//! | `pages` | fetching every page, and joining them into one answer |
//! | `unknown` | nothing is held of an ID: what was searched, and whose records may still come |
//! | `header` | what, whether it is all, when, how long, who |
//! | `waterfall` | the services under one axis of time |
//! | `table` | the records, aligned, with runs of alike ones folded |
//! | `follow` | records as they come, until no more can |
//! | `around` | the lines of the file around one record |

mod around;
mod follow;
mod header;
mod pages;
mod table;
mod unknown;
mod waterfall;

use std::io::Write;
use std::time::Duration;

use clap::{Args, ValueEnum};

use self::around::Around;
use self::header::Part;
use self::pages::Pages;
use crate::answer::{AgentBehind, Transaction};
use crate::client::{Client, Failure};
use crate::identifier::{self, Candidate, percent_encode};
use crate::record;
use crate::record::row::Palette;
use crate::terminal::{Output, escape, escape_json, remark};

#[derive(Args)]
pub struct Options {
    /// The transaction's ID in any spelling: a trace or request ID, a traceparent, or a whole log line that holds one.
    #[arg(required = true, value_name = "ID")]
    id: Vec<String>,
    /// Go on with what comes in, until every agent has shipped what its files held.
    #[arg(long, conflicts_with = "around")]
    follow: bool,
    /// Only records of these services; the waterfall shows all of them.
    #[arg(long, value_name = "SERVICE", value_delimiter = ',')]
    service: Vec<String>,
    /// Only records of this severity and above: debug, info, warn, error …
    #[arg(long, value_name = "SEVERITY")]
    level: Option<String>,
    /// Whether other IDs that its records carry are followed [default: on].
    #[arg(long, value_name = "on|off")]
    bridge: Option<Switch>,
    /// The lines of the file around one record: its number, or error for the first one; 17:50 for 50 lines on each side.
    #[arg(long, value_name = "RECORD[:LINES]")]
    around: Option<Around>,
    /// Print every record: runs of alike ones are not folded.
    #[arg(long)]
    no_fold: bool,
    /// Print the API's answer as JSON, all pages joined; with --follow each event, one a line.
    #[arg(long, conflicts_with_all = ["raw", "width"])]
    json: bool,
    /// Print nothing but the lines as they were written; on a terminal control characters are escaped.
    #[arg(long, conflicts_with = "width")]
    raw: bool,
    /// Wrap to this many columns [default: the terminal's, and no wrapping where there is none].
    #[arg(long, value_name = "COLUMNS", value_parser = clap::value_parser!(u16).range(40..))]
    width: Option<u16>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Switch {
    On,
    Off,
}

impl Options {
    /// The rest of the query, each parameter with an `&` before it.
    fn filter(&self) -> String {
        let mut filter = String::new();
        let services: Vec<String> = self.service.iter().map(|service| percent_encode(service)).collect();
        if !services.is_empty() {
            filter.push_str(&format!("&service={}", services.join(",")));
        }
        if let Some(level) = &self.level {
            filter.push_str(&format!("&level={}", percent_encode(level)));
        }
        match self.bridge {
            Some(Switch::On) => filter.push_str("&bridge=on"),
            Some(Switch::Off) => filter.push_str("&bridge=off"),
            None => {}
        }
        filter
    }

    fn is_for_people(&self) -> bool {
        !self.json && !self.raw
    }

    fn part(&self) -> Part {
        if self.service.is_empty() && self.level.is_none() { Part::Whole } else { Part::Filtered }
    }
}

pub fn run(client: &Client, options: &Options, timeout: Option<Duration>, out: &mut impl Write) -> anyhow::Result<()> {
    // A line that was pasted without quotes came as many words.
    let pasted = options.id.join(" ");
    let candidates = identifier::candidates(&pasted);
    if candidates.is_empty() {
        let why = format!("{pasted:?} holds no transaction id; give one like 4bf92f3577b34da6a3ce929d0e0e4736");
        return Err(Failure::Usage(why).into());
    }
    if options.follow {
        let id = chosen(client, &candidates, |id| match &candidates[..] {
            // What is unknown so far may still come.
            [_] => Ok(()),
            _ => pages::first(client, id).map(drop),
        })?;
        return follow::run(client, &id.0, options, timeout, out).map_err(|error| match error.downcast() {
            Ok(Failure::Unknown(why)) => Failure::Server(unknown::nothing_held(&id.0, client.base(), &why)).into(),
            Ok(failure) => failure.into(),
            Err(error) => error,
        });
    }
    let (_, pages) = chosen(client, &candidates, |id| pages::fetch(client, id, &options.filter()))?;
    match options.around {
        Some(around) => around::run(client, &pages.transaction, around, options, out),
        None => print(&pages, options, out),
    }
}

/// The first of the candidates that the aggregator knows, and what it says of it.
fn chosen<T>(
    client: &Client,
    candidates: &[Candidate],
    ask: impl Fn(&str) -> Result<T, Failure>,
) -> Result<(String, T), Failure> {
    let mut first_unknown = None;
    for candidate in candidates {
        match ask(&candidate.id) {
            Ok(answer) => {
                if candidates.len() > 1 || candidate.name.is_some() {
                    let name = candidate.name.as_ref().map_or(String::new(), |name| format!("{} ", escape(name)));
                    let of =
                        if candidates.len() > 1 { format!(", one of {} ids", candidates.len()) } else { String::new() };
                    remark(&format!("took {name}{}{of} in what was pasted", escape(&candidate.id)));
                }
                return Ok((candidate.id.clone(), answer));
            }
            Err(Failure::Unknown(why)) => {
                first_unknown.get_or_insert(why);
            }
            Err(failure) => return Err(failure),
        }
    }
    let ids: Vec<&str> = candidates.iter().map(|candidate| candidate.id.as_str()).collect();
    let why = first_unknown.expect("there is a candidate, and each of them is unknown");
    Err(Failure::Server(unknown::nothing_held(&ids.join(", "), client.base(), &why)))
}

fn print(pages: &Pages, options: &Options, out: &mut impl Write) -> anyhow::Result<()> {
    let output = Output::of_stdout(options.width.map(usize::from));
    if options.json {
        let json = pages.json.to_string();
        writeln!(out, "{}", if output.is_terminal { escape_json(&json) } else { json })?;
        return Ok(());
    }
    let (transaction, part) = (&pages.transaction, options.part());
    if options.raw {
        return raw(transaction, part, output, out);
    }
    header::print(transaction, part, output, out)?;
    // The same colours above and below.
    let mut palette = Palette::default();
    for service in table::services(transaction) {
        palette.style(service);
    }
    waterfall::print(transaction, &mut palette, output, out)?;
    table::print(transaction, palette, !options.no_fold, output, out)?;
    Ok(())
}

/// The lines alone. That there may be more of them still has to be said, where it does not mix with them.
fn raw(transaction: &Transaction, part: Part, output: Output, out: &mut impl Write) -> anyhow::Result<()> {
    for record in &transaction.records {
        record::raw(record, output, out)?;
    }
    out.flush()?;
    if transaction.completeness.state != "settled" {
        remark(&header::verdict(&transaction.completeness));
    }
    for warning in header::warnings(transaction, part) {
        remark(&warning);
    }
    Ok(())
}

/// "web-2 is 3.2s behind, web-3 is 5m00s behind, not connected".
fn behind(agents: &[AgentBehind]) -> String {
    escape(&agents.iter().map(AgentBehind::sentence).collect::<Vec<_>>().join("; "))
}
