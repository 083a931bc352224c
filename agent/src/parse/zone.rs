//! The zone in which a source's clock is read when its lines do not say. Pure once it is built.

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};

use super::time::NS;

/// A time zone.
#[derive(Clone, Debug, Default)]
pub enum Zone {
    #[default]
    Utc,
    /// Seconds east of Greenwich.
    Fixed(i64),
    Named(TimeZone),
}

impl Zone {
    /// `UTC`, `local`, `+02:00`, or a name of the zone database: the system's, or the one that comes along where there is none, as in
    /// a small container. It is read here and never again.
    pub fn new(name: &str) -> Result<Zone, String> {
        if matches!(name, "UTC" | "utc" | "Z" | "GMT") {
            return Ok(Zone::Utc);
        }
        if name == "local" {
            return Ok(Zone::Named(TimeZone::system()));
        }
        if let (Some(offset), end) = super::time::zone_seconds(name.as_bytes(), 0)
            && end == name.len()
        {
            return Ok(Zone::Fixed(offset));
        }
        TimeZone::get(name).map(Zone::Named).map_err(|_| {
            format!(
                "unknown time zone {name:?}; write UTC, local, an offset such as +02:00, or a name such as Europe/Berlin"
            )
        })
    }

    /// The instant at which a clock of this zone shows `clock_ns`. Of two, when clocks are set back, the earlier.
    #[inline]
    pub fn instant_ns(&self, clock_ns: i64) -> Option<i64> {
        match self {
            Zone::Utc => Some(clock_ns),
            Zone::Fixed(offset) => clock_ns.checked_sub(offset * NS),
            Zone::Named(zone) => {
                let clock = Timestamp::new(clock_ns.div_euclid(NS), 0).ok()?;
                let civil = Offset::UTC.to_datetime(clock);
                let instant = zone.to_timestamp(civil).ok()?;
                instant.as_second().checked_mul(NS)?.checked_add(clock_ns.rem_euclid(NS))
            }
        }
    }
}

/// Hours and minutes east of Greenwich of the abbreviations that mean one zone only, as seconds.
pub fn abbreviation(name: &[u8]) -> Option<i64> {
    Some(match name {
        b"UTC" | b"GMT" | b"Z" | b"WET" => 0,
        b"CET" | b"WEST" => 3600,
        b"CEST" | b"EET" => 2 * 3600,
        b"EEST" | b"MSK" => 3 * 3600,
        b"JST" => 9 * 3600,
        b"EDT" => -4 * 3600,
        b"EST" | b"CDT" => -5 * 3600,
        b"MDT" => -6 * 3600,
        b"PDT" => -7 * 3600,
        b"PST" => -8 * 3600,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_instants() {
        let noon = 1_795_435_200 * NS;
        for (name, before) in [("UTC", 0), ("+02:00", 7200), ("-0500", -18_000)] {
            assert_eq!(Zone::new(name).unwrap().instant_ns(noon + 5), Some(noon - before * NS + 5), "{name}");
        }
        assert!(Zone::new("local").is_ok());
        let berlin = Zone::new("Europe/Berlin").unwrap();
        assert_eq!(berlin.instant_ns(noon + 5), Some(noon - 3600 * NS + 5));
        // 2026-07-01T12:00:00, in summer.
        let summer = 1_782_907_200 * NS;
        assert_eq!(berlin.instant_ns(summer), Some(summer - 2 * 3600 * NS));
        // 2026-10-25T02:30:00 comes twice; the first of the two is in summer time.
        let twice = 1_792_895_400 * NS;
        assert_eq!(berlin.instant_ns(twice), Some(twice - 2 * 3600 * NS));
        // 2026-03-29T02:30:00 does not exist: the clock went on from 02:00 to 03:00.
        let never = 1_774_751_400 * NS;
        assert_eq!(berlin.instant_ns(never), Some(never - 3600 * NS));
        let kolkata = Zone::new("Asia/Kolkata").unwrap();
        assert_eq!(kolkata.instant_ns(noon), Some(noon - 19_800 * NS));
        assert!(
            Zone::new("Europe/Berlinn").unwrap_err().starts_with("unknown time zone \"Europe/Berlinn\"; write UTC")
        );
    }
}
