//! `data_dir/tokens.used`: when each token was last used, for `clew-aggregator token list`. JSON, by ID. The aggregator alone writes it,
//! once a minute at most; losing it loses nothing else.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::data_dir::own;

const VERSION: u32 = 1;
const NAME: &str = "tokens.used";

/// When a token of this ID was last used, nanoseconds since the epoch.
pub type Uses = BTreeMap<String, i64>;

#[derive(Serialize, Deserialize)]
struct Stored {
    version: u32,
    used_ns: Uses,
}

/// What was written last; nothing where there is nothing that can be read.
pub fn read(data_dir: &Path) -> Uses {
    let stored = std::fs::read(data_dir.join(NAME)).ok().and_then(|text| serde_json::from_slice::<Stored>(&text).ok());
    stored.filter(|stored| stored.version == VERSION).map(|stored| stored.used_ns).unwrap_or_default()
}

/// Replaces it.
pub fn write(data_dir: &Path, uses: &Uses) -> std::io::Result<()> {
    own::write(data_dir, NAME, &serde_json::to_vec(&Stored { version: VERSION, used_ns: uses.clone() })?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_what_is_damaged_is_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let uses = Uses::from([("5a1f3c09".to_owned(), 7)]);
        for _ in 0..2 {
            write(folder.path(), &uses).expect("written");
            assert_eq!(read(folder.path()), uses);
        }
        for text in ["", "{", "{\"version\":2,\"used_ns\":{}}"] {
            std::fs::write(folder.path().join(NAME), text).expect("written");
            assert_eq!(read(folder.path()), Uses::new(), "{text}");
        }
    }
}
