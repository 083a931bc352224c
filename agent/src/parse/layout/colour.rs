//! Terminal colours (`ESC [ … m`) in the beginning of a line. Pure. Only as much is copied as time and severity need.

use crate::parse::scan;

/// So much of a coloured line is looked at.
const LENGTH_MAX: usize = 256;
const ESCAPE: u8 = 0x1b;
/// A line whose first colour comes later has its time before it.
const WITHIN: usize = 100;

/// The beginning of a line whose colours are taken out.
pub struct Uncoloured {
    bytes: [u8; LENGTH_MAX],
    length: usize,
}

impl Uncoloured {
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// `line` without its colours, if there are any.
#[inline(always)]
pub fn without(line: &[u8]) -> Option<Uncoloured> {
    scan::byte(&line[..line.len().min(WITHIN)], ESCAPE).map(|_| strip(line))
}

#[inline(never)]
fn strip(line: &[u8]) -> Uncoloured {
    let mut bytes = [0; LENGTH_MAX];
    let (mut at, mut length) = (0, 0);
    while at < line.len() && length < LENGTH_MAX {
        if line[at] == ESCAPE && line.get(at + 1) == Some(&b'[') {
            let parameters = line[at + 2..].iter().take_while(|byte| byte.is_ascii_digit() || **byte == b';').count();
            at += 3 + parameters;
            continue;
        }
        bytes[length] = line[at];
        length += 1;
        at += 1;
    }
    Uncoloured { bytes, length }
}
