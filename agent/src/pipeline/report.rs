//! What the operator is told about the files: one path, all books, or how things are.

use std::collections::HashSet;
use std::path::Path;

use super::source::{Begun, Ending, Leaving, Phase, Source};
use super::{Control, Pipeline};
use crate::checkpoint::Remembered;
use crate::discover::verdict::verdict;
use crate::report::{Account, Audited, Books, Explanation, SourceReport, Status};
use crate::tail::file::FileKey;
use crate::treatment::Lines;

impl Pipeline {
    pub(super) fn on_control(&mut self, control: Control) {
        // Whoever asked may have gone.
        match control {
            Control::Status(reply) => drop(reply.send(self.status())),
            Control::Explain { path, reply } => drop(reply.send(self.explain(&path))),
            Control::Audit(reply) => drop(reply.send(self.books())),
            Control::Reload { new, reply } => {
                let reloaded = self.reload(new);
                drop(reply.send(reloaded));
            }
        }
    }

    fn status(&self) -> Status {
        Status {
            connected: self.session.is_some(),
            sources: self.table.count(),
            unread_bytes: self.table.iter().map(|(_, source)| source.unacked_bytes()).sum(),
        }
    }

    fn explain(&self, path: &Path) -> Explanation {
        let verdict = verdict(path, &self.config.sources, &self.config.state_dir);
        let key = rustix::fs::stat(path).ok().map(|stat| FileKey::of(&stat));
        let is_it = |source: &Source| {
            source.path == path || source.location.path() == path || (source.file.is_some() && Some(source.key) == key)
        };
        let mut found: Vec<_> = self.table.iter().filter(|(_, source)| is_it(source)).collect();
        found.sort_unstable_by_key(|(id, _)| std::cmp::Reverse(*id));
        let sources: Vec<_> = found.into_iter().map(|(_, source)| self.source_report(source)).collect();
        let mut notes = Vec::new();
        if key.is_some_and(|key| self.covered.contains_key(&key)) {
            notes.push(
                "all that it holds was delivered from another file or before; left alone until it changes".into(),
            );
        }
        let is_remembered = |remembered: &&Remembered| Some(remembered.key) == key || remembered.path == path;
        notes.extend(self.remembered.values().filter(is_remembered).map(remembered_note));
        notes.extend(self.orphans.iter().map(|orphan| &orphan.remembered).filter(is_remembered).map(|remembered| {
            format!("{}; its file is gone, and a copy of it may turn up", remembered_note(remembered))
        }));
        if verdict.reads && sources.is_empty() && notes.is_empty() {
            notes.push(format!(
                "it is not followed yet: the next look is due within {:?}",
                self.config.limits.reconcile_interval
            ));
        }
        Explanation { path: path.display().to_string(), reads: verdict.reads, rules: verdict.rules, sources, notes }
    }

    fn source_report(&self, source: &Source) -> SourceReport {
        SourceReport {
            source_id: uuid::Uuid::from_bytes(source.source_id).to_string(),
            service: source.service.to_string(),
            path: source.path.display().to_string(),
            device: source.key.device,
            inode: source.key.inode,
            lines: source.lines.map_or("not known yet".into(), lines_text),
            compression: source.compression.map(|compression| format!("{compression:?}").to_lowercase()),
            labels: source.labels.iter().cloned().collect(),
            rotated: source.rotated,
            deleted: source.unlinked,
            begun: begun_text(source.begun),
            size: source.end(),
            read: source.read.position,
            acknowledged: source.acked.position,
            in_flight_bytes: source.read.position - source.acked.position,
            in_flight_batches: source.in_flight.len(),
            unread_bytes: source.end().saturating_sub(source.read.position),
            phase: phase_text(source).into(),
            waits_for: self.waits_for(source),
            last_error: source.last_error.clone(),
        }
    }

