//! A failing input, made smaller as long as it fails: stretches are left out, halves first, then bytes are made plain.

/// Runs at most so often.
const TRIES_MAX: u32 = 20_000;

/// The smallest input that was met on the way for which `fails` holds.
pub fn shrink(input: &[u8], fails: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let mut small = input.to_vec();
    let mut tries = 0;
    let mut try_it = |candidate: &[u8]| {
        tries += 1;
        tries <= TRIES_MAX && fails(candidate)
    };
    loop {
        let before = small.clone();
        let mut length = small.len().div_ceil(2);
        while length > 0 {
            let mut at = 0;
            while at < small.len() {
                let mut candidate = small.clone();
                candidate.drain(at..(at + length).min(small.len()));
                if try_it(&candidate) {
                    small = candidate;
                } else {
                    at += length;
                }
            }
            length /= 2;
        }
        for at in 0..small.len() {
            for plain in *b"a0 " {
                // Only ever towards the plainer, so that it ends.
                if small[at] == plain {
                    break;
                }
                let mut candidate = small.clone();
                candidate[at] = plain;
                if try_it(&candidate) {
                    small = candidate;
                    break;
                }
            }
        }
        if small == before {
            return small;
        }
    }
}
