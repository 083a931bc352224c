//! Another configuration takes the place of the one in force, between two turns. **No line is lost and none is read twice**: what is
//! in flight stays in flight, and every file goes on where it is.
//!
//! - A file that a source still names goes on with that source's rules, from the next byte that is read.
//! - A file that no source names is let go when nothing of it is in flight; the checkpoint keeps its place, without a gap.
//! - A file whose service is another one now goes on as a source of its own: what is stored keeps the name that it was stored by.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use clew_proto::v1::{AgentMessage, CloseSource, agent_message};

use super::source::{Begun, Id, Leaving, Phase, Source};
use super::{NewConfig, Pipeline};
use crate::checkpoint::Remembered;
use crate::config::Config;
use crate::discover::glob::fill;
use crate::parse::layout::Memory;
use crate::report::{Account, Reloaded};
use crate::ship::clock::now_ns;

impl Pipeline {
    pub(super) fn reload(&mut self, new: NewConfig) -> Reloaded {
        let now = Instant::now();
        self.config = Arc::new(with_treatments_of(&self.config, &new.config));
        self.generation += 1;
        let limits = self.config.limits;
        self.queue.set_pace(limits.max_bytes_per_second);
        if let Some(session) = &mut self.session {
            session.limit_batches(limits.batch_bytes_max);
        }
        if let Some(watch) = new.watch {
            self.watch = watch;
        }
        // Whoever reloads wants to be told anew.
        self.refused.clear();
        let before: HashSet<Id> = self.table.iter().map(|(id, _)| id).collect();
        self.reconcile(now);
        self.reconcile_at = self.reconcile_at.min(now + limits.reconcile_interval);
        let begun = self.table.iter().filter(|(id, _)| !before.contains(id)).count();
        let let_go = self.judge_unfound();
        self.settle_leaving();
        Reloaded { changes: Vec::new(), let_go, begun }
    }

    /// What no listing showed: files that are deleted, and those that no source names any more. Answers how many the latter are.
    fn judge_unfound(&mut self) -> usize {
        let generation = self.generation;
        let unfound = self.table.iter().filter(|(_, source)| source.generation != generation && source.ended.is_none());
        let unfound: Vec<Id> = unfound.map(|(id, _)| id).collect();
        let mut let_go = 0;
        for id in unfound {
            let Some(source) = self.table.get_mut(id) else { continue };
            match self.config.sources.iter().position(|config| config.covers(&source.path)) {
                Some(place) => {
                    // What its path was captured as is known no more.
                    let template = &self.config.sources[place].service;
                    let service = if template.contains('{') { source.service.to_string() } else { template.clone() };
                    self.adopt(id, place, &service);
                }
                None => {
                    source.generation = generation;
                    source.leaving = Some(Leaving::LetGo);
                    let_go += 1;
                    tracing::info!("no source names {} any more, letting go of it", source.path.display());
                }
            }
        }
        let_go
    }

    /// The file belongs to this source of the configuration from now on.
    pub(super) fn adopt(&mut self, id: Id, place: usize, service: &str) {
        let config = &self.config.sources[place];
        let Some(source) = self.table.get_mut(id) else { return };
        source.generation = self.generation;
        source.copies_are_read = config.rotated;
        if !Arc::ptr_eq(&source.treatment, &config.treatment) {
            source.treatment = config.treatment.clone();
            source.lines = None;
            source.memory = Memory::default();
            source.by_line = None;
            source.stalled = None;
        }
        let service = if service.contains('{') { fill(service, &source.labels) } else { service.to_owned() };
        source.go_by(service.into());
        if source.phase == Phase::Open && source.size > source.read.position {
            self.schedule(id, Instant::now());
        }
    }

    /// What waited until nothing of it is in flight.
    pub(super) fn settle_leaving(&mut self) {
        let quiet = self.table.iter().filter(|(_, source)| source.in_flight.is_empty());
        let leaving: Vec<(Id, Leaving)> =
            quiet.filter_map(|(id, source)| Some((id, source.leaving.clone()?))).collect();
        for (id, leaving) in leaving {
            match leaving {
                Leaving::LetGo => self.forgo(id),
                Leaving::Renamed(service) => self.go_on_as(id, service),
            }
        }
    }

    fn forgo(&mut self, id: Id) {
        if self.inflating == Some(id) {
            self.inflating = None;
        }
        let Some(source) = self.table.remove(id) else { return };
        self.close_alias(&source);
        // What was not decided yet is found anew, should a source name it again.
        if source.examination.is_none() && !source.may_be_copy && !source.unlinked {
            // That its file may go now is nobody's loss.
            let remembered = Remembered { complete: true, ..source.remember(now_ns() / 1_000_000_000) };
            self.remembered_devices.insert(source.key.device);
            self.remembered.insert(source.key, remembered);
        }
        self.unsaved = true;
    }

    /// Only when the aggregator's frontier is known: what it may hold already must not be stored under another name, too.
    fn go_on_as(&mut self, id: Id, service: Arc<str>) {
        let Some(source) = self.table.get(id).filter(|source| source.phase == Phase::Open && source.ended.is_none())
        else {
            return;
        };
        if source.size == source.acked.position {
            return;
        }
        self.close_alias(source);
        self.table.end_account(id);
        let Some(source) = self.table.get_mut(id) else { return };
        tracing::info!("{} goes on as {service} at position {}", source.path.display(), source.acked.position);
        source.source_id = *uuid::Uuid::new_v4().as_bytes();
        source.service = service;
        source.account = Account::default();
        source.start_at(source.acked);
        source.begun = Begun::Renamed(source.acked.position);
        source.origin = source.acked.position;
        source.phase = Phase::Unannounced;
        source.recorded = None;
        source.leaving = None;
        self.announce.push_back(id);
        self.unsaved = true;
        self.checkpoint_soon(Instant::now());
    }

    fn close_alias(&self, source: &Source) {
        if source.phase == Phase::Open
            && let Some(session) = &self.session
        {
            let close = CloseSource { source: source.alias };
            let _ = session.send(AgentMessage { message: Some(agent_message::Message::CloseSource(close)) });
        }
    }
}

/// A treatment that did not change stays the same one, so that files go on with what was learned of them.
fn with_treatments_of(old: &Config, new: &Config) -> Config {
    let mut config = new.clone();
    let known: Vec<_> =
        old.sources.iter().map(|source| (format!("{:?}", source.treatment), &source.treatment)).collect();
    for source in &mut config.sources {
        let text = format!("{:?}", source.treatment);
        if let Some((_, treatment)) = known.iter().find(|(known, _)| *known == text) {
            source.treatment = Arc::clone(treatment);
        }
    }
    config
}
