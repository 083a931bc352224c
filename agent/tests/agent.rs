//! The real program against an aggregator in memory: rotation, truncation, restarts, lost state, lost sessions, credits.

mod by_line;
mod fake;
mod house;

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use clew_agent::record::flag;
use house::{House, append, append_text, bytes, line, lines};

#[test]
fn lines_arrive_with_time_severity_and_ids() {
    let mut house = House::new();
    append(&house.path("a.log"), 0..1000);
    append_text(
        &house.path("b.log"),
        "2026-11-23 12:00:00,000 ERROR failed request_id=req-1\nTraceback (most recent call last):\n  File \"x\"\nValueError: bad\n\r\n",
    );
    house.start();
    house.wait_lines(1005);
    let records = house.fake.state().records("app");
    let json = records.iter().find(|record| record.ids == [format!("{:032x}", 8)]).unwrap();
    assert_eq!((json.time_ns, json.severity, json.flags), (1_795_435_200_000_007_000, 3, 0));
    let text = records.iter().find(|record| record.ids == ["req-1"]).unwrap();
    assert_eq!((text.severity, text.flags), (6, flag::JOINED));
    assert!(text.line.ends_with(b"ValueError: bad\n"));
    assert!(records.iter().any(|record| record.line == b"\r\n" && record.flags == flag::TIME_INHERITED));
    // New files and new lines, soon after they are written.
    let began = Instant::now();
    append(&house.path("c.log"), 0..1);
    house.wait_lines(1006);
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    house.fake.wait_for("a watermark", |state| state.watermark_ns > 0);
    assert_eq!(house.stop(), Some(0));
}

#[test]
fn an_agent_whose_files_end_with_it_says_so_when_all_is_delivered() {
    let mut house = House::new();
    append(&house.path("a.log"), 0..10);
    house.start();
    house.wait_lines(10);
    assert_eq!(house.stop(), Some(0));
    assert!(!house.fake.state().has_left, "it may be back");
    "ephemeral = true".clone_into(&mut house.extra);
    house.start();
    append(&house.path("a.log"), 10..20);
    house.wait_lines(20);
    assert_eq!(house.stop(), Some(0));
    assert!(house.fake.state().has_left);
}

#[test]
fn a_renamed_file_is_read_to_its_end() {
    let mut house = House::new();
    let mut number = 0;
    house.start();
    for round in 0..20 {
        append(&house.path("a.log"), number..number + 500);
        number += 500;
        // The writer still holds the renamed file and goes on for a while.
        let mut held = OpenOptions::new().append(true).open(house.path("a.log")).unwrap();
        for rotation in (1..8).rev() {
            let _ =
                fs::rename(house.path(&format!("a.log.{rotation}")), house.path(&format!("a.log.{}", rotation + 1)));
        }
        fs::rename(house.path("a.log"), house.path("a.log.1")).unwrap();
        writeln!(held, "{}", line(number)).unwrap();
        number += 1;
        if round % 5 == 4 {
            house.wait_lines(number);
        }
    }
    house.wait_lines(number);
    assert_eq!(house.stop(), Some(0));
    house.assert_lines(lines(0..number));
    assert_eq!(house.fake.state().bytes_again, 0);
}

#[test]
fn rotated_several_times_while_down() {
    let mut house = House::new();
    append(&house.path("a.log"), 0..100);
    house.start();
    house.wait_lines(100);
    house.fake.state().hold_acks = true;
    append(&house.path("a.log"), 100..150);
    house.wait_lines(150);
    house.kill();
    house.fake.state().hold_acks = false;
    append(&house.path("a.log"), 150..200);
    fs::rename(house.path("a.log"), house.path("a.log.1")).unwrap();
    append(&house.path("a.log"), 200..300);
    fs::rename(house.path("a.log.1"), house.path("a.log.2")).unwrap();
    fs::rename(house.path("a.log"), house.path("a.log.1")).unwrap();
    append(&house.path("a.log"), 300..400);
    house.start();
    house.wait_lines(400);
    assert_eq!(house.stop(), Some(0));
    house.assert_lines(lines(0..400));
    assert_eq!(house.fake.state().sources.len(), 3);
}

