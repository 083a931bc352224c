//! The blocks that may hold what is looked for, as the index and the head know them.

use tantivy::columnar::Column;
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocSet, SegmentReader, TERMINATED};

use crate::block::columns::SEVERITIES;
use crate::block::mask::Mask;
use crate::block::tokens;
use crate::head::view::{HeldBlock, Snapshot};
use crate::id::Canonical;
use crate::index::committed::Committed;
use crate::index::find::FindError;
use crate::index::schema::Fields;
use crate::query::narrow::Narrow;
use crate::query::value::NameTest;

/// So many words that begin alike are looked up; with more, every block is taken.
const PREFIX_WORDS_MAX: usize = 1024;

/// A block that may hold what is looked for.
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    pub place: Place,
    /// Of its earliest record, nanoseconds since the epoch.
    pub time_min: i64,
    /// Of its latest one.
    pub time_max: i64,
}

/// Where a block is in the snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The index in the head.
    Head(usize),
    /// Index of the partition, of the segment in it, and the document.
    Disk(usize, usize, u32),
}

/// The blocks of `snapshot` that `narrow` leaves and that reach into the time from `from` to before `to`; in no particular order.
pub fn find(snapshot: &Snapshot, narrow: &Narrow<'_>, (from, to): (i64, i64)) -> Result<Vec<Candidate>, FindError> {
    let reaches = |time_min: i64, time_max: i64| time_min < to && time_max >= from;
    let mut candidates = Vec::new();
    for (index, block) in snapshot.head.iter().enumerate() {
        let Some((time_min, time_max)) = times_of(block) else { continue };
        if reaches(time_min, time_max) && passes(block, narrow) {
            candidates.push(Candidate { place: Place::Head(index), time_min, time_max });
        }
    }
    for (partition, committed) in snapshot.partitions.iter().enumerate() {
        for (segment, reader) in committed.searcher.segment_readers().iter().enumerate() {
            let docs = Segment::open(reader, committed)?.docs(narrow)?;
            let (time_min, time_max) = times(reader)?;
            candidates.extend(docs.iter().filter_map(|doc| {
                let doc = doc as u32;
                // Only blocks of records have raw bytes; those of transactions were left out by `docs`.
                let (time_min, time_max) = (time_min.first(doc)?, time_max.first(doc)?);
                let place = Place::Disk(partition, segment, doc);
                reaches(time_min, time_max).then_some(Candidate { place, time_min, time_max })
            }));
        }
    }
    Ok(candidates)
}

/// Between which times all records lie, by the ends of the columns; none when there is none.
pub fn times_of_all(snapshot: &Snapshot) -> Result<Option<(i64, i64)>, FindError> {
    let mut ends: Vec<(i64, i64)> = snapshot.head.iter().filter_map(times_of).collect();
    let segments = snapshot.partitions.iter().flat_map(|committed| committed.searcher.segment_readers());
    for reader in segments.filter(|reader| reader.num_docs() > 0) {
        let (time_min, time_max) = times(reader)?;
        ends.push((time_min.min_value(), time_max.max_value()));
    }
    let earliest = ends.iter().map(|(earliest, _)| *earliest).min();
    Ok(earliest.zip(ends.iter().map(|(_, latest)| *latest).max()))
}

fn times(reader: &SegmentReader) -> tantivy::Result<(Column<i64>, Column<i64>)> {
    let fast = reader.fast_fields();
    Ok((fast.i64("time_min")?, fast.i64("time_max")?))
}

/// None: it is empty.
fn times_of(block: &HeldBlock) -> Option<(i64, i64)> {
    match block {
        HeldBlock::Raw(columns) => Some((*columns.times.iter().min()?, *columns.times.iter().max()?)),
        HeldBlock::Sealed(block) => Some((block.summary.time_min, block.summary.time_max)),
    }
}

/// Whether a block of the head may hold what is looked for.
fn passes(block: &HeldBlock, narrow: &Narrow<'_>) -> bool {
    match narrow {
        Narrow::All | Narrow::WordPrefix(_) => true,
        // Blocks of the head are never older than this program.
        Narrow::Word(word) | Narrow::WordIfApart(word) => match block {
            HeldBlock::Raw(_) => true,
            HeldBlock::Sealed(block) => block.words.may_hold(word),
        },
        Narrow::And(parts) => parts.iter().all(|part| passes(block, part)),
        Narrow::Or(parts) => parts.iter().any(|part| passes(block, part)),
        Narrow::Time(from, to) => {
            times_of(block).is_some_and(|(time_min, time_max)| time_min < *to && time_max >= *from)
        }
        Narrow::Ids(wanted) => {
            let is_wanted = |id: &Canonical| wanted.iter().any(|wanted| wanted.same(id));
            match block {
                HeldBlock::Raw(columns) => columns.ids.iter().any(|id| is_wanted(&id.canonical)),
                HeldBlock::Sealed(block) => block.summary.ids.iter().any(|share| is_wanted(&share.id)),
            }
        }
        Narrow::Service(test) => match block {
            HeldBlock::Raw(columns) => columns.sources.iter().any(|source| test.passes(source.service.as_bytes())),
            HeldBlock::Sealed(block) => test.passes(block.service.as_bytes()),
        },
        Narrow::Host(test) => match block {
            HeldBlock::Raw(columns) => columns.sources.iter().any(|source| test.passes(source.host.as_bytes())),
            HeldBlock::Sealed(block) => block.summary.hosts.iter().any(|host| test.passes(host.as_bytes())),
        },
        Narrow::Levels(levels) => match block {
            HeldBlock::Raw(columns) => columns.severities.iter().any(|severity| levels >> severity.min(&15) & 1 == 1),
            HeldBlock::Sealed(block) => block
                .summary
                .severities
                .iter()
                .enumerate()
                .any(|(level, records)| *records > 0 && levels >> level & 1 == 1),
        },
    }
}

