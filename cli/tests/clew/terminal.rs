//! On a terminal: colour unless NO_COLOR, wrapped to its width, and no log line may drive it.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::process::Command;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::command;
use crate::server::{Answer, Server};
use crate::trace::{ID, shop, transaction};

const COLUMNS: u16 = 70;

/// Runs it with a terminal of 70 columns as standard output, and gives what it wrote there.
fn on_terminal(mut command: Command) -> String {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
    grantpt(&master).and_then(|()| unlockpt(&master)).expect("it may be opened");
    let name = ptsname(&master, Vec::new()).expect("its name").into_string().expect("UTF-8");
    tcsetwinsize(&master, Winsize { ws_row: 24, ws_col: COLUMNS, ws_xpixel: 0, ws_ypixel: 0 }).expect("a size");
    let terminal = OpenOptions::new().read(true).write(true).open(name).expect("it opens");
    let mut child = command.env("TERM", "xterm").stdout(terminal).spawn().expect("clew runs");
    // The command holds the other side of the terminal, too; reading ends when nobody does.
    drop(command);
    let mut seen = Vec::new();
    // A terminal whose other side is closed answers with an error instead of an end.
    let _ = File::from(master).read_to_end(&mut seen);
    assert!(child.wait().expect("it ends").success());
    String::from_utf8(seen).expect("UTF-8").replace("\r\n", "\n")
}

fn server() -> Server {
    Server::start(|_| Answer::json(&transaction(&shop(), None)))
}

#[test]
fn colour_and_width() {
    let server = server();
    let seen = on_terminal(command(&server.url(), &["trace", ID]));
    assert!(seen.contains("\x1b[36mgateway \x1b[0m") && seen.contains("\x1b[31merror\x1b[0m"), "{seen}");
    // All that starts with an escape is ours.
    assert!(seen.split('\x1b').skip(1).all(|rest| rest.starts_with('[') && rest.contains('m')), "{seen}");
    assert!(!seen.contains("\x1b[2J") && !seen.contains('\x07') && seen.contains("\\x1b[2J"), "{seen}");
}

#[test]
fn no_colour_when_it_is_not_wanted() {
    let server = server();
    let mut command = command(&server.url(), &["trace", ID]);
    command.env("NO_COLOR", "1");
    let seen = on_terminal(command);
    assert!(!seen.contains('\x1b'), "{seen}");
    assert!(seen.lines().all(|line| line.chars().count() <= usize::from(COLUMNS)), "{seen}");
}

#[test]
fn raw_lines_are_escaped_there_only() {
    let server = server();
    let seen = on_terminal(command(&server.url(), &["trace", ID, "--raw"]));
    assert!(!seen.contains('\x1b') && seen.contains("hostile \\x1b]0;owned\\x07\\x1b[2J\\rline\n"), "{seen}");
}

#[test]
fn what_was_found_is_harmless_there_in_every_form() {
    for form in [
        &["trace", ID, "--json"][..],
        &["search", "x"],
        &["search", "x", "--raw"],
        &["search", "x", "--json"],
        &["search", "x", "--all"],
    ] {
        let server = Server::start(move |_| {
            let mut records = shop();
            // A control sequence of one character, which JSON leaves as it is.
            records[2]["line"] = serde_json::json!("hostile \u{9b}2J\u{1b}[2J\u{202e}line");
            if form.contains(&"--all") {
                let lines: String = records.iter().map(|record| format!("{record}\n")).collect();
                return Answer::of("application/x-ndjson", &lines);
            }
            let is_trace = form.contains(&"trace");
            Answer::json(&if is_trace { transaction(&records, None) } else { crate::search::page(&records, None) })
        });
        let mut command = command(&server.url(), form);
        command.env("NO_COLOR", "1");
        let seen = on_terminal(command);
        assert!(seen.contains("hostile") && seen.contains("9b") && seen.contains("202e"), "{seen}");
        assert!(!seen.contains(['\x1b', '\u{9b}', '\u{202e}']), "{form:?}: {seen:?}");
    }
}

#[test]
fn search_has_the_colours_of_trace() {
    let server = Server::start(|_| Answer::json(&crate::search::page(&shop(), None)));
    let seen = on_terminal(command(&server.url(), &["search", "x"]));
    // The oldest is at the top here, and has the first colour.
    assert!(seen.contains("\x1b[36mmailer  \x1b[0m") && seen.contains("\x1b[31merror\x1b[0m"), "{seen}");
}
