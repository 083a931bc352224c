//! The clew-agent program: arguments, config, telemetry, build, run, drain.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use clew_agent::audit::AuditError;
use clew_agent::checkpoint::{StateDir, StateError};
use clew_agent::config::Config;
use clew_agent::control::client::{AskError, ask};
use clew_agent::control::protocol::{Answer, Request};
use clew_agent::explain::explain;
use clew_agent::pipeline::Until;
use clew_agent::run::Loaded;
use clew_agent::trial::{Options, trial};
use clew_service::units::Span;
use clew_service::{exit, manual, private, shutdown, telemetry};

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
    /// Tail and ship until SIGTERM. SIGHUP reads the configuration again.
    Run {
        /// The agent's configuration.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// End when everything that the files hold now is acknowledged.
        #[arg(long)]
        once: bool,
        /// With --once: end with an error after so long, such as 5m; never unless set.
        #[arg(long, value_name = "DURATION", requires = "once")]
        timeout: Option<Span>,
    },
    /// Say what would be read and what stands in the way.
    Check {
        /// The agent's configuration.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Do not connect to the aggregator.
        #[arg(long)]
        offline: bool,
    },
    /// Say what would become of a file's lines: times, severities, IDs, redaction, rules. No aggregator is needed.
    Test {
        /// The agent's configuration.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// The source of the configuration, counted from 1; otherwise the one that names the file.
        #[arg(long, value_name = "N")]
        source: Option<usize>,
        /// One JSON object for each record.
        #[arg(long)]
        json: bool,
        /// The file; - is standard input.
        file: PathBuf,
    },
    /// Say why a file is read or not, and how far. Asks the agent that runs.
    Explain {
        /// The agent's configuration.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// As JSON.
        #[arg(long)]
        json: bool,
        /// The file.
        path: PathBuf,
    },
    /// Compare the agent's account of every byte with the aggregator's.
    Audit {
        /// The agent's configuration.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Have the agent that runs read its configuration again, and say what changed.
    Reload {
        /// The agent's configuration.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Write man pages and shell completions below a folder: for whoever makes packages.
    #[command(hide = true)]
    Manual {
        /// The folder.
        folder: PathBuf,
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
        Command::Run { config, once, timeout } => {
            let until = if once { Until::Settled(timeout.map(|span| span.0)) } else { Until::Told };
            run(config, until)
        }
        Command::Check { config, offline } => check(&config, offline),
        Command::Test { config, source, json, file } => {
            let tried = trial(&config, &file, Options { source, json }, &mut |line| say(&line));
            tried.map_or_else(|error| exit::fail(PROGRAM, exit::CONFIG, error), |()| ExitCode::SUCCESS)
        }
        Command::Explain { config, json, path } => {
            let explained = explain(&config, &path, json).map(|text| say(&text));
            explained.map_or_else(|error| exit::fail(PROGRAM, exit::CONFIG, error), |()| ExitCode::SUCCESS)
        }
        Command::Audit { config, json } => audit(&config, json),
        Command::Reload { config } => reload(&config),
        Command::Manual { folder } => {
            let written = manual::write(&Arguments::command(), &folder);
            written.map_or_else(|error| exit::fail(PROGRAM, exit::FAILURE, error), |()| ExitCode::SUCCESS)
        }
    }
}

/// Prints a line. Whoever reads may have had enough.
fn say(line: &str) {
    if writeln!(std::io::stdout(), "{line}").is_err() {
        std::process::exit(0);
    }
}

fn run(path: PathBuf, until: Until) -> ExitCode {
    private::files();
    telemetry::start();
    let name = path.display().to_string();
    let loaded = clew_service::config::read(&path)
        .and_then(|text| Config::parse(&text, &name).map(|config| Loaded { config, path, text }));
    let loaded = match loaded {
        Ok(loaded) => loaded,
        Err(error) => return exit::fail(PROGRAM, exit::CONFIG, error),
    };
    let state = match StateDir::open(&loaded.config.state_dir) {
        Ok(state) => state,
        Err(error @ StateError::Locked(_)) => return exit::fail(PROGRAM, exit::FAILURE, error),
        Err(error) => return exit::fail(PROGRAM, exit::CONFIG, error),
    };
    raise_file_limit();
    let ended = runtime().and_then(|runtime| {
        runtime.block_on(async {
            let stop = shutdown::on_signal()?;
            clew_agent::run::run(loaded, state, stop, until).await
        })
    });
    match ended {
        Ok(None) => ExitCode::SUCCESS,
        Ok(Some(remains)) => exit::fail(PROGRAM, exit::FAILURE, format!("not everything was shipped: {remains}")),
        Err(error) => exit::fail(PROGRAM, exit::FAILURE, format!("{error:#}")),
    }
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| anyhow::anyhow!("start the runtime: {error}"))
}

fn check(path: &Path, offline: bool) -> ExitCode {
    let problems = match clew_agent::check::check(path, offline, &mut say) {
        Ok(problems) => problems,
        Err(error) => return exit::fail(PROGRAM, exit::CONFIG, error),
    };
    for problem in problems.config.iter().chain(&problems.world) {
        eprintln!("{PROGRAM}: {problem}");
    }
    match (problems.config.is_empty(), problems.world.is_empty()) {
        (false, _) => ExitCode::from(exit::CONFIG),
        (true, false) => ExitCode::from(exit::FAILURE),
        (true, true) => ExitCode::SUCCESS,
    }
}

fn audit(path: &Path, json: bool) -> ExitCode {
    let audited = runtime().and_then(|runtime| Ok(runtime.block_on(clew_agent::audit::audit(path))?));
    let audit = match audited {
        Ok(audit) => audit,
        Err(error) => {
            let is_config = matches!(error.downcast_ref(), Some(AuditError::Config(_)));
            return exit::fail(PROGRAM, if is_config { exit::CONFIG } else { exit::FAILURE }, error);
        }
    };
    say(&if json { audit.json() } else { audit.text() });
    if audit.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(exit::FAILURE) }
}

fn reload(path: &Path) -> ExitCode {
    // Only where the agent is: whether the rest of the file is right, the agent says.
    let state_dir = match Config::state_dir_in(path) {
        Ok(state_dir) => state_dir,
        Err(error) => return exit::fail(PROGRAM, exit::CONFIG, error),
    };
    match ask(&state_dir, &Request::Reload) {
        Ok(Answer::Reload(reloaded)) if reloaded.changes.is_empty() => say("nothing changed"),
        Ok(Answer::Reload(reloaded)) => {
            reloaded.changes.iter().for_each(|change| say(change));
            say(&format!("{} files let go, {} files begun", reloaded.let_go, reloaded.begun));
        }
        Ok(_) => return exit::fail(PROGRAM, exit::FAILURE, "the agent answered something else"),
        Err(AskError::Refused(why)) => {
            return exit::fail(PROGRAM, exit::CONFIG, format!("the agent goes on with the old configuration: {why}"));
        }
        Err(error) => return exit::fail(PROGRAM, exit::FAILURE, error),
    }
    ExitCode::SUCCESS
}

/// Every followed file is held open: as many as the system allows.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}
