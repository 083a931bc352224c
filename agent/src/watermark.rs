//! "Everything that my files held at time T has been acknowledged": how far T may go. Pure.
//!
//! A pass over the files at T notes how far each of them reached. When all of that is acknowledged, T is the watermark, and the next
//! pass may begin. **It never runs ahead**: bytes that a pass has not seen are behind no watermark, and the clock of the host, which
//! may be set at any time, decides nothing.

use std::time::Instant;

/// Follows one pass at a time.
#[derive(Debug, Default)]
pub struct Watermark {
    reached: Option<Instant>,
    /// When the pass began that is under way, or the last one.
    pass: Option<Instant>,
    /// Of the pass: files and the positions that have to be acknowledged.
    open: Vec<(usize, u64)>,
}

impl Watermark {
    /// Whether the last pass is through, and a new one may begin.
    pub fn wants_pass(&self) -> bool {
        self.open.is_empty()
    }

    /// A pass that began at `began` found these files with bytes that are not acknowledged.
    pub fn pass(&mut self, began: Instant, open: Vec<(usize, u64)>) {
        self.pass = Some(began);
        self.open = open;
    }

    /// A file took the place of another one while the pass is under way: its bytes, too, may be older than the pass.
    pub fn also(&mut self, file: usize, position: u64) {
        if !self.open.is_empty() {
            self.open.push((file, position));
        }
    }

    /// Looks at what is acknowledged by now; `acked` answers none for a file that is let go. True: the watermark moved.
    pub fn advance(&mut self, acked: impl Fn(usize) -> Option<u64>) -> bool {
        self.open.retain(|(file, position)| acked(*file).is_some_and(|acked| acked < *position));
        let moves = self.open.is_empty() && self.pass != self.reached;
        if moves {
            self.reached = self.pass;
        }
        moves
    }

    /// The watermark; none yet.
    pub fn reached(&self) -> Option<Instant> {
        self.reached
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn seconds() -> impl Fn(u64) -> Instant {
        let begin = Instant::now();
        move |second| begin + Duration::from_secs(second)
    }

    #[test]
    fn it_moves_when_everything_of_the_pass_is_acknowledged() {
        let at = seconds();
        let mut watermark = Watermark::default();
        assert!(!watermark.advance(|_| None));
        watermark.pass(at(10), vec![(1, 100), (2, 50), (3, 7)]);
        assert!(!watermark.wants_pass());
        assert!(!watermark.advance(|file| [None, Some(100), Some(49), None][file]));
        assert_eq!(watermark.reached(), None);
        assert!(watermark.advance(|_| Some(50)));
        assert_eq!(watermark.reached(), Some(at(10)));
        watermark.pass(at(20), vec![]);
        assert!(watermark.advance(|_| None));
        assert_eq!(watermark.reached(), Some(at(20)));
    }

    #[test]
    fn a_file_that_takes_the_place_of_another_is_waited_for() {
        let at = seconds();
        let mut watermark = Watermark::default();
        watermark.pass(at(10), vec![(1, 100)]);
        watermark.also(2, 30);
        assert!(!watermark.advance(|file| [None, None, Some(0)][file]));
        assert!(watermark.advance(|_| Some(30)));
    }
}
