//! Where nothing was written for long: "1.8 s of silence between gateway and billing".
//!
//! A silence lies between two records that follow each other in the order. Where they are of two hosts, their clocks' uncertainty
//! is the silence's; one that may be none, because its uncertainty is longer than itself, is not told.

use super::lanes::Event;

/// So many are told at most, the longest ones.
pub const SILENCES_MAX: usize = 20;
/// No shorter silence is told unless it is asked for.
const DURATION_NS_MIN: i64 = 100_000_000;
/// Nor one that is a smaller part of the whole: 1/10.
const PART: i64 = 10;

/// A silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Silence {
    /// The index of the last record before it.
    pub after: usize,
    /// The index of the first record behind it.
    pub before: usize,
    /// How long it was.
    pub duration_ns: i64,
    /// Give or take.
    pub uncertainty_ns: u64,
    /// The lane of the record before it.
    pub from_lane: u32,
    /// The lane of the record behind it.
    pub to_lane: u32,
}

/// What silences there were.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Silences {
    /// The longest ones, the longest first; of those that are equal the earliest first.
    pub longest: Vec<Silence>,
    /// How many there were in all.
    pub total: usize,
    /// No shorter one was counted.
    pub threshold_ns: i64,
}

/// The silences among `events`, which are in order, of `threshold_ns` and longer; `lanes` has the lane of each. Without a
/// threshold: a tenth of the whole, and no less than 100 ms.
pub fn of(events: &[Event<'_>], lanes: &[u32], threshold_ns: Option<i64>) -> Silences {
    let threshold_ns = threshold_ns.unwrap_or_else(|| chosen_threshold(events));
    let mut all: Vec<Silence> = Vec::new();
    for (after, pair) in events.windows(2).enumerate() {
        let duration_ns = pair[1].at_ns.saturating_sub(pair[0].at_ns);
        let is_same_clock = pair[0].host == pair[1].host;
        let uncertainty_ns =
            if is_same_clock { 0 } else { pair[0].uncertainty_ns.saturating_add(pair[1].uncertainty_ns) };
        if duration_ns >= threshold_ns.max(1) && duration_ns.unsigned_abs() > uncertainty_ns {
            let (from_lane, to_lane) = (lanes[after], lanes[after + 1]);
            all.push(Silence { after, before: after + 1, duration_ns, uncertainty_ns, from_lane, to_lane });
        }
    }
    let total = all.len();
    // Stable, so that the earlier of two equal ones stays in front.
    all.sort_by_key(|silence| std::cmp::Reverse(silence.duration_ns));
    all.truncate(SILENCES_MAX);
    Silences { longest: all, total, threshold_ns }
}

fn chosen_threshold(events: &[Event<'_>]) -> i64 {
    let first = events.iter().map(|event| event.at_ns).min().unwrap_or(0);
    let last = events.iter().map(|event| event.at_ns).max().unwrap_or(0);
    (last.saturating_sub(first) / PART).max(DURATION_NS_MIN)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: i64 = 1_000_000;

    fn event(host: &'static str, at_ms: i64, uncertainty_ms: i64) -> Event<'static> {
        Event { host, at_ns: at_ms * MS, uncertainty_ns: (uncertainty_ms * MS) as u64, ..Event::default() }
    }

    #[test]
    fn the_longest_first_with_who_was_silent() {
        let events = [event("a", 0, 5), event("a", 300, 5), event("b", 2_100, 7), event("b", 2_150, 7)];
        let found = of(&events, &[0, 0, 1, 1], None);
        let silence = |after, duration_ms, uncertainty_ms, to_lane| Silence {
            after,
            before: after + 1,
            duration_ns: duration_ms * MS,
            uncertainty_ns: (uncertainty_ms * MS) as u64,
            from_lane: 0,
            to_lane,
        };
        assert_eq!(found.longest, [silence(1, 1_800, 12, 1), silence(0, 300, 0, 0)]);
        assert_eq!((found.total, found.threshold_ns), (2, 215 * MS));
    }

    #[test]
    fn what_is_short_or_uncertain_is_none() {
        let short = [event("a", 0, 0), event("a", 99, 0), event("a", 130, 0)];
        assert_eq!(of(&short, &[0; 3], None).total, 0);
        assert_eq!(of(&short, &[0; 3], Some(31 * MS)).total, 2);
        assert_eq!(of(&short, &[0; 3], Some(32 * MS)).total, 1);
        let uncertain = [event("a", 0, 100), event("b", 150, 60), event("a", 400, 100)];
        let found = of(&uncertain, &[0, 1, 0], None);
        assert_eq!(found.longest.iter().map(|silence| silence.after).collect::<Vec<_>>(), [1]);
        assert_eq!(of(&[event("a", 5, 0), event("a", 5, 0), event("a", 3, 0)], &[0; 3], Some(0)).total, 0);
        assert_eq!(of(&[], &[], None).total, 0);
    }

    proptest! {
        #[test]
        fn no_longer_one_is_left_out(gaps in proptest::collection::vec(0i64..400, 0..60)) {
            let mut at = 0;
            let events: Vec<_> = gaps.iter().map(|gap| { at += gap; event("a", at, 9) }).collect();
            let found = of(&events, &vec![0; events.len()], None);
            let mut expected: Vec<i64> = gaps.iter().skip(1).map(|gap| gap * MS).filter(|gap| *gap >= found.threshold_ns).collect();
            expected.sort_unstable_by(|left, right| right.cmp(left));
            prop_assert_eq!(found.total, expected.len());
            expected.truncate(SILENCES_MAX);
            prop_assert_eq!(found.longest.iter().map(|silence| silence.duration_ns).collect::<Vec<_>>(), expected);
        }
    }
}
