//! `clew-aggregator verify`: reads everything on disk and says what is damaged. Changes nothing, and may run beside the aggregator.

use std::cell::RefCell;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::block::container::{Corrupt, Unzstd};
use crate::block::transactions;
use crate::block::view::View;
use crate::index::committed::Committed;
use crate::index::find::{stored_payload, stored_rows};
use crate::index::partition::{self, Partition, PartitionError};
use crate::wal::inspect;

/// What was read.
#[derive(Debug, Default)]
struct Totals {
    blocks: u64,
    records: u64,
    damaged: u64,
}

/// Checks everything below `data_dir`, and writes a line for each partition and for each damage. Returns how many there are.
pub fn verify(data_dir: &Path, out: &mut impl Write) -> anyhow::Result<u64> {
    let root = data_dir.join("partitions");
    let mut damaged = 0;
    for day in Partition::days(&root)? {
        // To open one that retention has removed meanwhile would make it anew.
        if !root.join(partition::name(day)).is_dir() {
            continue;
        }
        let totals = match check_partition(&root, day, out)? {
            Ok(totals) => totals,
            Err(error) => {
                writeln!(out, "DAMAGED {error}")?;
                damaged += 1;
                continue;
            }
        };
        let state = if totals.damaged == 0 { "ok" } else { "DAMAGED" };
        writeln!(
            out,
            "{state} partition {}: {} blocks, {} records, {} damaged",
            partition::name(day),
            totals.blocks,
            totals.records,
            totals.damaged
        )?;
        damaged += totals.damaged;
    }
    for aside in Partition::aside(&root)? {
        writeln!(out, "set aside earlier: {}", aside.display())?;
    }
    let wal = inspect::inspect(&data_dir.join("wal"))?;
    for damage in &wal.damaged {
        writeln!(out, "DAMAGED {damage}")?;
    }
    writeln!(
        out,
        "{} wal: {} segments, {} entries",
        if wal.damaged.is_empty() { "ok" } else { "DAMAGED" },
        wal.segments,
        wal.entries
    )?;
    Ok(damaged + wal.damaged.len() as u64)
}

fn check_partition(root: &Path, day: i64, out: &mut impl Write) -> anyhow::Result<Result<Totals, PartitionError>> {
    let opened = Partition::open(root, day).and_then(|partition| {
        let damaged = partition.damaged_files()?;
        Ok((Committed::newest(&Arc::new(partition))?, damaged))
    });
    let (committed, files) = match opened {
        Ok(opened) => opened,
        Err(error) if error.is_damage() => return Ok(Err(error)),
        Err(error) => return Err(error.into()),
    };
    let mut totals = Totals { damaged: files.len() as u64, ..Totals::default() };
    for file in &files {
        let path: PathBuf = committed.partition.path.join(file);
        writeln!(out, "DAMAGED {}: its checksum does not match", path.display())?;
    }
    let unzstd = RefCell::new(Unzstd::default());
    for (segment, reader) in committed.searcher.segment_readers().iter().enumerate() {
        let (kinds, counts) = (reader.fast_fields().u64("kind")?, reader.fast_fields().u64("records")?);
        for doc in reader.doc_ids_alive() {
            let is_block = kinds.first(doc) == Some(crate::index::schema::kind::BLOCK);
            totals.blocks += u64::from(is_block);
            let stated = counts.first(doc).unwrap_or(0);
            let checked = committed.stores[segment]
                .get_document_bytes(doc)
                .map_err(|error| error.to_string())
                .and_then(|document| {
                    let records = if is_block {
                        block_records(stored_payload(&document), &unzstd)
                    } else {
                        rows(&document, &unzstd)
                    };
                    records.map_err(|error| error.to_string())
                });
            match checked {
                Ok(records) if records == stated => totals.records += if is_block { records } else { 0 },
                Ok(records) => {
                    totals.damaged += 1;
                    writeln!(
                        out,
                        "DAMAGED {}: it holds {records} records and should hold {stated}",
                        place(&committed, segment, doc)
                    )?;
                }
                Err(error) => {
                    totals.damaged += 1;
                    writeln!(out, "DAMAGED {}: {error}", place(&committed, segment, doc))?;
                }
            }
        }
    }
    Ok(Ok(totals))
}

fn place(committed: &Committed, segment: usize, doc: u32) -> String {
    let id = committed.searcher.segment_readers()[segment].segment_id().short_uuid_string();
    format!("partition {} segment {id} document {doc}", committed.partition.path.display())
}

/// Decodes all of a block.
fn block_records(payload: &[u8], unzstd: &RefCell<Unzstd>) -> Result<u64, Corrupt> {
    let view = View::sealed(payload, unzstd)?;
    view.restored()?;
    let records = view.records()? as u64;
    view.into_columns()?;
    Ok(records)
}

fn rows(document: &[u8], unzstd: &RefCell<Unzstd>) -> Result<u64, Corrupt> {
    Ok(transactions::decode(stored_rows(document), &mut unzstd.borrow_mut())?.len() as u64)
}
