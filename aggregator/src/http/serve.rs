//! Serves HTTP on connections that were let in, and ends them when the program ends.

use std::time::Duration;

use axum::Router;
use clew_service::shutdown::CancellationToken;
use hyper::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::sync::mpsc;
use tower::ServiceExt;

use crate::listen::connection::Connection;

/// A request's head is there within this time, also the next one on a connection that is kept.
const HEAD_TIME_MAX: Duration = Duration::from_secs(60);
/// Of HTTP/2: a client that does not answer is gone.
const PING_INTERVAL: Duration = Duration::from_secs(20);
/// Of HTTP/2: requests of a client at a time.
const STREAMS_MAX: u32 = 128;
/// Answers that are being written when the program is told to stop get so long.
const GRACE: Duration = Duration::from_secs(5);

/// Serves until `shutdown`, and then what is being answered.
pub async fn serve(mut connections: mpsc::Receiver<Connection>, router: Router, shutdown: CancellationToken) {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIME_MAX);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(PING_INTERVAL).max_concurrent_streams(STREAMS_MAX);
    let ending = GracefulShutdown::new();
    loop {
        let connection = tokio::select! {
            () = shutdown.cancelled() => break,
            connection = connections.recv() => connection,
        };
        let Some(connection) = connection else { break };
        let (router, caller) = (router.clone(), connection.caller().clone());
        let answer = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(caller.clone());
            router.clone().oneshot(request)
        });
        let served = ending.watch(builder.serve_connection(TokioIo::new(connection), answer).into_owned());
        tokio::spawn(async move {
            if let Err(error) = served.await {
                tracing::debug!("http: a connection ends: {error}");
            }
        });
    }
    tokio::select! {
        () = ending.shutdown() => {}
        () = tokio::time::sleep(GRACE) => {}
    }
}
