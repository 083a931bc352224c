//! Writes checkpoints on a thread of its own: a slow disk must not hold up the reading.

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use crate::checkpoint::{Checkpoint, StateDir};
use crate::metrics::Metrics;

pub struct Keeper {
    sender: SyncSender<Checkpoint>,
    thread: JoinHandle<()>,
}

impl Keeper {
    /// Starts the thread.
    pub fn start(state: StateDir, metrics: Arc<Metrics>) -> std::io::Result<Self> {
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
            }
        })?;
        Ok(Self { sender, thread })
    }

    /// Hands over a checkpoint. False: the one before it is still being written.
    pub fn store(&self, checkpoint: Checkpoint) -> bool {
        !matches!(self.sender.try_send(checkpoint), Err(TrySendError::Full(_)))
    }

    /// Writes a last one and ends the thread.
    pub fn finish(self, checkpoint: Checkpoint) {
        let _ = self.sender.send(checkpoint);
        drop(self.sender);
        let _ = self.thread.join();
    }
}
