//! What the agent tells its operator about itself: plain values, as they stand in the answers of the control socket. Pure.
//!
//! Positions and bytes are those of the file (of a compressed one, of what it decompresses to).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The agent as a whole, at a moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    pub connected: bool,
    pub sources: usize,
    /// Bytes that the files are known to hold and that are not acknowledged.
    pub unread_bytes: u64,
}

/// Why a path is read or not, and what has become of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    pub path: String,
    /// By the configuration, and what is there now.
    pub reads: bool,
    /// In the order in which the rules are asked.
    pub rules: Vec<String>,
    /// What the agent does with it; one entry for each incarnation that is not settled yet, the newest first.
    pub sources: Vec<SourceReport>,
    /// What is known of it although it is not followed.
    pub notes: Vec<String>,
}

/// One source that is followed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SourceReport {
    pub source_id: String,
    pub service: String,
    pub path: String,
    pub device: u64,
    pub inode: u64,
    /// What its lines are made of.
    pub lines: String,
    pub compression: Option<String>,
    pub labels: BTreeMap<String, String>,
    pub rotated: bool,
    pub deleted: bool,
    /// Where this process began with it, and why there.
    pub begun: String,
    /// Where its last known byte ends.
    pub size: u64,
    pub read: u64,
    pub acknowledged: u64,
    pub in_flight_bytes: u64,
    pub in_flight_batches: usize,
    pub unread_bytes: u64,
    pub phase: String,
    /// Nothing: it is settled.
    pub waits_for: Option<String>,
    pub last_error: Option<String>,
}

/// Bytes by what became of them. The sum is what was covered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    pub stored: u64,
    pub dropped: u64,
    pub sampled: u64,
    pub nuls: u64,
    pub gaps: u64,
}

impl Tally {
    /// All of it.
    pub fn sum(&self) -> u64 {
        self.stored + self.dropped + self.sampled + self.nuls + self.gaps
    }

    /// Adds what another one has.
    pub fn add(&mut self, other: &Self) {
        self.stored += other.stored;
        self.dropped += other.dropped;
        self.sampled += other.sampled;
        self.nuls += other.nuls;
        self.gaps += other.gaps;
    }
}

/// The bytes of one source, counted batch by batch as they were acknowledged to this process.
///
/// **begin + tally + held = the acknowledged position**, exactly: the left side is counted, the right one is a position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// What stands before was delivered before this process began to count.
    pub begin: u64,
    pub tally: Tally,
    /// Bytes that the aggregator turned out to hold when a session began: their acknowledgement was lost on the way.
    pub held: u64,
}

impl Account {
    /// The position up to which it has counted.
    pub fn end(&self) -> u64 {
        self.begin + self.tally.sum() + self.held
    }

    /// Nothing is in flight, and the aggregator says that it goes on at `position`.
    pub fn go_on_at(&mut self, position: u64) {
        if self.tally.sum() == 0 && self.held == 0 || position < self.end() {
            *self = Self { begin: position, ..Self::default() };
        } else {
            self.held += position - self.end();
        }
    }
}

/// One source in the agent's books.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Audited {
    pub source_id: String,
    pub service: String,
    pub path: String,
    /// Followed, or let go with these last positions.
    pub followed: bool,
    /// The aggregator was told of it.
    pub announced: bool,
    /// In this session the aggregator said where it goes on.
    pub open: bool,
    pub account: Account,
    /// Of the batches that are in flight, counted one by one.
    pub in_flight: Tally,
    pub acknowledged: u64,
    pub read: u64,
    pub seen: u64,
}

/// The agent's books.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Books {
    /// False: from the checkpoint, whose positions may be some seconds old.
    pub running: bool,
    pub sources: Vec<Audited>,
}

/// What a reload did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Reloaded {
    /// One line each; none: the file says what is in force anyway.
    pub changes: Vec<String>,
    /// Files that no source names any more.
    pub let_go: usize,
    /// Files that are followed from now on.
    pub begun: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_ends_where_the_frontier_is() {
        let mut account = Account::default();
        account.go_on_at(100);
        assert_eq!((account.begin, account.end()), (100, 100), "nothing was counted before");
        account.tally.add(&Tally { stored: 40, dropped: 10, ..Tally::default() });
        account.go_on_at(150);
        assert_eq!((account.begin, account.held, account.end()), (100, 0, 150));
        account.go_on_at(170);
        assert_eq!((account.begin, account.held, account.end()), (100, 20, 170), "an acknowledgement was lost");
        account.go_on_at(120);
        assert_eq!(account, Account { begin: 120, ..Account::default() }, "the aggregator forgot something");
    }
}
