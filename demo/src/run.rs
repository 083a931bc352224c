//! The orchestrator: starts aggregator, agent and shop, lets customers in, says what to try, and stops all of it in the
//! reverse order, so that the agent has read everything before it ends and the aggregator holds everything.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clew_service::shutdown::{self, CancellationToken};
use clew_service::units::{Size, Span};

use crate::api::{self, Api};
use crate::check;
use crate::child::Child;
use crate::service::Name;
use crate::traffic::Traffic;
use crate::workdir::Workdir;

/// Prints a line. That nobody reads it any more is no reason to stop the shop.
macro_rules! say {
    ($($words:tt)*) => {{
        let _ = writeln!(std::io::stdout(), $($words)*);
    }};
}

const GRPC_PORT: u16 = 7600;
const HTTP_PORT: u16 = 7601;
const SHOP_PORT: u16 = 7610;
/// How long `--check` lets customers in when `--for` does not say it.
const CHECK_FOR: Duration = Duration::from_secs(8);
const STATUS_EVERY: Duration = Duration::from_secs(10);
const SUPERVISE_EVERY: Duration = Duration::from_millis(200);
/// A failing request is looked up before it is shown; longer than this nobody wants to wait.
const SHOW_TIMEOUT: Duration = Duration::from_secs(15);
const SERVICE_PATIENCE: Duration = Duration::from_secs(10);
/// More than the agent's drain_timeout.
const AGENT_PATIENCE: Duration = Duration::from_secs(20);
const AGGREGATOR_PATIENCE: Duration = Duration::from_secs(30);

#[derive(clap::Args)]
pub struct Options {
    /// About so many requests a second.
    #[arg(long, default_value_t = 5.0, value_name = "REQUESTS", value_parser = rate)]
    rate: f64,
    /// Stop after this time [default: on Ctrl-C].
    #[arg(long = "for", value_name = "DURATION")]
    run_for: Option<Span>,
    /// Then compare every request's lines in the files with the aggregator's answer, and fail when they differ.
    #[arg(long)]
    check: bool,
    /// The folder for logs, data and configs; emptied at the start [default: target/demo].
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Rotate each log when it has grown to this size.
    #[arg(long, value_name = "SIZE", default_value = "4MiB")]
    rotate_every: Size,
}

pub async fn run(options: Options) -> anyhow::Result<()> {
    let stop = shutdown::on_signal()?;
    let programs = Programs::find()?;
    let root = options.dir.clone().unwrap_or_else(|| programs.folder.parent().unwrap_or(&programs.folder).join("demo"));
    let workdir = Workdir::prepare(&root)?;
    let started = tokio::select! {
        started = House::start(&programs, &workdir, options.rotate_every) => started?,
        () = stop.cancelled() => return Ok(()),
    };
    started.live(&options, &programs, &workdir, stop).await
}

/// The binaries, which stand beside our own.
struct Programs {
    folder: PathBuf,
}

