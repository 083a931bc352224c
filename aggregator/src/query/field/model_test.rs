//! The lookup of one field, the list of all fields, and a walk over what serde_json makes of a line: all three agree.

use proptest::prelude::*;
use proptest::{collection::vec, option, sample::select};
use serde_json::Value;

use super::{list::each, path::Path, scalar::Scalar};

/// A field as it is compared: its path, and what it is. A number that is no integer is compared by its value.
type Field = (String, String);

fn field(path: &str, scalar: &Scalar<'_>) -> Field {
    let text = String::from_utf8_lossy(scalar.text());
    let shown = match scalar {
        Scalar::Text(_) => format!("text {text}"),
        Scalar::Number(_) if scalar.integer().is_some() => format!("integer {text}"),
        Scalar::Number(_) => format!("number {}", scalar.number().expect("a number")),
        Scalar::Bool(_) | Scalar::Null => text.into_owned(),
    };
    (path.to_owned(), shown)
}

fn listed(line: &[u8]) -> Vec<Field> {
    let mut fields = Vec::new();
    each(line, |path, scalar| fields.push(field(path, scalar)));
    fields
}

fn found(path: &str, line: &[u8]) -> Vec<Field> {
    let mut fields = Vec::new();
    let stopped = Path::new(&[path.to_owned()]).any(line, |scalar| {
        fields.push(field(path, scalar));
        false
    });
    assert!(!stopped);
    fields
}

/// The paths, and those that they might be taken for.
fn paths_around(fields: &[Field]) -> Vec<String> {
    let mut paths: Vec<_> = fields.iter().map(|(path, _)| path.clone()).collect();
    for (path, _) in fields {
        paths.extend(path.split('.').map(String::from));
        paths.extend(path.rsplit_once('.').map(|(parent, _)| parent.to_owned()));
        paths.extend([format!("{path}.a"), format!(".{path}"), format!("{path}.")]);
    }
    paths.extend(["a", "b", "a.b", "", "."].map(String::from));
    paths.sort();
    paths.dedup();
    paths
}

fn lookup_agrees_with_list(line: &[u8]) -> Result<(), TestCaseError> {
    let all = listed(line);
    for path in paths_around(&all) {
        let expected: Vec<_> = all.iter().filter(|(other, _)| *other == path).cloned().collect();
        prop_assert_eq!(found(&path, line), expected, "{}", path);
    }
    Ok(())
}

fn walk(value: &Value, path: &str, fields: &mut Vec<Field>) {
    let shown = match value {
        Value::Object(object) => {
            for (key, value) in object {
                walk(value, &format!("{path}.{key}"), fields);
            }
            return;
        }
        Value::Array(elements) => {
            for value in elements {
                walk(value, path, fields);
            }
            return;
        }
        Value::String(text) => format!("text {text}"),
        Value::Number(number) if number.is_f64() => format!("number {}", number.as_f64().expect("f64")),
        Value::Number(number) => format!("integer {number}"),
        Value::Bool(_) | Value::Null => value.to_string(),
    };
    fields.push((path[1..].to_owned(), shown));
}

/// Text as an encoder may write it that escapes whatever it likes: `escapes` says what, in turn.
fn write_text(out: &mut String, text: &str, escapes: &mut impl Iterator<Item = bool>) {
    out.push('"');
    for character in text.chars() {
        if escapes.next().expect("endless") {
            for unit in character.encode_utf16(&mut [0; 2]) {
                *out += &format!("\\u{unit:04x}");
            }
        } else {
            let quoted = serde_json::to_string(&character).expect("a string");
            *out += &quoted[1..quoted.len() - 1];
        }
    }
    out.push('"');
}

/// The value as JSON, with a blank or none wherever one may stand.
fn write(
    out: &mut String,
    value: &Value,
    escapes: &mut impl Iterator<Item = bool>,
    blanks: &mut impl Iterator<Item = &'static str>,
) {
    *out += blanks.next().expect("endless");
    match value {
        Value::Object(object) => {
            for (index, (key, value)) in object.iter().enumerate() {
                out.push(if index == 0 { '{' } else { ',' });
                *out += blanks.next().expect("endless");
                write_text(out, key, escapes);
                *out += blanks.next().expect("endless");
                out.push(':');
                write(out, value, escapes, blanks);
            }
            *out += if object.is_empty() { "{}" } else { "}" };
        }
        Value::Array(elements) => {
            for (index, value) in elements.iter().enumerate() {
                out.push(if index == 0 { '[' } else { ',' });
                write(out, value, escapes, blanks);
            }
            *out += if elements.is_empty() { "[]" } else { "]" };
        }
        Value::String(text) => write_text(out, text, escapes),
        Value::Null | Value::Bool(_) | Value::Number(_) => *out += &value.to_string(),
    }
    *out += blanks.next().expect("endless");
}

