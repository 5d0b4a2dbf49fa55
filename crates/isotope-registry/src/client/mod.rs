//! Requests to one registry: authorization where it is asked for, time limits, and another try where that can help.

mod token;

use crate::auth::{Credentials, challenges};
use crate::{At, Place, RegistryError, Scheme};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use ureq::http::{HeaderMap, Method, Request, Response, StatusCode};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body, SendBody};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(15);
/// How long nothing at all may come or go. Registries may take their time to digest what they were given.
const IDLE: Duration = Duration::from_secs(90);
/// Tries of what can be repeated, and the pause after the first; each following one is twice as long.
const TRIES: u32 = 4;
pub(crate) const PAUSE: Duration = Duration::from_millis(400);
/// The longest pause that a registry may ask for (`Retry-After`).
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Bytes of an error's body that are read.
const MESSAGE: u64 = 16 * 1024;

/// What is asked for: registries give tokens for one or the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Access {
    Read,
    Write,
}

impl Access {
    pub(crate) const fn deed(self) -> &'static str {
        match self {
            Self::Read => "to read",
            Self::Write => "to write",
        }
    }
}

/// What a request carries. It can be sent again.
#[derive(Clone, Copy)]
pub(crate) enum Payload<'a> {
    None,
    Bytes(&'a [u8]),
    /// A part of a file.
    Part {
        file: &'a File,
        offset: u64,
        length: u64,
    },
}

/// One request.
pub(crate) struct Ask<'a> {
    pub(crate) method: Method,
    pub(crate) url: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) payload: Payload<'a>,
    pub(crate) access: Access,
    /// Whether a second time does no harm. (The caller repeats the others, after a look at what arrived.)
    pub(crate) repeatable: bool,
    /// What is asked for, for messages.
    pub(crate) at: &'a At,
}

impl<'a> Ask<'a> {
    pub(crate) fn new(method: Method, url: String, access: Access, at: &'a At) -> Self {
        Self { method, url, headers: Vec::new(), payload: Payload::None, access, repeatable: true, at }
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn payload(mut self, payload: Payload<'a>) -> Self {
        self.payload = payload;
        self
    }

    pub(crate) fn once(mut self) -> Self {
        self.repeatable = false;
        self
    }
}

/// A registry, and what it lets us do so far.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) place: Place,
    agent: Agent,
    credentials: Credentials,
    /// Values of `Authorization`.
    authorizations: Mutex<BTreeMap<Access, String>>,
    /// Nobody answered, however often it was tried. A build asks for many layers: it is not to wait for each.
    silent: AtomicBool,
}

type Cause = Box<dyn std::error::Error + Send + Sync>;

