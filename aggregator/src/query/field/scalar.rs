//! One scalar that stands in a line, and what it comes to.

use std::borrow::Cow;

use super::number;

/// A value that is neither object nor array. The bytes are those of the line: valid UTF-8 or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scalar<'a> {
    /// A string: its escapes are resolved.
    Text(Cow<'a, [u8]>),
    /// A number as it is written, which is as JSON has it.
    Number(&'a [u8]),
    Bool(bool),
    Null,
}

impl<'a> Scalar<'a> {
    /// What is written without quotes: a number, `true`, `false`, `null`, or else a text.
    pub fn bare(written: &'a [u8]) -> Self {
        match written {
            b"true" => Self::Bool(true),
            b"false" => Self::Bool(false),
            b"null" => Self::Null,
            _ if number::is_number(written) => Self::Number(written),
            _ => Self::Text(Cow::Borrowed(written)),
        }
    }

    /// What it is: `text`, `number`, `bool` or `null`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Number(_) => "number",
            Self::Bool(_) => "bool",
            Self::Null => "null",
        }
    }

    /// As it would be shown: the string, the number as written, `true`, `false` or `null`.
    pub fn text(&self) -> &[u8] {
        match self {
            Self::Text(text) => text,
            Self::Number(written) => written,
            Self::Bool(true) => b"true",
            Self::Bool(false) => b"false",
            Self::Null => b"null",
        }
    }

    /// The nearest `f64` of a number, or of a text that is one from end to end. Beyond the range it is infinite.
    pub fn number(&self) -> Option<f64> {
        let written = self.written().filter(|written| number::is_number(written))?;
        std::str::from_utf8(written).ok()?.parse().ok()
    }

    /// The exact value of a number, or of a text that is one, when it is written without fraction and exponent and fits:
    /// an `f64` tells integers from each other up to 2^53 only, and IDs are longer.
    pub fn integer(&self) -> Option<i128> {
        let written = self.written().filter(|written| number::is_integer(written))?;
        std::str::from_utf8(written).ok()?.parse().ok()
    }

    fn written(&self) -> Option<&[u8]> {
        match self {
            Self::Text(_) | Self::Number(_) => Some(self.text()),
            Self::Bool(_) | Self::Null => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_scalar_comes_to() {
        let text = |text: &'static str| Scalar::Text(Cow::Borrowed(text.as_bytes()));
        for (scalar, shown, number, integer) in [
            (Scalar::Number(b"200"), "200", Some(200.0), Some(200)),
            (Scalar::Number(b"-0"), "-0", Some(-0.0), Some(0)),
            (Scalar::Number(b"1e5"), "1e5", Some(1e5), None),
            (Scalar::Number(b"2.50"), "2.50", Some(2.5), None),
            (Scalar::Number(b"9007199254740993"), "9007199254740993", Some(9007199254740992.0), Some(9007199254740993)),
            (Scalar::Number(b"1e999"), "1e999", Some(f64::INFINITY), None),
            (text("200"), "200", Some(200.0), Some(200)),
            (text("200 "), "200 ", None, None),
            (text("007"), "007", None, None),
            (text("inf"), "inf", None, None),
            (text(""), "", None, None),
            (Scalar::Bool(true), "true", None, None),
            (Scalar::Bool(false), "false", None, None),
            (Scalar::Null, "null", None, None),
        ] {
            assert_eq!(scalar.text(), shown.as_bytes());
            assert_eq!(scalar.number(), number, "{shown}");
            assert_eq!(scalar.integer(), integer, "{shown}");
        }
        let too_long = [b'9'; 60];
        assert_eq!(Scalar::Number(&too_long).integer(), None);
    }

    #[test]
    fn what_is_written_without_quotes() {
        assert_eq!(Scalar::bare(b"true"), Scalar::Bool(true));
        assert_eq!(Scalar::bare(b"null"), Scalar::Null);
        assert_eq!(Scalar::bare(b"-1.5"), Scalar::Number(b"-1.5"));
        assert_eq!(Scalar::bare(b"10.0.0.1"), Scalar::Text(Cow::Borrowed(b"10.0.0.1")));
        assert_eq!(Scalar::bare(b"True"), Scalar::Text(Cow::Borrowed(b"True")));
    }
}
