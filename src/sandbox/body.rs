//! Reads the body of a request: to its end, to its middle, or into the file or link that it brings.
//!
//! Files stream through the hash, and into the vault where bytes are kept; no whole body is ever in memory.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::multipart::Field;
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::{HeaderMap, header};

use super::answer::{self, SandboxRefusal};
use super::options::Dialect;
use super::route::Params;
use super::store::Incoming;
use super::vault::{ContentWriter, Vault};

/// A refused request is read to its end, so that its client gets to read why; but not without end.
const MOST_DRAINED: u64 = 1 << 30;
/// The longest text field or form that is taken in.
const MOST_TEXT: usize = 64 << 10;
/// The longest link that the service stores.
const LONGEST_LINK: usize = 2000;

/// The client went away, or sent what is no request, or sent more than anyone wants to read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct BrokenBody;

/// What an upload has to obey, and where its bytes go.
#[derive(Clone, Copy, Debug)]
pub(super) struct UploadRules<'a> {
    pub(super) profile: Dialect,
    pub(super) max_bytes: u64,
    /// Whether a file is taken whose end never came.
    pub(super) takes_incomplete: bool,
    /// Whether the version of the API knows titles of links.
    pub(super) has_titles: bool,
    pub(super) vault: &'a Vault,
}

/// Reads and forgets.
pub(super) async fn drain(mut body: Body) -> Result<(), BrokenBody> {
    let mut left = MOST_DRAINED;
    while let Some(chunk) = next(&mut body).await? {
        left = left.checked_sub(chunk.len() as u64).ok_or(BrokenBody)?;
    }
    Ok(())
}

/// The request with a body that breaks off when about half of it is in.
pub(super) fn halved(request: Request) -> Request {
    let left = content_length(request.headers()).unwrap_or_default() / 2;
    request.map(|body| Body::from_stream(Half { body, left, pauses: 3 }))
}

/// The first half of a body; then an error, as if the client had gone.
struct Half {
    body: Body,
    left: u64,
    /// How often the reader is sent away before the error, which makes it forget what it holds: a part's head and its
    /// first bytes are taken in one by one.
    pauses: u8,
}

impl futures_core::Stream for Half {
    type Item = Result<Bytes, Box<dyn std::error::Error + Send + Sync>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let frame = if self.left > 0 { ready!(Pin::new(&mut self.body).poll_frame(cx)) } else { None };
        let Some(Ok(frame)) = frame else {
            if self.pauses > 0 {
                self.pauses -= 1;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            return Poll::Ready(Some(Err("cut by a fault of the sandbox".into())));
        };
        let mut bytes = frame.into_data().unwrap_or_default();
        bytes.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.left -= bytes.len() as u64;
        Poll::Ready(Some(Ok(bytes)))
    }
}

/// The parameters of a form, if the body is one.
pub(super) async fn form(request: Request) -> Result<Params, BrokenBody> {
    let is_form = has_type(request.headers(), "application/x-www-form-urlencoded");
    let mut body = request.into_body();
    let mut text = Vec::new();
    while let Some(chunk) = next(&mut body).await? {
        if text.len() + chunk.len() > MOST_TEXT {
            return Err(BrokenBody);
        }
        text.extend_from_slice(&chunk);
    }
    Ok(if is_form { Params::parse(&String::from_utf8_lossy(&text)) } else { Params::default() })
}

