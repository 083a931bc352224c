//! `[source.join]`: the error log of a server takes the IDs of its access log, where both name the connection. Pure.
//!
//! nginx: the error log says `*9`; an access log with `$connection $request_id $msec $request_time` says which request the
//! connection served from `msec - request_time` to `msec`. Apache: `%L` in both logs is one token for one request, no times needed.
//!
//! Invariant: never a guess. Of two requests that could have written a record neither gives its ID. The access log is written
//! when a request ends, after its errors: who asks [`JoinTable::look_up`] waits until the access log is read beyond the record's
//! time by [`Join::wait`], so that every request of that time is known that took no longer, or gets `Unknown`.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use clew_service::units::Span;
use serde::Deserialize;
use xxhash_rust::xxh3::xxh3_128;

use super::pattern::{Group, compile_group};
use crate::transaction::is_id;

/// `[source.join]` as it is written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawJoin {
    /// Sources of one name are joined.
    pub name: String,
    /// `access` gives IDs, `error` takes them.
    pub role: String,
    /// Its group `connection`, or its first one, is the connection or the token.
    pub connection: String,
    /// Of an access log: the group `id`, or the first one, is the ID.
    pub id: Option<String>,
    /// Of an access log: when the request ended, in seconds since the epoch with decimals. Without it the record's own time.
    pub end: Option<String>,
    /// Of an access log: how long the request took, in seconds with decimals. Without it a connection has one request (Apache).
    pub duration: Option<String>,
    /// Of an error log: requests that take longer may be missed. 5 seconds unless set.
    pub wait: Option<Span>,
}

const WAIT: Duration = Duration::from_secs(5);

/// The error log is held back for as long.
const WAIT_MAX: Duration = Duration::from_mins(10);

/// One side of a join.
#[derive(Debug)]
pub struct Join {
    pub name: String,
    connection: Group,
    access: Option<Access>,
    wait: Duration,
}

#[derive(Debug)]
struct Access {
    id: Group,
    end: Option<Group>,
    duration: Option<Group>,
}

/// What a record of an access log tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    pub connection: &'a [u8],
    pub id: &'a [u8],
    pub begin_ns: i64,
    pub end_ns: i64,
}

impl Join {
    /// Checks the rule.
    pub fn new(raw: RawJoin) -> Result<Self, String> {
        if raw.name.is_empty() {
            return Err("join.name is empty; give both logs the same name".into());
        }
        let group = |key: &str, name, text: &str| compile_group(&format!("join.{key}"), name, text);
        let access = match (raw.role.as_str(), &raw.id) {
            ("access", _) if raw.wait.is_some() => {
                return Err("join.wait belongs to the error log; it waits for the access log".into());
            }
            ("access", Some(id)) => Some(Access {
                id: group("id", "id", id)?,
                end: raw.end.as_deref().map(|text| group("end", "end", text)).transpose()?,
                duration: raw.duration.as_deref().map(|text| group("duration", "duration", text)).transpose()?,
            }),
            ("access", None) => return Err("join.id is missing; an access log gives IDs".into()),
            ("error", None) if raw.end.is_none() && raw.duration.is_none() => None,
            ("error", _) => {
                return Err("join: an error log has `connection` alone, no `id`, `end` or `duration`".into());
            }
            (role, _) => return Err(format!("join.role {role:?} is unknown; write access or error")),
        };
        if access.as_ref().is_some_and(|access| access.end.is_some() && access.duration.is_none()) {
            return Err("join.end needs join.duration; without it there is no begin".into());
        }
        let wait = raw.wait.map_or(WAIT, |span| span.0);
        if wait > WAIT_MAX {
            return Err("join.wait must not be longer than 10m".into());
        }
        Ok(Self { wait, connection: group("connection", "connection", &raw.connection)?, access, name: raw.name })
    }

    /// Whether it gives IDs; otherwise it takes them.
    pub fn is_access(&self) -> bool {
        self.access.is_some()
    }

    /// How long the longest requests take whose errors get their IDs.
    pub fn wait(&self) -> Duration {
        self.wait
    }

