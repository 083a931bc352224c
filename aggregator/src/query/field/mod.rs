//! Fields, read out of a raw line when a query asks for them: nothing of them is stored. Pure code: no IO.
//!
//! A line holds fields as JSON, as logfmt, or as logfmt with JSON behind it. A field is named by the keys that lead to it,
//! joined by dots; where a key holds dots itself, that makes no difference. A line may be truncated, broken or no text at
//! all: what can be read counts.
//!
//! | file | what it is |
//! | --- | --- |
//! | `path` | the values of one field in a line |
//! | `list` | all the fields of a line |
//! | `scalar` | a value, and what it comes to as text and as a number |
//! | `line` | which part of a line is logfmt, and which is JSON |
//! | `json` | an object, read from the front, once |
//! | `logfmt` | the pairs of a text |
//! | `needle` | tells by a substring search that a line cannot hold a field, or holds it no more |
//! | `quoted` | strings with escapes |
//! | `number` | how a number is written |

pub mod json;
pub mod line;
pub mod list;
pub mod logfmt;
pub mod needle;
pub mod number;
pub mod path;
pub mod quoted;
pub mod scalar;

#[cfg(test)]
mod model_test;
