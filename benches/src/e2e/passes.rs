//! The corpus again and again, as new files of the same services: in every pass its lines belong to other transactions and to the next day.
//! Only two passes are on disk at a time: one that is being shipped, and the next one under names that no agent looks for.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::corpus::{Corpus, HOSTS, again, host_name};
use crate::programs::Source;

/// What a file is called until its pass begins.
const HIDDEN_EXTENSION: &str = "hidden";
const LOG_EXTENSION: &str = "log";

/// The files of one pass, still hidden.
pub struct Pass {
    files: Vec<PathBuf>,
    pub records: u64,
    pub bytes: u64,
}

impl Pass {
    /// Writes the first `records_max` records of the corpus once more, below `folder`.
    pub fn write(folder: &Path, corpus: &Corpus, number: u32, records_max: u64) -> anyhow::Result<Self> {
        let mut pass = Self { files: Vec::new(), records: 0, bytes: 0 };
        let date = again::date(number);
        for from in corpus.files()? {
            let to = folder
                .join(from.parent().and_then(Path::file_name).context("a file of the corpus has a host")?)
                .join(from.file_stem().context("a file of the corpus has a name")?)
                .with_extension(format!("{number}.{HIDDEN_EXTENSION}"));
            pass.copy(&from, &to, number, &date, records_max).with_context(|| format!("write {}", to.display()))?;
            pass.files.push(to);
        }
        Ok(pass)
    }

    fn copy(&mut self, from: &Path, to: &Path, number: u32, date: &str, records_max: u64) -> anyhow::Result<()> {
        let mut input = BufReader::with_capacity(1 << 20, File::open(from)?);
        let mut out = BufWriter::with_capacity(1 << 20, File::create(to)?);
        let mut line = Vec::new();
        while self.records < records_max {
            line.clear();
            if input.read_until(b'\n', &mut line)? == 0 {
                break;
            }
            again::renumber(&mut line, number);
            again::move_to(&mut line, date);
            out.write_all(&line)?;
            self.records += 1;
            self.bytes += line.len() as u64;
        }
        Ok(out.flush()?)
    }

    /// Gives the files the names that agents look for.
    pub fn begin(&mut self) -> anyhow::Result<()> {
        for path in &mut self.files {
            let shown = path.with_extension(LOG_EXTENSION);
            std::fs::rename(&*path, &shown).with_context(|| format!("rename {}", path.display()))?;
            *path = shown;
        }
        Ok(())
    }

    /// Deletes the files.
    pub fn delete(self) -> anyhow::Result<()> {
        self.files
            .iter()
            .try_for_each(|path| std::fs::remove_file(path).with_context(|| format!("delete {}", path.display())))
    }
}

/// One source per host that `is_wanted`, whose folders are made.
pub fn sources(folder: &Path, is_wanted: impl Fn(usize) -> bool) -> anyhow::Result<Vec<Source>> {
    let wanted = (0..HOSTS).filter(|host| is_wanted(*host));
    let source = |host| {
        let host = folder.join(host_name(host));
        std::fs::create_dir_all(&host).with_context(|| format!("make {}", host.display()))?;
        Ok(Source { service: "{name}".into(), include: host.join(format!("{{name}}.*.{LOG_EXTENSION}")) })
    };
    wanted.map(source).collect()
}
