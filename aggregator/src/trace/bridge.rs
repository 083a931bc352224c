//! Which other IDs a transaction goes by: a record that carries two IDs is a *bridge*, and what carries the other one belongs to
//! the transaction as well. A proxy's request ID leads to the trace ID, and that one to a correlation ID.
//!
//! Joining stays bounded and does not run away:
//!
//! - an ID that carries very many others, or stands in very many blocks, is a *hub* (a session, a tenant, a batch job): it names no
//!   single request, and is not gone through;
//! - one that is too short to be anybody's own (a counter) is passed over;
//! - records of a joined ID that lie far from all others in time belong to another use of it, and stay out;
//! - so many IDs are joined and no more, those with the most bridges first.
//!
//! What was not followed is told, with the reason.

use hashbrown::{HashMap, HashSet};

use crate::id::{Canonical, Family};
use crate::record::Record;

/// So many IDs are joined to the one that was asked for.
pub const JOINED_MAX: usize = 64;
/// From bridge to bridge so many times.
const STEPS_MAX: usize = 8;
/// An ID that was reached over a bridge and carries more others is a hub.
pub const HUB_IDS: usize = 32;
/// One that stands in more blocks is a hub as well: to read them all would take too long.
pub const HUB_BLOCKS: usize = 1_024;
/// Records of a joined ID further away from all others belong to another use of it.
pub const APART_NS: u64 = 3_600_000_000_000;
/// So many IDs that were not followed are named; the others are counted.
const LEFT_MAX: usize = 20;
/// Numbers below this are counters.
const COUNTER_MAX: u128 = 1 << 32;
/// Shorter texts are nobody's own.
const TEXT_BYTES_MIN: usize = 8;

/// Where records are found by their IDs.
pub trait Carriers {
    /// Why they cannot be found.
    type Error;

    /// Every record that carries one of `ids`, in no particular order.
    fn records(&mut self, ids: &[Canonical]) -> Result<Vec<Record>, Self::Error>;

    /// How many blocks hold it.
    fn blocks(&mut self, id: &Canonical) -> Result<usize, Self::Error>;

    /// Blocks that hold one of the IDs that were looked for so far, and cannot be read.
    fn blocks_damaged(&self) -> usize;
}

/// An ID that was joined.
#[derive(Clone, Debug, PartialEq)]
pub struct Joined {
    /// The ID.
    pub id: Canonical,
    /// Its `v1::IdKind` value.
    pub kind: u8,
    /// The ID from which it was reached.
    pub via: Canonical,
    /// Records that carry both.
    pub bridges: usize,
    /// The earliest of them.
    pub by: Record,
    /// Records that it brought in.
    pub records: usize,
}

/// An ID that was not followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// The ID.
    pub id: Canonical,
    /// Its `v1::IdKind` value.
    pub kind: u8,
    /// The ID from which it was reached.
    pub via: Canonical,
    /// Why.
    pub reason: Reason,
}

/// Why an ID was not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It carries so many other IDs.
    HubOfIds(usize),
    /// It stands in more than so many blocks.
    HubOfBlocks(usize),
    /// It is too short to be one request's own.
    Short,
    /// Enough others were joined.
    Limit,
    /// So many of its records lie far from all others, and were left out; the near ones are in.
    OtherTime(usize),
}

/// A transaction under all its IDs.
#[derive(Debug, Default)]
pub struct Transaction {
    /// Its records, in no particular order, each once.
    pub records: Vec<Record>,
    /// The IDs that were joined, in the order in which they were reached.
    pub joined: Vec<Joined>,
    /// Those that were not followed, as far as they are named.
    pub left: Vec<Left>,
    /// How many more were not followed.
    pub left_more: usize,
}

/// An ID that stands beside known ones.
struct Partner {
    kind: u8,
    via: Canonical,
    bridges: usize,
    /// Index of the earliest record that carries both.
    by: usize,
}

/// Every record of the IDs `asked`, and of all that are joined to them.
pub fn join<C: Carriers>(asked: &[Canonical], carriers: &mut C) -> Result<Transaction, C::Error> {
    let mut transaction = Transaction { records: carriers.records(asked)?, ..Transaction::default() };
    let mut known = Known::default();
    asked.iter().for_each(|id| known.add(id.clone()));
    let mut looked_at = 0;
    for _ in 0..STEPS_MAX {
        let partners = partners(&transaction.records, looked_at, &known);
        looked_at = transaction.records.len();
        let chosen = choose(partners, &mut transaction, &mut known, carriers)?;
        if chosen.is_empty() {
            return Ok(transaction);
        }
        take(chosen, &mut transaction, carriers)?;
    }
    let rest = partners(&transaction.records, looked_at, &known);
    for (id, partner) in rest {
        transaction.leave(Left { id, kind: partner.kind, via: partner.via, reason: Reason::Limit });
    }
    Ok(transaction)
}

