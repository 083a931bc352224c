//! A log file as a service with logrotate's rename-and-create writes it: `app.log` becomes `app.log.1`, that becomes
//! `app.log.2`, and so on; everything is kept.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The file that is written now.
pub struct LogFile {
    path: PathBuf,
    file: File,
    position: u64,
    /// How often it was rotated.
    pub generation: u32,
}

impl LogFile {
    /// Creates or continues it.
    pub fn open(path: &Path) -> Self {
        let file = open(path);
        let position = file.metadata().expect("stat a log file").len();
        Self { path: path.to_owned(), file, position, generation: 0 }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends a line with its line feed, in one write(2), and returns its position.
    pub fn append(&mut self, line: &[u8]) -> u64 {
        let whole = [line, b"\n"].concat();
        self.write(&whole)
    }

    /// Appends a line with its line feed in two write(2) calls with a pause between them, and returns its position.
    pub fn append_torn(&mut self, line: &[u8], at: usize, pause: Duration) -> u64 {
        let whole = [line, b"\n"].concat();
        let position = self.write(&whole[..at]);
        std::thread::sleep(pause);
        self.write(&whole[at..]);
        position
    }

    /// Appends bytes as they are, and returns their position.
    pub fn write(&mut self, bytes: &[u8]) -> u64 {
        self.file.write_all(bytes).expect("append to a log file");
        let position = self.position;
        self.position += bytes.len() as u64;
        position
    }

    /// Renames every generation by one and starts a new file.
    pub fn rotate(&mut self) {
        self.generation += 1;
        for number in (1..self.generation).rev() {
            std::fs::rename(self.numbered(number), self.numbered(number + 1)).expect("shift a rotated file");
        }
        std::fs::rename(&self.path, self.numbered(1)).expect("rotate a file");
        self.file = open(&self.path);
        self.position = 0;
    }

    fn numbered(&self, number: u32) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        name.into()
    }
}

fn open(path: &Path) -> File {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .unwrap_or_else(|error| panic!("open {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotation_shifts_and_keeps_everything() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = LogFile::open(&folder.path().join("app.log"));
        for number in 0..4 {
            assert_eq!(file.append(format!("line {number}").as_bytes()), 0);
            assert_eq!(file.append_torn(b"ab", 1, Duration::ZERO), 7);
            file.rotate();
        }
        for (name, text) in [(".4", "line 0\nab\n"), (".1", "line 3\nab\n"), ("", "")] {
            assert_eq!(std::fs::read_to_string(format!("{}{name}", file.path().display())).unwrap(), text);
        }
    }
}
