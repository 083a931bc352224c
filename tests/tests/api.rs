//! The HTTP API over known lines: what it answers is what is computed from the lines, in the head and committed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use clew_tests::agent::Agent;
use clew_tests::aggregator::Aggregator;
use clew_tests::api::{Answer, Api, escaped};
use clew_tests::follow::{Event, Follower};
use clew_tests::known::{self, Known, counted};
use clew_tests::logfile::LogFile;
use clew_tests::stage::Stage;
use serde_json::{Value, json};

const DEADLINE: Duration = Duration::from_secs(60);
/// Small blocks, so that there are many of them; nothing is committed before the aggregator stops.
const IN_THE_HEAD: [(&str, &str); 2] = [("head_age", "1h"), ("head_bytes", "64MiB")];
/// More in all than one piece of an NDJSON answer has.
const LINES_PER_SERVICE: usize = 2_000;

fn started(stage: &Stage) -> (Aggregator, Agent, std::path::PathBuf) {
    let logs = stage.folder("logs");
    let aggregator = Aggregator::started(stage, &IN_THE_HEAD);
    let agent = Agent::started(stage, &aggregator, &logs);
    (aggregator, agent, logs)
}

/// Commits everything, and goes on with an empty head.
fn restarted(aggregator: &mut Aggregator) {
    assert!(aggregator.terminate().success());
    aggregator.start();
    assert_eq!(aggregator.api().storage()["head"]["records"], 0, "everything is committed");
}

fn ok(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    answer.json()
}

fn asked(api: &Api, path: &str, parameters: &Value) -> Value {
    let pairs = parameters.as_object().expect("parameters").iter().map(|(name, value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        format!("{name}={}", escaped(&value))
    });
    let by_get = ok(&api.get(&format!("{path}?{}", pairs.collect::<Vec<_>>().join("&"))));
    let mut by_post = ok(&api.post(path, parameters));
    assert_eq!(by_get["meta"]["partial"], false, "{by_get}");
    by_post["meta"] = by_get["meta"].clone();
    assert_eq!(by_get, by_post, "{path} answers a GET as a POST");
    by_get
}

#[test]
fn answers_are_what_the_lines_say() {
    let stage = Stage::new("answers");
    let (mut aggregator, agent, logs) = started(&stage);
    let written = known::write(&logs, &mut stage.random(0), LINES_PER_SERVICE);
    aggregator.api().wait_for_records(written.len() as u64, DEADLINE);
    check_all(&aggregator.api(), &written);
    drop(agent);
    restarted(&mut aggregator);
    check_all(&aggregator.api(), &written);
}

fn check_all(api: &Api, written: &[Known]) {
    let all = |_: &&Known| true;
    check_pages(api, "", written.iter().filter(all));
    check_pages(
        api,
        "service:shop level:>=warn",
        written.iter().filter(|line| line.service == "shop" && ["warn", "error"].contains(&line.level)),
    );
    check_pages(
        api,
        "status:>=500 -user:\"user-7\" number",
        written.iter().filter(|line| line.status >= 500 && line.user != "user-7"),
    );
    check_pages(api, "nowhere", written.iter().filter(|_| false));
    check_histograms(api, written);
    check_facets(api, written);
    check_statistics(api, written);
    check_fields(api, written);
}

/// Where a record stands, and its line.
fn places(records: &[Value]) -> Vec<(String, u64, String)> {
    let place = |record: &Value| {
        let text = |name: &str| record[name].as_str().expect("a text").to_owned();
        (text("source_id"), record["position"].as_u64().expect("a position"), text("line"))
    };
    records.iter().map(place).collect()
}

