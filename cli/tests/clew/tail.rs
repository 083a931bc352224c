//! `clew tail`: records as they come, connections lost and found again, what was missed is told, and a quiet end.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, ChildStdout, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::server::{Answer, End, Server};
use crate::trace::{ID, record};
use crate::{clew, command};

fn event(id: u32, line: &str) -> String {
    let record = record(f64::from(id), "cart", "info", line);
    format!("event: record\nid: {id}\ndata: {record}\n\n")
}

fn dropped(id: u32, data: &Value) -> String {
    format!("event: dropped\nid: {id}\ndata: {data}\n\n")
}

/// Answers one request after the other with these events; the last of them falls silent and stays.
fn server(bodies: Vec<String>) -> Server {
    let next = AtomicUsize::new(0);
    Server::start(move |_| {
        let place = next.fetch_add(1, Ordering::Relaxed).min(bodies.len() - 1);
        let end = if place + 1 == bodies.len() { End::Silence } else { End::Whole };
        Answer::of("text/event-stream", &bodies[place]).ending(end)
    })
}

/// A tail that runs; it is ended with the test.
struct Tail {
    child: Child,
    out: BufReader<ChildStdout>,
    err: BufReader<ChildStderr>,
}

impl Tail {
    fn start(server: &Server, arguments: &[&str]) -> Self {
        let mut command = command(&server.url(), &[&["tail"], arguments].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("clew runs");
        let out = BufReader::new(child.stdout.take().expect("piped"));
        let err = BufReader::new(child.stderr.take().expect("piped"));
        Self { child, out, err }
    }

    fn out(&mut self) -> String {
        line(&mut self.out)
    }

    fn err(&mut self) -> String {
        line(&mut self.err)
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn line(from: &mut impl BufRead) -> String {
    let mut line = String::new();
    from.read_line(&mut line).expect("UTF-8");
    line
}

#[test]
fn records_are_seen_as_they_come() {
    let server =
        server(vec![format!(": hello\n\n{}event: news\ndata: x\n\n{}", event(1, "one"), event(12, "two\n  2"))]);
    let mut tail = Tail::start(&server, &["service:cart", "-healthz", "too slow"]);
    assert_eq!(tail.out(), format!("2026-11-23 12:00:01.000Z  cart  web-1  info  one  trace={ID}\n"));
    assert_eq!(tail.out(), format!("2026-11-23 12:00:12.000Z  cart  web-1  info  two  trace={ID}\n"));
    assert_eq!(tail.out(), "                                               2\n");
    assert_eq!(server.asked(), ["/api/v1/logs/tail?q=service%3Acart%20-healthz%20%22too%20slow%22"]);
    let head = &server.heads()[0];
    assert!(head.contains("\naccept: text/event-stream") && !head.contains("last-event-id"), "{head}");
}

#[test]
fn a_lost_connection_goes_on_where_it_stopped() {
    let server = server(vec![
        format!("{}{}", event(1, "one"), event(2, "two")),
        // Nothing new: the place is still the same.
        ": hello\n\n".into(),
        format!(
            "{}{}{}event: record\nid: 9\ndata: {{\"cut",
            dropped(6, &json!({"records": 1234, "reason": "slow reader"})),
            event(7, "three"),
            dropped(8, &json!({"records": null, "reason": "restart"})),
        ),
        event(10, "four"),
    ]);
    let mut tail = Tail::start(&server, &["--raw"]);
    for line in ["one\n", "two\n", "three\n", "four\n"] {
        assert_eq!(tail.out(), line);
    }
    let ids: Vec<Option<String>> = server
        .heads()
        .iter()
        .map(|head| head.lines().find_map(|line| line.strip_prefix("last-event-id: ")).map(str::to_owned))
        .collect();
    assert_eq!(ids, [None, Some("2".into()), Some("2".into()), Some("8".into())]);
    let lost = format!("clew: lost the connection to {} (it was closed), connecting again\n", server.url());
    for wanted in [
        &lost,
        "clew: connected again\n",
        &lost,
        "clew: connected again\n",
        "clew: 1,234 records were not looked at (they came faster than they are read here); clew search finds those that fulfil the query\n",
        "clew: an unknown number of records were not looked at (they came while the aggregator restarted); clew search finds those that fulfil the query\n",
        &lost,
        "clew: connected again\n",
    ] {
        assert_eq!(tail.err(), wanted);
    }
}

#[test]
fn silence_is_a_lost_connection() {
    let next = AtomicUsize::new(0);
    let server = Server::start(move |_| match next.fetch_add(1, Ordering::Relaxed) {
        0 => Answer::of("text/event-stream", &event(1, "one")).ending(End::Silence),
        // Whoever does not answer as it should is asked again.
        1 => {
            Answer::problem("503 Service Unavailable", &json!({"title": "stopping", "detail": "the aggregator stops"}))
        }
        _ => Answer::of("text/event-stream", &event(2, "two")).ending(End::Silence),
    });
    let mut tail = Tail::start(&server, &["--json", "--timeout", "300ms"]);
    for id in [1, 2] {
        let record: Value = serde_json::from_str(&tail.out()).expect("JSON");
        assert_eq!(record["time"], json!(format!("2026-11-23T12:00:{:06.3}Z", f64::from(id))));
    }
    assert!(tail.err().contains("(nothing came for 300ms), connecting again"));
    assert_eq!(tail.err(), format!("clew: {} answered 503: the aggregator stops; trying on\n", server.url()));
    assert_eq!(tail.err(), "clew: connected again\n");
}

#[test]
fn raw_lines_are_byte_for_byte() {
    let mut bytes = record(1.0, "cart", "info", "caf\u{fffd}");
    bytes["line_base64"] = json!("Y2Fm6Q==");
    let server = server(vec![format!("event: record\ndata: {bytes}\n\n")]);
    let mut tail = Tail::start(&server, &["--raw"]);
    let mut seen = [0; 5];
    tail.out.read_exact(&mut seen).expect("it comes");
    assert_eq!(&seen, b"caf\xe9\n");
}

#[test]
fn one_that_cannot_begin_ends() {
    let server = Server::start(|_| {
        Answer::problem("503 Service Unavailable", &json!({"title": "too many tails", "detail": "100 tails are open"}))
    });
    let run = clew(&server.url(), &["tail"]);
    assert_eq!((run.code, run.err), (Some(1), format!("clew: {} answered 503: 100 tails are open\n", server.url())));
    let server = Server::start(|_| Answer::json(&json!({})));
    let run = clew(&server.url(), &["tail"]);
    assert_eq!(run.code, Some(1));
    assert!(run.err.contains("not like a clew-aggregator (200, application/json)"), "{}", run.err);
}

#[test]
fn a_query_that_is_refused_later_ends_it() {
    let next = AtomicUsize::new(0);
    let server = Server::start(move |_| match next.fetch_add(1, Ordering::Relaxed) {
        0 => Answer::of("text/event-stream", &event(1, "one")),
        _ => Answer::problem("400 Bad Request", &json!({"title": "bad parameter", "detail": "q: no"})),
    });
    let run = clew(&server.url(), &["tail", "x"]);
    assert_eq!(run.code, Some(64));
    assert!(run.err.ends_with(" answered 400: q: no\n"), "{}", run.err);
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    // A heartbeat after the connection is lost is enough; no record has to come.
    for second in [event(2, "two"), ":\n\n".to_owned()] {
        let next = AtomicUsize::new(0);
        let server = Server::start(move |_| match next.fetch_add(1, Ordering::Relaxed) {
            0 => Answer::of("text/event-stream", &event(1, "one")),
            _ => Answer::of("text/event-stream", &second),
        });
        let mut tail = Tail::start(&server, &[]);
        tail.out();
        let Tail { child, out, err } = &mut tail;
        drop(std::mem::replace(out, BufReader::new(dead_end())));
        assert_eq!(child.wait().expect("it ends").code(), Some(0));
        let mut told = String::new();
        err.read_to_string(&mut told).expect("UTF-8");
        assert!(told.lines().all(|line| line.contains("connect")), "{told}");
    }
}

/// Some other output, so that the first can be closed.
fn dead_end() -> ChildStdout {
    let mut child = std::process::Command::new("true").stdout(Stdio::piped()).spawn().expect("it runs");
    let out = child.stdout.take().expect("piped");
    let _ = child.wait();
    out
}

#[test]
fn an_interrupt_ends_it_quietly() {
    use std::os::unix::process::ExitStatusExt;
    let server = server(vec![event(1, "one")]);
    let mut tail = Tail::start(&server, &["--raw"]);
    assert_eq!(tail.out(), "one\n");
    kill_process(Pid::from_child(&tail.child), Signal::INT).expect("it runs");
    assert_eq!(tail.child.wait().expect("it ends").signal(), Some(2));
    assert_eq!((tail.out(), tail.err()), (String::new(), String::new()));
}
