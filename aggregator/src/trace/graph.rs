//! Which service calls which, as far as many transactions show it.
//!
//! Two kinds of evidence make an edge, and nothing else does:
//!
//! * **spans**: a record of the one names as its parent a span of the other;
//! * **precedence**: the first record of the one is before the first of the other wherever both occur, and never the other way
//!   round. Only intervals that do not overlap count as before; pairs whose clocks mostly leave it open make no edge.
//!
//! Precedence follows itself: where A is before B, and B before C, A before C says nothing of its own, unless it is seen often
//! enough without B.

use std::collections::BTreeMap;

/// So many transactions must show a precedence.
pub const SUPPORT_MIN: u64 = 10;
/// At least so many of ten transactions with both services must tell which was first.
const TOLD_OF_TEN: u64 = 9;

/// What one transaction shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Its services; the first record of each.
    pub services: BTreeMap<String, First>,
    /// Who called whom, by spans: names of `services`.
    pub calls: Vec<(String, String)>,
}

/// When a service's first record was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct First {
    pub at_ns: i64,
    pub uncertainty_ns: u64,
}

/// What an edge is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Evidence {
    Spans,
    Precedence,
}

/// One service calls, or comes before, another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    pub from: String,
    pub to: String,
    pub evidence: Evidence,
    /// Transactions that show it.
    pub support: u64,
    /// Transactions where the other one was first.
    pub against: u64,
}

/// The edges that `transactions` show, by name.
pub fn edges(transactions: &[Seen]) -> Vec<Edge> {
    let mut names: Vec<&str> = transactions.iter().flat_map(|seen| seen.services.keys().map(String::as_str)).collect();
    names.sort_unstable();
    names.dedup();
    let index = |name: &str| names.binary_search(&name).ok();
    let sets = sets(transactions, &index);
    let mut all: BTreeMap<(usize, usize), Pair> = BTreeMap::new();
    for pairs in sets.values() {
        for (pair, seen) in pairs {
            let pair = all.entry(*pair).or_default();
            pair.before += seen.before;
            pair.open += seen.open;
        }
    }
    let before = |from: usize, to: usize| all.get(&(from, to)).map_or(0, |pair| pair.before);
    let calls = calls(transactions, &index);
    let is_called =
        |left: usize, right: usize| calls.contains_key(&(left, right)) || calls.contains_key(&(right, left));
    let precedes = |from: usize, to: usize| {
        let Some(pair) = all.get(&(from, to)) else { return false };
        let told = pair.before * 10 >= (pair.before + pair.open) * TOLD_OF_TEN;
        pair.before >= SUPPORT_MIN && told && before(to, from) == 0
    };
    let leads =
        |from: usize, to: usize| calls.contains_key(&(from, to)) || (!is_called(from, to) && precedes(from, to));
    // By way of another service, and not often enough without it.
    let follows = |from: usize, to: usize| {
        (0..names.len()).any(|by| {
            by != from && by != to && leads(from, by) && leads(by, to) && without(&sets, from, to, by) < SUPPORT_MIN
        })
    };
    let edge = |from: usize, to: usize, evidence, support| Edge {
        from: names[from].to_owned(),
        to: names[to].to_owned(),
        evidence,
        support,
        against: before(to, from),
    };
    let mut edges: Vec<Edge> =
        calls.iter().map(|((from, to), support)| edge(*from, *to, Evidence::Spans, *support)).collect();
    for ((from, to), pair) in &all {
        if !is_called(*from, *to) && precedes(*from, *to) && !follows(*from, *to) {
            edges.push(edge(*from, *to, Evidence::Precedence, pair.before));
        }
    }
    edges.sort_by(|left, right| (&left.from, &left.to).cmp(&(&right.from, &right.to)));
    edges
}

/// Two services in transactions that have both.
#[derive(Clone, Copy, Debug, Default)]
struct Pair {
    /// The first of them was before the second.
    before: u64,
    /// The clocks do not tell.
    open: u64,
}

/// Transactions by the services that they have, of which there are few kinds, however many transactions there are.
type Sets = BTreeMap<Vec<usize>, BTreeMap<(usize, usize), Pair>>;

fn sets(transactions: &[Seen], index: &impl Fn(&str) -> Option<usize>) -> Sets {
    let mut sets = Sets::new();
    for seen in transactions {
        // By name, so that the numbers are in order, too.
        let firsts: Vec<(usize, First)> =
            seen.services.iter().filter_map(|(name, first)| Some((index(name)?, *first))).collect();
        let pairs = sets.entry(firsts.iter().map(|(service, _)| *service).collect()).or_default();
        for (left, left_first) in &firsts {
            for (right, right_first) in &firsts {
                if left == right {
                    continue;
                }
                if left_first.is_before(right_first) {
                    pairs.entry((*left, *right)).or_default().before += 1;
                } else if !right_first.is_before(left_first) {
                    pairs.entry((*left, *right)).or_default().open += 1;
                }
            }
        }
    }
    sets
}

impl First {
    /// Whatever the true times are.
    fn is_before(&self, other: &Self) -> bool {
        let latest = i128::from(self.at_ns) + i128::from(self.uncertainty_ns);
        let earliest = i128::from(other.at_ns) - i128::from(other.uncertainty_ns);
        latest < earliest
    }
}

