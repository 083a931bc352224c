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

/// As an aggregator of today answers that knows lanes: the checkout failed because payments was silent for 1.2 seconds.
pub fn failed_checkout() -> Value {
    let row = |index: u64, lane: u64, second: f64, service: &str, severity: &str, line: &str| {
        let mut record = record(second, service, severity, line);
        record["index"] = json!(index);
        record["lane"] = json!(lane);
        record["at"] = record["time"].clone();
        record["at_uncertainty_ns"] = json!(0);
        record["position"] = json!(index * 100);
        record
    };
    let mut records = vec![
        row(0, 0, 1.0, "gateway", "info", "request came in"),
        row(1, 1, 1.1, "checkout", "info", "checkout of cart 7 started"),
        row(2, 2, 1.2, "payments", "info", "charge 41.90 EUR"),
    ];
    records.extend(
        (3..8).map(|index| row(index, 2, 1.17 + index as f64 / 100.0, "payments", "warn", &format!("retry {index}"))),
    );
    records.push(row(8, 2, 2.5, "payments", "error", "bank did not answer"));
    records.push(row(9, 1, 2.6, "checkout", "error", "checkout of cart 7 failed"));
    records.push(row(10, 0, 2.812, "gateway", "error", "\"POST /checkout HTTP/1.1\" 502"));
    // Its host's clock is ahead; the corrected time is what counts.
    records[9]["time"] = json!("2026-11-23T12:00:09.000Z");
    records[9]["order_uncertain"] = json!(true);
    let lane = |lane: u64,
                service: &str,
                first: f64,
                last: f64,
                errors: u64,
                caller: Option<u64>,
                activity: &[[u64; 3]]| {
        json!({"lane": lane, "service": service, "host": "web-1", "caller": caller, "errors": errors, "first_error": null,
            "first": format!("2026-11-23T12:00:{first:06.3}Z"), "last": format!("2026-11-23T12:00:{last:06.3}Z"),
            "duration_ns": ((last - first) * 1e9).round() as i64, "activity": activity,
            "records": activity.iter().map(|bin| bin[1]).sum::<u64>()})
    };
    let mut answer = transaction(&records, None);
    answer["lanes"] = json!([
        lane(0, "gateway", 1.0, 2.812, 1, None, &[[0, 1, 0], [199, 1, 1]]),
        lane(1, "checkout", 1.1, 2.6, 1, Some(0), &[[11, 1, 0], [176, 1, 1]]),
        lane(2, "payments", 1.2, 2.5, 1, Some(1), &[[22, 6, 0], [165, 1, 1]]),
    ]);
    answer["summary"]["records"] = json!(11);
    answer["summary"]["errors"] = json!(3);
    answer["summary"]["first_error"] = json!(8);
    answer["summary"]["services"] = json!(["gateway", "checkout", "payments"]);
    answer["silences"] = json!([{"after": 7, "before": 8, "duration_ns": 1_260_000_000_i64, "uncertainty_ns": 0, "from_lane": 2, "to_lane": 2}]);
    answer["folds"] = json!([{"begin": 3, "end": 8, "records": 5, "lane": 2, "template": "retry <*>"}]);
    answer["bridges"] = json!({
        "joined": [{"id": REQUEST, "kind": "request", "via": ID, "records": 2, "support": 1, "by": {"time": "2026-11-23T12:00:01Z",
            "service": "gateway", "host": "web-1", "file": "x", "source_id": "00000000000000000000000000000001", "position": 0}}],
        "not_followed": [{"id": "job-1", "kind": "other", "via": ID, "reason": "hub", "detail": "12,000 records carry it"}]
    });
    answer["completeness"]["reasons"] = json!(["every agent has shipped what its files held"]);
    answer
}

