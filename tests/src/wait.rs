//! Waiting for a condition that can be observed. There is no other waiting: a deadline that passes is a failure.

use std::time::{Duration, Instant};

/// How often a condition is looked at.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Calls `probe` until it answers `Some`, and panics with `what` and the last thing that `describe` saw otherwise.
pub fn until<T>(what: &str, deadline: Duration, mut probe: impl FnMut() -> Result<T, String>) -> T {
    let begin = Instant::now();
    loop {
        match probe() {
            Ok(answer) => return answer,
            Err(seen) if begin.elapsed() > deadline => {
                panic!("waited {deadline:?} for {what}; last seen: {seen}");
            }
            Err(_) => std::thread::sleep(POLL_INTERVAL),
        }
    }
}

/// `Ok` when the condition holds, otherwise what was seen instead.
pub fn check(holds: bool, seen: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(seen()) }
}
