//! Which program wrote the line, by what stands behind its time; and its severity, where the program has words of its own.

use crate::parse::reading::Format;
use crate::parse::time::Stamp;
use crate::parse::{scan, severity};
use crate::record::Severity;

/// PostgreSQL's level stands this near behind the time.
const POSTGRES_WITHIN: usize = 160;
/// And the dashes of Spring Boot this near.
const SPRING_WITHIN: usize = 60;

/// Severity and layout of a line whose time is `stamp` at `begin`.
#[inline]
pub fn read(line: &[u8], begin: usize, stamp: Stamp, format: Format) -> (Severity, &'static str) {
    let rest = &line[stamp.end..];
    let may_be = |candidate: Format| matches!(format, Format::Auto | Format::Text) || format == candidate;
    if begin == 0 && line[4] == b'/' {
        return if is_nginx(rest) { nginx(rest) } else { (severity::in_text(line, stamp.end), "go") };
    }
    if begin == 0
        && (rest.starts_with(b" [") || format == Format::Postgres)
        && may_be(Format::Postgres)
        && let Some(severity) = postgres(rest)
    {
        return (severity, "postgres");
    }
    if begin == 0
        && rest.get(1).is_some_and(u8::is_ascii_digit)
        && may_be(Format::Mysql)
        && let Some(severity) = mysql(rest)
    {
        return (severity, "mysql");
    }
    let severity = severity::in_text(line, stamp.end);
    let layout = if begin > 0 {
        "timestamp"
    } else if is_spring(&rest[..rest.len().min(SPRING_WITHIN)]) {
        "spring"
    } else if rest.starts_with(b" - ") {
        "python"
    } else if is_tracing(line, stamp.end) {
        "tracing"
    } else {
        "timestamp"
    };
    (severity, layout)
}

/// `  INFO 1 --- [main] `.
fn is_spring(window: &[u8]) -> bool {
    let mut from = 0;
    while let Some(dash) = scan::byte(&window[from..], b'-') {
        from += dash + 1;
        if window[..from].ends_with(b" -") && window[from..].starts_with(b"-- [") {
            return true;
        }
    }
    false
}

/// ` [error] 7#7: `.
fn is_nginx(rest: &[u8]) -> bool {
    let Some(close) = memchr::memchr(b']', &rest[..rest.len().min(12)]) else { return false };
    let Some(process) = rest[close..].strip_prefix(b"] ") else { return false };
    let digits = process.iter().take_while(|byte| byte.is_ascii_digit()).count();
    rest.starts_with(b" [") && digits > 0 && process.get(digits) == Some(&b'#')
}

fn nginx(rest: &[u8]) -> (Severity, &'static str) {
    let level = rest[2..].split(|byte| *byte == b']').next().unwrap_or_default();
    (severity::of_word(level).unwrap_or_default(), "nginx-error")
}

/// ` [1] ERROR:  `, ` [1-1] user@database LOG:  `. What belongs to the line before it (DETAIL, HINT) is Info.
fn postgres(rest: &[u8]) -> Option<Severity> {
    let window = &rest[..rest.len().min(POSTGRES_WITHIN)];
    let colon = memchr::memmem::find(window, b":  ")?;
    let begin = window[..colon].iter().rposition(|byte| !byte.is_ascii_alphanumeric()).map_or(0, |before| before + 1);
    Some(match &window[begin..colon] {
        b"DEBUG" | b"DEBUG1" | b"DEBUG2" | b"DEBUG3" | b"DEBUG4" | b"DEBUG5" => Severity::Debug,
        b"LOG" | b"INFO" | b"DETAIL" | b"HINT" | b"STATEMENT" | b"CONTEXT" | b"QUERY" | b"LOCATION" => Severity::Info,
        b"NOTICE" => Severity::Notice,
        b"WARNING" => Severity::Warn,
        b"ERROR" => Severity::Error,
        b"FATAL" | b"PANIC" => Severity::Fatal,
        _ => return None,
    })
}

/// ` 8 [Warning] [MY-1] `: a thread, then the level, which may be a word that nobody else has.
fn mysql(rest: &[u8]) -> Option<Severity> {
    let digits = rest[1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let level = rest[1 + digits..].strip_prefix(b" [")?;
    match level.split(|byte| *byte == b']').next()? {
        b"Note" | b"System" => Some(Severity::Info),
        b"Warning" => Some(Severity::Warn),
        b"ERROR" | b"Error" => Some(Severity::Error),
        _ => None,
    }
}

/// `Z  INFO target: `, as Rust's tracing writes it.
fn is_tracing(line: &[u8], end: usize) -> bool {
    if line[end - 1] != b'Z' {
        return false;
    }
    let rest = line[end..].trim_ascii_start();
    let level = rest.iter().take_while(|byte| byte.is_ascii_uppercase()).count();
    let target = rest.get(level + 1..).unwrap_or_default();
    let name = target.iter().take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':')).count();
    matches!(&rest[..level], b"TRACE" | b"DEBUG" | b"INFO" | b"WARN" | b"ERROR")
        && name > 1
        && (target[name - 1] == b':' || target.get(name) == Some(&b'{'))
}
