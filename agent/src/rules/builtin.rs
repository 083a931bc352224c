//! The secrets that are known by name: how each is found. Pure.
//!
//! A finder gives the secret alone, never the words around it, so that a redacted record still says what it was about. Each
//! looks for a rare byte sequence first, and a record without it is left at the speed of memchr.

use std::ops::Range;

use memchr::{memchr, memchr_iter, memmem};
use regex::bytes::Regex;

use super::number;
use super::pattern::compile;

/// The names, in the order in which they are applied: a URL's password goes before e-mail addresses, because `pass@host.example`
/// looks like one and its beginning would stay.
pub const NAMES: [&str; 6] = ["bearer", "jwt", "url_password", "card", "iban", "email"];

/// Finds one kind of secret.
#[derive(Debug)]
pub enum Finder {
    /// The token is the first group that took part.
    Bearer(Regex),
    Jwt(Regex),
    UrlPassword,
    Card,
    Iban,
    Email,
}

impl Finder {
    /// The finder called `name`.
    pub fn new(name: &str) -> Option<Self> {
        // The patterns below are part of the program: that they compile is tested.
        let regex = |text| compile("builtin", text).ok();
        Some(match name {
            "bearer" => Self::Bearer(regex(BEARER)?),
            "jwt" => Self::Jwt(regex(JWT)?),
            "url_password" => Self::UrlPassword,
            "card" => Self::Card,
            "iban" => Self::Iban,
            "email" => Self::Email,
            _ => return None,
        })
    }

    /// The next secret in `text` at or behind `from`.
    pub fn find(&self, text: &[u8], from: usize) -> Option<Range<usize>> {
        match self {
            Self::Bearer(regex) => bearer(regex, text, from),
            Self::Jwt(regex) => {
                let at = from + memmem::find(&text[from..], b"eyJ")?;
                regex.find_at(text, at).map(|found| found.range())
            }
            Self::UrlPassword => url_password(text, from),
            Self::Card => number::card(text, from),
            Self::Iban => number::iban(text, from),
            Self::Email => email(text, from),
        }
    }
}

/// Header and payload, and whatever of signature, key and tag is there (RFC 7515, RFC 7516). A header begins with `{"`.
const JWT: &str = r"(?-u)eyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]*){0,3}";

/// Behind the name of the header (RFC 9110, section 11.6.2) everything is a token; without it, only what looks like one is.
/// `\/` is how some JSON writers spell the slash of base64, `%20` and `+` are how URLs spell a space.
const BEARER: &str = concat!(
    r"(?i-u)authorization\W{0,8}(?:bearer|basic|token|negotiate|apikey)(?:\s+|\+|%20)",
    r#"((?:[^\s"'\\,;\[]|\\/)(?:[^\s"'\\,;]|\\/)*)"#,
    r"|\b(?:bearer|basic)(?:\s+|\+|%20)((?:[A-Za-z0-9._~+/=|-]|\\/){8,})"
);

fn bearer(regex: &Regex, text: &[u8], from: usize) -> Option<Range<usize>> {
    let mut at = from;
    while let Some(groups) = regex.captures_at(text, at) {
        if let Some(token) = groups.get(1) {
            return Some(token.range());
        }
        let token = groups.get(2)?;
        if !is_word(token.as_bytes()) {
            return Some(token.range());
        }
        at = token.end();
    }
    None
}

/// "bearer certificate", "Basic Authentication": letters of one case, perhaps after a capital, not longer than words are.
fn is_word(token: &[u8]) -> bool {
    let token = token.strip_suffix(b".").unwrap_or(token);
    let same_case =
        |letters: &[u8]| letters.iter().all(u8::is_ascii_lowercase) || letters.iter().all(u8::is_ascii_uppercase);
    token.len() < 20 && token[0].is_ascii_alphabetic() && same_case(&token[1..])
}

/// `scheme://user:PASSWORD@host` (RFC 3986, section 3.2.1), also with JSON's `:\/\/`. The authority ends at the path; of several
/// `@` the last one counts, so that a password with an `@` goes as a whole.
fn url_password(text: &[u8], from: usize) -> Option<Range<usize>> {
    let mut at = from;
    loop {
        let colon = at + memchr(b':', &text[at..])?;
        at = colon + 1;
        let rest = &text[at..];
        let slashes = match rest {
            [b'/', b'/', ..] => 2,
            [b'\\', b'/', b'\\', b'/', ..] => 4,
            _ => continue,
        };
        let begin = at + slashes;
        let end = authority_end(text, begin);
        let host = text[begin..end].iter().rposition(|byte| *byte == b'@').map(|at| begin + at);
        // The colon of `[redacted:card]` parts no user from a password: redacting twice is redacting once.
        let password = memchr_iter(b':', &text[begin..end])
            .map(|at| begin + at)
            .find(|colon| !text[begin..*colon].ends_with(b"[redacted"))
            .map(|colon| colon + 1);
        if let (Some(host), Some(password)) = (host, password)
            && password < host
        {
            return Some(password..host);
        }
        at = begin;
    }
}

