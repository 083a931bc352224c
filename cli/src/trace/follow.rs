//! `clew trace ID --follow`: records as they come, until no more can.
//!
//! A record that comes late may belong before others that were printed already: it is printed when it comes, with its offset, and at
//! the end it is said how many were out of order. What the transaction came to stands at the end.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::time::Duration;

use super::header::{self, Part};
use super::table::Columns;
use super::{Options, waterfall};
use crate::answer::{Arrived, Record, Transaction};
use crate::client::Client;
use crate::identifier::percent_encode;
use crate::record;
use crate::record::row::Palette;
use crate::tail::connection::Connection;
use crate::tail::events::{Events, Item};
use crate::tail::{SILENCE_MAX, ended_by_reader};
use crate::terminal::{DIM, Output, escape, escape_json, remark};
use crate::words;

/// Prints what comes of `id` until the aggregator says that no more does.
pub fn run(
    client: &Client,
    id: &str,
    options: &Options,
    timeout: Option<Duration>,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let filter = options.filter();
    let query = filter.strip_prefix('&').map_or(String::new(), |filter| format!("?{filter}"));
    let path = format!("/api/v1/transactions/{}/stream{query}", percent_encode(id));
    let mut connection = Connection::new(client, path, timeout.unwrap_or(SILENCE_MAX));
    let mut stream = connection.open()?;
    let mut follower = Follower::new(options, out);
    loop {
        match follower.read(client, Events::new(stream), &mut connection)? {
            Ended::Settled => return follower.finish(),
            Ended::Lost(why) => remark(&format!("lost the connection to {} ({why}), connecting again", client.base())),
        }
        stream = connection.open_again()?;
        remark("connected again");
    }
}

enum Ended {
    /// There is no more to come.
    Settled,
    Lost(String),
}

struct Follower<'a, W> {
    options: &'a Options,
    output: Output,
    out: &'a mut W,
    /// Sources and positions of what was printed: after a lost connection it comes again.
    printed: HashSet<(String, u64)>,
    columns: Option<Columns>,
    /// The greatest index so far.
    last_index: Option<u64>,
    /// Records that were printed behind others that they belong before.
    late: u64,
    state: Option<Transaction>,
    /// The verdict and who is behind, as it was told last.
    standing: String,
}

impl<'a, W: Write> Follower<'a, W> {
    fn new(options: &'a Options, out: &'a mut W) -> Self {
        let output = Output::of_stdout(options.width.map(usize::from));
        let (printed, standing) = (HashSet::new(), String::new());
        Self { options, output, out, printed, columns: None, last_index: None, late: 0, state: None, standing }
    }

    fn read(
        &mut self,
        client: &Client,
        mut events: Events<impl Read>,
        connection: &mut Connection<'_>,
    ) -> anyhow::Result<Ended> {
        loop {
            let item = match events.next() {
                Ok(Some(item)) => item,
                Ok(None) => return Ok(Ended::Lost("it was closed".to_owned())),
                Err(error) => return Ok(Ended::Lost(Client::broken(&error, Some(connection.silence)))),
            };
            match item {
                Item::Comment => ended_by_reader()?,
                Item::Event { name, data, id } => {
                    connection.last_id = id.or(connection.last_id.take());
                    if self.options.json {
                        self.json(&name, &data)?;
                    }
                    match name.as_str() {
                        "records" => self.arrived(client, &data)?,
                        "state" => self.changed(client, &data)?,
                        "end" => return Ok(Ended::Settled),
                        // A later aggregator may have more to say.
                        _ => {}
                    }
                }
            }
            if !events.has_more() {
                self.out.flush()?;
            }
        }
    }

    fn json(&mut self, name: &str, data: &str) -> anyhow::Result<()> {
        let name = serde_json::to_string(name)?;
        let data = if data.trim().is_empty() { "null" } else { data.trim() };
        let line = format!("{{\"event\":{name},\"data\":{data}}}");
        writeln!(self.out, "{}", if self.output.is_terminal { escape_json(&line) } else { line })?;
        Ok(())
    }

    fn arrived(&mut self, client: &Client, data: &str) -> anyhow::Result<()> {
        if self.options.json {
            return Ok(());
        }
        let arrived: Arrived = client.parse(data.as_bytes())?;
        for json in &arrived.records {
            let record: Record = client.parse(json.get().as_bytes())?;
            if !self.printed.insert((record.source_id.clone(), record.position)) {
                continue;
            }
            if self.options.raw {
                record::raw(&record, self.output, self.out)?;
                continue;
            }
            if let (Some(index), Some(last)) = (record.index, self.last_index) {
                self.late += u64::from(index < last);
            }
            self.last_index = self.last_index.max(record.index);
            let columns = self.columns.get_or_insert_with(|| match &self.state {
                Some(state) => Columns::of(state, Palette::default()),
                None => Columns::since(&record),
            });
            let row = columns.row(&record);
            row.print(&columns.lines(&record), &columns.widths, self.output, self.out)?;
        }
        Ok(())
    }

    /// What has changed is told beside the records.
    fn changed(&mut self, client: &Client, data: &str) -> anyhow::Result<()> {
        let state: Transaction = client.parse(data.as_bytes())?;
        // Times move all the while; who is behind does not.
        let behind = state.completeness.agents_behind.iter().map(|agent| agent.host.as_str());
        let standing = format!("{} {}", state.completeness.state, behind.collect::<Vec<_>>().join(" "));
        if standing != self.standing && !self.options.json {
            self.out.flush()?;
            remark(&header::verdict(&state.completeness));
            self.standing = standing;
        }
        self.state = Some(state);
        Ok(())
    }

    fn finish(self) -> anyhow::Result<()> {
        if self.options.is_for_people()
            && let Some(state) = &self.state
        {
            writeln!(self.out)?;
            if self.late > 0 {
                let note = format!(
                    "{} came later than others that it belongs before; clew trace {} has them in order",
                    words::count(self.late, "record"),
                    escape(&state.id)
                );
                writeln!(self.out, "{}\n", self.output.paint(DIM, &note))?;
            }
            header::print(state, Part::Streamed, self.output, self.out)?;
            waterfall::print(state, &mut Palette::default(), self.output, self.out)?;
        }
        self.out.flush()?;
        Ok(())
    }
}
