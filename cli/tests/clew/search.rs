//! `clew search`: the newest at the bottom, pages joined, streams handed on, mistakes underlined.

use serde_json::{Value, json};

use crate::server::{Answer, End, Server};
use crate::trace::{ID, record, shop};
use crate::{clew, command};

pub fn page(records: &[Value], next_cursor: Option<&str>) -> Value {
    let warnings: Vec<&str> = next_cursor.iter().map(|_| "records shown; next_cursor has the next ones").collect();
    json!({"records": records, "next_cursor": next_cursor, "meta": {"took_ms": 1.5, "truncated": next_cursor.is_some(),
        "partial": false, "warnings": warnings, "blocks": 9, "blocks_scanned": 9, "records_scanned": 99, "bytes_scanned": 999}})
}

/// As the API gives them: newest first.
fn newest_first() -> Vec<Value> {
    let mut records = shop();
    records.reverse();
    records
}

fn ndjson(records: &[Value]) -> Answer {
    let lines: String = records.iter().map(|record| format!("{record}\n")).collect();
    Answer::of("application/x-ndjson", &lines)
}

/// The parameters of a request, decoded.
fn parameters(path: &str) -> Vec<(String, String)> {
    let decode = |text: &str| {
        let mut parts = text.split('%');
        let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
        for part in parts {
            bytes.push(u8::from_str_radix(&part[..2], 16).expect("two digits"));
            bytes.extend(&part.as_bytes()[2..]);
        }
        String::from_utf8(bytes).expect("UTF-8")
    };
    let (route, query) = path.split_once('?').expect("parameters");
    assert_eq!(route, "/api/v1/logs/search");
    query
        .split('&')
        .map(|pair| pair.split_once('=').expect("a value"))
        .map(|(n, v)| (n.to_owned(), decode(v)))
        .collect()
}

fn parameter(path: &str, name: &str) -> Option<String> {
    parameters(path).into_iter().find(|(known, _)| known == name).map(|(_, value)| value)
}

#[test]
fn the_newest_stands_at_the_bottom() {
    let server = Server::start(|_| Answer::json(&page(&newest_first(), None)));
    let run = clew(&server.url(), &["search", "level:error", "connection reset", "-healthz"]);
    let expected = format!(
        "\
2026-11-23 12:00:01.000Z  gateway   info   \"POST /checkout HTTP/1.1\" 502  trace={ID}
2026-11-23 12:00:01.250Z  checkout  error  boom  trace={ID}
                                           java.lang.IllegalStateException: x
                                               at shop.Checkout.pay(Checkout.java:42)
2026-11-23 12:00:01.500Z  mailer    -      hostile \\x1b]0;owned\\x07\\x1b[2J\\rline  trace={ID}
2026-11-23 12:00:02.812Z  mailer    info   mail sent  to=\"a b\"  trace={ID}
"
    );
    assert_eq!(run.out, expected);
    assert_eq!((run.code, run.err.as_str()), (Some(0), "clew: 4 records in 1.5ms, and no more\n"));
    let asked = server.asked();
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let wanted =
        [pair("q", "level:error \"connection reset\" -healthz"), pair("order", "newest"), pair("limit", "100")];
    assert_eq!(parameters(&asked[0]), wanted);
    assert_eq!(asked.len(), 1);
}

#[test]
fn times_limits_and_the_oldest() {
    let server = Server::start(|_| Answer::json(&page(&shop()[..2], Some("c"))));
    let arguments =
        ["search", "--since", "15m", "--until", "2026-11-25", "a (b", "--limit", "2", "--oldest", "--timeout", "2s"];
    let run = clew(&server.url(), &arguments);
    let asked = &server.asked()[0];
    for (name, value) in [
        ("q", "a (b"),
        ("from", "-15m"),
        ("to", "2026-11-25"),
        ("order", "oldest"),
        ("limit", "2"),
        ("timeout", "2000ms"),
    ] {
        assert_eq!(parameter(asked, name).as_deref(), Some(value), "{asked}");
    }
    // As it came: the oldest first.
    assert!(run.out.find("gateway") < run.out.find("checkout"), "{}", run.out);
    let footer =
        "clew: 2 records in 1.5ms; there are newer ones, too: --limit 20 shows more of them, --all shows every one\n";
    assert_eq!((run.code, run.err.as_str()), (Some(0), footer));
    clew(&server.url(), &["search", "x", "--since", "-1h30m"]);
    assert_eq!(parameter(&server.asked()[1], "from").as_deref(), Some("-1h30m"));
}

