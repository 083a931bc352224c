//! `[[source.redact]]`: secrets are replaced before a record leaves the host. Pure.
//!
//! Invariant: it fails closed. A record whose redaction takes too long or grows too much is withheld as a whole; the original is
//! never what comes out. The final line feed stays. Replacements hold no quote and no backslash, and a match in a JSON record
//! never parts an escape, and in place of a number stands a string, so a JSON record stays one, unless a pattern of the
//! configuration takes a quote away.
//!
//! The built-in rules come first, in the order of their names' list, then the patterns in the order of the configuration; each
//! works on what the one before it left. IDs are found before: a decimal ID that passes for a card is still found, only its
//! text is gone.

use std::ops::Range;
use std::time::Duration;

use regex::bytes::{Regex, RegexSet, RegexSetBuilder};
use serde::Deserialize;

use super::builtin::{Finder, NAMES};
use super::pattern::{COMPILED_BYTES_MAX, compile};

/// One `[[source.redact]]` as it is written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawRedact {
    /// A regular expression; the whole match is replaced.
    pub pattern: Option<String>,
    /// `card`, `jwt`, `bearer`, `url_password`, `email`, `iban` or `all`.
    pub builtin: Option<String>,
    /// `[redacted]` or, for a built-in, `[redacted:card]`. With a pattern it may name groups: `$1`, `${name}`.
    pub replace: Option<String>,
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing was found; `out` is empty, the content is to be used as it is.
    Unchanged,
    /// `out` is the content without the secrets.
    Redacted,
    /// `out` is one line that says so.
    Withheld(Reason),
}

/// Why a record was withheld.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The time for the record was up.
    TookTooLong,
    /// The output grew beyond twice the content and one KiB.
    GrewTooMuch,
}

impl Reason {
    fn line(self) -> &'static [u8] {
        match self {
            Self::TookTooLong => b"[withheld by clew-agent: redaction took too long]",
            Self::GrewTooMuch => b"[withheld by clew-agent: redaction grew too much]",
        }
    }
}

/// Far more than a record needs: the engine is linear in its length. When this is not enough, something is wrong.
const TIME_MAX: Duration = Duration::from_millis(50);

/// What the output may be longer than twice the content.
const GROWTH_BYTES: usize = 1 << 10;

/// The rules of one source.
#[derive(Debug)]
pub struct Redact {
    builtins: Vec<(Finder, Vec<u8>)>,
    patterns: Vec<(Regex, Replacement)>,
    /// Of `patterns`: one pass over a record tells which of them need another.
    set: RegexSet,
    time_max: Duration,
}

#[derive(Debug)]
enum Replacement {
    Literal(Vec<u8>),
    WithGroups(Vec<u8>),
}

