//! How `clew-aggregator backup` asks the running aggregator for an image: one line over the socket `data_dir/control`, one line back.
//!
//! Who may open the socket may read all of `data_dir` anyway: it asks for no token.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::oneshot;

use crate::head::appender::SnapshotReply;

const NAME: &str = "control";
const QUESTION: &str = "snapshot\n";
const LINE_BYTES_MAX: u64 = 64 << 10;
/// sockaddr_un(7): 108 bytes with the NUL at their end.
const ADDRESS_BYTES: usize = 108;
/// A client has so long for its question.
const QUESTION_TIME_MAX: Duration = Duration::from_secs(5);
/// An aggregator that replays its log is not there yet; the command asks again this often, this long.
const RETRY: Duration = Duration::from_millis(200);
const START_TIME_MAX: Duration = Duration::from_secs(600);

#[derive(Serialize, Deserialize)]
struct Answer {
    /// None: the image is there.
    error: Option<String>,
}

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Nobody answers.
    #[error("ask the aggregator that holds {data_dir}: {error}; run this as its user, when it has started")]
    Socket {
        /// Whose.
        data_dir: PathBuf,
        /// What came of it.
        error: io::Error,
    },
    /// It could not make one.
    #[error("{0}")]
    Refused(String),
}

/// Listens; what another process left under the name is replaced. To be called with the folder's lock in hand.
pub fn listen(data_dir: &Path) -> io::Result<UnixListener> {
    let path = data_dir.join(NAME);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let (address, _folder) = address(data_dir)?;
    UnixListener::bind(address)
}

/// The socket's address holds 107 bytes of a path. A longer one is gone to through an open handle of the folder.
fn address(data_dir: &Path) -> io::Result<(PathBuf, Option<File>)> {
    let path = data_dir.join(NAME);
    if path.as_os_str().len() < ADDRESS_BYTES {
        return Ok((path, None));
    }
    let folder = File::open(data_dir)?;
    Ok((format!("/proc/self/fd/{}/{NAME}", folder.as_raw_fd()).into(), Some(folder)))
}

/// Answers one after the other until the task is dropped; `asked` leads to the head.
pub async fn serve(listener: UnixListener, asked: Sender<SnapshotReply>) {
    loop {
        let talked = match listener.accept().await {
            Ok((stream, _)) => talk(stream, &asked).await,
            Err(error) => {
                tokio::time::sleep(Duration::from_secs(1)).await;
                Err(error)
            }
        };
        if let Err(error) = talked {
            tracing::warn!("control socket: {error}");
        }
    }
}

async fn talk(mut stream: UnixStream, asked: &Sender<SnapshotReply>) -> io::Result<()> {
    let mut question = String::new();
    let mut reader = BufReader::new((&mut stream).take(LINE_BYTES_MAX));
    tokio::time::timeout(QUESTION_TIME_MAX, reader.read_line(&mut question)).await??;
    let error = if question == QUESTION {
        let (reply, made) = oneshot::channel();
        let ending = || "the aggregator is ending: run this again".to_owned();
        match asked.send(reply) {
            Ok(()) => made.await.unwrap_or_else(|_| Err(ending())).err(),
            Err(_) => Some(ending()),
        }
    } else {
        Some("not a question that this version knows: use the same version as the aggregator's".to_owned())
    };
    let mut line = serde_json::to_string(&Answer { error })?;
    line.push('\n');
    stream.write_all(line.as_bytes()).await?;
    stream.shutdown().await
}

/// Has the aggregator that holds `data_dir` make an image. It may just be starting.
pub async fn ask(data_dir: &Path) -> Result<(), ControlError> {
    let socket = |error| ControlError::Socket { data_dir: data_dir.to_owned(), error };
    let begin = std::time::Instant::now();
    let mut stream = loop {
        let (address, _folder) = address(data_dir).map_err(socket)?;
        match UnixStream::connect(address).await {
            Ok(stream) => break stream,
            Err(error) => {
                let may_start = matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused);
                if !may_start || begin.elapsed() > START_TIME_MAX {
                    return Err(socket(error));
                }
            }
        }
        tokio::time::sleep(RETRY).await;
    };
    stream.write_all(QUESTION.as_bytes()).await.map_err(socket)?;
    let mut line = String::new();
    BufReader::new(stream.take(LINE_BYTES_MAX)).read_line(&mut line).await.map_err(socket)?;
    let answer: Answer = serde_json::from_str(&line)
        .map_err(|_| socket(io::Error::new(ErrorKind::UnexpectedEof, "it ended before it answered")))?;
    answer.error.map_or(Ok(()), |error| Err(ControlError::Refused(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_answer_comes_back_and_an_end_is_told() {
        let dir = tempfile::Builder::new().prefix(&"long".repeat(30)).tempdir().unwrap();
        std::fs::write(dir.path().join(NAME), "left over").unwrap();
        let (asked, asks) = std::sync::mpsc::channel::<SnapshotReply>();
        let task = tokio::spawn(serve(listen(dir.path()).unwrap(), asked));
        let head = std::thread::spawn(move || {
            asks.recv().unwrap().send(Ok(())).unwrap();
            asks.recv().unwrap().send(Err("snapshot: no space".into())).unwrap();
            drop(asks.recv().unwrap());
        });
        ask(dir.path()).await.unwrap();
        assert_eq!(ask(dir.path()).await.unwrap_err().to_string(), "snapshot: no space");
        assert!(ask(dir.path()).await.unwrap_err().to_string().contains("is ending"));
        head.join().unwrap();
        assert!(ask(dir.path()).await.unwrap_err().to_string().contains("is ending"));
        task.abort();
    }
}
