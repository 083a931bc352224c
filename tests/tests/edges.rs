//! The programs' edges: what they say to bad configs and bad requests, how they stop, and what `clew` prints.

use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use clew_tests::agent::{Agent, AgentOptions};
use clew_tests::aggregator::Aggregator;
use clew_tests::logfile::LogFile;
use clew_tests::process::{Process, run};
use clew_tests::stage::Stage;
use clew_tests::{line, wait};

const DEADLINE: Duration = Duration::from_secs(20);

/// Runs it, and asserts the exit code and that the last thing it said is one line that has all of `parts`.
fn refuses(program: &str, arguments: &[&str], code: i32, parts: &[&str]) {
    let output = run(program, arguments, DEADLINE);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{program} {arguments:?} said: {stderr}");
    let last = stderr.lines().last().unwrap_or_default();
    for part in parts {
        assert!(last.contains(part), "{program} {arguments:?}: the last line names {part}: {stderr}");
    }
    assert!(!stderr.contains("panicked"), "{stderr}");
}

fn config(stage: &Stage, name: &str, text: &str) -> String {
    let path = stage.path().join(name);
    std::fs::write(&path, text).expect("write a config");
    path.to_str().expect("a UTF-8 path").to_owned()
}

#[test]
fn bad_configs_get_one_line_and_78() {
    let stage = Stage::new("configs");
    let dir = stage.path().to_str().expect("a UTF-8 path").to_owned();
    std::fs::write(stage.path().join("file"), "").expect("write a file");
    let taken = TcpListener::bind("127.0.0.1:0").expect("take a port");
    let taken = taken.local_addr().expect("its address").to_string();

    let source = "[[source]]\nservice = \"a\"\ninclude = [\"/tmp/none/*.log\"]\n";
    let misspelt = config(&stage, "misspelt.toml", &format!("aggregater = \"http://127.0.0.1:1\"\n{source}"));
    let glob = config(
        &stage,
        "glob.toml",
        &format!("state_dir = \"{dir}/s\"\n[[source]]\nservice = \"a\"\ninclude = [\"/tmp/[a.log\"]\n"),
    );
    let state = config(&stage, "state.toml", &format!("state_dir = \"{dir}/file/state\"\n{source}"));
    let sizes = config(&stage, "size.toml", &format!("state_dir = \"{dir}/s\"\n[limits]\nlinger = \"soon\"\n{source}"));
    let nothing = config(&stage, "nothing.toml", &format!("state_dir = \"{dir}/s\"\n"));
    for command in ["check", "run"] {
        refuses("clew-agent", &[command, "--config", &misspelt], 78, &["misspelt.toml:1", "aggregater", "aggregator"]);
        refuses("clew-agent", &[command, "--config", &glob], 78, &["/tmp/[a.log"]);
        refuses("clew-agent", &[command, "--config", &sizes], 78, &["size.toml", "soon"]);
        refuses("clew-agent", &[command, "--config", &nothing], 78, &["source"]);
        refuses("clew-agent", &[command, "--config", "/none/agent.toml"], 78, &["/none/agent.toml"]);
    }
    refuses("clew-agent", &["run", "--config", &state], 78, &["file/state"]);

    let ports = "grpc_listen = \"127.0.0.1:0\"\nhttp_listen = \"127.0.0.1:0\"\n";
    let misspelt = config(&stage, "unknown.toml", "data_dirr = \"/tmp/x\"\n");
    let data = config(&stage, "data.toml", &format!("data_dir = \"{dir}/file/data\"\n{ports}"));
    let port = config(
        &stage,
        "port.toml",
        &format!("data_dir = \"{dir}/d\"\ngrpc_listen = \"127.0.0.1:0\"\nhttp_listen = \"{taken}\"\n"),
    );
    let grpc = config(
        &stage,
        "grpc.toml",
        &format!("data_dir = \"{dir}/d\"\nhttp_listen = \"127.0.0.1:0\"\ngrpc_listen = \"{taken}\"\n"),
    );
    for command in ["check", "run"] {
        refuses("clew-aggregator", &[command, "--config", &misspelt], 78, &["unknown.toml:1", "data_dirr", "data_dir"]);
    }
    refuses("clew-aggregator", &["run", "--config", &data], 78, &["file/data"]);
    refuses("clew-aggregator", &["run", "--config", &port], 78, &[&taken]);
    refuses("clew-aggregator", &["run", "--config", &grpc], 78, &[&taken]);
}

