//! Which transactions are wanted.

use crate::block::transactions::share::Share;

/// What all of must be true of a transaction as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// When it began: nanoseconds since the epoch, from the first to before the second.
    pub times: (i64, i64),
    /// It touched one of these; any, when there are none.
    pub services: Vec<String>,
    /// It came in at one of these; any, when there are none.
    pub entries: Vec<String>,
    /// How long it took, nanoseconds, the ends included.
    pub durations: (u64, u64),
    /// Whether it has a record of severity error or above.
    pub errors: Option<bool>,
}

impl Default for Filter {
    fn default() -> Self {
        Self {
            times: (i64::MIN, i64::MAX),
            services: Vec::new(),
            entries: Vec::new(),
            durations: (0, u64::MAX),
            errors: None,
        }
    }
}

impl Filter {
    /// Whether it is fulfilled.
    pub fn passes(&self, share: &Share) -> bool {
        let is_one_of = |names: &[String], name: &str| names.iter().any(|wanted| wanted == name);
        self.began(share.time_min)
            && (self.durations.0..=self.durations.1).contains(&share.duration())
            && self.errors.is_none_or(|wanted| wanted == (share.errors > 0))
            && (self.entries.is_empty() || is_one_of(&self.entries, share.entry_service()))
            && (self.services.is_empty()
                || share.services.iter().any(|touched| is_one_of(&self.services, &touched.service)))
    }

    /// Whether this time is wanted.
    pub fn began(&self, time: i64) -> bool {
        self.times.0 <= time && time < self.times.1
    }

    /// Whether any duration will do.
    pub fn is_any_duration(&self) -> bool {
        self.durations == (0, u64::MAX)
    }
}
