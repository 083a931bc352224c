//! What `[source.attach]` and `[source.join]` make of the lines of one file: which ID a record gets that has none.
//!
//! Pure. A record gets the ID of the physical line that it begins in; lines are read in order, shipped or not. Invariant: reading
//! again from [`ByLine::rebuilt_from`] gives every line behind that point the same ID. So nothing but a position and a time has
//! to be remembered. A line that is shipped before its end is there gets no ID: its key may not be whole.

use std::time::Duration;

use super::line_reader::{Begin, Line, LineReader, Portion};
use crate::rules::attach::Attach;
use crate::rules::join::{Found, Join, JoinTable};
use crate::rules::window::{self, Windows};

/// An error log with whole seconds says `12:00:00` until 12:00:01.
const SECOND_NS: i64 = 1_000_000_000;
/// Both logs round to milliseconds, and the access log subtracts two rounded numbers.
const ROUNDING_NS: i64 = 5_000_000;

/// The rule at hand, and what it needs.
pub enum Rule<'a> {
    Attach(&'a Attach, &'a [u8; 16]),
    /// Requests are noted.
    Access(&'a Join, &'a mut JoinTable),
    /// IDs are looked up, of lines that are not later than this.
    Error(&'a Join, &'a JoinTable, i64),
}

/// What happened, since it was asked for last.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    pub windows: window::Counts,
    pub unknown: u64,
    pub ambiguous: u64,
}

/// The state of one file.
#[derive(Debug)]
pub struct ByLine {
    reader: LineReader,
    windows: Windows,
    /// Where the line begins that was read last, and its ID; empty when it has none.
    line: u64,
    id: Vec<u8>,
    /// What the state before that line is rebuilt from.
    before: Begin,
    /// What was shipped before is still being read again.
    pub catches_up: bool,
    /// Requests before the first line are not known.
    begins_late: bool,
    /// Of an access log: when the request ended that was noted last.
    noted_ns: Option<i64>,
    unknown: u64,
    ambiguous: u64,
}

impl ByLine {
    /// Begins at the beginning of a line.
    pub fn new(begin: Begin) -> Self {
        Self::with(LineReader::new(begin), begin)
    }

    /// Begins behind the line that `position` stands in, without what came before.
    pub fn behind_line_of(position: u64) -> Self {
        Self::with(LineReader::behind_line_of(position), Begin { position, time_ns: None })
    }

    fn with(reader: LineReader, before: Begin) -> Self {
        Self {
            reader,
            windows: Windows::default(),
            line: u64::MAX,
            id: Vec::new(),
            before,
            catches_up: true,
            begins_late: false,
            noted_ns: None,
            unknown: 0,
            ambiguous: 0,
        }
    }

    /// Of an access log: what was requested before its first line is not known.
    pub fn begins_late(mut self) -> Self {
        self.begins_late = true;
        self
    }

    /// How far the lines were read.
    pub fn reader(&self) -> &LineReader {
        &self.reader
    }

    /// Up to which time an access log was read.
    pub fn noted_until_ns(&self) -> Option<i64> {
        self.noted_ns.or(self.reader.begin().time_ns)
    }

    /// The ID of the record at `at`. Positions that are asked for never fall.
    pub fn id_at(&mut self, at: u64, rule: &mut Rule<'_>, portion: &Portion<'_>) -> Option<&[u8]> {
        self.reader.close_line(portion);
        while !self.reader.is_within(at) && self.step(at + 1, rule, portion) {
            self.reader.close_line(portion);
        }
        let found = self.line <= at && self.reader.is_within(at) && !self.id.is_empty();
        found.then_some(&self.id[..])
    }

    /// Reads all lines that begin before `until`, as far as they have ends.
    pub fn advance(&mut self, until: u64, rule: &mut Rule<'_>, portion: &Portion<'_>) {
        while self.step(until, rule, portion) {}
    }

    /// Where to begin in order to have the state that goes on at `at`; everything that begins before it was read.
    pub fn rebuilt_from(&self, at: u64) -> Begin {
        if self.reader.is_within(at) { self.before } else { self.rebuilt_from_here() }
    }

    /// What happened since this was asked last.
    pub fn take_counts(&mut self) -> Counts {
        Counts {
            windows: self.windows.take_counts(),
            unknown: std::mem::take(&mut self.unknown),
            ambiguous: std::mem::take(&mut self.ambiguous),
        }
    }

