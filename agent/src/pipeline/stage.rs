//! Between assembly and the batch: reads each record, decides whether it is kept, redacts it, and pushes it.
//!
//! In this order: IDs are found, or attached where there is none, before anything is redacted, and what is left out is not redacted
//! at all. A record that is shipped as it stands is never copied.

use std::time::Instant;

use super::by_line::{ByLine, Rule};
use super::line_reader::Portion;
use crate::assemble::{Before, Limits, Sink, Tail, assemble_by};
use crate::batch::{Builder, CONTENT_BYTES_MAX, RECORDS_MAX, SkippedReason};
use crate::frame::encoding;
use crate::frame::open::Open;
use crate::frame::unwrap::{How, Unwrapped, unwrap};
use crate::frame::weave::{Rules, Woven, weave};
use crate::frame::{Framing, Stream};
use crate::metrics::Metrics;
use crate::parse::layout::Memory;
use crate::parse::{self, Shape};
use crate::record::{Fields, IdKind, flag, mark};
use crate::rules::keep::{Decision, position_hash};
use crate::rules::redact::Outcome;
use crate::rules::seam;
use crate::treatment::{Lines, Treatment};

/// Memory that is used again from turn to turn.
#[derive(Default)]
pub struct Scratch {
    unwrapped: Unwrapped,
    woven: Woven,
    seamed: Vec<u8>,
    redacted: Vec<u8>,
}

/// What is counted of a turn when its batch was sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    cut: u64,
    dropped: u64,
    sampled: u64,
    redacted: u64,
    withheld: u64,
    ids_left_out: u64,
    attached: u64,
    nul_bytes: u64,
}

impl Counts {
    /// Adds them to the process's figures.
    pub fn add_to(self, metrics: &Metrics) {
        metrics.records_cut.inc_by(self.cut);
        metrics.records_dropped.inc_by(self.dropped);
        metrics.records_sampled.inc_by(self.sampled);
        metrics.records_redacted.inc_by(self.redacted);
        metrics.records_withheld.inc_by(self.withheld);
        metrics.records_ids_left_out.inc_by(self.ids_left_out);
        metrics.attached.inc_by(self.attached);
        metrics.nul_bytes.inc_by(self.nul_bytes);
    }
}

/// The bytes of one turn.
pub struct Given<'a> {
    /// The file's bytes from `position` on.
    pub bytes: &'a [u8],
    pub position: u64,
    pub source_id: &'a [u8; 16],
    /// The bytes before them, as far as they are known.
    pub bytes_before: &'a [u8],
    /// The record before them is text.
    pub after_text: bool,
    pub tail: Tail,
    pub limits: Limits,
    /// When the file was written last, nanoseconds since the epoch.
    pub reference_ns: i64,
}

/// Where records without an ID get one from.
pub struct IdsByLine<'a> {
    pub by_line: &'a mut ByLine,
    pub rule: Rule<'a>,
    pub portion: Portion<'a>,
    pub kind: IdKind,
}

/// Looks on while records are read. The agent itself has nobody looking, and pays nothing for it.
pub trait Witness {
    /// A record was pushed.
    fn pushed(&mut self, _fields: &Fields) {}
    /// A rule leaves a record out.
    fn left_out(&mut self, _decision: Decision, _content: &[u8]) {}
}

impl Witness for () {}

pub struct Stage<'a, W = ()> {
    pub builder: &'a mut Builder,
    pub fields: &'a mut Fields,
    pub scratch: &'a mut Scratch,
    pub treatment: &'a Treatment,
    pub memory: &'a mut Memory,
    pub given: Given<'a>,
    pub ids_by_line: Option<IdsByLine<'a>>,
    pub counts: Counts,
    /// Of the record that ended last: it is text.
    pub after_text: bool,
    is_text: bool,
    /// Where the record at hand begins in the bytes given.
    at: usize,
    /// What became of the record before; its rest goes the same way.
    left_out: Option<Decision>,
    /// Whether the record before was cut at the length limit. None: it came in another turn.
    was_cut: Option<bool>,
    witness: W,
}

/// A byte order mark stands in front of the first line and is no part of it.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

impl<'a> Stage<'a> {
    pub fn new(
        builder: &'a mut Builder,
        fields: &'a mut Fields,
        scratch: &'a mut Scratch,
        treatment: &'a Treatment,
        memory: &'a mut Memory,
        given: Given<'a>,
    ) -> Self {
        Stage::witnessed(builder, fields, scratch, treatment, memory, given, ())
    }
}

impl<'a, W: Witness> Stage<'a, W> {
    /// With somebody who looks on.
    pub fn witnessed(
        builder: &'a mut Builder,
        fields: &'a mut Fields,
        scratch: &'a mut Scratch,
        treatment: &'a Treatment,
        memory: &'a mut Memory,
        given: Given<'a>,
        witness: W,
    ) -> Self {
        Self {
            builder,
            fields,
            scratch,
            treatment,
            memory,
            given,
            ids_by_line: None,
            counts: Counts::default(),
            after_text: false,
            is_text: false,
            at: 0,
            left_out: None,
            was_cut: None,
            witness,
        }
    }

