//! The files of an authority: replaced as a whole and durably, never through a symbolic link, with modes that no umask
//! changes.

use std::fs::{DirBuilder, File, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use anyhow::Context;
use clew_service::exit::ConfigError;

/// For what is secret.
pub const PRIVATE: u32 = 0o600;
/// For what everybody may read.
pub const PUBLIC: u32 = 0o644;
const FOLDER: u32 = 0o700;
const LOCK: &str = "lock";
/// Far above 100 000 certificates in `issued`.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// Makes a folder for nobody else. One that is there stays as it is, as long as nobody else writes into it.
pub fn make_folder(path: &Path) -> anyhow::Result<()> {
    match DirBuilder::new().mode(FOLDER).create(path) {
        Ok(()) => std::fs::set_permissions(path, Permissions::from_mode(FOLDER)),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
    .with_context(|| format!("make the folder {}", path.display()))?;
    check_folder(path)
}

/// Whoever may write into a folder may replace the keys in it.
fn check_folder(path: &Path) -> anyhow::Result<()> {
    let metadata = path.metadata().with_context(|| format!("look at {}", path.display()))?;
    let shown = path.display();
    if !metadata.is_dir() {
        return Err(ConfigError::new(format!("{shown} is not a folder")).into());
    }
    if metadata.permissions().mode() & 0o022 != 0 {
        return Err(ConfigError::new(format!("{shown}: others can write into it; chmod go-w {shown}")).into());
    }
    Ok(())
}

/// Waits until no other command changes the authority, and keeps others waiting until the file is dropped.
pub fn lock(dir: &Path) -> anyhow::Result<File> {
    check_folder(dir)?;
    let no_link = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false).mode(PRIVATE).custom_flags(no_link);
    let path = dir.join(LOCK);
    let locked = options.open(&path).and_then(|file| {
        file.set_permissions(Permissions::from_mode(PRIVATE))?;
        file.lock()?;
        Ok(file)
    });
    locked.with_context(|| format!("lock {}", path.display()))
}

/// Replaces `path` as a whole, durably.
pub fn write(path: &Path, mode: u32, text: &str) -> anyhow::Result<()> {
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(too_large(path));
    }
    replace(path, mode, text).with_context(|| format!("write {}", path.display()))
}

fn replace(path: &Path, mode: u32, text: &str) -> io::Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    // One that a crash left over may be anything.
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = File::options().write(true).create_new(true).mode(PRIVATE).open(&new)?;
    let written = file
        .set_permissions(Permissions::from_mode(mode))
        .and_then(|()| file.write_all(text.as_bytes()))
        .and_then(|()| file.sync_all())
        .and_then(|()| std::fs::rename(&new, path))
        .and_then(|()| File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all());
    if written.is_err() {
        let _ = std::fs::remove_file(&new);
    }
    written
}

/// All of a file.
pub fn read(path: &Path) -> anyhow::Result<String> {
    let file = File::open(path).with_context(|| format!("read {}", path.display()))?;
    text_of(&file, path)
}

/// All of a file that nobody else can read, not even its group.
pub fn read_private(path: &Path) -> anyhow::Result<String> {
    let file = File::open(path).with_context(|| format!("read {}", path.display()))?;
    let mode = file.metadata().with_context(|| format!("look at {}", path.display()))?.permissions().mode();
    if mode & 0o077 != 0 {
        let shown = path.display();
        let why = format!("{shown}: others can read this key (its mode is {:03o}); chmod 600 {shown}", mode & 0o777);
        return Err(ConfigError::new(why).into());
    }
    text_of(&file, path)
}

fn text_of(file: &File, path: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    let size = file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text);
    if size.with_context(|| format!("read {}", path.display()))? as u64 > FILE_BYTES_MAX {
        return Err(too_large(path));
    }
    Ok(text)
}

fn too_large(path: &Path) -> anyhow::Error {
    anyhow::anyhow!(
        "{}: it has more than {FILE_BYTES_MAX} bytes; make a new authority in another folder",
        path.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        path.symlink_metadata().unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_file_is_replaced_with_its_mode_and_no_link_is_followed() {
        let (dir, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let other = elsewhere.path().join("other");
        std::fs::write(&other, "kept").unwrap();
        for name in ["a.new", "a"] {
            std::os::unix::fs::symlink(&other, dir.path().join(name)).unwrap();
        }
        let path = dir.path().join("a");
        for (text, wanted) in [("first", PUBLIC), ("second", PRIVATE)] {
            write(&path, wanted, text).unwrap();
            assert_eq!((read(&path).unwrap().as_str(), mode(&path)), (text, wanted));
        }
        assert!(path.symlink_metadata().unwrap().is_file());
        assert_eq!(std::fs::read_to_string(&other).unwrap(), "kept");
        std::os::unix::fs::symlink(elsewhere.path().join("new"), dir.path().join(LOCK)).unwrap();
        assert!(lock(dir.path()).is_err() && !elsewhere.path().join("new").exists());
    }

    #[test]
    fn what_others_can_write_or_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let key = dir.path().join("key");
        write(&key, 0o640, "secret").unwrap();
        let said = read_private(&key).unwrap_err().to_string();
        assert!(said.contains("chmod 600") && said.contains("640") && !said.contains("secret"), "{said}");
        write(&key, PRIVATE, "secret").unwrap();
        assert_eq!(read_private(&key).unwrap(), "secret");
        let folder = dir.path().join("folder");
        make_folder(&folder).unwrap();
        assert_eq!(mode(&folder), FOLDER);
        std::fs::set_permissions(&folder, Permissions::from_mode(0o770)).unwrap();
        for refused in [make_folder(&folder), lock(&folder).map(drop), make_folder(&key)] {
            assert!(refused.unwrap_err().is::<ConfigError>());
        }
    }
}
