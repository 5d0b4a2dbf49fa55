//! Debian's docker-registry on a free port, which ends with the test. Also included by tests of crates below this one.

use isotope_sys::command::Tool;
use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

/// The repository that tests use.
pub const REPOSITORY: &str = "isotope/cache";

/// A running registry.
pub struct Server {
    /// Its directory: what it holds is below `data`. Tests may put more there.
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
    /// Starts one that is open to everyone.
    #[must_use]
    pub fn open() -> Self {
        Self::start(tempfile::tempdir().unwrap(), |_| String::new())
    }

    /// Starts it in a directory, with more lines of its configuration behind those of `http:`.
    ///
    /// # Panics
    /// It does not listen.
    #[must_use]
    pub fn start(dir: tempfile::TempDir, more: impl Fn(&Path) -> String) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let at = |name: &str| dir.path().join(name);
        let text = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage:\n  filesystem: {{rootdirectory: {}}}\n  delete: {{enabled: true}}\n\
             http:\n  addr: \"127.0.0.1:{port}\"\n{}",
            at("data").display(),
            more(dir.path())
        );
        std::fs::write(at("config.yml"), text).unwrap();
        let log = File::create(at("log")).unwrap();
        let tool = Tool::new("docker-registry").arg("serve").arg(at("config.yml"));
        let child = tool.spawn(Stdio::null(), log.try_clone().unwrap().into(), log.into()).unwrap();
        let server = Self { dir, port, child };
        for _ in 0..600 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return server;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("docker-registry does not listen: {}", std::fs::read_to_string(server.dir.path().join("log")).unwrap());
    }

    /// [`REPOSITORY`] in it, as options name it.
    #[must_use]
    pub fn place(&self) -> String {
        format!("127.0.0.1:{}/{REPOSITORY}", self.port)
    }

    /// The file that says which manifest a tag of [`REPOSITORY`] stands for.
    #[must_use]
    pub fn tag(&self, tag: &str) -> PathBuf {
        let tags = format!("data/docker/registry/v2/repositories/{REPOSITORY}/_manifests/tags");
        self.dir.path().join(tags).join(tag).join("current/link")
    }

    /// The file of a blob. Its digest has `sha256:`.
    ///
    /// # Panics
    /// It has not.
    #[must_use]
    pub fn blob(&self, digest: &str) -> PathBuf {
        let hex = digest.strip_prefix("sha256:").unwrap();
        self.dir.path().join("data/docker/registry/v2/blobs/sha256").join(&hex[..2]).join(hex).join("data")
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
