//! Blocks as they lie on disk: nothing in a payload is trusted, whether its checksum is right or not.

use std::sync::Arc;

use clew_aggregator::block::container::{Reader, Unzstd, Writer};
use clew_aggregator::block::decode::Payload;
use clew_aggregator::block::encode::{Encoder, MAGIC};
use clew_aggregator::block::overlay::{Hider, Spellings, TimeText, restore};
use clew_aggregator::block::spelling::SpelledId;
use clew_aggregator::block::standing::Standing;
use clew_aggregator::block::transactions;
use clew_aggregator::block::transactions::share::{Share, Touched};
use clew_aggregator::block::varint::{put_bytes, take_bytes};
use clew_aggregator::id::Canonical;

use crate::batch::{batch, block};
use crate::driver::Fuzz;
use crate::seeds;

/// Numbers of the columns of both containers.
const COLUMNS: std::ops::RangeInclusive<u8> = 1..=13;
const SUM_BYTES: usize = 4;

fn payloads() -> Vec<Vec<u8>> {
    let files = [seeds::golden("records"), seeds::golden("ids")].concat();
    let batches = files.iter().map(|file| batch(file)).filter(|batch| batch.records() > 0);
    batches.map(|batch| Encoder::default().seal(&block(&batch)).payload).collect()
}

#[test]
fn payload() {
    Fuzz::new("payload", 25_000).seeds(payloads()).tokens(&["CLWB", "CLWT"]).run(|bytes| {
        let damaged = Payload::open(bytes).is_ok();
        let mut sealed = bytes.to_vec();
        if let Some(body) = sealed.len().checked_sub(SUM_BYTES) {
            let sum = crc32c::crc32c(&sealed[..body]);
            sealed[body..].copy_from_slice(&sum.to_le_bytes());
        }
        (damaged, read(&sealed))
    });
}

/// The columns themselves are changed, and then stored as they should be.
#[test]
fn payload_columns() {
    let seeds = payloads().into_iter().map(|payload| taken_apart(&payload, MAGIC));
    Fuzz::new("payload_columns", 30_000)
        .seeds(seeds)
        .tokens(&["\u{1}", "\u{2}", "\n"])
        .run(|input| put_together(input, MAGIC).map(|payload| read(&payload)));
}

/// Reads all of it; an error is an answer, a panic is none.
fn read(payload: &[u8]) -> Result<(usize, usize), String> {
    let mut unzstd = Unzstd::default();
    let payload = Payload::open(payload).map_err(|error| error.to_string())?;
    let columns = payload.columns(&mut unzstd).map_err(|error| error.to_string())?;
    let records = columns.times.len();
    let found = columns.materialise(&(0..records as u32).collect::<Vec<_>>());
    assert_eq!(found.len(), records);
    if let Some(id) = columns.ids.first() {
        let found = payload.find(std::slice::from_ref(&id.canonical), &mut unzstd).expect("all of it was read");
        assert!(found.len() <= records);
    }
    Ok((records.min(9), columns.ids.len().min(5)))
}

/// A list of columns: number, length, plain bytes.
fn taken_apart(payload: &[u8], magic: [u8; 4]) -> Vec<u8> {
    let reader = Reader::open(payload, magic).expect("what was sealed opens");
    let mut out = Vec::new();
    for column in COLUMNS.filter(|column| reader.has(*column)) {
        out.push(column);
        put_bytes(&mut out, &reader.plain(column, &mut Unzstd::default()).expect("what was sealed is read"));
    }
    out
}

fn put_together(mut input: &[u8], magic: [u8; 4]) -> Option<Vec<u8>> {
    let mut writer = Writer::default();
    while let Some((column, rest)) = input.split_first() {
        input = rest;
        writer.add_plain(*column, take_bytes(&mut input)?);
    }
    Some(writer.finish(magic))
}

