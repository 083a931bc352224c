//! What the service manager is told: ready, how things are, alive, reloading, stopping.
//!
//! **Alive means that the pipeline turns**: it is asked how things are, and only its answer is passed on as a sign of life. A
//! pipeline that hangs is silent, however well this task runs.

use std::sync::mpsc::Sender;
use std::time::Duration;

use clew_service::notify::Notifier;
use clew_service::units::Size;
use tokio::sync::oneshot;

use crate::pipeline::{Control, Event};
use crate::report::Status;

/// The line for `systemctl status` is made anew this often.
const STATUS_INTERVAL: Duration = Duration::from_secs(5);

/// Tells until the task is dropped. The pipeline answers first when it has looked at all files once: then the service is ready.
pub async fn supervise(notifier: Notifier, events: Sender<Event>) {
    if !notifier.is_heard() {
        return;
    }
    let interval = notifier.watchdog_interval().map_or(STATUS_INTERVAL, |interval| interval.min(STATUS_INTERVAL));
    tell(&notifier, &events, interval).await;
}

async fn tell(notifier: &Notifier, events: &Sender<Event>, interval: Duration) {
    let mut ready = false;
    loop {
        let (reply, answer) = oneshot::channel();
        if events.send(Event::Control(Control::Status(reply))).is_err() {
            return;
        }
        let Ok(status) = answer.await else { return };
        if !std::mem::replace(&mut ready, true) {
            notifier.ready();
        }
        notifier.status(&line(&status));
        notifier.watchdog();
        tokio::time::sleep(interval).await;
    }
}

fn line(status: &Status) -> String {
    format!(
        "{} files followed, {} not acknowledged, {}",
        status.sources,
        Size(status.unread_bytes),
        if status.connected { "connected" } else { "not connected to the aggregator" }
    )
}

#[cfg(test)]
mod tests {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixDatagram};
    use std::sync::mpsc::channel;

    use super::*;

    /// Many times the interval.
    const SILENCE: Duration = Duration::from_millis(200);

    /// What was told so far.
    fn told(socket: &UnixDatagram) -> Vec<String> {
        let mut told = Vec::new();
        let mut buffer = [0; 256];
        while let Ok(length) = socket.recv(&mut buffer) {
            told.push(String::from_utf8_lossy(&buffer[..length]).into_owned());
        }
        told
    }

    #[tokio::test]
    async fn no_sign_of_life_without_an_answer_of_the_pipeline() {
        let address = SocketAddr::from_abstract_name(format!("clew-supervise-{}", std::process::id())).unwrap();
        let socket = UnixDatagram::bind_addr(&address).unwrap();
        socket.set_nonblocking(true).unwrap();
        let (events, inbox) = channel();
        let notifier = Notifier::new(Some(address));
        let task = tokio::spawn(async move { tell(&notifier, &events, Duration::from_millis(5)).await });
        let asked = async || {
            loop {
                match inbox.try_recv() {
                    Ok(Event::Control(Control::Status(reply))) => return reply,
                    Ok(event) => panic!("{event:?}"),
                    Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
                }
            }
        };
        let reply = asked().await;
        tokio::time::sleep(SILENCE).await;
        assert!(told(&socket).is_empty(), "it hangs in its first look at all files");
        reply.send(Status { connected: true, sources: 3, unread_bytes: 2048 }).unwrap();
        let reply = asked().await;
        let status = "STATUS=3 files followed, 2.0 KiB not acknowledged, connected";
        assert_eq!(told(&socket), ["READY=1", status, "WATCHDOG=1"]);
        tokio::time::sleep(SILENCE).await;
        assert!(told(&socket).is_empty(), "it hangs");
        reply.send(Status::default()).unwrap();
        drop(asked().await);
        let status = "STATUS=0 files followed, 0 B not acknowledged, not connected to the aggregator";
        assert_eq!(told(&socket), [status, "WATCHDOG=1"]);
        task.await.unwrap();
    }
}