    /// The connection that a record names.
    pub fn connection<'a>(&self, record: &'a [u8]) -> Option<&'a [u8]> {
        self.connection.find(record)
    }

    /// The request that a record of the access log is about; `time_ns` is the record's own time.
    pub fn request<'a>(&self, record: &'a [u8], time_ns: Option<i64>) -> Option<Request<'a>> {
        let access = self.access.as_ref()?;
        let connection = self.connection(record)?;
        let id = access.id.find(record).filter(|id| is_id(id))?;
        let Some(duration) = &access.duration else {
            return Some(Request { connection, id, begin_ns: i64::MIN, end_ns: i64::MAX });
        };
        let end_ns = match &access.end {
            Some(end) => nanoseconds(end.find(record)?)?,
            None => time_ns?,
        };
        let begin_ns = end_ns.saturating_sub(nanoseconds(duration.find(record)?)?);
        Some(Request { connection, id, begin_ns, end_ns })
    }
}

/// `1764072000.123` in nanoseconds; decimals beyond the ninth are cut.
fn nanoseconds(text: &[u8]) -> Option<i64> {
    let (whole, decimals) = match memchr::memchr(b'.', text) {
        Some(point) => (&text[..point], &text[point + 1..]),
        None => (text, &[][..]),
    };
    if whole.is_empty() || !whole.iter().chain(decimals).all(u8::is_ascii_digit) {
        return None;
    }
    let digits = decimals.iter().copied().chain(std::iter::repeat(b'0')).take(9);
    whole
        .iter()
        .copied()
        .chain(digits)
        .try_fold(0i64, |sum, digit| sum.checked_mul(10)?.checked_add(i64::from(digit - b'0')))
}

/// So many requests are remembered, each at most 200 bytes: those of several seconds of a server with 10,000 a second.
pub const REQUESTS_MAX: usize = 64 << 10;

/// The answer to [`JoinTable::look_up`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found<'a> {
    Id(&'a [u8]),
    /// No request of this connection at this time is known.
    Unknown,
    /// More than one could have been it.
    Ambiguous,
}

/// The requests of one join that were seen last.
#[derive(Debug)]
pub struct JoinTable {
    requests_max: usize,
    connections: HashMap<u128, VecDeque<Window>>,
    /// In the order in which they were noted.
    order: VecDeque<u128>,
    forgotten: u64,
    /// A request that ended no later than this may have been forgotten, or never noted.
    forgotten_until_ns: i64,
}

#[derive(Debug)]
struct Window {
    id: Box<[u8]>,
    begin_ns: i64,
    end_ns: i64,
}

impl Default for JoinTable {
    fn default() -> Self {
        Self::new(REQUESTS_MAX)
    }
}

impl JoinTable {
    /// Remembers at most `requests_max` requests, at least one.
    pub fn new(requests_max: usize) -> Self {
        Self {
            requests_max: requests_max.max(1),
            connections: HashMap::new(),
            order: VecDeque::new(),
            forgotten: 0,
            forgotten_until_ns: i64::MIN,
        }
    }

    /// Notes that `connection` served the request `id` in that time, unless it is noted already. The oldest is forgotten when
    /// there are too many.
    pub fn note(&mut self, connection: &[u8], id: &[u8], begin_ns: i64, end_ns: i64) {
        let is_it = |noted: &Window| (noted.begin_ns, noted.end_ns, &*noted.id) == (begin_ns, end_ns, id);
        if self.connections.get(&xxh3_128(connection)).is_some_and(|noted| noted.iter().any(is_it)) {
            return;
        }
        if self.order.len() == self.requests_max {
            self.forget_oldest();
        }
        let key = xxh3_128(connection);
        self.order.push_back(key);
        self.connections.entry(key).or_default().push_back(Window { id: id.into(), begin_ns, end_ns });
    }

    /// Requests that ended until then are not known, or not all of them. A token of one request (Apache) needs no time.
    pub fn forget_until(&mut self, end_ns: i64) {
        if end_ns < i64::MAX {
            self.forgotten_until_ns = self.forgotten_until_ns.max(end_ns);
        }
    }