#[test]
fn more_than_a_page_is_fetched_page_by_page() {
    let server = Server::start(|path| {
        let records = newest_first();
        match parameter(path, "cursor").as_deref() {
            None => Answer::json(&page(&records[..1], Some("page 2/="))),
            Some("page 2/=") => Answer::json(&page(&records[1..3], Some("page3"))),
            Some("page3") => Answer::json(&page(&records[3..], None)),
            Some(other) => panic!("unknown cursor {other}"),
        }
    });
    let run = clew(&server.url(), &["search", "*", "--json", "--limit", "12000"]);
    let records: Vec<Value> = run.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(records, shop());
    assert_eq!((run.code, run.err.as_str()), (Some(0), ""));
    let limits: Vec<_> = server.asked().iter().map(|path| parameter(path, "limit").expect("a limit")).collect();
    assert_eq!(limits, ["5000", "5000", "5000"]);
}

#[test]
fn a_page_that_comes_again_ends_it() {
    let server = Server::start(|_| Answer::json(&page(&shop()[..1], Some("same"))));
    let run = clew(&server.url(), &["search", "*"]);
    assert_eq!((run.code, run.out.as_str()), (Some(1), ""));
    assert!(run.err.contains("gave the same page twice (cursor same)"), "{}", run.err);
}

#[test]
fn nothing_found_is_1() {
    let server = Server::start(|_| Answer::json(&page(&[], None)));
    let run = clew(&server.url(), &["search", "a", "b", "--since", "5m"]);
    let footer = "clew: nothing found in 1.5ms: no record since 5m fulfils a b\n";
    assert_eq!((run.code, run.out.as_str(), run.err.as_str()), (Some(1), "", footer));
    // For programs the exit code says it.
    let run = clew(&server.url(), &["search", "a", "--json"]);
    assert_eq!((run.code, run.out.as_str(), run.err.as_str()), (Some(1), "", ""));
}

#[test]
fn an_answer_of_a_part_says_so_in_every_form() {
    for form in [&["search", "x"][..], &["search", "x", "--json"], &["search", "x", "--raw"]] {
        let server = Server::start(|_| {
            let mut page = page(&newest_first(), Some("c"));
            page["meta"]["partial"] = json!(true);
            page["meta"]["blocks"] = json!(40_000);
            page["meta"]["warnings"] =
                json!(["the time was up; next_cursor goes on there", "day 2026-11-01 was removed\u{7}"]);
            Answer::json(&page)
        });
        let run = clew(&server.url(), form);
        assert_eq!((run.code, server.asked().len()), (Some(0), 1));
        let part = "the time was up after 9 of 40,000 blocks, there may be more: look for longer with --timeout";
        assert!(run.err.starts_with("clew: 4 records in 1.5ms; ") && run.err.contains(part), "{}", run.err);
        assert!(run.err.ends_with("; day 2026-11-01 was removed\\x07\n") && !run.err.contains("cursor"), "{}", run.err);
        assert_eq!(run.err.matches('\n').count(), 1);
    }
}

#[test]
fn all_is_a_stream_in_the_order_of_time() {
    let server = Server::start(|_| ndjson(&shop()));
    let run = clew(&server.url(), &["search", "x", "--all", "--json"]);
    let records: Vec<Value> = run.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!((records, run.code, run.err.as_str()), (shop(), Some(0), ""));
    let people = clew(&server.url(), &["search", "x", "--all"]);
    assert!(people.out.starts_with("2026-11-23 12:00:01.000Z  gateway  web-1  info  \"POST"), "{}", people.out);
    assert!(people.err.starts_with("clew: 4 records in ") && people.err.ends_with(", and no more\n"), "{}", people.err);
    for head in server.heads() {
        let path = head.split(' ').nth(1).expect("a path");
        assert_eq!(parameter(path, "order").as_deref(), Some("oldest"));
        assert_eq!(parameter(path, "limit"), None);
        assert!(head.contains("\naccept: application/x-ndjson"), "{head}");
    }
    let server = Server::start(|_| ndjson(&[]));
    assert_eq!(clew(&server.url(), &["search", "x", "--all", "--raw"]).code, Some(1));
}

#[test]
fn a_stream_that_breaks_off_is_no_end() {
    for (end, arguments) in [
        (End::BrokenOff, &["search", "x", "--all", "--raw"][..]),
        (End::Silence, &["search", "x", "--all", "--raw", "--timeout", "300ms"]),
    ] {
        let server = Server::start(move |_| ndjson(&shop()[..1]).ending(end));
        let run = clew(&server.url(), arguments);
        assert_eq!((run.code, run.out.as_str()), (Some(1), "\"POST /checkout HTTP/1.1\" 502\n"));
        assert!(
            run.err.contains("broke off after 1 record: ") && run.err.ends_with("; there are more\n"),
            "{}",
            run.err
        );
    }
}

