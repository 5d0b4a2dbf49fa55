//! A web server for one directory, with faults: it can die half way, truncate a file or damage it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// What goes wrong with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Its length is told right, and half of it is sent.
    Truncated,
    /// Its first half is all there is, and that is what is told.
    Halved,
    /// One byte in its middle is another.
    Damaged,
    /// There is no such file.
    Gone,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    requests: AtomicUsize,
    /// After so many requests every connection is closed at once; 0: never.
    dies_after: AtomicUsize,
    faults: Mutex<BTreeMap<String, Fault>>,
    log: Mutex<Vec<String>>,
}

/// The server; ends when dropped.
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Server {
    /// Serves `dir` on a free port of 127.0.0.1.
    pub fn start(dir: impl Into<PathBuf>) -> Self {
        let dir = dir.into();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let ours = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if ours.stop.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let (dir, shared) = (dir.clone(), Arc::clone(&ours));
                std::thread::spawn(move || drop(serve(stream, &dir, &shared)));
            }
        });
        Self { address, shared }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on, dies after so many more requests.
    pub fn die_after(&self, requests: usize) {
        self.shared.dies_after.store(self.requests() + requests, Ordering::SeqCst);
    }

    /// Lives on.
    pub fn revive(&self) {
        self.shared.dies_after.store(0, Ordering::SeqCst);
    }

    /// What is wrong with the file at `path` (without a leading slash); `None`: nothing any more.
    pub fn fault(&self, path: &str, fault: Option<Fault>) {
        let mut faults = self.shared.faults.lock().unwrap();
        match fault {
            Some(fault) => faults.insert(path.to_owned(), fault),
            None => faults.remove(path),
        };
    }

    /// How many requests it has had.
    pub fn requests(&self) -> usize {
        self.shared.requests.load(Ordering::SeqCst)
    }

    /// The paths asked for since the last call.
    pub fn take_log(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.log.lock().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        // Wakes it.
        TcpStream::connect(self.address).ok();
    }
}

fn serve(mut stream: TcpStream, dir: &std::path::Path, shared: &Shared) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let mut header = String::new();
        while reader.read_line(&mut header)? > 2 {
            header.clear();
        }
        let path = line.split(' ').nth(1).unwrap_or("/").trim_start_matches('/').to_owned();
        let path = path.replace("%2B", "+").replace("%2F", "/");
        let count = shared.requests.fetch_add(1, Ordering::SeqCst) + 1;
        let dies_after = shared.dies_after.load(Ordering::SeqCst);
        if dies_after != 0 && count > dies_after {
            return Ok(());
        }
        shared.log.lock().unwrap().push(path.clone());
        let fault = shared.faults.lock().unwrap().get(&path).copied();
        let file = dir.join(&path);
        let data = if file.is_file() { fs::read(file).ok() } else { None };
        let Some(mut data) = data.filter(|_| fault != Some(Fault::Gone)) else {
            stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")?;
            continue;
        };
        let told = data.len();
        match fault {
            Some(Fault::Truncated) => data.truncate(told / 2),
            Some(Fault::Halved) => data.truncate(told / 2),
            Some(Fault::Damaged) => data[told / 2] ^= 0xff,
            Some(Fault::Gone) | None => {}
        }
        let told = if fault == Some(Fault::Halved) { data.len() } else { told };
        stream.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {told}\r\n\r\n").as_bytes())?;
        stream.write_all(&data)?;
        if fault == Some(Fault::Truncated) {
            return Ok(());
        }
    }
}