fn check_pages<'k>(api: &Api, query: &str, lines: impl Iterator<Item = &'k Known>) {
    let mut due: Vec<&str> = lines.map(|known| known.line.as_str()).collect();
    due.sort_unstable();
    for order in ["newest", "oldest"] {
        let path = format!("/api/v1/logs/search?q={}&order={order}", escaped(query));
        let streamed = api.try_get(&path, "application/x-ndjson").expect("an answer");
        assert_eq!((streamed.status, streamed.content_type.as_str()), (200, "application/x-ndjson"));
        let streamed: Vec<Value> = streamed
            .body
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).expect("a record is JSON"))
            .collect();
        let mut found: Vec<&str> = streamed.iter().map(|record| record["line"].as_str().expect("a line")).collect();
        found.sort_unstable();
        assert_eq!(found.len(), due.len(), "{query:?}, {order}");
        assert!(found == due, "{query:?} finds the lines that it should, {order}");
        let times: Vec<jiff::Timestamp> =
            streamed.iter().map(|record| record["time"].as_str().expect("a time").parse().expect("RFC 3339")).collect();
        assert!(if order == "newest" { times.is_sorted_by(|a, b| a >= b) } else { times.is_sorted() }, "{order}");

        for limit in [97, 1_000, 10_000] {
            let mut paged = Vec::new();
            let mut cursor = String::new();
            loop {
                let page = ok(&api.get(&format!("{path}&limit={limit}{cursor}")));
                let records = page["records"].as_array().expect("records");
                assert!(records.len() <= limit);
                paged.extend(records.iter().cloned());
                assert_eq!(page["meta"]["truncated"], !page["next_cursor"].is_null());
                let Some(next) = page["next_cursor"].as_str() else { break };
                assert!(!records.is_empty(), "a page with a next one has records");
                cursor = format!("&cursor={next}");
            }
            assert!(places(&paged) == places(&streamed), "pages of {limit} are the stream: {query:?}, {order}");
        }
    }
}

/// Records by bucket and series.
fn buckets(histogram: &Value) -> BTreeMap<(String, String), u64> {
    let mut counts = BTreeMap::new();
    for bucket in histogram["buckets"].as_array().expect("buckets") {
        let by = bucket["by"].as_object().expect("series");
        let sum: u64 = by.values().map(|records| records.as_u64().expect("a count")).sum();
        assert_eq!(bucket["records"], sum, "{bucket}");
        for (series, records) in by {
            let key = (bucket["time"].as_str().expect("a time").to_owned(), series.clone());
            assert!(counts.insert(key, records.as_u64().expect("a count")).is_none(), "{bucket}");
        }
    }
    assert_eq!(histogram["records"], counts.values().sum::<u64>(), "{histogram}");
    counts
}

fn check_histograms(api: &Api, written: &[Known]) {
    let begin_of = |line: &Known, seconds: i64| {
        let second = line.time.as_second();
        jiff::Timestamp::from_second(second - second.rem_euclid(seconds)).expect("a time").to_string()
    };
    let path = "/api/v1/logs/histogram";
    let histogram = asked(api, path, &json!({"interval": "1m"}));
    assert_eq!(histogram["interval_ns"], 60_000_000_000_i64);
    let due = counted(written.iter().map(|line| (begin_of(line, 60), line.level.to_owned())));
    assert_eq!(buckets(&histogram), due, "by minute and level");

    let histogram = asked(api, path, &json!({"interval": "1h", "by": "service", "q": "level:error"}));
    let errors = written.iter().filter(|line| line.level == "error");
    let due = counted(errors.map(|line| (begin_of(line, 3_600), line.service.to_owned())));
    assert_eq!(buckets(&histogram), due, "errors by hour and service");

    let histogram = asked(api, path, &json!({"interval": "10s", "by": "user", "q": "status:404 user:*"}));
    let missing = written.iter().filter(|line| line.status == 404);
    let due = counted(missing.map(|line| (begin_of(line, 10), line.user.clone())));
    assert_eq!(buckets(&histogram), due, "by ten seconds and user");

    // A part of the time, the ends within buckets.
    let middle = written[LINES_PER_SERVICE / 4].time;
    let until = written[LINES_PER_SERVICE / 2].time;
    let histogram =
        asked(api, path, &json!({"interval": "1m", "by": "", "from": middle.to_string(), "to": until.to_string()}));
    let inside = written.iter().filter(|line| line.time >= middle && line.time < until);
    let due = counted(inside.map(|line| (begin_of(line, 60), String::new())));
    assert_eq!(buckets(&histogram), due, "a part of the time");
}

