//! Tables for each rule, and the invariant as a property.

use proptest::prelude::*;

use super::joining::RawJoining;
use super::*;

#[derive(Default)]
struct Records {
    records: Vec<(usize, u8)>,
    begun: usize,
    joined: usize,
}

impl Sink for Records {
    fn begin(&mut self, line: &[u8]) -> bool {
        self.begun += 1;
        self.joined = line.len();
        line.first() != Some(&b'{')
    }
    fn join(&mut self, line: &[u8]) {
        self.joined += line.len() + 1;
    }
    fn end(&mut self, length: usize, flags: u8) -> bool {
        self.records.push((length, flags));
        true
    }
}

const LIMITS: Limits = Limits { record_bytes_max: 1000, record_lines_max: 1000 };

fn records(text: &str, before: Before, tail: Tail, limits: Limits) -> (Vec<(String, u8)>, usize) {
    let mut sink = Records::default();
    let consumed = assemble(text.as_bytes(), before, tail, limits, &mut sink);
    let mut at = 0;
    let records = sink
        .records
        .iter()
        .map(|(length, flags)| {
            at += length;
            (text[at - length..at].to_owned(), *flags)
        })
        .collect();
    (records, consumed)
}

fn texts(text: &str) -> Vec<String> {
    records(text, Before::Nothing, Tail::All, LIMITS).0.into_iter().map(|(text, _)| text).collect()
}

#[test]
fn java_stack_traces() {
    let error = "12:00 ERROR failed\njava.lang.IllegalStateException: boom\n\tat a.B.c(B.java:1)\n\t... 3 more\nCaused by: x.Y: z\n\tat d\n... 12 more\n";
    assert_eq!(texts(&format!("12:00 INFO a\n{error}12:01 INFO b\n")), ["12:00 INFO a\n", error, "12:01 INFO b\n"]);
}

#[test]
fn what_follows_does_not_have_to_be_whole() {
    for text in ["/app/x.js:10\n  throw error\nnext", "failed\n\njava.lang.IllegalStateException: bo"] {
        let held = records(text, Before::Nothing, Tail::Hold, LIMITS);
        let whole = records(&format!("{text}\n"), Before::Nothing, Tail::All, LIMITS);
        assert_eq!(held.0, whole.0[..held.0.len()]);
    }
}

#[test]
fn a_blank_line_before_an_exception_belongs_to_it() {
    let error = "12:00 ERROR failed\n\njava.lang.IllegalStateException: boom\n\tat a.B.c(B.java:1)\n";
    assert_eq!(texts(&format!("{error}\n12:01 INFO b\n")), [error, "\n", "12:01 INFO b\n"]);
    // Whether it does is known only when the next line is whole.
    assert_eq!(records("12:00 ERROR failed\n\njava.la", Before::Nothing, Tail::Hold, LIMITS).1, 0);
    assert_eq!(records("12:00 ERROR failed\n\n12:01 I", Before::Nothing, Tail::Hold, LIMITS).1, 20);
}

#[test]
fn python_tracebacks() {
    let one = "Traceback (most recent call last):\n  File \"x.py\", line 1, in f\n    g()\nValueError: bad\n";
    let chained = format!("{one}\nDuring handling of the above exception, another exception occurred:\n\n{one}");
    for trace in [one, &chained] {
        let error = format!("12:00 ERROR failed\n{trace}");
        assert_eq!(texts(&format!("{error}12:01 INFO b\n")), [&error, "12:01 INFO b\n"]);
        assert_eq!(texts(&format!("{error}\n12:01 INFO b\n")), [&error, "\n", "12:01 INFO b\n"]);
        assert_eq!(texts(trace), [trace]);
    }
    // A traceback that another record interrupts ends there.
    let cut = "Traceback (most recent call last):\n  File\n";
    assert_eq!(texts(&format!("{cut}2026-11-23 12:01 INFO b\n")), [cut, "2026-11-23 12:01 INFO b\n"]);
}

#[test]
fn json_and_blank_lines_stand_alone() {
    assert_eq!(texts("{\"a\":1}\n  indented\n\n\nb\n"), ["{\"a\":1}\n", "  indented\n", "\n", "\n", "b\n"]);
    assert_eq!(texts("a\r\n b\r\n\r\n"), ["a\r\n b\r\n", "\r\n"]);
}

#[test]
fn the_last_text_record_is_held() {
    let hold = |text| records(text, Before::Nothing, Tail::Hold, LIMITS);
    assert_eq!(hold("a\nb\n"), (vec![("a\n".into(), 0)], 2));
    assert_eq!(hold("{}\n"), (vec![("{}\n".into(), 0)], 3));
    assert_eq!(hold("a\n b").1, 0);
    assert_eq!(hold("a\n2026-11").1, 2);
    assert_eq!(records("a\nb", Before::Nothing, Tail::Lines, LIMITS).1, 2);
    assert_eq!(records("a\nb", Before::Nothing, Tail::All, LIMITS).0[1], ("b".into(), flag::UNTERMINATED));
}

