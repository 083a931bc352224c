//! Where a query cannot be read, underlined, and what to write instead.

use crate::answer::Problem;
use crate::client::Failure;
use crate::terminal::{columns, escape};

/// Columns of the query that are shown; a longer one is cut on both sides of what is underlined.
const COLUMNS_MAX: usize = 76;

/// A failure in the words of the command line that led to it.
pub fn explain(query: &str, failure: Failure) -> Failure {
    match failure {
        Failure::Rejected { problem, .. } if problem.position.is_some() => Failure::Usage(underlined(query, &problem)),
        Failure::Rejected { problem, .. } if option(&problem).is_some() => {
            let (option, name) = option(&problem).expect("there is one");
            let line = problem.one_line();
            let why = line.strip_prefix(name).and_then(|rest| rest.strip_prefix(": ")).unwrap_or(&line);
            Failure::Usage(format!("{option}: {why}"))
        }
        other => other,
    }
}

/// The option that a parameter comes from, and the parameter.
fn option(problem: &Problem) -> Option<(&'static str, &'static str)> {
    const OPTIONS: [(&str, &str); 8] = [
        ("--since", "from"),
        ("--until", "to"),
        ("--limit", "limit"),
        ("--timeout", "timeout"),
        ("--service", "service"),
        ("--entry", "entry"),
        ("--min-duration", "min_duration"),
        ("--max-duration", "max_duration"),
    ];
    OPTIONS.into_iter().find(|(_, parameter)| problem.parameter.as_deref() == Some(parameter))
}

/// The query, its mark, the detail and the hint, one below the other.
fn underlined(query: &str, problem: &Problem) -> String {
    let (begin, end) = problem.position.map_or((0, 0), |position| (position.begin, position.end));
    let begin = query.floor_char_boundary(begin.min(query.len()));
    let end = query.floor_char_boundary(end.min(query.len())).max(begin);
    let (before, marked, after) = (&query[..begin], &query[begin..end], &query[end..]);
    let (shown_marked, is_cut) = head(&escape(marked), COLUMNS_MAX / 2);
    let carets = columns(&shown_marked).max(1);
    let before = tail(&escape(before), (COLUMNS_MAX - carets) * 2 / 3);
    let after = if is_cut { String::new() } else { head(&escape(after), COLUMNS_MAX - carets - columns(&before)).0 };
    let mut text = format!(
        "the query cannot be read\n  {before}{shown_marked}{after}\n  {}{}\n{}",
        " ".repeat(columns(&before)),
        "^".repeat(carets),
        problem.one_line()
    );
    if let Some(hint) = problem.hint.as_deref().filter(|hint| !hint.is_empty()) {
        text.push('\n');
        text.push_str(&escape(hint));
    }
    text
}

/// The first columns of a text, and whether it goes on.
fn head(text: &str, width: usize) -> (String, bool) {
    if columns(text) <= width {
        return (text.to_owned(), false);
    }
    let mut kept = String::new();
    let fits = |kept: &str, next: char| columns(kept) + columns(next.encode_utf8(&mut [0; 4])) < width;
    for character in text.chars() {
        if !fits(&kept, character) {
            break;
        }
        kept.push(character);
    }
    kept.push('…');
    (kept, true)
}

/// The last columns of a text.
fn tail(text: &str, width: usize) -> String {
    let reversed: String = text.chars().rev().collect();
    head(&reversed, width).0.chars().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::Position;

    fn shown(query: &str, begin: usize, end: usize) -> Vec<String> {
        let problem = Problem {
            title: "query cannot be read".into(),
            detail: Some("why".into()),
            parameter: Some("q".into()),
            position: Some(Position { begin, end }),
            hint: Some("how".into()),
        };
        underlined(query, &problem).lines().map(str::to_owned).collect()
    }

    #[test]
    fn the_mark_stands_below_the_mistake() {
        let wanted = ["the query cannot be read", "  level:errrr x", "        ^^^^^", "why", "how"];
        assert_eq!(shown("level:errrr x", 6, 11), wanted);
        assert_eq!(shown("漢字 (é", 7, 8)[1..3], ["  漢字 (é", "       ^"]);
        assert_eq!(shown("\u{1b}[2J (", 5, 6)[1..3], ["  \\x1b[2J (", "          ^"]);
        // At the end, and where an aggregator says what cannot be.
        assert_eq!(shown("a OR", 4, 4)[1..3], ["  a OR", "      ^"]);
        assert_eq!(shown("é", 1, 99)[1..3], ["  é", "  ^"]);
        assert_eq!(shown("", 5, 2)[1..3], ["  ", "  ^"]);
    }

    #[test]
    fn a_long_query_is_cut_around_it() {
        let query = format!("{} )oops {}", "a ".repeat(5_000), "b ".repeat(5_000));
        let lines = shown(&query, 10_001, 10_006);
        assert!(lines[1].starts_with("  …") && lines[1].ends_with('…') && columns(&lines[1]) <= 2 + COLUMNS_MAX);
        let at = columns(lines[2].trim_end_matches('^'));
        assert!(lines[1].chars().skip(at).collect::<String>().starts_with(")oops b"), "{lines:?}");
        // The mistake itself may be as long.
        let lines = shown(&query, 0, 20_000);
        assert!(lines[1].ends_with('…') && lines[2].trim().len() == columns(&lines[1]) - 2, "{lines:?}");
    }
}
