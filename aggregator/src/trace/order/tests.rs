//! Against naive looks at all pairs.

use proptest::prelude::*;

use clew_proto::v1::RecordFlag;

use super::mark::mark_roughly;
use super::*;
use crate::catalog::host_clock::Spell;
use crate::source::Source;

const MS: i64 = 1_000_000;

/// `source` is the agent's number times ten plus the file's.
fn record(source: u128, position: u64, time: i64) -> Record {
    let source = Source {
        id: Uuid::from_u128(source),
        agent: Uuid::from_u128(source / 10),
        host: format!("h{}", source / 10),
        service: "s".into(),
        path: Vec::new(),
        labels: Vec::new(),
    };
    Record {
        time,
        severity: 0,
        flags: 0,
        marks: 0,
        source: Arc::new(source),
        position,
        received_ns: i64::MAX / 8,
        length: 1,
        ids: Vec::new(),
        line: Vec::new(),
    }
}

fn clocks(offsets: &[(u128, i64, i64)]) -> HashMap<Uuid, Arc<HostClock>> {
    let clock = |min: i64, max: i64| {
        let end_ns = i64::MAX / 4;
        Arc::new(HostClock::new(vec![Spell {
            begin_ns: -end_ns,
            end_ns,
            offset_min_ns: min,
            offset_max_ns: max,
            is_joined: false,
        }]))
    };
    offsets.iter().map(|(agent, min, max)| (Uuid::from_u128(*agent), clock(*min, *max))).collect()
}

fn no_spans(_: &Record) -> Spans {
    Spans::default()
}

fn shown(ordered: &Ordered) -> Vec<(u128, u64, bool)> {
    let one = |(record, place): (&Record, &Place)| (record.source.id.as_u128(), record.position, place.is_uncertain);
    ordered.records.iter().zip(&ordered.places).map(one).collect()
}

#[test]
fn position_rules_within_a_source_and_time_across() {
    let records = vec![record(10, 20, 5), record(10, 10, 9), record(20, 0, 7), record(20, 5, 11), record(10, 10, 9)];
    let ordered = order(records, &clocks(&[(1, 0, 0), (2, 0, 0)]), no_spans);
    assert_eq!(shown(&ordered), [(20, 0, false), (10, 10, false), (10, 20, false), (20, 5, false)]);
}

#[test]
fn a_clock_that_is_behind_is_allowed_for_and_its_uncertainty_is_told() {
    let records = || vec![record(10, 0, 100 * MS + 1), record(20, 0, 40 * MS + 1), record(20, 9, 60 * MS + 1)];
    let ordered = order(records(), &clocks(&[(1, 0, 0), (2, 50 * MS, 50 * MS)]), no_spans);
    assert_eq!(shown(&ordered), [(20, 0, false), (10, 0, false), (20, 9, false)]);
    assert_eq!(ordered.records[0].time, 40 * MS + 1, "its own time is as it was");
    let ordered = order(records(), &clocks(&[(1, 0, 0), (2, 45 * MS, 55 * MS)]), no_spans);
    assert_eq!(shown(&ordered), [(20, 0, false), (10, 0, false), (20, 9, false)]);
    let ordered = order(records(), &clocks(&[(1, -6 * MS, 6 * MS), (2, 45 * MS, 55 * MS)]), no_spans);
    assert_eq!(shown(&ordered), [(20, 0, true), (10, 0, true), (20, 9, true)]);
}

#[test]
fn files_of_one_host_have_one_clock() {
    let records = vec![record(10, 0, 2001), record(11, 0, 1001), record(11, 5, 3001)];
    let ordered = order(records, &clocks(&[(1, -500 * MS, 500 * MS)]), no_spans);
    assert_eq!(shown(&ordered), [(11, 0, false), (10, 0, false), (11, 5, false)]);
}