#[test]
fn one_screen_tells_where_it_broke_and_where_the_time_went() {
    let server = Server::start(|_| Answer::json(&failed_checkout()));
    let run = clew(&server.url(), &["trace", ID, "--width", "90"]);
    let expected = format!(
        "\
transaction  {ID}  (trace)
also         {REQUEST}  (request)  joined by gateway, 1 record
             with both, brought 2
not joined   job-1  (other): 12,000 records carry it
complete     settled: every agent has shipped what its files held
start        2026-11-23 12:00:01 UTC
duration     1.8s, 11 records, 3 errors
first error  record 8, payments: bank did not answer
services     gateway → checkout → payments

              0s     453ms     906ms    1.4s    1.8s
gateway       ▂─────                         ──────!   +0.000s    1.8s  2 records, 1 error
  checkout      ▂───                         ──!       +0.100s    1.5s  2 records, 1 error
    payments      ▄─                         !         +0.200s    1.3s  7 records, 1 error
silence             ├──────── 1.3s ─────────┤
1.3s of silence within payments, after record 7

 0  +0.000s  gateway   info   request came in
 1  +0.100s  checkout  info   checkout of cart 7 started
 2  +0.200s  payments  info   charge 41.90 EUR
 3  +0.200s  payments  warn   retry 3
                              … 4 more like this, until +0.240s
                              ⋮ 1.3s of silence
 8  +1.500s  payments  error  bank did not answer
 9  ±1.600s  checkout  error  checkout of cart 7 failed
10  +1.812s  gateway   error  \"POST /checkout HTTP/1.1\" 502

± the clocks of the hosts leave open where exactly it belongs among the records of others
"
    );
    assert_eq!(run.out, expected);
    assert_eq!((run.code, run.err.as_str()), (Some(0), ""));
}

#[test]
fn runs_of_alike_records_are_folded_unless_they_are_wanted() {
    let server = Server::start(|_| Answer::json(&failed_checkout()));
    let folded = clew(&server.url(), &["trace", ID]).out;
    assert!(folded.contains("retry 3\n") && folded.contains(" … 4 more like this, until +0.240s\n"), "{folded}");
    assert!(!folded.contains("retry 4"), "{folded}");
    for arguments in [&["trace", ID, "--no-fold"][..], &["trace", ID, "--raw"]] {
        let all = clew(&server.url(), arguments).out;
        assert!(
            (3..8).all(|index| all.contains(&format!("retry {index}\n"))) && !all.contains("more like this"),
            "{all}"
        );
    }
}

#[test]
fn what_is_asked_for_is_passed_on_and_said() {
    let server = Server::start(|_| {
        let mut answer = failed_checkout();
        let records = answer["records"].as_array_mut().expect("records");
        records.retain(|record| record["severity"] == "error");
        Answer::json(&answer)
    });
    let arguments =
        ["trace", ID, "--service", "payments,check out", "--service", "gateway", "--level", "error", "--bridge", "off"];
    let run = clew(&server.url(), &arguments);
    assert!(run.out.contains("shown        3 of 11 records\n"), "{}", run.out);
    // The numbers are those of the whole transaction; so is the silence.
    assert!(run.out.contains(" 9  ±1.600s  checkout  error  checkout of cart 7 failed\n"), "{}", run.out);
    assert!(run.out.contains("1.3s of silence within payments, after record 7\n"), "{}", run.out);
    let asked = server.asked();
    assert!(asked[0].ends_with("&service=payments,check%20out,gateway&level=error&bridge=off"), "{asked:?}");
}

