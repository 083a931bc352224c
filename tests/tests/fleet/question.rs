//! A question, and its answer against the truth.

use std::collections::HashSet;

use clew_aggregator::id::Canonical;
use clew_aggregator::trace::assemble::{self, Options, Whole};
use clew_aggregator::trace::bridge::HUB_IDS;
use clew_aggregator::trace::completeness::{Said, Verdict};
use fastrand::Rng;

use crate::requests::{SESSION, Written};
use crate::world::{Kind, World};

/// What was asked and what came of it.
#[derive(Debug, Default)]
pub struct Tally {
    pub asked: usize,
    pub settled: usize,
    pub open: usize,
    pub gapped: usize,
    pub joined: usize,
    pub records: usize,
    pub uncertain: usize,
    /// Questions when all was over.
    pub late: usize,
    pub late_settled: usize,
}

impl Tally {
    pub fn add(&mut self, other: &Self) {
        self.asked += other.asked;
        self.settled += other.settled;
        self.open += other.open;
        self.gapped += other.gapped;
        self.joined += other.joined;
        self.records += other.records;
        self.uncertain += other.uncertain;
        self.late += other.late;
        self.late_settled += other.late_settled;
    }
}

/// Asks for a request by one of its IDs.
pub fn ask(world: &mut World, request: usize, now: i64, random: &mut Rng) -> Tally {
    // Before many of its lines have arrived nobody can know a hub.
    let has_many = world.shelf.carries(&Canonical::parse(SESSION.as_bytes())) > 2 * HUB_IDS;
    if !has_many && world.kind != Kind::Huge {
        return Tally::default();
    }
    let ids = &world.requests[request].ids;
    let by = random.usize(..ids.len());
    let id = ids[by].clone();
    let said = Said::now(&world.registry.read());
    let options = Options { bridges: true, silence_ns: None };
    let asked = Canonical::candidates(id.as_bytes());
    let whole = assemble::assemble(&asked, &said, &mut world.shelf, options).expect("nothing fails here");
    let mut tally = Tally::default();
    let Some(whole) = whole else { return tally };
    tally.asked = 1;
    let verdict = whole.completeness.verdict;
    match verdict {
        Verdict::Settled => tally.settled += 1,
        Verdict::Open => tally.open += 1,
        Verdict::Gapped => tally.gapped += 1,
        Verdict::Expired => panic!("nothing was removed"),
    }
    tally.joined = whole.joined.len();
    tally.records = whole.ordered.records.len();
    tally.uncertain = whole.ordered.places.iter().filter(|place| place.is_uncertain).count();
    let is_used = by == 0 && world.requests[request].is_first_used;
    let name = format!("request {request} by {id} at {now}");
    nothing_of_others(world, request, &whole, is_used, &name);
    all_that_is_promised(world, request, &whole, verdict, &name);
    in_order(world, &whole, &name);
    tally
}

fn nothing_of_others(world: &World, request: usize, whole: &Whole, is_used: bool, name: &str) {
    for record in &whole.ordered.records {
        let written = world.written(record);
        let is_before = is_used && written.request.is_none() && written.text.starts_with("used before");
        assert!(written.request == Some(request) || is_before, "{name}: {} does not belong to it", written.text);
    }
}

