//! `clew-aggregator run|check|verify|token|pki|backup|restore`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use clew_aggregator::access::command::{self, TokenCommand};
use clew_aggregator::access::keyring::Keyring;
use clew_aggregator::backup::command::{self as backup, BackupArguments, RestoreArguments};
use clew_aggregator::config::Config;
use clew_aggregator::data_dir::{self, own};
use clew_aggregator::pki::command::{self as pki, PkiCommand};
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
    /// Back everything up, also while the aggregator runs: what the target does not have yet.
    Backup {
        /// aggregator.toml; without it, the defaults.
        #[arg(long)]
        config: Option<PathBuf>,
        #[command(flatten)]
        arguments: BackupArguments,
    },
    /// Bring a backup back into an empty data_dir, all of it or some days, while no aggregator runs.
    Restore {
        /// aggregator.toml; without it, the defaults.
        #[arg(long)]
        config: Option<PathBuf>,
        #[command(flatten)]
        arguments: RestoreArguments,
    },
    /// Make, list and take back tokens: what agents, people and programs are let in with.
    Token {
        /// aggregator.toml; without it, the defaults.
        #[arg(long, global = true)]
        config: Option<PathBuf>,
        #[command(subcommand)]
        command: TokenCommand,
    },
    /// A certificate authority of one's own: certificates for the aggregator and for agents, and their revocation. Needs no aggregator, and is
    /// best kept on another machine.
    Pki {
        #[command(subcommand)]
        command: PkiCommand,
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
            Command::Pki { command } => {
                pki::run(&command, &mut std::io::stdout().lock(), &mut std::io::stderr().lock())
            }
            Command::Backup { config, arguments } => backup(&Config::load(config.as_deref())?, &arguments).await,
            Command::Restore { config, arguments } => restore(Config::load(config.as_deref())?, &arguments).await,
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

async fn backup(config: &Config, arguments: &BackupArguments) -> anyhow::Result<()> {
    private::files();
    let (shutdown, mut out) = (shutdown::on_signal()?, std::io::stdout());
    tokio::select! {
        done = backup::backup(arguments, &config.data_dir, &mut out) => done,
        () = shutdown.cancelled() => anyhow::bail!("stopped by a signal; what is in the target already is not written again"),
    }
}

async fn restore(config: Config, arguments: &RestoreArguments) -> anyhow::Result<()> {
    private::files();
    let data_dir = config.data_dir.clone();
    let settle = move |data_dir: &Path| app::settle(&Config { data_dir: data_dir.to_owned(), ..config });
    backup::restore(arguments, &data_dir, settle, &mut std::io::stdout()).await
}

fn token(config: Config, command: &TokenCommand) -> anyhow::Result<()> {
    let keyring = Keyring { data_dir: config.data_dir, configured: config.tokens };
    command::run(command, &keyring, &mut std::io::stdout().lock(), &mut std::io::stderr().lock())
}

async fn check(config: Config) -> anyhow::Result<()> {
    let (data_dir, disk_free_min) = (config.data_dir.clone(), config.disk_free_min);
    let (grpc, http) = (config.grpc_listen, config.http_listen);
    own::refuse_root(&data_dir).map_err(|why| ConfigError::new(format!("data_dir: {why}")))?;
    let is_new = !data_dir.exists();
    let prepared = app::prepare(config).await?;
    let free = space::free_bytes(&data_dir)?;
    if is_new {
        // A look leaves nothing behind: whoever runs it may be another user than the aggregator.
        data_dir::unmake(&data_dir);
    }
    drop(prepared);
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