    fn rebuilt_from_here(&self) -> Begin {
        match self.windows.oldest() {
            Some((position, time_ns)) => Begin { position, time_ns: Some(time_ns) },
            None => self.reader.begin(),
        }
    }

    fn step(&mut self, until: u64, rule: &mut Rule<'_>, portion: &Portion<'_>) -> bool {
        self.reader.close_line(portion);
        let before = self.rebuilt_from_here();
        let Some(line) = self.reader.next(until, portion) else { return false };
        self.before = before;
        self.line = line.begin;
        self.id.clear();
        match rule {
            Rule::Attach(attach, source_id) => {
                // Without any time up to here the ID tells none.
                let time_ns = line.time_ns.unwrap_or(0);
                let id = self.windows.take(attach, &line.content, time_ns, source_id, line.begin);
                self.id.extend_from_slice(id.as_ref().map_or(&[], |id| &id[..]));
            }
            Rule::Access(join, table) => self.note(join, table, &line),
            Rule::Error(join, table, known_until_ns) => self.look_up(join, table, *known_until_ns, &line),
        }
        true
    }

    fn note(&mut self, join: &Join, table: &mut JoinTable, line: &Line<'_>) {
        let own_ns = line.time_ns.filter(|_| line.has_own_time);
        let Some(request) = join.request(&line.content, own_ns) else { return };
        self.noted_ns = Some(request.end_ns).filter(|end| *end < i64::MAX);
        if std::mem::take(&mut self.begins_late) {
            table.forget_until(request.end_ns);
        }
        table.note(request.connection, request.id, request.begin_ns, request.end_ns);
    }

    fn look_up(&mut self, join: &Join, table: &JoinTable, known_until_ns: i64, line: &Line<'_>) {
        let Some((time_ns, connection)) = asks(join, line) else { return };
        let (middle_ns, tolerance_ns) = match time_ns % SECOND_NS {
            0 => (time_ns.saturating_add(SECOND_NS / 2), SECOND_NS / 2 + ROUNDING_NS),
            _ => (time_ns, ROUNDING_NS),
        };
        let found = match time_ns <= known_until_ns {
            true => table.look_up(connection, middle_ns, Duration::from_nanos(tolerance_ns as u64)),
            false => Found::Unknown,
        };
        match found {
            Found::Id(id) => self.id.extend_from_slice(id),
            Found::Unknown => self.unknown += 1,
            Found::Ambiguous => self.ambiguous += 1,
        }
    }
}

/// How long after the time of an error's line the access log has to be known, besides what the requests take.
pub const KNOWN_AHEAD: Duration = Duration::from_nanos((SECOND_NS + ROUNDING_NS) as u64);

/// Time and connection of a line whose ID is looked up; with an inherited time that would be a guess.
fn asks<'a>(join: &Join, line: &'a Line<'_>) -> Option<(i64, &'a [u8])> {
    let time_ns = line.time_ns.filter(|_| line.has_own_time)?;
    Some((time_ns, join.connection(&line.content)?))
}

/// Lines that are not in the future by more than this become known, once their time has come.
const AHEAD_NS_MAX: i64 = 60 * SECOND_NS;

