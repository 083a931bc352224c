//! The lanes of a transaction: one for each service on each host, in the order of their first record.
//!
//! A lane's caller is known from spans alone: a record of the lane names as its parent a span that another lane wrote with. Where
//! records contradict each other, or lanes would call each other in a circle, there is no caller.
//!
//! Entry and exit: the entry is the lane of the first record, or of the caller that leads to it, as far as callers lead; the exit is
//! the lane of the last record, which is where the transaction was seen last.

use clew_proto::v1::Severity;
use foldhash::fast::FixedState;
use hashbrown::HashMap;

/// Columns of a lane's activity, over the time from the first record of all to the last.
pub const BINS: usize = 200;

/// What is to be known of one record. Records stand in the order of the transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Event<'a> {
    pub service: &'a str,
    pub host: &'a str,
    /// By a clock that all hosts share, nanoseconds since the epoch.
    pub at_ns: i64,
    /// How far that may be off, in either direction.
    pub uncertainty_ns: u64,
    /// A [`Severity`].
    pub severity: u8,
    pub template: u32,
    pub span: Option<u64>,
    pub parent: Option<u64>,
}

impl Event<'_> {
    /// Whether its severity is error or above.
    pub fn is_error(&self) -> bool {
        self.severity >= Severity::Error as u8
    }
}

/// What a service on a host did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane {
    pub service: String,
    pub host: String,
    /// When its earliest record was written.
    pub first_ns: i64,
    /// When its latest record was written.
    pub last_ns: i64,
    pub records: u64,
    pub errors: u64,
    /// The index of its first error.
    pub first_error: Option<usize>,
    /// The lane that called it.
    pub caller: Option<u32>,
    /// The bins that hold records.
    pub activity: Vec<Activity>,
}

/// What one bin holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Activity {
    /// Below [`BINS`].
    pub bin: u16,
    pub records: u32,
    pub errors: u32,
}

/// The lanes of a transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lanes {
    pub lanes: Vec<Lane>,
    /// The lane of each record.
    pub of: Vec<u32>,
    /// The lane where it came in; none without records.
    pub entry: Option<u32>,
    /// The lane where it was seen last; none without records.
    pub exit: Option<u32>,
    /// The index of the first error.
    pub first_error: Option<usize>,
}