impl Client {
    pub(crate) fn new(place: Place, credentials: Credentials) -> Self {
        let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .https_only(place.scheme() == Scheme::Https)
            .tls_config(tls)
            .user_agent(concat!("isotope/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(IDLE * 2))
            .timeout_per_read(Some(IDLE))
            .timeout_per_write(Some(IDLE));
        if place.is_local() {
            config = config.proxy(None);
        }
        let agent = config.build().new_agent();
        Self { place, agent, credentials, authorizations: Mutex::default(), silent: AtomicBool::new(false) }
    }

    pub(crate) fn at(&self, reference: impl Into<String>) -> At {
        At { place: self.place.clone(), reference: reference.into() }
    }

    /// Sends a request, authorized as the registry wants it. Statuses are the caller's business, but for 401, 403, 429 and
    /// those from 500 on.
    pub(crate) fn send(&self, ask: &Ask<'_>) -> Result<Response<Body>, RegistryError> {
        self.exchange(ask, self.place.owns(&ask.url))
    }

    /// Sends a request to the server that gives tokens.
    fn send_plain(&self, ask: &Ask<'_>) -> Result<Response<Body>, RegistryError> {
        self.exchange(ask, false)
    }

    fn exchange(&self, ask: &Ask<'_>, ours: bool) -> Result<Response<Body>, RegistryError> {
        if self.silent.load(Ordering::Relaxed) {
            return Err(unreachable(ask.at, 0, "it did not answer before, and is not asked again"));
        }
        let tries = if ask.repeatable { TRIES } else { 1 };
        let mut pause = PAUSE;
        let mut authorized = false;
        let mut tried = 0;
        loop {
            tried += 1;
            let last = tried >= tries;
            let wait = match self.attempt(ask, ours) {
                Err(cause) if last || !is_passing(&cause) => {
                    // Of what is sent once only, the caller sees to the rest.
                    self.silent.fetch_or(ask.repeatable, Ordering::Relaxed);
                    return Err(unreachable(ask.at, tried, cause));
                }
                Err(_) => pause,
                Ok(response) => match response.status() {
                    StatusCode::UNAUTHORIZED if ours && !authorized => {
                        authorized = true;
                        tried -= 1;
                        self.authorize(ask, response)?;
                        continue;
                    }
                    StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN if ours => return Err(self.denied(ask, response)),
                    status if is_busy(status) && !last => {
                        retry_after(response.headers()).unwrap_or(pause).min(LONGEST_PAUSE)
                    }
                    status if is_busy(status) => return Err(unexpected(ask, response)),
                    _ => return Ok(response),
                },
            };
            std::thread::sleep(wait);
            pause *= 2;
        }
    }

    fn attempt(&self, ask: &Ask<'_>, ours: bool) -> Result<Response<Body>, Cause> {
        let mut request = Request::builder().method(ask.method.clone()).uri(&ask.url);
        for (name, value) in &ask.headers {
            request = request.header(*name, value);
        }
        if ours && let Some(value) = self.known(ask.access) {
            request = request.header("Authorization", value);
        }
        let sent = match ask.payload {
            Payload::None if ask.method == Method::GET || ask.method == Method::HEAD => {
                self.agent.run(request.body(())?)
            }
            // Without it, a body in chunks of unknown length would be sent.
            Payload::None => self.agent.run(request.body(&[][..])?),
            Payload::Bytes(bytes) => self.agent.run(request.body(bytes)?),
            Payload::Part { file, offset, length } => {
                let mut file = file;
                file.seek(SeekFrom::Start(offset))?;
                let mut part = file.take(length);
                let request = request.header("Content-Length", length);
                self.agent.run(request.body(SendBody::from_reader(&mut part))?)
            }
        };
        Ok(sent?)
    }

    fn known(&self, access: Access) -> Option<String> {
        let known = self.authorizations.lock().unwrap_or_else(PoisonError::into_inner);
        // What may write may read.
        known.get(&access).or_else(|| known.get(&Access::Write)).cloned()
    }

    /// Gets what the registry asks for.
    fn authorize(&self, ask: &Ask<'_>, response: Response<Body>) -> Result<(), RegistryError> {
        let offered: Vec<_> = response
            .headers()
            .get_all("WWW-Authenticate")
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(challenges)
            .collect();
        let login = self.credentials.of(&self.place)?;
        let denied = |why: String| RegistryError::Denied { at: ask.at.clone(), deed: ask.access.deed(), why };
        let value = if let Some(bearer) = offered.iter().find(|it| it.scheme == "bearer") {
            drop(response);
            self.token(bearer, login.as_ref(), ask)?
        } else if offered.iter().any(|it| it.scheme == "basic") {
            match &login {
                Some(crate::auth::Login::Password { user, password }) => token::basic(user, password),
                Some(crate::auth::Login::Identity(_)) => {
                    return Err(denied(
                        "it wants a user and a password, and there is an identity token only".to_owned(),
                    ));
                }
                None => return Err(denied(format!("it wants credentials, and none for it {}", self.looked()))),
            }
        } else {
            let said = offered.iter().map(|it| it.scheme.as_str()).collect::<Vec<_>>().join(", ");
            return Err(denied(format!("it wants authorization of a kind that Isotope has not ({said})")));
        };
        self.authorizations.lock().unwrap_or_else(PoisonError::into_inner).insert(ask.access, value);
        Ok(())
    }

    fn looked(&self) -> String {
        let files = self.credentials.describe();
        if files.is_empty() { "are known".to_owned() } else { format!("are in {files}") }
    }

    fn denied(&self, ask: &Ask<'_>, response: Response<Body>) -> RegistryError {
        let as_whom = match self.credentials.of(&self.place) {
            Ok(Some(login)) => format!("as {login:?}"),
            _ => format!("without credentials (none {})", self.looked()),
        };
        let why = format!("{}, {as_whom}", message(response));
        RegistryError::Denied { at: ask.at.clone(), deed: ask.access.deed(), why }
    }
}

pub(crate) fn unreachable(at: &At, tries: u32, source: impl Into<Cause>) -> RegistryError {
    RegistryError::Unreachable { at: at.clone(), tries, source: source.into() }
}

/// The error for an answer that nobody has use for.
pub(crate) fn unexpected(ask: &Ask<'_>, response: Response<Body>) -> RegistryError {
    let (deed, status) = (ask.access.deed(), response.status().as_u16());
    RegistryError::Status { at: ask.at.clone(), deed, status, message: message(response) }
}

fn is_busy(status: StatusCode) -> bool {
    status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error()
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get("Retry-After")?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// What goes by: a connection that broke or took too long. A name that is not known, a port where nobody listens, a certificate that is
/// not trusted stay as they are.
fn is_passing(cause: &Cause) -> bool {
    match cause.downcast_ref::<ureq::Error>() {
        Some(ureq::Error::Io(error)) => {
            use std::io::ErrorKind as Kind;
            matches!(
                error.kind(),
                Kind::ConnectionReset
                    | Kind::ConnectionAborted
                    | Kind::BrokenPipe
                    | Kind::UnexpectedEof
                    | Kind::TimedOut
                    | Kind::Interrupted
            )
        }
        Some(ureq::Error::Timeout(_) | ureq::Error::Protocol(_)) => true,
        _ => false,
    }
}

/// What a registry says of an error: `{"errors": [{"code", "message", "detail"}]}`, or anything.
pub(crate) fn message(response: Response<Body>) -> String {
    #[derive(serde::Deserialize)]
    struct Answer {
        errors: Vec<Entry>,
    }
    #[derive(serde::Deserialize)]
    struct Entry {
        #[serde(default)]
        code: String,
        #[serde(default)]
        message: String,
    }
    let status = response.status();
    let mut bytes = Vec::new();
    // What can be read of it is enough.
    response.into_body().into_reader().take(MESSAGE).read_to_end(&mut bytes).ok();
    if let Ok(answer) = serde_json::from_slice::<Answer>(&bytes)
        && !answer.errors.is_empty()
    {
        let entries = answer.errors.iter().map(|entry| format!("{} ({})", entry.message, entry.code));
        return printable(&entries.collect::<Vec<_>>().join("; "));
    }
    let text = String::from_utf8_lossy(&bytes);
    let line = printable(text.lines().next().unwrap_or_default().trim());
    if line.is_empty() || line.starts_with('<') {
        status.canonical_reason().unwrap_or("no reason given").to_owned()
    } else {
        line
    }
}

/// A server's words on a terminal: no control characters, and not too many.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}
