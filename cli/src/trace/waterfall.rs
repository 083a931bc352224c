//! The lanes under one axis of time: who wrote when, how much, where the errors are, and where nothing was heard.
//!
//! ```text
//!             0s             0.9s             1.8s
//! gateway     ▂──────────               ───────▂   +0.000s  1.8s  2 records
//!   checkout   ▄▂─▂──────               ──▆        +0.004s  1.5s  9 records, 1 error
//! silence                 ├──── 0.6s ───┤
//! ```
//!
//! Without colour an error is a `!`. A lane stands below the lane that called it, where spans prove that. It is as wide as the terminal, whatever the names are.
//! Pure: an answer in, rows of pieces out.

use std::io::{self, Write};

use crate::answer::{Lane, Silence, Transaction};
use crate::record::row::Palette;
use crate::terminal::{self, BOLD_RED, DIM, Output, PLAIN, Piece, RED, Style, YELLOW};
use crate::words;

/// Without a terminal, and without a wish.
const WIDTH_DEFAULT: usize = 100;
const CHART_MIN: usize = 20;
const CHART_MAX: usize = 120;
/// A longer name is cut.
const LABEL_MAX: usize = 28;
/// More lanes are counted, not drawn.
const LANES_MAX: usize = 40;
/// As the API has them.
const BINS: usize = 200;
/// So many silences are told in words.
const SILENCES_TOLD: usize = 3;
/// By how many records there are, from few to many.
const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// A shorter time has no ticks between its ends that could be told apart: 1 µs.
const AXIS_NS_MIN: i128 = 1_000;

pub fn print(transaction: &Transaction, palette: &mut Palette, output: Output, out: &mut impl Write) -> io::Result<()> {
    let columns = output.width.unwrap_or(WIDTH_DEFAULT);
    let Some(chart) = Chart::of(transaction, columns, output.colour) else { return Ok(()) };
    for row in chart.rows(palette) {
        for piece in &row {
            write!(out, "{}", output.paint(piece.style, &piece.text))?;
        }
        writeln!(out)?;
    }
    writeln!(out)
}

struct Chart<'a> {
    transaction: &'a Transaction,
    /// Lane and depth, callers before whom they called.
    order: Vec<(usize, usize)>,
    labels: Vec<String>,
    facts: Vec<Vec<Piece>>,
    /// Of the whole.
    columns: usize,
    label_width: usize,
    /// Of the time.
    width: usize,
    /// Errors are seen by it.
    colour: bool,
    start_ns: i128,
    whole_ns: i128,
    /// Columns in which nobody wrote, with the silence.
    gaps: Vec<(usize, usize, &'a Silence)>,
}

impl<'a> Chart<'a> {
    /// None: there is nothing to draw.
    fn of(transaction: &'a Transaction, columns: usize, colour: bool) -> Option<Self> {
        let lanes = &transaction.lanes;
        let start_ns = lanes.iter().filter_map(|lane| words::nanoseconds(&lane.first)).min()?;
        let end_ns = lanes.iter().filter_map(|lane| words::nanoseconds(&lane.last)).max()?;
        let mut order = order(lanes);
        order.truncate(LANES_MAX);
        let has_hosts = lanes.iter().any(|lane| lane.host != lanes[0].host);
        let label = |(lane, depth): &(usize, usize)| label(&lanes[*lane], *depth, has_hosts);
        let labels: Vec<String> = order.iter().map(label).collect();
        let room = Room::of(columns);
        let facts: Vec<Vec<Piece>> = order.iter().map(|(lane, _)| facts(&lanes[*lane], start_ns, room)).collect();
        let width_of = |pieces: &Vec<Piece>| pieces.iter().map(|piece| terminal::columns(&piece.text)).sum::<usize>();
        let facts_width = facts.iter().map(width_of).max().unwrap_or(0);
        // A narrow terminal has room for a short name only.
        let label_max = LABEL_MAX.min(columns.saturating_sub(facts_width + 4 + CHART_MIN)).max(6);
        let label_width = labels.iter().map(|label| terminal::columns(label)).max().unwrap_or(0).min(label_max);
        let width = columns.saturating_sub(label_width + facts_width + 4).clamp(CHART_MIN, CHART_MAX);
        let whole_ns = (end_ns - start_ns).max(1);
        let mut chart = Self {
            transaction,
            order,
            labels,
            facts,
            columns,
            label_width,
            width,
            colour,
            start_ns,
            whole_ns,
            gaps: Vec::new(),
        };
        chart.gaps = chart.gaps();
        Some(chart)
    }

