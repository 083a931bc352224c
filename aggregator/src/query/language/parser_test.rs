//! Tables: what texts are read as, what is wrong with others, and what the limits are.

use super::ast::{Bound, Comparison, FieldName, Query, What};
use super::lexer::{DEPTH_MAX, QUERY_BYTES_MAX, TESTS_MAX};
use super::parser::parse;
use super::regex::REGEX_BYTES_MAX;

/// The tree in a form that can stand in a table.
fn shape(query: &Query) -> String {
    let list = |name, parts: &[Query]| format!("({name} {})", parts.iter().map(shape).collect::<Vec<_>>().join(" "));
    match query {
        Query::All => "all".to_owned(),
        Query::Not(part) => format!("(not {})", shape(part)),
        Query::And(parts) => list("and", parts),
        Query::Or(parts) => list("or", parts),
        Query::Test(test) => match &test.field {
            None => shape_of(&test.what),
            Some(FieldName::Key(path)) => format!("{}={}", path.join("|"), shape_of(&test.what)),
            Some(FieldName::Label(name)) => format!("LABEL|{name}={}", shape_of(&test.what)),
            Some(built_in) => format!("{}={}", built_in.to_string().to_uppercase(), shape_of(&test.what)),
        },
    }
}

fn shape_of(what: &What) -> String {
    let bound = |bound: &Bound| match bound {
        Bound::Open => "open".to_owned(),
        Bound::Including(text) => format!("including <{text}>"),
        Bound::Excluding(text) => format!("excluding <{text}>"),
    };
    match what {
        What::Exists => "exists".to_owned(),
        What::Word(text) => format!("<{text}>"),
        What::Prefix(text) => format!("prefix <{text}>"),
        What::Phrase(text) => format!("phrase <{text}>"),
        What::Regex(text) => format!("regex <{text}>"),
        What::Compare(Comparison::Less, text) => format!("less <{text}>"),
        What::Compare(Comparison::LessEqual, text) => format!("at most <{text}>"),
        What::Compare(Comparison::Greater, text) => format!("more <{text}>"),
        What::Compare(Comparison::GreaterEqual, text) => format!("at least <{text}>"),
        What::Range { from, to } => format!("{} to {}", bound(from), bound(to)),
    }
}

fn check_shapes(table: &[(&str, &str)]) {
    for (text, wanted) in table {
        match parse(text) {
            Ok(query) => assert_eq!(shape(&query), *wanted, "{text}"),
            Err(error) => panic!("{text}: {error:?}"),
        }
    }
}

#[test]
fn joined() {
    check_shapes(&[
        ("", "all"),
        (" \n\t\u{a0}", "all"),
        ("*", "all"),
        ("a", "<a>"),
        ("a b", "(and <a> <b>)"),
        ("a AND b && c", "(and <a> <b> <c>)"),
        ("a OR b || c", "(or <a> <b> <c>)"),
        ("a OR b c", "(or <a> (and <b> <c>))"),
        ("a b OR c AND d", "(or (and <a> <b>) (and <c> <d>))"),
        ("(a OR b) c", "(and (or <a> <b>) <c>)"),
        ("(a b) AND (c d)", "(and <a> <b> <c> <d>)"),
        ("((a)) OR (b OR (c))", "(or <a> <b> <c>)"),
        ("NOT a b", "(and (not <a>) <b>)"),
        ("-a b", "(and (not <a>) <b>)"),
        ("! a OR !b", "(or (not <a>) (not <b>))"),
        ("NOT (a OR b)", "(not (or <a> <b>))"),
        ("-(a b)", "(not (and <a> <b>))"),
        ("a AND NOT b", "(and <a> (not <b>))"),
        ("a NOT b", "(and <a> (not <b>))"),
        ("NOT NOT a", "<a>"),
        ("-!-a", "(not <a>)"),
        ("-(-a)", "<a>"),
        ("+a -b", "(and <a> (not <b>))"),
        ("+-a", "(not <a>)"),
        ("-*", "(not all)"),
        ("a *", "(and <a> all)"),
        ("NOT(a)AND(b)", "(and (not <a>) <b>)"),
        ("(a)&&(b)||(c)", "(or (and <a> <b>) <c>)"),
        ("a \"b c\"d", "(and <a> phrase <b c> <d>)"),
        ("a and b or not c", "(and <a> <and> <b> <or> <not> <c>)"),
    ]);
}

