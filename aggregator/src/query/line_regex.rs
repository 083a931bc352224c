//! A regex that is looked for in lines.
//!
//! Regexes look at restored text, which costs more than to decompress it. Most of them begin or end with something that has to stand
//! there as it is; if a part of that is never hidden (`block::overlay`) and the block's stored text does not hold it, nothing has to be
//! restored. And a regex that looks at nothing around it is searched for in the text as a whole, so that the lines without it cost
//! nothing each.

use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::hir::Hir;
use regex_syntax::hir::literal::{ExtractKind, Extractor, Seq};

use super::lines::Lines;
use crate::block::mask::Mask;
use crate::block::overlay::is_filler;

/// Memory that one regex may take, compiled and while it runs: bounds what a query can make us hold.
const REGEX_BYTES_MAX: usize = 1 << 20;
/// A shorter text stands in nearly every block.
const NEEDED_BYTES_MIN: usize = 3;
/// Hex digits and dashes are hidden as parts of IDs, none of which is shorter.
const ID_BYTES_MIN: usize = 16;

/// Compiles a regex within bounds.
pub fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern).size_limit(REGEX_BYTES_MAX).dfa_size_limit(REGEX_BYTES_MAX).build()
}

/// See the module.
#[derive(Debug)]
pub struct LineRegex {
    regex: Regex,
    /// Found in the stored text of every block that holds a match. None: nothing is known to be.
    needed: Option<Regex>,
    /// What matches in a line matches in the text around it as well.
    is_local: bool,
}

impl LineRegex {
    pub fn new(pattern: &str) -> Result<Self, regex::Error> {
        let regex = compile(pattern)?;
        // As `regex::bytes` reads it.
        let parsed = regex_syntax::ParserBuilder::new().utf8(false).build().parse(pattern).ok();
        Ok(Self {
            needed: parsed.as_ref().and_then(needed),
            is_local: parsed.is_some_and(|hir| hir.properties().look_set().is_empty()),
            regex,
        })
    }

    /// Whether a block with this stored text may hold a match. What is hidden there are times and IDs, or nothing.
    pub fn may_be_in(&self, stored: &[u8]) -> bool {
        self.needed.as_ref().is_none_or(|needed| needed.is_match(stored))
    }

    /// The records of `among` that match.
    pub fn find(&self, lines: &Lines<'_>, mut among: Mask) -> Mask {
        let raw = lines.raw;
        let is_match = |record: usize| self.regex.is_match(&raw[lines.content(record)]);
        if !self.is_local || among.is_sparse() {
            among.retain(is_match);
            return among;
        }
        let mut found = Mask::none(among.records());
        let mut at = 0;
        while at < raw.len()
            && let Some(begin) = self.regex.find_at(raw, at).map(|found| found.start())
        {
            let Some(record) = lines.record_at(begin) else { break };
            // What goes on into the next line is none; then this line may have another one.
            if among.has(record) && is_match(record) {
                found.set(record);
            }
            at = lines.end(record);
        }
        found
    }
}

/// A regex for texts of which one stands, never hidden, in everything that `hir` matches.
fn needed(hir: &Hir) -> Option<Regex> {
    [ExtractKind::Prefix, ExtractKind::Suffix].into_iter().find_map(|kind| {
        let literals = Extractor::new().kind(kind).extract(hir);
        let texts = visible_of_each(&literals)?;
        let pattern = texts.iter().map(|text| escaped(text)).collect::<Vec<_>>().join("|");
        RegexBuilder::new(&pattern)
            .unicode(false)
            .size_limit(REGEX_BYTES_MAX)
            .dfa_size_limit(REGEX_BYTES_MAX)
            .build()
            .ok()
    })
}

/// Of each literal a part that is never hidden; none if one has none.
fn visible_of_each(literals: &Seq) -> Option<Vec<&[u8]>> {
    let literals = literals.literals().filter(|literals| !literals.is_empty())?;
    literals.iter().map(|literal| visible(literal.as_bytes())).collect()
}

