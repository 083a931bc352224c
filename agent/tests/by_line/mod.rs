//! IDs that do not stand in the records: `[source.attach]` and `[source.join]`, through crashes, lost sessions and rotation.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use jiff::{SignedDuration, Timestamp};

use super::fake::{Record, State};
use super::{House, append_text, compress};

const ATTACH: &str = "[source.attach]\nbegin = 'start'\nend = 'done'\nkey = '\\[(\\d+)\\]'\ntimeout = '1h'\n";

/// Writes jobs of five workers that take turns; each job has its own number in every line.
#[derive(Default)]
struct Jobs {
    lines: usize,
    /// Of each worker: its job, and the lines of it so far.
    workers: [(usize, usize); 5],
    jobs: usize,
}

impl Jobs {
    fn lines(&mut self, count: usize) -> String {
        (0..count).map(|_| self.line() + "\n").collect()
    }

    fn line(&mut self) -> String {
        let at = self.lines;
        self.lines += 1;
        // The last worker's job never ends.
        let worker = if at % 97 == 5 { 4 } else { at * 7 % 4 };
        let (job, lines) = &mut self.workers[worker];
        if *lines == 0 {
            self.jobs += 1;
            *job = self.jobs;
        }
        let word = match *lines {
            0 => "start",
            25 if worker < 4 => "done",
            _ => "works on",
        };
        *lines = if word == "done" { 0 } else { *lines + 1 };
        let (minute, second) = (at / 60_000, at / 1000 % 60);
        format!("2026-11-23T12:{minute:02}:{second:02}.{:03}Z [{worker}] {word} job={job} line={at}", at % 1000)
    }
}

fn number(record: &Record, name: &str) -> usize {
    let line = String::from_utf8_lossy(&record.line);
    let (_, value) = line.split_once(&format!("{name}=")).unwrap();
    value.split_whitespace().next().unwrap().parse().unwrap()
}

fn contains(record: &Record, word: &str) -> bool {
    memchr::memmem::find(&record.line, word.as_bytes()).is_some()
}

/// Every job has one ID, every record has that of its job, and it is marked as attached.
#[track_caller]
fn assert_jobs(house: &House, jobs: &Jobs) {
    let records = house.fake.state().records("app");
    let mut ids: BTreeMap<usize, &str> = BTreeMap::new();
    for record in &records {
        assert_eq!((record.attached.len(), record.ids.len()), (1, 1), "{}", String::from_utf8_lossy(&record.line));
        let id = ids.entry(number(record, "job")).or_insert(&record.attached[0]);
        assert_eq!(*id, record.attached[0], "{}", String::from_utf8_lossy(&record.line));
    }
    let distinct: BTreeSet<&&str> = ids.values().collect();
    assert_eq!((ids.len(), distinct.len()), (jobs.jobs, jobs.jobs));
    let lines: BTreeSet<usize> = records.iter().map(|record| number(record, "line")).collect();
    assert_eq!((lines.len(), records.len()), (jobs.lines, jobs.lines));
}

#[test]
fn windows_live_through_crashes_and_lost_sessions() {
    let mut house = House::with_source(ATTACH);
    house.limits = "batch_bytes_max = \"4KiB\"".into();
    let mut jobs = Jobs::default();
    for round in 0..10 {
        house.fake.state().batches_per_session = (round % 3 == 1).then_some(5);
        house.fake.state().lose_batches = usize::from(round % 4 == 2);
        house.fake.state().hold_acks = round % 5 == 3;
        append_text(&house.path("a.log"), &jobs.lines(700));
        house.start();
        let wanted = jobs.lines - 600;
        house.fake.wait_for("some of it", |state| state.count("app") > wanted);
        house.kill();
        house.fake.state().hold_acks = false;
        if round % 3 == 2 {
            fs::remove_dir_all(house.folder.path().join("state")).unwrap();
        }
    }
    house.fake.state().batches_per_session = None;
    house.start();
    house.wait_lines(jobs.lines);
    // A lost session, while windows are open.
    house.fake.pause();
    append_text(&house.path("a.log"), &jobs.lines(300));
    house.fake.resume();
    house.wait_lines(jobs.lines);
    assert_eq!(house.stop(), Some(0));
    assert_jobs(&house, &jobs);
    assert_eq!(house.fake.state().bytes_again, 0);
}

