//! The columns of a batch on the wire: what the agent encodes is what the aggregator decodes, and whatever else it decodes is
//! consistent, can be trimmed, stored as a block, and read back.

use std::sync::Arc;

use clew_agent::batch::{Builder, SkippedReason, content_bytes_max};
use clew_agent::parse;
use clew_agent::record::{Fields, flag, mark};
use clew_aggregator::batch::Batch;
use clew_aggregator::block::columns::{Columns, IdIndex, Range};
use clew_aggregator::block::container::Unzstd;
use clew_aggregator::block::decode::Payload;
use clew_aggregator::block::encode::Encoder;
use clew_aggregator::record::Record;
use clew_aggregator::source::Source;
use clew_proto::v1;
use prost::Message;

use crate::driver::Fuzz;
use crate::seeds;

const BEGIN: u64 = 1000;
const NOW_NS: i64 = 1_795_608_000_000_000_000;
/// Contents that a repaired batch is given at most.
const REPAIRED_BYTES_MAX: u64 = 1 << 20;

/// Makes a batch of a file: what becomes of each line follows from its bytes.
fn build(file: &[u8]) -> (Vec<u8>, u32) {
    let mut builder = Builder::default();
    let mut fields = Fields::default();
    builder.begin(file.first().map(|byte| i64::from(*byte)), NOW_NS);
    for line in file.split_inclusive(|byte| *byte == b'\n') {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        parse::parse(text, &mut fields);
        let flags = if text.len() == line.len() { flag::UNTERMINATED } else { 0 };
        let choice = line.iter().fold(0_u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(*byte));
        match choice % 8 {
            0 => builder.skip(line.len() as u32, 1, SkippedReason::Dropped),
            1 => builder.push_content(line.len(), b"", flags | flag::UNTERMINATED, mark::WITHHELD, &fields),
            2 => builder.push_content(line.len(), line, flags, mark::STDERR, &fields),
            3 => {
                let mut content = line.repeat(2);
                content.truncate(content_bytes_max(line.len()));
                builder.push_content(line.len(), &content, flags, mark::UNWRAPPED | mark::TRANSCODED, &fields);
            }
            4 => {
                fields.time_ns = Some(i64::from(choice) - 128);
                fields.ids.push_attached(clew_agent::record::IdKind::Transaction, b"job-0001", "rule");
                builder.push(line.len(), flags, &fields);
            }
            _ => builder.push(line.len(), flags, &fields),
        }
    }
    let encoded = builder.finish(file);
    (encoded.columns.to_vec(), encoded.records)
}

#[test]
fn agent_to_aggregator() {
    let seeds = [seeds::golden("records"), seeds::golden("ids"), seeds::golden("")].concat();
    let tokens = &["\n", "\n\n", "trace_id=4bf92f3577b34da6a3ce929d0e0e4736 ", "2026-11-23T12:00:00Z ", "\0", "\u{e9}"];
    Fuzz::new("agent_to_aggregator", 900).seeds(seeds).tokens(tokens).run(|file| {
        let (columns, records) = build(file);
        let end = BEGIN + file.len() as u64;
        let batch = Batch::decode(BEGIN, end, records, &columns, &mut unzstd()).expect("what the agent sends is taken");
        check(&batch);
        // Every record's content is either what stands in the file or what was put in its place.
        if batch.extents.is_empty() && batch.skipped.is_empty() {
            assert!(batch.raw == file);
        }
        (records.min(9), batch.extents.is_empty(), batch.skipped.len().min(3), batch.ids.len().min(5))
    });
}

#[test]
fn columns() {
    let head = |columns: Vec<u8>, records: u32, size: u32| {
        [&records.to_le_bytes(), &size.to_le_bytes(), &columns[..]].concat()
    };
    let seeds = seeds::golden("records").into_iter().chain(seeds::golden("ids")).map(|file| {
        let (columns, records) = build(&file);
        head(columns, records, file.len() as u32)
    });
    Fuzz::new("columns", 6000).seeds(seeds).tokens(&["\n", "req-17", "\u{1}"]).run(|input| {
        let Some((head, columns)) = input.split_first_chunk::<8>() else { return (0, 0) };
        let records = u32::from_le_bytes(head[..4].try_into().expect("4 bytes"));
        let size = u32::from_le_bytes(head[4..].try_into().expect("4 bytes"));
        let taken = Batch::decode(BEGIN, BEGIN + u64::from(size), records, columns, &mut unzstd());
        if let Ok(batch) = &taken {
            check(batch);
        }
        // With counts and contents put right, the checks behind them are reached.
        let Some((columns, records, size)) = repaired(columns) else { return (1, 0) };
        let Ok(batch) = Batch::decode(BEGIN, BEGIN + size, records, &columns, &mut unzstd()) else { return (2, 0) };
        check(&batch);
        let shape = usize::from(!batch.extents.is_empty()) + 2 * usize::from(!batch.marks.is_empty());
        (3 + usize::from(taken.is_ok()), shape + 4 * batch.skipped.len().min(4) + 20 * batch.records().min(9))
    });
}

fn unzstd() -> zstd::bulk::Decompressor<'static> {
    zstd::bulk::Decompressor::new().expect("memory suffices")
}

