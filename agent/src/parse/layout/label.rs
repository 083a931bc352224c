//! A severity at the start and no time: .NET's console (`info: Category[0]`), Python's `ERROR:root:message`, and the second
//! line of `java.util.logging` (`INFO: message`).

use super::Found;
use crate::parse::severity;

/// Reads `line`.
pub fn read(line: &[u8]) -> Option<Found> {
    let length = line.iter().take(9).position(|byte| *byte == b':')?;
    let (word, rest) = (&line[..length], &line[length + 1..]);
    let layout = match word {
        b"trce" | b"dbug" | b"info" | b"warn" | b"fail" | b"crit" if rest.first() == Some(&b' ') => "dotnet",
        b"DEBUG" | b"INFO" | b"WARNING" | b"ERROR" | b"CRITICAL" if is_name(rest) => "python",
        b"SEVERE" | b"WARNING" | b"INFO" | b"CONFIG" | b"FINE" | b"FINER" | b"FINEST"
            if rest.first() == Some(&b' ') =>
        {
            "java"
        }
        _ => return None,
    };
    Some(Found { time_ns: None, severity: severity::of_word(word)?, layout })
}

/// A logger's name, then a colon.
fn is_name(rest: &[u8]) -> bool {
    let is_part = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_');
    let length = rest.iter().take_while(is_part).count();
    length > 0 && rest.get(length) == Some(&b':')
}
