//! `clew-demo`: a small shop of real services whose logs Clew follows, and the one command that runs it all.
//!
//! | file | what it is |
//! | --- | --- |
//! | `service/` | the six services: HTTP on loopback, each with a log file in a format of its own |
//! | `context` | W3C trace context: taken from a request, passed on to the next |
//! | `logfile` | a log file as services write it: one write a record, rotated by renaming |
//! | `http` | calling another service |
//! | `run` | the orchestrator: aggregator, agent and shop, from start to stop |
//! | `workdir` | the demo's folder: configs, logs, data; never someone else's |
//! | `child` | a child process that ends with us, and tells why it ended |
//! | `traffic` | customers |
//! | `api` | the few questions that the demo asks the aggregator |
//! | `check` | compares what the aggregator holds with what stands in the files |

mod api;
mod check;
mod child;
mod context;
mod http;
mod logfile;
mod run;
mod service;
mod traffic;
mod workdir;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use clew_service::exit;

/// A small shop that writes real logs, and Clew following its requests.
#[derive(Parser)]
#[command(name = "clew-demo", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start aggregator, agent and shop, send traffic, and say what to try; Ctrl-C stops all of it.
    Run(run::Options),
    /// Run one service of the shop.
    Service(service::Options),
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let code = if error.use_stderr() { exit::USAGE } else { 0 };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    // One thread: children are told to end with the thread that started them, and this one lives as long as we do.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let result = runtime.map_err(anyhow::Error::from).and_then(|runtime| match arguments.command {
        Command::Run(options) => runtime.block_on(run::run(options)),
        Command::Service(options) => runtime.block_on(service::run(options)),
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => exit::fail("clew-demo", exit::FAILURE, format!("{error:#}")),
    }
}
