//! Times of receipt of which something is missing since a restore: `data_dir/absences`, JSON with a version.
//!
//! A restore writes it, a backup takes it along, and every verdict about a time in it says so.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::data_dir::own;

const NAME: &str = "absences";
/// Version of the form. Another one is refused.
const FORMAT: u32 = 1;
const DAY_NS: i64 = 86_400_000_000_000;

/// Why it cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum AbsenceError {
    /// The file system refuses.
    #[error("absences {path}: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What came of it.
        error: io::Error,
    },
    /// It makes no sense.
    #[error("absences {path}: {why}; without the file answers no longer say what a restore left out")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// Another version wrote it.
    #[error("absences {path} has format {found}, this program reads format {FORMAT}: run the version that wrote it")]
    Format {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
}

/// Why something is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// It came in after the backup was made, and some of it may stand in no file any more.
    AfterBackup,
    /// The day was not restored.
    LeftOut,
    /// The day's partition was damaged when the backup was made.
    Damaged,
}

impl Why {
    /// As answers name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::AfterBackup => "after_backup",
            Self::LeftOut => "left_out",
            Self::Damaged => "damaged",
        }
    }
}

/// Of what was received in this time something is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Absence {
    /// From here on, nanoseconds since the epoch.
    pub from_ns: i64,
    /// Up to here.
    pub to_ns: i64,
    /// Why.
    pub why: Why,
}

impl Absence {
    /// A day, counted since the epoch, that was not restored.
    pub fn of_day_left_out(day: i64) -> Self {
        Self { from_ns: day * DAY_NS, to_ns: (day + 1) * DAY_NS, why: Why::LeftOut }
    }

    /// A day, counted since the epoch, that was damaged.
    pub fn of_day_aside(day: i64) -> Self {
        Self { from_ns: day * DAY_NS, to_ns: (day + 1) * DAY_NS, why: Why::Damaged }
    }
}

#[derive(Serialize, Deserialize)]
struct Written {
    format: u32,
    absences: Vec<Absence>,
}

#[derive(Deserialize)]
struct Version {
    format: u32,
}

/// All of them; without a file, none.
pub fn read(data_dir: &Path) -> Result<Vec<Absence>, AbsenceError> {
    let path = data_dir.join(NAME);
    let text = match std::fs::read(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        text => text.map_err(|error| AbsenceError::Io { path: path.clone(), error })?,
    };
    let malformed = |error: serde_json::Error| AbsenceError::Malformed { path: path.clone(), why: error.to_string() };
    let Version { format } = serde_json::from_slice(&text).map_err(malformed)?;
    if format != FORMAT {
        return Err(AbsenceError::Format { path, found: format });
    }
    Ok(serde_json::from_slice::<Written>(&text).map_err(malformed)?.absences)
}

/// Writes them into `dir`, durably: without them answers would take themselves for whole.
pub fn write(dir: &Path, absences: &[Absence]) -> Result<(), AbsenceError> {
    let text = serde_json::to_vec(&Written { format: FORMAT, absences: absences.to_vec() }).expect("numbers are JSON");
    own::write(dir, NAME, &text).map_err(|error| AbsenceError::Io { path: dir.join(NAME), error })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_come_back_and_a_newer_form_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(dir.path()).unwrap(), []);
        let absences = [
            Absence { from_ns: 5, to_ns: 9, why: Why::AfterBackup },
            Absence::of_day_left_out(3),
            Absence::of_day_aside(4),
        ];
        write(dir.path(), &absences).unwrap();
        assert_eq!(read(dir.path()).unwrap(), absences);
        std::fs::write(dir.path().join(NAME), r#"{"format":2,"ranges":[]}"#).unwrap();
        let error = read(dir.path()).unwrap_err().to_string();
        assert!(error.contains("has format 2, this program reads format 1"), "{error}");
        std::fs::write(dir.path().join(NAME), "[").unwrap();
        assert!(read(dir.path()).unwrap_err().to_string().contains("absences"));
    }
}
