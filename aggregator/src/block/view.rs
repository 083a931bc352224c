//! One block as a query reads it: a column is decoded when it is asked for, and only then.
//!
//! The text of a sealed block is overlaid (`overlay`): times and IDs are hidden in it. Whoever looks for what may stand there asks
//! for the restored text, which has every byte at the same place.

use std::cell::{OnceCell, RefCell};
use std::sync::Arc;

use super::columns::{Columns, Run};
use super::container::{Corrupt, Unzstd};
use super::decode::Payload;
use super::overlay::{self, Hidden, TimeText, VERBATIM};
use super::spelling::SpelledId;
use super::tally::Tally;
use crate::source::Source;

/// A block; see the module.
pub struct View<'a> {
    from: From<'a>,
    sources: OnceCell<(usize, Vec<Arc<Source>>)>,
    runs: OnceCell<Vec<Run>>,
    times: OnceCell<Vec<i64>>,
    severities: OnceCell<Vec<u8>>,
    flags: OnceCell<Vec<u8>>,
    ids: OnceCell<Ids>,
    lengths: OnceCell<Vec<u32>>,
    /// The text as it is stored. None if nobody asked for it before it was restored: then it was restored in place.
    stored: OnceCell<Vec<u8>>,
    restored: OnceCell<Vec<u8>>,
    lower: OnceCell<Vec<u8>>,
    lower_restored: OnceCell<Vec<u8>>,
}

enum From<'a> {
    /// Every column is there; its text may be overlaid or not.
    Decoded(&'a Columns),
    Sealed(Payload<'a>, &'a RefCell<Unzstd>),
}

/// The column of IDs.
struct Ids {
    dictionary: Vec<SpelledId>,
    counts: Vec<u8>,
    references: Vec<u32>,
}

/// The IDs of a block's records.
#[derive(Clone, Copy)]
pub struct IdsView<'v> {
    pub dictionary: &'v [SpelledId],
    /// Of each record.
    pub counts: &'v [u8],
    /// Into the dictionary, record after record.
    pub references: &'v [u32],
}

impl<'a> View<'a> {
    /// Of columns that are there.
    pub fn decoded(columns: &'a Columns) -> Self {
        Self::new(From::Decoded(columns))
    }

    /// Of a sealed block.
    pub fn sealed(payload: &'a [u8], unzstd: &'a RefCell<Unzstd>) -> Result<Self, Corrupt> {
        Ok(Self::new(From::Sealed(Payload::open(payload)?, unzstd)))
    }

    fn new(from: From<'a>) -> Self {
        Self {
            from,
            sources: OnceCell::new(),
            runs: OnceCell::new(),
            times: OnceCell::new(),
            severities: OnceCell::new(),
            flags: OnceCell::new(),
            ids: OnceCell::new(),
            lengths: OnceCell::new(),
            stored: OnceCell::new(),
            restored: OnceCell::new(),
            lower: OnceCell::new(),
            lower_restored: OnceCell::new(),
        }
    }

    /// How many records it holds.
    pub fn records(&self) -> Result<usize, Corrupt> {
        match &self.from {
            From::Decoded(columns) => Ok(columns.records()),
            From::Sealed(..) => Ok(self.decoded_sources()?.0),
        }
    }

    fn decoded_sources(&self) -> Result<&(usize, Vec<Arc<Source>>), Corrupt> {
        let From::Sealed(payload, unzstd) = &self.from else { unreachable!("these columns are there") };
        get(&self.sources, || payload.sources(&mut unzstd.borrow_mut()))
    }

    pub fn sources(&self) -> Result<&[Arc<Source>], Corrupt> {
        match &self.from {
            From::Decoded(columns) => Ok(&columns.sources),
            From::Sealed(..) => Ok(&self.decoded_sources()?.1),
        }
    }

    pub fn runs(&self) -> Result<&[Run], Corrupt> {
        match &self.from {
            From::Decoded(columns) => Ok(&columns.runs),
            From::Sealed(payload, unzstd) => {
                let (records, sources) = self.decoded_sources()?;
                let runs = get(&self.runs, || payload.runs(*records, sources.len(), &mut unzstd.borrow_mut()));
                runs.map(Vec::as_slice)
            }
        }
    }

