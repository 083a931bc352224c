//! Reading a TOML file into a program's raw config type.
//!
//! The raw type says `#[serde(deny_unknown_fields)]`; what serde then reports is turned into one line that names the
//! file, the line, and, for a misspelt key, the key that was meant.

use std::path::Path;

use serde::de::DeserializeOwned;

use crate::exit::ConfigError;

/// Reads and parses `path`.
pub fn load<T: DeserializeOwned>(path: &Path) -> Result<T, ConfigError> {
    parse(&read(path)?, &path.display().to_string())
}

/// Reads `path`.
pub fn read(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path).map_err(|error| ConfigError::new(format!("read config {}: {error}", path.display())))
}

/// Parses `text`; `name` stands for it in errors.
pub fn parse<T: DeserializeOwned>(text: &str, name: &str) -> Result<T, ConfigError> {
    toml::from_str(text).map_err(|error| ConfigError::new(explain(text, name, &error)))
}

fn explain(text: &str, name: &str, error: &toml::de::Error) -> String {
    let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
    let message = error.message().replace('\n', " ");
    for (what, prefix) in [("key", "unknown field `"), ("value", "unknown variant `")] {
        if let Some((word, expected)) = unknown(&message, prefix) {
            return match nearest(word, &expected) {
                Some(right) => format!("{name}:{line}: unknown {what} `{word}`, did you mean `{right}`?"),
                None => format!("{name}:{line}: unknown {what} `{word}`; known here: {}", expected.join(", ")),
            };
        }
    }
    format!("{name}:{line}: {message}")
}

/// Takes serde's "unknown field `a`, expected one of `b`, `c`" apart.
fn unknown<'a>(message: &'a str, prefix: &str) -> Option<(&'a str, Vec<&'a str>)> {
    let rest = message.strip_prefix(prefix)?;
    let (key, rest) = rest.split_once('`')?;
    let expected = rest.split('`').skip(1).step_by(2).collect();
    Some((key, expected))
}

/// The candidate that `key` most likely was meant to be, if any is near enough.
pub fn nearest<'a>(key: &str, candidates: &[&'a str]) -> Option<&'a str> {
    candidates
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(key, candidate), *candidate))
        .filter(|(distance, candidate)| *distance <= candidate.len().max(key.len()) / 3 + 1)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        #[allow(dead_code)]
        data_dir: Option<String>,
        #[allow(dead_code)]
        grpc_listen: Option<String>,
        #[allow(dead_code)]
        #[serde(default)]
        part: Vec<Part>,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Part {
        #[allow(dead_code)]
        pattern: Option<String>,
        #[allow(dead_code)]
        begin: Option<Begin>,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Begin {
        Beginning,
        End,
    }

    fn error(text: &str) -> String {
        parse::<Sample>(text, "a.toml").unwrap_err().to_string()
    }

    #[test]
    fn a_misspelt_key_is_answered_with_the_right_one() {
        assert_eq!(error("\ndata_dirr = 'x'"), "a.toml:2: unknown key `data_dirr`, did you mean `data_dir`?");
        assert_eq!(error("colour = 1"), "a.toml:1: unknown key `colour`; known here: data_dir, grpc_listen, part");
    }

    #[test]
    fn so_is_one_inside_of_a_table_and_a_misspelt_value() {
        assert_eq!(error("[[part]]\n\npatern = 'x'"), "a.toml:3: unknown key `patern`, did you mean `pattern`?");
        assert_eq!(error("part = [{ patern = 'x' }]"), "a.toml:1: unknown key `patern`, did you mean `pattern`?");
        assert_eq!(error("[[prat]]"), "a.toml:1: unknown key `prat`, did you mean `part`?");
        assert_eq!(error("[[part]]\nbegin = 'ned'"), "a.toml:2: unknown value `ned`, did you mean `end`?");
    }

    #[test]
    fn a_wrong_type_and_broken_toml_name_the_line() {
        assert!(error("data_dir = 3").starts_with("a.toml:1: invalid type: integer `3`"));
        assert!(error("data_dir = ").starts_with("a.toml:1: "));
    }
}