#[test]
fn windows_go_on_in_renamed_and_copied_and_compressed_files() {
    let mut house = House::with_source(ATTACH);
    let path = house.path("a.log");
    let mut jobs = Jobs::default();
    append_text(&path, &jobs.lines(500));
    house.start();
    house.wait_lines(jobs.lines);
    // Renamed while it is followed: the writer goes on in it.
    fs::rename(&path, house.path("a.log.1")).unwrap();
    append_text(&house.path("a.log.1"), &jobs.lines(100));
    house.wait_lines(jobs.lines);
    house.kill();
    // Renamed while nobody looks, and written to.
    fs::rename(house.path("a.log.1"), house.path("a.log.2")).unwrap();
    append_text(&house.path("a.log.2"), &jobs.lines(100));
    house.start();
    house.wait_lines(jobs.lines);
    house.kill();
    // Copied and cut off: the copy has what was not read yet.
    append_text(&house.path("a.log.2"), &jobs.lines(100));
    fs::copy(house.path("a.log.2"), house.path("a.log.3")).unwrap();
    fs::remove_file(house.path("a.log.2")).unwrap();
    house.start();
    house.wait_lines(jobs.lines);
    house.kill();
    append_text(&house.path("a.log.3"), &jobs.lines(100));
    compress(&house.path("a.log.3"), &house.path("a.log.4.gz"));
    house.start();
    house.wait_lines(jobs.lines);
    assert_eq!(house.stop(), Some(0));
    assert_jobs(&house, &jobs);
}

#[test]
fn windows_go_on_in_the_copy_of_a_file_that_was_cut_off_before_it_was_read() {
    let mut house = House::with_source(ATTACH);
    let path = house.path("a.log");
    let mut jobs = Jobs::default();
    append_text(&path, &jobs.lines(300));
    house.start();
    house.wait_lines(jobs.lines);
    house.fake.pause();
    append_text(&path, &jobs.lines(100));
    fs::copy(&path, house.path("a.log.1")).unwrap();
    fs::File::create(&path).unwrap();
    house.fake.resume();
    house.wait_lines(jobs.lines);
    assert_eq!(house.stop(), Some(0));
    assert_jobs(&house, &jobs);
}

#[test]
fn a_new_file_begins_without_windows_and_dropped_records_open_them() {
    let mut house = House::with_source(&format!("{ATTACH}[[source.drop]]\npattern = 'start'\n"));
    house.extra = format!("metrics_listen = \"{}\"", house.metrics);
    let time = "2026-11-23T12:00:00Z";
    append_text(&house.path("a.log"), &format!("{time} [1] start\n{time} [1] first\n"));
    house.start();
    house.fake.wait_for("the first record", |state| state.records("app").len() == 1);
    fs::rename(house.path("a.log"), house.path("a.log.1")).unwrap();
    append_text(&house.path("a.log"), &format!("{time} [1] second\n{time} [1] request_id=6ba7b810-9dad-11d1 third\n"));
    append_text(&house.path("a.log.1"), &format!("{time} [1] request_id=6ba7b810-9dad-11d1 fourth\n{time} [1] done"));
    house.fake.wait_for("all records", |state| state.records("app").len() == 5);
    append_text(&house.path("a.log.1"), &format!(" at last\n{time} [1] fifth\n"));
    house.fake.wait_for("all records", |state| state.records("app").len() == 7);
    let records = house.fake.state().records("app");
    let attached = |word: &str| records.iter().find(|record| contains(record, word)).unwrap().attached.clone();
    assert_eq!(attached("first").len(), 1);
    assert_eq!(attached("at last"), attached("first"), "the rest of a line has what the whole line gets");
    for word in ["second", "third", "fourth", "done", "fifth"] {
        assert!(attached(word).is_empty(), "{word}");
    }
    house.wait_metric("clew_agent_attach_windows_total", 1);
    house.wait_metric("clew_agent_records_dropped_total", 1);
    assert_eq!(house.stop(), Some(0));
}

