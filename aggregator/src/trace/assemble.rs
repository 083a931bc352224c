//! One transaction as a whole: its records under all of its IDs, in order; who wrote what, where time went; and whether that is
//! all of it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use uuid::Uuid;

use super::bridge::{self, Carriers, Joined, Left};
use super::completeness::{self, Completeness, Found, Said};
use super::fold::{self, Fold};
use super::lanes::{self, Event, Lanes};
use super::order::{self, Ordered};
use super::silence::{self, Silences};
use super::span;
use super::template::{Miner, Templates};
use crate::catalog::host_clock::{HostClock, Reading};
use crate::id::Canonical;
use crate::record::Record;

/// How a transaction is put together.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Whether bridges are followed.
    pub bridges: bool,
    /// The shortest silence that is told; none: as the whole suggests.
    pub silence_ns: Option<i64>,
}

/// One transaction.
#[derive(Debug)]
pub struct Whole {
    /// Its records in order; at least one.
    pub ordered: Ordered,
    /// Who wrote what.
    pub lanes: Lanes,
    /// Where nothing was written for long.
    pub silences: Silences,
    /// Runs of alike lines.
    pub folds: Vec<Fold>,
    /// The template of each record.
    pub template_of: Vec<u32>,
    /// What the templates say.
    pub templates: Templates,
    /// The IDs that were joined to the one that was asked for.
    pub joined: Vec<Joined>,
    /// IDs that were not followed, as far as they are named.
    pub left: Vec<Left>,
    /// How many more were not followed.
    pub left_more: usize,
    /// Whether that is all of it.
    pub completeness: Completeness,
    /// The clocks of its hosts.
    pub clocks: Vec<HostReading>,
}

/// A host's clock while the transaction lasted.
#[derive(Debug)]
pub struct HostReading {
    /// The agent that measured it.
    pub agent: Uuid,
    /// The host.
    pub host: String,
    /// What is known of it.
    pub reading: Reading,
}

/// An interval that is not known counts as so long: no silence is told across it.
const UNKNOWN_NS: u64 = 1 << 60;

/// Everything of the IDs `asked`; none: nothing carries one of them.
pub fn assemble<C: Carriers>(
    asked: &[Canonical],
    said: &Said,
    carriers: &mut C,
    options: Options,
) -> Result<Option<Whole>, C::Error> {
    let transaction = if options.bridges {
        bridge::join(asked, carriers)?
    } else {
        bridge::Transaction { records: carriers.records(asked)?, ..bridge::Transaction::default() }
    };
    let clocks = said.clocks();
    let ordered = in_order(transaction.records, &clocks);
    let Some(found) = found(&ordered, carriers.blocks_damaged()) else { return Ok(None) };
    let mut miner = Miner::default();
    let texts: Vec<_> = ordered.records.iter().map(|record| miner.line(&record.line)).collect();
    let templates = miner.finish();
    let template_of: Vec<u32> = texts.into_iter().map(|text| templates.of(text)).collect();
    let (lanes, silences, folds) = {
        let events = ordered.events(&template_of);
        let lanes = lanes::of(&events);
        let silences = silence::of(&events, &lanes.of, options.silence_ns);
        let folds = fold::of(&events, &lanes.of);
        (lanes, silences, folds)
    };
    let mut hosts: BTreeMap<(&str, Uuid), (i64, i64)> = BTreeMap::new();
    for (record, place) in ordered.records.iter().zip(&ordered.places) {
        let (first, last) = hosts.entry((&record.source.host, record.source.agent)).or_insert((place.at, place.at));
        (*first, *last) = ((*first).min(place.at), (*last).max(place.at));
    }
    let reading = |((host, agent), (first, last)): ((&str, Uuid), (i64, i64))| HostReading {
        agent,
        host: host.to_owned(),
        reading: clocks.get(&agent).map(|clock| clock.reading(first, last)).unwrap_or_default(),
    };
    let clocks = hosts.into_iter().map(reading).collect();
    Ok(Some(Whole {
        lanes,
        silences,
        folds,
        template_of,
        templates,
        joined: transaction.joined,
        left: transaction.left,
        left_more: transaction.left_more,
        completeness: completeness::of(said, found),
        clocks,
        ordered,
    }))
}

/// Records in order, their spans read from their lines.
pub fn in_order(records: Vec<Record>, clocks: &HashMap<Uuid, Arc<HostClock>>) -> Ordered {
    order::order(records, clocks, |record| span::of(&record.line))
}

impl Ordered {
    /// As lanes, silences and folds see it; `templates` has the template of each record.
    pub fn events(&self, templates: &[u32]) -> Vec<Event<'_>> {
        let event = |index: usize| {
            let (record, place, spans) = (&self.records[index], &self.places[index], &self.spans[index]);
            Event {
                service: &record.source.service,
                host: &record.source.host,
                at_ns: place.at,
                uncertainty_ns: place.uncertainty_ns().unwrap_or(UNKNOWN_NS),
                severity: record.severity,
                template: templates[index],
                span: spans.span,
                parent: spans.parent,
            }
        };
        (0..self.records.len()).map(event).collect()
    }
}

fn found(ordered: &Ordered, blocks_damaged: usize) -> Option<Found> {
    let received = || ordered.records.iter().map(|record| record.received_ns);
    Some(Found {
        earliest_ns: ordered.places.iter().map(|place| place.earliest).min()?,
        latest_ns: ordered.places.iter().map(|place| place.latest).max()?,
        received_min_ns: received().min()?,
        received_max_ns: received().max()?,
        blocks_damaged,
    })
}
