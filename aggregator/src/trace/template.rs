//! The templates of many lines: which of them one statement wrote, and what that statement says.
//!
//! Masked messages (see `mask`) that are alike are one text already. What is left are variables that are words: `mail sent to
//! ann`, `mail sent to bob`. As in Drain (He et al., ICWS 2017) texts are told apart by the number of their words and by the
//! first word, and then gathered in groups by how many words they share. Other than there a word becomes a variable only when
//! [`VALUES_MIN`] different ones stand in its place: `payment accepted` and `payment declined` are two templates.
//!
//! Deterministic: the same lines in the same order give the same templates. Bounded: what comes when [`TEXTS_MAX`] different
//! texts are there is known by its first word.

use std::collections::BTreeMap;
use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use super::mask::{self, VARIABLE};
use super::message;

/// So many different texts are compared with each other.
pub const TEXTS_MAX: usize = 8_192;
/// So many first words stand for the texts beyond.
const FIRST_WORDS_MAX: usize = 1_024;
/// So many different words in one place are values of a variable.
pub const VALUES_MIN: usize = 5;
/// Texts of one group share so much of their words with the group's first text.
const SHARED_MIN: f64 = 0.5;
/// So many groups a text is compared with.
const GROUPS_MAX: usize = 64;
/// Words behind so many make no difference.
const WORDS_MAX: usize = 48;

/// A text, by the order of its first appearance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text(u32);

/// Takes lines, and finds their templates once all have been taken.
#[derive(Default)]
pub struct Miner {
    /// Masked, one after the other.
    bytes: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
    places: HashTable<u32>,
    hasher: FixedState,
    /// How many of the texts are first words, and no texts.
    first_words: usize,
    masked: Vec<u8>,
}

impl Miner {
    /// Takes a raw line.
    pub fn line(&mut self, line: &[u8]) -> Text {
        let mut masked = std::mem::take(&mut self.masked);
        masked.clear();
        mask::put(&message::of(line), &mut masked);
        let text = self.masked(&masked);
        self.masked = masked;
        text
    }

    /// Takes a message that was masked already.
    pub fn masked(&mut self, text: &[u8]) -> Text {
        let hash = self.hasher.hash_one(text);
        let found = self.places.find(hash, |place| self.text(*place) == text);
        if let Some(place) = found {
            return Text(*place);
        }
        if self.ends.len() - self.first_words < TEXTS_MAX {
            return self.push(hash, text);
        }
        let word = text.split(|byte| *byte == b' ').next().unwrap_or_default();
        let known_by = [word, b" ", VARIABLE].concat();
        let hash = self.hasher.hash_one(known_by.as_slice());
        if let Some(place) = self.places.find(hash, |place| self.text(*place) == known_by) {
            return Text(*place);
        }
        if self.first_words < FIRST_WORDS_MAX {
            self.first_words += 1;
            return self.push(hash, &known_by);
        }
        let hash = self.hasher.hash_one(VARIABLE);
        if let Some(place) = self.places.find(hash, |place| self.text(*place) == VARIABLE) {
            return Text(*place);
        }
        self.first_words += 1;
        self.push(hash, VARIABLE)
    }

    fn push(&mut self, hash: u64, text: &[u8]) -> Text {
        let place = self.ends.len() as u32;
        self.bytes.extend_from_slice(text);
        self.ends.push(self.bytes.len());
        let (bytes, ends, hasher) = (&self.bytes, &self.ends, &self.hasher);
        self.places.insert_unique(hash, place, |place| hasher.hash_one(slice(bytes, ends, *place)));
        Text(place)
    }

    fn text(&self, place: u32) -> &[u8] {
        slice(&self.bytes, &self.ends, place)
    }

