//! `clew transactions [QUERY]`: transactions in a table, and what all that are asked for come to. What comes first in the order stands at
//! the bottom, where the eye is; only with the oldest first it stands at the top.
//!
//! | file | what it is |
//! | --- | --- |
//! | `table` | one row each, as wide as the terminal |
//! | `footer` | how many there are, how many of them with errors, how long they took |

mod footer;
mod table;

use std::io::Write;
use std::time::Duration;

use clap::Args;

use crate::answer::Transactions;
use crate::client::Client;
use crate::identifier::percent_encode;
use crate::json::Json;
use crate::query::{self, mistake, words};
use crate::search::pages;
use crate::terminal::{Output, remark};

#[derive(Args)]
pub struct Options {
    /// Only transactions with a record that fulfils this: words, "phrases" and field:values.
    #[arg(value_name = "QUERY")]
    query: Vec<String>,
    /// Only those with a record that is an error or worse.
    #[arg(long)]
    errors: bool,
    /// Only those that began at this time or later: 15m (ago), 2026-11-25, 2026-11-25T10:15:02+01:00 [default: all there is].
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only those that began before this time.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only those that touched this service, or one of several between commas.
    #[arg(long, value_name = "SERVICE")]
    service: Option<String>,
    /// Only those that came in at this service, or at one of several.
    #[arg(long, value_name = "SERVICE")]
    entry: Option<String>,
    /// Only those that took at least so long: 250ms, 1.5s.
    #[arg(long, value_name = "DURATION")]
    min_duration: Option<String>,
    /// Only those that took at most so long.
    #[arg(long, value_name = "DURATION")]
    max_duration: Option<String>,
    /// Which of them are shown.
    #[arg(long, value_name = "ORDER", default_value = "newest",
        value_parser = ["newest", "oldest", "duration", "errors", "records"])]
    sort: String,
    /// How many are shown, at most.
    #[arg(long, value_name = "NUMBER", default_value_t = LIMIT_DEFAULT, value_parser = clap::value_parser!(u32).range(1..=LIMIT_MAX))]
    limit: u32,
    /// Print the API's answer as JSON.
    #[arg(long)]
    json: bool,
    /// Wrap to so many columns instead of the terminal's.
    #[arg(long, value_name = "COLUMNS", conflicts_with = "json")]
    width: Option<usize>,
}

const LIMIT_DEFAULT: u32 = 20;
/// The API gives no more at once.
const LIMIT_MAX: i64 = 1_000;

/// Whether there are any.
pub fn run(
    client: &Client,
    options: &Options,
    timeout: Option<Duration>,
    out: &mut impl Write,
) -> anyhow::Result<bool> {
    let query = words::join(&options.query);
    let body = pages::body(client, &path(options, &query), timeout);
    let body = body.map_err(|failure| mistake::explain(&query, failure))?;
    let mut answer: Transactions = client.parse(&body)?;
    let found = answer.summary.transactions > 0;
    if options.json {
        writeln!(out, "{}", client.parse::<Json>(&body)?)?;
        return Ok(found);
    }
    if options.sort != "oldest" {
        answer.transactions.reverse();
    }
    table::print(&answer.transactions, Output::of_stdout(options.width), out)?;
    // The footer comes behind the table where both are seen in one place.
    out.flush()?;
    remark(&footer::text(&answer, options));
    Ok(found)
}

fn path(options: &Options, query: &str) -> String {
    let mut path = format!("/api/v1/transactions?sort={}&limit={}", options.sort, options.limit);
    let mut add = |name: &str, value: &str| path.push_str(&format!("&{name}={}", percent_encode(value)));
    if !query.is_empty() {
        add("q", query);
    }
    if options.errors {
        add("errors", "true");
    }
    for (name, value) in [("from", &options.since), ("to", &options.until)] {
        if let Some(value) = value {
            add(name, &query::time(value));
        }
    }
    for (name, value) in [
        ("service", &options.service),
        ("entry", &options.entry),
        ("min_duration", &options.min_duration),
        ("max_duration", &options.max_duration),
    ] {
        if let Some(value) = value {
            add(name, value);
        }
    }
    path
}