fn check_facets(api: &Api, written: &[Known]) {
    let facets = asked(api, "/api/v1/logs/facets", &json!({"fields": "service,level,status,user", "limit": 1000}));
    assert_eq!(facets["records"], written.len());
    type ValueOf = fn(&Known) -> String;
    let fields: [(&str, ValueOf); 4] = [
        ("service", |line| line.service.to_owned()),
        ("level", |line| line.level.to_owned()),
        ("status", |line| line.status.to_string()),
        ("user", |line| line.user.clone()),
    ];
    for (facet, (field, value)) in facets["facets"].as_array().expect("facets").iter().zip(fields) {
        assert_eq!((&facet["field"], &facet["exact"]), (&json!(field), &json!(true)));
        assert_eq!(facet["records"], written.len(), "{field}");
        let due = counted(written.iter().map(value));
        assert_eq!(facet["distinct"], due.len(), "{field}");
        let shown: Vec<(String, u64)> = facet["values"]
            .as_array()
            .expect("values")
            .iter()
            .map(|value| {
                (value["value"].as_str().expect("a value").to_owned(), value["records"].as_u64().expect("a count"))
            })
            .collect();
        assert!(shown.is_sorted_by(|left, right| left.1 >= right.1), "the commonest first: {facet}");
        assert_eq!(shown.into_iter().collect::<BTreeMap<_, _>>(), due, "{field}");
    }
    let few = asked(api, "/api/v1/logs/facets", &json!({"fields": "user", "limit": 3, "q": "service:cart"}));
    assert_eq!(few["facets"][0]["values"].as_array().map(Vec::len), Some(3), "{few}");
    let found = asked(api, "/api/v1/logs/facets", &json!({}));
    let names: BTreeSet<&str> = found["facets"]
        .as_array()
        .expect("facets")
        .iter()
        .map(|facet| facet["field"].as_str().expect("a field"))
        .collect();
    assert!(["service", "level", "host", ".status", ".user"].iter().all(|name| names.contains(name)), "{names:?}");
}

fn check_statistics(api: &Api, written: &[Known]) {
    let asked = asked(
        api,
        "/api/v1/logs/stats",
        &json!({
            "field": "duration_ms", "by": "service,level", "distinct": "user", "percentiles": "0,50,90,99,100",
        }),
    );
    let groups = asked["groups"].as_array().expect("groups");
    let due = counted(written.iter().map(|line| (line.service, line.level)));
    assert_eq!(groups.len(), due.len());
    for group in groups {
        let is_of = |line: &&Known| group["by"]["service"] == line.service && group["by"]["level"] == line.level;
        let lines: Vec<&Known> = written.iter().filter(is_of).collect();
        assert_eq!(group["count"], lines.len(), "{group}");
        let users: BTreeSet<&str> = lines.iter().map(|line| line.user.as_str()).collect();
        assert_eq!(group["distinct"], users.len(), "{group}");
        let mut values: Vec<f64> = lines.iter().filter_map(|line| line.duration_ms).collect();
        if values.is_empty() {
            assert!(group.get("values").is_none() && group.get("avg").is_none(), "{group}");
            continue;
        }
        values.sort_unstable_by(f64::total_cmp);
        // All of them are 64ths: their sums are exact in any order.
        let sum: f64 = values.iter().sum();
        assert_eq!(group["values"], values.len(), "{group}");
        assert_eq!(group["min"], values[0], "{group}");
        assert_eq!(group["max"], values[values.len() - 1], "{group}");
        assert_eq!(group["sum"], sum, "{group}");
        // The parser of the answer is right but for the last digit.
        let average = group["avg"].as_f64().expect("a number");
        assert!((average / (sum / values.len() as f64) - 1.0).abs() < 1e-12, "{group}");
        for (name, quantile) in [("p0", 0.0), ("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p100", 1.0)] {
            let estimate = group["percentiles"][name].as_f64().unwrap_or_else(|| panic!("{name} in {group}"));
            let rank = quantile * (values.len() - 1) as f64;
            let (low, high) = (values[rank.floor() as usize], values[rank.ceil() as usize]);
            assert!((low * 0.99..=high * 1.01).contains(&estimate), "{name} {estimate} of {low} to {high}");
        }
    }
    let numbers = self::asked(api, "/api/v1/logs/stats", &json!({"distinct": "number", "by": "service"}));
    for group in numbers["groups"].as_array().expect("groups") {
        let distinct = group["distinct"].as_f64().expect("a count");
        assert!((distinct / LINES_PER_SERVICE as f64 - 1.0).abs() < 0.05, "{group}");
    }
    let sorted =
        self::asked(api, "/api/v1/logs/stats", &json!({"field": "status", "by": "user", "sort": "avg", "limit": 5}));
    let averages: Vec<f64> =
        sorted["groups"].as_array().expect("groups").iter().filter_map(|group| group["avg"].as_f64()).collect();
    assert!(averages.len() == 5 && averages.is_sorted_by(|left, right| left >= right), "{averages:?}");
}

