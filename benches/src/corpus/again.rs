//! The corpus' JSON lines once more: in every pass they belong to other transactions, and perhaps to another day. No length changes.

use jiff::civil::Date;

use super::transaction::DATE;

const ID_KEY: &[u8] = b"\"trace_id\":\"";
const TIME_KEY: &[u8] = b"\"time\":\"";

/// Gives the line's transaction another ID in every pass.
pub fn renumber(line: &mut [u8], pass: u32) {
    overwrite(line, ID_KEY, &format!("{pass:08x}"));
}

/// What [`renumber`] makes of an ID.
pub fn renumbered(id: &str, pass: u32) -> String {
    format!("{pass:08x}{}", &id[8..])
}

/// The day of a pass: one after the other.
pub fn date(pass: u32) -> String {
    let first: Date = DATE.parse().expect("it is a date");
    first.saturating_add(jiff::Span::new().days(i64::from(pass))).to_string()
}

/// Moves the line to another day.
pub fn move_to(line: &mut [u8], date: &str) {
    overwrite(line, TIME_KEY, date);
}

fn overwrite(line: &mut [u8], key: &[u8], text: &str) {
    let Some(at) = line.windows(key.len()).position(|window| window == key) else { return };
    line[at + key.len()..][..text.len()].copy_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_another_pass() {
        let mut line = *br#"{"time":"2026-11-20T08:00:00.1Z","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736"}"#;
        renumber(&mut line, 17);
        move_to(&mut line, &date(17));
        let expected = br#"{"time":"2026-12-07T08:00:00.1Z","trace_id":"0000001177b34da6a3ce929d0e0e4736"}"#;
        assert_eq!(&line, expected);
        assert_eq!(renumbered("4bf92f3577b34da6a3ce929d0e0e4736", 17), "0000001177b34da6a3ce929d0e0e4736");
    }
}