#[test]
fn a_lost_or_corrupt_state_folder_costs_nothing() {
    let mut house = House::new();
    append(&house.path("a.log"), 0..100);
    append(&house.path("b.log"), 1000..1001);
    house.start();
    house.wait_lines(101);
    assert_eq!(house.stop(), Some(0));
    fs::remove_dir_all(house.folder.path().join("state")).unwrap();
    append(&house.path("a.log"), 100..200);
    house.start();
    house.wait_lines(201);
    house.kill();
    for name in ["checkpoint", "checkpoint.prev"] {
        let path = house.folder.path().join("state").join(name);
        if path.exists() {
            fs::write(path, b"rubbish").unwrap();
        }
    }
    append(&house.path("a.log"), 200..300);
    house.start();
    house.wait_lines(301);
    assert_eq!(house.stop(), Some(0));
    let mut expected = lines(0..300);
    expected.push(line(1000));
    house.assert_lines(expected);
    assert_eq!(house.fake.state().sources.len(), 2);
    assert_eq!(house.fake.state().bytes_again, 0);
}

#[test]
fn an_aggregator_that_lost_everything_goes_on_where_the_agent_says() {
    let mut house = House::new();
    append(&house.path("a.log"), 0..100);
    house.start();
    house.wait_lines(100);
    assert_eq!(house.stop(), Some(0));
    house.fake.state().sources.clear();
    append(&house.path("a.log"), 100..150);
    house.start();
    house.wait_lines(50);
    assert_eq!(house.stop(), Some(0));
    house.assert_lines(lines(100..150));
}

#[test]
fn an_aggregator_that_was_restored_gets_again_what_the_files_still_have_and_no_promise_before() {
    let mut house = House::new();
    append(&house.path("a.log"), 0..100);
    house.start();
    house.wait_lines(100);
    let backup = house.fake.state().sources.clone();
    append(&house.path("a.log"), 100..150);
    append(&house.path("b.log"), 150..200);
    house.wait_lines(200);
    house.fake.wait_for("a watermark", |state| state.watermark_ns > 0);
    house.fake.pause();
    {
        let mut state = house.fake.state();
        (state.sources, state.restored, state.hold_acks, state.watermark_ns) = (backup, true, true, 0);
    }
    house.fake.resume();
    // One file is known up to where it was, the other one is not known at all.
    house.wait_lines(200);
    assert_eq!(house.fake.state().watermark_ns, 0, "what was promised to the one before is not held by this one");
    house.fake.state().hold_acks = false;
    append(&house.path("a.log"), 200..201);
    append(&house.path("b.log"), 201..202);
    house.fake.wait_for("a watermark", |state| state.watermark_ns > 0);
    assert_eq!(house.stop(), Some(0));
    house.assert_lines(lines(0..202));
}

#[test]
fn a_truncated_file_begins_anew_and_what_was_not_read_is_a_gap() {
    let mut house = House::new();
    house.extra = format!("metrics_listen = \"{}\"", house.metrics);
    let path = house.path("a.log");
    append(&path, 0..100);
    house.start();
    house.wait_lines(100);
    // Everything was read: no gap.
    File::create(&path).unwrap();
    append(&path, 100..110);
    house.wait_lines(110);
    // Overwritten up to beyond the position: only the guard tells.
    append(&path, 110..120);
    house.wait_lines(120);
    fs::write(&path, "").unwrap();
    append(&path, 120..220);
    house.wait_lines(220);
    assert!(house.fake.state().sources.values().all(|source| source.gaps.is_empty()));
    house.assert_lines(lines(0..220));
    // Nothing can be shipped while it grows and is cut off: a gap.
    house.wait_metric("clew_agent_unread_bytes", 0);
    house.fake.pause();
    append(&path, 220..5220);
    let lost = bytes(220..5220);
    house.wait_metric("clew_agent_unread_bytes", lost);
    File::create(&path).unwrap();
    append(&path, 6000..6010);
    house.wait_metric("clew_agent_unread_bytes", lost + bytes(6000..6010));
    house.fake.resume();
    house.fake.wait_for("the gap", |state| state.sources.values().any(|source| !source.gaps.is_empty()));
    house.wait_lines(230);
    assert_eq!(house.stop(), Some(0));
    let mut expected = lines(0..220);
    expected.extend(lines(6000..6010));
    house.assert_lines(expected);
    let gap: u64 =
        house.fake.state().sources.values().flat_map(|source| &source.gaps).map(|(begin, end)| end - begin).sum();
    assert_eq!(gap, lost);
}