    fn rows(&self, palette: &mut Palette) -> Vec<Vec<Piece>> {
        let lanes = &self.transaction.lanes;
        let mut rows = vec![self.axis()];
        for (place, (lane, _)) in self.order.iter().enumerate() {
            let lane = &lanes[*lane];
            let label = terminal::pad(&cut(&self.labels[place], self.label_width), self.label_width);
            let mut row = vec![Piece::new(palette.style(&lane.service), &label), Piece::new(PLAIN, "  ")];
            row.extend(self.bar(lane, palette.style(&lane.service)));
            row.push(Piece::new(PLAIN, "  "));
            row.extend(self.facts[place].iter().cloned());
            rows.push(row);
        }
        if lanes.len() > self.order.len() {
            let more = words::count((lanes.len() - self.order.len()) as u64, "more lane");
            rows.push(vec![Piece::new(DIM, &format!("… {more}"))]);
        }
        rows.extend(self.silences());
        rows
    }

    /// `0s … 0.9s … 1.8s`
    fn axis(&self) -> Vec<Piece> {
        if self.whole_ns < AXIS_NS_MIN {
            return vec![Piece::new(DIM, &format!("{}0s", " ".repeat(self.label_width + 2)))];
        }
        let tick = |part: i128| if part == 0 { "0s".to_owned() } else { words::duration(self.whole_ns * part / 4) };
        let last = self.width.saturating_sub(terminal::columns(&tick(4)));
        let mut line = tick(0);
        for part in 1..4 {
            let text = tick(part);
            let length = terminal::columns(&text);
            let begin = (self.width * part as usize / 4).saturating_sub(length / 2);
            let end = terminal::columns(&line);
            // One that has no room is left out.
            if begin > end + 1 && begin + length + 1 < last {
                line.push_str(&" ".repeat(begin - end));
                line.push_str(&text);
            }
        }
        line.push_str(&" ".repeat(last.saturating_sub(terminal::columns(&line))));
        line.push_str(&tick(4));
        vec![Piece::new(DIM, &format!("{}{}", " ".repeat(self.label_width + 2), line.trim_end()))]
    }

    /// A lane's records and errors in each column, and what is between them.
    fn bar(&self, lane: &Lane, style: Style) -> Vec<Piece> {
        let mut columns = vec![(0u64, 0u64); self.width];
        for (bin, records, errors) in &lane.activity {
            let column = &mut columns[(*bin).min(BINS - 1) * self.width / BINS];
            *column = (column.0 + records, column.1 + errors);
        }
        let first = columns.iter().position(|column| column.0 > 0);
        let last = columns.iter().rposition(|column| column.0 > 0);
        let cell = |(at, (records, errors)): (usize, &(u64, u64))| {
            if *records > 0 {
                // Each level stands for twice as many as the one before it.
                let level = LEVELS[(records.ilog2() as usize).min(LEVELS.len() - 2) + 1];
                return match errors {
                    0 => (style, level),
                    _ => (BOLD_RED, if self.colour { level } else { '!' }),
                };
            }
            let is_between = first.is_some_and(|first| at > first) && last.is_some_and(|last| at < last);
            let is_silent = self.gaps.iter().any(|(begin, end, _)| (*begin..*end).contains(&at));
            (DIM, if is_between && !is_silent { '─' } else { ' ' })
        };
        let cells: Vec<(Style, char)> = columns.iter().enumerate().map(cell).collect();
        let runs = cells.chunk_by(|left, right| left.0 == right.0);
        runs.map(|run| Piece::new(run[0].0, &run.iter().map(|(_, cell)| *cell).collect::<String>())).collect()
    }

