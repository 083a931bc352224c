//! Which records of a block: one bit each.

/// Below one record in so many, each is better looked at by itself than the block as a whole.
const SPARSE: usize = 8;

/// A set of records by their index in the block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mask {
    bits: Vec<u64>,
    records: usize,
}

impl Mask {
    /// None of `records` records.
    pub fn none(records: usize) -> Self {
        Self { bits: vec![0; records.div_ceil(64)], records }
    }

    /// All of `records` records.
    pub fn all(records: usize) -> Self {
        let mut mask = Self { bits: vec![u64::MAX; records.div_ceil(64)], records };
        if !records.is_multiple_of(64)
            && let Some(last) = mask.bits.last_mut()
        {
            *last = (1 << (records % 64)) - 1;
        }
        mask
    }

    /// Of how many records it speaks.
    pub fn records(&self) -> usize {
        self.records
    }

    pub fn set(&mut self, record: usize) {
        self.bits[record / 64] |= 1 << (record % 64);
    }

    pub fn unset(&mut self, record: usize) {
        self.bits[record / 64] &= !(1 << (record % 64));
    }

    pub fn has(&self, record: usize) -> bool {
        self.bits[record / 64] >> (record % 64) & 1 == 1
    }

    pub fn is_empty(&self) -> bool {
        self.bits.iter().all(|word| *word == 0)
    }

    /// Whether it has few of the block's records.
    pub fn is_sparse(&self) -> bool {
        self.count() * SPARSE < self.records
    }

    /// How many records are in it.
    pub fn count(&self) -> usize {
        self.bits.iter().map(|word| word.count_ones() as usize).sum()
    }

    pub fn and(&mut self, other: &Self) {
        self.bits.iter_mut().zip(&other.bits).for_each(|(left, right)| *left &= right);
    }

    pub fn or(&mut self, other: &Self) {
        self.bits.iter_mut().zip(&other.bits).for_each(|(left, right)| *left |= right);
    }

    /// Takes the records of `other` out.
    pub fn minus(&mut self, other: &Self) {
        self.bits.iter_mut().zip(&other.bits).for_each(|(left, right)| *left &= !right);
    }

    /// Keeps the records for which `keep` says so.
    pub fn retain(&mut self, mut keep: impl FnMut(usize) -> bool) {
        for (index, word) in self.bits.iter_mut().enumerate() {
            let mut rest = *word;
            while rest != 0 {
                let bit = rest.trailing_zeros() as usize;
                rest &= rest - 1;
                if !keep(index * 64 + bit) {
                    *word &= !(1 << bit);
                }
            }
        }
    }

    /// Its records, rising.
    pub fn iter(&self) -> impl Iterator<Item = usize> {
        self.bits.iter().enumerate().flat_map(|(index, word)| {
            let mut rest = *word;
            std::iter::from_fn(move || {
                let bit = (rest != 0).then(|| rest.trailing_zeros() as usize)?;
                rest &= rest - 1;
                Some(index * 64 + bit)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_behave_as_sets() {
        for records in [0, 1, 63, 64, 65, 200] {
            let all = Mask::all(records);
            assert_eq!((all.count(), all.iter().collect::<Vec<_>>()), (records, (0..records).collect()));
            let mut third = all.clone();
            third.retain(|record| record % 3 == 0);
            let mut others = all.clone();
            others.minus(&third);
            assert_eq!(third.count() + others.count(), records);
            let mut both = third.clone();
            both.and(&others);
            assert!(both.is_empty());
            others.or(&third);
            assert_eq!(others, all);
            assert!(third.iter().all(|record| third.has(record)));
        }
    }
}
