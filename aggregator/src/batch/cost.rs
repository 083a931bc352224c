//! What columns will take in memory, reckoned from their bytes before they are decoded. An empty element of a list takes two bytes of a
//! message and dozens of ours: without this a small message could claim hundreds of megabytes.

use clew_proto::v1;

/// Lists of a batch together take no more. Four million empty lines, the most that a batch can hold, take half of it.
const BYTES_MAX: usize = 96 << 20;

/// Whether what decodes to this may be decoded; the error is why not. `columns`: an encoded `v1::Columns`.
pub fn check(columns: &[u8]) -> Result<(), String> {
    let bytes = reckon(columns).ok_or("columns are cut off")?;
    if bytes <= BYTES_MAX {
        Ok(())
    } else {
        Err(format!("columns of {bytes} bytes when decoded, {BYTES_MAX} are the most"))
    }
}

/// Bytes of the lists, by what their elements take. None: the bytes are not a message.
fn reckon(mut rest: &[u8]) -> Option<usize> {
    let mut bytes = 0;
    while !rest.is_empty() {
        let key = varint(&mut rest)?;
        let element = element_bytes(key >> 3);
        bytes += match key & 7 {
            // One number; a list of numbers may be written one by one as well.
            0 => varint(&mut rest).map(|_| element)?,
            1 => take(&mut rest, 8).map(|_| element)?,
            5 => take(&mut rest, 4).map(|_| element)?,
            2 => {
                let length = usize::try_from(varint(&mut rest)?).ok()?;
                let value = take(&mut rest, length)?;
                match key >> 3 {
                    1 | 2 | 7 | 9 => element * value.iter().filter(|byte| **byte < 0x80).count(),
                    _ => element,
                }
            }
            _ => return None,
        };
    }
    Some(bytes)
}

/// What one element of a field takes; nothing for what is no list.
fn element_bytes(field: u64) -> usize {
    match field {
        1 | 7 | 9 => size_of::<u32>(),
        2 => size_of::<i64>(),
        5 => size_of::<v1::TransactionId>(),
        11 => size_of::<v1::Skipped>(),
        _ => 0,
    }
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    prost::encoding::decode_varint(rest).ok()
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (value, behind) = rest.split_at_checked(length)?;
    *rest = behind;
    Some(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost::Message;

    use super::*;

    #[test]
    fn lists_are_reckoned_by_their_elements() {
        let columns = v1::Columns {
            lengths: vec![1, 300, 70_000],
            time_deltas_ns: vec![-1, 1 << 40],
            severities: vec![1; 1000].into(),
            ids: vec![v1::TransactionId::default(); 4],
            id_refs: vec![0; 5],
            content_lengths: vec![1 << 30],
            skipped: vec![v1::Skipped { bytes: 7, ..Default::default() }; 6],
            raw_zstd: vec![8; 5000].into(),
            ..Default::default()
        };
        let lists = 4 * 3 + 8 * 2 + 4 * 5 + 4 + 4 * size_of::<v1::TransactionId>() + 6 * size_of::<v1::Skipped>();
        assert_eq!(reckon(&columns.encode_to_vec()), Some(lists));
        // Numbers that are written one by one.
        assert_eq!(reckon(&[8, 1, 8, 2, 16, 4]), Some(4 + 4 + 8));
    }

    #[test]
    fn small_messages_do_not_become_large() {
        let empty = [5 << 3 | 2, 0].repeat(8 << 20);
        assert!(check(&empty).unwrap_err().contains("when decoded"));
        let skips = [11 << 3 | 2, 0].repeat(8 << 20);
        assert!(check(&skips).is_err());
        let lines = 4 << 20;
        let most = v1::Columns {
            lengths: vec![1; lines],
            time_deltas_ns: vec![1 << 30; lines],
            severities: vec![0; lines].into(),
            flags: vec![0; lines].into(),
            id_counts: vec![0; lines].into(),
            ..Default::default()
        };
        assert_eq!(check(&most.encode_to_vec()), Ok(()));
    }

    proptest! {
        #[test]
        fn whatever_decodes_is_reckoned(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let reckoned = reckon(&bytes);
            if let Ok(columns) = v1::Columns::decode(bytes.as_slice()) {
                let lists = 4 * (columns.lengths.len() + columns.id_refs.len() + columns.content_lengths.len())
                    + 8 * columns.time_deltas_ns.len()
                    + columns.ids.len() * size_of::<v1::TransactionId>()
                    + columns.skipped.len() * size_of::<v1::Skipped>();
                // Groups are passed over by prost and refused here; nobody writes them.
                prop_assert!(reckoned.is_none_or(|reckoned| reckoned >= lists));
            }
        }
    }
}
