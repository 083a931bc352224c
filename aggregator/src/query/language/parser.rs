//! The entry point: how the tests of a query are joined.
//!
//! `NOT` binds strongest, then `AND` and standing side by side, then `OR`. Recursion is one round per parenthesis, which the lexer
//! has paired and counted.

use std::slice;

use super::ast::{Query, Span};
use super::error::SyntaxError;
use super::lexer::{Kind, Token, tokens};

/// Reads a query; a blank text asks for every record.
pub fn parse(text: &str) -> Result<Query, SyntaxError> {
    let tokens = tokens(text)?;
    if tokens.is_empty() {
        return Ok(Query::All);
    }
    let mut parser = Parser { text, tokens: tokens.iter(), previous: None };
    let query = parser.any()?;
    assert!(parser.tokens.as_slice().is_empty(), "the lexer pairs parentheses");
    Ok(query)
}

struct Parser<'a> {
    text: &'a str,
    tokens: slice::Iter<'a, Token>,
    previous: Option<&'a Token>,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a Kind> {
        self.tokens.as_slice().first().map(|token| &token.kind)
    }

    fn step(&mut self) {
        self.previous = self.tokens.next();
    }

    /// Parts with `OR` between them.
    fn any(&mut self) -> Result<Query, SyntaxError> {
        let mut parts = vec![self.all()?];
        while self.peek() == Some(&Kind::Or) {
            self.step();
            parts.push(self.all()?);
        }
        Ok(Query::or(parts))
    }

    /// Parts side by side or with `AND` between them.
    fn all(&mut self) -> Result<Query, SyntaxError> {
        let mut parts = vec![self.one()?];
        loop {
            match self.peek() {
                None | Some(Kind::Or | Kind::Close) => return Ok(Query::and(parts)),
                Some(Kind::And) => self.step(),
                Some(_) => (),
            }
            parts.push(self.one()?);
        }
    }

    /// A test or a group, with any number of `NOT` before it.
    fn one(&mut self) -> Result<Query, SyntaxError> {
        let mut negated = false;
        while self.peek() == Some(&Kind::Not) {
            self.step();
            negated = !negated;
        }
        let query = match self.peek() {
            Some(Kind::All) => Query::All,
            Some(Kind::Test(test)) => Query::Test(test.clone()),
            Some(Kind::Open) => {
                self.step();
                self.any()?
            }
            Some(Kind::Close | Kind::And | Kind::Or | Kind::Not) | None => return Err(self.nothing()),
        };
        self.step();
        Ok(if negated { Query::not(query) } else { query })
    }

    /// What is wrong where a test should stand and none does.
    fn nothing(&self) -> SyntaxError {
        let next = self.tokens.as_slice().first();
        match (self.previous, next) {
            (Some(operator @ Token { kind: Kind::And | Kind::Or | Kind::Not, .. }), _) => {
                self.no_operand(operator.span, "behind")
            }
            (_, Some(operator @ Token { kind: Kind::And | Kind::Or, .. })) => self.no_operand(operator.span, "before"),
            (previous, next) => {
                let begin = previous.map_or(0, |token| token.span.begin);
                let end = next.map_or(self.text.len(), |token| token.span.end);
                SyntaxError::new(Span::new(begin, end), "there is nothing between the parentheses")
                    .with_hint("remove them, or put them in quotes to search for the text")
            }
        }
    }

    fn no_operand(&self, span: Span, side: &str) -> SyntaxError {
        let operator = &self.text[span.range()];
        SyntaxError::new(span, format!("`{operator}` has nothing {side} it"))
            .with_hint(format!("write a term {side} it, or `\"{operator}\"` to search for the text"))
    }
}
