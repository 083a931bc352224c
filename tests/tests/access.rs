//! The locked door, with the real program: who is let in, who is not, and what of it stands in a log.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use clew_tests::agent::{Agent, AgentOptions};
use clew_tests::aggregator::Aggregator;
use clew_tests::api::{Answer, Api};
use clew_tests::logfile::LogFile;
use clew_tests::stage::Stage;
use clew_tests::{process, wait};
use serde_json::json;

/// A change of a file is in force within seconds; what is waited for is longer only on a machine that is busy.
const DEADLINE: Duration = Duration::from_secs(20);
/// As `access::attempts` has it.
const WRONG_MAX: usize = 20;
/// Well formed, and nobody's.
const WRONG: &str = "clew_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

fn with(aggregator: &Aggregator, secret: &str) -> Api {
    aggregator.api().with_token(secret)
}

fn status(api: &Api) -> u16 {
    api.get("/api/v1/status/storage").status
}

/// Until the aggregator has read what the command wrote.
fn wait_for(what: &str, api: &Api, wanted: u16) {
    wait::until(what, DEADLINE, || {
        // Whoever asks often enough with a wrong token is turned away unseen.
        let status = match status(api) {
            429 => 401,
            status => status,
        };
        wait::check(status == wanted, || format!("status {status}"))
    });
}

/// Nothing that a program wrote into the stage holds one of the secrets, or the part of one.
fn assert_not_written(stage: &Stage, secrets: &[&str]) {
    let mut files = 0;
    each_file(stage.path(), &mut |path| {
        files += 1;
        let bytes = std::fs::read(path).expect("read a file");
        for secret in secrets {
            let part = secret.trim_start_matches("clew_");
            let part = &part[..part.len().min(20)];
            let is_there = bytes.windows(part.len()).any(|window| window == part.as_bytes());
            assert!(!is_there, "{} holds a secret", path.display());
        }
    });
    assert!(files > 3, "the stage has only {files} files");
}

fn each_file(folder: &Path, visit: &mut impl FnMut(&Path)) {
    for entry in folder.read_dir().expect("list a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            each_file(&path, visit);
        } else if path.is_file() {
            visit(&path);
        }
    }
}

/// What is sent as it stands, and what comes back until the connection ends.
fn raw(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("connect");
    stream.set_read_timeout(Some(DEADLINE)).expect("a socket");
    stream.write_all(request.as_bytes()).expect("send");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("read");
    String::from_utf8_lossy(&answer).into_owned()
}

/// A request for every operation that the program describes itself.
fn operations(api: &Api) -> Vec<(String, String, Option<String>)> {
    let document = api.get("/openapi.json").json();
    let mut operations = Vec::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            let security = operation["security"].as_array().unwrap_or_else(|| panic!("{method} {path} says nothing"));
            let scope = security.first().map(|way| way["token"][0].as_str().expect("a scope").to_owned());
            operations.push((
                method.to_uppercase(),
                path.replace("{id}", "00000000-0000-0000-0000-000000000001"),
                scope,
            ));
        }
    }
    operations
}

