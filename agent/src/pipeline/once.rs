//! `run --once`: the end comes by itself, when everything that the files hold is acknowledged.
//!
//! A file that keeps growing is read up to where it was when it was first looked at. **Nothing is left undecided**: what may be a
//! copy, what is gone and may turn up in one, a gap that is not declared, a compressed file that is not examined yet are all waited for.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::source::Id;
use super::{Pipeline, Until};

/// Of what is not done, so many files are named.
const NAMED_MAX: usize = 5;

/// Where each file is to be read up to.
#[derive(Debug)]
pub struct Once {
    time_max: Option<Duration>,
    deadline: Option<Instant>,
    targets: HashMap<Id, u64>,
}

impl Pipeline {
    pub(super) fn begin_once(&mut self, until: Until) {
        if let Until::Settled(time_max) = until {
            let deadline = time_max.map(|time_max| Instant::now() + time_max);
            self.once = Some(Once { time_max, deadline, targets: HashMap::new() });
        }
    }

    pub(super) fn once_deadline(&self) -> Option<Instant> {
        self.once.as_ref().and_then(|once| once.deadline)
    }

    /// Whether it is over; then, what remains.
    pub(super) fn once_over(&mut self, now: Instant) -> Option<Option<String>> {
        let once = self.once.as_mut()?;
        for (id, source) in self.table.iter().filter(|(_, source)| source.examination.is_none()) {
            once.targets.entry(id).or_insert(source.end());
        }
        let is_late = once.deadline.is_some_and(|deadline| now >= deadline);
        let time_max = once.time_max.unwrap_or_default();
        if self.queue.is_empty() && self.examinations == 0 && self.orphans.is_empty() && self.unsettled().is_empty() {
            return Some(self.remains());
        }
        is_late.then(|| self.remains().map(|remains| format!("--timeout {time_max:?} is over; {remains}")))
    }

    fn unsettled(&self) -> Vec<Id> {
        let Some(once) = &self.once else { return Vec::new() };
        let open = self.table.iter().filter(|(id, source)| {
            let target = once.targets.get(id).copied();
            let reached = target.is_some_and(|target| source.acked.position >= target.min(source.end()));
            let decided =
                !source.may_be_copy && source.owed.is_none() && source.ended.is_none_or(|_| source.is_settled());
            !(reached && decided)
        });
        open.map(|(id, _)| id).collect()
    }

    /// What is not done, in one line.
    pub(super) fn remains(&self) -> Option<String> {
        let open = self.unsettled();
        let unread: u64 = open.iter().filter_map(|id| self.table.get(*id)).map(|source| source.unacked_bytes()).sum();
        let mut parts = Vec::new();
        if !open.is_empty() {
            let paths =
                open.iter().filter_map(|id| self.table.get(*id)).map(|source| source.path.display().to_string());
            parts.push(format!("{unread} bytes in {} files are not acknowledged: {}", open.len(), names(paths)));
        }
        if !self.orphans.is_empty() {
            let paths = self.orphans.iter().map(|orphan| orphan.remembered.path.display().to_string());
            parts.push(format!(
                "{} files are gone, and copies of them may turn up: {}",
                self.orphans.len(),
                names(paths)
            ));
        }
        if self.examinations > 0 {
            parts.push(format!("{} compressed files are not examined", self.examinations));
        }
        if !self.unopened.is_empty() {
            let paths = self.unopened.iter().map(|path| path.display().to_string());
            parts.push(format!("{} files cannot be opened: {}", self.unopened.len(), names(paths)));
        }
        if self.session.is_none() && !parts.is_empty() {
            parts.push("the aggregator is not connected".into());
        }
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}

fn names(paths: impl Iterator<Item = String>) -> String {
    let mut paths: Vec<String> = paths.collect();
    paths.sort();
    let more = paths.len().saturating_sub(NAMED_MAX);
    paths.truncate(NAMED_MAX);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", paths.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_are_named() {
        let paths = |count: usize| names((0..count).map(|number| format!("/{number}")));
        assert_eq!(paths(2), "/0, /1");
        assert_eq!(paths(7), "/0, /1, /2, /3, /4 and 2 more");
    }
}
