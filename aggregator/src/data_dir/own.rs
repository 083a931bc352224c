//! Small files of `data_dir` that a command of root may write as well: they belong to the folder's owner, who has to read them.
//!
//! The owner of the folder may be no friend of root's: no symbolic link in it is followed, and what is given away is what was opened.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown, lchown};
use std::path::Path;

use crate::wal::segment::sync_dir;

const MODE: u32 = 0o600;

/// Replaces `dir/name` as a whole, durably.
pub fn write(dir: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let new = dir.join(format!("{name}.new"));
    // One that a crash left over may have another owner or mode.
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = File::options().write(true).create_new(true).mode(MODE).open(&new)?;
    let written = give(&file, dir)
        .and_then(|()| file.write_all(bytes))
        .and_then(|()| file.sync_all())
        .and_then(|()| std::fs::rename(&new, dir.join(name)))
        .and_then(|()| sync_dir(dir));
    if written.is_err() {
        let _ = std::fs::remove_file(&new);
    }
    written
}

/// Opens `dir/name` to be locked, and makes it when it is not there.
pub fn open_lock(dir: &Path, name: &str) -> io::Result<File> {
    let no_link = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false).mode(MODE).custom_flags(no_link);
    let file = options.open(dir.join(name))?;
    give(&file, dir)?;
    Ok(file)
}

/// Refuses root in a folder of somebody else's: what it made there would be out of that one's reach. The error says what to do.
pub fn refuse_root(dir: &Path) -> Result<(), String> {
    match dir.metadata() {
        Ok(owner) if owner.uid() != 0 && rustix::process::geteuid().is_root() => Err(format!(
            "{} belongs to user {uid}, and root would leave files in it that they cannot read: run this as that user \
             (setpriv --reuid={uid} --regid={gid} --clear-groups COMMAND)",
            dir.display(),
            uid = owner.uid(),
            gid = owner.gid(),
        )),
        _ => Ok(()),
    }
}

/// Root alone can give, and need: whoever else writes here is who reads it, also in a folder that is another's (a volume with a group).
fn give(file: &File, dir: &Path) -> io::Result<()> {
    let (owner, own) = (dir.metadata()?, file.metadata()?);
    if own.uid() != owner.uid() && rustix::process::geteuid().is_root() {
        fchown(file, Some(owner.uid()), Some(owner.gid()))?;
    }
    Ok(())
}

/// Gives `path`, and all below it, to the owner of `dir`. For what nobody else could change meanwhile.
pub fn hand_over(path: &Path, dir: &Path) -> io::Result<()> {
    let (owner, own) = (dir.metadata()?, path.symlink_metadata()?);
    if own.uid() != owner.uid() && rustix::process::geteuid().is_root() {
        lchown(path, Some(owner.uid()), Some(owner.gid()))?;
    }
    if own.is_dir() {
        for entry in std::fs::read_dir(path)? {
            hand_over(&entry?.path(), dir)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole_and_no_link_is_followed() {
        let (dir, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let other = elsewhere.path().join("other");
        std::fs::write(&other, "kept").unwrap();
        for name in ["a.new", "a"] {
            std::os::unix::fs::symlink(&other, dir.path().join(name)).unwrap();
        }
        for text in ["first", "second"] {
            write(dir.path(), "a", text.as_bytes()).unwrap();
            assert_eq!(std::fs::read_to_string(dir.path().join("a")).unwrap(), text);
        }
        let meta = dir.path().join("a").symlink_metadata().unwrap();
        assert!(meta.is_file() && meta.permissions().mode() & 0o777 == MODE);
        assert_eq!(std::fs::read_to_string(&other).unwrap(), "kept");
        std::os::unix::fs::symlink(elsewhere.path().join("new"), dir.path().join("lock")).unwrap();
        assert!(open_lock(dir.path(), "lock").is_err() && !elsewhere.path().join("new").exists());
        assert!(open_lock(dir.path(), "b.lock").is_ok());
    }

    #[test]
    fn what_root_writes_belongs_to_the_owner_of_the_folder() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        std::os::unix::fs::chown(dir.path(), Some(1234), Some(1234)).unwrap();
        write(dir.path(), "a", b"text").unwrap();
        open_lock(dir.path(), "lock").unwrap();
        for name in ["a", "lock"] {
            let meta = dir.path().join(name).metadata().unwrap();
            assert_eq!((meta.uid(), meta.gid()), (1234, 1234), "{name}");
        }
    }
}
