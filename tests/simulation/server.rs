//! The service as it might be: it works on after the client has hung up, shows attachments late, loses answers, refuses
//! for passing reasons, pages its lists, and other people use it, too.

use std::time::Duration;

use attache::internals::reply::{Created, DoubtBecause, FailedBy, ListReply, Listed, Reply, RetryBecause, Verdict};
use attache::internals::upload::{RecordId, ServiceId, SourceKind};
use jiff::Timestamp;

use crate::world::WorldRow;

/// The second in which the worlds begin.
const EPOCH: i64 = 1_800_000_000;
/// How long the client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(1);

const US: u64 = 7;
const SOMEBODY: u64 = 8;

pub struct SimServer {
    /// After the server is done, a list shows the attachment within this time.
    pub lag: Duration,
    /// So long the server works after the last byte, at most.
    pub work: Duration,
    /// Of 100 requests, so many go wrong in some way.
    faults: u8,
    page: usize,
    renames: bool,
    /// By how many seconds the clock of `Created_Time` is behind that of the `Date` header.
    pub behind: i64,
    pub made: Vec<Made>,
    next_id: u64,
}

/// An attachment.
#[derive(Clone, Debug)]
pub struct Made {
    pub id: ServiceId,
    pub record: RecordId,
    pub name: String,
    pub size: u64,
    pub url: Option<String>,
    /// The row that made it; `None`: somebody else did.
    pub by: Option<usize>,
    author: u64,
    /// When its last byte came in. A client that dies before never sends it.
    body: Duration,
    created: Duration,
    visible: Duration,
}

impl SimServer {
    pub fn new(random: &mut fastrand::Rng, rows: &[WorldRow]) -> SimServer {
        let lag = if random.bool() { Duration::ZERO } else { Duration::from_millis(random.u64(..8_000)) };
        let work = Duration::from_millis(if random.bool() { 200 } else { random.u64(200..8_000) });
        let mut server = SimServer {
            lag,
            work,
            faults: [0, 10, 30, 60][random.usize(..4)],
            page: random.usize(1..6),
            renames: random.u8(..20) == 0,
            behind: if random.u8(..10) == 0 { random.i64(0..4) } else { 0 },
            made: Vec::new(),
            next_id: 500,
        };
        if random.u8(..2) == 0 {
            for _ in 0..random.usize(1..6) {
                server.somebody_attaches(random, rows);
            }
        }
        server
    }

    /// Somebody else puts something on a record of ours: long ago, exactly what we are about to put there; lately or
    /// meanwhile, something that resembles it in name or size.
    fn somebody_attaches(&mut self, random: &mut fastrand::Rng, rows: &[WorldRow]) {
        let row = &rows[random.usize(..rows.len())];
        let (created, name, size) = match random.u8(..4) {
            0 => (random.u64(..800), row.name.clone(), row.size),
            1 => (random.u64(1_000..1_100), row.name.clone(), row.size + 1),
            2 => (random.u64(1_000..1_100), format!("{} (1)", row.name), row.size),
            _ => (random.u64(..1_100), "something else".to_owned(), 3),
        };
        let created = Duration::from_secs(created);
        let id = self.new_id();
        let author = if random.bool() { US } else { SOMEBODY };
        let record = row.record;
        self.made.push(Made {
            id,
            record,
            name,
            size,
            url: None,
            by: None,
            author,
            body: created,
            created,
            visible: created,
        });
    }

    fn new_id(&mut self) -> ServiceId {
        self.next_id += 1;
        ServiceId::new(self.next_id)
    }

    pub fn time(clock: Duration) -> Timestamp {
        Timestamp::from_second(EPOCH).expect("a second of this century") + clock
    }

    /// Whether somebody else's attachments, or the server's habits, may make it impossible to tell what became of a
    /// row.
    pub fn may_confuse(&self, row: &WorldRow) -> bool {
        let resembles = |made: &&Made| made.record == row.record && (made.name == row.name || made.size == row.size);
        self.renames
            || self.behind > 0
            || self.made.iter().filter(|made| made.by.is_none()).any(|made| resembles(&made))
    }

    /// The client is gone: what it had not sent whole by then never arrives.
    pub fn client_dies(&mut self, clock: Duration) {
        self.made.retain(|made| made.body <= clock);
    }

    /// A row arrives. What the client hears of it, and when.
    pub fn upload(
        &mut self,
        random: &mut fastrand::Rng,
        clock: Duration,
        bad: bool,
        (index, row): (usize, &WorldRow),
    ) -> (Duration, Reply) {
        let start = clock + Duration::from_millis(random.u64(1..30));
        let body = start + Duration::from_millis(random.u64(5..500));
        let done = body + Duration::from_millis(random.u64(10..=200));
        if bad && random.u8(..100) < self.faults {
            return self.go_wrong(random, start, body, index, row);
        }
        if row.refused {
            return (done, reply(Verdict::Failed(FailedBy::Row), "INVALID_DATA"));
        }
        if self.has_link(row) {
            return (done, reply(Verdict::AlreadyPresent, "INVALID_DATA"));
        }
        let created = self.make(random, index, row, body, done);
        (done, reply(Verdict::Uploaded(created), ""))
    }

