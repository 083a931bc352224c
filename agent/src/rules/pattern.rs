//! Regular expressions, severities and kinds of IDs as a configuration writes them. Pure.
//!
//! Patterns work on bytes: a record that is no UTF-8 is searched like any other. The engine takes time linear in the record.

use regex::bytes::{Regex, RegexBuilder};

use crate::parse::severity::of_word;
use crate::record::{IdKind, Severity};

/// A compiled pattern may take this much memory: enough for `\w{1,200}`, too little for a repetition of repetitions.
pub const COMPILED_BYTES_MAX: usize = 2 << 20;

/// Compiles `text`; the error names `key`.
pub fn compile(key: &str, text: &str) -> Result<Regex, String> {
    if text.is_empty() {
        return Err(format!("{key} is empty; leave it out or write a regular expression"));
    }
    RegexBuilder::new(text).size_limit(COMPILED_BYTES_MAX).build().map_err(|error| match error {
        regex::Error::CompiledTooBig(limit) => {
            format!("{key} {text:?} takes more than {limit} bytes when compiled; repeat less")
        }
        error => format!("{key} {text:?} is no regular expression: {}", last_line(&error.to_string())),
    })
}

/// Compiles `text`, which must have a group: the one called `name`, or else the first.
pub fn compile_group(key: &str, name: &str, text: &str) -> Result<Group, String> {
    let regex = compile(key, text)?;
    let group = regex.capture_names().position(|group| group == Some(name)).unwrap_or(1);
    if group >= regex.captures_len() {
        return Err(format!("{key} {text:?} has no group; put the part to take into parentheses"));
    }
    Ok(Group { regex, group })
}

/// A pattern and the group of it that counts.
#[derive(Debug)]
pub struct Group {
    regex: Regex,
    group: usize,
}

impl Group {
    /// The part of `record` that the group matches; an empty part is none.
    pub fn find<'a>(&self, record: &'a [u8]) -> Option<&'a [u8]> {
        let found = self.regex.captures(record)?.get(self.group)?.as_bytes();
        (!found.is_empty()).then_some(found)
    }
}

/// The severity that `word` names.
pub fn severity(key: &str, word: &str) -> Result<Severity, String> {
    of_word(word.as_bytes())
        .ok_or_else(|| format!("{key} {word:?} is no severity; write trace, debug, info, notice, warn, error or fatal"))
}

/// The kind of ID that `word` names.
pub fn kind(key: &str, word: &str) -> Result<IdKind, String> {
    Ok(match word {
        "trace" => IdKind::Trace,
        "request" => IdKind::Request,
        "correlation" => IdKind::Correlation,
        "transaction" => IdKind::Transaction,
        "other" => IdKind::Other,
        _ => {
            return Err(format!(
                "{key} {word:?} is no kind of ID; write trace, request, correlation, transaction or other"
            ));
        }
    })
}

/// The parser draws the pattern over several lines; what is wrong stands in the last one.
fn last_line(error: &str) -> &str {
    let line = error.trim_end().rsplit('\n').next().unwrap_or(error);
    line.strip_prefix("error: ").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_told_in_one_line() {
        for (text, error) in [
            ("", "key is empty; leave it out or write a regular expression"),
            ("(a", "key \"(a\" is no regular expression: unclosed group"),
            ("(\\w{900}){900}", "key \"(\\\\w{900}){900}\" takes more than 2097152 bytes when compiled; repeat less"),
            ("a", "key \"a\" has no group; put the part to take into parentheses"),
        ] {
            assert_eq!(compile_group("key", "key", text).unwrap_err(), error);
        }
        assert!(severity("below", "loud").unwrap_err().starts_with("below \"loud\" is no severity"));
        assert!(kind("kind", "span").unwrap_err().starts_with("kind \"span\" is no kind of ID"));
    }

    #[test]
    fn the_named_group_counts_before_the_first() {
        let of = |text, record: &'static [u8]| compile_group("key", "key", text).unwrap().find(record);
        assert_eq!(of(r"(\w+)=(?P<key>\w+)", b"a=b"), Some(&b"b"[..]));
        assert_eq!(of(r"(\w+)=(\w+)", b"\xffa=b"), Some(&b"a"[..]));
        assert_eq!(of(r"a=(\w*)", b"a="), None);
    }
}
