//! The directories and files that the patterns name at this moment.
//!
//! A walk first finds the directories whose entries can match, then lists those. One of them can be listed again alone,
//! when a hint says that it changed. A directory that cannot be read is skipped: an incomplete walk proves no absence.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags};

use super::glob::{Captures, Segment, fill};
use super::rotated;
use crate::config::SourceConfig;
use crate::tail::file::Status;

/// `**` goes no deeper.
const DEPTH_MAX: usize = 32;
/// A directory that changed so shortly before it was listed may have changed again within the same tick of the clock.
const CLOCK_TICK_NS: i128 = 20_000_000;

/// A file that a pattern names.
#[derive(Debug)]
pub struct Found<'a> {
    pub path: PathBuf,
    pub status: Status,
    /// A rotated sibling of a file that a pattern names.
    pub rotated: bool,
    /// Index into the config's sources.
    pub source: usize,
    template: &'a str,
    captures: Captures,
}

impl Found<'_> {
    /// The service that its records belong to.
    pub fn service(&self) -> String {
        fill(self.template, &self.captures)
    }
}

/// What is found.
pub enum Entry<'a> {
    File(Found<'a>),
    /// A pattern names it, but it cannot be tailed.
    Refused(PathBuf, &'static str),
}

/// A directory whose entries can match, and the last segments of the patterns that lead there.
#[derive(Debug, Default)]
struct Listing {
    /// Source, pattern, and what the directories before captured.
    leads: Vec<(usize, usize, Captures)>,
    /// The directory's own time when it was listed last; none: list it again.
    modified_ns: Option<i128>,
}

/// The walk over all patterns, with what it remembers of the last one.
#[derive(Debug, Default)]
pub struct Walk {
    listings: BTreeMap<PathBuf, Listing>,
    /// Directories that were searched for directories, with their time then.
    searched: HashMap<PathBuf, Option<i128>>,
    state_dir: PathBuf,
}

impl Walk {
    /// Never goes into `state_dir`.
    pub fn new(state_dir: PathBuf) -> Self {
        Self { state_dir, ..Self::default() }
    }

    /// Finds the directories anew and lists them all.
    pub fn full<'a>(&mut self, sources: &'a [SourceConfig], emit: &mut impl FnMut(Entry<'a>)) {
        self.listings.clear();
        self.searched.clear();
        for (source, config) in sources.iter().enumerate() {
            for (pattern, compiled) in config.include.iter().enumerate() {
                self.descend(PathBuf::from("/"), compiled.segments(), (source, pattern), Captures::new(), 0);
            }
        }
        let directories: Vec<PathBuf> = self.listings.keys().cloned().collect();
        for directory in directories {
            self.list(&directory, sources, emit);
        }
    }

    /// Lists one directory again.
    pub fn list<'a>(&mut self, directory: &Path, sources: &'a [SourceConfig], emit: &mut impl FnMut(Entry<'a>)) {
        let Some(listing) = self.listings.get_mut(directory) else { return };
        let Ok(handle) = rustix::fs::open(
            directory,
            OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NONBLOCK,
            Mode::empty(),
        ) else {
            return;
        };
        listing.modified_ns = rustix::fs::fstat(&handle).ok().and_then(|stat| settled(Status::of(&stat).modified_ns));
        let Ok(entries) = Dir::read_from(&handle) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name().to_bytes();
            if matches!(entry.file_type(), FileType::Directory)
                || name.starts_with(b".") && matches!(name, b"." | b"..")
            {
                continue;
            }
            let Some((source, captures, rotated)) = lead(&listing.leads, sources, name) else { continue };
            let path = directory.join(OsStr::from_bytes(name));
            let config = &sources[source];
            if config.exclude.matches(&path) {
                continue;
            }
            let Ok(stat) = rustix::fs::statat(&handle, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW) else { continue };
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => {}
                FileType::RegularFile if rotated::is_unreadable(name) => {
                    emit(Entry::Refused(path, "compressed and temporary files are not read yet"));
                }
                FileType::RegularFile => {
                    let status = Status::of(&stat);
                    emit(Entry::File(Found { path, status, rotated, source, template: &config.service, captures }));
                }
                FileType::Symlink => emit(Entry::Refused(path, "symbolic links are not followed")),
                _ => emit(Entry::Refused(path, "not a regular file")),
            }
        }
    }

    /// The directories whose entries changed since they were listed: one stat each.
    pub fn changed(&self) -> Vec<PathBuf> {
        let changed = self.listings.iter().filter(|(path, listing)| is_changed(path, listing.modified_ns));
        changed.map(|(path, _)| path.clone()).collect()
    }

    /// Whether there may be new directories: one stat for each that was searched for them.
    pub fn is_outgrown(&self) -> bool {
        self.searched.iter().any(|(path, modified_ns)| is_changed(path, *modified_ns))
    }

    /// Every directory that a hint may come from.
    pub fn directories(&self) -> impl Iterator<Item = &Path> {
        let only_searched = self.searched.keys().filter(|path| !self.listings.contains_key(*path));
        self.listings.keys().chain(only_searched).map(PathBuf::as_path)
    }

    /// Whether new directories in this one may have to be walked.
    pub fn is_searched(&self, directory: &Path) -> bool {
        self.searched.contains_key(directory)
    }

    fn descend(
        &mut self,
        directory: PathBuf,
        segments: &[Segment],
        lead: (usize, usize),
        captures: Captures,
        depth: usize,
    ) {
        if directory == self.state_dir || depth > DEPTH_MAX {
            return;
        }
        let Some((segment, rest)) = segments.split_first() else { return };
        if rest.is_empty() {
            self.listings.entry(directory).or_default().leads.push((lead.0, lead.1, captures));
            return;
        }
        match segment {
            Segment::Literal(name) => self.descend(directory.join(name), rest, lead, captures, depth),
            Segment::AnyDirectories => {
                self.descend(directory.clone(), rest, lead, captures.clone(), depth);
                for name in self.subdirectories(&directory) {
                    self.descend(directory.join(&name), segments, lead, captures.clone(), depth + 1);
                }
            }
            _ => {
                for name in self.subdirectories(&directory) {
                    let mut captures = captures.clone();
                    if segment.matches(name.as_bytes(), &mut captures) {
                        self.descend(directory.join(&name), rest, lead, captures, depth + 1);
                    }
                }
            }
        }
    }

    fn subdirectories(&mut self, directory: &Path) -> Vec<std::ffi::OsString> {
        self.searched.insert(directory.to_owned(), modified_ns(directory).and_then(settled));
        let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
        entries
            .flatten()
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
            .map(|entry| entry.file_name())
            .collect()
    }
}

