//! The client: one upload, one listing, one answer each. Repeats nothing by itself; what follows is the engine's choice.

use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::Value;
use ureq::http::HeaderValue;
use ureq::{Agent, SendBody};
use zeroize::Zeroizing;

use super::answer::{self, Answer, AnswerContent};
use super::auth::{Credentials, CutSignal, Lease, Secret, TokenError, TokenOptions, Tokens};
use super::body::{Bandwidth, Body};
use super::census::{self, CensusPage, CensusQuery};
use super::classify::{Ask, Exchange, classify, own_code};
use super::download::{self, BodyCut, DownloadEnd};
use super::hosts::Target;
use super::http::{self, HttpError, HttpOptions, TimeLimits};
use super::list::{Fields, read_page};
use super::multipart::Form;
use super::request_log::{self, RequestNote};
use crate::content::{Fingerprint, FingerprintKind};
use crate::crm::ApiVersion;
use crate::crm::limits::PER_PAGE;
use crate::listing::{ListReading, PageRequest};
use crate::open_file::{FileTrouble, OpenFile};
use crate::outcome::OwnCode;
use crate::reply::{
    AttachmentPresence, DoubtBecause, FailedBy, ListReply, Listed, PageReply, PresenceReply, Refusal, Reply,
    RetryBecause, StopBecause, Verdict,
};
use crate::text::system_words;
use crate::units;
use crate::upload::{FileSource, RecordId, ServiceId, SourceKind, Upload};

/// Speaks to one target with one set of credentials; shared by all threads.
pub struct Client {
    pub(super) agent: Agent,
    pub(super) tokens: Tokens,
    bandwidth: Option<Bandwidth>,
    clock: Mutex<Option<ServiceClock>>,
    credits_left: Mutex<Option<u64>>,
    fields: AtomicU8,
    fingerprints: FingerprintKind,
    cut: Arc<CutSignal>,
    limits: TimeLimits,
}

/// What came of sending one row.
#[derive(Clone, PartialEq, Debug)]
pub struct Sent {
    /// The answer, or why there is none.
    pub reply: Reply,
    /// The fingerprint of the file, where all of the request had left, whatever came of it; `None` for a link.
    pub content: Option<Fingerprint>,
}

