//! The six services as processes, without aggregator and agent: a request crosses them over HTTP, and every log knows it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// Kept for as long as it shall run.
struct Service {
    process: Child,
    address: String,
    _stderr: BufReader<ChildStderr>,
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn service(logs: &Path, name: &str, peers: &[&Service], names: &[&str]) -> Service {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clew-demo"));
    command.args(["service", name, "--rotate-every", "1MiB", "--logs"]).arg(logs).stderr(Stdio::piped());
    for (peer, name) in peers.iter().zip(names) {
        command.arg("--peer").arg(format!("{name}={}", peer.address));
    }
    let mut process = command.spawn().expect("it starts");
    let mut stderr = BufReader::new(process.stderr.take().expect("piped"));
    let mut line = String::new();
    stderr.read_line(&mut line).expect("it says where it listens");
    let address = line.trim().strip_prefix("listening ").expect("an address").to_owned();
    Service { process, address, _stderr: stderr }
}

/// Status and head of the answer.
fn post(address: &str, path: &str, headers: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).expect("it listens");
    let length = body.len();
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nhost: shop\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    )
    .expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, answer)
}

/// Of every service the lines that carry `id`.
fn lines_with(logs: &Path, id: &str) -> BTreeMap<String, Vec<String>> {
    let mut found = BTreeMap::new();
    for folder in std::fs::read_dir(logs).expect("logs") {
        let folder = folder.expect("a folder").path();
        let name = folder.file_name().expect("a name").to_string_lossy().into_owned();
        for file in std::fs::read_dir(&folder).expect("files") {
            let text = std::fs::read_to_string(file.expect("a file").path()).expect("UTF-8");
            let lines = text.lines().filter(|line| line.contains(id)).map(str::to_owned).collect::<Vec<_>>();
            if !lines.is_empty() {
                found.insert(name.clone(), lines);
            }
        }
    }
    found
}

#[test]
fn a_checkout_crosses_the_shop_and_every_log_knows_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let logs = folder.path();
    let mailer = service(logs, "mailer", &[], &[]);
    let payments = service(logs, "payments", &[], &[]);
    let inventory = service(logs, "inventory", &[], &[]);
    let cart = service(logs, "cart", &[&inventory], &["inventory"]);
    let called = [&cart, &inventory, &payments, &mailer];
    let checkout = service(logs, "checkout", &called, &["cart", "inventory", "payments", "mailer"]);
    let gateway = service(logs, "gateway", &[&inventory, &cart, &checkout], &["inventory", "cart", "checkout"]);

    // Inventory fails now and then by nature; a customer tries again.
    let traceparent = format!("traceparent: 00-{TRACE}-00f067aa0ba902b7-01\r\n");
    let mut status = 503;
    for _ in 0..20 {
        assert_eq!(post(&gateway.address, "/carts/c-1/items", "", r#"{"sku":"TEA-ASSAM"}"#).0, 201);
        let order = r#"{"cart":"c-1","card":"4000000000000002","email":"ada@example.org"}"#;
        status = post(&gateway.address, "/checkout", &traceparent, order).0;
        if status != 503 {
            break;
        }
    }
    assert_eq!(status, 402, "the card is declined");
    let found = lines_with(logs, TRACE);
    assert_eq!(
        found.keys().map(String::as_str).collect::<Vec<_>>(),
        ["cart", "checkout", "gateway", "inventory", "payments"]
    );
    assert!(found["payments"].len() >= 3 && found["checkout"].len() >= 3, "{found:#?}");
    for line in &found["cart"] {
        serde_json::from_str::<serde_json::Value>(line).expect("JSON");
    }
    // Each hop has a span of its own, so no log repeats the caller's.
    assert!(found.values().flatten().all(|line| !line.contains("00f067aa0ba902b7")), "{found:#?}");

    // Without IDs the gateway makes them, and says which.
    let (status, head) = post(&gateway.address, "/carts/c-2/items", "", r#"{"sku":"TEA-CHAI"}"#);
    assert_eq!(status, 201);
    let made = head.lines().find_map(|line| line.strip_prefix("traceparent: 00-")).expect("a traceparent");
    assert_eq!(lines_with(logs, &made[..32]).len(), 3);
    let request_id = head.lines().find_map(|line| line.strip_prefix("x-request-id: ")).expect("a request ID");
    assert!(lines_with(logs, request_id).contains_key("gateway"));
}

#[test]
fn a_service_says_what_it_lacks() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(env!("CARGO_BIN_EXE_clew-demo"));
    let output = command.args(["service", "cart", "--logs"]).arg(folder.path()).output().expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(error, "clew-demo: cart calls inventory: say where it is with --peer inventory=127.0.0.1:PORT\n");
}
