//! `/api/v1/logs/facets`: the commonest values of fields.

use std::time::Instant;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{SAMPLE_DEFAULT, dimensions, meta, searched};
use crate::clock;
use crate::http::answer;
use crate::http::api::Api;
use crate::http::arguments::Arguments;
use crate::http::parameters::{self, Asked};
use crate::http::problem::Problem;
use crate::query::dimension::Dimension;
use crate::search::facets::{Discovery, Facets, VALUES_MAX};
use crate::search::scan::Order;

/// Values of a field.
const VALUES_DEFAULT: usize = 10;
const VALUES_SHOWN_MAX: usize = 1_000;
/// Fields that are discovered for facets when none is asked for.
const FACETS_DISCOVERED: usize = 8;

/// Names of the facets' parameters.
pub const PARAMETERS: &[&str] = &["q", "from", "to", "timeout", "fields", "limit"];

/// Parameters of the facets.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct FacetParameters {
    #[serde(flatten)]
    asked: Asked,
    fields: Option<String>,
    limit: Option<String>,
}

/// `/api/v1/logs/facets`.
pub async fn facets(State(api): State<Api>, arguments: Arguments) -> Result<Json<Value>, Problem> {
    let _timer = api.timer("/api/v1/logs/facets");
    let parameters: FacetParameters = arguments.read(PARAMETERS)?;
    let (started, now) = (Instant::now(), clock::now_ns());
    let wanted = parameters.asked.wanted(Order::Newest, now)?;
    let deadline = parameters.asked.deadline(api.search_timeout)?;
    let limit = parameters::number("limit", parameters.limit.as_deref(), VALUES_DEFAULT, VALUES_SHOWN_MAX)?;
    let fields = match &parameters.fields {
        Some(fields) => dimensions("fields", fields)?,
        None => {
            let mut names: Vec<String> = ["service", "level", "host"].map(String::from).into();
            let discovery = Discovery::new(SAMPLE_DEFAULT as u64);
            let found = searched(&api, wanted.clone(), discovery, deadline).await?;
            let found = found.collector.fields().into_iter().map(|(name, _)| name.to_owned());
            // A key is asked for with a dot in front, whatever it is called.
            names.extend(found.take(FACETS_DISCOVERED).map(|name| format!(".{name}")));
            names.iter().filter_map(|name| Dimension::parse(name).ok()).collect()
        }
    };
    let searched = searched(&api, wanted, Facets::new(fields), deadline).await?;
    let facets = &searched.collector;
    let shown: Vec<Value> = facets
        .fields
        .iter()
        .map(|facet| {
            let values: Vec<Value> = facet
                .top(limit)
                .into_iter()
                .map(|(value, records)| json!({"value": answer::lossy(value), "records": records}))
                .collect();
            json!({
                "field": facet.dimension.name,
                "records": facet.records,
                "distinct": facet.distinct(),
                "exact": facet.beyond == 0 && !searched.is_late,
                "values": values,
            })
        })
        .collect();
    let beyond = facets.fields.iter().filter(|facet| facet.beyond > 0);
    let warnings = beyond.map(|facet| {
        format!(
            "{} has more than {VALUES_MAX} different values; {} of them are not counted",
            facet.dimension.name, facet.beyond
        )
    });
    let meta = meta(&searched, started, warnings.collect());
    Ok(Json(json!({"records": facets.records, "facets": shown, "meta": meta})))
}
