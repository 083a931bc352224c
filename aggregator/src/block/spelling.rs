//! A transaction ID with the way it was spelled.
//!
//! The usual spellings are a function of the number, so a block stores 16 bytes and a code for them; only an unusual
//! spelling is kept as text.

use crate::id::Canonical;

/// An ID as one record spelled it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SpelledId {
    /// What all spellings have in common.
    pub canonical: Canonical,
    /// How this one was spelled.
    pub form: Form,
    /// A `v1::IdKind` value.
    pub kind: u8,
    /// It does not stand in the record: a rule of the agent attached it.
    pub attached: bool,
}

/// How an ID was spelled.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// 32 lower-case hex digits.
    Hex32,
    /// Lower-case UUID with dashes.
    Uuid,
    /// 16 lower-case hex digits.
    Hex16,
    /// As these bytes say.
    Other(Box<[u8]>),
}

impl SpelledId {
    /// From the bytes on the wire; not attached.
    pub fn new(spelling: &[u8], kind: u8) -> Self {
        if let Some(number) = lower_hex32(spelling) {
            return Self { canonical: Canonical::Number(number), form: Form::Hex32, kind, attached: false };
        }
        let canonical = Canonical::parse(spelling);
        let form = match &canonical {
            Canonical::Number(number) => [Form::Hex32, Form::Uuid, Form::Hex16]
                .into_iter()
                .find(|form| form.width() == spelling.len() && form.spell(*number) == spelling)
                .unwrap_or_else(|| Form::Other(spelling.into())),
            Canonical::Text(_) => Form::Other(spelling.into()),
        };
        Self { canonical, form, kind, attached: false }
    }

    /// Whether the spelling is a function of the number.
    pub fn is_number(&self) -> bool {
        !matches!(self.form, Form::Other(_))
    }

    /// The ID as it stands in the record, if that is 32 hex digits: the commonest spelling by far.
    pub fn hex32(&self) -> Option<[u8; 32]> {
        match (&self.form, &self.canonical) {
            (Form::Hex32, Canonical::Number(number)) => Some(hex32(*number)),
            _ => None,
        }
    }

    /// The ID as it stands in the record.
    pub fn spelling(&self) -> Vec<u8> {
        match (&self.form, &self.canonical) {
            (Form::Other(bytes), _) => bytes.to_vec(),
            (form, Canonical::Number(number)) => form.spell(*number),
            (_, Canonical::Text(text)) => text.to_vec(),
        }
    }
}

fn hex32(number: u128) -> [u8; 32] {
    let mut out = [0; 32];
    for (pair, byte) in out.chunks_exact_mut(2).zip(number.to_be_bytes()) {
        pair.copy_from_slice(&[hex_digit(byte >> 4), hex_digit(byte & 15)]);
    }
    out
}

/// Of a number below 16, without a table, so that many are made at a time.
fn hex_digit(number: u8) -> u8 {
    let beyond_nine = if number > 9 { b'a' - b'9' - 1 } else { 0 };
    b'0' + number + beyond_nine
}

/// The commonest spelling by far, in one pass.
fn lower_hex32(spelling: &[u8]) -> Option<u128> {
    const INVALID: u8 = 0xff;
    const VALUES: [u8; 256] = {
        let mut values = [INVALID; 256];
        let mut digit = 0;
        while digit < 16 {
            values[b"0123456789abcdef"[digit] as usize] = digit as u8;
            digit += 1;
        }
        values
    };
    let spelling: &[u8; 32] = spelling.try_into().ok()?;
    let (mut high, mut low, mut seen) = (0u64, 0u64, 0u8);
    for index in 0..16 {
        let (left, right) = (VALUES[spelling[index] as usize], VALUES[spelling[index + 16] as usize]);
        seen |= left | right;
        high = high << 4 | u64::from(left & 15);
        low = low << 4 | u64::from(right & 15);
    }
    (seen < 16).then_some(u128::from(high) << 64 | u128::from(low))
}

impl Form {
    /// Length of the spelling, for those that have a fixed one.
    fn width(&self) -> usize {
        match self {
            Self::Hex32 => 32,
            Self::Uuid => 36,
            Self::Hex16 => 16,
            Self::Other(bytes) => bytes.len(),
        }
    }

    fn spell(&self, number: u128) -> Vec<u8> {
        if matches!(self, Self::Hex32) {
            return hex32(number).to_vec();
        }
        if let Self::Other(bytes) = self {
            return bytes.to_vec();
        }
        let digits = if matches!(self, Self::Hex16) { 16 } else { 32 };
        let mut out = Vec::with_capacity(36);
        for index in (0..digits).rev() {
            out.push(hex_digit((number >> (4 * index)) as u8 & 15));
            if matches!(self, Self::Uuid) && matches!(index, 24 | 20 | 16 | 12) {
                out.push(b'-');
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_comes_back() {
        let spellings = [
            "4bf92f3577b34da6a3ce929d0e0e4736",
            "4bf92f35-77b3-4da6-a3ce-929d0e0e4736",
            "4BF92F35-77B3-4DA6-A3CE-929D0E0E4736",
            "0af7651916cd43dd",
            "790163212568445917",
            "req-ABC",
            "1-4bf92f35-77b34da6a3ce929d0e0e4736",
            "",
        ];
        for spelling in spellings {
            assert_eq!(SpelledId::new(spelling.as_bytes(), 1).spelling(), spelling.as_bytes());
        }
        assert_eq!(SpelledId::new(spellings[1].as_bytes(), 1).form, Form::Uuid);
        assert_eq!(SpelledId::new(spellings[3].as_bytes(), 1).form, Form::Hex16);
    }
}
