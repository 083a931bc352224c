//! Terminal colours (`ESC [ … m`) in the beginning of a line. Pure. Only as much is copied as time and severity need.

/// So much of a coloured line is looked at.
pub const LENGTH_MAX: usize = 256;
const ESCAPE: u8 = 0x1b;
/// A line whose first colour comes later has its time before it.
const WITHIN: usize = 100;

/// `line` without its colours, in `buffer` if there are any.
#[inline]
pub fn without<'a>(line: &'a [u8], buffer: &'a mut [u8; LENGTH_MAX]) -> &'a [u8] {
    match memchr::memchr(ESCAPE, &line[..line.len().min(WITHIN)]) {
        None => line,
        Some(_) => strip(line, buffer),
    }
}

fn strip<'a>(line: &[u8], buffer: &'a mut [u8; LENGTH_MAX]) -> &'a [u8] {
    let (mut at, mut length) = (0, 0);
    while at < line.len() && length < LENGTH_MAX {
        if line[at] == ESCAPE && line.get(at + 1) == Some(&b'[') {
            let parameters = line[at + 2..].iter().take_while(|byte| byte.is_ascii_digit() || **byte == b';').count();
            at += 3 + parameters;
            continue;
        }
        buffer[length] = line[at];
        length += 1;
        at += 1;
    }
    &buffer[..length]
}
