//! Takes questions and has them answered: by the pipeline, or, for a reload, by the reloader.

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, oneshot};

use super::protocol::{ANSWER_BYTES_MAX, Answer, REQUEST_BYTES_MAX, Request};
use crate::metrics::Metrics;
use crate::pipeline::{Control, Event};
use crate::reload::Reloader;

/// So many are answered at a time; others wait in the kernel's queue.
const CLIENTS_MAX: usize = 8;
/// A client has so much time for its question, and for taking the answer.
const CLIENT_TIME_MAX: Duration = Duration::from_secs(5);
/// The pipeline has so much time for an answer: a first look at very many files takes a while.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(30);

/// What answers are made by.
pub struct Operator {
    pub events: Sender<Event>,
    pub reloader: Arc<Reloader>,
    pub metrics: Arc<Metrics>,
}

/// Answers until the task is dropped.
pub async fn serve(listener: UnixListener, operator: Arc<Operator>) {
    let places = Arc::new(Semaphore::new(CLIENTS_MAX));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let operator = operator.clone();
                tokio::spawn(async move {
                    if let Err(error) = talk(stream, &operator).await {
                        tracing::debug!("control socket: {error}");
                    }
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!("accept on the control socket: {error}");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

async fn talk(mut stream: UnixStream, operator: &Operator) -> std::io::Result<()> {
    operator.metrics.control_requests.inc();
    let user = stream.peer_cred()?.uid();
    let ours = rustix::process::geteuid().as_raw();
    let answer = if user != ours && user != 0 {
        Answer::Error(format!("user {user} is neither the agent's ({ours}) nor root"))
    } else {
        match tokio::time::timeout(CLIENT_TIME_MAX, question(&mut stream)).await {
            Ok(Ok(request)) => operator.answer(request).await,
            Ok(Err(why)) => Answer::Error(why),
            Err(_) => Answer::Error("no question came in time".into()),
        }
    };
    let mut line = serde_json::to_string(&answer)?;
    if line.len() as u64 >= ANSWER_BYTES_MAX {
        line = serde_json::to_string(&Answer::Error("the answer is too long".into()))?;
    }
    line.push('\n');
    tokio::time::timeout(CLIENT_TIME_MAX, stream.write_all(line.as_bytes())).await??;
    stream.shutdown().await
}

async fn question(stream: &mut UnixStream) -> Result<Request, String> {
    let mut line = String::new();
    let mut reader = BufReader::new(stream.take(REQUEST_BYTES_MAX));
    reader.read_line(&mut line).await.map_err(|error| error.to_string())?;
    if !line.ends_with('\n') {
        return Err(format!("a question is one line of JSON of at most {REQUEST_BYTES_MAX} bytes"));
    }
    serde_json::from_str(&line).map_err(|error| format!("not a question: {error}"))
}

impl Operator {
    async fn answer(&self, request: Request) -> Answer {
        match request {
            Request::Status => self.ask(Control::Status).await.map(Answer::Status),
            Request::Audit => self.ask(Control::Audit).await.map(Answer::Audit),
            Request::Explain { path } => {
                let path = path.path();
                self.ask(|reply| Control::Explain { path, reply }).await.map(Answer::Explain)
            }
            Request::Reload => self.reloader.reload().await.map(Answer::Reload),
        }
        .unwrap_or_else(Answer::Error)
    }

    /// Has the pipeline answer.
    async fn ask<T>(&self, question: impl FnOnce(oneshot::Sender<T>) -> Control) -> Result<T, String> {
        let (reply, answer) = oneshot::channel();
        let ended = || "the agent is ending".to_owned();
        self.events.send(Event::Control(question(reply))).map_err(|_| ended())?;
        match tokio::time::timeout(ANSWER_TIME_MAX, answer).await {
            Ok(answer) => answer.map_err(|_| ended()),
            Err(_) => Err(format!("the pipeline did not answer within {ANSWER_TIME_MAX:?}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn said(bytes: &[u8]) -> Result<Request, String> {
        let (mut ours, mut theirs) = UnixStream::pair().unwrap();
        let (read, ()) = tokio::join!(question(&mut theirs), async {
            let _ = ours.write_all(bytes).await;
            let _ = ours.shutdown().await;
        });
        read
    }

    #[tokio::test]
    async fn only_a_short_line_of_json_is_a_question() {
        assert_eq!(said(b"\"audit\"\n").await, Ok(Request::Audit));
        assert!(said(b"\"audit\"").await.unwrap_err().contains("one line"));
        assert!(said(b"\"adit\"\n").await.unwrap_err().contains("adit"));
        assert!(said(&vec![b' '; REQUEST_BYTES_MAX as usize + 1]).await.unwrap_err().contains("one line"));
        assert!(said(b"\xff\n").await.is_err());
    }
}
