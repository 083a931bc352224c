//! Where the output goes, and text that is safe to print there.
//!
//! **No log line reaches the terminal unescaped**: control characters, and those that turn the direction of text, are
//! shown as `\x1b` or `\u{202e}`, so a hostile line can neither drive the terminal nor hide itself.

use std::io::{IsTerminal, Write};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use unicode_width::UnicodeWidthChar;

/// An SGR parameter; empty is plain.
pub type Style = &'static str;

pub const PLAIN: Style = "";
pub const BOLD: Style = "1";
pub const DIM: Style = "2";
pub const RED: Style = "31";
pub const GREEN: Style = "32";
pub const YELLOW: Style = "33";
pub const BOLD_RED: Style = "1;31";

/// A run of text in one style. The text is escaped already.
#[derive(Clone, Debug, PartialEq)]
pub struct Piece {
    pub style: Style,
    pub text: String,
}

/// What standard output is.
#[derive(Clone, Copy)]
pub struct Output {
    pub is_terminal: bool,
    pub colour: bool,
    /// Columns to wrap to; nothing is wrapped where there is no terminal and nobody asked.
    pub width: Option<usize>,
}

impl Output {
    /// `width` is what the user asked for.
    pub fn of_stdout(width: Option<usize>) -> Self {
        let stdout = std::io::stdout();
        let is_terminal = stdout.is_terminal();
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let columns = || rustix::termios::tcgetwinsize(&stdout).ok().map(|size| usize::from(size.ws_col));
        let width = width.or_else(|| if is_terminal { columns().filter(|columns| *columns > 0) } else { None });
        Self { is_terminal, colour: is_terminal && !set("NO_COLOR") && !dumb, width }
    }

    /// `text` in `style`, where there is colour.
    pub fn paint(&self, style: Style, text: &str) -> String {
        if self.colour && !style.is_empty() { format!("\x1b[{style}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

impl Piece {
    /// Escapes `text`.
    pub fn new(style: Style, text: &str) -> Self {
        Self { style, text: escape(text) }
    }
}

/// `text` with everything that a terminal would obey made visible. A tab becomes four spaces.
pub fn escape(text: &str) -> String {
    if !text.chars().any(is_unsafe) {
        return text.to_owned();
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '\t' => escaped.push_str("    "),
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\0'..='\x7f' if is_unsafe(character) => escaped.push_str(&format!("\\x{:02x}", character as u32)),
            _ if is_unsafe(character) => escaped.push_str(&format!("\\u{{{:x}}}", character as u32)),
            _ => escaped.push(character),
        }
    }
    escaped
}

/// The same for JSON, whose unsafe characters stand in strings: they become escapes of JSON itself.
pub fn escape_json(json: &str) -> String {
    if !json.chars().any(is_unsafe) {
        return json.to_owned();
    }
    let mut escaped = String::with_capacity(json.len() + 16);
    for character in json.chars() {
        if is_unsafe(character) {
            let units =
                character.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect::<String>();
            escaped.push_str(&units);
        } else {
            escaped.push(character);
        }
    }
    escaped
}

/// A remark beside the output, on standard error; nobody needs to read it.
pub fn remark(text: &str) {
    let _ = writeln!(std::io::stderr(), "clew: {text}");
}

/// Whoever read standard output is gone.
pub fn is_stdout_closed() -> bool {
    let stdout = std::io::stdout();
    let mut watched = [PollFd::new(&stdout, PollFlags::empty())];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut watched, Some(&now)).is_ok() && watched[0].revents().contains(PollFlags::ERR)
}

/// Columns that `text` takes.
pub fn columns(text: &str) -> usize {
    text.chars().map(width_of).sum()
}

/// `text` and the spaces that fill it up to `width` columns.
pub fn pad(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(columns(text))))
}

/// Cuts a line of pieces into rows of at most `width` columns, at a space where one is near enough.
pub fn wrap(line: &[Piece], width: usize) -> Vec<Vec<Piece>> {
    let characters: Vec<(Style, char)> =
        line.iter().flat_map(|piece| piece.text.chars().map(|character| (piece.style, character))).collect();
    let mut rows = Vec::new();
    let mut rest = &characters[..];
    while !rest.is_empty() {
        let end = row_end(rest, width.max(1));
        // The space at which a row ends is not seen there.
        let seen = if end < rest.len() && rest[end - 1].1 == ' ' { end - 1 } else { end };
        rows.push(pieces(&rest[..seen]));
        rest = &rest[end..];
    }
    if rows.is_empty() { vec![Vec::new()] } else { rows }
}

/// Where the first row of `characters` ends.
fn row_end(characters: &[(Style, char)], width: usize) -> usize {
    let mut taken = 0;
    let fits = characters.iter().take_while(|(_, character)| {
        taken += width_of(*character);
        taken <= width
    });
    let end = fits.count().max(1);
    if end == characters.len() {
        return end;
    }
    // A break at a space must not leave more than a third of the row empty.
    let space = characters[..end].iter().rposition(|(_, character)| *character == ' ');
    space.filter(|at| *at > end * 2 / 3).map_or(end, |at| at + 1)
}

fn pieces(characters: &[(Style, char)]) -> Vec<Piece> {
    characters
        .chunk_by(|(left, _), (right, _)| left == right)
        .map(|run| Piece { style: run[0].0, text: run.iter().map(|(_, character)| character).collect() })
        .collect()
}

fn width_of(character: char) -> usize {
    character.width().unwrap_or(0)
}

fn is_unsafe(character: char) -> bool {
    character.is_control()
        // Marks, embeddings, overrides and isolates of text direction; line and paragraph separators; the byte order mark.
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
        || matches!(character, '\u{61c}' | '\u{200b}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_drives_the_terminal() {
        assert_eq!(escape("\x1b]0;owned\x07\x1b[2J"), "\\x1b]0;owned\\x07\\x1b[2J");
        assert_eq!(escape("a\rb\u{9b}31m\u{202e}c\tdé"), "a\\rb\\u{9b}31m\\u{202e}c    dé");
        assert_eq!(escape("plain 漢字"), "plain 漢字");
    }

    #[test]
    fn json_stays_the_same_to_a_program() {
        let line = "a\u{9b}2J\u{7f}\u{202e}\u{e0041}é";
        let json = serde_json::to_string(line).expect("text");
        let escaped = escape_json(&json);
        assert_eq!(escaped, r#""a\u009b2J\u007f\u202e\udb40\udc41é""#);
        assert_eq!(serde_json::from_str::<String>(&escaped).expect("JSON"), line);
    }

    #[test]
    fn rows_are_cut_at_spaces_and_lose_nothing_else() {
        let line = [Piece::new(PLAIN, "one two three "), Piece::new(DIM, "fourteen=15 漢字漢字")];
        let rows = wrap(&line, 10);
        let texts: Vec<String> = rows.iter().map(|row| row.iter().map(|piece| piece.text.as_str()).collect()).collect();
        assert_eq!(texts, ["one two", "three four", "teen=15", "漢字漢字"]);
        assert!(texts.iter().all(|row| columns(row) <= 10));
        assert_eq!(wrap(&[], 10), [vec![]]);
    }
}
