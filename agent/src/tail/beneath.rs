//! Opening what lies beneath a root that the operator named, in directories that others may write.
//!
//! Invariant: the way from the root to what is opened passes no symbolic link, no magic link of `/proc` and no `..`, even while
//! somebody swaps its directories. The way to the root is the operator's own, and links on it are followed.
//!
//! One `openat2` does it (Linux 5.6). Where the kernel or a seccomp profile refuses that call, each name is opened by itself.

use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;

const DIRECTORY_FLAGS: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// A path, and how much of it is the root beneath which it is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    path: PathBuf,
    root_bytes: usize,
}

impl Location {
    /// `path` begins with a root of so many bytes.
    pub fn new(path: PathBuf, root_bytes: usize) -> Self {
        Self { path, root_bytes }
    }

    /// All of it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The root, and the way on from there.
    pub fn parts(&self) -> (&Path, &Path) {
        parts(&self.path, self.root_bytes)
    }

    /// What is there now, without opening it for reading.
    pub fn stat(&self) -> io::Result<Stat> {
        let (root, relative) = self.parts();
        Ok(rustix::fs::fstat(Root::open(root)?.open_beneath(relative, OFlags::PATH)?)?)
    }
}

/// Cuts `path` behind its root.
pub fn parts(path: &Path, root_bytes: usize) -> (&Path, &Path) {
    let (root, relative) = path.as_os_str().as_bytes().split_at(root_bytes);
    let relative = relative.strip_prefix(b"/").unwrap_or(relative);
    (Path::new(OsStr::from_bytes(root)), Path::new(OsStr::from_bytes(relative)))
}

/// An open directory that the operator named.
#[derive(Debug)]
pub struct Root(OwnedFd);

impl Root {
    /// Opens it; links on the way are followed.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(rustix::fs::open(path, DIRECTORY_FLAGS, Mode::empty())?))
    }

    /// Opens what lies at `relative`, or the root itself if that is empty. A link on the way is an error, whatever it leads to.
    pub fn open_beneath(&self, relative: &Path, flags: OFlags) -> io::Result<OwnedFd> {
        check(relative)?;
        let path = if relative.as_os_str().is_empty() { Path::new(".") } else { relative };
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let opened = match rustix::fs::openat2(&self.0, path, guarded(flags), Mode::empty(), resolve) {
            Err(Errno::NOSYS | Errno::PERM) => self.open_each(path, flags)?,
            opened => opened?,
        };
        // O_PATH opens a link at the end itself.
        match flags.contains(OFlags::PATH) && is_link(&opened)? {
            true => Err(Errno::LOOP.into()),
            false => Ok(opened),
        }
    }

    /// The same, name by name.
    fn open_each(&self, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
        let mut directory: Option<OwnedFd> = None;
        let mut names = path.components().peekable();
        while let Some(name) = names.next() {
            let at = directory.as_ref().unwrap_or(&self.0);
            let flags = if names.peek().is_some() { DIRECTORY_FLAGS } else { flags };
            directory = Some(rustix::fs::openat(at, name.as_os_str(), guarded(flags), Mode::empty())?);
        }
        directory.ok_or(Errno::NOENT)
    }
}

/// With what makes opening harmless; `openat2` takes no more than this beside `O_PATH`.
fn guarded(flags: OFlags) -> OFlags {
    let harmless = OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match flags.contains(OFlags::PATH) {
        true => flags | harmless,
        false => flags | harmless | OFlags::NONBLOCK | OFlags::NOCTTY,
    }
}

fn is_link(file: &OwnedFd) -> io::Result<bool> {
    let stat = rustix::fs::fstat(file)?;
    Ok(rustix::fs::FileType::from_raw_mode(stat.st_mode) == rustix::fs::FileType::Symlink)
}

/// Plain names only.
fn check(relative: &Path) -> io::Result<()> {
    match relative.components().all(|name| matches!(name, Component::Normal(_))) {
        true => Ok(()),
        false => Err(Errno::XDEV.into()),
    }
}

