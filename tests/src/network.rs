//! Hosts in network namespaces, each with an address of its own, on one switch. Links are cut and made slow as those of real hosts are:
//! packets vanish, nobody is told.
//!
//! It takes root, `ip`, `tc` and `bridge` (Debian's iproute2, which is installed when it can be).

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Tells networks of one process apart.
static NETWORKS: AtomicU32 = AtomicU32::new(0);

/// A switch, and hosts on it. Goes with everything in it when it is dropped; processes in it should be gone by then.
pub struct Network {
    prefix: String,
    hosts: Vec<&'static str>,
}

impl Network {
    /// With these hosts, from 10.77.0.1 on. The error is why there can be none here.
    pub fn new(hosts: &[&'static str]) -> Result<Self, String> {
        if !rustix::process::geteuid().is_root() {
            return Err("network namespaces take root".into());
        }
        if run(&["ip", "-V"]).is_err() {
            run(&["apt-get", "update"])?;
            run(&["apt-get", "install", "-y", "--no-install-recommends", "iproute2"])?;
        }
        let prefix = format!("clew{}-{}", std::process::id(), NETWORKS.fetch_add(1, Ordering::Relaxed));
        let mut network = Self { prefix, hosts: Vec::new() };
        network.add_namespace("switch")?;
        network.inside("switch", &["ip", "link", "add", "switch", "type", "bridge"])?;
        network.inside("switch", &["ip", "link", "set", "switch", "up"])?;
        for (number, host) in hosts.iter().enumerate() {
            network.add_namespace(host)?;
            let (switch, own) = (network.namespace("switch"), network.namespace(host));
            let pair =
                ["ip", "link", "add", "eth0", "netns", &own, "type", "veth", "peer", "name", host, "netns", &switch];
            run(&pair)?;
            network.inside("switch", &["ip", "link", "set", host, "master", "switch", "up"])?;
            network.inside(host, &["ip", "address", "add", &format!("{}/24", address(number)), "dev", "eth0"])?;
            for interface in ["lo", "eth0"] {
                network.inside(host, &["ip", "link", "set", interface, "up"])?;
            }
        }
        Ok(network)
    }

    /// The address of a host.
    pub fn address(&self, host: &str) -> String {
        let number = self.hosts.iter().skip(1).position(|known| *known == host);
        address(number.unwrap_or_else(|| panic!("there is no host {host}")))
    }

    /// What goes before a command so that it runs on a host.
    pub fn on(&self, host: &str) -> [String; 4] {
        ["ip".into(), "netns".into(), "exec".into(), self.namespace(host)]
    }

    /// From now on the calling thread, and whatever it starts, is on that host.
    pub fn enter(&self, host: &str) {
        let file = std::fs::File::open(format!("/run/netns/{}", self.namespace(host))).expect("open a namespace");
        move_into_link_name_space(std::os::fd::AsFd::as_fd(&file), Some(LinkNameSpaceType::Network))
            .expect("enter a namespace");
    }

    /// Cuts a host off: what is sent to it or by it vanishes.
    pub fn cut(&self, host: &str) {
        self.inside("switch", &["bridge", "link", "set", "dev", host, "state", "0"]).expect("cut a link");
    }

    /// Ends that.
    pub fn mend(&self, host: &str) {
        self.inside("switch", &["bridge", "link", "set", "dev", host, "state", "3"]).expect("mend a link");
    }

    /// A host sends no more than so many kilobits a second, and what waits longer than a second is dropped.
    pub fn slow(&self, host: &str, kilobits: u32) {
        let rate = format!("{kilobits}kbit");
        let shape =
            ["tc", "qdisc", "replace", "dev", "eth0", "root", "tbf", "rate", &rate, "burst", "8kb", "latency", "1s"];
        self.inside(host, &shape).expect("slow a link down");
    }

    fn namespace(&self, host: &str) -> String {
        format!("{}-{host}", self.prefix)
    }

    fn add_namespace(&mut self, host: &'static str) -> Result<(), String> {
        run(&["ip", "netns", "add", &self.namespace(host)])?;
        self.hosts.push(host);
        Ok(())
    }

    fn inside(&self, host: &str, command: &[&str]) -> Result<(), String> {
        let namespace = self.namespace(host);
        run(&[&["ip", "netns", "exec", namespace.as_str()], command].concat())
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for host in &self.hosts {
            let _ = run(&["ip", "netns", "delete", &self.namespace(host)]);
        }
    }
}

fn address(number: usize) -> String {
    format!("10.77.0.{}", number + 1)
}

fn run(command: &[&str]) -> Result<(), String> {
    let failed = |why: &dyn std::fmt::Display| format!("{}: {why}", command.join(" "));
    let output = Command::new(command[0]).args(&command[1..]).output().map_err(|error| failed(&error))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(failed(&String::from_utf8_lossy(&output.stderr).trim_end())),
    }
}
