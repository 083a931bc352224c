//! The container of encoded columns, shared by blocks of records and blocks of transactions. Version 1:
//!
//! ```text
//! magic[4] version:u8 columns:varint
//!   { column:u8 codec:u8 plain_length:varint stored_length:varint } per column
//! the columns' bytes, in that order
//! crc32c of everything before it, little-endian
//! ```
//!
//! A reader decodes only the columns that it needs, and passes over those that it does not know. Nothing in it trusts its
//! input: every length is checked against what is there and against [`PLAIN_BYTES_MAX`] before memory is taken.

use zstd::zstd_safe::{DCtx, InBuffer, OutBuffer, ResetDirective};

use super::varint::{put, take};

/// Version of the format. A reader refuses any other.
pub const VERSION: u8 = 1;
/// No column is larger when decoded.
pub const PLAIN_BYTES_MAX: usize = 64 << 20;
/// A column under this size is not worth a zstd frame.
const ZSTD_BYTES_MIN: usize = 48;
/// No container has more.
const COLUMNS_MAX: u64 = 64;

/// How a column's bytes are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Codec {
    /// As they are.
    Plain = 0,
    /// One zstd frame.
    Zstd = 1,
    /// One byte that stands for all.
    Constant = 2,
}

/// A payload that cannot be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Corrupt {
    /// Not a payload at all.
    #[error("no block payload: it does not begin as one")]
    Magic,
    /// Written by another version.
    #[error("block format {0} is not known; this program reads format {VERSION}")]
    Version(u8),
    /// The bytes are not those that were written.
    #[error("block checksum does not match")]
    Checksum,
    /// The bytes are those that were written, and yet make no sense.
    #[error("block column {0} is malformed")]
    Column(u8),
    /// The same, for the table of columns.
    #[error("block table is malformed")]
    Table,
}

/// A decompressor that is kept from column to column: making one costs more than most columns.
pub struct Unzstd(DCtx<'static>);

impl Default for Unzstd {
    fn default() -> Self {
        Self(DCtx::create())
    }
}

impl Unzstd {
    /// All `length` bytes of a frame.
    fn whole(&mut self, stored: &[u8], length: usize) -> Option<Vec<u8>> {
        let mut plain = Vec::with_capacity(length);
        self.0.decompress(&mut plain, stored).ok()?;
        (plain.len() == length).then_some(plain)
    }

    /// The first `length` bytes of a frame.
    fn prefix(&mut self, stored: &[u8], length: usize) -> Option<Vec<u8>> {
        self.0.reset(ResetDirective::SessionOnly).ok()?;
        let mut plain = vec![0; length];
        let mut output = OutBuffer::around(&mut plain[..]);
        let mut input = InBuffer::around(stored);
        while output.pos() < length {
            let before = (output.pos(), input.pos());
            self.0.decompress_stream(&mut output, &mut input).ok()?;
            if before == (output.pos(), input.pos()) {
                return None;
            }
        }
        Some(plain)
    }
}

/// A container whose checksum and table were checked.
pub struct Reader<'a> {
    entries: Vec<Entry<'a>>,
}

