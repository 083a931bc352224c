//! The fields of both kinds of document, and the tokenizer that splits a block's word list.

use tantivy::schema::{
    BytesOptions, Field, IndexRecordOption, NumericOptions, Schema, SchemaBuilder, TextFieldIndexing, TextOptions,
};
use tantivy::tokenizer::{Token, TokenStream, Tokenizer, TokenizerManager};

use crate::block::columns::SEVERITIES;
use crate::block::tokens::SEPARATOR;

/// Name of the tokenizer of `words`.
const WORDS: &str = "words";

/// What a document is; the value of its `kind`.
pub mod kind {
    /// Up to a block of records of one service.
    pub const BLOCK: u64 = 0;
    /// One transaction's share of one commit.
    pub const TRANSACTION: u64 = 1;
}

/// The fields.
#[derive(Clone, Debug)]
pub struct Fields {
    /// See [`kind`]. Fast.
    pub kind: Field,
    /// Block: its service. Transaction: every service that it touched. Raw, fast.
    pub service: Field,
    /// Block: its hosts. Raw, fast.
    pub hosts: Field,
    /// Earliest record, nanoseconds since the epoch. Fast.
    pub time_min: Field,
    /// Block: latest record. Fast. (A transaction's is `time_min` plus `duration`.)
    pub time_max: Field,
    /// Records. Fast.
    pub records: Field,
    /// Block: bytes of the files. Fast.
    pub raw_bytes: Field,
    /// Block: records of each severity. Fast.
    pub severities: [Field; SEVERITIES],
    /// Every transaction ID in it, canonical (`Canonical::term`).
    pub ids: Field,
    /// Block: every distinct word. No positions, no norms.
    pub words: Field,
    /// Block: the encoded columns. Transaction: its ID (`Canonical::term`) if that is a text. Stored.
    pub payload: Field,
    /// Transaction: the upper half of its ID if that is a number. Fast: 16 bytes instead of the 28 of a stored one.
    pub id_high: Field,
    /// The lower half.
    pub id_low: Field,
    /// Transaction: latest minus earliest record, nanoseconds. Fast.
    pub duration: Field,
    /// Transaction: records of severity error and above. Fast.
    pub errors: Field,
    /// Transaction: the service of its earliest record. Raw, fast.
    pub entry_service: Field,
}

/// The schema and its fields. The order of the fields is part of the format.
pub fn build() -> (Schema, Fields) {
    let mut builder = SchemaBuilder::new();
    let fast = || NumericOptions::default().set_fast();
    let raw_fast = || TextOptions::default().set_indexing_options(indexed_by("raw")).set_fast("raw");
    let fields = Fields {
        kind: builder.add_u64_field("kind", fast()),
        service: builder.add_text_field("service", raw_fast()),
        hosts: builder.add_text_field("hosts", raw_fast()),
        time_min: builder.add_i64_field("time_min", fast()),
        time_max: builder.add_i64_field("time_max", fast()),
        records: builder.add_u64_field("records", fast()),
        raw_bytes: builder.add_u64_field("raw_bytes", fast()),
        severities: std::array::from_fn(|severity| builder.add_u64_field(&format!("severity_{severity}"), fast())),
        ids: builder.add_bytes_field("ids", BytesOptions::default().set_indexed()),
        words: builder.add_text_field("words", TextOptions::default().set_indexing_options(indexed_by(WORDS))),
        payload: builder.add_bytes_field("payload", BytesOptions::default().set_stored()),
        id_high: builder.add_u64_field("id_high", fast()),
        id_low: builder.add_u64_field("id_low", fast()),
        duration: builder.add_u64_field("duration", fast()),
        errors: builder.add_u64_field("errors", fast()),
        entry_service: builder.add_text_field("entry_service", raw_fast()),
    };
    (builder.build(), fields)
}

fn indexed_by(tokenizer: &str) -> TextFieldIndexing {
    TextFieldIndexing::default()
        .set_tokenizer(tokenizer)
        .set_fieldnorms(false)
        .set_index_option(IndexRecordOption::Basic)
}

/// Makes the tokenizer of `words` known.
pub fn register(tokenizers: &TokenizerManager) {
    tokenizers.register(WORDS, WordList::default());
}

/// Splits a list of words at the separator, and does nothing else.
#[derive(Clone, Default)]
struct WordList {
    token: Token,
}

struct WordListStream<'a> {
    rest: &'a str,
    token: &'a mut Token,
}

impl Tokenizer for WordList {
    type TokenStream<'a> = WordListStream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> WordListStream<'a> {
        self.token.reset();
        // A fresh token stands before position zero; positions are not indexed.
        self.token.position = 0;
        WordListStream { rest: text, token: &mut self.token }
    }
}

impl TokenStream for WordListStream<'_> {
    fn advance(&mut self) -> bool {
        if self.rest.is_empty() {
            return false;
        }
        let end = memchr::memchr(SEPARATOR, self.rest.as_bytes()).unwrap_or(self.rest.len());
        self.token.text.clear();
        self.token.text.push_str(&self.rest[..end]);
        self.rest = self.rest.get(end + 1..).unwrap_or("");
        true
    }

    fn token(&self) -> &Token {
        self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        self.token
    }
}
