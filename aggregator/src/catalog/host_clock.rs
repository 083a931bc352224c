//! A host's clock against ours, over time, and what a stamp of that clock means on ours.
//!
//! An agent measures how far its clock is from ours every few seconds (`v1::Ping`). What it measured is kept as *spells*: stretches of
//! our time in which one offset held, give or take. Between two spells the clock was set, or slid: there either offset may have
//! held. A stamp is turned into an *interval* of our time that holds the moment when it was read off that clock, whatever the
//! clock did, as long as it was set no more than once between two measurements. Stored times are not touched.

use std::ops::RangeInclusive;

/// An oscillator without discipline, and one that is being slewed by ntpd, is off by no more: 500 parts in a million.
const DRIFT_PPM: i128 = 500;
/// Offsets so close together belong to one spell: a clock under NTP wanders within it.
const WANDER_NS: i64 = 2_000_000;
/// Measurements of one spell follow each other within this time.
const APART_NS: i64 = 10_000_000_000;
/// A clock counts as measured so long before its first measurement and after its last one, where nothing but its offset is shown.
const BEYOND_NS: i64 = 600_000_000_000;
/// Spells of one clock that are kept. Beyond that the older half is made coarser: its intervals grow, and stay true.
pub const SPELLS_MAX: usize = 512;

/// A stretch of time in which one offset held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spell {
    /// The first measurement, nanoseconds since the epoch by our clock.
    pub begin_ns: i64,
    /// The last one.
    pub end_ns: i64,
    /// Our clock minus the host's: no less than this in all of it.
    pub offset_min_ns: i64,
    /// No more than this.
    pub offset_max_ns: i64,
    /// Made of several, between which the clock was set: a later stamp need not be a later moment.
    pub is_joined: bool,
}

/// All that was measured of a host's clock, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostClock {
    spells: Vec<Spell>,
    /// The least and the greatest offset of all spells.
    offsets: Option<(i64, i64)>,
    /// The host's own word for how often its clock was set (`v1::Watermark`), when it was measured last; zero: none. Not kept: after
    /// a start another spell begins.
    era: u64,
}

/// When a stamp was read off its clock, by ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// No earlier.
    pub earliest: i64,
    /// No later.
    pub latest: i64,
    /// Most likely.
    pub at: i64,
    /// The spell that it falls into, if it is one alone: there the order of two stamps of this clock is that of their times.
    pub spell: Option<usize>,
}

/// What is known of a clock at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Our clock minus the host's.
    pub offset_ns: i64,
    /// Give or take.
    pub uncertainty_ns: u64,
    /// Somebody measured then; otherwise nothing is known.
    pub is_measured: bool,
    /// The clock was set, or slid beyond a wander, in the time that was asked for.
    pub is_stepped: bool,
}

impl HostClock {
    /// From what was kept.
    pub fn new(spells: Vec<Spell>) -> Self {
        let mut clock = Self { spells, ..Self::default() };
        for index in 0..clock.spells.len() {
            clock.widen(clock.spells[index]);
        }
        clock
    }

    fn widen(&mut self, spell: Spell) {
        let (min, max) = self.offsets.unwrap_or((spell.offset_min_ns, spell.offset_max_ns));
        self.offsets = Some((min.min(spell.offset_min_ns), max.max(spell.offset_max_ns)));
    }

    /// To be kept.
    pub fn spells(&self) -> &[Spell] {
        &self.spells
    }