    /// Where the silences are: those between records that came with the answer, and wide enough to be seen.
    fn gaps(&self) -> Vec<(usize, usize, &'a Silence)> {
        let at = |index: u64| {
            let records = &self.transaction.records;
            let place = records.binary_search_by_key(&index, |record| record.index.unwrap_or(u64::MAX)).ok()?;
            let time = records[place].at.as_ref().unwrap_or(&records[place].time);
            Some(words::nanoseconds(time)? - self.start_ns)
        };
        let column = |ns: i128| (ns.clamp(0, self.whole_ns) * self.width as i128 / self.whole_ns) as usize;
        let place = |silence: &'a Silence| {
            let (begin, end) = (column(at(silence.after)?) + 1, column(at(silence.before)?).min(self.width));
            (end > begin).then_some((begin, end, silence))
        };
        self.transaction.silences.iter().filter_map(place).collect()
    }

    /// The silences under the lanes, and the longest of them in words.
    fn silences(&self) -> Vec<Vec<Piece>> {
        let silences = &self.transaction.silences;
        if silences.is_empty() {
            return Vec::new();
        }
        let mut rows = Vec::new();
        let mut marks: Vec<char> = vec![' '; self.width];
        for (begin, end, silence) in &self.gaps {
            let text: Vec<char> = format!(" {} ", words::duration(silence.duration_ns.into())).chars().collect();
            let length = end - begin;
            // They do not overlap, but one may end where another begins.
            for (at, mark) in marks[*begin..*end].iter_mut().enumerate() {
                let inside = at.checked_sub((length.saturating_sub(text.len())) / 2).and_then(|at| text.get(at));
                *mark = match inside {
                    Some(character) if length >= text.len() + 2 => *character,
                    _ if length == 1 => '·',
                    _ if at == 0 => '├',
                    _ if at + 1 == length => '┤',
                    _ => '─',
                };
            }
        }
        let marks: String = marks.into_iter().collect();
        if !marks.trim().is_empty() {
            let label = terminal::pad(&cut("silence", self.label_width), self.label_width);
            rows.push(vec![Piece::new(DIM, &label), Piece::new(YELLOW, &format!("  {}", marks.trim_end()))]);
        }
        for silence in silences.iter().take(SILENCES_TOLD) {
            rows.extend(terminal::wrap(&self.told(silence), self.columns.max(CHART_MIN)));
        }
        if silences.len() > SILENCES_TOLD {
            let more = words::count((silences.len() - SILENCES_TOLD) as u64, "shorter silence");
            rows.push(vec![Piece::new(DIM, &format!("… {more}"))]);
        }
        rows
    }

    /// "1.8s of silence between gateway and billing (±12ms)".
    fn told(&self, silence: &Silence) -> Vec<Piece> {
        let name = |lane: usize| self.transaction.lanes.get(lane).map_or("?", |lane| &lane.service);
        let place = match (name(silence.from_lane), name(silence.to_lane)) {
            (from, to) if silence.from_lane == silence.to_lane || from == to => format!("within {from}"),
            (from, to) => format!("between {from} and {to}"),
        };
        let uncertainty = match silence.uncertainty_ns {
            0 => String::new(),
            ns => format!(" (±{})", words::duration(ns.into())),
        };
        let text = format!(
            "{} of silence {place}{uncertainty}, after record {}",
            words::duration(silence.duration_ns.into()),
            silence.after
        );
        vec![Piece::new(YELLOW, &text)]
    }
}

