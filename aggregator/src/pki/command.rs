//! `clew-aggregator pki init|server|agent|revoke|list`: works on the files of a folder, and asks nobody.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use clap::Subcommand;
use clew_service::exit::ConfigError;
use clew_service::table;

use super::authority::{self, Authority, Validity, rfc3339};
use super::issue::{self, Order};
use super::issued::{self, Issued, Kind, State};
use super::serial::Serial;
use super::{crl, files, names};

/// What is to be done with certificates.
#[derive(Debug, Subcommand)]
pub enum PkiCommand {
    /// Make a certificate authority: the key that signs, and the certificate that agents and the aggregator trust.
    Init {
        /// Where it is kept, for nobody else. It is made when it is not there.
        dir: PathBuf,
        /// Its name, for people who look at a certificate.
        #[arg(long, default_value = "Clew")]
        name: String,
        /// It is good for so many days, and what it signs no longer.
        #[arg(long, default_value_t = 3_650)]
        days: u32,
    },
    /// Make the aggregator's certificate and key: DIR/server.crt and DIR/server.key. Once more to renew them.
    Server {
        /// The folder of `pki init`.
        dir: PathBuf,
        /// What agents connect to: DNS names and IP addresses, all of them.
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
        /// It is good for so many days.
        #[arg(long, default_value_t = 397)]
        days: u32,
        /// A new certificate for the key that is there [default: a new key as well].
        #[arg(long)]
        keep_key: bool,
    },
    /// Make the certificate and key of an agent: DIR/agents/HOST.crt and DIR/agents/HOST.key. Once more to renew them.
    Agent {
        /// The folder of `pki init`.
        dir: PathBuf,
        /// The name in the agent's `host`: a DNS name.
        host: String,
        /// Another host that the agent ships for. May be repeated.
        #[arg(long = "also-host", value_name = "HOST")]
        also_hosts: Vec<String>,
        /// It is good for so many days.
        #[arg(long, default_value_t = 397)]
        days: u32,
    },
    /// Take certificates back, for good: writes DIR/ca.crl anew.
    Revoke {
        /// The folder of `pki init`.
        dir: PathBuf,
        /// The serial of one, or a host for all that are good for it.
        what: String,
    },
    /// List certificates: whom they are for, whether they are good, until when.
    List {
        /// The folder of `pki init`.
        dir: PathBuf,
    },
}

/// Does it. Only the list is written to `out`; what there is to say goes to `remarks`. Keys go to neither.
pub fn run(command: &PkiCommand, out: &mut impl Write, remarks: &mut impl Write) -> anyhow::Result<()> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?;
    run_at(command, i64::try_from(since.as_secs())?, out, remarks)
}

pub(super) fn run_at(
    command: &PkiCommand,
    now_s: i64,
    out: &mut impl Write,
    remarks: &mut impl Write,
) -> anyhow::Result<()> {
    match command {
        PkiCommand::Init { dir, name, days } => init(dir, name, Validity::days(*days, now_s)?, now_s, remarks),
        PkiCommand::Server { dir, names, days, keep_key } => {
            let order = Order { kind: Kind::Server, names: names::servers(names)?, days: *days, keep_key: *keep_key };
            issue::issue(dir, &order, now_s, remarks)
        }
        PkiCommand::Agent { dir, host, also_hosts, days } => {
            let names = names::hosts(std::iter::once(host).chain(also_hosts))?;
            issue::issue(dir, &Order { kind: Kind::Agent, names, days: *days, keep_key: false }, now_s, remarks)
        }
        PkiCommand::Revoke { dir, what } => revoke(dir, what, now_s, remarks),
        PkiCommand::List { dir } => list(dir, now_s, out),
    }
}

fn init(dir: &Path, name: &str, validity: Validity, now_s: i64, remarks: &mut impl Write) -> anyhow::Result<()> {
    names::authority(name)?;
    files::make_folder(dir)?;
    let _lock = files::lock(dir)?;
    let (certificate, key) = (authority::certificate_path(dir), authority::key_path(dir));
    if let Some(there) =
        [&certificate, &key, &issued::path(dir)].into_iter().find(|path| path.symlink_metadata().is_ok())
    {
        let why = format!("{} holds a certificate authority already: {}", dir.display(), there.display());
        return Err(ConfigError::new(why).into());
    }
    issued::write(dir, &[])?;
    Authority::create(dir, name, validity)?;
    crl::write(dir, &Authority::open(dir, now_s)?, &[], now_s)?;
    let until = rfc3339(validity.not_after_s);
    writeln!(remarks, "{}: certificate authority {name:?}, good until {until}", certificate.display())?;
    writeln!(
        remarks,
        "whoever has {} can pose as any host: keep it, and a copy of the folder, safe; next is `pki server`",
        key.display()
    )?;
    Ok(())
}

fn revoke(dir: &Path, what: &str, now_s: i64, remarks: &mut impl Write) -> anyhow::Result<()> {
    let _lock = authority::lock(dir)?;
    let authority = Authority::open(dir, now_s)?;
    let mut all = issued::read(dir)?;
    let serial = what.parse::<Serial>().ok().filter(|serial| all.iter().any(|other| other.serial == *serial));
    let is_meant = |certificate: &Issued| match serial {
        Some(serial) => certificate.serial == serial,
        None => certificate.names.iter().any(|name| name == what),
    };
    let mut revoked = Vec::new();
    for certificate in all.iter_mut().filter(|one| is_meant(one) && one.state(now_s) == State::Good) {
        certificate.revoked_s = Some(now_s);
        revoked.push(certificate.clone());
    }
    if !revoked.is_empty() {
        issued::write(dir, &all)?;
    }
    // Also for what is revoked already: a crash may have come between the two files.
    if all.iter().any(|certificate| is_meant(certificate) && certificate.revoked_s.is_some()) {
        crl::write(dir, &authority, &all, now_s)?;
    }
    anyhow::ensure!(
        !revoked.is_empty(),
        "no certificate that is good has the serial or the host {what:?} (`pki list` shows all, also those \
         that are expired or revoked)"
    );
    for Issued { serial, kind, names, .. } in revoked {
        writeln!(remarks, "{serial}: {kind} certificate for {} is revoked", names.join(", "))?;
    }
    let list = crl::path(dir);
    writeln!(
        remarks,
        "{} lists it: put it where the aggregator reads its client_crl, if that is elsewhere",
        list.display()
    )?;
    Ok(())
}

fn list(dir: &Path, now_s: i64, out: &mut impl Write) -> anyhow::Result<()> {
    authority::check_is_there(dir)?;
    let mut rows = vec![["SERIAL", "KIND", "NAMES", "STATE", "EXPIRES"].map(str::to_owned)];
    rows.extend(issued::read(dir)?.iter().map(|certificate| {
        [
            certificate.serial.to_string(),
            certificate.kind.to_string(),
            certificate.names.join(","),
            certificate.state(now_s).to_string(),
            rfc3339(certificate.not_after_s),
        ]
    }));
    table::write(&rows, out)?;
    Ok(())
}