    /// The request that `connection` served at `time_ns`, give or take `tolerance`: an error log with whole seconds needs one.
    pub fn look_up(&self, connection: &[u8], time_ns: i64, tolerance: Duration) -> Found<'_> {
        let tolerance_ns = i64::try_from(tolerance.as_nanos()).unwrap_or(i64::MAX);
        let (low, high) = (time_ns.saturating_sub(tolerance_ns), time_ns.saturating_add(tolerance_ns));
        let mut found = Found::Unknown;
        for window in self.connections.get(&xxh3_128(connection)).into_iter().flatten() {
            if window.begin_ns > high || window.end_ns < low {
                continue;
            }
            match found {
                Found::Id(id) if *id != *window.id => return Found::Ambiguous,
                _ if window.end_ns < i64::MAX && low <= self.forgotten_until_ns => {}
                _ => found = Found::Id(&window.id),
            }
        }
        found
    }

    /// How many requests are remembered.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether none is remembered.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// How many requests were forgotten because there were too many, since this was asked last.
    pub fn take_forgotten(&mut self) -> u64 {
        std::mem::take(&mut self.forgotten)
    }

    fn forget_oldest(&mut self) {
        let Some(key) = self.order.pop_front() else { return };
        if let Some(windows) = self.connections.get_mut(&key) {
            let window = windows.pop_front();
            if windows.is_empty() {
                self.connections.remove(&key);
            }
            self.forget_until(window.map_or(i64::MIN, |window| window.end_ns));
        }
        self.forgotten += 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: i64 = 1_000_000_000;
    const ID: &[u8] = b"4bf92f3577b34da6a3ce929d0e0e4736";

    fn join(text: &str) -> Result<Join, String> {
        clew_service::config::parse::<RawJoin>(text, "agent.toml")
            .map_err(|error| error.to_string())
            .and_then(Join::new)
    }

    #[test]
    fn nginx_names_the_connection_and_the_time() {
        let access = "name='web'\nrole='access'\nconnection='connection=(\\d+)'\nid='request_id=(\\w+)'\nend='msec=(\\S+)'\n\
                      duration='request_time=(\\S+)'";
        let access = join(access).unwrap();
        let error = join("name='web'\nrole='error'\nconnection='#\\d+: \\*(\\d+) '").unwrap();
        let record =
            b"connection=9 request_id=4bf92f3577b34da6a3ce929d0e0e4736 msec=1764072000.5 request_time=0.250 200";
        let request = access.request(record, None).unwrap();
        assert_eq!((request.connection, request.id), (&b"9"[..], ID));
        assert_eq!((request.begin_ns, request.end_ns), (1_764_072_000_250_000_000, 1_764_072_000_500_000_000));
        assert!(access.is_access() && !error.is_access());
        let record = b"2026/11/25 12:00:00 [error] 7#7: *9 upstream timed out";
        assert_eq!(error.connection(record), Some(&b"9"[..]));
        assert_eq!(error.request(record, Some(0)), None);
        for record in [
            "connection=9 request_id=- msec=1.5 request_time=0.250",
            "connection=9 request_id=abcdef msec=- request_time=0.250",
            "request_id=abcdef msec=1.5 request_time=0.250",
        ] {
            assert_eq!(access.request(record.as_bytes(), None), None, "{record}");
        }
    }

    #[test]
    fn apache_has_one_token_for_one_request() {
        let access = join("name='web'\nrole='access'\nconnection='L=(\\S+)'\nid='L=(\\S+)'").unwrap();
        let request = access.request(b"GET / L=VpZQnH8AAAEAAEFAAAAA", Some(5)).unwrap();
        let mut table = JoinTable::default();
        table.note(request.connection, request.id, request.begin_ns, request.end_ns);
        assert_eq!(table.look_up(b"VpZQnH8AAAEAAEFAAAAA", 0, Duration::ZERO), Found::Id(b"VpZQnH8AAAEAAEFAAAAA"));
    }

    #[test]
    fn a_connection_that_stays_open_serves_one_request_after_the_other() {
        let mut table = JoinTable::default();
        assert!(table.is_empty());
        for (connection, id, begin, end) in [
            ("9", "first", 10, 12),
            ("9", "second", 15, 16),
            ("8", "other", 10, 20),
            ("h2", "a", 1, 5),
            ("h2", "b", 3, 8),
        ] {
            table.note(connection.as_bytes(), id.as_bytes(), begin * SECOND, end * SECOND);
        }
        for (connection, time, tolerance, found) in [
            ("9", 10, 0, Found::Id(b"first")),
            ("9", 12, 1, Found::Id(b"first")),
            ("9", 15, 0, Found::Id(b"second")),
            ("9", 13, 0, Found::Unknown),
            ("9", 13, 1, Found::Id(b"first")),
            ("9", 14, 2, Found::Ambiguous),
            ("8", 13, 0, Found::Id(b"other")),
            ("7", 13, 0, Found::Unknown),
            ("h2", 2, 0, Found::Id(b"a")),
            ("h2", 4, 0, Found::Ambiguous),
        ] {
            let answer = table.look_up(connection.as_bytes(), time * SECOND, Duration::from_secs(tolerance));
            assert_eq!(answer, found, "{connection} at {time}");
        }
    }

    #[test]
    fn the_oldest_is_forgotten() {
        let mut table = JoinTable::new(2);
        for id in ["aaaa", "bbbb", "cccc"] {
            table.note(id.as_bytes(), id.as_bytes(), 0, 1);
        }
        assert_eq!((table.len(), table.take_forgotten(), table.connections.len()), (2, 1, 2));
        assert_eq!(table.look_up(b"aaaa", 2, Duration::ZERO), Found::Unknown);
        assert_eq!(table.look_up(b"cccc", 2, Duration::ZERO), Found::Unknown, "it ended before");
        assert_eq!(table.look_up(b"cccc", 1, Duration::ZERO), Found::Unknown, "another may have been forgotten");
        table.note(b"cccc", b"dddd", 2, 4);
        table.note(b"cccc", b"dddd", 2, 4);
        assert_eq!((table.len(), table.look_up(b"cccc", 3, Duration::ZERO)), (2, Found::Id(b"dddd")));
        table.forget_until(3);
        assert_eq!(table.look_up(b"cccc", 3, Duration::ZERO), Found::Unknown);
        assert_eq!(table.look_up(b"cccc", 4, Duration::ZERO), Found::Id(b"dddd"));
    }

    #[test]
    fn what_is_wrong_is_told_in_one_line() {
        let head = "name='a'\nconnection='(b)'\n";
        for (text, error) in [
            ("role='both'", "join.role \"both\" is unknown; write access or error"),
            ("role='access'", "join.id is missing; an access log gives IDs"),
            ("role='error'\nid='(a)'", "join: an error log has `connection` alone, no `id`, `end` or `duration`"),
            ("role='access'\nid='(a)'\nend='(a)'", "join.end needs join.duration; without it there is no begin"),
            ("role='error'\nwait='11m'", "join.wait must not be longer than 10m"),
            ("role='access'\nid='(a)'\nwait='1s'", "join.wait belongs to the error log; it waits for the access log"),
            ("role='access'\nid='a'", "join.id \"a\" has no group; put the part to take into parentheses"),
        ] {
            assert_eq!(join(&format!("{head}{text}")).unwrap_err(), error);
        }
    }

    #[test]
    fn seconds_with_decimals() {
        for (text, ns) in [
            ("1764072000.123", Some(1_764_072_000_123_000_000)),
            ("0", Some(0)),
            ("0.0000000019", Some(1)),
            ("", None),
            (".5", None),
            ("-1", None),
            ("1.5,2", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(nanoseconds(text.as_bytes()), ns, "{text}");
        }
    }

    proptest! {
        #[test]
        fn only_the_single_request_of_the_time_is_found(
            requests in proptest::collection::vec((0u8..3, 0i64..100, 0i64..20), 0..30),
            connection in 0u8..3, time in 0i64..130, tolerance in 0i64..5,
        ) {
            let mut table = JoinTable::default();
            for (at, (connection, begin, duration)) in requests.iter().enumerate() {
                table.note(&[*connection], &at.to_be_bytes(), *begin, begin + duration);
            }
            let fits: Vec<usize> = requests.iter().enumerate().filter(|(_, (of, begin, duration))| {
                *of == connection && begin - tolerance <= time && time <= begin + duration + tolerance
            }).map(|(at, _)| at).collect();
            let found = table.look_up(&[connection], time, Duration::from_nanos(tolerance as u64));
            match fits[..] {
                [] => prop_assert_eq!(found, Found::Unknown),
                [at] => prop_assert_eq!(found, Found::Id(&at.to_be_bytes())),
                _ => prop_assert_eq!(found, Found::Ambiguous),
            }
        }
    }
}