#[test]
fn a_hole_is_no_record_however_large_it_is() {
    let mut house = House::new();
    append(&house.path("a.log"), 0..10);
    // What a writer without O_APPEND leaves in front of its position when its file is truncated: more than one read.
    append_text(&house.path("a.log"), &"\0".repeat(3_000_000));
    append(&house.path("a.log"), 10..20);
    house.start();
    house.wait_lines(20);
    assert_eq!(house.stop(), Some(0));
    house.assert_lines(lines(0..20));
    assert!(house.fake.state().records("app").iter().all(|record| record.flags == 0), "none continues another");
}

#[test]
fn a_copy_of_what_was_shipped_is_not_shipped_again() {
    let mut house = House::new();
    house.extra = format!("metrics_listen = \"{}\"", house.metrics);
    let path = house.path("a.log");
    append(&path, 0..100);
    house.start();
    house.wait_lines(100);
    // logrotate's copytruncate: the copy is another file with the same bytes.
    fs::copy(&path, house.path("a.log.1")).unwrap();
    File::create(&path).unwrap();
    append(&path, 100..110);
    house.wait_lines(110);
    house.wait_metric("clew_agent_copies_total", 1);
    // A copy that was made and nothing truncated.
    fs::copy(&path, house.path("a.log.bak")).unwrap();
    house.wait_metric("clew_agent_copies_total", 2);
    // A rotated file that is no copy is read from its beginning.
    append(&house.path("a.log.2"), 200..210);
    house.wait_lines(120);
    assert_eq!(house.stop(), Some(0));
    house.start();
    append(&path, 110..120);
    house.wait_lines(130);
    assert_eq!(house.stop(), Some(0));
    let mut expected = lines(0..120);
    expected.extend(lines(200..210));
    house.assert_lines(expected);
    assert!(house.fake.state().sources.values().all(|source| source.gaps.is_empty()), "copies leave no gap");
}

#[test]
fn what_was_not_read_when_it_was_compressed_is_read_from_the_compressed_file() {
    let mut house = House::new();
    house.extra = format!("metrics_listen = \"{}\"", house.metrics);
    let path = house.path("a.log");
    append(&path, 0..100);
    house.start();
    house.wait_lines(100);
    house.kill();
    // Down: more lines, rotation, compression. Nothing but the compressed file is left of them.
    append(&path, 100..5000);
    compress(&path, &house.path("a.log.1.gz"));
    append(&path, 5000..5010);
    house.start();
    house.wait_lines(5010);
    // Up, and read to the end: what is compressed then is known.
    let whole = house.path("a.log.3.zst");
    fs::write(&whole, zstd::encode_all(&fs::read(&path).unwrap()[..], 1).unwrap()).unwrap();
    house.wait_metric("clew_agent_copies_total", 2);
    house.kill();
    // Whatever is remembered or not, nothing of it is read twice.
    fs::remove_dir_all(house.path("../state")).unwrap();
    append(&path, 5010..5020);
    house.start();
    house.wait_lines(5020);
    assert_eq!(house.stop(), Some(0));
    house.assert_lines(lines(0..5020));
    assert!(house.fake.state().sources.values().all(|source| source.gaps.is_empty()), "nothing was lost");
}

/// After a crash the checkpoint is older than what the aggregator holds, and the bytes are in another file.
#[test]
fn a_copy_is_known_although_the_checkpoint_is_behind() {
    type Rotate = fn(&House, &Path);
    let copy_and_truncate: Rotate = |house, path| {
        append(path, 3..20);
        fs::copy(path, house.path("a.log.1")).unwrap();
        File::create(path).unwrap();
    };
    let rename_and_compress: Rotate = |house, path| {
        append(path, 3..20);
        compress(path, &house.path("a.log.1.gz"));
    };
    for (name, rotate) in [("copied", copy_and_truncate), ("compressed", rename_and_compress)] {
        for seen in [0, 1] {
            let mut house = House::new();
            let path = house.path("a.log");
            File::create(&path).unwrap();
            if seen > 0 {
                append(&path, 0..seen);
            }
            house.start();
            house.wait_lines(seen);
            let checkpoint = house.checkpoint_that_names("a.log");
            append(&path, seen..3);
            house.wait_lines(3);
            house.kill();
            house.restore(&checkpoint);
            rotate(&house, &path);
            append(&path, 100..110);
            house.start();
            house.wait_lines(30);
            assert_eq!(house.stop(), Some(0));
            let expected = lines(0..20).into_iter().chain(lines(100..110)).collect();
            println!("{name}, {seen} lines before the checkpoint");
            house.assert_lines(expected);
        }
    }
}

