//! A blob as a stream: it goes on where a connection broke, and its end is reached only if it is what its digest says.

use crate::client::{Access, Ask, Client, unexpected, unreachable};
use crate::{At, Descriptor, Digest, RegistryError};
use sha2::{Digest as _, Sha256};
use std::io::{self, Read};
use ureq::BodyReader;
use ureq::http::{Method, Response, StatusCode};

/// Connections that may break one after the other without a byte between them.
const FRUITLESS: u32 = 3;

/// What is wrong with a blob, inside an [`io::Error`]: decoders stand between us and who wants to know.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct Carried(RegistryError);

/// A blob that is being read.
pub(crate) struct Blob<'a> {
    client: &'a Client,
    at: At,
    descriptor: &'a Descriptor,
    hasher: Sha256,
    offset: u64,
    fruitless: u32,
    body: Option<BodyReader<'static>>,
    checked: bool,
}

impl<'a> Blob<'a> {
    /// Begins to read a blob of the client's repository.
    pub(crate) fn open(client: &'a Client, descriptor: &'a Descriptor) -> Self {
        let at = client.at(descriptor.digest.as_str());
        Self { client, at, descriptor, hasher: Sha256::new(), offset: 0, fruitless: 0, body: None, checked: false }
    }

    /// The whole of a small blob.
    pub(crate) fn bytes(mut self) -> Result<Vec<u8>, RegistryError> {
        let mut bytes = Vec::new();
        match self.read_to_end(&mut bytes) {
            Ok(_) => Ok(bytes),
            Err(error) => Err(self.cause(error)),
        }
    }

    /// Reads what is left, so that the digest is known, whoever lost interest before.
    pub(crate) fn finish(mut self) -> Result<(), RegistryError> {
        match io::copy(&mut self, &mut io::sink()) {
            Ok(_) => Ok(()),
            Err(error) => Err(self.cause(error)),
        }
    }

    fn cause(&self, error: io::Error) -> RegistryError {
        match error.downcast::<Carried>() {
            Ok(Carried(error)) => error,
            Err(error) => unreachable(&self.at, 1, error),
        }
    }

    fn refused(&self, why: String) -> RegistryError {
        RegistryError::Refused { at: self.at.clone(), why }
    }

    /// Asks for what is missing.
    fn connect(&mut self) -> Result<BodyReader<'static>, RegistryError> {
        let url = self.client.place.url(&format!("blobs/{}", self.descriptor.digest));
        let mut ask = Ask::new(Method::GET, url, Access::Read, &self.at);
        if self.offset > 0 {
            ask = ask.header("Range", format!("bytes={}-{}", self.offset, self.descriptor.size - 1));
        }
        let response = self.client.send(&ask)?;
        match response.status() {
            StatusCode::OK => {
                // Also where a range was asked for, and the registry knows none: from the beginning then.
                self.hold(&response, self.descriptor.size)?;
                let mut body = response.into_body().into_reader();
                if self.offset > 0 {
                    io::copy(&mut (&mut body).take(self.offset), &mut io::sink())
                        .map_err(|error| unreachable(&self.at, 1, error))?;
                }
                Ok(body)
            }
            StatusCode::PARTIAL_CONTENT if self.offset > 0 => {
                let begin = format!("bytes {}-", self.offset);
                let range =
                    response.headers().get("Content-Range").and_then(|value| value.to_str().ok()).unwrap_or_default();
                if !range.starts_with(&begin) {
                    return Err(
                        self.refused(format!("asked for the rest from byte {}, it gives `{range}`", self.offset))
                    );
                }
                self.hold(&response, self.descriptor.size - self.offset)?;
                Ok(response.into_body().into_reader())
            }
            StatusCode::NOT_FOUND => Err(self.refused("its manifest names this blob, and it is not there".to_owned())),
            StatusCode::RANGE_NOT_SATISFIABLE => Err(self.truncated(self.offset)),
            _ => Err(unexpected(&ask, response)),
        }
    }

    /// What is shorter or longer than its manifest says need not be read.
    fn hold(&self, response: &Response<ureq::Body>, expected: u64) -> Result<(), RegistryError> {
        // A body that is said to be empty has no length for ureq.
        let header = || response.headers().get("Content-Length")?.to_str().ok()?.parse().ok();
        match response.body().content_length().or_else(header) {
            Some(length) if length < expected => Err(self.truncated(self.descriptor.size - expected + length)),
            Some(length) if length > expected => {
                Err(self
                    .refused(format!("it is longer than the {} bytes that its manifest says", self.descriptor.size)))
            }
            _ => Ok(()),
        }
    }

    fn truncated(&self, length: u64) -> RegistryError {
        self.refused(format!("it is truncated: {length} of {} bytes are there", self.descriptor.size))
    }

    fn check(&mut self) -> Result<(), RegistryError> {
        let digest = Digest::finish(std::mem::take(&mut self.hasher));
        if digest == self.descriptor.digest {
            self.checked = true;
            Ok(())
        } else {
            Err(self.refused(format!("its bytes are not what its digest says: they have {digest}")))
        }
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, RegistryError> {
        loop {
            let left = self.descriptor.size - self.offset;
            if left == 0 {
                return if self.checked { Ok(0) } else { self.check().map(|()| 0) };
            }
            let mut body = match self.body.take() {
                Some(body) => body,
                None => self.connect()?,
            };
            let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
            match body.read(&mut buffer[..wanted]) {
                Ok(length) if length > 0 => {
                    self.hasher.update(&buffer[..length]);
                    self.offset += length as u64;
                    self.fruitless = 0;
                    self.body = Some(body);
                    return Ok(length);
                }
                ended => {
                    self.fruitless += 1;
                    if self.fruitless >= FRUITLESS {
                        let source = ended.err().unwrap_or_else(|| io::ErrorKind::UnexpectedEof.into());
                        return Err(unreachable(&self.at, self.fruitless, source));
                    }
                }
            }
        }
    }
}

impl Read for Blob<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        self.fill(buffer).map_err(|error| io::Error::other(Carried(error)))
    }
}