fn authority_end(text: &[u8], begin: usize) -> usize {
    let mut at = begin;
    while let Some(byte) = text.get(at) {
        match byte {
            b'/' | b'?' | b'#' | b'"' | b'\'' | b'<' | b'>' => return at,
            byte if byte.is_ascii_whitespace() => return at,
            b'\\' if text.get(at + 1) == Some(&b'/') => return at,
            // An escaped quote does not end the string that the URL stands in.
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    text.len()
}

/// `local@domain.tld`. Bytes beyond ASCII count as letters (RFC 6531), broken ones too.
fn email(text: &[u8], from: usize) -> Option<Range<usize>> {
    let mut at = from;
    loop {
        let sign = at + memchr(b'@', &text[at..])?;
        at = sign + 1;
        let local = text[from..sign].iter().rev().take_while(|byte| is_local(**byte)).count();
        let domain = text[at..].iter().take_while(|byte| is_domain(**byte)).count();
        let domain = domain_length(&text[at..at + domain]);
        if local > 0 && domain > 0 {
            return Some(sign - local..at + domain);
        }
    }
}

/// How much of `text` is a domain: what follows its last label of two letters or more is the end of a sentence or a number.
fn domain_length(text: &[u8]) -> usize {
    let mut rest = text;
    while let Some(point) = rest.iter().rposition(|byte| *byte == b'.') {
        let top = &rest[point + 1..];
        let top_length = top.iter().rposition(|byte| *byte != b'-').map_or(0, |last| last + 1);
        if point > 0 && top_length >= 2 && !top.iter().all(u8::is_ascii_digit) {
            return point + 1 + top_length;
        }
        rest = &rest[..point];
    }
    0
}

fn is_local(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80 || b"._%+-!#$*^`~".contains(&byte)
}

fn is_domain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80 || byte == b'.' || byte == b'-'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_a_finder() {
        for name in NAMES {
            assert!(Finder::new(name).is_some(), "{name}");
        }
        assert!(Finder::new("ssn").is_none());
    }

    #[test]
    fn the_secret_alone_is_found() {
        for (name, text, secret) in [
            ("bearer", "Authorization: Bearer abc", Some("abc")),
            ("bearer", "Authorization: Bearer +abc", Some("+abc")),
            ("bearer", r#"{"authorization":["Basic dTpw\/w=="]}"#, Some(r"dTpw\/w==")),
            ("bearer", r#"{"m":"{\"authorization\":\"bearer x.y\"}"}"#, Some("x.y")),
            ("bearer", "proxy-authorization=token%20abc;", Some("abc")),
            ("bearer", "sent bearer 0123abcd, went on", Some("0123abcd")),
            ("bearer", "a bearer certificate, bearer a1b2c3d4", Some("a1b2c3d4")),
            ("bearer", "Basic Authentication failed", None),
            ("bearer", "basic authentication.", None),
            ("jwt", "t=eyJhbGciOiJI.eyJzdWIi.c2ln;", Some("eyJhbGciOiJI.eyJzdWIi.c2ln")),
            ("jwt", "cut eyJhbGciOiJI.eyJzdW", Some("eyJhbGciOiJI.eyJzdW")),
            ("jwt", "eyJust a word", None),
            ("url_password", "postgres://me:p@ss:w@db.example:5432/x", Some("p@ss:w")),
            ("url_password", r#"{"u":"redis:\/\/:pass@h\/0"}"#, Some("pass")),
            ("url_password", r#"{"u":"amqp://me:p\"w@h"}"#, Some(r#"p\"w"#)),
            ("url_password", "http://h:80/a?b=c@d http://h:81", None),
            ("url_password", "http://[redacted:card]@h", None),
            ("url_password", "http://a http://me:pw@h", Some("pw")),
            ("email", "<ann.b+c@mail.example.org>.", Some("ann.b+c@mail.example.org")),
            ("email", "to=ann@example.org.", Some("ann@example.org")),
            ("email", "ann@example.org.4-", Some("ann@example.org")),
            ("email", "müller@bücher.example", Some("müller@bücher.example")),
            ("email", "root@localhost @x.de a@10.0.0.1", None),
        ] {
            let found = Finder::new(name).and_then(|finder| finder.find(text.as_bytes(), 0)).map(|range| &text[range]);
            assert_eq!(found, secret, "{name}: {text}");
        }
    }
}
