//! One transaction through real programs: two hosts, a bridge, a verdict that waits for who is gone, the stream, the exports, the comparison
//! with its like, services and who calls whom.

use std::time::Duration;

use clew_tests::agent::{Agent, AgentOptions};
use clew_tests::aggregator::Aggregator;
use clew_tests::api::Api;
use clew_tests::follow::Follower;
use clew_tests::logfile::LogFile;
use clew_tests::stage::Stage;
use clew_tests::wait;
use fastrand::Rng;
use serde_json::Value;

const DEADLINE: Duration = Duration::from_secs(60);

/// A proxy on one host, two services on another.
struct Shop {
    gateway: LogFile,
    checkout: LogFile,
    payments: LogFile,
    random: Rng,
}

/// The IDs of a request.
struct Request {
    request: String,
    trace: String,
}

fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

impl Shop {
    /// One request; `fails`: the card is declined.
    fn serve(&mut self, fails: bool) -> Request {
        let [request, trace] = [(); 2].map(|()| format!("{:032x}", self.random.u128(1 << 100..)));
        let [outer, inner, last] = [(); 3].map(|()| format!("{:016x}", self.random.u64(1..)));
        let line = |file: &mut LogFile, level: &str, rest: String| {
            file.append(format!("time={} level={level} {rest}", now()).as_bytes());
            // Lines of one request follow each other in time.
            std::thread::sleep(Duration::from_millis(2));
        };
        line(&mut self.gateway, "info", format!("request_id={request} msg=\"request came in\""));
        line(
            &mut self.gateway,
            "info",
            format!("request_id={request} trace_id={trace} span_id={outer} msg=\"passed on\""),
        );
        line(
            &mut self.checkout,
            "info",
            format!("trace_id={trace} span_id={inner} parent_span_id={outer} msg=\"checkout of cart begins\""),
        );
        let called = format!("trace_id={trace} span_id={last} parent_span_id={inner}");
        line(&mut self.payments, "info", format!("{called} msg=\"charge requested\""));
        match fails {
            true => line(&mut self.payments, "error", format!("{called} msg=\"card declined <b>by the bank</b>\"")),
            false => line(&mut self.payments, "info", format!("{called} msg=\"charge done\"")),
        }
        line(&mut self.checkout, "info", format!("trace_id={trace} span_id={inner} msg=\"checkout of cart ends\""));
        Request { request, trace }
    }
}

const RECORDS: usize = 6;

struct House {
    aggregator: Aggregator,
    front: Agent,
    back: Agent,
    shop: Shop,
    // Last, so that what is left of a failure stays.
    _stage: Stage,
}

fn house(name: &str) -> House {
    let stage = Stage::new(name);
    let aggregator = Aggregator::started(&stage, &[]);
    let (front_logs, back_logs) = (stage.folder("front-logs"), stage.folder("back-logs"));
    let shop = Shop {
        gateway: LogFile::open(&front_logs.join("gateway.log")),
        checkout: LogFile::open(&back_logs.join("checkout.log")),
        payments: LogFile::open(&back_logs.join("payments.log")),
        random: stage.random(0),
    };
    let started = |name: &str, logs: &std::path::Path| {
        let options = AgentOptions { name, agent_id: None, logs, limits: &[] };
        let mut agent = Agent::new(&stage, &aggregator, &options);
        agent.start();
        agent
    };
    let (front, back) = (started("front", &front_logs), started("back", &back_logs));
    House { aggregator, front, back, shop, _stage: stage }
}

fn get(api: &Api, path: &str) -> Value {
    let answer = api.get(path);
    assert_eq!(answer.status, 200, "{path}: {}", String::from_utf8_lossy(&answer.body));
    answer.json()
}

/// The transaction once it has this state.
fn in_state(api: &Api, id: &str, records: usize, state: &str) -> Value {
    wait::until(&format!("{id} to be {state}"), DEADLINE, || {
        let answer = api.get(&format!("/api/v1/transactions/{id}"));
        wait::check(answer.status == 200, || format!("status {}", answer.status))?;
        let answer = answer.json();
        let found = &answer["summary"]["records"];
        wait::check(*found == records, || format!("{found} records"))?;
        wait::check(answer["completeness"]["state"] == state, || answer["completeness"].to_string())?;
        Ok(answer)
    })
}