struct Entry<'a> {
    column: u8,
    codec: u8,
    plain_length: usize,
    stored: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Checks magic, checksum and version, and reads the table.
    pub fn open(bytes: &'a [u8], magic: [u8; 4]) -> Result<Self, Corrupt> {
        if !bytes.starts_with(&magic) {
            return Err(Corrupt::Magic);
        }
        let (body, sum) = bytes.split_last_chunk::<4>().ok_or(Corrupt::Table)?;
        if crc32c::crc32c(body) != u32::from_le_bytes(*sum) {
            return Err(Corrupt::Checksum);
        }
        match body.get(magic.len()) {
            Some(&VERSION) => {}
            Some(other) => return Err(Corrupt::Version(*other)),
            None => return Err(Corrupt::Table),
        }
        let mut input = &body[magic.len() + 1..];
        let count = take(&mut input).filter(|count| *count <= COLUMNS_MAX).ok_or(Corrupt::Table)?;
        let mut table = Vec::new();
        for _ in 0..count {
            let (&[column, codec], rest) = input.split_first_chunk::<2>().ok_or(Corrupt::Table)?;
            input = rest;
            let plain = take(&mut input).and_then(|length| usize::try_from(length).ok());
            let stored = take(&mut input).and_then(|length| usize::try_from(length).ok());
            let (Some(plain), Some(stored)) = (plain, stored) else { return Err(Corrupt::Table) };
            if plain > PLAIN_BYTES_MAX {
                return Err(Corrupt::Table);
            }
            table.push((column, codec, plain, stored));
        }
        let mut entries = Vec::with_capacity(table.len());
        for (column, codec, plain_length, stored_length) in table {
            let (stored, rest) = input.split_at_checked(stored_length).ok_or(Corrupt::Table)?;
            input = rest;
            entries.push(Entry { column, codec, plain_length, stored });
        }
        Ok(Self { entries })
    }

    /// Whether the column is there.
    pub fn has(&self, column: u8) -> bool {
        self.entries.iter().any(|entry| entry.column == column)
    }

    fn entry(&self, column: u8) -> Result<&Entry<'a>, Corrupt> {
        self.entries.iter().find(|entry| entry.column == column).ok_or(Corrupt::Column(column))
    }

    /// A column's plain bytes.
    pub fn plain(&self, column: u8, unzstd: &mut Unzstd) -> Result<Vec<u8>, Corrupt> {
        let entry = self.entry(column)?;
        self.prefix(column, entry.plain_length, unzstd)
    }

    /// The first `length` plain bytes of a column.
    pub fn prefix(&self, column: u8, length: usize, unzstd: &mut Unzstd) -> Result<Vec<u8>, Corrupt> {
        let entry = self.entry(column)?;
        let malformed = Corrupt::Column(column);
        if length > entry.plain_length {
            return Err(malformed);
        }
        match entry.codec {
            codec if codec == Codec::Plain as u8 => entry.stored.get(..length).map(<[u8]>::to_vec).ok_or(malformed),
            codec if codec == Codec::Constant as u8 => match entry.stored {
                [byte] => Ok(vec![*byte; length]),
                _ => Err(malformed),
            },
            codec if codec == Codec::Zstd as u8 => {
                let whole = length == entry.plain_length;
                let plain =
                    if whole { unzstd.whole(entry.stored, length) } else { unzstd.prefix(entry.stored, length) };
                plain.ok_or(malformed)
            }
            _ => Err(malformed),
        }
    }

    /// The stored bytes of a column that is stored plain.
    pub fn stored_plain(&self, column: u8) -> Option<&'a [u8]> {
        self.entry(column).ok().filter(|entry| entry.codec == Codec::Plain as u8).map(|entry| entry.stored)
    }
}

/// A compressor with a buffer that is kept.
pub struct Zstd<'a> {
    /// Its compressor.
    pub compressor: &'a mut zstd::bulk::Compressor<'static>,
    /// A compressed column, before it is copied.
    pub stored: &'a mut Vec<u8>,
}

impl Zstd<'_> {
    fn compress(&mut self, plain: &[u8]) -> &[u8] {
        self.stored.clear();
        self.stored.reserve(zstd::zstd_safe::compress_bound(plain.len()));
        self.compressor.compress_to_buffer(plain, self.stored).expect("the buffer is as large as zstd asks for");
        self.stored
    }
}

/// A container while it grows.
#[derive(Default)]
pub struct Writer {
    entries: Vec<u8>,
    columns: u64,
    bytes: Vec<u8>,
}

impl Writer {
    /// Adds a column, stored in the way that takes the fewest bytes.
    pub fn add(&mut self, column: u8, plain: &[u8], zstd: &mut Zstd<'_>) {
        match plain.split_first() {
            Some((first, rest)) if !rest.is_empty() && rest.iter().all(|byte| byte == first) => {
                self.push(column, Codec::Constant, plain.len(), &[*first]);
            }
            _ if plain.len() >= ZSTD_BYTES_MIN => {
                let stored = zstd.compress(plain);
                if stored.len() < plain.len() {
                    self.push(column, Codec::Zstd, plain.len(), stored);
                } else {
                    self.add_plain(column, plain);
                }
            }
            _ => self.add_plain(column, plain),
        }
    }

    /// Adds a column as it is.
    pub fn add_plain(&mut self, column: u8, plain: &[u8]) {
        self.push(column, Codec::Plain, plain.len(), plain);
    }

    fn push(&mut self, column: u8, codec: Codec, plain_length: usize, stored: &[u8]) {
        self.entries.extend_from_slice(&[column, codec as u8]);
        put(&mut self.entries, plain_length as u64);
        put(&mut self.entries, stored.len() as u64);
        self.columns += 1;
        self.bytes.extend_from_slice(stored);
    }

    /// The container's bytes.
    pub fn finish(self, magic: [u8; 4]) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.bytes.len() + self.entries.len() + 16);
        out.extend_from_slice(&magic);
        out.push(VERSION);
        put(&mut out, self.columns);
        out.extend_from_slice(&self.entries);
        out.extend_from_slice(&self.bytes);
        out.extend_from_slice(&crc32c::crc32c(&out).to_le_bytes());
        out
    }
}