    pub fn times(&self) -> Result<&[i64], Corrupt> {
        match &self.from {
            From::Decoded(columns) => Ok(&columns.times),
            From::Sealed(payload, unzstd) => {
                let records = self.records()?;
                get(&self.times, || payload.times(records, &mut unzstd.borrow_mut())).map(Vec::as_slice)
            }
        }
    }

    pub fn severities(&self) -> Result<&[u8], Corrupt> {
        match &self.from {
            From::Decoded(columns) => Ok(&columns.severities),
            From::Sealed(payload, unzstd) => {
                let records = self.records()?;
                get(&self.severities, || payload.severities(records, &mut unzstd.borrow_mut())).map(Vec::as_slice)
            }
        }
    }

    /// How many of all its records by minute and severity.
    pub fn tally(&self) -> Result<Tally, Corrupt> {
        if let From::Sealed(payload, unzstd) = &self.from
            && let Some(tally) = payload.tally(self.records()?, &mut unzstd.borrow_mut())?
        {
            return Ok(tally);
        }
        Ok(Tally::of(self.times()?, self.severities()?))
    }

    fn flags(&self) -> Result<&[u8], Corrupt> {
        match &self.from {
            From::Decoded(columns) => Ok(&columns.flags),
            From::Sealed(payload, unzstd) => {
                let records = self.records()?;
                get(&self.flags, || payload.flags(records, &mut unzstd.borrow_mut())).map(Vec::as_slice)
            }
        }
    }

