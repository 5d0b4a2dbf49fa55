//! Debian's docker-registry on a free port, which ends with the test. Also included by tests of crates below this one.

use isotope_sys::command::Tool;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

/// A running registry.
pub struct Server {
    /// Its directory: blobs are below `data`. Tests may put more there.
    pub dir: tempfile::TempDir,
    /// Where it listens on 127.0.0.1.
    pub port: u16,
    child: Child,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Server {
    /// Starts it in a directory, with more lines below `http:`.
    ///
    /// # Panics
    /// It does not listen.
    #[must_use]
    pub fn start(dir: tempfile::TempDir, more: impl Fn(&Path) -> String) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = dir.path().join("config.yml");
        let data = dir.path().join("data");
        let text = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp:\n  addr: \"127.0.0.1:{port}\"\n{}",
            data.display(),
            more(dir.path())
        );
        std::fs::write(&config, text).unwrap();
        let tool = Tool::new("docker-registry").arg("serve").arg(&config);
        let child = tool.spawn(Stdio::null(), Stdio::null(), Stdio::null()).unwrap();
        let server = Self { dir, port, child };
        for _ in 0..600 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return server;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("docker-registry does not listen");
    }

    /// A repository in it.
    #[must_use]
    pub fn place(&self) -> String {
        format!("127.0.0.1:{}/team/cache", self.port)
    }

    /// The file that says which manifest a tag of [`Server::place`] stands for.
    #[must_use]
    pub fn tag(&self, tag: &str) -> std::path::PathBuf {
        let tags = self.dir.path().join("data/docker/registry/v2/repositories/team/cache/_manifests/tags");
        tags.join(tag).join("current/link")
    }

    /// Every blob of some size gets another byte in its middle.
    pub fn tamper(&self) {
        fn below(dir: &Path) {
            for entry in dir.read_dir().unwrap().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    below(&path);
                } else if path.file_name().is_some_and(|name| name == "data")
                    && entry.metadata().unwrap().len() > 10_000
                {
                    let mut bytes = std::fs::read(&path).unwrap();
                    let middle = bytes.len() / 2;
                    bytes[middle] ^= 1;
                    std::fs::write(&path, bytes).unwrap();
                }
            }
        }
        below(&self.dir.path().join("data"));
    }
}