#[test]
fn words() {
    check_shapes(&[
        ("conn*", "prefix <conn>"),
        (r"conn\*", "<conn*>"),
        (r"\**", "prefix <*>"),
        (r"a\ b", "<a b>"),
        (r"\(a\) \-b \+c \!d", "(and <(a)> <-b> <+c> <!d>)"),
        (r"\AND \NOT* \\AND", r"(and <AND> prefix <\NOT> <\AND>)"),
        ("it's 'a b'", "(and <it's> <'a> <b'>)"),
        ("what? x=1&y=2 a|b a&&b", "(and <what?> <x=1&y=2> <a|b> <a&&b>)"),
        ("& | - + a", "(and <&> <|> <-> <+> <a>)"),
        ("--verbose -> ++ !=", "(and <--verbose> <->> <++> <!=>)"),
        ("<init> >> <34>Oct => > =", "(and <<init>> <>>> <<34>Oct> <=>> <>> <=>)"),
        ("[error] {x}", "(and <[error]> <{x}>)"),
        ("foo~ ~/.bashrc a^b ~5", "(and <foo~> <~/.bashrc> <a^b> <~5>)"),
        (r"foo\~2 x\^10", "(and <foo~2> <x^10>)"),
        ("http://x/y 10:15:02 2026-11-25T10:15:02Z", "(and <http://x/y> <10:15:02> <2026-11-25T10:15:02Z>)"),
        (r"C:\Users\max std::io::Error 10.0.0.1:8080", r"(and <C:\Users\max> <std::io::Error> <10.0.0.1:8080>)"),
        (r"status\:500 [x]: ::1 :a", "(and <status:500> <[x]:> <::1> <:a>)"),
        ("größe日本", "<größe日本>"),
        ("\"a \\\"b\\\" \\\\ \\n\\t \\d\"", "phrase <a \"b\" \\ \n\t \\d>"),
        ("\"AND\" \"*\"", "(and phrase <AND> phrase <*>)"),
    ]);
}

#[test]
fn slashes() {
    check_shapes(&[
        ("/api/v1/users", "</api/v1/users>"),
        ("/healthz", "</healthz>"),
        ("/api/v1/", "</api/v1/>"),
        ("/", "</>"),
        ("// x", "(and <//> <x>)"),
        ("//x?/", "<//x?/>"),
        ("/time(out|d out)/", "regex <time(out|d out)>"),
        ("/time(out|d out)/ b", "(and regex <time(out|d out)> <b>)"),
        ("(/a+/)", "regex <a+>"),
        ("-/a+/", "(not regex <a+>)"),
        (r"/a\/b/", "regex <a/b>"),
        (r"/\d+\\/", r"regex <\d+\\>"),
        ("/https?://x/", "regex <https?://x>"),
        ("/api/v1/users OR /api/(a|b)/", "(or </api/v1/users> regex <api/(a|b)>)"),
        ("/healthz path:/x?/", "(and </healthz> path=regex <x?>)"),
        ("/a/ /b+/", "(and </a/> regex <b+>)"),
        ("path:/api/v1/users", "path=</api/v1/users>"),
        ("path:/api/v1/", "path=regex <api/v1>"),
        ("msg:/connection reset/ x", "(and msg=regex <connection reset> <x>)"),
        ("msg:(/a/ OR /b)", "(or msg=regex <a> msg=</b>)"),
    ]);
}

