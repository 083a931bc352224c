//! What stands in front of the message of a text: times, levels, numbers of processes, brackets, loggers.

/// So many columns are passed over at most.
const COLUMNS_MAX: usize = 16;

/// The text behind times, levels, numbers of processes, brackets and loggers. All of it, when nothing would be left.
pub fn behind(text: &[u8]) -> &[u8] {
    let mut rest = text.trim_ascii();
    for _ in 0..COLUMNS_MAX {
        let length = column(rest);
        if length == 0 {
            break;
        }
        rest = rest[length..].trim_ascii_start();
    }
    if rest.is_empty() { text } else { rest }
}

/// How long the column is that `text` begins with; 0: it begins with its message.
fn column(text: &[u8]) -> usize {
    let word = &text[..text.iter().position(u8::is_ascii_whitespace).unwrap_or(text.len())];
    match text.first() {
        None => 0,
        // `[exec-1]`, `[app,trace,span]`, `[2026-11-23 12:00:00]`
        Some(b'[') => {
            memchr::memchr(b']', text).map_or(0, |end| end + 1 + usize::from(text.get(end + 1) == Some(&b':')))
        }
        // `<34>1`, a syslog's priority.
        Some(b'<') if word.iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b'<' | b'>')) => word.len(),
        Some(b'-' | b'|' | b':') if word.iter().all(|byte| matches!(byte, b'-' | b'|' | b':')) => word.len(),
        Some(b'0'..=b'9') if is_time_or_number(word) => word.len(),
        Some(_) if is_level(word) => word.len(),
        // `I1123`, as glog and klog write it, and its `main.go:42]`.
        Some(b'I' | b'W' | b'E' | b'F') if word.len() == 5 && word[1..].iter().all(u8::is_ascii_digit) => 5,
        Some(_) if word.ends_with(b"]") && word.contains(&b':') && !word.contains(&b'[') => word.len(),
        Some(_) if is_id(word) => word.len(),
        Some(_) => logger(word, text),
    }
}

/// `2026-11-23T12:00:00.123Z`, `12:00:00,123`, `4711`; but not `3rd`.
fn is_time_or_number(word: &[u8]) -> bool {
    word.iter()
        .all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b':' | b'.' | b',' | b'/' | b'T' | b'Z' | b'+'))
}

fn is_level(word: &[u8]) -> bool {
    const LEVELS: [&[u8]; 16] = [
        b"TRACE",
        b"DEBUG",
        b"INFO",
        b"INFORMATION",
        b"NOTICE",
        b"WARN",
        b"WARNING",
        b"ERROR",
        b"ERR",
        b"FATAL",
        b"CRITICAL",
        b"CRIT",
        b"ALERT",
        b"EMERG",
        b"SEVERE",
        b"VERBOSE",
    ];
    let bare = word.strip_suffix(b":").unwrap_or(word);
    let is_cased = |level: &&[u8]| {
        // `error` in lower case may be the first word of the message; `info` and others are none.
        bare == *level || (bare.eq_ignore_ascii_case(level) && (word.len() > bare.len() || !level.starts_with(b"ERR")))
    };
    LEVELS.iter().any(is_cased)
}

/// `trace_id=4bf9…`, which some formats have before the message.
fn is_id(word: &[u8]) -> bool {
    let Some(equals) = memchr::memchr(b'=', word) else { return false };
    matches!(&word[..equals], [.., b'i' | b'I', b'd' | b'D'] | b"traceparent")
}

/// A logger's name and the `:` or `-` behind it: `c.shop.Checkout  : `, `inventory.stock - `.
fn logger(word: &[u8], text: &[u8]) -> usize {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'$' | b'/' | b'-');
    if !word.contains(&b'.') || !word.iter().all(is_name) {
        return 0;
    }
    let behind = &text[word.len()..];
    let blanks = behind.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    match &behind[blanks..] {
        [b':' | b'-' | b'|', blank, ..] if blank.is_ascii_whitespace() => word.len() + blanks + 1,
        _ => 0,
    }
}
