//! All sources, and how they are found: by id, by file, by path, by the alias of this session.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use super::family::Family;
use super::source::{Id, Source};
use crate::report::Account;
use crate::tail::beneath::Location;
use crate::tail::file::{FileKey, LogFile};

/// The alias of a source that has none in this session.
const NO_ALIAS: u32 = 0;

/// So many sources that were let go are kept in the books.
const GONE_MAX: usize = 4096;

/// The last that was known of a source that was let go.
#[derive(Debug)]
pub struct Gone {
    pub source_id: [u8; 16],
    pub service: Arc<str>,
    pub path: PathBuf,
    /// The aggregator was told of it.
    pub announced: bool,
    pub account: Account,
    pub acked: u64,
}

#[derive(Debug, Default)]
pub struct Table {
    sources: HashMap<Id, Box<Source>>,
    by_key: HashMap<FileKey, Id>,
    /// Those that files lay on.
    devices: BTreeSet<u64>,
    by_path: HashMap<PathBuf, Id>,
    by_alias: HashMap<u32, Id>,
    by_family: HashMap<Family, Vec<Id>>,
    /// What was let go lately, the newest last.
    gone: VecDeque<Gone>,
    last_id: Id,
    last_alias: u32,
}

impl Table {
    /// Adds a source; from now on its file and path lead to it, if it has a file.
    pub fn insert(&mut self, source: Source) -> Id {
        self.last_id += 1;
        if source.file.is_some() {
            self.by_key.insert(source.key, self.last_id);
            self.devices.insert(source.key.device);
            self.by_path.insert(source.path.clone(), self.last_id);
        }
        self.sources.insert(self.last_id, Box::new(source));
        self.join_family(self.last_id);
        self.last_id
    }

    /// Sources of files with the same inode on other devices.
    pub fn of_inode_elsewhere(&self, key: FileKey) -> impl Iterator<Item = (Id, &Source)> {
        let others = self.devices.iter().filter(move |device| **device != key.device);
        let ids = others.filter_map(move |device| self.by_key.get(&FileKey { device: *device, ..key }));
        ids.filter_map(|id| self.get(*id).map(|source| (*id, source)))
    }

    /// A source's file has another key: its file system is mounted anew.
    pub fn mounted_anew(&mut self, id: Id, file: LogFile) {
        let Some(source) = self.sources.get_mut(&id) else { return };
        self.by_key.remove(&source.key);
        source.key = file.key();
        self.by_key.insert(source.key, id);
        self.devices.insert(source.key.device);
        (source.file, source.unlinked) = (Some(file), false);
    }

    /// Takes a source out.
    pub fn remove(&mut self, id: Id) -> Option<Box<Source>> {
        self.forget_file(id);
        self.leave_family(id);
        let source = self.sources.remove(&id)?;
        self.by_alias.remove(&source.alias);
        self.book(&source);
        Some(source)
    }

    /// Takes a source out, if it is such a one.
    pub fn remove_if(&mut self, id: Id, is_such: impl Fn(&Source) -> bool) -> Option<Box<Source>> {
        if self.get(id).is_some_and(is_such) { self.remove(id) } else { None }
    }

    /// The source with this id goes on under another source id.
    pub fn end_account(&mut self, id: Id) {
        if let Some(source) = self.sources.remove(&id) {
            self.book(&source);
            self.sources.insert(id, source);
        }
    }

    /// Keeps the account of a source that ends here.
    fn book(&mut self, source: &Source) {
        if source.account.end() == 0 {
            return;
        }
        if self.gone.len() == GONE_MAX {
            self.gone.pop_front();
        }
        self.gone.push_back(Gone {
            source_id: source.source_id,
            service: source.service.clone(),
            path: source.path.clone(),
            announced: !source.fresh,
            account: source.account,
            acked: source.acked.position,
        });
    }

    pub fn get(&self, id: Id) -> Option<&Source> {
        self.sources.get(&id).map(Box::as_ref)
    }

    pub fn get_mut(&mut self, id: Id) -> Option<&mut Source> {
        self.sources.get_mut(&id).map(Box::as_mut)
    }

    /// The incarnation that is in the file now.
    pub fn of_key(&self, key: FileKey) -> Option<Id> {
        self.by_key.get(&key).copied()
    }

    pub fn of_path(&self, path: &Path) -> Option<Id> {
        self.by_path.get(path).copied()
    }

