//! One service's files on the disk: the live one and its rotated siblings, with what each operation does to them. Every operation
//! is written down in the ledger.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use fastrand::Rng;

use super::ledger::Ledger;
use super::lines::Start;
use super::name::{self, Packing, Suffix};

/// The oldest rotated file is deleted when there are more.
const ROTATED_MAX: usize = 6;

/// All of it.
pub struct Family {
    path: PathBuf,
    live: Option<Live>,
    /// The newest first.
    rotated: Vec<Rotated>,
    random: Rng,
    dates: u32,
}

struct Live {
    file: File,
    incarnation: usize,
    /// Goes into the file with the first line.
    start: &'static [u8],
    /// Its beginning, alike in many files, was written alone.
    began_alone: bool,
}

struct Rotated {
    suffix: Suffix,
    packing: Packing,
    incarnation: usize,
}

/// A pause in the middle of a write.
#[derive(Clone, Copy, Debug)]
pub struct Tear {
    pub pause: Duration,
}

impl Family {
    /// Nothing is there yet.
    pub fn new(path: PathBuf, random: Rng) -> Self {
        Self { path, live: None, rotated: Vec::new(), random, dates: 0 }
    }

    /// Appends lines, in one write(2) or in two; creates the file if it has to.
    pub fn append(&mut self, ledger: &mut Ledger, lines: Vec<(usize, Vec<u8>)>, tear: Option<Tear>) {
        if self.live.is_none() {
            self.create(ledger, true);
        }
        let Some(live) = &mut self.live else { return };
        let start = std::mem::take(&mut live.start);
        let position = ledger.incarnations[live.incarnation].end;
        let count = lines.len();
        let mut bytes = start.to_vec();
        for (id, line) in lines {
            let whole = [&line[..], b"\n"].concat();
            ledger.owe(live.incarnation, id, position + bytes.len() as u64, line);
            bytes.extend(whole);
        }
        // A common beginning is never alone for a moment: see `next_start`.
        match tear.filter(|_| start.is_empty()) {
            Some(tear) => {
                let (first, second) = bytes.split_at(self.random.usize(1..bytes.len()));
                live.file.write_all(first).expect("append to a log file");
                std::thread::sleep(tear.pause);
                live.file.write_all(second).expect("append to a log file");
            }
            None => live.file.write_all(&bytes).expect("append to a log file"),
        }
        ledger.wrote(live.incarnation, count, bytes.len() as u64);
    }

    /// Renames the live file; the next one is created at once, or by the next write.
    pub fn rename(&mut self, ledger: &mut Ledger, dated: bool, create: bool) {
        let Some(live) = self.live.take() else { return self.create(ledger, true) };
        let suffix = self.free_suffix(ledger, dated);
        let to = name::path(&self.path, suffix, Packing::Plain);
        fs::rename(&self.path, &to).expect("rename a log file");
        ledger.moved(live.incarnation, "renamed to", &to);
        self.keep(ledger, suffix, live.incarnation);
        if create {
            self.create(ledger, true);
        }
    }

    /// logrotate's copytruncate. The writer appends, so it goes on at the beginning.
    pub fn copy_and_truncate(&mut self, ledger: &mut Ledger, pause: Duration) {
        let Some(old) = self.live.as_ref().map(|live| live.incarnation) else { return self.create(ledger, true) };
        let suffix = self.free_suffix(ledger, false);
        let to = name::path(&self.path, suffix, Packing::Plain);
        fs::copy(&self.path, &to).expect("copy a log file");
        ledger.moved(old, "copied to", &to);
        std::thread::sleep(pause);
        self.cut(ledger, "truncated after the copy");
        self.keep(ledger, suffix, old);
    }

    /// Destroys what the live file holds.
    pub fn truncate(&mut self, ledger: &mut Ledger) {
        let Some(old) = self.live.as_ref().map(|live| live.incarnation) else { return self.create(ledger, true) };
        self.cut(ledger, "truncated");
        ledger.destroyed(old, "destroyed: truncated");
    }

    /// Deletes the live file. If the next one is created at once, it may well get the same inode.
    pub fn delete(&mut self, ledger: &mut Ledger, create: bool) {
        let Some(old) = self.live.take() else { return self.create(ledger, true) };
        fs::remove_file(&self.path).expect("delete a log file");
        ledger.destroyed(old.incarnation, "destroyed: deleted");
        let may_begin_alike = !old.began_alone;
        // Its descriptor has to be closed before the inode can be used again.
        drop(old);
        if create {
            self.create(ledger, may_begin_alike);
        }
    }

    /// Compresses any rotated file. False: there is none to compress.
    pub fn compress(&mut self, ledger: &mut Ledger, pause: Duration) -> bool {
        let plain: Vec<usize> =
            (0..self.rotated.len()).filter(|place| self.rotated[*place].packing == Packing::Plain).collect();
        let Some(place) = self.random.choice(plain) else { return false };
        let packing = if self.random.bool() { Packing::Gzip } else { Packing::Zstd };
        let rotated = &mut self.rotated[place];
        let from = name::path(&self.path, rotated.suffix, Packing::Plain);
        let to = name::path(&self.path, rotated.suffix, packing);
        let unfinished = name::with_end(&to, ".tmp");
        pack(&from, &unfinished, packing).expect("compress a log file");
        fs::rename(&unfinished, &to).expect("rename a compressed file");
        std::thread::sleep(pause);
        fs::remove_file(&from).expect("delete what was compressed");
        rotated.packing = packing;
        ledger.moved(rotated.incarnation, "compressed to", &to);
        true
    }

