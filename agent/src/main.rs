//! The clew-agent program: arguments, config, telemetry, build, run, drain.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use clew_agent::checkpoint::{StateDir, StateError};
use clew_agent::config::Config;
use clew_service::{exit, shutdown, telemetry};

const PROGRAM: &str = "clew-agent";

/// Tails log files, finds the transaction ID of each record, and ships them to a clew-aggregator.
#[derive(Parser)]
#[command(name = PROGRAM, version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Tail and ship until SIGTERM.
    Run {
        /// The agent's configuration.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Say what would be tailed and what stands in the way.
    Check {
        /// The agent's configuration.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(exit::USAGE) } else { ExitCode::SUCCESS };
        }
    };
    match arguments.command {
        Command::Run { config } => run(&config),
        Command::Check { config } => check(&config),
    }
}

fn run(path: &std::path::Path) -> ExitCode {
    telemetry::start();
    let config = match Config::load(path) {
        Ok(config) => config,
        Err(error) => return exit::fail(PROGRAM, exit::CONFIG, error),
    };
    let state = match StateDir::open(&config.state_dir) {
        Ok(state) => state,
        Err(error @ StateError::Locked(_)) => return exit::fail(PROGRAM, exit::FAILURE, error),
        Err(error) => return exit::fail(PROGRAM, exit::CONFIG, error),
    };
    raise_file_limit();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return exit::fail(PROGRAM, exit::FAILURE, format!("start the runtime: {error}")),
    };
    let ended = runtime.block_on(async {
        let stop = shutdown::on_signal()?;
        clew_agent::run::run(config, state, stop).await
    });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => exit::fail(PROGRAM, exit::FAILURE, format!("{error:#}")),
    }
}

fn check(path: &std::path::Path) -> ExitCode {
    match clew_agent::check::check(path) {
        Ok(problems) if problems.is_empty() => ExitCode::SUCCESS,
        Ok(problems) => {
            for problem in problems {
                eprintln!("{PROGRAM}: {problem}");
            }
            ExitCode::from(exit::CONFIG)
        }
        Err(error) => exit::fail(PROGRAM, exit::CONFIG, error),
    }
}

/// Every followed file is held open: as many as the system allows.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}