/// Why there can be no client.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ClientError {
    /// Nothing to get in with.
    NoCredentials,
    /// The token of a rehearsal server, and a real target.
    RehearsalToken,
    /// Certificates or proxy.
    Http(HttpError),
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClientError::NoCredentials => f.write_str(
                "no credentials: set ZOHO_ACCESS_TOKEN, or ZOHO_CLIENT_ID, ZOHO_CLIENT_SECRET and ZOHO_REFRESH_TOKEN, or make a \
                 profile with `attache auth login`",
            ),
            ClientError::RehearsalToken => f.write_str(
                "ZOHO_ACCESS_TOKEN holds the token of a rehearsal server (it begins with `sandbox-`), which is never sent to a \
                 real host",
            ),
            ClientError::Http(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ClientError {}

impl From<HttpError> for ClientError {
    fn from(error: HttpError) -> ClientError {
        ClientError::Http(error)
    }
}

impl Client {
    /// A client; nothing is sent yet.
    ///
    /// # Errors
    ///
    /// There are no credentials, they are for another kind of target, or the certificates or the proxy are unusable.
    pub fn new(
        target: Target,
        credentials: Credentials,
        http: &HttpOptions,
        tokens: TokenOptions,
    ) -> Result<Client, ClientError> {
        if credentials.is_empty() {
            return Err(ClientError::NoCredentials);
        }
        if credentials.access.as_ref().is_some_and(Secret::is_of_rehearsal) && !target.api().is_loopback() {
            return Err(ClientError::RehearsalToken);
        }
        let fields = if target.version().lists_named_fields() { Fields::Named } else { Fields::All };
        let agent = http::agent(http, target.api())?;
        let accounts_agent = target.accounts().map(|accounts| http::agent(http, accounts)).transpose()?;
        let cut = Arc::<CutSignal>::default();
        Ok(Client {
            agent,
            tokens: Tokens::new(target, credentials, accounts_agent, tokens, Arc::clone(&cut)),
            bandwidth: http.bandwidth.map(Bandwidth::new),
            clock: Mutex::new(None),
            credits_left: Mutex::new(None),
            fields: AtomicU8::new(fields as u8),
            fingerprints: FingerprintKind::default(),
            cut,
            limits: http.limits,
        })
    }

    /// The same client with fingerprints of this kind.
    #[must_use]
    pub fn with_fingerprints(self, kind: FingerprintKind) -> Client {
        Client { fingerprints: kind, ..self }
    }

    /// Where this client sends to, so far: see [`Client::find_target`].
    pub fn target(&self) -> Target {
        self.tokens.target().as_ref().clone()
    }

    /// Gets a token if there is none yet, so that the target is final: where the user named no API domain, the token's
    /// own answer decides it. Without this, a token of another API domain than was thought stops the run.
    ///
    /// # Errors
    ///
    /// The reply says why there is no token.
    pub fn find_target(&self) -> Result<Target, Box<Reply>> {
        match self.tokens.find_target() {
            Ok(target) => Ok(target.as_ref().clone()),
            Err(error) => Err(Box::new(no_token(error))),
        }
    }

    /// The service's clock now, as far as an answer has told it: never ahead of it.
    pub fn server_time(&self) -> Option<Timestamp> {
        let clock = *self.clock.lock().unwrap_or_else(PoisonError::into_inner);
        clock?.now()
    }

    /// API credits that the organisation had left at the last answer that said so, of uploads and listings alike.
    pub fn credits_left(&self) -> Option<u64> {
        *self.credits_left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the current token still lives, if that is known.
    pub fn token_time_left(&self) -> Option<Duration> {
        self.tokens.time_left()
    }

    /// The scopes that the current token was granted, if the accounts server said so.
    pub fn scopes(&self) -> Option<Vec<String>> {
        let scopes = self.tokens.scopes()?;
        Some(scopes.split([' ', ',']).filter(|scope| !scope.is_empty()).map(str::to_owned).collect())
    }

    /// Ends all requests and waits at once, for the second Ctrl-C. What was under way is in doubt.
    pub fn cut(&self) {
        self.cut.cut();
        self.agent.clone().shutdown();
    }

    /// Sends one row. `file` is where its bytes lie and what the check saw of them; `progress` is told of bytes as they
    /// leave.
    pub fn upload(&self, upload: &Upload<'_>, file: Option<&FileSource>, progress: &(dyn Fn(u64) + Sync)) -> Sent {
        let unsent = |reply| Sent { reply, content: None };
        let open = match (upload.kind, file) {
            (SourceKind::Link, _) => Ok(None),
            (SourceKind::File, Some(file)) => {
                OpenFile::open(file).map(|file| Some(file.fingerprinting(self.fingerprints)))
            }
            (SourceKind::File, None) => Err(FileTrouble::Changed("was not looked at by the check")),
        };
        let open = match open {
            Ok(open) => open,
            Err(error) => return unsent(file_reply(&error, 0)),
        };
        let lease = match self.tokens.lease() {
            Ok(lease) => lease,
            Err(error) => return unsent(no_token(error)),
        };
        let form = self.form(upload, &lease);
        let mut body = Body::new(&form, open, self.bandwidth.as_ref(), progress);
        let exchange = self.post(&lease, upload, &form, &mut body);
        if let Some(error) = body.error() {
            return unsent(Reply { took: body.took(), ..file_reply(error, body.handed_out()) });
        }
        let ask = match upload.kind {
            SourceKind::File => Ask::File,
            SourceKind::Link => Ask::Link,
        };
        let sent = format_args!("{} of {} bytes had left", body.handed_out(), body.length());
        let reply = Reply { took: body.took(), ..self.reply(ask, &exchange, &lease, sent) };
        Sent { reply, content: body.content() }
    }

    /// Lists a record's attachments, all pages.
    pub fn list(&self, module: &str, record: RecordId) -> ListReply {
        let mut reading = ListReading::default();
        loop {
            match self.list_page(module, record, &mut reading) {
                Ok(Some(listed)) => return ListReply::Listed(listed),
                Ok(None) => {}
                Err(reply) => return ListReply::Not(*reply),
            }
        }
    }

    /// Asks for the next page of a record's list. Gives the whole list with the last page, and nothing before.
    ///
    /// # Errors
    ///
    /// The reply says why there is no such page. Where the pages so far are of no use any more, the next call begins with
    /// the first one.
    pub fn list_page(
        &self,
        module: &str,
        record: RecordId,
        reading: &mut ListReading,
    ) -> Result<Option<Vec<Listed>>, Box<Reply>> {
        match self.page(module, record, reading.next_page()) {
            PageReply::Page { page, .. } => reading.take(page).map_err(|why| Box::new(unusable(why).into_kind())),
            PageReply::AskAgain => Ok(None),
            PageReply::Not(reply) => {
                if is_about_pages(&reply.code) {
                    *reading = ListReading::default();
                }
                Err(Box::new(reply.into_kind()))
            }
        }
    }

    /// Asks for one page of a record's list, once.
    pub fn page(&self, module: &str, record: RecordId, page: &PageRequest) -> PageReply {
        let lease = match self.tokens.lease() {
            Ok(lease) => lease,
            Err(error) => return PageReply::Not(no_token(error).into_kind()),
        };
        let fields = self.fields();
        let exchange = self.get_page(&lease, &address(&lease.target, module, record), fields, page);
        if let Some(other) = other_fields(fields, &exchange) {
            self.fields.store(other as u8, Ordering::Relaxed);
            return PageReply::AskAgain;
        }
        let reply = page_reply(&exchange, || self.reply(Ask::List, &exchange, &lease, format_args!("")));
        if let PageReply::Page { .. } = &reply {
            self.tokens.worked(lease.generation);
        }
        reply
    }

    /// Asks for one attachment by its id, to see whether it is there. Its content is not read.
    pub fn presence(&self, module: &str, record: RecordId, attachment: ServiceId) -> PresenceReply {
        let lease = match self.tokens.lease() {
            Ok(lease) => lease,
            Err(error) => return PresenceReply::Not(no_token(error).into_kind()),
        };
        let address = format!("{}/{attachment}", address(&lease.target, module, record));
        let request = self.agent.get(address).header("authorization", authorization(&lease.token));
        let note = RequestNote::of(&request);
        let exchange = self.heard(note, &lease, http::exchange_without_content(request.call()));
        presence_reply(&exchange, || self.reply(Ask::List, &exchange, &lease, format_args!("")))
    }

    /// Deletes one attachment. Without an error, the service says that it has.
    ///
    /// # Errors
    ///
    /// The reply says what came instead. Where its verdict is a doubt, the attachment may be deleted all the same.
    pub fn delete(&self, module: &str, record: RecordId, attachment: ServiceId) -> Result<(), Box<Reply>> {
        let lease = self.tokens.lease().map_err(|error| Box::new(no_token(error)))?;
        let address = format!("{}/{attachment}", address(&lease.target, module, record));
        let request = self.agent.delete(address).header("authorization", authorization(&lease.token));
        let note = RequestNote::of(&request);
        let exchange = self.heard(note, &lease, http::exchange_of_change(request.call()));
        let done = delete_reply(&exchange, attachment, || {
            self.reply(Ask::Delete, &exchange, &lease, format_args!("the request had left"))
        });
        if done.is_ok() {
            self.tokens.worked(lease.generation);
        }
        done
    }

    /// Asks for one page of the census: all attachments that the user may see.
    ///
    /// # Errors
    ///
    /// The reply says why there is no page.
    pub fn census_page(&self, query: &CensusQuery) -> Result<CensusPage, Box<Reply>> {
        let lease = self.tokens.lease().map_err(|error| Box::new(no_token(error)))?;
        // Versions without page tokens end after 2,000 entries; the newest one is served to everybody.
        let version = Some(lease.target.version()).filter(|version| version.has_page_tokens());
        let version = version.unwrap_or(ApiVersion::V8);
        let address = format!("{}/crm/{version}/Attachments", lease.target.api());
        let request = self.agent.get(address).header("authorization", authorization(&lease.token));
        let request = query.parameters().into_iter().fold(request, |request, (name, value)| request.query(name, value));
        let note = RequestNote::of(&request);
        let exchange = self.heard(note, &lease, http::exchange(request.call(), false));
        let (status, body) = match &exchange {
            Exchange::Answer(Answer {
                status: status @ 200,
                body: Some(body),
                content: AnswerContent::Nothing(_),
                ..
            }) => (*status, Some(&body[..])),
            Exchange::Answer(Answer { status: status @ 204, .. }) => (*status, None),
            exchange => return Err(Box::new(self.reply(Ask::List, exchange, &lease, format_args!("")))),
        };
        self.tokens.worked(lease.generation);
        census::read(body).map_err(|why| {
            let verdict = Verdict::Failed(FailedBy::Unlisted);
            Box::new(Reply { http_status: Some(status), ..plain(verdict, OwnCode::Unreadable, why) })
        })
    }

    /// Fetches the bytes of an attachment that should have `expected` of them; `take` gets them as they come. After an
    /// error or an end that is not [`DownloadEnd::Whole`] they are good for nothing.
    ///
    /// # Errors
    ///
    /// The reply says why nothing came, or not all.
    pub fn download(
        &self,
        module: &str,
        record: RecordId,
        id: ServiceId,
        expected: u64,
        take: &mut dyn FnMut(&[u8]),
    ) -> Result<DownloadEnd, Box<Reply>> {
        let lease = self.tokens.lease().map_err(|error| Box::new(no_token(error)))?;
        let address = format!("{}/{id}", address(&lease.target, module, record));
        let time = download::time_for_body(expected, self.limits.answer_body);
        let request = self.agent.get(address).config().timeout_recv_body(Some(time)).build();
        let request =
            request.header("authorization", authorization(&lease.token)).header("accept-encoding", "identity");
        let note = RequestNote::of(&request);
        let mut response = match request.call() {
            Ok(response) if response.status() == 200 => response,
            result => {
                let exchange = self.heard(note, &lease, http::exchange(result, false));
                if matches!(&exchange, Exchange::Answer(Answer { status: 204, .. })) {
                    self.tokens.worked(lease.generation);
                    return Ok(DownloadEnd::Gone);
                }
                return Err(Box::new(self.reply(Ask::List, &exchange, &lease, format_args!(""))));
            }
        };
        request_log::tell_status(note, 200, "a file");
        self.tokens.worked(lease.generation);
        self.learn(answer::date(response.headers()), answer::credits_left(response.headers()));
        download::read(&mut response, &|| self.cut.is_cut(), take).map_err(|cut| {
            let (code, message) = match cut {
                BodyCut::Broken(received, error) => (
                    OwnCode::AnswerLost,
                    format!("the download broke off after {received} of {expected} bytes: {}", system_words(&error)),
                ),
                BodyCut::Interrupted => (OwnCode::Interrupted, "interrupted".to_owned()),
            };
            Box::new(plain(Verdict::Retry(RetryBecause::Passing), code, message))
        })
    }

    /// Asks for something below the API's own path; once more with a fresh token if the first is refused.
    pub(crate) fn get(&self, path: &str) -> Result<Value, Box<Reply>> {
        let mut tries = 0;
        loop {
            tries += 1;
            let lease = self.tokens.lease().map_err(|error| Box::new(no_token(error)))?;
            let address = format!("{}/crm/{}/{path}", lease.target.api(), lease.target.version());
            let request = self.agent.get(address).header("authorization", authorization(&lease.token));
            let note = RequestNote::of(&request);
            let exchange = self.heard(note, &lease, http::exchange(request.call(), false));
            if let Exchange::Answer(Answer { status: 200, body: Some(body), .. }) = &exchange
                && let Ok(value) = serde_json::from_slice(body)
            {
                self.tokens.worked(lease.generation);
                return Ok(value);
            }
            let reply = self.reply(Ask::List, &exchange, &lease, format_args!(""));
            if reply.verdict != Verdict::Retry(RetryBecause::TokenRenewed) || tries == 2 {
                return Err(Box::new(reply));
            }
        }
    }

    fn form(&self, upload: &Upload<'_>, lease: &Lease) -> Form {
        let has_titles = lease.target.version().has_link_titles();
        match upload.kind {
            SourceKind::File => Form::file(upload.name),
            SourceKind::Link => {
                Form::link(upload.source, Some(upload.name).filter(|title| has_titles && !title.is_empty()))
            }
        }
    }

    fn post(&self, lease: &Lease, upload: &Upload<'_>, form: &Form, body: &mut Body<'_>) -> Exchange {
        let request = self
            .agent
            .post(address(&lease.target, upload.module, upload.record))
            .header("authorization", authorization(&lease.token))
            .header("content-type", form.content_type())
            .header("content-length", body.length());
        let note = RequestNote::of(&request).map(|note| note.with(&units::size(body.length())));
        let result = request.send(SendBody::from_reader(body));
        self.heard(note, lease, http::exchange(result, body.handed_out() > 0))
    }

    fn get_page(&self, lease: &Lease, address: &str, fields: Fields, page: &PageRequest) -> Exchange {
        let mut request = self.agent.get(address).header("authorization", authorization(&lease.token));
        if let Some(names) = fields.query() {
            request = request.query("fields", names);
        }
        request = request.query("per_page", PER_PAGE.to_string());
        request = match page {
            PageRequest::First => request,
            PageRequest::Number(number) => request.query("page", number.to_string()),
            PageRequest::Token(token) => request.query("page_token", token),
        };
        let note = RequestNote::of(&request).map(|note| note.with(&page_in_words(page)));
        self.heard(note, lease, http::exchange(request.call(), false))
    }

    fn fields(&self) -> Fields {
        match self.fields.load(Ordering::Relaxed) {
            known if known == Fields::All as u8 => Fields::All,
            known if known == Fields::Named as u8 => Fields::Named,
            _ => Fields::Plain,
        }
    }

    /// Takes what every answer tells, the service's time and the credits left, and tells how the request ended to whoever
    /// wants to hear it.
    pub(super) fn heard(&self, note: Option<RequestNote>, lease: &Lease, exchange: Exchange) -> Exchange {
        if let Exchange::Answer(Answer { date, credits_left, .. }) = &exchange {
            self.learn(*date, *credits_left);
        }
        request_log::tell(note, &exchange, &lease.token);
        exchange
    }

    fn learn(&self, date: Option<Timestamp>, credits_left: Option<u64>) {
        if let Some(date) = date {
            let mut clock = self.clock.lock().unwrap_or_else(PoisonError::into_inner);
            *clock = Some(ServiceClock::after(*clock, date));
        }
        if let Some(left) = credits_left {
            *self.credits_left.lock().unwrap_or_else(PoisonError::into_inner) = Some(left);
        }
    }

    pub(super) fn reply(&self, ask: Ask, exchange: &Exchange, lease: &Lease, sent: fmt::Arguments<'_>) -> Reply {
        let verdict = classify(ask, exchange);
        let told = reply_for(verdict, exchange, sent, self.server_time());
        let [code, message] = [told.code, told.message].map(|text| lease.token.masked_in(text));
        let reply = Reply { code, message, ..told };
        match reply.verdict {
            Verdict::Uploaded(_) | Verdict::AlreadyPresent | Verdict::Failed(_) => {
                self.tokens.worked(lease.generation);
            }
            // Whoever is told to wait was not turned away for his token.
            Verdict::Retry(RetryBecause::Throttled) | Verdict::Stop(StopBecause::Limit) => {
                self.tokens.worked(lease.generation);
            }
            Verdict::Retry(RetryBecause::TokenRenewed) => {
                if let Err(error) = self.tokens.refused(lease.generation) {
                    return Reply { http_status: reply.http_status, retry_after: reply.retry_after, ..no_token(error) };
                }
            }
            // What became of the row stays in doubt, whether there is another token or not.
            Verdict::InDoubt(DoubtBecause::TokenRefused) => {
                if let Err(TokenError { verdict: Verdict::Stop(because), .. }) = self.tokens.refused(lease.generation) {
                    return Reply { verdict: Verdict::StopInDoubt(because), ..reply };
                }
            }
            Verdict::Retry(_) | Verdict::InDoubt(_) | Verdict::Stop(_) | Verdict::StopInDoubt(_) => {}
        }
        reply
    }
}

/// By how much an answer's time may differ from the one that is reckoned before a second answer must agree with it.
const ODD: Duration = Duration::from_secs(120);

/// The service's clock, as its answers tell it. By it an attachment is told from one that was there before, so one
/// answer alone, of a server whose clock is wrong, does not set it.
#[derive(Clone, Copy, Debug)]
struct ServiceClock {
    told: (Timestamp, Instant),
    /// A time that did not fit, until another answer agrees with it.
    odd: Option<(Timestamp, Instant)>,
}

impl ServiceClock {
    /// What is known after one more answer. Answers tell whole seconds, cut off: where the clock already reckons within
    /// the second that an answer names, it goes on as it is, so that nothing ends before it began.
    fn after(known: Option<ServiceClock>, told: Timestamp) -> ServiceClock {
        let set = |time| ServiceClock { told: (time, Instant::now()), odd: None };
        let Some((known, reckoned)) = known.and_then(|known| Some((known, known.now()?))) else { return set(told) };
        let fits = |time: Timestamp| time.duration_since(told).unsigned_abs() <= ODD;
        if fits(reckoned) {
            let second_over = told.checked_add(Duration::from_secs(1)).unwrap_or(told);
            set(reckoned.clamp(told, second_over))
        } else if known.odd.and_then(since).is_some_and(fits) {
            set(told)
        } else {
            ServiceClock { odd: Some((told, Instant::now())), ..known }
        }
    }

    fn now(self) -> Option<Timestamp> {
        since(self.told)
    }
}

/// What the time is now, if it was that then.
fn since((time, then): (Timestamp, Instant)) -> Option<Timestamp> {
    time.checked_add(then.elapsed()).ok()
}

fn address(target: &Target, module: &str, record: RecordId) -> String {
    format!("{}/crm/{}/{module}/{record}/Attachments", target.api(), target.version())
}

/// The header, marked so that no log shows it.
pub(crate) fn authorization(token: &Secret) -> HeaderValue {
    let text = Zeroizing::new(format!("Zoho-oauthtoken {}", token.expose()));
    // A secret holds nothing that a header may not hold.
    let mut value = HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}

/// Which page of a list, for people; nothing for the first.
fn page_in_words(page: &PageRequest) -> String {
    match page {
        PageRequest::First => String::new(),
        PageRequest::Number(number) => format!("page {number}"),
        PageRequest::Token(_) => "the page that follows".to_owned(),
    }
}

/// Whether a refusal speaks of the token that names a page: it is too old, or of another list.
fn is_about_pages(code: &str) -> bool {
    matches!(code, "DISCRETE_PAGINATION_LIMIT_EXCEEDED" | "EXPIRED_VALUE" | "TOKEN_BOUND_DATA_MISMATCH")
}

/// Which fields to ask for instead, if it was the fields that were refused.
fn other_fields(fields: Fields, exchange: &Exchange) -> Option<Fields> {
    let Exchange::Answer(answer) = exchange else { return None };
    let code = &answer.content.error()?.code;
    match fields {
        Fields::All if code == "REQUIRED_PARAM_MISSING" => Some(Fields::Named),
        Fields::Named
            if code == "INVALID_DATA" && classify(Ask::List, exchange) == Verdict::Failed(FailedBy::Unlisted) =>
        {
            Some(Fields::Plain)
        }
        _ => None,
    }
}

/// The reply for what came, in the service's words where it had any.
pub(crate) fn reply_for(
    verdict: Verdict,
    exchange: &Exchange,
    sent: fmt::Arguments<'_>,
    clock: Option<Timestamp>,
) -> Reply {
    match exchange {
        Exchange::Answer(answer) => {
            let (code, message) = match &answer.content {
                AnswerContent::Created(_) => (String::new(), String::new()),
                AnswerContent::Error(error) => (error.code.clone(), error.message.clone()),
                AnswerContent::Nothing(text) => (own_code(exchange).into(), text.clone()),
            };
            Reply {
                verdict,
                code,
                message,
                http_status: Some(answer.status),
                took: Duration::ZERO,
                retry_after: answer.retry_after.map(|after| {
                    // A date is meant by the clock of whoever names it.
                    after.wait(answer.date.or(clock).unwrap_or_else(Timestamp::now))
                }),
                credits_left: answer.credits_left,
            }
        }
        Exchange::Broken { bytes_left, detail, .. } => {
            let message = if *bytes_left { format!("{detail}; {sent}") } else { detail.clone() };
            plain(verdict, own_code(exchange), message)
        }
    }
}

pub(crate) fn plain<V>(verdict: V, code: OwnCode, message: impl Into<String>) -> Reply<V> {
    Reply {
        verdict,
        code: code.into(),
        message: message.into(),
        http_status: None,
        took: Duration::ZERO,
        retry_after: None,
        credits_left: None,
    }
}

/// What an answer to the question for a page of a list comes to; `refused` says what one means that is no page.
pub(crate) fn page_reply(exchange: &Exchange, refused: impl FnOnce() -> Reply) -> PageReply {
    let (body, credits_left) = match exchange {
        Exchange::Answer(Answer {
            status: 200,
            body: Some(body),
            content: AnswerContent::Nothing(_),
            credits_left,
            ..
        }) => (Some(&body[..]), *credits_left),
        Exchange::Answer(Answer { status: 204, credits_left, .. }) => (None, *credits_left),
        _ => return PageReply::Not(refused().into_kind()),
    };
    match read_page(body) {
        Ok(page) => PageReply::Page { page, credits_left },
        Err(why) => PageReply::Not(Reply { credits_left, ..unusable(why) }),
    }
}

/// What an answer to the question for one attachment comes to; `refused` says what one means that is neither its content
/// nor the service's word that there is none.
pub(crate) fn presence_reply(exchange: &Exchange, refused: impl FnOnce() -> Reply) -> PresenceReply {
    let told = |presence, credits_left| PresenceReply::Told { presence, credits_left };
    match exchange {
        // The service's way to say that there is nothing of this id.
        Exchange::Answer(Answer { status: 204, credits_left, .. }) => told(AttachmentPresence::Gone, *credits_left),
        Exchange::Answer(Answer { status: 200..=299, content: AnswerContent::Nothing(_), credits_left, .. }) => {
            told(AttachmentPresence::There, *credits_left)
        }
        Exchange::Answer(Answer { content: AnswerContent::Error(error), credits_left, .. })
            if error.code == "DOWNLOAD_NOT_ALLOWED" =>
        {
            told(AttachmentPresence::There, *credits_left)
        }
        _ => {
            let refused: Reply<Refusal> = refused().into_kind();
            let about_this_one = match refused.verdict {
                Refusal::Failed(_) => true,
                Refusal::Stop(StopBecause::Target | StopBecause::OurMistake | StopBecause::Scope) => {
                    refused.http_status.is_some_and(|status| status != 407)
                }
                Refusal::Stop(_) | Refusal::Retry(_) => false,
            };
            // Only that this one question got no answer is known, not what would stop the run.
            match about_this_one {
                true => told(AttachmentPresence::Untold, refused.credits_left),
                false => PresenceReply::Not(refused),
            }
        }
    }
}

/// What an answer to a deletion comes to; `other` says what one means that is not the service's word that this very
/// attachment is deleted.
pub(crate) fn delete_reply(
    exchange: &Exchange,
    attachment: ServiceId,
    other: impl FnOnce() -> Reply,
) -> Result<(), Box<Reply>> {
    match exchange {
        Exchange::Answer(Answer { status: 200, content: AnswerContent::Created(of), .. }) if of.id == attachment => {
            Ok(())
        }
        // A proxy may repeat the answer of another request.
        Exchange::Answer(Answer { status, content: AnswerContent::Created(of), .. }) => {
            let message = format!("the answer speaks of attachment {}, {attachment} was asked for", of.id);
            Err(Box::new(Reply { message, http_status: Some(*status), code: OwnCode::Unreadable.into(), ..other() }))
        }
        _ => Err(Box::new(other())),
    }
}

/// A page, or pages together, that cannot be relied on; asking again from the start may help.
fn unusable(why: &str) -> Reply<Refusal> {
    Reply { http_status: Some(200), ..plain(Refusal::Retry(RetryBecause::Passing), OwnCode::Unreadable, why) }
}

pub(super) fn no_token(error: TokenError) -> Reply {
    Reply { retry_after: error.retry_after, ..plain(error.verdict, error.code, error.message) }
}

/// A file that cannot be sent fails its row; but once bytes have left, a listing must show that nothing came of them.
fn file_reply(error: &FileTrouble, handed_out: u64) -> Reply {
    let code = match error {
        FileTrouble::Gone => OwnCode::FileGone,
        FileTrouble::Denied => OwnCode::FileDenied,
        FileTrouble::Changed(_) => OwnCode::FileChanged,
        FileTrouble::Checksum(_) => OwnCode::ChecksumDiffers,
        FileTrouble::Read(_) => OwnCode::FileRead,
        FileTrouble::Shortage | FileTrouble::Busy => OwnCode::LocalShortage,
    };
    let verdict = match (error, handed_out) {
        (FileTrouble::Shortage | FileTrouble::Busy, 0) => Verdict::Retry(RetryBecause::LocalShortage),
        (_, 0) => Verdict::Failed(FailedBy::File),
        _ => Verdict::InDoubt(DoubtBecause::FileChanged),
    };
    plain(verdict, code, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_of_the_service_does_not_step_back_within_a_second_that_an_answer_names() {
        let told: Timestamp = "2026-05-05T05:33:33Z".parse().expect("a time");
        let after = |millis: i64| told.checked_add(jiff::SignedDuration::from_millis(millis)).expect("a time");
        let clock = |time| ServiceClock { told: (time, Instant::now()), odd: None };
        let heard = |reckoned: Timestamp| ServiceClock::after(Some(clock(reckoned)), told).told.0;
        assert_eq!(ServiceClock::after(None, told).told.0, told);
        assert!(heard(after(400)) >= after(400) && heard(after(400)) <= after(1_000));
        assert_eq!(heard(after(-5_000)), told, "an answer proves that it is later");
        assert_eq!(heard(after(60_000)), after(1_000), "a clock of ours that runs fast is set right");
    }

    #[test]
    fn one_answer_with_a_time_of_its_own_does_not_set_the_clock_and_two_that_agree_do() {
        let at = |text: &str| text.parse::<Timestamp>().expect("a time");
        let (noon, one, two) = (at("2026-05-05T12:00:00Z"), at("2026-05-05T13:00:00Z"), at("2026-05-05T14:00:00Z"));
        let heard = |times: &[Timestamp]| {
            let clock = times.iter().fold(None, |clock, time| Some(ServiceClock::after(clock, *time)));
            let seconds = clock.and_then(ServiceClock::now).map(Timestamp::as_second).unwrap_or_default();
            [noon, one, two].into_iter().find(|time| (time.as_second() - seconds).abs() < 60)
        };
        assert_eq!(heard(&[noon, one]), Some(noon));
        assert_eq!(heard(&[noon, one, noon, one]), Some(noon), "they do not follow each other");
        assert_eq!(heard(&[noon, one, two]), Some(noon), "they do not agree");
        assert_eq!(heard(&[noon, one, one]), Some(one), "the machine slept, say");
    }
}
