//! `/api/v1/transactions` over known lines: parts of one transaction before and after a commit and a restart are one, an ID beside a better
//! one is no transaction of its own, and the summary is that of the lines.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use clew_tests::agent::Agent;
use clew_tests::aggregator::Aggregator;
use clew_tests::api::{Api, escaped};
use clew_tests::logfile::LogFile;
use clew_tests::stage::Stage;
use fastrand::Rng;
use jiff::Timestamp;
use serde_json::{Value, json};

const DEADLINE: Duration = Duration::from_secs(60);
const SERVICES: [&str; 3] = ["gateway", "shop", "payments"];
const TRANSACTIONS: usize = 300;
/// Small blocks, so that there are many of them; nothing is committed before the aggregator stops.
const IN_THE_HEAD: [(&str, &str); 2] = [("head_age", "1h"), ("head_bytes", "64MiB")];

/// What the lines of a transaction come to.
#[derive(Clone, Debug)]
struct Written {
    times_ms: (i64, i64),
    records: u64,
    errors: u64,
    entry: &'static str,
    services: BTreeSet<&'static str>,
}

struct Writer {
    random: Rng,
    files: Vec<LogFile>,
    /// By trace ID.
    written: BTreeMap<String, Written>,
    ids: Vec<String>,
    lines: u64,
    begin_ms: i64,
    /// The time of the next line; no two are the same.
    next_ms: i64,
}

impl Writer {
    fn new(stage: &Stage, logs: &std::path::Path) -> Self {
        let mut random = stage.random(0);
        let ids = (0..TRANSACTIONS).map(|_| format!("{:032x}", random.u128(1..))).collect();
        let begin_ms = Timestamp::now().as_millisecond() - 600_000;
        let files = SERVICES.iter().map(|service| LogFile::open(&logs.join(format!("{service}.log")))).collect();
        Self { random, files, written: BTreeMap::new(), ids, lines: 0, begin_ms, next_ms: begin_ms }
    }

    /// Some lines of each transaction.
    fn write(&mut self) {
        let mut texts = [const { String::new() }; 3];
        for id in &self.ids {
            for number in 0..self.random.usize(1..6) {
                self.next_ms += self.random.i64(1..9);
                let service = self.random.usize(..SERVICES.len());
                let level = ["info", "info", "info", "info", "warn", "error"][self.random.usize(..6)];
                let stamp = Timestamp::from_millisecond(self.next_ms).expect("a time");
                let stamp = stamp.strftime("%Y-%m-%dT%H:%M:%S%.3fZ");
                // A request ID of its own beside the trace ID, in some lines.
                let request = match self.random.bool() {
                    true => format!(r#""request_id":"req-{}-{number}","#, &id[..8]),
                    false => String::new(),
                };
                texts[service].push_str(&format!(
                    "{{\"time\":\"{stamp}\",\"level\":\"{level}\",{request}\"trace_id\":\"{id}\",\"msg\":\"line {number}\"}}\n"
                ));
                let known = self.written.entry(id.clone()).or_insert_with(|| Written {
                    times_ms: (self.next_ms, self.next_ms),
                    records: 0,
                    errors: 0,
                    entry: SERVICES[service],
                    services: BTreeSet::new(),
                });
                known.times_ms.1 = self.next_ms;
                known.records += 1;
                known.errors += u64::from(level == "error");
                known.services.insert(SERVICES[service]);
                self.lines += 1;
            }
        }
        for (file, text) in self.files.iter_mut().zip(texts) {
            file.write(text.as_bytes());
        }
    }
}

impl Written {
    fn duration_ms(&self) -> i64 {
        self.times_ms.1 - self.times_ms.0
    }
}

fn rfc3339(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).expect("a time")
}

