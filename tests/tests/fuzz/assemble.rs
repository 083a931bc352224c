//! Lines to records: they tile the bytes, and it does not matter in which pieces the bytes come.

use clew_agent::assemble::joining::{Joining, RawJoining};
use clew_agent::assemble::{Before, Limits, Sink, Tail, assemble_by};
use clew_agent::parse::{self, Shape};
use clew_agent::record::Fields;

use crate::driver::Fuzz;
use crate::seeds;

const TOKENS: &[&str] = &[
    "\n",
    "\r\n",
    "\n\n",
    "Traceback (most recent call last):\n",
    "  File \"/app/x.py\", line 3, in run\n",
    "ValueError: bad\n",
    "During handling of the above exception, another exception occurred:\n",
    "java.lang.IllegalStateException: x\n",
    "\tat a.b.C.d(C.java:1)\n",
    "Caused by: java.io.IOException: y\n",
    "\t... 2 more\n",
    "panic: boom\n",
    "goroutine 1 [running]:\n",
    "main.main()\n",
    "thread 'main' panicked at src/main.rs:1:2:\n",
    "stack backtrace:\n",
    "PHP Fatal error: x\nStack trace:\n#0 {main}\n",
    "/app/x.js:10\n",
    "    ^\n",
    "Node.js v22.1.0\n",
    "2026-11-23T12:00:00Z INFO x\n",
    "{\"a\":1}\n",
    "}\n",
];

#[derive(Default)]
struct Records {
    lengths: Vec<usize>,
    flags: u8,
    fields: Fields,
}

impl Sink for Records {
    fn begin(&mut self, line: &[u8]) -> bool {
        parse::parse(line, &mut self.fields) == Shape::Text
    }

    fn join(&mut self, line: &[u8]) {
        assert!(!line.contains(&b'\n'));
    }

    fn end(&mut self, length: usize, flags: u8) -> bool {
        assert!(length > 0);
        self.lengths.push(length);
        self.flags |= flags;
        true
    }
}

#[test]
fn records() {
    let joining = |start: Option<&str>, continuation: Option<&str>| {
        let own = |text: Option<&str>| text.map(str::to_owned);
        Joining::new(&RawJoining { enabled: None, start: own(start), continuation: own(continuation) }).expect("valid")
    };
    let rules = [
        ("built in", Joining::BuiltIn),
        ("start", joining(Some(r"^\d{4}-"), None)),
        ("continuation", joining(None, Some(r"^\s"))),
        ("off", Joining::Off),
    ];
    let limits =
        [(100_000, 1000), (120, 4)].map(|(bytes, lines)| Limits { record_bytes_max: bytes, record_lines_max: lines });
    Fuzz::new("records", 1200).seeds(seeds::golden("records")).tokens(TOKENS).run(|file| {
        let mut answers = Vec::new();
        for (name, joining) in &rules {
            for limits in limits {
                let mut whole = Records::default();
                let end = assemble_by(joining, file, Before::Nothing, Tail::All, limits, &mut whole);
                assert_eq!((whole.lengths.iter().sum::<usize>(), end), (file.len(), file.len()), "{name}: they tile");
                if limits.record_lines_max > 4 {
                    // Only what is held back may tell how long a record is; see `Tail::Hold`.
                    for step in [1, 13, 400] {
                        let lengths = in_pieces(joining, file, limits, step);
                        assert_eq!(lengths, whole.lengths, "{name}: {step} bytes more at a time, and at once");
                    }
                } else {
                    assert!(
                        whole.lengths.iter().all(|length| *length <= limits.record_bytes_max + 1),
                        "{name}: limited"
                    );
                }
                answers.push((whole.lengths.len().min(6), whole.flags));
            }
        }
        answers
    });
}

/// Reads a file that grows by `step` bytes at a time.
fn in_pieces(joining: &Joining, file: &[u8], limits: Limits, step: usize) -> Vec<usize> {
    let mut records = Records::default();
    let mut position = 0;
    // One byte at a time is quadratic: only what is short is read so.
    let step = if file.len() > 600 { step.max(97) } else { step };
    for end in (0..file.len()).step_by(step) {
        if end > position {
            position += assemble_by(joining, &file[position..end], Before::Nothing, Tail::Hold, limits, &mut records);
        }
    }
    position += assemble_by(joining, &file[position..], Before::Nothing, Tail::All, limits, &mut records);
    assert_eq!(position, file.len());
    records.lengths
}