#[test]
fn raw_is_byte_for_byte() {
    fn records() -> Vec<Value> {
        let mut records = newest_first();
        records[3]["line"] = json!("caf\u{fffd} \u{fffd}");
        records[3]["line_base64"] = json!("Y2Fm6SD/");
        records
    }
    let page = Server::start(|_| Answer::json(&page(&records(), None)));
    let stream = Server::start(|_| ndjson(&records().into_iter().rev().collect::<Vec<_>>()));
    for (server, arguments) in [(&page, &["search", "x", "--raw"][..]), (&stream, &["search", "x", "--raw", "--all"])] {
        let output = command(&server.url(), arguments).output().expect("clew runs");
        assert!(output.stdout.starts_with(b"caf\xe9 \xff\nboom\njava.lang"), "{:?}", output.stdout);
        assert!(output.stdout.windows(4).any(|bytes| bytes == b"\x1b[2J"));
        assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
    }
}

#[test]
fn hosts_and_estimated_times() {
    let server = Server::start(|_| {
        let mut records = vec![record(2.0, "cart", "warn", "b"), record(1.0, "gateway", "info", "a")];
        records[0]["time_origin"] = json!("reading");
        records[0]["host"] = json!("db-2");
        records[0]["ids"] =
            json!([{"value": "r-7", "kind": "request", "attached": true}, {"value": "b", "kind": "other"}]);
        Answer::json(&page(&records, None))
    });
    let expected = format!(
        " 2026-11-23 12:00:01.000Z  gateway  web-1  info  a  trace={ID}\n\
         ~2026-11-23 12:00:02.000Z  cart     db-2   warn  b  request=r-7\n\n\
         ~ the line has no time of its own: that of the record before it, or of reading\n"
    );
    assert_eq!(clew(&server.url(), &["search", "x"]).out, expected);
}

#[test]
fn a_query_that_cannot_be_read_is_underlined() {
    fn answer() -> Answer {
        Answer::problem(
            "400 Bad Request",
            &json!({"type": "about:blank", "title": "query cannot be read", "status": 400, "parameter": "q",
                "detail": "the parenthesis is not closed", "position": {"begin": 18, "end": 19}, "excerpt": "(",
                "hint": "close it with `)`"}),
        )
    }
    let server = Server::start(|_| answer());
    let expected = "\
clew: the query cannot be read
  \"é a\" service:x y(a OR b
                   ^
the parenthesis is not closed
close it with `)`
";
    for arguments in
        [&["search", "é a", "service:x", "y(a OR b"][..], &["search", "--all", "é a", "service:x", "y(a OR b"]]
    {
        let run = clew(&server.url(), arguments);
        assert_eq!((run.code, run.out.as_str(), run.err.as_str()), (Some(64), "", expected));
    }
    let run = clew(&server.url(), &["tail", "é a", "service:x", "y(a OR b"]);
    assert_eq!((run.code, run.out.as_str(), run.err.as_str()), (Some(64), "", expected));
}

#[test]
fn a_wrong_time_names_the_option() {
    let server = Server::start(|_| {
        Answer::problem(
            "400 Bad Request",
            &json!({"title": "bad parameter", "status": 400, "detail": "from: `noon` is no time", "parameter": "from"}),
        )
    });
    let run = clew(&server.url(), &["search", "x", "--since", "noon"]);
    assert_eq!((run.code, run.err.as_str()), (Some(64), "clew: --since: `noon` is no time\n"));
}

#[test]
fn wrong_usage_is_64() {
    for arguments in [
        &["search"][..],
        &["search", "x", "--limit", "0"],
        &["search", "x", "--limit", "5", "--all"],
        &["search", "x", "--oldest", "--all"],
        &["search", "x", "--json", "--raw"],
        &["search", "x", "--since"],
        &["search", "x", "--nope"],
        &["tail", "--all"],
    ] {
        assert_eq!(clew("http://127.0.0.1:1", arguments).code, Some(64), "{arguments:?}");
    }
    assert_eq!(clew("http://127.0.0.1:1", &["search", "-h"]).code, Some(0));
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let server = Server::start(|_| ndjson(&vec![record(1.0, "gateway", "info", &"x".repeat(1000)); 2000]));
    let mut command = command(&server.url(), &["search", "x", "--all"]);
    let mut child =
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().expect("clew runs");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
}
