//! A tiny HTTP server that answers as a test wants, and remembers what it was asked. Shared by the tests of this crate.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

/// What the server says to one request.
pub struct Answer {
    pub status: &'static str,
    pub content_type: &'static str,
    pub body: String,
    pub end: End,
}

/// What follows the body.
#[derive(Clone, Copy, PartialEq)]
pub enum End {
    Whole,
    /// The connection is closed, and more was promised.
    BrokenOff,
    /// More was promised, and never comes.
    Silence,
}

pub struct Server {
    pub address: SocketAddr,
    /// Each request up to its empty line, in lower case but for its first line.
    heads: Arc<Mutex<Vec<String>>>,
}

impl Answer {
    pub fn json(body: &impl ToString) -> Self {
        Self::of("application/json", body)
    }

    pub fn problem(status: &'static str, body: &impl ToString) -> Self {
        Self { status, ..Self::of("application/problem+json", body) }
    }

    pub fn of(content_type: &'static str, body: &impl ToString) -> Self {
        Self { status: "200 OK", content_type, body: body.to_string(), end: End::Whole }
    }

    pub fn ending(self, end: End) -> Self {
        Self { end, ..self }
    }
}

impl Server {
    /// Serves on a free port for as long as the test's process lives. `answer` gets the request's path and query.
    pub fn start(answer: impl Fn(&str) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let heads = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&heads);
        std::thread::spawn(move || {
            let mut silent = Vec::new();
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { continue };
                let mut lines = BufReader::new(&stream).lines();
                let Some(Ok(first)) = lines.next() else { continue };
                let rest = lines.map_while(Result::ok).take_while(|line| !line.is_empty());
                let head = rest.fold(first.clone(), |head, line| format!("{head}\n{}", line.to_lowercase()));
                log.lock().expect("not poisoned").push(head);
                let path = first.split(' ').nth(1).unwrap_or_default();
                let Answer { status, content_type, body, end } = answer(path);
                let length = body.len() + usize::from(end != End::Whole);
                let head = format!(
                    "HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
                );
                let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
                if end == End::Silence {
                    silent.push(stream);
                }
            }
        });
        Self { address, heads }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The paths that were asked for, in order.
    pub fn asked(&self) -> Vec<String> {
        self.heads().iter().map(|head| head.split(' ').nth(1).unwrap_or_default().to_owned()).collect()
    }

    /// What was asked, with its headers.
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().expect("not poisoned").clone()
    }
}
