//! A certificate and its key, from the wish to the files.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::authority::{self, Authority, Validity, rfc3339};
use super::crl;
use super::files::{self, PRIVATE, PUBLIC};
use super::issued::{self, Issued, Kind};
use super::serial::Serial;

const AGENTS: &str = "agents";
/// Where an agent would look for its files: they have to be somewhere on its host.
const AGENT_FOLDER: &str = "/etc/clew";

/// What somebody wants.
pub struct Order {
    /// For an agent or the aggregator.
    pub kind: Kind,
    /// Whom it is for, checked, at least one. That of an agent is named after the first.
    pub names: Vec<String>,
    /// For so long.
    pub days: u32,
    /// For the key that is there.
    pub keep_key: bool,
}

/// Where the two lie.
struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

/// Makes it, in place of the one that is there.
pub fn issue(dir: &Path, order: &Order, now_s: i64, remarks: &mut impl Write) -> anyhow::Result<()> {
    let wanted = Validity::days(order.days, now_s)?;
    let _lock = authority::lock(dir)?;
    let authority = Authority::open(dir, now_s)?;
    let validity = authority.cut(wanted);
    let mut all = issued::read(dir)?;
    let files = place(dir, order)?;
    let key = match order.keep_key {
        // It may be open to the group of the service.
        true => authority::parse_key(&files.key, &files::read(&files.key)?)?,
        false => authority::new_key()?,
    };
    let issued = Issued {
        serial: Serial::random()?,
        kind: order.kind,
        names: order.names.clone(),
        not_before_s: validity.not_before_s,
        not_after_s: validity.not_after_s,
        revoked_s: None,
    };
    let certificate = authority.sign(&issued, &key)?;
    all.push(issued.clone());
    issued::write(dir, &all)?;
    if !order.keep_key {
        files::write(&files.key, PRIVATE, &key.serialize_pem())?;
    }
    files::write(&files.certificate, PUBLIC, &certificate.pem())?;
    if validity.not_after_s < wanted.not_after_s {
        writeln!(remarks, "the authority ends before {} days are over, and so does the certificate", order.days)?;
    }
    let until = rfc3339(issued.not_after_s);
    let names = issued.names.join(", ");
    writeln!(remarks, "{}: {names}, serial {}, good until {until}", files.certificate.display(), issued.serial)?;
    match order.kind {
        Kind::Server => server_next(dir, &files, remarks),
        Kind::Agent => agent_next(dir, &files, remarks),
    }
}

/// Both files, in a folder that is there.
fn place(dir: &Path, order: &Order) -> anyhow::Result<Files> {
    let (folder, stem) = match order.kind {
        Kind::Server => return Ok(files(dir, "server")),
        Kind::Agent => (dir.join(AGENTS), &order.names[0]),
    };
    anyhow::ensure!(!folder.is_symlink(), "{} is a symbolic link; put a folder in its place", folder.display());
    files::make_folder(&folder)?;
    Ok(files(&folder, stem))
}

fn files(folder: &Path, stem: &str) -> Files {
    Files { certificate: folder.join(format!("{stem}.crt")), key: folder.join(format!("{stem}.key")) }
}

fn server_next(dir: &Path, files: &Files, remarks: &mut impl Write) -> anyhow::Result<()> {
    let key = files.key.display();
    writeln!(remarks, "put into aggregator.toml ({key} must be readable by the service's user, and by nobody else):")?;
    writeln!(remarks, "[tls]")?;
    let (ca, crl) = (authority::certificate_path(dir), crl::path(dir));
    for (name, path) in
        [("certificate", &files.certificate), ("key", &files.key), ("client_ca", &ca), ("client_crl", &crl)]
    {
        writeln!(remarks, "{name} = {:?}", std::path::absolute(path)?)?;
    }
    Ok(())
}

fn agent_next(dir: &Path, files: &Files, remarks: &mut impl Write) -> anyhow::Result<()> {
    let ca = authority::certificate_path(dir);
    let [shown_ca, certificate, key] = [&ca, &files.certificate, &files.key].map(|path| path.display());
    let copy = format!("copy {shown_ca}, {certificate} and {key} to the host, for instance into {AGENT_FOLDER}");
    writeln!(remarks, "{copy}, and put into its agent.toml:")?;
    writeln!(remarks, "[tls]")?;
    for (name, path) in [("ca", &ca), ("certificate", &files.certificate), ("key", &files.key)] {
        writeln!(remarks, "{name} = {:?}", Path::new(AGENT_FOLDER).join(path.file_name().unwrap_or_default()))?;
    }
    Ok(())
}