/// Where a symbolic link leads in the end, with all links resolved. None: nowhere, or through more than `links_max` links.
///
/// The answer may be outdated at once; only opening it beneath a root makes it safe.
pub fn target(link: &Path, links_max: usize) -> Option<PathBuf> {
    let mut path = link.to_owned();
    for _ in 0..=links_max {
        match rustix::fs::readlinkat(CWD, &path, Vec::new()) {
            Ok(next) => path = path.parent()?.join(OsStr::from_bytes(next.as_bytes())),
            Err(Errno::INVAL) => return path.canonicalize().ok(),
            Err(_) => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// Both ways to open must agree.
    fn opens(root: &Path, relative: &str, flags: OFlags) -> bool {
        let (root, relative) = (Root::open(root).unwrap(), Path::new(relative));
        let opened = root.open_beneath(relative, flags).is_ok();
        if check(relative).is_ok() && !relative.as_os_str().is_empty() {
            let each = root.open_each(relative, flags);
            let each = each.is_ok_and(|file| !is_link(&file).unwrap());
            assert_eq!(each, opened, "{relative:?}");
        }
        opened
    }

    #[test]
    fn no_link_is_passed_and_nothing_above_is_reached() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        std::fs::create_dir_all(root.join("a/b")).unwrap();
        std::fs::write(root.join("a/b/x.log"), "x").unwrap();
        std::fs::write(folder.path().join("secret"), "x").unwrap();
        symlink("/etc", root.join("etc")).unwrap();
        symlink("b", root.join("a/inner")).unwrap();
        symlink("x.log", root.join("a/b/link")).unwrap();
        symlink("/proc/self/root", root.join("magic")).unwrap();
        symlink(&root, folder.path().join("operator")).unwrap();
        for (relative, expected) in [
            ("a/b/x.log", true),
            ("a/b", true),
            ("", true),
            ("etc/passwd", false),
            ("etc", false),
            ("a/inner/x.log", false),
            ("a/b/link", false),
            ("magic/etc/passwd", false),
            ("../secret", false),
            ("a/../a/b/x.log", false),
            ("/etc/passwd", false),
            ("a/none", false),
        ] {
            for flags in [OFlags::RDONLY, OFlags::PATH] {
                assert_eq!(opens(&root, relative, flags), expected, "{relative:?}");
                assert_eq!(opens(&folder.path().join("operator"), relative, flags), expected, "{relative:?}");
            }
        }
        assert!(!opens(Path::new("/proc"), "self/root/etc/passwd", OFlags::RDONLY));
        assert!(!opens(Path::new("/proc"), "self/fd", OFlags::RDONLY));
    }

    #[test]
    fn chains_of_links() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        std::fs::create_dir(root.join("sub")).unwrap();
        std::fs::write(root.join("sub/0"), "x").unwrap();
        symlink("sub/0", root.join("1")).unwrap();
        for number in 2..=9 {
            symlink((number - 1).to_string(), root.join(number.to_string())).unwrap();
        }
        symlink("around", root.join("around")).unwrap();
        symlink("nothing", root.join("dangling")).unwrap();
        assert_eq!(target(&root.join("1"), 8), Some(root.join("sub/0")));
        assert_eq!(target(&root.join("8"), 8), Some(root.join("sub/0")));
        for link in ["9", "around", "dangling"] {
            assert_eq!(target(&root.join(link), 8), None, "{link}");
        }
    }

    #[test]
    fn a_location_has_two_parts() {
        for (path, root_bytes, expected) in
            [("/a/b/c", 2, ("/a", "b/c")), ("/a", 2, ("/a", "")), ("/a", 1, ("/", "a")), ("/", 1, ("/", ""))]
        {
            let location = Location::new(path.into(), root_bytes);
            assert_eq!(location.parts(), (Path::new(expected.0), Path::new(expected.1)));
        }
    }
}