/// The file was empty when it was remembered, and is another one now; before anybody can say what was shipped of it, it is cut off again.
#[test]
fn what_was_empty_when_it_was_remembered_is_not_taken_for_what_stands_there_now() {
    let mut house = House::new();
    let path = house.path("a.log");
    File::create(&path).unwrap();
    house.start();
    let checkpoint = house.checkpoint_that_names("a.log");
    append(&path, 0..10);
    house.wait_lines(10);
    house.kill();
    house.restore(&checkpoint);
    append(&path, 10..13);
    fs::copy(&path, house.path("a.log.1")).unwrap();
    File::create(&path).unwrap();
    append(&path, 100..130);
    house.fake.pause();
    house.start();
    house.checkpoint_that_names("a.log.1");
    compress(&house.path("a.log.1"), &house.path("a.log.2.gz"));
    fs::copy(&path, house.path("a.log.1")).unwrap();
    File::create(&path).unwrap();
    append(&path, 200..203);
    std::thread::sleep(Duration::from_secs(1));
    house.fake.resume();
    house.wait_lines(46);
    assert_eq!(house.stop(), Some(0));
    house.assert_lines(lines(0..13).into_iter().chain(lines(100..130)).chain(lines(200..203)).collect());
}

/// Both begin with the same few bytes, and no more of the first was delivered.
#[test]
fn what_begins_alike_is_not_taken_for_what_is_remembered_to_go_on_otherwise() {
    let mut house = House::new();
    let path = house.path("a.log");
    append_text(&path, "head\n");
    house.start();
    house.wait_lines(1);
    house.fake.pause();
    let before = house.checkpoint_that_names("a.log");
    append(&path, 0..20);
    house.wait_checkpoint(|checkpoint| checkpoint != before);
    house.kill();
    File::create(&path).unwrap();
    append_text(&path, "head\n");
    append(&path, 100..110);
    house.fake.resume();
    house.start();
    house.wait_lines(12);
    append(&path, 110..111);
    house.wait_lines(13);
    assert_eq!(house.stop(), Some(0));
    house.assert_lines(["head", "head"].map(String::from).into_iter().chain(lines(100..111)).collect());
}

/// A copy was made, then the file went on; now the copy alone is left.
#[test]
fn a_copy_that_is_shorter_than_what_was_shipped_is_not_shipped_again() {
    let mut house = House::new();
    let path = house.path("a.log");
    append(&path, 0..10);
    house.start();
    house.wait_lines(10);
    assert_eq!(house.stop(), Some(0));
    let checkpoint = house.checkpoint_that_names("a.log");
    append(&path, 10..15);
    fs::copy(&path, house.path("copy")).unwrap();
    append(&path, 15..20);
    house.start();
    house.wait_lines(20);
    house.kill();
    house.restore(&checkpoint);
    fs::rename(house.path("copy"), house.path("a.log.1")).unwrap();
    File::create(&path).unwrap();
    append(&path, 100..110);
    house.start();
    house.wait_lines(30);
    let shipped = bytes(0..20);
    house.fake.wait_for("the gap", |state| state.sources.values().any(|source| source.gaps == [(shipped, shipped)]));
    assert_eq!(house.stop(), Some(0));
    house.assert_lines(lines(0..20).into_iter().chain(lines(100..110)).collect());
}

/// What cannot be had of a compressed file is a gap, also when that is all of it.
#[test]
fn a_compressed_file_of_which_nothing_can_be_read_is_a_gap() {
    let house = House::new();
    append(&house.path("a.log"), 0..3);
    fs::write(house.path("a.log.1.gz"), "not compressed at all").unwrap();
    house.config();
    let (code, _, errors) = house.run(&["run", "--once", "--timeout", "20s"]);
    assert_eq!(code, Some(0), "{errors}");
    let state = house.fake.state();
    assert_eq!(state.count("app"), 3);
    let gaps: Vec<_> = state.sources.values().filter(|source| !source.gaps.is_empty()).collect();
    assert!(gaps.len() == 1 && gaps[0].path.ends_with("a.log.1.gz"), "one gap, of the compressed file");
}

