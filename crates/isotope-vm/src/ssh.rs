//! SSH into the guest by ssh(1): wait for the banner, keep one connection open, run commands and copy files through it.
//!
//! Under emulation a handshake costs seconds, so all commands share one master connection. The master is our child in the
//! foreground (it dies with us), not a daemon that ssh leaves behind.

use crate::cancel::Cancel;
use crate::error::VmError;
use isotope_sys::command::{Tool, shell_quote};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// A key pair made for one machine.
#[derive(Debug, Clone)]
pub struct KeyPair {
    /// The private key's file.
    pub private: PathBuf,
    /// The public key, one line.
    pub public: String,
}

/// Makes an ed25519 key in `dir`.
///
/// # Errors
/// ssh-keygen is missing or failed.
pub fn generate_key(dir: &Path) -> Result<KeyPair, VmError> {
    let private = dir.join("id_ed25519");
    Tool::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", "isotope-vm", "-f"]).arg(&private).run()?;
    let public = std::fs::read_to_string(dir.join("id_ed25519.pub")).map_err(VmError::io("read the new public key"))?;
    Ok(KeyPair { private, public: public.trim().to_owned() })
}

/// What a command in the guest did.
#[derive(Debug, Clone)]
pub struct GuestOutput {
    /// Exit status; 255 is also what ssh gives when the connection breaks.
    pub status: i32,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error.
    pub stderr: Vec<u8>,
}

impl GuestOutput {
    /// Standard output as text, trimmed at the end.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).trim_end().to_owned()
    }

    /// Both outputs for a message, at most the last `lines`.
    #[must_use]
    pub fn tail(&self, lines: usize) -> String {
        let mut all = self.text();
        let errors = String::from_utf8_lossy(&self.stderr);
        if !errors.trim().is_empty() {
            all.push('\n');
            all.push_str(errors.trim_end());
        }
        let all: Vec<&str> = all.trim().lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }
}

/// The way into one guest.
#[derive(Debug)]
pub struct Ssh {
    user: String,
    key: PathBuf,
    port: u16,
    control: PathBuf,
    master: Option<Child>,
    cancel: Cancel,
}

impl Ssh {
    /// Nothing is connected yet. `control` is where the shared connection's socket goes.
    #[must_use]
    pub fn new(user: &str, key: &Path, port: u16, control: PathBuf, cancel: Cancel) -> Self {
        Self { user: user.to_owned(), key: key.to_owned(), port, control, master: None, cancel }
    }

    /// The port of 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The command by which a person gets in.
    #[must_use]
    pub fn command_line(&self) -> String {
        format!(
            "ssh -p {} -i {} -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null {}@127.0.0.1",
            self.port,
            shell_quote(self.key.as_os_str()),
            self.user
        )
    }

    /// Another user's way into the same guest by the same key, with a connection of its own.
    #[must_use]
    pub fn as_user(&self, user: &str) -> Self {
        let control = self.control.with_extension(user);
        Self::new(user, &self.key, self.port, control, self.cancel.clone())
    }

