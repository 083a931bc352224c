//! An aggregator that is locked, or speaks HTTPS: what is shown to it, and what is said when it does not let us in.

use std::path::PathBuf;

use serde_json::json;

use crate::server::{Answer, Server};
use crate::{Run, clew, command, read};

/// In lower case, as the server keeps what it was asked.
const TOKEN: &str = "clew_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/// A file with this text; it goes with its owner.
struct File(PathBuf);

impl File {
    fn with(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("clew-access-{name}-{}", std::process::id()));
        std::fs::write(&path, text).expect("write");
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("a UTF-8 path")
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn no_agents() -> Server {
    Server::start(|_| Answer::json(&json!({"agents": []})))
}

fn fails(run: &Run, code: i32, parts: &[&str]) {
    assert_eq!((run.code, run.err.matches('\n').count()), (Some(code), 1), "{}", run.err);
    for part in parts {
        assert!(run.err.contains(part), "{part:?} is missing in {:?}", run.err);
    }
}

#[test]
fn a_token_comes_from_a_file_or_the_environment() {
    let file = File::with("token", &format!("\n {TOKEN} \n"));
    let other = File::with("other-token", "clew_b\n");
    let shown = format!("authorization: bearer {TOKEN}");
    type Environment<'a> = &'a [(&'a str, &'a str)];
    let cases: [(&[&str], Environment, Option<&str>); 6] = [
        (&["agents"], &[], None),
        (&["agents", "--token-file", file.path()], &[], Some(&shown)),
        (&["agents"], &[("CLEW_TOKEN", TOKEN)], Some(&shown)),
        (&["agents"], &[("CLEW_TOKEN_FILE", file.path())], Some(&shown)),
        (
            &["agents", "--token-file", file.path()],
            &[("CLEW_TOKEN", "clew_b"), ("CLEW_TOKEN_FILE", other.path())],
            Some(&shown),
        ),
        (&["agents"], &[("CLEW_TOKEN", "")], None),
    ];
    for (arguments, environment, wanted) in cases {
        let server = no_agents();
        let run =
            read(command(&server.url(), arguments).envs(environment.iter().copied()).output().expect("clew runs"));
        assert_eq!(run.code, Some(0), "{arguments:?} {environment:?}: {}", run.err);
        let heads = server.heads();
        let head = heads.first().expect("one request");
        assert_eq!(
            head.lines().find(|line| line.starts_with("authorization")),
            wanted,
            "{arguments:?} {environment:?}"
        );
    }
}

#[test]
fn what_is_no_token_is_not_shown_to_anybody() {
    for text in ["", "\n\n", "clew_a clew_b", "clew_\u{e9}", "-----BEGIN\tKEY"] {
        let file = File::with("no-token", text);
        let server = no_agents();
        let run = clew(&server.url(), &["agents", "--token-file", file.path()]);
        fails(&run, 64, &["--token-file", "holds no token", "clew-aggregator token create"]);
        let part = text.trim().get(..6).unwrap_or("nothing of it");
        assert!(!run.err.replace("clew_…", "").contains(part) && server.heads().is_empty(), "{text:?}: {}", run.err);
    }
    fails(
        &clew("http://127.0.0.1:1", &["agents", "--token-file", "/nowhere"]),
        64,
        &["--token-file /nowhere: No such file"],
    );
}

#[test]
fn who_is_not_let_in_is_told_what_to_do() {
    let problem = |status: &'static str, detail: &'static str| {
        Server::start(move |_| {
            Answer::problem(status, &json!({"type": "about:blank", "title": "t", "status": 1, "detail": detail}))
        })
    };
    for arguments in [&["agents"][..], &["tail"]] {
        let locked = problem("401 Unauthorized", "a token is needed");
        fails(
            &clew(&locked.url(), arguments),
            1,
            &[&locked.url(), "is locked", "--token-file", "CLEW_TOKEN", "token create NAME"],
        );
        let file = File::with("known-token", TOKEN);
        let arguments = [arguments, &["--token-file", file.path()]].concat();
        let wrong = problem("401 Unauthorized", "the token is not known");
        let run = clew(&wrong.url(), &arguments);
        fails(&run, 1, &[&wrong.url(), "does not let us in", "the token is not known"]);
        assert!(!run.err.contains(TOKEN));
        let scope = problem("403 Forbidden", "web has not the scope read");
        fails(&clew(&scope.url(), &arguments), 1, &[&scope.url(), "web has not the scope read"]);
    }
}

#[test]
fn a_redirect_takes_no_token_along() {
    let file = File::with("redirected-token", TOKEN);
    let server = Server::start(|_| Answer { status: "302 Found", ..Answer::json(&json!({})) });
    let run = clew(&server.url(), &["agents", "--token-file", file.path()]);
    assert_eq!((run.code, server.asked().len()), (Some(1), 1), "{}", run.err);
}

#[test]
fn https_needs_an_authority_and_an_authority_https() {
    let empty = File::with("empty-ca", "");
    let server = "https://127.0.0.1:1";
    fails(&clew(server, &["agents", "--ca", "/nowhere"]), 64, &["--ca /nowhere: No such file"]);
    fails(&clew(server, &["agents", "--ca", empty.path()]), 64, &["--ca", "it holds no certificate (PEM)"]);
    fails(&clew("http://127.0.0.1:1", &["agents", "--ca", empty.path()]), 64, &["--ca", "name it as https://"]);
}
