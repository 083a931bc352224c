//! The HTTP API's limits: what makes no sense is refused with a problem that says where, and no client takes away what others need.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Duration;

use clew_tests::agent::Agent;
use clew_tests::aggregator::Aggregator;
use clew_tests::api::escaped;
use clew_tests::follow::Follower;
use clew_tests::logfile::LogFile;
use clew_tests::stage::Stage;
use clew_tests::wait;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};

const DEADLINE: Duration = Duration::from_secs(60);
/// `aggregator`'s `store::TAILS_MAX`.
const TAILS_MAX: usize = 1_000;
const BODY_BYTES_MAX: usize = 1 << 20;

fn started(stage: &Stage, limits: &[(&str, &str)]) -> (Aggregator, Agent, PathBuf) {
    let logs = stage.folder("logs");
    let aggregator = Aggregator::started(stage, limits);
    let agent = Agent::started(stage, &aggregator, &logs);
    (aggregator, agent, logs)
}

#[test]
fn queries_beyond_the_limits_are_refused_with_their_position() {
    let stage = Stage::new("queries");
    let (aggregator, _agent, logs) = started(&stage, &[]);
    let mut file = LogFile::open(&logs.join("app.log"));
    file.append(format!("INFO {}b", "a".repeat(10_000)).as_bytes());
    file.append(b"INFO the second line");
    aggregator.api().wait_for_records(2, DEADLINE);
    let api = aggregator.api();
    let routes = ["logs/search", "logs/histogram", "logs/facets", "logs/stats", "fields"];

    let nested = |depth: usize| format!("{}second{}", "(".repeat(depth), ")".repeat(depth));
    let terms = |count: usize| vec!["second"; count].join(" ");
    for (query, begin) in [
        ("a ".repeat(8_193), Some(16_384)),
        ("a".repeat(1 << 19), Some(16_384)),
        (nested(65), Some(64)),
        (terms(2_000), None),
        ("(".to_owned(), Some(0)),
        (")".to_owned(), Some(0)),
        ("a OR".to_owned(), None),
        ("status:".to_owned(), None),
        ("\"open".to_owned(), Some(0)),
        ("grün /(/".to_owned(), None),
        ("/(x{1,1000}){1,1000}/".to_owned(), None),
        ("/((((a{1,100}){1,100}){1,100}){1,100})/".to_owned(), None),
        (format!("/{}[b]/", "a".repeat(1_025)), None),
        ("status:[500 TO".to_owned(), None),
        ("level:>=loud".to_owned(), None),
        ("time:>yesterday".to_owned(), None),
        (format!("{}:x", "k".repeat(257)), None),
    ] {
        for route in routes {
            let answer = api.post(&format!("/api/v1/{route}"), &json!({"q": query}));
            let shown = &query[..query.len().min(40)];
            assert_eq!(answer.status, 400, "{route}: {shown}");
            let problem = answer.problem();
            assert_eq!(problem["parameter"], "q", "{shown}: {problem}");
            let edge = |name: &str| problem["position"][name].as_u64().expect("a position") as usize;
            assert!(edge("begin") <= edge("end") && edge("end") <= query.len(), "{shown}: {problem}");
            assert_eq!(problem["excerpt"], query[edge("begin")..edge("end")], "{shown}: {problem}");
            if let Some(begin) = begin {
                assert_eq!(edge("begin"), begin, "{shown}: {problem}");
            }
        }
    }
    for (query, records) in [
        ("/(a+)+$/".to_owned(), 0),
        ("/(a+)+b$/".to_owned(), 1),
        ("/(a|aa)+$/ OR /^(.*)*second/".to_owned(), 1),
        ("/(a*)*q/".to_owned(), 0),
        (nested(64), 1),
        (terms(1_024), 1),
        ("a".repeat(16_384), 0),
        ("*".to_owned(), 2),
        (" ".to_owned(), 2),
    ] {
        for route in routes {
            let answer = api.post(&format!("/api/v1/{route}"), &json!({"q": query}));
            assert_eq!(answer.status, 200, "{route}: {query:.40}: {}", String::from_utf8_lossy(&answer.body));
        }
        let found = api.post("/api/v1/logs/search", &json!({"q": query})).json();
        assert_eq!(found["records"].as_array().map(Vec::len), Some(records), "{query:.40}");
    }
}