impl Programs {
    fn find() -> anyhow::Result<Self> {
        let own = std::env::current_exe().context("find the folder of clew-demo")?;
        let programs = Self { folder: own.parent().unwrap_or(Path::new("/")).to_owned() };
        for name in ["clew-aggregator", "clew-agent", "clew"] {
            if !programs.path(name).exists() {
                bail!("{} is not there; build it with `cargo build --workspace --bins`", programs.path(name).display());
            }
        }
        Ok(programs)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// All that runs.
struct House {
    aggregator: Child,
    agent: Child,
    /// In the order in which they were started.
    services: Vec<Child>,
    api: Api,
    gateway: SocketAddr,
}

impl House {
    async fn start(programs: &Programs, workdir: &Workdir, rotate_every: Size) -> anyhow::Result<Self> {
        let free = [GRPC_PORT, HTTP_PORT].into_iter().all(is_free);
        let (grpc_port, http_port) = if free { (GRPC_PORT, HTTP_PORT) } else { (0, 0) };
        let config = workdir.aggregator_config(grpc_port, http_port)?;
        let mut aggregator = program(programs, workdir, "clew-aggregator", &config)?;
        let (grpc, http) =
            aggregator.announced(|line| Some((address(line, "grpc=")?, address(line, "http=")?))).await?;
        let config = workdir.agent_config(&grpc.to_string())?;
        let agent = program(programs, workdir, "clew-agent", &config)?;

        let mut services = Vec::new();
        let mut peers: Vec<(Name, SocketAddr)> = Vec::new();
        for name in Name::ALL {
            let port = if name == Name::Gateway && is_free(SHOP_PORT) { SHOP_PORT } else { 0 };
            let mut arguments = vec!["service".to_owned(), name.as_str().to_owned()];
            arguments.extend(["--port".to_owned(), port.to_string()]);
            arguments.extend(["--logs".to_owned(), workdir.logs().display().to_string()]);
            arguments.extend(["--rotate-every".to_owned(), rotate_every.0.to_string()]);
            for (peer, address) in peers.iter().filter(|(peer, _)| name.calls().contains(peer)) {
                arguments.extend(["--peer".to_owned(), format!("{}={address}", peer.as_str())]);
            }
            let stderr = workdir.stderr(name.as_str());
            let mut child = Child::spawn(name.as_str(), &programs.path("clew-demo"), &arguments, stderr)?;
            peers.push((name, child.announced(|line| address(line, "listening ")).await?));
            services.push(child);
        }
        let gateway = peers.last().expect("the gateway is the last").1;
        Ok(Self { aggregator, agent, services, api: Api::new(http), gateway })
    }

    /// From the first customer to the last process.
    async fn live(
        mut self,
        options: &Options,
        programs: &Programs,
        workdir: &Workdir,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        let bound = options.run_for.map(|span| span.0).or(options.check.then_some(CHECK_FOR));
        let closing = stop.child_token();
        let traffic = Traffic::new(self.gateway);
        let hints = Hints { programs, workdir, api: &self.api, traffic: &traffic };
        let mut flow = pin!(traffic.clone().flow(options.rate, closing.clone()));
        let ended = tokio::select! {
            () = stop.cancelled() => Ok(()),
            () = sleep(bound) => Ok(()),
            // Customers go on while they are watched; they never end by themselves.
            () = &mut flow => Ok(()),
            error = supervise(&mut self.services, &mut self.agent, &mut self.aggregator) => Err(error),
            error = hints.tell() => Err(error),
        };
        closing.cancel();
        if let Err(error) = ended {
            return Err(error.context("the demo stops"));
        }
        flow.await;
        say!("\nstopping: first the shop, then the agent when it has shipped everything, then the aggregator");
        for service in self.services.iter_mut().rev() {
            service.stop(SERVICE_PATIENCE).await?;
        }
        let checked = match options.check && !stop.is_cancelled() {
            true => {
                let finished: Vec<_> = traffic.ledger.borrow().remembered.iter().cloned().collect();
                Some(check::run(&self.api, &workdir.logs(), &finished).await)
            }
            false => None,
        };
        let stopped = async {
            self.agent.stop(AGENT_PATIENCE).await?;
            self.aggregator.stop(AGGREGATOR_PATIENCE).await
        };
        let stopped = stopped.await;
        let ledger = traffic.ledger.borrow();
        let (requests, failed, logs) = (ledger.requests, ledger.failures, workdir.logs());
        say!("stopped after {requests} requests, of which {failed} failed; the logs are in {}", logs.display());
        // What the check found is worth knowing even when the stop went wrong.
        if let Some(checked) = checked {
            say!("{}", checked.context("check")?.summary());
        }
        stopped
    }
}

/// Ends when one of the processes has ended.
async fn supervise(services: &mut [Child], agent: &mut Child, aggregator: &mut Child) -> anyhow::Error {
    loop {
        let all = services.iter_mut().chain([&mut *agent, &mut *aggregator]);
        for child in all {
            if let Err(error) = child.must_run() {
                return error;
            }
        }
        tokio::time::sleep(SUPERVISE_EVERY).await;
    }
}

/// What to type next, and how it goes.
struct Hints<'a> {
    programs: &'a Programs,
    workdir: &'a Workdir,
    api: &'a Api,
    traffic: &'a Traffic,
}

impl Hints<'_> {
    /// Ends only with an error.
    async fn tell(&self) -> anyhow::Error {
        say!(
            "The shop is open at http://{}; its first customer's card is about to be declined ...",
            self.traffic.gateway()
        );
        match self.first_failure().await {
            Ok(id) => self.welcome(&id),
            Err(error) => return error,
        }
        loop {
            tokio::time::sleep(STATUS_EVERY).await;
            let ledger = self.traffic.ledger.borrow();
            let unanswered =
                if ledger.unanswered > 0 { format!(", {} unanswered", ledger.unanswered) } else { String::new() };
            let newest = ledger.newest_failure.as_ref().map(|newest| newest.trace_id.as_str()).unwrap_or("none yet");
            say!(
                "{} requests, {} failed{unanswered}; newest failing checkout: {newest}",
                ledger.requests,
                ledger.failures
            );
        }
    }

