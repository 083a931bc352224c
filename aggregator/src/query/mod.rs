//! The query language, and which records of a block fulfil a query. Pure code: no IO, no clock.
//!
//! | file | what it is |
//! | --- | --- |
//! | `language` | from the text that a person types to a tree of tests, and back |
//! | `field` | values of keys, read out of a raw line |
//! | `needle` | a text that is looked for in lines |
//! | `line_regex` | a regex that is looked for in lines |
//! | `lines` | where lines stand in a block's text |
//! | `value` | tests of one value |
//! | `predicate` | a query made ready |
//! | `narrow` | what the index can say about a query |
//! | `dimension` | what records are grouped by |
//! | `evaluate` | which records of a block fulfil a predicate |

pub mod dimension;
pub mod evaluate;
pub mod field;
pub mod language;
pub mod line_regex;
pub mod lines;
pub mod narrow;
pub mod needle;
pub mod predicate;
pub mod value;
