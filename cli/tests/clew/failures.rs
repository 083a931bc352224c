//! Whatever goes wrong: the exit code, nothing on standard output, and one line that says what to do.

use std::net::TcpListener;

use serde_json::json;

use crate::server::{Answer, Server};
use crate::{Run, clew, command, read};

const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn one_line(run: &Run, code: i32, parts: &[&str]) {
    assert_eq!((run.code, run.out.as_str()), (Some(code), ""), "{}", run.err);
    assert_eq!(run.err.matches('\n').count(), 1, "{:?}", run.err);
    assert!(run.err.starts_with("clew: "), "{:?}", run.err);
    for part in parts {
        assert!(run.err.contains(part), "{part:?} is missing in {:?}", run.err);
    }
}

#[test]
fn an_unknown_id_says_what_was_searched_and_who_is_behind() {
    let server = Server::start(|_| {
        Answer::problem(
            "404 Not Found",
            &json!({"type": "about:blank", "title": "unknown transaction", "status": 404, "detail": "no such id",
                "searched": {"partitions": 3, "records": 12_345, "from": "2026-11-20T00:00:00Z", "to": "2026-11-23T12:00:00Z"},
                "agents_behind": [{"agent_id": "x", "host": "web-2", "watermark": null, "behind_ns": 65_000_000_000_i64, "connected": false}]}),
        )
    });
    let run = clew(&server.url(), &["trace", ID]);
    let searched = "searched 3 partitions with 12,345 records from 2026-11-20 00:00:00 UTC to 2026-11-23 12:00:00 UTC";
    one_line(&run, 1, &[ID, &server.url(), searched, "may still come: web-2 is 1m05s behind, not connected"]);
}

#[test]
fn a_server_that_is_away() {
    // Bound and dropped: nobody listens there now.
    let address = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port");
    let run = clew(&format!("http://{address}"), &["trace", ID]);
    one_line(
        &run,
        1,
        &[&format!("http://{address}"), "connection refused", "is clew-aggregator running there?", "--server"],
    );
    // The scheme may be left out, and the environment may name the server.
    let output = command("", &["agents"])
        .env("CLEW_SERVER", address.to_string())
        .args(["--server", &address.to_string()])
        .output();
    one_line(&read(output.expect("clew runs")), 1, &[&format!("http://{address}: connection refused")]);
}

#[test]
fn a_server_that_is_silent() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    let run = clew(&format!("http://{address}"), &["--timeout", "200ms", "trace", ID]);
    one_line(&run, 1, &[&format!("no answer from http://{address} within 200ms"), "--timeout"]);
}

#[test]
fn a_server_that_is_someone_else() {
    fn page(status: &'static str) -> Answer {
        Answer { status, ..Answer::of("text/html", &"<html>") }
    }
    let answers: [fn() -> Answer; 4] =
        [|| page("200 OK"), || page("404 Not Found"), || page("302 Found"), || Answer::json(&json!({"hello": 1}))];
    for answer in answers {
        let server = Server::start(move |_| answer());
        let run = clew(&server.url(), &["trace", ID]);
        one_line(&run, 1, &[&server.url(), "answered, but not like a clew-aggregator", "--server"]);
    }
}

#[test]
fn problems_are_passed_on() {
    let answers = [("400 Bad Request", 64), ("503 Service Unavailable", 1)];
    for (status, code) in answers {
        let problem =
            json!({"type": "about:blank", "title": "no", "status": 1, "detail": "the id is longer than 128 bytes"});
        let server = Server::start(move |_| Answer::problem(status, &problem));
        one_line(&clew(&server.url(), &["trace", ID]), code, &["the id is longer than 128 bytes", &server.url()]);
    }
}

#[test]
fn wrong_usage_is_64() {
    let anywhere = "http://127.0.0.1:1";
    for arguments in [&["trace"][..], &["tracee", ID], &["trace", ID, "--nope"], &["trace", ID, "--json", "--raw"], &[]]
    {
        assert_eq!(clew(anywhere, arguments).code, Some(64), "{arguments:?}");
    }
    one_line(&clew(anywhere, &["trace", "\"\""]), 64, &["holds no transaction id"]);
    one_line(&clew("ftp://127.0.0.1:1", &["agents"]), 64, &["is no address"]);
    one_line(&clew("http://", &["agents"]), 64, &["is no address"]);
    one_line(&clew("http://a b", &["agents"]), 64, &["is no address"]);
    assert_eq!(clew(anywhere, &["--help"]).code, Some(0));
    assert_eq!(clew(anywhere, &["--version"]).code, Some(0));
}
