//! What a query is once it is read: tests, and how they are joined.
//!
//! Two queries are equal when they ask for the same; where in the text a test stood ([`Span`]) makes no difference.
//! [`Query::and`], [`Query::or`] and [`Query::not`] keep the invariants: an `And` or `Or` has at least two parts, none of which is
//! of its own kind, and a `Not` never holds another `Not`.

use std::ops::Range;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// Every record.
    All,
    Test(Test),
    Not(Box<Query>),
    /// At least two parts, none of them an `And`.
    And(Vec<Query>),
    /// At least two parts, none of them an `Or`.
    Or(Vec<Query>),
}

/// One thing a record has or has not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Test {
    /// `None`: the line itself.
    pub field: Option<FieldName>,
    pub what: What,
    /// Where it stands in the query's text, its field included; a group's field belongs to the group.
    pub span: Span,
}

/// What a test looks at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum FieldName {
    Service,
    Host,
    File,
    Level,
    Txn,
    Time,
    Source,
    /// `label.NAME`; the name is never empty.
    Label(String),
    /// A path into the line, from the outermost key to the innermost; never empty.
    Key(Vec<String>),
}

/// What a test asks of its field, or of the line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// `field:*`; never without a field.
    Exists,
    /// Without quotes: whole words, in any case; never empty.
    Word(String),
    /// `pre*`, without the star; never empty.
    Prefix(String),
    /// In quotes. May hold anything, line feeds too; empty only with a field.
    Phrase(String),
    /// `/…/`: what stands between the slashes, with `\/` as a plain slash; never empty.
    Regex(String),
    /// `field:>=500`: the operand as it was written, without its quotes; never without a field.
    Compare(Comparison, String),
    /// `field:[a TO b]`, `{a TO b}` or mixed; never without a field.
    Range { from: Bound, to: Bound },
}

/// How a value stands to the operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

/// One end of a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bound {
    /// `*`
    Open,
    /// `[a` or `a]`
    Including(String),
    /// `{a` or `a}`
    Excluding(String),
}

/// Bytes of the query's text, from `begin` to before `end`, both at character boundaries. All spans are equal: a query is the same
/// wherever its parts stand.
#[derive(Clone, Copy, Debug, Default)]
pub struct Span {
    pub begin: usize,
    pub end: usize,
}

impl Query {
    /// All of the parts; those that are an `And` themselves are taken apart. No part: every record.
    pub fn and(parts: Vec<Query>) -> Self {
        let mut flat = Vec::with_capacity(parts.len());
        for part in parts {
            match part {
                Self::And(inner) => flat.extend(inner),
                other => flat.push(other),
            }
        }
        if flat.len() > 1 { Self::And(flat) } else { flat.pop().unwrap_or(Self::All) }
    }

    /// Any of the parts; those that are an `Or` themselves are taken apart.
    ///
    /// # Panics
    ///
    /// Without a part: nothing to choose from is no query.
    pub fn or(parts: Vec<Query>) -> Self {
        assert!(!parts.is_empty(), "an or has parts");
        let mut flat = Vec::with_capacity(parts.len());
        for part in parts {
            match part {
                Self::Or(inner) => flat.extend(inner),
                other => flat.push(other),
            }
        }
        if flat.len() > 1 { Self::Or(flat) } else { flat.remove(0) }
    }

    /// The opposite; twice not is the query itself.
    #[allow(clippy::should_implement_trait)] // it stands beside `and` and `or`
    pub fn not(part: Query) -> Self {
        match part {
            Self::Not(inner) => *inner,
            other => Self::Not(Box::new(other)),
        }
    }
}

impl Span {
    pub fn new(begin: usize, end: usize) -> Self {
        Self { begin, end }
    }

    /// To slice the text with.
    pub fn range(self) -> Range<usize> {
        self.begin..self.end
    }
}

impl PartialEq for Span {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

impl Eq for Span {}