impl Redact {
    /// Checks the rules; the error names the rule.
    pub fn new(raw: Vec<RawRedact>) -> Result<Self, String> {
        let mut named: [Option<Vec<u8>>; NAMES.len()] = Default::default();
        let (mut all, mut patterns, mut texts) = (None, Vec::new(), Vec::new());
        for (index, rule) in raw.into_iter().enumerate() {
            let in_rule = |error: String| format!("redact rule {}: {error}", index + 1);
            match (rule.pattern, rule.builtin) {
                (Some(pattern), None) => {
                    let regex = compile("pattern", &pattern).map_err(in_rule)?;
                    if regex.is_match(b"") {
                        return Err(in_rule(format!("pattern {pattern:?} matches nothing at all; write + for *")));
                    }
                    let replace = rule.replace.unwrap_or_else(|| "[redacted]".into());
                    patterns.push((regex.clone(), replacement(replace, &regex).map_err(in_rule)?));
                    texts.push(pattern);
                }
                (None, Some(name)) => {
                    if let Some(replace) = &rule.replace {
                        check_builtin_replace(replace).map_err(in_rule)?;
                    }
                    let replace = rule.replace.map(String::into_bytes);
                    if name == "all" {
                        all = Some(replace);
                    } else if let Some(at) = NAMES.iter().position(|known| *known == name) {
                        if named[at].is_some() {
                            return Err(in_rule(format!("builtin {name:?} is named twice; keep one")));
                        }
                        named[at] = Some(replace.unwrap_or_else(|| default_of(&name)));
                    } else {
                        let known = NAMES.join(", ");
                        return Err(in_rule(format!("builtin {name:?} is unknown; write {known} or all")));
                    }
                }
                _ => return Err(in_rule("it needs either `pattern` or `builtin`".into())),
            }
        }
        let mut builtins = Vec::new();
        for (name, own) in NAMES.into_iter().zip(named) {
            let general = all.as_ref().map(|all| all.clone().unwrap_or_else(|| default_of(name)));
            if let Some(replace) = own.or(general) {
                let finder = Finder::new(name).ok_or_else(|| format!("builtin {name:?} does not compile"))?;
                builtins.push((finder, replace));
            }
        }
        let set = RegexSetBuilder::new(texts).size_limit(COMPILED_BYTES_MAX).build();
        let set = set.map_err(|_| format!("the redact patterns take more than {COMPILED_BYTES_MAX} bytes together"))?;
        Ok(Self { builtins, patterns, set, time_max: TIME_MAX })
    }

    /// Gives each record `time_max` instead of 50 ms.
    pub fn with_time_max(self, time_max: Duration) -> Self {
        Self { time_max, ..self }
    }

    /// Whether there is no rule.
    pub fn is_empty(&self) -> bool {
        self.builtins.is_empty() && self.patterns.is_empty()
    }

    /// Redacts `content` into `out`, which is cleared first. `elapsed` tells how long the record is being worked on.
    pub fn redact(&self, content: &[u8], out: &mut Vec<u8>, elapsed: &mut dyn FnMut() -> Duration) -> Outcome {
        out.clear();
        let body = content.strip_suffix(b"\n").unwrap_or(content);
        let line_feed = &content[body.len()..];
        let mut work = Work {
            is_json: body.trim_ascii_start().starts_with(b"{"),
            bytes_max: content.len() * 2 + GROWTH_BYTES - line_feed.len(),
            time_max: self.time_max,
            elapsed,
            current: None,
        };
        let outcome = match self.run(body, &mut work) {
            Err(reason) => {
                out.extend_from_slice(reason.line());
                Outcome::Withheld(reason)
            }
            Ok(()) => match work.current {
                None => return Outcome::Unchanged,
                Some(current) => {
                    out.extend_from_slice(&current);
                    Outcome::Redacted
                }
            },
        };
        out.extend_from_slice(line_feed);
        outcome
    }

    fn run(&self, body: &[u8], work: &mut Work) -> Result<(), Reason> {
        for (finder, replace) in &self.builtins {
            work.replace(body, |text, from| finder.find(text, from), |_, _, out| out.extend_from_slice(replace))?;
        }
        if self.patterns.is_empty() {
            return Ok(());
        }
        let matched = self.set.matches(work.text(body));
        work.check_time()?;
        let mut changed = false;
        for (index, (regex, replace)) in self.patterns.iter().enumerate() {
            // What a replacement leaves may match where the record did not.
            if !changed && !matched.matched(index) {
                continue;
            }
            let find = |text: &[u8], from| regex.find_at(text, from).map(|found| found.range());
            changed |= work.replace(body, find, |text, at, out| match replace {
                Replacement::Literal(literal) => out.extend_from_slice(literal),
                Replacement::WithGroups(template) => {
                    if let Some(groups) = regex.captures_at(text, at) {
                        groups.expand(template, out);
                    }
                }
            })?;
        }
        Ok(())
    }
}

/// One record in the making.
struct Work<'a> {
    is_json: bool,
    bytes_max: usize,
    time_max: Duration,
    elapsed: &'a mut dyn FnMut() -> Duration,
    /// What the rules so far made of it, if they changed it.
    current: Option<Vec<u8>>,
}

