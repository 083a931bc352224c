//! The audit over the real programs: every byte of every source is accounted for by both, whatever became of it; and what is wrong is found.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clew_tests::aggregator::Aggregator;
use clew_tests::process::{Process, run};
use clew_tests::stage::Stage;
use clew_tests::wait;
use serde_json::Value;

const DEADLINE: Duration = Duration::from_secs(60);

struct Pair {
    config: PathBuf,
    log: PathBuf,
    agent: Option<Process>,
}

impl Pair {
    fn new(stage: &Stage, aggregator: &Aggregator) -> Self {
        let (dir, config) = (stage.path().display(), stage.path().join("agent.toml"));
        let text = format!(
            "aggregator = \"{}\"\nstate_dir = \"{dir}/state\"\nhost = \"one\"\n[limits]\nreconcile_interval = \"300ms\"\n\
             batch_bytes_max = \"4KiB\"\nrecord_bytes_max = \"2KiB\"\nidle_flush = \"500ms\"\n[[source]]\nservice = \"shop\"\n\
             include = [\"{dir}/*.log\"]\n[[source.drop]]\nbelow = \"info\"\n[[source.sample]]\nrate = 0.5\npattern = \"noise\"\n\
             [[source.redact]]\nbuiltin = \"card\"\n",
            aggregator.grpc_url()
        );
        std::fs::write(&config, text).expect("write agent.toml");
        Self { config, log: stage.path().join("agent.stderr"), agent: None }
    }

    fn start(&mut self) {
        let config = self.config.to_str().expect("a UTF-8 path");
        self.agent = Some(Process::start("clew-agent", &["run", "--config", config], &self.log));
    }

    /// Exit code and what was found.
    fn audit(&self) -> (Option<i32>, Value) {
        let output =
            run("clew-agent", &["audit", "--json", "--config", self.config.to_str().expect("UTF-8")], DEADLINE);
        let found = serde_json::from_slice(&output.stdout);
        (output.status.code(), found.unwrap_or_else(|error| panic!("{error}: {output:?}")))
    }

    /// An audit in which everything was read and acknowledged.
    fn settled(&self) -> Value {
        wait::until("everything to be acknowledged", DEADLINE, || {
            let (code, found) = self.audit();
            let sources = found["sources"].as_array().expect("sources");
            let done = |source: &Value| source["acknowledged"] == source["seen"];
            let settled = code == Some(0) && !sources.is_empty() && sources.iter().all(done);
            if settled { Ok(found) } else { Err(found.to_string()) }
        })
    }
}

fn append(path: &Path, bytes: &[u8]) {
    let mut file = OpenOptions::new().create(true).append(true).open(path).expect("open a log");
    file.write_all(bytes).expect("write a log");
}

fn lines(count: usize) -> Vec<u8> {
    let mut text = String::new();
    for number in 0..count {
        let (level, message) = match number % 4 {
            0 => ("DEBUG", "left out by a rule".to_owned()),
            1 => ("INFO", format!("noise request_id=req-{number}")),
            2 => ("INFO", "paid with 4111 1111 1111 1111".to_owned()),
            _ => ("ERROR", "kept".to_owned()),
        };
        text.push_str(&format!("2026-11-23T12:00:00.{number:06}Z {level} {message}\n"));
    }
    text.into_bytes()
}

fn sum(found: &Value, name: &str) -> u64 {
    let sources = found["sources"].as_array().expect("sources");
    sources.iter().map(|source| source["aggregator"]["tally"][name].as_u64().unwrap_or(0)).sum()
}

#[test]
fn both_books_agree_on_every_byte() {
    let stage = Stage::new("audit");
    let mut aggregator = Aggregator::started(&stage, &[]);
    let mut pair = Pair::new(&stage, &aggregator);
    let path = stage.path().join("a.log");
    let mut text = lines(2000);
    text.extend_from_slice(&[0; 5000]);
    text.extend_from_slice(&lines(100));
    append(&path, &text);
    pair.start();
    let found = pair.settled();
    let source = &found["sources"][0];
    assert_eq!(source["seen"], text.len(), "{found}");
    assert_eq!(source["account"]["tally"], source["aggregator"]["tally"], "{found}");
    for name in ["stored", "dropped", "sampled", "nuls"] {
        assert!(sum(&found, name) > 0, "{name}: {found}");
    }

    // A gap: the aggregator is away, the file grows and is cut off.
    aggregator.kill();
    append(&path, &lines(50));
    wait::until("the agent to see it", DEADLINE, || {
        let output = run(
            "clew-agent",
            &["explain", "--json", "--config", pair.config.to_str().expect("UTF-8"), path.to_str().expect("UTF-8")],
            DEADLINE,
        );
        let told: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let size = (text.len() + lines(50).len()) as u64;
        wait::check(told["sources"][0]["size"] == size, || told.to_string())
    });
    OpenOptions::new().write(true).truncate(true).open(&path).expect("truncate");
    append(&path, &lines(20));
    aggregator.start();
    let gap = lines(50).len() as u64;
    wait::until("the gap", DEADLINE, || {
        let (code, found) = pair.audit();
        wait::check(code == Some(0) && sum(&found, "gaps") == gap, || found.to_string())
    });
    let found = pair.settled();
    assert_eq!(
        found["sources"].as_array().map(Vec::len),
        Some(2),
        "the incarnation that ended is in the books: {found}"
    );

    // Another life of the agent counts from where it begins.
    pair.agent.take().expect("it runs").kill();
    append(&path, &lines(40));
    pair.start();
    let found = pair.settled();
    let source = &found["sources"][0];
    assert!(source["account"]["begin"].as_u64() > Some(0), "{found}");

    // Without an agent the checkpoint is asked.
    assert!(pair.agent.take().expect("it runs").terminate(DEADLINE).success());
    let (code, found) = pair.audit();
    assert_eq!((code, found["running"].as_bool()), (Some(0), Some(false)), "{found}");
}

#[test]
fn an_aggregator_that_lost_its_data_is_found_out() {
    let stage = Stage::new("audit-lost");
    let mut aggregator = Aggregator::started(&stage, &[]);
    let mut pair = Pair::new(&stage, &aggregator);
    append(&stage.path().join("a.log"), &lines(400));
    pair.start();
    pair.settled();
    aggregator.kill();
    std::fs::remove_dir_all(aggregator.data_dir()).expect("lose the data");
    aggregator.start();
    let (code, found) = wait::until("a session with the new one", DEADLINE, || {
        let (code, found) = pair.audit();
        let known = found["sources"][0]["aggregator"].is_object();
        if known { Ok((code, found)) } else { Err(found.to_string()) }
    });
    assert_eq!(code, Some(1), "{found}");
    assert!(found["sources"][0]["differences"].to_string().contains("stored: the agent counted"), "{found}");
}
