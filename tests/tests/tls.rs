//! TLS between agents and aggregator, with the real programs: who is let in by a certificate, and as whom; and that files are changed
//! without a restart and without a line that is lost or held twice.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clew_tests::agent::{Agent, AgentOptions};
use clew_tests::aggregator::Aggregator;
use clew_tests::authority::{Authority, Identity, client_table, server_table};
use clew_tests::logfile::LogFile;
use clew_tests::stage::Stage;
use clew_tests::{process, wait};
use rcgen::ExtendedKeyUsagePurpose::{ClientAuth, ServerAuth};

const DEADLINE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);
const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// An aggregator that takes certificates of the authority, and the authority.
fn locked(stage: &Stage) -> (Aggregator, Authority) {
    let authority = Authority::new(stage, "authority");
    let identity = authority.server(&["localhost", "127.0.0.1"]);
    let mut aggregator = Aggregator::new(stage, &[]);
    aggregator.configure(|text| text + &server_table(&identity, &authority));
    aggregator.start();
    (aggregator, authority)
}

/// An agent of the host `name` that speaks TLS. `head` goes before everything in its configuration, `tls` behind the limits.
fn agent(stage: &Stage, aggregator: &Aggregator, name: &str, logs: &Path, head: &str, tls: &str) -> Agent {
    let agent = Agent::new(stage, aggregator, &AgentOptions { name, agent_id: None, logs, limits: &[] });
    agent.configure(|text| {
        format!("{head}{}", text.replace("http://", "https://").replace("[[source]]", &format!("{tls}[[source]]")))
    });
    agent
}

fn write(file: &mut LogFile, numbers: std::ops::Range<u32>) {
    for number in numbers {
        file.append(line(number).as_bytes());
    }
}

fn line(number: u32) -> String {
    format!("2026-11-28T00:00:00Z INFO trace_id={ID} step {number}")
}

/// Each of the lines is held, once, and in order.
fn assert_held(aggregator: &Aggregator, lines: u32) {
    let api = aggregator.api();
    api.wait_for_records(u64::from(lines), DEADLINE);
    let records = api.transaction(ID).expect("the transaction");
    let held: Vec<String> = records.iter().map(|record| String::from_utf8_lossy(&record.line).into_owned()).collect();
    assert_eq!(held, (0..lines).map(line).collect::<Vec<_>>());
}

fn wait_for_log(what: &str, log: impl Fn() -> String, part: &str) {
    wait::until(&format!("{what} to log {part:?}"), DEADLINE, || {
        let log = log();
        wait::check(log.contains(part), || log)
    });
}