#[test]
fn parameters_that_make_no_sense_are_named() {
    let stage = Stage::new("parameters");
    let aggregator = Aggregator::started(&stage, &[]);
    let api = aggregator.api();
    for (path, parameter) in [
        ("logs/search?limit=0", "limit"),
        ("logs/search?limit=10001", "limit"),
        ("logs/search?limit=-1", "limit"),
        ("logs/search?limit=99999999999999999999999999", "limit"),
        ("logs/search?limit=", "limit"),
        ("logs/search?limit=1.5", "limit"),
        ("logs/search?cursor=nonsense", "cursor"),
        ("logs/search?cursor=", "cursor"),
        ("logs/search?cursor=AgiLTZPvQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "cursor"),
        ("logs/search?order=backwards", "order"),
        ("logs/search?from=now&to=-1h", "from"),
        ("logs/search?from=now&to=now", "from"),
        ("logs/search?from=soon", "from"),
        ("logs/search?to=", "to"),
        ("logs/search?timeout=0s", "timeout"),
        ("logs/search?timeout=301s", "timeout"),
        ("logs/search?timeout=-1s", "timeout"),
        ("logs/search?timeout=5", "timeout"),
        ("logs/search?limitt=5", "query"),
        ("logs/search?limit=5&limit=6", "query"),
        ("logs/search?%00=5", "query"),
        ("logs/histogram?interval=0s", "interval"),
        ("logs/histogram?interval=1us", "interval"),
        ("logs/histogram?interval=1ms&from=-1d&to=now", "interval"),
        ("logs/histogram?interval=99999999999999d", "interval"),
        ("logs/histogram?by=time", "by"),
        ("logs/histogram?by=..", "by"),
        ("logs/facets?limit=1001", "limit"),
        ("logs/facets?fields=a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,r,s,t,u", "fields"),
        ("logs/facets?fields=a..b", "fields"),
        ("logs/stats?field=service", "field"),
        ("logs/stats?field=", "field"),
        ("logs/stats?percentiles=101", "percentiles"),
        ("logs/stats?percentiles=NaN", "percentiles"),
        ("logs/stats?percentiles=-1", "percentiles"),
        ("logs/stats?percentiles=many", "percentiles"),
        ("logs/stats?sort=p95&percentiles=50", "sort"),
        ("logs/stats?sort=pNaN", "sort"),
        ("logs/stats?interval=0ms", "interval"),
        ("logs/stats?limit=10001", "limit"),
        ("logs/context?source=5&position=0", "source"),
        ("logs/context?source=00000000000000000000000000000001&position=x", "position"),
        ("logs/context?source=00000000000000000000000000000001&position=0&before=1001", "before"),
        ("logs/tail?q=(", "q"),
        ("logs/tail?from=now", "query"),
        ("fields?sample=0", "sample"),
        ("fields?sample=100001", "sample"),
        ("transactions/4bf92f3577b34da6a3ce929d0e0e4736?limit=10001", "limit"),
        ("transactions/%20", "id"),
        ("transactions/%ff", "id"),
    ] {
        let answer = api.get(&format!("/api/v1/{path}"));
        assert_eq!(answer.status, 400, "{path}: {}", String::from_utf8_lossy(&answer.body));
        let problem = answer.problem();
        assert_eq!(problem["parameter"], parameter, "{path}: {problem}");
    }
    for (body, parameter) in [
        (json!({}), "q"),
        (json!({"q": "*"}), "q"),
        (json!({"q": "(a", "dry_run": true}), "q"),
        (json!({"q": "a", "dry_run": "maybe"}), "dry_run"),
        (json!({"q": "a", "dry_run": "True"}), "dry_run"),
        (json!({"q": "a", "dryrun": true}), "query"),
        (json!({"q": "a", "from": "now", "to": "-1h"}), "from"),
    ] {
        let answer = api.post("/api/v1/admin/deletions", &body);
        assert_eq!(answer.status, 400, "{body}: {}", String::from_utf8_lossy(&answer.body));
        assert_eq!(answer.problem()["parameter"], parameter, "{body}");
    }
    assert_eq!(api.get("/api/v1/admin/deletions").json(), json!({"deletions": []}), "nothing is deleted by mistake");
    // What can be taken for something is; nothing of it is an error of the server.
    for query in ["%", "%zz", "%f", "%ff%fe", "+", "a+b", "%00", "%E2%80%AE", "&&&", "q", "q=", "=", "%3D"] {
        for path in [format!("/api/v1/logs/search?q={query}"), format!("/api/v1/logs/search?{query}")] {
            let answer = api.get(&path);
            assert!(answer.status == 200 || answer.status == 400, "{path}: {}", answer.status);
            if answer.status == 400 {
                answer.problem();
            }
        }
    }
}

#[test]
fn bodies_that_are_no_parameters_are_refused() {
    let stage = Stage::new("bodies");
    let aggregator = Aggregator::started(&stage, &[]);
    let api = aggregator.api();
    let search = |body: &[u8]| api.request("POST", "/api/v1/logs/search", body);
    for body in [
        &b"{"[..],
        b"nonsense",
        b"[]",
        b"null",
        b"\"q\"",
        b"{} {}",
        b"\xff\xfe",
        b"\x00",
        b"{\"q\":[\"a\"]}",
        b"{\"q\":{\"a\":1}}",
        b"{\"q\":null}",
        b"{\"limit\":1e400}",
        b"{\"limit\":10.5}",
        b"{\"query\":\"a\"}",
        b"q=a&limit=5",
        "[".repeat(100_000).as_bytes(),
        format!("{{\"q\":{}", "{\"q\":".repeat(100_000)).as_bytes(),
    ] {
        let answer = search(body);
        let shown = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
        assert_eq!(answer.status, 400, "{shown}");
        assert!(answer.problem()["parameter"].is_string(), "{shown}");
    }
    let padded = |bytes: usize| format!("{{\"q\":\"*\"{}}}", " ".repeat(bytes - 9));
    assert_eq!(search(padded(BODY_BYTES_MAX).as_bytes()).status, 200);
    let answer = search(padded(BODY_BYTES_MAX + 1).as_bytes());
    assert_eq!(answer.status, 413);
    answer.problem();
    for body in [&b""[..], b"{}", b"{\"limit\":100.0}", b"{\"limit\":\"100\"}", b"{\"from\":1795601702.5}"] {
        assert_eq!(search(body).status, 200, "{}", String::from_utf8_lossy(body));
    }
}

#[test]
fn many_who_follow_leave_room_for_those_who_search() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })
        .expect("raise the file limit");
    let stage = Stage::new("crowd");
    let (aggregator, _agent, logs) = started(&stage, &[]);
    let address = aggregator.http_address();
    let mut crowd: Vec<Follower> = (0..TAILS_MAX).map(|_| Follower::of_query(&address, "*", None)).collect();

    let refused = Follower::connect(&address, "/api/v1/logs/tail", None);
    assert_eq!(refused.status, 503);
    let problem: Value = serde_json::from_slice(&refused.rest()).expect("a problem is JSON");
    assert_eq!((&problem["status"], problem["detail"].is_string()), (&json!(503), true), "{problem}");

    let mut file = LogFile::open(&logs.join("app.log"));
    for number in 0..20 {
        file.append(format!("INFO number {number}").as_bytes());
    }
    aggregator.api().wait_for_records(20, DEADLINE);
    let found = aggregator.api().get("/api/v1/logs/search?q=number").json();
    assert_eq!(found["records"].as_array().map(Vec::len), Some(20));
    for follower in &mut crowd {
        for number in 0..20 {
            assert_eq!(follower.event().data["line"], format!("INFO number {number}"));
        }
    }
    // One that leaves makes room for another.
    crowd.truncate(TAILS_MAX - 1);
    wait::until("room for one more", DEADLINE, || {
        let status = Follower::connect(&address, "/api/v1/logs/tail", None).status;
        wait::check(status == 200, || status.to_string())
    });
}

