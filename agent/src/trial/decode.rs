//! A batch, taken apart: the columns of ingest.proto back to records, with where they stand. Pure.

use clew_proto::v1::Columns;
use prost::Message;

/// A record as it would leave the host.
#[derive(Debug, Default)]
pub struct Record {
    pub position: u64,
    /// File bytes that it covers.
    pub bytes: u64,
    pub content: Vec<u8>,
    pub time_ns: i64,
    pub severity: u8,
    pub flags: u8,
    pub marks: u8,
    /// Kind, value, attached.
    pub ids: Vec<(i32, Vec<u8>, bool)>,
}

/// What a batch is made of, in the order of the file.
#[derive(Debug)]
pub enum Piece {
    Record(Record),
    Skipped { position: u64, bytes: u64, records: u32 },
}

/// The columns of a batch that begins at `position`. They were encoded by this program.
pub fn decode(columns: &[u8], mut position: u64) -> Vec<Piece> {
    let columns = Columns::decode(columns).expect("what the builder encoded is decoded");
    let lengths = if columns.content_lengths.is_empty() { &columns.lengths } else { &columns.content_lengths };
    let contents = lengths.iter().map(|length| *length as usize).sum();
    let raw = zstd::bulk::decompress(&columns.raw_zstd, contents).expect("what the builder compressed is decompressed");
    let mut skipped = columns.skipped.iter().peekable();
    let (mut pieces, mut at, mut time_ns, mut reference) = (Vec::new(), 0, 0i64, 0);
    for (number, length) in lengths.iter().map(|length| *length as usize).enumerate() {
        while let Some(skip) = skipped.next_if(|skip| skip.before_record as usize <= number) {
            pieces.push(Piece::Skipped { position, bytes: skip.bytes.into(), records: skip.records });
            position += u64::from(skip.bytes);
        }
        time_ns = time_ns.wrapping_add(columns.time_deltas_ns[number]);
        let references = &columns.id_refs[reference..reference + usize::from(columns.id_counts[number])];
        reference += references.len();
        let ids = references.iter().map(|id| &columns.ids[*id as usize]);
        let bytes = u64::from(columns.lengths[number]);
        pieces.push(Piece::Record(Record {
            position,
            bytes,
            content: raw[at..at + length].to_vec(),
            time_ns,
            severity: columns.severities[number],
            flags: columns.flags[number],
            marks: columns.marks.get(number).copied().unwrap_or(0),
            ids: ids.map(|id| (id.kind, id.value.to_vec(), id.attached)).collect(),
        }));
        at += length;
        position += bytes;
    }
    for skip in skipped {
        pieces.push(Piece::Skipped { position, bytes: skip.bytes.into(), records: skip.records });
        position += u64::from(skip.bytes);
    }
    pieces
}
