//! The crash oracle: writers append and rotate while agent and aggregator are killed with SIGKILL at random moments. In
//! the end every line is found exactly once, byte for byte, and every transaction is whole.
//!
//! `CLEW_SEED` repeats a run's decisions (not its timing); `CLEW_SOAK_SECONDS` makes it longer.

use std::time::{Duration, Instant};

use clew_tests::agent::Agent;
use clew_tests::aggregator::Aggregator;
use clew_tests::stage::Stage;
use clew_tests::writer::{Pace, Writers};
use clew_tests::{line, oracle};

/// Kills in any run, however short.
const KILLS_MIN: u32 = 20;
/// How long the killing lasts unless a soak was asked for.
const KILLING: Duration = Duration::from_secs(45);
/// A soak kills longer; it does not fill the disk, or one folder with ten thousand rotated files.
const LINES_PER_WRITER_MAX: u64 = 50_000;
/// After the last line: everything arrives.
const SETTLE_DEADLINE: Duration = Duration::from_secs(90);

#[test]
fn every_line_is_found_exactly_once_after_kills_of_both() {
    let stage = Stage::new("crash");
    let mut random = stage.random(0);
    let logs = stage.folder("logs");
    let soak = std::env::var("CLEW_SOAK_SECONDS").ok().map(|text| text.parse().expect("CLEW_SOAK_SECONDS: a number"));
    let killing = soak.map_or(KILLING, Duration::from_secs);
    // A soak spreads its lines over more transactions, not over bigger ones.
    let ids: Vec<String> = (0..40.max(killing.as_secs())).map(|_| line::id(&mut random)).collect();

    let mut aggregator = Aggregator::started(&stage, &[]);
    let mut agent = Agent::started(&stage, &aggregator, &logs);
    let lines_per_s = (LINES_PER_WRITER_MAX / killing.as_secs().max(1)).clamp(5, 150) as u32;
    let pace = Pace { lines_per_s, lines_per_rotation: 250 };
    let writers = Writers::start(&mut random, &logs, &ids, 4, &pace);

    let begin = Instant::now();
    let mut kills = 0;
    while kills < KILLS_MIN || begin.elapsed() < killing {
        // The moments are what is random here; there is nothing to wait for.
        std::thread::sleep(Duration::from_millis(random.u64(200..2500)));
        let both = random.u8(..5) == 0;
        if both || random.bool() {
            agent.kill();
            kills += 1;
            if both {
                aggregator.kill();
                kills += 1;
                std::thread::sleep(Duration::from_millis(random.u64(..1000)));
                aggregator.start();
            }
            std::thread::sleep(Duration::from_millis(random.u64(..1000)));
            agent.start();
        } else {
            aggregator.kill();
            kills += 1;
            std::thread::sleep(Duration::from_millis(random.u64(..1500)));
            aggregator.spawn();
        }
    }
    if !aggregator.runs() {
        panic!("the aggregator ended by itself: {}", aggregator.log());
    }
    let written = writers.stop();
    println!("crash: {} lines in {} transactions, {kills} kills", written.len(), ids.len());
    oracle::settle_and_verify(&aggregator.api(), &ids, &written, SETTLE_DEADLINE);

    // What the head held is the same once it is committed, and after one more replay.
    assert!(agent.terminate().success());
    assert!(aggregator.terminate().success());
    aggregator.start();
    oracle::verify(&aggregator.api(), &ids, &written);
    aggregator.kill();
    aggregator.start();
    oracle::verify(&aggregator.api(), &ids, &written);
}
