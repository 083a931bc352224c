//! The few questions that the demo asks the aggregator.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use serde_json::Value;

use crate::http::Caller;

const TIMEOUT: Duration = Duration::from_secs(10);

pub struct Api {
    caller: Caller,
    address: SocketAddr,
}

impl Api {
    pub fn new(address: SocketAddr) -> Self {
        Self { caller: Caller::new(), address }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All of a transaction; nothing when the aggregator holds none with this ID.
    pub async fn transaction(&self, id: &str) -> anyhow::Result<Option<Value>> {
        // The shop's transactions have a few dozen records: one page holds them.
        let url = format!("{}/api/v1/transactions/{id}?limit=10000", self.url());
        let request = Request::get(&url).body(Full::<Bytes>::default())?;
        let answer = self.caller.send(request, TIMEOUT).await;
        let answer = answer.map_err(|error| anyhow::anyhow!("ask {url}: {}", error.0))?;
        match answer.status {
            200 => Ok(Some(serde_json::from_slice(&answer.body).with_context(|| format!("read the answer of {url}"))?)),
            404 => Ok(None),
            status => bail!("{url} answered {status}: {}", String::from_utf8_lossy(&answer.body)),
        }
    }
}

/// Whether the transaction is there, and every agent has shipped what it had.
pub fn is_settled(transaction: Option<&Value>) -> bool {
    transaction.is_some_and(|transaction| transaction["completeness"]["state"] == "settled")
}
