//! The end: read what the files hold now, ship it, wait until it is acknowledged or the time is up.

use std::time::Instant;

use super::Pipeline;
use super::source::{Id, Phase, Source};

/// What has to be acknowledged before the end.
#[derive(Debug)]
pub struct Drain {
    deadline: Instant,
    /// Files, and where they ended when the end began.
    targets: Vec<(Id, u64)>,
}

impl Pipeline {
    pub(super) fn begin_drain(&mut self) {
        if self.draining.is_some() {
            return;
        }
        let now = Instant::now();
        self.reconcile(now);
        self.draining = Some(Drain { deadline: now + self.config.limits.drain_timeout, targets: Vec::new() });
        self.look_at_all(now);
        let targets: Vec<(Id, u64)> = self
            .table
            .iter()
            .filter(|(_, source)| !source.is_settled())
            .map(|(id, source)| (id, source.target()))
            .collect();
        for (id, _) in &targets {
            if self.table.get(*id).is_some_and(|source| source.phase == Phase::Open) {
                self.schedule(*id, now);
            }
        }
        if let Some(drain) = &mut self.draining {
            drain.targets = targets;
        }
    }

    pub(super) fn drain_deadline(&self) -> Option<Instant> {
        self.draining.as_ref().map(|drain| drain.deadline)
    }

    /// Whether everything is acknowledged, or the time is up.
    pub(super) fn is_drained(&mut self, now: Instant) -> bool {
        let Some(drain) = &mut self.draining else { return false };
        let table = &self.table;
        drain.targets.retain(|(id, end)| {
            let ends =
                |source: &Source| source.acked.position >= *end && (source.ended.is_none() || source.is_settled());
            table.get(*id).is_some_and(|source| !ends(source))
        });
        if drain.targets.is_empty() {
            tracing::info!("everything that was read is acknowledged");
            return true;
        }
        if now < drain.deadline {
            return false;
        }
        let unread: u64 = table.iter().map(|(_, source)| source.unacked_bytes()).sum();
        tracing::warn!(
            "{unread} bytes in {} files are not acknowledged after drain_timeout; the next start goes on there",
            drain.targets.len()
        );
        true
    }
}
