//! Severity words and numbers. Pure.

use crate::record::Severity;

/// The severity that a word names, whatever its case.
#[inline]
pub fn of_word(word: &[u8]) -> Option<Severity> {
    if !(3..=13).contains(&word.len()) {
        return of_letter(word);
    }
    let mut lower = [0u8; 13];
    for (to, from) in lower.iter_mut().zip(word) {
        *to = from | 0x20;
    }
    Some(match &lower[..word.len()] {
        b"trace" | b"verbose" | b"finest" | b"finer" | b"trc" | b"trce" | b"trac" => Severity::Trace,
        b"debug" | b"dbg" | b"fine" | b"config" | b"debu" | b"dbug" => Severity::Debug,
        b"info" | b"information" | b"informational" | b"inf" => Severity::Info,
        b"notice" => Severity::Notice,
        b"warn" | b"warning" | b"wrn" => Severity::Warn,
        b"error" | b"err" | b"severe" | b"eror" | b"erro" | b"fail" => Severity::Error,
        b"fatal" | b"critical" | b"crit" | b"panic" | b"alert" | b"emerg" | b"emergency" | b"dpanic" | b"ftl"
        | b"fata" | b"pani" => Severity::Fatal,
        _ => return None,
    })
}

/// The severity in a field's value: a word, a number, or a word with something behind it (`ERROR+2`).
#[inline]
pub fn of_value(value: &[u8]) -> Option<Severity> {
    of_word(value).or_else(|| of_number(value)).or_else(|| {
        let length = value.iter().position(|byte| matches!(byte, b'+' | b'-'))?;
        of_word(&value[..length])
    })
}

/// Of the priority of a syslog message: facility times eight, plus 0 (emergency) to 7 (debug).
pub fn of_priority(priority: u32) -> Severity {
    match priority % 8 {
        0..=2 => Severity::Fatal,
        3 => Severity::Error,
        4 => Severity::Warn,
        5 => Severity::Notice,
        6 => Severity::Info,
        _ => Severity::Debug,
    }
}

pub fn of_letter(word: &[u8]) -> Option<Severity> {
    Some(match word {
        b"T" => Severity::Trace,
        b"D" => Severity::Debug,
        b"I" => Severity::Info,
        b"N" => Severity::Notice,
        b"W" => Severity::Warn,
        b"E" => Severity::Error,
        b"F" | b"C" => Severity::Fatal,
        _ => return None,
    })
}

/// Of a JSON number: pino and bunyan write 10 (trace) to 60 (fatal), syslog 0 (emergency) to 7 (debug).
pub fn of_number(digits: &[u8]) -> Option<Severity> {
    Some(match digits {
        b"10" => Severity::Trace,
        b"20" | b"7" => Severity::Debug,
        b"30" | b"6" => Severity::Info,
        b"5" => Severity::Notice,
        b"40" | b"4" => Severity::Warn,
        b"50" | b"3" => Severity::Error,
        b"60" | b"0" | b"1" | b"2" => Severity::Fatal,
        _ => return None,
    })
}

/// Of an HTTP answer's status, three digits.
pub fn of_http_status(status: &[u8]) -> Option<Severity> {
    match status {
        [b'5', b'0'..=b'9', b'0'..=b'9'] => Some(Severity::Error),
        [b'4', b'0'..=b'9', b'0'..=b'9'] => Some(Severity::Warn),
        [b'1'..=b'3', b'0'..=b'9', b'0'..=b'9'] => Some(Severity::Info),
        _ => None,
    }
}

/// A severity word further right is part of the message.
const WITHIN: usize = 100;

/// The first severity word from `from` on. Only a word in capitals or in brackets counts, or the very first one behind a time
/// or before a colon: "error" in the middle of a sentence says nothing.
pub fn in_text(line: &[u8], from: usize) -> Severity {
    let window = &line[from..line.len().min(from + WITHIN)];
    let mut at = 0;
    let mut first = true;
    while at < window.len() {
        if !window[at].is_ascii_alphabetic() {
            at += 1;
            continue;
        }
        let length = window[at..].iter().position(|byte| !byte.is_ascii_alphabetic()).unwrap_or(window.len() - at);
        let word = &window[at..at + length];
        let before = if at == 0 { b' ' } else { window[at - 1] };
        let after = window.get(at + length).copied().unwrap_or(b' ');
        let alone = !before.is_ascii_digit()
            && (!matches!(before, b'_' | b'.' | b'-') || after == b':')
            && !after.is_ascii_digit()
            && !matches!(after, b'_' | b'.' | b'-' | b'/');
        // One after the other, the cheapest first: most words are loud, or nothing.
        let loud = || word.len() >= 3 && word.iter().all(u8::is_ascii_uppercase);
        let bracketed =
            || matches!((before, after), (b'[', b']') | (b'<', b'>') | (b'(', b')') | (b'|', b'|') | (b'=', b' '));
        let leads = || first && word.len() >= 3 && (after == b':' || (from > 0 && !is_common_word(word)));
        if alone
            && (loud() || bracketed() || leads())
            && let Some(severity) = of_word(word)
        {
            return severity;
        }
        // A zone or a letter behind the time is not yet the first word.
        first = first && word.len() < 3;
        at += length;
    }
    Severity::Unknown
}

/// Severities that sentences begin with, too ("Fine tuning", "Alert sent").
fn is_common_word(word: &[u8]) -> bool {
    [&b"fine"[..], b"config", b"alert", b"critical", b"severe", b"emergency", b"fail", b"notice", b"finer", b"finest"]
        .iter()
        .any(|common| common.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_numbers() {
        for (word, severity) in [
            ("INFO", Severity::Info),
            ("Information", Severity::Info),
            ("warning", Severity::Warn),
            ("WARN", Severity::Warn),
            ("err", Severity::Error),
            ("CRITICAL", Severity::Fatal),
            ("Trace", Severity::Trace),
            ("DEBUG", Severity::Debug),
            ("notice", Severity::Notice),
            ("E", Severity::Error),
        ] {
            assert_eq!(of_word(word.as_bytes()), Some(severity), "{word}");
        }
        for word in ["", "in", "informative", "x", "errors"] {
            assert_eq!(of_word(word.as_bytes()), None, "{word}");
        }
        assert_eq!(of_number(b"50"), Some(Severity::Error));
        assert_eq!(of_http_status(b"503"), Some(Severity::Error));
        assert_eq!(of_http_status(b"404"), Some(Severity::Warn));
        assert_eq!(of_http_status(b"200"), Some(Severity::Info));
        assert_eq!(of_http_status(b"20x"), None);
    }
}
