//! The write-ahead log: a damaged one gives a prefix of what was written, or says that it is corrupt; never anything else.

use std::path::Path;

use clew_aggregator::wal::entry::{BatchRecord, Counts, Entry, Event, GapRecord, SourceRecord};
use clew_aggregator::wal::recovery::{OpenError, recover};
use clew_aggregator::wal::writer::Writer;
use clew_aggregator::wal::{frame, segment};
use prost::Message;

use crate::driver::Fuzz;

/// Two segments: one was synced whole, the other is the newest.
const SEGMENT_BYTES: u64 = 400;

fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    folder.expect("a temporary folder")
}

fn entries() -> Vec<Vec<u8>> {
    let source = vec![7; 16];
    let batch = BatchRecord {
        source: source.clone(),
        begin: 10,
        end: 30,
        taken_from: 10,
        records: 2,
        columns: b"columns".to_vec().into(),
        counts: Some(Counts { stored_bytes: 20, records: 2, ..Counts::default() }),
        ..BatchRecord::default()
    };
    let gap = GapRecord { source: source.clone(), begin: 30, end: 40, reason: 1, ..GapRecord::default() };
    let opened = SourceRecord { source, host: "web-1".into(), service: "shop".into(), ..SourceRecord::default() };
    let events = [Event::Source(opened), Event::Batch(batch), Event::Gap(gap)];
    let entry = |event| Entry { received_ns: 1_795_608_000_000_000_000, event: Some(event) }.encode_to_vec();
    events.map(entry).into_iter().cycle().take(9).collect()
}

#[test]
fn recovery() {
    let made = folder();
    let nothing = recover(made.path(), 0, |_, _| {}).expect("an empty folder");
    let mut writer = Writer::open(made.path(), &nothing, SEGMENT_BYTES).expect("a writer");
    let written = entries();
    for payload in &written {
        writer.append(payload);
        writer.commit().expect("commit");
    }
    drop(writer);
    let segments = segment::list(made.path()).expect("segments");
    let contents: Vec<_> =
        segments.iter().map(|at| std::fs::read(segment::path(made.path(), *at)).expect("a segment")).collect();
    let (newest, newest_bytes) = (segments[segments.len() - 1], contents[contents.len() - 1].clone());
    assert!(segments.len() > 1);

    let damaged = folder();
    let read = || {
        let mut payloads = Vec::new();
        let recovered = recover(damaged.path(), 0, |end, payload| payloads.push((end, payload)));
        (recovered, payloads)
    };
    Fuzz::new("recovery", 5000).seeds([newest_bytes]).tokens(&["CWf1"]).run(|bytes| {
        for (at, content) in segments.iter().zip(&contents) {
            std::fs::write(segment::path(damaged.path(), *at), content).expect("write a segment");
        }
        let path = segment::path(damaged.path(), newest);
        std::fs::write(&path, bytes).expect("write the newest segment");
        let (recovered, payloads) = read();
        let prefix = payloads.iter().map(|(_, payload)| payload).zip(&written).all(|(found, payload)| found == payload);
        assert!(prefix && payloads.len() <= written.len(), "what comes back was written, in order");
        match recovered {
            Ok(recovered) => {
                assert!(payloads.iter().all(|(end, _)| *end <= recovered.end));
                let (again, same) = read();
                let again = again.expect("it could be opened before");
                assert_eq!((again.end, again.torn_bytes, same), (recovered.end, 0, payloads.clone()));
                (payloads.len(), 0)
            }
            Err(error) => {
                assert_eq!(std::fs::read(&path).expect("it is still there"), bytes, "nothing is cut");
                (payloads.len(), if matches!(error, OpenError::Corrupt { .. }) { 1 } else { 2 })
            }
        }
    });
}

#[test]
fn frames() {
    let seeds = entries().into_iter().map(|payload| {
        let mut bytes = Vec::new();
        frame::put(&mut bytes, 5, 5, &payload);
        bytes
    });
    Fuzz::new("frames", 200_000).seeds(seeds).tokens(&["CWf1", "web-1"]).run(|bytes| {
        let header = frame::header(bytes);
        let payload = bytes.get(frame::HEADER_BYTES..).unwrap_or_default();
        if let Some(header) = header {
            assert!(header.length <= frame::PAYLOAD_BYTES_MAX);
            assert!(!header.fits(6, payload), "a frame is valid at its own position alone");
        }
        // What a replay makes of it.
        let entry = Entry::decode(payload);
        if let Ok(entry) = &entry {
            assert_eq!(Entry::decode(&entry.encode_to_vec()[..]).as_ref(), Ok(entry));
        }
        let kind = entry.ok().map(|entry| entry.event.map(|event| std::mem::discriminant(&event)));
        (header.map(|header| header.fits(5, payload)), kind)
    });
}