#[test]
fn an_id_is_found_in_a_whole_line() {
    let unknown = json!({"type": "about:blank", "title": "unknown", "status": 404, "detail": "no such id",
        "searched": {"partitions": 1, "records": 2, "from": null, "to": null}, "agents_behind": []});
    let problem = unknown.clone();
    let server = Server::start(move |path| {
        if path.contains(REQUEST) {
            Answer::json(&transaction(&shop(), None))
        } else {
            Answer::problem("404 Not Found", &problem)
        }
    });
    let line = format!(r#"{{"level":"info","requestId":"{REQUEST}","trace_id":"{ID}","msg":"x"}}"#);
    let run = clew(&server.url(), &["trace", &line, "--raw"]);
    // The likelier one is unknown there.
    assert_eq!(run.err, format!("clew: took requestId {REQUEST}, one of 2 ids in what was pasted\n"));
    assert_eq!(run.code, Some(0));
    // Without quotes it comes as many words.
    let run = clew(
        &server.url(),
        &["trace", "2026-11-23", "INFO", &format!("[checkout,{REQUEST},00f067aa0ba902b7]"), "done", "--raw"],
    );
    assert_eq!((run.code, run.err.as_str()), (Some(0), ""));
    let nothing = Server::start(move |_| Answer::problem("404 Not Found", &unknown));
    let run = clew(&nothing.url(), &["trace", &line]);
    assert!(run.err.starts_with(&format!("clew: {ID}, {REQUEST}: no record with this id at ")), "{}", run.err);
    assert_eq!((run.code, run.out.as_str()), (Some(1), ""));
}

#[test]
fn the_lines_around_a_record() {
    let server = Server::start(|path| {
        if !path.starts_with("/api/v1/logs/context") {
            return Answer::json(&failed_checkout());
        }
        let mut records: Vec<Value> =
            (0..3).map(|at| record(1.0 + f64::from(at), "payments", "info", &format!("line {at}"))).collect();
        records[1]["position"] = json!(800);
        Answer::json(
            &json!({"source": "x", "position": 800, "records": records, "meta": {"warnings": ["the time was up"]}}),
        )
    });
    let run = clew(&server.url(), &["trace", ID, "--around", "error:1"]);
    let expected = "\
payments /var/log/payments/app.log web-1

  2026-11-23 12:00:01.000Z  payments  info  line 0
> 2026-11-23 12:00:02.000Z  payments  info  line 1
  2026-11-23 12:00:03.000Z  payments  info  line 2
";
    assert_eq!((run.out.as_str(), run.err.as_str()), (expected, "clew: the time was up\n"));
    let asked = &server.asked()[1];
    let wanted = "/api/v1/logs/context?source=00000000000000000000000000000001&position=800&time=2026-11-23T12%3A00%3A02.500Z&before=1&after=1";
    assert_eq!(asked, wanted);
    let run = clew(&server.url(), &["trace", ID, "--around", "11"]);
    assert!(run.err.contains("--around 11: there is no such record among 11 records"), "{}", run.err);
    assert_eq!(run.code, Some(1));
    assert_eq!(clew(&server.url(), &["trace", ID, "--around", "x"]).code, Some(64));
    assert_eq!(clew(&server.url(), &["trace", ID, "--around", "1", "--follow"]).code, Some(64));
}

/// Events of `/stream`.
fn stream(events: &[(&str, Value)]) -> String {
    events.iter().map(|(name, data)| format!("event: {name}\ndata: {data}\n\n")).collect()
}

fn state(verdict: &str) -> Value {
    let mut state = failed_checkout();
    state.as_object_mut().expect("an object").remove("records");
    state["completeness"] = json!({"state": verdict, "reasons": []});
    state
}

#[test]
fn it_is_followed_until_it_is_settled() {
    let records = failed_checkout()["records"].clone();
    let next = std::sync::atomic::AtomicUsize::new(0);
    let server = Server::start(move |_| {
        let arrived =
            |places: &[usize]| json!({"records": places.iter().map(|place| &records[*place]).collect::<Vec<_>>()});
        // What moves all the while is not told each time.
        let mut moved = state("open");
        moved["completeness"]["reasons"] = json!(["web-2 is 3 s behind"]);
        let events = match next.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
            // The connection is lost; what was printed comes again.
            0 => stream(&[("state", state("open")), ("records", arrived(&[0, 1, 9])), ("state", moved)]),
            _ => stream(&[
                ("records", arrived(&[0, 1, 9])),
                ("new in a later one", json!(1)),
                ("records", arrived(&[2, 10])),
                ("state", state("settled")),
                ("end", json!({})),
            ]),
        };
        Answer::of("text/event-stream", &events)
    });
    let run = clew(&server.url(), &["trace", ID, "--follow"]);
    assert_eq!(run.code, Some(0), "{}", run.err);
    let (lines, end) = run.out.split_once("\n\n").expect("records, and what they come to");
    let lines: Vec<&str> = lines.lines().map(|line| line.split("  ").last().unwrap_or_default().trim()).collect();
    let expected = [
        "request came in",
        "checkout of cart 7 started",
        "checkout of cart 7 failed",
        "charge 41.90 EUR",
        "\"POST /checkout HTTP/1.1\" 502",
    ];
    assert_eq!(lines, expected);
    assert!(end.starts_with("1 record came later than others"), "{end}");
    assert!(end.contains("complete     settled") && end.contains("1.3s of silence within payments"), "{end}");
    let told: Vec<&str> = run.err.lines().collect();
    assert_eq!(told[0], "clew: open: more may still come");
    assert!(told[1].contains("lost the connection") && told[2] == "clew: connected again", "{told:?}");
    assert_eq!(told[3], "clew: settled: every agent has shipped what its files held");
    assert!(server.asked().iter().all(|path| path == &format!("/api/v1/transactions/{ID}/stream")));
}

