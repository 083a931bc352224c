//! Writes checkpoints on a thread of its own: a slow disk must not hold up the reading.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use super::Event;
use crate::checkpoint::{Checkpoint, StateDir};
use crate::metrics::Metrics;

pub struct Keeper {
    sender: SyncSender<Checkpoint>,
    thread: JoinHandle<()>,
    handed: u64,
    /// So many of them were written, or could not be.
    done: Arc<AtomicU64>,
}

impl Keeper {
    /// Starts the thread.
    pub fn start(state: StateDir, metrics: Arc<Metrics>, events: Sender<Event>) -> std::io::Result<Self> {
        let done = Arc::new(AtomicU64::new(0));
        let count = done.clone();
        let (sender, receiver) = sync_channel::<Checkpoint>(1);
        let thread = std::thread::Builder::new().name("checkpoint".into()).spawn(move || {
            let mut failed = false;
            for checkpoint in receiver {
                match state.store(&checkpoint) {
                    Ok(()) => failed = false,
                    Err(error) => {
                        metrics.checkpoint_errors.inc();
                        if !failed {
                            tracing::warn!(
                                "write checkpoint: {error}; the aggregator knows the positions, shipping goes on"
                            );
                        }
                        failed = true;
                    }
                }
                count.fetch_add(1, Ordering::Release);
                let _ = events.send(Event::Stored);
            }
        })?;
        Ok(Self { sender, thread, handed: 0, done })
    }

    /// Hands over a checkpoint and gives its number. None: the one before it is still being written.
    pub fn store(&mut self, checkpoint: Checkpoint) -> Option<u64> {
        if let Err(TrySendError::Full(_)) = self.sender.try_send(checkpoint) {
            return None;
        }
        self.handed += 1;
        Some(self.handed)
    }

    /// Whether the checkpoint of this number was written, as far as that was possible.
    pub fn is_done(&self, number: u64) -> bool {
        self.done.load(Ordering::Acquire) >= number
    }

    /// Writes a last one and ends the thread.
    pub fn finish(self, checkpoint: Checkpoint) {
        let _ = self.sender.send(checkpoint);
        drop(self.sender);
        let _ = self.thread.join();
    }
}
