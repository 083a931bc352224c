//! Agents at the locked door, with the real programs: who may ship, for which host, and until when.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clew_tests::agent::{Agent, AgentOptions};
use clew_tests::aggregator::Aggregator;
use clew_tests::logfile::LogFile;
use clew_tests::stage::Stage;
use clew_tests::{process, wait};

const DEADLINE: Duration = Duration::from_secs(60);
/// Well formed, and nobody's.
const WRONG: &str = "clew_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// A locked aggregator, a secret that reads it, and one that ships for each of `ingest`.
fn locked<const N: usize>(stage: &Stage, ingest: [&[&str]; N]) -> (Aggregator, String, [String; N]) {
    let mut aggregator = Aggregator::new(stage, &[]);
    let read = aggregator.token(&["create", "people", "--scope", "read"]);
    let ingest = ingest.map(|arguments| aggregator.token(&[&["create", "--scope", "ingest"], arguments].concat()));
    aggregator.start();
    (aggregator, read, ingest)
}

/// An agent of the host `name`, which finds its token in a file.
fn agent(stage: &Stage, aggregator: &Aggregator, name: &str, logs: &Path) -> (Agent, PathBuf) {
    let agent = Agent::new(stage, aggregator, &AgentOptions { name, agent_id: None, logs, limits: &[] });
    let token_file = stage.path().join(format!("{name}.token"));
    agent.configure(|text| format!("token_file = {token_file:?}\n{text}"));
    (agent, token_file)
}

fn show(token_file: &Path, secret: &str) {
    std::fs::write(token_file, format!("{secret}\n")).expect("write a token");
}

fn wait_for_log(agent: &Agent, part: &str) {
    wait::until(part, DEADLINE, || {
        let log = agent.log();
        wait::check(log.contains(part), || log)
    });
}

fn write(file: &mut LogFile, numbers: std::ops::Range<u32>) {
    for number in numbers {
        file.append(format!("2026-11-28T00:00:00Z INFO trace_id={ID} step {number}").as_bytes());
    }
}

/// Each of the lines is held, once, and in order.
fn assert_held(aggregator: &Aggregator, read: &str, lines: u32) {
    let api = aggregator.api().with_token(read);
    api.wait_for_records(u64::from(lines), DEADLINE);
    let records = api.transaction(ID).expect("the transaction");
    let wanted: Vec<String> =
        (0..lines).map(|number| format!("2026-11-28T00:00:00Z INFO trace_id={ID} step {number}")).collect();
    let held: Vec<String> = records.iter().map(|record| String::from_utf8_lossy(&record.line).into_owned()).collect();
    assert_eq!(held, wanted);
}

fn command(arguments: &[&str], config: &Path) -> (Option<i32>, String) {
    let config = config.to_str().expect("a UTF-8 path");
    let output = process::run("clew-agent", &[arguments, &["--config", config]].concat(), DEADLINE);
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn an_agent_ships_with_a_token_for_it_and_with_nothing_else() {
    let stage = Stage::new("agent-token");
    let (aggregator, read, [ingest]) = locked(&stage, [&["agents"]]);
    let logs = stage.folder("logs");
    let mut file = LogFile::open(&logs.join("shop.log"));
    write(&mut file, 0..100);
    let (mut agent, token_file) = agent(&stage, &aggregator, "web-1", &logs);
    agent.start();
    wait_for_log(&agent, "token_file");
    for (secret, why) in [(WRONG, "the token is not known"), (&read, "people has not the scope ingest")] {
        show(&token_file, secret);
        wait_for_log(&agent, why);
        let (code, said) = command(&["check"], agent.config());
        assert!(code != Some(0) && said.contains("does not let this agent in") && said.contains(why), "{said}");
    }
    let api = aggregator.api().with_token(&read);
    assert_eq!(api.records(), Ok(0));
    let metrics = api.get("/metrics").body;
    let metrics = String::from_utf8_lossy(&metrics);
    assert!(metrics.contains("clew_aggregator_refused_total{door=\"grpc\",reason=\"unknown\"}"), "{metrics}");

    show(&token_file, &ingest);
    assert_held(&aggregator, &read, 100);
    let (code, said) = command(&["check"], agent.config());
    assert!(code == Some(0) && said.contains(": answers"), "{said}");
    assert_eq!(command(&["audit"], agent.config()).0, Some(0));
    for secret in [WRONG, &read, &ingest] {
        assert!(!agent.log().contains(secret) && !aggregator.log().contains(secret), "a secret stands in a log");
    }

    // Without any token, not even a file.
    let mut bare =
        Agent::new(&stage, &aggregator, &AgentOptions { name: "bare", agent_id: None, logs: &logs, limits: &[] });
    bare.start();
    wait_for_log(&bare, "a token or a certificate is needed");
    assert_held(&aggregator, &read, 100);
}

#[test]
fn a_token_of_one_host_is_of_no_use_to_another() {
    let stage = Stage::new("agent-host");
    let (aggregator, read, secrets) = locked(&stage, [&["web-1", "--host", "web-1"], &["web-2", "--host", "web-2"]]);
    let logs = stage.folder("logs");
    let mut file = LogFile::open(&logs.join("shop.log"));
    write(&mut file, 0..50);
    let (mut own, token_file) = agent(&stage, &aggregator, "web-1", &logs);
    own.configure(|text| format!("agent_id = \"{}\"\n{text}", uuid::Uuid::from_u128(1)));
    show(&token_file, &secrets[0]);
    own.start();
    assert_held(&aggregator, &read, 50);

    let (mut stolen, token_file) = agent(&stage, &aggregator, "web-2", &logs);
    show(&token_file, &secrets[0]);
    stolen.start();
    wait_for_log(&stolen, "web-1 may not ship for the host \"web-2\"");
    stolen.kill();
    // Nor is one told what files another host has.
    show(&token_file, &secrets[1]);
    stolen.configure(|text| format!("agent_id = \"{}\"\n{text}", uuid::Uuid::from_u128(1)));
    let (code, said) = command(&["audit"], stolen.config());
    assert!(code != Some(0) && said.contains("web-2 may not ship for the host \"web-1\""), "{said}");
    assert_held(&aggregator, &read, 50);
}

#[test]
fn a_token_that_is_taken_back_ends_a_session_and_a_new_one_goes_on_where_it_was() {
    let stage = Stage::new("agent-rotation");
    let (aggregator, read, [first]) = locked(&stage, [&["first"]]);
    let logs = stage.folder("logs");
    let mut file = LogFile::open(&logs.join("shop.log"));
    let (mut agent, token_file) = agent(&stage, &aggregator, "web-1", &logs);
    show(&token_file, &first);
    agent.start();
    write(&mut file, 0..200);
    assert_held(&aggregator, &read, 200);
    aggregator.token(&["revoke", "first"]);
    wait_for_log(&agent, "is revoked");
    write(&mut file, 200..400);
    let second = aggregator.token(&["create", "second", "--scope", "ingest"]);
    show(&token_file, &second);
    assert_held(&aggregator, &read, 400);
    assert!(agent.terminate().success());
}
