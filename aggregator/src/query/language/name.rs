//! Field names, from text and back.
//!
//! A name begins with a letter, `_`, `@` or `$`; further on it may hold digits and `-` too, and dots between the keys of a path.
//! Names of labels may hold `/`, as Kubernetes writes them. Anything else takes a backslash. A leading dot says that a key of the
//! line is meant although a built-in field has its name, or although it begins with a digit.
//!
//! That a name does not begin with a digit keeps times (`10:15:02`) and addresses (`10.0.0.1:8080`) words.

use std::fmt;

use super::ast::FieldName;
use super::unit::units;

/// Every built-in name but `label.NAME`; the first of a field is the one that is displayed.
const BUILT_IN: [(&str, FieldName); 9] = [
    ("service", FieldName::Service),
    ("host", FieldName::Host),
    ("file", FieldName::File),
    ("level", FieldName::Level),
    ("severity", FieldName::Level),
    ("txn", FieldName::Txn),
    ("time", FieldName::Time),
    ("@timestamp", FieldName::Time),
    ("source", FieldName::Source),
];
const LABEL: &str = "label";
/// `_exists_:field` is `field:*`.
pub const EXISTS: &str = "_exists_";

/// The field that stands before a colon; `None` when no name is spelled so.
pub fn parse(raw: &str) -> Option<FieldName> {
    match raw.strip_prefix('.') {
        Some(raw) => Some(FieldName::Key(segments(raw, false)?)),
        None if raw.starts_with(|first: char| first.is_numeric() || first == '-') => None,
        None => {
            let of_label = raw.strip_prefix(LABEL).is_some_and(|rest| rest.starts_with('.'));
            Some(named(segments(raw, of_label)?))
        }
    }
}

fn named(mut path: Vec<String>) -> FieldName {
    match path.as_slice() {
        [name] => match BUILT_IN.iter().find(|(built_in, _)| built_in == name) {
            Some((_, field)) => field.clone(),
            None => FieldName::Key(path),
        },
        [first, ..] if first == LABEL => FieldName::Label(path.split_off(1).join(".")),
        _ => FieldName::Key(path),
    }
}

/// What stands between the dots; `None` if there is nothing, or a character that no name holds.
fn segments(raw: &str, slashes: bool) -> Option<Vec<String>> {
    let mut path = vec![String::new()];
    for unit in units(raw) {
        let segment = path.last_mut()?;
        match unit.character {
            '.' if unit.bare && segment.is_empty() => return None,
            '.' if unit.bare => path.push(String::new()),
            '/' if slashes => segment.push('/'),
            character if unit.bare && !is_plain(character) => return None,
            // The backslash of `\d`, which escapes nothing.
            '\\' if !raw[unit.at..].starts_with(r"\\") => return None,
            character => segment.push(character),
        }
    }
    (!path.last()?.is_empty()).then_some(path)
}

fn is_plain(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '-' | '@' | '$')
}

impl fmt::Display for FieldName {
    /// As it is written before the colon.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Label(name) => {
                write!(out, "{LABEL}.")?;
                // Dots with nothing between them must not look like a path.
                let escape_dots = name.split('.').any(str::is_empty);
                escape(out, name, |character| {
                    is_plain(character) || character == '/' || character == '.' && !escape_dots
                })
            }
            Self::Key(path) => key(out, path),
            built_in => match BUILT_IN.iter().find(|(_, field)| field == built_in) {
                Some((name, _)) => out.write_str(name),
                None => Ok(()),
            },
        }
    }
}

fn key(out: &mut fmt::Formatter<'_>, path: &[String]) -> fmt::Result {
    if let [name] = path
        && !name.chars().all(is_plain)
    {
        return super::display::quoted(out, name);
    }
    if needs_dot(path) {
        out.write_str(".")?;
    }
    for (number, segment) in path.iter().enumerate() {
        if number > 0 {
            out.write_str(".")?;
        }
        escape(out, segment, is_plain)?;
    }
    Ok(())
}

/// Whether the path would be read as something else without a dot before it.
fn needs_dot(path: &[String]) -> bool {
    match path {
        [] => false,
        [name] if name == EXISTS || BUILT_IN.iter().any(|(built_in, _)| built_in == name) => true,
        [first, _, ..] if first == LABEL => true,
        [first, ..] => first.starts_with(|first: char| first.is_numeric() || first == '-'),
    }
}

fn escape(out: &mut fmt::Formatter<'_>, text: &str, plain: impl Fn(char) -> bool) -> fmt::Result {
    for character in text.chars() {
        if !plain(character) {
            out.write_str("\\")?;
        }
        write!(out, "{character}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(path: &[&str]) -> Option<FieldName> {
        Some(FieldName::Key(path.iter().map(ToString::to_string).collect()))
    }

    #[test]
    fn names() {
        for (raw, wanted) in [
            ("service", Some(FieldName::Service)),
            ("severity", Some(FieldName::Level)),
            ("@timestamp", Some(FieldName::Time)),
            ("Service", key(&["Service"])),
            ("trace", key(&["trace"])),
            ("label", key(&["label"])),
            ("label.app", Some(FieldName::Label("app".to_owned()))),
            ("label.app.kubernetes.io/name", Some(FieldName::Label("app.kubernetes.io/name".to_owned()))),
            ("label.", None),
            (".service", key(&["service"])),
            (".label.app", key(&["label", "app"])),
            ("service.name", key(&["service", "name"])),
            ("items.0.id", key(&["items", "0", "id"])),
            (r"a\.b.c\ d", key(&["a.b", "c d"])),
            (r"a\\b", key(&[r"a\b"])),
            ("größe", key(&["größe"])),
            ("$x-y", key(&["$x-y"])),
            (".3d", key(&["3d"])),
            ("3d", None),
            ("10", None),
            ("2026-11-25T10", None),
            ("10.0.0.1", None),
            ("a..b", None),
            (".", None),
            ("", None),
            ("a.", None),
            ("a/b", None),
            ("[error]", None),
            (r"C\x", None),
            (r"C\", None),
        ] {
            assert_eq!(parse(raw), wanted, "{raw}");
        }
    }

    #[test]
    fn displayed() {
        for (raw, wanted) in [
            ("severity", "level"),
            (".severity", ".severity"),
            (".user", "user"),
            (".label", "label"),
            (".label.x", ".label.x"),
            (r"a\ b", "\"a b\""),
            (r"a\ b.c", r"a\ b.c"),
            ("._exists_", "._exists_"),
        ] {
            assert_eq!(parse(raw).map(|name| name.to_string()).as_deref(), Some(wanted), "{raw}");
        }
    }
}
