//! A source as the aggregator knows it: one incarnation of one file on one agent.

use uuid::Uuid;

/// What never changes while batches of the source arrive, but for `path` when the file is renamed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Random, made by the agent for this incarnation of the file.
    pub id: Uuid,
    /// The agent that reads it.
    pub agent: Uuid,
    /// The agent's host name.
    pub host: String,
    /// The service whose log it is.
    pub service: String,
    /// The file's path when the source was opened; bytes, as paths are.
    pub path: Vec<u8>,
    /// What the agent knows of where it comes from (pod, container): names and values, as of its first opening.
    pub labels: Vec<(String, String)>,
}

impl Source {
    /// The path as text, for answers.
    pub fn file(&self) -> String {
        String::from_utf8_lossy(&self.path).into_owned()
    }
}
