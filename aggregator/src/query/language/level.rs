//! Names of levels and their order, and the name that somebody may have meant.

/// The levels as answers spell them, lowest first; a level's number is its place here, and that of `v1::Severity`.
pub const NAMES: [&str; 8] = ["unknown", "trace", "debug", "info", "notice", "warn", "error", "fatal"];

/// Other names that people know them by.
const ALIASES: [(&str, &str); 22] = [
    ("verbose", "trace"),
    ("finest", "trace"),
    ("finer", "trace"),
    ("trc", "trace"),
    ("dbg", "debug"),
    ("fine", "debug"),
    ("information", "info"),
    ("informational", "info"),
    ("inf", "info"),
    ("warning", "warn"),
    ("wrn", "warn"),
    ("err", "error"),
    ("severe", "error"),
    ("fail", "error"),
    ("critical", "fatal"),
    ("crit", "fatal"),
    ("panic", "fatal"),
    ("dpanic", "fatal"),
    ("alert", "fatal"),
    ("emergency", "fatal"),
    ("emerg", "fatal"),
    ("ftl", "fatal"),
];

/// More edits than these, and another word was meant.
const EDITS_MAX: usize = 2;

/// The number of the level with this name, in any case; higher is worse.
pub fn parse(name: &str) -> Option<u8> {
    let alias = ALIASES.iter().find(|(alias, _)| alias.eq_ignore_ascii_case(name));
    let name = alias.map_or(name, |(_, level)| level);
    let number = NAMES.iter().position(|level| level.eq_ignore_ascii_case(name))?;
    u8::try_from(number).ok()
}

/// The name that is nearest to one that is none.
pub fn nearest(word: &str) -> Option<&'static str> {
    // No name is so long that a longer word could be near it.
    if word.len() > 20 {
        return None;
    }
    let word: Vec<char> = word.to_lowercase().chars().collect();
    let names = NAMES.into_iter().chain(ALIASES.into_iter().map(|(alias, _)| alias));
    let (edits, name) =
        names.map(|name| (edits(&word, &name.chars().collect::<Vec<_>>()), name)).min_by_key(|(edits, _)| *edits)?;
    (edits <= EDITS_MAX && edits < word.len()).then_some(name)
}

/// Characters to insert, remove, change or swap with their neighbour (optimal string alignment).
fn edits(left: &[char], right: &[char]) -> usize {
    let mut table = vec![vec![0; right.len() + 1]; left.len() + 1];
    for row in 0..=left.len() {
        for column in 0..=right.len() {
            table[row][column] = if row == 0 || column == 0 {
                row + column
            } else {
                let changed = usize::from(left[row - 1] != right[column - 1]);
                let mut least = (table[row - 1][column] + 1)
                    .min(table[row][column - 1] + 1)
                    .min(table[row - 1][column - 1] + changed);
                if row > 1 && column > 1 && left[row - 1] == right[column - 2] && left[row - 2] == right[column - 1] {
                    least = least.min(table[row - 2][column - 2] + 1);
                }
                least
            };
        }
    }
    table[left.len()][right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_order() {
        for (name, wanted) in [
            ("unknown", Some(0)),
            ("trace", Some(1)),
            ("DEBUG", Some(2)),
            ("Info", Some(3)),
            ("notice", Some(4)),
            ("warn", Some(5)),
            ("WARNING", Some(5)),
            ("err", Some(6)),
            ("error", Some(6)),
            ("crit", Some(7)),
            ("emergency", Some(7)),
            ("fatal", Some(7)),
            ("wran", None),
            ("5", None),
            ("", None),
        ] {
            assert_eq!(parse(name), wanted, "{name}");
        }
        assert!(ALIASES.iter().all(|(alias, level)| NAMES.contains(level) && !NAMES.contains(alias)));
    }

    #[test]
    fn nearest_name() {
        for (word, wanted) in [
            ("wran", Some("warn")),
            ("warnig", Some("warning")),
            ("eror", Some("error")),
            ("ERORR", Some("error")),
            ("debgu", Some("debug")),
            ("critcal", Some("critical")),
            ("notce", Some("notice")),
            ("banana", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(word), wanted, "{word}");
        }
    }
}
