//! What came in last, for those who follow it: the newest batches, as long as they fit into a budget of bytes.
//!
//! Records have ordinals in the order in which they became searchable. A reader remembers its next one; when that has left the ring
//! the reader was too slow, and learns how many it missed. Readers hold up nobody.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use tokio::sync::watch;

use crate::batch::Batch;
use crate::block::columns::{Columns, IdIndex, Range};
use crate::source::Source;

/// See the module.
pub struct Tail {
    ring: Mutex<Ring>,
    /// Where the ring ends.
    end: watch::Sender<u64>,
    bytes_max: usize,
}

#[derive(Default)]
struct Ring {
    arrivals: VecDeque<Arc<Arrival>>,
    bytes: usize,
}

/// A batch that came in.
pub struct Arrival {
    /// The ordinal of its first record.
    pub begin: u64,
    source: Arc<Source>,
    batch: Arc<Batch>,
    received_ns: i64,
    columns: OnceLock<Columns>,
}

/// What a reader gets.
pub struct Arrivals {
    /// Records that were missed before them.
    pub missed: u64,
    pub arrivals: Vec<Arc<Arrival>>,
}

impl Tail {
    /// Holds about `bytes_max` bytes of lines.
    pub fn new(bytes_max: usize) -> Self {
        Self { ring: Mutex::default(), end: watch::Sender::new(0), bytes_max }
    }

    fn lock(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().expect("no thread panics with the ring in hand")
    }

    /// A batch is searchable now.
    pub fn push(&self, source: &Arc<Source>, batch: Arc<Batch>, received_ns: i64) {
        let begin = *self.end.borrow();
        let end = begin + batch.records() as u64;
        let arrival = Arrival { begin, source: Arc::clone(source), batch, received_ns, columns: OnceLock::new() };
        let mut ring = self.lock();
        ring.bytes += arrival.bytes();
        ring.arrivals.push_back(Arc::new(arrival));
        while ring.bytes > self.bytes_max
            && ring.arrivals.len() > 1
            && let Some(oldest) = ring.arrivals.pop_front()
        {
            ring.bytes -= oldest.bytes();
        }
        drop(ring);
        self.end.send_replace(end);
    }

    /// The ordinal of the next record to come.
    pub fn end(&self) -> u64 {
        *self.end.borrow()
    }

    /// Tells when something came in.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.end.subscribe()
    }

    /// Up to `batches_max` batches with the record `next` and those behind it.
    pub fn from(&self, next: u64, batches_max: usize) -> Arrivals {
        let ring = self.lock();
        let first = ring.arrivals.partition_point(|arrival| arrival.end() <= next);
        let arrivals: Vec<_> = ring.arrivals.iter().skip(first).take(batches_max).cloned().collect();
        let begin = arrivals.first().map_or(next, |arrival| arrival.begin);
        Arrivals { missed: begin.saturating_sub(next), arrivals }
    }
}

impl Arrival {
    /// Behind its last record.
    pub fn end(&self) -> u64 {
        self.begin + self.batch.records() as u64
    }

    fn bytes(&self) -> usize {
        self.batch.raw.len()
    }

    /// Its records; put together once for all readers.
    pub fn columns(&self) -> &Columns {
        self.columns.get_or_init(|| {
            let batch = &self.batch;
            let all = Range { records: 0..batch.records(), raw: 0..batch.raw.len(), refs: 0..batch.id_refs.len() };
            let mut columns = Columns::default();
            columns.append(&self.source, batch, &all, self.received_ns, &mut IdIndex::default());
            columns
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::strategy;

    #[test]
    fn a_slow_reader_learns_what_it_missed() {
        let source = Arc::new(Source {
            id: uuid::Uuid::nil(),
            agent: uuid::Uuid::nil(),
            host: "h".into(),
            service: "s".into(),
            path: b"/a".to_vec(),
            labels: Vec::new(),
        });
        let batch = Arc::new(strategy::lines(&["one\n", "two\n", "three\n"]));
        let tail = Tail::new(batch.raw.len() * 2);
        for _ in 0..4 {
            tail.push(&source, Arc::clone(&batch), 5);
        }
        assert_eq!(tail.end(), 12);
        let all = tail.from(0, 10);
        assert_eq!((all.missed, all.arrivals.len(), all.arrivals[0].begin), (6, 2, 6));
        let later = tail.from(8, 10);
        assert_eq!((later.missed, later.arrivals[0].begin, later.arrivals[0].columns().records()), (0, 6, 3));
        assert!(tail.from(12, 10).arrivals.is_empty());
        assert_eq!(tail.from(6, 1).arrivals.len(), 1);
    }
}
