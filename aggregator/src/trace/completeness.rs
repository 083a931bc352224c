//! Whether a transaction's records are all of it.
//!
//! An agent's watermark says: everything that my files held at that time is held by the aggregator. When every agent has passed
//! the receipt of the transaction's last record, and a moment more, nothing that an agent had by then can be missing: *settled*. Until
//! then it is *open*. Bytes
//! that were lost while it lasted make it *gapped*, what retention has removed of its time *expired*.
//!
//! An agent that had been silent for a day when the transaction began, or of which an operator said that it will not come back, is
//! named with its last word and not waited for. One that fell silent later is waited for, however long: it may hold lines of it. Files that no
//! agent follows cannot be proved absent. One that ended with everything delivered, and said that its files ended with it, is forgotten.

use std::collections::HashMap;
use std::sync::Arc;

use uuid::Uuid;

use crate::catalog::absence::Absence;
use crate::catalog::host_clock::HostClock;
use crate::catalog::registry::{Agent, State};
use crate::wal::entry::GapRecord;

/// The verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Some agent is behind.
    Open,
    /// Every agent has passed it.
    Settled,
    /// Bytes that could have belonged to it were lost.
    Gapped,
    /// Retention has removed records that could have belonged to it.
    Expired,
}

/// An agent whose watermark has not passed.
#[derive(Clone, Debug, PartialEq)]
pub struct Behind {
    /// Its ID.
    pub agent: Uuid,
    /// Its host.
    pub host: String,
    /// Its watermark on our clock; none: it never said.
    pub watermark_ns: Option<i64>,
    /// How far it is behind.
    pub behind_ns: Option<i64>,
    /// Whether a session is open.
    pub connected: bool,
    /// When it was last heard.
    pub last_seen_ns: i64,
    /// An operator said that it will not come back.
    pub is_retired: bool,
}

/// A gap, with the place where it is.
#[derive(Clone, Debug, PartialEq)]
pub struct GapAt {
    /// The source's host.
    pub host: String,
    /// The source's service.
    pub service: String,
    /// The source's file.
    pub file: String,
    /// The gap.
    pub gap: GapRecord,
}

/// The verdict with its reasons.
#[derive(Clone, Debug, PartialEq)]
pub struct Completeness {
    /// The verdict.
    pub verdict: Verdict,
    /// What was written until then is held, as far as agents are waited for; none: one of them never said.
    pub complete_to_ns: Option<i64>,
    /// Who is behind and waited for.
    pub behind: Vec<Behind>,
    /// Who has not passed it either, and is not waited for.
    pub gone: Vec<Behind>,
    /// The gaps that count.
    pub gaps: Vec<GapAt>,
    /// Everything received before was removed, and that may have been part of it.
    pub removed_before_ns: Option<i64>,
    /// Days, since the epoch, whose partitions are set aside, and that may have held part of it.
    pub days_aside: Vec<i64>,
    /// Times of receipt of which a restore left something out, and that it may have lasted into.
    pub absences: Vec<Absence>,
    /// Blocks that hold part of it and cannot be read.
    pub blocks_damaged: usize,
}

/// What is known of the records that were found.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    /// The earliest may have been written then, by our clock.
    pub earliest_ns: i64,
    /// The latest.
    pub latest_ns: i64,
    /// When the first of them was received.
    pub received_min_ns: i64,
    /// When the last of them was received. That is what the watermarks must have passed: the records' own stamps may be hours off,
    /// in either direction.
    pub received_max_ns: i64,
    /// Blocks that hold others, and cannot be read.
    pub blocks_damaged: usize,
}

/// Where a request goes on, hosts ship their lines one after the other: an agent has passed when its watermark is so long after the
/// last receipt.
const SETTLE_NS: i64 = 2_000_000_000;
/// What is missing in a gap was written between the source's last arrival before it and its declaration, give or take so
/// much: clocks differ, and lines wait before they are shipped.
const GAP_SLACK_NS: i64 = 60_000_000_000;
/// A request may have begun so long before its first record that is still there.
const BEGIN_SLACK_NS: i64 = 3_600_000_000_000;
/// An agent that was not heard for so long is gone: a host that was retired, a container that got another name.
const GONE_NS: i64 = 86_400_000_000_000;
const DAY_NS: i64 = 86_400_000_000_000;

