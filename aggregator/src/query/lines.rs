//! Where lines stand in a block's text.

/// Where the lines of a block's text begin and end.
pub struct Lines<'t> {
    /// The text.
    pub raw: &'t [u8],
    /// The same in lower case (ASCII only), where that was asked for.
    pub lower: &'t [u8],
    /// Of each line, and where the last one ends.
    begins: Vec<usize>,
}

impl<'t> Lines<'t> {
    pub fn new(raw: &'t [u8], lower: &'t [u8], lengths: &[u32]) -> Self {
        let mut at = 0;
        let ends = lengths.iter().map(|length| {
            at += *length as usize;
            at
        });
        Self { raw, lower, begins: std::iter::once(0).chain(ends).collect() }
    }

    /// Without the line feed at its end.
    pub fn content(&self, record: usize) -> std::ops::Range<usize> {
        let (begin, end) = (self.begins[record], self.begins[record + 1]);
        begin..if end > begin && self.raw[end - 1] == b'\n' { end - 1 } else { end }
    }

    /// The record with the byte at `at`; none behind the last one.
    pub fn record_at(&self, at: usize) -> Option<usize> {
        let record = self.begins.partition_point(|begin| *begin <= at).checked_sub(1)?;
        (record + 1 < self.begins.len()).then_some(record)
    }

    /// Where the record ends, line feed included.
    pub fn end(&self, record: usize) -> usize {
        self.begins[record + 1]
    }
}
