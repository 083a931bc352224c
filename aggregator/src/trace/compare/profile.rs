//! What a transaction came to: how long, who, how often what, and where it was silent.

use std::collections::BTreeMap;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::trace::lanes::Event;

/// What a transaction came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// From the first record to the last.
    pub duration_ns: u64,
    /// By service.
    pub services: BTreeMap<String, Service>,
    /// By service and template.
    pub templates: BTreeMap<(String, String), Count>,
    /// The longest silence between a record of the one service and a following one of the other (or the same) one.
    pub silences_ns: BTreeMap<(String, String), u64>,
}

/// What a service did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Service {
    pub records: u64,
    pub errors: u64,
    /// From its first record to its last.
    pub duration_ns: u64,
    /// Where its first error stands among the records of the transaction.
    pub first_error: Option<usize>,
}

/// Records of one template.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    pub records: u64,
    pub errors: u64,
}

impl Profile {
    /// Of records in order; `text` says what a template is.
    pub fn of<'t>(events: &[Event<'_>], text: impl Fn(u32) -> &'t str) -> Self {
        let mut profile = Self::default();
        let mut times: HashMap<&str, (i64, i64), FixedState> = HashMap::default();
        let mut templates: HashMap<(&str, u32), Count, FixedState> = HashMap::default();
        for (index, event) in events.iter().enumerate() {
            let (first, last) = times.entry(event.service).or_insert((event.at_ns, event.at_ns));
            (*first, *last) = ((*first).min(event.at_ns), (*last).max(event.at_ns));
            let service = match profile.services.get_mut(event.service) {
                Some(service) => service,
                None => profile.services.entry(event.service.to_owned()).or_default(),
            };
            let count = templates.entry((event.service, event.template)).or_default();
            service.records += 1;
            count.records += 1;
            if event.is_error() {
                service.errors += 1;
                service.first_error = service.first_error.or(Some(index));
                count.errors += 1;
            }
        }
        for (name, (first, last)) in &times {
            profile.services.entry((*name).to_owned()).or_default().duration_ns = last.abs_diff(*first);
        }
        let first = times.values().map(|(first, _)| *first).min().unwrap_or(0);
        let last = times.values().map(|(_, last)| *last).max().unwrap_or(0);
        profile.duration_ns = last.abs_diff(first);
        for ((service, template), count) in templates {
            // Two templates may say the same.
            let all = profile.templates.entry((service.to_owned(), text(template).to_owned())).or_default();
            (all.records, all.errors) = (all.records + count.records, all.errors + count.errors);
        }
        profile.silences_ns = silences(events);
        profile
    }
}

fn silences(events: &[Event<'_>]) -> BTreeMap<(String, String), u64> {
    let mut longest: HashMap<(&str, &str), u64, FixedState> = HashMap::default();
    for pair in events.windows(2) {
        let silence = longest.entry((pair[0].service, pair[1].service)).or_default();
        let gap = pair[1].at_ns.saturating_sub(pair[0].at_ns).max(0);
        *silence = (*silence).max(gap.unsigned_abs());
    }
    longest.into_iter().map(|((from, to), ns)| ((from.to_owned(), to.to_owned()), ns)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_of_records() {
        let event =
            |service, at_ns, severity, template| Event { service, at_ns, severity, template, ..Event::default() };
        let events = [
            event("gateway", 0, 3, 0),
            event("cart", 10, 3, 1),
            event("cart", 40, 6, 1),
            event("gateway", 90, 3, 2),
            event("gateway", 70, 3, 0),
        ];
        let profile = Profile::of(&events, |template| ["request", "loaded", "request"][template as usize]);
        assert_eq!(profile.duration_ns, 90);
        assert_eq!(profile.services["cart"], Service { records: 2, errors: 1, duration_ns: 30, first_error: Some(2) });
        assert_eq!(profile.services["gateway"].duration_ns, 90);
        let count = |service: &str, template: &str| profile.templates[&(service.to_owned(), template.to_owned())];
        assert_eq!(count("gateway", "request"), Count { records: 3, errors: 0 });
        assert_eq!(count("cart", "loaded"), Count { records: 2, errors: 1 });
        let silence = |from: &str, to: &str| profile.silences_ns[&(from.to_owned(), to.to_owned())];
        assert_eq!((silence("cart", "cart"), silence("cart", "gateway"), silence("gateway", "gateway")), (30, 50, 0));
        assert_eq!(Profile::of(&[], |_| ""), Profile::default());
    }
}