#[test]
fn transaction_rows() {
    let services: Vec<Arc<str>> = ["gateway", "shop", "payments"].map(Arc::from).to_vec();
    let rows: Vec<(Canonical, Share)> = (0..20_u64)
        .map(|number| {
            let entry = number as usize % 3;
            let time_min = 1_795_608_000_000_000_000 - number as i64 * 999;
            let touched = |service: usize| Touched { service: Arc::clone(&services[service]), first: time_min };
            let share = Share {
                time_min,
                time_max: 1_795_608_000_000_000_000,
                records: number,
                errors: number % 2,
                services: vec![touched(entry), touched((entry + 1) % 3)],
                standing: Standing::from_byte(number as u8 * 7),
            };
            (Canonical::parse(format!("req-{number}").as_bytes()), share)
        })
        .collect();
    let encode = |rows: &[(Canonical, Share)]| {
        transactions::encode(&rows.iter().map(|(id, share)| (id, share)).collect::<Vec<_>>())
    };
    let decode = |bytes: &[u8]| transactions::decode(bytes, &mut Unzstd::default());
    assert_eq!(decode(&encode(&rows)).expect("what was encoded is decoded"), rows);
    let seeds = [1, 20].map(|count| taken_apart(&encode(&rows[..count]), transactions::MAGIC));
    Fuzz::new("transaction_rows", 60_000).seeds(seeds).tokens(&["shop", "\u{0}", "\u{1}"]).run(|input| {
        let bytes = put_together(input, transactions::MAGIC)?;
        let rows = decode(&bytes).ok()?;
        for (_, share) in &rows {
            assert_eq!(share.entry_service(), &share.services[0].service);
        }
        Some((rows.len().min(9), rows.iter().map(|(_, share)| share.services.len()).max()))
    });
}

/// Times and IDs are taken out of a line and put back: the same bytes, whatever the line.
#[test]
fn overlay() {
    let tokens = &[
        "2026-11-23T12:00:00.123456789Z",
        "2026-11-23 12:00:00,123",
        "2026-11-23",
        "4bf92f3577b34da6a3ce929d0e0e4736",
        "9f1c2d3e-4b5a-4c6d-8e7f-0a1b2c3d4e5f",
        "a3ce929d0e0e4736",
        "req-17",
        "\u{1}",
        "\u{2}",
        "\u{5}",
    ];
    const NOON_NS: i64 = 1_795_435_200_000_000_000; // 2026-11-23T12:00:00Z
    let spelled =
        ["4bf92f3577b34da6a3ce929d0e0e4736", "req-17", "9f1c2d3e-4b5a-4c6d-8e7f-0a1b2c3d4e5f", "a3ce929d0e0e4736"];
    let ids = spelled.map(|id| SpelledId::new(id.as_bytes(), 1));
    let spellings = Spellings::of(&ids);
    let times = [NOON_NS, NOON_NS + 123_456_789, NOON_NS + 123_000_000, 0, -1, i64::MIN, i64::MAX];
    let all = tokens.join(" ").into_bytes();
    Fuzz::new("overlay", 60_000).seeds(seeds::lines().into_iter().chain([all])).tokens(tokens).run(|input| {
        let (choice, line) = input.split_first().unwrap_or((&0, &[]));
        let time = times[*choice as usize % times.len()];
        let references: Vec<u32> = (0..4).rev().filter(|id| choice >> (id + 4) & 1 == 0).collect();
        let mut hider = Hider::default();
        let mut hidden = line.to_vec();
        // Twice: the places of the line before are tried first.
        for _ in 0..2 {
            hidden = line.to_vec();
            if !hider.hide(&mut hidden, time, &references, &spellings) {
                assert_eq!(hidden, line, "a line that is left alone is not changed");
                return (false, 0);
            }
        }
        let changed = hidden.iter().zip(line).filter(|(now, before)| now != before).count();
        let own = references.iter().map(|reference| &ids[*reference as usize]);
        restore(&mut hidden, time, own, &mut TimeText::default());
        assert_eq!(hidden.escape_ascii().to_string(), line.escape_ascii().to_string());
        (true, changed)
    });
}