/// Columns of the same lengths, with contents that are as long as they say.
fn repaired(columns: &[u8]) -> Option<(Vec<u8>, u32, u64)> {
    let mut columns = v1::Columns::decode(columns).ok()?;
    let records = columns.lengths.len();
    columns.time_deltas_ns.resize(records, 1);
    let bytes = |column: &[u8], fill: u8| {
        let mut column = column.to_vec();
        column.resize(records, fill);
        column.into()
    };
    columns.severities = bytes(&columns.severities, 3);
    columns.flags = bytes(&columns.flags, 0);
    columns.id_counts = bytes(&columns.id_counts, 0);
    if !columns.marks.is_empty() {
        columns.marks = bytes(&columns.marks, 0);
    }
    if !columns.content_lengths.is_empty() {
        columns.content_lengths.resize(records, 1);
    }
    let references: usize = columns.id_counts.iter().map(|count| usize::from(*count)).sum();
    columns.id_refs.resize(references, 0);
    let sum = |lengths: &[u32]| lengths.iter().map(|length| u64::from(*length)).sum::<u64>();
    let size = sum(&columns.lengths) + columns.skipped.iter().map(|skip| u64::from(skip.bytes)).sum::<u64>();
    let lengths = if columns.content_lengths.is_empty() { &columns.lengths } else { &columns.content_lengths };
    if sum(lengths) > REPAIRED_BYTES_MAX {
        return None;
    }
    let contents: Vec<u8> = (0..sum(lengths)).map(|at| b"2026-11-23 a\x02\n"[at as usize % 14]).collect();
    columns.raw_zstd = zstd::bulk::compress(&contents, 1).expect("memory suffices").into();
    Some((columns.encode_to_vec(), records as u32, size))
}

/// What everything behind the decoder takes for granted; and that the batch survives being stored.
fn check(batch: &Batch) {
    consistent(batch);
    let size = batch.end - batch.begin;
    for frontier in [0, batch.begin + 1, batch.begin + size / 3, batch.begin + size / 2, batch.end, batch.end + 7] {
        let mut trimmed = batch.clone();
        match trimmed.trim(frontier) {
            Ok(()) => {
                assert_eq!(trimmed.begin, frontier.clamp(batch.begin, batch.end));
                consistent(&trimmed);
                let (before, after) = (batch.counts(), trimmed.counts());
                assert!(after.records <= before.records && after.stored_bytes <= before.stored_bytes);
                store(&trimmed);
            }
            Err(_) => assert!(trimmed == *batch, "nothing is changed when it cannot be cut"),
        }
    }
    store(batch);
}

fn consistent(batch: &Batch) {
    let records = batch.records();
    let columns =
        [batch.times.len(), batch.severities.len(), batch.flags.len(), batch.id_counts.len(), batch.extents().len()];
    assert_eq!(columns, [records; 5], "every column has one entry per record");
    assert!(batch.marks.is_empty() || batch.marks.len() == records);
    let sum = |lengths: &[u32]| lengths.iter().map(|length| u64::from(*length)).sum::<u64>();
    assert_eq!(sum(&batch.lengths), batch.raw.len() as u64, "contents tile the raw bytes");
    let skipped: u64 = batch.skipped.iter().map(|skip| u64::from(skip.bytes)).sum();
    assert_eq!(sum(batch.extents()) + skipped, batch.end - batch.begin, "records and skips tile the range");
    let references: usize = batch.id_counts.iter().map(|count| usize::from(*count)).sum();
    assert_eq!(references, batch.id_refs.len());
    assert!(batch.id_refs.iter().all(|reference| (*reference as usize) < batch.ids.len()));
    assert!(batch.skipped.iter().all(|skip| skip.bytes > 0 && skip.before_record as usize <= records));
    let counts = batch.counts();
    assert_eq!(
        counts.stored_bytes + counts.dropped_bytes + counts.sampled_bytes + counts.nuls_bytes,
        batch.end - batch.begin,
        "every byte is accounted for"
    );
    let stretches = batch.stretches(0..records, 0);
    assert_eq!(stretches.iter().map(|(_, count)| *count as usize).sum::<usize>(), records);
    assert!(stretches.iter().all(|(position, _)| (batch.begin..=batch.end).contains(position)));
}

/// Through a block and back: the same records.
fn store(batch: &Batch) {
    let records = batch.records();
    if records == 0 {
        return;
    }
    let columns = block(batch);
    let all: Vec<u32> = (0..records as u32).collect();
    let expected = columns.materialise(&all);
    let sealed = Encoder::default().seal(&columns);
    let (mut unzstd, payload) = (Unzstd::default(), Payload::open(&sealed.payload).expect("what was sealed opens"));
    let found = payload.columns(&mut unzstd).expect("what was sealed is read").materialise(&all);
    same(&found, &expected);
    assert_eq!(sealed.summary.records, records as u64);
    if let Some(id) = batch.ids.first() {
        let wanted = [id.canonical.clone()];
        same(&payload.find(&wanted, &mut unzstd).expect("it is read"), &columns.materialise(&columns.find(&wanted)));
    }
}

fn same(found: &[Record], expected: &[Record]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found.line.escape_ascii().to_string(), expected.line.escape_ascii().to_string());
        assert_eq!(found, expected);
    }
}

/// A block that holds the batch and nothing else.
pub fn block(batch: &Batch) -> Columns {
    let source = Source {
        id: uuid::Uuid::from_u128(7),
        agent: uuid::Uuid::from_u128(8),
        host: "web-1".into(),
        service: "shop".into(),
        path: b"/var/log/\xff.log".to_vec(),
        labels: vec![("pod".into(), "shop-1".into())],
    };
    let range = Range { records: 0..batch.records(), raw: 0..batch.raw.len(), refs: 0..batch.id_refs.len() };
    let mut columns = Columns::default();
    columns.append(&Arc::new(source), batch, &range, NOW_NS, &mut IdIndex::default());
    columns
}

/// A batch of a golden file.
pub fn batch(file: &[u8]) -> Batch {
    let (columns, records) = build(file);
    Batch::decode(BEGIN, BEGIN + file.len() as u64, records, &columns, &mut unzstd())
        .expect("what the agent sends is taken")
}
