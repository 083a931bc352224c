//! Symbolic links to files: followed only into the directories that a source lists in `symlinks`.
//!
//! Invariant: whatever a link says, its target is looked at and opened beneath one of these directories, without another link.

use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Stat};

use crate::tail::beneath::{Location, target};

/// kubelet, the container runtime and Docker chain three at most.
const LINKS_MAX: usize = 8;

/// Where `link` leads and what is there, or why it is not followed.
pub fn follow(link: &Path, roots: &[PathBuf]) -> Result<(Location, Stat), &'static str> {
    if roots.is_empty() {
        return Err(
            "it is a symbolic link; list the directory of its target in `symlinks` of this source to follow it",
        );
    }
    let target = target(link, LINKS_MAX).ok_or("it is a symbolic link that leads to no file")?;
    // The way to a root is the operator's own and may be a link.
    let roots = roots.iter().filter_map(|root| root.canonicalize().ok());
    let root_bytes =
        roots.filter(|root| target.starts_with(root)).map(|root| root.as_os_str().len()).max().ok_or(
            "it is a symbolic link out of the `symlinks` of this source; list the directory of its target there",
        )?;
    let location = Location::new(target, root_bytes);
    let stat = location.stat().map_err(|_| "it is a symbolic link whose target cannot be looked at")?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Ok((location, stat)),
        _ => Err("it is a symbolic link to what is not a regular file"),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn only_into_the_roots() {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path().canonicalize().unwrap();
        let pods = base.join("pods");
        std::fs::create_dir_all(pods.join("a")).unwrap();
        std::fs::create_dir(base.join("pods-not")).unwrap();
        for file in ["pods/a/0.log", "pods-not/0.log", "secret"] {
            std::fs::write(base.join(file), "x").unwrap();
        }
        symlink("secret", base.join("to-secret")).unwrap();
        symlink(base.join("secret"), pods.join("a/evil.log")).unwrap();
        symlink(&pods, base.join("operator")).unwrap();
        let link = base.join("link");
        for (to, followed) in [
            ("pods/a/0.log", true),
            ("operator/a/0.log", true),
            ("pods/a/../a/0.log", true),
            ("pods-not/0.log", false),
            ("pods/a/evil.log", false),
            ("pods/../secret", false),
            ("to-secret", false),
            ("pods/a", false),
            ("nothing", false),
            ("/proc/self/root/etc/passwd", false),
            ("/proc/self/exe", false),
        ] {
            symlink(to, &link).unwrap();
            for root in [pods.clone(), base.join("operator")] {
                match follow(&link, &[root]) {
                    Ok((location, _)) => assert!(followed && location.path() == pods.join("a/0.log"), "{to}"),
                    Err(why) => assert!(!followed, "{to}: {why}"),
                }
            }
            assert!(follow(&link, &[]).is_err());
            std::fs::remove_file(&link).unwrap();
        }
    }
}
