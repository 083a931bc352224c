//! Where the next page begins: the key of the last record that was shown, opaque to who carries it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use super::problem::Problem;
use crate::trace::order::Key;

const VERSION: u8 = 1;
const BYTES: usize = 1 + 8 + 16 + 8;

/// As text.
pub fn encode(key: &Key) -> String {
    let mut bytes = Vec::with_capacity(BYTES);
    bytes.push(VERSION);
    bytes.extend_from_slice(&key.time.to_be_bytes());
    bytes.extend_from_slice(key.source.as_bytes());
    bytes.extend_from_slice(&key.position.to_be_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The reverse; none when it is no cursor of ours.
pub fn decode(text: &str) -> Option<Key> {
    let bytes: [u8; BYTES] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
    (bytes[0] == VERSION).then(|| Key {
        time: i64::from_be_bytes(bytes[1..9].try_into().expect("8 bytes")),
        source: Uuid::from_bytes(bytes[9..25].try_into().expect("16 bytes")),
        position: u64::from_be_bytes(bytes[25..].try_into().expect("8 bytes")),
    })
}

/// The cursor of a request, if it has one.
pub fn parameter(text: Option<&str>) -> Result<Option<Key>, Problem> {
    let Some(text) = text else { return Ok(None) };
    decode(text).map(Some).ok_or_else(|| Problem::BadParameter {
        name: "cursor",
        detail: "not a cursor that this API gave; leave it out to begin at the first record".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_and_nonsense() {
        let key = Key { time: -5, source: Uuid::from_u128(7), position: 9 };
        assert_eq!(decode(&encode(&key)), Some(key));
        assert_eq!(decode("nonsense"), None);
        assert_eq!(decode(""), None);
    }
}
