//! Reads the configuration again and puts it in force: for SIGHUP and for `clew-agent reload`.
//!
//! All or nothing: a file that is wrong, or that changes what cannot change while the agent runs, changes nothing at all.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use clew_service::config::read;
use clew_service::exit::ConfigError;
use clew_service::notify::Notifier;
use tokio::sync::{Mutex, oneshot, watch};
use toml::Table;

use crate::changes;
use crate::config::Config;
use crate::discover::watch::Watch;
use crate::metrics::Metrics;
use crate::pipeline::{Control, Event, NewConfig};
use crate::report::Reloaded;
use crate::ship::destination::Destination;

/// What is in force, and how to change it. One reload at a time.
pub struct Reloader {
    path: PathBuf,
    in_force: Mutex<InForce>,
    events: Sender<Event>,
    destination: watch::Sender<Destination>,
    metrics: Arc<Metrics>,
    notifier: Notifier,
    watch: Box<dyn Fn(&Config) -> Watch + Send + Sync>,
}

struct InForce {
    config: Arc<Config>,
    table: Table,
}

impl Reloader {
    /// `config` was made of `text`, which stood in `path`; `watch` makes a watch as a configuration wants it.
    pub fn new(
        (path, text): (PathBuf, &str),
        config: Arc<Config>,
        events: Sender<Event>,
        destination: watch::Sender<Destination>,
        metrics: Arc<Metrics>,
        notifier: Notifier,
        watch: impl Fn(&Config) -> Watch + Send + Sync + 'static,
    ) -> Self {
        let table = text.parse().unwrap_or_default();
        let in_force = Mutex::new(InForce { config, table });
        Self { path, in_force, events, destination, metrics, notifier, watch: Box::new(watch) }
    }

    /// Answers what changed, or why nothing did.
    pub async fn reload(&self) -> Result<Reloaded, String> {
        // Not before the first look at all files: until then the service is not ready, and must not be told so.
        let (reply, turns) = oneshot::channel();
        let _ = self.events.send(Event::Control(Control::Status(reply)));
        let _ = turns.await;
        self.notifier.reloading();
        let reloaded = self.try_reload().await;
        self.notifier.ready();
        match &reloaded {
            Ok(reloaded) => {
                self.metrics.reloads.inc();
                match reloaded.changes.is_empty() {
                    true => tracing::info!("configuration read again: nothing changed"),
                    false => tracing::info!(
                        "configuration read again: {} changes, {} files let go, {} files begun",
                        reloaded.changes.len(),
                        reloaded.let_go,
                        reloaded.begun
                    ),
                }
                for change in &reloaded.changes {
                    tracing::info!("  {change}");
                }
            }
            Err(error) => {
                self.metrics.reload_errors.inc();
                tracing::error!("the configuration was not taken, the old one goes on: {error}");
            }
        }
        reloaded
    }

    async fn try_reload(&self) -> Result<Reloaded, String> {
        let mut in_force = self.in_force.lock().await;
        let path = self.path.clone();
        // Patterns take a moment to compile, and a file system may hang.
        let before = in_force.config.destination.clone();
        let load = move || {
            let text = read(&path)?;
            let config = Config::parse(&text, &path.display().to_string())?;
            if config.destination != before {
                // The session that there is would be given up for one that cannot be.
                config.destination.read_files().map_err(ConfigError::new)?;
            }
            Ok::<_, ConfigError>((config, text))
        };
        let loaded = tokio::task::spawn_blocking(load).await.map_err(|error| error.to_string())?;
        let (config, text) = loaded.map_err(|error| error.to_string())?;
        refuse(&in_force.config, &config)?;
        let table: Table = text.parse().map_err(|error: toml::de::Error| error.message().to_owned())?;
        let changes = changes::between(&in_force.table, &table);
        if changes.is_empty() {
            return Ok(Reloaded::default());
        }
        let config = Arc::new(config);
        let watches_change = in_force.config.limits.watches_max != config.limits.watches_max;
        let watch = watches_change.then(|| (self.watch)(&config));
        let (reply, answer) = oneshot::channel();
        let new = NewConfig { config: config.clone(), watch };
        let ended = || "the agent is ending".to_owned();
        self.events.send(Event::Control(Control::Reload { new, reply })).map_err(|_| ended())?;
        let applied = answer.await.map_err(|_| ended())?;
        self.destination.send_if_modified(|destination| {
            let moves = *destination != config.destination;
            destination.clone_from(&config.destination);
            moves
        });
        *in_force = InForce { config, table };
        Ok(Reloaded { changes, ..applied })
    }
}

/// What a running agent cannot change.
fn refuse(old: &Config, new: &Config) -> Result<(), String> {
    let shown = |config: &Config| {
        let metrics = config.metrics_listen.map_or("off".to_owned(), |address| address.to_string());
        let agent_id = uuid::Uuid::from_bytes(config.agent_id).to_string();
        [
            ("state_dir", config.state_dir.display().to_string()),
            ("host", config.host.clone()),
            ("agent_id", agent_id),
            ("metrics_listen", metrics),
        ]
    };
    for ((key, old), (_, new)) in shown(old).into_iter().zip(shown(new)) {
        if old != new {
            return Err(format!("{key} changes only with a restart ({old} is in force, the file says {new})"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_a_restart_is_named() {
        let config = |keys: &str| {
            let text = format!("host = 'a'\n{keys}\n[[source]]\nservice = 'a'\ninclude = ['/a']\n");
            Config::parse(&text, "agent.toml").unwrap()
        };
        let old = config("");
        assert_eq!(refuse(&old, &config("aggregator = 'http://elsewhere:1'\nlimits.linger = '3s'")), Ok(()));
        for (keys, key) in [
            (
                "state_dir = '/elsewhere'",
                "state_dir changes only with a restart (/var/lib/clew-agent is in force, the file",
            ),
            ("metrics_listen = '127.0.0.1:7602'", "metrics_listen changes only with a restart (off is in force"),
            ("agent_id = '7d444840-9dc0-11d1-b245-5ffdce74fad2'", "agent_id changes only with a restart"),
        ] {
            let error = refuse(&old, &config(keys)).unwrap_err();
            assert!(error.starts_with(key), "{error}");
        }
    }
}