/// The aggregator holds more than it could acknowledge before it went. Meanwhile files are copied and written anew, to more than they held: only
/// the aggregator's answer shows that they are others, and until then the copies must wait, however long that was.
#[test]
fn copies_that_were_made_while_the_aggregator_was_away_wait_for_what_it_holds() {
    const FILES: usize = 8;
    let mut house = House::new();
    house.extra = format!("metrics_listen = \"{}\"", house.metrics);
    let path = |house: &House, file: usize| house.path(&format!("{file}.log"));
    let append_each = |house: &House, numbers: std::ops::Range<usize>| {
        (0..FILES).for_each(|file| append(&path(house, file), file * 1000 + numbers.start..file * 1000 + numbers.end));
    };
    append_each(&house, 0..10);
    house.start();
    house.wait_lines(FILES * 10);
    house.wait_metric("clew_agent_unread_bytes", 0);
    house.fake.state().hold_acks = true;
    append_each(&house, 10..20);
    house.wait_lines(FILES * 20);
    house.fake.pause();
    house.fake.state().hold_acks = false;
    for file in 0..FILES {
        fs::copy(path(&house, file), house.path(&format!("{file}.log.1"))).unwrap();
        // Never shorter than it was.
        let anew = lines(file * 1000 + 100..file * 1000 + 160).join("\n") + "\n";
        OpenOptions::new().write(true).open(path(&house, file)).unwrap().write_all(anew.as_bytes()).unwrap();
    }
    house.wait_metric("clew_agent_sources", 2 * FILES as u64);
    // Longer than a copy waits for anything but an answer.
    std::thread::sleep(Duration::from_secs(11));
    house.fake.resume();
    house.wait_lines(FILES * 80);
    assert_eq!(house.stop(), Some(0));
    let numbers = (0..FILES).flat_map(|file| (0..20).chain(100..160).map(move |number| file * 1000 + number));
    house.assert_lines(numbers.map(line).collect());
}

/// Nobody can write to it any more: that it is gone says nothing. As long as somebody holds it open, it may have gone on.
#[test]
fn a_delivered_file_that_was_compressed_is_no_gap_when_nobody_writes_to_it() {
    let mut house = House::new();
    house.extra = format!("metrics_listen = \"{}\"", house.metrics);
    for (name, numbers) in [("a.log", 0..100), ("b.log", 100..200)] {
        append(&house.path(&format!("{name}.1")), numbers.clone());
        append(&house.path(name), 500 + numbers.start..510 + numbers.start);
    }
    let writer = OpenOptions::new().append(true).open(house.path("b.log.1")).unwrap();
    house.start();
    house.wait_lines(220);
    for name in ["a.log", "b.log"] {
        compress(&house.path(&format!("{name}.1")), &house.path(&format!("{name}.2.gz")));
    }
    house.wait_metric("clew_agent_copies_total", 2);
    assert_eq!(house.stop(), Some(0));
    drop(writer);
    house.start();
    let has_gap = |state: &fake::State, name: &str| {
        state.sources.values().any(|source| source.path.ends_with(name) && !source.gaps.is_empty())
    };
    house.fake.wait_for("the gap of the file that was held open", |state| has_gap(state, "b.log.1"));
    assert_eq!(house.stop(), Some(0));
    assert!(!has_gap(&house.fake.state(), "a.log.1"));
    house.assert_lines([0..200, 500..510, 600..610].into_iter().flatten().map(line).collect());
}

/// As many bytes and the same beginning do not make it the same file.
#[test]
fn a_compressed_file_that_merely_begins_alike_is_a_gap_of_its_own() {
    let mut house = House::new();
    let header = format!("# {}\n", "=".repeat(1100));
    append_text(&house.path("a.log.1"), &header);
    append(&house.path("a.log.1"), 10..20);
    append(&house.path("a.log"), 0..5);
    house.start();
    house.wait_lines(16);
    house.checkpoint_that_names("a.log.1");
    house.fake.pause();
    append_text(&house.path("other"), &header);
    append(&house.path("other"), 20..30);
    let size = fs::metadata(house.path("other")).unwrap().len();
    compress(&house.path("other"), &house.path("a.log.2.gz"));
    house.wait_checkpoint(|bytes| {
        let checkpoint = clew_agent::checkpoint::decode(bytes).unwrap_or_default();
        checkpoint.sources.iter().any(|source| source.path.ends_with("a.log.2.gz") && source.size == size)
    });
    house.kill();
    fs::remove_file(house.path("a.log.2.gz")).unwrap();
    house.fake.resume();
    house.start();
    house.fake.wait_for("the gap", |state| {
        state.sources.values().any(|source| source.path.ends_with("a.log.2.gz") && source.gaps == [(0, size)])
    });
    assert_eq!(house.stop(), Some(0));
}