#[test]
fn a_request_is_whole_in_order_and_says_whether_that_is_all() {
    let mut house = house("transaction");
    let api = house.aggregator.api();
    let request = house.shop.serve(true);
    let by_request = in_state(&api, &request.request, RECORDS, "settled");
    let by_trace = in_state(&api, &request.trace, RECORDS, "settled");

    assert_eq!(by_request["bridges"]["joined"][0]["id"], request.trace);
    assert_eq!(by_trace["bridges"]["joined"][0]["id"], request.request);
    assert_eq!(by_trace["bridges"]["joined"][0]["by"]["service"], "gateway");
    let bare = get(&api, &format!("/api/v1/transactions/{}?bridge=off", request.request));
    assert_eq!(bare["summary"]["records"], 2);

    let records = by_trace["records"].as_array().expect("records");
    let services: Vec<&str> = records.iter().filter_map(|record| record["service"].as_str()).collect();
    assert_eq!(services, ["gateway", "gateway", "checkout", "payments", "payments", "checkout"]);
    let times: Vec<&str> = records.iter().filter_map(|record| record["at"].as_str()).collect();
    assert!(times.is_sorted(), "{times:?}");
    let lanes = by_trace["lanes"].as_array().expect("lanes");
    assert_eq!(lanes.len(), 3);
    assert_eq!((&lanes[2]["caller"], &lanes[2]["errors"]), (&1.into(), &1.into()));
    assert_eq!(by_trace["summary"]["first_error"], 4);
    assert_eq!(by_trace["summary"]["entry_service"], "gateway");
    // Both hosts are this one: their clocks are the aggregator's.
    for clock in by_trace["clocks"].as_array().expect("clocks") {
        assert_eq!(clock["measured"], true, "{clock}");
        assert!(clock["offset_ns"].as_i64().is_some_and(|offset| offset.abs() < 1_000_000_000), "{clock}");
    }
    let errors = get(&api, &format!("/api/v1/transactions/{}?level=error&service=payments", request.trace));
    assert_eq!(errors["records"].as_array().map(Vec::len), Some(1));
    assert_eq!((&errors["records"][0]["index"], &errors["summary"]["records"]), (&4.into(), &RECORDS.into()));

    // An agent that is gone keeps what comes after its last word open, until somebody says that it will not be back.
    house.front.kill();
    let later = house.shop.serve(false);
    let open = wait::until("the other agent to pass", DEADLINE, || {
        let open = in_state(&api, &later.trace, 4, "open");
        let behind = open["completeness"]["agents_behind"].as_array().map_or(0, Vec::len);
        wait::check(behind == 1, || open["completeness"].to_string())?;
        Ok(open)
    });
    assert_eq!(open["completeness"]["agents_behind"][0]["host"], "front");
    assert!(open["completeness"]["reasons"][0].as_str().is_some_and(|reason| reason.contains("front")), "{open}");
    house.aggregator.kill();
    house.aggregator.start();
    let api = house.aggregator.api();
    let again = in_state(&api, &later.trace, 4, "open");
    let behind = again["completeness"]["agents_behind"].as_array().expect("agents");
    let front = behind.iter().find(|agent| agent["host"] == "front").expect("who is gone is not forgotten");
    let path = format!("/api/v1/admin/agents/{}/retire", front["agent_id"].as_str().expect("an ID"));
    assert_eq!(api.request("POST", &path, "{}").status, 200);
    let settled = in_state(&api, &later.trace, 4, "settled");
    assert_eq!(settled["completeness"]["agents_gone"][0]["retired"], true);
    house.front.start();
    in_state(&api, &later.trace, RECORDS, "settled");
    let connected = get(&api, "/api/v1/status/agents");
    let agents = connected["agents"].as_array().expect("agents");
    assert!(agents.iter().all(|agent| agent["retired"].is_null()), "it came back: {connected}");
    let back = agents.iter().find(|agent| agent["host"] == "back").expect("the other one");
    let path = format!("/api/v1/admin/agents/{}/retire", back["agent_id"].as_str().expect("an ID"));
    assert_eq!(api.request("POST", &path, "{}").status, 409, "it is here");
    assert!(house.back.runs());
}