    pub fn of_alias(&self, alias: u32) -> Option<Id> {
        self.by_alias.get(&alias).copied()
    }

    /// The file has another path now.
    pub fn rename(&mut self, id: Id, path: PathBuf, location: Location) {
        let Some(source) = self.sources.get_mut(&id) else { return };
        source.location = location;
        if self.by_path.get(&source.path) == Some(&id) {
            self.by_path.remove(&source.path);
        }
        self.by_path.insert(path.clone(), id);
        source.path = path;
        self.leave_family(id);
        self.join_family(id);
    }

    /// The sources whose files are or were called like those of `family`.
    pub fn relatives(&self, family: Family) -> impl Iterator<Item = (Id, &Source)> {
        let ids = self.by_family.get(&family).into_iter().flatten();
        ids.filter_map(|id| Some((*id, self.get(*id)?)))
    }

    fn join_family(&mut self, id: Id) {
        let Some(source) = self.sources.get_mut(&id) else { return };
        source.family = Family::of(&source.path);
        if let Some(family) = source.family {
            self.by_family.entry(family).or_default().push(id);
        }
    }

    fn leave_family(&mut self, id: Id) {
        let family = self.sources.get_mut(&id).and_then(|source| source.family.take());
        let Some(family) = family else { return };
        if let Some(ids) = self.by_family.get_mut(&family) {
            ids.retain(|other| *other != id);
            if ids.is_empty() {
                self.by_family.remove(&family);
            }
        }
    }

    /// The file and its path lead to the source no more.
    pub fn forget_file(&mut self, id: Id) {
        let Some(source) = self.sources.get(&id) else { return };
        if self.by_key.get(&source.key) == Some(&id) {
            self.by_key.remove(&source.key);
        }
        if self.by_path.get(&source.path) == Some(&id) {
            self.by_path.remove(&source.path);
        }
    }

    /// Gives a source an alias that was not used before; its old one leads nowhere from now on.
    pub fn alias(&mut self, id: Id) -> u32 {
        self.last_alias = self.last_alias.wrapping_add(1).max(1);
        if let Some(source) = self.sources.get_mut(&id) {
            self.by_alias.remove(&source.alias);
            source.alias = self.last_alias;
            self.by_alias.insert(self.last_alias, id);
        }
        self.last_alias
    }

    /// A new session knows no alias. The numbers go on, so that what still comes from the old session finds nobody.
    pub fn forget_aliases(&mut self) {
        self.by_alias.clear();
        for source in self.sources.values_mut() {
            source.alias = NO_ALIAS;
        }
    }

    /// The source that goes by this id.
    pub fn of_source_id(&self, source_id: &[u8; 16]) -> Option<Id> {
        self.sources.iter().find(|(_, source)| source.source_id == *source_id).map(|(id, _)| *id)
    }

    pub fn iter(&self) -> impl Iterator<Item = (Id, &Source)> {
        self.sources.iter().map(|(id, source)| (*id, source.as_ref()))
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = (Id, &mut Source)> {
        self.sources.iter_mut().map(|(id, source)| (*id, source.as_mut()))
    }

    /// What was let go lately, the newest first; some of it came back since.
    pub fn gone(&self) -> impl Iterator<Item = &Gone> {
        self.gone.iter().rev()
    }

    pub fn count(&self) -> usize {
        self.sources.len()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::tail::file::LogFile;

    fn source(dir: &Path, name: &str) -> Source {
        let path = dir.join(name);
        std::fs::write(&path, name).unwrap();
        let (file, status) = LogFile::open(&path).unwrap();
        Source::new(Location::new(path, 0), Arc::from("s"), file, status, Instant::now())
    }

    #[test]
    fn an_alias_of_an_old_session_takes_nothing_from_the_new_one() {
        let dir = tempfile::tempdir().unwrap();
        let mut table = Table::default();
        let first = table.insert(source(dir.path(), "a"));
        let second = table.insert(source(dir.path(), "b"));
        let old = [table.alias(first), table.alias(second)];
        table.forget_aliases();
        // Announced in the other order, as after a reconnect.
        let new_second = table.alias(second);
        let new_first = table.alias(first);
        assert_eq!((table.of_alias(new_first), table.of_alias(new_second)), (Some(first), Some(second)));
        assert!(old.iter().all(|alias| table.of_alias(*alias).is_none()));
        table.remove(first);
        assert_eq!(table.of_alias(new_second), Some(second));
    }
}
