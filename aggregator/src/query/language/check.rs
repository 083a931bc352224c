//! What the built-in fields demand of their values. Any other field takes any value.

use super::ast::{Bound, FieldName, Span, What};
use super::error::{SyntaxError, excerpt};
use super::level;
use super::time::{FORMS, When};

/// Whether the field can have such a value; `span` is the value's.
pub fn check(field: &FieldName, what: &What, span: Span) -> Result<(), SyntaxError> {
    match field {
        _ if *what == What::Exists => Ok(()),
        FieldName::Level => check_level(what, span),
        FieldName::Time => check_time(what, span),
        FieldName::Txn => check_txn(what, span),
        FieldName::Service | FieldName::Host | FieldName::File | FieldName::Source => Ok(()),
        FieldName::Label(_) | FieldName::Key(_) => Ok(()),
    }
}

fn check_level(what: &What, span: Span) -> Result<(), SyntaxError> {
    let Some(names) = exact(what) else {
        let hint = "write `level:warn`, `level:>=warn` or `level:(warn OR error)`";
        return Err(SyntaxError::new(span, "a level takes neither a star nor a regex").with_hint(hint));
    };
    match names.into_iter().find(|name| level::parse(name).is_none()) {
        None => Ok(()),
        Some(name) => {
            let hint = match level::nearest(name) {
                Some(nearest) => format!("did you mean `{nearest}`?"),
                None => format!("levels are, from the lowest: {}", level::NAMES.join(", ")),
            };
            Err(SyntaxError::new(span, format!("`{}` is no level", excerpt(name))).with_hint(hint))
        }
    }
}

fn check_time(what: &What, span: Span) -> Result<(), SyntaxError> {
    let points = match what {
        What::Compare(_, point) => vec![point.as_str()],
        What::Range { from, to } => [from, to].into_iter().filter_map(text_of).collect(),
        _ => {
            let hint = "write `time:>=2026-11-25`, `time:>-15m` or `time:[2026-11-25 TO 2026-11-26}`";
            return Err(SyntaxError::new(span, "a time takes a comparison or a range").with_hint(hint));
        }
    };
    match points.into_iter().find(|point| When::parse(point).is_err()) {
        None => Ok(()),
        Some(point) => Err(SyntaxError::new(span, format!("`{}` is no time", excerpt(point))).with_hint(FORMS)),
    }
}

fn check_txn(what: &What, span: Span) -> Result<(), SyntaxError> {
    match what {
        What::Word(id) | What::Phrase(id) if id.trim().is_empty() => {
            Err(SyntaxError::new(span, "the transaction ID is empty").with_hint("write the ID, in any spelling"))
        }
        What::Word(_) | What::Phrase(_) => Ok(()),
        _ => Err(SyntaxError::new(span, "a transaction is found by its whole ID only")
            .with_hint("write `txn:` and the ID, in any spelling; a part of it is found as text, as in `4bf92f*`")),
    }
}

/// The texts in a value that stands for itself; `None`: it is a pattern.
fn exact(what: &What) -> Option<Vec<&str>> {
    match what {
        What::Exists => Some(Vec::new()),
        What::Word(text) | What::Phrase(text) | What::Compare(_, text) => Some(vec![text]),
        What::Range { from, to } => Some([from, to].into_iter().filter_map(text_of).collect()),
        What::Prefix(_) | What::Regex(_) => None,
    }
}

fn text_of(bound: &Bound) -> Option<&str> {
    match bound {
        Bound::Open => None,
        Bound::Including(text) | Bound::Excluding(text) => Some(text),
    }
}
