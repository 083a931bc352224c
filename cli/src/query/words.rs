//! From the arguments to the query's text.
//!
//! The shell has taken the quotes away from `'connection reset'` and `user.name:"Ann Lee"`. Where there are several arguments, and one
//! of them has blanks and nothing of the query language in it, they are put back.

/// The query that these arguments are. One alone is a query as it stands.
pub fn join(arguments: &[String]) -> String {
    match arguments {
        [query] => query.clone(),
        several => several.iter().map(|argument| restored(argument)).collect::<Vec<_>>().join(" "),
    }
}

fn restored(argument: &str) -> String {
    if !argument.contains(char::is_whitespace) || has_operators(argument) {
        return argument.to_owned();
    }
    if argument.split_whitespace().skip(1).any(|word| field(word).is_some()) {
        // Several terms: nobody quotes them for one text.
        return argument.to_owned();
    }
    match field(argument) {
        Some((name, value)) => format!("{name}:{}", quoted(value)),
        None => quoted(argument),
    }
}

/// Somebody has written this for the query language.
fn has_operators(argument: &str) -> bool {
    let is_operator = |word: &str| matches!(word, "AND" | "OR" | "NOT" | "&&" | "||");
    let stands_before_term = argument.starts_with(['-', '+', '!']) && !argument[1..].starts_with(char::is_whitespace);
    let is_regex = argument.len() > 1 && argument.starts_with('/') && argument.ends_with('/');
    argument.contains(['"', '(', ')', '*'])
        || argument.contains("\\ ")
        || stands_before_term
        || is_regex
        || argument.split_whitespace().any(is_operator)
        // A comparison, a range or a regex behind a field.
        || argument.split_once(':').is_some_and(|(name, value)| is_name(name) && value.starts_with(['<', '>', '[', '{', '/']))
}

/// A field and its value: `msg:connection reset`, but neither `error: x` nor `10:15:02` nor `std::io`.
fn field(text: &str) -> Option<(&str, &str)> {
    let (name, value) = text.split_once(':')?;
    (is_name(name) && value.starts_with(char::is_alphanumeric)).then_some((name, value))
}

fn is_name(text: &str) -> bool {
    let is_inside = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '@' | '-');
    text.starts_with(|c: char| c.is_alphabetic() || matches!(c, '_' | '.' | '@')) && text.chars().all(is_inside)
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_that_the_shell_took_are_put_back() {
        for (arguments, wanted) in [
            (&["level:error", "connection reset"][..], r#"level:error "connection reset""#),
            (&["connection reset"], "connection reset"),
            (&["a", "b", "-c"], "a b -c"),
            (&["x", r"C:\temp is full"], r#"x "C:\\temp is full""#),
            (&["x", "user.name:Ann Lee"], r#"x user.name:"Ann Lee""#),
            (&["x", "error: no such file"], r#"x "error: no such file""#),
            (&["x", "10:15:02 std::io failed"], r#"x "10:15:02 std::io failed""#),
            (&["x", "/var/log is full"], r#"x "/var/log is full""#),
            (&["x", "one\ntwo\tthree"], r#"x "one\ntwo\tthree""#),
            // Written for the query language.
            (&["x", "a OR b"], "x a OR b"),
            (&["x", "(a b)"], "x (a b)"),
            (&["x", r#"msg:"a b""#], r#"x msg:"a b""#),
            (&["x", "service:a level:error"], "x service:a level:error"),
            (&["x", "timeout level:error"], "x timeout level:error"),
            (&["x", "-level:debug timeout"], "x -level:debug timeout"),
            (&["x", "time* out"], "x time* out"),
            (&["x", "time:[now-1h TO now]"], "x time:[now-1h TO now]"),
            (&["x", "/time out|late/"], "x /time out|late/"),
            (&["x", "msg:/time out/"], "x msg:/time out/"),
            (&["x", r"a\ b"], r"x a\ b"),
            (&[], ""),
        ] {
            let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
            assert_eq!(join(&arguments), wanted);
        }
    }
}