/// Callers before those that they called, with how deep they are; else as they came.
fn order(lanes: &[Lane]) -> Vec<(usize, usize)> {
    let mut order = Vec::new();
    let mut is_placed = vec![false; lanes.len()];
    let caller = |lane: usize| lanes[lane].caller.filter(|caller| *caller < lanes.len() && *caller != lane);
    // What is to be placed next stands last.
    let mut next: Vec<(usize, usize)> = (0..lanes.len()).rev().map(|lane| (lane, 0)).collect();
    let is_root = |lane: usize| caller(lane).is_none();
    next.sort_by_key(|(lane, _)| is_root(*lane));
    while let Some((lane, depth)) = next.pop() {
        if std::mem::replace(&mut is_placed[lane], true) {
            continue;
        }
        order.push((lane, depth));
        next.extend((0..lanes.len()).rev().filter(|other| caller(*other) == Some(lane)).map(|lane| (lane, depth + 1)));
    }
    order
}

fn label(lane: &Lane, depth: usize, has_hosts: bool) -> String {
    let host = if has_hosts { format!(" {}", lane.host) } else { String::new() };
    // Escaped before it is cut: what an escape takes is counted.
    terminal::escape(&format!("{}{}{host}", "  ".repeat(depth.min(4)), lane.service))
}

/// How much is told of a lane beside its chart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    /// `+0.250s  1.5s  9 records, 1 error`
    Words,
    /// `+0.250s  1.5s  9, 1 error`
    Numbers,
    /// `1 error`
    Errors,
}

impl Room {
    fn of(columns: usize) -> Self {
        match columns {
            ..70 => Self::Errors,
            70..90 => Self::Numbers,
            90.. => Self::Words,
        }
    }
}

fn facts(lane: &Lane, start_ns: i128, room: Room) -> Vec<Piece> {
    let begin = words::nanoseconds(&lane.first).map_or(String::new(), |first| words::offset(first - start_ns, 3));
    // One record takes no time that anybody knows.
    let took = if lane.records > 1 { words::duration(lane.duration_ns.into()) } else { "-".to_owned() };
    let text = match room {
        Room::Words => format!("{begin:>8}  {took:>6}  {}", words::count(lane.records, "record")),
        Room::Numbers => format!("{begin:>8}  {took:>6}  {}", words::thousands(lane.records)),
        Room::Errors => String::new(),
    };
    let mut facts = vec![Piece::new(DIM, &text)];
    if lane.errors > 0 {
        let comma = if text.is_empty() { "" } else { ", " };
        facts.push(Piece::new(RED, &format!("{comma}{}", words::count(lane.errors, "error"))));
    }
    facts
}

