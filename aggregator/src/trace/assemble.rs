//! One transaction as a whole: its records under all of its IDs, in order, and whether that is all of it.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::bridge::{self, Carriers, Joined, Left};
use super::completeness::{self, Completeness, Found, Said};
use super::order::{self, Ordered, Spans};
use crate::catalog::host_clock::Reading;
use crate::id::Canonical;
use crate::record::Record;

/// How a transaction is put together.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Whether bridges are followed.
    pub bridges: bool,
}

/// One transaction.
#[derive(Debug)]
pub struct Whole {
    /// Its records in order; at least one.
    pub ordered: Ordered,
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

/// Blocks that could not be read are counted by who carries.
pub trait Damage {
    /// Blocks that hold one of the IDs that were looked for, and cannot be read.
    fn blocks_damaged(&self) -> usize;
}

/// Everything of the IDs `asked`; none: nothing carries one of them.
pub fn assemble<C: Carriers + Damage>(
    asked: &[Canonical],
    said: &Said,
    carriers: &mut C,
    options: Options,
    spans_of: impl Fn(&Record) -> Spans,
) -> Result<Option<Whole>, C::Error> {
    let transaction = if options.bridges {
        bridge::join(asked, carriers)?
    } else {
        bridge::Transaction { records: carriers.records(asked)?, ..bridge::Transaction::default() }
    };
    let clocks = said.clocks();
    let ordered = order::order(transaction.records, &clocks, spans_of);
    let Some(found) = found(&ordered, carriers.blocks_damaged()) else { return Ok(None) };
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
        joined: transaction.joined,
        left: transaction.left,
        left_more: transaction.left_more,
        completeness: completeness::of(said, found),
        clocks,
        ordered,
    }))
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
