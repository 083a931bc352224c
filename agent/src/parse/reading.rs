//! How the lines of one source are to be read: zone, patterns of times, format. Pure; checked once, when the config is read.

use super::pattern::TimePattern;
use super::time;
use super::zone::Zone;
use clew_service::config::nearest;

/// The settings of one source.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// Of times that name no zone.
    pub zone: Zone,
    /// Tried before everything else.
    pub patterns: Vec<TimePattern>,
    pub format: Format,
}

/// The settings as they are written.
#[derive(Clone, Debug, Default)]
pub struct RawReading {
    /// `UTC`, `local`, `+02:00`, `Europe/Berlin`.
    pub time_zone: Option<String>,
    /// In the manner of strptime.
    pub time_patterns: Vec<String>,
    /// A name of [`Format`].
    pub format: Option<String>,
}

impl Reading {
    /// Checks the settings.
    pub fn new(raw: &RawReading) -> Result<Reading, String> {
        Ok(Reading {
            zone: raw.time_zone.as_deref().map(Zone::new).transpose()?.unwrap_or_default(),
            patterns: raw.time_patterns.iter().map(|pattern| TimePattern::new(pattern)).collect::<Result<_, _>>()?,
            format: raw.format.as_deref().map(Format::new).transpose()?.unwrap_or_default(),
        })
    }

    /// The value of a field that holds a time.
    #[inline]
    pub fn time(&self, value: &[u8]) -> Option<i64> {
        match time::value(value, &self.zone) {
            None if !self.patterns.is_empty() => {
                self.patterns.iter().find_map(|pattern| pattern.at_start(value, self, 0)).map(|(time, _)| time)
            }
            found => found,
        }
    }
}

/// Which layouts are tried. Every other one than `Auto` keeps the guesses of the others out of a source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// All of them.
    #[default]
    Auto,
    Json,
    Logfmt,
    /// All but JSON and logfmt.
    Text,
    /// RFC 3164 and RFC 5424.
    Syslog,
    Nginx,
    Apache,
    Spring,
    Log4j,
    Java,
    Python,
    Go,
    Klog,
    Tracing,
    Rails,
    Postgres,
    Mysql,
    Redis,
    Dotnet,
    Php,
}

const NAMES: &[(&str, Format)] = &[
    ("auto", Format::Auto),
    ("json", Format::Json),
    ("logfmt", Format::Logfmt),
    ("text", Format::Text),
    ("syslog", Format::Syslog),
    ("nginx", Format::Nginx),
    ("apache", Format::Apache),
    ("spring", Format::Spring),
    ("log4j", Format::Log4j),
    ("java", Format::Java),
    ("python", Format::Python),
    ("go", Format::Go),
    ("klog", Format::Klog),
    ("tracing", Format::Tracing),
    ("rails", Format::Rails),
    ("postgres", Format::Postgres),
    ("mysql", Format::Mysql),
    ("redis", Format::Redis),
    ("dotnet", Format::Dotnet),
    ("php", Format::Php),
];

impl Format {
    /// Whether lines of a layout that is not known may be looked at for a severity word.
    pub fn guesses(self) -> bool {
        matches!(self, Format::Auto | Format::Text)
    }

    /// The format of this name.
    pub fn new(name: &str) -> Result<Format, String> {
        if let Some((_, format)) = NAMES.iter().find(|(known, _)| *known == name) {
            return Ok(*format);
        }
        let names: Vec<&str> = NAMES.iter().map(|(known, _)| *known).collect();
        Err(match nearest(name, &names) {
            Some(right) => format!("unknown format {name:?}, did you mean {right:?}?"),
            None => format!("unknown format {name:?}; known are {}", names.join(", ")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_format_is_answered_with_the_right_one() {
        let raw = |format: &str| RawReading { format: Some(format.to_owned()), ..RawReading::default() };
        assert_eq!(Reading::new(&raw("klog")).unwrap().format, Format::Klog);
        assert_eq!(Reading::new(&raw("jsonn")).unwrap_err(), "unknown format \"jsonn\", did you mean \"json\"?");
        assert!(
            Reading::new(&raw("something else")).unwrap_err().starts_with("unknown format \"something else\"; known")
        );
    }
}