/// As in Kubernetes when agent and aggregator are replaced: a file was delivered, then compressed while nobody could be asked about it, and
/// went with its pod while no agent ran.
#[test]
fn what_a_file_and_its_compressed_copy_held_is_no_gap_twice() {
    let mut house = House::new();
    append(&house.path("a.log"), 0..100);
    house.start();
    house.wait_lines(100);
    fs::rename(house.path("a.log"), house.path("a.log.1")).unwrap();
    append(&house.path("a.log"), 100..110);
    house.wait_lines(110);
    house.checkpoint_that_names("a.log.1");
    house.fake.pause();
    compress(&house.path("a.log.1"), &house.path("a.log.2.gz"));
    house.checkpoint_that_names("a.log.2.gz");
    house.kill();
    fs::remove_file(house.path("a.log.2.gz")).unwrap();
    fs::remove_file(house.path("a.log")).unwrap();
    house.fake.resume();
    house.start();
    house.fake.wait_for("the gap", |state| {
        state.sources.values().any(|source| source.path.ends_with("a.log") && !source.gaps.is_empty())
    });
    assert_eq!(house.stop(), Some(0));
    let lost = |source: &fake::Stored| source.gaps.iter().map(|(begin, end)| end - begin).sum::<u64>();
    assert_eq!(house.fake.state().sources.values().map(lost).sum::<u64>(), 0, "all of it had been delivered");
    house.assert_lines(lines(0..110));
}

/// As logrotate does it: the compressed file appears under a temporary name, then the other one goes.
fn compress(from: &std::path::Path, to: &std::path::Path) {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, &fs::read(from).unwrap()).unwrap();
    let temporary = to.with_extension("gz.tmp");
    fs::write(&temporary, gzip.finish().unwrap()).unwrap();
    fs::rename(&temporary, to).unwrap();
    fs::remove_file(from).unwrap();
}

#[test]
fn a_file_that_vanished_while_the_agent_was_down_leaves_a_gap() {
    let mut house = House::new();
    let path = house.path("a.log");
    append(&path, 0..100);
    house.start();
    house.wait_lines(100);
    house.kill();
    append(&path, 100..200);
    fs::remove_file(&path).unwrap();
    append(&path, 300..310);
    house.start();
    house.wait_lines(110);
    let read = bytes(0..100);
    house.fake.wait_for("the gap", |state| state.sources.values().any(|source| source.gaps == [(read, read)]));
    assert_eq!(house.stop(), Some(0));
    // It is told once, although it has no bytes, and then it is forgotten.
    let (code, _, error) = house.run(&["run", "--once", "--timeout", "20s"]);
    assert_eq!(code, Some(0), "{error}");
    assert!(!error.contains("declared as a gap"), "{error}");
    assert_eq!(house.fake.state().sources.values().map(|source| source.gaps.len()).sum::<usize>(), 1);
}

#[test]
fn containers_rules_and_labels() {
    let mut house = House::with_source("redact = [{ builtin = 'card' }]\ndrop = [{ below = 'info' }]\n");
    let path = house.path("a.log");
    let stamp = "2026-11-23T12:00:00.5Z";
    append_text(
        &path,
        &format!(
            "{stamp} stdout F INFO paid with 4111 1111 1111 1111\n{stamp} stdout P {{\"level\":\"info\",\"msg\":\"lo\n\
             {stamp} stderr F WARN trouble\nnot framed\n{stamp} stdout F ng\"}}\n{stamp} stdout F DEBUG not this one\n\
             {stamp} stdout F INFO last\n"
        ),
    );
    house.start();
    house.fake.wait_for("five records", |state| state.records("app").len() == 5);
    assert_eq!(house.stop(), Some(0));
    let lines: Vec<String> = house
        .fake
        .state()
        .records("app")
        .iter()
        .map(|record| String::from_utf8_lossy(&record.line).into_owned())
        .collect();
    assert_eq!(
        lines,
        [
            "INFO paid with [redacted:card]\n",
            "{\"level\":\"info\",\"msg\":\"long\"}\n",
            "WARN trouble\n",
            "not framed\n",
            "INFO last\n"
        ]
    );
}

