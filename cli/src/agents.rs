//! `clew agents`: who ships what, and how far behind it is.

use std::io::{self, Write};

use clap::Args;
use clew_service::units::Size;
use jiff::Timestamp;

use crate::answer::{Agent, Agents, Source};
use crate::client::Client;
use crate::json::Json;
use crate::terminal::{self, BOLD, DIM, GREEN, Output, PLAIN, RED, Style, YELLOW, escape};
use crate::words;

/// An agent that is further behind than this is shown as late: the usual way of a line takes a second.
const LATE_NS: i64 = 5_000_000_000;
const AGENT_ID_CHARACTERS: usize = 8;
const NOTHING: &str = "-";

#[derive(Args)]
pub struct Options {
    /// Print the API's answer as JSON.
    #[arg(long, conflicts_with = "sources")]
    json: bool,
    /// List each agent's sources too: service, file, frontier, gaps.
    #[arg(long)]
    sources: bool,
}

pub fn run(client: &Client, options: &Options, out: &mut impl Write) -> anyhow::Result<()> {
    let body = client.get("/api/v1/status/agents")?;
    let answer: Agents = client.parse(&body)?;
    if options.json {
        writeln!(out, "{}", client.parse::<Json>(&body)?)?;
        return Ok(());
    }
    if answer.agents.is_empty() {
        writeln!(out, "no agent has connected to {} yet", client.base())?;
        return Ok(());
    }
    let output = Output::of_stdout(None);
    table(&answer.agents, Timestamp::now(), output, out)?;
    if options.sources {
        for agent in &answer.agents {
            sources(agent, output, out)?;
        }
    }
    Ok(())
}

type Cell = (Style, String);

fn table(agents: &[Agent], now: Timestamp, output: Output, out: &mut impl Write) -> io::Result<()> {
    let head = ["HOST", "AGENT", "VERSION", "CONNECTED", "LAST SEEN", "BEHIND", "UNREAD", "SOURCES", "CLOCK"];
    let mut rows = vec![head.map(|title| (DIM, title.to_owned())).to_vec()];
    rows.extend(agents.iter().map(|agent| cells(agent, now)));
    print(&rows, "", output, out)
}

fn cells(agent: &Agent, now: Timestamp) -> Vec<Cell> {
    let connected = if agent.connected { (GREEN, "yes") } else { (RED, "no") };
    let behind = match agent.behind_ns {
        Some(behind) if behind > LATE_NS => (YELLOW, words::duration(behind.into())),
        Some(behind) => (PLAIN, words::duration(behind.max(0).into())),
        None => (DIM, NOTHING.to_owned()),
    };
    let open = agent.sources.iter().filter(|source| source.open).count();
    let gaps = agent.sources.iter().map(|source| source.gaps.len()).sum::<usize>();
    let sources = match (agent.sources.len(), gaps) {
        (all, 0) => (PLAIN, format!("{all} ({open} open)")),
        (all, gaps) => (RED, format!("{all} ({open} open, {})", words::count(gaps as u64, "gap"))),
    };
    vec![
        (BOLD, escape(&agent.host)),
        (PLAIN, escape(&agent.agent_id.chars().take(AGENT_ID_CHARACTERS).collect::<String>())),
        (PLAIN, escape(&agent.version)),
        (connected.0, connected.1.to_owned()),
        (PLAIN, last_seen(agent, now)),
        behind,
        (PLAIN, agent.unread_bytes.map_or(NOTHING.to_owned(), |bytes| Size(bytes).to_string())),
        sources,
        (PLAIN, clock(agent)),
    ]
}

fn last_seen(agent: &Agent, now: Timestamp) -> String {
    let Some(text) = &agent.last_seen else { return NOTHING.to_owned() };
    match text.parse::<Timestamp>() {
        Ok(time) => match now.as_nanosecond() - time.as_nanosecond() {
            // This machine's clock and the aggregator's are two.
            ago if ago < 1_000_000_000 => "now".to_owned(),
            ago => format!("{} ago", words::duration(ago / 1_000_000_000 * 1_000_000_000)),
        },
        Err(_) => escape(text),
    }
}

/// The agent's clock against the aggregator's: `+1.2ms ±300us`.
fn clock(agent: &Agent) -> String {
    let Some(offset) = agent.clock_offset_ns else { return NOTHING.to_owned() };
    let sign = if offset >= 0 { "+" } else { "" };
    let uncertainty =
        agent.clock_uncertainty_ns.map(|ns| format!(" ±{}", words::duration(ns.into()))).unwrap_or_default();
    format!("{sign}{}{uncertainty}", words::duration(offset.into()))
}

fn sources(agent: &Agent, output: Output, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "\n{}", output.paint(BOLD, &escape(&agent.host)))?;
    if agent.sources.is_empty() {
        return writeln!(out, "  no sources yet");
    }
    let head = ["SERVICE", "FILE", "STATE", "FRONTIER", "GAPS"];
    let mut rows = vec![head.map(|title| (DIM, title.to_owned())).to_vec()];
    rows.extend(agent.sources.iter().map(source_cells));
    print(&rows, "  ", output, out)
}

fn source_cells(source: &Source) -> Vec<Cell> {
    let gaps: Vec<String> = source
        .gaps
        .iter()
        .map(|gap| {
            format!("{} to {} ({})", words::thousands(gap.begin), words::thousands(gap.end), escape(&gap.reason))
        })
        .collect();
    vec![
        (PLAIN, escape(&source.service)),
        (PLAIN, escape(&source.file)),
        if source.open { (PLAIN, "open".to_owned()) } else { (DIM, "closed".to_owned()) },
        (PLAIN, words::thousands(source.frontier)),
        if gaps.is_empty() { (DIM, NOTHING.to_owned()) } else { (RED, gaps.join(", ")) },
    ]
}

/// Columns as wide as their widest cell; the last one is not filled up.
fn print(rows: &[Vec<Cell>], indent: &str, output: Output, out: &mut impl Write) -> io::Result<()> {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().map(|row| terminal::columns(&row[column].1)).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for row in rows {
        write!(out, "{indent}")?;
        for (column, (style, text)) in row.iter().enumerate() {
            if column + 1 == columns {
                writeln!(out, "{}", output.paint(style, text))?;
            } else {
                write!(out, "{}  ", output.paint(style, &terminal::pad(text, widths[column])))?;
            }
        }
    }
    Ok(())
}
