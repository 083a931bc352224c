//! What clients may cost: messages that no agent sends, more connections than anybody needs, more bytes than was agreed. Others are served
//! all the while.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use clew_tests::agent::Agent;
use clew_tests::aggregator::Aggregator;
use clew_tests::hostile::{ATTEMPTS, Hostile};
use clew_tests::logfile::LogFile;
use clew_tests::stage::Stage;
use clew_tests::wait;

const DEADLINE: Duration = Duration::from_secs(60);
/// Of all memory that the aggregator ever had: what it takes anyway, and one large message at a time.
const MEMORY_MAX_BYTES: u64 = 400 << 20;

/// Sums the counters of a family that have this in their labels.
fn counted(aggregator: &Aggregator, family: &str, label: &str) -> u64 {
    let text = String::from_utf8_lossy(&aggregator.api().get("/metrics").body).into_owned();
    let of_family = text.lines().filter(|line| line.starts_with(family) && line.contains(label));
    of_family.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

fn configured(stage: &Stage, limits: &str) -> Aggregator {
    let mut aggregator = Aggregator::new(stage, &[]);
    aggregator.configure(|text| text.replace("[limits]\n", &format!("[limits]\n{limits}")));
    aggregator.start();
    aggregator
}

#[test]
fn messages_that_no_agent_sends_are_counted_and_cost_little() {
    let stage = Stage::new("hostile");
    let mut aggregator = Aggregator::started(&stage, &[]);
    let hostile = Hostile::new(&aggregator.grpc_url(), None, "thief");
    for (number, attempt) in ATTEMPTS.iter().enumerate() {
        let said = hostile.say(attempt);
        assert!(said.contains(attempt.why), "{}: {said}", attempt.name);
        let malformed = counted(&aggregator, "clew_aggregator_malformed_total", "");
        assert_eq!(malformed, number as u64 + 1, "{}", attempt.name);
    }
    let memory = aggregator.memory_max_bytes();
    assert!(memory < MEMORY_MAX_BYTES, "{memory} bytes");
    assert!(!aggregator.log().contains("2026 all is well"), "a host wrote to the log");

    let logs = stage.folder("logs");
    LogFile::open(&logs.join("shop.log")).append(b"2026-11-28T00:00:00Z INFO still here");
    let _agent = Agent::started(&stage, &aggregator, &logs);
    aggregator.api().wait_for_records(1, DEADLINE);
    assert!(aggregator.runs());
}

#[test]
fn a_client_has_so_many_connections_and_others_have_theirs() {
    let stage = Stage::new("crowd");
    let aggregator = configured(&stage, "client_connections = 8\n");
    let address = aggregator.grpc_url().replace("http://", "");
    let connect = || {
        let stream = TcpStream::connect(&address).expect("connect");
        stream.set_read_timeout(Some(DEADLINE)).expect("set a timeout");
        stream
    };
    let mut crowd: Vec<TcpStream> = (0..8).map(|_| connect()).collect();
    assert_eq!(connect().read(&mut [0; 1]).unwrap_or(0), 0, "the ninth is turned away");
    assert_eq!(counted(&aggregator, "clew_aggregator_turned_away_total", "client_connections"), 1);
    let logs = stage.folder("logs");
    LogFile::open(&logs.join("shop.log")).append(b"2026-11-28T00:00:00Z INFO still here");
    let agent = Agent::started(&stage, &aggregator, &logs);
    wait::until("the agent to be turned away", DEADLINE, || {
        wait::check(agent.log().contains("trying again"), || agent.log())
    });
    // Whoever says nothing has to leave, and there is room again.
    for stream in &mut crowd {
        let mut said = [0; 64];
        while stream.read(&mut said).unwrap_or(0) > 0 {}
    }
    aggregator.api().wait_for_records(1, DEADLINE);
    // By HTTP as well, where half a request is nothing.
    let mut half = TcpStream::connect(aggregator.http_address()).expect("connect");
    half.write_all(b"GET / HTTP/1.1\r\nhost: loc").expect("write");
    assert_eq!(aggregator.api().records(), Ok(1));
}

#[test]
fn whoever_is_too_fast_is_listened_to_later() {
    let stage = Stage::new("pace");
    let aggregator = configured(&stage, "client_bytes_per_second = \"256KiB\"\n");
    let logs = stage.folder("logs");
    let mut file = LogFile::open(&logs.join("shop.log"));
    let mut random = stage.random(0);
    for number in 0..1000 {
        let noise: String = (0..1500).map(|_| random.alphanumeric()).collect();
        file.append(format!("2026-11-28T00:00:00Z INFO {number} {noise}").as_bytes());
    }
    let mut agent = Agent::started(&stage, &aggregator, &logs);
    aggregator.api().wait_for_records(1000, DEADLINE);
    assert!(counted(&aggregator, "clew_aggregator_paced_total", "grpc") > 0);
    assert_eq!(counted(&aggregator, "clew_aggregator_paced_total", "http"), 0);
    assert!(agent.terminate().success());
}
