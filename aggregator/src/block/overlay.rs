//! Takes IDs and timestamps out of a block's raw bytes, because the ID and time columns hold them already.
//!
//! The digits of a line's own timestamp and the text of its IDs are overwritten with filler bytes, in place, so that no
//! position moves; what is left compresses like the template that it is. On the corpus of the bench this is a quarter of
//! all bytes on disk. A line that holds a filler byte by nature is left alone and marked [`VERBATIM`]. Restoring needs
//! the line, its time and its IDs alone, and gives back the exact bytes.
//!
//! Whoever looks for a word need not restore the text if nothing hidden can be a part of that word ([`Hidden::may_be_part_of`]).

use super::spelling::SpelledId;

/// Bit of the flags column inside a block: nothing was taken out of this record.
pub const VERBATIM: u8 = 0x80;

/// What is hidden in a block's text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hidden {
    /// Nothing: it is as it was.
    #[default]
    Nothing,
    /// Times and IDs. Another digit may stand directly beside a time's: so it is in blocks of the first version.
    Anywhere,
    /// Times and IDs. No other digit stands directly beside a time's digits, no hex digit beside an ID.
    Apart,
}

impl Hidden {
    /// Whether something hidden may be a part of `word`: all of a run of word bytes (`tokens`), in lower case.
    pub fn may_be_part_of(self, word: &[u8]) -> bool {
        match self {
            Self::Nothing => false,
            Self::Anywhere => {
                let is_short = |run: &[u8]| run.len() < UUID_GROUP_MIN;
                word.iter().any(u8::is_ascii_digit) || !word.split(|byte| !byte.is_ascii_hexdigit()).all(is_short)
            }
            Self::Apart => is_part_of_time(word) || is_part_of_id(word),
        }
    }
}

/// A time of day begins a word (`00Z`), so does a fraction (`123456789Z`) and a day (`23T12`); a year ends one.
fn is_part_of_time(word: &[u8]) -> bool {
    let at_begin = word.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let at_end = word.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    (1..=FRACTION_DIGITS).contains(&at_begin) || at_end == YEAR
}

/// 32 or 16 hex digits anywhere; of a UUID, what is between dashes: the first group ends a word, the last one begins one.
fn is_part_of_id(word: &[u8]) -> bool {
    let mut runs = word.split(|byte| !byte.is_ascii_hexdigit());
    let (first, last) = (runs.clone().next(), runs.clone().next_back());
    let is = |run: Option<&[u8]>, length: usize| run.is_some_and(|run| run.len() == length);
    runs.any(|run| matches!(run.len(), 16 | 32))
        || is(first, 12)
        || is(last, 8)
        || is(first, UUID_GROUP_MIN) && word.len() == UUID_GROUP_MIN
}

const YEAR: usize = "2026".len();
/// Hex digits of a UUID's groups between the first and the last one.
const UUID_GROUP_MIN: usize = 4;

const TIME_FILLER: u8 = 2;
/// Filler of a record's first, second, … ID; further IDs stay where they are.
const ID_FILLERS: [u8; 4] = [1, 3, 4, 5];
const FILLER_MAX: u8 = 5;

/// Whether a text with this byte may hide something there.
pub fn is_filler(byte: u8) -> bool {
    (1..=FILLER_MAX).contains(&byte)
}

/// A timestamp is looked for in this many bytes at the front of a line.
const TIME_SEARCH_BYTES: usize = 256;
const DATE: usize = "2026-11-23".len();
const DATE_TIME: usize = "2026-11-23T12:00:00".len();
const FRACTION_DIGITS: usize = 9;
/// Date, time of day, a point or comma, and the fraction.
const TIME_BYTES_MAX: usize = DATE_TIME + 1 + FRACTION_DIGITS;
const NANOS: i64 = 1_000_000_000;

/// The decimal digits of a time, as RFC 3339 in UTC spells them; remembers the last second.
#[derive(Default)]
pub struct TimeText {
    second: Option<i64>,
    /// `2026-11-23T12:00:00`, and the nanoseconds in nine digits.
    text: [u8; DATE_TIME],
    fraction: [u8; FRACTION_DIGITS],
}

impl TimeText {
    /// Date, time of day and fraction.
    fn whole(&self) -> [u8; TIME_BYTES_MAX] {
        let mut whole = [b'.'; TIME_BYTES_MAX];
        whole[..DATE_TIME].copy_from_slice(&self.text);
        whole[DATE_TIME + 1..].copy_from_slice(&self.fraction);
        whole
    }