fn check_fields(api: &Api, written: &[Known]) {
    let fields = asked(api, "/api/v1/fields", &json!({"sample": 100_000}));
    assert!(fields["sampled_records"].as_u64() <= Some(written.len() as u64), "{fields}");
    let types: BTreeMap<&str, &Value> = fields["fields"]
        .as_array()
        .expect("fields")
        .iter()
        .map(|field| (field["name"].as_str().expect("a name"), &field["types"]))
        .collect();
    for name in ["number", "status", "duration_ms", "user"] {
        assert!(types.contains_key(name), "{name} in {types:?}");
    }
    let shop = asked(api, "/api/v1/fields", &json!({"q": "service:shop"}));
    let duration = shop["fields"].as_array().expect("fields").iter().find(|field| field["name"] == "duration_ms");
    assert_eq!(duration.expect("it is there")["types"], json!(["number"]), "{shop}");
}

#[test]
fn context_goes_on_across_a_rotation() {
    let stage = Stage::new("context");
    let (mut aggregator, agent, logs) = started(&stage);
    let mut file = LogFile::open(&logs.join("app.log"));
    for generation in 0..3 {
        for number in 0..30 {
            // Some have no time of their own, and all of a file the same.
            let time = if number % 3 == 0 { String::new() } else { format!("2026-11-23T12:00:0{generation}Z ") };
            file.append(format!("{time}INFO line {}", generation * 30 + number).as_bytes());
        }
        aggregator.api().wait_for_records((generation as u64 + 1) * 30, DEADLINE);
        if generation < 2 {
            file.rotate();
        }
    }
    check_contexts(&aggregator.api());
    drop(agent);
    restarted(&mut aggregator);
    check_contexts(&aggregator.api());
}

#[test]
fn context_goes_on_across_rotations_that_the_agent_did_not_see() {
    let stage = Stage::new("missed");
    let logs = stage.folder("logs");
    let mut file = LogFile::open(&logs.join("app.log"));
    for generation in 0..3 {
        for number in 0..30 {
            file.append(
                format!("2026-11-23T12:0{generation}:{number:02}Z INFO line {}", generation * 30 + number).as_bytes(),
            );
        }
        if generation < 2 {
            file.rotate();
        }
    }
    let aggregator = Aggregator::started(&stage, &IN_THE_HEAD);
    let _agent = Agent::started(&stage, &aggregator, &logs);
    aggregator.api().wait_for_records(90, DEADLINE);
    check_contexts(&aggregator.api());
}