#[test]
fn a_transaction_with_an_attached_id_is_sampled_as_a_whole() {
    let mut house = House::with_source(&format!("{ATTACH}[[source.sample]]\nrate = 0.5\npattern = 'job='\n"));
    let mut jobs = Jobs::default();
    append_text(&house.path("a.log"), &jobs.lines(2000));
    append_text(&house.path("a.log"), "2026-11-23T12:30:00Z the end\n");
    house.start();
    house
        .fake
        .wait_for("the end", |state| state.records("app").iter().any(|record| record.line.ends_with(b"the end\n")));
    assert_eq!(house.stop(), Some(0));
    let mut records = house.fake.state().records("app");
    records.pop();
    let mut kept: BTreeMap<usize, usize> = BTreeMap::new();
    for record in &records {
        *kept.entry(number(record, "job")).or_default() += 1;
    }
    assert!(kept.len() > jobs.jobs / 4 && kept.len() < jobs.jobs * 3 / 4, "{} of {}", kept.len(), jobs.jobs);
    let ended = kept.iter().filter(|(_, lines)| **lines == 26).count();
    assert!(ended + 5 >= kept.len(), "all but those of the workers at the end: {kept:?}");
}

#[test]
fn windows_in_a_container_that_is_killed() {
    let mut house = House::with_source(ATTACH);
    house.limits = "batch_bytes_max = \"4KiB\"".into();
    let mut jobs = Jobs::default();
    for _ in 0..4 {
        let lines: String = (0..300)
            .map(|at| {
                let stream = ["stdout", "stderr"][at % 3 / 2];
                format!("2026-11-23T12:00:00.{at:09}Z {stream} F {}\n", jobs.line())
            })
            .collect();
        append_text(&house.path("a.log"), &lines);
        house.start();
        let wanted = jobs.lines - 150;
        house.fake.wait_for("half of it", |state| state.records("app").len() > wanted);
        house.kill();
    }
    house.start();
    let wanted = jobs.lines;
    house.fake.wait_for("all of it", |state| state.records("app").len() >= wanted);
    assert_eq!(house.stop(), Some(0));
    assert_jobs(&house, &jobs);
}

#[test]
fn a_window_that_is_too_far_back_is_not_rebuilt() {
    let mut house = House::with_source(ATTACH);
    house.extra = format!("metrics_listen = \"{}\"", house.metrics);
    let path = house.path("a.log");
    let time = "2026-11-23T12:00:00Z";
    append_text(&path, &format!("{time} [1] start\n"));
    let filling = format!("{time} [7] {}\n", "x".repeat(200_000));
    append_text(&path, &filling.repeat((65 << 20) / filling.len()));
    append_text(&path, &format!("{time} [1] before\n"));
    house.start();
    let holds = |state: &State, word: &str| {
        state.sources.values().any(|source| source.records.last().is_some_and(|record| contains(record, word)))
    };
    house.fake.wait_for("all of it", |state| holds(state, "before"));
    house.kill();
    append_text(&path, &format!("{time} [1] after\n{time} [2] start\n{time} [2] done\n"));
    house.start();
    house.fake.wait_for("the rest", |state| holds(state, "done"));
    let records = house.fake.state().records("app");
    let attached = |word: &str| records.iter().rfind(|record| contains(record, word)).unwrap().attached.len();
    assert_eq!((attached("before"), attached("after"), attached("done")), (1, 0, 1));
    house.wait_metric("clew_agent_attach_not_rebuilt_total", 1);
    assert_eq!(house.stop(), Some(0));
}