    /// The templates of all that was taken.
    pub fn finish(self) -> Templates {
        let words: Vec<Vec<&[u8]>> = (0..self.ends.len() as u32).map(|place| words(self.text(place))).collect();
        let mut templates = Templates { of: vec![0; words.len()], texts: Vec::new() };
        let mut known = BTreeMap::new();
        let mut found: Vec<Option<Vec<u8>>> = vec![None; words.len()];
        for leaf in leaves(&words) {
            for group in groups(&leaf, &words) {
                let variable = variables(&group, &words);
                for place in group {
                    found[place] = Some(joined(&words[place], &variable));
                }
            }
        }
        // Numbered in the order of their first appearance.
        for (place, text) in found.into_iter().enumerate() {
            let text = text.unwrap_or_default();
            let text = String::from_utf8(text).unwrap_or_else(|wrong| String::from_utf8_lossy(wrong.as_bytes()).into());
            templates.of[place] = *known.entry(text).or_insert_with_key(|text| {
                templates.texts.push(text.clone());
                templates.texts.len() as u32 - 1
            });
        }
        templates
    }
}

/// The templates of a miner's texts.
#[derive(Debug, Default)]
pub struct Templates {
    of: Vec<u32>,
    texts: Vec<String>,
}

impl Templates {
    /// The template of a text that the same miner gave.
    pub fn of(&self, text: Text) -> u32 {
        self.of[text.0 as usize]
    }

    /// What a template says.
    pub fn text(&self, template: u32) -> &str {
        &self.texts[template as usize]
    }

    /// How many there are; they are numbered from 0.
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }
}

fn slice<'a>(bytes: &'a [u8], ends: &[usize], place: u32) -> &'a [u8] {
    let place = place as usize;
    let begin = if place == 0 { 0 } else { ends[place - 1] };
    &bytes[begin..ends[place]]
}

/// The words of a text; the last one may be several.
fn words(text: &[u8]) -> Vec<&[u8]> {
    text.splitn(WORDS_MAX, |byte| *byte == b' ').collect()
}

/// Texts with the same number of words and the same first word. Those whose first word no other text has are together, for it
/// may be a variable.
fn leaves(words: &[Vec<&[u8]>]) -> Vec<Vec<usize>> {
    let mut leaves: BTreeMap<(usize, &[u8]), Vec<usize>> = BTreeMap::new();
    for (place, words) in words.iter().enumerate() {
        leaves.entry((words.len(), words[0])).or_default().push(place);
    }
    let mut alone: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let mut all = Vec::new();
    for ((length, _), leaf) in leaves {
        match leaf[..] {
            // One word is all that is said.
            [place] if length > 1 => alone.entry(length).or_default().push(place),
            _ => all.push(leaf),
        }
    }
    all.extend(alone.into_values());
    for leaf in &mut all {
        leaf.sort_unstable();
    }
    all
}

/// Texts of a leaf that share enough of their words.
fn groups(leaf: &[usize], words: &[Vec<&[u8]>]) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for place in leaf {
        let shared = |group: &Vec<usize>| {
            let pairs = words[group[0]].iter().zip(&words[*place]);
            pairs.filter(|(left, right)| left == right).count()
        };
        let enough = (words[*place].len() as f64 * SHARED_MIN).ceil() as usize;
        // The first of the best.
        let best = groups.iter().enumerate().map(|(index, group)| (shared(group), std::cmp::Reverse(index))).max();
        match best {
            Some((shared, std::cmp::Reverse(index))) if shared >= enough || groups.len() == GROUPS_MAX => {
                groups[index].push(*place);
            }
            _ => groups.push(vec![*place]),
        }
    }
    groups
}

/// Which places of a group's words have so many values that they are variables.
fn variables(group: &[usize], words: &[Vec<&[u8]>]) -> Vec<bool> {
    let count = words[group[0]].len();
    let is_variable = |at: usize| {
        let mut values: Vec<&[u8]> = Vec::new();
        for place in group {
            if !values.contains(&words[*place][at]) {
                values.push(words[*place][at]);
                if values.len() == VALUES_MIN {
                    return true;
                }
            }
        }
        false
    };
    (0..count).map(is_variable).collect()
}