fn is_changed(path: &Path, known_ns: Option<i128>) -> bool {
    modified_ns(path).is_some_and(|modified| known_ns != Some(modified))
}

fn modified_ns(path: &Path) -> Option<i128> {
    rustix::fs::statat(CWD, path, AtFlags::empty()).ok().map(|stat| Status::of(&stat).modified_ns)
}

/// A time that the next change will differ from.
fn settled(modified_ns: i128) -> Option<i128> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_nanos() as i128);
    (modified_ns + CLOCK_TICK_NS < now).then_some(modified_ns)
}

/// The first source that `name` belongs to, by itself or as a rotated sibling.
fn lead(leads: &[(usize, usize, Captures)], sources: &[SourceConfig], name: &[u8]) -> Option<(usize, Captures, bool)> {
    leads.iter().find_map(|(source, pattern, captures)| {
        let last = sources[*source].include[*pattern].segments().last()?;
        let mut captures = captures.clone();
        if sources[*source].rotated && rotated::live_names(name).any(|live| last.matches(live, &mut captures)) {
            return Some((*source, captures, true));
        }
        last.matches(name, &mut captures).then_some((*source, captures, false))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discover::glob::{Exclude, Pattern};

    fn source(service: &str, include: &str, exclude: &[String]) -> SourceConfig {
        SourceConfig {
            service: service.into(),
            include: vec![Pattern::new(include).unwrap()],
            exclude: Exclude::new(exclude).unwrap(),
            rotated: true,
        }
    }

    fn found(folder: &Path, sources: &[SourceConfig]) -> Vec<String> {
        let mut walk = Walk::new(folder.join("state"));
        let mut found = Vec::new();
        walk.full(sources, &mut |entry| {
            found.push(match entry {
                Entry::File(file) => {
                    let path = file.path.strip_prefix(folder).unwrap().display().to_string();
                    format!("{path} {}{}", file.service(), if file.rotated { " rotated" } else { "" })
                }
                Entry::Refused(path, why) => format!("{} {why}", path.strip_prefix(folder).unwrap().display()),
            });
        });
        found.sort();
        found
    }

    #[test]
    fn globs_captures_excludes_and_siblings() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for path in [
            "web/a.log",
            "web/a.log.1",
            "web/b.txt",
            "api/deep/er/c.log",
            "api/x.log.gz",
            "api/y.log-20261123",
            "state/s.log",
            "no.log",
        ] {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        }
        std::os::unix::fs::symlink(root.join("web/a.log"), root.join("web/link.log")).unwrap();
        let root_text = root.to_str().unwrap();
        let sources = [source("{name}", &format!("{root_text}/{{name}}/*.log"), &[])];
        assert_eq!(
            found(root, &sources),
            [
                "api/y.log-20261123 api rotated",
                "web/a.log web",
                "web/a.log.1 web rotated",
                "web/link.log symbolic links are not followed"
            ]
        );
        let sources = [source("all", &format!("{root_text}/**/*.log"), &[format!("{root_text}/web/**")])];
        assert_eq!(found(root, &sources), ["api/deep/er/c.log all", "api/y.log-20261123 all rotated", "no.log all"]);
        let sources = [source("one", &format!("{root_text}/web/a.log"), &[])];
        assert_eq!(found(root, &sources), ["web/a.log one", "web/a.log.1 one rotated"]);
    }
}
