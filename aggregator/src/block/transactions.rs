//! What many transactions did between two commits, as columns: a `container` with the magic `CLWT`.
//!
//! One Tantivy document per transaction spent 7,000 instructions on its fast fields alone and took 45 bytes of disk; a row
//! here takes 23 bytes, and a list of millions is a scan of columns. IDs are found through the blocks of records, which carry
//! them anyway.

use std::sync::Arc;

use super::container::{Corrupt, Reader, Unzstd, Writer, Zstd};
use super::varint::{put, put_bytes, put_signed, take, take_bytes, take_signed};
use crate::id::Canonical;

/// First bytes.
pub const MAGIC: [u8; 4] = *b"CLWT";
/// Rows of one document.
pub const ROWS_MAX: usize = 4096;
/// Level for the columns.
const LEVEL: i32 = 1;

/// What one transaction did between two commits.
#[derive(Clone, Debug, PartialEq)]
pub struct Share {
    /// Its earliest record, nanoseconds since the epoch.
    pub time_min: i64,
    /// Its latest record.
    pub time_max: i64,
    /// Its records.
    pub records: u64,
    /// Those of severity error and above.
    pub errors: u64,
    /// The services that it touched.
    pub services: Vec<Arc<str>>,
    /// The service of the earliest record.
    pub entry_service: Arc<str>,
}

#[repr(u8)]
enum Column {
    /// Row count, and the names of services.
    Services = 1,
    /// Terms of IDs.
    Ids = 2,
    /// Earliest times, differences.
    Times = 3,
    Durations = 4,
    Records = 5,
    Errors = 6,
    /// Per row: the entry service, how many others, those.
    Touched = 7,
}

/// Encodes up to [`ROWS_MAX`] rows; in order of time they take the least space.
pub fn encode(rows: &[(&Canonical, &Share)]) -> Vec<u8> {
    let mut services: Vec<&Arc<str>> = Vec::new();
    let mut columns: [Vec<u8>; 6] = Default::default();
    let [ids, times, durations, records, errors, touched] = &mut columns;
    let mut last = 0;
    for (id, share) in rows {
        put_bytes(ids, &id.term());
        put_signed(times, share.time_min.wrapping_sub(last));
        last = share.time_min;
        put(durations, share.time_max.abs_diff(share.time_min));
        put(records, share.records);
        put(errors, share.errors);
        put(touched, number(&mut services, &share.entry_service));
        let others = share.services.iter().filter(|service| **service != share.entry_service);
        put(touched, others.clone().count() as u64);
        for service in others {
            put(touched, number(&mut services, service));
        }
    }
    let mut names = Vec::new();
    put(&mut names, rows.len() as u64);
    put(&mut names, services.len() as u64);
    for service in services {
        put_bytes(&mut names, service.as_bytes());
    }
    let mut compressor = zstd::bulk::Compressor::new(LEVEL).expect("the level is valid and memory suffices");
    let mut stored = Vec::new();
    let mut zstd = Zstd { compressor: &mut compressor, stored: &mut stored };
    let mut writer = Writer::default();
    writer.add(Column::Services as u8, &names, &mut zstd);
    writer.add_plain(Column::Ids as u8, ids);
    writer.add(Column::Times as u8, times, &mut zstd);
    writer.add(Column::Durations as u8, durations, &mut zstd);
    writer.add(Column::Records as u8, records, &mut zstd);
    writer.add(Column::Errors as u8, errors, &mut zstd);
    writer.add(Column::Touched as u8, touched, &mut zstd);
    writer.finish(MAGIC)
}

fn number<'a>(services: &mut Vec<&'a Arc<str>>, service: &'a Arc<str>) -> u64 {
    let known = services.iter().position(|known| *known == service);
    known.unwrap_or_else(|| {
        services.push(service);
        services.len() - 1
    }) as u64
}

