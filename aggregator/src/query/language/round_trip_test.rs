//! Any query reads back from its text as itself, and any text is either a query or a clear error.

use proptest::prelude::*;

use super::ast::{Bound, Comparison, FieldName, Query, Span, Test, What};
use super::level;
use super::parser::parse;

/// Texts full of what means something somewhere.
fn nasty() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[a-z0-9]{1,4}",
        4 => r#"[-+!&|()\[\]{}<>=~^*?:/\\"'._@$ ,;]"#,
        1 => "(AND|OR|NOT|TO|//|::|_exists_|service|label)",
        1 => "[\n\t\u{a0}äß日\u{1f600}]",
    ];
    proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

fn full() -> impl Strategy<Value = String> {
    nasty().prop_filter("not empty", |text| !text.is_empty())
}

/// What can stand between slashes: backslashes in pairs, none of them before a slash.
fn regex(signs: &'static str) -> impl Strategy<Value = String> {
    let piece =
        prop_oneof![Just("/"), Just("a"), Just(" "), Just("://"), Just(r"\\"), Just(r"\d"), Just(r"\)"), Just("\"")];
    proptest::collection::vec(piece, 1..6).prop_map(move |pieces| pieces.concat() + signs)
}

fn bound(text: impl Strategy<Value = String> + 'static) -> impl Strategy<Value = Bound> {
    (text, 0..3).prop_map(|(text, kind)| match kind {
        0 => Bound::Open,
        1 => Bound::Including(text),
        _ => Bound::Excluding(text),
    })
}

fn ordered(text: impl Strategy<Value = String> + Clone + 'static) -> impl Strategy<Value = What> {
    let comparison = prop_oneof![
        Just(Comparison::Less),
        Just(Comparison::LessEqual),
        Just(Comparison::Greater),
        Just(Comparison::GreaterEqual),
    ];
    prop_oneof![
        (comparison, text.clone()).prop_map(|(comparison, text)| What::Compare(comparison, text)),
        (bound(text.clone()), bound(text)).prop_map(|(from, to)| What::Range { from, to }),
    ]
}

fn any_value() -> impl Strategy<Value = What> {
    prop_oneof![
        Just(What::Exists),
        full().prop_map(What::Word),
        full().prop_map(What::Prefix),
        nasty().prop_map(What::Phrase),
        regex("").prop_map(What::Regex),
        ordered(nasty().boxed()),
    ]
}

fn test() -> impl Strategy<Value = Test> {
    let key = prop_oneof![
        proptest::collection::vec(full(), 1..4),
        prop_oneof![Just("service"), Just("@timestamp"), Just("k"), Just("_exists_"), Just("label")]
            .prop_map(|name| vec![name.to_owned()]),
    ];
    let any_field = prop_oneof![
        Just(FieldName::Service),
        Just(FieldName::Host),
        Just(FieldName::File),
        Just(FieldName::Source),
        full().prop_map(FieldName::Label),
        key.prop_map(FieldName::Key),
    ];
    let of_line = prop_oneof![
        full().prop_map(What::Word),
        full().prop_map(What::Prefix),
        full().prop_map(What::Phrase),
        regex("+").prop_map(What::Regex),
    ];
    let level = proptest::sample::select(&level::NAMES[..]).prop_map(str::to_owned).boxed();
    let time = prop_oneof![Just("now-1h30m"), Just("2026-11-25 10:15:02"), Just("1795601702.5")]
        .prop_map(str::to_owned)
        .boxed();
    let txn = full().prop_filter("not blank", |id| !id.trim().is_empty());
    prop_oneof![
        of_line.prop_map(|what| (None, what)),
        (any_field, any_value()).prop_map(|(field, what)| (Some(field), what)),
        prop_oneof![level.clone().prop_map(What::Word), level.clone().prop_map(What::Phrase), ordered(level)]
            .prop_map(|what| (Some(FieldName::Level), what)),
        ordered(time).prop_map(|what| (Some(FieldName::Time), what)),
        txn.prop_map(|id| (Some(FieldName::Txn), What::Word(id))),
    ]
    .prop_map(|(field, what)| Test { field, what, span: Span::default() })
}

