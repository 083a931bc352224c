//! A fleet of which the truth is known: hosts whose clocks are off, slide and are set; agents that are late, away for a while, or
//! lost; bytes that are lost; requests that go by several IDs, one of them used before, one of them that thousands share. Random
//! questions at random times, and each answer is held against the truth:
//!
//! - what is said to be complete up to a time holds everything that any agent's files held by then;
//! - no two records stand in a wrong order without both being marked as uncertain;
//! - the transaction has all of its own records that arrived, and none of another one.
//!
//! The agent's reckoning of clocks and watermarks and the aggregator's registry, catalog and tracing are the real ones; files, network
//! and time are played. A run is a row of worlds with a seed each, for some seconds or for `CLEW_SOAK_SECONDS`; a failure names the
//! seed, and `CLEW_SEED` begins with it.

mod agent;
mod host;
mod question;
mod requests;
mod world;

use std::time::{Duration, Instant};

use question::Tally;
use world::{Kind, World};

/// So long a run takes, unless asked otherwise.
const USUAL: Duration = Duration::from_secs(5);

/// Plays worlds until the time is up, at least one.
fn play(name: &str, kind: Kind) -> Tally {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let time = number("CLEW_SOAK_SECONDS").map_or(USUAL, Duration::from_secs);
    let first = number("CLEW_SEED").unwrap_or_else(|| fastrand::u64(..1_000_000_000));
    let began = Instant::now();
    let mut tally = Tally::default();
    for world in 0.. {
        let seed = first + world;
        let mut world = World::new(seed, kind);
        let played = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| world.run()));
        match played {
            Ok(of_world) => tally.add(&of_world),
            Err(panic) => {
                eprintln!("{name}: this world has CLEW_SEED={seed}");
                std::panic::resume_unwind(panic);
            }
        }
        if began.elapsed() >= time {
            break;
        }
    }
    eprintln!("{name}: {tally:?}");
    tally
}

#[test]
fn verdicts_and_order_agree_with_the_truth() {
    let tally = play("rough fleet", Kind::Rough);
    assert!(tally.asked > 50, "{tally:?}");
    assert!(tally.settled > 0 && tally.open > 0 && tally.gapped > 0, "all verdicts came up: {tally:?}");
    assert!(tally.joined > 0, "bridges were gone over: {tally:?}");
}

#[test]
fn where_clocks_are_good_and_agents_well_nearly_everything_is_certain_and_settled() {
    let tally = play("calm fleet", Kind::Calm);
    assert!(tally.late_settled * 100 >= tally.late * 99, "{tally:?}");
    assert!(tally.uncertain * 100 <= tally.records * 20, "{tally:?}");
}

#[test]
fn a_hundred_thousand_records_are_in_order() {
    let mut world = World::new(7, Kind::Huge);
    let tally = world.run();
    assert!(tally.records >= 100_000, "{tally:?}");
}
