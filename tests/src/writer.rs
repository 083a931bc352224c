//! Threads that write lines to log files, at a steady pace, until they are stopped.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::line::{self, FORMATS};
use crate::logfile::LogFile;

/// A line that was written: a debt until the oracle finds it.
#[derive(Clone, Debug)]
pub struct Written {
    /// Index into the list of IDs.
    pub id: usize,
    pub writer: u32,
    pub number: u64,
    pub line: Vec<u8>,
    /// The file that it was written to, under the name that it had then.
    pub path: PathBuf,
    /// How often that file had been rotated.
    pub generation: u32,
    pub position: u64,
}

/// What the writers do.
#[derive(Clone, Debug)]
pub struct Pace {
    /// Lines a second of each writer.
    pub lines_per_s: u32,
    /// Lines that a file gets between two rotations, on average. 0: it is never rotated.
    pub lines_per_rotation: u32,
}

/// Running writers.
pub struct Writers {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Vec<Written>>>,
}

impl Writers {
    /// Starts `count` writers with two files each in `folder`.
    pub fn start(random: &mut Rng, folder: &Path, ids: &[String], count: u32, pace: &Pace) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let threads = (0..count)
            .map(|writer| {
                let mut one = Writer::new(random.fork(), folder, writer, pace);
                let (stop, ids, pace) = (stop.clone(), ids.to_vec(), pace.clone());
                std::thread::spawn(move || {
                    one.write_until(&stop, &ids, &pace);
                    one.written
                })
            })
            .collect();
        Self { stop, threads }
    }

    /// Stops them and returns all that they wrote.
    pub fn stop(self) -> Vec<Written> {
        self.stop.store(true, Ordering::Relaxed);
        self.threads.into_iter().flat_map(|thread| thread.join().expect("a writer panicked")).collect()
    }
}

/// One writer, for tests that write step by step.
pub struct Writer {
    random: Rng,
    number: u64,
    writer: u32,
    files: Vec<LogFile>,
    rotation_probability: f64,
    pub written: Vec<Written>,
}

impl Writer {
    /// With two files, created now.
    pub fn new(random: Rng, folder: &Path, writer: u32, pace: &Pace) -> Self {
        let files = (0..2).map(|file| LogFile::open(&folder.join(format!("service-{writer}-{file}.log")))).collect();
        let rotation_probability =
            if pace.lines_per_rotation == 0 { 0.0 } else { 1.0 / f64::from(pace.lines_per_rotation) };
        Self { random, number: 0, writer, files, rotation_probability, written: Vec::new() }
    }

    /// Writes `count` lines at once.
    pub fn write(&mut self, count: usize, ids: &[String]) {
        for _ in 0..count {
            self.write_one(ids);
        }
    }

    /// Rotates all of its files.
    pub fn rotate(&mut self) {
        for file in &mut self.files {
            file.rotate();
        }
    }

    /// Deletes all of its files, and goes on to write to what is left of them.
    pub fn delete(&mut self) {
        for file in &mut self.files {
            std::fs::remove_file(file.path()).expect("delete a log file");
        }
    }

    fn write_until(&mut self, stop: &AtomicBool, ids: &[String], pace: &Pace) {
        let begin = Instant::now();
        while !stop.load(Ordering::Relaxed) {
            self.write_one(ids);
            // Services write in bursts: the pace is kept on average, not from line to line.
            let due = Duration::from_secs(1) * self.number as u32 / pace.lines_per_s;
            if let Some(ahead) = due.checked_sub(begin.elapsed()).filter(|ahead| ahead.as_millis() >= 20) {
                std::thread::sleep(ahead);
            }
        }
    }

    fn write_one(&mut self, ids: &[String]) {
        let random = &mut self.random;
        let which = random.usize(..self.files.len());
        let file = &mut self.files[which];
        if random.f64() < self.rotation_probability {
            file.rotate();
        }
        // A file has a format of its own, and now and then a stranger's line.
        let format = if random.u8(..10) == 0 { random.usize(..3) } else { (self.writer as usize + which) % 3 };
        let id = random.usize(..ids.len());
        let line = line::line(random, FORMATS[format], &ids[id], self.writer, self.number);
        let position = if random.u8(..20) == 0 {
            file.append_torn(&line, random.usize(1..=line.len()), Duration::from_millis(random.u64(..15)))
        } else {
            file.append(&line)
        };
        self.written.push(Written {
            id,
            writer: self.writer,
            number: self.number,
            line,
            path: file.path().to_owned(),
            generation: file.generation,
            position,
        });
        self.number += 1;
    }
}
