//! Why a text is no query: where, what, and what to write instead.

use std::borrow::Cow;

use super::ast::Span;

/// Enough to recognise a text; the whole of it stands in the query.
const EXCERPT_CHARACTERS_MAX: usize = 60;

/// For the person who typed the query. The message is lower case and names the thing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SyntaxError {
    /// What to underline: bytes of the query's text, at character boundaries.
    pub span: Span,
    pub message: String,
    /// What to write instead.
    pub hint: Option<String>,
}

impl SyntaxError {
    pub fn new(span: Span, message: impl Into<String>) -> Self {
        Self { span, message: message.into(), hint: None }
    }

    pub fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

/// A text from the query as it stands in a message: its beginning if it is long.
pub fn excerpt(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(EXCERPT_CHARACTERS_MAX) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
    }
}