    /// What has to happen next. None: it is settled.
    fn waits_for(&self, source: &Source) -> Option<String> {
        if source.examination.is_some() {
            return Some("the examining thread, which decompresses it to learn its size".into());
        }
        if let Some(Ending { awaits_copy: true, .. }) = source.ended {
            return Some(
                "a copy that holds its bytes; if none turns up within seconds, they are declared a gap".into(),
            );
        }
        if source.may_be_copy {
            return Some("it to be quiet, or the file that it may be a copy of to be acknowledged".into());
        }
        if source.is_settled() && source.in_flight.is_empty() && source.leaving != Some(Leaving::LetGo) {
            return None;
        }
        let Some(session) = &self.session else {
            return Some(format!("a session with the aggregator {}", self.config.destination.aggregator));
        };
        match source.phase {
            Phase::Unannounced if source.awaits_record => {
                return Some("the checkpoint: nothing is shipped of a file that does not stand in it".into());
            }
            Phase::Unannounced => return Some("its turn to be announced".into()),
            Phase::Asked => return Some("the aggregator to say where to go on".into()),
            Phase::Open => {}
        }
        if source.leaving.is_some() || source.read.position >= source.end() {
            return Some("the acknowledgement of what is in flight".into());
        }
        let other = self.inflating.filter(|id| self.table.get(*id).is_some_and(|other| other.key != source.key));
        Some(match () {
            () if source.compression.is_some() && other.is_some() => {
                "another compressed file: one is read at a time".into()
            }
            () if source.stalled.is_some() => "the end of its last line, or its silence for limits.idle_flush".into(),
            () if session.is_full() => "room in the outbox".into(),
            () if session.credit_bytes < session.batch_bytes_max => "credit: the aggregator is behind".into(),
            () if source.last_error.is_some() => "another try at reading it".into(),
            () => "its turn".into(),
        })
    }

    fn books(&self) -> Books {
        let followed = self.table.iter().map(|(_, source)| {
            let mut in_flight = crate::report::Tally::default();
            source.tallies.iter().for_each(|tally| in_flight.add(tally));
            Audited {
                followed: true,
                announced: !source.fresh,
                open: source.phase == Phase::Open,
                account: source.account,
                in_flight,
                acknowledged: source.acked.position,
                read: source.read.position,
                seen: source.end(),
                ..audited(source.source_id, &source.service, &source.path)
            }
        });
        let gone = self.table.gone().map(|gone| Audited {
            announced: gone.announced,
            account: gone.account,
            acknowledged: gone.acked,
            read: gone.acked,
            seen: gone.acked,
            ..audited(gone.source_id, &gone.service, &gone.path)
        });
        let remembered = self.remembered.values().map(of_remembered);
        // Of each source what is known best: the first entry.
        let mut known = HashSet::new();
        let sources = followed.chain(gone).chain(remembered).filter(|source| known.insert(source.source_id.clone()));
        Books { running: true, sources: sources.collect() }
    }
}

/// What the checkpoint alone tells.
pub fn of_remembered(remembered: &Remembered) -> Audited {
    let frontier = remembered.frontier;
    Audited {
        announced: !remembered.fresh,
        account: Account { begin: frontier, ..Account::default() },
        acknowledged: frontier,
        read: frontier,
        seen: remembered.size.max(frontier),
        ..audited(remembered.source_id, &remembered.service, &remembered.path)
    }
}

fn audited(source_id: [u8; 16], service: &str, path: &Path) -> Audited {
    Audited {
        source_id: uuid::Uuid::from_bytes(source_id).to_string(),
        service: service.to_owned(),
        path: path.display().to_string(),
        ..Audited::default()
    }
}

/// What is remembered of a file that is not followed.
pub fn remembered_note(remembered: &Remembered) -> String {
    format!(
        "remembered as source {} of {}, delivered up to position {} of {}",
        uuid::Uuid::from_bytes(remembered.source_id),
        remembered.service,
        remembered.frontier,
        remembered.size
    )
}

/// What a file's lines are made of, in the words of the configuration.
pub fn lines_text(lines: Lines) -> String {
    match lines {
        Lines::Plain => "plain lines".into(),
        Lines::Framed(framing) => format!("a container's lines ({framing:?})").to_lowercase(),
        Lines::Encoded(encoding) => format!("lines in {}", encoding.name()),
    }
}

fn begun_text(begun: Begun) -> String {
    match begun {
        Begun::AtItsBeginning => "at its beginning".into(),
        Begun::AtItsEnd(position) => format!("at position {position}: its end when it was found (start_at)"),
        Begun::Remembered(position) => format!("at position {position}, as the checkpoint remembers it"),
        Begun::Known(position) => format!("at position {position}, as the aggregator knew it"),
        Begun::AsCopy(position) => format!("at position {position}, as a copy of what another file held"),
        Begun::Renamed(position) => format!("at position {position}, where its service changed"),
    }
}

fn phase_text(source: &Source) -> &'static str {
    match source {
        Source { leaving: Some(Leaving::LetGo), .. } => "let go: no source names it any more",
        Source { leaving: Some(Leaving::Renamed(_)), .. } => "its service changes",
        Source { ended: Some(_), .. } => "ended: its file holds other bytes, or is gone",
        Source { examination: Some(_), .. } => "being examined",
        Source { may_be_copy: true, .. } => "undecided: it may be a copy",
        source if source.is_settled() && source.in_flight.is_empty() => "settled",
        Source { phase: Phase::Unannounced, .. } => "not announced",
        Source { phase: Phase::Asked, .. } => "announced",
        Source { phase: Phase::Open, .. } => "being read",
    }
}
