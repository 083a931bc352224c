//! `clew agents`: one row an agent, and its sources when asked.

use serde_json::{Value, json};

use crate::clew;
use crate::server::{Answer, Server};

fn agents() -> Value {
    json!({"agents": [
        {"agent_id": "7b1e6f0a-5c1d-4a8e-9d53-0c8a3f2b1e77", "host": "web-1", "version": "0.1.0", "connected": true,
         "last_seen": "2099-11-23T12:00:00Z", "watermark": "2026-11-23T12:00:00Z", "behind_ns": 120_000_000,
         "unread_bytes": 0, "clock_offset_ns": 1_200_000, "clock_uncertainty_ns": 300_000,
         "sources": [{"source_id": "1", "service": "payments", "file": "/var/log/payments/app.log", "frontier": 1_234_567,
            "open": true, "gaps": [{"begin": 0, "end": 1000, "reason": "truncated"}]}]},
        {"agent_id": "a0a0a0a0-5c1d-4a8e-9d53-0c8a3f2b1e77", "host": "web-22", "version": "0.1.0", "connected": false,
         "last_seen": "2020-01-01T00:00:00Z", "watermark": null, "behind_ns": null, "unread_bytes": 5_242_880,
         "clock_offset_ns": -2_000, "clock_uncertainty_ns": 0, "sources": []}
    ]})
}

#[test]
fn a_table_with_a_row_for_each() {
    let server = Server::start(|_| Answer::json(&agents()));
    let run = clew(&server.url(), &["agents"]);
    let lines: Vec<&str> = run.out.lines().collect();
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>().join(" ");
    assert_eq!(words(lines[0]), "HOST AGENT VERSION CONNECTED LAST SEEN BEHIND UNREAD SOURCES CLOCK");
    assert_eq!(words(lines[1]), "web-1 7b1e6f0a 0.1.0 yes now 120ms 0 B 1 (1 open, 1 gap) +1.2ms ±300us");
    assert!(words(lines[2]).starts_with("web-22 a0a0a0a0 0.1.0 no "), "{}", lines[2]);
    assert!(words(lines[2]).ends_with(" ago - 5.0 MiB 0 (0 open) -2us ±0ns"), "{}", lines[2]);
    assert_eq!(lines.len(), 3);
    assert_eq!(server.asked(), ["/api/v1/status/agents"]);
    assert_eq!((run.code, run.err.as_str()), (Some(0), ""));
}

#[test]
fn sources_are_listed_when_asked_for() {
    let server = Server::start(|_| Answer::json(&agents()));
    let run = clew(&server.url(), &["agents", "--sources"]);
    let row = "payments  /var/log/payments/app.log  open   1,234,567  0 to 1,000 (truncated)";
    assert!(run.out.contains(row), "{}", run.out);
    assert!(run.out.contains("web-22\n  no sources yet"), "{}", run.out);
}

#[test]
fn json_is_the_answer_as_it_is() {
    let server = Server::start(|_| Answer::json(&agents()));
    let run = clew(&server.url(), &["agents", "--json"]);
    assert_eq!(serde_json::from_str::<Value>(&run.out).expect("JSON"), agents());
}

#[test]
fn no_agents_is_an_answer_too() {
    let server = Server::start(|_| Answer::json(&json!({"agents": []})));
    let run = clew(&server.url(), &["agents"]);
    assert_eq!(run.out, format!("no agent has connected to {} yet\n", server.url()));
    assert_eq!(run.code, Some(0));
}