#[test]
fn fields() {
    check_shapes(&[
        ("service:api", "SERVICE=<api>"),
        ("severity:ERR level:\"warn\" level:*", "(and LEVEL=<ERR> LEVEL=phrase <warn> LEVEL=exists)"),
        (
            "level:>=warning level:[info TO error}",
            "(and LEVEL=at least <warning> LEVEL=including <info> to excluding <error>)",
        ),
        ("txn:4bf92f35 txn:*", "(and TXN=<4bf92f35> TXN=exists)"),
        ("time:>-15m @timestamp:<now", "(and TIME=more <-15m> TIME=less <now>)"),
        (
            "time:[2026-11-25T10:15 TO \"2026-11-25 11:00\"}",
            "TIME=including <2026-11-25T10:15> to excluding <2026-11-25 11:00>",
        ),
        ("label.app.kubernetes.io/name:x* source:ab", "(and LABEL|app.kubernetes.io/name=prefix <x> SOURCE=<ab>)"),
        ("file:/var/log/x.log host:db-1", "(and FILE=</var/log/x.log> HOST=<db-1>)"),
        ("user.id:7", "user|id=<7>"),
        (".service:x \"host\":x Service:x", "(and service=<x> host=<x> Service=<x>)"),
        ("\"weird key.with dots\":x", "weird key.with dots=<x>"),
        (r"a\.b.c\:d:x", "a.b|c:d=<x>"),
        ("_exists_:user.id _exists_:\"a b\" _exists_:level", "(and user|id=exists a b=exists LEVEL=exists)"),
        ("k:* k:\"\" k:\"a b\" k:a*", "(and k=exists k=phrase <> k=phrase <a b> k=prefix <a>)"),
        (
            "k:>5 k:>=5 k:<5 k:<=-5.5 k:=5 k:=\"5\"",
            "(and k=more <5> k=at least <5> k=less <5> k=at most <-5.5> k=<5> k=phrase <5>)",
        ),
        ("k:>\"a b\" k:>10:15", "(and k=more <a b> k=more <10:15>)"),
        (
            "k:[a TO b] k:{a TO b} k:[1 TO 2}",
            "(and k=including <a> to including <b> k=excluding <a> to excluding <b> k=including <1> to excluding <2>)",
        ),
        (
            "k:[* TO 5] k:{5 TO *} k:[ \"*\" TO \"a b\" ]",
            "(and k=open to including <5> k=excluding <5> to open k=including <*> to including <a b>)",
        ),
        ("k:[\"TO\" TO TO]", "k=including <TO> to including <TO>"),
        ("k:-5 k:AND k:!x k:~ k:a:b k:http://x", "(and k=<-5> k=<AND> k=<!x> k=<~> k=<a:b> k=<http://x>)"),
        (r"k:\:b k:\>5 k:\[a", "(and k=<:b> k=<>5> k=<[a>)"),
        ("k:(a OR \"b c\" -d)", "(or k=<a> (and k=phrase <b c> (not k=<d>)))"),
        (
            "k:(>=5 [1 TO 2] (x OR *)) y",
            "(and k=at least <5> k=including <1> to including <2> (or k=<x> k=exists) <y>)",
        ),
        ("-k:(a b)", "(not (and k=<a> k=<b>))"),
        ("k:(10:15 http://x)", "(and k=<10:15> k=<http://x>)"),
        ("error:(refused)", "error=<refused>"),
    ]);
}

/// Where the error stands is written between `«` and `»`.
#[test]
fn errors() {
    for (marked, message) in [
        ("a «\"b c»", "the quote is not closed"),
        ("it«\"s»", "the quote is not closed"),
        ("a «(»b", "the parenthesis is not closed"),
        ("(a) k:«(»b (c)", "the parenthesis is not closed"),
        ("a«)» b", "no parenthesis is open before this `)`"),
        ("«)»", "no parenthesis is open before this `)`"),
        ("main«()»", "there is nothing between the parentheses"),
        ("k:«( )»", "there is nothing between the parentheses"),
        ("a «AND»", "`AND` has nothing behind it"),
        ("«OR» b", "`OR` has nothing before it"),
        ("a «&&» || b", "`&&` has nothing behind it"),
        ("(«||» b)", "`||` has nothing before it"),
        ("(a «OR»)", "`OR` has nothing behind it"),
        ("«NOT»", "`NOT` has nothing behind it"),
        ("a !«!»", "`!` has nothing behind it"),
        ("«-»AND b", "`-` has nothing behind it"),
        ("«level:»", "`level:` has no value behind it"),
        ("(«error:») x", "`error:` has no value behind it"),
        ("«status:» 500", "`status:` has no value behind it"),
        ("«\"a b\":» c", "`\"a b\":` has no value behind it"),
        ("«_exists_:»", "`_exists_:` has no value behind it"),
        ("«_exists_:a*»", "`_exists_:` takes a field's name"),
        ("«\"\":»x", "the field name is empty"),
        ("a «\"\"»", "there is nothing between the quotes"),
        ("k:«[1 TO 2»", "the range is not closed"),
        ("k:«[1»", "the range is not closed"),
        ("k:«[1 2»]", "the range has no `TO`"),
        ("k:«[error»] x", "the range has no `TO`"),
        ("k:«[1 to» 2]", "the range has no `TO`"),
        ("k:«[1 TO »]", "the range has nothing behind its `TO`"),
        ("k:«[TO» 2]", "the range has nothing before its `TO`"),
        ("k:«[1*» TO 2]", "`1*` has a star, which no range takes"),
        ("«a*b»", "a star may only end a word, as in `word*`, not stand within `a*b`"),
        ("k:«*b»", "a star may only end a word, as in `word*`, not stand within `*b`"),
        ("«\"a b\"*»", "a star behind a quote matches nothing"),
        ("«roam~2»", "`~` for similar words is not supported"),
        ("«\"a b\"~2» c", "`~` for similar words is not supported"),
        ("k:«a^1.5»", "`^` for the weight of a word is not supported: answers are in the order of time"),
        ("a «>500»", "`>500` compares no field"),
        ("«<=-5.5»", "`<=-5.5` compares no field"),
        ("k:«>»", "`>` has no value behind it"),
        ("k:«>=» 5", "`>=` has no value behind it"),
        ("(k:«=»)", "`=` has no value behind it"),
        ("k:«=>»5", "`=>` is no comparison"),
        ("k:«>5*»", "`5*` has a star, which no comparison takes"),
        ("k:(«g:»b)", "`g:` stands within a group of `k`"),
        ("level:«wran»", "`wran` is no level"),
        ("level:(warn OR «>=x»)", "`x` is no level"),
        ("level:«w*»", "a level takes neither a star nor a regex"),
        ("txn:«\"\"»", "the transaction ID is empty"),
        ("txn:«4bf*»", "a transaction is found by its whole ID only"),
        ("time:«>yesterday»", "`yesterday` is no time"),
        ("time:«[now TO 5x]»", "`5x` is no time"),
        ("time:«2026-11-25»", "a time takes a comparison or a range"),
    ] {
        let (before, rest) = marked.split_once('«').expect("marked");
        let (within, after) = rest.split_once('»').expect("marked");
        let error = parse(&format!("{before}{within}{after}")).expect_err(marked);
        assert_eq!(error.message, message, "{marked}");
        assert_eq!(error.span.range(), before.len()..before.len() + within.len(), "{marked}");
    }
}

