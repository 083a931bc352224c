//! What many transactions did between two commits, as columns: a `container` with the magic `CLWT`.
//!
//! One Tantivy document per transaction spent 7,000 instructions on its fast fields alone and took 45 bytes of disk; a row
//! here takes some 25 bytes, and a list of millions is a scan of columns. IDs are found through the blocks of records, which carry
//! them anyway.
//!
//! | file | what it is |
//! | --- | --- |
//! | `share` | what one transaction did, or a part of it |
//! | `planes` | whole numbers as planes of bytes |
//! | `ids` | the IDs of rows, and 64 bits of each |
//! | `rows` | rows column by column, decoded as they are asked for |
//! | `earlier` | the form in which earlier versions wrote them |

pub mod earlier;
pub mod ids;
pub mod planes;
pub mod rows;
pub mod share;

use std::sync::Arc;

use super::container::{Corrupt, Reader, Unzstd, Writer, Zstd};
use super::standing::Standing;
use super::varint::{put, put_bytes};
use crate::id::Canonical;
use rows::Rows;
use share::{Share, Touched, is_same};

/// First bytes.
pub const MAGIC: [u8; 4] = *b"CLWT";
/// Rows of one document.
pub const ROWS_MAX: usize = 4096;
/// Services that a row's mask has a bit for.
pub const MASK_SERVICES_MAX: usize = u64::BITS as usize;
/// Level for the columns.
const LEVEL: i32 = 1;

/// What a column holds. Numbers 3 to 7 are those of `earlier`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Column {
    /// Row count, and the names of services.
    Services = 1,
    /// Terms of IDs, where not all of them are numbers.
    Ids = 2,
    /// IDs where all of them are numbers: 16 bytes each, little-endian.
    Numbers = 8,
    /// Earliest times, as planes.
    Times = 9,
    /// Planes.
    Durations = 10,
    /// Planes.
    Records = 11,
    /// Planes.
    Errors = 12,
    /// Index of the entry service, as planes.
    Entries = 13,
    /// A bit for each service that was touched, as planes; absent with more than [`MASK_SERVICES_MAX`] services.
    Masks = 14,
    /// Per row: how many services besides the entry, and which, in the order in which they were touched.
    Others = 15,
    /// A byte each (`Standing::byte`).
    Standings = 16,
}

/// Encodes up to [`ROWS_MAX`] rows; in order of time they take the least space.
pub fn encode(rows: &[(&Canonical, &Share)]) -> Vec<u8> {
    let mut services: Vec<&Arc<str>> = Vec::new();
    let mut others = Vec::new();
    let (mut entries, mut masks) = (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()));
    for (_, share) in rows {
        let mut mask = 0;
        for (place, touched) in share.services.iter().enumerate() {
            let number = number(&mut services, &touched.service);
            mask |= 1u64.checked_shl(number as u32).unwrap_or_default();
            match place {
                0 => {
                    entries.push(number);
                    put(&mut others, share.services.len() as u64 - 1);
                }
                _ => put(&mut others, number),
            }
        }
        masks.push(mask);
    }
    let mut names = Vec::new();
    put(&mut names, rows.len() as u64);
    put(&mut names, services.len() as u64);
    services.iter().for_each(|service| put_bytes(&mut names, service.as_bytes()));
    let planes =
        |number: fn(&Share) -> u64| planes::encode(&rows.iter().map(|(_, share)| number(share)).collect::<Vec<_>>());
    let standings: Vec<u8> = rows.iter().map(|(_, share)| share.standing.byte()).collect();

    let mut compressor = zstd::bulk::Compressor::new(LEVEL).expect("the level is valid and memory suffices");
    let mut stored = Vec::new();
    let mut zstd = Zstd { compressor: &mut compressor, stored: &mut stored };
    let mut writer = Writer::default();
    writer.add(Column::Services as u8, &names, &mut zstd);
    match numbers(rows) {
        Some(numbers) => writer.add_plain(Column::Numbers as u8, &numbers),
        None => writer.add_plain(Column::Ids as u8, &terms(rows)),
    }
    writer.add(Column::Times as u8, &planes(|share| planes::of_time(share.time_min)), &mut zstd);
    writer.add(Column::Durations as u8, &planes(Share::duration), &mut zstd);
    writer.add(Column::Records as u8, &planes(|share| share.records), &mut zstd);
    writer.add(Column::Errors as u8, &planes(|share| share.errors), &mut zstd);
    writer.add(Column::Entries as u8, &planes::encode(&entries), &mut zstd);
    if services.len() <= MASK_SERVICES_MAX {
        writer.add(Column::Masks as u8, &planes::encode(&masks), &mut zstd);
    }
    writer.add(Column::Others as u8, &others, &mut zstd);
    writer.add(Column::Standings as u8, &standings, &mut zstd);
    writer.finish(MAGIC)
}

