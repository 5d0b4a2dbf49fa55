//! Giving a blob to a registry: not at all if it has it, in one piece if it is small, else in chunks, which go on where one broke.

use crate::client::{Access, Ask, Client, Payload, unexpected};
use crate::{At, Descriptor, RegistryError};
use std::fs::File;
use ureq::Body;
use ureq::http::{Method, Response, StatusCode};

/// Failures that an upload survives without a byte more at the registry.
const FRUITLESS: u32 = 3;

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
    let (mut fruitless, mut furthest) = (0, 0);
    // The last piece goes with the request that completes the upload: a small blob is that alone.
    while blob.size - session.offset > chunk {
        match patch(client, &at, &session, file, chunk) {
            Ok(next) => session = next,
            Err(error) => {
                fruitless += 1;
                if fruitless >= FRUITLESS || matches!(error, RegistryError::Denied { .. }) {
                    return Err(error);
                }
                session = again(client, &at, session, blob).map_err(|_| error)?;
            }
        }
        if session.offset > furthest {
            fruitless = 0;
            furthest = session.offset;
        }
    }
    finish(client, &at, session, file, blob)?;
    Ok(true)
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

/// Goes on with what has arrived; from the beginning if the registry cannot tell (docker-registry 2.8 has no use for an upload that broke
/// in the middle of a chunk).
fn again(client: &Client, at: &At, session: Session, blob: &Descriptor) -> Result<Session, RegistryError> {
    match resume(client, at, session) {
        Ok(session) if session.offset <= blob.size => Ok(session),
        _ => begin(client, at),
    }
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

fn finish(client: &Client, at: &At, mut session: Session, file: &File, blob: &Descriptor) -> Result<(), RegistryError> {
    let mut fruitless = 0;
    loop {
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
        let error = match client.send(&ask) {
            Ok(response) if response.status() == StatusCode::CREATED => return Ok(()),
            Ok(response) => return Err(unexpected(&ask, response)),
            Err(error @ RegistryError::Denied { .. }) => return Err(error),
            Err(error) => error,
        };
        fruitless += 1;
        if fruitless >= FRUITLESS {
            return Err(error);
        }
        // The answer may have been lost, not the blob.
        if has(client, blob)? {
            return Ok(());
        }
        session = again(client, at, session, blob)?;
    }
}
