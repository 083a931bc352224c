//! The loop of a target: choose an input, change it, look whether what is promised holds.

use std::cell::Cell;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::{mutate, shrink};

/// Of the inputs that were answered in a new way, so many are kept beside the seeds.
const KEPT_MAX: usize = 4096;
const CHANGES_MAX: u32 = 6;
const INPUT_BYTES_MAX: usize = 4096;
/// Under a clock, an input that takes longer is a failure: it would hold up every line behind it.
const INPUT_TIME_MAX: Duration = Duration::from_secs(5);

/// One target.
pub struct Fuzz {
    name: &'static str,
    rounds: u32,
    bytes_max: usize,
    seeds: Vec<Vec<u8>>,
    tokens: &'static [&'static str],
}

impl Fuzz {
    /// `rounds` is about a second's worth in a debug build.
    pub fn new(name: &'static str, rounds: u32) -> Self {
        Self { name, rounds, bytes_max: INPUT_BYTES_MAX, seeds: vec![Vec::new()], tokens: &[] }
    }

    /// Real inputs to begin with.
    pub fn seeds(mut self, seeds: impl IntoIterator<Item = Vec<u8>>) -> Self {
        self.seeds.extend(seeds);
        self
    }

    /// What the format is made of.
    pub fn tokens(mut self, tokens: &'static [&'static str]) -> Self {
        self.tokens = tokens;
        self
    }

    /// Inputs are no longer than this instead of 4 KiB, seeds apart.
    pub fn bytes_max(mut self, bytes_max: usize) -> Self {
        self.bytes_max = bytes_max;
        self
    }

    /// Runs it. `check` panics when a promise is broken; what it answers says in which way the input was understood.
    pub fn run<A: Hash>(mut self, check: impl Fn(&[u8]) -> A) {
        if let Some(path) = std::env::var_os("CLEW_FUZZ_INPUT") {
            let input = std::fs::read(&path).unwrap_or_else(|error| panic!("read {}: {error}", path.display()));
            check(&input);
            return;
        }
        self.seeds.extend(found(self.name));
        silence_panics_inside_of_checks();
        let check = |input: &[u8]| {
            INSIDE.set(true);
            let answer = catch_unwind(AssertUnwindSafe(|| check(input)));
            INSIDE.set(false);
            answer.map_err(|panic| message(&*panic))
        };
        let seconds = number("CLEW_FUZZ_SECONDS");
        let deadline = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
        let seed = number("CLEW_FUZZ_SEED").unwrap_or(1);
        let mut random = Rng::with_seed(seed ^ hash(self.name));
        let mut answers = HashSet::new();
        let mut kept = Vec::new();
        for seed in &self.seeds {
            match check(seed) {
                Ok(answer) => drop(answers.insert(hash(answer))),
                Err(error) => self.fail(seed, &error, &check),
            }
        }
        let mut round = 0_u32;
        while deadline.map_or(round < self.rounds, |deadline| Instant::now() < deadline) {
            round += 1;
            let any = |random: &mut Rng| match random.usize(..self.seeds.len() + kept.len()) {
                index if index < self.seeds.len() => &self.seeds[index],
                index => &kept[index - self.seeds.len()],
            };
            let (mut input, other): (Vec<u8>, &Vec<u8>) = (any(&mut random).clone(), any(&mut random));
            for _ in 0..random.u32(1..=CHANGES_MAX) {
                mutate::mutate(&mut random, &mut input, other, self.tokens);
            }
            input.truncate(self.bytes_max);
            let begin = deadline.map(|_| Instant::now());
            match check(&input) {
                Ok(answer) => {
                    if answers.insert(hash(answer)) && kept.len() < KEPT_MAX {
                        kept.push(input.clone());
                    }
                }
                Err(error) => self.fail(&input, &error, &check),
            }
            if begin.is_some_and(|begin| begin.elapsed() > INPUT_TIME_MAX) {
                self.fail(&input, "it took too long", &|_: &[u8]| Err::<A, _>(String::new()));
            }
        }
        eprintln!("{}: {round} rounds from seed {seed}, {} kept of {} answers", self.name, kept.len(), answers.len());
    }

    /// Makes the input small, keeps it, and says how to run it again.
    fn fail<A>(&self, input: &[u8], error: &str, check: &impl Fn(&[u8]) -> Result<A, String>) -> ! {
        let small = shrink::shrink(input, |input| check(input).is_err());
        let error = check(&small).err().filter(|error| !error.is_empty()).unwrap_or_else(|| error.to_owned());
        let path = folder("../target/fuzz").join(format!("{}-{:08x}", self.name, hash(&small) as u32));
        std::fs::create_dir_all(folder("../target/fuzz")).expect("target/fuzz can be made");
        std::fs::write(&path, &small).expect("target/fuzz can be written to");
        panic!(
            "{error}\ninput of {} bytes: {:?}\nrun it again: CLEW_FUZZ_INPUT={} cargo test -p clew-tests --test fuzz {}",
            small.len(),
            String::from_utf8_lossy(&small[..small.len().min(1000)]),
            path.display(),
            self.name
        );
    }
}

/// Inputs that failed once.
fn found(name: &str) -> Vec<Vec<u8>> {
    let Ok(entries) = std::fs::read_dir(folder("tests/fuzz/found").join(name)) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("a file of found/").path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).expect("a file of found/ can be read")).collect()
}

/// Of this crate.
fn folder(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok().filter(|text| !text.is_empty())?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text:?} is no number")))
}

fn hash(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default() + &PLACE.take()
}

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
    static PLACE: Cell<String> = const { Cell::new(String::new()) };
}

/// A thousand panics on the way to a small input are not for the reader; the last one's place is.
fn silence_panics_inside_of_checks() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if INSIDE.get() {
                PLACE.set(info.location().map(|place| format!("\nat {place}")).unwrap_or_default());
            } else {
                before(info);
            }
        }));
    });
}

#[test]
fn a_broken_promise_is_found_and_made_small() {
    let check = |input: &[u8]| assert!(!input.windows(2).any(|pair| pair == b"=="), "two of them");
    let run = || Fuzz::new("broken", 100_000).seeds([b"some=text".to_vec()]).run(check);
    let panic = catch_unwind(run).expect_err("it is found");
    let text = message(&*panic);
    assert!(text.starts_with("two of them") && text.contains("input of 2 bytes: \"==\""), "{text}");
    let path = text.split_once("CLEW_FUZZ_INPUT=").and_then(|(_, rest)| rest.split_once(' ')).expect("a command").0;
    assert_eq!(std::fs::read(path).expect("the file that the command names"), b"==");
    std::fs::remove_file(path).expect("it can be deleted");
}
