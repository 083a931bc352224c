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

    /// Looks at what is acknowledged by now; `acked` answers none for a file that is let go. True: the watermark moved.
    pub fn advance(&mut self, acked: impl Fn(usize) -> Option<u64>) -> bool {
        self.open.retain(|(file, position)| acked(*file).is_some_and(|acked| acked < *position));
        let moves = self.open.is_empty() && self.pass_ns > self.reached_ns;
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
}
