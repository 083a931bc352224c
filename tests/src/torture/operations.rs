//! The kinds of operation, how often each is chosen, and how often each was done.

use std::time::Duration;

use fastrand::Rng;

use super::family::{Family, Tear};
use super::ledger::Ledger;
use super::lines::Lines;

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    AppendOne,
    AppendSome,
    AppendBurst,
    AppendTorn,
    RenameAndCreate,
    RenameDated,
    /// Several rotations between two looks.
    RenameOften,
    CopyAndTruncate,
    Compress,
    /// Its lines go with it, unless they were read.
    Truncate,
    /// The next write creates it.
    Delete,
    /// The new file may get the old one's inode.
    DeleteAndCreate,
}

/// With weights. What destroys is rare: at most a few per cent of the lines may be beyond anybody's knowledge.
const MIX: [(Kind, u32); 12] = [
    (Kind::AppendOne, 440),
    (Kind::AppendSome, 180),
    (Kind::AppendBurst, 15),
    (Kind::AppendTorn, 80),
    (Kind::RenameAndCreate, 40),
    (Kind::RenameDated, 20),
    (Kind::RenameOften, 8),
    (Kind::CopyAndTruncate, 40),
    (Kind::Compress, 70),
    (Kind::Truncate, 8),
    (Kind::Delete, 5),
    (Kind::DeleteAndCreate, 6),
];

/// Chooses, does, counts.
#[derive(Default)]
pub struct Operations {
    counts: [u32; MIX.len()],
}

impl Operations {
    /// One operation on the files of service `number`.
    pub fn one(&mut self, random: &mut Rng, family: &mut Family, number: u32, lines: &mut Lines, ledger: &mut Ledger) {
        let place = choose(random);
        let kind = MIX[place].0;
        // Mostly none at all; never so long that an unterminated line is taken for the last one of a quiet file.
        let pause = Duration::from_millis(random.u64(..20).saturating_sub(8));
        match kind {
            Kind::AppendOne => family.append(ledger, lines.take(number, 1), None),
            Kind::AppendSome => family.append(ledger, lines.take(number, random.usize(2..9)), None),
            Kind::AppendBurst => family.append(ledger, lines.take(number, random.usize(30..120)), None),
            Kind::AppendTorn => {
                family.append(ledger, lines.take(number, random.usize(1..4)), Some(Tear { pause }));
            }
            Kind::RenameAndCreate => family.rename(ledger, false, random.u8(..4) > 0),
            Kind::RenameDated => family.rename(ledger, true, random.u8(..4) > 0),
            Kind::RenameOften => {
                for _ in 0..random.usize(2..5) {
                    family.append(ledger, lines.take(number, random.usize(1..4)), None);
                    family.rename(ledger, random.u8(..4) == 0, true);
                }
            }
            Kind::CopyAndTruncate => family.copy_and_truncate(ledger, pause),
            Kind::Compress => {
                if !family.compress(ledger, pause) {
                    return;
                }
            }
            Kind::Truncate => family.truncate(ledger),
            Kind::Delete => family.delete(ledger, false),
            Kind::DeleteAndCreate => family.delete(ledger, true),
        }
        self.counts[place] += 1;
    }

    /// All that were done.
    pub fn total(&self) -> u32 {
        self.counts.iter().sum()
    }

    /// Count by kind.
    pub fn report(&self) -> String {
        let counts: Vec<String> =
            MIX.iter().zip(self.counts).map(|((kind, _), count)| format!("{kind:?} {count}")).collect();
        counts.join(", ")
    }
}

/// A place in the mix, by weight.
fn choose(random: &mut Rng) -> usize {
    let total: u32 = MIX.iter().map(|(_, weight)| weight).sum();
    let mut left = random.u32(..total);
    for (place, (_, weight)) in MIX.iter().enumerate() {
        match left.checked_sub(*weight) {
            Some(rest) => left = rest,
            None => return place,
        }
    }
    unreachable!("the rest is smaller than the weights that are left")
}
