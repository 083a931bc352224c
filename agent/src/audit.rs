//! `clew-agent audit`: is every byte where it should be? The agent's books against the aggregator's, source by source.
//!
//! Of each source, in bytes of its file:
//!
//! - **seen = acknowledged + in flight + unread**
//! - **acknowledged = before + stored + dropped + sampled + nuls + gaps + held**: what was acknowledged is contained in exactly one
//!   of these. `before` was delivered before this process began to count; `held` is what the aggregator turned out to hold when a
//!   session began, its acknowledgement having been lost on the way
//! - in flight = what was counted of the batches that are in flight
//! - **the aggregator's frontier = acknowledged**, and its own account adds up to it
//!
//! The left sides are positions, the right ones are counted batch by batch. A file that is being shipped moves between two looks: then the
//! frontier must lie between what was acknowledged before and what was sent after. What differs is looked at again for a while.

use std::collections::HashMap;
use std::fmt::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use clew_proto::v1::ingest_client::IngestClient;
use clew_proto::v1::{SourceAccount, SourcesRequest};
use clew_service::exit::ConfigError;
use serde::Serialize;

use crate::checkpoint::peek;
use crate::config::Config;
use crate::control::client::{AskError, ask};
use crate::control::protocol::{Answer, Request};
use crate::pipeline::report::of_remembered;
use crate::report::{Audited, Books, Tally};
use crate::ship::session::why;

/// Both sides move; what differs for longer is wrong.
const SETTLE_TIME_MAX: Duration = Duration::from_secs(5);
const SETTLE_INTERVAL: Duration = Duration::from_millis(250);
const ANSWER_TIME_MAX: Duration = Duration::from_secs(30);
/// Accounts of a hundred thousand files fit.
const ACCOUNTS_BYTES_MAX: usize = 64 << 20;

/// What the aggregator holds of a source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
struct Held {
    begin: u64,
    frontier: u64,
    tally: Tally,
    records: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Ok,
    /// It is being shipped, within bounds.
    Moves,
    /// Nothing of it was shipped yet.
    NotShipped,
    Differs,
}

#[derive(Debug, Serialize)]
struct Finding {
    #[serde(flatten)]
    books: Audited,
    aggregator: Option<Held>,
    outcome: Outcome,
    differences: Vec<String>,
}

/// The whole audit.
#[derive(Debug, Serialize)]
pub struct Audit {
    /// False: the agent does not run, its checkpoint was asked.
    running: bool,
    sources: Vec<Finding>,
    /// Of sources that only the aggregator knows: how many there are, their bytes, and what does not add up.
    others: usize,
    others_bytes: u64,
    others_differences: Vec<String>,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Ask(#[from] AskError),
    #[error("{0}")]
    Failed(String),
}

impl Audit {
    /// Whether everything adds up.
    pub fn is_ok(&self) -> bool {
        self.others_differences.is_empty() && self.sources.iter().all(|finding| finding.outcome != Outcome::Differs)
    }

    /// For programs.
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut out = String::new();
        if !self.running {
            out.push_str(
                "no agent runs: these are the checkpoint's positions, some seconds older than the last ones\n",
            );
        }
        for finding in &self.sources {
            put(&mut out, finding);
        }
        let _ = writeln!(out, "{} further sources at the aggregator alone, {} bytes", self.others, self.others_bytes);
        for difference in &self.others_differences {
            let _ = writeln!(out, "  DIFFERS: {difference}");
        }
        let held = || self.sources.iter().filter_map(|finding| finding.aggregator.as_ref());
        let (before, gaps): (u64, u64) =
            held().fold((0, 0), |(before, gaps), held| (before + held.begin, gaps + held.tally.gaps));
        if before > 0 {
            let _ = writeln!(
                out,
                "note: {before} bytes lie before the beginning of the aggregator's accounts: `start_at = \"end\"`, another aggregator, or \
                 data that it lost"
            );
        }
        if gaps > 0 {
            let _ = writeln!(out, "note: {gaps} bytes were declared lost");
        }
        let differ = self.sources.iter().filter(|finding| finding.outcome == Outcome::Differs).count();
        match self.is_ok() {
            true => out.push_str("OK: every byte is accounted for"),
            false => {
                let _ = write!(
                    out,
                    "DIFFERS: {} of {} sources",
                    differ + self.others_differences.len(),
                    self.sources.len() + self.others
                );
            }
        }
        out
    }
}