#[test]
fn good_configs_pass_check() {
    let stage = Stage::new("check");
    let mut aggregator = Aggregator::new(&stage, &[]);
    let path = aggregator.config().to_str().expect("a UTF-8 path");
    let output = run("clew-aggregator", &["check", "--config", path], DEADLINE);
    assert!(output.status.success(), "{output:?}");
    assert!(!aggregator.data_dir().exists(), "a look leaves nothing behind");
    aggregator.start();
    let url = aggregator.grpc_url();
    let dir = stage.path().to_str().expect("a UTF-8 path");
    let agent = config(
        &stage,
        "good.toml",
        &format!(
            "aggregator = \"{url}\"\nstate_dir = \"{dir}/s\"\n[[source]]\nservice = \"{{name}}\"\ninclude = [\"{dir}/{{name}}/*.log\"]\n"
        ),
    );
    let output = run("clew-agent", &["check", "--config", &agent], DEADLINE);
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn wrong_usage_is_64() {
    for program in ["clew-agent", "clew-aggregator", "clew"] {
        refuses(program, &["frobnicate"], 64, &[]);
        refuses(program, &["--no-such-flag"], 64, &[]);
        let help = run(program, &["--help"], DEADLINE);
        assert!(help.status.success() && !help.stdout.is_empty(), "{program} --help: {help:?}");
    }
}

#[test]
fn one_data_dir_has_one_aggregator() {
    let stage = Stage::new("lock");
    let aggregator = Aggregator::started(&stage, &[]);
    let data_dir = aggregator.data_dir().to_str().expect("a UTF-8 path").to_owned();
    let second = config(
        &stage,
        "second.toml",
        &format!("data_dir = {data_dir:?}\ngrpc_listen = \"127.0.0.1:0\"\nhttp_listen = \"127.0.0.1:0\"\n"),
    );
    let output = run("clew-aggregator", &["run", "--config", &second], DEADLINE);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(matches!(output.status.code(), Some(1 | 78)), "{stderr}");
    assert!(stderr.lines().last().unwrap_or_default().contains(&data_dir), "{stderr}");
}

#[test]
fn bad_requests_get_4xx_problems() {
    let stage = Stage::new("requests");
    let aggregator = Aggregator::started(&stage, &[]);
    let api = aggregator.api();
    let id = "4bf92f3577b34da6a3ce929d0e0e4736";
    let long = format!("/api/v1/transactions/{}", "a".repeat(5000));
    for (path, statuses) in [
        (format!("/api/v1/transactions/{id}?limit=0"), 400..=422),
        (format!("/api/v1/transactions/{id}?limit=many"), 400..=422),
        (format!("/api/v1/transactions/{id}?limit=10001"), 400..=422),
        (format!("/api/v1/transactions/{id}?cursor=nonsense"), 400..=422),
        (format!("/api/v1/transactions/{id}?limitt=5"), 400..=422),
        ("/api/v1/transactions/%ff%fe".to_owned(), 400..=422),
        ("/api/v1/nowhere".to_owned(), 404..=404),
        (long, 400..=431),
    ] {
        let answer = api.get(&path);
        assert!(statuses.contains(&answer.status), "{path}: {} {}", answer.status, text(&answer.body));
        answer.problem();
    }

    let unknown = api.get(&format!("/api/v1/transactions/{id}"));
    assert_eq!(unknown.status, 404);
    let problem = unknown.problem();
    assert_eq!(problem["searched"]["records"], 0, "{problem}");
    assert!(problem["searched"]["partitions"].is_u64(), "{problem}");
    assert!(problem["agents_behind"].is_array(), "{problem}");

    assert_eq!(text(&api.get("/livez").body).trim(), "ok");
    let ready = api.get("/readyz");
    assert_eq!((ready.status, &ready.json()["ready"]), (200, &serde_json::Value::Bool(true)));
    let metrics = text(&api.get("/metrics").body);
    assert!(metrics.contains("clew_") && metrics.trim_end().ends_with("# EOF"), "{metrics}");
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// An agent and an aggregator with one log file.
fn one_file(stage: &Stage, idle_flush: &str) -> (Aggregator, Agent, LogFile) {
    let logs = stage.folder("logs");
    let aggregator = Aggregator::started(stage, &[("head_age", "1h"), ("head_bytes", "64MiB")]);
    let limits = [("idle_flush", idle_flush)];
    let mut agent =
        Agent::new(stage, &aggregator, &AgentOptions { name: "agent", agent_id: None, logs: &logs, limits: &limits });
    agent.start();
    let file = LogFile::open(&logs.join("app.log"));
    (aggregator, agent, file)
}

fn found(aggregator: &Aggregator, id: &str, count: usize) -> Vec<clew_tests::api::Record> {
    wait::until(&format!("{count} records of {id}"), DEADLINE, || {
        let records = aggregator.api().transaction(id)?;
        if records.len() == count { Ok(records) } else { Err(format!("{records:?}")) }
    })
}

#[test]
fn sigterm_drains_the_agent_and_commits_the_aggregator() {
    let stage = Stage::new("drain");
    let mut random = stage.random(0);
    let id = line::id(&mut random);
    let (mut aggregator, mut agent, mut file) = one_file(&stage, "1h");
    for number in 0..100 {
        file.append(format!("2026-11-23T12:00:00Z INFO trace_id={id} number {number}").as_bytes());
    }
    let last = format!("2026-11-23T12:00:01Z ERROR trace_id={id} the last words");
    file.write(last.as_bytes());
    found(&aggregator, &id, 100);
    assert!(agent.terminate().success());
    let records = found(&aggregator, &id, 101);
    assert_eq!(text(&records[100].line), last);
    assert_eq!(records[100].flags, ["unterminated"]);

    assert!(
        aggregator.api().storage()["head"]["records"].as_u64() >= Some(101),
        "nothing is committed before its time"
    );
    assert!(aggregator.terminate().success());
    aggregator.start();
    assert_eq!(aggregator.api().transaction(&id).map(|records| records.len()), Ok(101), "at once");
    let storage = aggregator.api().storage();
    assert_eq!(storage["head"]["records"], 0, "{storage}");
    assert_eq!(storage["records"], 101, "{storage}");
}

#[test]
fn an_idle_unterminated_line_is_shipped_and_continued() {
    let stage = Stage::new("idle");
    let mut random = stage.random(0);
    let id = line::id(&mut random);
    let (aggregator, _agent, mut file) = one_file(&stage, "300ms");
    file.write(format!("2026-11-23T12:00:00Z INFO trace_id={id} first half,").as_bytes());
    let records = found(&aggregator, &id, 1);
    assert_eq!(records[0].flags, ["unterminated"]);
    file.append(format!(" second half of trace_id={id}").as_bytes());
    file.append(format!("2026-11-23T12:00:01Z INFO trace_id={id} whole").as_bytes());
    let records = found(&aggregator, &id, 3);
    assert_eq!(text(&records[1].line), format!(" second half of trace_id={id}"));
    assert_eq!(records[1].flags, ["continues"]);
    assert!(records[2].flags.is_empty());
}

#[test]
fn a_line_beyond_the_limit_is_cut_and_goes_on() {
    let stage = Stage::new("cut");
    let mut random = stage.random(0);
    let id = line::id(&mut random);
    let (aggregator, _agent, mut file) = one_file(&stage, "1h");
    // The ID stands once in every 16 KiB, so that each part can be found by it.
    let line = format!("trace_id={id} and more ").repeat(1000);
    file.append(line.as_bytes());
    file.append(format!("2026-11-23T12:00:01Z INFO trace_id={id} whole").as_bytes());
    let count = line.len().div_ceil(16 * 1024) + 1;
    let records = found(&aggregator, &id, count);
    let (whole, parts) = records.split_last().expect("records");
    assert!(whole.flags.is_empty(), "{whole:?}");
    let joined: Vec<u8> = parts.iter().flat_map(|part| part.line.clone()).collect();
    assert_eq!(text(&joined), line);
    assert!(parts[0].flags.contains(&"cut".to_owned()), "{:?}", parts[0].flags);
    assert!(parts[1..].iter().all(|part| part.flags.contains(&"continues".to_owned())));
}

#[test]
fn clew_prints_a_transaction_and_says_when_there_is_none() {
    let stage = Stage::new("cli");
    let mut random = stage.random(0);
    let id = line::id(&mut random);
    let (mut aggregator, _agent, mut file) = one_file(&stage, "1h");
    for number in 0..3 {
        file.append(format!("2026-11-23T12:00:00Z INFO trace_id={id} number {number}").as_bytes());
    }
    found(&aggregator, &id, 3);
    let server = aggregator.http_url();
    let clew = |arguments: &[&str]| {
        let output = run("clew", &[&["--server", &server], arguments].concat(), DEADLINE);
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };

    let (code, stdout, stderr) = clew(&["trace", &id, "--no-fold"]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!((0..3).all(|number| stdout.contains(&format!("number {number}"))), "{stdout}");
    assert!(!stdout.contains('\x1b'), "no colour without a terminal: {stdout:?}");
    let dashed = format!("{}-{}-{}-{}-{}", &id[..8], &id[8..12], &id[12..16], &id[16..20], &id[20..]);
    assert_eq!(clew(&["trace", &dashed.to_uppercase()]).0, Some(0), "any spelling works");
    let (code, stdout, stderr) = clew(&["trace", &id, "--json"]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()) || is_json(&stdout));

    let (code, stdout, stderr) = clew(&["trace", "ffffffffffffffffffffffffffffffff"]);
    assert_eq!(code, Some(1), "{stdout}{stderr}");
    assert!(stderr.contains("ffffffffffffffffffffffffffffffff"), "{stderr}");

    let (code, stdout, stderr) = clew(&["agents"]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains("agent"), "{stdout}");

    aggregator.kill();
    let (code, _, stderr) = clew(&["trace", &id]);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains(server.trim_start_matches("http://")), "it names the server: {stderr}");
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<serde_json::Value>(text).is_ok()
}

#[test]
fn ports_of_zero_are_chosen_and_logged() {
    let stage = Stage::new("ports");
    let dir = stage.path().to_str().expect("a UTF-8 path");
    let path = config(
        &stage,
        "zero.toml",
        &format!("data_dir = \"{dir}/d\"\ngrpc_listen = \"127.0.0.1:0\"\nhttp_listen = \"127.0.0.1:0\"\n"),
    );
    let process =
        Process::start("clew-aggregator", &["run", "--config", &path], Path::new(&format!("{dir}/zero.stderr")));
    let http = wait::until("the chosen ports", DEADLINE, || {
        let log = process.log();
        let line = log.lines().find(|line| line.contains("listening")).ok_or_else(|| log.clone())?;
        let port = |name: &str| line.split(name).nth(1).and_then(|rest| rest.split_whitespace().next());
        match (port("grpc=127.0.0.1:"), port("http=127.0.0.1:")) {
            (Some(grpc), Some(http)) if grpc != "0" && http != "0" => Ok(http.to_owned()),
            _ => Err(line.to_owned()),
        }
    });
    let api = clew_tests::api::Api::new(format!("http://127.0.0.1:{http}"));
    assert_eq!(api.get("/livez").status, 200);
    assert!(process.terminate(DEADLINE).success());
}

#[test]
fn an_error_log_is_found_by_the_ids_of_the_access_log() {
    let stage = Stage::new("join");
    let (logs, errors) = (stage.folder("logs"), stage.folder("errors"));
    let aggregator = Aggregator::started(&stage, &[]);
    let mut agent =
        Agent::new(&stage, &aggregator, &AgentOptions { name: "agent", agent_id: None, logs: &logs, limits: &[] });
    let path = stage.path().join("agent.toml");
    let mut text = std::fs::read_to_string(&path).expect("read agent.toml");
    text += "[source.join]\nname = 'web'\nrole = 'access'\nconnection = 'connection=(\\d+)'\nid = 'request_id=(\\w+)'\n\
             end = 'msec=(\\S+)'\nduration = 'request_time=(\\S+)'\n[[source]]\nservice = 'nginx'\n";
    text += &format!("include = ['{}/*.log']\n", errors.display());
    text += "[source.join]\nname = 'web'\nrole = 'error'\nconnection = '#\\d+: \\*(\\d+) '\nwait = '100ms'\n";
    std::fs::write(&path, text).expect("write agent.toml");

    let id = "4bf92f3577b34da6a3ce929d0e0e4736";
    let request = |connection: u32, id: &str, second: u32| {
        format!("127.0.0.1 connection={connection} request_id={id} msec={second}.500 request_time=0.250 502\n")
    };
    let first = "00f067aa0ba902b700f067aa0ba902b7";
    let access = request(8, first, 1_764_071_000) + &request(9, id, 1_764_072_000);
    std::fs::write(logs.join("web.log"), access).expect("write the access log");
    // 1764072000 is 2025-11-25 12:00:00 UTC.
    let error = "2025/11/25 12:00:00 [error] 7#7: *9 upstream timed out (110: Connection timed out)\n";
    std::fs::write(errors.join("error.log"), error).expect("write the error log");
    agent.start();
    let api = aggregator.api();
    wait::until("both records", DEADLINE, || {
        let records = api.transaction(id)?;
        wait::check(records.len() == 2, || format!("{records:?}"))
    });
    let answer = api.get(&format!("/api/v1/transactions/{id}")).json();
    let ids_of = |service: &str| {
        let records = answer["records"].as_array().expect("records");
        records.iter().find(|record| record["service"] == service).expect("a record of it")["ids"].clone()
    };
    assert_eq!(ids_of("web"), serde_json::json!([{"value": id, "kind": "request"}]));
    assert_eq!(ids_of("nginx"), serde_json::json!([{"value": id, "kind": "request", "attached": true}]));
    let shown = run("clew", &["--server", &aggregator.http_url(), "trace", id], DEADLINE);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("upstream timed out"), "{shown}");
}
