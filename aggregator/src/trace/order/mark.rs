//! Which records some other one may stand on the other side of.

use super::place::Candidate;

/// Pairs of records and sources that are compared one by one; beyond that a record is uncertain as soon as its interval meets any
/// other's.
const COMPARED_MAX: usize = 50_000_000;

/// Marks every record that some record of another source may stand on the other side of. In the order of a source earliest and latest
/// moments only rise: so the nearest record of a source on either side speaks for all of it, one for each spell of its clock.
pub(super) fn mark(ordered: &mut [Candidate], sources: usize) {
    if ordered.len().saturating_mul(sources) > COMPARED_MAX {
        return mark_roughly(ordered);
    }
    let mut nearest: Vec<Vec<usize>> = vec![Vec::new(); sources];
    let mut uncertain = vec![false; ordered.len()];
    let mut sweep = |indices: &mut dyn Iterator<Item = usize>| {
        nearest.iter_mut().for_each(Vec::clear);
        for index in indices {
            let this = &ordered[index];
            let others = nearest.iter().enumerate().filter(|(source, _)| *source != this.source).flat_map(|(_, of)| of);
            uncertain[index] |= others.into_iter().any(|other| !this.is_certain_against(&ordered[*other]));
            let own = &mut nearest[this.source];
            own.retain(|other| ordered[*other].spell != this.spell);
            own.push(index);
        }
    };
    sweep(&mut (0..ordered.len()));
    sweep(&mut (0..ordered.len()).rev());
    for (candidate, is_uncertain) in ordered.iter_mut().zip(uncertain) {
        candidate.place.is_uncertain = is_uncertain;
    }
}

/// The same without a look at who stamped what: too many are marked, never too few.
pub(super) fn mark_roughly(ordered: &mut [Candidate]) {
    let mut latest: [(i64, usize); 2] = [(i64::MIN, usize::MAX); 2];
    for candidate in ordered.iter_mut() {
        let other = latest.iter().find(|(_, source)| *source != candidate.source);
        candidate.place.is_uncertain |= other.is_some_and(|(latest, _)| *latest >= candidate.place.earliest);
        note(&mut latest, candidate.place.latest, candidate.source, |new, old| new > old);
    }
    let mut earliest: [(i64, usize); 2] = [(i64::MAX, usize::MAX); 2];
    for candidate in ordered.iter_mut().rev() {
        let other = earliest.iter().find(|(_, source)| *source != candidate.source);
        candidate.place.is_uncertain |= other.is_some_and(|(earliest, _)| *earliest <= candidate.place.latest);
        note(&mut earliest, candidate.place.earliest, candidate.source, |new, old| new < old);
    }
}

/// Keeps the best of two different sources.
fn note(best: &mut [(i64, usize); 2], value: i64, source: usize, is_better: impl Fn(i64, i64) -> bool) {
    if best[0].1 == source {
        if is_better(value, best[0].0) {
            best[0].0 = value;
        }
    } else if is_better(value, best[0].0) {
        best[1] = best[0];
        best[0] = (value, source);
    } else if is_better(value, best[1].0) {
        best[1] = (value, source);
    }
}
