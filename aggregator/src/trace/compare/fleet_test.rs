//! Fleets whose transactions vary as they do without a reason, and the same with a fault.

use fastrand::Rng;

use super::*;

const MS: u64 = 1_000_000;
/// The innermost first: each waits for the one before it.
const SERVICES: [&str; 6] = ["inventory", "mailer", "payments", "cart", "checkout", "gateway"];

/// About as a logarithmic normal distribution: most within half and twice the median, a few at four times.
fn about(rng: &mut Rng, median_ns: u64) -> u64 {
    let normal = (0..12).map(|_| rng.f64()).sum::<f64>() - 6.0;
    (median_ns as f64 * (0.5 * normal).exp()) as u64
}

/// A checkout that went as they mostly go.
fn normal(rng: &mut Rng) -> Profile {
    let mut profile = Profile::default();
    for name in SERVICES {
        // Caches make a service unnecessary now and then.
        if name == "inventory" && rng.u32(0..100) < 30 {
            continue;
        }
        profile.duration_ns += about(rng, 60 * MS);
        let mut service = Service { duration_ns: profile.duration_ns, ..Service::default() };
        // Always; mostly; often; seldom.
        for (template, percent) in
            [("started", 100), ("done in <*>", 100), ("cache miss for <*>", 60), ("lock was busy", 15)]
        {
            if rng.u32(0..100) < percent {
                let records = 1 + u64::from(rng.u32(0..3));
                let key = (name.to_owned(), template.to_owned());
                profile.templates.insert(key, Count { records, errors: 0 });
                service.records += records;
            }
        }
        profile.services.insert(name.into(), service);
        for to in SERVICES {
            if rng.u32(0..100) < 40 {
                profile.silences_ns.insert((name.into(), to.into()), about(rng, 30 * MS));
            }
        }
    }
    profile
}

fn fleet(seed: u64) -> (Profile, Vec<Profile>) {
    let mut rng = Rng::with_seed(seed);
    let others = 30 + rng.usize(0..171);
    (normal(&mut rng), (0..others).map(|_| normal(&mut rng)).collect())
}

#[test]
fn a_normal_transaction_has_no_findings() {
    let (mut with_findings, seeds) = (Vec::new(), 300);
    for seed in 0..seeds {
        let (here, others) = fleet(seed);
        let findings = of(&here, &others);
        if !findings.is_empty() {
            with_findings.push((seed, findings));
        }
    }
    assert!(with_findings.len() as u64 * 100 <= seeds, "{} of {seeds}: {with_findings:#?}", with_findings.len());
}

/// Plants a fault, in many fleets; it must be told, and first but for what the same transaction had without it: among so many
/// some are odd by chance.
fn first(plant: impl Fn(&mut Profile), is_it: impl Fn(&Finding) -> bool) {
    for seed in 0..60 {
        let (mut here, others) = fleet(seed);
        let before = of(&here, &others);
        plant(&mut here);
        let mut findings = of(&here, &others);
        findings.retain(|finding| !before.contains(finding));
        assert!(findings.first().is_some_and(&is_it), "seed {seed}: {findings:#?}");
    }
}

fn forget(profile: &mut Profile, name: &str) {
    profile.services.remove(name);
    profile.templates.retain(|(service, _), _| service != name);
    profile.silences_ns.retain(|(from, to), _| from != name && to != name);
}

#[test]
fn a_missing_service() {
    first(|here| forget(here, "mailer"), |finding| finding.kind == Kind::MissingService && finding.service == "mailer");
    let (mut here, others) = fleet(7);
    forget(&mut here, "mailer");
    let finding = &of(&here, &others)[0];
    assert_eq!((finding.here, finding.seen_in, finding.of), (None, others.len(), others.len()));
    assert_eq!(finding.text, format!("mailer is missing: {0} of {0} others have it", others.len()));
}

