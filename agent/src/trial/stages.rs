//! Runs bytes through the stages, batch by batch, with the limits of the configuration: what a turn of the pipeline does with a file
//! that has been quiet for long.

use std::collections::VecDeque;
use std::sync::Arc;

use super::decode::{Piece, decode};
use super::show::Shown;
use crate::assemble::{Limits, Tail};
use crate::batch::Builder;
use crate::config;
use crate::frame::open;
use crate::identity::GUARD_BYTES_MAX;
use crate::parse::layout::Memory;
use crate::pipeline::by_line::{ByLine, Rule};
use crate::pipeline::line_reader::{Begin, LINE_BYTES_MAX, Portion};
use crate::pipeline::report::lines_text;
use crate::pipeline::stage::{Given, IdsByLine, Scratch, Stage, Witness};
use crate::pipeline::turn::{RECORD_LINES_MAX, WOVEN_BYTES_MAX, tails};
use crate::record::Fields;
use crate::rules::keep::Decision;
use crate::ship::clock::now_ns;
use crate::treatment::{LineRule, Lines, Treatment};

/// The file is no source: IDs that are attached here are not those that an agent would attach.
const SOURCE_ID: [u8; 16] = [0; 16];

/// What was seen of a record that is in the batch.
pub struct Reasons {
    pub layout: &'static str,
    /// By the place of the ID.
    pub ids: Vec<&'static str>,
}

/// Looks on.
#[derive(Default)]
struct Seen {
    pushed: VecDeque<Reasons>,
    left_out: VecDeque<(Decision, Vec<u8>)>,
}

impl Witness for &mut Seen {
    fn pushed(&mut self, fields: &Fields) {
        let ids = fields.ids.iter_why().map(|found| found.why).collect();
        self.pushed.push_back(Reasons { layout: fields.layout, ids });
    }

    fn left_out(&mut self, decision: Decision, content: &[u8]) {
        self.left_out.push_back((decision, content.to_vec()));
    }
}

/// Hands on each record. Answers what the lines are made of.
pub fn run(
    bytes: &[u8],
    modified_ns: i64,
    treatment: &Arc<Treatment>,
    limits: &config::Limits,
    emit: &mut dyn FnMut(Shown),
) -> String {
    let lines = treatment.lines(bytes).unwrap_or(Lines::Plain);
    let (mut builder, mut fields, mut scratch) = (Builder::default(), Fields::default(), Scratch::default());
    let mut memory = Memory::default();
    let (mut position, mut last_time_ns, mut after_text) = (0, None, true);
    let attach = match &treatment.line_rule {
        Some(LineRule::Attach(attach)) => Some(attach),
        _ => None,
    };
    let mut by_line = attach.map(|_| ByLine::new(Begin::default()));
    let portion = |bytes, position: usize| Portion {
        bytes,
        position: position as u64,
        lines,
        reading: &treatment.reading,
        reference_ns: modified_ns,
        line_bytes_max: LINE_BYTES_MAX.min(limits.record_bytes_max as usize),
    };
    while position < bytes.len() {
        let wanted = match lines {
            Lines::Plain => limits.batch_bytes_max,
            Lines::Framed(_) | Lines::Encoded(_) => limits.batch_bytes_max.min(WOVEN_BYTES_MAX),
        };
        let end = bytes.len().min(position + wanted as usize);
        let at_end = end == bytes.len();
        let lookback = match lines {
            Lines::Framed(_) => open::BYTES_MAX,
            Lines::Plain | Lines::Encoded(_) => GUARD_BYTES_MAX,
        };
        let mut consumed = 0;
        let mut seen = Seen::default();
        for tail in tails(if at_end { Tail::All } else { Tail::Hold }, at_end) {
            seen = Seen::default();
            builder.begin(last_time_ns, now_ns() as i64);
            let given = Given {
                bytes: &bytes[position..end],
                position: position as u64,
                source_id: &SOURCE_ID,
                bytes_before: &bytes[position.saturating_sub(lookback)..position],
                after_text,
                tail: *tail,
                limits: Limits {
                    record_bytes_max: limits.record_bytes_max.min(limits.batch_bytes_max - 1) as usize,
                    record_lines_max: RECORD_LINES_MAX,
                },
                reference_ns: modified_ns,
            };
            let mut stage =
                Stage::witnessed(&mut builder, &mut fields, &mut scratch, treatment, &mut memory, given, &mut seen);
            let whole = portion(&bytes[position..end], position);
            if let (Some(by_line), Some(attach)) = (&mut by_line, attach) {
                let rule = Rule::Attach(attach, &SOURCE_ID);
                stage.ids_by_line = Some(IdsByLine { by_line, rule, portion: whole, kind: attach.kind() });
            }
            consumed = stage.run(lines);
            let is_text = stage.after_text;
            if let (Some(by_line), Some(attach)) = (&mut by_line, attach) {
                by_line.advance((position + consumed) as u64, &mut Rule::Attach(attach, &SOURCE_ID), &whole);
            }
            if consumed > 0 {
                after_text = is_text;
                break;
            }
        }
        assert!(consumed > 0, "with all tails tried, something is taken");
        let encoded = builder.finish(&bytes[position..position + consumed]);
        last_time_ns = encoded.last_time_ns;
        for piece in decode(&encoded.columns, position as u64) {
            match piece {
                Piece::Record(record) => {
                    let reasons = seen.pushed.pop_front();
                    emit(Shown::record(&record, reasons.as_ref()));
                }
                Piece::Skipped { position, bytes, records } if records > 0 => {
                    // Neighbours that the same kind of rule left out are one entry, with the bytes of all.
                    let each = seen.left_out.drain(..(records as usize).min(seen.left_out.len()));
                    for (place, (decision, content)) in each.enumerate() {
                        emit(Shown::left_out(position, if place == 0 { bytes } else { 0 }, decision, &content));
                    }
                }
                Piece::Skipped { position, bytes, .. } => emit(Shown::nuls(position, bytes)),
            }
        }
        position += consumed;
    }
    lines_text(lines)
}
