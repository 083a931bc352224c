//! Runs of lines that say the same: thirty retries are one line and a count.
//!
//! Lines are alike when they are of one lane and one template, and errors are only alike to errors: a failure is never hidden
//! among lines that are none. A run is as long as it can be; no two share a line.

use super::lanes::Event;

/// Shorter runs are no longer than what would stand in their place.
pub const RECORDS_MIN: usize = 3;

/// A run of alike lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fold {
    /// The first line's index.
    pub begin: usize,
    /// The index behind the last one.
    pub end: usize,
    /// The lane of all of them.
    pub lane: u32,
    /// The template of all of them.
    pub template: u32,
}

/// The runs among `events`, which are in order; `lanes` has the lane of each.
pub fn of(events: &[Event<'_>], lanes: &[u32]) -> Vec<Fold> {
    let alike = |left: usize, right: usize| {
        let (a, b) = (&events[left], &events[right]);
        lanes[left] == lanes[right] && a.template == b.template && a.is_error() == b.is_error()
    };
    let mut folds = Vec::new();
    let mut begin = 0;
    for end in 1..=events.len() {
        if end < events.len() && alike(begin, end) {
            continue;
        }
        if end - begin >= RECORDS_MIN {
            folds.push(Fold { begin, end, lane: lanes[begin], template: events[begin].template });
        }
        begin = end;
    }
    folds
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn events(rows: &[(u32, u32, u8)]) -> (Vec<Event<'static>>, Vec<u32>) {
        let event = |row: &(u32, u32, u8)| Event { template: row.1, severity: row.2, ..Event::default() };
        (rows.iter().map(event).collect(), rows.iter().map(|row| row.0).collect())
    }

    #[test]
    fn runs_of_three_and_more() {
        let rows = [(0, 1, 3), (0, 1, 3), (0, 1, 4), (0, 2, 3), (0, 2, 3), (1, 2, 3), (1, 2, 3), (1, 2, 3), (1, 2, 3)];
        let (events, lanes) = events(&rows);
        let expected =
            [Fold { begin: 0, end: 3, lane: 0, template: 1 }, Fold { begin: 5, end: 9, lane: 1, template: 2 }];
        assert_eq!(of(&events, &lanes), expected);
        assert!(of(&[], &[]).is_empty());
    }

    #[test]
    fn an_error_is_not_hidden_among_lines_that_are_none() {
        let (events, lanes) = events(&[(0, 1, 3), (0, 1, 3), (0, 1, 6), (0, 1, 3), (0, 1, 3)]);
        assert!(of(&events, &lanes).is_empty());
    }

    proptest! {
        #[test]
        fn maximal_disjoint_and_alike(rows in proptest::collection::vec((0u32..2, 0u32..2, prop_oneof![Just(3u8), Just(6u8)]), 0..60)) {
            let (events, lanes) = events(&rows);
            let key = |index: usize| (lanes[index], events[index].template, events[index].is_error());
            let folds = of(&events, &lanes);
            let mut is_in = vec![false; rows.len()];
            for fold in &folds {
                prop_assert!(fold.end - fold.begin >= RECORDS_MIN);
                prop_assert!((fold.begin..fold.end).all(|index| key(index) == key(fold.begin)));
                prop_assert!(fold.begin == 0 || key(fold.begin - 1) != key(fold.begin));
                prop_assert!(fold.end == rows.len() || key(fold.end) != key(fold.begin));
                for seen in &mut is_in[fold.begin..fold.end] {
                    prop_assert!(!*seen);
                    *seen = true;
                }
            }
            for (last, is_in) in is_in.iter().enumerate().skip(2) {
                if (last - 2..last).all(|index| key(index) == key(last)) {
                    prop_assert!(*is_in);
                }
            }
        }
    }
}