/// The reverse of [`encode`].
pub fn decode(bytes: &[u8], unzstd: &mut Unzstd) -> Result<Vec<(Canonical, Share)>, Corrupt> {
    let reader = Reader::open(bytes, MAGIC)?;
    let mut column = |column: Column| reader.plain(column as u8, unzstd);
    let names = column(Column::Services)?;
    let ids = column(Column::Ids)?;
    let times = column(Column::Times)?;
    let durations = column(Column::Durations)?;
    let records = column(Column::Records)?;
    let errors = column(Column::Errors)?;
    let touched = column(Column::Touched)?;
    let parsed = || -> Option<Vec<(Canonical, Share)>> {
        let (mut names, mut ids, mut times) = (&names[..], &ids[..], &times[..]);
        let (mut durations, mut records, mut errors) = (&durations[..], &records[..], &errors[..]);
        let mut touched = &touched[..];
        let rows = take(&mut names)?;
        let count = take(&mut names)?;
        let mut services: Vec<Arc<str>> = Vec::new();
        for _ in 0..count {
            services.push(String::from_utf8_lossy(take_bytes(&mut names)?).as_ref().into());
        }
        let mut time_min = 0i64;
        let mut shares = Vec::new();
        for _ in 0..rows {
            time_min = time_min.wrapping_add(take_signed(&mut times)?);
            let duration = take(&mut durations)?;
            let mut service = || Some(Arc::clone(services.get(usize::try_from(take(&mut touched)?).ok()?)?));
            let entry_service = service()?;
            let others = take(&mut touched)?;
            let mut touched_services = vec![Arc::clone(&entry_service)];
            for _ in 0..others {
                let other = usize::try_from(take(&mut touched)?).ok()?;
                touched_services.push(Arc::clone(services.get(other)?));
            }
            let share = Share {
                time_min,
                time_max: time_min.wrapping_add_unsigned(duration),
                records: take(&mut records)?,
                errors: take(&mut errors)?,
                services: touched_services,
                entry_service,
            };
            shares.push((Canonical::from_term(take_bytes(&mut ids)?)?, share));
        }
        Some(shares)
    };
    parsed().ok_or(Corrupt::Table)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rows() -> impl Strategy<Value = Vec<(Canonical, Share)>> {
        let share = (
            any::<i64>(),
            0u64..1 << 40,
            1u64..100,
            0u64..3,
            proptest::sample::subsequence(vec!["a", "b", "c"], 1..=3),
        );
        proptest::collection::vec(("[0-9a-f]{32}|[a-z-]{3}", share), 0..40).prop_map(|rows| {
            rows.into_iter()
                .map(|(id, (time_min, duration, records, errors, services))| {
                    let services: Vec<Arc<str>> = services.into_iter().map(Arc::from).collect();
                    let time_max = time_min.saturating_add_unsigned(duration);
                    let entry_service = Arc::clone(&services[0]);
                    let share = Share { time_min, time_max, records, errors, services, entry_service };
                    (Canonical::parse(id.as_bytes()), share)
                })
                .collect()
        })
    }

    proptest! {
        #[test]
        fn round_trip(rows in rows()) {
            let borrowed: Vec<_> = rows.iter().map(|(id, share)| (id, share)).collect();
            prop_assert_eq!(decode(&encode(&borrowed), &mut Unzstd::default()).unwrap(), rows);
        }

        #[test]
        fn nonsense_with_a_right_checksum_is_refused_without_harm(
            rows in rows(),
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        ) {
            let borrowed: Vec<_> = rows.iter().map(|(id, share)| (id, share)).collect();
            let mut payload = encode(&borrowed);
            let body = payload.len() - 4;
            for (at, byte) in changes {
                payload[at.index(body)] = byte;
            }
            let sum = crc32c::crc32c(&payload[..body]).to_le_bytes();
            payload[body..].copy_from_slice(&sum);
            let _ = decode(&payload, &mut Unzstd::default());
        }
    }
}