fn put(out: &mut String, finding: &Finding) {
    let books = &finding.books;
    let outcome = match finding.outcome {
        Outcome::Ok => "OK",
        Outcome::Moves => "OK, moving",
        Outcome::NotShipped => "OK, not shipped yet",
        Outcome::Differs => "DIFFERS",
    };
    let gone = if books.followed { "" } else { " (not followed any more)" };
    let _ = writeln!(out, "{} {}{gone}: {outcome}", books.service, books.path);
    let in_flight = books.read.saturating_sub(books.acknowledged);
    let unread = books.seen.saturating_sub(books.read);
    let _ = writeln!(
        out,
        "  seen {} = acknowledged {} + in flight {in_flight} + unread {unread}",
        books.seen, books.acknowledged
    );
    let account = &books.account;
    let _ = writeln!(
        out,
        "  acknowledged {} = before {} + {} + held {}",
        books.acknowledged,
        account.begin,
        tally(&account.tally),
        account.held
    );
    match &finding.aggregator {
        Some(held) => {
            let _ = writeln!(out, "  aggregator {} = before {} + {}", held.frontier, held.begin, tally(&held.tally));
        }
        None => out.push_str("  aggregator: does not know it\n"),
    }
    for difference in &finding.differences {
        let _ = writeln!(out, "  {difference}");
    }
}

fn tally(tally: &Tally) -> String {
    format!(
        "stored {} + dropped {} + sampled {} + nuls {} + gaps {}",
        tally.stored, tally.dropped, tally.sampled, tally.nuls, tally.gaps
    )
}

/// Asks both sides until nothing differs, or for as long as it may take them to settle.
pub async fn audit(config: &Path) -> Result<Audit, AuditError> {
    let config = Config::load(config)?;
    let begin = Instant::now();
    loop {
        let before = books(&config)?;
        let held = accounts(&config).await?;
        let after = books(&config)?;
        let audit = compare(before, &held, &after);
        if audit.is_ok() || begin.elapsed() > SETTLE_TIME_MAX {
            return Ok(audit);
        }
        tokio::time::sleep(SETTLE_INTERVAL).await;
    }
}

fn books(config: &Config) -> Result<Books, AuditError> {
    match ask(&config.state_dir, &Request::Audit) {
        Ok(Answer::Audit(books)) => Ok(books),
        Ok(_) => Err(AuditError::Failed("the agent answered something else".into())),
        Err(AskError::NotRunning(_)) => {
            let checkpoint = peek(&config.state_dir).map_err(|error| {
                AuditError::Failed(format!("read the checkpoint in {}: {error}", config.state_dir.display()))
            })?;
            Ok(Books { running: false, sources: checkpoint.sources.iter().map(of_remembered).collect() })
        }
        Err(error) => Err(error.into()),
    }
}

async fn accounts(config: &Config) -> Result<HashMap<String, Held>, AuditError> {
    let failed = |error: &dyn std::fmt::Display| {
        AuditError::Failed(format!("aggregator {}: {error}", config.destination.aggregator))
    };
    let connection = config.destination.connect().await.map_err(|error| failed(&error))?;
    let mut client = IngestClient::new(connection.channel.clone()).max_decoding_message_size(ACCOUNTS_BYTES_MAX);
    let mut request =
        connection.request(SourcesRequest { agent_id: config.agent_id.to_vec().into(), host: config.host.clone() });
    request.set_timeout(ANSWER_TIME_MAX);
    let reply = client.sources(request).await.map_err(|status| failed(&why(status)))?;
    Ok(reply.into_inner().sources.iter().filter_map(held).collect())
}

fn held(account: &SourceAccount) -> Option<(String, Held)> {
    let source_id = uuid::Uuid::from_slice(&account.source_id).ok()?.to_string();
    let tally = Tally {
        stored: account.stored_bytes,
        dropped: account.skipped_dropped_bytes,
        sampled: account.skipped_sampled_bytes,
        nuls: account.skipped_nuls_bytes,
        gaps: account.gap_bytes,
    };
    Some((source_id, Held { begin: account.begin, frontier: account.frontier, tally, records: account.records }))
}

