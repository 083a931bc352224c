//! What single lines of stack traces look like, whichever record they stand in. Pure; lines come without their end.

use memchr::memchr;

pub(super) const PYTHON_HEADER: &[u8] = b"Traceback (most recent call last):";
/// Announce that another Python traceback follows.
pub(super) const PYTHON_CHAINS: [&[u8]; 2] =
    [b"During handling of the above exception, another", b"The above exception was the direct cause of the following"];
/// How a line begins that belongs to a record wherever it stands.
const STARTS: [&[u8]; 9] = [
    b"Caused by:",
    b"Suppressed: ",
    PYTHON_HEADER,
    b"... ",
    b"Stack trace:",
    b"[stacktrace]",
    b"[cause]: ",
    b"--- End of ",
    b"goroutine ",
];

/// Whether a line looks like the rest of a record, whichever record that is.
pub(super) fn is_continuation(line: &[u8]) -> bool {
    match line.first() {
        Some(b' ' | b'\t') => true,
        Some(b'.') => line.starts_with(b"... ") && line.trim_ascii_end().ends_with(b" more"),
        Some(b'g') if is_goroutine(line) => true,
        Some(b'C' | b'T' | b'-' | b'[' | b'S') => {
            STARTS.iter().any(|start| line.starts_with(start)) || is_throwable(line)
        }
        Some(b'a'..=b'z' | b'A'..=b'Z') => is_throwable(line) || is_ruby_frame(line),
        Some(b'/' | b'<') => is_ruby_frame(line),
        _ => false,
    }
}

/// Whether the beginning of a line may turn out to be one that [`is_continuation`].
pub(super) fn may_become_continuation(part: &[u8]) -> bool {
    is_continuation(part)
        || is_class(part)
        || STARTS.iter().any(|start| start.starts_with(part) || part.starts_with(start))
        || memchr::memmem::find(part, b":in ").is_some()
        || !part.first().is_some_and(u8::is_ascii_digit)
            && part.iter().all(|byte| is_name(*byte) || b"\r/-:".contains(byte))
        || may_become_ruby_frame(part)
}

/// Its path holds anything but blanks.
pub(super) fn may_become_ruby_frame(part: &[u8]) -> bool {
    part.first().is_some_and(|first| first.is_ascii_alphabetic() || matches!(first, b'/' | b'<'))
        && !part.contains(&b' ')
}

/// `java.lang.IllegalStateException: boom`, `System.Exception`: loggers put it at the start of a line of its own.
pub(super) fn is_throwable(line: &[u8]) -> bool {
    let end = line.iter().position(|byte| !is_name(*byte)).unwrap_or(line.len());
    let name = &line[..end];
    matches!(line.get(end), None | Some(b':' | b'\r'))
        && name.contains(&b'.')
        && [&b"Exception"[..], b"Error", b"Throwable"].iter().any(|word| name.ends_with(word))
}

/// A frame of the JVM, as it is printed behind the exception.
pub(super) const JAVA_FRAME: &[u8] = b"\tat ";

/// `com.shop.CardDeclined: no`: may be an exception, whatever it is called.
pub(super) fn is_class(line: &[u8]) -> bool {
    let end = line.iter().position(|byte| !is_name(*byte)).unwrap_or(line.len());
    matches!(line.get(end), None | Some(b':' | b'\r'))
        && !line.first().is_some_and(u8::is_ascii_digit)
        && line[..end].contains(&b'.')
}

/// `ValueError: bad`, `package.SomeError`, `KeyboardInterrupt`: the last line of a Python traceback.
pub(super) fn is_python_exception(line: &[u8]) -> bool {
    let name = &line[..memchr(b':', line).unwrap_or(line.len())];
    !name.is_empty()
        && !name[0].is_ascii_digit()
        && name.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'))
}

/// `During handling of the above exception, another exception occurred:`
pub(super) fn is_python_chain(line: &[u8]) -> bool {
    PYTHON_CHAINS.iter().any(|chain| line.starts_with(chain))
}

/// `goroutine 1 [running]:`
pub(super) fn is_goroutine(line: &[u8]) -> bool {
    line.starts_with(b"goroutine ") && line.ends_with(b"]:")
}

/// `main.f(0x1, ...)`, `panic({0x1, 0x2})`, `created by main.g in goroutine 1`, `exit status 2`.
pub(super) fn is_go_frame(line: &[u8]) -> bool {
    let name = &line[..memchr(b'(', line).unwrap_or(line.len())];
    let is_call = line.ends_with(b")") && !name.contains(&b' ') && (name.contains(&b'.') || name == b"panic");
    is_call
        || line.starts_with(b"created by ")
        || line.starts_with(b"exit status ")
        || line.starts_with(b"...additional frames elided")
}

/// ``app/models/user.rb:12:in `save'``, and nothing behind it: what has a message behind it begins a trace.
pub(super) fn is_ruby_frame(line: &[u8]) -> bool {
    line.ends_with(b"'")
        && memchr::memmem::find(line, b":in ").is_some_and(|at| {
            let place = &line[..at];
            let colon = memchr::memrchr(b':', place).unwrap_or(at);
            colon + 1 < at && !place.contains(&b' ') && place[colon + 1..].iter().all(u8::is_ascii_digit)
        })
}

/// `#0 /app/x.php(3): f()`
pub(super) fn is_php_frame(line: &[u8]) -> bool {
    line.first() == Some(&b'#') && line.get(1).is_some_and(u8::is_ascii_digit) && line.contains(&b' ')
}

/// `/app/x.js:10`, `node:internal/modules:1`: where Node says that an error was not caught.
pub(super) fn is_node_place(line: &[u8]) -> bool {
    let Some(colon) = memchr::memrchr(b':', line) else { return false };
    let is_path = line.starts_with(b"/") || line.starts_with(b"node:") || line.starts_with(b"file://");
    is_path && colon + 1 < line.len() && !line.contains(&b' ') && line[colon + 1..].iter().all(u8::is_ascii_digit)
}

/// `    ^^^`: points at the column of the line above.
pub(super) fn is_caret(line: &[u8]) -> bool {
    let marks = line.trim_ascii();
    !marks.is_empty() && marks.iter().all(|byte| matches!(byte, b'^' | b'~'))
}

/// `thread 'main' panicked at src/main.rs:1:2:`; its message stands on the next line.
pub(super) fn is_rust_panic(line: &[u8]) -> bool {
    line.ends_with(b":") && is_thread(line)
}

/// The same with or without the message, as older compilers have it.
pub(super) fn is_thread(line: &[u8]) -> bool {
    // Without preparing a search for more than a letter: many lines have a quote, and few a thread before it.
    memchr::memchr_iter(b'\'', line)
        .find(|quote| line[..*quote].ends_with(b"thread "))
        .is_some_and(|quote| memchr::memmem::find(&line[quote..], b" panicked at ").is_some())
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'$')
}