#[test]
fn every_route_asks_for_its_scope() {
    let stage = Stage::new("every-route");
    let mut aggregator = Aggregator::new(&stage, &[]);
    aggregator.log_everything();
    let make = |name: &str, more: &[&str]| aggregator.token(&[&["create", name], more].concat());
    let ingest = make("ships", &["--scope", "ingest"]);
    let read = make("reads", &["--scope", "read"]);
    let admin = make("changes", &["--scope", "admin"]);
    let expired = make("late", &["--scope", "admin", "--expires", "1ms"]);
    let revoked = make("gone", &["--scope", "admin"]);
    aggregator.token(&["revoke", "gone"]);
    aggregator.start();

    let credentials = [
        ("nothing", None),
        ("a wrong one", Some(WRONG)),
        ("ingest", Some(ingest.as_str())),
        ("read", Some(read.as_str())),
        ("admin", Some(admin.as_str())),
        ("an expired one", Some(expired.as_str())),
        ("a revoked one", Some(revoked.as_str())),
    ];
    let operations = operations(&aggregator.api());
    assert!(operations.len() > 30, "{operations:?}");
    let scopes = |scope: Option<&str>| operations.iter().filter(|(_, _, wanted)| wanted.as_deref() == scope).count();
    assert!(scopes(None) >= 5 && scopes(Some("read")) >= 20 && scopes(Some("admin")) >= 4, "{operations:?}");
    for (method, path, scope) in &operations {
        for (what, secret) in credentials {
            let api = secret.map_or_else(|| aggregator.api(), |secret| with(&aggregator, secret));
            let body = if method == "POST" { "{}" } else { "" };
            let answer = api.request(method, path, body);
            let case = format!("{method} {path} with {what}: {answer:?}");
            match (scope.as_deref(), what) {
                (None, _) | (Some("read"), "read" | "admin") | (Some("admin"), "admin") => {
                    assert!(![401, 403, 429].contains(&answer.status), "{case}");
                }
                (Some(_), "nothing") => {
                    assert_eq!(
                        (answer.status, answer.header("www-authenticate")),
                        (401, "Bearer realm=\"clew\""),
                        "{case}"
                    );
                    answer.problem();
                }
                (Some(scope), "ingest" | "read") => {
                    assert_eq!((answer.status, &answer.problem()["scope"]), (403, &json!(scope)), "{case}");
                    assert!(answer.header("www-authenticate").contains("insufficient_scope"), "{case}");
                }
                (Some(_), _) => {
                    // So many of these are turned away at some point.
                    assert!([401, 429].contains(&answer.status), "{case}");
                    answer.problem();
                }
            }
            assert_eq!(answer.header("x-content-type-options"), "nosniff", "{case}");
            assert_eq!(answer.header("cross-origin-resource-policy"), "same-origin", "{case}");
            if scope.is_some() {
                assert_eq!(answer.header("cache-control").replace("no-cache", "no-store"), "no-store", "{case}");
            }
        }
    }
    // The page holds nothing of anybody's.
    for path in ["/", "/search"] {
        let page = aggregator.api().try_get(path, "text/html").expect("an answer");
        assert!(page.status == 200 && page.content_type.starts_with("text/html"), "{page:?}");
    }
    let counted = with(&aggregator, &read).get("/metrics");
    let metrics = String::from_utf8(counted.body).expect("a text");
    for reason in ["missing", "unknown", "expired", "revoked", "scope", "throttled"] {
        let line = format!("clew_aggregator_refused_total{{door=\"http\",reason=\"{reason}\"}}");
        // Which of the wrong ones are turned away depends on their order.
        let is_counted = metrics.contains(&line);
        assert!(is_counted || ["expired", "revoked"].contains(&reason), "{reason} is not counted: {metrics}");
    }
    aggregator.terminate();
    assert_not_written(&stage, &[&ingest, &read, &admin, &expired, &revoked, WRONG]);
}

#[test]
fn wrong_tokens_are_told_apart_up_to_a_limit_and_good_ones_always_come_through() {
    let stage = Stage::new("wrong-tokens");
    let mut aggregator = Aggregator::new(&stage, &[]);
    let good = aggregator.token(&["create", "good", "--scope", "read"]);
    let expired = aggregator.token(&["create", "late", "--scope", "read", "--expires", "1ms"]);
    let revoked = aggregator.token(&["create", "gone", "--scope", "read"]);
    aggregator.token(&["revoke", "gone"]);
    aggregator.start();
    let wrong = [(WRONG, "is not known"), (expired.as_str(), "late"), (revoked.as_str(), "is revoked")];
    for (number, (secret, words)) in wrong.iter().cycle().take(WRONG_MAX).enumerate() {
        let answer = with(&aggregator, secret).get("/api/v1/status/storage");
        let detail = answer.problem()["detail"].as_str().expect("a detail").to_owned();
        assert!(answer.status == 401 && detail.contains(words) && !detail.contains(secret), "{number}: {answer:?}");
        assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"clew\", error=\"invalid_token\"");
    }
    let answer = with(&aggregator, WRONG).get("/api/v1/status/storage");
    let wait: u64 = answer.header("retry-after").parse().expect("seconds");
    assert!(answer.status == 429 && (1..=60).contains(&wait), "{answer:?}");
    assert_eq!(status(&aggregator.api()), 401);
    assert_eq!(status(&with(&aggregator, &good)), 200);
    let log = aggregator.log();
    assert_eq!(log.matches("127.0.0.1 is refused").count(), WRONG_MAX, "{log}");
    aggregator.terminate();
    let list = aggregator.token(&["list"]);
    let last_used = |name: &str| {
        let line = list.lines().find(|line| line.contains(name)).unwrap_or_else(|| panic!("no {name} in {list}"));
        line.split_whitespace().last().expect("columns").to_owned()
    };
    assert!(last_used("good").starts_with("20") && last_used("late") == "-", "{list}");
    assert_not_written(&stage, &[&good, &expired, &revoked, WRONG]);
}

