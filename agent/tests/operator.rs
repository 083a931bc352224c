//! What the operator does with a running agent: explain, reload, SIGHUP, run --once, check, and what systemd is told.

mod fake;
mod house;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::Path;
use std::time::{Duration, Instant};

use fake::Fake;
use house::{House, append, append_text, bytes, line, lines};
use rustix::process::Signal;
use serde_json::Value;

/// Waits until `probe` answers true.
#[track_caller]
fn wait_until(what: &str, mut probe: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !probe() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn explain(house: &House, path: &Path) -> Value {
    let (code, out, error) = house.run(&["explain", "--json", path.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{error}");
    serde_json::from_str(&out).unwrap()
}

/// Writes a configuration with these sources in place of the house's own.
fn write_sources(house: &House, sources: &str) {
    *house.sources.borrow_mut() = Some(sources.to_owned());
    house.config();
}

fn source(house: &House, service: &str, name: &str, keys: &str) -> String {
    format!("[[source]]\nservice = \"{service}\"\ninclude = [\"{}\"]\n{keys}\n", house.path(name).display())
}

#[track_caller]
fn reload(house: &House) -> String {
    let (code, out, error) = house.run(&["reload"]);
    assert_eq!(code, Some(0), "{out}{error}");
    out
}

#[test]
fn explain_names_the_rule_and_the_positions() {
    let mut house = House::with_source("exclude = ['**/no.log']\n");
    let followed = house.path("a.log");
    append(&followed, 0..10);
    append(&house.path("no.log"), 0..1);
    append(&house.path("x.txt"), 0..1);
    let fifo = house.path("pipe.log");
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    house.start();
    house.wait_lines(10);
    wait_until("settled", || explain(&house, &followed)["sources"][0]["phase"] == "settled");
    let told = explain(&house, &followed);
    let file = &told["sources"][0];
    assert_eq!((&told["running"], &told["reads"]), (&true.into(), &true.into()));
    assert!(told["rules"][0].as_str().unwrap().contains("source 1 (app) names it by include"), "{told}");
    let size = Value::from(bytes(0..10));
    for name in ["size", "read", "acknowledged"] {
        assert_eq!(file[name], size, "{name}: {told}");
    }
    assert_eq!((&file["unread_bytes"], &file["in_flight_bytes"]), (&0.into(), &0.into()));
    assert!(file["waits_for"].is_null() && file["begun"] == "at its beginning", "{told}");
    house.fake.state().hold_acks = true;
    append(&followed, 10..20);
    house.wait_lines(20);
    wait_until("in flight", || explain(&house, &followed)["sources"][0]["in_flight_batches"] == 1);
    let told = explain(&house, &followed);
    assert_eq!(told["sources"][0]["waits_for"], "the acknowledgement of what is in flight", "{told}");
    assert_eq!(told["sources"][0]["in_flight_bytes"], bytes(10..20));
    house.fake.state().hold_acks = false;
    for (path, why) in [
        (&house.path("no.log"), "exclude \"**/no.log\""),
        (&fifo, "it is a FIFO"),
        (&house.path("x.txt"), "no include of any source names it"),
        (&house.path("none.log"), "there is no such file"),
    ] {
        let told = explain(&house, path);
        assert_eq!(told["reads"], false, "{told}");
        assert!(told["rules"].to_string().replace("\\\"", "\"").contains(why), "{told}");
        assert!(told["sources"].as_array().unwrap().is_empty(), "{told}");
    }
    let (_, text, _) = house.run(&["explain", followed.to_str().unwrap()]);
    assert!(text.contains("is read\n") && text.contains("acknowledged"), "{text}");
    assert_eq!(house.stop(), Some(0));
    let told = explain(&house, &followed);
    assert_eq!(told["running"], false);
    assert!(told["notes"].to_string().contains(&format!("up to position {}", bytes(0..20))), "{told}");
}

#[test]
fn a_bad_configuration_changes_nothing() {
    let mut house = House::new();
    let path = house.path("a.log");
    append(&path, 0..10);
    house.start();
    house.wait_lines(10);
    let good = fs::read_to_string(house.folder.path().join("agent.toml")).unwrap();
    for (text, why) in [
        (format!("{good}\nexclud = []\n"), "did you mean `exclude`?"),
        (format!("metrics_listen = '127.0.0.1:1'\n{good}"), "metrics_listen changes only with a restart"),
        (good.replace("host = \"test\"", "host = \"other\""), "host changes only with a restart"),
    ] {
        fs::write(house.folder.path().join("agent.toml"), &text).unwrap();
        let (code, _, error) = house.run(&["reload"]);
        assert_eq!(code, Some(78), "{error}");
        assert!(error.contains(why) && error.contains("goes on with the old configuration"), "{error}");
        house.signal(Signal::HUP);
    }
    append(&path, 10..20);
    append(&house.path("b.log"), 20..30);
    house.wait_lines(30);
    fs::write(house.folder.path().join("agent.toml"), &good).unwrap();
    assert_eq!(reload(&house), "nothing changed\n");
    assert_eq!(house.stop(), Some(0));
    house.assert_lines(lines(0..30));
    let (code, _, error) = house.run(&["reload"]);
    assert_eq!(code, Some(1));
    assert!(error.contains("no agent runs with state_dir"), "{error}");
}

#[test]
fn a_source_that_goes_and_comes_back_loses_and_repeats_nothing() {
    let mut house = House::new();
    let (kept, gone) = (house.path("kept.log"), house.path("gone.log"));
    append(&kept, 0..10);
    append(&gone, 100..110);
    house.start();
    house.wait_lines(20);
    // Something is in flight when it goes.
    house.fake.state().hold_acks = true;
    append(&gone, 110..120);
    house.wait_lines(30);
    write_sources(&house, &source(&house, "app", "kept.log", ""));
    house.signal(Signal::HUP);
    wait_until("let go", || {
        let told = explain(&house, &gone);
        told["sources"][0]["phase"].as_str().is_some_and(|phase| phase.starts_with("let go"))
    });
    append(&gone, 120..130);
    append(&kept, 10..20);
    house.wait_lines(40);
    house.fake.state().hold_acks = false;
    wait_until("remembered", || {
        let told = explain(&house, &gone);
        told["sources"].as_array().unwrap().is_empty() && told["notes"].to_string().contains("remembered as source")
    });
    let told = explain(&house, &gone);
    assert!(told["notes"].to_string().contains(&format!("up to position {}", bytes(100..120))), "{told}");
    // It comes back, rotated meanwhile, after a crash.
    house.kill();
    fs::rename(&gone, house.path("gone.log.1")).unwrap();
    append(&gone, 130..140);
    let both = source(&house, "app", "kept.log", "") + &source(&house, "app", "gone.log", "");
    house.start();
    append(&kept, 20..30);
    house.wait_lines(50);
    write_sources(&house, &both);
    reload(&house);
    house.wait_lines(70);
    assert_eq!(house.stop(), Some(0));
    let mut expected = lines(0..30);
    expected.extend(lines(100..140));
    house.assert_lines(expected);
    let state = house.fake.state();
    assert_eq!(state.bytes_again, 0);
    assert!(state.sources.values().all(|source| source.gaps.is_empty()));
}

/// Sources come and go, and change, between kills and rotations, and nobody waits for anything.
#[test]
fn reloads_among_kills_and_rotations_lose_and_repeat_nothing() {
    let mut house = House::new();
    house.limits = "batch_bytes_max = \"4KiB\"".into();
    let (kept, other) = (house.path("kept.log"), house.path("other.log"));
    let kept_source = source(&house, "app", "kept.log", "");
    let both = kept_source.clone() + &source(&house, "app", "other.log", "");
    let changed = source(&house, "app", "*.log", "format = \"json\"");
    let mut number = 0;
    house.start();
    for round in 0..12 {
        for path in [&kept, &other] {
            append(path, number..number + 100);
            number += 100;
        }
        write_sources(&house, [&kept_source, &both, &changed][round % 3]);
        // The signal's handler has to be there: before that it would end the program.
        wait_until("the control socket", || house.run(&["reload"]).0 == Some(0));
        if round % 4 == 1 {
            for rotation in (1..6).rev() {
                let rotated = |rotation: usize| house.path(&format!("other.log.{rotation}"));
                let _ = fs::rename(rotated(rotation), rotated(rotation + 1));
            }
            fs::rename(&other, house.path("other.log.1")).unwrap();
        }
        if round % 3 == 2 {
            house.kill();
            house.start();
        } else {
            house.signal(Signal::HUP);
        }
    }
    write_sources(&house, &both);
    wait_until("the control socket", || house.run(&["reload"]).0 == Some(0));
    house.wait_lines(number);
    assert_eq!(house.stop(), Some(0));
    house.assert_lines(lines(0..number));
    assert!(house.fake.state().sources.values().all(|source| source.gaps.is_empty()));
}

#[test]
fn what_changes_in_a_source_holds_from_then_on() {
    let mut house = House::new();
    let path = house.path("a.log");
    append_text(&path, "INFO one\nDEBUG two\n");
    house.start();
    house.wait_lines(2);
    write_sources(&house, &source(&house, "app", "*.log", "drop = [{ below = 'info' }]"));
    let told = reload(&house);
    assert!(told.contains("source 1 (app): drop: the default → [{ below = \"info\" }]"), "{told}");
    append_text(&path, "DEBUG three\nINFO four\n");
    house.fake.wait_for("the rule", |state| state.records("app").len() == 3);
    // Another service: what was stored keeps its name, and the rest has the new one.
    write_sources(&house, &source(&house, "web", "*.log", ""));
    let told = reload(&house);
    assert!(told.contains("service: \"app\" → \"web\""), "{told}");
    append_text(&path, "DEBUG five\nINFO six\n");
    house.fake.wait_for("the new name", |state| state.records("web").len() == 2);
    assert_eq!(house.stop(), Some(0));
    let state = house.fake.state();
    let text = |service: &str| -> Vec<String> {
        state
            .records(service)
            .iter()
            .map(|record| String::from_utf8_lossy(&record.line).trim_end().to_owned())
            .collect()
    };
    assert_eq!(text("app"), ["INFO one", "DEBUG two", "INFO four"]);
    assert_eq!(text("web"), ["DEBUG five", "INFO six"]);
    assert_eq!(state.bytes_again, 0);
}

/// The file is settled when its service changes; what it grows by later, or holds anew, has the new one.
#[test]
fn a_service_that_changed_while_the_agent_was_down() {
    let mut house = House::new();
    let (grown, cut_off) = (house.path("a.log"), house.path("b.log"));
    append(&grown, 0..10);
    append(&cut_off, 10..20);
    house.start();
    house.wait_lines(20);
    assert_eq!(house.stop(), Some(0));
    write_sources(&house, &source(&house, "web", "*.log", ""));
    house.start();
    wait_until("a session", || house.run(&["explain", grown.to_str().unwrap()]).1.contains("waits for     nothing"));
    append(&grown, 20..30);
    fs::write(&cut_off, lines(30..35).join("\n") + "\n").unwrap();
    house.fake.wait_for("the new name", |state| state.count("web") == 15);
    assert_eq!(house.stop(), Some(0));
    house.assert_lines(lines(0..20));
    assert_eq!(house.fake.state().lines("web"), lines(20..35));
}

/// What is in flight may be stored already: it must not be stored under the new name, too.
#[test]
fn a_service_changes_while_acknowledgements_are_lost() {
    let mut house = House::new();
    let path = house.path("a.log");
    append(&path, 0..10);
    house.start();
    house.wait_lines(10);
    house.fake.state().hold_acks = true;
    append(&path, 10..20);
    house.wait_lines(20);
    house.fake.pause();
    write_sources(&house, &source(&house, "web", "*.log", ""));
    reload(&house);
    append(&path, 20..30);
    wait_until("seen", || explain(&house, &path)["sources"][0]["size"] == bytes(0..30));
    house.fake.state().hold_acks = false;
    house.fake.resume();
    house.fake.wait_for("the new name", |state| state.count("web") == 10);
    assert_eq!(house.stop(), Some(0));
    house.assert_lines(lines(0..20));
    assert_eq!(house.fake.state().lines("web"), lines(20..30));
    assert_eq!(house.fake.state().bytes_again, 0);
}

#[test]
fn another_aggregator_gets_what_the_first_one_did_not() {
    let mut house = House::new();
    let path = house.path("a.log");
    append(&path, 0..10);
    house.start();
    house.wait_lines(10);
    wait_until("settled", || explain(&house, &path)["sources"][0]["phase"] == "settled");
    house.fake.pause();
    append(&path, 10..20);
    let second = Fake::start();
    let text = fs::read_to_string(house.config()).unwrap();
    let moved = text.replace(&house.fake.address.to_string(), &second.address.to_string());
    fs::write(house.folder.path().join("agent.toml"), moved).unwrap();
    assert!(reload(&house).starts_with("aggregator: "));
    second.wait_for("the rest", |state| state.count("app") == 10);
    assert_eq!(house.stop(), Some(0));
    assert_eq!(second.state().lines("app"), lines(10..20));
}

#[test]
fn once_ships_everything_and_ends() {
    let house = House::new();
    append(&house.path("a.log"), 0..5000);
    append(&house.path("a.log.1"), 6000..6010);
    append_text(&house.path("b.log"), "2026-11-23T12:00:00Z INFO no end");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all((lines(7000..7010).join("\n") + "\n").as_bytes()).unwrap();
    fs::write(house.path("a.log.2.gz"), gzip.finish().unwrap()).unwrap();
    house.config();
    let (code, _, error) = house.run(&["run", "--once"]);
    assert_eq!(code, Some(0), "{error}");
    let mut expected = lines(0..5000);
    expected.extend(lines(6000..6010));
    expected.extend(lines(7000..7010));
    expected.push("2026-11-23T12:00:00Z INFO no end".into());
    house.assert_lines(expected);
    // Again: nothing is new.
    let (code, _, error) = house.run(&["run", "--once", "--timeout", "20s"]);
    assert_eq!(code, Some(0), "{error}");
    assert_eq!(house.fake.state().bytes_again, 0);
    // What cannot be done in time is told.
    house.fake.state().hold_acks = true;
    append(&house.path("a.log"), 5000..5010);
    let (code, _, error) = house.run(&["run", "--once", "--timeout", "2s"]);
    assert_eq!(code, Some(1), "{error}");
    let told = error.lines().last().unwrap();
    for part in ["not everything was shipped: --timeout 2s is over", "in 1 files are not acknowledged", "a.log"] {
        assert!(told.contains(part), "{part}: {error}");
    }
    assert_eq!(house.run(&["run", "--timeout", "2s"]).0, Some(64));
}

#[test]
fn once_waits_for_what_is_undecided() {
    let mut house = House::new();
    let path = house.path("a.log");
    append(&path, 0..10);
    house.start();
    house.wait_lines(10);
    house.kill();
    append(&path, 10..20);
    fs::remove_file(&path).unwrap();
    house.config();
    let (code, _, error) = house.run(&["run", "--once", "--timeout", "20s"]);
    assert_eq!(code, Some(0), "{error}");
    let read = bytes(0..10);
    let state = house.fake.state();
    assert!(state.sources.values().any(|source| source.gaps == [(read, read)]), "what vanished is declared");
}

/// The next message, without those that come all the time.
fn next(socket: &UnixDatagram, left_out: &[&str]) -> String {
    let mut buffer = [0; 512];
    loop {
        let length = socket.recv(&mut buffer).expect("a message in time");
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if !left_out.iter().any(|prefix| text.starts_with(prefix)) {
            return text;
        }
    }
}

#[test]
fn systemd_is_told_in_order() {
    let mut house = House::new();
    let address = house.folder.path().join("notify");
    let socket = UnixDatagram::bind(&address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    house.environment =
        vec![("NOTIFY_SOCKET".into(), address.to_str().unwrap().into()), ("WATCHDOG_USEC".into(), "200000".into())];
    house.limits = "drain_timeout = \"200ms\"".into();
    append(&house.path("a.log"), 0..10);
    // The aggregator is away: that is no reason not to be ready.
    house.fake.pause();
    house.start();
    assert_eq!(next(&socket, &[]), "READY=1");
    let status = next(&socket, &[]);
    assert!(
        status.starts_with("STATUS=1 files followed, ") && status.ends_with("not connected to the aggregator"),
        "{status}"
    );
    assert_eq!(next(&socket, &[]), "WATCHDOG=1");
    assert_eq!(next(&socket, &["STATUS="]), "WATCHDOG=1");
    let routine = ["STATUS=", "WATCHDOG=1"];
    house.signal(Signal::HUP);
    assert!(next(&socket, &routine).starts_with("RELOADING=1\nMONOTONIC_USEC="));
    assert_eq!(next(&socket, &routine), "READY=1");
    house.signal(Signal::TERM);
    assert_eq!(next(&socket, &routine), "STOPPING=1");
    assert_eq!(house.agent.take().unwrap().wait().unwrap().code(), Some(0));
}

#[test]
fn ready_is_who_has_a_session() {
    let mut house = House::new();
    house.extra = format!("metrics_listen = \"{}\"", house.metrics);
    house.fake.pause();
    house.start();
    wait_until("somebody to listen", || TcpStream::connect(house.metrics).is_ok());
    let answers = |house: &House, path: &str, status: u16| house.get(path).starts_with(&format!("HTTP/1.1 {status} "));
    assert!(answers(&house, "/livez", 200) && answers(&house, "/readyz", 503));
    house.fake.resume();
    wait_until("a session", || answers(&house, "/readyz", 200));
    house.fake.pause();
    wait_until("its end", || answers(&house, "/readyz", 503));
    assert!(answers(&house, "/livez", 200));
}

#[test]
fn nobody_hurts_the_control_socket() {
    let mut house = House::new();
    append(&house.path("a.log"), 0..1);
    house.start();
    house.wait_lines(1);
    let control = house.folder.path().join("state/control");
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&control).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let say = |bytes: &[u8]| {
        let mut stream = UnixStream::connect(&control).unwrap();
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer
    };
    assert!(say(b"rubbish\n").contains("not a question"));
    assert!(say(b"").contains("one line of JSON"));
    let _ = say(&vec![b'x'; 1 << 20]);
    // More clients than are served at a time, and all of them silent.
    let silent: Vec<_> = (0..12).map(|_| UnixStream::connect(&control).unwrap()).collect();
    assert!(say(b"\"status\"\n").contains("\"sources\":1"), "they are sent away in time");
    drop(silent);
    assert_eq!(house.stop(), Some(0));
}

#[test]
fn check_says_what_is_read_and_what_is_not() {
    let house = House::with_source("exclude = ['**/no.log']\nstart_at = 'end'\n");
    append(&house.path("a.log"), 0..1);
    append(&house.path("no.log"), 0..1);
    append_text(&house.path("cri.log"), "2026-11-23T12:00:00.5Z stdout F INFO x\n");
    fs::write(house.path("wide.log"), b"\xff\xfea\0\n\0").unwrap();
    std::os::unix::fs::symlink("/etc/hostname", house.path("link.log")).unwrap();
    write_sources(
        &house,
        &(source(&house, "app", "*.log", "exclude = ['**/no.log']\nstart_at = 'end'")
            + &source(&house, "none", "*.none", "")),
    );
    let (code, out, error) = house.run(&["check"]);
    assert_eq!(code, Some(0), "{error}");
    for part in [
        "source 1 (app): 3 files",
        "a.log (app): plain lines, from its end (start_at)",
        "cri.log (app): a container's lines (cri)",
        "wide.log (app): lines in UTF-16LE",
        "not read: ",
        "no.log: an exclude of its source leaves it out",
        "link.log: it is a symbolic link",
        "source 2 (none): 0 files",
        "*.none\" names no file now",
        "answers",
    ] {
        assert!(out.contains(part), "{part}: {out}");
    }
    drop(house.fake.state());
    let text = fs::read_to_string(house.folder.path().join("agent.toml")).unwrap();
    let away = text.replace(&house.fake.address.to_string(), "127.0.0.1:1");
    fs::write(house.folder.path().join("agent.toml"), away).unwrap();
    let (code, _, error) = house.run(&["check"]);
    assert_eq!(code, Some(1));
    assert!(error.contains("does not let this agent in: cannot connect"), "{error}");
    assert_eq!(house.run(&["check", "--offline"]).0, Some(0));
}

#[test]
fn a_line_is_tried_without_an_aggregator() {
    let house = House::with_source("redact = [{ builtin = 'card' }]\n");
    append_text(&house.path("a.log"), &format!("{}\nINFO 4111 1111 1111 1111\n", line(7)));
    house.config();
    let (code, out, error) = house.run(&["test", house.path("a.log").to_str().unwrap()]);
    assert_eq!(code, Some(0), "{error}");
    for part in
        ["as source 1 (app), which names the file", &format!("trace {:032x} (field trace_id)", 8), "[redacted:card]"]
    {
        assert!(out.contains(part), "{part}: {out}");
    }
    assert_eq!(house.run(&["test", "/nowhere"]).0, Some(78));
    assert!(!house.folder.path().join("state").exists());
}