/// Pure.
fn compare(before: Books, held: &HashMap<String, Held>, after: &Books) -> Audit {
    let later: HashMap<&str, &Audited> =
        after.sources.iter().map(|source| (source.source_id.as_str(), source)).collect();
    let mut audit = Audit {
        running: before.running,
        sources: Vec::new(),
        others: 0,
        others_bytes: 0,
        others_differences: Vec::new(),
    };
    let known: std::collections::HashSet<String> =
        before.sources.iter().map(|source| source.source_id.clone()).collect();
    for (source_id, held) in held.iter().filter(|(source_id, _)| !known.contains(*source_id)) {
        audit.others += 1;
        audit.others_bytes += held.frontier;
        audit
            .others_differences
            .extend(own_account(held).map(|difference| format!("source {source_id}: {difference}")));
    }
    for books in before.sources {
        let held = held.get(&books.source_id).copied();
        let later = later.get(books.source_id.as_str()).copied().unwrap_or(&books);
        let (outcome, differences) = judge(&books, held.as_ref(), later);
        audit.sources.push(Finding { books, aggregator: held, outcome, differences });
    }
    audit.sources.sort_by(|a, b| (&a.books.service, &a.books.path).cmp(&(&b.books.service, &b.books.path)));
    audit
}

fn own_account(held: &Held) -> Option<String> {
    let sum = held.begin + held.tally.sum();
    (sum != held.frontier).then(|| {
        format!(
            "the aggregator's own account comes to {sum}, its frontier is {} ({})",
            held.frontier,
            difference(sum, held.frontier)
        )
    })
}

fn difference(one: u64, other: u64) -> String {
    format!("{:+} bytes", i128::from(other) - i128::from(one))
}

fn judge(books: &Audited, held: Option<&Held>, later: &Audited) -> (Outcome, Vec<String>) {
    let mut differences = Vec::new();
    let mut same = |what: &str, counted: u64, position: u64| {
        if counted != position {
            differences.push(format!(
                "{what}: counted {counted}, the position is {position} ({})",
                difference(counted, position)
            ));
        }
    };
    same("acknowledged", books.account.end(), books.acknowledged);
    same("sent", books.acknowledged + books.in_flight.sum(), books.read);
    if books.read > books.seen {
        differences.push(format!("read up to {}, beyond what was seen: {}", books.read, books.seen));
    }
    let mut outcome = Outcome::Ok;
    match held {
        None if !books.announced || books.acknowledged == 0 => outcome = Outcome::NotShipped,
        None => differences
            .push(format!("the aggregator acknowledged {} bytes and does not know the source", books.acknowledged)),
        Some(held) => {
            differences.extend(own_account(held));
            let quiet = (books.acknowledged, books.read) == (later.acknowledged, later.read);
            // Until a session has opened it, the aggregator may hold what was sent in the one before.
            let most = match (books.followed, books.open && later.open) {
                (false, _) => u64::MAX,
                (true, false) => books.seen.max(later.seen),
                (true, true) => books.read.max(later.read),
            };
            if held.frontier < books.acknowledged || held.frontier > most {
                differences.push(format!(
                    "the aggregator's frontier is {}, acknowledged was {} ({})",
                    held.frontier,
                    books.acknowledged,
                    difference(books.acknowledged, held.frontier)
                ));
            } else if held.frontier == books.acknowledged && quiet {
                differences.extend(categories(books, held));
            } else if books.followed {
                outcome = Outcome::Moves;
            }
        }
    }
    if differences.is_empty() { (outcome, differences) } else { (Outcome::Differs, differences) }
}