/// The longest part of `text` that is never hidden. A time's digits may be; hex digits and dashes may as parts of an ID, which
/// reaches beyond the text, or is long.
fn visible(text: &[u8]) -> Option<&[u8]> {
    let is_of_id = |byte: &u8| byte.is_ascii_hexdigit() || *byte == b'-';
    let trimmed = |part: &'_ [u8]| -> std::ops::Range<usize> {
        let begin = part.iter().take_while(|byte| is_of_id(byte)).count();
        let end = part.len() - part[begin..].iter().rev().take_while(|byte| is_of_id(byte)).count();
        begin..end
    };
    text.split(|byte| byte.is_ascii_digit() || is_filler(*byte))
        .map(|part| &part[trimmed(part)])
        .filter(|part| part.len() >= NEEDED_BYTES_MIN)
        .filter(|part| part.split(|byte| !is_of_id(byte)).all(|run| run.len() < ID_BYTES_MIN))
        .max_by_key(|part| part.len())
}

/// Matches these bytes alone.
fn escaped(text: &[u8]) -> String {
    text.iter().map(|byte| format!("\\x{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_never_hidden() {
        for (text, wanted) in [
            ("refund-", Some("refun")),
            ("connection reset", Some("onnection reset")),
            ("deadbeef", None),
            ("at 10:15 is", Some(" is")),
            ("req=4f", Some("req=")),
            ("x0123456789abcdefx", None),
            ("xa-bx", Some("xa-bx")),
            ("xdeadbeef-feed-beefxyz", None),
            ("ab", None),
            ("xy", None),
        ] {
            assert_eq!(visible(text.as_bytes()), wanted.map(str::as_bytes), "{text}");
        }
    }

    #[test]
    fn what_is_needed() {
        for (pattern, with, without) in [
            ("refund-[0-9]{9}", Some("a refund-x"), "refuse"),
            ("(one|two) eggs?", Some("two egg"), "three eggs"),
            (".*time out$", Some("time out"), "timeout"),
            ("(?i)Zoo", Some("zOO"), "zo"),
            ("[a-z]+", None, ""),
            ("^[0-9]+ms", None, ""),
            ("a|", None, ""),
        ] {
            let regex = LineRegex::new(pattern).unwrap();
            assert_eq!(regex.needed.is_some(), with.is_some(), "{pattern}: {:?}", regex.needed);
            assert!(regex.may_be_in(with.unwrap_or_default().as_bytes()), "{pattern}");
            assert_eq!(regex.may_be_in(without.as_bytes()), with.is_none(), "{pattern}");
        }
        assert!(LineRegex::new("(").is_err());
    }

    /// Small patterns of what lines and blocks are made of.
    fn pattern() -> impl Strategy<Value = String> {
        let atom = prop_oneof![
            "[a-c\n]",
            Just("\\s".into()),
            Just("[^a]".into()),
            Just(".".into()),
            Just("(?-u:\\xff)".into())
        ];
        let whole =
            prop_oneof![Just("^".to_owned()), Just("$".to_owned()), Just("\\b".to_owned()), Just(String::new())];
        let parts = prop::collection::vec((atom, prop_oneof!["[*+?]", Just(String::new())]), 0..5);
        (whole, parts, prop_oneof![Just("|bc"), Just("$"), Just("")]).prop_map(|(begin, parts, end)| {
            let parts: String = parts.into_iter().map(|(atom, times)| atom + &times).collect();
            format!("{begin}{parts}{end}")
        })
    }

    proptest! {
        #[test]
        fn the_text_as_a_whole_tells_what_each_line_does(
            pattern in pattern(),
            texts in prop::collection::vec("[abc \n]{0,6}", 1..20),
            among in prop::collection::vec(any::<bool>(), 20),
        ) {
            let regex = LineRegex::new(&pattern).unwrap();
            let raw: String = texts.iter().map(|text| format!("{text}\n")).collect();
            let lengths: Vec<u32> = texts.iter().map(|text| text.len() as u32 + 1).collect();
            let mut wanted = Mask::all(texts.len());
            wanted.retain(|record| among[record]);
            let lines = Lines::new(raw.as_bytes(), raw.as_bytes(), &lengths);
            let found: Vec<usize> = regex.find(&lines, wanted).iter().collect();
            let expected: Vec<usize> =
                (0..texts.len()).filter(|record| among[*record] && regex.regex.is_match(texts[*record].as_bytes())).collect();
            prop_assert_eq!(found, expected, "{}", pattern);
        }
    }
}
