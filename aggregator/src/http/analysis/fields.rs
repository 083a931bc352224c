//! `/api/v1/fields`: which fields there are.

use std::time::Instant;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{SAMPLE_DEFAULT, meta, searched};
use crate::clock;
use crate::http::api::Api;
use crate::http::arguments::Arguments;
use crate::http::parameters::{self, Asked};
use crate::http::problem::Problem;
use crate::search::facets::Discovery;
use crate::search::scan::Order;

const SAMPLE_MAX: usize = 100_000;

/// Names of the fields' parameters.
pub const PARAMETERS: &[&str] = &["q", "from", "to", "timeout", "sample"];

/// Parameters of the fields.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct FieldParameters {
    #[serde(flatten)]
    asked: Asked,
    sample: Option<String>,
}

/// `/api/v1/fields`.
pub async fn fields(State(api): State<Api>, arguments: Arguments) -> Result<Json<Value>, Problem> {
    let _timer = api.timer("/api/v1/fields");
    let parameters: FieldParameters = arguments.read(PARAMETERS)?;
    let (started, now) = (Instant::now(), clock::now_ns());
    let wanted = parameters.asked.wanted(Order::Newest, now)?;
    let deadline = parameters.asked.deadline(api.search_timeout)?;
    let sample = parameters::number("sample", parameters.sample.as_deref(), SAMPLE_DEFAULT, SAMPLE_MAX)?;
    let searched = searched(&api, wanted, Discovery::new(sample as u64), deadline).await?;
    let discovery = &searched.collector;
    let mut warnings = vec![format!("from a sample of {} records of the newest blocks", discovery.records)];
    if discovery.beyond > 0 {
        warnings.push("there are more fields than are listed".into());
    }
    let fields: Vec<Value> = discovery
        .fields()
        .into_iter()
        .map(|(name, field)| {
            json!({"name": name, "types": field.types, "records": field.records, "samples": field.samples})
        })
        .collect();
    let built_in = ["service", "host", "file", "level", "txn", "time", "source", "label.NAME"];
    let meta = meta(&searched, started, warnings);
    Ok(Json(json!({"sampled_records": discovery.records, "built_in": built_in, "fields": fields, "meta": meta})))
}