fn query() -> impl Strategy<Value = Query> {
    let leaf = prop_oneof![1 => Just(Query::All), 9 => test().prop_map(Query::Test)];
    leaf.prop_recursive(6, 40, 5, |part| {
        prop_oneof![
            part.clone().prop_map(Query::not),
            proptest::collection::vec(part.clone(), 2..5).prop_map(Query::and),
            proptest::collection::vec(part, 2..5).prop_map(Query::or),
        ]
    })
}

/// Lists of terms, good and bad, as somebody might type them.
fn typed() -> impl Strategy<Value = String> {
    let term = prop_oneof![
        2 => nasty(),
        1 => test().prop_map(|test| test.to_string()),
        1 => prop_oneof![
            Just("AND"), Just("OR"), Just("NOT"), Just("&&"), Just("||"), Just("!"), Just("-"), Just("("), Just(")"), Just("k:("),
            Just("[a TO"), Just("k:[1 TO"), Just("/a"), Just("k:/"), Just("\""), Just("\\"), Just("level:(>=warn"), Just("*"),
        ]
        .prop_map(str::to_owned),
    ];
    (proptest::collection::vec(term, 0..10), prop_oneof![Just(" "), Just("")])
        .prop_map(|(terms, between)| terms.join(between))
}

fn check_text(text: &str) -> Result<(), TestCaseError> {
    match parse(text) {
        Ok(query) => {
            let canonical = query.to_string();
            let again = parse(&canonical);
            prop_assert_eq!(again.as_ref(), Ok(&query), "{} became {}", text, canonical);
            prop_assert_eq!(query.to_string(), again.map(|query| query.to_string()).unwrap_or_default());
            check_shape(&query, text)
        }
        Err(error) => {
            let range = error.span.range();
            prop_assert!(text.get(range.clone()).is_some(), "{range:?} in {text:?}");
            prop_assert!(!range.is_empty() && error.hint.is_some(), "{error:?} in {text:?}");
            Ok(())
        }
    }
}

/// What the tree's types promise beyond themselves.
fn check_shape(query: &Query, text: &str) -> Result<(), TestCaseError> {
    match query {
        Query::All => Ok(()),
        Query::Test(test) => {
            prop_assert!(text.get(test.span.range()).is_some_and(|written| !written.is_empty()));
            prop_assert!(!matches!(&test.field, Some(FieldName::Key(path)) if path.is_empty()));
            match &test.what {
                What::Word(text) | What::Prefix(text) | What::Regex(text) => prop_assert!(!text.is_empty()),
                What::Phrase(text) => prop_assert!(test.field.is_some() || !text.is_empty()),
                What::Exists | What::Compare(..) | What::Range { .. } => prop_assert!(test.field.is_some()),
            }
            Ok(())
        }
        Query::Not(part) => {
            prop_assert!(!matches!(**part, Query::Not(_)));
            check_shape(part, text)
        }
        Query::And(parts) | Query::Or(parts) => {
            prop_assert!(parts.len() >= 2);
            let is_and = matches!(query, Query::And(_));
            for part in parts {
                prop_assert!(!matches!((is_and, part), (true, Query::And(_)) | (false, Query::Or(_))));
                check_shape(part, text)?;
            }
            Ok(())
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn queries_read_back(query in query()) {
        let text = query.to_string();
        prop_assert_eq!(parse(&text), Ok(query), "{}", text);
    }

    #[test]
    fn any_text_is_a_query_or_an_error(text in "\\PC{0,80}") {
        check_text(&text)?;
    }

    #[test]
    fn any_typing_is_a_query_or_an_error(text in typed()) {
        check_text(&text)?;
    }
}
