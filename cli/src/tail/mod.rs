//! `clew tail QUERY`: records that fulfil a query, as they come in, until somebody ends it.
//!
//! **What was missed is told.** After a lost connection the aggregator goes on where it stopped (`Last-Event-ID`), or says how many
//! records it could not look at.
//!
//! | file | what it is |
//! | --- | --- |
//! | `events` | server-sent events |
//! | `connection` | losing it, and finding it again |

pub mod connection;
pub mod events;

use std::io::{self, ErrorKind, Read, Write};
use std::time::Duration;

use clap::Args;

use self::connection::Connection;
use self::events::{Events, Item};
use crate::answer::Dropped;
use crate::client::Client;
use crate::identifier::percent_encode;
use crate::query::{mistake, words};
use crate::record::printer::{Format, Printer};
use crate::terminal::{escape, is_stdout_closed, remark};

#[derive(Args)]
pub struct Options {
    /// Words, "phrases" and field:values, all of which must be true of a record [default: every record].
    #[arg(value_name = "QUERY")]
    query: Vec<String>,
    #[command(flatten)]
    format: Format,
}

/// Three heartbeats: who is silent for longer is gone.
pub const SILENCE_MAX: Duration = Duration::from_secs(45);

pub fn run(client: &Client, options: &Options, timeout: Option<Duration>, out: &mut impl Write) -> anyhow::Result<()> {
    let query = words::join(&options.query);
    let path = format!("/api/v1/logs/tail?q={}", percent_encode(&query));
    let mut connection = Connection::new(client, path, timeout.unwrap_or(SILENCE_MAX));
    let mut printer = Printer::new(&options.format, out);
    // Who does not answer at first is no aggregator, or has too many tails already.
    let mut stream = connection.open().map_err(|failure| mistake::explain(&query, failure))?;
    loop {
        let why = follow(Events::new(stream), &mut connection, &mut printer)?;
        remark(&format!("lost the connection to {} ({why}), connecting again", client.base()));
        stream = connection.open_again()?;
        remark("connected again");
    }
}

/// Prints what comes, until no more does, and says why that is.
fn follow<W: Write>(
    mut events: Events<impl Read>,
    connection: &mut Connection<'_>,
    printer: &mut Printer<'_, W>,
) -> anyhow::Result<String> {
    loop {
        let item = match events.next() {
            Ok(Some(item)) => item,
            Ok(None) => return Ok("it was closed".to_owned()),
            Err(error) => return Ok(Client::broken(&error, Some(connection.silence))),
        };
        match item {
            Item::Comment => ended_by_reader()?,
            Item::Event { name, data, id } => {
                match name.as_str() {
                    "record" => printer.record(&data)?,
                    "dropped" => {
                        printer.flush()?;
                        remark(&dropped(&data));
                    }
                    // A later aggregator may have more to say.
                    _ => {}
                }
                connection.last_id = id.or(connection.last_id.take());
            }
        }
        if !events.has_more() {
            printer.flush()?;
        }
    }
}

/// An error once nobody reads what is printed: `clew tail | head` ends although nothing more comes.
pub fn ended_by_reader() -> io::Result<()> {
    if is_stdout_closed() { Err(ErrorKind::BrokenPipe.into()) } else { Ok(()) }
}

/// How many records were not looked at, and why.
fn dropped(data: &str) -> String {
    let Ok(dropped) = serde_json::from_str::<Dropped>(data) else {
        return format!("records were missed: {}", escape(data));
    };
    let records = match dropped.records {
        Some(1) => "1 record was".to_owned(),
        Some(records) => format!("{} were", crate::words::count(records, "record")),
        None => "an unknown number of records were".to_owned(),
    };
    let why = match dropped.reason.as_str() {
        "slow reader" => "they came faster than they are read here".to_owned(),
        "restart" => "they came while the aggregator restarted".to_owned(),
        "gone" => "they came while there was no connection, too long ago".to_owned(),
        other => escape(other),
    };
    format!("{records} not looked at ({why}); clew search finds those that fulfil the query")
}
