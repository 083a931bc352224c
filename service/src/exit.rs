//! How a program ends: the exit codes of sysexits.h that we use, and the one line that says why.

use std::fmt::Display;
use std::process::ExitCode;

/// The run failed.
pub const FAILURE: u8 = 1;
/// The command line is wrong (`EX_USAGE`).
pub const USAGE: u8 = 64;
/// The configuration is wrong, or the place that it names cannot be used (`EX_CONFIG`).
pub const CONFIG: u8 = 78;

/// Prints `program: why` to standard error, as one line, and returns `code`.
pub fn fail(program: &str, code: u8, why: impl Display) -> ExitCode {
    eprintln!("{program}: {why}");
    ExitCode::from(code)
}

/// A panic in any thread ends the process: nothing goes on without one of its parts. Release builds do so by themselves.
pub fn abort_on_panic() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        std::process::abort();
    }));
}

/// A configuration that cannot be used: what is wrong, where, and what to do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub String);

impl ConfigError {
    /// From anything that can be printed.
    pub fn new(why: impl Display) -> Self {
        Self(why.to_string())
    }
}