fn check_contexts(api: &Api) {
    let all = ok(&api.get("/api/v1/logs/search?limit=100"));
    let number_of = |record: &Value| -> usize {
        record["line"].as_str().and_then(|line| line.rsplit(' ').next()?.parse().ok()).expect("a number")
    };
    let records = all["records"].as_array().expect("records");
    assert_eq!(records.len(), 90);
    for record in records {
        let number = number_of(record);
        for (before, after) in [(0, 0), (5, 0), (0, 5), (10, 20), (1000, 1000)] {
            for with_time in [true, false] {
                let mut parameters = json!({
                    "source": record["source_id"], "position": record["position"], "before": before, "after": after,
                });
                if with_time {
                    parameters["time"] = record["time"].clone();
                }
                let context = ok(&api.post("/api/v1/logs/context", &parameters));
                let shown: Vec<usize> = context["records"].as_array().expect("records").iter().map(number_of).collect();
                let due: Vec<usize> = (number.saturating_sub(before)..90.min(number + after + 1)).collect();
                assert_eq!(shown, due, "{parameters}");
            }
        }
    }
    let source = &records[0]["source_id"];
    for (parameters, status) in [
        (json!({"source": source, "position": 1}), 404),
        (json!({"source": "00000000000000000000000000000001", "position": 0}), 404),
        (json!({"source": source}), 400),
        (json!({"position": 0}), 400),
        (json!({"source": "app.log", "position": 0}), 400),
        (json!({"source": source, "position": -1}), 400),
    ] {
        let answer = api.post("/api/v1/logs/context", &parameters);
        assert_eq!(answer.status, status, "{parameters}");
        answer.problem();
    }
}

#[test]
fn who_follows_sees_each_record_once_and_goes_on_where_it_was() {
    let stage = Stage::new("follow");
    let (mut aggregator, _agent, logs) = started(&stage);
    let address = aggregator.http_address();
    let (mut shop, mut other) = (LogFile::open(&logs.join("shop.log")), LogFile::open(&logs.join("other.log")));
    let mut write = |numbers: std::ops::Range<usize>| {
        for number in numbers {
            shop.append(format!("INFO number {number}").as_bytes());
            other.append(format!("INFO passed over {number}").as_bytes());
        }
    };
    write(0..10);
    aggregator.api().wait_for_records(20, DEADLINE);

    let mut follower = Follower::of_query(&address, "service:shop", None);
    write(10..210);
    let seen: Vec<Event> = (0..200).map(|_| follower.event()).collect();
    assert_lines(&seen, 10..210);
    let ids: BTreeSet<&str> = seen.iter().map(|event| event.id.as_str()).collect();
    assert_eq!(ids.len(), 200, "every event has an ID of its own");

    drop(follower);
    write(210..260);
    aggregator.api().wait_for_records(520, DEADLINE);
    let mut follower = Follower::of_query(&address, "service:shop", Some(&seen[149].id));
    let seen: Vec<Event> = (0..100).map(|_| follower.event()).collect();
    assert_lines(&seen, 160..260);
    drop(follower);

    restarted(&mut aggregator);
    let mut follower = Follower::of_query(&address, "service:shop", Some(&seen[99].id));
    let dropped = follower.event();
    assert_eq!((dropped.name.as_str(), &dropped.data), ("dropped", &json!({"records": null, "reason": "restart"})));
    write(260..270);
    let seen: Vec<Event> = (0..10).map(|_| follower.event()).collect();
    assert_lines(&seen, 260..270);

    // The stream of one who follows ends with the aggregator, and does not hold it up.
    assert!(aggregator.terminate().success());
    follower.rest();
}

fn assert_lines(events: &[Event], numbers: std::ops::Range<usize>) {
    let lines: Vec<&str> = events.iter().map(|event| event.data["line"].as_str().unwrap_or_default()).collect();
    let due: Vec<String> = numbers.map(|number| format!("INFO number {number}")).collect();
    assert_eq!(lines, due);
    assert!(events.iter().all(|event| event.name == "record" && event.data["service"] == "shop"));
}

