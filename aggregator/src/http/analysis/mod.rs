//! What a query's records have in common.
//!
//! All of these look at every record that fulfils the query. When the time is up before, the answer says so and holds what was counted
//! until then, from the newest blocks to older ones.
//!
//! | file | what it is |
//! | --- | --- |
//! | `histogram` | `/api/v1/logs/histogram` |
//! | `facets` | `/api/v1/logs/facets` |
//! | `statistics` | `/api/v1/logs/stats` |
//! | `fields` | `/api/v1/fields` |

use std::time::{Duration, Instant};

use clew_service::units::Span;
use serde_json::Value;

use super::answer;
use super::api::Api;
use super::parameters;
use super::problem::Problem;
use crate::query::dimension::Dimension;
use crate::search::scan::{Collector, Wanted};
use crate::store::Searched;

pub mod facets;
pub mod fields;
pub mod histogram;
pub mod statistics;

/// Fields of an answer.
const FIELDS_MAX: usize = 20;
/// Records that are looked at to find out which fields there are.
const SAMPLE_DEFAULT: usize = 2_000;

fn parse_interval(text: &str) -> Result<i64, Problem> {
    let span = text.parse::<Span>().ok().map(|span| span.0);
    let interval = span.filter(|span| *span >= Duration::from_millis(1));
    interval.and_then(|span| i64::try_from(span.as_nanos()).ok()).ok_or_else(|| Problem::BadParameter {
        name: "interval",
        detail: format!("{text:?} is no interval of at least 1ms; write it like 10s, 5m, 1h or 1d"),
    })
}

fn dimension(parameter: &'static str, name: &str) -> Result<Dimension, Problem> {
    Dimension::parse(name).map_err(|detail| Problem::BadParameter { name: parameter, detail })
}

/// Names of fields between commas.
fn dimensions(parameter: &'static str, text: &str) -> Result<Vec<Dimension>, Problem> {
    let names: Vec<&str> = text.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    if names.len() > FIELDS_MAX {
        return Err(Problem::BadParameter {
            name: parameter,
            detail: format!("at most {FIELDS_MAX} fields at a time"),
        });
    }
    names.into_iter().map(|name| dimension(parameter, name)).collect()
}

async fn searched<C: Collector + 'static>(
    api: &Api,
    wanted: Wanted,
    collector: C,
    deadline: Instant,
) -> Result<Searched<C>, Problem> {
    Ok(api.store.search(wanted, collector, Some(deadline)).await.ok_or(Problem::Stopping)??)
}

fn meta<C>(searched: &Searched<C>, started: Instant, mut warnings: Vec<String>) -> Value {
    let progress = searched.scan.progress();
    warnings.extend(parameters::damage(progress));
    if searched.is_late {
        let late = format!(
            "the time was up after {} of {} blocks, the newest ones: everything here is of these alone; ask with a longer timeout or for \
             less time",
            progress.blocks_scanned, progress.blocks
        );
        warnings.insert(0, late);
    }
    answer::meta(progress, started, searched.is_late, &warnings)
}
