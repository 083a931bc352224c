//! `clew transactions`: a table with the newest at the bottom, what all come to, and what is asked of the aggregator.

use serde_json::{Value, json};

use crate::clew;
use crate::server::{Answer, Server};
use crate::trace::ID;

fn row(id: &str, time: &str, duration_ns: u64, errors: u64, services: &[&str]) -> Value {
    json!({"id": id, "time_min": time, "time_max": time, "duration_ns": duration_ns, "records": 1_234, "errors": errors,
        "entry_service": services[0], "services": services})
}

fn answer(rows: &[Value], all: u64, with_errors: u64, warnings: &[&str]) -> Value {
    let none = all == 0;
    let percentile = |ns: u64| if none { Value::Null } else { json!(ns) };
    json!({"transactions": rows, "next_cursor": (rows.len() as u64 != all).then_some("c"),
        "summary": {"transactions": all, "with_errors": with_errors, "error_rate": null, "by_entry": [], "by_time": [],
            "interval_ns": 1, "duration_ns": {"p50": percentile(120_000_000), "p90": percentile(1), "p95": percentile(1_840_000_000),
            "p99": percentile(1), "max": percentile(1)}},
        "meta": {"took_ms": 1.5, "partial": false, "warnings": warnings, "documents": 1, "documents_scanned": 1,
            "documents_damaged": 0}})
}

/// As the API gives them: newest first.
fn two() -> Vec<Value> {
    vec![
        row(ID, "2026-11-23T12:00:05.5Z", 812_000_000, 2, &["gateway", "checkout", "payments"]),
        row("req-1\u{1b}[2J", "2026-11-23T12:00:01Z", 5_000, 0, &["gateway"]),
    ]
}

#[test]
fn the_newest_stands_at_the_bottom() {
    let server = Server::start(|_| Answer::json(&answer(&two(), 2, 1, &[])));
    let run = clew(&server.url(), &["transactions"]);
    let expected = format!(
        "\
2026-11-23      TOOK    REC  ERR  SERVICES                       ID
12:00:01.000Z    5us  1,234    -  gateway                        req-1\\x1b[2J
12:00:05.500Z  812ms  1,234    2  gateway → checkout → payments  {ID}
"
    );
    assert_eq!(run.out, expected);
    let footer = "clew: 2 transactions, 1 with errors (50.0%), p50 120ms, p95 1.8s; in 1.5ms\n";
    assert_eq!((run.code, run.err.as_str()), (Some(0), footer));
    assert_eq!(server.asked(), ["/api/v1/transactions?sort=newest&limit=20"]);
}

#[test]
fn a_narrow_terminal_shortens_the_way_and_nothing_else() {
    let server = Server::start(|_| Answer::json(&answer(&two(), 2, 1, &[])));
    let run = clew(&server.url(), &["transactions", "--width", "80"]);
    assert!(run.out.lines().all(|line| line.chars().count() <= 80), "{}", run.out);
    assert!(run.out.contains("gateway +2") && run.out.contains(ID), "{}", run.out);
}

#[test]
fn everything_that_is_wanted_is_asked_for() {
    let server = Server::start(|_| {
        Answer::json(&answer(&two(), 2_000, 1, &["2 transactions shown; next_cursor has the next ones"]))
    });
    let arguments = [
        "transactions",
        "level:error",
        "-healthz",
        "--errors",
        "--since",
        "1h",
        "--until",
        "2026-11-25",
        "--service",
        "shop,mail",
        "--entry",
        "gateway",
        "--min-duration",
        "250ms",
        "--max-duration",
        "1.5s",
        "--sort",
        "duration",
        "--limit",
        "2",
        "--timeout",
        "2s",
    ];
    let run = clew(&server.url(), &arguments);
    assert_eq!(
        server.asked(),
        [
            "/api/v1/transactions?sort=duration&limit=2&q=level%3Aerror%20-healthz&errors=true&from=-1h&to=2026-11-25&service=shop%2Cmail\
          &entry=gateway&min_duration=250ms&max_duration=1.5s&timeout=2000ms"
        ]
    );
    let footer = "clew: 2,000 transactions, 1 with errors (under 0.1%), p50 120ms, p95 1.8s; in 1.5ms; the 2 longest are shown, \
                  --limit 20 shows more\n";
    assert_eq!((run.code, run.err.as_str()), (Some(0), footer));
    // The longest, which comes first, stands at the bottom.
    assert!(run.out.trim_end().ends_with(ID), "{}", run.out);
}

#[test]
fn the_oldest_stand_as_they_come() {
    let server = Server::start(|_| Answer::json(&answer(&two(), 2, 0, &["half of it is damaged"])));
    let run = clew(&server.url(), &["transactions", "--sort", "oldest"]);
    assert!(run.out.find(ID) < run.out.find("req-1"), "{}", run.out);
    assert!(
        run.err.contains("none with errors") && run.err.trim_end().ends_with("; half of it is damaged"),
        "{}",
        run.err
    );
}

#[test]
fn nothing_found_is_told_and_is_an_exit_code() {
    let server = Server::start(|_| Answer::json(&answer(&[], 0, 0, &[])));
    let run = clew(&server.url(), &["transactions", "--errors"]);
    assert_eq!((run.code, run.out.as_str()), (Some(1), ""));
    assert_eq!(run.err, "clew: no such transaction, looked for in 1.5ms\n");
}

#[test]
fn json_is_the_answer_as_it_came() {
    let server = Server::start(|_| Answer::json(&answer(&two(), 2, 1, &[])));
    let run = clew(&server.url(), &["transactions", "--json"]);
    assert_eq!(serde_json::from_str::<Value>(&run.out).expect("JSON"), answer(&two(), 2, 1, &[]));
    assert_eq!((run.code, run.err.as_str()), (Some(0), ""));
}

#[test]
fn what_the_aggregator_refuses_is_named_by_its_option() {
    let problem = json!({"title": "bad parameter", "status": 400, "parameter": "min_duration",
        "detail": "min_duration: \"5 apples\" is no duration; write it like 250ms, 1.5s or 2m30s"});
    let server = Server::start(move |_| Answer::problem("400 Bad Request", &problem));
    let run = clew(&server.url(), &["transactions", "--min-duration", "5 apples"]);
    assert_eq!(run.code, Some(64));
    assert!(run.err.contains("--min-duration: ") && run.err.contains("5 apples"), "{}", run.err);
    assert_eq!(clew(&server.url(), &["transactions", "--sort", "best"]).code, Some(64));
}