/// The IDs beside known ones on the records from `begin` on, those with the most bridges first.
fn partners(records: &[Record], begin: usize, known: &Known) -> Vec<(Canonical, Partner)> {
    let mut partners: HashMap<&Canonical, Partner> = HashMap::new();
    for (index, record) in records.iter().enumerate().skip(begin) {
        if record.ids.len() < 2 {
            continue;
        }
        let via = record.ids.iter().find(|id| known.has(&id.canonical));
        for id in record.ids.iter().filter(|id| !known.has(&id.canonical)) {
            let first = || Partner {
                kind: id.kind,
                via: via.map_or_else(|| id.canonical.clone(), |via| via.canonical.clone()),
                bridges: 0,
                by: index,
            };
            let partner = partners.entry(&id.canonical).or_insert_with(first);
            partner.bridges += 1;
            if record.time < records[partner.by].time {
                partner.by = index;
            }
        }
    }
    let mut partners: Vec<_> = partners.into_iter().map(|(id, partner)| (id.clone(), partner)).collect();
    partners.sort_by(|(left_id, left), (right_id, right)| {
        right.bridges.cmp(&left.bridges).then_with(|| left_id.cmp(right_id))
    });
    partners
}

/// Those of the partners that are followed. All of them are known from now on.
fn choose<C: Carriers>(
    partners: Vec<(Canonical, Partner)>,
    transaction: &mut Transaction,
    known: &mut Known,
    carriers: &mut C,
) -> Result<Vec<(Canonical, Partner)>, C::Error> {
    let mut chosen: Vec<(Canonical, Partner)> = Vec::new();
    for (id, partner) in partners {
        if known.has(&id) {
            // Another spelling of one that was chosen just now.
            continue;
        }
        known.add(id.clone());
        let reason = if is_short(&id) {
            Some(Reason::Short)
        } else if transaction.joined.len() + chosen.len() >= JOINED_MAX {
            Some(Reason::Limit)
        } else {
            let blocks = carriers.blocks(&id)?;
            (blocks > HUB_BLOCKS).then_some(Reason::HubOfBlocks(HUB_BLOCKS))
        };
        match reason {
            Some(reason) => transaction.leave(Left { id, kind: partner.kind, via: partner.via, reason }),
            None => chosen.push((id, partner)),
        }
    }
    Ok(chosen)
}

/// Takes in what the chosen IDs carry, unless they turn out to be hubs or it lies far away.
fn take<C: Carriers>(
    chosen: Vec<(Canonical, Partner)>,
    transaction: &mut Transaction,
    carriers: &mut C,
) -> Result<(), C::Error> {
    let ids: Vec<Canonical> = chosen.iter().map(|(id, _)| id.clone()).collect();
    let held: HashSet<_> = transaction.records.iter().map(place).collect();
    let found: Vec<Record> =
        carriers.records(&ids)?.into_iter().filter(|record| !held.contains(&place(record))).collect();
    drop(held);
    let near = Near::of(&transaction.records);
    let mut wanted = vec![false; found.len()];
    for (id, partner) in chosen {
        let carries = |record: &Record| record.ids.iter().any(|other| other.canonical.same(&id));
        let own: Vec<usize> = (0..found.len()).filter(|index| carries(&found[*index])).collect();
        let others: HashSet<&Canonical> = own
            .iter()
            .flat_map(|index| &found[*index].ids)
            .map(|other| &other.canonical)
            .filter(|other| !other.same(&id))
            .collect();
        let Partner { kind, via, bridges, by } = partner;
        if others.len() > HUB_IDS {
            transaction.leave(Left { id, kind, via, reason: Reason::HubOfIds(others.len()) });
            continue;
        }
        let (near, far): (Vec<usize>, Vec<usize>) = own.into_iter().partition(|index| near.holds(&found[*index]));
        if !far.is_empty() {
            transaction.leave(Left { id: id.clone(), kind, via: via.clone(), reason: Reason::OtherTime(far.len()) });
        }
        let records = near.iter().filter(|index| !std::mem::replace(&mut wanted[**index], true)).count();
        let by = transaction.records[by].clone();
        transaction.joined.push(Joined { id, kind, via, bridges, by, records });
    }
    let taken = found.into_iter().zip(wanted).filter(|(_, is_wanted)| *is_wanted).map(|(record, _)| record);
    transaction.records.extend(taken);
    Ok(())
}

fn place(record: &Record) -> (uuid::Uuid, u64) {
    (record.source.id, record.position)
}

