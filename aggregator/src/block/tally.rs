//! How many records a block has, by minute and severity.
//!
//! A block that reaches over a minute's end cannot be counted from its document. The tally stands beside the columns, so that a histogram
//! of whatever minutes, levels and services decodes neither times nor severities.

use hashbrown::HashMap;

use super::columns::SEVERITIES;
use super::varint::{put, put_signed, take, take_signed};

/// What a tally tells apart: intervals that are a multiple of it can be counted from it.
pub const MINUTE_NS: i64 = 60 * 1_000_000_000;
/// A tally with more than one count for so many records is not stored: it would be hardly shorter than the columns.
const RECORDS_PER_COUNT_MIN: usize = 4;

/// See the module. Rising by minute and severity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally(Box<[Count]>);

/// Records of one minute and one severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Count {
    /// Since the epoch.
    minute: i64,
    severity: u8,
    records: u32,
}

impl Tally {
    /// Of records with these times (nanoseconds since the epoch) and severities.
    pub fn of(times: &[i64], severities: &[u8]) -> Self {
        let mut minutes: Vec<(i64, [u32; SEVERITIES])> = Vec::new();
        let mut places: HashMap<i64, usize> = HashMap::new();
        // Records of a minute mostly stand together.
        let mut last = 0;
        for (time, severity) in times.iter().zip(severities) {
            let minute = time.div_euclid(MINUTE_NS);
            if minutes.get(last).is_none_or(|(known, _)| *known != minute) {
                last = *places.entry(minute).or_insert_with(|| {
                    minutes.push((minute, [0; SEVERITIES]));
                    minutes.len() - 1
                });
            }
            minutes[last].1[usize::from(*severity).min(SEVERITIES - 1)] += 1;
        }
        minutes.sort_unstable_by_key(|(minute, _)| *minute);
        let counts = minutes.iter().flat_map(|(minute, records)| {
            let records = (0u8..).zip(records).filter(|(_, records)| **records > 0);
            records.map(|(severity, records)| Count { minute: *minute, severity, records: *records })
        });
        Self(counts.collect())
    }

    /// Whether it is worth its bytes beside the columns of so many records.
    pub fn is_short(&self, records: usize) -> bool {
        self.0.len() * RECORDS_PER_COUNT_MIN <= records
    }

    /// The begin of each minute (nanoseconds since the epoch), a severity, and its records.
    pub fn counts(&self) -> impl Iterator<Item = (i64, usize, u64)> {
        self.0.iter().map(|count| {
            (count.minute.saturating_mul(MINUTE_NS), usize::from(count.severity), u64::from(count.records))
        })
    }

    /// ```text
    /// counts: varint
    /// per count: minutes since the one before: signed varint, severity: u8, records: varint
    /// ```
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.0.len() * 4 + 8);
        put(&mut out, self.0.len() as u64);
        let mut last = 0;
        for count in &self.0 {
            put_signed(&mut out, count.minute - last);
            last = count.minute;
            out.push(count.severity);
            put(&mut out, u64::from(count.records));
        }
        out
    }

    /// None: malformed, or not of so many records.
    pub fn decode(mut input: &[u8], records: usize) -> Option<Self> {
        let length = usize::try_from(take(&mut input)?).ok().filter(|length| *length <= records)?;
        let mut counts = Vec::with_capacity(length);
        let (mut minute, mut left) = (0i64, records as u64);
        for _ in 0..length {
            minute = minute.checked_add(take_signed(&mut input)?)?;
            let (severity, rest) = input.split_first().filter(|(severity, _)| usize::from(**severity) < SEVERITIES)?;
            input = rest;
            let records = take(&mut input)?;
            left = left.checked_sub(records)?;
            counts.push(Count { minute, severity: *severity, records: u32::try_from(records).ok()? });
        }
        (left == 0 && input.is_empty()).then(|| Self(counts.into()))
    }

    /// Bytes of memory that it takes, about.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn records_are_counted_by_minute_and_severity() {
        let times = [-1, 0, 59_999_999_999, MINUTE_NS, 5, -MINUTE_NS];
        let tally = Tally::of(&times, &[3, 3, 3, 3, 6, 6]);
        let counted: Vec<_> = tally.counts().collect();
        assert_eq!(counted, [(-MINUTE_NS, 3, 1), (-MINUTE_NS, 6, 1), (0, 3, 2), (0, 6, 1), (MINUTE_NS, 3, 1)]);
        assert!(!tally.is_short(times.len()) && tally.is_short(20));
    }

    #[test]
    fn what_is_no_tally_is_refused() {
        let encoded = Tally::of(&[1, 2, MINUTE_NS], &[3, 6, 3]).encode();
        assert!(Tally::decode(&encoded, 3).is_some());
        for records in [0, 2, 4] {
            assert_eq!(Tally::decode(&encoded, records), None, "of {records} records");
        }
        for length in 0..encoded.len() {
            assert_eq!(Tally::decode(&encoded[..length], 3), None, "{length} bytes");
        }
        assert_eq!(Tally::decode(&[&encoded[..], &[0]].concat(), 3), None);
        assert_eq!(Tally::decode(&[1, 2, SEVERITIES as u8, 3], 3), None, "no such severity");
    }

    proptest! {
        #[test]
        fn encoded_and_back(records in prop::collection::vec((any::<i64>(), 0..SEVERITIES as u8), 0..50)) {
            let (times, severities): (Vec<i64>, Vec<u8>) = records.into_iter().unzip();
            let tally = Tally::of(&times, &severities);
            prop_assert_eq!(Tally::decode(&tally.encode(), times.len()), Some(tally));
        }
    }
}
