//! Everything that fulfils a query, printed as it comes: nothing is held, however much it is.

use std::io::{BufRead, BufReader, Read, Write};
use std::time::{Duration, Instant};

use super::Ended;
use crate::client::{Client, Failure};
use crate::record::printer::Printer;

/// The longest record that is taken: one of the longest lines, escaped, and once more in base64, stays below it.
const RECORD_BYTES_MAX: u64 = 64 << 20;

/// A record that is long in coming may be the next one of a few among very many; so it is waited for as long as it takes,
/// unless there is a `timeout`.
pub fn print<W: Write>(
    client: &Client,
    path: &str,
    timeout: Option<Duration>,
    printer: &mut Printer<'_, W>,
) -> anyhow::Result<Ended> {
    let started = Instant::now();
    let mut lines = BufReader::new(client.stream(path, "application/x-ndjson", None, timeout)?);
    let mut line = String::new();
    let mut records = 0;
    loop {
        line.clear();
        let read = lines.by_ref().take(RECORD_BYTES_MAX).read_line(&mut line);
        let is_whole = line.ends_with('\n');
        match read {
            Ok(0) => return Ok(Ended { records, took: started.elapsed(), ..Ended::default() }),
            Ok(_) if is_whole => {
                printer.record(&line)?;
                records += 1;
            }
            Ok(_) => return Err(broken(client, records, "a record has no end").into()),
            Err(error) => return Err(broken(client, records, &Client::broken(&error, timeout)).into()),
        }
        // What has come is seen before the next is waited for.
        if !lines.buffer().contains(&b'\n') {
            printer.flush()?;
        }
    }
}

fn broken(client: &Client, records: u64, why: &str) -> Failure {
    let records = crate::words::count(records, "record");
    Failure::Server(format!("the answer of {} broke off after {records}: {why}; there are more", client.base()))
}