#[test]
fn who_reads_too_slowly_loses_records_and_is_told_how_many() {
    /// More than the buffers of a connection hold.
    const LINES: usize = 3_000;
    let stage = Stage::new("slow");
    let (aggregator, _agent, logs) = started(&stage, &[("tail_bytes", "256KiB")]);
    let mut slow = Follower::of_query(&aggregator.http_address(), "*", None);
    let mut file = LogFile::open(&logs.join("app.log"));
    let filler = "x".repeat(8 << 10);
    for number in 0..LINES {
        file.append(format!("INFO {filler} number {number}").as_bytes());
    }
    // It reads nothing, and holds up nobody.
    aggregator.api().wait_for_records(LINES as u64, DEADLINE);
    file.append(b"INFO the last one");
    aggregator.api().wait_for_records(LINES as u64 + 1, DEADLINE);

    let (mut seen, mut missed, mut next) = (0, 0, 0);
    loop {
        let event = slow.event();
        if event.name == "dropped" {
            assert_eq!(event.data["reason"], "slow reader");
            let records = event.data["records"].as_u64().expect("a count") as usize;
            assert!(records > 0);
            (missed, next) = (missed + records, next + records);
            continue;
        }
        seen += 1;
        let line = event.data["line"].as_str().expect("a line");
        if line == "INFO the last one" {
            assert_eq!(next, LINES);
            break;
        }
        assert_eq!(line.rsplit(' ').next(), Some(next.to_string().as_str()), "what is missing was told");
        next += 1;
    }
    assert!(missed > 0, "{seen} of {LINES} lines were seen");
    assert_eq!(seen + missed, LINES + 1);
}

#[test]
fn who_leaves_in_the_middle_of_an_answer_harms_nobody() {
    const LINES: usize = 20_000;
    let stage = Stage::new("leave");
    let (mut aggregator, _agent, logs) = started(&stage, &[]);
    let mut file = LogFile::open(&logs.join("app.log"));
    let filler = "y".repeat(400);
    let text: String = (0..LINES).map(|number| format!("INFO {filler} number {number}\n")).collect();
    file.write(text.as_bytes());
    aggregator.api().wait_for_records(LINES as u64, DEADLINE);
    for round in 0..40 {
        let mut stream = TcpStream::connect(aggregator.http_address()).expect("connect");
        let path = format!("/api/v1/logs/search?q={}", escaped("number"));
        let accept = if round % 2 == 0 { "application/x-ndjson" } else { "application/json" };
        write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\naccept: {accept}\r\n\r\n").expect("send");
        if round % 4 < 2 {
            let mut some = [0; 4096];
            stream.read_exact(&mut some).expect("read some of it");
        }
    }
    let streamed = aggregator.api().try_get("/api/v1/logs/search", "application/x-ndjson").expect("an answer");
    assert_eq!(streamed.body.iter().filter(|byte| **byte == b'\n').count(), LINES);
    assert!(aggregator.runs() && !aggregator.log().contains("panicked"), "{}", aggregator.log());
    assert!(aggregator.terminate().success(), "nobody holds it up");
}
