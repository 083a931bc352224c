//! The torture test: a dozen services write, rotate in every way there is, compress and destroy their files, several times
//! between two looks of the agent, while agent and aggregator are killed, stopped and started again. In the end every line is
//! found exactly once at its position, or it was destroyed and a gap says so.
//!
//! `CLEW_SEED` repeats a run's decisions (not its timing); `CLEW_SOAK_SECONDS` makes it longer.

use std::time::{Duration, Instant};

use clew_tests::agent::Agent;
use clew_tests::aggregator::Aggregator;
use clew_tests::line;
use clew_tests::stage::Stage;
use clew_tests::torture::family::Family;
use clew_tests::torture::ledger::Ledger;
use clew_tests::torture::lines::Lines;
use clew_tests::torture::operations::Operations;
use clew_tests::torture::outages::Outages;
use clew_tests::torture::{collect, verdict};

const SERVICES: u32 = 12;
/// How long the files are tortured unless a soak was asked for, and how many operations that must have been at least.
const TORTURE: Duration = Duration::from_secs(65);
const OPERATIONS_MIN: u32 = 3000;
/// After the last operation: everything arrives.
const SETTLE_DEADLINE: Duration = Duration::from_secs(120);

#[test]
fn every_line_is_found_once_or_its_loss_is_declared() {
    let stage = Stage::new("torture");
    let mut random = stage.random(0);
    let logs = stage.folder("logs");
    let soak = std::env::var("CLEW_SOAK_SECONDS").ok().map(|text| text.parse().expect("CLEW_SOAK_SECONDS: a number"));
    let torture = soak.map_or(TORTURE, Duration::from_secs);
    // A soak spreads its lines over more transactions, not over bigger ones.
    let ids: Vec<String> = (0..60.max(torture.as_secs())).map(|_| line::id(&mut random)).collect();

    let mut ledger = Ledger::default();
    let mut lines = Lines::new(random.fork(), ids.clone());
    let mut operations = Operations::default();
    let mut families: Vec<Family> =
        (0..SERVICES).map(|service| Family::new(logs.join(format!("x{service}.log")), random.fork())).collect();
    // Rotated now, left alone until the agent has let go of it, compressed in the end: as logrotate's delaycompress does.
    let mut sleeper = Family::new(logs.join("sleeper.log"), random.fork());
    for _ in 0..3 {
        sleeper.append(&mut ledger, lines.take(SERVICES, 20), None);
        sleeper.rename(&mut ledger, false, true);
    }
    let aggregator = Aggregator::started(&stage, &[]);
    let agent = Agent::started(&stage, &aggregator, &logs);
    let mut outages = Outages::new(aggregator, agent, &mut ledger);

    let begin = Instant::now();
    while operations.total() < OPERATIONS_MIN || begin.elapsed() < torture {
        for _ in 0..random.u32(8..24) {
            let service = random.u32(..SERVICES);
            operations.one(&mut random, &mut families[service as usize], service, &mut lines, &mut ledger);
        }
        outages.step(&mut random, &mut ledger);
        // The moments are what is random here; there is nothing to wait for.
        std::thread::sleep(Duration::from_millis(random.u64(50..300)));
    }
    outages.end(&mut ledger);
    println!("torture: {} operations: {}", operations.total(), operations.report());
    println!("torture: {} lines in {} files; {}", ledger.lines.len(), ledger.incarnations.len(), outages.report());

    let api = outages.aggregator().api();
    let settled = collect::settle(&api, SETTLE_DEADLINE);
    while sleeper.compress(&mut ledger, Duration::ZERO) {}
    let settled = settled.and_then(|()| collect::settle(&api, SETTLE_DEADLINE));
    outages.check();
    let records = collect::records(&api, &ids).unwrap_or_else(|error| panic!("{error}"));
    let verdict = verdict::judge(&ledger, &records, &collect::sources(&api));
    println!(
        "torture: {} lines found, {} declared lost, {} beyond anybody's knowledge",
        verdict.found, verdict.declared, verdict.unknowable
    );
    assert!(verdict.failures.is_empty(), "settled: {settled:?}\n{}", verdict.failures);
    settled.unwrap_or_else(|seen| panic!("{seen}"));
}