/// A segment of a partition.
struct Segment<'a> {
    reader: &'a SegmentReader,
    fields: &'a Fields,
    /// Every block of records in it.
    blocks: Mask,
}

impl<'a> Segment<'a> {
    fn open(reader: &'a SegmentReader, committed: &'a Committed) -> Result<Self, FindError> {
        let raw_bytes = reader.fast_fields().u64("raw_bytes")?;
        let mut blocks = Mask::none(reader.max_doc() as usize);
        // Only blocks have raw bytes: a transaction's records are those of blocks.
        reader.doc_ids_alive().filter(|doc| raw_bytes.first(*doc).is_some()).for_each(|doc| blocks.set(doc as usize));
        Ok(Self { reader, fields: &committed.partition.fields, blocks })
    }

    fn none(&self) -> Mask {
        Mask::none(self.blocks.records())
    }

    fn docs(&self, narrow: &Narrow<'_>) -> Result<Mask, FindError> {
        let mut docs = match narrow {
            Narrow::All => self.blocks.clone(),
            Narrow::And(parts) => {
                let mut docs = self.blocks.clone();
                for part in parts {
                    if docs.is_empty() {
                        break;
                    }
                    docs.and(&self.docs(part)?);
                }
                docs
            }
            Narrow::Or(parts) => {
                let mut docs = self.none();
                for part in parts {
                    docs.or(&self.docs(part)?);
                }
                docs
            }
            Narrow::Word(word) => self.with_word(word)?,
            Narrow::WordIfApart(word) => {
                let mut docs = self.blocks.clone();
                docs.minus(&self.with_word(tokens::APART)?);
                docs.or(&self.with_word(word)?);
                docs
            }
            Narrow::WordPrefix(prefix) => self.with_prefix(prefix)?,
            Narrow::Ids(wanted) => self.with_ids(wanted)?,
            Narrow::Service(test) => self.with_names(self.fields.service, test)?,
            Narrow::Host(test) => self.with_names(self.fields.hosts, test)?,
            Narrow::Levels(levels) => self.with_levels(*levels)?,
            Narrow::Time(from, to) => {
                let (time_min, time_max) = times(self.reader)?;
                let mut docs = self.blocks.clone();
                docs.retain(|doc| {
                    let (time_min, time_max) = (time_min.first(doc as u32), time_max.first(doc as u32));
                    time_min.is_some_and(|time| time < *to) && time_max.is_some_and(|time| time >= *from)
                });
                docs
            }
        };
        docs.and(&self.blocks);
        Ok(docs)
    }

    fn with_word(&self, word: &str) -> Result<Mask, FindError> {
        let index = self.reader.inverted_index(self.fields.words)?;
        let mut docs = self.none();
        if let Some(info) = index.terms().get(word.as_bytes())? {
            self.add(&index, &info, &mut docs)?;
        }
        Ok(docs)
    }

    fn with_prefix(&self, prefix: &str) -> Result<Mask, FindError> {
        let index = self.reader.inverted_index(self.fields.words)?;
        let mut docs = self.none();
        let mut terms = index.terms().range().ge(prefix.as_bytes()).into_stream()?;
        for _ in 0..PREFIX_WORDS_MAX {
            if !terms.advance() || !terms.key().starts_with(prefix.as_bytes()) {
                return Ok(docs);
            }
            self.add(&index, terms.value(), &mut docs)?;
        }
        Ok(self.blocks.clone())
    }

    fn with_ids(&self, wanted: &[Canonical]) -> Result<Mask, FindError> {
        let index = self.reader.inverted_index(self.fields.ids)?;
        let mut docs = self.none();
        for id in wanted {
            let (first, last) = id.term_range();
            let mut terms = index.terms().range().ge(first).le(last).into_stream()?;
            while terms.advance() {
                if Canonical::from_term(terms.key()).is_some_and(|stored| stored.same(id)) {
                    self.add(&index, terms.value(), &mut docs)?;
                }
            }
        }
        Ok(docs)
    }

    /// There are few services and hosts: all names are tried.
    fn with_names(&self, field: Field, test: &NameTest) -> Result<Mask, FindError> {
        let index = self.reader.inverted_index(field)?;
        let mut docs = self.none();
        let mut terms = index.terms().stream()?;
        while terms.advance() {
            if test.passes(terms.key()) {
                self.add(&index, terms.value(), &mut docs)?;
            }
        }
        Ok(docs)
    }

    fn with_levels(&self, levels: u16) -> Result<Mask, FindError> {
        let mut docs = self.none();
        for level in (0..SEVERITIES).filter(|level| levels >> level & 1 == 1) {
            let records = self.reader.fast_fields().u64(&format!("severity_{level}"))?;
            for doc in self.blocks.iter().filter(|doc| records.first(*doc as u32).is_some()) {
                docs.set(doc);
            }
        }
        Ok(docs)
    }

    fn add(
        &self,
        index: &tantivy::InvertedIndexReader,
        info: &tantivy::postings::TermInfo,
        docs: &mut Mask,
    ) -> Result<(), FindError> {
        let mut postings = index.read_postings_from_terminfo(info, IndexRecordOption::Basic)?;
        let mut doc = postings.doc();
        while doc != TERMINATED {
            docs.set(doc as usize);
            doc = postings.advance();
        }
        Ok(())
    }
}
