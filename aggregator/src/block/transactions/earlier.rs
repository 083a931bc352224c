//! Rows as earlier versions wrote them (partitions of format 2). They are read, and never written.

use std::sync::Arc;

use super::share::{Share, Touched};
use crate::block::container::{Corrupt, Reader, Unzstd};
use crate::block::standing::Standing;
use crate::block::varint::{take, take_bytes, take_signed};
use crate::id::Canonical;

#[derive(Clone, Copy)]
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

/// Whether these are such rows.
pub fn is_form_of(reader: &Reader<'_>) -> bool {
    reader.has(Column::Times as u8)
}

/// All of them.
pub fn decode(reader: &Reader<'_>, unzstd: &mut Unzstd) -> Result<Vec<(Canonical, Share)>, Corrupt> {
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
            let mut service = || {
                let service = services.get(usize::try_from(take(&mut touched)?).ok()?)?;
                Some(Touched { service: Arc::clone(service), first: time_min })
            };
            let mut touched_services = vec![service()?];
            let others = take(&mut touched)?;
            for _ in 0..others {
                let service = services.get(usize::try_from(take(&mut touched)?).ok()?)?;
                touched_services.push(Touched { service: Arc::clone(service), first: time_min });
            }
            let share = Share {
                time_min,
                time_max: time_min.wrapping_add_unsigned(duration),
                records: take(&mut records)?,
                errors: take(&mut errors)?,
                services: touched_services,
                standing: Standing::unknown(),
            };
            shares.push((Canonical::from_term(take_bytes(&mut ids)?)?, share));
        }
        Some(shares)
    };
    parsed().ok_or(Corrupt::Table)
}

#[cfg(test)]
pub mod tests {
    use super::super::MAGIC;
    use super::*;
    use crate::block::container::{Writer, Zstd};
    use crate::block::varint::{put, put_bytes, put_signed};

    /// As those versions did it.
    pub fn encode(rows: &[(Canonical, Share)]) -> Vec<u8> {
        let mut services: Vec<Arc<str>> = Vec::new();
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
            for (place, service) in share.services.iter().enumerate() {
                let known = services.iter().position(|known| *known == service.service);
                let number = known.unwrap_or_else(|| {
                    services.push(Arc::clone(&service.service));
                    services.len() - 1
                });
                put(touched, number as u64);
                if place == 0 {
                    put(touched, share.services.len() as u64 - 1);
                }
            }
        }
        let mut names = Vec::new();
        put(&mut names, rows.len() as u64);
        put(&mut names, services.len() as u64);
        services.iter().for_each(|service| put_bytes(&mut names, service.as_bytes()));
        let mut compressor = zstd::bulk::Compressor::new(1).unwrap();
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
}