#[test]
fn stamps_of_whole_seconds_are_anywhere_in_theirs() {
    let second = 1000 * MS;
    let records =
        vec![record(10, 0, 5 * second), record(11, 0, 5 * second + 700 * MS + 3), record(11, 5, 6 * second + 3)];
    let ordered = order(records, &clocks(&[(1, 0, 0)]), no_spans);
    assert_eq!(shown(&ordered), [(11, 0, true), (10, 0, true), (11, 5, false)]);
}

#[test]
fn the_last_line_of_a_whole_second_stands_behind_what_it_may_have_waited_for() {
    let second = 1000 * MS;
    let records = vec![
        record(10, 0, 5 * second),
        record(10, 5, 5 * second),
        record(11, 0, 5 * second + 100 * MS + 3),
        record(11, 5, 5 * second + 700 * MS + 3),
        record(11, 9, 6 * second + 3),
    ];
    let ordered = order(records, &clocks(&[(1, 0, 0)]), no_spans);
    assert_eq!(shown(&ordered), [(10, 0, true), (11, 0, true), (11, 5, true), (10, 5, true), (11, 9, false)]);
}

#[test]
fn a_clock_that_nobody_measured_makes_everything_uncertain() {
    let records = vec![record(10, 0, 100), record(20, 0, 5000)];
    let ordered = order(records, &clocks(&[(1, 0, 0)]), no_spans);
    assert!(ordered.places.iter().all(|place| place.is_uncertain));
    assert_eq!(ordered.places.iter().filter(|place| place.is_unmeasured).count(), 1);
}

#[test]
fn a_parent_stands_before_its_span_where_the_clocks_do_not_say() {
    let spans = |record: &Record| match record.source.id.as_u128() {
        10 => Spans { span: Some(1), parent: None },
        20 => Spans { span: Some(2), parent: Some(1) },
        _ => Spans { span: Some(3), parent: Some(2) },
    };
    let records = |parent: i64| vec![record(10, 0, parent), record(20, 0, 95 * MS + 1), record(30, 0, 90 * MS + 1)];
    let clocks = clocks(&[(1, -10 * MS, 10 * MS), (2, -10 * MS, 10 * MS), (3, -10 * MS, 10 * MS)]);
    let ordered = order(records(100 * MS + 1), &clocks, spans);
    assert_eq!(shown(&ordered), [(10, 0, true), (20, 0, true), (30, 0, true)]);
    let ordered = order(records(200 * MS + 1), &clocks, spans);
    assert_eq!(shown(&ordered), [(20, 0, true), (30, 0, true), (10, 0, false)], "what is certain is not turned round");
}

#[test]
fn spans_in_a_circle_are_no_trap() {
    let spans = |record: &Record| match record.source.id.as_u128() {
        10 => Spans { span: Some(1), parent: Some(2) },
        _ => Spans { span: Some(2), parent: Some(1) },
    };
    let ordered = order(vec![record(10, 0, 5), record(20, 0, 6)], &clocks(&[(1, -9, 9), (2, -9, 9)]), spans);
    assert_eq!(ordered.records.len(), 2);
}

#[test]
fn a_line_without_a_time_lies_between_its_neighbours() {
    let mut stack = record(10, 5, 100 * MS + 1);
    stack.flags = RecordFlag::TimeInherited as u8;
    let records = vec![
        record(10, 0, 100 * MS + 1),
        stack,
        record(10, 9, 300 * MS + 1),
        record(20, 0, 200 * MS + 1),
        record(20, 9, 350 * MS + 1),
    ];
    let ordered = order(records, &clocks(&[(1, 0, 0), (2, 0, 0)]), no_spans);
    assert_eq!(shown(&ordered), [(10, 0, false), (10, 5, true), (20, 0, true), (10, 9, false), (20, 9, false)]);
}