    fn set(&mut self, time: i64) {
        let second = time.div_euclid(NANOS);
        let mut nanos = time.rem_euclid(NANOS);
        for digit in self.fraction.iter_mut().rev() {
            *digit = b'0' + (nanos % 10) as u8;
            nanos /= 10;
        }
        if self.second != Some(second) {
            self.second = Some(second);
            self.text = date_time(second);
        }
    }
}

/// `YYYY-MM-DDThh:mm:ss` of a second since the epoch (Hinnant's civil-from-days); years beyond four digits are cut.
fn date_time(second: i64) -> [u8; DATE_TIME] {
    let days = second.div_euclid(86_400) + 719_468;
    let of_day = second.rem_euclid(86_400);
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let mut text = *b"0000-00-00T00:00:00";
    let mut put = |at: usize, width: usize, mut value: i64| {
        for index in (at..at + width).rev() {
            text[index] = b'0' + value.rem_euclid(10) as u8;
            value = value.div_euclid(10);
        }
    };
    put(0, 4, year);
    put(5, 2, month);
    put(8, 2, day);
    put(11, 2, of_day / 3600);
    put(14, 2, of_day / 60 % 60);
    put(17, 2, of_day % 60);
    text
}

/// The spellings of a block's dictionary, written out once: those that a block stores as numbers, none for others.
pub struct Spellings(Vec<Option<Vec<u8>>>);

impl Spellings {
    /// Of this dictionary.
    pub fn of(ids: &[SpelledId]) -> Self {
        Self(ids.iter().map(|id| id.is_number().then(|| id.spelling())).collect())
    }

    fn get(&self, reference: u32) -> Option<&[u8]> {
        self.0[reference as usize].as_deref()
    }
}

/// Hides times and IDs, line after line; remembers where it found them, because lines of one file are alike.
#[derive(Default)]
pub struct Hider {
    text: TimeText,
    time_at: usize,
    /// Where IDs were found lately, the latest first.
    ids_at: Vec<usize>,
}

/// So many places are tried before a line is searched.
const PLACES_MAX: usize = 24;

impl Hider {
    /// Overwrites the time and the IDs (`references` into `spellings`) in `line`. False: the line holds filler bytes by
    /// nature and is left as it is.
    pub fn hide(&mut self, line: &mut [u8], time: i64, references: &[u32], spellings: &Spellings) -> bool {
        if line.iter().fold(false, |found, byte| found | is_filler(*byte)) {
            return false;
        }
        self.text.set(time);
        if let Some(at) = self.find_date(line)
            && !is_digit(line[..at].last())
        {
            hide_time(&mut line[at..], &self.text);
        }
        for (reference, filler) in references.iter().zip(ID_FILLERS) {
            if let Some(spelling) = spellings.get(*reference)
                && let Some(at) = self.find_id(line, spelling)
            {
                line[at..at + spelling.len()].fill(filler);
            }
        }
        true
    }

    fn find_date(&mut self, line: &[u8]) -> Option<usize> {
        let date = &self.text.text[..DATE];
        if line.get(self.time_at..self.time_at + DATE) != Some(date) {
            let searched = line.len().min(TIME_SEARCH_BYTES);
            self.time_at = memchr::memmem::find(&line[..searched], date)?;
        }
        Some(self.time_at)
    }

    fn find_id(&mut self, line: &[u8], spelling: &[u8]) -> Option<usize> {
        let stands_at = |at: &usize| {
            line.get(*at..*at + spelling.len()) == Some(spelling) && !is_part_of_hex(line, *at, *at + spelling.len())
        };
        if let Some(place) = self.ids_at.iter().position(stands_at) {
            self.ids_at[..=place].rotate_right(1);
            return Some(self.ids_at[0]);
        }
        let at = memchr::memmem::find_iter(line, spelling).find(stands_at)?;
        self.ids_at.truncate(PLACES_MAX - 1);
        self.ids_at.insert(0, at);
        Some(at)
    }
}

/// Whether hex digits go on at the ends, hidden ones perhaps: then this is a part of another ID. A search for that one finds it by its
/// words, of which none must be hidden in part.
fn is_part_of_hex(line: &[u8], begin: usize, end: usize) -> bool {
    let is_hex = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_hexdigit() || is_filler(*byte));
    is_hex(line[..begin].last()) || is_hex(line.get(end))
}