/// Ends the threads that look at it.
struct Over<'o>(&'o AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_token_changes_while_programs_ask_and_none_is_refused() {
    let stage = Stage::new("rotation");
    let mut aggregator = Aggregator::new(&stage, &[]);
    let old = aggregator.token(&["create", "program", "--scope", "read"]);
    aggregator.start();
    let secret = Mutex::new(old.clone());
    let (is_over, answers) = (AtomicBool::new(false), AtomicUsize::new(0));
    let answered = |more: usize| {
        let wanted = answers.load(Ordering::Relaxed) + more;
        wait::until("answers", DEADLINE, || wait::check(answers.load(Ordering::Relaxed) >= wanted, || "fewer".into()));
    };
    let new = std::thread::scope(|scope| {
        // Also when something fails here: the scope waits for its threads.
        let _over = Over(&is_over);
        for _ in 0..3 {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    let shown = secret.lock().expect("not poisoned").clone();
                    let status = status(&with(&aggregator, &shown));
                    if status != 200 {
                        is_over.store(true, Ordering::Relaxed);
                        panic!("status {status}");
                    }
                    answers.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        answered(20);
        // A second one of the same name; both are good until the first is taken back by its ID.
        let new = aggregator.token(&["create", "program", "--scope", "read"]);
        wait_for("the new token to be known", &with(&aggregator, &new), 200);
        *secret.lock().expect("not poisoned") = new.clone();
        // Whoever asked with the old one has its answer when each of three has asked twice again.
        answered(20);
        let list = aggregator.token(&["list"]);
        let first = list.lines().nth(1).and_then(|line| line.split_whitespace().next()).expect("an ID").to_owned();
        aggregator.token(&["revoke", &first]);
        wait_for("the old token to be gone", &with(&aggregator, &old), 401);
        answered(20);
        new
    });
    assert_eq!(status(&with(&aggregator, &new)), 200);
    // The last one that is taken back opens nothing.
    aggregator.token(&["revoke", "program"]);
    wait_for("the last token to be gone", &with(&aggregator, &new), 401);
    assert_eq!(status(&aggregator.api()), 401);
    aggregator.terminate();
    aggregator.start();
    assert_eq!(status(&aggregator.api()), 401);
    assert_not_written(&stage, &[&old, &new]);
}

#[test]
fn the_first_token_locks_a_door_that_was_open_and_each_door_by_itself() {
    let stage = Stage::new("first-token");
    let aggregator = Aggregator::started(&stage, &[]);
    let api = aggregator.api();
    assert_eq!((status(&api), &api.get("/api/v1/session").json()["locked"]), (200, &json!(false)));
    let ingest = aggregator.token(&["create", "agents", "--scope", "ingest"]);
    let read = aggregator.token(&["create", "people", "--scope", "read"]);
    wait_for("the door to be locked", &api, 401);
    assert_eq!(api.get("/api/v1/session").json(), json!({"locked": true, "name": null, "scopes": []}));
    assert_eq!(status(&with(&aggregator, &ingest)), 403);
    let session = with(&aggregator, &read).get("/api/v1/session").json();
    assert_eq!(session, json!({"locked": true, "name": "people", "scopes": ["read"]}));
    let mode = aggregator.data_dir().join("tokens").metadata().expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_secret_in_a_file_of_the_configuration_is_a_token_and_changes_with_the_file() {
    let stage = Stage::new("configured");
    let mut aggregator = Aggregator::new(&stage, &[]);
    let [old, new] = [0, 1].map(|_| aggregator.token(&["generate"]));
    let file = std::env::temp_dir().join(format!("clew-secret-{}", std::process::id()));
    std::fs::write(&file, format!("{old}\n")).expect("write");
    aggregator.configure(|text| {
        format!("[[token]]\nname = \"people\"\nscopes = [\"admin\"]\nfile = {:?}\n", file.display().to_string())
            + "\n"
            + &text
    });
    // Tables end the keys of the first level: those go first.
    aggregator.configure(|text| {
        let (token, rest) = text.split_once("\n\n").expect("two parts");
        let (keys, limits) = rest.split_once("[limits]").expect("limits");
        format!("{keys}{token}\n[limits]{limits}")
    });
    aggregator.start();
    assert_eq!((status(&aggregator.api()), status(&with(&aggregator, &old))), (401, 200));
    std::fs::write(&file, format!("{old}\n{new}\n")).expect("write");
    wait_for("the second secret to be known", &with(&aggregator, &new), 200);
    assert_eq!(status(&with(&aggregator, &old)), 200);
    std::fs::write(&file, "not a secret\n").expect("write");
    wait::until("the trouble to be told", DEADLINE, || {
        let log = aggregator.log();
        wait::check(log.contains("line 1 is no secret"), || log.clone())
    });
    assert_eq!(status(&with(&aggregator, &old)), 200);
    std::fs::write(&file, &new).expect("write");
    wait_for("the first secret to be gone", &with(&aggregator, &old), 401);
    assert_eq!(status(&with(&aggregator, &new)), 200);
    std::fs::remove_file(&file).expect("remove");
    assert!(!aggregator.log().contains("not a secret"));
    assert_not_written(&stage, &[&old, &new]);
}

/// The cookie that an answer sets, as a browser sends it back.
fn cookie(answer: &Answer) -> String {
    answer.header("set-cookie").split(';').next().unwrap_or_default().to_owned()
}

#[test]
fn a_browser_logs_in_with_a_token_and_out_again() {
    let stage = Stage::new("login");
    let mut aggregator = Aggregator::new(&stage, &[]);
    aggregator.log_everything();
    let read = aggregator.token(&["create", "people", "--scope", "read"]);
    let ingest = aggregator.token(&["create", "agents", "--scope", "ingest"]);
    aggregator.start();
    let page = |api: Api| api.with("origin", &aggregator.http_url());
    let login = |secret: &str| page(aggregator.api()).post("/api/v1/session", &json!({"token": secret}));

    let refused = login(WRONG);
    assert_eq!((refused.status, cookie(&refused)), (401, String::new()));
    refused.problem();
    assert_eq!((login(&ingest).status, cookie(&login(&ingest))), (403, String::new()));
    let foreign =
        aggregator.api().with("origin", "http://evil.example").post("/api/v1/session", &json!({"token": read}));
    assert_eq!((foreign.status, cookie(&foreign)), (403, String::new()));
    // As a form of another site would send it.
    let form =
        aggregator.api().request_with("POST", "/api/v1/session", "text/plain", json!({"token": read}).to_string());
    assert_eq!(form.status, 415);
    let in_address = page(aggregator.api()).request("POST", &format!("/api/v1/session?token={WRONG}"), "{}");
    assert_eq!(in_address.status, 400);

    let answer = login(&read);
    assert_eq!(answer.json(), json!({"locked": true, "name": "people", "scopes": ["read"]}));
    let set = answer.header("set-cookie");
    assert!(set.starts_with("clew=") && set.ends_with("; HttpOnly; SameSite=Strict") && !set.contains(&read), "{set}");
    let https = aggregator.http_url().replace("http:", "https:");
    let secure = aggregator.api().with("origin", &https).post("/api/v1/session", &json!({"token": read}));
    let set = secure.header("set-cookie");
    assert!(set.starts_with("__Host-clew=") && set.contains("; Path=/; ") && set.ends_with("; Secure"), "{set}");

    let browser = |cookie: &str| aggregator.api().with("cookie", cookie);
    let (one, other) = (cookie(&answer), cookie(&secure));
    for value in [&one, &other] {
        assert_eq!(status(&browser(value)), 200);
        assert_eq!(browser(value).get("/api/v1/session").json()["name"], "people");
        let stream = browser(value).try_get("/api/v1/logs/tail", "text/event-stream").expect("an answer");
        assert_eq!(stream.status, 200);
    }
    // A POST shows that it comes from our own page.
    let search = |api: Api| api.post("/api/v1/logs/search", &json!({"q": "x"})).status;
    assert_eq!(search(browser(&one)), 403);
    assert_eq!(search(browser(&one).with("origin", "http://localhost:3000")), 403);
    assert_eq!(search(browser(&one).with("sec-fetch-site", "cross-site")), 403);
    assert_eq!(search(browser(&one).with("sec-fetch-site", "same-origin")), 200);
    assert_eq!(search(page(browser(&one))), 200);
    assert_eq!(page(browser(&one)).post("/api/v1/admin/deletions", &json!({"q": "x"})).status, 403);

    let gone = page(browser(&one)).request("DELETE", "/api/v1/session", "");
    assert!(gone.status == 200 && gone.header("set-cookie").contains("Max-Age=0"), "{gone:?}");
    assert_eq!((status(&browser(&one)), status(&browser(&other))), (401, 200));
    // Its token goes, and the login with it.
    aggregator.token(&["revoke", "people"]);
    wait_for("the login to end with its token", &browser(&other), 401);
    aggregator.terminate();
    let values = [&one, &other].map(|cookie| cookie.split_once('=').expect("a value").1);
    assert_not_written(&stage, &[&read, &ingest, WRONG, values[0], values[1]]);
}

#[test]
fn a_stream_breaks_off_when_its_token_is_taken_back() {
    let stage = Stage::new("stream");
    let mut aggregator = Aggregator::new(&stage, &[]);
    let secret = aggregator.token(&["create", "follower", "--scope", "read"]);
    aggregator.start();
    let mut stream = TcpStream::connect(aggregator.http_address()).expect("connect");
    stream.set_read_timeout(Some(DEADLINE)).expect("a socket");
    let request = format!(
        "GET /api/v1/logs/tail HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {secret}\r\naccept: text/event-stream\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).expect("send");
    let mut lines = BufReader::new(stream).lines();
    assert_eq!(lines.next().expect("a line").expect("read"), "HTTP/1.1 200 OK");
    aggregator.token(&["revoke", "follower"]);
    // To the end, which comes within the deadline of a read: heartbeats are rarer.
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    assert!(!rest.iter().any(|line| line == "0"), "it ends as if it were whole: {rest:?}");
    wait_for("the token to be gone", &with(&aggregator, &secret), 401);
}

#[test]
fn an_open_door_is_not_opened_to_pages_that_come_by_another_name() {
    let stage = Stage::new("rebinding");
    let mut aggregator = Aggregator::new(&stage, &[]);
    aggregator.configure(|text| format!("http_hosts = [\"logs.example\"]\n{text}"));
    aggregator.start();
    let address = aggregator.http_address();
    let port = address.rsplit_once(':').expect("a port").1.to_owned();
    let ask = |path: &str, host: &str| {
        let answer = raw(&address, &format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"));
        answer.split(' ').nth(1).expect("a status").to_owned()
    };
    for host in ["localhost", "127.0.0.1", "[::1]", "logs.example"] {
        assert_eq!(ask("/api/v1/status/storage", host), "200", "{host}");
        assert_eq!(ask("/api/v1/status/storage", &format!("{host}:{port}")), "200", "{host}");
    }
    for host in ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example"] {
        let host = format!("{host}:{port}");
        for path in ["/api/v1/status/storage", "/metrics", "/", "/api/v1/session"] {
            assert_eq!(ask(path, &host), "421", "{host} {path}");
        }
        assert_eq!(ask("/readyz", &host), "200");
    }
    // With a token there is nothing to read for who has none, whatever the name.
    let secret = aggregator.token(&["create", "people", "--scope", "read"]);
    wait_for("the door to be locked", &aggregator.api(), 401);
    let request = |token: &str| {
        format!(
            "GET /metrics HTTP/1.1\r\nhost: other.example\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n"
        )
    };
    assert!(raw(&address, &request(WRONG)).starts_with("HTTP/1.1 401"));
    assert!(raw(&address, &request(&secret)).starts_with("HTTP/1.1 200"));
}

#[test]
fn what_others_can_reach_does_not_start_without_a_lock() {
    let stage = Stage::new("binding");
    let aggregator = Aggregator::new(&stage, &[]);
    let config = aggregator.config().to_str().expect("a UTF-8 path").to_owned();
    let check = || {
        let output = process::run("clew-aggregator", &["check", "--config", &config], DEADLINE);
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let keys = |grpc: &str, http: &str, more: &str| {
        aggregator.configure(|_| {
            format!(
                "{more}\ndata_dir = {:?}\ngrpc_listen = \"{grpc}:0\"\nhttp_listen = \"{http}:0\"\n[limits]\ndisk_free_min = \"1MiB\"\n",
                aggregator.data_dir()
            )
        });
    };
    keys("127.0.0.1", "0.0.0.0", "");
    let (code, error) = check();
    assert_eq!(code, Some(78), "{error}");
    for part in ["http_listen", "0.0.0.0:0", "clew-aggregator token create NAME --scope read", "insecure = true"] {
        assert!(error.contains(part), "{part} is missing in {error}");
    }
    keys("0.0.0.0", "127.0.0.1", "");
    let (code, error) = check();
    assert!(code == Some(78) && error.contains("grpc_listen") && error.contains("--scope ingest"), "{error}");
    keys("0.0.0.0", "0.0.0.0", "insecure = true");
    assert_eq!(check().0, Some(0));
    keys("0.0.0.0", "0.0.0.0", "");
    aggregator.token(&["create", "agents", "--scope", "ingest"]);
    assert!(check().1.contains("http_listen"));
    aggregator.token(&["create", "people", "--scope", "admin"]);
    assert_eq!(check(), (Some(0), String::new()));
    // Everybody is gone, and the lock is not.
    aggregator.token(&["revoke", "agents"]);
    assert_eq!(check().0, Some(0));
}

#[test]
fn the_command_line_shows_a_token_and_says_what_to_do_without_one() {
    let stage = Stage::new("command-line");
    let mut aggregator = Aggregator::new(&stage, &[]);
    let read = aggregator.token(&["create", "people", "--scope", "read"]);
    let ingest = aggregator.token(&["create", "agents", "--scope", "ingest"]);
    aggregator.start();
    let folder = tempfile::tempdir().expect("a folder");
    let clew = |secret: Option<&str>, arguments: &[&str]| {
        let file = folder.path().join("token");
        let path = file.to_str().expect("a UTF-8 path").to_owned();
        let shown = secret.map_or_else(Vec::new, |secret| {
            std::fs::write(&file, format!("{secret}\n")).expect("write");
            vec!["--token-file", path.as_str()]
        });
        let server = aggregator.http_url();
        let output = process::run("clew", &[&["--server", &server], shown.as_slice(), arguments].concat(), DEADLINE);
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for arguments in [&["agents"][..], &["search", "x"], &["tail"], &["trace", "4bf92f3577b34da6a3ce929d0e0e4736"]] {
        let (code, error) = clew(None, arguments);
        assert_eq!((code, error.lines().count()), (Some(1), 1), "{arguments:?}: {error}");
        for part in ["is locked", "--token-file", "CLEW_TOKEN", "clew-aggregator token create NAME --scope read"] {
            assert!(error.contains(part), "{part} is missing in {error}");
        }
    }
    let (code, error) = clew(Some(WRONG), &["agents"]);
    assert!(code == Some(1) && error.contains("the token is not known") && !error.contains(WRONG), "{error}");
    let (code, error) = clew(Some(&ingest), &["agents"]);
    assert!(code == Some(1) && error.contains("agents has not the scope read"), "{error}");
    assert_eq!(clew(Some(&read), &["agents"]), (Some(0), String::new()));
    assert_eq!(clew(Some(&read), &["search", "x"]).0, Some(1), "nothing is found");
}

/// Every file and folder below `folder`, but for the folder itself, that others than its owner may read, write or enter.
fn shared_with_others(folder: &Path) -> BTreeMap<String, u32> {
    let mut shared = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in next.read_dir().expect("list a folder") {
            let path = entry.expect("an entry").path();
            let Ok(metadata) = path.symlink_metadata() else { continue };
            if metadata.mode() & 0o077 != 0 {
                shared.insert(path.display().to_string(), metadata.mode() & 0o777);
            }
            if metadata.is_dir() {
                folders.push(path);
            }
        }
    }
    shared
}

#[test]
fn no_line_stands_in_a_log_and_what_programs_keep_is_for_their_own_account() {
    let stage = Stage::new("own-account");
    // As an administrator may have made them: everybody may enter.
    for name in ["data", "agent-state"] {
        let folder = stage.folder(name);
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).expect("set the mode");
    }
    let mut aggregator = Aggregator::new(&stage, &[]);
    aggregator.log_everything();
    aggregator.start();
    let logs = stage.folder("logs");
    let mut file = LogFile::open(&logs.join("shop.log"));
    let id = "4bf92f3577b34da6a3ce929d0e0e4736";
    let marker = "xyzzymarker";
    let mut text = Vec::new();
    for number in 0..2_000 {
        text.extend_from_slice(
            format!(
                "2026-11-28T00:00:00.{:03}Z ERROR trace_id={id} {marker}{number} password={marker}\n",
                number % 1000
            )
            .as_bytes(),
        );
    }
    // What cannot be decoded, is too long, or breaks off.
    text.extend_from_slice(&[0xff, 0xfe, b' ']);
    text.extend_from_slice(
        format!("{marker} {}\n{{\"trace_id\":\"{id}\",\"{marker}\":\n", marker.repeat(4_000)).as_bytes(),
    );
    file.write(&text);
    let options = AgentOptions { name: "agent", agent_id: None, logs: &logs, limits: &[] };
    let mut agent = Agent::new(&stage, &aggregator, &options);
    agent.log_everything();
    agent.start();
    let api = aggregator.api();
    wait::until("the lines to be held", Duration::from_secs(60), || {
        let records = api.records()?;
        wait::check(records >= 2_002, || format!("{records} records"))
    });
    // Questions are about lines as well.
    api.post("/api/v1/logs/search", &json!({"q": format!("{marker}5 OR (\"{marker}")}));
    api.get(&format!("/api/v1/logs/search?q={marker}5"));
    let job = api.post("/api/v1/admin/deletions", &json!({"q": format!("{marker}7")}));
    assert_eq!(job.status, 202, "{job:?}");
    wait::until("the deletion to be done", Duration::from_secs(60), || {
        let jobs = api.get("/api/v1/admin/deletions").json();
        let state = jobs["deletions"][0]["state"].clone();
        wait::check(state == "done", || jobs.to_string())
    });
    for (what, folder) in [("aggregator", aggregator.data_dir()), ("agent", agent.state_dir())] {
        let shared = shared_with_others(folder);
        assert!(shared.is_empty(), "others may see what the {what} keeps: {shared:?}");
    }
    agent.terminate();
    aggregator.terminate();
    for name in ["agent.stderr", "aggregator.stderr"] {
        let log = std::fs::read_to_string(stage.path().join(name)).expect("a log");
        assert!(log.lines().count() > 5, "{name} says nothing");
        let told = log.lines().find(|line| line.contains(marker));
        assert_eq!(told, None, "{name}");
    }
}