    /// At `now_ns` by our clock the host's was measured, in an era of it. True: it begins a spell, because the clock was set, or slid, or is
    /// known much better or worse than before. What it was set by may be less than the uncertainty: then its era alone tells.
    pub fn measured(&mut self, now_ns: i64, offset_ns: i64, uncertainty_ns: u64, era: u64) -> bool {
        let is_same_era = std::mem::replace(&mut self.era, era) == era;
        let uncertainty = i64::try_from(uncertainty_ns).unwrap_or(i64::MAX);
        let (min, max) = (offset_ns.saturating_sub(uncertainty), offset_ns.saturating_add(uncertainty));
        // When it was measured is as uncertain as what: a spell holds from the latest moment of its first measurement to the earliest
        // one of its last.
        let (surely_before_ns, surely_since_ns) =
            (now_ns.saturating_sub(uncertainty), now_ns.saturating_add(uncertainty));
        let spell = Spell {
            begin_ns: surely_since_ns,
            end_ns: surely_since_ns,
            offset_min_ns: min,
            offset_max_ns: max,
            is_joined: false,
        };
        let Some(last) = self.spells.last_mut() else {
            self.spells.push(spell);
            self.widen(spell);
            return false;
        };
        let (low, high) = (last.offset_min_ns, last.offset_max_ns);
        let (joined_min, joined_max) = (low.min(min), high.max(max));
        let (width, known_width) = (max.saturating_sub(min), high.saturating_sub(low));
        // Where nobody measured for a while the clock may have slid there and back.
        let follows = is_same_era && now_ns.saturating_sub(last.end_ns) <= APART_NS;
        let are_alike = |left: i64, right: i64| left <= right.saturating_mul(2).max(2 * WANDER_NS);
        if follows && are_alike(joined_max.saturating_sub(joined_min), width) && are_alike(width, known_width) {
            (last.offset_min_ns, last.offset_max_ns) = (joined_min, joined_max);
            last.end_ns = last.end_ns.max(surely_before_ns);
            self.widen(spell);
            return false;
        }
        // Our own clock may have been set back: spells do not overlap.
        let begin_ns = surely_since_ns.max(last.end_ns);
        self.spells.push(Spell { begin_ns, end_ns: begin_ns, ..spell });
        self.widen(spell);
        if self.spells.len() > SPELLS_MAX {
            self.coarsen();
        }
        true
    }

    /// Joins the older half of the spells two by two.
    fn coarsen(&mut self) {
        let half = self.spells.len() / 2;
        let newer = self.spells.split_off(half);
        let older = std::mem::take(&mut self.spells);
        self.spells =
            older.chunks(2).map(|pair| pair.iter().copied().reduce(Spell::join).expect("no chunk is empty")).collect();
        self.spells.extend(newer);
    }

    /// When the stamps of `stamps` were read, where the record was here at `received_ns`. None: nobody measured this clock near
    /// that time.
    pub fn interval(&self, stamps: RangeInclusive<i64>, received_ns: i64) -> Option<Interval> {
        let (first, last) = (*stamps.start(), *stamps.end());
        let (lowest, highest) = self.offsets?;
        let (from, to) = (first.saturating_add(lowest), last.saturating_add(highest));
        let begin = self.spells.partition_point(|spell| spell.end_ns < from).saturating_sub(1);
        let mut found: Option<Interval> = None;
        let is_near = |index: &usize| index.checked_sub(1).is_none_or(|before| self.spells[before].end_ns <= to);
        for (piece, spell) in (begin..self.spells.len()).take_while(is_near).flat_map(|index| self.pieces(index)) {
            let spell = spell.filter(|spell| !self.spells[*spell].is_joined);
            let Some(interval) = piece.interval(first, last, received_ns, spell) else { continue };
            found = Some(found.map_or(interval, |other| other.join(interval)));
        }
        let measured_first = self.spells.first()?;
        let begin_ns = measured_first.begin_ns;
        let may_be_before = first.saturating_add(measured_first.offset_min_ns) < begin_ns
            && last.saturating_add(measured_first.offset_max_ns) >= begin_ns;
        if may_be_before || (found.is_none() && to < begin_ns) {
            // Of a time before anybody measured: the clock may have been set since.
            return None;
        }
        // What came in after the last measurement may have been stamped by a clock that was set since: nothing is known of it but
        // that it was written between that measurement and its receipt. The next measurement, a second later, tells.
        let measured = self.spells.last()?;
        if received_ns > measured.end_ns {
            let about = first.saturating_add(middle(measured.offset_min_ns, measured.offset_max_ns));
            let (earliest, latest) = (measured.end_ns, received_ns);
            let since = Interval { earliest, latest, at: about.clamp(earliest, latest), spell: None };
            // Where it is known when it was written the likeliest moment stays.
            found = Some(found.map_or(since, |other| Interval { at: other.at, ..other.join(since) }));
        }
        found
    }

