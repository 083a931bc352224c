//! What systemd is told about a service of `Type=notify` (`Type=notify-reload`): sd_notify(3), one datagram for each state.
//!
//! Started by anything else, there is no `NOTIFY_SOCKET` and nothing is sent. Sending never waits and never fails the
//! caller: the service is more important than its supervisor's view of it.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Tells the service manager.
#[derive(Clone, Debug)]
pub struct Notifier {
    address: Option<SocketAddr>,
    watchdog_interval: Option<Duration>,
}

impl Notifier {
    /// What the environment asks for.
    pub fn from_env() -> Self {
        let text = |name| std::env::var_os(name).and_then(|value: OsString| value.into_string().ok());
        Self {
            address: std::env::var_os("NOTIFY_SOCKET").and_then(|socket| address(&socket)),
            watchdog_interval: watchdog_interval(text("WATCHDOG_USEC"), text("WATCHDOG_PID"), std::process::id()),
        }
    }

    /// Sends to `address`, or nothing at all.
    pub fn new(address: Option<SocketAddr>) -> Self {
        Self { address, watchdog_interval: None }
    }

    /// Whether a service manager listens.
    pub fn is_heard(&self) -> bool {
        self.address.is_some()
    }

    /// The service has started, or has reloaded its configuration.
    pub fn ready(&self) {
        self.send("READY=1");
    }

    /// It begins to end.
    pub fn stopping(&self) {
        self.send("STOPPING=1");
    }

    /// It reloads its configuration; `ready` follows. The time tells systemd that this is the answer to its own signal.
    pub fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let now_us = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1000;
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={now_us}"));
    }

    /// One line for `systemctl status`.
    pub fn status(&self, text: &str) {
        self.send(&format!("STATUS={}", text.replace('\n', " ")));
    }

    /// It is alive.
    pub fn watchdog(&self) {
        self.send("WATCHDOG=1");
    }

    /// How often `watchdog` should be called: half of the time after which systemd loses patience. None: it does not watch.
    pub fn watchdog_interval(&self) -> Option<Duration> {
        self.watchdog_interval
    }

    fn send(&self, state: &str) {
        let Some(address) = &self.address else { return };
        let sent = UnixDatagram::unbound().and_then(|socket| send(&socket, state, address));
        if let Err(error) = sent {
            tracing::debug!("tell the service manager {state:?}: {error}");
        }
    }
}

fn send(socket: &UnixDatagram, state: &str, address: &SocketAddr) -> io::Result<usize> {
    socket.set_nonblocking(true)?;
    socket.send_to_addr(state.as_bytes(), address)
}

/// A path, or `@` and an abstract name; systemd's other kinds are for virtual machines.
fn address(socket: &OsStr) -> Option<SocketAddr> {
    match socket.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name).ok(),
        [b'/', ..] => SocketAddr::from_pathname(socket).ok(),
        _ => None,
    }
}

fn watchdog_interval(usec: Option<String>, watchdog_pid: Option<String>, pid: u32) -> Option<Duration> {
    // Another process is watched, and we inherited its environment.
    if watchdog_pid.is_some_and(|watched| watched.parse() != Ok(pid)) {
        return None;
    }
    let usec: u64 = usec?.parse().ok().filter(|usec| *usec > 0)?;
    Some(Duration::from_micros(usec) / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(socket: &UnixDatagram) -> String {
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut buffer = [0; 256];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    fn tells(socket: &UnixDatagram, notifier: &Notifier) {
        notifier.ready();
        assert_eq!(received(socket), "READY=1");
        notifier.status("two\nlines");
        assert_eq!(received(socket), "STATUS=two lines");
        notifier.watchdog();
        assert_eq!(received(socket), "WATCHDOG=1");
        notifier.reloading();
        let reloading = received(socket);
        let time = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
        assert!(time.parse::<u64>().unwrap() > 0);
        notifier.stopping();
        assert_eq!(received(socket), "STOPPING=1");
    }

    #[test]
    fn to_a_path_and_to_an_abstract_name() {
        let path = std::env::temp_dir().join(format!("notify-{}", std::process::id()));
        let socket = UnixDatagram::bind(&path).unwrap();
        tells(&socket, &Notifier::new(address(path.as_os_str())));
        std::fs::remove_file(&path).unwrap();
        // Nobody listens any more: nothing happens.
        Notifier::new(address(path.as_os_str())).ready();

        let name = format!("@clew-notify-{}", std::process::id());
        let address = address(OsStr::new(&name)).unwrap();
        tells(&UnixDatagram::bind_addr(&address).unwrap(), &Notifier::new(Some(address)));
    }

    #[test]
    fn without_an_address_nothing_is_sent() {
        for socket in ["", "relative", "vsock:2:1234"] {
            let notifier = Notifier::new(address(OsStr::new(socket)));
            assert!(notifier.address.is_none(), "{socket}");
            notifier.ready();
        }
    }

    #[test]
    fn the_watchdog_is_fed_twice_as_often_as_needed() {
        let some = |text: &str| Some(text.to_owned());
        for (usec, watchdog_pid, expected_ms) in [
            (some("30000000"), None, Some(15_000)),
            (some("30000000"), some("7"), Some(15_000)),
            (some("30000000"), some("8"), None),
            (some("0"), None, None),
            (some("often"), None, None),
            (None, some("7"), None),
        ] {
            let expected = expected_ms.map(Duration::from_millis);
            assert_eq!(watchdog_interval(usec, watchdog_pid, 7), expected);
        }
    }
}
