//! `clew`: asks an aggregator and prints the answer for a person, or as JSON for a program.
//!
//! | file | what it is |
//! | --- | --- |
//! | `access` | the token, and whom to trust with it |
//! | `client` | HTTP to the aggregator; whatever goes wrong becomes one line that names the address |
//! | `identifier` | an ID as people paste it, alone or in a whole log line, and percent-encoded |
//! | `answer` | the API's answers, as far as they are printed |
//! | `json` | JSON that keeps the order of its keys |
//! | `query/` | a query from the command line to the aggregator, and its mistakes underlined |
//! | `terminal` | where the output goes: colour, width, and text that cannot drive the terminal |
//! | `words` | durations, times and counts as people say them |
//! | `record/` | a record on its way to the output |
//! | `trace/` | `clew trace ID` |
//! | `search/` | `clew search QUERY` |
//! | `tail/` | `clew tail QUERY` |
//! | `transactions/` | `clew transactions` |
//! | `agents` | `clew agents` |
//!
//! Exit codes: 0 answered, 1 no answer, an unknown ID or nothing found, 64 wrong usage.

mod access;
mod agents;
mod answer;
mod client;
mod identifier;
mod json;
mod query;
mod record;
mod search;
mod tail;
mod terminal;
mod trace;
mod transactions;
mod words;

use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory, Parser, Subcommand};
use clew_service::units::Span;
use clew_service::{exit, manual};

use crate::access::Access;
use crate::client::{Client, Failure};

/// How long to wait for an answer, unless asked otherwise.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Follows one request through many services, from the logs that they already write.
#[derive(Parser)]
#[command(name = "clew", version, max_term_width = 100)]
struct Arguments {
    /// The aggregator's HTTP address.
    #[arg(long, global = true, env = "CLEW_SERVER", default_value = "http://127.0.0.1:7601", value_name = "URL")]
    server: String,
    /// A file with the token of a locked aggregator; without it, the environment's CLEW_TOKEN. (A token in the command line would be in
    /// everybody's list of processes.)
    #[arg(long, global = true, env = "CLEW_TOKEN_FILE", value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// The authority that signed the certificate of an https:// server, as PEM [default: those that the system trusts].
    #[arg(long, global = true, env = "CLEW_CA", value_name = "FILE")]
    ca: Option<PathBuf>,
    /// How long to wait for each answer, and in a stream for more of it [default: 30s; tail and --follow: 45s; search --all: as long as it takes].
    #[arg(long, global = true, value_name = "DURATION")]
    timeout: Option<Span>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Everything that happened to one request, on every service, in order.
    Trace(trace::Options),
    /// The records that fulfil a query, the newest of them at the bottom.
    Search(search::Options),
    /// Records that fulfil a query, as they come in.
    Tail(tail::Options),
    /// Transactions, the newest at the bottom, and what all of them come to.
    Transactions(transactions::Options),
    /// Who ships what, and how far behind it is.
    Agents(agents::Options),
    /// Write man pages and shell completions below a folder: for whoever makes packages.
    #[command(hide = true)]
    Manual {
        /// The folder.
        folder: PathBuf,
    },
}

fn main() -> ExitCode {
    let arguments = query::arguments::arrange(&Arguments::command(), std::env::args_os().collect());
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            let code = if error.use_stderr() { exit::USAGE } else { 0 };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let mut out = BufWriter::new(std::io::stdout().lock());
    let result = run(&arguments, &mut out).and_then(|found| out.flush().map(|()| found).map_err(anyhow::Error::from));
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(exit::FAILURE),
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // What was printed so far comes before the reason why there is no more.
            let _ = out.flush();
            let code = match error.downcast_ref() {
                Some(Failure::Usage(_) | Failure::Rejected { .. }) => exit::USAGE,
                _ => exit::FAILURE,
            };
            exit::fail("clew", code, format!("{error:#}"))
        }
    }
}

/// Whether there was something to print.
fn run(arguments: &Arguments, out: &mut impl Write) -> anyhow::Result<bool> {
    let timeout = arguments.timeout.map(|timeout| timeout.0);
    if let Command::Manual { folder } = &arguments.command {
        return Ok(manual::write(&Arguments::command(), folder).map(|()| true)?);
    }
    let access = Access { token_file: arguments.token_file.clone(), ca: arguments.ca.clone() };
    let client = Client::new(&arguments.server, timeout.unwrap_or(TIMEOUT), &access)?;
    match &arguments.command {
        Command::Trace(options) => trace::run(&client, options, timeout, out).map(|()| true),
        Command::Search(options) => search::run(&client, options, timeout, out),
        Command::Tail(options) => tail::run(&client, options, timeout, out).map(|()| true),
        Command::Transactions(options) => transactions::run(&client, options, timeout, out),
        Command::Agents(options) => agents::run(&client, options, out).map(|()| true),
        Command::Manual { .. } => unreachable!("needs no aggregator"),
    }
}

/// The reader went away (`clew trace ID | head`): it has what it wanted.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}
