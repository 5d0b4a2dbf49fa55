//! Giving a blob to a registry: not at all if it has it, in one piece if it is small, else in chunks, which go on where one broke.

use crate::client::{Access, Ask, Client, PAUSE, Payload, unexpected};
use crate::{At, Descriptor, RegistryError};
use std::fs::File;
use ureq::Body;
use ureq::http::{Method, Response, StatusCode};

/// Failures that an upload survives without a byte more at the registry.
const FRUITLESS: u32 = 4;

/// An upload that has begun.
struct Session {
    url: String,
    /// Bytes that have arrived.
    offset: u64,
    /// The least size of chunks that the registry takes.
    least: u64,
}

/// Whether the registry has a blob of this digest and size.
pub(crate) fn has(client: &Client, blob: &Descriptor) -> Result<bool, RegistryError> {
    let at = client.at(blob.digest.as_str());
    let url = client.place.url(&format!("blobs/{}", blob.digest));
    // Who is about to write needs one token for both.
    let ask = Ask::new(Method::HEAD, url, Access::Write, &at);
    let response = client.send(&ask)?;
    match response.status() {
        StatusCode::OK => {
            Ok(response.body().content_length().or_else(|| length(&response)).is_none_or(|it| it == blob.size))
        }
        StatusCode::NOT_FOUND => Ok(false),
        _ => Err(unexpected(&ask, response)),
    }
}

fn length(response: &Response<Body>) -> Option<u64> {
    header(response, "Content-Length")?.parse().ok()
}

fn header<'a>(response: &'a Response<Body>, name: &str) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}

/// Gives the registry a blob, whose bytes are the whole of `file`, in pieces of `chunk` bytes. Says whether bytes went.
pub(crate) fn upload(client: &Client, file: &File, blob: &Descriptor, chunk: u64) -> Result<bool, RegistryError> {
    if has(client, blob)? {
        return Ok(false);
    }
    let at = client.at(blob.digest.as_str());
    let mut session = begin(client, &at)?;
    let chunk = chunk.max(session.least).max(1);
    let mut patience = Patience::default();
    // The last piece goes with the request that completes the upload: a small blob is that alone.
    loop {
        let done = if blob.size - session.offset > chunk {
            patch(client, &at, &session, file, chunk).map(Some)
        } else {
            finish(client, &at, &session, file, blob).map(|()| None)
        };
        match done {
            Ok(None) => return Ok(true),
            Ok(Some(next)) => {
                session = next;
                patience.got_on(&session);
            }
            Err(error) => {
                patience.lost(error)?;
                // The answer may have been lost, not the blob.
                if blob.size - session.offset <= chunk && has(client, blob)? {
                    return Ok(true);
                }
                session = patience.again(client, &at, session, blob)?;
            }
        }
    }
}

/// How often an upload broke since it last got on.
#[derive(Default)]
struct Patience {
    fruitless: u32,
    furthest: u64,
    /// It went on where the registry said that it was, and nothing has come of that yet.
    resumed: bool,
}

impl Patience {
    fn got_on(&mut self, session: &Session) {
        self.resumed = false;
        if session.offset > self.furthest {
            self.fruitless = 0;
            self.furthest = session.offset;
        }
    }

    /// The error, if it is the last to be borne; else a pause.
    fn lost(&mut self, error: RegistryError) -> Result<(), RegistryError> {
        self.fruitless += 1;
        let is_final = match error {
            RegistryError::Denied { .. } | RegistryError::Refused { .. } => true,
            // What it says of bytes that follow a break need not hold of the whole; an upload that it forgot can be made again.
            RegistryError::Status { status, .. } => {
                (400..500).contains(&status) && !self.resumed && !matches!(status, 404 | 416 | 429)
            }
            _ => false,
        };
        if is_final || self.fruitless >= FRUITLESS {
            return Err(error);
        }
        std::thread::sleep(PAUSE * self.fruitless);
        Ok(())
    }

