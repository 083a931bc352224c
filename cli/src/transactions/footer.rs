//! Below the table: how many there are, how many of them with errors, how long they took; whether that is all, and how to see more.

use super::{LIMIT_MAX, Options};
use crate::answer::Transactions;
use crate::terminal::escape;
use crate::words;

pub fn text(answer: &Transactions, options: &Options) -> String {
    let summary = &answer.summary;
    let took = words::duration((answer.meta.took_ms * 1e6) as i128);
    if summary.transactions == 0 {
        let nothing = if answer.meta.partial { "nothing found yet" } else { "no such transaction" };
        return with_warnings(format!("{nothing}, looked for in {took}"), answer);
    }
    let mut text = words::count(summary.transactions, "transaction");
    match summary.with_errors {
        0 => text.push_str(", none with errors"),
        errors => {
            let percent = 100.0 * errors as f64 / summary.transactions as f64;
            text.push_str(&format!(", {} with errors ({})", words::thousands(errors), percentage(percent)));
        }
    }
    for (name, ns) in [("p50", summary.duration_ns.p50), ("p95", summary.duration_ns.p95)] {
        if let Some(ns) = ns {
            text.push_str(&format!(", {name} {}", words::duration(ns.into())));
        }
    }
    text.push_str(&format!("; in {took}"));
    let shown = answer.transactions.len() as u64;
    if shown < summary.transactions {
        let limit = shown.saturating_mul(10).min(LIMIT_MAX as u64);
        let which = match options.sort.as_str() {
            "duration" => "longest",
            "errors" => "ones with most errors",
            "records" => "ones with most records",
            other => other,
        };
        text.push_str(&format!("; the {} {which} are shown", words::thousands(shown)));
        if limit > shown {
            text.push_str(&format!(", --limit {limit} shows more"));
        }
    }
    with_warnings(text, answer)
}

/// What pages and cursors are, nobody has to know here.
fn with_warnings(mut text: String, answer: &Transactions) -> String {
    for warning in answer.meta.warnings.iter().filter(|warning| !warning.contains("next_cursor")) {
        text.push_str("; ");
        text.push_str(&escape(warning));
    }
    text
}

/// Never nothing, where there is something.
fn percentage(percent: f64) -> String {
    if percent < 0.1 { "under 0.1%".to_owned() } else { format!("{percent:.1}%") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages() {
        assert_eq!([0.05, 0.1, 12.34, 100.0].map(percentage), ["under 0.1%", "0.1%", "12.3%", "100.0%"]);
    }
}
