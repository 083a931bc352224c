//! Parameters that several routes have: the query, the time, and how long an answer may take.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::problem::Problem;
use crate::query::language::parser;
use crate::query::language::time::{When, duration};
use crate::query::predicate::{self, Predicate};
use crate::search::scan::{Order, Progress, Wanted};

/// No answer may take longer.
const TIMEOUT_MAX: Duration = Duration::from_secs(300);

/// What every search takes; all of it text, so that a wrong value is answered with what would be right.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    /// The query; without one, every record.
    pub q: String,
    /// The earliest time; without one, all there is.
    pub from: Option<String>,
    /// Before this time.
    pub to: Option<String>,
    /// How long the answer may take.
    pub timeout: Option<String>,
}

impl Asked {
    /// What is wanted of the store, as of `now_ns`.
    pub fn wanted(&self, order: Order, now_ns: i64) -> Result<Wanted, Problem> {
        Ok(Wanted { predicate: Arc::new(self.predicate(now_ns)?), times: self.times(now_ns)?, order })
    }

    fn predicate(&self, now_ns: i64) -> Result<Predicate, Problem> {
        let ready = parser::parse(&self.q).and_then(|query| predicate::compile(&query, now_ns));
        ready.map_err(|error| Problem::Query { query: self.q.clone(), error })
    }

    /// From the first to before the second.
    pub fn times(&self, now_ns: i64) -> Result<(i64, i64), Problem> {
        let from = time("from", self.from.as_deref(), now_ns)?;
        let to = time("to", self.to.as_deref(), now_ns)?;
        if let (Some(from), Some(to)) = (from, to)
            && from >= to
        {
            let detail = "it is not before `to`: nothing lies between them".to_owned();
            return Err(Problem::BadParameter { name: "from", detail });
        }
        Ok((from.unwrap_or(i64::MIN), to.unwrap_or(i64::MAX)))
    }

    /// When the answer has to be there; `usual` after now unless asked otherwise.
    pub fn deadline(&self, usual: Duration) -> Result<Instant, Problem> {
        let Some(text) = &self.timeout else { return Ok(Instant::now() + usual) };
        let timeout = text.parse::<clew_service::units::Span>().ok().map(|span| span.0);
        let timeout = timeout.filter(|timeout| !timeout.is_zero() && *timeout <= TIMEOUT_MAX);
        timeout.map(|timeout| Instant::now() + timeout).ok_or_else(|| Problem::BadParameter {
            name: "timeout",
            detail: format!("{text:?} is no time from 1ms to {}s; write it like 500ms or 30s", TIMEOUT_MAX.as_secs()),
        })
    }
}

/// A time as people write it.
pub fn time(name: &'static str, text: Option<&str>, now_ns: i64) -> Result<Option<i64>, Problem> {
    let parsed = text.map(|text| When::parse(text).map(|when| when.resolve(now_ns)));
    parsed.transpose().map_err(|detail| Problem::BadParameter { name, detail })
}

/// A duration as people write it, in nanoseconds.
pub fn duration_ns(name: &'static str, text: Option<&str>) -> Result<Option<u64>, Problem> {
    let Some(text) = text else { return Ok(None) };
    let ns = duration(text.trim()).and_then(|ns| u64::try_from(ns).ok());
    ns.map(Some).ok_or_else(|| Problem::BadParameter {
        name,
        detail: format!("{text:?} is no duration; write it like 250ms, 1.5s or 2m30s"),
    })
}

/// A number between `1` and `max`; `usual` without one.
pub fn number(name: &'static str, text: Option<&str>, usual: usize, max: usize) -> Result<usize, Problem> {
    let Some(text) = text else { return Ok(usual) };
    let number = text.parse().ok().filter(|number| (1..=max).contains(number));
    number.ok_or_else(|| Problem::BadParameter { name, detail: format!("{text:?} is no number from 1 to {max}") })
}

/// What is to be said of damaged blocks.
pub fn damage(progress: Progress) -> Option<String> {
    let blocks = progress.blocks_damaged;
    (blocks > 0).then(|| {
        format!(
            "{blocks} blocks are damaged and could not be read: their records are missing here; `clew-aggregator verify` names them"
        )
    })
}
