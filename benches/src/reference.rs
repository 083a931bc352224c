//! zstd on the corpus' own bytes, in this process: how fast this machine is today, and how well the data compresses.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use anyhow::Context;
use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;

/// So much is taken from the begins of the files.
const SAMPLE_BYTES: usize = 256 << 20;
/// What one call compresses.
const CHUNK_BYTES: usize = 1 << 20;

#[derive(Clone, Copy, Debug, Serialize)]
pub struct Reference {
    /// CPU-seconds per GB of raw log.
    pub zstd1_cpu_s_per_gb: f64,
    pub unzstd_cpu_s_per_gb: f64,
    /// Raw ÷ compressed with level 3 on 1 MiB of one file's lines.
    pub zstd3_ratio: f64,
}

/// Measures it.
pub fn measure(files: &[PathBuf]) -> anyhow::Result<Reference> {
    let chunks = sample(files)?;
    let raw_bytes: usize = chunks.iter().map(Vec::len).sum();
    let per_gb = |cpu_s: f64| cpu_s / (raw_bytes as f64 / 1e9);

    let mut compressor = zstd::bulk::Compressor::new(1)?;
    let begin = cpu_s();
    let compressed = chunks.iter().map(|chunk| compressor.compress(chunk)).collect::<Result<Vec<_>, _>>()?;
    let zstd1 = cpu_s() - begin;

    let mut decompressor = zstd::bulk::Decompressor::new()?;
    let mut buffer = vec![0; CHUNK_BYTES];
    let begin = cpu_s();
    for frame in &compressed {
        decompressor.decompress_to_buffer(frame, &mut buffer)?;
    }
    let unzstd = cpu_s() - begin;

    let mut compressor = zstd::bulk::Compressor::new(3)?;
    let mut small = 0;
    for chunk in &chunks {
        small += compressor.compress(chunk)?.len();
    }
    Ok(Reference {
        zstd1_cpu_s_per_gb: per_gb(zstd1),
        unzstd_cpu_s_per_gb: per_gb(unzstd),
        zstd3_ratio: raw_bytes as f64 / small as f64,
    })
}

/// The first chunks of every file.
fn sample(files: &[PathBuf]) -> anyhow::Result<Vec<Vec<u8>>> {
    let mut chunks = Vec::new();
    for path in files {
        let mut file = File::open(path).with_context(|| format!("open {}", path.display()))?;
        for _ in 0..(SAMPLE_BYTES / files.len() / CHUNK_BYTES).max(1) {
            let mut chunk = Vec::with_capacity(CHUNK_BYTES);
            (&mut file).take(CHUNK_BYTES as u64).read_to_end(&mut chunk)?;
            if !chunk.is_empty() {
                chunks.push(chunk);
            }
        }
    }
    Ok(chunks)
}

fn cpu_s() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
