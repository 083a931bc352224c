//! Three hosts and an aggregator in network namespaces, by mutual TLS: links break and are slow while everybody writes, and in the end
//! every line is held exactly once. Then a fourth host, which means harm.

use std::time::{Duration, Instant};

use clew_tests::agent::{Agent, AgentOptions};
use clew_tests::aggregator::Aggregator;
use clew_tests::authority::{Authority, Identity, client_table, server_table};
use clew_tests::hostile::{self, Hostile};
use clew_tests::network::Network;
use clew_tests::stage::Stage;
use clew_tests::writer::{Pace, Writers};
use clew_tests::{line, oracle, wait};
use rcgen::ExtendedKeyUsagePurpose::ClientAuth;

const HUB: &str = "hub";
const WEB: [&str; 3] = ["web-1", "web-2", "web-3"];
const THIEF: &str = "thief";
const PORT: u16 = 7600;
const DEADLINE: Duration = Duration::from_secs(60);
const SETTLE_DEADLINE: Duration = Duration::from_secs(120);

/// An agent of `name` on the host `host`.
fn agent(stage: &Stage, network: &Network, aggregator: &Aggregator, name: &str, files: &str, tls: &str) -> Agent {
    let logs = stage.folder("logs");
    let agent = Agent::new(stage, aggregator, &AgentOptions { name, agent_id: None, logs: &logs, limits: &[] });
    let url = format!("https://{}:{PORT}", network.address(HUB));
    agent.configure(|text| {
        text.replace(&aggregator.grpc_url(), &url)
            .replace("\"{service}\"", &format!("{name:?}"))
            .replace("{service}.log", files)
            .replace("[[source]]", &format!("{tls}[[source]]"))
    });
    agent
}

/// Starts an agent on a host; the test's thread is back on the hub afterwards.
fn start_on(network: &Network, host: &str, agent: &mut Agent) {
    network.enter(host);
    agent.start();
    network.enter(HUB);
}

fn is_connected(aggregator: &Aggregator, host: &str) -> bool {
    aggregator.api().agents().iter().any(|agent| agent["host"] == host && agent["connected"] == true)
}

fn wait_for_connected(aggregator: &Aggregator, host: &str, connected: bool) {
    wait::until(&format!("{host} to be connected: {connected}"), DEADLINE, || {
        wait::check(is_connected(aggregator, host) == connected, || format!("{:?}", aggregator.api().agents()))
    });
}

