//! How many records a block has, by minute and severity: what is left of a block that a histogram has decoded once.
//!
//! A block that reaches over a minute's end cannot be counted from its document. Blocks do not change, so it is decoded for the first
//! histogram, and the next ones, of whatever minutes, levels and services, count its tally.

use std::sync::Arc;

use crate::block::columns::SEVERITIES;
use crate::block::container::Corrupt;
use crate::block::view::View;

/// What a tally tells apart: intervals that are a multiple of it can be counted from it.
pub const MINUTE_NS: i64 = 60 * 1_000_000_000;

/// See the module.
#[derive(Debug, PartialEq, Eq)]
pub struct Tally {
    pub service: Arc<str>,
    minutes: Box<[Minute]>,
}

/// One minute's records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Minute {
    /// Since the epoch.
    number: i64,
    severities: [u32; SEVERITIES],
}

impl Tally {
    /// Of a whole block.
    pub fn of(view: &View<'_>) -> Result<Self, Corrupt> {
        let (times, severities) = (view.times()?, view.severities()?);
        let mut minutes: Vec<Minute> = Vec::new();
        // Records of a minute mostly stand together.
        let mut last = 0;
        for (time, severity) in times.iter().zip(severities) {
            let number = time.div_euclid(MINUTE_NS);
            if minutes.get(last).is_none_or(|minute| minute.number != number) {
                last = minutes.iter().position(|minute| minute.number == number).unwrap_or_else(|| {
                    minutes.push(Minute { number, severities: [0; SEVERITIES] });
                    minutes.len() - 1
                });
            }
            minutes[last].severities[usize::from(*severity).min(SEVERITIES - 1)] += 1;
        }
        let service = view.sources()?.first().map_or_else(|| Arc::from(""), |source| Arc::from(&*source.service));
        Ok(Self { service, minutes: minutes.into() })
    }

    /// The begin of each of its minutes, and the records of each severity in it.
    pub fn minutes(&self) -> impl Iterator<Item = (i64, &[u32; SEVERITIES])> {
        self.minutes.iter().map(|minute| (minute.number.saturating_mul(MINUTE_NS), &minute.severities))
    }

    /// Bytes of memory that it takes, about.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.service.len() + 16 + size_of_val(&*self.minutes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::columns::Columns;

    #[test]
    fn records_are_counted_by_minute_and_severity() {
        let times = [-1, 0, 59_999_999_999, MINUTE_NS, 5, -MINUTE_NS];
        let columns = Columns {
            times: times.to_vec(),
            severities: vec![3, 3, 3, 3, 6, 6],
            lengths: vec![1; times.len()],
            ..Columns::default()
        };
        let tally = Tally::of(&View::decoded(&columns)).unwrap();
        let counted: Vec<_> = tally.minutes().map(|(begin, records)| (begin, records[3], records[6])).collect();
        assert_eq!(counted, [(-MINUTE_NS, 1, 1), (0, 2, 1), (MINUTE_NS, 1, 0)]);
    }
}
