//! How many bytes does a compressed file hold? Only decompressing it tells, and that takes as long as it takes: on a thread of
//! its own, one file after the other, so that no live line waits for it.

use std::io;
use std::sync::mpsc::{Sender, channel};

use super::Event;
use crate::identity::Fingerprint;
use crate::tail::inflate::Inflate;

/// A file to be examined.
pub struct Request {
    /// Comes back with the answer.
    pub number: u64,
    pub inflate: Inflate,
}

/// What was found.
#[derive(Debug)]
pub struct Examined {
    pub number: u64,
    /// Bytes that it decompresses to.
    pub size: u64,
    /// The guard of its end.
    pub tail: Fingerprint,
    /// Why it is no whole compressed file; then `size` is what came before.
    pub error: Option<io::Error>,
}

pub struct Examiner {
    requests: Sender<Request>,
}

impl Examiner {
    /// Starts the thread; it ends with this value.
    pub fn start(answers: Sender<Event>) -> io::Result<Self> {
        let (requests, queue) = channel::<Request>();
        std::thread::Builder::new().name("examine".into()).spawn(move || {
            for request in queue {
                if answers.send(Event::Examined(examine(request))).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { requests })
    }

    /// Hands over a file.
    pub fn ask(&self, request: Request) {
        let _ = self.requests.send(request);
    }
}

fn examine(request: Request) -> Examined {
    let Request { number, mut inflate } = request;
    let mut size = 0;
    let error = loop {
        match inflate.step() {
            Ok(0) => break None,
            Ok(read) => size += read as u64,
            Err(error) => break Some(error),
        }
    };
    Examined { number, size, tail: Fingerprint::guard(inflate.window()), error }
}