#[test]
fn what_was_shipped_is_continued() {
    let continued = |before| records(" at x\nb\n", before, Tail::All, LIMITS).0;
    assert_eq!(continued(Before::Text)[0], (" at x\n".into(), flag::CONTINUES));
    assert_eq!(continued(Before::Nothing)[0].1, 0);
    assert_eq!(records("rest\nb\n", Before::OpenLine, Tail::All, LIMITS).0[0].1, flag::CONTINUES);
}

#[test]
fn long_lines_and_long_traces_are_cut() {
    let limits = Limits { record_bytes_max: 4, record_lines_max: 2 };
    let (found, consumed) = records("{234567890\n{b\n", Before::Nothing, Tail::All, limits);
    assert_eq!(consumed, 14);
    assert_eq!(found[0], ("{234".into(), flag::CUT));
    assert_eq!(found[1], ("5678".into(), flag::CUT | flag::CONTINUES));
    assert_eq!(found[2], ("90\n".into(), flag::CONTINUES));
    assert_eq!(found[3], ("{b\n".into(), 0));
    let (found, _) =
        records("a\n b\n c\nd\n", Before::Nothing, Tail::All, Limits { record_bytes_max: 100, record_lines_max: 2 });
    assert_eq!(found[0], ("a\n b\n".into(), flag::JOINED | flag::CUT));
    assert_eq!(found[1], (" c\n".into(), flag::CONTINUES));
}

/// Traces as the runtimes write them: each is one record, and neither the record before nor the one behind is in it.
const TRACES: [&str; 14] = [
    "panic: boom\n\ngoroutine 1 [running]:\nmain.f(...)\n\t/app/main.go:5\nmain.main()\n\t/app/main.go:9 +0x1d\nexit status 2\n",
    "panic: runtime error: invalid memory address or nil pointer dereference\n[signal SIGSEGV: segmentation violation code=0x1]\n\ngoroutine 7 [running]:\nmain.(*T).f(0x0)\n\t/app/main.go:5\ncreated by main.main in goroutine 1\n\t/app/main.go:9\n\ngoroutine 1 [chan receive]:\nmain.main()\n\t/app/main.go:9\n",
    "http: panic serving 10.0.0.1:4000: boom\ngoroutine 12 [running]:\nnet/http.(*conn).serve.func1()\n\t/go/server.go:1\n",
    "Error: boom\n    at f (/app/a.js:1:2)\n    at async g (node:internal/x:3:4) {\n  code: 'E_BOOM',\n  [cause]: Error: inner\n      at h (/app/b.js:1:2)\n}\n\nNode.js v20.11.0\n",
    "/app/index.js:3\nthrow new Error('boom');\n^\n\nError: boom\n    at Object.<anonymous> (/app/index.js:3:7)\n\nNode.js v20.11.0\n",
    "thread 'main' panicked at src/main.rs:2:5:\nboom\nstack backtrace:\n   0: rust_begin_unwind\n             at /rustc/x/std.rs:1:2\nnote: Some details are omitted\n",
    "thread 'main' panicked at 'boom', src/main.rs:2:5\nnote: run with `RUST_BACKTRACE=1` environment variable to display a backtrace\n",
    "/app/x.rb:1:in 'f': boom (RuntimeError)\n\tfrom /app/x.rb:4:in '<main>'\n",
    "ZeroDivisionError (divided by 0):\n\napp/controllers/x.rb:3:in `index'\napp/controllers/y.rb:4:in `show'\n",
    "Unhandled exception. System.InvalidOperationException: boom\n ---> System.Exception: inner\n   at A.B() in /app/A.cs:line 1\n   --- End of inner exception stack trace ---\n   at A.C()\n--- End of stack trace from previous location ---\n   at A.D()\n",
    "PHP Fatal error:  Uncaught Exception: boom in /app/x.php:3\nStack trace:\n#0 /app/x.php(7): f()\n#1 {main}\n\nNext RuntimeException: outer in /app/x.php:9\nStack trace:\n#0 {main}\n  thrown in /app/x.php on line 3\n",
    "java.lang.RuntimeException: boom\n\tat a.B.c(B.java:1)\n\tSuppressed: x.Y: z\n\t\tat d.E.f(E.java:2)\nCaused by: x.Y: z\n\t... 3 more\n",
    "Error: could not start\n\nCaused by:\n    0: open file\n    1: denied\n",
    "  + Exception Group Traceback (most recent call last):\n  |   File \"x.py\", line 1, in <module>\n  | ExceptionGroup: two (2 sub-exceptions)\n  +-+---------------- 1 ----------------\n    | ValueError: a\n    +------------------------------------\n",
];

#[test]
fn traces_are_one_record_each() {
    for trace in TRACES {
        for next in ["2026-11-23 12:01:00 INFO b\n", "INFO started\n", "{\"a\":1}\n", "\n"] {
            assert_eq!(texts(&format!("{trace}{next}")), [trace, next]);
            assert_eq!(texts(&format!("{trace}{next}")).concat(), format!("{trace}{next}"));
        }
    }
}

