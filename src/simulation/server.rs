//! The service as it might be: it works on after the client has hung up, shows attachments late, loses answers, refuses
//! for passing reasons, pages its lists, and other people use it, too.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use super::list_habits::{ListHabits, PageQuirk};
use super::mistakes::{Mistake, is_made};
use super::wire::{self, ListDialect, SimEntry, WireAnswer};
use super::wishes::{Wish, WishKind, WishedAttachment};
use crate::engine::Clock;
use crate::listing::PageRequest;
use crate::upload::{RecordId, ServiceId};
use crate::zoho::classify::TransportError;

/// The second in which the worlds begin.
const EPOCH: i64 = 1_800_000_000;
/// How long the client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// By how much the client's own clock is wrong.
const CLIENT_AHEAD: Duration = Duration::from_secs(3_600);

/// Ids as the service gives them.
const FIRST_ID: u64 = 738_964_000_000_500_000;
const US: ServiceId = ServiceId::new(738_964_000_000_000_007);
const SOMEBODY: ServiceId = ServiceId::new(738_964_000_000_000_008);

pub(super) struct SimServer {
    /// After the server is done, a list shows the attachment within this time.
    pub(super) lag: Duration,
    /// So long the server works after the last byte, at most.
    pub(super) work: Duration,
    /// Of 100 requests, so many go wrong in some way.
    faults: u8,
    /// Entries on a page.
    page: usize,
    renames: bool,
    /// Its answers have no `Date`, and the clock of the client is wrong.
    pub(super) clockless: bool,
    pub(super) lists: ListHabits,
    dialect: ListDialect,
    /// By how many seconds the clock of `Created_Time` is behind that of the `Date` header.
    behind: i64,
    pub(super) made: Vec<Made>,
    /// The last success that the client has heard of.
    told: Option<(ServiceId, Timestamp)>,
    /// What was turned away on the way to the service, in a way that counts against the row.
    turned_away: BTreeSet<WishKind>,
    next_id: u64,
}

/// An attachment.
#[derive(Clone, Debug)]
pub(super) struct Made {
    pub(super) id: ServiceId,
    pub(super) record: RecordId,
    pub(super) name: String,
    pub(super) size: u64,
    pub(super) url: Option<String>,
    /// What it was made for; `None`: somebody else made it.
    pub(super) by: Option<WishKind>,
    author: ServiceId,
    /// When its last byte came in. A client that dies before never sends it.
    body: Duration,
    created: Duration,
    visible: Duration,
    /// When its deletion was asked for, when it took effect, and until when lists may still show it.
    deletion: Option<SimDeletion>,
}

/// What is known of a deletion.
#[derive(Clone, Copy, Debug)]
struct SimDeletion {
    /// When the request came in. A client that dies before never sends it.
    arrived: Duration,
    /// From then on it is gone.
    gone: Duration,
    /// From then on no list shows it.
    unlisted: Duration,
}

impl Made {
    /// Whether it is deleted, or will be whatever happens.
    pub(super) fn is_deleted(&self) -> bool {
        self.deletion.is_some()
    }

    fn is_gone(&self, clock: Duration) -> bool {
        self.deletion.is_some_and(|deletion| deletion.gone <= clock)
    }

    fn is_listed(&self, clock: Duration) -> bool {
        self.visible <= clock && self.deletion.is_none_or(|deletion| clock < deletion.unlisted)
    }
}

impl SimServer {
    pub(super) fn new(random: &mut fastrand::Rng, wishes: &[Wish]) -> SimServer {
        let lag = if random.bool() { Duration::ZERO } else { Duration::from_millis(random.u64(..8_000)) };
        let work = Duration::from_millis(if random.bool() { 200 } else { random.u64(200..8_000) });
        let mut server = SimServer {
            lag,
            work,
            faults: [0, 10, 30, 60][random.usize(..4)],
            page: random.usize(1..6),
            renames: random.u8(..20) == 0,
            clockless: false,
            lists: ListHabits::default(),
            dialect: ListDialect::Texts,
            behind: if random.u8(..10) == 0 { random.i64(0..4) } else { 0 },
            made: Vec::new(),
            told: None,
            turned_away: BTreeSet::new(),
            next_id: FIRST_ID,
        };
        if random.bool() {
            for _ in 0..random.usize(1..6) {
                let wish = &wishes[random.usize(..wishes.len())];
                server.somebody_attaches(random, wish);
            }
        }
        // Drawn last, so that a world keeps what it had before these were thought of.
        server.clockless = random.u8(..12) == 0;
        server.lists = ListHabits::draw(random);
        server.dialect = ListDialect::draw(random);
        server
    }

