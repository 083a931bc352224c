//! The sources' records as one list.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use super::place::Candidate;

/// So many records wait for their spans' parents at a time.
const WAITING_MAX: usize = 64;

/// The next record of each source: when it was written, the rank of its host's name, its stamp, its index. The one that is due first
/// comes first.
type Heads = BinaryHeap<Reverse<(i64, usize, i64, usize)>>;

/// Merges the sources: always the record that is due first, unless it is the first of a span whose parent's first record is
/// still to come and may have been written before it.
pub(super) fn merge(candidates: Vec<Candidate>, sources: usize) -> Vec<Candidate> {
    let parents = parents(&candidates);
    let ranks = ranks(&candidates, sources);
    let mut heads = Heads::with_capacity(sources);
    let head = |index: usize, candidates: &[Candidate]| {
        let candidate = &candidates[index];
        Reverse((candidate.place.at, ranks[candidate.source], candidate.stamp, index))
    };
    for index in 0..candidates.len() {
        if index == 0 || candidates[index - 1].source != candidates[index].source {
            heads.push(head(index, &candidates));
        }
    }
    let stamped = next_stamped(&candidates);
    let mut order = Vec::with_capacity(candidates.len());
    let mut is_out = vec![false; candidates.len()];
    // Heads that wait, and the record that each waits for.
    let mut waiting: Vec<(usize, usize)> = Vec::new();
    loop {
        let next = heads.pop().map(|Reverse((.., index))| index);
        // Who waits goes on when it can wait no longer: what comes next was written after it for certain.
        let overdue = waiting.iter().position(|(index, _)| {
            let is_before = |index: usize, next: usize| candidates[index].is_before(&candidates[next]);
            // Or after one that follows it in its file.
            let follows = || stamped[*index].is_some_and(|follows| next.is_some_and(|next| is_before(follows, next)));
            next.is_none_or(|next| is_before(*index, next)) || follows()
        });
        let overdue = overdue.or((waiting.len() > WAITING_MAX).then_some(0));
        let (index, may_wait) = match (overdue, next) {
            (Some(overdue), next) => {
                heads.extend(next.map(|next| head(next, &candidates)));
                (waiting.remove(overdue).0, false)
            }
            (None, Some(next)) => (next, true),
            (None, None) => break,
        };
        if may_wait
            && let Some(parent) = parents.get(&index).copied()
            && !is_out[parent]
            && !candidates[index].is_before(&candidates[parent])
        {
            waiting.push((index, parent));
            continue;
        }
        order.push(index);
        is_out[index] = true;
        if candidates.get(index + 1).is_some_and(|after| after.source == candidates[index].source) {
            heads.push(head(index + 1, &candidates));
        }
        waiting.retain(|(waits, parent)| {
            if *parent == index {
                heads.push(head(*waits, &candidates));
            }
            *parent != index
        });
    }
    let mut slots: Vec<Option<Candidate>> = candidates.into_iter().map(Some).collect();
    order.into_iter().map(|index| slots[index].take().expect("each record is merged once")).collect()
}

/// For each source the rank of its host's name: records of one moment stand by hosts.
fn ranks(candidates: &[Candidate], sources: usize) -> Vec<usize> {
    let mut hosts = vec![""; sources];
    for candidate in candidates {
        hosts[candidate.source] = &candidate.record.source.host;
    }
    let mut names = hosts.clone();
    names.sort_unstable();
    names.dedup();
    hosts.iter().map(|host| names.partition_point(|name| name < host)).collect()
}

/// For each record: itself or the next one of its source that is ordered by its stamp.
fn next_stamped(candidates: &[Candidate]) -> Vec<Option<usize>> {
    let mut next = vec![None; candidates.len()];
    for index in (0..candidates.len()).rev() {
        next[index] = if candidates[index].spell.is_some() {
            Some(index)
        } else {
            let after = candidates.get(index + 1).filter(|after| after.source == candidates[index].source);
            after.and_then(|_| next[index + 1])
        };
    }
    next
}

/// By the first record of a span: the first record of its parent, where that is of another source.
fn parents(candidates: &[Candidate]) -> HashMap<usize, usize> {
    let mut firsts: HashMap<u64, usize> = HashMap::new();
    for (index, candidate) in candidates.iter().enumerate() {
        let Some(span) = candidate.spans.span else { continue };
        let first = firsts.entry(span).or_insert(index);
        if candidate.place.at < candidates[*first].place.at {
            *first = index;
        }
    }
    let mut parents = HashMap::new();
    for index in firsts.values() {
        let parent = candidates[*index].spans.parent.and_then(|parent| firsts.get(&parent));
        if let Some(parent) = parent
            && candidates[*parent].source != candidates[*index].source
        {
            parents.insert(*index, *parent);
        }
    }
    parents
}
