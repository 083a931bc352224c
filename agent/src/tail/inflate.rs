//! The decompressed bytes of a gzip or zstd file, by position.
//!
//! A decoder only goes forward. The last bytes stay in a window, so that what is read a second time (a guard, a record that was
//! held back) is there; anything before the window begins anew at the file's first byte. **Memory is bounded**: the window,
//! and what the decoder needs, whatever the file claims.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::fd::OwnedFd;

use flate2::read::MultiGzDecoder;

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compression {
    Gzip,
    Zstd,
}

impl Compression {
    /// What the file's name says.
    pub fn of_name(name: &[u8]) -> Option<Self> {
        if name.ends_with(b".gz") {
            Some(Self::Gzip)
        } else if name.ends_with(b".zst") {
            Some(Self::Zstd)
        } else {
            None
        }
    }
}

/// The window is cut when it is twice as long: a batch of the largest size can be read again, with its guard before it.
const WINDOW_BYTES: usize = 1 << 20;
const STEP_BYTES: usize = 64 << 10;
/// A zstd frame may ask for a window of its own, up to 2^27 bytes as its command line allows; no more is given.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;

/// A decoder with its window.
pub struct Inflate {
    file: OwnedFd,
    compression: Compression,
    decoder: Option<Box<dyn Read + Send>>,
    window: Vec<u8>,
    /// Position of the window's first byte.
    window_begin: u64,
}

impl std::fmt::Debug for Inflate {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Inflate({:?} at {})", self.compression, self.end())
    }
}

impl Inflate {
    /// Of an open file; nothing is read yet.
    pub fn new(file: OwnedFd, compression: Compression) -> Self {
        Self { file, compression, decoder: None, window: Vec::new(), window_begin: 0 }
    }

    /// Another handle of the file, to be decoded on its own.
    pub fn reopen(&self) -> io::Result<Self> {
        Ok(Self::new(self.file.try_clone()?, self.compression))
    }

    fn end(&self) -> u64 {
        self.window_begin + self.window.len() as u64
    }

    /// Fills `buffer` from `position` on; fewer bytes only at the end.
    pub fn read_at(&mut self, position: u64, buffer: &mut [u8]) -> io::Result<usize> {
        if position < self.window_begin {
            self.restart();
        }
        let mut read = 0;
        while read < buffer.len() {
            let at = position + read as u64;
            if at < self.end() {
                let from = (at - self.window_begin) as usize;
                let length = (buffer.len() - read).min(self.window.len() - from);
                buffer[read..read + length].copy_from_slice(&self.window[from..from + length]);
                read += length;
            } else if self.step()? == 0 {
                break;
            }
        }
        Ok(read)
    }

    /// What was decoded last, a window at most.
    pub fn window(&self) -> &[u8] {
        &self.window
    }

    /// Gives the window back; the next read begins anew.
    pub fn restart(&mut self) {
        self.decoder = None;
        self.window = Vec::new();
        self.window_begin = 0;
    }

    /// Decodes a little more. Zero: the end.
    pub fn step(&mut self) -> io::Result<usize> {
        if self.decoder.is_none() {
            // By position: other handles of the same open file do not move this one.
            let input =
                BufReader::with_capacity(STEP_BYTES, FromStart { file: File::from(self.file.try_clone()?), at: 0 });
            self.decoder = Some(match self.compression {
                Compression::Gzip => Box::new(MultiGzDecoder::new(input)),
                Compression::Zstd => {
                    let mut decoder = zstd::stream::read::Decoder::with_buffer(input)?;
                    decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
                    Box::new(decoder)
                }
            });
        }
        if self.window.len() >= 2 * WINDOW_BYTES {
            let cut = self.window.len() - WINDOW_BYTES;
            self.window.drain(..cut);
            self.window_begin += cut as u64;
        }
        let before = self.window.len();
        self.window.resize(before + STEP_BYTES, 0);
        let read = match &mut self.decoder {
            Some(decoder) => decoder.read(&mut self.window[before..]),
            None => Ok(0),
        };
        self.window.truncate(before + read.as_ref().copied().unwrap_or(0));
        if read.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::Interrupted) {
            return self.step();
        }
        read
    }
}

struct FromStart {
    file: File,
    at: u64,
}

impl Read for FromStart {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = std::os::unix::fs::FileExt::read_at(&self.file, buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn compressed(compression: Compression, text: &[u8]) -> OwnedFd {
        let mut file = tempfile::tempfile().unwrap();
        let bytes = match compression {
            Compression::Gzip => {
                let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                gzip.write_all(text).unwrap();
                gzip.finish().unwrap()
            }
            Compression::Zstd => zstd::encode_all(text, 1).unwrap(),
        };
        file.write_all(&bytes).unwrap();
        file.into()
    }

    fn text() -> Vec<u8> {
        (0..400_000).flat_map(|number| format!("line {number}\n").into_bytes()).collect()
    }

    #[test]
    fn any_position_can_be_read_again() {
        let text = text();
        for compression in [Compression::Gzip, Compression::Zstd] {
            let mut inflate = Inflate::new(compressed(compression, &text), compression);
            let mut random = fastrand::Rng::with_seed(7);
            let mut buffer = vec![0; 300_000];
            for _ in 0..60 {
                let at = random.usize(..text.len() + 10);
                let length = random.usize(..buffer.len());
                let read = inflate.read_at(at as u64, &mut buffer[..length]).unwrap();
                let expected = &text[at.min(text.len())..(at + length).min(text.len())];
                assert_eq!(&buffer[..read], expected);
                assert!(inflate.window.len() <= 2 * WINDOW_BYTES + STEP_BYTES);
            }
        }
    }

    #[test]
    fn a_file_that_is_cut_off_is_an_error_and_not_an_end() {
        for compression in [Compression::Gzip, Compression::Zstd] {
            let whole = File::from(compressed(compression, &text()));
            whole.set_len(whole.metadata().unwrap().len() / 2).unwrap();
            let mut inflate = Inflate::new(whole.into(), compression);
            let mut total = 0;
            let error = loop {
                match inflate.step() {
                    Ok(0) => panic!("{compression:?} ended like a whole one after {total} bytes"),
                    Ok(read) => total += read,
                    Err(error) => break error,
                }
            };
            assert!(total > 0, "{error}");
        }
    }
}
