//! A web server for package archives: files of a directory, ranges, and a way to break off in the middle.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// What is asked of it while it runs.
#[derive(Default)]
pub struct State {
    /// Files whose name contains this are cut off after half of their bytes.
    pub cut: Mutex<Option<String>>,
    /// The names asked for, with the range if there was one.
    pub requests: Mutex<Vec<String>>,
    served: AtomicUsize,
    stop: AtomicBool,
}

/// A running server; dropping it stops it.
pub struct Server {
    pub state: Arc<State>,
    pub url: String,
    address: std::net::SocketAddr,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Server {
    pub fn of(dir: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State::default());
        let (shared, dir) = (Arc::clone(&state), dir.to_owned());
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if shared.stop.load(Ordering::SeqCst) {
                    return;
                }
                let (state, dir) = (Arc::clone(&shared), dir.clone());
                std::thread::spawn(move || {
                    // A client that goes away is none of the server's business.
                    drop(serve(stream, &dir, &state));
                });
            }
        });
        Self { state, url: format!("http://{address}"), address, thread: Some(thread) }
    }

    pub fn requests(&self, word: &str) -> Vec<String> {
        self.state.requests.lock().unwrap().iter().filter(|request| request.contains(word)).cloned().collect()
    }

    pub fn cut(&self, word: Option<&str>) {
        *self.state.cut.lock().unwrap() = word.map(str::to_owned);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.state.stop.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn serve(stream: TcpStream, dir: &Path, state: &State) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    loop {
        let mut request = String::new();
        if reader.read_line(&mut request)? == 0 {
            return Ok(());
        }
        let mut range = None;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            if line.trim().is_empty() {
                break;
            }
            if let Some(from) = line.to_lowercase().strip_prefix("range: bytes=") {
                range = from.trim().split('-').next().and_then(|from| from.parse::<usize>().ok());
            }
        }
        let path = request.split(' ').nth(1).unwrap_or("/").trim_start_matches(['/', '.']).to_owned();
        let path = path.replace("%3a", ":").replace("%2b", "+").replace("%7e", "~");
        state.served.fetch_add(1, Ordering::SeqCst);
        state.requests.lock().unwrap().push(range.map_or_else(|| path.clone(), |from| format!("{path} from {from}")));
        let file: PathBuf = dir.join(path.trim_start_matches("./"));
        let Ok(data) = std::fs::read(&file) else {
            stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")?;
            continue;
        };
        let from = range.filter(|from| *from < data.len()).unwrap_or(0);
        let head = if from > 0 {
            format!("206 Partial Content\r\nContent-Range: bytes {from}-{}/{}", data.len() - 1, data.len())
        } else {
            "200 OK".to_owned()
        };
        let body = &data[from..];
        let length = body.len();
        let head = format!(
            "HTTP/1.1 {head}\r\nLast-Modified: Tue, 14 Nov 2023 22:13:20 GMT\r\nContent-Length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes())?;
        let cut = state.cut.lock().unwrap().as_ref().is_some_and(|word| path.contains(word.as_str()));
        if cut {
            stream.write_all(&body[..length / 2])?;
            return Ok(());
        }
        stream.write_all(body)?;
    }
}
