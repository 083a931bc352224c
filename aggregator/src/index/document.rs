//! A block of records, or one of transactions, as a document. Values are borrowed where they are large.

use std::sync::Arc;

use tantivy::schema::Field;
use tantivy::schema::document::{Document, ReferenceValue, ReferenceValueLeaf, Value};

use super::schema::{Fields, kind};
use crate::block::encode::Summary;
use crate::block::transactions;
use crate::block::transactions::share::{Share, is_same};
use crate::block::word_filter::WordFilter;
use crate::id::{Canonical, number_term};

/// A sealed block, as the head keeps it until it is committed.
#[derive(Debug)]
pub struct SealedBlock {
    /// The service of its records.
    pub service: Arc<str>,
    /// The encoded columns.
    pub payload: Vec<u8>,
    /// Which words it may hold, for as long as the index does not know.
    pub words: WordFilter,
    /// What is known without decoding.
    pub summary: Summary,
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

    /// Of the shares of many transactions. `kind` says whether they may go on with earlier ones.
    pub fn transactions(fields: &Fields, kind: u64, rows: &[(&Canonical, &Share)]) -> Self {
        let shares = || rows.iter().map(|(_, share)| *share);
        let mut values = vec![
            (fields.kind, Held::Number(kind)),
            (fields.time_min, Held::Time(shares().map(|share| share.time_min).min().unwrap_or_default())),
            (fields.time_max, Held::Time(shares().map(|share| share.time_max).max().unwrap_or_default())),
            (fields.records, Held::Number(rows.len() as u64)),
            (fields.errors, Held::Number(shares().map(|share| share.errors).sum())),
            (fields.duration, Held::Number(shares().map(Share::duration).max().unwrap_or(0))),
            (fields.payload, Held::Bytes(transactions::encode(rows))),
        ];
        for service in distinct(shares().flat_map(|share| share.services.iter().map(|touched| &touched.service))) {
            values.push((fields.service, Held::Shared(service)));
        }
        for service in distinct(shares().map(Share::entry_service)) {
            values.push((fields.entry_service, Held::Shared(service)));
        }
        Self { values }
    }
}

fn distinct<'a>(services: impl Iterator<Item = &'a Arc<str>>) -> Vec<Arc<str>> {
    let mut distinct: Vec<Arc<str>> = Vec::new();
    for service in services {
        if !distinct.iter().any(|known| is_same(known, service)) {
            distinct.push(Arc::clone(service));
        }
    }
    distinct
}

fn term(id: &Canonical) -> Held {
    match id {
        Canonical::Number(number) => Held::Id(number_term(*number)),
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