/// A house with an access log and an error log.
fn joined() -> House {
    let mut house = House::with_source(
        "[source.join]\nname = 'web'\nrole = 'access'\nconnection = 'connection=(\\d+)'\n\
         id = 'request=(\\w+)'\nduration = 'time=(\\S+)'\n",
    );
    let root = house.folder.path().display().to_string();
    house.source += &format!(
        "[[source]]\nservice = 'errors'\ninclude = ['{root}/logs/errors/*.log']\n[source.join]\nname = 'web'\nrole = 'error'\n\
         connection = '\\*(\\d+)'\nwait = '1s'\n"
    );
    house.extra = format!("metrics_listen = \"{}\"", house.metrics);
    fs::create_dir(house.path("errors")).unwrap();
    house
}

/// The time so many milliseconds from now.
fn ms_from_now(milliseconds: i64) -> Timestamp {
    Timestamp::now() + SignedDuration::from_millis(milliseconds)
}

fn access(time: Timestamp, connection: usize, request: &str, seconds: &str) -> String {
    format!("{time:.3} connection={connection} request={request} time={seconds} 200\n")
}

fn error(time: Timestamp, connection: usize, message: &str) -> String {
    format!("{} [error] 7#7: *{connection} {message}\n", time.strftime("%Y/%m/%d %H:%M:%S"))
}

/// The attached IDs of the error whose message this is.
fn attached(house: &House, message: &str) -> Vec<String> {
    let records = house.fake.state().records("errors");
    records.iter().find(|record| contains(record, message)).unwrap().attached.clone()
}

#[test]
fn an_error_waits_for_the_request_that_it_belongs_to() {
    let mut house = joined();
    let (requests, errors) = (house.path("access.log"), house.path("errors/error.log"));
    append_text(&requests, &access(ms_from_now(-60_000), 1, "before", "0.1"));
    house.start();
    house.wait_lines(1);
    let now = ms_from_now(0);
    append_text(&errors, &error(now, 5, "refused"));
    append_text(&requests, &access(ms_from_now(-30_000), 6, "first", "0.1"));
    house.wait_lines(2);
    assert_eq!(house.fake.state().records("errors").len(), 0, "its request may not have ended");
    // Of two requests within the second that the error names, each could have been it.
    append_text(&errors, &(error(now, 6, "doubtful") + &error(now, 7, "nobody's")));
    let second =
        now.round(jiff::TimestampRound::new().smallest(jiff::Unit::Second).mode(jiff::RoundMode::Floor)).unwrap();
    let both = [300, 600].map(|ms| second + SignedDuration::from_millis(ms));
    append_text(&requests, &(access(both[0], 6, "second", "0.1") + &access(both[1], 6, "third", "0.1")));
    append_text(&requests, &access(now + SignedDuration::from_millis(100), 5, "failed", "0.200"));
    house.fake.wait_for("the errors", |state| state.records("errors").len() == 3);
    assert_eq!(attached(&house, "refused"), ["failed"]);
    assert!(attached(&house, "doubtful").is_empty() && attached(&house, "nobody's").is_empty());
    house.wait_metric("clew_agent_join_ambiguous_total", 1);
    house.wait_metric("clew_agent_join_unknown_total", 1);
    assert_eq!(house.stop(), Some(0));
}

