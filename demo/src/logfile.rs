//! A log file as services write it: each record is one `write(2)` on a file opened for appending, and the file is rotated
//! by renaming when it has grown (`app.log` to `app.log.1`, that to `app.log.2`, and so on).

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Rotated files that are kept beside the current one.
pub const ROTATED_MAX: usize = 9;

pub struct LogFile {
    path: PathBuf,
    rotate_bytes: u64,
    current: Mutex<Current>,
}

struct Current {
    file: File,
    bytes: u64,
}

impl LogFile {
    /// Creates the file and its folder where they are not there yet.
    pub fn open(path: &Path, rotate_bytes: u64) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        Ok(Self { path: path.to_owned(), rotate_bytes, current: Mutex::new(Current::open(path)?) })
    }

    /// Appends one record and its line feed. A record may hold line feeds itself.
    pub fn append(&self, record: &str) {
        let line = format!("{record}\n");
        if let Err(error) = self.write(&line) {
            // A shop that cannot log is of no use here; the orchestrator shows this line and stops the demo.
            eprintln!("write log {}: {error}", self.path.display());
            std::process::exit(clew_service::exit::FAILURE.into());
        }
    }

    fn write(&self, line: &str) -> io::Result<()> {
        let mut current = self.current.lock().expect("no thread panics while it writes");
        let bytes = line.len() as u64;
        if current.bytes > 0 && current.bytes + bytes > self.rotate_bytes {
            self.rotate()?;
            *current = Current::open(&self.path)?;
        }
        let written = current.file.write(line.as_bytes())?;
        if written < line.len() {
            return Err(io::Error::other(format!("only {written} of {} bytes were taken", line.len())));
        }
        current.bytes += bytes;
        Ok(())
    }

    fn rotate(&self) -> io::Result<()> {
        for number in (1..ROTATED_MAX).rev() {
            let from = rotated(&self.path, number);
            if from.exists() {
                std::fs::rename(from, rotated(&self.path, number + 1))?;
            }
        }
        std::fs::rename(&self.path, rotated(&self.path, 1))
    }
}

impl Current {
    fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let bytes = file.metadata()?.len();
        Ok(Self { file, bytes })
    }
}

/// `app.log.3`.
fn rotated(path: &Path, number: usize) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

/// The whole log from its oldest byte, over all its files, and whether its beginning is still there.
pub fn read_all(path: &Path) -> io::Result<(Vec<u8>, bool)> {
    let mut all = Vec::new();
    for number in (1..=ROTATED_MAX).rev() {
        let file = rotated(path, number);
        if file.exists() {
            all.extend(std::fs::read(file)?);
        }
    }
    all.extend(std::fs::read(path)?);
    Ok((all, !rotated(path, ROTATED_MAX).exists()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotation_loses_nothing_while_its_files_last() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("shop/app.log");
        let log = LogFile::open(&path, 30).expect("it opens");
        let records: Vec<String> = (0..12).map(|number| format!("record {number:03}\n\tat x")).collect();
        records.iter().for_each(|record| log.append(record));
        // One record a file here: the current file and the rotated ones.
        let files = std::fs::read_dir(path.parent().expect("a folder")).expect("it lists").count();
        assert_eq!(files, 1 + ROTATED_MAX);
        let (all, is_whole) = read_all(&path).expect("it reads");
        assert!(!is_whole, "the two oldest are gone");
        let kept = String::from_utf8(all).expect("UTF-8");
        assert!(kept.ends_with("record 011\n\tat x\n") && kept.starts_with("record 002"), "{kept}");
    }

    #[test]
    fn a_file_that_is_there_is_gone_on_with() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("app.log");
        for record in ["one", "two"] {
            LogFile::open(&path, 1000).expect("it opens").append(record);
        }
        assert_eq!(read_all(&path).expect("it reads"), (b"one\ntwo\n".to_vec(), true));
    }
}