#[test]
fn it_can_be_followed_until_it_is_settled_and_sent_to_others() {
    let mut house = house("followed");
    let api = house.aggregator.api();
    let request = house.shop.serve(true);
    in_state(&api, &request.trace, RECORDS, "settled");
    let path = format!("/api/v1/transactions/{}/stream", request.trace);
    let mut follower = Follower::connect(&house.aggregator.http_address(), &path, None);
    house
        .shop
        .payments
        .append(format!("time={} level=info trace_id={} msg=\"a late word\"", now(), request.trace).as_bytes());
    let (mut records, mut states) = (0, 0);
    loop {
        let event = follower.event();
        match event.name.as_str() {
            "records" => records += event.data["records"].as_array().map_or(0, Vec::len),
            "state" => states += 1,
            "end" => {
                assert_eq!(event.data["state"], "settled");
                break;
            }
            other => panic!("an event {other}"),
        }
    }
    assert!(records > RECORDS && states >= 2, "{records} records, {states} states");

    let export = |format: &str| api.get(&format!("/api/v1/transactions/{}/export?format={format}", request.trace));
    let lines = export("ndjson");
    assert_eq!(String::from_utf8_lossy(&lines.body).lines().count(), RECORDS + 1);
    let text = String::from_utf8(export("text").body).expect("text");
    assert!(text.starts_with(&format!("# transaction {}: settled\n", request.trace)), "{text}");
    assert!(text.contains("card declined <b>by the bank</b>"), "{text}");
    let otlp = export("otlp").json();
    let logs = otlp["resourceLogs"].as_array().expect("logs");
    let all: Vec<&Value> =
        logs.iter().flat_map(|log| log["scopeLogs"][0]["logRecords"].as_array().expect("records")).collect();
    assert_eq!(all.len(), RECORDS + 1);
    assert!(all.iter().any(|record| record["severityNumber"] == 17 && record["traceId"] == request.trace), "{otlp}");
    let html = String::from_utf8(export("html").body).expect("text");
    assert!(html.contains("card declined &lt;b&gt;by the bank&lt;/b&gt;") && !html.contains("<script"), "{html}");
    assert_eq!(export("pdf").status, 400);
}

#[test]
fn one_that_failed_is_told_from_its_like_and_services_are_known_by_their_calls() {
    let mut house = house("compared");
    let api = house.aggregator.api();
    for _ in 0..40 {
        house.shop.serve(false);
    }
    let failed = house.shop.serve(true);
    in_state(&api, &failed.trace, RECORDS, "settled");
    let compared = wait::until("others to compare with", DEADLINE, || {
        let answer = get(&api, &format!("/api/v1/transactions/{}/compare", failed.trace));
        wait::check(answer["compared"].as_u64().is_some_and(|others| others >= 40), || answer["meta"].to_string())?;
        Ok(answer)
    });
    let findings = compared["findings"].as_array().expect("findings");
    let found = |kind: &str, word: &str| {
        findings.iter().any(|finding| {
            finding["kind"] == kind
                && finding["service"] == "payments"
                && finding["text"].as_str().is_some_and(|text| text.contains(word))
        })
    };
    assert!(found("new_template", "card declined") && found("missing_template", "charge done"), "{compared:#}");

    let services = get(&api, "/api/v1/services");
    let gateway = &services["services"].as_array().expect("services")[1];
    assert_eq!((&gateway["service"], &gateway["records"]), (&"gateway".into(), &82.into()), "{services:#}");
    assert_eq!(gateway["hosts"][0], "front");
    let payments = &services["services"].as_array().expect("services")[2];
    assert_eq!((&payments["errors"], &payments["entries"]), (&1.into(), &0.into()), "{services:#}");

    let graph = get(&api, "/api/v1/services/graph");
    let edges: Vec<(&str, &str, &str)> = graph["edges"]
        .as_array()
        .expect("edges")
        .iter()
        .filter_map(|edge| Some((edge["from"].as_str()?, edge["to"].as_str()?, edge["evidence"].as_str()?)))
        .collect();
    assert!(
        edges.contains(&("gateway", "checkout", "spans")) && edges.contains(&("checkout", "payments", "spans")),
        "{graph:#}"
    );
    assert!(!edges.iter().any(|(from, to, _)| (*from, *to) == ("payments", "gateway")), "{graph:#}");
}
