//! A tiny HTTP server that answers as a test wants, and remembers what it was asked. Shared by the tests of this crate.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

/// What the server says to one request.
pub struct Answer {
    pub status: &'static str,
    pub content_type: &'static str,
    pub body: String,
}

pub struct Server {
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Answer {
    pub fn json(body: &impl ToString) -> Self {
        Self { status: "200 OK", content_type: "application/json", body: body.to_string() }
    }

    pub fn problem(status: &'static str, body: &impl ToString) -> Self {
        Self { status, content_type: "application/problem+json", body: body.to_string() }
    }
}

impl Server {
    /// Serves on a free port for as long as the test's process lives. `answer` gets the request's path and query.
    pub fn start(answer: impl Fn(&str) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { continue };
                let mut lines = BufReader::new(&stream).lines();
                let Some(Ok(first)) = lines.next() else { continue };
                // The rest of the head, up to the empty line.
                lines.take_while(|line| line.as_ref().is_ok_and(|line| !line.is_empty())).for_each(drop);
                let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
                log.lock().expect("not poisoned").push(path.clone());
                let Answer { status, content_type, body } = answer(&path);
                let length = body.len();
                let head = format!(
                    "HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
                );
                let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
            }
        });
        Self { address, asked }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The paths that were asked for, in order.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("not poisoned").clone()
    }
}
