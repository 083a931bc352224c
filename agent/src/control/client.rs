//! Asks a running agent.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use std::time::Duration;

use super::protocol::{ANSWER_BYTES_MAX, Answer, Request};
use super::socket::connect;

/// A busy agent answers between two turns; a reload looks at all files.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(30);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Nobody listens.
    #[error("no agent runs with state_dir {0}")]
    NotRunning(String),
    /// It runs and did not answer.
    #[error("ask the agent in {0}: {1}")]
    Io(String, io::Error),
    /// It answered that it cannot.
    #[error("{0}")]
    Refused(String),
}

/// One question.
pub fn ask(state_dir: &Path, request: &Request) -> Result<Answer, AskError> {
    let shown = state_dir.display().to_string();
    let answer = match talk(state_dir, request) {
        Ok(answer) => answer,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            return Err(AskError::NotRunning(shown));
        }
        Err(error) => return Err(AskError::Io(shown, error)),
    };
    match answer {
        Answer::Error(why) => Err(AskError::Refused(why)),
        answer => Ok(answer),
    }
}

fn talk(state_dir: &Path, request: &Request) -> io::Result<Answer> {
    let mut stream = connect(state_dir)?;
    stream.set_read_timeout(Some(ANSWER_TIME_MAX))?;
    stream.set_write_timeout(Some(ANSWER_TIME_MAX))?;
    let mut line = serde_json::to_string(request)?;
    line.push('\n');
    stream.write_all(line.as_bytes())?;
    let mut answer = String::new();
    BufReader::new(stream.take(ANSWER_BYTES_MAX)).read_line(&mut answer)?;
    if !answer.ends_with('\n') {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the answer is not whole"));
    }
    Ok(serde_json::from_str(&answer)?)
}