    fn go_wrong(
        &mut self,
        random: &mut fastrand::Rng,
        start: Duration,
        body: Duration,
        index: usize,
        row: &WorldRow,
    ) -> (Duration, Reply) {
        let soon = start + Duration::from_millis(random.u64(1..50));
        let late = body + PATIENCE;
        match random.u8(..8) {
            0 => (soon, reply(Verdict::Retry(RetryBecause::NotConnected), "not-connected")),
            1 => {
                let retry_after = random.bool().then(|| Duration::from_secs(random.u64(..20)));
                let throttled = reply(Verdict::Retry(RetryBecause::Throttled), "TOO_MANY_REQUESTS");
                (soon, Reply { retry_after, ..throttled })
            }
            2 => (soon, reply(Verdict::Retry(RetryBecause::LocalShortage), "local-shortage")),
            3 => (soon, reply(Verdict::InDoubt(DoubtBecause::AnswerLost), "answer-lost")),
            4 => (late, reply(Verdict::InDoubt(DoubtBecause::ServerError), "INTERNAL_ERROR")),
            why => {
                // The answer is lost, or is an error, and yet the work is done, perhaps long after.
                if !row.refused && !self.has_link(row) {
                    let done = body + Duration::from_millis(random.u64(..=self.work.as_millis() as u64));
                    self.make(random, index, row, body, done);
                }
                let because = if why == 5 { DoubtBecause::ServerError } else { DoubtBecause::AnswerLost };
                (late, reply(Verdict::InDoubt(because), "answer-lost"))
            }
        }
    }

    fn has_link(&self, row: &WorldRow) -> bool {
        let same = |made: &Made| made.record == row.record && made.url.as_ref() == Some(&row.source);
        row.kind == SourceKind::Link && self.made.iter().any(same)
    }

    fn make(
        &mut self,
        random: &mut fastrand::Rng,
        index: usize,
        row: &WorldRow,
        body: Duration,
        created: Duration,
    ) -> Created {
        let id = self.new_id();
        let (size, url) = match row.kind {
            SourceKind::File => (row.size, None),
            SourceKind::Link => (0, Some(row.source.clone())),
        };
        let name = if self.renames && random.bool() { format!("{} (1)", row.name) } else { row.name.clone() };
        let visible = created + Duration::from_millis(random.u64(..=self.lag.as_millis() as u64));
        let by = Some(index);
        self.made.push(Made { id, record: row.record, name, size, url, by, author: US, body, created, visible });
        let time = Timestamp::from_second(self.second_of(created)).ok().map(|time| time.to_string());
        Created { id, time, by: Some(ServiceId::new(US)) }
    }

    fn second_of(&self, created: Duration) -> i64 {
        EPOCH + i64::try_from(created.as_secs()).unwrap_or(0) - self.behind
    }

    /// A record is listed, page by page. What the client hears, and when.
    pub fn list(
        &self,
        random: &mut fastrand::Rng,
        clock: Duration,
        bad: bool,
        record: RecordId,
    ) -> (Duration, ListReply) {
        let done = clock + Duration::from_millis(random.u64(5..400));
        if bad && random.u8(..100) < self.faults {
            let because = match random.u8(..3) {
                0 => RetryBecause::NotConnected,
                1 => RetryBecause::Throttled,
                _ => RetryBecause::Passing,
            };
            return (done, ListReply::Not(reply(Verdict::Retry(because), "not-connected")));
        }
        let at_first = self.visible(record, clock);
        // A list of several pages tells of several instants; if one came in between, the count betrays it.
        if at_first.len() > self.page && self.visible(record, done).len() != at_first.len() {
            return (done, ListReply::Not(reply(Verdict::Retry(RetryBecause::Passing), "")));
        }
        (done, ListReply::Listed(at_first))
    }

    fn visible(&self, record: RecordId, clock: Duration) -> Vec<Listed> {
        let visible = self.made.iter().filter(|made| made.record == record && made.visible <= clock);
        let listed = |made: &Made| Listed {
            id: made.id,
            name: made.name.clone(),
            size: Some(made.size),
            url: made.url.clone(),
            created: Some(self.second_of(made.created)),
            created_by: Some(ServiceId::new(made.author)),
        };
        visible.map(listed).collect()
    }
}

fn reply(verdict: Verdict, code: &str) -> Reply {
    Reply {
        verdict,
        code: code.to_owned(),
        message: String::new(),
        http_status: None,
        took: Duration::from_millis(1),
        retry_after: None,
        credits_left: None,
    }
}
