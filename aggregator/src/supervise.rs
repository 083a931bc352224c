//! What the service manager is told: ready, how things are, alive, stopping.
//!
//! **Alive means that the head and the catalog can be had**, which every batch and every answer needs: they are looked at on a
//! thread of their own, and only what was seen there is passed on as a sign of life. A look that hangs is silent.

use std::sync::Arc;
use std::time::Duration;

use clew_service::notify::Notifier;
use clew_service::shutdown::CancellationToken;
use clew_service::units::Size;

use crate::health::{Health, Part};
use crate::store::Store;

/// The line for `systemctl status` is made anew this often.
const STATUS_INTERVAL: Duration = Duration::from_secs(5);

/// Tells until `shutdown`, and then that the end begins. Called when both servers listen: the service is ready.
pub async fn supervise(notifier: Notifier, store: Store, health: Arc<Health>, shutdown: CancellationToken) {
    if !notifier.is_heard() {
        return;
    }
    let interval = notifier.watchdog_interval().map_or(STATUS_INTERVAL, |interval| interval.min(STATUS_INTERVAL));
    tell(&notifier, move || line(&store, &health), interval, &shutdown).await;
}

async fn tell(
    notifier: &Notifier,
    look: impl Fn() -> String + Clone + Send + 'static,
    interval: Duration,
    shutdown: &CancellationToken,
) {
    notifier.ready();
    loop {
        // A look may hang; the end does not wait for it.
        let turn = async {
            let Ok(seen) = tokio::task::spawn_blocking(look.clone()).await else { return };
            notifier.status(&seen);
            notifier.watchdog();
            tokio::time::sleep(interval).await;
        };
        tokio::select! {
            () = turn => {}
            () = shutdown.cancelled() => return notifier.stopping(),
        }
    }
}

fn line(store: &Store, health: &Health) -> String {
    let connected = store.registry.read().agents.values().filter(|agent| agent.sessions > 0).count();
    let volume = store.head_volume();
    let troubles: Vec<String> = Part::ALL
        .into_iter()
        .filter_map(|part| health.of(part).map(|why| format!("; {}: {why}", part.name())))
        .collect();
    let agents = if connected == 1 { "agent" } else { "agents" };
    format!("{connected} {agents} connected, {} not yet committed{}", Size(volume.raw_bytes), troubles.concat())
}

#[cfg(test)]
mod tests {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixDatagram};
    use std::sync::Mutex;
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    fn next(socket: &UnixDatagram) -> String {
        let mut buffer = [0; 256];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }

    #[tokio::test]
    async fn no_sign_of_life_from_a_look_that_hangs_and_the_end_does_not_wait_for_it() {
        let address =
            SocketAddr::from_abstract_name(format!("clew-aggregator-supervise-{}", std::process::id())).unwrap();
        let socket = UnixDatagram::bind_addr(&address).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let (let_go, gate): (Sender<String>, Receiver<String>) = channel();
        let gate = Arc::new(Mutex::new(gate));
        let look = move || gate.lock().unwrap().recv().unwrap_or_default();
        let shutdown = CancellationToken::new();
        let stop = shutdown.clone();
        let notifier = Notifier::new(Some(address));
        let task = tokio::spawn(async move { tell(&notifier, look, Duration::from_millis(5), &stop).await });
        let heard = tokio::task::spawn_blocking(move || {
            let ready = next(&socket);
            let_go.send("well".into()).unwrap();
            let first = [next(&socket), next(&socket)];
            // The next look hangs: the end is all that is heard.
            shutdown.cancel();
            (ready, first, next(&socket), let_go)
        });
        let (ready, first, last, let_go) = heard.await.unwrap();
        assert_eq!(ready, "READY=1");
        assert_eq!(first, ["STATUS=well", "WATCHDOG=1"]);
        assert_eq!(last, "STOPPING=1");
        task.await.unwrap();
        drop(let_go);
    }
}
