//! Questions and answers of the control socket: one line of JSON each way, then the connection ends.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::report::{Books, Explanation, Reloaded, Status};

/// A longer question is none: a path has at most 4,096 bytes.
pub const REQUEST_BYTES_MAX: u64 = 64 << 10;
/// Books of a hundred thousand files fit.
pub const ANSWER_BYTES_MAX: u64 = 64 << 20;

/// `"status"`, `{"explain": {"path": "/var/log/a.log"}}`.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    Status,
    Explain { path: WirePath },
    Audit,
    Reload,
}

/// `{"status": …}`, or `{"error": "why not"}`.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    Status(Status),
    Explain(Explanation),
    Audit(Books),
    Reload(Reloaded),
    Error(String),
}

/// A path: text, or, if it is not UTF-8, its bytes as numbers.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum WirePath {
    Text(String),
    Bytes(Vec<u8>),
}

impl WirePath {
    /// Of a path.
    pub fn new(path: &Path) -> Self {
        match path.to_str() {
            Some(text) => Self::Text(text.to_owned()),
            None => Self::Bytes(path.as_os_str().as_bytes().to_vec()),
        }
    }

    /// As a path.
    pub fn path(&self) -> PathBuf {
        match self {
            Self::Text(text) => text.into(),
            Self::Bytes(bytes) => OsStr::from_bytes(bytes).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_short_to_type_and_paths_need_not_be_unicode() {
        assert_eq!(serde_json::from_str::<Request>("\"status\"").unwrap(), Request::Status);
        let odd = Path::new(OsStr::from_bytes(b"/a/\xff.log"));
        for path in [Path::new("/a/b.log"), odd] {
            let request = Request::Explain { path: WirePath::new(path) };
            let text = serde_json::to_string(&request).unwrap();
            let Request::Explain { path: back } = serde_json::from_str(&text).unwrap() else { panic!("{text}") };
            assert_eq!(back.path(), path);
        }
        assert!(serde_json::from_str::<Request>("{\"explain\":{\"path\":\"/a\",\"x\":1}}").is_err());
    }
}
