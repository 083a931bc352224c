//! A client of `/api/v1/logs/tail` that reads when it is told to, and not before.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

/// Longer than between two heartbeats: nothing at all for so long is a failure.
const READ_DEADLINE: Duration = Duration::from_secs(40);

/// A connection on which events come.
pub struct Follower {
    stream: BufReader<TcpStream>,
    /// Of the answer.
    pub status: u16,
}

/// One of them.
#[derive(Debug, PartialEq)]
pub struct Event {
    pub name: String,
    pub id: String,
    pub data: Value,
}

impl Follower {
    /// Asks for `path`, and reads the head of the answer: what is written from now on is followed.
    pub fn connect(address: &str, path: &str, last_event_id: Option<&str>) -> Self {
        let mut stream = TcpStream::connect(address).unwrap_or_else(|error| panic!("connect to {address}: {error}"));
        stream.set_read_timeout(Some(READ_DEADLINE)).expect("set a timeout");
        let last = last_event_id.map(|id| format!("last-event-id: {id}\r\n")).unwrap_or_default();
        // In HTTP/1.0 the events come as they are, not in chunks.
        let request = format!("GET {path} HTTP/1.0\r\nhost: {address}\r\naccept: text/event-stream\r\n{last}\r\n");
        stream.write_all(request.as_bytes()).expect("send a request");
        let mut follower = Self { stream: BufReader::new(stream), status: 0 };
        let first = follower.line();
        follower.status = first.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
        while !follower.line().is_empty() {}
        follower
    }

    /// Follows what fulfils `query`, which is written as an address has it.
    pub fn of_query(address: &str, query: &str, last_event_id: Option<&str>) -> Self {
        let follower = Self::connect(address, &format!("/api/v1/logs/tail?q={query}"), last_event_id);
        assert_eq!(follower.status, 200);
        follower
    }

    /// The next event; heartbeats are passed over.
    pub fn event(&mut self) -> Event {
        loop {
            let mut event = Event { name: String::new(), id: String::new(), data: Value::Null };
            loop {
                let line = self.line();
                match line.split_once(':').map(|(name, value)| (name, value.trim_start())) {
                    Some(("event", value)) => value.clone_into(&mut event.name),
                    Some(("id", value)) => value.clone_into(&mut event.id),
                    Some(("data", value)) => event.data = serde_json::from_str(value).expect("data is JSON"),
                    Some(("", _)) => {}
                    None if line.is_empty() => break,
                    _ => panic!("no line of an event: {line}"),
                }
            }
            if !event.name.is_empty() {
                return event;
            }
        }
    }

    /// Everything up to the end of the answer.
    pub fn rest(mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        self.stream.read_to_end(&mut rest).expect("read to the end");
        rest
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        let bytes = self.stream.read_line(&mut line).unwrap_or_else(|error| panic!("read an event: {error}"));
        assert!(bytes > 0, "the connection ended");
        line.truncate(line.trim_end_matches(['\r', '\n']).len());
        line
    }
}