fn is_short(id: &Canonical) -> bool {
    match id {
        Canonical::Number(number) => *number < COUNTER_MAX,
        Canonical::Text(text) => text.len() < TEXT_BYTES_MIN,
    }
}

impl Transaction {
    fn leave(&mut self, left: Left) {
        if self.left.len() < LEFT_MAX {
            self.left.push(left);
        } else {
            self.left_more += 1;
        }
    }
}

/// IDs, found by any that is the same.
#[derive(Default)]
struct Known {
    halves: HashMap<u64, Vec<Canonical>>,
    texts: HashSet<Canonical>,
}

impl Known {
    fn add(&mut self, id: Canonical) {
        match id.family() {
            Family::LowHalf(half) => self.halves.entry(half).or_default().push(id),
            Family::Text(_) => drop(self.texts.insert(id)),
        }
    }

    fn has(&self, id: &Canonical) -> bool {
        match id.family() {
            Family::LowHalf(half) => {
                self.halves.get(&half).is_some_and(|known| known.iter().any(|known| known.same(id)))
            }
            Family::Text(_) => self.texts.contains(id),
        }
    }
}

/// When the known records were written, as they say.
struct Near {
    times: Vec<i64>,
}

impl Near {
    fn of(records: &[Record]) -> Self {
        let mut times: Vec<i64> = records.iter().map(|record| record.time).collect();
        times.sort_unstable();
        times.dedup();
        Self { times }
    }

