//! `[[source.redact]]`, `[[source.drop]]` and `[[source.sample]]` on lines of any kind.

use std::time::Duration;

use clew_agent::batch::content_bytes_max;
use clew_agent::record::Severity;
use clew_agent::rules::keep::{Keep, RawDrop, RawSample, id_hash};
use clew_agent::rules::redact::{Outcome, RawRedact, Redact};

use crate::driver::Fuzz;
use crate::seeds;

const SECRETS: &[&str] = &[
    "4111 1111 1111 1111",
    "4111111111111111",
    "378282246310005",
    "DE89370400440532013000",
    "GB82 WEST 1234 5698 7654 32",
    "Authorization: Bearer ",
    "bearer abc.def-123",
    "eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl",
    "pg://me:pw@db.example/x",
    "a.b+c@mail.example.com",
    "://",
    "@",
    ":",
    "\\u00e9",
    "\\\"",
    "\\n",
    "{\"m\":\"",
    "\"}",
];

fn builtin(name: &str) -> RawRedact {
    RawRedact { builtin: Some(name.to_owned()), ..RawRedact::default() }
}

#[test]
fn redact() {
    let all = Redact::new(vec![builtin("all")]).expect("valid");
    let pattern = |pattern: &str, replace: Option<&str>| RawRedact {
        pattern: Some(pattern.to_owned()),
        replace: replace.map(str::to_owned),
        ..RawRedact::default()
    };
    let patterns = Redact::new(vec![
        builtin("all"),
        pattern("a+", Some("$0$0")),
        pattern(r"(?<k>pin|pw)=\S+", Some("${k}=*$$*")),
        pattern(r"x\W", None),
    ])
    .expect("valid");
    let seeds = seeds::lines().into_iter().chain(SECRETS.iter().map(|secret| format!("x {secret} y\n").into_bytes()));
    let json =
        SECRETS[..10].iter().map(|secret| format!("{{\"m\":\"x {secret}\",\"n\":4111111111111111}}").into_bytes());
    Fuzz::new("redact", 9000).seeds(seeds.chain(json)).tokens(SECRETS).run(|line| {
        let mut out = Vec::new();
        let outcomes = [&all, &patterns].map(|rules| {
            let outcome = rules.redact(line, &mut out, &mut || Duration::ZERO);
            if outcome != Outcome::Unchanged {
                assert_eq!(out.ends_with(b"\n"), line.ends_with(b"\n"), "the line feed stays");
                assert!(out.len() <= content_bytes_max(line.len()), "the aggregator takes it");
            }
            (std::mem::discriminant(&outcome), memchr::memmem::find_iter(&out, b"[redacted:").count().min(4))
        });
        // The built-in rules alone: what is JSON stays JSON.
        let outcome = all.redact(line, &mut out, &mut || Duration::ZERO);
        let is_object =
            |line: &[u8]| serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(line).is_ok();
        if outcome == Outcome::Redacted && is_object(line) && line.trim_ascii_start().starts_with(b"{") {
            assert!(is_object(&out), "it was JSON, and became {}", out.escape_ascii());
        }
        let mut slow = all.redact(line, &mut out, &mut || Duration::from_secs(1));
        if let Outcome::Withheld(_) = slow {
            assert!(out.starts_with(b"[withheld"));
            slow = Outcome::Unchanged;
        }
        (outcomes, slow == Outcome::Unchanged)
    });
}

#[test]
fn keep() {
    let drop = |below: &str, pattern: &str| RawDrop {
        below: Some(below.to_owned()),
        pattern: Some(pattern.to_owned()),
        unless: Some("error|\\xff".to_owned()),
    };
    let sample = |rate: f64| RawSample { rate, below: None, pattern: Some("GET".to_owned()), keep_errors: None };
    let rules = Keep::new(
        &[drop("warn", "healthz"), drop("info", "")].map(|mut rule| {
            rule.pattern = rule.pattern.filter(|pattern| !pattern.is_empty());
            rule
        }),
        &[sample(0.5)],
    )
    .expect("valid");
    let tokens = &["GET /healthz", "error", "GET", "1-67891233-abcdef012345678912345678", "-", "0000"];
    Fuzz::new("keep", 60_000).seeds(seeds::lines()).tokens(tokens).run(|line| {
        let ids = || line.split(|byte| *byte == b' ').filter(|word| word.len() > 8);
        let severities = [Severity::Unknown, Severity::Info, Severity::Fatal];
        let decide = || severities.map(|severity| rules.decide(line, severity, ids(), 7));
        assert_eq!(decide(), decide(), "reading again decides the same");
        // All spellings of an ID are kept or left out together.
        assert_eq!(id_hash(line), id_hash(&line.to_ascii_uppercase()));
        decide().map(|decision| std::mem::discriminant(&decision))
    });
}
