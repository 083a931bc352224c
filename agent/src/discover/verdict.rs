//! Is this path read, and which rule decides? The rules of `walk` for one path, asked one after the other and told in words.
//!
//! It looks at the path and the directories on the way to it, and changes nothing. **It says what a walk would do**: a test
//! compares the two.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rustix::fs::{AtFlags, FileType, OFlags};
use rustix::io::Errno;

use super::links::follow;
use super::rotated::{self, Contents};
use crate::config::SourceConfig;
use crate::tail::beneath::{Location, Root, parts};
use crate::tail::file::{LogFile, OpenError, Status};

/// The answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    pub reads: bool,
    /// The source that names it, by its place in the configuration.
    pub source: Option<usize>,
    /// What decided, in the order in which it was asked.
    pub rules: Vec<String>,
}

/// How the operator counts sources: from 1.
pub fn title(source: usize, config: &SourceConfig) -> String {
    format!("source {} ({})", source + 1, config.service)
}

/// Asks the rules about `path`, which is absolute.
pub fn verdict(path: &Path, sources: &[SourceConfig], state_dir: &Path) -> Verdict {
    let mut verdict = Verdict::default();
    match ask(path, sources, state_dir, &mut verdict) {
        Ok(()) => verdict.reads = true,
        Err(why) => verdict.rules.push(why),
    }
    verdict
}

fn ask(path: &Path, sources: &[SourceConfig], state_dir: &Path, verdict: &mut Verdict) -> Result<(), String> {
    let directory = path.parent().ok_or("it names no file")?;
    if directory.starts_with(state_dir) {
        return Err(format!("it lies in state_dir {}, where nothing is read", state_dir.display()));
    }
    let naming =
        sources.iter().enumerate().filter_map(|(number, source)| Some((number, source, source.named_by(path)?)));
    let (mut naming, mut left_out) = (naming.collect::<Vec<_>>().into_iter(), None);
    let (number, source, place, live) = loop {
        let Some((number, source, (place, live))) = naming.next() else {
            return Err(left_out.unwrap_or_else(|| "no include of any source names it".into()));
        };
        verdict.source = Some(number);
        let Some(exclude) = source.left_out_by(path, live.as_deref()) else { break (number, source, place, live) };
        verdict.rules.extend(left_out.take());
        left_out = Some(format!("{} names it, and its exclude {exclude:?} leaves it out", title(number, source)));
    };
    verdict.rules.extend(left_out);
    let pattern = &source.include[place];
    let rotated = live.is_some();
    verdict.rules.push(match live {
        Some(live) => format!(
            "{} names it by include {:?}, as a rotated sibling of {}",
            title(number, source),
            pattern.text(),
            Path::new(&live).display()
        ),
        None => format!("{} names it by include {:?}", title(number, source), pattern.text()),
    });
    for (other, config, _) in naming {
        verdict.rules.push(format!("{} names it, too, but the first one decides", title(other, config)));
    }
    let name = path.file_name().unwrap_or_default();
    match rotated::contents(name.as_bytes()) {
        Contents::Unfinished if rotated || !pattern.text().ends_with(".tmp") => {
            return Err("its name ends with .tmp: it is still being written".into());
        }
        Contents::Unreadable => return Err("of compressed files only .gz and .zst are read".into()),
        Contents::Lines | Contents::Compressed(_) | Contents::Unfinished => {}
    }
    let root_bytes = pattern.root().as_os_str().len();
    look(path, directory, name, root_bytes, source)
}

/// What is there now.
fn look(path: &Path, directory: &Path, name: &OsStr, root_bytes: usize, source: &SourceConfig) -> Result<(), String> {
    let (root, relative) = parts(directory, root_bytes);
    let opened = Root::open(root).and_then(|root| root.open_beneath(relative, OFlags::RDONLY | OFlags::DIRECTORY));
    let handle = opened.map_err(|error| match Errno::from_io_error(&error) {
        Some(Errno::NOENT) => format!("directory {} is not there", directory.display()),
        Some(Errno::LOOP | Errno::NOTDIR) => {
            format!("a directory on the way from {} to it is a symbolic link, and none is passed there", root.display())
        }
        _ => format!("directory {} cannot be listed: {error}", directory.display()),
    })?;
    let stat = rustix::fs::statat(&handle, name, AtFlags::SYMLINK_NOFOLLOW).map_err(|error| match error {
        Errno::NOENT => "there is no such file".to_owned(),
        error => format!("it cannot be looked at: {error}"),
    })?;
    let (location, status) = match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => (Location::new(path.to_owned(), root_bytes), Status::of(&stat)),
        FileType::Symlink => {
            let (location, stat) = follow(path, &source.symlinks)?;
            (location, Status::of(&stat))
        }
        kind => return Err(format!("it is {}, not a regular file", kind_name(kind))),
    };
    if let Some(age) = source.ignore_older {
        let modified = SystemTime::UNIX_EPOCH + Duration::from_nanos(u64::try_from(status.modified_ns).unwrap_or(0));
        if modified < SystemTime::now() - age {
            return Err(format!(
                "it was modified before ignore_older ({age:?}), and is left alone until it is modified again"
            ));
        }
    }
    match LogFile::open_at(&location) {
        Ok(_) => Ok(()),
        Err(OpenError::NotRegular) => Err("it is not a regular file".into()),
        Err(OpenError::Io(error)) => Err(format!("it cannot be opened: {error}")),
    }
}

