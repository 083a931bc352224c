//! When the programs are killed, stopped and started again, while the files go on.

use std::time::{Duration, Instant};

use fastrand::Rng;

use super::ledger::Ledger;
use crate::agent::Agent;
use crate::aggregator::Aggregator;

/// Of so many steps one takes the agent down; of so many the aggregator.
const STEPS_PER_AGENT_OUTAGE: u32 = 24;
const STEPS_PER_AGGREGATOR_OUTAGE: u32 = 40;
const AGENT_AWAY_MS_MAX: u64 = 1800;
const AGGREGATOR_AWAY_MS_MAX: u64 = 2000;
/// Now and then it is away for longer than the agent takes to judge copies: that must not depend on what was shipped so far.
const AGGREGATOR_LONG_AWAY_MS_MAX: u64 = 9000;

/// Both programs.
pub struct Outages {
    agent: Agent,
    aggregator: Aggregator,
    /// When a program that is down comes back.
    agent_back: Option<Instant>,
    aggregator_back: Option<Instant>,
    agent_kills: u32,
    agent_stops: u32,
    aggregator_kills: u32,
    aggregator_stops: u32,
}

impl Outages {
    /// Both run.
    pub fn new(aggregator: Aggregator, agent: Agent, ledger: &mut Ledger) -> Self {
        ledger.agent_is(true);
        ledger.aggregator_is(true);
        Self {
            agent,
            aggregator,
            agent_back: None,
            aggregator_back: None,
            agent_kills: 0,
            agent_stops: 0,
            aggregator_kills: 0,
            aggregator_stops: 0,
        }
    }

    pub fn aggregator(&self) -> &Aggregator {
        &self.aggregator
    }

    /// Starts what is due, or ends something.
    pub fn step(&mut self, random: &mut Rng, ledger: &mut Ledger) {
        let now = Instant::now();
        let after = |random: &mut Rng, ms_max: u64| Some(Instant::now() + Duration::from_millis(random.u64(..ms_max)));
        match self.aggregator_back {
            Some(back) if now >= back => self.start_aggregator(ledger),
            Some(_) => {}
            None if random.u32(..STEPS_PER_AGGREGATOR_OUTAGE) == 0 => {
                ledger.aggregator_is(false);
                if random.u8(..4) == 0 && self.aggregator.log().contains("listening") {
                    assert!(self.aggregator.terminate().success(), "the aggregator stops without a failure");
                    self.aggregator_stops += 1;
                } else {
                    self.aggregator.kill();
                    self.aggregator_kills += 1;
                }
                let long = random.u8(..3) == 0;
                let ms_max = if long { AGGREGATOR_LONG_AWAY_MS_MAX } else { AGGREGATOR_AWAY_MS_MAX };
                self.aggregator_back = after(random, ms_max);
            }
            None => {}
        }
        match self.agent_back {
            Some(back) if now >= back => self.start_agent(ledger),
            Some(_) => {}
            None if random.u32(..STEPS_PER_AGENT_OUTAGE) == 0 => {
                // It drains before it stops: without an aggregator it would only wait.
                if random.u8(..3) == 0 && self.aggregator_back.is_none() && self.agent_is_ready() {
                    assert!(self.agent.terminate().success(), "the agent stops without a failure");
                    self.agent_stops += 1;
                } else {
                    self.agent.kill();
                    self.agent_kills += 1;
                }
                ledger.agent_is(false);
                self.agent_back = after(random, AGENT_AWAY_MS_MAX);
            }
            None => {}
        }
        self.check();
    }

    /// Both run from now on.
    pub fn end(&mut self, ledger: &mut Ledger) {
        if self.aggregator_back.is_some() {
            self.start_aggregator(ledger);
        }
        if self.agent_back.is_some() {
            self.start_agent(ledger);
        }
        self.check();
    }

    /// Neither ended by itself.
    pub fn check(&mut self) {
        if self.aggregator_back.is_none() && !self.aggregator.runs() {
            panic!("the aggregator ended by itself: {}", self.aggregator.log());
        }
        if self.agent_back.is_none() && !self.agent.runs() {
            panic!("the agent ended by itself: {}", self.agent.log());
        }
    }

    /// How often what happened.
    pub fn report(&self) -> String {
        format!(
            "agent killed {} times and stopped {}, aggregator killed {} times and stopped {}",
            self.agent_kills, self.agent_stops, self.aggregator_kills, self.aggregator_stops
        )
    }

    /// A signal before it handles signals would be a kill. Its log is small, and it says something once it runs.
    fn agent_is_ready(&self) -> bool {
        !self.agent.log().is_empty()
    }

    fn start_aggregator(&mut self, ledger: &mut Ledger) {
        self.aggregator_back = None;
        self.aggregator.spawn();
        ledger.aggregator_is(true);
    }

    fn start_agent(&mut self, ledger: &mut Ledger) {
        self.agent_back = None;
        self.agent.start();
        ledger.agent_is(true);
    }
}
