//! A block, or one transaction's share of a commit, as a document. Values are borrowed where they are large.

use std::sync::Arc;

use tantivy::schema::Field;
use tantivy::schema::document::{Document, ReferenceValue, ReferenceValueLeaf, Value};

use super::schema::{Fields, kind};
use crate::block::encode::Summary;
use crate::id::Canonical;

/// A sealed block, as the head keeps it until it is committed.
#[derive(Debug)]
pub struct SealedBlock {
    /// The service of its records.
    pub service: Arc<str>,
    /// The encoded columns.
    pub payload: Vec<u8>,
    /// What is known without decoding.
    pub summary: Summary,
}

/// What one transaction did between two commits.
#[derive(Clone, Debug, PartialEq)]
pub struct TransactionShare {
    /// Its earliest record, nanoseconds since the epoch.
    pub time_min: i64,
    /// Its latest record.
    pub time_max: i64,
    /// Its records.
    pub records: u64,
    /// Those of severity error and above.
    pub errors: u64,
    /// The services that it touched.
    pub services: Vec<Arc<str>>,
    /// The service of the earliest record.
    pub entry_service: Arc<str>,
}

/// What Tantivy gets.
#[derive(Debug)]
pub struct IndexDocument {
    values: Vec<(Field, Held)>,
}

#[derive(Debug)]
enum Held {
    Number(u64),
    Time(i64),
    Shared(Arc<str>),
    Text(String),
    Bytes(Vec<u8>),
    /// The term of a 128-bit ID, in place.
    Id([u8; 17]),
    Payload(Arc<SealedBlock>),
}

impl IndexDocument {
    /// Of a block.
    pub fn block(fields: &Fields, block: &Arc<SealedBlock>, words: String) -> Self {
        let summary = &block.summary;
        let mut values = Vec::with_capacity(summary.ids.len() + summary.hosts.len() + 16);
        values.push((fields.kind, Held::Number(kind::BLOCK)));
        values.push((fields.service, Held::Shared(Arc::clone(&block.service))));
        values.extend(summary.hosts.iter().map(|host| (fields.hosts, Held::Text(host.clone()))));
        values.push((fields.time_min, Held::Time(summary.time_min)));
        values.push((fields.time_max, Held::Time(summary.time_max)));
        values.push((fields.records, Held::Number(summary.records)));
        values.push((fields.raw_bytes, Held::Number(summary.raw_bytes)));
        for (field, records) in fields.severities.iter().zip(summary.severities) {
            if records > 0 {
                values.push((*field, Held::Number(records)));
            }
        }
        values.extend(summary.ids.iter().map(|share| (fields.ids, term(&share.id))));
        values.push((fields.words, Held::Text(words)));
        values.push((fields.payload, Held::Payload(Arc::clone(block))));
        Self { values }
    }

    /// Of one transaction's share.
    pub fn transaction(fields: &Fields, id: &Canonical, share: &TransactionShare) -> Self {
        let mut values = Vec::with_capacity(share.services.len() + 9);
        values.push((fields.kind, Held::Number(kind::TRANSACTION)));
        values.extend(share.services.iter().map(|service| (fields.service, Held::Shared(Arc::clone(service)))));
        values.push((fields.time_min, Held::Time(share.time_min)));
        values.push((fields.records, Held::Number(share.records)));
        values.push((fields.ids, term(id)));
        match id {
            Canonical::Number(number) => {
                values.push((fields.id_high, Held::Number((number >> 64) as u64)));
                values.push((fields.id_low, Held::Number(*number as u64)));
            }
            Canonical::Text(_) => values.push((fields.payload, term(id))),
        }
        values.push((fields.duration, Held::Number(share.time_max.abs_diff(share.time_min))));
        values.push((fields.errors, Held::Number(share.errors)));
        values.push((fields.entry_service, Held::Shared(Arc::clone(&share.entry_service))));
        Self { values }
    }
}

fn term(id: &Canonical) -> Held {
    match id {
        Canonical::Number(number) => {
            let mut term = [0; 17];
            term[1..].copy_from_slice(&number.to_be_bytes());
            Held::Id(term)
        }
        Canonical::Text(_) => Held::Bytes(id.term()),
    }
}

/// A borrowed value.
#[derive(Clone, Debug)]
pub struct Borrowed<'a>(ReferenceValueLeaf<'a>);

impl<'a> Value<'a> for Borrowed<'a> {
    type ArrayIter = std::iter::Empty<Self>;
    type ObjectIter = std::iter::Empty<(&'a str, Self)>;

    fn as_value(&self) -> ReferenceValue<'a, Self> {
        ReferenceValue::Leaf(self.0.clone())
    }
}

/// Borrows a document's values one after the other.
pub struct Values<'a>(std::slice::Iter<'a, (Field, Held)>);

impl<'a> Iterator for Values<'a> {
    type Item = (Field, Borrowed<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(field, held)| {
            let leaf = match held {
                Held::Number(number) => ReferenceValueLeaf::U64(*number),
                Held::Time(time) => ReferenceValueLeaf::I64(*time),
                Held::Shared(text) => ReferenceValueLeaf::Str(text),
                Held::Text(text) => ReferenceValueLeaf::Str(text),
                Held::Bytes(bytes) => ReferenceValueLeaf::Bytes(bytes),
                Held::Id(term) => ReferenceValueLeaf::Bytes(term),
                Held::Payload(block) => ReferenceValueLeaf::Bytes(&block.payload),
            };
            (*field, Borrowed(leaf))
        })
    }
}

impl Document for IndexDocument {
    type Value<'a> = Borrowed<'a>;
    type FieldsValuesIter<'a> = Values<'a>;

    fn iter_fields_and_values(&self) -> Values<'_> {
        Values(self.values.iter())
    }
}