    /// Pushes the records of the bytes given. Answers how many bytes they cover.
    pub fn run(&mut self, lines: Lines) -> usize {
        match lines {
            Lines::Plain => self.plain(),
            Lines::Framed(framing) => self.framed(framing),
            Lines::Encoded(encoding) => self.encoded(encoding),
        }
    }

    fn plain(&mut self) -> usize {
        let bytes = self.given.bytes;
        let before = match self.given.bytes_before.last() {
            None => Before::Nothing,
            Some(b'\n') if self.given.after_text => Before::Text,
            Some(_) if crate::frame::nuls::line_begins_behind(self.given.bytes_before) => Before::Nothing,
            Some(_) => Before::OpenLine,
        };
        let at_line_start = before != Before::OpenLine;
        // A hole in the file, or what somebody blanked out: no record, and nothing that waits for its line's end.
        let nuls = if at_line_start { crate::frame::nuls::skip(bytes) } else { 0 };
        if nuls > 0 {
            self.builder.skip(nuls as u32, 0, SkippedReason::Nuls);
            self.counts.nul_bytes += nuls as u64;
            self.after_text = false;
            return nuls;
        }
        let (bytes, tail) = match memchr::memmem::find(bytes, b"\n\0") {
            Some(feed) => (&bytes[..=feed], self.given.tail.max(Tail::Lines)),
            None => (bytes, self.given.tail),
        };
        let (treatment, limits) = (self.treatment, self.given.limits);
        assemble_by(&treatment.joining, bytes, before, tail, limits, self)
    }

    fn framed(&mut self, framing: Framing) -> usize {
        let open = crate::frame::open::open_streams(self.given.bytes_before, framing);
        let how = How {
            framing,
            inside_line: open.inside_line,
            take_unterminated: self.given.tail == Tail::All,
            line_bytes_max: self.given.limits.record_bytes_max,
        };
        unwrap(self.given.bytes, how, &mut self.scratch.unwrapped);
        self.woven(open, mark::UNWRAPPED)
    }

    fn encoded(&mut self, encoding: encoding::Encoding) -> usize {
        let how = encoding::How {
            encoding,
            position: self.given.position,
            take_unterminated: self.given.tail == Tail::All,
            line_bytes_max: self.given.limits.record_bytes_max,
        };
        encoding::transcode(self.given.bytes, how, &mut self.scratch.unwrapped);
        let ends_line = self.given.bytes_before.iter().rev().take(2).any(|byte| *byte == b'\n');
        let before = match ends_line || self.given.bytes_before.is_empty() {
            true if self.given.after_text => Before::Text,
            true => Before::Nothing,
            false => Before::OpenLine,
        };
        let open = Open { before: [before, Before::Nothing, Before::Nothing], inside_line: before == Before::OpenLine };
        self.woven(open, mark::TRANSCODED)
    }

    fn woven(&mut self, open: Open, marks: u8) -> usize {
        let rules = Rules { joining: &self.treatment.joining, limits: self.given.limits, tail: self.given.tail };
        let mut woven = std::mem::take(&mut self.scratch.woven);
        weave(&self.scratch.unwrapped, open, &rules, is_text, &mut woven);
        let mut skipped = woven.skipped.iter().peekable();
        for (number, record) in woven.records.iter().enumerate() {
            while let Some(skip) = skipped.next_if(|skip| skip.before_record <= number) {
                self.skip_nuls(skip.file_length);
            }
            self.at = record.file_begin;
            let content = &woven.content[record.content.clone()];
            self.begin(&woven.content[record.first_line.clone()]);
            for line in woven.content[record.first_line.end..record.content.end].split(|byte| *byte == b'\n').skip(1) {
                self.join(line);
            }
            if self.fields.time_ns.is_none() {
                self.fields.time_ns = record.time_ns;
            }
            let marks = match record.stream {
                Stream::Stderr => marks | mark::STDERR,
                Stream::Unframed => 0,
                Stream::Stdout => marks,
            };
            self.record(record.file_length, content, record.flags, marks);
            self.after_text = self.is_text;
        }
        for skip in skipped {
            self.skip_nuls(skip.file_length);
        }
        let consumed = woven.consumed;
        self.scratch.woven = woven;
        consumed
    }

    fn skip_nuls(&mut self, bytes: usize) {
        self.builder.skip(bytes as u32, 0, SkippedReason::Nuls);
        self.counts.nul_bytes += bytes as u64;
    }

    /// A record whose fields were read.
    fn record(&mut self, length: usize, content: &[u8], flags: u8, marks: u8) {
        let is_cut = flags & flag::CUT != 0;
        self.counts.cut += u64::from(is_cut);
        self.decide_and_push(length, content, flags, marks);
        self.was_cut = Some(is_cut);
    }