/// What became of the bytes. If this process counted all that the aggregator did, it is the same; else a part of it.
fn categories(books: &Audited, held: &Held) -> Vec<String> {
    let (ours, theirs) = (&books.account.tally, &held.tally);
    let whole = books.account.begin == held.begin && books.account.held == 0;
    let pairs = [
        ("stored", ours.stored, theirs.stored),
        ("dropped", ours.dropped, theirs.dropped),
        ("sampled", ours.sampled, theirs.sampled),
        ("nuls", ours.nuls, theirs.nuls),
        ("gaps", ours.gaps, theirs.gaps),
    ];
    let differs = |ours: u64, theirs: u64| if whole { ours != theirs } else { ours > theirs };
    let differing = pairs.into_iter().filter(|(_, ours, theirs)| differs(*ours, *theirs));
    differing
        .map(|(name, ours, theirs)| {
            format!("{name}: the agent counted {ours}, the aggregator {theirs} ({})", difference(ours, theirs))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Account;

    fn books() -> Audited {
        Audited {
            source_id: "one".into(),
            followed: true,
            announced: true,
            open: true,
            account: Account {
                begin: 100,
                tally: Tally { stored: 60, dropped: 20, gaps: 20, ..Tally::default() },
                held: 0,
            },
            acknowledged: 200,
            read: 200,
            seen: 250,
            ..Audited::default()
        }
    }

    fn held() -> Held {
        Held { begin: 100, frontier: 200, tally: books().account.tally, records: 2 }
    }

    #[test]
    fn every_difference_is_found() {
        let same = |books: &Audited, held: Held| judge(books, Some(&held), books);
        assert_eq!(same(&books(), held()), (Outcome::Ok, vec![]));
        type Change = fn(&mut Audited, &mut Held);
        let table: [(&str, Change); 8] = [
            ("acknowledged: counted 200, the position is 201 (+1 bytes)", |books, held| {
                (books.acknowledged, books.read, held.frontier, held.tally.stored) = (201, 201, 201, 61);
            }),
            ("sent: counted 200, the position is 210 (+10 bytes)", |books, _| books.read = 210),
            ("beyond what was seen", |books, _| books.seen = 199),
            ("own account comes to 201, its frontier is 200", |_, held| held.tally.nuls = 1),
            ("frontier is 190, acknowledged was 200 (-10 bytes)", |_, held| {
                (held.frontier, held.tally.stored) = (190, 50);
            }),
            ("frontier is 210, acknowledged was 200 (+10 bytes)", |_, held| {
                (held.frontier, held.tally.stored) = (210, 70);
            }),
            ("dropped: the agent counted 20, the aggregator 10 (-10 bytes)", |_, held| {
                (held.tally.stored, held.tally.dropped) = (70, 10);
            }),
            ("gaps: the agent counted 20, the aggregator 0", |_, held| {
                // It counts from further back.
                (held.begin, held.tally.stored, held.tally.gaps) = (0, 180, 0);
            }),
        ];
        for (told, change) in table {
            let (mut books, mut held) = (books(), held());
            change(&mut books, &mut held);
            let (outcome, differences) = same(&books, held);
            assert_eq!(outcome, Outcome::Differs, "{told}");
            assert!(differences.iter().any(|difference| difference.contains(told)), "{told}: {differences:?}");
        }
    }

    #[test]
    fn what_moves_or_was_not_shipped_is_no_difference() {
        let mut sent = books();
        sent.in_flight.stored = 30;
        sent.read = 230;
        let later = Audited { acknowledged: 230, ..sent.clone() };
        let ahead = Held { frontier: 230, tally: Tally { stored: 90, ..held().tally }, ..held() };
        assert_eq!(judge(&sent, Some(&ahead), &later), (Outcome::Moves, vec![]));
        let further = Held { frontier: 240, tally: Tally { stored: 100, ..held().tally }, ..held() };
        assert_eq!(judge(&sent, Some(&further), &later).0, Outcome::Differs, "more than was sent");
        let between_sessions = Audited { open: false, ..books() };
        assert_eq!(judge(&between_sessions, Some(&further), &books()), (Outcome::Moves, vec![]), "acknowledged soon");
        let fresh = Audited { source_id: "two".into(), seen: 10, followed: true, ..Audited::default() };
        assert_eq!(judge(&fresh, None, &fresh), (Outcome::NotShipped, vec![]));
        assert_eq!(judge(&books(), None, &books()).0, Outcome::Differs, "it was acknowledged and is unknown");
        // Since the agent's start some of it was acknowledged to another process, or the acknowledgement was lost.
        let mut part = books();
        part.account = Account { begin: 150, tally: Tally { gaps: 20, ..Tally::default() }, held: 30 };
        assert_eq!(judge(&part, Some(&held()), &part), (Outcome::Ok, vec![]));
    }

    #[test]
    fn sources_that_only_the_aggregator_knows_add_up_by_themselves() {
        let books = Books { running: true, sources: vec![books()] };
        let wrong = Held { frontier: 7, ..Held::default() };
        let accounts = HashMap::from([("one".to_owned(), held()), ("old".to_owned(), wrong)]);
        let audit = compare(books.clone(), &accounts, &books);
        assert_eq!((audit.others, audit.others_bytes, audit.is_ok()), (1, 7, false));
        assert!(audit.text().contains("DIFFERS: source old"), "{}", audit.text());
        let accounts = HashMap::from([("one".to_owned(), held())]);
        let audit = compare(books.clone(), &accounts, &books);
        assert!(audit.is_ok() && audit.text().ends_with("OK: every byte is accounted for"), "{}", audit.text());
        assert!(audit.text().contains("seen 250 = acknowledged 200 + in flight 0 + unread 50"), "{}", audit.text());
    }
}
