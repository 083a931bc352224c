//! What records are grouped by, and where numbers are read: a built-in field or a key of the line.

use std::borrow::Cow;

use super::field::path::Path;
use super::field::scalar::Scalar;
use super::language::ast::FieldName;
use super::language::level;
use super::language::name;
use super::lines::Lines;
use crate::block::container::Corrupt;
use crate::block::mask::Mask;
use crate::block::view::View;
use crate::source::Source;

/// A longer value is cut.
pub const VALUE_BYTES_MAX: usize = 256;

/// See the module.
#[derive(Clone, Debug)]
pub struct Dimension {
    /// As it was asked for.
    pub name: String,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    Level,
    Service,
    Host,
    File,
    Source,
    Label(String),
    Txn,
    Key(Box<Path>),
}

impl Dimension {
    /// Of the name of a field, as queries have it. The error says what is wrong.
    pub fn parse(name: &str) -> Result<Self, String> {
        let what = match name::parse(name) {
            None => {
                return Err(format!(
                    "{name:?} is no name of a field; write it as in a query, like http.status or \"odd key\""
                ));
            }
            Some(FieldName::Time) => return Err("records are grouped by time with `interval`".into()),
            Some(FieldName::Level) => What::Level,
            Some(FieldName::Service) => What::Service,
            Some(FieldName::Host) => What::Host,
            Some(FieldName::File) => What::File,
            Some(FieldName::Source) => What::Source,
            Some(FieldName::Label(label)) => What::Label(label),
            Some(FieldName::Txn) => What::Txn,
            Some(FieldName::Key(segments)) => What::Key(Box::new(Path::new(&segments))),
        };
        Ok(Self { name: name.into(), what })
    }

    /// Whether it is the level, or the service: block documents know these.
    pub fn is_level(&self) -> bool {
        matches!(self.what, What::Level)
    }

    /// Whether it is a key of the line.
    pub fn is_key(&self) -> bool {
        matches!(self.what, What::Key(_))
    }

    /// See [`Self::is_level`].
    pub fn is_service(&self) -> bool {
        matches!(self.what, What::Service)
    }

    /// Calls `each(record, value)` for every value that the records of `found` have, record by record; a record may have none, or
    /// several (arrays, several IDs).
    pub fn each(&self, view: &View<'_>, found: &Mask, mut each: impl FnMut(usize, &[u8])) -> Result<(), Corrupt> {
        match &self.what {
            What::Level => {
                let severities = view.severities()?;
                found.iter().for_each(|record| {
                    each(record, level::NAMES.get(usize::from(severities[record])).unwrap_or(&"unknown").as_bytes());
                });
                Ok(())
            }
            What::Service => of_source(view, found, |source| Some(Cow::Borrowed(source.service.as_bytes())), each),
            What::Host => of_source(view, found, |source| Some(Cow::Borrowed(source.host.as_bytes())), each),
            What::File => of_source(view, found, |source| Some(Cow::Borrowed(&source.path[..])), each),
            What::Source => {
                of_source(view, found, |source| Some(source.id.simple().to_string().into_bytes().into()), each)
            }
            What::Label(name) => {
                let value = |source: &'_ Source| {
                    let label = source.labels.iter().find(|(known, _)| known == name);
                    label.map(|(_, value)| Cow::Owned(value.clone().into_bytes()))
                };
                of_source(view, found, value, each)
            }
            What::Txn => {
                let ids = view.ids()?;
                let spellings: Vec<String> = ids.dictionary.iter().map(|id| id.canonical.to_string()).collect();
                let mut at = 0;
                for (record, count) in ids.counts.iter().enumerate() {
                    let references = &ids.references[at..at + usize::from(*count)];
                    at += references.len();
                    if found.has(record) {
                        references.iter().for_each(|id| each(record, spellings[*id as usize].as_bytes()));
                    }
                }
                Ok(())
            }
            What::Key(_) => self.scalars(view, found, |record, value| {
                if !matches!(value, Scalar::Null) {
                    let text = value.text();
                    each(record, &text[..text.len().min(VALUE_BYTES_MAX)]);
                }
            }),
        }
    }

    /// Calls `each(record, value)` for every scalar that a key has in the records of `found`; nothing for a built-in field.
    pub fn scalars(
        &self,
        view: &View<'_>,
        found: &Mask,
        mut each: impl FnMut(usize, &Scalar<'_>),
    ) -> Result<(), Corrupt> {
        let What::Key(path) = &self.what else { return Ok(()) };
        let raw = view.restored()?;
        let lines = Lines::new(raw, raw, view.lengths()?);
        for record in found.iter() {
            path.any(&raw[lines.content(record)], |value| {
                each(record, value);
                false
            });
        }
        Ok(())
    }
}

fn of_source<'s>(
    view: &'s View<'_>,
    found: &Mask,
    value: impl Fn(&'s Source) -> Option<Cow<'s, [u8]>>,
    mut each: impl FnMut(usize, &[u8]),
) -> Result<(), Corrupt> {
    let values: Vec<_> = view.sources()?.iter().map(|source| value(source)).collect();
    let mut at = 0;
    let mut records = found.iter().peekable();
    for run in view.runs()? {
        at += run.records as usize;
        while let Some(record) = records.next_if(|record| *record < at) {
            if let Some(value) = &values[run.source as usize] {
                each(record, &value[..value.len().min(VALUE_BYTES_MAX)]);
            }
        }
    }
    Ok(())
}
