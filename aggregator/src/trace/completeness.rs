//! Whether a transaction's records are all of it.
//!
//! An agent's watermark says: everything that my files held at that time is held by the aggregator. When every agent that
//! was ever heard has passed the receipt of the transaction's last record, nothing that an agent had can be missing: *settled*. Until
//! then it is *open*. An agent that was silent for a day is named, and no longer waited for. A gap that an agent declared while it lasted makes it *gapped*. Files that no agent follows cannot
//! be proved absent, and an agent's clock counts with its measured offset.

use uuid::Uuid;

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
    /// Who is behind.
    pub behind: Vec<Behind>,
    /// The gaps that count.
    pub gaps: Vec<GapAt>,
}

/// What is missing in a gap was written between the source's last arrival before it and its declaration, give or take so
/// much: clocks differ, and lines wait before they are shipped.
const GAP_SLACK_NS: i64 = 60_000_000_000;

/// The agents whose watermark lies before `time_ns`.
pub fn behind(said: &Said, time_ns: i64) -> Vec<Behind> {
    let mut behind: Vec<_> = said
        .agents
        .iter()
        .filter_map(|(id, agent)| {
            let watermark_ns = agent.watermark();
            let passed = watermark_ns.is_some_and(|watermark| watermark >= time_ns);
            (!passed).then(|| Behind {
                agent: *id,
                host: agent.host.clone(),
                watermark_ns,
                behind_ns: watermark_ns.map(|watermark| time_ns.saturating_sub(watermark)),
                connected: agent.sessions > 0,
                last_seen_ns: agent.last_seen_ns,
            })
        })
        .collect();
    behind.sort_by(|left, right| left.host.cmp(&right.host).then(left.agent.cmp(&right.agent)));
    behind
}

/// An agent that was not heard for so long is gone: a host that was retired, a container that got another name.
const GONE_NS: i64 = 86_400_000_000_000;

/// What the agents had said at one moment. To be taken before the records are looked for: what comes in between then is
/// found and not yet promised, never the other way round.
pub struct Said {
    at_ns: i64,
    agents: Vec<(Uuid, Agent)>,
    gaps: Vec<GapAt>,
}

impl Said {
    /// As of `at_ns`, which is now.
    pub fn now(state: &State, at_ns: i64) -> Self {
        let gaps = state.sources.values().flat_map(|entry| {
            entry.gaps.iter().map(|gap| GapAt {
                host: entry.source.host.clone(),
                service: entry.source.service.clone(),
                file: entry.source.file(),
                gap: gap.clone(),
            })
        });
        Self {
            at_ns,
            agents: state.agents.iter().map(|(id, agent)| (*id, agent.clone())).collect(),
            gaps: gaps.collect(),
        }
    }
}

/// Of a transaction whose records lie between the two times, and of which the last was received at `received_max`. That time
/// is what the watermarks must have passed: the records' own stamps may be hours off, in either direction.
pub fn of(said: &Said, time_min: i64, time_max: i64, received_max: i64) -> Completeness {
    let behind = behind(said, received_max);
    let gaps: Vec<_> = said
        .gaps
        .iter()
        .filter(|GapAt { gap, .. }| {
            gap.since_ns <= time_max.saturating_add(GAP_SLACK_NS)
                && gap.declared_ns.saturating_add(GAP_SLACK_NS) >= time_min
        })
        .cloned()
        .collect();
    let lives = |agent: &Behind| agent.connected || said.at_ns.saturating_sub(agent.last_seen_ns) < GONE_NS;
    let verdict = match (gaps.is_empty(), !behind.iter().any(lives)) {
        (false, _) => Verdict::Gapped,
        (true, false) => Verdict::Open,
        (true, true) => Verdict::Settled,
    };
    Completeness { verdict, behind, gaps }
}

#[cfg(test)]
mod tests {
    use clew_proto::v1;

    use super::*;
    use crate::wal::entry::Event;

    fn state(watermarks: &[i64]) -> State {
        let mut state = State::default();
        for (index, watermark_ns) in watermarks.iter().enumerate() {
            let agent = Agent { host: format!("h{index}"), watermark_ns: *watermark_ns, ..Agent::default() };
            state.agents.insert(Uuid::from_u128(index as u128), agent);
        }
        state
    }

    #[test]
    fn settled_when_every_watermark_has_passed() {
        assert_eq!(of(&Said::now(&state(&[100, 101]), 200), 50, 100, 100).verdict, Verdict::Settled);
        let open = of(&Said::now(&state(&[100, 99, 0]), 200), 50, 100, 100);
        assert_eq!(open.verdict, Verdict::Open);
        let hosts: Vec<_> = open.behind.iter().map(|agent| (agent.host.as_str(), agent.behind_ns)).collect();
        assert_eq!(hosts, [("h1", Some(1)), ("h2", None)]);
    }

    #[test]
    fn a_clock_that_is_ahead_does_not_settle_early() {
        let mut state = state(&[150]);
        let agent = state.agents.get_mut(&Uuid::from_u128(0)).unwrap();
        (agent.clock_offset_ns, agent.clock_uncertainty_ns) = (-60, 5);
        assert_eq!(of(&Said::now(&state, 200), 50, 100, 100).verdict, Verdict::Open);
    }

    #[test]
    fn a_gap_without_bytes_counts_when_its_end_is_open() {
        let mut state = state(&[100]);
        let (agent, source) = (Uuid::from_u128(0), Uuid::from_u128(9));
        let open = v1::OpenSource { source_id: source.into_bytes().to_vec().into(), ..Default::default() };
        state.open(agent, &open, 50).unwrap();
        let gap = GapRecord { source: source.into_bytes().to_vec(), open_ended: true, ..GapRecord::default() };
        state.apply(&Event::Gap(gap), 90);
        assert_eq!(of(&Said::now(&state, 200), 50, 100, 100).verdict, Verdict::Gapped);
        let later = 90 + GAP_SLACK_NS + 1;
        assert!(of(&Said::now(&state, 200), later, later, 100).gaps.is_empty());
    }

    #[test]
    fn an_agent_that_is_gone_for_good_is_named_and_not_waited_for() {
        let answer = of(&Said::now(&state(&[100, 99]), GONE_NS + 1), 50, 100, 100);
        assert_eq!((answer.verdict, answer.behind.len()), (Verdict::Settled, 1));
    }
}