fn check(agent: &Agent) -> (Option<i32>, String) {
    let config = agent.config().to_str().expect("a UTF-8 path");
    let output = process::run("clew-agent", &["check", "--config", config], DEADLINE);
    (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

fn metric(aggregator: &Aggregator, line: &str) -> bool {
    String::from_utf8_lossy(&aggregator.api().get("/metrics").body).contains(line)
}

#[test]
fn agents_ship_with_a_certificate_or_by_tls_with_a_token() {
    let stage = Stage::new("tls");
    let (aggregator, authority) = locked(&stage);
    let logs = stage.folder("logs");
    let mut file = LogFile::open(&logs.join("shop.log"));
    write(&mut file, 0..100);
    let tls = client_table(&authority.ca(), Some(&authority.agent("web-1")));
    let mut by_certificate = agent(&stage, &aggregator, "web-1", &logs, "", &tls);
    let (code, said) = check(&by_certificate);
    assert!(code == Some(0) && said.contains("answers (shown: certificate web-1, good until 20"), "{said}");
    by_certificate.start();
    assert_held(&aggregator, 100);
    assert!(by_certificate.terminate().success());
    let agents = aggregator.api().get("/api/v1/status/agents").json();
    assert_eq!(agents["agents"][0]["owner"], "certificate web-1");

    // Without one: not without a token.
    let more = stage.folder("more");
    let token_file = stage.path().join("token");
    let tls = client_table(&authority.ca(), None);
    let head = format!("token_file = {token_file:?}\n");
    let mut by_token = agent(&stage, &aggregator, "web-2", &more, &head, &tls);
    std::fs::write(&token_file, "clew_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").expect("write a token");
    by_token.start();
    wait_for_log("the agent", || by_token.log(), "the token is not known");
    let secret = aggregator.token(&["create", "web", "--scope", "ingest"]);
    std::fs::write(&token_file, secret).expect("write a token");
    LogFile::open(&more.join("shop.log")).append(line(100).as_bytes());
    assert_held(&aggregator, 101);
}

#[test]
fn what_is_shown_decides_who_one_is() {
    let stage = Stage::new("tls-wrong");
    let (aggregator, authority) = locked(&stage);
    let other = Authority::new(&stage, "other");
    let logs = stage.folder("logs");
    write(&mut LogFile::open(&logs.join("shop.log")), 0..10);
    let ca = authority.ca();
    // What a thief would show as web-1, and what they are told.
    let cases: [(&str, Option<Identity>, &str); 6] = [
        ("of another authority", Some(other.agent("web-1")), "does not take the certificate of this agent"),
        ("expired", Some(authority.expired("web-1", ClientAuth, DAY)), "CertificateExpired"),
        ("an aggregator's", Some(authority.server(&["web-1"])), "does not take the certificate of this agent"),
        ("of another host", Some(authority.agent("web-2")), "web-2 may not ship for the host \"web-1\""),
        ("without a host", Some(authority.nameless()), "names no host"),
        ("nothing", None, "a token or a certificate is needed"),
    ];
    for (what, identity, why) in cases {
        let mut thief = agent(&stage, &aggregator, "web-1", &logs, "", &client_table(&ca, identity.as_ref()));
        thief.start();
        wait_for_log(what, || thief.log(), why);
        thief.kill();
    }
    assert_eq!(aggregator.api().records(), Ok(0));
    assert!(metric(&aggregator, "clew_aggregator_turned_away_total{door=\"grpc\",reason=\"tls\"}"));
    for reason in ["host", "nameless", "missing"] {
        assert!(
            metric(&aggregator, &format!("clew_aggregator_refused_total{{door=\"grpc\",reason=\"{reason}\"}}")),
            "{reason}"
        );
    }
}

#[test]
fn an_agent_is_nobody_elses() {
    let stage = Stage::new("tls-identity");
    let (mut aggregator, authority) = locked(&stage);
    let logs = stage.folder("logs");
    let mut file = LogFile::open(&logs.join("shop.log"));
    write(&mut file, 0..50);
    let ca = authority.ca();
    let id = format!("agent_id = \"{}\"\n", uuid::Uuid::from_u128(1));
    let tls = client_table(&ca, Some(&authority.agent("web-1")));
    let mut own = agent(&stage, &aggregator, "web-1", &logs, &id, &tls);
    own.start();
    assert_held(&aggregator, 50);
    // Known also after the aggregator died without another word.
    aggregator.kill();
    aggregator.start();

    let empty = stage.folder("empty");
    let token_file = stage.path().join("token");
    std::fs::write(&token_file, aggregator.token(&["create", "fleet", "--scope", "ingest"])).expect("write a token");
    let head = format!("{id}token_file = {token_file:?}\n");
    // A certificate of another host, and a token of no host in particular, whatever host the agent says that it has.
    let tls = client_table(&ca, Some(&authority.agent("web-2")));
    let mut by_certificate = agent(&stage, &aggregator, "web-2", &empty, &id, &tls);
    by_certificate.start();
    wait_for_log("the thief", || by_certificate.log(), "web-2 may not ship for the host \"web-1\"");
    by_certificate.kill();
    let mut by_token = agent(&stage, &aggregator, "web-3", &empty, &head, &client_table(&ca, None));
    by_token.start();
    wait_for_log("the thief", || by_token.log(), "belongs to certificate web-1, which is still good");
    by_token.kill();
    write(&mut file, 50..100);
    assert_held(&aggregator, 100);

    // A copy of the state names sources of somebody else.
    own.terminate();
    let copy = stage.path().join("web-4-state");
    copy_folder(own.state_dir(), &copy);
    let tls = client_table(&ca, Some(&authority.agent("web-4")));
    let mut copied = agent(&stage, &aggregator, "web-4", &logs, "", &tls);
    write(&mut file, 100..120);
    copied.start();
    wait_for_log("the copy", || copied.log(), "web-4 may not ship for the host \"web-1\"");
    copied.kill();
    own.start();
    assert_held(&aggregator, 120);
}

#[test]
fn certificates_come_and_go_without_a_restart() {
    let stage = Stage::new("tls-reload");
    let (aggregator, authority) = locked(&stage);
    let logs = stage.folder("logs");
    let mut file = LogFile::open(&logs.join("shop.log"));
    let identity = authority.agent("web-1");
    let mut agent = agent(&stage, &aggregator, "web-1", &logs, "", &client_table(&authority.ca(), Some(&identity)));
    agent.start();
    write(&mut file, 0..100);
    assert_held(&aggregator, 100);

    authority.revoke("web-1");
    wait_for_log("the agent", || agent.log(), "is revoked");
    wait_for_log("the agent", || agent.log(), "does not take the certificate of this agent");
    write(&mut file, 100..200);
    authority.agent("web-1");
    assert_held(&aggregator, 200);

    // A key that does not belong to the certificate changes nothing, until it does.
    let server = stage.path().join("authority/server.key");
    let key = std::fs::read(&server).expect("read a key");
    std::fs::write(&server, std::fs::read(&identity.key).expect("read a key")).expect("write a key");
    wait_for_log("the aggregator", || aggregator.log(), "it is not the key of the certificate in");
    assert!(metric(&aggregator, "clew_aggregator_trouble{part=\"tls\"} 1"));
    write(&mut file, 200..300);
    assert_held(&aggregator, 300);
    std::fs::write(&server, key).expect("write a key");
    wait_for_log("the aggregator", || aggregator.log(), "tls: works again");

    // Another authority altogether: the agent trusts it when its file does.
    let next = Authority::new(&stage, "next");
    let renewed = next.server(&["localhost", "127.0.0.1"]);
    for (from, to) in [(renewed.certificate, "server.crt"), (renewed.key, "server.key")] {
        std::fs::copy(from, stage.path().join("authority").join(to)).expect("copy a file");
    }
    wait::until("the agent not to trust the aggregator", DEADLINE, || {
        let (code, said) = check(&agent);
        let told = "no authority that is trusted here; name the right one in tls.ca";
        wait::check(code != Some(0) && said.contains(told), || said)
    });
    write(&mut file, 300..400);
    assert_held(&aggregator, 400);
    assert!(agent.terminate().success());
    std::fs::copy(next.ca(), stage.path().join("ca.crt")).expect("copy a file");
    agent.configure(|text| text.replace("authority/ca.crt", "ca.crt"));
    write(&mut file, 400..500);
    agent.start();
    assert_held(&aggregator, 500);

    // The same for agents' certificates. A list of another authority would revoke nothing; it is not taken.
    let replace = |from: PathBuf, to: &str| {
        std::fs::copy(from, stage.path().join("authority").join(to)).expect("copy a file");
    };
    replace(next.ca(), "ca.crt");
    wait_for_log("the aggregator", || aggregator.log(), "the list of an authority that is not in tls.client_ca");
    write(&mut file, 500..600);
    assert_held(&aggregator, 600);
    replace(next.crl(), "ca.crl");
    wait_for_log("the agent", || agent.log(), "was shown before the authorities were replaced");
    write(&mut file, 600..700);
    let own = next.agent("web-1");
    std::fs::copy(own.key, &identity.key).expect("copy a file");
    std::fs::copy(own.certificate, &identity.certificate).expect("copy a file");
    assert_held(&aggregator, 700);
}

#[test]
fn what_is_no_tls_or_not_the_aggregators_is_told() {
    let stage = Stage::new("tls-told");
    let (aggregator, authority) = locked(&stage);
    let logs = stage.folder("logs");
    let (ca, own) = (authority.ca(), authority.agent("web-1"));
    let tls = client_table(&ca, Some(&own));
    let said = |name: &str, tls: &str, change: &dyn Fn(String) -> String| {
        let agent = agent(&stage, &aggregator, name, &logs, "", tls);
        agent.configure(change);
        check(&agent).1
    };
    let unchanged = |text: String| text;
    let other = client_table(&Authority::new(&stage, "other").ca(), Some(&own));
    let told = said("a", &other, &unchanged);
    assert!(
        told.contains("it; name the right one in tls.ca") || told.contains("name the right one in tls.ca"),
        "{told}"
    );
    let told = said("b", &format!("{tls}server_name = \"logs.example\"\n"), &unchanged);
    assert!(told.contains("its certificate is not for logs.example"), "{told}");
    let http = aggregator.http_address();
    let told = said("c", &tls, &|text| text.replacen(&aggregator.grpc_url()[7..], &http, 1));
    assert!(told.contains("it does not speak TLS"), "{told}");
    let plain = said("d", "", &|text| text.replace("https://", "http://"));
    assert!(plain.contains("does not let this agent in"), "{plain}");
    let missing = said("e", &client_table(&stage.path().join("none.crt"), None), &unchanged);
    assert!(missing.contains("tls.ca") && missing.contains("none.crt: No such file"), "{missing}");

    // An aggregator whose own certificate has expired says so itself, and agents do as well.
    let expired = authority.expired("localhost", ServerAuth, DAY);
    for (from, to) in [(&expired.certificate, "server.crt"), (&expired.key, "server.key")] {
        std::fs::copy(from, stage.path().join("authority").join(to)).expect("copy a file");
    }
    wait_for_log("the aggregator", || aggregator.log(), "tls: the certificate has expired");
    let told = said("f", &tls, &|text| text.replacen("127.0.0.1", "localhost", 1));
    assert!(told.contains("its certificate has expired"), "{told}");
}

#[test]
fn http_speaks_tls_as_well() {
    let stage = Stage::new("tls-http");
    let authority = Authority::new(&stage, "authority");
    let identity = authority.server(&["localhost", "127.0.0.1"]);
    let mut aggregator = Aggregator::new(&stage, &[]);
    aggregator.configure(|text| format!("{text}{}http = true\n", server_table(&identity, &authority)));
    aggregator.start();
    let (server, ca) = (aggregator.http_url().replace("http://", "https://"), authority.ca());
    let arguments = ["--server", &server, "--ca", ca.to_str().expect("a UTF-8 path"), "agents"];
    let output = process::run("clew", &arguments, DEADLINE);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let output = process::run("clew", &["--server", &aggregator.http_url(), "agents"], DEADLINE);
    assert!(!output.status.success());
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("make a folder");
    for entry in std::fs::read_dir(from).expect("list a folder") {
        let entry = entry.expect("an entry");
        if entry.file_type().expect("its kind").is_file() {
            std::fs::copy(entry.path(), to.join(entry.file_name())).expect("copy a file");
        }
    }
}

/// What would lock everybody out, or let everybody in, is refused before it is in force.
#[test]
fn files_that_do_no_good_are_refused() {
    let stage = Stage::new("tls-unfit");
    let (authority, other) = (Authority::new(&stage, "authority"), Authority::new(&stage, "other"));
    let (server, agent) = (authority.server(&["localhost"]), authority.agent("web-1"));
    let refused = |table: String, why: &str| {
        let aggregator = Aggregator::new(&stage, &[]);
        aggregator.configure(|text| text + &table);
        let path = aggregator.config().to_str().expect("a UTF-8 path");
        let output = process::run("clew-aggregator", &["check", "--config", path], DEADLINE);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && told.contains(why), "{why}: {told}");
    };
    let text = |path: &Path| path.to_str().expect("a UTF-8 path").to_owned();
    let table = server_table(&server, &authority);
    refused(server_table(&agent, &authority), "it is not for servers");
    refused(table.replace(&text(&authority.ca()), &text(&server.certificate)), "is no authority's");
    refused(
        table.replace(&text(&authority.crl()), &text(&other.crl())),
        "of an authority that is not in tls.client_ca",
    );
}

#[test]
fn who_asks_whether_it_is_let_in_is_told_for_its_host() {
    let stage = Stage::new("tls-host");
    let (aggregator, authority) = locked(&stage);
    let table = client_table(&authority.ca(), Some(&authority.agent("web-1")));
    let (own, others) =
        ["web-1", "web-2"].map(|host| agent(&stage, &aggregator, host, &stage.folder("logs"), "", &table)).into();
    assert_eq!(check(&own).0, Some(0));
    let (code, said) = check(&others);
    assert!(code == Some(1) && said.contains("may not ship for the host \"web-2\""), "{code:?} {said}");
}
