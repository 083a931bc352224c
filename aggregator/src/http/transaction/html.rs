//! A transaction as a page of its own: one file, no script, nothing from elsewhere, so that it can be mailed and opened anywhere.
//!
//! **Log lines are hostile**: everything that comes from one is escaped, and what would steer a reader's eyes (control characters,
//! marks that turn text round) is shown by its number.

use std::fmt::Write;

use super::super::answer;
use super::{reasons, shown};
use crate::clock::rfc3339;
use crate::trace::assemble::Whole;
use crate::trace::completeness::Verdict;
use crate::trace::lanes::{BINS, Lane};
use crate::words;

/// The page may load nothing and run nothing.
pub const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; sandbox";
/// Of a longer line the page shows the beginning, and says so.
const LINE_BYTES_MAX: usize = 32 << 10;

const STYLE: &str = "
:root{color-scheme:light dark;--ink:#1c2024;--paper:#fff;--quiet:#60646c;--line:#e4e6ea;--bar:#8da4ef;--bad:#cd2b31;--good:#18794e;--care:#ad5700}
@media(prefers-color-scheme:dark){:root{--ink:#edeef0;--paper:#111316;--quiet:#a0a4ab;--line:#2b2f33;--bar:#5b74c9;--bad:#ff9592;--good:#65ba74;--care:#ffc53d}}
*{box-sizing:border-box}body{margin:0 auto;max-width:110rem;padding:1.5rem;background:var(--paper);color:var(--ink);font:14px/1.45 system-ui,sans-serif}
h1{font-size:1.15rem;margin:0 0 .25rem;font-weight:600;overflow-wrap:anywhere}.quiet{color:var(--quiet)}
.verdict{display:inline-block;padding:.1rem .55rem;border:1px solid currentColor;border-radius:1rem;font-weight:600}
.settled{color:var(--good)}.open,.expired{color:var(--care)}.gapped,.error,.fatal{color:var(--bad)}.warn{color:var(--care)}
ul{margin:.5rem 0;padding-left:1.2rem}.lanes{margin:1.25rem 0;display:grid;grid-template-columns:max-content 1fr max-content;gap:.2rem .8rem;align-items:center}
.track{position:relative;height:1.1rem;border-bottom:1px solid var(--line)}.track i{position:absolute;top:.15rem;bottom:.15rem;min-width:2px;background:var(--bar);border-radius:1px}.track i.error{background:var(--bad)}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}th{text-align:left;font-weight:600}td,th{padding:.15rem .7rem .15rem 0;vertical-align:top;border-bottom:1px solid var(--line);white-space:nowrap}
td.line{white-space:pre-wrap;overflow-wrap:anywhere;font-family:ui-monospace,monospace;font-size:12.5px;width:100%}
";

/// The page, with the records at `indices`.
pub fn page(whole: &Whole, indices: &[usize], id: &str) -> String {
    let mut out = String::new();
    let _ = write!(
        out,
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <title>Transaction {}</title><style>{STYLE}</style></head><body>",
        escaped(id)
    );
    head(&mut out, whole, id);
    lanes(&mut out, whole);
    records(&mut out, whole, indices);
    out.push_str("</body></html>\n");
    out
}

fn head(out: &mut String, whole: &Whole, id: &str) {
    let (state, says) = match whole.completeness.verdict {
        Verdict::Settled => ("settled", "every agent has shipped what its files held"),
        Verdict::Open => ("open", "somebody may hold more"),
        Verdict::Gapped => ("gapped", "some of it may be lost"),
        Verdict::Expired => ("expired", "some of it may have been removed"),
    };
    let records = whole.ordered.records.len();
    let errors: u64 = whole.lanes.lanes.iter().map(|lane| lane.errors).sum();
    let begin = whole.ordered.places.iter().map(|place| place.at).min().unwrap_or(0);
    let duration = words::duration(shown::duration_ns(whole));
    let _ = write!(
        out,
        "<h1>Transaction {}</h1><p><span class=\"verdict {state}\">{state}</span> {says}</p>\
         <p class=\"quiet\">{} · {duration} · {records} records · {errors} errors</p>",
        escaped(id),
        rfc3339(begin)
    );
    list(out, reasons::of(&whole.completeness).iter());
    let joined = whole
        .joined
        .iter()
        .map(|joined| format!("{} joined over {}: {} records carry both", joined.id, joined.via, joined.bridges));
    let left = whole.left.iter().map(|left| format!("{} not followed: {}", left.id, reasons::not_followed(left)));
    list(out, joined.chain(left).chain(reasons::warnings(whole)).collect::<Vec<_>>().iter());
    let silences = whole.silences.longest.iter().map(|silence| {
        let service = |lane: u32| &whole.lanes.lanes[lane as usize].service;
        let (from, to) = (service(silence.from_lane), service(silence.to_lane));
        let between = if from == to { format!("within {from}") } else { format!("between {from} and {to}") };
        format!("{} of silence {between}", words::duration(silence.duration_ns.unsigned_abs()))
    });
    list(out, silences.collect::<Vec<_>>().iter());
}

fn list<'a>(out: &mut String, lines: impl Iterator<Item = &'a String>) {
    let mut lines = lines.peekable();
    if lines.peek().is_none() {
        return;
    }
    out.push_str("<ul>");
    for line in lines {
        let _ = write!(out, "<li>{}</li>", escaped(line));
    }
    out.push_str("</ul>");
}

fn lanes(out: &mut String, whole: &Whole) {
    out.push_str("<div class=\"lanes\">");
    for lane in &whole.lanes.lanes {
        let _ = write!(
            out,
            "<div>{} <span class=\"quiet\">{}</span></div><div class=\"track\">",
            escaped(&lane.service),
            escaped(&lane.host)
        );
        bars(out, lane);
        let errors = if lane.errors > 0 {
            format!(", <span class=\"error\">{} errors</span>", lane.errors)
        } else {
            String::new()
        };
        let _ = write!(out, "</div><div class=\"quiet\">{} records{errors}</div>", lane.records);
    }
    out.push_str("</div>");
}

fn bars(out: &mut String, lane: &Lane) {
    let width = 100.0 / BINS as f64;
    for bin in &lane.activity {
        let class = if bin.errors > 0 { " class=\"error\"" } else { "" };
        let _ = write!(out, "<i{class} style=\"left:{:.2}%;width:{width:.2}%\"></i>", f64::from(bin.bin) * width);
    }
}

fn records(out: &mut String, whole: &Whole, indices: &[usize]) {
    let begin = whole.ordered.places.iter().map(|place| place.at).min().unwrap_or(0);
    out.push_str(
        "<table><thead><tr><th>After</th><th>Service</th><th>Host</th><th>Level</th><th>Line</th></tr></thead><tbody>",
    );
    for index in indices {
        let (record, place) = (&whole.ordered.records[*index], &whole.ordered.places[*index]);
        let level = answer::severity(record.severity);
        let mark = if place.is_uncertain { "~" } else { "" };
        let after = place.at.saturating_sub(begin) as f64 / 1e9;
        let cut = record.line.len() > LINE_BYTES_MAX;
        let line = String::from_utf8_lossy(&record.line[..record.line.len().min(LINE_BYTES_MAX)]);
        let _ = write!(
            out,
            "<tr><td title=\"{}\">{mark}+{after:.3}s</td><td>{}</td><td>{}</td><td class=\"{level}\">{level}</td><td class=\"line\">{}",
            rfc3339(record.time),
            escaped(&record.source.service),
            escaped(&record.source.host),
            escaped(&line)
        );
        if cut {
            let _ = write!(out, " <span class=\"quiet\">… {} bytes in all</span>", record.line.len());
        }
        out.push_str("</td></tr>");
    }
    out.push_str("</tbody></table>");
}

/// Text of an element or an attribute.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(letter),
            _ if letter.is_control() || turns_text_round(letter) => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(letter));
            }
            _ => out.push(letter),
        }
    }
    out
}

/// Unicode's explicit directional marks (UAX 9), and what is invisible beside them.
fn turns_text_round(letter: char) -> bool {
    matches!(letter, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_stays_text() {
        assert_eq!(
            escaped("<script>alert('x')</script>&\""),
            "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;&quot;"
        );
        assert_eq!(escaped("a\u{1b}[31m\u{202e}b\nc"), "a\\u{1b}[31m\\u{202e}b\nc");
    }
}
