//! `clew trace`: pages joined, lines readable and harmless, nothing cut.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::server::{Answer, Server};
use crate::{clew, command};

pub const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const REQUEST: &str = "0f9d2a7c51be4e3fa1c08d6b7e2f4a91";

pub fn record(second: f64, service: &str, severity: &str, line: &str) -> Value {
    json!({
        "time": format!("2026-11-23T12:00:{:06.3}Z", second), "time_origin": "record", "severity": severity,
        "service": service, "host": "web-1", "file": format!("/var/log/{service}/app.log"),
        "source_id": "00000000000000000000000000000001", "position": 0, "length": line.len(),
        "ids": [{"value": ID, "kind": "trace"}], "flags": [], "line": line
    })
}

pub fn transaction(records: &[Value], next_cursor: Option<&str>) -> Value {
    json!({
        "id": ID,
        "ids": [{"value": ID, "kind": "trace", "records": 4}, {"value": REQUEST, "kind": "request", "records": 1}],
        "summary": {"time_min": "2026-11-23T12:00:01.000Z", "time_max": "2026-11-23T12:00:02.812Z",
            "duration_ns": 1_812_000_000_i64, "records": 4, "errors": 1, "services": ["gateway", "checkout", "mailer"],
            "hosts": ["web-1"], "entry_service": "gateway"},
        "completeness": {"state": "settled", "agents_behind": [], "gaps": []},
        "records": records,
        "next_cursor": next_cursor,
        "meta": {"took_ms": 0.7, "truncated": false, "warnings": []}
    })
}

pub fn shop() -> Vec<Value> {
    vec![
        record(1.0, "gateway", "info", "\"POST /checkout HTTP/1.1\" 502"),
        record(1.25, "checkout", "error", "boom\njava.lang.IllegalStateException: x\n\tat shop.Checkout.pay(Checkout.java:42)"),
        record(1.5, "mailer", "unknown", "hostile \u{1b}]0;owned\u{7}\u{1b}[2J\rline"),
        record(
            2.812,
            "mailer",
            "info",
            &json!({"@timestamp": "2026-11-23T12:00:02.812Z", "log.level": "INFO", "trace.id": ID, "message": "mail sent", "to": "a b"})
                .to_string(),
        ),
    ]
}

#[test]
fn it_reads_like_a_story() {
    let server = Server::start(|_| Answer::json(&transaction(&shop(), None)));
    let run = clew(&server.url(), &["trace", ID]);
    let expected = format!(
        "\
transaction  {ID}  (trace)
also         {REQUEST}  (request)
complete     settled: every agent has shipped what its files held
start        2026-11-23 12:00:01 UTC
duration     1.8s, 4 records, 1 error
services     gateway → checkout → mailer

+0.000s  gateway   info   \"POST /checkout HTTP/1.1\" 502
+0.250s  checkout  error  boom
                          java.lang.IllegalStateException: x
                              at shop.Checkout.pay(Checkout.java:42)
+0.500s  mailer    -      hostile \\x1b]0;owned\\x07\\x1b[2J\\rline
+1.812s  mailer    info   mail sent  to=\"a b\"
"
    );
    assert_eq!(run.out, expected);
    assert_eq!((run.code, run.err.as_str()), (Some(0), ""));
}

#[test]
fn all_pages_are_fetched_and_joined() {
    let server = Server::start(|path| {
        let records = shop();
        match path.split_once("cursor=").map(|(_, cursor)| cursor) {
            None => Answer::json(&transaction(&records[..1], Some("page 2/="))),
            Some("page%202%2F%3D") => Answer::json(&transaction(&records[1..3], Some("page3"))),
            Some("page3") => Answer::json(&transaction(&records[3..], None)),
            Some(other) => panic!("unknown cursor {other}"),
        }
    });
    let run = clew(&server.url(), &["trace", ID, "--json"]);
    let answer: Value = serde_json::from_str(&run.out).expect("one JSON document");
    assert_eq!(answer, transaction(&shop(), None));
    assert_eq!(run.code, Some(0));
    assert_eq!(server.asked().len(), 3);
}