    fn decide_and_push(&mut self, length: usize, content: &[u8], flags: u8, mut marks: u8) {
        for pattern in &self.treatment.ids {
            pattern.find(content, &mut self.fields.ids);
        }
        let is_attached = self.attach();
        if let Some(decision) = self.decide(content, flags) {
            self.left_out = Some(decision);
            self.witness.left_out(decision, content);
            let (count, reason) = match decision {
                Decision::Sampled(_) => (&mut self.counts.sampled, SkippedReason::Sampled),
                _ => (&mut self.counts.dropped, SkippedReason::Dropped),
            };
            *count += 1;
            return self.builder.skip(length as u32, 1, reason);
        }
        self.left_out = None;
        self.witness.pushed(self.fields);
        self.counts.attached += u64::from(is_attached);
        if self.fields.ids.left_out() {
            marks |= mark::IDS_LEFT_OUT;
            self.counts.ids_left_out += 1;
        }
        if !self.treatment.redact.is_empty() {
            let begin = Instant::now();
            let mut redacted = std::mem::take(&mut self.scratch.redacted);
            let begins_cut = flags & flag::CONTINUES != 0 && self.was_cut != Some(false);
            let is_seamed = seam::withhold(content, begins_cut, flags & flag::CUT != 0, &mut self.scratch.seamed);
            let given = if is_seamed { &self.scratch.seamed } else { content };
            let mut outcome = self.treatment.redact.redact(given, &mut redacted, &mut || begin.elapsed());
            if is_seamed && outcome == Outcome::Unchanged {
                redacted.clone_from(&self.scratch.seamed);
                outcome = Outcome::Redacted;
            }
            match outcome {
                Outcome::Unchanged => {}
                Outcome::Redacted => {
                    self.counts.redacted += 1;
                    marks |= mark::REDACTED;
                }
                Outcome::Withheld(_) => {
                    self.counts.withheld += 1;
                    marks |= mark::WITHHELD;
                }
            }
            if outcome != Outcome::Unchanged {
                self.builder.push_content(length, &redacted, flags, marks, self.fields);
                self.scratch.redacted = redacted;
                return;
            }
            self.scratch.redacted = redacted;
        }
        // The bytes of a woven record may have pieces of other ones between them.
        if marks == 0 && content.len() == length {
            self.builder.push(length, flags, self.fields);
        } else {
            self.builder.push_content(length, content, flags, marks, self.fields);
        }
    }

    /// Gives the record an ID if it has none. Before it is decided on: a transaction with an attached ID is sampled as a whole.
    fn attach(&mut self) -> bool {
        let Some(ids) = self.ids_by_line.as_mut().filter(|_| self.fields.ids.is_empty()) else { return false };
        let at = self.given.position + self.at as u64;
        let Some(id) = ids.by_line.id_at(at, &mut ids.rule, &ids.portion) else { return false };
        self.fields.ids.push_attached(ids.kind, id, "by a rule");
        true
    }

    /// Why the record is left out, if it is.
    fn decide(&self, content: &[u8], flags: u8) -> Option<Decision> {
        if self.treatment.keep.is_empty() {
            return None;
        }
        if flags & flag::CONTINUES != 0 && self.left_out.is_some() {
            return self.left_out;
        }
        let fallback = position_hash(self.given.source_id, self.given.position + self.at as u64);
        let ids = self.fields.ids.iter().map(|(_, value)| value);
        match self.treatment.keep.decide(content, self.fields.severity, ids, fallback) {
            Decision::Keep => None,
            decision => Some(decision),
        }
    }
}

impl<W: Witness> Sink for Stage<'_, W> {
    #[inline]
    fn begin(&mut self, line: &[u8]) -> bool {
        let line = match line.strip_prefix(BYTE_ORDER_MARK) {
            Some(rest) if self.given.position == 0 && self.at == 0 => rest,
            _ => line,
        };
        let shape = parse::parse_with(line, &self.treatment.reading, self.given.reference_ns, self.memory, self.fields);
        self.is_text = shape == Shape::Text;
        self.is_text
    }

    fn join(&mut self, line: &[u8]) {
        parse::text::find_ids(line, &mut self.fields.ids);
    }

    #[inline]
    fn end(&mut self, length: usize, flags: u8) -> bool {
        self.after_text = self.is_text;
        let content = &self.given.bytes[self.at..self.at + length];
        if self.treatment.changes_nothing() && !self.fields.ids.left_out() {
            self.counts.cut += u64::from(flags & flag::CUT != 0);
            self.witness.pushed(self.fields);
            self.builder.push(length, flags, self.fields);
        } else {
            self.record(length, content, flags, 0);
        }
        self.at += length;
        self.builder.records() < RECORDS_MAX && self.builder.content_bytes() < CONTENT_BYTES_MAX / 2
    }
}

/// Whether other lines may be joined to this one: it is neither JSON nor logfmt.
fn is_text(line: &[u8]) -> bool {
    let line = line.trim_ascii_end();
    let is_json = line.first() == Some(&b'{') && line.last() == Some(&b'}');
    let is_logfmt = line.first().is_some_and(|byte| !byte.is_ascii_digit()) && parse::logfmt::looks_like(line);
    !is_json && !is_logfmt
}