fn joined(words: &[&[u8]], variable: &[bool]) -> Vec<u8> {
    let mut text = Vec::new();
    for (at, (word, is_variable)) in words.iter().zip(variable).enumerate() {
        if at > 0 {
            text.push(b' ');
        }
        text.extend_from_slice(if *is_variable { VARIABLE } else { word });
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mined(lines: &[String]) -> Vec<String> {
        let mut miner = Miner::default();
        let texts: Vec<Text> = lines.iter().map(|line| miner.line(line.as_bytes())).collect();
        let templates = miner.finish();
        texts.iter().map(|text| templates.text(templates.of(*text)).to_owned()).collect()
    }

    fn lines(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|&line| line.to_owned()).collect()
    }

    #[test]
    fn numbers_make_one_template() {
        let all = mined(&lines(&[
            r#"{"time":1,"msg":"cart 7 loaded in 3 ms"}"#,
            r#"2026-11-23T12:00:00Z INFO cart 99 loaded in 1.2 s"#,
            "cart closed",
        ]));
        assert_eq!(all, ["cart <*> loaded in <*>", "cart <*> loaded in <*>", "cart closed"]);
    }

    #[test]
    fn a_word_is_a_variable_when_it_has_many_values() {
        let names = ["ann", "bob", "cay", "dan", "eve"];
        let mails: Vec<_> = names.iter().map(|name| format!("mail sent to {name}")).collect();
        assert!(mined(&mails).iter().all(|template| template == "mail sent to <*>"));
        assert_eq!(mined(&mails[..4]), mails[..4]);
        let first: Vec<_> = names.iter().map(|name| format!("{name} has logged in")).collect();
        assert!(mined(&first).iter().all(|template| template == "<*> has logged in"));
    }

    #[test]
    fn what_happened_is_no_variable() {
        let all = lines(&["payment accepted", "payment declined", "payment refunded", "cart created", "cart closed"]);
        assert_eq!(mined(&all), all);
    }

    #[test]
    fn two_variables_and_a_verb() {
        let mut all = Vec::new();
        for (user, thing) in [("ann", "tea"), ("bob", "milk"), ("cay", "bread"), ("dan", "salt"), ("eve", "oil")] {
            all.push(format!("user {user} has bought {thing} at the shop"));
            all.push(format!("user {user} has returned {thing} at the shop"));
        }
        let templates = mined(&all);
        assert_eq!(templates[0], "user <*> has bought <*> at the shop");
        assert_eq!(templates[9], "user <*> has returned <*> at the shop");
    }

    #[test]
    fn bounded_and_known_by_the_first_word_beyond() {
        let mut miner = Miner::default();
        let word = |mut number: usize| {
            let mut word = String::new();
            for _ in 0..6 {
                word.push(char::from(b'g' + (number % 20) as u8));
                number /= 20;
            }
            word
        };
        for number in 0..TEXTS_MAX + 3 * FIRST_WORDS_MAX {
            miner.masked(format!("{} {}", word(number % 7_000), word(number)).as_bytes());
        }
        assert_eq!(miner.ends.len(), TEXTS_MAX + FIRST_WORDS_MAX + 1);
        let known_before = miner.masked(format!("{} {}", word(0), word(0)).as_bytes());
        assert_eq!(known_before, Text(0));
        let beyond = miner.masked(b"something new");
        assert_eq!(miner.text(beyond.0), VARIABLE);
        assert!(miner.finish().len() <= TEXTS_MAX + FIRST_WORDS_MAX + 1);
    }

    #[test]
    fn a_line_that_is_no_text_has_a_template() {
        let mut miner = Miner::default();
        let text = miner.line(b"\xff\xfe oh 4");
        let templates = miner.finish();
        assert_eq!(templates.text(templates.of(text)), "\u{fffd}\u{fffd} oh <*>");
    }

    proptest! {
        /// Each template fits its texts: the same number of words, each the same or a variable.
        #[test]
        fn a_template_fits_its_lines(texts in proptest::collection::vec("[abc]{1,2}( [abcde]{1,2}){0,4}", 0..80)) {
            let templates = mined(&texts);
            for (text, template) in texts.iter().zip(&templates) {
                let (text, template): (Vec<_>, Vec<_>) = (text.split(' ').collect(), template.split(' ').collect());
                prop_assert_eq!(text.len(), template.len());
                prop_assert!(text.iter().zip(&template).all(|(word, part)| word == part || *part == "<*>"));
            }
            prop_assert_eq!(mined(&texts), templates);
        }
    }
}
