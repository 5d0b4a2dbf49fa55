//! A web server for files that guests fetch: one directory, on 127.0.0.1 only; [`crate::ssh::Ssh::lend_port`] makes it the guest's 127.0.0.1, too.
//!
//! GET and HEAD of regular files below the directory, with keep-alive (RFC 9112): what libostree, curl and iPXE need, and no more.

use crate::error::VmError;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// A running server; it ends when the value goes.
#[derive(Debug)]
pub struct FileServer {
    port: u16,
    stop: Arc<AtomicBool>,
    listener: Option<JoinHandle<()>>,
}

impl FileServer {
    /// Serves `root` on a free port.
    ///
    /// # Errors
    /// No socket.
    pub fn start(root: &Path) -> Result<Self, VmError> {
        let io = || VmError::io("serve files on 127.0.0.1");
        let root = Arc::new(root.canonicalize().map_err(io())?);
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(io())?;
        let port = socket.local_addr().map_err(io())?.port();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let listener = std::thread::spawn(move || {
            for stream in socket.incoming().flatten() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let root = Arc::clone(&root);
                // A client that goes away is its own affair.
                std::thread::spawn(move || drop(serve(&stream, &root)));
            }
        });
        Ok(Self { port, stop, listener: Some(listener) })
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for FileServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Wakes the listener.
        drop(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)));
        if let Some(listener) = self.listener.take() {
            drop(listener.join());
        }
    }
}

fn serve(stream: &TcpStream, root: &Path) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    let mut stream = stream;
    while let Some(request) = read_request(&mut reader)? {
        let found = locate(root, &request.path).and_then(|path| {
            let file = File::open(path).ok()?;
            let meta = file.metadata().ok().filter(std::fs::Metadata::is_file)?;
            Some((file, meta.len()))
        });
        let (status, length) = match (&found, request.known) {
            (_, false) => ("405 Method Not Allowed", 0),
            (Some((_, length)), _) => ("200 OK", *length),
            (None, _) => ("404 Not Found", 0),
        };
        let connection = if request.close { "close" } else { "keep-alive" };
        write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: {connection}\r\n\r\n")?;
        if let Some((file, length)) = found.filter(|_| request.known && !request.head) {
            io::copy(&mut file.take(length), &mut stream)?;
        }
        if request.close {
            break;
        }
    }
    Ok(())
}

struct Request {
    path: String,
    head: bool,
    known: bool,
    close: bool,
}

/// The next request, without a body; `None` at the end of the connection.
fn read_request(reader: &mut impl BufRead) -> io::Result<Option<Request>> {
    let mut line = String::new();
    if reader.take(8192).read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    let (method, path) = (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or_default().to_owned());
    let mut close = words.next() != Some("HTTP/1.1");
    loop {
        let mut header = String::new();
        if reader.take(8192).read_line(&mut header)? == 0 || header.trim().is_empty() {
            break;
        }
        let (name, value) = header.split_once(':').unwrap_or_default();
        if name.eq_ignore_ascii_case("connection") {
            close = value.trim().eq_ignore_ascii_case("close");
        }
    }
    let head = method == "HEAD";
    Ok(Some(Request { path, head, known: head || method == "GET", close }))
}

/// The file that a request names, if it is below the root.
fn locate(root: &Path, request: &str) -> Option<PathBuf> {
    let path = request.split(['?', '#']).next().unwrap_or_default();
    let relative = PathBuf::from(decode(path)?.trim_start_matches('/'));
    if !relative.components().all(|part| matches!(part, Component::Normal(_))) {
        return None;
    }
    // Links may lead about inside, not out.
    root.join(relative).canonicalize().ok().filter(|path| path.starts_with(root))
}

/// Percent-decoding (RFC 3986, 2.1).
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let hex = [rest.next()?, rest.next()?];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&hex).ok()?, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(server: &FileServer, requests: &str) -> String {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, server.port)).unwrap();
        stream.write_all(requests.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn files_below_the_root_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        std::fs::create_dir_all(root.join("a b")).unwrap();
        std::fs::write(root.join("a b/file"), "hello").unwrap();
        std::fs::write(dir.path().join("secret"), "secret").unwrap();
        std::os::unix::fs::symlink("../secret", root.join("out")).unwrap();
        let server = FileServer::start(&root).unwrap();
        let both = ask(
            &server,
            "GET /a%20b/file HTTP/1.1\r\nHost: x\r\n\r\nHEAD /a%20b/file HTTP/1.1\r\nConnection: close\r\n\r\n",
        );
        assert_eq!(both.matches("200 OK\r\nContent-Length: 5").count(), 2, "{both}");
        assert_eq!(both.matches("hello").count(), 1, "{both}");
        for path in ["/../secret", "/out", "/%2e%2e/secret", "/a%20b", "/none", "//etc/passwd"] {
            let answer = ask(&server, &format!("GET {path} HTTP/1.0\r\n\r\n"));
            assert!(answer.starts_with("HTTP/1.1 404"), "{path}: {answer}");
        }
        assert!(ask(&server, "POST / HTTP/1.0\r\n\r\n").starts_with("HTTP/1.1 405"));
        let port = server.port;
        drop(server);
        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap_err();
    }
}
