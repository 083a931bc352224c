//! What is logged, as protobuf: its fields may grow, and an unknown one is passed over.

use bytes::Bytes;
use uuid::Uuid;

use clew_proto::v1;

/// One logged event with the time of its receipt.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Entry {
    /// Nanoseconds since the epoch, never less than in the entry before.
    #[prost(int64, tag = "1")]
    pub received_ns: i64,
    /// What happened.
    #[prost(oneof = "Event", tags = "2, 3, 4")]
    pub event: Option<Event>,
}

/// What happened.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Event {
    /// A source was opened for the first time.
    #[prost(message, tag = "2")]
    Source(SourceRecord),
    /// A batch was taken.
    #[prost(message, tag = "3")]
    Batch(BatchRecord),
    /// A range was given up.
    #[prost(message, tag = "4")]
    Gap(GapRecord),
}

/// A source, as the WAL and the catalog keep it.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SourceRecord {
    /// 16 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub source: Vec<u8>,
    /// 16 bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub agent: Vec<u8>,
    /// Host name.
    #[prost(string, tag = "3")]
    pub host: String,
    /// Service name.
    #[prost(string, tag = "4")]
    pub service: String,
    /// Path of the file, bytes.
    #[prost(bytes = "vec", tag = "5")]
    pub path: Vec<u8>,
    /// Device of the file.
    #[prost(uint64, tag = "6")]
    pub device: u64,
    /// Inode of the file.
    #[prost(uint64, tag = "7")]
    pub inode: u64,
    /// Of the first bytes.
    #[prost(message, optional, tag = "8")]
    pub prefix: Option<v1::Fingerprint>,
    /// Everything before it is held.
    #[prost(uint64, tag = "9")]
    pub frontier: u64,
    /// Of the bytes just before the frontier.
    #[prost(message, optional, tag = "10")]
    pub guard: Option<v1::Fingerprint>,
    /// Ranges that were given up.
    #[prost(message, repeated, tag = "11")]
    pub gaps: Vec<GapRecord>,
    /// When something last arrived, nanoseconds since the epoch.
    #[prost(int64, tag = "12")]
    pub last_ns: i64,
    /// Where the account in `counts` begins.
    #[prost(uint64, tag = "13")]
    pub begin: u64,
    /// What became of the bytes since `begin`; absent: an older version wrote this, and counting begins at the frontier.
    #[prost(message, optional, tag = "14")]
    pub counts: Option<Counts>,
    /// What is known of where it comes from.
    #[prost(message, repeated, tag = "15")]
    pub labels: Vec<v1::Label>,
}

/// What became of file bytes.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct Counts {
    /// File bytes that stored records cover.
    #[prost(uint64, tag = "1")]
    pub stored_bytes: u64,
    /// Those records.
    #[prost(uint64, tag = "2")]
    pub records: u64,
    /// File bytes that a rule dropped.
    #[prost(uint64, tag = "3")]
    pub dropped_bytes: u64,
    /// File bytes that a rule left out of its sample.
    #[prost(uint64, tag = "4")]
    pub sampled_bytes: u64,
    /// File bytes in runs of NUL bytes.
    #[prost(uint64, tag = "5")]
    pub nuls_bytes: u64,
    /// File bytes in gaps.
    #[prost(uint64, tag = "6")]
    pub gap_bytes: u64,
}

impl Counts {
    /// Adds up.
    pub fn add(&mut self, other: &Self) {
        self.stored_bytes += other.stored_bytes;
        self.records += other.records;
        self.dropped_bytes += other.dropped_bytes;
        self.sampled_bytes += other.sampled_bytes;
        self.nuls_bytes += other.nuls_bytes;
        self.gap_bytes += other.gap_bytes;
    }
}

/// A batch that was taken.
#[derive(Clone, PartialEq, prost::Message)]
pub struct BatchRecord {
    /// 16 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub source: Vec<u8>,
    /// The batch's first position.
    #[prost(uint64, tag = "2")]
    pub begin: u64,
    /// The position after its last.
    #[prost(uint64, tag = "3")]
    pub end: u64,
    /// Taken from here on: what lies before was held already.
    #[prost(uint64, tag = "4")]
    pub taken_from: u64,
    /// How many records the columns have.
    #[prost(uint32, tag = "5")]
    pub records: u32,
    /// The encoded `v1::Columns`, as they came.
    #[prost(bytes = "bytes", tag = "6")]
    pub columns: Bytes,
    /// Of the file's first bytes, while it grew.
    #[prost(message, optional, tag = "7")]
    pub prefix: Option<v1::Fingerprint>,
    /// Of the bytes just before `end`.
    #[prost(message, optional, tag = "8")]
    pub guard: Option<v1::Fingerprint>,
    /// What became of the bytes from `taken_from` on; absent: an older version wrote this, and all of it is stored.
    #[prost(message, optional, tag = "9")]
    pub counts: Option<Counts>,
}

/// A range that was given up.
#[derive(Clone, PartialEq, prost::Message)]
pub struct GapRecord {
    /// 16 bytes; empty inside a `SourceRecord`.
    #[prost(bytes = "vec", tag = "1")]
    pub source: Vec<u8>,
    /// First position that is missing.
    #[prost(uint64, tag = "2")]
    pub begin: u64,
    /// The position after the last.
    #[prost(uint64, tag = "3")]
    pub end: u64,
    /// A `v1::GapReason` value.
    #[prost(int32, tag = "4")]
    pub reason: i32,
    /// When it was declared, nanoseconds since the epoch.
    #[prost(int64, tag = "5")]
    pub declared_ns: i64,
    /// When something of the source had last arrived before: what is missing was written between the two.
    #[prost(int64, tag = "6")]
    pub since_ns: i64,
    /// More may be missing behind `end`, which may equal `begin`.
    #[prost(bool, tag = "7")]
    pub open_ended: bool,
}

/// A UUID of 16 bytes; none when it is not 16 bytes.
pub fn uuid(bytes: &[u8]) -> Option<Uuid> {
    Uuid::from_slice(bytes).ok()
}