#[test]
fn the_description_is_what_is_answered() {
    let stage = Stage::new("described");
    let aggregator = Aggregator::started(&stage, &[]);
    let api = aggregator.api();
    let answer = api.get("/openapi.json");
    assert_eq!(answer.content_type, "application/json");
    let document = ok(&answer);
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1.")));
    for (path, methods) in document["paths"].as_object().expect("paths") {
        let address = path.replace("{id}", "4bf92f3577b34da6a3ce929d0e0e4736");
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "QUERY"] {
            if path.ends_with("/tail") && method == "GET" {
                continue;
            }
            let answer = api.request(method, &address, "");
            if methods.get(method.to_lowercase()).is_none() {
                assert_eq!(answer.status, 405, "{method} {path}");
                answer.problem();
                let mut due: Vec<&str> = Vec::new();
                for (known, allowed) in [("get", &["GET", "HEAD"][..]), ("post", &["POST"]), ("delete", &["DELETE"])] {
                    due.extend(methods.get(known).map_or(&[][..], |_| allowed));
                }
                due.sort_unstable();
                let mut allowed: Vec<&str> = answer.allow.split(',').collect();
                allowed.sort_unstable();
                assert_eq!(allowed, due, "{method} {path}");
                continue;
            }
            let due = match (method, path.as_str()) {
                // Without parameters it is not known of what, nobody deletes everything, and a login needs a token.
                (_, "/api/v1/logs/context") | ("POST", "/api/v1/admin/deletions" | "/api/v1/session") => 400,
                _ if path.contains("{id}") => 404,
                _ => 200,
            };
            assert_eq!(answer.status, due, "{method} {path}");
            assert!(methods[&method.to_lowercase()]["responses"].get(due.to_string()).is_some(), "{method} {path}");
        }
        if let Some(get) = methods.get("get") {
            check_parameters(&api, &document, path, get);
        }
    }
}

/// Every example is understood, and the limits are those that are described.
fn check_parameters(api: &Api, document: &Value, path: &str, operation: &Value) {
    let resolved = |schema: &Value| {
        let Some(reference) = schema["$ref"].as_str() else { return schema.clone() };
        let mut resolved = document.pointer(&reference[1..]).expect("a schema").clone();
        let own = schema.as_object().expect("a schema").iter().filter(|(name, _)| *name != "$ref");
        own.for_each(|(name, value)| resolved[name] = value.clone());
        resolved
    };
    let parameters = operation["parameters"].as_array().map_or(&[][..], Vec::as_slice);
    for parameter in parameters.iter().filter(|parameter| parameter["in"] == "query") {
        let schema = resolved(&parameter["schema"]);
        let name = parameter["name"].as_str().expect("a name");
        let probe = |value: &Value| {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let needed = match (path.ends_with("/context"), name) {
                (false, _) => "",
                (true, "source") => "position=0&",
                (true, "position") => "source=00000000000000000000000000000001&",
                (true, _) => "source=00000000000000000000000000000001&position=0&",
            };
            let address = path.replace("{id}", "4bf92f3577b34da6a3ce929d0e0e4736");
            if path.ends_with("/tail") {
                return 200;
            }
            api.get(&format!("{address}?{needed}{name}={}", escaped(&value))).status
        };
        let examples = schema["examples"].as_array().unwrap_or_else(|| panic!("{name} of {path} has an example"));
        for example in examples.iter().chain(schema.get("default")) {
            assert_ne!(probe(example), 400, "{name}={example} of {path}");
        }
        for limit in ["minimum", "maximum"] {
            let Some(edge) =
                schema[limit].as_i64().filter(|_| schema["type"] == "integer" && schema["format"].is_null())
            else {
                continue;
            };
            assert_ne!(probe(&json!(edge)), 400, "{name}={edge} of {path}");
            let beyond = if limit == "minimum" { edge - 1 } else { edge + 1 };
            assert_eq!(probe(&json!(beyond)), 400, "{name}={beyond} of {path}");
        }
        for choice in schema["enum"].as_array().into_iter().flatten() {
            assert_ne!(probe(choice), 400, "{name}={choice} of {path}");
        }
    }
}