#[test]
fn hosts_ship_over_links_that_break_and_a_thief_gets_nowhere() {
    let stage = Stage::new("network");
    let network = match Network::new(&[HUB, WEB[0], WEB[1], WEB[2], THIEF]) {
        Ok(network) => network,
        Err(why) => return println!("skipped: {why}"),
    };
    network.enter(HUB);
    let authority = Authority::new(&stage, "authority");
    let hub = network.address(HUB);
    let identity = authority.server(&[HUB, &hub]);
    let mut aggregator = Aggregator::new(&stage, &[]);
    let grpc = aggregator.grpc_url().replace("http://", "");
    aggregator.configure(|text| text.replace(&grpc, &format!("{hub}:{PORT}")) + &server_table(&identity, &authority));
    aggregator.start();

    let mut random = stage.random(0);
    let ids: Vec<String> = (0..40).map(|_| line::id(&mut random)).collect();
    let pace = Pace { lines_per_s: 150, lines_per_rotation: 400 };
    let logs = stage.folder("logs");
    let writers = Writers::start(&mut random, &logs, &ids, 3, &pace);
    let mut agents: Vec<Agent> = WEB
        .iter()
        .enumerate()
        .map(|(number, host)| {
            let tls = client_table(&authority.ca(), Some(&authority.agent(host)));
            let mut agent = agent(&stage, &network, &aggregator, host, &format!("service-{number}-*.log"), &tls);
            start_on(&network, host, &mut agent);
            agent
        })
        .collect();
    for host in WEB {
        wait_for_connected(&aggregator, host, true);
    }

    // One is cut off until both sides have noticed; the others go on meanwhile.
    network.cut(WEB[1]);
    wait_for_connected(&aggregator, WEB[1], false);
    assert!(is_connected(&aggregator, WEB[0]) && is_connected(&aggregator, WEB[2]));
    let held = aggregator.api().records().expect("a number");
    wait::until("the others to go on", DEADLINE, || {
        let now = aggregator.api().records()?;
        wait::check(now > held + 100, || format!("{now} records, {held} before"))
    });
    network.mend(WEB[1]);
    wait_for_connected(&aggregator, WEB[1], true);

    // A modem's link, and one that comes and goes.
    network.slow(WEB[2], 128);
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(10) {
        network.cut(WEB[0]);
        std::thread::sleep(Duration::from_millis(random.u64(100..1500)));
        network.mend(WEB[0]);
        std::thread::sleep(Duration::from_millis(random.u64(100..1500)));
    }
    // Nobody reaches the aggregator, and it dies meanwhile.
    network.cut(HUB);
    std::thread::sleep(Duration::from_secs(2));
    aggregator.kill();
    aggregator.start();
    network.mend(HUB);
    let written = writers.stop();
    network.slow(WEB[2], 8_000);
    oracle::settle_and_verify(&aggregator.api(), &ids, &written, SETTLE_DEADLINE);

    thief(&stage, &network, &aggregator, &authority, &agents[0]);
    assert!(aggregator.runs(), "{}", aggregator.log());
    // What they had been shipping they still ship.
    let writers = Writers::start(&mut random, &stage.folder("logs"), &ids, 3, &pace);
    std::thread::sleep(Duration::from_secs(1));
    let more = writers.stop();
    let all = written.len() + more.len();
    aggregator.api().wait_for_records(all as u64, DEADLINE);
    for agent in &mut agents {
        assert!(agent.terminate().success());
    }
    assert_eq!(aggregator.api().records(), Ok(all as u64));
}

/// Tries all that somebody can who has a cable in the same switch, and then a certificate of a host that nobody has heard of.
fn thief(stage: &Stage, network: &Network, aggregator: &Aggregator, authority: &Authority, victim: &Agent) {
    let before = aggregator.api().records();
    let ca = authority.ca();
    let victims_id =
        aggregator.api().agents().iter().find(|agent| agent["host"] == WEB[0]).expect("it is known")["agent_id"]
            .as_str()
            .expect("a UUID")
            .to_owned();
    let own = authority.agent(THIEF);
    let wrong = Authority::new(stage, "wrong").agent(WEB[0]);
    let cases: [(&str, &Identity, &str, Option<&str>, &str); 4] = [
        ("wrong", &wrong, WEB[0], None, "does not take the certificate of this agent"),
        ("expired", &authority.expired(WEB[0], ClientAuth, DEADLINE), WEB[0], None, "CertificateExpired"),
        ("host", &own, WEB[0], None, "thief may not ship for the host \"web-1\""),
        ("agent", &own, THIEF, Some(&victims_id), "thief may not ship for the host \"web-1\""),
    ];
    for (name, identity, host, agent_id, why) in cases {
        let mut agent = agent(stage, network, aggregator, name, "*.log", &client_table(&ca, Some(identity)));
        let id = agent_id.map(|id| format!("agent_id = {id:?}\n")).unwrap_or_default();
        agent.configure(|text| id + &text.replace(&format!("host = {name:?}"), &format!("host = {host:?}")));
        start_on(network, THIEF, &mut agent);
        wait::until(why, DEADLINE, || {
            let log = agent.log();
            wait::check(log.contains(why), || log)
        });
        agent.kill();
    }
    assert!(victim.log().lines().all(|line| !line.contains("has taken over")), "{}", victim.log());

    network.enter(THIEF);
    let url = format!("https://{}:{PORT}", network.address(HUB));
    let hostile = Hostile::new(&url, Some((&ca, &own)), THIEF);
    for attempt in hostile::ATTEMPTS {
        let said = hostile.say(attempt);
        assert!(said.contains(attempt.why), "{}: {said}", attempt.name);
    }
    network.enter(HUB);
    assert_eq!(aggregator.api().records(), before);
}