#[test]
fn a_new_service_and_what_it_wrote_is_one_finding() {
    let plant = |here: &mut Profile| {
        here.services.insert("fraud".into(), Service { records: 1, ..Service::default() });
        here.templates.insert(("fraud".into(), "checked".into()), Count { records: 1, errors: 0 });
    };
    first(plant, |finding| finding.kind == Kind::NewService && finding.service == "fraud");
    let (mut here, others) = fleet(7);
    plant(&mut here);
    assert_eq!(of(&here, &others).len(), 1);
}

#[test]
fn a_missing_and_a_new_line() {
    let key = || ("checkout".to_owned(), "done in <*>".to_owned());
    first(
        |here| assert!(here.templates.remove(&key()).is_some()),
        |finding| finding.kind == Kind::MissingTemplate && finding.service == "checkout",
    );
    first(
        |here| {
            here.templates.insert(("cart".into(), "fell back".into()), Count { records: 2, errors: 0 });
        },
        |finding| finding.kind == Kind::NewTemplate && finding.template.as_deref() == Some("fell back"),
    );
}

#[test]
fn a_slow_service_is_told_before_those_that_wait_for_it() {
    let plant = |here: &mut Profile| {
        for name in ["gateway", "checkout", "cart", "payments"] {
            if let Some(service) = here.services.get_mut(name) {
                service.duration_ns += 5_000 * MS;
            }
        }
    };
    first(plant, |finding| finding.kind == Kind::Slow && finding.service == "payments");
    let (mut here, others) = fleet(7);
    plant(&mut here);
    let finding = &of(&here, &others)[0];
    assert!(finding.p50.unwrap() < 200 * MS && finding.here.unwrap() > 5_000 * MS, "{finding:?}");
    assert!(
        finding.text.starts_with("payments took 5.") && finding.text.contains("others half took up to"),
        "{finding:?}"
    );
}

#[test]
fn a_silence() {
    let plant = |pair: (&str, &str)| {
        let pair = (pair.0.to_owned(), pair.1.to_owned());
        move |here: &mut Profile| {
            here.silences_ns.insert(pair.clone(), 1_800 * MS);
        }
    };
    let is_it = |finding: &Finding| finding.kind == Kind::SlowSilence && finding.here == Some(1_800 * MS);
    first(plant(("gateway", "payments")), is_it);
    // Two that were never seen to follow each other.
    first(plant(("mailer", "billing")), is_it);
}

#[test]
fn the_first_error_is_told_first() {
    let plant = |here: &mut Profile| {
        for (name, place) in [("gateway", 30), ("checkout", 20), ("payments", 10)] {
            let service = here.services.get_mut(name).unwrap();
            (service.errors, service.first_error) = (1, Some(place));
            let key = (name.to_owned(), format!("{name} failed"));
            here.templates.insert(key, Count { records: 1, errors: 1 });
        }
        forget(here, "mailer");
    };
    let is_it = |finding: &Finding| finding.kind == Kind::NewTemplate && finding.service == "payments";
    first(plant, is_it);
    let (mut here, others) = fleet(7);
    plant(&mut here);
    let kinds: Vec<_> = of(&here, &others).iter().map(|finding| (finding.kind, finding.service.clone())).collect();
    assert_eq!(kinds[1], (Kind::MoreErrors, "payments".into()));
    assert_eq!(kinds.last(), Some(&(Kind::MissingService, "mailer".into())));
}

#[test]
fn a_storm_of_retries() {
    first(
        |here| here.services.get_mut("cart").unwrap().records += 60,
        |finding| finding.kind == Kind::MoreRecords && finding.service == "cart" && finding.here > Some(60),
    );
}

#[test]
fn few_others_say_nothing() {
    let (mut here, others) = fleet(7);
    forget(&mut here, "mailer");
    assert!(of(&here, &others[..OTHERS_MIN - 1]).is_empty());
    assert_eq!(of(&here, &others[..OTHERS_MIN]).len(), 1);
    assert!(of(&here, &[]).is_empty());
}