fn number<'a>(services: &mut Vec<&'a Arc<str>>, service: &'a Arc<str>) -> u64 {
    let shared = services.iter().position(|known| Arc::ptr_eq(known, service));
    let known = shared.or_else(|| services.iter().position(|known| is_same(known, service)));
    known.unwrap_or_else(|| {
        services.push(service);
        services.len() - 1
    }) as u64
}

/// None when some are texts.
fn numbers(rows: &[(&Canonical, &Share)]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(rows.len() * ids::NUMBER_BYTES);
    for (id, _) in rows {
        let Canonical::Number(number) = id else { return None };
        out.extend_from_slice(&number.to_le_bytes());
    }
    Some(out)
}

fn terms(rows: &[(&Canonical, &Share)]) -> Vec<u8> {
    let mut out = Vec::new();
    rows.iter().for_each(|(id, _)| put_bytes(&mut out, &id.term()));
    out
}

/// The reverse of [`encode`]; reads what earlier versions wrote, too.
pub fn decode(bytes: &[u8], unzstd: &mut Unzstd) -> Result<Vec<(Canonical, Share)>, Corrupt> {
    let reader = Reader::open(bytes, MAGIC)?;
    if earlier::is_form_of(&reader) {
        return earlier::decode(&reader, unzstd);
    }
    let rows = Rows::of(reader, unzstd)?;
    shares(&rows, 0..rows.count(), unzstd)
}