/// The agents whose watermark lies before `time_ns`.
pub fn behind(said: &Said, time_ns: i64) -> Vec<Behind> {
    let mut behind: Vec<_> = said
        .agents
        .iter()
        .filter_map(|(id, agent)| {
            let watermark_ns = agent.watermark();
            let passed = agent.has_left || watermark_ns.is_some_and(|watermark| watermark >= time_ns);
            (!passed).then(|| Behind {
                agent: *id,
                host: agent.host.clone(),
                watermark_ns,
                behind_ns: watermark_ns.map(|watermark| time_ns.saturating_sub(watermark)),
                connected: agent.sessions > 0,
                last_seen_ns: agent.last_seen_ns,
                is_retired: agent.retired_ns > 0,
            })
        })
        .collect();
    behind.sort_by(|left, right| left.host.cmp(&right.host).then(left.agent.cmp(&right.agent)));
    behind
}

/// Whether nobody waits for an agent, seen from a time.
fn is_gone(connected: bool, is_retired: bool, last_seen_ns: i64, from_ns: i64) -> bool {
    !connected && (is_retired || from_ns.saturating_sub(last_seen_ns) > GONE_NS)
}

/// What the agents had said at one moment. To be taken before the records are looked for: what comes in between then is
/// found and not yet promised, never the other way round.
pub struct Said {
    agents: Vec<(Uuid, Agent)>,
    gaps: Vec<GapAt>,
    removed_before_ns: i64,
    days_aside: Vec<i64>,
    absences: Vec<Absence>,
}

impl Said {
    /// As of now.
    pub fn now(state: &State) -> Self {
        let gaps = state.sources.values().flat_map(|entry| {
            entry.gaps.iter().map(|gap| GapAt {
                host: entry.source.host.clone(),
                service: entry.source.service.clone(),
                file: entry.source.file(),
                gap: gap.clone(),
            })
        });
        Self {
            agents: state.agents.iter().map(|(id, agent)| (*id, agent.clone())).collect(),
            gaps: gaps.collect(),
            removed_before_ns: state.removed_before_ns,
            days_aside: state.days_aside.clone(),
            absences: state.absences.clone(),
        }
    }

    /// The hosts' clocks, by agent.
    pub fn clocks(&self) -> HashMap<Uuid, Arc<HostClock>> {
        self.agents.iter().map(|(id, agent)| (*id, Arc::clone(&agent.clock))).collect()
    }
}

/// Of a transaction with these records.
pub fn of(said: &Said, found: Found) -> Completeness {
    let begin_ns = found.earliest_ns.max(found.received_min_ns.saturating_sub(GONE_NS)).min(found.received_min_ns);
    let is_gone = |agent: &Behind| is_gone(agent.connected, agent.is_retired, agent.last_seen_ns, begin_ns);
    let (gone, behind): (Vec<_>, Vec<_>) =
        behind(said, found.received_max_ns.saturating_add(SETTLE_NS)).into_iter().partition(is_gone);
    let waited_for =
        said.agents.iter().filter(|(_, agent)| !agent.has_left).filter(|(_, agent)| {
            !self::is_gone(agent.sessions > 0, agent.retired_ns > 0, agent.last_seen_ns, begin_ns)
        });
    let gaps: Vec<_> = said
        .gaps
        .iter()
        .filter(|GapAt { gap, .. }| {
            gap.since_ns <= found.latest_ns.max(found.received_max_ns).saturating_add(GAP_SLACK_NS)
                && gap.declared_ns.saturating_add(GAP_SLACK_NS) >= begin_ns
        })
        .cloned()
        .collect();
    let from_ns = begin_ns.saturating_sub(BEGIN_SLACK_NS);
    let removed_before_ns = Some(said.removed_before_ns).filter(|before| *before > 0 && *before > from_ns);
    let to_ns = found.received_max_ns.saturating_add(BEGIN_SLACK_NS);
    let days = from_ns.div_euclid(DAY_NS)..=to_ns.div_euclid(DAY_NS);
    let days_aside: Vec<i64> = said.days_aside.iter().copied().filter(|day| days.contains(day)).collect();
    let lasted_into = |absence: &&Absence| absence.to_ns > from_ns && absence.from_ns <= to_ns;
    let absences: Vec<Absence> = said.absences.iter().filter(lasted_into).copied().collect();
    let is_gapped = !gaps.is_empty() || !days_aside.is_empty() || !absences.is_empty() || found.blocks_damaged > 0;
    let verdict = match (is_gapped, removed_before_ns.is_some(), behind.is_empty()) {
        (true, ..) => Verdict::Gapped,
        (false, true, _) => Verdict::Expired,
        (false, false, false) => Verdict::Open,
        (false, false, true) => Verdict::Settled,
    };
    Completeness {
        verdict,
        complete_to_ns: waited_for.map(|(_, agent)| agent.watermark()).min().flatten(),
        behind,
        gone,
        gaps,
        removed_before_ns,
        days_aside,
        absences,
        blocks_damaged: found.blocks_damaged,
    }
}

