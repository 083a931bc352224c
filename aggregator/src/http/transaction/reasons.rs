//! Why a transaction is complete or not, in sentences for people.

use crate::catalog::absence::{Absence, Why};
use crate::clock::rfc3339;
use crate::index::partition;
use crate::trace::assemble::Whole;
use crate::trace::bridge::{self, Left, Reason};
use crate::trace::completeness::{Behind, Completeness};
use crate::words::duration;

/// So many agents and gaps have a sentence of their own.
const NAMED_MAX: usize = 5;

/// One sentence for each thing that makes it other than settled, and for each agent that nobody waits for.
pub fn of(completeness: &Completeness) -> Vec<String> {
    let mut reasons = Vec::new();
    let named = |count: usize, what: &str| (count > NAMED_MAX).then(|| format!("{} more {what}", count - NAMED_MAX));
    reasons.extend(completeness.behind.iter().take(NAMED_MAX).map(behind));
    reasons.extend(named(completeness.behind.len(), "agents are behind"));
    reasons.extend(completeness.gone.iter().take(NAMED_MAX).map(gone));
    reasons.extend(named(completeness.gone.len(), "agents are gone"));
    reasons.extend(completeness.gaps.iter().take(NAMED_MAX).map(|at| {
        let bytes = match at.gap.end - at.gap.begin {
            0 => "an unknown number of bytes".to_owned(),
            bytes if at.gap.open_ended => format!("{bytes} bytes or more"),
            bytes => format!("{bytes} bytes"),
        };
        format!(
            "{bytes} of {} on {} were lost before they could be read, by {}",
            at.file,
            at.host,
            rfc3339(at.gap.declared_ns)
        )
    }));
    reasons.extend(named(completeness.gaps.len(), "gaps"));
    reasons.extend(completeness.removed_before_ns.map(|before| {
        format!(
            "retention has removed everything that was received before {}, and some of it may have been part of this",
            rfc3339(before)
        )
    }));
    reasons.extend(completeness.days_aside.iter().map(|day| {
        format!("the partition of {} is damaged and set aside; it may have held part of this", partition::name(*day))
    }));
    reasons.extend(completeness.absences.iter().map(absence));
    if completeness.blocks_damaged > 0 {
        reasons.push(format!(
            "{} blocks that hold part of this are damaged; `clew-aggregator verify` names them",
            completeness.blocks_damaged
        ));
    }
    reasons
}

fn absence(absence: &Absence) -> String {
    let (from, to) = (rfc3339(absence.from_ns), rfc3339(absence.to_ns));
    let may = "it may have held part of this";
    match absence.why {
        Why::AfterBackup => format!(
            "the store was restored on {to} from a backup of {from}: of what was received in between there is what agents could ship again; the \
             rest may have held part of this"
        ),
        Why::LeftOut => format!("what was received from {from} to {to} was left out of a restore; {may}"),
        Why::Damaged => {
            format!("what was received from {from} to {to} was damaged when the store was backed up; {may}")
        }
    }
}

fn behind(agent: &Behind) -> String {
    let away = if agent.connected { "" } else { ", and is not connected" };
    match (agent.watermark_ns, agent.behind_ns) {
        (Some(watermark), Some(behind)) => format!(
            "{} has shipped all that its files held at {}, and has {} more to go{away}",
            agent.host,
            rfc3339(watermark),
            duration(behind.unsigned_abs())
        ),
        _ => format!("{} has not yet said how far it has come{away}", agent.host),
    }
}

fn gone(agent: &Behind) -> String {
    let why = if agent.is_retired { "was retired by an operator" } else { "was gone when this began" };
    let word = match agent.watermark_ns {
        Some(watermark) => format!("its last word covers all up to {}", rfc3339(watermark)),
        None => "it never said how far it had come".to_owned(),
    };
    format!("{} {why} and is not waited for; {word}", agent.host)
}

/// Why an ID was not followed.
pub fn not_followed(left: &Left) -> String {
    match left.reason {
        Reason::HubOfIds(ids) => format!("it stands beside {ids} other IDs: it names no single request"),
        Reason::HubOfBlocks(blocks) => format!("it stands in more than {blocks} blocks: it names no single request"),
        Reason::Short => "it is too short to be one request's own".to_owned(),
        Reason::Limit => format!("{} other IDs were joined already", bridge::JOINED_MAX),
        Reason::OtherTime(records) => {
            format!(
                "{records} of its records lie more than an hour from all others: another use of the same ID; those near by are in"
            )
        }
    }
}

/// What is to be said of what was not followed.
pub fn warnings(whole: &Whole) -> Vec<String> {
    let more = whole.left_more;
    (more > 0).then(|| format!("{more} more IDs beside those named were not followed")).into_iter().collect()
}
