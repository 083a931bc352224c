//! The serial number of a certificate: 16 random bytes, positive as RFC 5280 wants it. As text, 32 hexadecimal digits.

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use rcgen::SerialNumber;
use serde::{Deserialize, Serialize};

const BYTES: usize = 16;

/// A number that no other certificate of the authority has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Serial([u8; BYTES]);

/// The text is none.
#[derive(Debug, thiserror::Error)]
#[error("a serial has {} hexadecimal digits", BYTES * 2)]
pub struct NoSerial;

impl Serial {
    /// A new one.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; BYTES];
        getrandom::fill(&mut bytes)?;
        // The first byte is neither negative nor zero: all serials have one length.
        bytes[0] = bytes[0] & 0x7f | 0x40;
        Ok(Self(bytes))
    }
}

impl From<Serial> for SerialNumber {
    fn from(serial: Serial) -> Self {
        Self::from(serial.0.to_vec())
    }
}

impl Display for Serial {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

/// In upper or lower case, with colons or without, as other programs print it.
impl FromStr for Serial {
    type Err = NoSerial;

    fn from_str(text: &str) -> Result<Self, NoSerial> {
        let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b':').collect();
        if digits.len() != BYTES * 2 {
            return Err(NoSerial);
        }
        let mut bytes = [0; BYTES];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for Serial {
    type Error = NoSerial;

    fn try_from(text: String) -> Result<Self, NoSerial> {
        text.parse()
    }
}

impl From<Serial> for String {
    fn from(serial: Serial) -> Self {
        serial.to_string()
    }
}

fn digit(character: u8) -> Result<u8, NoSerial> {
    char::from(character).to_digit(16).and_then(|digit| u8::try_from(digit).ok()).ok_or(NoSerial)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_is_positive_and_survives_its_text() {
        for _ in 0..100 {
            let serial = Serial::random().unwrap();
            assert!(serial.0[0] != 0 && serial.0[0] < 0x80);
            let text = serial.to_string();
            let pairs: Vec<&str> = (0..BYTES).map(|index| &text[index * 2..index * 2 + 2]).collect();
            for text in [text.clone(), text.to_uppercase(), pairs.join(":")] {
                assert_eq!(text.parse::<Serial>().unwrap(), serial);
            }
        }
        for bad in ["", "ab", "web-1", &"g".repeat(32), &"+f".repeat(16), &"a".repeat(33)] {
            assert!(bad.parse::<Serial>().is_err(), "{bad}");
        }
    }
}