#[test]
fn it_is_followed_as_json_and_raw() {
    let records = failed_checkout()["records"].clone();
    let events =
        stream(&[("records", json!({"records": [records[0]]})), ("state", state("settled")), ("end", Value::Null)]);
    let server = Server::start(move |_| Answer::of("text/event-stream", &events));
    let json = clew(&server.url(), &["trace", ID, "--follow", "--json", "--level", "info"]);
    let lines: Vec<Value> = json.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let names: Vec<&str> = lines.iter().filter_map(|line| line["event"].as_str()).collect();
    assert_eq!((names, json.err.as_str()), (vec!["records", "state", "end"], ""));
    assert_eq!(lines[0]["data"]["records"][0]["line"], "request came in");
    assert!(server.asked()[0].ends_with("/stream?level=info"), "{:?}", server.asked());
    let raw = clew(&server.url(), &["trace", ID, "--follow", "--raw"]);
    assert_eq!(raw.out, "request came in\n");
}

#[test]
fn no_part_of_an_answer_drives_the_terminal() {
    const HOSTILE: &str = "\u{1b}[2J\u{202e}\u{9b}31m\r\u{7}x";
    /// Every text but a time and what the command understands becomes hostile.
    fn spoil(value: &mut Value, key: &str) {
        const UNDERSTOOD: [&str; 5] = ["severity", "time_origin", "state", "source_id", "line_base64"];
        match value {
            Value::String(text) if !UNDERSTOOD.contains(&key) && !text.starts_with("2026-") => text.push_str(HOSTILE),
            Value::Array(values) => values.iter_mut().for_each(|value| spoil(value, key)),
            Value::Object(fields) => fields.iter_mut().for_each(|(key, value)| spoil(value, key)),
            _ => {}
        }
    }
    let mut answer = failed_checkout();
    answer["completeness"]["agents_gone"] = json!([{"agent_id": "a", "host": "web-9", "watermark": null}]);
    spoil(&mut answer, "");
    let mut state = answer.clone();
    state.as_object_mut().expect("an object").remove("records");
    let records = json!({"records": answer["records"]});
    let events = stream(&[("records", records), ("state", state), ("end", Value::Null)]);
    let server = Server::start(move |path| match path {
        _ if path.contains("/stream") => Answer::of("text/event-stream", &events),
        _ if path.contains("/context") => {
            Answer::json(&json!({"records": answer["records"], "meta": {"warnings": [HOSTILE]}}))
        }
        _ => Answer::json(&answer),
    });
    for arguments in [&["trace", ID][..], &["trace", ID, "--follow"], &["trace", ID, "--around", "8"]] {
        let run = clew(&server.url(), arguments);
        assert_eq!(run.code, Some(0), "{}", run.err);
        assert!(run.out.contains("\\x1b[2J\\u{202e}"), "{}", run.out);
        for text in [&run.out, &run.err] {
            assert!(!text.contains(['\u{1b}', '\u{202e}', '\u{9b}', '\r', '\u{7}']), "{arguments:?}: {text:?}");
        }
    }
}

#[test]
fn what_was_removed_and_who_is_gone_is_told() {
    let server = Server::start(|_| {
        let mut answer = transaction(&shop(), None);
        answer["completeness"] = json!({"state": "expired", "agents_behind": [], "gaps": [], "removed_before": "2026-11-20T00:00:00Z",
            "agents_gone": [{"agent_id": "a", "host": "web-\u{1b}9", "watermark": "2026-11-01T00:00:00Z", "last_seen": null, "retired": false}]});
        Answer::json(&answer)
    });
    let run = clew(&server.url(), &["trace", ID]);
    let expected = "complete     expired: what was received before 2026-11-20 00:00:00 UTC is not held any more; not waited for web-\\x1b9, \
                    whose last word was of 2026-11-01 00:00:00 UTC\n";
    assert!(run.out.contains(expected), "{}", run.out);
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
            None => {
                let mut answer = transaction(&records[..1], Some("page 2/="));
                answer["meta"] = json!({"took_ms": 0.7, "truncated": true, "warnings": ["1 of 4 records shown"]});
                Answer::json(&answer)
            }
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
