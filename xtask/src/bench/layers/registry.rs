//! Debian's docker-registry on this host, as long as it is held.

use crate::Xtask;
use crate::bench::remove_tree;
use anyhow::{Context, bail};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use xshell::cmd;

/// How often it is asked whether it listens, and how long it is waited for in between.
const ASKED: u32 = 200;
const PAUSE: Duration = Duration::from_millis(50);

/// A running registry. Dropping it ends it, and removes what it holds.
pub(super) struct Server {
    /// Where it listens on 127.0.0.1.
    pub port: u16,
    child: Child,
    dir: PathBuf,
}

impl Server {
    /// Starts it on a free port with its blobs in `dir`.
    pub(super) fn start(xtask: &Xtask, dir: &Path) -> anyhow::Result<Self> {
        remove_tree(xtask, &dir.join("data"))?;
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = port.context("no port is free for a registry")?.port();
        let (config, data) = (dir.join("config.yml"), dir.join("data"));
        let text = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: \"127.0.0.1:{port}\"}}\n",
            data.display()
        );
        xtask.shell.write_file(&config, text)?;
        let mut command = Command::from(cmd!(xtask.shell, "docker-registry serve {config}"));
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let child = child.context("cannot start docker-registry (`apt-get install docker-registry`)")?;
        let server = Self { port, child, dir: data };
        for _ in 0..ASKED {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Ok(server);
            }
            std::thread::sleep(PAUSE);
        }
        bail!("docker-registry does not listen on port {port}: `docker-registry serve {}` says why", config.display())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // What is left then is removed by the next one.
        drop(self.child.kill().and_then(|()| self.child.wait()));
        drop(std::fs::remove_dir_all(&self.dir));
    }
}