fn asked(api: &Api, parameters: &[(&str, String)]) -> Value {
    let pairs: Vec<String> = parameters.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
    let answer = api.get(&format!("/api/v1/transactions?{}", pairs.join("&")));
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    let mut by_get = answer.json();
    let body: Value =
        parameters.iter().map(|(name, value)| ((*name).to_owned(), Value::from(value.as_str()))).collect();
    let mut by_post = api.post("/api/v1/transactions", &body).json();
    for answer in [&mut by_get, &mut by_post] {
        assert_eq!(answer["meta"]["partial"], false, "{answer}");
        answer["meta"] = Value::Null;
    }
    assert_eq!(by_get, by_post, "a GET is answered as a POST");
    by_get
}

/// Every page of it, compared with those of `written` that `is_wanted`, in the order of `key`, the least first.
fn check<K: Ord>(
    api: &Api,
    written: &BTreeMap<String, Written>,
    parameters: &[(&str, String)],
    is_wanted: impl Fn(&Written) -> bool,
    key: impl Fn(&Written) -> K,
) {
    let mut due: Vec<(&String, &Written)> = written.iter().filter(|(_, written)| is_wanted(written)).collect();
    due.sort_by_key(|(id, written)| (key(written), std::cmp::Reverse(*id)));
    let mut parameters = [parameters, &[("limit", "70".to_owned())]].concat();
    let mut found = Vec::new();
    loop {
        let page = asked(api, &parameters);
        found.extend(page["transactions"].as_array().expect("transactions").iter().cloned());
        check_summary(&page["summary"], &due);
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        parameters.retain(|(name, _)| *name != "cursor");
        parameters.push(("cursor", cursor.to_owned()));
    }
    assert_eq!(found.len(), due.len(), "{parameters:?}");
    for (found, (id, due)) in found.iter().zip(due) {
        let services: BTreeSet<&str> =
            found["services"].as_array().expect("services").iter().filter_map(Value::as_str).collect();
        assert_eq!(services, due.services, "{id}");
        let time = |name: &str| found[name].as_str().expect("a time").parse::<Timestamp>().expect("RFC 3339");
        assert_eq!((time("time_min"), time("time_max")), (rfc3339(due.times_ms.0), rfc3339(due.times_ms.1)), "{id}");
        let figures =
            json!([found["id"], found["duration_ns"], found["records"], found["errors"], found["entry_service"]]);
        assert_eq!(figures, json!([id, due.duration_ms() * 1_000_000, due.records, due.errors, due.entry]));
    }
}

fn check_summary(summary: &Value, due: &[(&String, &Written)]) {
    let with_errors = due.iter().filter(|(_, written)| written.errors > 0).count();
    assert_eq!((&summary["transactions"], &summary["with_errors"]), (&json!(due.len()), &json!(with_errors)));
    let mut durations: Vec<i64> = due.iter().map(|(_, written)| written.duration_ms() * 1_000_000).collect();
    durations.sort_unstable();
    assert_eq!(summary["duration_ns"]["max"].as_i64(), durations.last().copied());
    let near = |found: &Value, share: f64, of: &[i64]| {
        let exact = of[(of.len() as f64 * share).ceil() as usize - 1];
        let found = found.as_i64().expect("a percentile");
        assert!(found.abs_diff(exact) <= exact as u64 / 64, "{found} for {exact}");
    };
    let mut entries = BTreeMap::new();
    for (_, written) in due {
        entries.entry(written.entry).or_insert_with(Vec::new).push(written.duration_ms() * 1_000_000);
    }
    if !durations.is_empty() {
        near(&summary["duration_ns"]["p50"], 0.5, &durations);
        near(&summary["duration_ns"]["p99"], 0.99, &durations);
    }
    let by_entry = summary["by_entry"].as_array().expect("by_entry");
    assert_eq!(by_entry.len(), entries.len());
    for group in by_entry {
        let durations = entries.get_mut(group["entry_service"].as_str().expect("a name")).expect("a known entry");
        durations.sort_unstable();
        assert_eq!(group["transactions"], durations.len());
        near(&group["duration_ns"]["p95"], 0.95, durations);
    }
    let by_time = summary["by_time"].as_array().expect("by_time").iter();
    assert_eq!(by_time.filter_map(|bucket| bucket["transactions"].as_u64()).sum::<u64>(), due.len() as u64);
}