/// Reads the rows column by column. What earlier versions wrote is brought into the present form before.
pub fn with_rows<T, E: From<Corrupt>>(
    bytes: &[u8],
    unzstd: &mut Unzstd,
    read: impl FnOnce(&Rows<'_>, &mut Unzstd) -> Result<T, E>,
) -> Result<T, E> {
    let reader = Reader::open(bytes, MAGIC)?;
    if !earlier::is_form_of(&reader) {
        return read(&Rows::of(reader, unzstd)?, unzstd);
    }
    let rows = earlier::decode(&reader, unzstd)?;
    let present = encode(&rows.iter().map(|(id, share)| (id, share)).collect::<Vec<_>>());
    read(&Rows::of(Reader::open(&present, MAGIC)?, unzstd)?, unzstd)
}

/// Some rows of a document, by their indexes.
pub fn shares(
    rows: &Rows<'_>,
    wanted: impl Iterator<Item = usize>,
    unzstd: &mut Unzstd,
) -> Result<Vec<(Canonical, Share)>, Corrupt> {
    let ids = rows.ids()?;
    let times = rows.times(unzstd)?;
    let durations = rows.durations(unzstd)?;
    let records = rows.records(unzstd)?;
    let errors = rows.errors(unzstd)?;
    let standings = rows.standings(unzstd)?;
    let services: Vec<Arc<str>> = rows.services().iter().map(|name| Arc::from(name.as_str())).collect();
    let touched = rows.touched(unzstd)?;
    let share = |row: usize| {
        let touched = touched.of(row).iter();
        let touched = touched.map(|service| Arc::clone(&services[*service as usize]));
        let time_min = planes::to_time(times.get(row));
        let share = Share {
            time_min,
            time_max: time_min.wrapping_add_unsigned(durations.get(row)),
            records: records.get(row),
            errors: errors.get(row),
            services: touched.map(|service| Touched { service, first: time_min }).collect(),
            standing: Standing::from_byte(standings[row]),
        };
        Some((ids.get(row)?, share))
    };
    wanted.map(share).collect::<Option<_>>().ok_or(Corrupt::Table)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    pub fn rows(id: &'static str) -> impl Strategy<Value = Vec<(Canonical, Share)>> {
        let share = (
            any::<i64>(),
            0u64..1 << 40,
            1u64..100,
            0u64..3,
            proptest::sample::subsequence(vec!["a", "b", "c"], 1..=3).prop_shuffle(),
            any::<u8>().prop_map(Standing::from_byte),
        );
        proptest::collection::vec((id, share), 0..40).prop_map(|rows| {
            rows.into_iter()
                .map(|(id, (time_min, duration, records, errors, services, standing))| {
                    let touched = |service: &str| Touched { service: service.into(), first: time_min };
                    let services = services.into_iter().map(touched).collect();
                    let time_max = time_min.saturating_add_unsigned(duration);
                    let share = Share { time_min, time_max, records, errors, services, standing };
                    (Canonical::parse(id.as_bytes()), share)
                })
                .collect()
        })
    }

    fn encoded(rows: &[(Canonical, Share)]) -> Vec<u8> {
        encode(&rows.iter().map(|(id, share)| (id, share)).collect::<Vec<_>>())
    }

    /// What earlier versions kept of it.
    fn without_standing((id, share): &(Canonical, Share)) -> (Canonical, Share) {
        (id.clone(), Share { standing: Standing::unknown(), ..share.clone() })
    }

    proptest! {
        #[test]
        fn round_trip(rows in prop_oneof![rows("[0-9a-f]{32}"), rows("[0-9a-f]{32}|[a-z-]{3}")]) {
            prop_assert_eq!(decode(&encoded(&rows), &mut Unzstd::default()).unwrap(), rows);
        }

        #[test]
        fn rows_of_earlier_versions_are_read(rows in rows("[0-9a-f]{32}|[a-z-]{3}")) {
            let rows: Vec<_> = rows.iter().map(without_standing).collect();
            prop_assert_eq!(decode(&earlier::tests::encode(&rows), &mut Unzstd::default()).unwrap(), rows);
        }

        #[test]
        fn nonsense_with_a_right_checksum_is_refused_without_harm(
            rows in prop_oneof![rows("[0-9a-f]{32}"), rows("[0-9a-f]{32}|[a-z-]{3}")],
            is_earlier in any::<bool>(),
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        ) {
            let mut payload = if is_earlier { earlier::tests::encode(&rows) } else { encoded(&rows) };
            let body = payload.len() - 4;
            for (at, byte) in changes {
                payload[at.index(body)] = byte;
            }
            let sum = crc32c::crc32c(&payload[..body]).to_le_bytes();
            payload[body..].copy_from_slice(&sum);
            let _ = decode(&payload, &mut Unzstd::default());
        }
    }

    #[test]
    fn more_services_than_a_mask_has_bits() {
        let services: Vec<Arc<str>> = (0..100).map(|number| format!("service-{number}").into()).collect();
        let rows: Vec<_> = (0..50u64)
            .map(|number| {
                let touched = |place: usize| Touched { service: Arc::clone(&services[place]), first: 7 };
                let services = vec![touched(number as usize), touched(number as usize + 50)];
                let standing = Standing::unknown();
                let share = Share { time_min: 7, time_max: 9, records: 2, errors: 0, services, standing };
                (Canonical::Number(u128::from(number)), share)
            })
            .collect();
        assert_eq!(decode(&encoded(&rows), &mut Unzstd::default()).unwrap(), rows);
    }
}
