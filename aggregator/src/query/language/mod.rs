//! The query language: from the text that a person types to a tree of tests. Pure: nothing here knows a record.
//!
//! | file | what it is |
//! | --- | --- |
//! | `ast` | what a query is once it is read |
//! | `parser` | operators, precedence, groups: the entry point, `parser::parse` |
//! | `lexer` | from text to tokens: parentheses, operators, field names, and the limits |
//! | `value` | one word, phrase or comparison |
//! | `range` | `[a TO b]` |
//! | `regex` | `/…/`, and what is a path instead |
//! | `unit` | characters and what a backslash makes of them |
//! | `name` | field names, both ways |
//! | `check` | what the built-in fields demand of their values |
//! | `level` | names of levels and their order |
//! | `time` | points in time, absolute or counted from now |
//! | `display` | from the tree back to text |
//! | `error` | what is wrong, where, and what to write instead |
//!
//! Invariants: reading takes linear time, recurses no deeper than [`lexer::DEPTH_MAX`] and never panics; the text that a query
//! is displayed as reads back as the same query, as long as it stays within [`lexer::QUERY_BYTES_MAX`].

pub mod ast;
mod check;
mod display;
pub mod error;
pub mod level;
pub mod lexer;
pub mod name;
pub mod parser;
mod range;
mod regex;
pub mod time;
mod unit;
mod value;

#[cfg(test)]
mod parser_test;
#[cfg(test)]
mod round_trip_test;