#[test]
fn hints() {
    for (text, hint) in [
        ("level:wran", "did you mean `warn`?"),
        ("level:banana", "levels are, from the lowest: unknown, trace, debug, info, notice, warn, error, fatal"),
        ("a.c*d", r"write a regex: `/(?i)a\.c\S*d/`, or `\*` for the star itself"),
        ("k:*/x", r"write a regex: `/(?i).*\/x/`, or `\*` for the star itself"),
        ("a AND", "write a term behind it, or `\"AND\"` to search for the text"),
        (
            "error: refused",
            "write the value directly behind the colon, or `error:*` for any; to search for the text, write `\"error:\"`",
        ),
        (">500", "write the field before it, as in `status:>500`, or put it in quotes to search for the text"),
    ] {
        assert_eq!(parse(text).expect_err(text).hint.as_deref(), Some(hint), "{text}");
    }
}

#[test]
fn displayed() {
    for (text, wanted) in [
        (" ", "*"),
        ("NOT (a AND b) OR k:(c OR d)", "-(a b) OR k:c OR k:d"),
        ("(a OR b) AND c", "(a OR b) c"),
        ("http://x/y 10:15", r"http\://x/y 10\:15"),
        ("severity:err @timestamp:>now", "level:err time:>now"),
        ("k:=5 k:>\"a b\" k:[a TO \"b c\"}", "k:5 k:>\"a b\" k:[a TO \"b c\"}"),
        (r"C:\x", r"C\:\\x"),
    ] {
        assert_eq!(parse(text).map(|query| query.to_string()).as_deref(), Ok(wanted), "{text}");
    }
}

#[test]
fn spans_cover_field_and_value() {
    let text = "ä service:api k:(b \"c d\")";
    let Ok(Query::And(parts)) = parse(text) else { panic!("an and") };
    let written = parts.iter().map(|part| match part {
        Query::Test(test) => &text[test.span.range()],
        _ => "",
    });
    assert_eq!(written.collect::<Vec<_>>(), ["ä", "service:api", "b", "\"c d\""]);
}

#[test]
fn limits() {
    let nested = |depth| format!("{}a{}", "(".repeat(depth), ")".repeat(depth));
    let regex = |length| format!("/{}+/", "a".repeat(length - 1));
    for (text, wanted) in [
        (nested(DEPTH_MAX), None),
        (nested(DEPTH_MAX + 1), Some("parentheses are nested deeper than 64")),
        (nested(5_000), Some("parentheses are nested deeper than 64")),
        ("a ".repeat(TESTS_MAX), None),
        ("a ".repeat(TESTS_MAX + 1), Some("the query has more than 1024 terms")),
        (regex(REGEX_BYTES_MAX), None),
        (regex(REGEX_BYTES_MAX + 1), Some("the regex has 1025 bytes, the limit is 1024")),
        ("a".repeat(QUERY_BYTES_MAX), None),
        ("ä".repeat(QUERY_BYTES_MAX), Some("the query has 32768 bytes, the limit is 16384")),
        (format!("{}:x", "k".repeat(300)), Some("the field name has 301 bytes, the limit is 256")),
        (format!("{}a", "!".repeat(10_000)), None),
        (format!("{}a", "NOT ".repeat(4_000)), None),
        (format!("{}a", "-+".repeat(8_000)), None),
        (format!("{}a", "- ".repeat(1_000)), None),
    ] {
        let message = parse(&text).err().map(|error| error.message);
        assert_eq!(message.as_deref(), wanted, "{text:.20}");
    }
}