/// How many bytes of the portion may be read: up to the first line whose ID is not known yet, and can become so. `reader` is
/// where it is at the portion's beginning.
pub fn known_bytes(reader: &LineReader, join: &Join, known_until_ns: i64, now_ns: i64, portion: &Portion<'_>) -> usize {
    let held = known_until_ns.saturating_add(1)..now_ns.saturating_add(AHEAD_NS_MAX);
    let mut reader = reader.fork();
    while let Some(line) = reader.next(u64::MAX, portion) {
        if asks(join, &line).is_some_and(|(time_ns, _)| held.contains(&time_ns)) {
            return line.begin.saturating_sub(portion.position) as usize;
        }
    }
    portion.bytes.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::frame::Framing;
    use crate::frame::encoding::Encoding;
    use crate::parse::reading::Reading;
    use crate::rules::attach::RawAttach;
    use crate::treatment::Lines;

    const SOURCE: [u8; 16] = [7; 16];
    const LINE_BYTES_MAX: usize = 64;

    fn rule() -> Attach {
        Attach::new(&RawAttach {
            begin: "begin".into(),
            end: Some("end".into()),
            key: Some(r"k=(\w+)".into()),
            timeout: Some(clew_service::units::Span(Duration::from_secs(100))),
            kind: None,
        })
        .unwrap()
    }

    /// A file, with the IDs that its records get when it is read with these ends of portions, each beginning where the one before
    /// ended. Behind the portions of the numbers in `restarts` the state is lost.
    fn read(file: &[u8], lines: Lines, ends: &[usize], restarts: &[usize], records: &[usize]) -> Vec<Option<String>> {
        let (attach, reading) = (rule(), Reading::default());
        let mut ids = Vec::new();
        let mut by_line = ByLine::new(Begin::default());
        let portion = |from: usize, to: usize| Portion {
            bytes: &file[from..to],
            position: from as u64,
            lines,
            reading: &reading,
            reference_ns: 1_795_435_200_000_000_000,
            line_bytes_max: LINE_BYTES_MAX,
        };
        let rule = || Rule::Attach(&attach, &SOURCE);
        let mut position = 0;
        for (number, end) in ends.iter().copied().enumerate() {
            let reached = by_line.reader().reached() as usize;
            if reached < position {
                let to = end.min(position + LINE_BYTES_MAX);
                by_line.advance(position as u64, &mut rule(), &portion(reached, to));
            }
            for record in records.iter().filter(|record| (position..end).contains(record)) {
                let id = by_line.id_at(*record as u64, &mut rule(), &portion(position, end));
                ids.push(id.map(|id| String::from_utf8(id.to_vec()).unwrap()));
            }
            by_line.advance(end as u64, &mut rule(), &portion(position, end));
            if restarts.contains(&number) {
                by_line = ByLine::new(by_line.rebuilt_from(end as u64));
            }
            position = end;
        }
        ids
    }

    /// Where the lines of a file begin.
    fn begins(file: &[u8], feed: &[u8]) -> Vec<usize> {
        let ends = memchr::memmem::find_iter(file, feed).map(|at| at + feed.len());
        std::iter::once(0).chain(ends).filter(|begin| *begin < file.len()).collect()
    }

    #[test]
    fn a_record_has_the_id_of_the_line_that_it_begins_in() {
        let file = b"12:00:00 INFO x\n12:00:01 INFO k=a begin\n12:00:02 INFO k=a\n  trace\n12:00:03 INFO k=a end\n\
                     12:00:04 INFO k=a\n12:00:05 INFO k=a begin";
        let records = begins(file, b"\n");
        let ids = read(file, Lines::Plain, &[file.len()], &[], &records);
        let has = ids.iter().map(Option::is_some).collect::<Vec<_>>();
        assert_eq!(has, [false, true, true, false, true, false, false], "the last line has no end yet");
        assert_eq!((&ids[1], &ids[1]), (&ids[2], &ids[4]));
        let id = uuid::Uuid::parse_str(ids[1].as_deref().unwrap()).unwrap();
        assert_eq!(id.get_timestamp().unwrap().to_unix(), (1_795_435_201, 0), "noon, and the begin's second");
    }

    fn text() -> impl Strategy<Value = Vec<String>> {
        let time = prop_oneof![
            Just(String::new()),
            (0..60u8, 0..60u8).prop_map(|(minute, second)| format!("12:{minute:02}:{second:02} INFO ")),
            (0..60u8, 0..60u8).prop_map(|(minute, second)| format!("2026-11-23T12:{minute:02}:{second:02}Z ")),
        ];
        let word = prop_oneof![Just("begin"), Just("begin"), Just("end"), Just(""), Just("begin end")];
        let line = (time, 0..4u8, word, prop_oneof![4 => Just(0usize), 1 => 0..200usize])
            .prop_map(|(time, key, word, filling)| format!("{time}k={key} {word}{}", "x".repeat(filling)));
        proptest::collection::vec(line, 1..40)
    }

    proptest! {
        #[test]
        fn however_it_is_read_the_ids_are_the_same(
            text in text(), form in 0..3u8, cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..8),
            restarts in proptest::collection::vec(0..8usize, 0..4),
        ) {
            let (file, lines, feed): (Vec<u8>, _, &[u8]) = match form {
                0 => (text.iter().flat_map(|line| format!("{line}\n").into_bytes()).collect(), Lines::Plain, b"\n"),
                1 => (
                    text.iter()
                        .flat_map(|line| format!("2026-11-23T12:00:00Z stdout F {line}\n").into_bytes())
                        .collect(),
                    Lines::Framed(Framing::Cri),
                    b"\n",
                ),
                _ => (
                    text.iter()
                        .flat_map(|line| format!("{line}\n").encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>())
                        .collect(),
                    Lines::Encoded(Encoding::new("utf-16le").unwrap()),
                    b"\n\0",
                ),
            };
            let records = begins(&file, feed);
            let whole = read(&file, lines, &[file.len()], &[], &records);
            // A portion ends where a record does; here that is anywhere in a long line, or behind a line.
            let mut ends: Vec<usize> = cuts.iter().map(|cut| records[cut.index(records.len())]).filter(|end| *end > 0).collect();
            ends.push(file.len());
            ends.sort_unstable();
            ends.dedup();
            prop_assert_eq!(&read(&file, lines, &ends, &restarts, &records), &whole);
            // Cut within lines, the records that begin there have the line's ID or none; what follows is the same.
            let mut inside: Vec<usize> = cuts.iter().map(|cut| cut.index(file.len())).map(|end| end - end % 2).filter(|end| *end > 0).collect();
            inside.push(file.len());
            inside.sort_unstable();
            inside.dedup();
            let cut = read(&file, lines, &inside, &restarts, &records);
            for (at, (cut, whole)) in cut.iter().zip(&whole).enumerate() {
                let until = records.get(at + 1).copied().unwrap_or(file.len());
                let is_cut = inside.iter().any(|end| (records[at] + 1..until).contains(end));
                prop_assert!(cut == whole || (is_cut && cut.is_none()), "record {}: {:?} {:?}", at, cut, whole);
            }
        }
    }

    #[test]
    fn errors_are_looked_up_when_the_access_log_is_known() {
        let side = |text: &str| {
            let raw = clew_service::config::parse::<crate::rules::join::RawJoin>(text, "agent.toml").unwrap();
            Join::new(raw).unwrap()
        };
        let access = side("name='w'\nrole='access'\nconnection='c=(\\d+)'\nid='id=(\\w+)'\nduration='t=(\\S+)'");
        let error = side("name='w'\nrole='error'\nconnection='\\*(\\d+)'");
        let reading = Reading::default();
        let portion = |bytes: &'static str| Portion {
            bytes: bytes.as_bytes(),
            position: 0,
            lines: Lines::Plain,
            reading: &reading,
            reference_ns: 0,
            line_bytes_max: LINE_BYTES_MAX,
        };
        let mut table = JoinTable::default();
        let requests = "2026-11-23T12:00:00.500Z c=1 id=first t=0.2\n2026-11-23T12:00:05.500Z c=1 id=second t=0.200\n\
                        2026-11-23T12:00:05.900Z c=2 id=third t=0.2\n2026-11-23T12:00:06.100Z c=2 id=fourth t=0.2\n";
        ByLine::new(Begin::default()).begins_late().advance(
            u64::MAX,
            &mut Rule::Access(&access, &mut table),
            &portion(requests),
        );
        let errors =
            "2026/11/23 12:00:00 *1 x\n2026/11/23 12:00:05 *1 x\n2026/11/23 12:00:05 *2 x\n2026/11/23 12:00:07 *1 x\n";
        let errors = portion(errors);
        let known_until_ns = 1_795_435_200_000_000_000 + 6 * SECOND_NS;
        let mut by_line = ByLine::new(Begin::default());
        let now_ns = known_until_ns + 2 * SECOND_NS;
        assert_eq!(known_bytes(by_line.reader(), &error, known_until_ns, now_ns, &errors), 75);
        let long_ago = now_ns - 3600 * SECOND_NS;
        assert_eq!(known_bytes(by_line.reader(), &error, long_ago, long_ago, &errors), 100, "a clock that is ahead");
        let ids: Vec<_> = [0, 25, 50, 75]
            .into_iter()
            .map(|at| {
                let id = by_line.id_at(at, &mut Rule::Error(&error, &table, known_until_ns), &errors);
                id.map(|id| String::from_utf8(id.to_vec()).unwrap())
            })
            .collect();
        assert_eq!(ids, [None, Some("second".to_owned()), None, None]);
        let counts = by_line.take_counts();
        assert_eq!((counts.unknown, counts.ambiguous), (2, 1));
    }
}