    /// Goes on with what has arrived; from the beginning if the registry cannot tell, or if what it told was of no use (docker-registry 2.8
    /// names the bytes of a chunk that broke in its middle, and takes nothing after them).
    fn again(
        &mut self,
        client: &Client,
        at: &At,
        session: Session,
        blob: &Descriptor,
    ) -> Result<Session, RegistryError> {
        if !std::mem::replace(&mut self.resumed, true)
            && let Ok(session) = resume(client, at, session)
            && session.offset <= blob.size
        {
            return Ok(session);
        }
        self.resumed = false;
        begin(client, at)
    }
}

fn begin(client: &Client, at: &At) -> Result<Session, RegistryError> {
    let ask = Ask::new(Method::POST, client.place.url("blobs/uploads/"), Access::Write, at);
    let response = client.send(&ask)?;
    if response.status() != StatusCode::ACCEPTED {
        return Err(unexpected(&ask, response));
    }
    let least = header(&response, "OCI-Chunk-Min-Length").and_then(|it| it.parse().ok()).unwrap_or(0);
    Ok(Session { url: location(client, at, &response)?, offset: 0, least })
}

fn location(client: &Client, at: &At, response: &Response<Body>) -> Result<String, RegistryError> {
    let location = header(response, "Location").ok_or_else(|| RegistryError::Status {
        at: at.clone(),
        deed: Access::Write.deed(),
        status: response.status().as_u16(),
        message: "it does not say where to (no Location)".to_owned(),
    })?;
    Ok(client.place.resolve(location))
}

/// `Range: 0-LAST` of an answer: how many bytes have arrived.
fn arrived(response: &Response<Body>) -> Option<u64> {
    let range = header(response, "Range")?;
    let range = range.strip_prefix("bytes=").unwrap_or(range);
    let last: u64 = range.strip_prefix("0-")?.parse().ok()?;
    // An upload without a byte has `0-0`, says the reference implementation; one with a single byte, too.
    Some(if last == 0 { 0 } else { last + 1 })
}

fn patch(client: &Client, at: &At, session: &Session, file: &File, chunk: u64) -> Result<Session, RegistryError> {
    let last = session.offset + chunk - 1;
    let ask = Ask::new(Method::PATCH, session.url.clone(), Access::Write, at)
        .header("Content-Type", "application/octet-stream")
        .header("Content-Range", format!("{}-{last}", session.offset))
        .payload(Payload::Part { file, offset: session.offset, length: chunk })
        .once();
    let response = client.send(&ask)?;
    if response.status() != StatusCode::ACCEPTED {
        return Err(unexpected(&ask, response));
    }
    let offset = arrived(&response).unwrap_or(last + 1);
    if offset > last + 1 {
        return Err(RegistryError::Refused {
            at: at.clone(),
            why: "it claims to have got more than was sent".to_owned(),
        });
    }
    Ok(Session { url: location(client, at, &response)?, offset, least: session.least })
}

/// Asks what has arrived.
fn resume(client: &Client, at: &At, session: Session) -> Result<Session, RegistryError> {
    let ask = Ask::new(Method::GET, session.url.clone(), Access::Write, at);
    let response = client.send(&ask)?;
    if response.status() != StatusCode::NO_CONTENT {
        return Err(unexpected(&ask, response));
    }
    let url = if header(&response, "Location").is_some() { location(client, at, &response)? } else { session.url };
    Ok(Session { url, offset: arrived(&response).unwrap_or(0), least: session.least })
}

/// Sends the last piece, if one is left, and completes the upload.
fn finish(client: &Client, at: &At, session: &Session, file: &File, blob: &Descriptor) -> Result<(), RegistryError> {
    let sign = if session.url.contains('?') { '&' } else { '?' };
    let url = format!("{}{sign}digest={}", session.url, blob.digest);
    let left = blob.size - session.offset;
    let mut ask =
        Ask::new(Method::PUT, url, Access::Write, at).header("Content-Type", "application/octet-stream").once();
    if left > 0 {
        ask = ask.payload(Payload::Part { file, offset: session.offset, length: left });
    }
    if session.offset > 0 && left > 0 {
        ask = ask.header("Content-Range", format!("{}-{}", session.offset, blob.size - 1));
    }
    let response = client.send(&ask)?;
    if response.status() == StatusCode::CREATED { Ok(()) } else { Err(unexpected(&ask, response)) }
}
