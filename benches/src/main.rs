//! clew-bench: what agent and aggregator cost and how fast they answer, measured on whole processes.
//!
//! | file | what it is |
//! | --- | --- |
//! | `templates` | the log statements of twelve services |
//! | `corpus/` | 2 million log records of transactions over those services, the same for the same seed |
//! | `process` | a child process: its CPU time, its memory, its end |
//! | `client` | the aggregator's HTTP API, as far as it is measured |
//! | `programs` | agent and aggregator with default settings |
//! | `questions` | what is searched for |
//! | `e2e` | the parts of the measurement, see there |
//! | `reference` | zstd on the same data: how fast this machine is today |
//! | `report` | budgets, the table, `target/bench/e2e.json` |

mod client;
mod corpus;
mod e2e;
mod process;
mod programs;
mod questions;
mod reference;
mod report;
mod templates;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};

/// `EX_USAGE` of sysexits.h.
const USAGE: u8 = 64;

/// What agent and aggregator cost and how fast they answer.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    e2e: e2e::Options,
}

#[derive(Subcommand)]
enum Command {
    /// Write the corpus, if it is not there yet.
    Corpus {
        #[command(flatten)]
        parameters: corpus::Parameters,
        /// What the records look like.
        #[arg(long, value_enum, default_value_t)]
        shape: corpus::Shape,
    },
    /// Run both programs over the corpus and write target/bench/e2e.json (the default).
    E2e(e2e::Options),
    /// Ingest very many records, 100 million unless told otherwise, ask for some, and write target/bench/large.json.
    Large(e2e::large::Options),
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
        }
    };
    match run(arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("clew-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> anyhow::Result<bool> {
    let folder = bench_folder()?;
    match arguments.command.unwrap_or(Command::E2e(arguments.e2e)) {
        Command::Corpus { parameters, shape } => {
            let corpus = corpus::prepare(&folder, parameters, shape)?;
            println!("{}: {} records, {} bytes", corpus.folder.display(), corpus.records, corpus.bytes);
            Ok(true)
        }
        Command::E2e(options) => e2e::run(&folder, &options),
        Command::Large(options) => e2e::large::run(&folder, &options).map(|()| true),
    }
}

/// `target/bench`, found from this program's own place in `target/<profile>`.
fn bench_folder() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("find this program")?;
    let target = own.ancestors().nth(2).context("this program stands in target/<profile>")?;
    let folder = target.join("bench");
    std::fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    Ok(folder)
}