    /// The first failing checkout, once the aggregator holds all of it.
    async fn first_failure(&self) -> anyhow::Result<String> {
        let started = Instant::now();
        loop {
            let newest = self.traffic.ledger.borrow().newest_failure.as_ref().map(|newest| newest.trace_id.clone());
            match newest {
                Some(id)
                    if started.elapsed() > SHOW_TIMEOUT
                        || api::is_settled(self.api.transaction(&id).await?.as_ref()) =>
                {
                    return Ok(id);
                }
                None if started.elapsed() > SHOW_TIMEOUT => {
                    bail!("the shop has answered no checkout for {} s", SHOW_TIMEOUT.as_secs())
                }
                _ => tokio::time::sleep(SUPERVISE_EVERY).await,
            }
        }
    }

    fn welcome(&self, id: &str) {
        let url = self.api.url();
        let clew = self.programs.path("clew").display().to_string();
        let clew = if url.ends_with(&format!(":{HTTP_PORT}")) { clew } else { format!("{clew} --server {url}") };
        say!(
            "\n\
             A checkout has failed. Follow it through every service that it crossed:\n\n  \
               {clew} trace {id}\n\n\
             The same from the API:\n\n  \
               curl -s {url}/api/v1/transactions/{id}\n\n\
             Who ships what, and how far behind it is:\n\n  \
               {clew} agents --sources\n\n\
             The logs that it all comes from, six formats in six files:\n\n  \
               tail -n 3 {}/*/*.log\n\n\
             Ctrl-C stops all of it.\n",
            self.workdir.logs().display()
        );
    }
}

fn program(programs: &Programs, workdir: &Workdir, name: &str, config: &Path) -> anyhow::Result<Child> {
    let arguments = ["run".to_owned(), "--config".to_owned(), config.display().to_string()];
    Child::spawn(name, &programs.path(name), &arguments, workdir.stderr(name))
}

/// The address after `key` in a line that says what is listened on.
fn address(line: &str, key: &str) -> Option<SocketAddr> {
    let value = line.contains("listening").then(|| line.split_once(key)).flatten()?.1;
    let end = value.find(|c: char| c.is_whitespace() || c == ',').unwrap_or(value.len());
    value[..end].trim_matches('"').parse().ok()
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

async fn sleep(duration: Option<Duration>) {
    match duration {
        Some(duration) => tokio::time::sleep(duration).await,
        None => std::future::pending().await,
    }
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (0.1..=1000.0).contains(&rate) => Ok(rate),
        _ => Err("give a number between 0.1 and 1000".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found_in_what_programs_say() {
        let line = "2026-11-23T12:00:00Z  INFO listening grpc=127.0.0.1:7600 http=\"127.0.0.1:7601\"";
        assert_eq!(address(line, "grpc="), Some(([127, 0, 0, 1], 7600).into()));
        assert_eq!(address(line, "http="), Some(([127, 0, 0, 1], 7601).into()));
        assert_eq!(address("listening 127.0.0.1:9", "listening "), Some(([127, 0, 0, 1], 9).into()));
        assert_eq!(address("http=127.0.0.1:7601", "http="), None);
    }
}
