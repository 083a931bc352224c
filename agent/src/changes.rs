//! What differs between two configuration files, for people: one line for each key. Pure.
//!
//! Sources have no names of their own: those with the same service and includes are one, then those with the same service.

use toml::{Table, Value};

/// A longer value is cut in what is shown.
const SHOWN_CHARS_MAX: usize = 80;

/// One line for each change, the sources last.
pub fn between(old: &Table, new: &Table) -> Vec<String> {
    let mut changes = Vec::new();
    tables("", old, new, &mut changes);
    sources(&list(old), &list(new), &mut changes);
    changes
}

fn list(table: &Table) -> Vec<&Table> {
    let sources = table.get("source").and_then(Value::as_array);
    sources.into_iter().flatten().filter_map(Value::as_table).collect()
}

fn sources(old: &[&Table], new: &[&Table], changes: &mut Vec<String>) {
    let mut partner: Vec<Option<usize>> = vec![None; new.len()];
    for keys in [&["service", "include"][..], &["service"], &["include"]] {
        for (at, table) in new.iter().enumerate().filter(|(at, _)| partner[*at].is_none()).collect::<Vec<_>>() {
            let same = |other: &Table| keys.iter().all(|key| other.get(*key) == table.get(*key));
            partner[at] = (0..old.len()).find(|other| !partner.contains(&Some(*other)) && same(old[*other]));
        }
    }
    for (number, table) in old.iter().enumerate().filter(|(number, _)| !partner.contains(&Some(*number))) {
        changes.push(format!("source {} removed", title(number, table)));
    }
    for (number, table) in new.iter().enumerate() {
        match partner[number] {
            None => changes.push(format!("source {} added", title(number, table))),
            Some(other) => {
                tables(&format!("source {}: ", title(number, table)), old[other], table, changes);
                if other != number {
                    changes.push(format!("source {} was source {} before", title(number, table), other + 1));
                }
            }
        }
    }
}

fn title(number: usize, table: &Table) -> String {
    format!("{} ({})", number + 1, table.get("service").and_then(Value::as_str).unwrap_or_default())
}

fn tables(prefix: &str, old: &Table, new: &Table, changes: &mut Vec<String>) {
    let is_top = prefix.is_empty();
    let mut keys: Vec<&String> = old.keys().chain(new.keys()).collect();
    keys.sort();
    keys.dedup();
    for key in keys.into_iter().filter(|key| !(is_top && *key == "source")) {
        match (old.get(key), new.get(key)) {
            (Some(Value::Table(old)), Some(Value::Table(new))) => tables(&format!("{prefix}{key}."), old, new, changes),
            (None, Some(Value::Table(new))) => tables(&format!("{prefix}{key}."), &Table::new(), new, changes),
            (Some(Value::Table(old)), None) => tables(&format!("{prefix}{key}."), old, &Table::new(), changes),
            (old, new) if old == new => {}
            (old, new) => changes.push(format!("{prefix}{key}: {} → {}", shown(old), shown(new))),
        }
    }
}

fn shown(value: Option<&Value>) -> String {
    let Some(value) = value else { return "the default".into() };
    let text = value.to_string().replace('\n', " ");
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(old: &str, new: &str) -> Vec<String> {
        between(&old.parse().unwrap(), &new.parse().unwrap())
    }

    const OLD: &str = "aggregator = 'http://a:1'\n[limits]\nlinger = '1s'\n[[source]]\nservice = 'web'\ninclude = ['/w']\n\
                       [[source]]\nservice = 'api'\ninclude = ['/a']\n[[source.drop]]\nbelow = 'info'\n";

    #[test]
    fn keys_and_sources() {
        assert!(changes(OLD, OLD).is_empty());
        let new = OLD.replace("http://a:1", "http://b:1").replace("linger = '1s'", "idle_flush = '2s'");
        assert_eq!(
            changes(OLD, &new),
            [
                "aggregator: \"http://a:1\" → \"http://b:1\"",
                "limits.idle_flush: the default → \"2s\"",
                "limits.linger: \"1s\" → the default"
            ]
        );
        let new = OLD.replace("'info'", "'warn'").replace("['/w']", "['/w', '/x']");
        assert_eq!(
            changes(OLD, &new),
            [
                "source 1 (web): include: [\"/w\"] → [\"/w\", \"/x\"]",
                "source 2 (api): drop: [{ below = \"info\" }] → [{ below = \"warn\" }]"
            ]
        );
    }

    #[test]
    fn sources_come_and_go_and_move() {
        let new = "aggregator = 'http://a:1'\n[limits]\nlinger = '1s'\n[[source]]\nservice = 'api'\ninclude = ['/a']\n\
                   [[source.drop]]\nbelow = 'info'\n[[source]]\nservice = 'db'\ninclude = ['/d']\n";
        assert_eq!(
            changes(OLD, new),
            ["source 1 (web) removed", "source 1 (api) was source 2 before", "source 2 (db) added"]
        );
        let renamed = OLD.replace("'web'", "'site'");
        assert_eq!(changes(OLD, &renamed), ["source 1 (site): service: \"web\" → \"site\""]);
    }
}