/// In how many transactions spans show that the one called the other.
fn calls(transactions: &[Seen], index: &impl Fn(&str) -> Option<usize>) -> BTreeMap<(usize, usize), u64> {
    let mut calls = BTreeMap::new();
    for seen in transactions {
        let pairs = seen.calls.iter().filter_map(|(from, to)| Some((index(from)?, index(to)?)));
        let mut pairs: Vec<_> = pairs.filter(|(from, to)| from != to).collect();
        pairs.sort_unstable();
        pairs.dedup();
        for pair in pairs {
            *calls.entry(pair).or_default() += 1;
        }
    }
    calls
}

/// How many transactions without `by` show that `from` is before `to`.
fn without(sets: &Sets, from: usize, to: usize, by: usize) -> u64 {
    let lacks = sets.iter().filter(|(set, _)| set.binary_search(&by).is_err());
    lacks.filter_map(|(_, pairs)| pairs.get(&(from, to))).map(|pair| pair.before).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `gateway:0 cart:5`, and `cart>stock` for a call.
    fn seen(text: &str) -> Seen {
        let mut seen = Seen::default();
        for word in text.split(' ') {
            if let Some((from, to)) = word.split_once('>') {
                seen.calls.push((from.into(), to.into()));
            } else if let Some((name, at)) = word.split_once(':') {
                seen.services.insert(name.into(), First { at_ns: at.parse().unwrap(), uncertainty_ns: 1 });
            }
        }
        seen
    }

    fn found(transactions: &[(&str, usize)]) -> Vec<String> {
        let all: Vec<_> =
            transactions.iter().flat_map(|(text, times)| std::iter::repeat_n(seen(text), *times)).collect();
        let text = |edge: Edge| {
            let evidence = if edge.evidence == Evidence::Spans { "spans" } else { "precedence" };
            format!("{}>{} {evidence} {}-{}", edge.from, edge.to, edge.support, edge.against)
        };
        edges(&all).into_iter().map(text).collect()
    }

    #[test]
    fn precedence_without_a_counterexample() {
        assert_eq!(found(&[("a:0 b:5", 10)]), ["a>b precedence 10-0"]);
        assert!(found(&[("a:0 b:5", 9)]).is_empty());
        assert!(found(&[("a:0 b:5", 99), ("a:5 b:0", 1)]).is_empty());
        // Within the uncertainty, neither is first; but that must not be the rule.
        assert_eq!(found(&[("a:0 b:5", 18), ("a:4 b:5", 2)]), ["a>b precedence 18-0"]);
        assert!(found(&[("a:0 b:5", 18), ("a:4 b:5", 3)]).is_empty());
        assert!(found(&[("a:0", 50), ("b:5", 50)]).is_empty());
    }

    #[test]
    fn what_follows_from_others_is_no_edge() {
        assert_eq!(found(&[("a:0 b:5 c:9", 20)]), ["a>b precedence 20-0", "b>c precedence 20-0"]);
        let seen_without = found(&[("a:0 b:5 c:9", 20), ("a:0 c:9", 10)]);
        assert_eq!(seen_without, ["a>b precedence 20-0", "a>c precedence 30-0", "b>c precedence 20-0"]);
        assert_eq!(found(&[("a:0 b:5 c:9", 20), ("a:0 c:9", 9)]).len(), 2);
        assert_eq!(found(&[("a:0 b:5 c:9 d:13", 20)]).len(), 3);
    }

    #[test]
    fn spans_prove_what_times_do_not() {
        assert_eq!(found(&[("a:5 b:5 a>b a>b", 1)]), ["a>b spans 1-0"]);
        assert_eq!(found(&[("a:9 b:5 a>b", 20)]), ["a>b spans 20-20"]);
        let both = found(&[("a:0 b:5 c:9 a>b a>c", 20)]);
        assert_eq!(both, ["a>b spans 20-0", "a>c spans 20-0", "b>c precedence 20-0"]);
        assert!(found(&[("a:0 a>a a>x", 20)]).is_empty());
    }

    proptest! {
        #[test]
        fn no_edge_against_a_counterexample(
            transactions in proptest::collection::vec(proptest::collection::vec((0usize..4, 0i64..30, 0u64..6), 0..5), 0..60),
        ) {
            const NAMES: [&str; 4] = ["a", "b", "c", "d"];
            let all: Vec<Seen> = transactions.iter().map(|rows| Seen {
                services: rows.iter().map(|(name, at_ns, uncertainty_ns)| {
                    (NAMES[*name].to_owned(), First { at_ns: *at_ns, uncertainty_ns: *uncertainty_ns })
                }).collect(),
                calls: Vec::new(),
            }).collect();
            for edge in edges(&all) {
                let both = all.iter().filter_map(|seen| Some((seen.services.get(&edge.from)?, seen.services.get(&edge.to)?)));
                let mut support = 0;
                for (from, to) in both {
                    prop_assert!(to.at_ns + to.uncertainty_ns as i64 >= from.at_ns - from.uncertainty_ns as i64);
                    support += u64::from(from.at_ns + (from.uncertainty_ns as i64) < to.at_ns - to.uncertainty_ns as i64);
                }
                prop_assert_eq!((edge.support, edge.against), (support, 0));
                prop_assert!(support >= SUPPORT_MIN);
            }
        }
    }
}
