//! The windows of one file that are open, and the IDs that they give. Pure.
//!
//! Invariant: reading again from [`Windows::oldest`] rebuilds the state, so every record behind the point that was reached
//! gets the same ID as if reading had never stopped. Three rules follow from it: an ID is made of its begin's time and place and
//! of nothing else; a window in doubt lives on from its last begin, like the window that a later start would open there; and a
//! window that is evicted takes along all that began before its last begin, so that no later start stands between its begins.
//!
//! A window is in doubt when a second begin of its key comes before its end: two transactions share a key, and which one a record
//! belongs to cannot be known. Such a window gives no ID until it ends.

use std::collections::{BTreeMap, HashMap};

use uuid::Builder;
use xxhash_rust::xxh3::xxh3_128;

use super::attach::Attach;

/// So many are open at a time; each takes about a hundred bytes.
pub const OPEN_MAX: usize = 1024;

/// What happened, since it was asked for last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Windows that were opened.
    pub opened: u64,
    /// Second begins, which put a window in doubt.
    pub ambiguous: u64,
    /// Windows that ended by their timeout.
    pub timed_out: u64,
    /// Windows that were given up because too many were open.
    pub evicted: u64,
    /// Begins without a key.
    pub without_key: u64,
}

/// The state of one file. Positions only grow; a file that starts anew gets a new state.
#[derive(Debug)]
pub struct Windows {
    open_max: usize,
    /// By the position of the begin.
    open: BTreeMap<u64, Window>,
    begins: HashMap<u128, u64>,
    /// No window ends before this time.
    next_timeout_ns: i64,
    counts: Counts,
}

#[derive(Debug)]
struct Window {
    key: u128,
    id: [u8; 36],
    in_doubt: bool,
    /// The time that its begin was taken with.
    time_ns: i64,
    last_begin: u64,
    timeout_ns: i64,
}

impl Default for Windows {
    fn default() -> Self {
        Self::new(OPEN_MAX)
    }
}

impl Windows {
    /// Nothing is open; at most `open_max` will be, at least one.
    pub fn new(open_max: usize) -> Self {
        Self {
            open_max: open_max.max(1),
            open: BTreeMap::new(),
            begins: HashMap::new(),
            next_timeout_ns: i64::MAX,
            counts: Counts::default(),
        }
    }

    /// Takes the next line of the file, shipped or not; returns the ID of its window, the text of a UUID of version 7 (RFC 9562).
    ///
    /// `time_ns` is the line's own time, or an inherited one. With a time of reading the same line would get another ID when it is
    /// read again.
    pub fn take(
        &mut self,
        attach: &Attach,
        line: &[u8],
        time_ns: i64,
        source_id: &[u8; 16],
        position: u64,
    ) -> Option<[u8; 36]> {
        self.end_timed_out(time_ns);
        let role = attach.role(line);
        let Some(key) = role.key else {
            self.counts.without_key += u64::from(role.begins);
            return None;
        };
        if role.begins {
            self.begin(attach, key, position, time_ns, || uuid_text(time_ns, source_id, position));
        }
        let begin = *self.begins.get(&key)?;
        let window = &self.open[&begin];
        let id = (!window.in_doubt).then_some(window.id);
        if role.ends {
            self.close(begin);
        }
        id
    }

    /// Where reading has to start again to rebuild the state, and the time to be inherited there; absent when nothing is open.
    pub fn oldest(&self) -> Option<(u64, i64)> {
        self.open.first_key_value().map(|(begin, window)| (*begin, window.time_ns))
    }

    /// What happened since this was asked last.
    pub fn take_counts(&mut self) -> Counts {
        std::mem::take(&mut self.counts)
    }