/// The lanes of `events`, which are in order.
pub fn of(events: &[Event<'_>]) -> Lanes {
    let mut found = assigned(events);
    fill(&mut found, events);
    for (lane, caller) in callers(events, &found.of, found.lanes.len()).into_iter().enumerate() {
        found.lanes[lane].caller = caller;
    }
    found.entry = found.of.first().map(|lane| root(*lane, &found.lanes));
    found.exit = found.of.last().copied();
    found.first_error = events.iter().position(Event::is_error);
    found
}

/// Who wrote what; nothing is counted yet.
fn assigned(events: &[Event<'_>]) -> Lanes {
    let mut found = Lanes::default();
    let mut places: HashMap<(&str, &str), u32, FixedState> = HashMap::default();
    let mut last = ("", "", u32::MAX);
    for event in events {
        // The next record is often of the same lane.
        let lane = if last.2 != u32::MAX && (last.0, last.1) == (event.service, event.host) {
            last.2
        } else {
            *places.entry((event.service, event.host)).or_insert_with(|| {
                found.lanes.push(Lane {
                    service: event.service.to_owned(),
                    host: event.host.to_owned(),
                    first_ns: event.at_ns,
                    last_ns: event.at_ns,
                    records: 0,
                    errors: 0,
                    first_error: None,
                    caller: None,
                    activity: Vec::new(),
                });
                found.lanes.len() as u32 - 1
            })
        };
        last = (event.service, event.host, lane);
        found.of.push(lane);
    }
    found
}

/// Counts the records of each lane.
fn fill(found: &mut Lanes, events: &[Event<'_>]) {
    let first = events.iter().map(|event| event.at_ns).min().unwrap_or(0);
    let last = events.iter().map(|event| event.at_ns).max().unwrap_or(0);
    let whole = last.abs_diff(first);
    for (index, (event, lane)) in events.iter().zip(&found.of).enumerate() {
        let lane = &mut found.lanes[*lane as usize];
        let is_error = event.is_error();
        lane.first_ns = lane.first_ns.min(event.at_ns);
        lane.last_ns = lane.last_ns.max(event.at_ns);
        lane.records += 1;
        lane.errors += u64::from(is_error);
        if is_error && lane.first_error.is_none() {
            lane.first_error = Some(index);
        }
        let bin = bin(event.at_ns.abs_diff(first), whole);
        // Mostly the bin of the record before, for they are in order.
        match lane.activity.iter_mut().rev().find(|activity| activity.bin == bin) {
            Some(activity) => {
                activity.records += 1;
                activity.errors += u32::from(is_error);
            }
            None => lane.activity.push(Activity { bin, records: 1, errors: u32::from(is_error) }),
        }
    }
    for lane in &mut found.lanes {
        lane.activity.sort_unstable_by_key(|activity| activity.bin);
    }
}

/// The bin of what was written so long behind the first record; the last record is in the last bin.
fn bin(behind_ns: u64, whole_ns: u64) -> u16 {
    let bin = u128::from(behind_ns) * BINS as u128 / (u128::from(whole_ns) + 1);
    bin as u16
}

/// The caller of each lane.
fn callers(events: &[Event<'_>], of: &[u32], lanes: usize) -> Vec<Option<u32>> {
    // Which lanes wrote with which span.
    let spans = events.iter().zip(of).filter_map(|(event, lane)| Some((event.span?, *lane)));
    let mut spans: Vec<(u64, u32)> = spans.collect();
    spans.sort_unstable();
    spans.dedup();
    let mut calls: Vec<(u32, u64)> =
        events.iter().zip(of).filter_map(|(event, lane)| Some((*lane, event.parent?))).collect();
    calls.sort_unstable();
    calls.dedup();
    // Each parent that a lane names has one vote, however many records name it.
    let mut votes: Vec<HashMap<u32, usize, FixedState>> = vec![HashMap::default(); lanes];
    for (lane, parent) in calls {
        let begin = spans.partition_point(|(span, _)| *span < parent);
        let writers = spans[begin..].iter().take_while(|(span, _)| *span == parent).map(|(_, writer)| *writer);
        let writers: Vec<u32> = writers.take(2).collect();
        // A span of its own is no call, and one that two lanes share says nothing.
        if let [writer] = writers[..]
            && writer != lane
        {
            *votes[lane as usize].entry(writer).or_default() += 1;
        }
    }
    let majority = |votes: &HashMap<u32, usize, FixedState>| {
        let all: usize = votes.values().sum();
        votes.iter().find(|(_, count)| **count * 2 > all).map(|(caller, _)| *caller)
    };
    without_circles(votes.iter().map(majority).collect())
}

/// Takes the callers away of lanes that call each other in a circle.
fn without_circles(callers: Vec<Option<u32>>) -> Vec<Option<u32>> {
    let mut is_in_circle = vec![false; callers.len()];
    // Which walk has passed a lane: each lane is passed once.
    let mut walk = vec![usize::MAX; callers.len()];
    for begin in 0..callers.len() {
        let mut lane = begin;
        while walk[lane] == usize::MAX {
            walk[lane] = begin;
            match callers[lane] {
                Some(caller) => lane = caller as usize,
                None => break,
            }
        }
        if walk[lane] == begin && callers[lane].is_some() && !is_in_circle[lane] {
            // This walk met its own way again: from here on it is a circle.
            let mut at = lane;
            loop {
                is_in_circle[at] = true;
                at = callers[at].map_or(lane, |caller| caller as usize);
                if at == lane {
                    break;
                }
            }
        }
    }
    callers.into_iter().zip(is_in_circle).map(|(caller, circle)| caller.filter(|_| !circle)).collect()
}

/// Where the callers of `lane` lead.
fn root(mut lane: u32, lanes: &[Lane]) -> u32 {
    while let Some(caller) = lanes[lane as usize].caller {
        lane = caller;
    }
    lane
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn event(service: &'static str, at_ns: i64, severity: u8, span: u64, parent: u64) -> Event<'static> {
        let id = |id: u64| Some(id).filter(|id| *id > 0);
        Event { service, host: "h", at_ns, severity, span: id(span), parent: id(parent), ..Event::default() }
    }

    fn callers_of(events: &[Event<'_>]) -> Vec<Option<u32>> {
        of(events).lanes.iter().map(|lane| lane.caller).collect()
    }

    #[test]
    fn what_each_lane_did() {
        let events = [
            event("gateway", 1_000, 3, 0, 0),
            event("cart", 1_005, 6, 0, 0),
            Event { host: "i", ..event("cart", 1_010, 5, 0, 0) },
            event("gateway", 1_199, 7, 0, 0),
        ];
        let found = of(&events);
        let names: Vec<_> = found.lanes.iter().map(|lane| (lane.service.as_str(), lane.host.as_str())).collect();
        assert_eq!(names, [("gateway", "h"), ("cart", "h"), ("cart", "i")]);
        assert_eq!(found.of, [0, 1, 2, 0]);
        assert_eq!((found.entry, found.exit, found.first_error), (Some(0), Some(0), Some(1)));
        let gateway = &found.lanes[0];
        assert_eq!((gateway.first_ns, gateway.last_ns, gateway.records, gateway.errors), (1_000, 1_199, 2, 1));
        assert_eq!(gateway.first_error, Some(3));
        let activity = |bin, records, errors| Activity { bin, records, errors };
        assert_eq!(gateway.activity, [activity(0, 1, 0), activity(199, 1, 1)]);
        assert_eq!(found.lanes[1].activity, [activity(5, 1, 1)]);
        assert_eq!(of(&[]), Lanes::default());
    }

    #[test]
    fn a_parent_in_another_lane_is_the_caller() {
        // The gateway wrote its only line when all was over.
        let events = [
            event("cart", 1, 3, 2, 1),
            event("stock", 2, 3, 3, 2),
            event("stock", 3, 3, 4, 3),
            event("mail", 4, 3, 5, 77),
            event("gateway", 5, 3, 1, 0),
        ];
        assert_eq!(callers_of(&events), [Some(3), Some(0), None, None]);
        assert_eq!((of(&events).entry, of(&events).exit), (Some(3), Some(3)));
    }

    #[test]
    fn contradictions_have_no_caller() {
        let split = [event("a", 1, 3, 1, 0), event("b", 2, 3, 2, 0), event("c", 3, 3, 3, 1), event("c", 4, 3, 4, 2)];
        assert_eq!(callers_of(&split), [None, None, None]);
        let majority = [split.as_slice(), &[event("a", 5, 3, 9, 0), event("c", 6, 3, 5, 9)]].concat();
        assert_eq!(callers_of(&majority), [None, None, Some(0)]);
        let shared = [event("a", 1, 3, 1, 0), event("b", 2, 3, 1, 0), event("c", 3, 3, 3, 1)];
        assert_eq!(callers_of(&shared), [None, None, None]);
        let circle = [event("a", 1, 3, 1, 3), event("b", 2, 3, 2, 1), event("c", 3, 3, 3, 2), event("d", 4, 3, 4, 3)];
        assert_eq!(callers_of(&circle), [None, None, None, Some(2)]);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_nothing_goes_in_circles(
            rows in proptest::collection::vec((0usize..4, 0usize..3, -50i64..50, 0u8..8, 0u64..9, 0u64..9), 0..80),
        ) {
            const NAMES: [&str; 4] = ["a", "b", "c", "d"];
            let events: Vec<_> = rows.iter().map(|(service, host, at, severity, span, parent)| Event {
                host: NAMES[*host], ..event(NAMES[*service], *at, *severity, *span, *parent)
            }).collect();
            let found = of(&events);
            prop_assert_eq!(found.lanes.iter().map(|lane| lane.records).sum::<u64>(), events.len() as u64);
            for (index, lane) in found.lanes.iter().enumerate() {
                prop_assert_eq!(lane.activity.iter().map(|activity| u64::from(activity.records)).sum::<u64>(), lane.records);
                prop_assert_eq!(lane.activity.iter().map(|activity| u64::from(activity.errors)).sum::<u64>(), lane.errors);
                prop_assert!(lane.activity.windows(2).all(|pair| pair[0].bin < pair[1].bin));
                prop_assert!(lane.activity.iter().all(|activity| usize::from(activity.bin) < BINS));
                let mut steps = 0;
                let mut at = index;
                while let Some(caller) = found.lanes[at].caller {
                    at = caller as usize;
                    steps += 1;
                    prop_assert!(steps <= found.lanes.len());
                }
            }
        }
    }
}
