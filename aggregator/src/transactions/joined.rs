//! Transactions that may have several rows, by ID: those of which a commit wrote that it goes on with them, and all that is not committed.
//! Rows that began such a transaction are found by 32 bits of their IDs.

use std::sync::Arc;

use hashbrown::hash_map::{Entry, EntryRef};
use hashbrown::{HashMap, HashSet};
use rayon::prelude::*;

use crate::block::encode::{IdSummary, Summary, summarise};
use crate::block::transactions::ids::fingerprint;
use crate::block::transactions::share::Share;
use crate::head::view::HeldBlock;
use crate::id::Canonical;

/// So many transactions are put together: some 200 MB. Without what goes beyond, an answer says that it is partial.
pub const JOINED_MAX: usize = 1 << 20;
/// They are in so many maps, which are filled side by side.
const SHARDS: usize = 16;
const SHARD_MAX: usize = JOINED_MAX / SHARDS;
/// Bits of the filter for each of them, two of which are set: it lets one row in some 200 through that has nothing to do with them.
const FILTER_BITS: usize = 32;

type Shares = HashMap<Canonical, Share, foldhash::fast::RandomState>;
type Tags = HashSet<u32, foldhash::fast::RandomState>;

/// 32 bits of an ID, by its fingerprint.
#[inline]
pub fn tag(fingerprint: u64) -> u32 {
    (fingerprint >> 32) as u32
}

/// See the module.
#[derive(Default)]
pub struct Joined {
    shards: Vec<Shares>,
    /// Of the IDs of each shard.
    tags: Vec<Tags>,
    /// Two bits of a word are set if an ID with such a tag is there; its length is a power of two.
    filter: Vec<u64>,
    /// Some were left out, because there are too many.
    pub is_cut: bool,
}

/// What one block of the head says of the transactions in it.
struct Block<'a> {
    service: &'a Arc<str>,
    ids: &'a [IdSummary],
}

impl Joined {
    /// Of the blocks of the head, and of `rows` that were decoded, document by document.
    pub fn of(head: &[HeldBlock], rows: Vec<Vec<(Canonical, Share)>>) -> Self {
        // Open blocks are not summed up yet.
        let open: Vec<(Arc<str>, Summary)> = head
            .par_iter()
            .filter_map(|block| match block {
                HeldBlock::Raw(columns) => {
                    let service = columns.sources.first()?.service.as_str().into();
                    Some((service, summarise(columns)))
                }
                HeldBlock::Sealed(_) => None,
            })
            .collect();
        let sealed = head.iter().filter_map(|block| match block {
            HeldBlock::Raw(_) => None,
            HeldBlock::Sealed(block) => Some(Block { service: &block.service, ids: &block.summary.ids }),
        });
        let open = open.iter().map(|(service, summary)| Block { service, ids: &summary.ids });
        let blocks: Vec<Block<'_>> = open.chain(sealed).collect();
        let mut parts: Vec<Vec<(Canonical, Share)>> = (0..SHARDS).map(|_| Vec::new()).collect();
        for (id, share) in rows.into_iter().flatten() {
            parts[shard(fingerprint(&id))].push((id, share));
        }
        let mut by_shard: Vec<Vec<(&Arc<str>, &IdSummary)>> = vec![Vec::new(); SHARDS];
        for block in &blocks {
            block.ids.iter().for_each(|id| by_shard[shard(fingerprint(&id.id))].push((block.service, id)));
        }
        let shards: Vec<(Shares, Tags, bool)> = parts
            .into_par_iter()
            .zip(by_shard)
            .map(|(rows, blocks)| {
                let mut shares = Shares::default();
                let mut is_cut = false;
                for (service, block) in blocks {
                    let has_room = shares.len() < SHARD_MAX;
                    match shares.entry_ref(&block.id) {
                        EntryRef::Occupied(mut known) => known.get_mut().add(service, block),
                        EntryRef::Vacant(new) if has_room => drop(new.insert_entry(Share::of(service, block))),
                        EntryRef::Vacant(_) => is_cut = true,
                    }
                }
                for (id, share) in rows {
                    let has_room = shares.len() < SHARD_MAX;
                    match shares.entry(id) {
                        Entry::Occupied(mut known) => known.get_mut().merge(share),
                        Entry::Vacant(new) if has_room => drop(new.insert_entry(share)),
                        Entry::Vacant(_) => is_cut = true,
                    }
                }
                let tags: Tags = shares.keys().map(|id| tag(fingerprint(id))).collect();
                (shares, tags, is_cut)
            })
            .collect();
        let is_cut = shards.iter().any(|(_, _, is_cut)| *is_cut);
        let (shards, tags): (Vec<Shares>, Vec<Tags>) =
            shards.into_iter().map(|(shares, tags, _)| (shares, tags)).unzip();
        let bits = (shards.iter().map(Shares::len).sum::<usize>() * FILTER_BITS).next_power_of_two();
        let mut filter = vec![0; bits.div_ceil(u64::BITS as usize).next_power_of_two()];
        for tag in tags.iter().flatten() {
            let (word, bits) = place(&filter, *tag);
            filter[word] |= bits;
        }
        Self { shards, tags, filter, is_cut }
    }

    /// Whether an ID with this tag is there. Another one may have it as well, once in many thousands of times.
    #[inline]
    pub fn may_hold(&self, tag: u32) -> bool {
        let (word, bits) = place(&self.filter, tag);
        self.filter[word] & bits == bits && self.tags[shard_of(tag)].contains(&tag)
    }

    /// Whether the ID is there.
    pub fn holds(&self, id: &Canonical) -> bool {
        self.shards.get(shard(fingerprint(id))).is_some_and(|shares| shares.contains_key(id))
    }

    /// What is known of an ID.
    pub fn get(&self, id: &Canonical) -> Option<&Share> {
        self.shards.get(shard(fingerprint(id)))?.get(id)
    }

    /// Adds `rows` of IDs that are there, and then has `each` look at all IDs: some of them at a time, side by side.
    pub fn merge<T: Send>(
        &mut self,
        rows: Vec<(Canonical, Share)>,
        each: impl Fn(&mut dyn Iterator<Item = (&Canonical, &Share)>) -> T + Sync,
    ) -> Vec<T> {
        let mut by_shard: Vec<Vec<(Canonical, Share)>> = (0..SHARDS).map(|_| Vec::new()).collect();
        rows.into_iter().for_each(|row| by_shard[shard(fingerprint(&row.0))].push(row));
        let merged = self.shards.par_iter_mut().zip(by_shard).map(|(shares, rows)| {
            for (id, share) in rows {
                if let Some(known) = shares.get_mut(&id) {
                    known.merge(share);
                }
            }
            each(&mut shares.iter())
        });
        merged.collect()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&Canonical, &Share)> {
        self.shards.iter().flatten()
    }

    /// Between which times their records lie; none when there are none.
    pub fn times(&self) -> Option<(i64, i64)> {
        let ends = self.iter().map(|(_, share)| (share.time_min, share.time_max));
        ends.reduce(|left, right| (left.0.min(right.0), left.1.max(right.1)))
    }
}

fn shard(fingerprint: u64) -> usize {
    shard_of(tag(fingerprint))
}

fn shard_of(tag: u32) -> usize {
    (tag >> 28) as usize % SHARDS
}

/// A word of a filter, and two bits of it.
#[inline]
fn place(filter: &[u64], tag: u32) -> (usize, u64) {
    (tag as usize >> 12 & (filter.len() - 1), 1 << (tag & 63) | 1 << (tag >> 6 & 63))
}