#[test]
fn an_id_is_passed_on_without_its_wrapping() {
    let server = Server::start(|_| Answer::json(&transaction(&shop(), None)));
    let traceparent = format!("00-{ID}-00f067aa0ba902b7-01");
    for pasted in [&format!(" \"{ID}\", "), &format!("{{{ID}}}"), &format!("traceId={ID}"), &traceparent] {
        assert_eq!(clew(&server.url(), &["trace", pasted]).code, Some(0), "{pasted}");
    }
    assert_eq!(clew(&server.url(), &["trace", "order/7 é"]).code, Some(0));
    let asked = server.asked();
    assert!(asked[..4].iter().all(|path| path.starts_with(&format!("/api/v1/transactions/{ID}?limit="))), "{asked:?}");
    assert!(asked[4].starts_with("/api/v1/transactions/order%2F7%20%C3%A9?"), "{asked:?}");
}

#[test]
fn raw_is_byte_for_byte_and_still_says_when_there_may_be_more() {
    let server = Server::start(|_| {
        let mut records = shop();
        records[0]["line"] = json!("caf\u{fffd}");
        records[0]["line_base64"] = json!("Y2Fm6Q==");
        let mut answer = transaction(&records, None);
        answer["completeness"] = json!({"state": "open", "gaps": [], "agents_behind": [
            {"agent_id": "a", "host": "web-2", "watermark": null, "behind_ns": 3_200_000_000_i64, "connected": true},
            {"agent_id": "b", "host": "web-3", "watermark": null, "behind_ns": null, "connected": false}]});
        Answer::json(&answer)
    });
    let output = command(&server.url(), &["trace", ID, "--raw"]).output().expect("clew runs");
    assert!(output.stdout.starts_with(b"caf\xe9\nboom\njava.lang"), "{:?}", String::from_utf8_lossy(&output.stdout));
    assert!(output.stdout.windows(4).any(|bytes| bytes == b"\x1b[2J"));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "clew: open: more may still come: web-2 is 3.2s behind; web-3 has not caught up yet, not connected\n"
    );
}

#[test]
fn gaps_warnings_hosts_and_estimated_times_are_told() {
    let server = Server::start(|_| {
        let mut records = shop();
        records[1]["time_origin"] = json!("inherited");
        records[1]["host"] = json!("db-2");
        records[1]["flags"] = json!(["joined", "cut"]);
        let mut answer = transaction(&records[..2], None);
        answer["summary"]["hosts"] = json!(["web-1", "db-2"]);
        answer["meta"]["warnings"] = json!(["the order across hosts is uncertain within 3 ms"]);
        answer["completeness"] = json!({"state": "gapped", "agents_behind": [],
            "gaps": [{"begin": 10, "end": 130, "reason": "truncated", "file": "/var/log/x.log"}]});
        Answer::json(&answer)
    });
    let run = clew(&server.url(), &["trace", ID]);
    for part in [
        "complete     gapped: missing bytes 10 to 130 of /var/log/x.log (truncated)\n",
        "hosts        web-1, db-2\n",
        "note         the order across hosts is uncertain within 3 ms\n",
        "note         the aggregator gave 2 of 4 records\n",
        "+0.000s  gateway   web-1  info   \"POST",
        "~0.250s  checkout  db-2   error  boom\n",
        "Checkout.java:42)  [cut at the agent's record limit]\n",
        "\n~ the line has no time of its own",
    ] {
        assert!(run.out.contains(part), "{part:?} is missing in:\n{}", run.out);
    }
}

#[test]
fn a_width_wraps_and_hides_nothing() {
    let line = "word ".repeat(40);
    let server = Server::start(move |_| Answer::json(&transaction(&[record(1.0, "gateway", "info", &line)], None)));
    let run = clew(&server.url(), &["trace", ID, "--width", "60"]);
    let table = run.out.split("\n\n").nth(1).expect("a table");
    assert!(run.out.lines().all(|line| line.chars().count() <= 60), "{}", run.out);
    assert_eq!(table.matches("word").count(), 40);
    assert!(table.lines().skip(1).all(|line| line.starts_with("                        word")), "{table}");
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let server = Server::start(|_| {
        let record = record(1.0, "gateway", "info", &"x".repeat(1000));
        Answer::json(&transaction(&vec![record; 2000], None))
    });
    let mut child = command(&server.url(), &["trace", ID])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("clew runs");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}
