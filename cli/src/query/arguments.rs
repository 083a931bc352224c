//! Words of a query that begin with a dash (`clew search error -healthz --json`), wherever they stand.
//!
//! To the query language `-healthz` is "without healthz"; to the argument parser it would be options. Their own options are all
//! long, so that the two can be told apart: options are put first, and words behind a `--`.

use std::ffi::OsString;

use clap::{Arg, Command};

/// Subcommands whose arguments are a query.
const WITH_QUERY: [&str; 3] = ["search", "tail", "transactions"];

/// The arguments as the parser takes them; the first one is the program.
pub fn arrange(command: &Command, arguments: Vec<OsString>) -> Vec<OsString> {
    let Some(place) = subcommand(command, &arguments) else { return arguments };
    let is_meant =
        |chosen: &&Command| arguments[place] == *chosen.get_name() && WITH_QUERY.contains(&chosen.get_name());
    let Some(chosen) = command.get_subcommands().find(is_meant) else { return arguments };
    let takes_value = |option: &str| takes_value(chosen, option) || takes_value(command, option);
    let (mut options, mut words) = (Vec::new(), Vec::new());
    let mut rest = arguments[place + 1..].iter().cloned().peekable();
    while let Some(argument) = rest.next() {
        let text = argument.to_string_lossy();
        match text.strip_prefix("--") {
            Some("") => {
                words.extend(rest.by_ref());
            }
            // `--since -15m`: the value may begin with a dash, too.
            Some(option) if takes_value(option) && rest.peek().is_some_and(|next| !is_long(next)) => {
                let mut joined = argument.clone();
                joined.push("=");
                joined.push(rest.next().expect("seen"));
                options.push(joined);
            }
            Some(_) => options.push(argument),
            None if text == "-h" => options.push(argument),
            None => words.push(argument),
        }
    }
    let mut arranged = arguments[..=place].to_vec();
    arranged.extend(options);
    if !words.is_empty() {
        arranged.push("--".into());
        arranged.extend(words);
    }
    arranged
}

/// Where the subcommand stands: behind the options that hold for all of them.
fn subcommand(command: &Command, arguments: &[OsString]) -> Option<usize> {
    let mut place = 1;
    loop {
        let text = arguments.get(place)?.to_str()?;
        match text.strip_prefix("--") {
            Some(option) => place += if takes_value(command, option) { 2 } else { 1 },
            None if text.starts_with('-') => place += 1,
            None => return Some(place),
        }
    }
}

/// Whether `--option` has its value in the next argument.
fn takes_value(command: &Command, option: &str) -> bool {
    let is_meant = |argument: &&Arg| argument.get_long() == Some(option);
    command.get_arguments().find(is_meant).is_some_and(|argument| argument.get_action().takes_values())
}

fn is_long(argument: &OsString) -> bool {
    argument.as_encoded_bytes().starts_with(b"--")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_before_words() {
        let command = Command::new("clew")
            .arg(Arg::new("server").long("server").global(true))
            .subcommand(Command::new("trace"))
            .subcommand(Command::new("search").args([
                Arg::new("since").long("since"),
                Arg::new("json").long("json").action(clap::ArgAction::SetTrue),
            ]));
        for (written, wanted) in [
            ("search a -b --json", "search --json -- a -b"),
            ("--server x search -b --since -15m a --json", "--server x search --since=-15m --json -- -b a"),
            ("--server=x search a --server y", "--server=x search --server=y -- a"),
            ("search a --since --json", "search --since --json -- a"),
            ("search --json -- --all -h", "search --json -- --all -h"),
            ("search a --nope", "search --nope -- a"),
            ("search -h", "search -h"),
            ("search a --since", "search --since -- a"),
            // Not for us.
            ("trace -b a", "trace -b a"),
            ("-h search -b", "-h search -- -b"),
            ("--server", "--server"),
            ("", ""),
        ] {
            let arguments = ["clew"].into_iter().chain(written.split_whitespace()).map(OsString::from).collect();
            let arranged = arrange(&command, arguments);
            let arranged: Vec<&str> = arranged[1..].iter().filter_map(|argument| argument.to_str()).collect();
            assert_eq!(arranged.join(" "), wanted);
        }
    }
}