proptest! {
    /// Against a naive look at all pairs: the order breaks no certainty, and exactly those are marked that some other one
    /// may stand on the other side of.
    #[test]
    fn no_certain_pair_is_turned_round_and_all_others_are_marked(
        rows in prop::collection::vec((0u128..3, 0u128..2, 0u64..40, 0i64..60, any::<bool>()), 0..40),
        offsets in prop::collection::vec((-20i64..20, 0i64..10), 3),
        spans in prop::collection::vec((0u64..6, 0u64..6), 6),
    ) {
        let records: Vec<_> = rows.iter().map(|(agent, file, position, time, inherited)| {
            let mut record = record(agent * 10 + file, *position, time * 1000 + 1);
            record.flags = if *inherited { RecordFlag::TimeInherited as u8 } else { 0 };
            record.received_ns = 100_000;
            record
        }).collect();
        let offsets: Vec<_> = offsets.iter().enumerate().map(|(agent, (offset, uncertainty))| {
            (agent as u128, (offset - uncertainty) * 1000, (offset + uncertainty) * 1000)
        }).collect();
        let of = |record: &Record| {
            let source = record.source.id.as_u128();
            let (own, parent) = spans[(source / 10 * 2 + source % 10) as usize];
            Spans { span: Some(own), parent: Some(parent) }
        };
        let clocks = clocks(&offsets);
        let mut candidates = Vec::new();
        let ordered = order(records.clone(), &clocks, of);
        let mut wanted = records;
        wanted.sort_unstable_by(within_source);
        wanted.dedup_by(|left, right| within_source(left, right) == Ordering::Equal);
        prop_assert_eq!(ordered.records.len(), wanted.len());
        // The same places once more, one source after the other.
        let mut by_source: Vec<(usize, usize)> = (0..ordered.records.len()).map(|index| (index, 0)).collect();
        by_source.sort_by_key(|(index, _)| (ordered.records[*index].source.id, ordered.records[*index].position));
        for chunk in by_source.chunk_by(|left, right| ordered.records[left.0].source.id == ordered.records[right.0].source.id) {
            prop_assert!(chunk.windows(2).all(|pair| pair[0].0 < pair[1].0), "position rules");
            let mut own: Vec<_> = chunk.iter().map(|(index, _)| {
                candidate(ordered.records[*index].clone(), ordered.records[*index].source.id.as_u128() as usize, &of)
            }).collect();
            let clock = &clocks[&own[0].record.source.agent];
            place(&mut own, clock);
            candidates.extend(own.into_iter().zip(chunk.iter().map(|(index, _)| *index)));
        }
        candidates.sort_by_key(|(_, index)| *index);
        let candidates: Vec<_> = candidates.into_iter().map(|(candidate, _)| candidate).collect();
        for (index, this) in candidates.iter().enumerate() {
            let later = &candidates[index + 1..];
            prop_assert!(later.iter().all(|other| !other.is_before(this)), "{:?}", shown(&ordered));
            let is_uncertain = candidates.iter().any(|other| other.source != this.source && !this.is_certain_against(other));
            prop_assert_eq!(ordered.places[index].is_uncertain, is_uncertain, "{} of {:?}", index, shown(&ordered));
        }
    }

    #[test]
    fn the_rough_way_marks_no_fewer(
        rows in prop::collection::vec((0u128..5, 0u64..40, 0i64..60), 0..60),
        uncertainties in prop::collection::vec(0i64..4, 5),
    ) {
        let records: Vec<_> = rows.iter().map(|(agent, position, time)| record(agent * 10, *position, time * 1000 + 1)).collect();
        let offsets: Vec<_> = uncertainties.iter().enumerate().map(|(agent, uncertainty)| {
            (agent as u128, -uncertainty * 1000, uncertainty * 1000)
        }).collect();
        let clocks = clocks(&offsets);
        let exact = order(records, &clocks, no_spans);
        let mut rough: Vec<_> = Vec::new();
        for (index, record) in exact.records.iter().enumerate() {
            let mut candidate = candidate(record.clone(), record.source.id.as_u128() as usize, &no_spans);
            candidate.place = Place { is_uncertain: false, ..exact.places[index] };
            rough.push(candidate);
        }
        mark_roughly(&mut rough);
        for (exact, rough) in exact.places.iter().zip(&rough) {
            prop_assert!(rough.place.is_uncertain || !exact.is_uncertain);
        }
    }
}
