//! What is done with the records of one source: how its lines are framed and read, what is left out, what is redacted.
//! Compiled once from the configuration; pure.

use crate::assemble::joining::{Joining, RawJoining};
use crate::frame::encoding::Encoding;
use crate::frame::{self, Framing};
use crate::parse::id_pattern::{IdPattern, RawIdPattern};
use crate::parse::reading::{RawReading, Reading};
use crate::record::IdKind;
use crate::rules::attach::{Attach, RawAttach};
use crate::rules::join::{Join, RawJoin};
use crate::rules::keep::{Keep, RawDrop, RawSample};
use crate::rules::redact::{RawRedact, Redact};

/// As the configuration has it.
#[derive(Debug, Default)]
pub struct RawTreatment {
    pub format: Option<String>,
    pub encoding: Option<String>,
    pub time_zone: Option<String>,
    pub time_patterns: Vec<String>,
    pub multiline: RawJoining,
    pub id: Vec<RawIdPattern>,
    pub redact: Vec<RawRedact>,
    pub drop: Vec<RawDrop>,
    pub sample: Vec<RawSample>,
    pub attach: Option<RawAttach>,
    pub join: Option<RawJoin>,
}

/// Ready for use.
#[derive(Debug)]
pub struct Treatment {
    /// None: the file's first line tells.
    framing: Option<Framing>,
    /// None: UTF-8, unless a byte order mark says otherwise.
    encoding: Option<Encoding>,
    pub reading: Reading,
    pub joining: Joining,
    pub ids: Vec<IdPattern>,
    pub keep: Keep,
    pub redact: Redact,
    pub line_rule: Option<LineRule>,
}

/// Rules that look further than one record: at the lines around it, or at those of another file.
#[derive(Debug)]
pub enum LineRule {
    Attach(Attach),
    Join(Join),
}

/// How the bytes of a file become lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lines {
    /// As they stand there.
    Plain,
    Framed(Framing),
    Encoded(Encoding),
}

const CONTAINER_FORMATS: [(&str, Framing); 2] = [("cri", Framing::Cri), ("docker", Framing::Docker)];

impl Default for Treatment {
    fn default() -> Self {
        Self::new(&RawTreatment::default()).expect("the defaults are valid")
    }
}

impl Treatment {
    /// Checks and compiles; what is wrong is told in one line.
    pub fn new(raw: &RawTreatment) -> Result<Self, String> {
        let format = raw.format.as_deref().unwrap_or("auto");
        let container = CONTAINER_FORMATS.iter().find(|(name, _)| *name == format).map(|(_, framing)| *framing);
        let reading = RawReading {
            time_zone: raw.time_zone.clone(),
            time_patterns: raw.time_patterns.clone(),
            format: raw.format.clone().filter(|_| container.is_none()),
        };
        let encoding = raw.encoding.as_deref().filter(|label| *label != "auto").map(Encoding::new).transpose()?;
        Ok(Self {
            framing: container.or((format != "auto").then_some(Framing::Plain)),
            encoding,
            reading: Reading::new(&reading)?,
            joining: Joining::new(&raw.multiline)?,
            ids: raw.id.iter().map(IdPattern::new).collect::<Result<_, _>>()?,
            keep: Keep::new(&raw.drop, &raw.sample)?,
            redact: Redact::new(raw.redact.clone())?,
            line_rule: match (&raw.attach, &raw.join) {
                (None, None) => None,
                (Some(attach), None) => Some(LineRule::Attach(Attach::new(attach)?)),
                (None, Some(join)) => Some(LineRule::Join(Join::new(join.clone())?)),
                (Some(_), Some(_)) => {
                    return Err("attach and join give a record an ID each; one source has one of them".into());
                }
            },
        })
    }

    /// What a file is made of that begins with these bytes. None: too few to tell.
    pub fn lines(&self, first_bytes: &[u8]) -> Option<Lines> {
        if let Some(encoding) = self.encoding {
            return Some(if encoding.is_utf8() { Lines::Plain } else { Lines::Encoded(encoding) });
        }
        if let Some((encoding, _)) = Encoding::sniff(first_bytes).filter(|(encoding, _)| !encoding.is_utf8()) {
            return Some(Lines::Encoded(encoding));
        }
        match self.framing {
            Some(Framing::Plain) => Some(Lines::Plain),
            Some(framing) => Some(Lines::Framed(framing)),
            None => frame::detect(first_bytes).map(|framing| match framing {
                Framing::Plain => Lines::Plain,
                framing => Lines::Framed(framing),
            }),
        }
    }

    /// Whether records are shipped as they are, with what is found in them by itself.
    pub fn changes_nothing(&self) -> bool {
        self.ids.is_empty() && self.keep.is_empty() && self.redact.is_empty() && !self.gives_ids()
    }

    /// Whether a record may get an ID that does not stand in it.
    pub fn gives_ids(&self) -> bool {
        match &self.line_rule {
            None => false,
            Some(LineRule::Attach(_)) => true,
            Some(LineRule::Join(join)) => !join.is_access(),
        }
    }

    /// What the IDs are that records get.
    pub fn kind_given(&self) -> IdKind {
        match &self.line_rule {
            Some(LineRule::Attach(attach)) => attach.kind(),
            _ => IdKind::Request,
        }
    }

    /// Its side of a join.
    pub fn join(&self) -> Option<&Join> {
        match &self.line_rule {
            Some(LineRule::Join(join)) => Some(join),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_tells_what_a_file_is_made_of() {
        let auto = Treatment::new(&RawTreatment::default()).unwrap();
        assert_eq!(auto.lines(b"2026-11-25T12:00:00Z stdout F x\n"), Some(Lines::Framed(Framing::Cri)));
        assert_eq!(auto.lines(b"{\"a\":1}\n"), Some(Lines::Plain));
        assert_eq!(auto.lines(b"half a li"), None);
        assert!(matches!(auto.lines(b"\xff\xfea\0\n\0"), Some(Lines::Encoded(_))));
        let json = Treatment::new(&RawTreatment { format: Some("json".into()), ..RawTreatment::default() }).unwrap();
        assert_eq!(json.lines(b"half"), Some(Lines::Plain));
        let cri = Treatment::new(&RawTreatment { format: Some("cri".into()), ..RawTreatment::default() }).unwrap();
        assert_eq!(cri.lines(b""), Some(Lines::Framed(Framing::Cri)));
    }

    #[test]
    fn what_is_misspelt_is_answered() {
        for raw in [
            RawTreatment { format: Some("jsno".into()), ..RawTreatment::default() },
            RawTreatment { encoding: Some("latin-eins".into()), ..RawTreatment::default() },
            RawTreatment { time_zone: Some("Mars/Olympus".into()), ..RawTreatment::default() },
        ] {
            let error = Treatment::new(&raw).unwrap_err();
            assert!(error.contains("jsno") || error.contains("latin-eins") || error.contains("Mars"), "{error}");
        }
    }
}
