//! What people ask a log store for, made of the corpus' own words, and how the answers are checked.
//!
//! A *rare word* stands in one statement alone, a warning or an error, of which there is one in some hundred lines. A *phrase* is two or
//! three words of such a statement with one of its variables, of which there is one in some thousand.

use std::collections::HashMap;

use anyhow::{Context, ensure};
use fastrand::Rng;
use serde_json::Value;

use crate::corpus::transaction::{CITIES, WORDS};
use crate::templates::{Piece, services};

/// Index of the rare statement among a service's.
const RARE_STATEMENT: usize = 4;
/// Shorter words are everywhere.
const WORD_BYTES_MIN: usize = 4;
/// Statements that end or go on with a city: the word before it, and those before that.
const BEFORE_CITY: [&str; 3] = ["low in", "unknown in", "address in"];
/// A number that no line holds.
pub const ABSENT_NUMBER: &str = "98765432109876";
/// A text that no line holds, and in which there is no word for the index to know.
pub const ABSENT_MARKS: &str = "\"]}%~{[\"";
/// The same; it may be a part of an ID that blocks hide, so that all of them have to be restored.
pub const ABSENT_GROUP: &str = "0123456789ab";
/// A regex that no line fulfils.
pub const ABSENT_REGEX: &str = "/refund-[0-9]{9}/";

/// See the module.
pub struct Questions {
    pub words: Vec<String>,
    pub phrases: Vec<String>,
    services: Vec<&'static str>,
}

impl Questions {
    pub fn new() -> Self {
        let mut cities = CITIES.iter().filter(|city| city.is_ascii());
        let mut phrases: Vec<String> = WORDS.iter().map(|word| format!("\"step {word} failed\"")).collect();
        phrases.extend(
            cities.by_ref().flat_map(|city| BEFORE_CITY.iter().map(move |before| format!("\"{before} {city}\""))),
        );
        phrases.extend(["\"postal code\"", "\"broken pipe\"", "\"partial result\"", "\"by zero\""].map(String::from));
        Self { words: rare_words(), phrases, services: services().iter().map(|service| service.name).collect() }
    }

    pub fn word(&self, random: &mut Rng) -> &str {
        &self.words[random.usize(..self.words.len())]
    }

    pub fn phrase(&self, random: &mut Rng) -> &str {
        &self.phrases[random.usize(..self.phrases.len())]
    }

    /// Warnings and errors of one service.
    pub fn level_and_service(&self, random: &mut Rng) -> String {
        format!("service:{} level:>=warn", self.services[random.usize(..self.services.len())])
    }
}

/// Words of letters that stand in one rare statement, and in nothing else.
fn rare_words() -> Vec<String> {
    let mut statements: HashMap<String, Vec<usize>> = HashMap::new();
    for service in services() {
        for (index, template) in service.templates.iter().enumerate() {
            let fixed = template.message.iter().chain(&template.members).filter_map(|piece| match piece {
                Piece::Text(text) => Some(*text),
                Piece::Variable(_) => None,
            });
            for text in fixed.chain([template.logger, service.name]) {
                for word in text.split(|letter: char| !letter.is_alphanumeric() && letter != '_') {
                    statements.entry(word.to_lowercase()).or_default().push(index);
                }
            }
        }
    }
    let is_variable = |word: &str| WORDS.contains(&word);
    let mut words: Vec<String> = statements
        .into_iter()
        .filter(|(word, indexes)| {
            let letters = word.len() >= WORD_BYTES_MIN && word.bytes().all(|byte| byte.is_ascii_lowercase());
            letters && indexes == &[RARE_STATEMENT] && !is_variable(word)
        })
        .map(|(word, _)| word)
        .collect();
    words.sort_unstable();
    words
}

/// The records of a search's answer, all of which hold `text` in any case (it may be in quotes).
pub fn check_lines(body: &[u8], text: &str) -> anyhow::Result<usize> {
    let answer: Value = serde_json::from_slice(body)?;
    let records = answer["records"].as_array().context("no records in the answer")?;
    let text = text.trim_matches('"').to_lowercase();
    for record in records {
        let line = record["line"].as_str().with_context(|| format!("a record without its line: {record}"))?;
        ensure!(line.to_lowercase().contains(&text), "{text:?} is not in {line}");
    }
    ensure!(!records.is_empty(), "{text:?} was not found");
    ensure!(answer["meta"]["partial"] == false, "the answer for {text:?} is not whole");
    Ok(records.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_words_and_phrases_of_many_services() {
        let questions = Questions::new();
        assert!(questions.words.len() >= 25, "{:?}", questions.words);
        for word in ["refused", "deferred", "compensating", "timeout"] {
            assert!(questions.words.iter().any(|known| known == word), "{word}");
        }
        assert!(!questions.words.iter().any(|word| word == "order" || word == "session"));
        assert!(questions.phrases.len() >= 40 && questions.phrases.contains(&"\"low in Rotterdam\"".to_owned()));
    }

    #[test]
    fn answers_are_checked() {
        let body = br#"{"records":[{"line":"a Broken pipe"}],"meta":{"partial":false}}"#;
        assert_eq!(check_lines(body, "\"broken pipe\"").unwrap(), 1);
        assert!(check_lines(body, "pipes").is_err());
    }
}