impl Work<'_> {
    fn text<'b>(&'b self, body: &'b [u8]) -> &'b [u8] {
        self.current.as_deref().unwrap_or(body)
    }

    fn check_time(&mut self) -> Result<(), Reason> {
        if (self.elapsed)() > self.time_max { Err(Reason::TookTooLong) } else { Ok(()) }
    }

    /// Applies one rule; returns whether it changed anything.
    fn replace(
        &mut self,
        body: &[u8],
        find: impl Fn(&[u8], usize) -> Option<Range<usize>>,
        write: impl Fn(&[u8], usize, &mut Vec<u8>),
    ) -> Result<bool, Reason> {
        let current = self.current.take();
        let text = current.as_deref().unwrap_or(body);
        let (mut out, mut copied, mut from, mut changed) = (Vec::new(), 0, 0, false);
        let mut quotes = Quotes::default();
        while from <= text.len() {
            let Some(found) = find(text, from) else { break };
            self.check_time()?;
            let range = if self.is_json { whole_escapes(text, found.clone()) } else { found.clone() };
            let is_bare = self.is_json && !range.is_empty() && !quotes.are_open(text, range.start);
            let range = if is_bare { whole_value(text, range) } else { range };
            // An empty match would be found again for ever.
            from = range.end.max(found.end).max(found.start + 1);
            if range.start.max(copied) >= range.end {
                continue;
            }
            out.extend_from_slice(&text[copied..range.start.max(copied)]);
            let begin = out.len();
            write(text, found.start, &mut out);
            if is_bare && serde_json::from_slice::<serde::de::IgnoredAny>(&out[begin..]).is_err() {
                out.insert(begin, b'"');
                out.push(b'"');
            }
            changed |= out[begin..] != text[range.start.max(copied)..range.end];
            copied = range.end;
            if out.len() + text.len() - copied > self.bytes_max {
                return Err(Reason::GrewTooMuch);
            }
        }
        self.check_time()?;
        if changed {
            out.extend_from_slice(&text[copied..]);
            self.current = Some(out);
        } else {
            self.current = current;
        }
        Ok(changed)
    }
}

/// Moves both ends of a match behind the JSON escape that they would part.
fn whole_escapes(text: &[u8], range: Range<usize>) -> Range<usize> {
    let behind = |at: usize| {
        let backslashes = text[..at].iter().rev().take_while(|byte| **byte == b'\\').count();
        match (backslashes % 2, text.get(at)) {
            (1, Some(b'u')) => (at + 5).min(text.len()),
            (1, Some(_)) => at + 1,
            _ => at,
        }
    };
    behind(range.start)..behind(range.end)
}

/// A number of a JSON record is replaced as a whole: what would be left of it beside a string would be no JSON.
fn whole_value(text: &[u8], range: Range<usize>) -> Range<usize> {
    let is_around = |byte: &u8| byte.is_ascii_whitespace() || b":,[]{}\"".contains(byte);
    let begin = text[..range.start].iter().rposition(is_around).map_or(0, |at| at + 1);
    let end = text[range.end..].iter().position(is_around).map_or(text.len(), |at| range.end + at);
    begin..end
}

/// Follows the quotes of a JSON record, from its beginning on.
#[derive(Default)]
struct Quotes {
    at: usize,
    open: bool,
}

impl Quotes {
    /// Whether `place`, which only ever rises, lies in a string.
    fn are_open(&mut self, text: &[u8], place: usize) -> bool {
        while self.at < place {
            match text[self.at] {
                b'"' => self.open = !self.open,
                b'\\' => self.at += 1,
                _ => {}
            }
            self.at += 1;
        }
        self.open
    }
}

fn default_of(name: &str) -> Vec<u8> {
    format!("[redacted:{name}]").into_bytes()
}

fn check_replace(replace: &str) -> Result<(), String> {
    match replace.chars().find(|letter| matches!(letter, '"' | '\\') || letter.is_control()) {
        Some(letter) => Err(format!("replace {replace:?} holds {letter:?}, which would break a JSON record or a line")),
        None => Ok(()),
    }
}

