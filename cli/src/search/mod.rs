//! `clew search QUERY`: records that fulfil a query. They are printed in the order of time, so that the newest stands at the bottom.
//!
//! | file | what it is |
//! | --- | --- |
//! | `pages` | as many records as were asked for, page by page |
//! | `stream` | all of them, as they come |
//! | `footer` | how many there are, and how to see more |

mod footer;
pub mod pages;
mod stream;

use std::io::Write;
use std::time::Duration;

use clap::Args;

use crate::client::Client;
use crate::identifier::percent_encode;
use crate::query::{self, mistake, words};
use crate::record::printer::{Format, Printer};
use crate::terminal::remark;

#[derive(Args)]
pub struct Options {
    /// Words, "phrases" and field:values, all of which must be true of a record; * is every record.
    #[arg(required = true, value_name = "QUERY")]
    query: Vec<String>,
    /// From this time on: 15m (ago), now-1h30m, 2026-11-25, 2026-11-25T10:15:02+01:00 [default: all there is].
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Before this time.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// How many records, at most [default: 100].
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=LIMIT_MAX), conflicts_with = "all")]
    limit: Option<u32>,
    /// Where there are more than the limit, the oldest instead of the newest of them.
    #[arg(long, conflicts_with = "all")]
    oldest: bool,
    /// However many there are, as they are found.
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    format: Format,
}

const LIMIT_DEFAULT: u32 = 100;
/// So many are held in memory; `--all` has no limit.
const LIMIT_MAX: i64 = 1_000_000;

/// Whether anything was found.
pub fn run(
    client: &Client,
    options: &Options,
    timeout: Option<Duration>,
    out: &mut impl Write,
) -> anyhow::Result<bool> {
    let query = words::join(&options.query);
    let mut printer = Printer::new(&options.format, out);
    let ended = if options.all {
        let path = path(options, &query, true);
        stream::print(client, &path, timeout, &mut printer).map_err(|error| explain(&query, error))?
    } else {
        let limit = options.limit.unwrap_or(LIMIT_DEFAULT) as usize;
        let found = pages::fetch(client, &path(options, &query, options.oldest), limit, timeout);
        let mut found = found.map_err(|failure| mistake::explain(&query, failure))?;
        if !options.oldest {
            found.records.reverse();
        }
        printer.records(found.records.iter().map(|record| record.get()))?;
        found.ended
    };
    // The footer comes behind the records where both are seen in one place.
    printer.flush()?;
    if let Some(footer) = footer::text(&ended, &query, options) {
        remark(&footer);
    }
    Ok(ended.records > 0)
}

/// What is known when no more records come.
#[derive(Default)]
pub struct Ended {
    pub records: u64,
    pub took: Duration,
    /// There are more.
    pub more: bool,
    /// The time was up after so many of so many blocks.
    pub late: Option<(u64, u64)>,
    pub warnings: Vec<String>,
}

fn path(options: &Options, query: &str, oldest: bool) -> String {
    let mut path = format!("/api/v1/logs/search?q={}", percent_encode(query));
    for (name, value) in [("from", &options.since), ("to", &options.until)] {
        if let Some(value) = value {
            path.push_str(&format!("&{name}={}", percent_encode(&query::time(value))));
        }
    }
    path.push_str(if oldest { "&order=oldest" } else { "&order=newest" });
    path
}

fn explain(query: &str, error: anyhow::Error) -> anyhow::Error {
    match error.downcast() {
        Ok(failure) => mistake::explain(query, failure).into(),
        Err(error) => error,
    }
}