    /// What is between spell `index` and the one before it, and the spell itself.
    fn pieces(&self, index: usize) -> impl Iterator<Item = (Piece, Option<usize>)> {
        let spell = &self.spells[index];
        // A moment belongs to both, so that nothing falls in between.
        let between = index.checked_sub(1).map(|before| (Piece::between(&self.spells[before], spell), None));
        between.into_iter().chain([(Piece::of(spell), Some(index))])
    }

    /// What is known of it between two times by our clock.
    pub fn reading(&self, from_ns: i64, to_ns: i64) -> Reading {
        let near = |spell: &&Spell| {
            spell.begin_ns.saturating_sub(BEYOND_NS) <= to_ns && spell.end_ns.saturating_add(BEYOND_NS) >= from_ns
        };
        let near: Vec<_> = self.spells.iter().filter(near).collect();
        let within = |spell: &&Spell| spell.begin_ns <= to_ns && spell.end_ns >= from_ns;
        let within: Vec<_> = near.iter().copied().filter(within).collect();
        let distance = |spell: &&&Spell| spell.begin_ns.saturating_sub(to_ns).max(from_ns.saturating_sub(spell.end_ns));
        let nearest = within.last().copied().or_else(|| near.iter().min_by_key(distance).copied());
        match nearest {
            None => Reading { offset_ns: 0, uncertainty_ns: 0, is_measured: false, is_stepped: false },
            Some(spell) => Reading {
                offset_ns: middle(spell.offset_min_ns, spell.offset_max_ns),
                uncertainty_ns: spell.offset_max_ns.abs_diff(spell.offset_min_ns).div_ceil(2),
                is_measured: true,
                is_stepped: within.len() > 1,
            },
        }
    }
}

impl Spell {
    fn join(self, other: Self) -> Self {
        Self {
            begin_ns: self.begin_ns.min(other.begin_ns),
            end_ns: self.end_ns.max(other.end_ns),
            offset_min_ns: self.offset_min_ns.min(other.offset_min_ns),
            offset_max_ns: self.offset_max_ns.max(other.offset_max_ns),
            is_joined: true,
        }
    }
}

impl Interval {
    fn join(self, other: Self) -> Self {
        Self {
            earliest: self.earliest.min(other.earliest),
            latest: self.latest.max(other.latest),
            // What is shipped was written a moment ago, as a rule.
            at: self.at.max(other.at),
            spell: self.spell.filter(|_| self.spell == other.spell),
        }
    }
}

/// A stretch of our time with what the offset may have been in it.
struct Piece {
    begin_ns: i64,
    end_ns: i64,
    offset_min_ns: i64,
    offset_max_ns: i64,
}

impl Piece {
    fn of(spell: &Spell) -> Self {
        Self {
            begin_ns: spell.begin_ns,
            end_ns: spell.end_ns,
            offset_min_ns: spell.offset_min_ns,
            offset_max_ns: spell.offset_max_ns,
        }
    }

    fn between(before: &Spell, after: &Spell) -> Self {
        let drift = drift(after.begin_ns.saturating_sub(before.end_ns) / 2);
        let both = before.join(*after);
        Self {
            begin_ns: before.end_ns,
            end_ns: after.begin_ns,
            offset_min_ns: both.offset_min_ns.saturating_sub(drift),
            offset_max_ns: both.offset_max_ns.saturating_add(drift),
        }
    }

    fn interval(&self, first: i64, last: i64, received_ns: i64, spell: Option<usize>) -> Option<Interval> {
        let (min, max) = (self.offset_min_ns, self.offset_max_ns);
        let earliest = first.saturating_add(min).max(self.begin_ns);
        let latest = last.saturating_add(max).min(self.end_ns);
        let at = first.saturating_add(middle(min, max)).clamp(earliest, latest.max(earliest));
        // The receipt excludes moments, and cuts none short: within a spell the order of stamps shall be that of moments.
        (earliest <= latest.min(received_ns)).then_some(Interval { earliest, latest, at, spell })
    }
}

fn drift(distance_ns: i64) -> i64 {
    (i128::from(distance_ns) * DRIFT_PPM / 1_000_000) as i64
}