#[test]
fn an_unterminated_line_is_shipped_when_idle_and_continued() {
    let mut house = House::new();
    let path = house.path("a.log");
    house.start();
    append_text(&path, "2026-11-23T12:00:00Z INFO first half");
    house.fake.wait_for("the first half", |state| !state.records("app").is_empty());
    append_text(&path, ", second half\nnext line\n");
    house.wait_lines(2);
    assert_eq!(house.stop(), Some(0));
    let records = house.fake.state().records("app");
    let seen: Vec<_> =
        records.iter().map(|record| (String::from_utf8_lossy(&record.line).into_owned(), record.flags)).collect();
    assert_eq!(
        seen,
        [
            ("2026-11-23T12:00:00Z INFO first half".to_owned(), flag::UNTERMINATED),
            (", second half\n".to_owned(), flag::CONTINUES | flag::TIME_INHERITED),
            ("next line\n".to_owned(), flag::TIME_INHERITED),
        ]
    );
}

#[test]
fn long_lines_are_cut_and_marked() {
    let mut house = House::new();
    house.limits = "record_bytes_max = \"1KiB\"\nbatch_bytes_max = \"4KiB\"".into();
    let long = "x".repeat(10_000);
    append_text(&house.path("a.log"), &format!("{long}\nshort\n"));
    house.start();
    house.wait_lines(2);
    assert_eq!(house.stop(), Some(0));
    let records = house.fake.state().records("app");
    assert_eq!(records.len(), 11);
    assert!(records[0].flags & flag::CUT != 0 && records[0].flags & flag::CONTINUES == 0);
    assert!(records[1..9].iter().all(|record| record.flags & flag::CUT != 0 && record.flags & flag::CONTINUES != 0));
    assert!(records[9].flags & (flag::CUT | flag::CONTINUES) == flag::CONTINUES);
    house.assert_lines(vec![long, "short".into()]);
}

#[test]
fn a_secret_that_a_cut_goes_through_does_not_leave_the_host() {
    let mut house = House::with_source("redact = [{ pattern = 'secret-[0-9]{40}' }]\n");
    house.limits = "record_bytes_max = \"16KiB\"".into();
    let secret = format!("secret-{}", "4".repeat(40));
    let line = format!("{}{secret}{}{secret}", "x".repeat((16 << 10) - 20), "y".repeat(12 << 10));
    append_text(&house.path("a.log"), &format!("{line}\nshort {secret}\n"));
    house.start();
    house.fake.wait_for("three records", |state| state.records("app").len() == 3);
    assert_eq!(house.stop(), Some(0));
    let records = house.fake.state().records("app");
    let texts: Vec<String> = records.iter().map(|record| String::from_utf8_lossy(&record.line).into_owned()).collect();
    assert!(texts.iter().all(|text| !text.contains("44") && !text.contains("secret")), "{texts:?}");
    assert!(texts[0].starts_with("xxxx") && texts[0].ends_with("[withheld: cut here]"));
    assert!(texts[1].starts_with("[withheld: cut here]yyyy") && texts[1].ends_with("[redacted]\n"), "{}", texts[1]);
    assert_eq!(texts[2], "short [redacted]\n");
}

#[test]
fn lost_sessions_lose_and_double_nothing() {
    let mut house = House::new();
    house.limits = "batch_bytes_max = \"4KiB\"".into();
    house.fake.state().batches_per_session = Some(7);
    for file in 0..4 {
        append(&house.path(&format!("{file}.log")), file * 1000..file * 1000 + 300);
    }
    house.start();
    house.fake.wait_while("all lines", Duration::from_secs(60), |state| state.count("app") >= 1200);
    house.fake.state().batches_per_session = None;
    house.fake.pause();
    append(&house.path("0.log"), 5000..5100);
    house.fake.resume();
    house.wait_lines(1300);
    assert_eq!(house.stop(), Some(0));
    let mut expected: Vec<String> = (0..4).flat_map(|file| lines(file * 1000..file * 1000 + 300)).collect();
    expected.extend(lines(5000..5100));
    house.assert_lines(expected);
    // The aggregator had everything that it had taken; none of it came again.
    assert_eq!(house.fake.state().bytes_again, 0);
}

#[test]
fn refused_batches_are_sent_again_from_the_frontier() {
    let mut house = House::new();
    house.limits = "batch_bytes_max = \"4KiB\"".into();
    append(&house.path("a.log"), 0..300);
    house.fake.state().lose_batches = 2;
    house.start();
    house.wait_lines(300);
    house.fake.state().lose_batches = 1;
    append(&house.path("a.log"), 300..600);
    house.wait_lines(600);
    assert_eq!(house.stop(), Some(0));
    house.assert_lines(lines(0..600));
}