    pub fn ids(&self) -> Result<IdsView<'_>, Corrupt> {
        match &self.from {
            From::Decoded(columns) => {
                Ok(IdsView { dictionary: &columns.ids, counts: &columns.id_counts, references: &columns.id_refs })
            }
            From::Sealed(payload, unzstd) => {
                let records = self.records()?;
                let ids = get(&self.ids, || {
                    let unzstd = &mut unzstd.borrow_mut();
                    let dictionary = payload.ids(unzstd)?;
                    let (counts, references) = payload.references(records, dictionary.len(), unzstd)?;
                    Ok(Ids { dictionary, counts, references })
                })?;
                Ok(IdsView { dictionary: &ids.dictionary, counts: &ids.counts, references: &ids.references })
            }
        }
    }

    fn decoded_text(&self) -> Result<Vec<u8>, Corrupt> {
        let From::Sealed(payload, unzstd) = &self.from else { unreachable!("these columns are there") };
        payload.text(&mut unzstd.borrow_mut())
    }

    /// The lengths of the records whose text this is.
    fn lengths_in(&self, raw: &[u8]) -> Result<&[u32], Corrupt> {
        match &self.from {
            From::Decoded(columns) => Ok(&columns.lengths),
            From::Sealed(payload, unzstd) => {
                let records = self.records()?;
                get(&self.lengths, || payload.lengths(raw, records, &mut unzstd.borrow_mut())).map(Vec::as_slice)
            }
        }
    }

    /// Bytes of text that were decoded.
    pub fn text_bytes(&self) -> u64 {
        match &self.from {
            From::Decoded(columns) => columns.raw.len() as u64,
            From::Sealed(..) => self.stored.get().or(self.restored.get()).map_or(0, |text| text.len() as u64),
        }
    }

    /// Bytes of each record in the text, line feed included.
    pub fn lengths(&self) -> Result<&[u32], Corrupt> {
        match (&self.from, self.lengths.get()) {
            (From::Decoded(columns), _) => Ok(&columns.lengths),
            (From::Sealed(..), Some(lengths)) => Ok(lengths),
            (From::Sealed(..), None) => self.lengths_in(self.text()?),
        }
    }

    /// The text, perhaps with times and IDs hidden ([`Self::hidden`] once it is there).
    pub fn text(&self) -> Result<&[u8], Corrupt> {
        match (&self.from, self.restored.get()) {
            (_, Some(restored)) => Ok(restored),
            (From::Decoded(columns), None) => Ok(&columns.raw),
            (From::Sealed(..), None) => get(&self.stored, || self.decoded_text()).map(Vec::as_slice),
        }
    }

    /// What is hidden in the text that [`Self::text`] gives.
    pub fn hidden(&self) -> Hidden {
        match &self.from {
            _ if self.restored.get().is_some() => Hidden::Nothing,
            From::Decoded(columns) => columns.hidden,
            From::Sealed(payload, _) => payload.hidden(),
        }
    }

    /// The text, perhaps with times and IDs hidden, and the same in lower case (ASCII only).
    pub fn text_lower(&self) -> Result<(&[u8], &[u8]), Corrupt> {
        // `lower` may be of the text as it was before it was restored.
        if self.restored.get().is_some() {
            return self.restored_lower();
        }
        let raw = self.text()?;
        Ok((raw, self.lower.get_or_init(|| raw.to_ascii_lowercase())))
    }

    /// The text as it was.
    pub fn restored(&self) -> Result<&[u8], Corrupt> {
        match &self.from {
            From::Decoded(columns) if columns.hidden == Hidden::Nothing => Ok(&columns.raw),
            _ => get(&self.restored, || self.restore()).map(Vec::as_slice),
        }
    }

    /// The text as it was, and the same in lower case (ASCII only).
    pub fn restored_lower(&self) -> Result<(&[u8], &[u8]), Corrupt> {
        let raw = self.restored()?;
        Ok((raw, self.lower_restored.get_or_init(|| raw.to_ascii_lowercase())))
    }

    fn restore(&self) -> Result<Vec<u8>, Corrupt> {
        let mut raw = match (&self.from, self.stored.get()) {
            (From::Decoded(columns), _) => columns.raw.clone(),
            (From::Sealed(..), Some(stored)) => stored.clone(),
            (From::Sealed(..), None) => self.decoded_text()?,
        };
        let lengths = self.lengths_in(&raw)?;
        let (times, flags, ids) = (self.times()?, self.flags()?, self.ids()?);
        let (mut text, mut begin, mut reference) = (TimeText::default(), 0, 0);
        for (record, length) in lengths.iter().enumerate() {
            let (line, references) =
                (begin..begin + *length as usize, reference..reference + usize::from(ids.counts[record]));
            (begin, reference) = (line.end, references.end);
            if flags[record] & VERBATIM == 0 {
                let ids = ids.references[references].iter().map(|reference| &ids.dictionary[*reference as usize]);
                overlay::restore(&mut raw[line], times[record], ids, &mut text);
            }
        }
        Ok(raw)
    }

    /// All columns of a sealed block, nothing hidden.
    pub fn into_plain_columns(self) -> Result<Columns, Corrupt> {
        self.restored()?;
        let mut columns = self.into_columns()?.expect("a sealed block");
        debug_assert!(columns.hidden == Hidden::Nothing);
        columns.flags.iter_mut().for_each(|flags| *flags &= !VERBATIM);
        Ok(columns)
    }

    /// All columns; what is decoded already is not decoded again. None: they are there, whoever made the view has them.
    pub fn into_columns(self) -> Result<Option<Columns>, Corrupt> {
        if let From::Decoded(_) = self.from {
            return Ok(None);
        }
        let records = self.records()?;
        self.lengths()?;
        self.text()?;
        self.runs()?;
        self.times()?;
        self.severities()?;
        self.flags()?;
        self.ids()?;
        let From::Sealed(payload, unzstd) = self.from else { unreachable!("returned above") };
        let unzstd = &mut unzstd.borrow_mut();
        let there = "asked for above";
        let lengths = self.lengths.into_inner().expect(there);
        // The one that is there: if both are, the next query may as well have the restored text.
        let (raw, hidden) = match (self.restored.into_inner(), self.stored.into_inner()) {
            (Some(restored), _) => (restored, Hidden::Nothing),
            (None, stored) => (stored.expect(there), payload.hidden()),
        };
        let ids = self.ids.into_inner().expect(there);
        Ok(Some(Columns {
            sources: self.sources.into_inner().expect(there).1,
            runs: self.runs.into_inner().expect(there),
            times: self.times.into_inner().expect(there),
            severities: self.severities.into_inner().expect(there),
            flags: self.flags.into_inner().expect(there),
            marks: payload.marks(records, unzstd)?,
            extents: payload.extents(&lengths, unzstd)?,
            lengths,
            ids: ids.dictionary,
            id_counts: ids.counts,
            id_refs: ids.references,
            raw,
            hidden,
        }))
    }
}

/// The cell's value, decoded the first time.
fn get<T>(cell: &OnceCell<T>, decode: impl FnOnce() -> Result<T, Corrupt>) -> Result<&T, Corrupt> {
    if let Some(value) = cell.get() {
        return Ok(value);
    }
    let value = decode()?;
    Ok(cell.get_or_init(|| value))
}