    fn create(&mut self, ledger: &mut Ledger, may_begin_alike: bool) {
        let incarnation = ledger.created(&self.path, "created");
        let file = OpenOptions::new().create_new(true).append(true).open(&self.path).expect("create a log file");
        let start = self.next_start(may_begin_alike);
        self.live = Some(begin(ledger, file, incarnation, start));
    }

    /// The live file's old contents make room for a new incarnation.
    fn cut(&mut self, ledger: &mut Ledger, how: &str) {
        let Some(live) = self.live.take() else { return };
        live.file.set_len(0).expect("truncate a log file");
        let incarnation = ledger.created(&self.path, how);
        let start = self.next_start(!live.began_alone);
        self.live = Some(begin(ledger, live.file, incarnation, start));
    }

    /// Whoever has read a common beginning and nothing else cannot tell two files apart that follow each other in one place: what
    /// was written to the first and destroyed between two looks is beyond anybody's knowledge. So they do not follow each other.
    fn next_start(&mut self, may_begin_alike: bool) -> Start {
        if may_begin_alike { Start::random(&mut self.random) } else { Start::NOTHING }
    }

    /// Makes room behind the live name.
    fn free_suffix(&mut self, ledger: &mut Ledger, dated: bool) -> Suffix {
        if dated {
            self.dates += 1;
            return Suffix::Date(self.dates);
        }
        // The highest number first: they stand in the list from the lowest to the highest.
        for rotated in self.rotated.iter_mut().rev() {
            if let Suffix::Number(number) = rotated.suffix {
                let from = name::path(&self.path, rotated.suffix, rotated.packing);
                rotated.suffix = Suffix::Number(number + 1);
                let to = name::path(&self.path, rotated.suffix, rotated.packing);
                fs::rename(from, &to).expect("shift a rotated file");
                ledger.moved(rotated.incarnation, "shifted to", &to);
            }
        }
        Suffix::Number(1)
    }

    fn keep(&mut self, ledger: &mut Ledger, suffix: Suffix, incarnation: usize) {
        self.rotated.insert(0, Rotated { suffix, packing: Packing::Plain, incarnation });
        while self.rotated.len() > ROTATED_MAX {
            let Some(oldest) = self.rotated.pop() else { return };
            let path = name::path(&self.path, oldest.suffix, oldest.packing);
            fs::remove_file(path).expect("delete the oldest rotated file");
            ledger.destroyed(oldest.incarnation, "destroyed: the oldest was deleted");
        }
    }
}

fn begin(ledger: &mut Ledger, mut file: File, incarnation: usize, start: Start) -> Live {
    if start.alone {
        file.write_all(start.bytes).expect("write the beginning of a log file");
        ledger.wrote(incarnation, 0, start.bytes.len() as u64);
    }
    let written_later: &'static [u8] = if start.alone { b"" } else { start.bytes };
    Live { file, incarnation, start: written_later, began_alone: start.alone }
}

fn pack(from: &Path, to: &Path, packing: Packing) -> io::Result<()> {
    let bytes = fs::read(from)?;
    let packed = match packing {
        Packing::Plain => bytes,
        Packing::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(&bytes)?;
            encoder.finish()?
        }
        Packing::Zstd => zstd::encode_all(&bytes[..], 1)?,
    };
    fs::write(to, packed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_carry_bytes_on_until_one_destroys_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.log");
        let mut family = Family::new(path.clone(), Rng::with_seed(3));
        let mut ledger = Ledger::default();
        let write = |family: &mut Family, ledger: &mut Ledger, text: &str| {
            family.append(ledger, vec![(0, text.into())], Some(Tear { pause: Duration::ZERO }));
        };
        write(&mut family, &mut ledger, "first");
        family.rename(&mut ledger, false, true);
        write(&mut family, &mut ledger, "second");
        family.copy_and_truncate(&mut ledger, Duration::ZERO);
        write(&mut family, &mut ledger, "third");
        let read = |end: &str| fs::read(name::with_end(&path, end)).unwrap();
        for (line, end) in [(0, ".2"), (1, ".1"), (2, "")] {
            let line = &ledger.lines[line];
            assert!(read(end)[line.position as usize..].starts_with(&line.bytes), "{end}");
        }
        assert!(family.compress(&mut ledger, Duration::ZERO));
        assert!(family.compress(&mut ledger, Duration::ZERO));
        assert!(!family.compress(&mut ledger, Duration::ZERO));
        assert!(ledger.incarnations.iter().all(|incarnation| incarnation.destroyed.is_none()));
        family.truncate(&mut ledger);
        family.delete(&mut ledger, true);
        for _ in 0..ROTATED_MAX {
            family.rename(&mut ledger, true, true);
        }
        let alive = ledger.incarnations.iter().filter(|incarnation| incarnation.destroyed.is_none()).count();
        assert_eq!(alive, ROTATED_MAX + 1);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), ROTATED_MAX + 1);
    }
}