#[cfg(test)]
mod tests {
    use clew_proto::v1;

    use super::*;
    use crate::catalog::absence::Why;
    use crate::wal::entry::Event;

    fn state(watermarks: &[i64]) -> State {
        let mut state = State::default();
        for (index, watermark_ns) in watermarks.iter().enumerate() {
            let watermark_ns = if *watermark_ns > 0 { watermark_ns + SETTLE_NS } else { 0 };
            let agent = Agent { host: format!("h{index}"), watermark_ns, ..Agent::default() };
            state.agents.insert(Uuid::from_u128(index as u128), agent);
        }
        state
    }

    fn found(earliest_ns: i64, latest_ns: i64) -> Found {
        Found { earliest_ns, latest_ns, received_min_ns: earliest_ns, received_max_ns: latest_ns, blocks_damaged: 0 }
    }

    fn verdict(state: &State, found: Found) -> Verdict {
        of(&Said::now(state), found).verdict
    }

    #[test]
    fn settled_when_every_watermark_has_passed() {
        assert_eq!(verdict(&state(&[100, 101]), found(50, 100)), Verdict::Settled);
        let open = of(&Said::now(&state(&[100, 99, 0])), found(50, 100));
        assert_eq!((open.verdict, open.complete_to_ns), (Verdict::Open, None));
        let hosts: Vec<_> = open.behind.iter().map(|agent| (agent.host.as_str(), agent.behind_ns)).collect();
        assert_eq!(hosts, [("h1", Some(1)), ("h2", None)]);
    }

    #[test]
    fn an_agents_own_word_counts() {
        let mut state = state(&[0]);
        let agent = Uuid::from_u128(0);
        let said = |time_ns: i64| v1::Watermark { time_ns: (time_ns + SETTLE_NS) as u64, ..Default::default() };
        state.watermark(agent, &v1::Watermark::default());
        assert_eq!(verdict(&state, found(50, 100)), Verdict::Open, "it cannot say yet");
        state.watermark(agent, &said(99));
        assert_eq!(verdict(&state, found(50, 100)), Verdict::Open);
        state.watermark(agent, &said(100));
        assert_eq!(verdict(&state, found(50, 100)), Verdict::Settled);
    }

    #[test]
    fn a_gap_without_bytes_counts_when_its_end_is_open() {
        let mut state = state(&[100]);
        let (agent, source) = (Uuid::from_u128(0), Uuid::from_u128(9));
        let open = v1::OpenSource { source_id: source.into_bytes().to_vec().into(), ..Default::default() };
        state.open(agent, &open, 50).unwrap();
        let gap = GapRecord { source: source.into_bytes().to_vec(), open_ended: true, ..GapRecord::default() };
        state.apply(&Event::Gap(gap), 90);
        assert_eq!(verdict(&state, found(50, 100)), Verdict::Gapped);
        let later = 90 + GAP_SLACK_NS + 1;
        assert!(of(&Said::now(&state), found(later, later)).gaps.is_empty());
    }

