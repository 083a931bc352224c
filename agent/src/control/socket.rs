//! Where the control socket is: `state_dir/control`.
//!
//! A socket's address holds 107 bytes of a path. A longer one is gone to through `/proc/self/fd`: an open handle of its folder has
//! a short name.

use std::fs::{File, Permissions};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

const NAME: &str = "control";
/// It gets its name when nobody else may use it any more.
const NEW_NAME: &str = "control.tmp";
/// sockaddr_un(7): 108 bytes with the NUL at their end.
const ADDRESS_BYTES_MAX: usize = 107;

/// Listens in `state_dir`, whose lock this process holds: a socket that is there was left by one that is gone.
pub fn bind(state_dir: &Path) -> io::Result<UnixListener> {
    let new = state_dir.join(NEW_NAME);
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let address = Address::of(state_dir, NEW_NAME)?;
    let listener = UnixListener::bind(&address.path)?;
    std::fs::set_permissions(&new, Permissions::from_mode(0o600))?;
    std::fs::rename(&new, state_dir.join(NAME))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Connects to the agent that holds `state_dir`.
pub fn connect(state_dir: &Path) -> io::Result<UnixStream> {
    let address = Address::of(state_dir, NAME)?;
    UnixStream::connect(&address.path)
}

/// A path that fits, for as long as the handle that it leads through is open.
struct Address {
    path: PathBuf,
    _folder: Option<OwnedFd>,
}

impl Address {
    fn of(state_dir: &Path, name: &str) -> io::Result<Self> {
        let path = state_dir.join(name);
        if path.as_os_str().as_bytes().len() <= ADDRESS_BYTES_MAX {
            return Ok(Self { path, _folder: None });
        }
        let folder: OwnedFd = File::open(state_dir)?.into();
        Ok(Self { path: format!("/proc/self/fd/{}/{name}", folder.as_raw_fd()).into(), _folder: Some(folder) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_one_is_replaced_and_a_long_path_is_no_hindrance() {
        let folder = tempfile::tempdir().unwrap();
        for state_dir in [folder.path().to_owned(), folder.path().join("long".repeat(30)).join("er".repeat(60))] {
            std::fs::create_dir_all(&state_dir).unwrap();
            assert!(connect(&state_dir).is_err());
            drop(bind(&state_dir).unwrap());
            assert_eq!(connect(&state_dir).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
            let listener = bind(&state_dir).unwrap();
            connect(&state_dir).unwrap();
            listener.accept().unwrap();
            let mode = std::fs::metadata(state_dir.join(NAME)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }
}
