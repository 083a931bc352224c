//! The wall clock in nanoseconds since the epoch, and its text in answers.

use std::time::{SystemTime, UNIX_EPOCH};

/// Now.
pub fn now_ns() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_nanos()).unwrap_or(i64::MAX),
    }
}

/// RFC 3339 in UTC with as many digits of the second as the time has.
pub fn rfc3339(time_ns: i64) -> String {
    match jiff::Timestamp::from_nanosecond(i128::from(time_ns)) {
        Ok(timestamp) => timestamp.to_string(),
        Err(_) => time_ns.to_string(),
    }
}