    /// Somebody else puts something on a record of ours: long ago, exactly what we are about to put there; lately or
    /// meanwhile, something that resembles it in name or size.
    fn somebody_attaches(&mut self, random: &mut fastrand::Rng, wish: &Wish) {
        let (name, size) = (wish.name(), wish.size());
        let (created, name, size) = match random.u8(..4) {
            0 => (random.u64(..800), name, size),
            1 => (random.u64(1_000..1_100), name, size + 1),
            2 => (random.u64(1_000..1_100), format!("{name} (1)"), size),
            _ => (random.u64(..1_100), "something else".to_owned(), 3),
        };
        let created = Duration::from_secs(created);
        let made = Made {
            id: self.new_id(),
            record: wish.record,
            name,
            size,
            url: None,
            by: None,
            author: if random.bool() { US } else { SOMEBODY },
            body: created,
            created,
            visible: created,
            deletion: None,
        };
        self.made.push(made);
    }

    fn new_id(&mut self) -> ServiceId {
        self.next_id += 1;
        ServiceId::new(self.next_id)
    }

    /// The time by which a run writes when it sent something.
    pub(super) fn client_time(&self, clock: Duration) -> Timestamp {
        let time = SimServer::time(clock);
        if self.clockless { time + CLIENT_AHEAD } else { time }
    }

    /// Whose clock that is.
    pub(super) fn client_clock(&self) -> Clock {
        if self.clockless && !is_made(Mistake::TrustsItsOwnClock) { Clock::Local } else { Clock::Service }
    }

    pub(super) fn time(clock: Duration) -> Timestamp {
        Timestamp::from_second(EPOCH).expect("a second of this century") + clock
    }

    /// Whether somebody else's attachments, or the server's habits, may make it impossible to tell what became of a
    /// wish.
    pub(super) fn may_confuse(&self, kind: &WishKind, size: u64) -> bool {
        let alike = |made: &Made| made.name == kind.name || made.size == size || made.name.is_empty();
        let resembles = |made: &&Made| made.record == kind.record && alike(made);
        self.renames
            || self.clockless
            || self.behind > 0
            || self.lists.confused(kind.record)
            || self.made.iter().filter(|made| made.by.is_none()).any(|made| resembles(&made))
    }

    /// How many attachments were made for this, and their ids.
    pub(super) fn made_for(&self, kind: &WishKind) -> impl Iterator<Item = ServiceId> {
        self.made.iter().filter(move |made| made.by.as_ref() == Some(kind)).map(|made| made.id)
    }

    /// The client is gone: what it had not sent whole by then never arrives.
    pub(super) fn client_dies(&mut self, clock: Duration) {
        self.made.retain(|made| made.body <= clock);
        for made in &mut self.made {
            made.deletion = made.deletion.filter(|deletion| deletion.arrived <= clock);
        }
    }

    /// The process has ended, and its connections with it: nothing that it was told is repeated to the next one.
    pub(super) fn connections_end(&mut self) {
        self.told = None;
    }

    /// Nobody is there.
    pub(super) fn unreachable() -> WireAnswer {
        WireAnswer::Broken { how: TransportError::Connection, bytes_left: false }
    }