fn is_digit(byte: Option<&u8>) -> bool {
    byte.is_some_and(u8::is_ascii_digit)
}

/// `found` begins with the date.
fn hide_time(found: &mut [u8], text: &TimeText) {
    // Whatever stands between date and time of day (T or a space) stays.
    if found.len() < DATE_TIME || found[DATE].is_ascii_digit() || found[DATE + 1..DATE_TIME] != text.text[DATE + 1..] {
        return;
    }
    let digits = match found.get(DATE_TIME) {
        Some(b'.' | b',') => found[DATE_TIME + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count(),
        behind if is_digit(behind) => return,
        _ => 0,
    };
    if digits > FRACTION_DIGITS {
        return;
    }
    let (shown, cut) = text.fraction.split_at(digits);
    let fraction = found.get(DATE_TIME + 1..).and_then(|behind| behind.get(..digits)).unwrap_or_default();
    if cut.iter().any(|digit| *digit != b'0') || fraction != shown {
        return;
    }
    for byte in found[..DATE_TIME].iter_mut().filter(|byte| byte.is_ascii_digit()) {
        *byte = TIME_FILLER;
    }
    if digits > 0 {
        found[DATE_TIME + 1..][..digits].fill(TIME_FILLER);
    }
}

/// The reverse of [`Hider::hide`].
pub fn restore<'a>(line: &mut [u8], time: i64, ids: impl Iterator<Item = &'a SpelledId>, text: &mut TimeText) {
    if let Some(at) = memchr::memchr(TIME_FILLER, line) {
        text.set(time);
        // All that is hidden of a time stands together, and the first of it is its first digit.
        for (byte, shown) in line[at..].iter_mut().zip(text.whole()) {
            *byte = if *byte == TIME_FILLER { shown } else { *byte };
        }
    }
    for (id, filler) in ids.zip(ID_FILLERS) {
        let Some(at) = memchr::memchr(filler, line).filter(|_| id.is_number()) else { continue };
        if let (Some(hex), Some(hidden)) = (id.hex32(), line[at..].first_chunk_mut()) {
            *hidden = hex;
        } else if let spelling = id.spelling()
            && let Some(hidden) = line[at..].get_mut(..spelling.len())
        {
            hidden.copy_from_slice(&spelling);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::block::tokens::is_word_byte;

    const TIME: i64 = 1_795_435_200_123_456_789; // 2026-11-23T12:00:00.123456789Z

    fn hidden(line: &str, time: i64, ids: &[&str]) -> String {
        let ids: Vec<_> = ids.iter().map(|id| SpelledId::new(id.as_bytes(), 0)).collect();
        let mut bytes = line.as_bytes().to_vec();
        let references: Vec<u32> = (0..ids.len() as u32).collect();
        assert!(Hider::default().hide(&mut bytes, time, &references, &Spellings::of(&ids)));
        let hidden = bytes.clone();
        restore(&mut bytes, time, ids.iter(), &mut TimeText::default());
        assert_eq!(bytes, line.as_bytes());
        String::from_utf8(hidden).unwrap()
    }

    #[test]
    fn timestamps_in_their_usual_shapes() {
        let plain = "\u{2}\u{2}\u{2}\u{2}-\u{2}\u{2}-\u{2}\u{2}";
        let clock = "\u{2}\u{2}:\u{2}\u{2}:\u{2}\u{2}";
        assert_eq!(hidden("2026-11-23T12:00:00Z x", TIME - 123_456_789, &[]), format!("{plain}T{clock}Z x"));
        assert_eq!(
            hidden("{\"t\":\"2026-11-23 12:00:00,123\"}", TIME - 456_789, &[]),
            format!("{{\"t\":\"{plain} {clock},\u{2}\u{2}\u{2}\"}}")
        );
        // Nothing behind the seconds, not even a line feed.
        assert_eq!(hidden("2026-11-23T12:00:00", TIME - 123_456_789, &[]), format!("{plain}T{clock}"));
        // Not this record's time, or not all of it, or not by itself.
        for line in ["02026-11-23T12:00:00Z", "2026-11-23T12:00:001Z"] {
            assert_eq!(hidden(line, TIME - 123_456_789, &[]), line);
        }
        for line in ["2026-11-23T12:00:01Z", "2026-11-23T12:00:00.124Z", "2026-11-23T12:00:00.123Z"] {
            assert_eq!(hidden(line, TIME, &[]), line);
        }
    }

    #[test]
    fn several_ids_each_have_their_filler() {
        let (trace, uuid) = ("4bf92f3577b34da6a3ce929d0e0e4736", "4bf92f35-77b3-4da6-a3ce-929d0e0e4737");
        let line = format!("b={uuid} a={trace} c=req-1");
        let expected = format!("b={} a={} c=req-1", "\u{3}".repeat(36), "\u{1}".repeat(32));
        assert_eq!(hidden(&line, TIME, &[trace, uuid, "req-1"]), expected);
    }

    #[test]
    fn no_part_of_another_id_is_hidden() {
        let line = "4bf92f3577b34da6a3ce929d0e0e4736 4bf92f3577b34da6";
        let expected = format!("4bf92f3577b34da6a3ce929d0e0e4736 {}", "\u{1}".repeat(16));
        assert_eq!(hidden(line, TIME, &["4bf92f3577b34da6"]), expected);
    }

    /// Lines of times, IDs, and what stands beside them.
    fn parts() -> impl Strategy<Value = Vec<(usize, String)>> {
        proptest::collection::vec((0usize..6, "[0-9a-gTZ_., :ü-]{0,3}"), 0..8)
    }

    proptest! {
        #[test]
        fn of_what_is_hidden_every_word_is_known(
            second in 0..4_000_000_000i64,
            nanos in prop_oneof![Just(0), 0..1_000_000_000i64, (0..1000i64).prop_map(|ms| ms * 1_000_000)],
            parts in parts(),
            digits in 0usize..=9,
            ids in proptest::collection::vec(
                prop_oneof!["[0-9a-f]{32}", "[0-9a-f]{16}", "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"],
                0..4,
            ),
        ) {
            let time = second * NANOS + nanos;
            let ids: Vec<_> = ids.iter().map(|id| SpelledId::new(id.as_bytes(), 0)).collect();
            let mut text = TimeText::default();
            text.set(time);
            let mut line = Vec::new();
            for (what, beside) in parts {
                match what {
                    0 => line.extend(text.text),
                    1 => line.extend([&text.text as &[u8], b".", &text.fraction[..digits]].concat()),
                    _ => line.extend(ids.get(what - 2).map(SpelledId::spelling).unwrap_or_default()),
                }
                line.extend(beside.bytes());
            }
            let original = line.to_ascii_lowercase();
            let references: Vec<u32> = (0..ids.len() as u32).collect();
            Hider::default().hide(&mut line, time, &references, &Spellings::of(&ids));
            let mut begin = 0;
            for word in original.split(|byte| !is_word_byte(*byte)) {
                let range = begin..begin + word.len();
                begin = range.end + 1;
                if line[range].iter().any(|byte| is_filler(*byte)) {
                    prop_assert!(Hidden::Apart.may_be_part_of(word), "{}", String::from_utf8_lossy(word));
                    prop_assert!(Hidden::Anywhere.may_be_part_of(word));
                }
            }
        }

        #[test]
        fn what_was_hidden_comes_back(
            time in any::<i64>(),
            lines in proptest::collection::vec(
                proptest::collection::vec((0usize..6, proptest::collection::vec(any::<u8>(), 0..6)), 0..8),
                1..4,
            ),
            ids in proptest::collection::vec(prop_oneof!["[0-9a-f]{32}", "[0-9a-f]{16}", "[a-z]{3}"], 0..5),
        ) {
            let ids: Vec<_> = ids.iter().map(|id| SpelledId::new(id.as_bytes(), 0)).collect();
            let references: Vec<u32> = (0..ids.len() as u32).collect();
            let spellings = Spellings::of(&ids);
            let mut text = TimeText::default();
            text.set(time);
            let mut hider = Hider::default();
            for parts in lines {
                let mut line = Vec::new();
                for (what, noise) in parts {
                    match what {
                        0 => line.extend(text.text),
                        1 => line.extend([b"." as &[u8], &text.fraction].concat()),
                        _ => line.extend(ids.get(what - 2).map(SpelledId::spelling).unwrap_or_default()),
                    }
                    line.extend(noise);
                }
                let original = line.clone();
                if hider.hide(&mut line, time, &references, &spellings) {
                    restore(&mut line, time, ids.iter(), &mut TimeText::default());
                }
                prop_assert_eq!(line, original);
            }
        }
    }
}