fn check_all(api: &Api, writer: &Writer) {
    let written = &writer.written;
    let text = |text: &str| text.to_owned();
    check(api, written, &[], |_| true, |known| -known.times_ms.0);
    check(api, written, &[("sort", text("oldest"))], |_| true, |known| known.times_ms.0);
    check(
        api,
        written,
        &[("sort", text("duration")), ("errors", text("true")), ("entry", text("shop,gateway"))],
        |known| known.errors > 0 && known.entry != "payments",
        |known| (-known.duration_ms(), -known.times_ms.0),
    );
    check(
        api,
        written,
        &[("sort", text("records")), ("service", text("payments")), ("min_duration", text("5ms"))],
        |known| known.services.contains("payments") && known.duration_ms() >= 5,
        |known| (std::cmp::Reverse(known.records), -known.times_ms.0),
    );
    check(
        api,
        written,
        &[("sort", text("errors")), ("max_duration", text("0.02s"))],
        |known| known.duration_ms() <= 20,
        |known| (std::cmp::Reverse(known.errors), -known.times_ms.0),
    );
    let middle = writer.begin_ms + (writer.next_ms - writer.begin_ms) / 3;
    check(
        api,
        written,
        &[("from", rfc3339(middle).to_string())],
        |known| known.times_ms.0 >= middle,
        |known| -known.times_ms.0,
    );
    check(
        api,
        written,
        &[("to", rfc3339(middle).to_string())],
        |known| known.times_ms.0 < middle,
        |known| -known.times_ms.0,
    );
    check(api, written, &[("q", text("level:error"))], |known| known.errors > 0, |known| -known.times_ms.0);
    check(api, written, &[("q", text("nowhere"))], |_| false, |known| -known.times_ms.0);
}

#[test]
fn parts_on_both_sides_of_a_commit_are_one_transaction() {
    let stage = Stage::new("transactions-list");
    let logs = stage.folder("logs");
    let mut aggregator = Aggregator::started(&stage, &IN_THE_HEAD);
    let agent = Agent::started(&stage, &aggregator, &logs);
    let mut writer = Writer::new(&stage, &logs);
    for crash in [false, true, false] {
        writer.write();
        aggregator.api().wait_for_records(writer.lines, DEADLINE);
        check_all(&aggregator.api(), &writer);
        if crash {
            aggregator.kill();
        } else {
            assert!(aggregator.terminate().success());
        }
        aggregator.start();
        check_all(&aggregator.api(), &writer);
    }
    drop(agent);
}

#[test]
fn a_wrong_parameter_is_named() {
    let stage = Stage::new("transactions-list-wrong");
    let aggregator = Aggregator::started(&stage, &IN_THE_HEAD);
    let api = aggregator.api();
    for (query, parameter) in [
        ("min_duration=5", "min_duration"),
        ("max_duration=fast", "max_duration"),
        ("min_duration=2s&max_duration=1s", "min_duration"),
        ("errors=maybe", "errors"),
        ("sort=best", "sort"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("cursor=nonsense", "cursor"),
        ("service=,", "service"),
        ("entry=", "entry"),
        ("from=yesterday", "from"),
        ("from=now&to=-1h", "from"),
        ("timeout=0s", "timeout"),
        ("q=(", "q"),
        ("duration=5s", "query"),
    ] {
        let answer = api.get(&format!("/api/v1/transactions?{query}"));
        assert_eq!(answer.status, 400, "{query}");
        assert_eq!(answer.problem()["parameter"], parameter, "{query}");
    }
    let empty = asked(&api, &[]);
    assert_eq!(empty["transactions"], json!([]));
    assert_eq!(empty["summary"]["transactions"], 0);
    assert_eq!(empty["summary"]["duration_ns"]["p50"], Value::Null);
}