    /// A row arrives. What the client hears of it, and when.
    pub(super) fn upload(
        &mut self,
        random: &mut fastrand::Rng,
        clock: Duration,
        bad: bool,
        wish: &Wish,
    ) -> (Duration, WireAnswer) {
        let start = clock + Duration::from_millis(random.u64(1..30));
        let body = start + Duration::from_millis(random.u64(5..500));
        let done = body + Duration::from_millis(random.u64(10..=200));
        if bad && random.u8(..100) < self.faults {
            return self.go_wrong(random, start, body, wish);
        }
        if wish.refused {
            let exchange = if wish.is_link() {
                WireAnswer::refusal(400, "INVALID_URL_PATTERN", "please check the link")
            } else {
                WireAnswer::refusal(400, "INVALID_DATA", "invalid file type")
            };
            return (done, exchange);
        }
        if self.has_link(wish) {
            return (done, WireAnswer::refusal(400, "INVALID_DATA", "the link already exists in this record"));
        }
        let (id, created) = self.make(random, wish, body, done);
        self.told = Some((id, created));
        (done, WireAnswer::answer(200, wire::success(id, created, US)))
    }

    fn go_wrong(
        &mut self,
        random: &mut fastrand::Rng,
        start: Duration,
        body: Duration,
        wish: &Wish,
    ) -> (Duration, WireAnswer) {
        let soon = start + Duration::from_millis(random.u64(1..50));
        let late = body + PATIENCE;
        let lost = WireAnswer::Broken { how: TransportError::Connection, bytes_left: true };
        match random.u8(..12) {
            0 => (soon, SimServer::unreachable()),
            1 => (soon, throttle(random)),
            2 => (soon, WireAnswer::Broken { how: TransportError::Shortage, bytes_left: false }),
            3 => (soon, lost),
            4 => (late, WireAnswer::refusal(500, "INTERNAL_ERROR", "an error of the server")),
            5 => (soon, WireAnswer::refusal(401, "INVALID_TOKEN", "invalid oauth token")),
            // Something on the way answers, and the service never hears of it.
            6 => {
                self.turned_away.insert(wish.kind());
                (late, self.on_the_way(random))
            }
            // The answer is lost, or is an error, and yet the work is done, perhaps long after.
            which => {
                if !wish.refused && !self.has_link(wish) {
                    let done = body + Duration::from_millis(random.u64(..=self.work.as_millis() as u64));
                    self.make(random, wish, body, done);
                } else {
                    // A link that is there already: nothing comes of the request, whatever the answer is.
                    self.turned_away.insert(wish.kind());
                }
                (late, if which < 10 { self.on_the_way(random) } else { lost })
            }
        }
    }