async fn next(body: &mut Body) -> Result<Option<Bytes>, BrokenBody> {
    loop {
        match poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await {
            None => return Ok(None),
            Some(Err(_)) => return Err(BrokenBody),
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}

/// Takes in what an upload brings: all of it, judged as the service does, but not stored yet.
pub(super) async fn arrive(
    request: Request,
    query: &Params,
    rules: UploadRules<'_>,
) -> Result<Incoming, SandboxRefusal> {
    let length = content_length(request.headers()).unwrap_or_default();
    if rules.profile == Dialect::OasV8 && length > rules.max_bytes {
        return Err(drain(request.into_body()).await.map_or(SandboxRefusal::bad_body(), |()| answer::body_too_large()));
    }
    let mut sent = if has_type(request.headers(), "multipart/form-data") {
        parts(request, rules).await?
    } else {
        let form = form(request).await.map_err(|BrokenBody| SandboxRefusal::bad_body())?;
        SentBody { url: form.get("attachmentUrl").map(str::to_owned), title: None, ..SentBody::default() }
    };
    // Zoho's own clients put links into the query, with an empty body.
    sent.url = sent.url.or_else(|| query.get("attachmentUrl").map(str::to_owned));
    sent.title = sent.title.or_else(|| query.get("title").map(str::to_owned));
    judge(sent, rules)
}

/// Everything that an upload brought.
#[derive(Default)]
struct SentBody {
    file: Option<SentFile>,
    has_more_files: bool,
    url: Option<String>,
    title: Option<String>,
}

struct SentFile {
    name: String,
    /// `None`: there was more of it than is allowed.
    content: Option<ContentWriter>,
}

fn judge(sent: SentBody, rules: UploadRules<'_>) -> Result<Incoming, SandboxRefusal> {
    match (sent.file, sent.url) {
        (Some(_), Some(_)) => Err(SandboxRefusal::file_and_link()),
        (Some(_), None) if sent.has_more_files => Err(SandboxRefusal::several_files()),
        (Some(file), None) => judge_file(file, rules.profile),
        (None, Some(url)) if is_link(&url) => {
            let title = sent.title.filter(|title| rules.has_titles && !title.is_empty());
            Ok(Incoming::Link { url, title })
        }
        (None, Some(_)) => Err(SandboxRefusal::bad_link()),
        (None, None) => Err(SandboxRefusal::nothing_sent(rules.profile)),
    }
}

fn judge_file(file: SentFile, profile: Dialect) -> Result<Incoming, SandboxRefusal> {
    // Only the pages of version 2 speak of the type; the later ones have dropped it.
    let is_exe = file.name.to_lowercase().trim_end_matches(['.', ' ']).ends_with(".exe");
    if is_exe && profile == Dialect::DocsV2 {
        return Err(SandboxRefusal::exe());
    }
    match file.content {
        Some(content) => Ok(Incoming::File { name: file.name, content }),
        None => Err(SandboxRefusal::too_large(profile)),
    }
}

/// Whether the service would take a text as the address of a link.
fn is_link(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let host = rest.and_then(|rest| rest.split(['/', '?', '#']).next()).unwrap_or_default();
    !host.is_empty() && url.chars().count() <= LONGEST_LINK && !url.chars().any(|c| c.is_whitespace() || c.is_control())
}

async fn parts(request: Request, rules: UploadRules<'_>) -> Result<SentBody, SandboxRefusal> {
    let mut multipart = Multipart::from_request(request, &()).await.map_err(|_| SandboxRefusal::bad_body())?;
    let mut sent = SentBody::default();
    loop {
        let field = match multipart.next_field().await {
            Ok(Some(field)) => field,
            Ok(None) => break,
            Err(_) if rules.takes_incomplete && sent.file.is_some() => break,
            Err(_) => return Err(SandboxRefusal::bad_body()),
        };
        match field.name() {
            Some("file") if sent.file.is_some() => sent.has_more_files = true,
            Some("file") => sent.file = Some(file(field, rules).await?),
            Some("attachmentUrl") => sent.url = Some(text(field).await?),
            Some("title") => sent.title = Some(text(field).await?),
            _ => {}
        }
    }
    Ok(sent)
}

async fn file(mut field: Field<'_>, rules: UploadRules<'_>) -> Result<SentFile, SandboxRefusal> {
    let name = field.file_name().filter(|name| !name.is_empty()).unwrap_or("file").to_owned();
    let mut content = Some(ContentWriter::new(rules.vault).map_err(|_| SandboxRefusal::internal())?);
    loop {
        let chunk = match field.chunk().await {
            Ok(Some(chunk)) => chunk,
            Ok(None) => break,
            Err(_) if rules.takes_incomplete => break,
            Err(_) => return Err(SandboxRefusal::bad_body()),
        };
        // What is too large is still read to its end: the client would not get to see the answer otherwise.
        content = content.filter(|content| content.size() + chunk.len() as u64 <= rules.max_bytes);
        if let Some(content) = &mut content {
            content.push(&chunk).map_err(|_| SandboxRefusal::internal())?;
        }
    }
    Ok(SentFile { name, content })
}

async fn text(mut field: Field<'_>) -> Result<String, SandboxRefusal> {
    let mut text = Vec::new();
    while let Some(chunk) = field.chunk().await.map_err(|_| SandboxRefusal::bad_body())? {
        if text.len() + chunk.len() > MOST_TEXT {
            return Err(SandboxRefusal::bad_body());
        }
        text.extend_from_slice(&chunk);
    }
    String::from_utf8(text).map_err(|_| SandboxRefusal::bad_body())
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn has_type(headers: &HeaderMap, wanted: &str) -> bool {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    given.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(wanted)
}
