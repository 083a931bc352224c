//! `clew-aggregator run|check|verify|token --config FILE`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use clew_aggregator::access::command::{self, TokenCommand};
use clew_aggregator::access::keyring::Keyring;
use clew_aggregator::config::Config;
use clew_aggregator::{app, space};
use clew_service::exit::{self, ConfigError};
use clew_service::{manual, private, shutdown, telemetry};

/// Some percent less CPU under load than with the system's allocator, which hands freed blocks back and faults them in again.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const PROGRAM: &str = "clew-aggregator";

/// Takes log records from agents, stores them, and answers what happened to a request.
#[derive(Parser)]
#[command(name = PROGRAM, version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run until SIGTERM.
    Run {
        /// aggregator.toml; without it, the defaults.
        #[arg(long)]
        config: Option<PathBuf>,
    },
    /// Read everything on disk and say what is damaged; exit 1 if something is. May run beside the aggregator.
    Verify {
        /// aggregator.toml; without it, the defaults.
        #[arg(long)]
        config: Option<PathBuf>,
    },
    /// Say whether the configuration can be run with.
    Check {
        /// aggregator.toml; without it, the defaults.
        #[arg(long)]
        config: Option<PathBuf>,
    },
    /// Make, list and take back tokens: what agents, people and programs are let in with.
    Token {
        /// aggregator.toml; without it, the defaults.
        #[arg(long, global = true)]
        config: Option<PathBuf>,
        #[command(subcommand)]
        command: TokenCommand,
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
    exit::abort_on_panic();
    telemetry::start();
    raise_file_limit();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return exit::fail(PROGRAM, exit::FAILURE, error),
    };
    let outcome = runtime.block_on(async {
        match arguments.command {
            Command::Run { config } => run(Config::load(config.as_deref())?).await,
            Command::Verify { config } => verify(&Config::load(config.as_deref())?),
            Command::Check { config } => check(Config::load(config.as_deref())?).await,
            Command::Token { config, command } => token(Config::load(config.as_deref())?, &command),
            Command::Manual { folder } => Ok(manual::write(&Arguments::command(), &folder)?),
        }
    });
    // Not waiting for a thread that did not stop in time.
    runtime.shutdown_background();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<ConfigError>() => exit::fail(PROGRAM, exit::CONFIG, error),
        Err(error) => exit::fail(PROGRAM, exit::FAILURE, format!("{error:#}")),
    }
}

/// Every client holds a connection open, and those who follow hold it for ever: they must not take away the files of the index.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

async fn run(config: Config) -> anyhow::Result<()> {
    private::files();
    let shutdown = shutdown::on_signal()?;
    let ready = app::prepare(config).await?;
    app::run(ready, shutdown).await
}

fn verify(config: &Config) -> anyhow::Result<()> {
    let data_dir = &config.data_dir;
    if !data_dir.join("partitions").is_dir() {
        return Err(ConfigError::new(format!("data_dir: {} holds no data", data_dir.display())).into());
    }
    let damaged = clew_aggregator::verify::verify(data_dir, &mut std::io::stdout().lock())?;
    anyhow::ensure!(damaged == 0, "{damaged} damaged; what is damaged is left out of answers, the rest is found");
    Ok(())
}

fn token(config: Config, command: &TokenCommand) -> anyhow::Result<()> {
    let keyring = Keyring { data_dir: config.data_dir, configured: config.tokens };
    command::run(command, &keyring, &mut std::io::stdout().lock(), &mut std::io::stderr().lock())
}

async fn check(config: Config) -> anyhow::Result<()> {
    let (data_dir, disk_free_min) = (config.data_dir.clone(), config.disk_free_min);
    let (grpc, http) = (config.grpc_listen, config.http_listen);
    drop(app::prepare(config).await?);
    let free = space::free_bytes(&data_dir)?;
    if free < disk_free_min {
        let message = format!(
            "data_dir: {free} bytes are free under {}, limits.disk_free_min is {disk_free_min}",
            data_dir.display()
        );
        return Err(ConfigError::new(message).into());
    }
    println!("ok: data_dir {} is ours, grpc {grpc} and http {http} are free", data_dir.display());
    Ok(())
}