    fn begin(&mut self, attach: &Attach, key: u128, position: u64, time_ns: i64, id: impl Fn() -> [u8; 36]) {
        let timeout_ns = time_ns.saturating_add(attach.timeout_ns());
        if let Some(begin) = self.begins.get(&key).copied() {
            if attach.has_end()
                && let Some(window) = self.open.get_mut(&begin)
            {
                self.counts.ambiguous += 1;
                window.in_doubt = true;
                window.last_begin = position;
                window.timeout_ns = timeout_ns;
                self.next_timeout_ns = self.next_timeout_ns.min(timeout_ns);
                return;
            }
            self.close(begin);
        }
        if self.open.len() == self.open_max {
            self.evict_oldest();
        }
        let window = Window { key, id: id(), in_doubt: false, time_ns, last_begin: position, timeout_ns };
        self.open.insert(position, window);
        self.begins.insert(key, position);
        self.next_timeout_ns = self.next_timeout_ns.min(timeout_ns);
        self.counts.opened += 1;
    }

    fn close(&mut self, begin: u64) {
        if let Some(window) = self.open.remove(&begin) {
            self.begins.remove(&window.key);
        }
    }

    fn end_timed_out(&mut self, now_ns: i64) {
        if now_ns <= self.next_timeout_ns {
            return;
        }
        let timed_out: Vec<u64> =
            self.open.iter().filter(|(_, window)| window.timeout_ns < now_ns).map(|(begin, _)| *begin).collect();
        for begin in &timed_out {
            self.close(*begin);
        }
        self.counts.timed_out += timed_out.len() as u64;
        self.next_timeout_ns = self.open.values().map(|window| window.timeout_ns).min().unwrap_or(i64::MAX);
    }

    /// A start at a begin between the evicted window's first and last one would open a window that is not open here, so all of
    /// those go too.
    fn evict_oldest(&mut self) {
        let mut until = self.oldest().map_or(0, |(begin, _)| begin);
        while let Some((begin, _)) = self.oldest().filter(|(begin, _)| *begin <= until) {
            until = until.max(self.open[&begin].last_begin);
            self.close(begin);
            self.counts.evicted += 1;
        }
    }
}