    /// What a client may hear whether the work is done or not: nothing here proves anything.
    fn on_the_way(&self, random: &mut fastrand::Rng) -> WireAnswer {
        let page = "<html><title>Forbidden</title></html>";
        let answer = match random.u8(..26) {
            0 => WireAnswer::refusal(500, "INTERNAL_ERROR", "an error of the server"),
            1 => WireAnswer::refusal(400, "INTERNAL_ERROR", "an error of the server"),
            2 => WireAnswer::answer(502, "<html>bad gateway</html>"),
            3 => WireAnswer::answer(503, ""),
            4 => WireAnswer::answer(504, ""),
            5 => WireAnswer::answer(408, ""),
            6 => WireAnswer::answer(302, "").with("location", "https://login.example.test/"),
            7 => WireAnswer::answer(303, "").with("location", "https://login.example.test/"),
            8 => WireAnswer::answer(307, "").with("location", "https://login.example.test/"),
            9 => WireAnswer::answer(407, page),
            10 => WireAnswer::answer(401, page),
            11 => WireAnswer::answer(403, page),
            12 => WireAnswer::answer(404, page),
            13 => WireAnswer::answer(413, page),
            14 => WireAnswer::answer(422, r#"{"status":"error"}"#),
            15 => WireAnswer::answer(200, r#"{"data":[{"code":"SUCC"#),
            16 => WireAnswer::answer(200, page),
            17 => WireAnswer::answer(204, ""),
            18 => {
                WireAnswer::answer(202, wire::success(ServiceId::new(FIRST_ID - 1), self.second_of(Duration::ZERO), US))
            }
            19 => WireAnswer::answer(200, wire::success(ServiceId::new(77), self.second_of(Duration::ZERO), US)),
            20..24 => {
                let statuses =
                    [206, 226, 300, 304, 400, 405, 409, 410, 411, 421, 423, 425, 431, 451, 499, 501, 507, 520, 524];
                WireAnswer::answer(statuses[random.usize(..statuses.len())], page)
            }
            // A proxy that repeats the answer of another request.
            _ => match self.told.as_ref() {
                Some((id, created)) => WireAnswer::answer(200, wire::success(*id, *created, US)),
                None => WireAnswer::answer(200, "{}"),
            },
        };
        if random.u8(..4) == 0 { answer.with("retry-after", random.u64(..20)) } else { answer }
    }

    /// Whether something on the way turned this away.
    pub(super) fn was_turned_away(&self, kind: &WishKind) -> bool {
        self.turned_away.contains(kind)
    }

    fn has_link(&self, wish: &Wish) -> bool {
        let WishedAttachment::Link(address) = &wish.source else { return false };
        self.made
            .iter()
            .any(|made| made.record == wish.record && made.url.as_ref() == Some(address) && !made.is_deleted())
    }

    fn make(
        &mut self,
        random: &mut fastrand::Rng,
        wish: &Wish,
        body: Duration,
        created: Duration,
    ) -> (ServiceId, Timestamp) {
        let id = self.new_id();
        let url = match &wish.source {
            WishedAttachment::File(..) => None,
            WishedAttachment::Link(address) => Some(address.clone()),
        };
        let name = if self.renames && random.bool() { format!("{} (1)", wish.name()) } else { wish.name() };
        let visible = created + Duration::from_millis(random.u64(..=self.lag.as_millis() as u64));
        let (record, size, by) = (wish.record, wish.size(), Some(wish.kind()));
        self.made.push(Made { id, record, name, size, url, by, author: US, body, created, visible, deletion: None });
        (id, self.second_of(created))
    }

    fn second_of(&self, created: Duration) -> Timestamp {
        let second = EPOCH + i64::try_from(created.as_secs()).unwrap_or(0) - self.behind;
        Timestamp::from_second(second).expect("a second of this century")
    }

    /// A page of a record's list is asked for. What the client hears, and when.
    pub(super) fn list(
        &mut self,
        random: &mut fastrand::Rng,
        clock: Duration,
        bad: bool,
        record: RecordId,
        page: &PageRequest,
    ) -> (Duration, WireAnswer) {
        let done = clock + Duration::from_millis(random.u64(5..200));
        if bad && random.u8(..100) < self.faults {
            return (done, no_answer(random));
        }
        let number = match page {
            PageRequest::First => &1,
            PageRequest::Number(number) => number,
            PageRequest::Token(_) => return (done, WireAnswer::refusal(400, "EXPIRED_VALUE", "the token")),
        };
        let number = usize::try_from(*number).unwrap_or(usize::MAX);
        if number == 1 {
            let all: Vec<&Made> =
                self.made.iter().filter(|made| made.record == record && made.is_listed(clock)).collect();
            self.lists.begin_list(random, bad, record, &all);
        }
        let quirk = self.lists.quirk(random, bad, record, number);
        let is_shown = |made: &&Made| made.record == record && made.is_listed(clock) && self.lists.shows(record, made);
        let all: Vec<&Made> = self.made.iter().filter(is_shown).collect();
        let mut on_page: Vec<SimEntry<'_>> =
            all.iter().skip((number - 1) * self.page).take(self.page).map(|made| self.entry(made)).collect();
        if all.is_empty() {
            return (done, WireAnswer::answer(204, ""));
        }
        let mut more = number * self.page < all.len();
        let at = random.usize(..on_page.len().max(1));
        match quirk {
            Some(PageQuirk::Empty) => return (done, WireAnswer::answer(204, "")),
            Some(PageQuirk::EndlessEnd) => more = true,
            Some(PageQuirk::Lean) => on_page.get_mut(at).into_iter().for_each(|entry| entry.lean = true),
            Some(PageQuirk::Twice) => on_page.extend(on_page.get(at).copied()),
            Some(PageQuirk::Cut) | None => {}
        }
        let mut body = wire::page(self.dialect, &on_page, number, more);
        if quirk == Some(PageQuirk::Cut) {
            body.truncate(random.usize(..body.len()));
        }
        (done, WireAnswer::answer(200, body))
    }

    /// An attachment is to be deleted. What the client hears, and when.
    pub(super) fn delete(
        &mut self,
        random: &mut fastrand::Rng,
        clock: Duration,
        bad: bool,
        id: ServiceId,
    ) -> (Duration, WireAnswer) {
        let arrived = clock + Duration::from_millis(random.u64(1..30));
        let done = arrived + Duration::from_millis(random.u64(10..=200));
        if bad && random.u8(..100) < self.faults {
            let soon = arrived + Duration::from_millis(random.u64(1..50));
            return match random.u8(..8) {
                0 => (soon, SimServer::unreachable()),
                1 => (soon, throttle(random)),
                2 => (soon, WireAnswer::refusal(401, "INVALID_TOKEN", "invalid oauth token")),
                // Something on the way answers, and the service never hears of it.
                3 => (arrived + PATIENCE, self.on_the_way(random)),
                // The answer is lost, or is an error, and yet the work is done, perhaps long after.
                which => {
                    let gone = arrived + Duration::from_millis(random.u64(..=self.work.as_millis() as u64));
                    self.delete_at(random, id, arrived, gone);
                    let lost = WireAnswer::Broken { how: TransportError::Connection, bytes_left: true };
                    (arrived + PATIENCE, if which < 6 { self.on_the_way(random) } else { lost })
                }
            };
        }
        match self.delete_at(random, id, arrived, done) {
            true => (done, WireAnswer::answer(200, wire::deleted(id))),
            false => (done, WireAnswer::refusal(400, "INVALID_DATA", "the related id given seems to be invalid")),
        }
    }

    /// Says whether there was something to delete.
    fn delete_at(&mut self, random: &mut fastrand::Rng, id: ServiceId, arrived: Duration, gone: Duration) -> bool {
        let lag = Duration::from_millis(random.u64(..=self.lag.as_millis() as u64));
        let Some(made) = self.made.iter_mut().find(|made| made.id == id && made.created <= arrived) else {
            return false;
        };
        if made.is_deleted() {
            return false;
        }
        made.deletion = Some(SimDeletion { arrived, gone, unlisted: gone + lag });
        true
    }

    /// An attachment is asked for by its id.
    pub(super) fn presence(
        &self,
        random: &mut fastrand::Rng,
        clock: Duration,
        bad: bool,
        id: ServiceId,
    ) -> (Duration, WireAnswer) {
        let done = clock + Duration::from_millis(random.u64(5..200));
        if bad && random.u8(..100) < self.faults {
            return (done, no_answer(random));
        }
        match self.made.iter().any(|made| made.id == id && made.created <= clock && !made.is_gone(clock)) {
            true => (done, WireAnswer::answer(200, "its content")),
            false => (done, WireAnswer::answer(204, "")),
        }
    }

    fn entry<'m>(&self, made: &'m Made) -> SimEntry<'m> {
        SimEntry {
            id: made.id,
            name: &made.name,
            size: made.size,
            url: made.url.as_deref(),
            created: self.second_of(made.created),
            by: made.author,
            lean: false,
        }
    }
}

/// What keeps a question from being answered.
fn no_answer(random: &mut fastrand::Rng) -> WireAnswer {
    match random.u8(..3) {
        0 => WireAnswer::Broken { how: TransportError::Connection, bytes_left: false },
        1 => throttle(random),
        _ => WireAnswer::refusal(500, "INTERNAL_ERROR", "an error of the server"),
    }
}

/// A refusal to do anything now.
fn throttle(random: &mut fastrand::Rng) -> WireAnswer {
    let throttled = match random.u8(..4) {
        0 => WireAnswer::answer(429, "<html>too many requests</html>"),
        1 => WireAnswer::refusal(503, "TOO_MANY_REQUESTS", "slow down"),
        2 => WireAnswer::refusal(400, "CONCURRENCY_LIMIT_REACHED", "too many at once"),
        _ => WireAnswer::refusal(429, "TOO_MANY_REQUESTS", "slow down"),
    };
    if random.bool() { throttled.with("retry-after", random.u64(..20)) } else { throttled }
}