    #[test]
    fn an_agent_that_fell_silent_before_is_named_and_one_that_fell_silent_since_is_waited_for() {
        let mut state = state(&[GONE_NS * 3, 99]);
        state.agents.get_mut(&Uuid::from_u128(1)).unwrap().last_seen_ns = 100;
        let later = of(&Said::now(&state), found(GONE_NS + 101, GONE_NS + 102));
        assert_eq!((later.verdict, later.gone.len(), later.behind.len()), (Verdict::Settled, 1, 0));
        let while_it_lived = of(&Said::now(&state), found(GONE_NS + 100, GONE_NS + 102));
        assert_eq!((while_it_lived.verdict, while_it_lived.gone.len()), (Verdict::Open, 0));
    }

    #[test]
    fn a_retired_agent_is_not_waited_for_until_it_comes_back() {
        let mut state = state(&[200, 99]);
        let agent = Uuid::from_u128(1);
        assert_eq!(verdict(&state, found(50, 100)), Verdict::Open);
        assert_eq!(state.retire(agent, 300), Some(true));
        let retired = of(&Said::now(&state), found(50, 100));
        assert_eq!((retired.verdict, retired.gone[0].is_retired), (Verdict::Settled, true));
        state.hello(agent, &v1::Hello::default(), 400).unwrap();
        assert_eq!(verdict(&state, found(50, 100)), Verdict::Open);
        assert_eq!(state.retire(agent, 500), Some(false), "it is here");
        assert_eq!(state.retire(Uuid::from_u128(77), 500), None);
    }

    #[test]
    fn an_agent_that_left_with_everything_delivered_is_forgotten_until_it_is_back() {
        let mut state = state(&[200, 99]);
        let agent = Uuid::from_u128(1);
        state.watermark(agent, &v1::Watermark { leaves: true, ..Default::default() });
        let left = of(&Said::now(&state), found(50, 100));
        assert_eq!((left.verdict, left.gone.len(), left.complete_to_ns), (Verdict::Settled, 0, Some(200 + SETTLE_NS)));
        state.hello(agent, &v1::Hello::default(), 400).unwrap();
        assert_eq!(verdict(&state, found(50, 100)), Verdict::Open);
    }

    #[test]
    fn what_retention_or_damage_has_eaten_into_is_told() {
        let mut state = state(&[DAY_NS * 10]);
        state.removed_before_ns = DAY_NS * 5;
        let near = found(DAY_NS * 5 + 1, DAY_NS * 5 + 2);
        assert_eq!(verdict(&state, near), Verdict::Expired);
        let later = found(DAY_NS * 5 + BEGIN_SLACK_NS, DAY_NS * 5 + BEGIN_SLACK_NS + 1);
        assert_eq!(verdict(&state, later), Verdict::Settled);
        assert_eq!(verdict(&state, Found { blocks_damaged: 1, ..later }), Verdict::Gapped);
        state.days_aside = vec![6];
        assert_eq!(verdict(&state, later), Verdict::Settled);
        assert_eq!(verdict(&state, found(DAY_NS * 6 - 9, DAY_NS * 6 - 8)), Verdict::Gapped);
    }

    #[test]
    fn what_a_restore_left_out_is_told_of_its_time_alone() {
        let mut state = state(&[DAY_NS * 10]);
        let between = Absence { from_ns: DAY_NS * 7, to_ns: DAY_NS * 7 + 50, why: Why::AfterBackup };
        state.absences = vec![Absence::of_day_left_out(5), between];
        let of_day = of(&Said::now(&state), found(DAY_NS * 5 + 1, DAY_NS * 5 + 2));
        assert_eq!((of_day.verdict, of_day.absences.as_slice()), (Verdict::Gapped, &state.absences[..1]));
        let before = DAY_NS * 5 - BEGIN_SLACK_NS - 2;
        assert_eq!(verdict(&state, found(before, before + 1)), Verdict::Settled);
        assert_eq!(verdict(&state, found(before, before + 2)), Verdict::Gapped);
        let after = DAY_NS * 7 + 50 + BEGIN_SLACK_NS;
        assert_eq!(verdict(&state, found(after, after + 1)), Verdict::Settled);
        assert_eq!(verdict(&state, found(after - 1, after)), Verdict::Gapped);
    }
}