fn middle(min: i64, max: i64) -> i64 {
    (i128::midpoint(i128::from(min), i128::from(max))) as i64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: i64 = 1_000_000_000;

    fn clock(spells: &[(i64, i64, i64, i64)]) -> HostClock {
        let spell = |(begin_ns, end_ns, offset_min_ns, offset_max_ns): &(i64, i64, i64, i64)| Spell {
            begin_ns: *begin_ns,
            end_ns: *end_ns,
            offset_min_ns: *offset_min_ns,
            offset_max_ns: *offset_max_ns,
            is_joined: false,
        };
        HostClock::new(spells.iter().map(spell).collect())
    }

    #[test]
    fn a_steady_clock_is_one_spell() {
        let mut clock = HostClock::default();
        for second in 0..1000 {
            assert!(!clock.measured(second * SECOND, 70 * SECOND + (second % 7) * 100_000, 500_000 + second as u64, 0));
        }
        let [spell] = clock.spells() else { panic!("{:?}", clock.spells()) };
        assert!((0..SECOND).contains(&spell.begin_ns) && spell.end_ns > 998 * SECOND, "{spell:?}");
        let interval = clock.interval(0..=0, 71 * SECOND).unwrap();
        assert!(interval.earliest <= 70 * SECOND && interval.latest >= 70 * SECOND + 600_000);
        assert!(interval.latest - interval.earliest < 3_000_000, "{interval:?}");
        assert_eq!(interval.spell, Some(0));
    }

    #[test]
    fn a_sliding_clock_makes_spells_that_stay_narrow() {
        let mut clock = HostClock::default();
        for second in 0..10_000 {
            clock.measured(second * SECOND, second * 50_000, 100_000, 0);
        }
        for spell in clock.spells() {
            assert!(spell.offset_max_ns - spell.offset_min_ns <= 2 * WANDER_NS, "{spell:?}");
        }
        assert!(clock.spells().len() < 200, "{}", clock.spells().len());
    }

    #[test]
    fn a_clock_that_was_set_back_shows_a_time_twice() {
        // At 100 s the host's clock goes back by 10 s: offset 0 until then, +10 s since.
        let clock = clock(&[(0, 99 * SECOND, 0, 0), (101 * SECOND, 200 * SECOND, 10 * SECOND, 10 * SECOND)]);
        let twice = clock.interval(95 * SECOND..=95 * SECOND, 190 * SECOND).unwrap();
        assert_eq!((twice.earliest, twice.latest, twice.spell), (95 * SECOND, 105 * SECOND, None));
        let shipped_before = clock.interval(95 * SECOND..=95 * SECOND, 96 * SECOND).unwrap();
        assert_eq!((shipped_before.earliest, shipped_before.latest), (95 * SECOND, 95 * SECOND));
        let after = clock.interval(150 * SECOND..=150 * SECOND, 190 * SECOND).unwrap();
        assert_eq!((after.earliest, after.latest, after.spell), (160 * SECOND, 160 * SECOND, Some(1)));
    }

    #[test]
    fn a_clock_that_is_set_by_less_than_its_uncertainty_begins_a_spell_all_the_same() {
        let mut clock = HostClock::default();
        for second in 0..20 {
            clock.measured(second * SECOND, 0, 60_000_000, 5 + u64::from(second >= 10));
        }
        assert_eq!(clock.spells().len(), 2);
        // It was set somewhere in the tenth second: what was stamped around then is of neither spell for certain.
        let interval = |at: i64| clock.interval(at..=at, 18 * SECOND).unwrap();
        assert_eq!((interval(5 * SECOND).spell, interval(15 * SECOND).spell), (Some(0), Some(1)));
        assert_eq!(interval(9 * SECOND + SECOND / 2).spell, None);
        // Made coarser, they say nothing of the order of stamps.
        let coarser = HostClock::new(vec![clock.spells[0].join(clock.spells[1])]);
        assert_eq!(coarser.interval(5 * SECOND..=5 * SECOND, 18 * SECOND).unwrap().spell, None);
    }

    #[test]
    fn nothing_is_known_where_nobody_measured() {
        let clock = clock(&[(1000 * SECOND, 2000 * SECOND, 0, 0)]);
        assert_eq!(clock.interval(100 * SECOND..=100 * SECOND, 1001 * SECOND), None);
        assert_eq!(HostClock::default().interval(0..=0, 0), None);
        assert_eq!(clock.interval(999 * SECOND..=999 * SECOND, 1001 * SECOND), None);
        let later = clock.interval(2005 * SECOND..=2005 * SECOND, 2020 * SECOND).unwrap();
        assert_eq!((later.earliest, later.at, later.latest), (2000 * SECOND, 2005 * SECOND, 2020 * SECOND));
        assert!(!clock.reading(0, 1).is_measured && clock.reading(900 * SECOND, 901 * SECOND).is_measured);
    }

    /// What a clock does second by second: slides, is set, is not measured.
    #[derive(Clone, Debug)]
    enum Event {
        Slide(i64),
        Set(i64),
        Away(i64),
    }

    fn events() -> impl Strategy<Value = Vec<Event>> {
        let event = prop_oneof![
            8 => (-400_000i64..400_000).prop_map(Event::Slide),
            1 => (-20 * SECOND..20 * SECOND).prop_map(Event::Set),
            1 => (1i64..500).prop_map(Event::Away),
        ];
        prop::collection::vec(event, 1..60)
    }

    proptest! {
        /// Whatever the clock does, the interval holds the moment.
        #[test]
        fn the_moment_is_in_the_interval(
            events in events(),
            errors in prop::collection::vec(-900_000i64..900_000, 8),
            at in any::<prop::sample::Index>(),
            within in 0..SECOND,
            delay in 0..30 * SECOND,
        ) {
            let mut clock = HostClock::default();
            let (mut now, mut offset) = (1_000_000 * SECOND, 0i64);
            // Second by second: the offset at its beginning; it is set there, and slides on from there.
            let mut truth: Vec<(i64, i64, i64)> = Vec::new();
            clock.measured(now, offset, 1_000_000, 0);
            for event in &events {
                let (slide, seconds) = match event {
                    Event::Slide(slide) => (*slide, 5),
                    Event::Set(step) => { offset += step; (0, 5) }
                    Event::Away(seconds) => (0, *seconds),
                };
                for second in 0..seconds {
                    truth.push((now, offset, slide));
                    now += SECOND;
                    offset += slide;
                    let is_away = matches!(event, Event::Away(_)) && second + 1 < seconds;
                    if !is_away {
                        clock.measured(now, offset + errors[second as usize % errors.len()], 1_000_000, 0);
                    }
                }
            }
            let (begin, offset, slide) = truth[at.index(truth.len())];
            let moment = begin + within;
            let stamp = moment - offset - (i128::from(slide) * i128::from(within) / i128::from(SECOND)) as i64;
            let interval = clock.interval(stamp..=stamp, moment + delay);
            let Some(interval) = interval else {
                // A clock that is set to before it was first measured shows times of which nothing is known.
                let shown_first = clock.spells()[0].begin_ns - clock.spells()[0].offset_min_ns;
                prop_assert!(stamp <= shown_first + SECOND, "{moment} is not found in {:?}", clock.spells());
                return Ok(());
            };
            prop_assert!(interval.earliest <= moment && moment <= interval.latest, "{moment} not in {interval:?}: {:?}", clock.spells());
            prop_assert!((interval.earliest..=interval.latest).contains(&interval.at));
        }

        #[test]
        fn coarser_spells_stay_true(offsets in prop::collection::vec(-100 * SECOND..100 * SECOND, 520..700)) {
            let mut clock = HostClock::default();
            for (index, offset) in offsets.iter().enumerate() {
                clock.measured(index as i64 * SECOND, *offset, 1000, 0);
            }
            prop_assert!(clock.spells().len() <= SPELLS_MAX);
            for (index, offset) in offsets.iter().enumerate() {
                let moment = index as i64 * SECOND;
                let interval = clock.interval(moment - offset..=moment - offset, moment + SECOND);
                prop_assert!(interval.is_none_or(|interval| interval.earliest <= moment && moment <= interval.latest));
            }
        }
    }
}