#[test]
fn after_a_restart_the_access_log_is_read_again() {
    let mut house = joined();
    let (requests, errors) = (house.path("access.log"), house.path("errors/error.log"));
    append_text(&requests, &access(ms_from_now(-60_000), 1, "before", "0.1"));
    let failed = ms_from_now(-20_000);
    append_text(&requests, &access(failed, 5, "failed", "0.1"));
    append_text(&errors, &error(ms_from_now(-90_000), 1, "too early"));
    house.start();
    house.wait_lines(2);
    house.fake.wait_for("the error", |state| state.records("errors").len() == 1);
    house.kill();
    append_text(&errors, &error(failed, 5, "refused"));
    house.start();
    house.fake.wait_for("both errors", |state| state.records("errors").len() == 2);
    assert_eq!(attached(&house, "refused"), ["failed"]);
    assert!(attached(&house, "too early").is_empty());
    assert_eq!(house.fake.state().bytes_again, 0);
    assert_eq!(house.stop(), Some(0));
}

/// A server with a handful of connections: what its two logs say, and which request wrote which error.
struct Server {
    random: fastrand::Rng,
    time_ms: i64,
    requests: usize,
    errors: usize,
}

impl Server {
    /// Lines of the access log and of the error log; an error names its request, so that the test knows.
    fn serves(&mut self, count: usize) -> (String, String) {
        let (mut access_log, mut error_log) = (Vec::new(), Vec::new());
        for _ in 0..count {
            self.requests += 1;
            let connection = self.random.usize(..4);
            // One at a time on a connection; on all together, a request begins when the one before it ended.
            self.time_ms += self.random.i64(0..1500);
            let begin = self.time_ms;
            self.time_ms += self.random.i64(1..3000);
            let at = |ms: i64| Timestamp::from_millisecond(ms).unwrap();
            let id = format!("request{:06}", self.requests);
            for _ in 0..self.random.usize(..3) {
                self.errors += 1;
                let time = self.random.i64(begin..=self.time_ms);
                let message = format!("error={} of={}", self.errors, self.requests);
                error_log.push((time, error(at(time), connection, &message)));
            }
            let seconds = (self.time_ms - begin) as f64 / 1000.0;
            access_log.push(access(at(self.time_ms), connection, &id, &format!("{seconds:.3}")));
        }
        error_log.sort();
        (access_log.concat(), error_log.into_iter().map(|(_, line)| line).collect())
    }
}

#[test]
fn no_error_gets_the_id_of_another_request() {
    let mut house = joined();
    house.limits = "batch_bytes_max = \"4KiB\"".into();
    let seed = fastrand::u64(..);
    let random = fastrand::Rng::with_seed(seed);
    let mut server = Server { random, time_ms: ms_from_now(-86_400_000).as_millisecond(), requests: 0, errors: 0 };
    for round in 0..6 {
        let (access_log, error_log) = server.serves(400);
        // Either log may be there first.
        let mut writes = [(house.path("access.log"), access_log), (house.path("errors/error.log"), error_log)];
        writes.rotate_left(round % 2);
        append_text(&writes[0].0, &writes[0].1);
        house.start();
        append_text(&writes[1].0, &writes[1].1);
        if round % 3 == 1 {
            fs::rename(house.path("access.log"), house.path(&format!("access.log.{round}"))).unwrap();
        }
        let wanted = server.errors - 150;
        house.fake.wait_for("most errors", |state| state.count("errors") > wanted);
        house.kill();
        if round == 3 {
            fs::remove_dir_all(house.folder.path().join("state")).unwrap();
        }
    }
    house.start();
    let (errors, requests) = (server.errors, server.requests);
    house.fake.wait_for("all", |state| state.count("errors") == errors && state.count("app") >= requests);
    assert_eq!(house.stop(), Some(0));
    let records = house.fake.state().records("errors");
    let mut with_id = 0;
    for record in &records {
        let line = String::from_utf8_lossy(&record.line);
        let own = format!("request{:06}", number(record, "of"));
        assert!(
            record.attached.is_empty() || record.attached == [own],
            "seed {seed}: {line} has {:?}",
            record.attached
        );
        with_id += usize::from(!record.attached.is_empty());
    }
    assert!(with_id > records.len() / 2, "seed {seed}: {with_id} of {}", records.len());
}