fn kind_name(kind: FileType) -> &'static str {
    match kind {
        FileType::Directory => "a directory",
        FileType::Fifo => "a FIFO",
        FileType::Socket => "a socket",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        _ => "something else",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    use super::*;
    use crate::config::Config;
    use crate::discover::walk::{Entry, Walk};

    fn every_path(folder: &Path, paths: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            paths.push(entry.path());
            if entry.file_type().unwrap().is_dir() {
                every_path(&entry.path(), paths);
            }
        }
    }

    #[test]
    fn it_says_what_the_walk_does() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        for file in [
            "web/a.log",
            "web/a.log.1",
            "web/a.log.2.gz",
            "web/a.log.3.xz",
            "web/a.log.4.gz.tmp",
            "web/skip.log",
            "web/b.txt",
            "web/old.log",
            "api/deep/c.log",
            "state/s.log",
            "pods/p/0.log",
            "secret/s.log",
        ] {
            let path = root.join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        }
        let old = std::fs::File::options().write(true).open(root.join("web/old.log")).unwrap();
        old.set_modified(SystemTime::now() - Duration::from_secs(1000)).unwrap();
        symlink(root.join("pods/p/0.log"), root.join("web/pod.log")).unwrap();
        symlink(root.join("secret/s.log"), root.join("web/evil.log")).unwrap();
        symlink(root.join("secret"), root.join("linked")).unwrap();
        std::fs::create_dir(root.join("web/directory.log")).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            root.join("web/fifo.log"),
            FileType::Fifo,
            rustix::fs::Mode::from_raw_mode(0o600),
            0,
        )
        .unwrap();
        let text = format!(
            "state_dir = \"{root}/state\"\n[[source]]\nservice = \"web\"\ninclude = [\"{root}/web/*.log\"]\n\
             exclude = [\"**/skip.log\"]\nsymlinks = [\"{root}/pods\"]\nignore_older = \"100s\"\n\
             [[source]]\nservice = \"all\"\ninclude = [\"{root}/**/*.log\"]\nrotated = false\n",
            root = root.display()
        );
        let config = Config::parse(&text, "agent.toml").unwrap();
        let mut walked = BTreeSet::new();
        Walk::new(config.state_dir.clone()).full(&config.sources, &mut |entry| {
            if let Entry::File(found) = entry {
                walked.insert((found.path.clone(), found.source));
            }
        });
        assert!(walked.len() > 4, "{walked:?}");
        let mut paths = Vec::new();
        every_path(&root, &mut paths);
        for path in paths {
            let verdict = verdict(&path, &config.sources, &config.state_dir);
            let read = walked.iter().find(|(walked, _)| *walked == path).map(|(_, source)| *source);
            assert_eq!(
                verdict.reads.then_some(verdict.source).flatten(),
                read,
                "{} {:?}",
                path.display(),
                verdict.rules
            );
        }
        let other = verdict(&root.join("web/skip.log"), &config.sources, &config.state_dir);
        assert_eq!((other.reads, other.source), (true, Some(1)), "another source reads it: {:?}", other.rules);
        assert!(other.rules[0].contains("exclude \"**/skip.log\""), "{:?}", other.rules);
        for (path, why) in [
            ("web/skip.log.1", "exclude \"**/skip.log\""),
            ("web/fifo.log", "it is a FIFO"),
            ("web/directory.log", "it is a directory"),
            ("web/b.txt", "no include of any source names it"),
            ("web/none.log", "there is no such file"),
            ("web/evil.log", "a symbolic link out of the `symlinks`"),
            ("web/old.log", "ignore_older"),
            ("state/s.log", "state_dir"),
            ("linked/s.log", "a symbolic link"),
            ("nowhere/s.log", "is not there"),
        ] {
            let verdict = verdict(&root.join(path), &config.sources, &config.state_dir);
            assert!(verdict.rules.last().unwrap().contains(why), "{path}: {:?}", verdict.rules);
        }
    }
}