/// Everything that was written up to the time that the answer names is in it, unless the answer says that something was lost.
fn all_that_is_promised(world: &World, request: usize, whole: &Whole, verdict: Verdict, name: &str) {
    let found: HashSet<*const Written> =
        whole.ordered.records.iter().map(|record| std::ptr::from_ref(world.written(record))).collect();
    let of_request = || {
        world
            .agents
            .iter()
            .flat_map(|agent| &agent.files)
            .flat_map(|file| &file.lines)
            .filter(|line| line.request == Some(request))
    };
    let received_max = whole.ordered.records.iter().map(|record| record.received_ns).max().expect("there are records");
    let missing =
        |until: i64| of_request().find(|line| line.at_ns <= until && !found.contains(&std::ptr::from_ref(*line)));
    if verdict == Verdict::Settled {
        let complete_to = whole.completeness.complete_to_ns.expect("all have said");
        assert!(complete_to >= received_max, "{name}: settled, and complete to before its last record");
        if let Some(line) = missing(complete_to) {
            panic!("{name}: settled, and {:?} of {} is missing, complete to {complete_to}", line.text, line.at_ns);
        }
    }
    // All of it has arrived: then all of it is found, whatever the verdict.
    let arrived: HashSet<(uuid::Uuid, u64)> =
        world.shelf.records.iter().map(|record| (record.source.id, record.position)).collect();
    let has_arrived = |file: &crate::agent::File, number: usize| arrived.contains(&(file.source, number as u64 * 100));
    let all = world.agents.iter().flat_map(|agent| &agent.files).all(|file| {
        file.lines.iter().enumerate().all(|(number, line)| line.request != Some(request) || has_arrived(file, number))
    });
    if all && let Some(line) = missing(i64::MAX) {
        panic!("{name}: {:?} has arrived, and is not found", line.text);
    }
}

/// Where one record stands before another that was written earlier, both are marked; in a file never.
fn in_order(world: &World, whole: &Whole, name: &str) {
    let ordered = &whole.ordered;
    let truth: Vec<i64> = ordered.records.iter().map(|record| world.written(record).at_ns).collect();
    let mut latest = i64::MIN;
    for (index, at) in truth.iter().enumerate() {
        let is_wrong = *at < latest;
        assert!(
            !is_wrong || ordered.places[index].is_uncertain,
            "{name}: {index} is later than one written after it:\n{}",
            shown(whole, &truth)
        );
        latest = latest.max(*at);
    }
    let mut earliest = i64::MAX;
    for (index, at) in truth.iter().enumerate().rev() {
        let is_wrong = *at > earliest;
        assert!(
            !is_wrong || ordered.places[index].is_uncertain,
            "{name}: {index} is earlier than one written before it:\n{}",
            shown(whole, &truth)
        );
        earliest = earliest.min(*at);
    }
    let mut positions = std::collections::HashMap::new();
    for record in &ordered.records {
        let before = positions.insert(record.source.id, record.position);
        assert!(before.is_none_or(|before| before < record.position), "{name}: out of the order of its file");
    }
    for (index, place) in ordered.places.iter().enumerate() {
        let moment = truth[index];
        let spells = || {
            let state = world.registry.read();
            let agent = &state.agents[&ordered.records[index].source.agent];
            let near = agent.clock.spells().iter().filter(|spell| (spell.end_ns - moment).abs() < 20_000_000_000);
            near.map(|spell| {
                format!(
                    "{:+} {:+} {} {}",
                    spell.begin_ns - moment,
                    spell.end_ns - moment,
                    spell.offset_min_ns,
                    spell.offset_max_ns
                )
            })
            .collect::<Vec<_>>()
            .join("\n")
        };
        assert!(
            place.earliest <= moment && moment <= place.latest,
            "{name}: {index} was written at {moment}, which is not in {place:?}\n{}\nspells:\n{}",
            shown(whole, &truth),
            spells()
        );
    }
}

fn shown(whole: &Whole, truth: &[i64]) -> String {
    let rows = whole.ordered.records.iter().zip(&whole.ordered.places).zip(truth).take(60);
    let row = |((record, place), truth): (
        (&clew_aggregator::record::Record, &clew_aggregator::trace::order::Place),
        &i64,
    )| {
        format!(
            "{} {} pos {} stamp {} truth {} at {:+} [{:+}, {:+}] flags {}{}",
            record.source.service,
            record.source.agent,
            record.position,
            record.time,
            truth,
            place.at - truth,
            place.earliest.saturating_sub(*truth),
            place.latest.saturating_sub(*truth),
            record.flags,
            if place.is_uncertain { " ~" } else { "" }
        )
    };
    rows.map(row).collect::<Vec<_>>().join("\n")
}
