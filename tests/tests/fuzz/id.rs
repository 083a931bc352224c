//! Transaction IDs in all spellings, and the cursors of pages: what an HTTP request may hold.

use clew_aggregator::block::spelling::SpelledId;
use clew_aggregator::http::cursor;
use clew_aggregator::id::Canonical;

use crate::driver::Fuzz;
use crate::seeds;

const SPELLINGS: &[&str] = &[
    "4bf92f3577b34da6a3ce929d0e0e4736",
    "4BF92F35-77B3-4DA6-A3CE-929D0E0E4736",
    "{4bf92f35-77b3-4da6-a3ce-929d0e0e4736}",
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "Root=1-67891233-abcdef012345678912345678",
    "S/kvNXezTaajzpKdDg5HNg==",
    "11803532876627986230",
    "18446744073709551616",
    "a3ce929d0e0e4736",
    "0000000000000001",
    "req-17",
    "\u{e9}",
    "\"",
    "==",
];

#[test]
fn spellings() {
    let seeds = SPELLINGS.iter().map(|spelling| spelling.as_bytes().to_vec());
    let words = seeds::golden("ids").into_iter().flat_map(|file| {
        file.split(|byte| b" =\":,[]\n".contains(byte))
            .filter(|word| word.len() > 6)
            .map(<[u8]>::to_vec)
            .collect::<Vec<_>>()
    });
    Fuzz::new("spellings", 60_000).bytes_max(200).seeds(seeds.chain(words)).tokens(SPELLINGS).run(|spelling| {
        let canonical = Canonical::parse(spelling);
        let candidates = Canonical::candidates(spelling);
        assert_eq!(candidates[0], canonical, "the likeliest first");
        assert_eq!(Canonical::from_term(&canonical.term()).as_ref(), Some(&canonical), "a term is read back");
        let (first, last) = canonical.term_range();
        assert!((first..=last).contains(&canonical.term()), "its own term lies in its range");
        if let Canonical::Number(_) = canonical {
            let shown = canonical.to_string();
            assert!(Canonical::candidates(shown.as_bytes()).contains(&canonical), "{shown} is shown and not found");
            let around = [b" {\"", spelling, b"\"}, "].concat();
            assert_eq!(Canonical::parse(&around), canonical, "what people paste around it");
            // Of base64 the case means something, and X-Ray's `Root=` is written in one way.
            if !spelling.contains(&b'=') {
                assert_eq!(Canonical::parse(&spelling.to_ascii_uppercase()), canonical, "any case");
            }
        }
        for other in &candidates {
            assert_eq!(other.same(&canonical), canonical.same(other), "it goes both ways");
            assert!(other.same(other));
            if other.same(&canonical) {
                assert!(other.family() == canonical.family());
            }
        }
        let spelled = SpelledId::new(spelling, 1);
        assert_eq!(spelled.spelling(), spelling, "a spelling is kept to the byte");
        assert_eq!(spelled.canonical, canonical);
        if let Some(key) = std::str::from_utf8(spelling).ok().and_then(cursor::decode) {
            assert_eq!(cursor::decode(&cursor::encode(&key)), Some(key));
        }
        // And the other way round: a term that is taken is the term of what it is taken for.
        let from_term = Canonical::from_term(spelling);
        assert!(from_term.is_none_or(|id| matches!(id, Canonical::Text(_)) || id.term() == spelling));
        (
            matches!(canonical, Canonical::Number(_)),
            candidates.len(),
            spelled.is_number(),
            spelling.len().checked_ilog2(),
        )
    });
}

#[test]
fn cursors() {
    let key = clew_aggregator::trace::order::Key { time: -5, source: uuid::Uuid::from_u128(7), position: 9 };
    let seeds = [cursor::encode(&key).into_bytes()];
    Fuzz::new("cursors", 100_000).bytes_max(100).seeds(seeds).tokens(&["=", "AQ", "_", "-", "+"]).run(|text| {
        let key = std::str::from_utf8(text).ok().and_then(cursor::decode);
        if let Some(key) = &key {
            assert_eq!(cursor::encode(key).as_bytes(), text, "there is one text for a place");
        }
        key.is_some()
    });
}
