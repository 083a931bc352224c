//! From the tree back to text, which reads back as the same tree.
//!
//! The text has one spelling for everything: no `AND`, `-` for `NOT`, parentheses only where they are needed, every test with its
//! own field. A backslash stands before whatever could be read as something else.

use std::fmt::{Display, Formatter, Result, Write};

use super::ast::{Bound, Comparison, Query, Test, What};
use super::value::OPERATORS;

impl Display for Query {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        match self {
            Self::All => out.write_str("*"),
            Self::Test(test) => test.fmt(out),
            Self::Not(part) => {
                out.write_str("-")?;
                grouped(out, part, matches!(**part, Self::And(_) | Self::Or(_)))
            }
            Self::And(parts) => joined(out, parts, " ", |part| matches!(part, Self::Or(_))),
            Self::Or(parts) => joined(out, parts, " OR ", |_| false),
        }
    }
}

fn joined(out: &mut Formatter<'_>, parts: &[Query], between: &str, in_group: fn(&Query) -> bool) -> Result {
    for (number, part) in parts.iter().enumerate() {
        if number > 0 {
            out.write_str(between)?;
        }
        grouped(out, part, in_group(part))?;
    }
    Ok(())
}

fn grouped(out: &mut Formatter<'_>, query: &Query, in_group: bool) -> Result {
    if in_group { write!(out, "({query})") } else { query.fmt(out) }
}

impl Display for Test {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        if let Some(field) = &self.field {
            write!(out, "{field}:")?;
        }
        let fielded = self.field.is_some();
        match &self.what {
            What::Exists => out.write_str("*"),
            What::Word(text) => {
                // Behind a colon an operator is a word anyway.
                if !fielded && OPERATORS.contains(&text.as_str()) {
                    out.write_str("\\")?;
                }
                word(out, text, fielded)
            }
            What::Prefix(text) => {
                word(out, text, fielded)?;
                out.write_str("*")
            }
            What::Phrase(text) => quoted(out, text),
            What::Regex(text) => regex(out, text),
            What::Compare(comparison, operand) => {
                comparison.fmt(out)?;
                plain_or_quoted(out, operand)
            }
            What::Range { from, to } => {
                out.write_str(if matches!(from, Bound::Excluding(_)) { "{" } else { "[" })?;
                bound(out, from)?;
                out.write_str(" TO ")?;
                bound(out, to)?;
                out.write_str(if matches!(to, Bound::Excluding(_)) { "}" } else { "]" })
            }
        }
    }
}

impl Display for Comparison {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        out.write_str(match self {
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
        })
    }
}

fn bound(out: &mut Formatter<'_>, bound: &Bound) -> Result {
    match bound {
        Bound::Open => out.write_str("*"),
        Bound::Including(text) | Bound::Excluding(text) if text == "TO" => quoted(out, text),
        Bound::Including(text) | Bound::Excluding(text) => plain_or_quoted(out, text),
    }
}

fn plain_or_quoted(out: &mut Formatter<'_>, text: &str) -> Result {
    let plain = |character: char| character.is_alphanumeric() || matches!(character, '_' | '-' | '.' | ':' | '+');
    if !text.is_empty() && text.chars().all(plain) { out.write_str(text) } else { quoted(out, text) }
}

/// A text between quotes.
pub fn quoted(out: &mut Formatter<'_>, text: &str) -> Result {
    out.write_str("\"")?;
    for character in text.chars() {
        match character {
            '"' => out.write_str("\\\"")?,
            '\\' => out.write_str("\\\\")?,
            '\n' => out.write_str("\\n")?,
            '\t' => out.write_str("\\t")?,
            other => out.write_char(other)?,
        }
    }
    out.write_str("\"")
}

fn word(out: &mut Formatter<'_>, text: &str, fielded: bool) -> Result {
    for (at, character) in text.char_indices() {
        let means_something = match character {
            '\\' | '"' | '(' | ')' | '*' | '~' | '^' => true,
            ':' => !fielded || at == 0,
            '/' | '<' | '>' => at == 0,
            '=' | '[' | '{' => at == 0 && fielded,
            '-' | '+' | '!' | '&' | '|' => at == 0 && !fielded,
            other => other.is_whitespace(),
        };
        if means_something {
            out.write_str("\\")?;
        }
        out.write_char(character)?;
    }
    Ok(())
}

fn regex(out: &mut Formatter<'_>, text: &str) -> Result {
    out.write_str("/")?;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '/' => out.write_str("\\/")?,
            '\\' => {
                out.write_str("\\")?;
                characters.next().map_or(Ok(()), |escaped| out.write_char(escaped))?;
            }
            other => out.write_char(other)?,
        }
    }
    out.write_str("/")
}
