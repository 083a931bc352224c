//! A document's rows, column by column: a reader decodes only what it needs.

use super::ids::Ids;
use super::planes::Planes;
use super::{Column, ROWS_MAX};
use crate::block::container::{Corrupt, Reader, Unzstd};
use crate::block::varint::{take, take_bytes};

/// See the module. Columns have as many entries as there are rows.
pub struct Rows<'a> {
    reader: Reader<'a>,
    count: usize,
    services: Vec<String>,
}

/// The services of rows, by index, all of them below the number of services; the entry first.
pub struct Touched {
    services: Vec<u32>,
    ends: Vec<u32>,
}

impl Touched {
    /// Those of one row.
    pub fn of(&self, row: usize) -> &[u32] {
        let begin = row.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.services[begin as usize..self.ends[row] as usize]
    }
}

impl<'a> Rows<'a> {
    /// Reads the names of services.
    pub fn of(reader: Reader<'a>, unzstd: &mut Unzstd) -> Result<Self, Corrupt> {
        let names = reader.plain(Column::Services as u8, unzstd)?;
        let mut input = &names[..];
        let mut parsed = || {
            let count = usize::try_from(take(&mut input)?).ok().filter(|count| *count <= ROWS_MAX)?;
            let services = take(&mut input)?;
            let mut name = || Some(String::from_utf8_lossy(take_bytes(&mut input)?).into_owned());
            let services = (0..services).map(|_| name()).collect::<Option<Vec<_>>>()?;
            Some((count, services))
        };
        let (count, services) = parsed().ok_or(Corrupt::Column(Column::Services as u8))?;
        Ok(Self { reader, count, services })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Names of the services.
    pub fn services(&self) -> &[String] {
        &self.services
    }

    /// IDs. They are stored plain, and borrowed.
    pub fn ids(&self) -> Result<Ids<'a>, Corrupt> {
        let stored = |column: Column| self.reader.stored_plain(column as u8);
        let ids = match stored(Column::Numbers) {
            Some(numbers) => Ids::of_numbers(numbers, self.count),
            None => stored(Column::Ids).and_then(|terms| Ids::of_terms(terms, self.count)),
        };
        ids.ok_or(Corrupt::Column(Column::Ids as u8))
    }

    fn planes(&self, column: Column, unzstd: &mut Unzstd) -> Result<Planes, Corrupt> {
        let plain = self.reader.plain(column as u8, unzstd)?;
        Planes::open(plain, self.count).ok_or(Corrupt::Column(column as u8))
    }

    /// Earliest times (`planes::to_time`).
    pub fn times(&self, unzstd: &mut Unzstd) -> Result<Planes, Corrupt> {
        self.planes(Column::Times, unzstd)
    }

    /// Nanoseconds.
    pub fn durations(&self, unzstd: &mut Unzstd) -> Result<Planes, Corrupt> {
        self.planes(Column::Durations, unzstd)
    }

    /// How many records each has.
    pub fn records(&self, unzstd: &mut Unzstd) -> Result<Planes, Corrupt> {
        self.planes(Column::Records, unzstd)
    }

    /// How many of them are errors.
    pub fn errors(&self, unzstd: &mut Unzstd) -> Result<Planes, Corrupt> {
        self.planes(Column::Errors, unzstd)
    }

    /// Indexes of entry services. Whoever uses one has to see that it is below their number.
    pub fn entries(&self, unzstd: &mut Unzstd) -> Result<Planes, Corrupt> {
        self.planes(Column::Entries, unzstd)
    }

    /// A bit for each service that was touched; none when there are more services than bits.
    pub fn masks(&self, unzstd: &mut Unzstd) -> Result<Option<Planes>, Corrupt> {
        self.reader.has(Column::Masks as u8).then(|| self.planes(Column::Masks, unzstd)).transpose()
    }

    /// `Standing::byte` of each.
    pub fn standings(&self, unzstd: &mut Unzstd) -> Result<Vec<u8>, Corrupt> {
        let standings = self.reader.plain(Column::Standings as u8, unzstd)?;
        (standings.len() == self.count).then_some(standings).ok_or(Corrupt::Column(Column::Standings as u8))
    }

    /// The services of every row, in order.
    pub fn touched(&self, unzstd: &mut Unzstd) -> Result<Touched, Corrupt> {
        let entries = self.entries(unzstd)?.all();
        let others = self.reader.plain(Column::Others as u8, unzstd)?;
        let mut input = &others[..];
        let mut touched = Touched { services: Vec::new(), ends: Vec::with_capacity(entries.len()) };
        let is_known = |service: &u64| *service < self.services.len() as u64;
        let row = |entry: u64| {
            touched.services.push(Some(entry).filter(is_known)? as u32);
            for _ in 0..take(&mut input)? {
                let other = take(&mut input).filter(is_known)?;
                touched.services.push(other as u32);
            }
            touched.ends.push(u32::try_from(touched.services.len()).ok()?);
            Some(())
        };
        let parsed = entries.into_iter().try_for_each(row);
        parsed.map(|()| touched).ok_or(Corrupt::Column(Column::Others as u8))
    }
}