fn keys() -> impl Strategy<Value = String> {
    prop_oneof![4 => "[ab.]{0,3}", 1 => any::<String>(), 1 => select(&["größe", "a/b", "a\"b", "a\\b", "\u{fffd}", "\n"][..]).prop_map(String::from)]
}

fn values() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        keys().prop_map(Value::from),
    ];
    scalar.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::from),
            vec((keys(), inner), 0..6).prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

fn objects() -> impl Strategy<Value = Value> {
    vec((keys(), values()), 0..6).prop_map(|pairs| Value::Object(pairs.into_iter().collect()))
}

fn written_objects() -> impl Strategy<Value = (Value, String)> {
    let blanks = vec(select(&["", "", "", " ", "\t", "\r\n", "  "][..]), 1..8);
    let escapes = vec(select(&[false, false, false, true][..]), 1..8);
    (objects(), escapes, blanks).prop_map(|(value, escapes, blanks)| {
        let mut line = String::new();
        write(&mut line, &value, &mut escapes.into_iter().cycle(), &mut blanks.into_iter().cycle());
        (value, line)
    })
}

/// Bytes that are nearly a line of fields.
fn nearly_lines() -> impl Strategy<Value = Vec<u8>> {
    let pieces = &[
        "{",
        "}",
        "[",
        "]",
        "(",
        ")",
        "\"",
        "\\",
        ",",
        ";",
        ":",
        "=",
        " ",
        "\n",
        ".",
        "a",
        "b",
        "1",
        "-",
        "\"a\":",
        "\"b\":",
        "{\"a\":",
        "{\"b\":",
        "\"a.b\":",
        "\\u0061",
        "\\u",
        "\"\\u0062\":",
        "true",
        "null",
        "a=",
        "b=",
        "a.b=",
        "\"x\"",
        "1,",
        "2}",
        "\u{fffd}",
        "\\ud800",
    ][..];
    let piece =
        prop_oneof![12 => select(pieces).prop_map(|piece| piece.as_bytes().to_vec()), 1 => vec(any::<u8>(), 1..3)];
    vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn a_json_line_holds_what_serde_says((value, line) in written_objects(), behind in option::of("[ \n]?[a-z{}\"=1 ]{0,9}")) {
        let line = line + &behind.unwrap_or_default();
        let mut expected = Vec::new();
        walk(&value, "", &mut expected);
        prop_assert_eq!(listed(line.as_bytes()), expected);
        lookup_agrees_with_list(line.as_bytes())?;
    }

    #[test]
    fn so_does_an_object_behind_a_prefix((value, line) in written_objects(), prefix in "[a-z:\\[\\] ]{0,12}[a-z:]") {
        let mut expected = vec![("x".to_owned(), "integer 1".to_owned())];
        walk(&value, "", &mut expected);
        let line = format!("{prefix} x=1 {line}");
        prop_assert_eq!(listed(line.as_bytes()), expected);
        lookup_agrees_with_list(line.as_bytes())?;
    }

    #[test]
    fn a_truncated_line_holds_the_first_of_its_fields((value, line) in written_objects(), share in 0.0..1.0) {
        let mut whole = Vec::new();
        walk(&value, "", &mut whole);
        let line = &line.as_bytes()[..(line.len() as f64 * share) as usize];
        let fields = listed(line);
        prop_assert!(whole.starts_with(&fields), "{:?} of {:?}", fields, whole);
        lookup_agrees_with_list(line)?;
    }

    #[test]
    fn what_is_nearly_a_line_is_read_alike(line in nearly_lines()) {
        lookup_agrees_with_list(&line)?;
    }

    #[test]
    fn arbitrary_bytes_are_read_alike(line in vec(any::<u8>(), 0..200)) {
        lookup_agrees_with_list(&line)?;
    }
}
