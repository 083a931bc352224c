//! The real `clew` against a small server that answers like an aggregator, and unlike one.
//!
//! | file | what it is |
//! | --- | --- |
//! | `server` | the server |
//! | `trace` | `clew trace` |
//! | `search` | `clew search` |
//! | `tail` | `clew tail` |
//! | `transactions` | `clew transactions` |
//! | `agents` | `clew agents` |
//! | `access` | tokens, and https:// |
//! | `terminal` | on a terminal: colour, width, escaped lines |
//! | `failures` | whatever goes wrong: exit codes, and one clear line |

mod access;
mod agents;
mod failures;
mod search;
mod server;
mod tail;
mod terminal;
mod trace;
mod transactions;

use std::process::{Command, Output};

/// What one run of `clew` left behind.
struct Run {
    code: Option<i32>,
    out: String,
    err: String,
}

fn command(server: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clew"));
    for name in ["CLEW_SERVER", "CLEW_TOKEN", "CLEW_TOKEN_FILE", "CLEW_CA"] {
        command.env_remove(name);
    }
    command.arg("--server").arg(server).args(arguments);
    command
}

fn clew(server: &str, arguments: &[&str]) -> Run {
    read(command(server, arguments).output().expect("clew runs"))
}

fn read(output: Output) -> Run {
    Run {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).expect("UTF-8"),
        err: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}
