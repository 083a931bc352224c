//! The WAL against a model: a list of payloads, of which a crash may take those that no commit covered.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::recovery::{OpenError, Recovered, recover};
use super::segment;
use super::writer::Writer;

const SEGMENT_BYTES: u64 = 300;

fn open(dir: &Path, from: u64) -> Result<(Writer, Recovered, Vec<Vec<u8>>), OpenError> {
    let mut payloads = Vec::new();
    let recovered = recover(dir, from, |_, payload| payloads.push(payload))?;
    let writer = Writer::open(dir, &recovered, SEGMENT_BYTES).unwrap();
    Ok((writer, recovered, payloads))
}

#[derive(Clone, Debug)]
enum Step {
    Commit(Vec<Vec<u8>>),
    Discard(Vec<Vec<u8>>),
    /// Close and open again, with this much garbage behind the end.
    Reopen(Vec<u8>),
    /// Forget everything before the n-th of the payloads.
    Forget(prop::sample::Index),
}

fn step() -> impl Strategy<Value = Step> {
    let payloads = || proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..120), 0..4);
    prop_oneof![
        4 => payloads().prop_map(Step::Commit),
        1 => payloads().prop_map(Step::Discard),
        2 => proptest::collection::vec(any::<u8>(), 0..60).prop_map(Step::Reopen),
        1 => any::<prop::sample::Index>().prop_map(Step::Forget),
    ]
}

proptest! {
    #[test]
    fn what_was_committed_comes_back(steps in proptest::collection::vec(step(), 1..30)) {
        let dir = tempfile::tempdir().unwrap();
        let (mut writer, _, _) = open(dir.path(), 0).unwrap();
        let mut model: Vec<(u64, Vec<u8>)> = Vec::new();
        let mut forgotten = 0;
        for step in steps {
            match step {
                Step::Commit(payloads) => {
                    let ends: Vec<_> = payloads.iter().map(|payload| writer.append(payload)).collect();
                    writer.commit().unwrap();
                    model.extend(ends.into_iter().zip(payloads));
                }
                Step::Discard(payloads) => {
                    for payload in &payloads {
                        writer.append(payload);
                    }
                    writer.discard();
                }
                Step::Reopen(garbage) => {
                    let end = writer.end();
                    drop(writer);
                    if let Some(newest) = segment::list(dir.path()).unwrap().last() {
                        let path = segment::path(dir.path(), *newest);
                        let mut bytes = fs::read(&path).unwrap();
                        bytes.extend(garbage);
                        fs::write(&path, bytes).unwrap();
                    }
                    let (reopened, recovered, payloads) = open(dir.path(), forgotten).unwrap();
                    let expected: Vec<_> =
                        model.iter().filter(|(end, _)| *end > forgotten).map(|(_, payload)| payload.clone()).collect();
                    prop_assert_eq!(payloads, expected);
                    prop_assert_eq!(recovered.end, end);
                    writer = reopened;
                }
                Step::Forget(index) if !model.is_empty() => {
                    forgotten = forgotten.max(model[index.index(model.len())].0);
                    segment::remove_before(dir.path(), forgotten).unwrap();
                }
                Step::Forget(_) => {}
            }
        }
    }

    #[test]
    fn damage_is_torn_or_corrupt_and_never_passed_over(
        groups in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..100), 2..8),
        at in any::<prop::sample::Index>(),
        bit in 0u8..8,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let (mut writer, _, _) = open(dir.path(), 0).unwrap();
        for payload in &groups {
            writer.append(payload);
            writer.commit().unwrap();
        }
        drop(writer);
        let segments = segment::list(dir.path()).unwrap();
        let path = segment::path(dir.path(), segments[at.index(segments.len())]);
        let mut bytes = fs::read(&path).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        fs::write(&path, bytes).unwrap();
        match open(dir.path(), 0) {
            // Only the very last group can pass for torn: nothing behind it proves that it had been durable.
            Ok((_, _, payloads)) => prop_assert_eq!(&payloads[..], &groups[..groups.len() - 1]),
            Err(OpenError::Corrupt { .. } | OpenError::Version { .. }) => {}
            Err(other) => prop_assert!(false, "{}", other),
        }
    }

    #[test]
    fn arbitrary_files_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), with_header in any::<bool>()) {
        let dir = tempfile::tempdir().unwrap();
        if with_header {
            drop(segment::create(dir.path(), 0, SEGMENT_BYTES).unwrap());
        }
        let path = segment::path(dir.path(), 0);
        let mut file = fs::read(&path).unwrap_or_default();
        file.extend(bytes);
        fs::write(&path, file).unwrap();
        let _ = open(dir.path(), 0);
    }
}

#[test]
fn a_missing_segment_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let (mut writer, _, _) = open(dir.path(), 0).unwrap();
    for _ in 0..12 {
        writer.append(&[7; 100]);
        writer.commit().unwrap();
    }
    let segments = segment::list(dir.path()).unwrap();
    assert!(segments.len() > 3);
    fs::remove_file(segment::path(dir.path(), segments[1])).unwrap();
    assert!(matches!(open(dir.path(), 0), Err(OpenError::Missing { .. })));
}
