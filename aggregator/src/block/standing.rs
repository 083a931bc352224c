//! Which of a transaction's IDs it is listed under. A record may carry several (a request ID and a trace ID), and each has a row; all but the
//! best of them are aliases, and a list passes over them.
//!
//! An ID is an alias if some record carries it beside a better one. How good an ID is follows from the best kind that any of its records
//! names it by, so that what outranks an alias is either listed or outranked in its turn: something of each transaction is always listed.
//! Between two spellings of one ID of which one lost its high half on the way (`Canonical::same`), the whole one is better.

use clew_proto::v1::IdKind;

use crate::block::spelling::SpelledId;

/// How an ID stands among those that its records carry besides. Less is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    own: u8,
    beside: u8,
}

/// Nothing stands beside it.
const NOTHING: u8 = 0xf;

/// A trace ID is made to name a transaction, and all services pass it on; a request ID is often one hop's own, and a correlation ID may
/// stand for many requests. Odd, so that there is room before each.
fn level(kind: u8) -> u8 {
    match IdKind::try_from(i32::from(kind)) {
        Ok(IdKind::Trace) => 1,
        Ok(IdKind::Transaction) => 3,
        Ok(IdKind::Request) => 5,
        Ok(IdKind::Correlation) => 7,
        Ok(IdKind::Other) | Err(_) => 9,
    }
}

impl Standing {
    /// Of an ID alone.
    pub fn of(id: &SpelledId) -> Self {
        Self { own: level(id.kind), beside: NOTHING }
    }

    /// Nothing is known but that it is an ID.
    pub fn unknown() -> Self {
        Self { own: 0, beside: NOTHING }
    }

    /// A record carries `id`, whose standing this is, and `other`.
    pub fn meet(&mut self, id: &SpelledId, other: &SpelledId) {
        if id.canonical == other.canonical {
            return;
        }
        let is_whole = other.canonical.same(&id.canonical) && other.canonical > id.canonical;
        self.beside = self.beside.min(level(other.kind) - u8::from(is_whole));
    }

    /// Adds what other records say.
    pub fn merge(&mut self, other: Self) {
        self.own = self.own.min(other.own);
        self.beside = self.beside.min(other.beside);
    }

    /// Whether the transaction is listed under another ID.
    pub fn is_alias(self) -> bool {
        self.beside < self.own
    }

    /// As it is stored.
    pub fn byte(self) -> u8 {
        self.own << 4 | self.beside
    }

    /// The reverse of [`Self::byte`].
    pub fn from_byte(byte: u8) -> Self {
        Self { own: byte >> 4, beside: byte & 0xf }
    }
}

/// Which of the IDs that one record carries, by their indexes in `dictionary`, are the best: all of them if none is better than another.
pub fn best<'i>(
    ids: impl Iterator<Item = usize> + Clone + 'i,
    dictionary: &'i [SpelledId],
) -> impl Iterator<Item = usize> + 'i {
    let is_best = |id: &SpelledId, others: &mut dyn Iterator<Item = usize>| {
        let mut standing = Standing::of(id);
        others.for_each(|other| standing.meet(id, &dictionary[other]));
        !standing.is_alias()
    };
    ids.clone().filter(move |id| is_best(&dictionary[*id], &mut ids.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: u8 = IdKind::Trace as u8;
    const REQUEST: u8 = IdKind::Request as u8;
    const CORRELATION: u8 = IdKind::Correlation as u8;
    const WHOLE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    fn is_alias(records: &[&[(&str, u8)]], id: &str) -> bool {
        let mut standing: Option<Standing> = None;
        for record in records {
            let ids: Vec<SpelledId> = record.iter().map(|(id, kind)| SpelledId::new(id.as_bytes(), *kind)).collect();
            for own in ids.iter().filter(|own| own.spelling() == id.as_bytes()) {
                let mut here = Standing::of(own);
                ids.iter().for_each(|other| here.meet(own, other));
                here = Standing::from_byte(here.byte());
                standing = Some(standing.map_or(here, |mut standing| {
                    standing.merge(here);
                    standing
                }));
            }
        }
        standing.expect("some record carries it").is_alias()
    }

    #[test]
    fn the_better_kind_is_listed() {
        let records: &[&[(&str, u8)]] = &[&[("r", REQUEST)], &[("t", TRACE), ("r", REQUEST)], &[("t", TRACE)]];
        assert!(is_alias(records, "r") && !is_alias(records, "t"));
        assert!(!is_alias(&[&[("r", REQUEST)], &[("t", TRACE)]], "r"), "no record carries both");
        assert!(!is_alias(&[&[("a", TRACE), ("b", TRACE)]], "a"), "two of a kind");
    }

    #[test]
    fn an_id_that_has_two_kinds_is_no_alias_of_itself() {
        let uuid = "4bf92f35-77b3-4da6-a3ce-929d0e0e4736";
        let records: &[&[(&str, u8)]] = &[&[(WHOLE, TRACE), (uuid, REQUEST)]];
        assert!(!is_alias(records, uuid) && !is_alias(records, WHOLE));
    }

    #[test]
    fn of_two_that_outrank_each_other_one_is_listed() {
        let records: &[&[(&str, u8)]] = &[&[("x", CORRELATION), ("r", REQUEST)], &[("x", TRACE), ("r", REQUEST)]];
        assert!(is_alias(records, "r") && !is_alias(records, "x"));
    }

    #[test]
    fn the_low_half_is_an_alias_of_the_whole() {
        let low = "a3ce929d0e0e4736";
        let records: &[&[(&str, u8)]] = &[&[(WHOLE, TRACE), (low, TRACE)]];
        assert!(is_alias(records, low) && !is_alias(records, WHOLE));
        let ids = [SpelledId::new(low.as_bytes(), TRACE), SpelledId::new(WHOLE.as_bytes(), TRACE)];
        assert_eq!(best([0, 1].into_iter(), &ids).collect::<Vec<_>>(), [1]);
    }
}