#[test]
fn credit_is_never_exceeded_and_always_comes_back() {
    let mut house = House::new();
    house.fake.state().credit_bytes = 10_000;
    for file in 0..3 {
        append(&house.path(&format!("{file}.log")), file * 1000..file * 1000 + 400);
    }
    house.fake.state().hold_acks = true;
    house.start();
    house.fake.wait_for("credit used up", |state| state.count("app") > 0 && state.in_flight_max > 5_000);
    house.fake.state().hold_acks = false;
    house.wait_lines(1200);
    assert_eq!(house.stop(), Some(0));
    assert!(house.fake.state().in_flight_max <= 10_000);
}

#[test]
fn killed_again_and_again_while_files_rotate() {
    let mut house = House::new();
    house.limits = "batch_bytes_max = \"8KiB\"".into();
    let mut number = 0;
    for round in 0..12 {
        house.start();
        append(&house.path("a.log"), number..number + 400);
        number += 400;
        if round % 2 == 0 {
            house.fake.wait_for("some of it", |state| state.count("app") + 300 > number);
        }
        for rotation in (1..20).rev() {
            let _ =
                fs::rename(house.path(&format!("a.log.{rotation}")), house.path(&format!("a.log.{}", rotation + 1)));
        }
        fs::rename(house.path("a.log"), house.path("a.log.1")).unwrap();
        house.kill();
        if round % 3 == 2 {
            fs::remove_dir_all(house.folder.path().join("state")).unwrap();
        }
    }
    house.start();
    house.wait_lines(number);
    assert_eq!(house.stop(), Some(0));
    house.assert_lines(lines(0..number));
}

#[test]
fn the_end_ships_what_is_there() {
    let mut house = House::new();
    house.limits = "linger = \"10s\"".into();
    house.start();
    append(&house.path("a.log"), 0..1);
    house.fake.wait_for("a session", |state| state.sessions > 0);
    append_text(&house.path("b.log"), "text\n trace\nno end");
    append(&house.path("a.log"), 1..2000);
    assert_eq!(house.stop(), Some(0));
    assert_eq!(house.fake.state().lines("app").len(), 2000 + 3);
}

#[test]
fn a_fenced_agent_stays_alive_and_ships_nothing() {
    let mut house = House::new();
    house.fake.state().fence = true;
    house.limits = "drain_timeout = \"200ms\"".into();
    append(&house.path("a.log"), 0..10);
    house.start();
    house.fake.wait_for("a session", |state| state.sessions > 0);
    assert_eq!(house.stop(), Some(0));
    assert_eq!(house.fake.state().batches, 0);
}

#[test]
fn bad_configs_and_folders_have_their_exit_codes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.toml");
    let run = |arguments: &[&str], config: &str| {
        fs::write(&path, config).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_clew-agent")).args(arguments).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let config = path.to_str().unwrap().to_owned();
    let source = "[[source]]\nservice='a'\ninclude=['/nowhere/*.log']\n";
    let (code, told) = run(&["run", "--config", &config], "agregator='x'");
    assert_eq!((code, told.lines().count()), (78, 1));
    assert!(told.contains("did you mean `aggregator`?"), "{told}");
    assert_eq!(run(&["run", "--config", &config], &format!("state_dir='/dev/null/x'\n{source}")).0, 78);
    assert_eq!(run(&["run"], "").0, 64);
    assert_eq!(run(&["--help"], "").0, 0);
    assert_eq!(run(&["--version"], "").0, 0);
    let state = folder.path().join("state");
    // An aggregator that is away is no fault of the configuration.
    let config_text = format!("aggregator='http://127.0.0.1:1'\nstate_dir='{}'\n{source}", state.display());
    assert_eq!(run(&["check", "--offline", "--config", &config], &config_text).0, 0);
    assert_eq!(run(&["check", "--config", &config], &config_text).0, 1);
    // Two agents, one state folder.
    let held = clew_agent::checkpoint::StateDir::open(&state).unwrap();
    let (code, told) = run(&["run", "--config", &config], &format!("state_dir='{}'\n{source}", state.display()));
    assert_eq!(code, 1);
    assert!(told.contains("in use by another clew-agent"), "{told}");
    drop(held);
}
