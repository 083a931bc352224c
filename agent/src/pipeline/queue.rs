//! Whose turn it is: live files before old ones, and no faster than is allowed. Pure: the time is passed in.
//!
//! A file that has little unread is *live*; one that has much is *backlog*. Live files take turns among themselves, and so does the
//! backlog; after so many turns of live files one of the backlog comes, so that neither waits for ever. A live line thus waits for a
//! batch of old ones at most, however many gigabytes they are.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::source::Id;

/// A file with more unread bytes than this is backlog: what a busy service writes in a second or so.
const LIVE_BYTES_MAX: u64 = 2 << 20;
/// Between two turns of the backlog there are at most so many of live files.
const LIVE_TURNS_MAX: u32 = 32;
/// Live files may run ahead of the pace by so much; the backlog pays for it.
const LIVE_AHEAD: Duration = Duration::from_secs(1);
/// What was not used of the pace is kept for so long.
const BURST: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub struct Queue {
    live: VecDeque<Id>,
    backlog: VecDeque<Id>,
    live_turns: u32,
    last_was_backlog: bool,
    bytes_per_second: u64,
    /// What was read until now is paid for at this time.
    paid: Instant,
}

impl Queue {
    /// `bytes_per_second` of zero: as fast as it goes.
    pub fn new(bytes_per_second: u64, now: Instant) -> Self {
        Self {
            live: VecDeque::new(),
            backlog: VecDeque::new(),
            live_turns: 0,
            last_was_backlog: false,
            bytes_per_second,
            paid: now,
        }
    }

    /// Another pace from now on.
    pub fn set_pace(&mut self, bytes_per_second: u64) {
        self.bytes_per_second = bytes_per_second;
    }

    /// Gets in line, with so many unread bytes.
    pub fn push(&mut self, id: Id, unread_bytes: u64) {
        if unread_bytes > LIVE_BYTES_MAX { self.backlog.push_back(id) } else { self.live.push_back(id) }
    }

    /// The next one. None: nobody is in line, or nobody may read now. `backlog`: whether there is room for old lines.
    pub fn next(&mut self, now: Instant, backlog: bool) -> Option<Id> {
        let ahead = if self.bytes_per_second == 0 { Duration::ZERO } else { self.paid.saturating_duration_since(now) };
        let backlog = backlog && ahead.is_zero() && !self.backlog.is_empty();
        let live = ahead < LIVE_AHEAD && !self.live.is_empty();
        self.last_was_backlog = backlog && (!live || self.live_turns >= LIVE_TURNS_MAX);
        if self.last_was_backlog {
            self.live_turns = 0;
            return self.backlog.pop_front();
        }
        if !live {
            return None;
        }
        self.live_turns += 1;
        self.live.pop_front()
    }

    /// The one that `next` gave could not have its turn. True: it was backlog.
    pub fn put_back(&mut self, id: Id) -> bool {
        if self.last_was_backlog {
            self.backlog.push_front(id);
        } else {
            self.live.push_front(id);
        }
        self.last_was_backlog
    }

    /// So much was read.
    pub fn pay(&mut self, bytes: u64, now: Instant) {
        if self.bytes_per_second > 0 {
            let from = self.paid.max(now.checked_sub(BURST).unwrap_or(now));
            self.paid = from + Duration::from_secs_f64(bytes as f64 / self.bytes_per_second as f64);
        }
    }

    /// When somebody in line may read again, if it is the pace that they wait for.
    pub fn paced_until(&self, now: Instant) -> Option<Instant> {
        (self.bytes_per_second > 0 && !self.is_empty() && self.paid > now).then_some(self.paid)
    }

    /// Whether nobody is in line.
    pub fn is_empty(&self) -> bool {
        self.live.is_empty() && self.backlog.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_live_files_nor_the_backlog_starve() {
        let now = Instant::now();
        let mut queue = Queue::new(0, now);
        for old in 0..1000 {
            queue.push(old, 1 << 30);
        }
        queue.push(5000, 10);
        assert_eq!(queue.next(now, true), Some(5000));
        // A busy live file is back in line at once.
        let mut turns = Vec::new();
        queue.push(5000, 10);
        for _ in 0..330 {
            let id = queue.next(now, true).unwrap();
            queue.push(id, if id == 5000 { 10 } else { 1 << 30 });
            turns.push(id);
        }
        let old = turns.iter().filter(|id| **id != 5000).count();
        assert_eq!(old, 10);
        assert_eq!(queue.next(now, false), Some(5000));
        assert_eq!(queue.next(now, false), None);
        assert!(!queue.is_empty());
    }

    #[test]
    fn the_pace_is_kept_and_live_files_go_first() {
        let begin = Instant::now();
        let mut queue = Queue::new(1000, begin);
        queue.push(1, 1 << 30);
        queue.push(2, 10);
        queue.pay(500, begin);
        assert_eq!(queue.next(begin, true), Some(2));
        assert_eq!(queue.next(begin, true), None);
        assert!(!queue.put_back(2) || !queue.is_empty());
        let later = queue.paced_until(begin).unwrap();
        assert!(later <= begin + Duration::from_millis(500));
        assert_eq!(queue.next(later, false), Some(2));
        assert_eq!(queue.next(later, true), Some(1));
        let mut read = 0;
        let mut now = begin;
        while now < begin + Duration::from_secs(20) {
            queue.push(1, 1 << 30);
            if queue.next(now, true).is_some() {
                queue.pay(300, now);
                read += 300;
            }
            now += Duration::from_millis(10);
        }
        assert!((18_000..23_000).contains(&read), "{read}");
    }
}