/// At most so many columns of an escaped text.
fn cut(text: &str, width: usize) -> String {
    if terminal::columns(text) <= width {
        return text.to_owned();
    }
    let mut cut = String::new();
    for character in text.chars() {
        if terminal::columns(&cut) + terminal::columns(character.encode_utf8(&mut [0; 4])) >= width {
            break;
        }
        cut.push(character);
    }
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn lane(service: &str, first: f64, last: f64, caller: Option<usize>, activity: &[(usize, u64, u64)]) -> Value {
        let time = |second: f64| format!("2026-11-23T12:00:{second:06.3}Z");
        json!({
            "service": service, "host": "web-1", "first": time(first), "last": time(last),
            "duration_ns": ((last - first) * 1e9) as i64, "records": activity.iter().map(|bin| bin.1).sum::<u64>(),
            "errors": activity.iter().map(|bin| bin.2).sum::<u64>(), "caller": caller, "activity": activity
        })
    }

    fn transaction(lanes: &[Value]) -> Transaction {
        let record = |index: u64, second: u64| {
            json!({"index": index, "time": "x", "at": format!("2026-11-23T12:00:0{second}Z"),
            "severity": "info", "service": "s", "host": "h", "line": ""})
        };
        serde_json::from_value(json!({
            "id": "x", "ids": [], "completeness": {"state": "settled"}, "lanes": lanes,
            "summary": {"time_min": "x", "duration_ns": 0, "records": 3, "errors": 0, "services": [], "hosts": []},
            "silences": [{"after": 1, "before": 2, "duration_ns": 5_000_000_000_i64, "uncertainty_ns": 12_000_000, "from_lane": 1, "to_lane": 0}],
            "records": [record(0, 0), record(1, 2), record(2, 7)],
        }))
        .expect("a transaction")
    }

    fn drawn(transaction: &Transaction, width: usize) -> Vec<String> {
        let rows = Chart::of(transaction, width, false).map_or(Vec::new(), |chart| chart.rows(&mut Palette::default()));
        rows.iter().map(|row| row.iter().map(|piece| piece.text.as_str()).collect::<String>()).collect()
    }

    #[test]
    fn one_moment_has_no_axis() {
        let moment = transaction(&[lane("gateway", 1.0, 1.0, None, &[(0, 3, 0)])]);
        assert_eq!(drawn(&moment, 100)[0].trim(), "0s");
    }

    #[test]
    fn lanes_gaps_and_silences() {
        let shop = transaction(&[
            lane("gateway", 0.0, 8.0, None, &[(0, 1, 0), (199, 1, 0)]),
            lane("payments", 1.5, 2.0, Some(2), &[(40, 4, 1), (50, 1, 0)]),
            lane("checkout", 1.0, 7.0, Some(0), &[(25, 2, 0), (175, 200, 0)]),
        ]);
        let rows = drawn(&shop, 95);
        let has_width = |row: &String| row.chars().count() <= 95;
        assert!(rows.iter().all(has_width), "{rows:#?}");
        let names: Vec<_> = rows.iter().map(|row| row.split_whitespace().next().unwrap_or_default()).collect();
        assert_eq!(names, ["0s", "gateway", "checkout", "payments", "silence", "5s"], "{rows:#?}");
        assert!(rows[4].contains("├─") && rows[4].contains(" 5s ") && rows[4].contains("─┤"), "{rows:#?}");
        assert_eq!(rows[5], "5s of silence between payments and gateway (±12ms), after record 1");
        // The gateway waited, but while nobody wrote it is a gap.
        let gateway = &rows[1];
        assert!(gateway.contains("─   ") && gateway.contains("  ─"), "{rows:#?}");
        assert!(rows[3].contains("5 records, 1 error") && rows[3].contains("+1.500s"), "{rows:#?}");
    }

    #[test]
    fn it_fits_whatever_the_width_and_the_names_are() {
        let names = [
            "a",
            "漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字",
            "an-extraordinarily-long-name-of-a-service-in-a-cluster",
            "\u{202e}\u{1b}[2Jevil",
        ];
        let lanes: Vec<Value> = names
            .iter()
            .enumerate()
            .map(|(at, name)| lane(name, 0.0, 8.0, at.checked_sub(1), &[(0, 1, 0), (199, 1, 1), (1_000, 1, 0)]))
            .collect();
        let shop = transaction(&lanes);
        for width in 40..200 {
            for row in drawn(&shop, width) {
                assert!(terminal::columns(&row) <= width, "{width}: {row}");
                assert!(!row.contains(['\u{1b}', '\u{202e}']), "{row}");
            }
        }
        assert!(drawn(&shop, 10).iter().all(|row| terminal::columns(row) < 80));
    }

    #[test]
    fn odd_answers_are_drawn_as_far_as_they_go() {
        assert!(drawn(&transaction(&[]), 80).is_empty());
        // All at one time; lanes that call each other, themselves, or nobody that is known.
        let odd = [
            lane("a", 1.0, 1.0, Some(1), &[(0, 1, 0)]),
            lane("b", 1.0, 1.0, Some(0), &[]),
            lane("c", 1.0, 1.0, Some(2), &[]),
            lane("d", 1.0, 1.0, Some(9), &[]),
        ];
        let rows = drawn(&transaction(&odd), 80);
        let names: Vec<_> = rows[1..5].iter().map(|row| row.split_whitespace().next().unwrap_or_default()).collect();
        assert_eq!(names, ["c", "d", "a", "b"]);
    }

    #[test]
    fn many_lanes_are_counted() {
        let lanes: Vec<Value> = (0..50).map(|at| lane(&format!("s{at}"), 1.0, 2.0, None, &[])).collect();
        let rows = drawn(&transaction(&lanes), 80);
        assert!(rows.contains(&"… 10 more lanes".to_owned()), "{rows:#?}");
    }
}
