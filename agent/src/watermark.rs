//! "Everything that my files held at time T has been acknowledged": how far T may go. Pure.
//!
//! A pass over the files at T notes how far each of them reached. When all of that is acknowledged, T is the watermark, and the next
//! pass may begin. **It never runs ahead**: bytes that a pass has not seen are behind no watermark.

/// Follows one pass at a time.
#[derive(Debug, Default)]
pub struct Watermark {
    reached_ns: u64,
    pass_ns: u64,
    /// Of the pass: files and the positions that have to be acknowledged.
    open: Vec<(usize, u64)>,
}

impl Watermark {
    /// Whether the last pass is through, and a new one may begin.
    pub fn wants_pass(&self) -> bool {
        self.open.is_empty()
    }

    /// A pass that began at `time_ns` found these files with bytes that are not acknowledged.
    pub fn pass(&mut self, time_ns: u64, open: Vec<(usize, u64)>) {
        self.pass_ns = time_ns;
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
        // The newest pass is the truth also when the clock was set back since the one before it.
        let moves = self.open.is_empty() && self.pass_ns != self.reached_ns;
        if moves {
            self.reached_ns = self.pass_ns;
        }
        moves
    }

    /// The watermark; 0: none yet.
    pub fn reached_ns(&self) -> u64 {
        self.reached_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_waits_for_all_of_a_pass() {
        let mut watermark = Watermark::default();
        assert!(!watermark.advance(|_| None));
        watermark.pass(10, vec![(1, 100), (2, 50), (3, 7)]);
        assert!(!watermark.wants_pass());
        assert!(!watermark.advance(|file| [None, Some(100), Some(49), None][file]));
        assert_eq!(watermark.reached_ns(), 0);
        assert!(watermark.advance(|_| Some(50)));
        assert_eq!(watermark.reached_ns(), 10);
        watermark.pass(20, vec![]);
        assert!(watermark.advance(|_| None));
        assert_eq!(watermark.reached_ns(), 20);
    }

    #[test]
    fn a_file_that_took_another_ones_place_is_waited_for() {
        let mut watermark = Watermark::default();
        watermark.pass(10, vec![(1, 100)]);
        watermark.also(2, 30);
        assert!(!watermark.advance(|file| [None, None, Some(0)][file]));
        assert!(watermark.advance(|_| Some(30)));
    }

    #[test]
    fn it_goes_back_with_the_clock() {
        let mut watermark = Watermark::default();
        watermark.pass(1000, vec![]);
        assert!(watermark.advance(|_| None));
        watermark.pass(10, vec![]);
        assert!(watermark.advance(|_| None));
        assert_eq!(watermark.reached_ns(), 10);
    }
}
