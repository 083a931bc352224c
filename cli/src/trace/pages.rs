//! Every page of a transaction, joined: as the typed answer, and as the JSON that it came in.

use crate::answer::Transaction;
use crate::client::{Client, Failure};
use crate::identifier;
use crate::json::Json;

/// Records asked for at once; the API gives up to 10,000.
const PAGE_RECORDS: u32 = 5_000;

pub struct Pages {
    pub transaction: Transaction,
    pub json: Json,
}

/// Follows the cursor to its end; `filter` is the rest of the query. All but the records is the last page's: it is the newest, and
/// what the others say of themselves, that there are more records, holds no more.
pub fn fetch(client: &Client, id: &str, filter: &str) -> Result<Pages, Failure> {
    let path = format!("/api/v1/transactions/{}?limit={PAGE_RECORDS}{filter}", identifier::percent_encode(id));
    let mut pages = page(client, &path)?;
    while let Some(cursor) = pages.transaction.next_cursor.take() {
        let next = page(client, &format!("{path}&cursor={}", identifier::percent_encode(&cursor)))?;
        if next.transaction.next_cursor.as_ref() == Some(&cursor) {
            return Err(Failure::Server(format!("{} gave the same page twice (cursor {cursor})", client.base())));
        }
        pages = pages.join(next);
    }
    Ok(pages)
}

/// The first record alone: whether the aggregator knows the ID.
pub fn first(client: &Client, id: &str) -> Result<Pages, Failure> {
    page(client, &format!("/api/v1/transactions/{}?limit=1", identifier::percent_encode(id)))
}

fn page(client: &Client, path_and_query: &str) -> Result<Pages, Failure> {
    let body = client.get(path_and_query)?;
    Ok(Pages { transaction: client.parse(&body)?, json: client.parse(&body)? })
}

impl Pages {
    fn join(mut self, mut next: Pages) -> Pages {
        self.transaction.records.append(&mut next.transaction.records);
        next.transaction.records = self.transaction.records;
        if let (Some(Json::Array(first)), Some(Json::Array(second))) =
            (self.json.get_mut("records"), next.json.get_mut("records"))
        {
            first.append(second);
            *second = std::mem::take(first);
        }
        next
    }
}
