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
    /// What many transactions did between two commits (`block::transactions`): the first that was stored of them. Earlier versions
    /// wrote all rows so.
    pub const TRANSACTIONS: u64 = 1;
    /// The same of transactions that earlier commits may have rows of, too.
    pub const CONTINUED: u64 = 2;
}

/// The fields. "Block" is a block of records, "transactions" one of transactions.
#[derive(Clone, Debug)]
pub struct Fields {
    /// See [`kind`]. Fast.
    pub kind: Field,
    /// Block: its service. Transactions: every service that they touched. Raw, fast.
    pub service: Field,
    /// Block: its hosts. Raw, fast.
    pub hosts: Field,
    /// Earliest record, nanoseconds since the epoch. Fast.
    pub time_min: Field,
    /// Latest record. Fast.
    pub time_max: Field,
    /// Block: records. Transactions: rows. Fast.
    pub records: Field,
    /// Block: bytes of the files. Fast.
    pub raw_bytes: Field,
    /// Block: records of each severity. Fast.
    pub severities: [Field; SEVERITIES],
    /// Block: every transaction ID in it, canonical (`Canonical::term`).
    pub ids: Field,
    /// Block: every distinct word. No positions, no norms.
    pub words: Field,
    /// The encoded columns. Stored.
    pub payload: Field,
    /// Transactions: the longest one, nanoseconds. Fast.
    pub duration: Field,
    /// Transactions: their records of severity error and above. Fast.
    pub errors: Field,
    /// Transactions: the services of their earliest records. Raw, fast.
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
