//! The secret of a token: `clew_` and 256 random bits as 43 characters of base64url.
//!
//! What is kept of it is its SHA-256. That is enough, and a slow hash of passwords would add nothing: nobody can try 2^256 secrets,
//! however fast each attempt is, and a request must not cost the aggregator the time that such a hash takes. The prefix is there for
//! scanners that look for secrets in repositories and logs.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// What every secret begins with.
pub const PREFIX: &str = "clew_";
const RANDOM_BYTES: usize = 32;
/// In base64url, without padding.
const RANDOM_CHARACTERS: usize = 43;

/// SHA-256 of a secret.
#[derive(Clone, Copy, PartialEq, Eq, std::hash::Hash)]
pub struct Hash([u8; 32]);

/// A new secret.
pub fn generate() -> Result<String, getrandom::Error> {
    Ok(format!("{PREFIX}{}", random()?))
}

/// 256 random bits, in base64url.
pub fn random() -> Result<String, getrandom::Error> {
    let mut bytes = [0; RANDOM_BYTES];
    getrandom::fill(&mut bytes)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// Whether `text` is a secret as [`generate`] makes them. What people think of themselves is not: it can be guessed.
pub fn is_well_formed(text: &str) -> bool {
    let random = text.strip_prefix(PREFIX).unwrap_or_default();
    random.len() == RANDOM_CHARACTERS && URL_SAFE_NO_PAD.decode(random).is_ok()
}

impl Hash {
    /// Of what somebody shows.
    pub fn of(secret: &str) -> Self {
        Self(Sha256::digest(secret.as_bytes()).into())
    }

    /// From its 64 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, place) in bytes.iter_mut().zip((0..).step_by(2)) {
            *byte = u8::from_str_radix(&text[place..place + 2], 16).ok()?;
        }
        Some(Self(bytes))
    }

    /// Names a token without telling anything of use about its secret: eight digits, of 64.
    pub fn id(&self) -> String {
        self.to_string()[..8].to_owned()
    }

    /// Whether both are the same. How long that takes says nothing of where they differ.
    pub fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

/// Nobody needs it in a log.
impl fmt::Debug for Hash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Hash(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_secret_is_another_and_well_formed() {
        let secrets: Vec<String> = (0..100).map(|_| generate().expect("random bytes")).collect();
        let different: std::collections::BTreeSet<&String> = secrets.iter().collect();
        assert_eq!(different.len(), secrets.len());
        assert!(secrets.iter().all(|secret| is_well_formed(secret) && secret.len() == 48));
    }

    #[test]
    fn what_can_be_guessed_is_not_well_formed() {
        let secret = generate().expect("random bytes");
        for text in ["", "clew_", "clew_password", &secret[5..], &secret[..47], &format!("{secret}A"), "clew_é"] {
            assert!(!is_well_formed(text), "{text:?}");
        }
    }

    #[test]
    fn a_hash_is_the_standards_and_goes_through_text() {
        // FIPS 180-2, appendix B.1.
        let hash = Hash::of("abc");
        let text = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hash.to_string(), text);
        assert_eq!(Hash::parse(text), Some(hash));
        for wrong in ["", &text[1..], &format!("{text}0"), &text.replace('b', "g"), &format!("é{}", &text[2..])] {
            assert_eq!(Hash::parse(wrong), None, "{wrong}");
        }
        assert!(hash.matches(&Hash::of("abc")) && !hash.matches(&Hash::of("abd")));
        assert!(!format!("{hash:?}").contains("ba78"));
    }
}
