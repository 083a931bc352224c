//! Random changes of an input: of bits, bytes, stretches, lines, numbers (in binary and as digits), and what the format is made of.

use fastrand::Rng;

/// Bytes that mean something in one format or another.
const BYTES: &[u8] = b"\0\x01\x02\x7f\x80\xc3\xfe\xff\n\r\t \"\\/{}[]()<>:;,=-_.+%$#@!|*?0159aAfFzZT";
/// Where counts and lengths go over.
const NUMBERS: [u64; 16] = [
    0,
    1,
    2,
    0x7f,
    0x80,
    0xff,
    0x100,
    0x7fff,
    0xffff,
    0x1_0000,
    0x7fff_ffff,
    0xffff_ffff,
    0x1_0000_0000,
    i64::MAX as u64,
    i64::MAX as u64 + 1,
    u64::MAX,
];
const DIGITS: [&str; 12] = [
    "0",
    "00",
    "-1",
    "1",
    "9",
    "60",
    "99",
    "2262",
    "65536",
    "4294967296",
    "9223372036854775808",
    "99999999999999999999999999",
];
const STRETCH_MAX: usize = 40;

/// Changes `input` once; `other` lends stretches.
pub fn mutate(random: &mut Rng, input: &mut Vec<u8>, other: &[u8], tokens: &[&str]) {
    let at = random.usize(..=input.len());
    match random.u8(..16) {
        0 if at < input.len() => input[at] ^= 1 << random.u8(..8),
        1 if at < input.len() => input[at] = BYTES[random.usize(..BYTES.len())],
        2 if at < input.len() => input[at] = random.u8(..),
        3 => input.insert(at, BYTES[random.usize(..BYTES.len())]),
        4 => drop(input.drain(stretch(random, input.len()))),
        5 => {
            let piece = input[stretch(random, input.len())].to_vec();
            insert(input, at, &piece);
        }
        6 => input.truncate(at),
        7 => {
            // The front of this one and the rest of the other.
            input.truncate(at);
            input.extend_from_slice(&other[random.usize(..=other.len())..]);
        }
        8 => insert(input, at, &other[stretch(random, other.len())]),
        9 => number(random, input, at),
        10 => digits(random, input, at),
        11 => {
            let times = random.usize(2..=60);
            let piece = input[stretch(random, input.len())].repeat(times);
            insert(input, at, &piece);
        }
        12 => lines(random, input),
        _ if tokens.is_empty() => input.insert(at, random.u8(..)),
        kind => {
            let token = tokens[random.usize(..tokens.len())].as_bytes();
            match kind {
                // In place of as many bytes.
                13 if at + token.len() <= input.len() => input[at..at + token.len()].copy_from_slice(token),
                _ => insert(input, at, token),
            }
        }
    }
}

fn insert(input: &mut Vec<u8>, at: usize, piece: &[u8]) {
    input.splice(at..at, piece.iter().copied());
}

/// A short stretch, now and then a long one.
fn stretch(random: &mut Rng, length: usize) -> std::ops::Range<usize> {
    let begin = random.usize(..=length);
    let most = if random.u8(..8) == 0 { length } else { STRETCH_MAX };
    begin..(begin + random.usize(..=most)).min(length)
}

/// Writes a number over the bytes at `at`: 1 to 8 bytes in either order, or as a varint.
fn number(random: &mut Rng, input: &mut Vec<u8>, at: usize) {
    let number = NUMBERS[random.usize(..NUMBERS.len())].wrapping_add(random.u64(..3)).wrapping_sub(1);
    let width = 1 << random.u32(..4);
    let bytes = match random.u8(..3) {
        0 => number.to_le_bytes()[..width].to_vec(),
        1 => number.to_be_bytes()[8 - width..].to_vec(),
        _ => varint(number),
    };
    let end = (at + bytes.len()).min(input.len());
    input.splice(at..end, bytes);
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

/// Replaces the next run of digits behind `at`.
fn digits(random: &mut Rng, input: &mut Vec<u8>, at: usize) {
    let Some(begin) = input[at..].iter().position(u8::is_ascii_digit).map(|found| at + found) else { return };
    let length = input[begin..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    input.splice(begin..begin + length, DIGITS[random.usize(..DIGITS.len())].bytes());
}

/// Puts a line elsewhere, or doubles it.
fn lines(random: &mut Rng, input: &mut Vec<u8>) {
    let mut lines: Vec<Vec<u8>> = input.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    if lines.is_empty() {
        return;
    }
    let line = lines[random.usize(..lines.len())].clone();
    if random.bool() {
        lines.remove(random.usize(..lines.len()));
    }
    lines.insert(random.usize(..=lines.len()), line);
    *input = lines.concat();
}
