//! Recent transactions, put together one by one, each in a turn of its own: for a comparison, and for the graph of services.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use serde::Deserialize;

use super::super::api::Api;
use super::super::problem::Problem;
use crate::block::transactions::share::Share;
use crate::id::Canonical;
use crate::trace::assemble;
use crate::trace::completeness::Said;
use crate::trace::order::Ordered;
use crate::transactions::filter::Filter;
use crate::transactions::list::Wanted;
use crate::transactions::top::Sort;

/// Parameters of what looks at recent transactions.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Parameters {
    pub from: Option<String>,
    pub to: Option<String>,
    pub timeout: Option<String>,
    /// How many of them.
    pub limit: Option<String>,
}

/// Larger ones are passed over: they are nobody's usual request.
const RECORDS_MAX: u64 = 5_000;
/// Records of all of them together.
const RECORDS_ALL_MAX: usize = 200_000;

/// Which ones.
pub struct Recent {
    /// From the first to before the second.
    pub times: (i64, i64),
    /// They came in at one of these services; empty: anywhere.
    pub entries: Vec<String>,
    /// They went through most of these services, and few others; empty: through any.
    pub like: BTreeSet<String>,
    /// So many at most, the newest ones.
    pub limit: usize,
}

/// So many times more are listed than are wanted, because not all are alike.
const LISTED_TIMES: usize = 5;
/// No list is longer.
const LISTED_MAX: usize = 1_000;

impl Recent {
    /// At least half of all services that either of the two went through, both did.
    fn is_like(&self, share: &Share) -> bool {
        let both = share.services.iter().filter(|touched| self.like.contains(&*touched.service)).count();
        let either = self.like.len() + share.services.len() - both;
        self.like.is_empty() || 2 * both >= either
    }
}

/// The others, the newest first.
pub struct Others {
    /// Each with its row in the list and its records in order.
    pub transactions: Vec<((Canonical, Share), Ordered)>,
    /// The time was up, or there were too many records, before all had been put together.
    pub is_partial: bool,
}

/// Puts them together. Bridges are not gone over: what is compared is alike, and what is counted is many.
pub async fn find(api: &Api, recent: Recent, deadline: Instant, but: &[Canonical]) -> Result<Others, Problem> {
    let wanted = Wanted {
        filter: Filter {
            times: recent.times,
            services: Vec::new(),
            entries: recent.entries.clone(),
            durations: (0, u64::MAX),
            errors: None,
        },
        ids: None,
        sort: Sort::Newest,
        limit: if recent.like.is_empty() { recent.limit } else { (recent.limit * LISTED_TIMES).min(LISTED_MAX) },
        after: None,
    };
    let (listed, is_late) = api.store.list(wanted, Some(deadline)).await.ok_or(Problem::Stopping)??;
    let mut others = Others { transactions: Vec::new(), is_partial: is_late };
    let is_other = |id: &Canonical| !but.iter().any(|known| known.same(id));
    let clocks = Arc::new(Said::now(&api.store.registry.read()).clocks());
    let mut records = 0;
    let is_wanted = |share: &Share| share.records <= RECORDS_MAX && recent.is_like(share);
    let wanted = listed.transactions.into_iter().filter(|(id, share)| is_wanted(share) && is_other(id));
    for (id, share) in wanted.take(recent.limit) {
        if Instant::now() >= deadline || records >= RECORDS_ALL_MAX {
            others.is_partial = true;
            break;
        }
        let (wanted, clocks) = (id.clone(), Arc::clone(&clocks));
        let ordered = api
            .store
            .answer(move |store| Ok::<_, Problem>(assemble::in_order(store.head.find(&[wanted])?.records, &clocks)));
        let ordered = ordered.await.ok_or(Problem::Stopping)??;
        records += ordered.records.len();
        if !ordered.records.is_empty() {
            others.transactions.push(((id, share), ordered));
        }
    }
    Ok(others)
}