/// A built-in rule finds the secret alone and has no groups that could be named.
fn check_builtin_replace(replace: &str) -> Result<(), String> {
    check_replace(replace)?;
    if replace.contains('$') {
        return Err(format!("replace {replace:?} names a group; only a `pattern` has groups"));
    }
    Ok(())
}

fn replacement(replace: String, regex: &Regex) -> Result<Replacement, String> {
    check_replace(&replace)?;
    if !replace.contains('$') {
        return Ok(Replacement::Literal(replace.into_bytes()));
    }
    // The engine takes the longest name, and an unknown group for empty: `$1st` would silently be nothing.
    let mut rest = replace.as_str();
    while let Some((_, tail)) = rest.split_once('$') {
        let (name, behind) = match tail.strip_prefix('{') {
            Some(braced) => braced.split_once('}').ok_or_else(|| format!("replace {replace:?} lacks a }}"))?,
            None => {
                let word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
                tail.split_at(tail.find(|letter| !word(letter)).unwrap_or(tail.len()))
            }
        };
        let known = match name.parse::<usize>() {
            Ok(number) => number < regex.captures_len(),
            Err(_) => regex.capture_names().flatten().any(|group| group == name),
        };
        if !known && !tail.starts_with('$') {
            return Err(format!("replace {replace:?} names the group {name:?}, which the pattern has not"));
        }
        rest = behind.strip_prefix('$').filter(|_| tail.starts_with('$')).unwrap_or(behind);
    }
    Ok(Replacement::WithGroups(replace.into_bytes()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample;

    use super::*;

    fn rules(text: &str) -> Result<Redact, String> {
        #[derive(Deserialize)]
        struct Rules {
            redact: Vec<RawRedact>,
        }
        let raw = clew_service::config::parse::<Rules>(text, "agent.toml").map_err(|error| error.to_string())?;
        Redact::new(raw.redact)
    }

    fn builtin(name: &str) -> Redact {
        Redact::new(vec![RawRedact { builtin: Some(name.into()), ..RawRedact::default() }]).unwrap()
    }

    fn redacted(rules: &Redact, content: &[u8]) -> (Outcome, Vec<u8>) {
        let mut out = Vec::new();
        let outcome = rules.redact(content, &mut out, &mut || Duration::ZERO);
        (outcome, if outcome == Outcome::Unchanged { content.to_vec() } else { out })
    }

    #[test]
    fn secrets_are_replaced_and_the_rest_stays() {
        let all = "[[redact]]\nbuiltin='all'\n";
        for (text, content, out) in [
            (all, "card 4111 1111 1111 1111\n", "card [redacted:card]\n"),
            (all, "no line feed 4111111111111111", "no line feed [redacted:card]"),
            (all, "Authorization: Bearer eyJhbGciOiJI.eyJzdWIi.c2ln\n", "Authorization: Bearer [redacted:bearer]\n"),
            (
                all,
                "pg://me:pw@db.example/x a@b.example\n",
                "pg://me:[redacted:url_password]@db.example/x [redacted:email]\n",
            ),
            (all, "{\"m\":\"\\na@b.example\"}\n", "{\"m\":\"\\n[redacted:email]\"}\n"),
            (all, "{\"m\":\"\\u00e9a@b.example\"}\n", "{\"m\":\"\\u00e9[redacted:email]\"}\n"),
            (all, "4111111111111111.4111111111111111", "[redacted:card].[redacted:card]"),
            (all, "trace_id=4bf92f3577b34da6a3ce929d0e0e4736\n", "trace_id=4bf92f3577b34da6a3ce929d0e0e4736\n"),
            ("[[redact]]\nbuiltin='all'\n[[redact]]\nbuiltin='card'\nreplace='****'", "4111111111111111", "****"),
            ("[[redact]]\npattern='pin=\\d+'", "pin=12 pin=34\n", "[redacted] [redacted]\n"),
            ("[[redact]]\npattern='(?P<k>pin|pw)=\\S+'\nreplace='${k}=*$$*'", "pw=x\n", "pw=*$*\n"),
            ("[[redact]]\npattern='\\b'", "a b\n", "a b\n"),
            ("[[redact]]\npattern='a'\nreplace='b'\n[[redact]]\npattern='bb'", "ab\n", "[redacted]\n"),
            (all, "{\"n\":4111111111111111,\"m\":1}\n", "{\"n\":\"[redacted:card]\",\"m\":1}\n"),
            ("[[redact]]\npattern='\\d{4}'", "{\"n\":[12345]}", "{\"n\":[\"[redacted]\"]}"),
            ("[[redact]]\npattern='\\d{4}'\nreplace='0'", "{\"n\":1234}", "{\"n\":0}"),
            ("[[redact]]\npattern='x.'", "{\"m\":\"x\\\"y\"}", "{\"m\":\"[redacted]y\"}"),
        ] {
            let (outcome, bytes) = redacted(&rules(text).unwrap(), content.as_bytes());
            assert_eq!(String::from_utf8_lossy(&bytes), out, "{text}");
            assert_eq!(outcome == Outcome::Unchanged, content == out, "{content}");
        }
    }

    #[test]
    fn what_cannot_be_redacted_is_withheld() {
        let mut out = b"old".to_vec();
        let outcome = builtin("card").redact(b"4111111111111111\n", &mut out, &mut || Duration::from_millis(51));
        assert_eq!(outcome, Outcome::Withheld(Reason::TookTooLong));
        assert_eq!(out, b"[withheld by clew-agent: redaction took too long]\n");
        let patient = builtin("card").with_time_max(Duration::from_secs(1));
        assert_eq!(patient.redact(b"a", &mut out, &mut || Duration::from_millis(51)), Outcome::Unchanged);

        let grows = rules(&format!("[[redact]]\npattern='a'\nreplace='{}'", "b".repeat(100))).unwrap();
        assert_eq!(redacted(&grows, &[b'a'; 10]).0, Outcome::Redacted);
        let (outcome, out) = redacted(&grows, &[b'a'; 100]);
        assert_eq!(outcome, Outcome::Withheld(Reason::GrewTooMuch));
        assert_eq!(out, b"[withheld by clew-agent: redaction grew too much]");
    }

    #[test]
    fn what_is_wrong_is_told_in_one_line() {
        for (text, error) in [
            ("", "redact rule 1: it needs either `pattern` or `builtin`"),
            ("pattern='a'\nbuiltin='card'", "redact rule 1: it needs either `pattern` or `builtin`"),
            (
                "builtin='cards'",
                "redact rule 1: builtin \"cards\" is unknown; write bearer, jwt, url_password, card, iban, email or all",
            ),
            ("builtin='card'\n[[redact]]\nbuiltin='card'", "redact rule 2: builtin \"card\" is named twice; keep one"),
            ("pattern='a*'", "redact rule 1: pattern \"a*\" matches nothing at all; write + for *"),
            (
                "pattern='a'\nreplace='\"'",
                "redact rule 1: replace \"\\\"\" holds '\"', which would break a JSON record or a line",
            ),
            (
                "pattern='(a)'\nreplace='$1st'",
                "redact rule 1: replace \"$1st\" names the group \"1st\", which the pattern has not",
            ),
            (
                "builtin='card'\nreplace='$1'",
                "redact rule 1: replace \"$1\" names a group; only a `pattern` has groups",
            ),
        ] {
            assert_eq!(rules(&format!("[[redact]]\n{text}")).unwrap_err(), error);
        }
        assert!(rules("[[redact]]\nbuiltins='card'").unwrap_err().contains("did you mean `builtin`?"));
    }

    /// Digits that begin like a card, and the last one that makes the checksum right.
    fn card() -> impl Strategy<Value = String> {
        let lengths = prop_oneof![Just(13usize), Just(15), Just(16), Just(19)];
        (lengths, 3u8..=6, proptest::collection::vec(0u8..10, 18)).prop_map(|(length, first, rest)| {
            let mut digits = vec![first];
            digits.extend(&rest[..length - 2]);
            let sum: u32 = digits.iter().rev().enumerate().fold(0, |sum, (place, digit)| {
                let twice = u32::from(*digit) * (2 - place as u32 % 2);
                sum + twice / 10 + twice % 10
            });
            digits.push(((10 - sum % 10) % 10) as u8);
            digits.iter().map(|digit| char::from(b'0' + digit)).collect()
        })
    }

    fn secret() -> impl Strategy<Value = (Vec<u8>, String)> {
        let grouped = (card(), prop_oneof![Just(" "), Just("-")])
            .prop_map(|(digits, separator)| {
                let groups: Vec<&str> =
                    [0..4, 4..8, 8..12, 12..16].into_iter().filter_map(|at| digits.get(at)).collect();
                match &digits[groups.len() * 4..] {
                    "" => groups.join(separator),
                    rest if rest.len() >= 2 => groups.join(separator) + separator + rest,
                    _ => digits.clone(),
                }
            })
            .prop_map(|card| (Vec::new(), card));
        prop_oneof![
            card().prop_map(|card| (Vec::new(), card)),
            grouped,
            "eyJ[A-Za-z0-9_-]{8,40}\\.eyJ[A-Za-z0-9_-]{8,40}\\.[A-Za-z0-9_-]{8,20}"
                .prop_map(|token| (Vec::new(), token)),
            "[A-Za-z0-9._~+/-]{7,30}[0-9]={0,2}".prop_map(|token| (b"Authorization: Bearer ".to_vec(), token)),
            "[A-Za-z]{6,30}[0-9][a-z]".prop_map(|token| (b"bearer ".to_vec(), token)),
            "[A-Za-z0-9!$&*+,;=@:%._-]{6,20}".prop_map(|password| (b"https://user:".to_vec(), password + "@host/")),
            "[a-z][a-z0-9.+-]{2,10}@[a-z]{2,10}\\.[a-z]{2,6}".prop_map(|address| (Vec::new(), address)),
        ]
    }

    /// Anything but what makes a number or a token longer than it is.
    fn around() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            any::<u8>().prop_map(|byte| vec![byte]),
            Just(b"\xff".to_vec()),
            Just(b"://".to_vec()),
            Just(b"4".to_vec())
        ];
        proptest::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn a_secret_never_leaks(
            before in around(),
            left in sample::select(vec![" ".as_bytes(), b"\xff", b"=", b"\"", b"("]),
            (word, secret) in secret(),
            right in sample::select(vec![" ".as_bytes(), b"\n", b"\xfe", b"\"", b", "]),
            after in around(),
        ) {
            let content = [&before, left, &word[..], secret.as_bytes(), right, &after].concat();
            let all = builtin("all");
            let (outcome, once) = redacted(&all, &content);
            prop_assert_ne!(outcome, Outcome::Unchanged);
            let hidden = secret.strip_suffix("@host/").unwrap_or(&secret);
            prop_assert!(memchr::memmem::find(&once, hidden.as_bytes()).is_none(), "{}", String::from_utf8_lossy(&once));
            prop_assert_eq!(content.ends_with(b"\n"), once.ends_with(b"\n"));
            let (_, twice) = redacted(&all, &once);
            prop_assert_eq!(once, twice);
        }

        #[test]
        fn never_panics(content in r#"(\{|)(:|/|@|\\|"|u|n|eyJ|\.|-| |4|1|DE89|bearer |authorization|a|\n){0,60}"#) {
            let rules = rules("[[redact]]\nbuiltin='all'\n[[redact]]\npattern='a+'\nreplace='$0$0'").unwrap();
            redacted(&rules, content.as_bytes());
        }
    }
}
