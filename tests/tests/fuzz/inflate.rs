//! Compressed files: whatever stands in them, what is read by position is what is read in order, and ends or fails.

use std::fs::File;
use std::io::{Seek, Write};

use clew_agent::tail::inflate::{Compression, Inflate};

use crate::driver::Fuzz;
use crate::seeds;

/// A few KB can unfold to gigabytes: a reader takes what it asked for, and this asks for no more.
const READ_BYTES_MAX: usize = 1 << 20;

#[test]
fn gzip() {
    let seeds = seeds::golden("records").into_iter().map(|text| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(&text).expect("memory suffices");
        encoder.finish().expect("memory suffices")
    });
    run("gzip", Compression::Gzip, seeds.collect(), &["\u{1f}", "\u{8}", "\0\0\0\0"]);
}

#[test]
fn zstd_frames() {
    let seeds = seeds::golden("records").into_iter().flat_map(|text| {
        // Two frames in one file, as loggers that append write it; and one that unfolds to much.
        let one = zstd::encode_all(&text[..], 3).expect("memory suffices");
        [one.repeat(2), zstd::encode_all(&text.repeat(2000)[..], 1).expect("memory suffices")]
    });
    run("zstd_frames", Compression::Zstd, seeds.collect(), &["\0\0\0\0", "\u{1}"]);
}

fn run(name: &'static str, compression: Compression, mut seeds: Vec<Vec<u8>>, tokens: &'static [&'static str]) {
    // Cut off in the middle, too.
    seeds.extend(seeds.clone().into_iter().map(|seed| seed[..seed.len() / 2].to_vec()));
    seeds.retain(|seed| seed.len() < 100_000);
    let mut file = tempfile::tempfile().expect("a temporary file");
    let cell = std::cell::RefCell::new(&mut file);
    Fuzz::new(name, 300).seeds(seeds).tokens(tokens).run(|bytes| {
        let file = &mut *cell.borrow_mut();
        file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(bytes)).expect("write it");
        let open = |file: &File| Inflate::new(file.try_clone().expect("another handle").into(), compression);
        let mut whole = vec![0; READ_BYTES_MAX];
        let at_once = open(file).read_at(0, &mut whole);
        let known = in_order(open(file), &mut whole.clone(), &whole, at_once.as_ref().ok().copied());
        if let Ok(length) = at_once {
            // Behind, in the middle, and again before.
            let mut inflate = open(file);
            let mut part = vec![0; 5000];
            for at in [length / 2, length.saturating_sub(part.len()), 0, length + 10] {
                if length == READ_BYTES_MAX && at + part.len() > length {
                    // What lies behind may be damaged.
                    continue;
                }
                let read = inflate.read_at(at as u64, &mut part).expect("it could be read at once");
                let expected = &whole[at.min(length)..length.min(at + part.len())];
                assert!(part[..read] == *expected, "{read} bytes at {at} of {length}");
            }
        }
        (at_once.map_err(|error| error.kind()).map(usize::checked_ilog2), known.checked_ilog2())
    });
}

/// Step by step; how many bytes came before the end or the error.
fn in_order(mut inflate: Inflate, part: &mut [u8], whole: &[u8], length: Option<usize>) -> usize {
    let mut position = 0;
    while position < READ_BYTES_MAX {
        let most = part.len().min(70_000);
        match inflate.read_at(position as u64, &mut part[..most]) {
            Ok(0) => {
                assert!(
                    length.is_none_or(|length| length == position),
                    "{position} bytes in order, {length:?} at once"
                );
                break;
            }
            Ok(read) => {
                let behind = (position + read).min(READ_BYTES_MAX);
                if length.is_some() {
                    assert!(part[..behind - position] == whole[position..behind], "bytes at {position} differ");
                }
                position += read;
            }
            Err(_) => {
                assert!(length.is_none_or(|length| length >= READ_BYTES_MAX), "an error that was none at once");
                break;
            }
        }
    }
    position
}