    /// Whether an SSH server answers. The forwarded port accepts at once, so only the banner proves it.
    #[must_use]
    pub fn answers(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)) else { return false };
        let mut banner = [0_u8; 4];
        stream.set_read_timeout(Some(Duration::from_secs(3))).is_ok()
            && stream.read_exact(&mut banner).is_ok()
            && &banner == b"SSH-"
    }

    fn tool(&self) -> Tool {
        Tool::new("ssh")
            .args(["-F", "/dev/null", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no"])
            .args(["-o", "UserKnownHostsFile=/dev/null", "-o", "GlobalKnownHostsFile=/dev/null"])
            .args(["-o", "IdentitiesOnly=yes", "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=60"])
            .args(["-o", "ServerAliveInterval=20", "-o", "ServerAliveCountMax=9", "-i"])
            .arg(&self.key)
            .args(["-p", &self.port.to_string(), "-l", &self.user, "-S"])
            .arg(&self.control)
    }

    /// Tries once to log in and to keep the connection; `Ok(false)` when the guest does not let us in (yet).
    ///
    /// # Errors
    /// ssh is missing, or somebody asked to stop.
    pub fn try_login(&mut self, patience: Duration) -> Result<bool, VmError> {
        self.disconnect();
        let tool = self.tool().args(["-M", "-N", "127.0.0.1"]);
        let mut master = tool.spawn(Stdio::null(), Stdio::null(), Stdio::null())?;
        let deadline = Instant::now() + patience;
        loop {
            let ended = master.try_wait().map_err(VmError::io("wait for ssh"))?.is_some();
            if !ended && self.control.exists() {
                self.master = Some(master);
                return Ok(true);
            }
            if ended || Instant::now() > deadline || self.cancel.is_set() {
                stop(&mut master);
                return if self.cancel.is_set() { Err(VmError::Interrupted) } else { Ok(false) };
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Ends the shared connection.
    pub fn disconnect(&mut self) {
        if let Some(mut master) = self.master.take() {
            stop(&mut master);
        }
        // Usually ssh removed it; a killed one did not.
        drop(std::fs::remove_file(&self.control));
    }

    /// Whether the shared connection still stands.
    pub fn is_connected(&mut self) -> bool {
        self.master.as_mut().is_some_and(|master| matches!(master.try_wait(), Ok(None)))
    }

    /// Runs a command line in the user's shell. The status is not judged.
    ///
    /// # Errors
    /// ssh is missing, the time is up, or somebody asked to stop.
    pub fn exec(&self, command: &str, stdin: Input<'_>, timeout: Duration) -> Result<GuestOutput, VmError> {
        let tool = self.tool().args(["127.0.0.1", "--", command]);
        let (pipe, data) = match stdin {
            Input::None => (Stdio::null(), None),
            Input::Bytes(data) => (Stdio::piped(), Some(data)),
            Input::File(file) => (Stdio::from(file), None),
        };
        let mut child = tool.spawn(pipe, Stdio::piped(), Stdio::piped())?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let feed = child.stdin.take().zip(data);
        let deadline = Instant::now() + timeout;
        std::thread::scope(|scope| {
            if let Some((mut pipe, data)) = feed {
                // A command that does not read all of it tells so by its status.
                scope.spawn(move || drop(pipe.write_all(data)));
            }
            let stdout = scope.spawn(move || slurp(stdout));
            let stderr = scope.spawn(move || slurp(stderr));
            let status = loop {
                if let Some(status) = child.try_wait().map_err(VmError::io("wait for ssh"))? {
                    break status;
                }
                if self.cancel.is_set() || Instant::now() > deadline {
                    stop(&mut child);
                    return Err(if self.cancel.is_set() {
                        VmError::Interrupted
                    } else {
                        VmError::Timeout {
                            waiting_for: format!("`{}` in the guest", shorten(command)),
                            after: timeout,
                            last_seen: "it is still running".to_owned(),
                        }
                    });
                }
                std::thread::sleep(Duration::from_millis(20));
            };
            Ok(GuestOutput {
                status: status.code().unwrap_or(255),
                stdout: stdout.join().unwrap_or_default(),
                stderr: stderr.join().unwrap_or_default(),
            })
        })
    }

    /// Runs a script as root: `/bin/sh` unless it begins with `#!`. The guest itself stops it after `timeout` (status 124).
    ///
    /// # Errors
    /// As [`Ssh::exec`].
    pub fn root_script(&self, script: &str, timeout: Duration) -> Result<GuestOutput, VmError> {
        let command = self.as_root(&script_runner(script, timeout));
        self.exec(&command, Input::Bytes(script.as_bytes()), timeout + Duration::from_secs(60))
    }

    /// As [`Ssh::root_script`]; any status but 0 is an error.
    ///
    /// # Errors
    /// As [`Ssh::exec`], and [`VmError::Guest`].
    pub fn root(&self, script: &str, timeout: Duration) -> Result<GuestOutput, VmError> {
        let output = self.root_script(script, timeout)?;
        if output.status == 0 {
            return Ok(output);
        }
        Err(VmError::Guest { what: format!("`{}`", shorten(script)), status: output.status, output: output.tail(30) })
    }

    /// Makes a port of this host's 127.0.0.1 the same port of the guest's own 127.0.0.1, as long as the shared connection stands:
    /// the one way to the host that a guest without a network has (ssh(1), `-O forward`, `-R`).
    ///
    /// # Errors
    /// There is no shared connection, or the guest's port is taken.
    pub fn lend_port(&self, port: u16) -> Result<(), VmError> {
        let forward = format!("127.0.0.1:{port}:127.0.0.1:{port}");
        self.tool().args(["-O", "forward", "-R", &forward, "127.0.0.1"]).run()?;
        Ok(())
    }

    /// Copies a file into the guest as root, mode 0644.
    ///
    /// # Errors
    /// As [`Ssh::root`], and the file cannot be read.
    pub fn copy_to(&self, local: &Path, remote: &str, timeout: Duration) -> Result<(), VmError> {
        let file = File::open(local).map_err(VmError::io(format!("read {}", local.display())))?;
        let command = self.as_root(&format!("cat > {}", shell_quote(OsStr::new(remote))));
        let output = self.exec(&command, Input::File(file), timeout)?;
        if output.status == 0 {
            return Ok(());
        }
        Err(VmError::Guest { what: format!("copying to {remote}"), status: output.status, output: output.tail(10) })
    }

    fn as_root(&self, script: &str) -> String {
        let quoted = shell_quote(OsStr::new(script));
        if self.user == "root" { format!("/bin/sh -c {quoted}") } else { format!("sudo -n /bin/sh -c {quoted}") }
    }
}

impl Drop for Ssh {
    fn drop(&mut self) {
        self.disconnect();
    }
}

/// What a command in the guest reads.
#[derive(Debug)]
pub enum Input<'a> {
    /// Nothing.
    None,
    /// These bytes.
    Bytes(&'a [u8]),
    /// An open file.
    File(File),
}

/// The script comes by stdin and is kept in a file, so that it may have any size, any interpreter and its own stdin.
fn script_runner(script: &str, timeout: Duration) -> String {
    let interpreter = if script.starts_with("#!") { "" } else { "/bin/sh " };
    format!(
        "f=$(mktemp /tmp/isotope.XXXXXX) || exit 125; cat > \"$f\"; chmod 0700 \"$f\"; \
         timeout -k 5 {} {interpreter}\"$f\" < /dev/null; s=$?; rm -f \"$f\"; exit $s",
        timeout.as_secs().max(1)
    )
}

fn shorten(text: &str) -> String {
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let short: String = line.chars().take(80).collect();
    if short.len() < text.trim().len() { format!("{short}…") } else { short }
}

fn stop(child: &mut Child) {
    // Both only fail when it is gone already.
    drop(child.kill());
    drop(child.wait());
}

fn slurp(pipe: Option<impl Read>) -> Vec<u8> {
    let mut data = Vec::new();
    if let Some(mut pipe) = pipe {
        // What was read before an error is still worth showing.
        drop(pipe.read_to_end(&mut data));
    }
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_with_its_own_interpreter_is_run_as_it_is() {
        let limit = Duration::from_secs(60);
        assert!(script_runner("true", limit).contains("timeout -k 5 60 /bin/sh \"$f\" < /dev/null"));
        assert!(script_runner("#!/usr/bin/python3\n", limit).contains("timeout -k 5 60 \"$f\" < /dev/null"));
    }

    #[test]
    fn the_runner_gives_status_and_output_and_leaves_no_file() {
        let command = script_runner("x", Duration::from_secs(5));
        let error = Tool::new("sh").args(["-c", &command]).stdin("echo out; echo err >&2; exit 7").run().unwrap_err();
        assert!(error.to_string().contains("exit status 7") && error.to_string().contains("err"), "{error}");
        let command = script_runner("x", Duration::from_secs(1));
        let output = Tool::new("sh").args(["-c", &command]).stdin("sleep 20").ok_codes(&[124]).run().unwrap();
        assert!(output.stdout.is_empty());
    }

    #[test]
    fn long_scripts_are_named_by_their_first_line() {
        assert_eq!(shorten("\nset -e\ntrue\n"), "set -e…");
        assert_eq!(shorten("true"), "true");
    }

    #[test]
    fn nobody_answers_on_a_closed_port() {
        let ssh = Ssh::new("u", Path::new("/k"), 1, "/nowhere".into(), Cancel::default());
        assert!(!ssh.answers());
    }
}