#[test]
fn a_trace_is_not_given_away_before_it_is_whole() {
    for trace in TRACES {
        let begin = "2026-11-23 12:00:00 INFO a\n";
        let first = if trace.starts_with(' ') { "" } else { begin };
        for end in 1..trace.len() {
            let text = format!("{first}{}", &trace[..end]);
            let consumed = records(&text, Before::Nothing, Tail::Hold, LIMITS).1;
            assert!(consumed <= first.len(), "{:?}", &text[..consumed]);
        }
    }
}

#[test]
fn ordinary_lines_stand_alone() {
    let lines = [
        "INFO main.f(1) took long\n",
        "thread 'worker' started\n",
        "note: nothing happened\n",
        "}\n",
        "exit status 2\n",
        "#0 is the first one\n",
        "Node.js v20.11.0 is used\n",
        "stack backtrace:\n",
        "goroutine pool started\n",
        "\n",
        "\n",
        "created by hand\n",
        "2026-11-23 12:00:00 INFO app/x.rb:3: found 'it'\n",
        "GET /x.php:3\n",
        "Next page\n",
    ];
    assert_eq!(texts(&lines.concat()), lines);
}

#[test]
fn own_patterns_replace_the_built_in_rules() {
    let joined = |start: Option<&str>, continuation: Option<&str>, enabled, text: &str| {
        let raw = RawJoining { enabled, start: start.map(Into::into), continuation: continuation.map(Into::into) };
        let mut sink = Records::default();
        assemble_by(&Joining::new(&raw).unwrap(), text.as_bytes(), Before::Nothing, Tail::All, LIMITS, &mut sink);
        sink.records.into_iter().map(|(length, _)| length).collect::<Vec<_>>()
    };
    assert_eq!(joined(Some("^[0-9]"), None, None, "1 a\nb\n\nc\n2 d\n"), [9, 4]);
    assert_eq!(joined(None, Some("^[|]"), None, "a\n|b\n c\n"), [5, 3]);
    assert_eq!(joined(Some("^[0-9]"), Some("^[|]"), None, "1\n|b\nc\n"), [5, 2]);
    assert_eq!(joined(None, None, Some(false), "a\n b\n"), [2, 3]);
    assert_eq!(joined(None, None, None, "a\n b\n"), [5]);
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => Just("line".to_owned()),
        3 => Just("\n".to_owned()),
        1 => Just("\r\n".to_owned()),
        1 => Just(" at x\n".to_owned()),
        1 => Just("{\"a\":1}\n".to_owned()),
        1 => Just("Traceback (most recent call last):\n".to_owned()),
        1 => Just("ValueError: x\n".to_owned()),
        1 => Just("\nDuring handling of the above exception, another exception occurred:\n\n".to_owned()),
        1 => Just("Caused by: y\n".to_owned()),
        3 => proptest::sample::select(TRACES.join("\0").replace('\n', "\n\0").split('\0').map(str::to_owned).collect::<Vec<_>>()),
        1 => "[a-z ]{0,60}",
    ];
    proptest::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat().into_bytes())
}

fn tails() -> impl Strategy<Value = Tail> {
    prop_oneof![Just(Tail::Hold), Just(Tail::Lines), Just(Tail::All)]
}

proptest! {
    #[test]
    fn records_tile_the_bytes(text in text(), tail in tails(), bytes_max in 1usize..200, lines_max in 1usize..10) {
        let limits = Limits { record_bytes_max: bytes_max, record_lines_max: lines_max };
        let mut sink = Records::default();
        let consumed = assemble(&text, Before::Nothing, tail, limits, &mut sink);
        prop_assert_eq!(sink.records.iter().map(|(length, _)| length).sum::<usize>(), consumed);
        prop_assert!(sink.records.iter().all(|(length, _)| *length > 0 && *length <= bytes_max.max(1)));
        prop_assert!(consumed <= text.len());
        if tail == Tail::All {
            prop_assert_eq!(consumed, text.len());
        }
        // What is left is at most one record, or a line without its end.
        if tail == Tail::Lines {
            prop_assert!(!text[consumed..].contains(&b'\n') || text.len() - consumed > bytes_max);
        }
    }

    /// However the file grows and whatever is held back: every byte is in one record.
    #[test]
    fn records_tile_a_growing_file(text in text(), cuts in proptest::collection::vec((0usize..400, tails()), 0..12), bytes_max in 1usize..200) {
        let limits = Limits { record_bytes_max: bytes_max, record_lines_max: 5 };
        let mut sizes: Vec<(usize, Tail)> = cuts.into_iter().map(|(size, tail)| (size.min(text.len()), tail)).collect();
        sizes.sort_by_key(|(size, _)| *size);
        sizes.push((text.len(), Tail::All));
        let mut sink = Records::default();
        let mut position = 0;
        for (size, tail) in sizes {
            let before = if position == 0 { Before::Nothing } else if text[position - 1] == b'\n' { Before::Text } else { Before::OpenLine };
            position += assemble(&text[position..size], before, tail, limits, &mut sink);
        }
        prop_assert_eq!(position, text.len());
        prop_assert_eq!(sink.records.iter().map(|(length, _)| length).sum::<usize>(), text.len());
    }
}
