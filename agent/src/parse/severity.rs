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
        b"trace" | b"verbose" | b"finest" | b"finer" | b"trc" => Severity::Trace,
        b"debug" | b"dbg" | b"fine" | b"config" | b"debu" => Severity::Debug,
        b"info" | b"information" | b"informational" | b"inf" => Severity::Info,
        b"notice" => Severity::Notice,
        b"warn" | b"warning" | b"wrn" => Severity::Warn,
        b"error" | b"err" | b"severe" | b"eror" => Severity::Error,
        b"fatal" | b"critical" | b"crit" | b"panic" | b"alert" | b"emerg" | b"emergency" | b"dpanic" | b"ftl" => {
            Severity::Fatal
        }
        _ => return None,
    })
}

fn of_letter(word: &[u8]) -> Option<Severity> {
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