/// The time in milliseconds, and behind it a hash of where the record stands in place of random bits.
fn uuid_text(time_ns: i64, source_id: &[u8; 16], position: u64) -> [u8; 36] {
    let mut place = [0u8; 24];
    place[..16].copy_from_slice(source_id);
    place[16..].copy_from_slice(&position.to_be_bytes());
    let hash = xxh3_128(&place).to_be_bytes();
    let mut bits = [0u8; 10];
    bits.copy_from_slice(&hash[..10]);
    let time_ms = (time_ns / 1_000_000).max(0) as u64;
    let mut text = [0u8; 36];
    Builder::from_unix_timestamp_millis(time_ms, &bits).into_uuid().hyphenated().encode_lower(&mut text);
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rules::attach::RawAttach;

    const SECOND: i64 = 1_000_000_000;
    const SOURCE: [u8; 16] = [7; 16];

    fn rule(end: Option<&str>) -> Attach {
        let raw = RawAttach {
            begin: "begin".into(),
            end: end.map(str::to_owned),
            key: Some(r"k=(\w+)".into()),
            timeout: Some(clew_service::units::Span(std::time::Duration::from_secs(10))),
            kind: None,
        };
        Attach::new(&raw).unwrap()
    }

    /// Feeds records, one a second, of 100 bytes each. Tells by the number of its begin which ID each record got.
    fn fed(windows: &mut Windows, attach: &Attach, records: &[&str]) -> Vec<Option<usize>> {
        let id_of = |at: usize| uuid_text(at as i64 * SECOND, &SOURCE, at as u64 * 100);
        records
            .iter()
            .enumerate()
            .map(|(at, record)| {
                let id = windows.take(attach, record.as_bytes(), at as i64 * SECOND, &SOURCE, at as u64 * 100);
                id.map(|id| (0..records.len()).find(|begin| id_of(*begin) == id).unwrap())
            })
            .collect()
    }

    #[test]
    fn records_get_the_id_of_their_window() {
        for (name, end, records, ids) in [
            ("from begin to end", Some("end"), "k=a,k=a begin,k=b,k=a,k=a end,k=a", "-1-11-"),
            ("keys apart", Some("end"), "k=a begin,k=b begin,k=a,k=b end,k=a end", "01010"),
            ("begin and end at once", Some("end"), "k=a begin end,k=a", "0-"),
            ("in doubt until the end", Some("end"), "k=a begin,k=a begin,k=a,k=a end,k=a begin", "0---4"),
            ("the next begin ends", None, "k=a begin,k=a,k=a begin,k=a", "0022"),
            ("without a key", Some("end"), "begin,x", "--"),
            ("timeout", Some("end"), "k=a begin,,,,,,,,,,k=a,k=a", "0---------0-"),
        ] {
            let records: Vec<&str> = records.split(',').collect();
            let got = fed(&mut Windows::default(), &rule(end), &records);
            let got: String =
                got.into_iter().map(|begin| begin.map_or("-".into(), |begin| begin.to_string())).collect();
            assert_eq!(got, ids, "{name}");
        }
    }

    #[test]
    fn what_happens_is_counted() {
        let mut windows = Windows::new(2);
        let records = ["begin", "k=a begin", "k=a", "k=a begin", "k=a", "k=b begin", "k=c begin", "k=b end"];
        fed(&mut windows, &rule(Some("end")), &records);
        let counts = windows.take_counts();
        assert_eq!((counts.opened, counts.ambiguous, counts.evicted), (3, 1, 1));
        assert_eq!((counts.without_key, counts.timed_out), (1, 0));
        assert_eq!(windows.oldest(), Some((600, 6 * SECOND)));
        windows.take(&rule(None), b"", 17 * SECOND, &SOURCE, 800);
        assert_eq!((windows.oldest(), windows.take_counts().timed_out), (None, 1));
    }

    #[test]
    fn an_id_is_a_uuid_of_version_7_with_the_time_of_the_begin() {
        let text = uuid_text(1_764_072_000_123_456_789, &SOURCE, 42);
        let id = uuid::Uuid::try_parse_ascii(&text).unwrap();
        assert_eq!((id.get_version_num(), id.get_variant()), (7, uuid::Variant::RFC4122));
        assert_eq!(id.get_timestamp().unwrap().to_unix(), (1_764_072_000, 123_000_000));
        assert_eq!(text, uuid_text(1_764_072_000_123_456_789, &SOURCE, 42));
        assert_ne!(text, uuid_text(1_764_072_000_123_456_789, &SOURCE, 43));
        assert!(uuid_text(-1, &SOURCE, 0).starts_with(b"00000000-0000-7"));
    }

    #[derive(Clone, Debug)]
    struct Line {
        text: String,
        step_ms: i64,
    }

    fn lines() -> impl Strategy<Value = Vec<Line>> {
        let text = (0..6u8, prop_oneof![Just("begin"), Just("begin"), Just("end"), Just(""), Just("begin end")])
            .prop_map(|(key, word)| format!("k={key} {word}"));
        let line = (text, -500i64..3000).prop_map(|(text, step_ms)| Line { text, step_ms });
        proptest::collection::vec(line, 1..120)
    }

    proptest! {
        #[test]
        fn reading_again_from_the_oldest_begin_gives_the_same_ids(
            lines in lines(), open_max in 1usize..6, has_end in any::<bool>(),
        ) {
            let attach = rule(has_end.then_some("end"));
            let mut time = 0;
            let times: Vec<i64> = lines.iter().map(|line| { time += line.step_ms * 1_000_000; time }).collect();
            let run = |windows: &mut Windows, from: usize| -> Vec<(Option<[u8; 36]>, usize)> {
                (from..lines.len()).map(|at| {
                    let line = &lines[at];
                    let id = windows.take(&attach, line.text.as_bytes(), times[at], &SOURCE, at as u64);
                    (id, windows.oldest().map_or(at + 1, |(begin, _)| begin as usize))
                }).collect()
            };
            let whole = run(&mut Windows::new(open_max), 0);
            for stop in 0..lines.len() {
                let from = whole[stop].1;
                let again = run(&mut Windows::new(open_max), from);
                for at in stop + 1..lines.len() {
                    prop_assert_eq!(again[at - from].0, whole[at].0, "stopped behind {}, read from {}, record {}", stop, from, at);
                }
            }
        }
    }
}
