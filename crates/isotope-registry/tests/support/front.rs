//! A server before the registry, that does what registries do at their worst: it breaks connections off, is busy, wants tokens.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// One request: its first line, and its headers in lower case.
#[derive(Debug, Clone)]
pub struct Request {
    pub line: String,
    pub headers: Vec<String>,
    /// How many have come before it.
    pub number: usize,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// What becomes of a request.
pub enum Fate {
    /// The registry answers it.
    Pass,
    /// After so many bytes of the answer the connection breaks.
    CutAnswer(usize),
    /// After so many bytes of the request's body the connection breaks; they reach the registry.
    CutBody(usize),
    /// This answer: status line and headers without the last line feed, and a body.
    Answer(String, &'static str),
}

/// A server that forwards.
pub struct Front {
    pub port: u16,
    pub seen: Arc<Mutex<Vec<Request>>>,
}

impl Front {
    /// Starts one before the registry at `upstream`. It ends with the test's process.
    pub fn start(upstream: u16, fate: impl Fn(&Request) -> Fate + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen: Arc<Mutex<Vec<Request>>> = Arc::default();
        let (fate, all) = (Arc::new(fate), Arc::clone(&seen));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (fate, all) = (Arc::clone(&fate), Arc::clone(&all));
                // A connection that breaks is what it is for.
                std::thread::spawn(move || serve(stream.unwrap(), upstream, &*fate, &all).ok());
            }
        });
        Self { port, seen }
    }

    /// The requests whose first line begins so.
    pub fn asked(&self, begin: &str) -> Vec<Request> {
        self.seen.lock().unwrap().iter().filter(|request| request.line.starts_with(begin)).cloned().collect()
    }
}

/// One request a connection.
fn serve(
    mut client: TcpStream,
    upstream: u16,
    fate: &dyn Fn(&Request) -> Fate,
    seen: &Mutex<Vec<Request>>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        if line == "\r\n" {
            break;
        }
        lines.push(line.trim_end().to_owned());
    }
    let lower = |line: &String| {
        line.split_once(": ").map_or_else(|| line.clone(), |(k, v)| format!("{}: {v}", k.to_ascii_lowercase()))
    };
    let request = {
        let mut seen = seen.lock().unwrap();
        let headers = lines[1..].iter().map(lower).collect();
        let request = Request { line: lines[0].clone(), headers, number: seen.len() };
        seen.push(request.clone());
        request
    };
    let length: usize = request.header("content-length").map_or(0, |it| it.parse().unwrap());
    let fate = fate(&request);
    if let Fate::Answer(head, body) = fate {
        std::io::copy(&mut reader.take(length as u64), &mut std::io::sink())?;
        return write!(client, "{head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
    }
    let mut server = TcpStream::connect(("127.0.0.1", upstream))?;
    // Addresses that the registry gives lead here again: it makes them of Host.
    let kept = lines.iter().filter(|line| {
        !line.to_ascii_lowercase().starts_with("connection:")
            && !line.to_ascii_lowercase().starts_with("authorization:")
    });
    let head: String = kept.map(|line| format!("{line}\r\n")).collect();
    write!(server, "{head}Connection: close\r\n\r\n")?;
    let sent = if let Fate::CutBody(bytes) = fate { bytes.min(length) } else { length };
    std::io::copy(&mut reader.take(sent as u64), &mut server)?;
    if sent < length {
        server.shutdown(std::net::Shutdown::Both)?;
        return client.shutdown(std::net::Shutdown::Both);
    }
    let limit = if let Fate::CutAnswer(bytes) = fate { bytes } else { usize::MAX };
    std::io::copy(&mut server.take(limit as u64), &mut client)?;
    client.shutdown(std::net::Shutdown::Both)
}