    fn holds(&self, record: &Record) -> bool {
        let next = self.times.partition_point(|other| *other < record.time);
        let mut neighbours = self.times[next.saturating_sub(1)..].iter().take(2);
        neighbours.any(|other| other.abs_diff(record.time) <= APART_NS)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::block::spelling::SpelledId;
    use crate::source::Source;

    /// Records in a row; their positions number them.
    #[derive(Default)]
    struct Shelf {
        records: Vec<Record>,
        looks: usize,
    }

    impl Shelf {
        fn put(&mut self, time_s: i64, ids: &[&str]) {
            let source = Source {
                id: Uuid::from_u128(1),
                agent: Uuid::from_u128(2),
                host: "h".into(),
                service: "s".into(),
                path: Vec::new(),
                labels: Vec::new(),
            };
            self.records.push(Record {
                time: time_s * 1_000_000_000,
                severity: 0,
                flags: 0,
                marks: 0,
                source: Arc::new(source),
                position: self.records.len() as u64,
                received_ns: time_s * 1_000_000_000,
                length: 1,
                ids: ids.iter().map(|id| SpelledId::new(id.as_bytes(), 1)).collect(),
                line: Vec::new(),
            });
        }

        fn join(&mut self, id: &str) -> Transaction {
            join(&Canonical::candidates(id.as_bytes()), self).unwrap()
        }
    }

    impl Carriers for Shelf {
        type Error = std::convert::Infallible;

        fn records(&mut self, ids: &[Canonical]) -> Result<Vec<Record>, Self::Error> {
            self.looks += 1;
            let is_wanted =
                |record: &&Record| record.ids.iter().any(|id| ids.iter().any(|wanted| wanted.same(&id.canonical)));
            Ok(self.records.iter().filter(is_wanted).cloned().collect())
        }

        fn blocks(&mut self, id: &Canonical) -> Result<usize, Self::Error> {
            Ok(self.records.iter().filter(|record| record.ids.iter().any(|other| other.canonical.same(id))).count() / 4)
        }

        fn blocks_damaged(&self) -> usize {
            0
        }
    }

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const REQUEST: &str = "e4fc04f374de11d88f8b59b940f99b5b";
    const CORRELATION: &str = "order-77-abcdef";

    fn numbers(transaction: &Transaction) -> Vec<u64> {
        let mut numbers: Vec<_> = transaction.records.iter().map(|record| record.position).collect();
        numbers.sort_unstable();
        numbers
    }

    fn reasons(transaction: &Transaction) -> Vec<(String, Reason)> {
        transaction.left.iter().map(|left| (left.id.to_string(), left.reason)).collect()
    }

    #[test]
    fn from_any_of_its_ids_the_whole_is_found() {
        let mut shelf = Shelf::default();
        shelf.put(1, &[REQUEST]);
        shelf.put(2, &[REQUEST, TRACE]);
        shelf.put(3, &[TRACE]);
        shelf.put(4, &[TRACE, CORRELATION]);
        shelf.put(5, &[CORRELATION]);
        shelf.put(6, &["11111111111111112222222222222222"]);
        for id in [TRACE, REQUEST, CORRELATION, "a3ce929d0e0e4736"] {
            assert_eq!(numbers(&shelf.join(id)), [0, 1, 2, 3, 4], "{id}");
        }
        let joined: Vec<_> = shelf
            .join(REQUEST)
            .joined
            .iter()
            .map(|joined| (joined.id.to_string(), joined.via.to_string(), joined.records, joined.by.position))
            .collect();
        assert_eq!(joined, [(TRACE.into(), REQUEST.into(), 2, 1), (CORRELATION.into(), TRACE.into(), 1, 3)]);
    }

    #[test]
    fn one_id_is_one_look() {
        let mut shelf = Shelf::default();
        shelf.put(1, &[TRACE]);
        shelf.put(2, &[TRACE, "a3ce929d0e0e4736"]);
        assert_eq!(numbers(&shelf.join(TRACE)), [0, 1]);
        assert_eq!(shelf.looks, 1, "a half of it is no other ID");
    }

    #[test]
    fn a_hub_is_told_and_not_gone_through() {
        let mut shelf = Shelf::default();
        shelf.put(1, &[TRACE, "session-of-somebody"]);
        for number in 0..100 {
            shelf.put(2, &["session-of-somebody", &format!("{number:032x}ffffffff")]);
        }
        let transaction = shelf.join(TRACE);
        assert_eq!(numbers(&transaction), [0]);
        assert_eq!(reasons(&transaction), [("session-of-somebody".into(), Reason::HubOfIds(100))]);
        let asked = shelf.join("session-of-somebody");
        assert_eq!(asked.records.len(), 101, "what was asked for is there in full");
        assert_eq!(
            (asked.joined.len(), asked.left.len(), asked.left_more),
            (JOINED_MAX, LEFT_MAX, 101 - JOINED_MAX - LEFT_MAX)
        );
    }

    #[test]
    fn an_id_in_very_many_blocks_is_not_even_read() {
        let mut shelf = Shelf::default();
        shelf.put(1, &[TRACE, CORRELATION]);
        (0..5_000).for_each(|_| shelf.put(1, &[CORRELATION]));
        let transaction = shelf.join(TRACE);
        assert_eq!(numbers(&transaction), [0]);
        assert_eq!(reasons(&transaction), [(CORRELATION.into(), Reason::HubOfBlocks(HUB_BLOCKS))]);
        assert_eq!(shelf.looks, 1);
    }

    #[test]
    fn an_id_that_was_used_before_brings_only_what_is_near() {
        let mut shelf = Shelf::default();
        shelf.put(10, &[REQUEST, "11111111111111112222222222222222"]);
        shelf.put(100_000, &[REQUEST]);
        shelf.put(100_001, &[REQUEST, TRACE]);
        let transaction = shelf.join(TRACE);
        assert_eq!(numbers(&transaction), [1, 2]);
        assert_eq!(reasons(&transaction), [(REQUEST.into(), Reason::OtherTime(1))]);
        assert_eq!(transaction.joined.len(), 1);
        assert_eq!(numbers(&shelf.join(REQUEST)), [0, 1, 2], "what was asked for is there in full");
    }

    #[test]
    fn counters_are_nobodys_own() {
        let mut shelf = Shelf::default();
        shelf.put(1, &[TRACE, "42"]);
        shelf.put(1, &["42", REQUEST]);
        let transaction = shelf.join(TRACE);
        assert_eq!(numbers(&transaction), [0]);
        assert_eq!(reasons(&transaction), [(Canonical::parse(b"42").to_string(), Reason::Short)]);
    }

    proptest! {
        /// Whatever the bridges are: every record once, all of the asked ID's, and nothing that is not connected.
        #[test]
        fn what_is_joined_is_connected(rows in prop::collection::vec((prop::collection::vec(0u8..12, 0..4), 0i64..10), 0..60), asked in 0u8..12) {
            let name = |number: u8| format!("request-number-{number}");
            let mut shelf = Shelf::default();
            for (ids, time) in &rows {
                let ids: Vec<String> = ids.iter().map(|id| name(*id)).collect();
                shelf.put(*time, &ids.iter().map(String::as_str).collect::<Vec<_>>());
            }
            let transaction = shelf.join(&name(asked));
            let mut reached: HashSet<u8> = HashSet::from_iter([asked]);
            loop {
                let before = reached.len();
                for (ids, _) in &rows {
                    if ids.iter().any(|id| reached.contains(id)) {
                        reached.extend(ids);
                    }
                }
                if reached.len() == before {
                    break;
                }
            }
            let wanted: Vec<u64> = rows.iter().enumerate().filter(|(_, (ids, _))| ids.iter().any(|id| reached.contains(id))).map(|(index, _)| index as u64).collect();
            if transaction.left.is_empty() {
                prop_assert_eq!(numbers(&transaction), wanted);
            } else {
                prop_assert!(numbers(&transaction).iter().all(|number| wanted.contains(number)));
            }
        }
    }
}
