//! QEMU's monitor: JSON lines over a Unix socket.

use crate::error::VmError;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// A connection to a monitor that is past its greeting.
#[derive(Debug)]
pub struct Qmp {
    reader: BufReader<UnixStream>,
    events: Vec<Value>,
}

impl Qmp {
    /// Connects to the socket, which may appear within `patience`.
    ///
    /// # Errors
    /// Nobody listens, or what answers is no monitor.
    pub fn connect(socket: &Path, patience: Duration) -> Result<Self, VmError> {
        let deadline = Instant::now() + patience;
        let stream = loop {
            match UnixStream::connect(socket) {
                Ok(stream) => break stream,
                Err(error) if Instant::now() > deadline => {
                    return Err(VmError::Io {
                        what: format!("reach qemu's monitor at {}", socket.display()),
                        source: error,
                    });
                }
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
        };
        stream.set_read_timeout(Some(Duration::from_secs(30))).map_err(VmError::io("set up qemu's monitor"))?;
        let mut qmp = Self { reader: BufReader::new(stream), events: Vec::new() };
        let greeting = qmp.receive()?;
        if greeting.get("QMP").is_none() {
            return Err(VmError::Qmp(format!("it greets with {greeting}, expected {{\"QMP\": …}}")));
        }
        qmp.execute("qmp_capabilities", json!({}))?;
        Ok(qmp)
    }

    fn receive(&mut self) -> Result<Value, VmError> {
        let mut line = String::new();
        let read = self.reader.read_line(&mut line).map_err(VmError::io("read from qemu's monitor"))?;
        if read == 0 {
            return Err(VmError::Qmp("it closed the connection".to_owned()));
        }
        serde_json::from_str(&line).map_err(|error| VmError::Qmp(format!("it sent no JSON ({error}): {line}")))
    }

    /// Runs a command and gives what it returns.
    ///
    /// # Errors
    /// QEMU refuses it, or went away.
    pub fn execute(&mut self, command: &str, arguments: Value) -> Result<Value, VmError> {
        let mut request = json!({ "execute": command });
        if arguments.as_object().is_some_and(|map| !map.is_empty()) {
            request["arguments"] = arguments;
        }
        let mut line = request.to_string();
        line.push('\n');
        self.reader.get_mut().write_all(line.as_bytes()).map_err(VmError::io("write to qemu's monitor"))?;
        loop {
            let mut answer = self.receive()?;
            if let Some(value) = answer.get_mut("return") {
                return Ok(value.take());
            }
            if let Some(error) = answer.get("error") {
                let text = error.get("desc").and_then(Value::as_str).unwrap_or("no description");
                return Err(VmError::Qmp(format!("`{command}` was refused: {text}")));
            }
            self.events.push(answer);
        }
    }

    /// Takes the asynchronous events that came between answers.
    pub fn take_events(&mut self) -> Vec<Value> {
        std::mem::take(&mut self.events)
    }

    /// `running`, `paused`, `shutdown`, …
    ///
    /// # Errors
    /// As [`Qmp::execute`].
    pub fn status(&mut self) -> Result<String, VmError> {
        let status = self.execute("query-status", json!({}))?;
        Ok(status.get("status").and_then(Value::as_str).unwrap_or("unknown").to_owned())
    }

    /// Ends QEMU at once.
    ///
    /// # Errors
    /// As [`Qmp::execute`].
    pub fn quit(&mut self) -> Result<(), VmError> {
        self.execute("quit", json!({})).map(drop)
    }

    /// Presses the power button.
    ///
    /// # Errors
    /// As [`Qmp::execute`].
    pub fn power_button(&mut self) -> Result<(), VmError> {
        self.execute("system_powerdown", json!({})).map(drop)
    }

    /// Presses the reset button.
    ///
    /// # Errors
    /// As [`Qmp::execute`].
    pub fn reset(&mut self) -> Result<(), VmError> {
        self.execute("system_reset", json!({})).map(drop)
    }

    /// Makes a disk of the running guest bigger.
    ///
    /// # Errors
    /// As [`Qmp::execute`].
    pub fn resize_disk(&mut self, node: &str, bytes: u64) -> Result<(), VmError> {
        self.execute("block_resize", json!({ "node-name": node, "size": bytes })).map(drop)
    }

    /// Attaches an image to the running guest as a virtio disk.
    ///
    /// # Errors
    /// As [`Qmp::execute`]; the machine has no free hot-plug slot.
    pub fn attach_disk(&mut self, name: &str, image: &Path, format: &str) -> Result<(), VmError> {
        let node = json!({
            "driver": format, "node-name": name,
            "file": { "driver": "file", "filename": image.display().to_string() },
        });
        self.execute("blockdev-add", node)?;
        let device = json!({ "driver": "virtio-blk-pci", "id": format!("dev-{name}"), "drive": name, "serial": name, "bus": "hotplug0" });
        self.execute("device_add", device).map(drop)
    }

    /// Writes what the screen shows: PNG where this QEMU can (7.1 and later, built with libpng), else PPM.
    ///
    /// # Errors
    /// As [`Qmp::execute`].
    pub fn screendump(&mut self, file: &Path, png: bool) -> Result<(), VmError> {
        let mut arguments = json!({ "filename": file.display().to_string() });
        if png {
            arguments["format"] = json!("png");
        }
        self.execute("screendump", arguments).map(drop)
    }

    /// Runs a command of the human monitor.
    ///
    /// # Errors
    /// As [`Qmp::execute`].
    pub fn human(&mut self, line: &str) -> Result<String, VmError> {
        let answer = self.execute("human-monitor-command", json!({ "command-line": line }))?;
        Ok(answer.as_str().unwrap_or_default().to_owned())
    }

    /// The port of 127.0.0.1 that leads to a port of the guest.
    ///
    /// # Errors
    /// As [`Qmp::execute`]; there is no such forwarding.
    pub fn forwarded_port(&mut self, guest: u16) -> Result<u16, VmError> {
        let table = self.human("info usernet")?;
        parse_usernet(&table, guest)
            .ok_or_else(|| VmError::Qmp(format!("no port is forwarded to the guest's port {guest}; it says\n{table}")))
    }
}

/// Finds the host's port in the table of `info usernet`: `TCP[HOST_FORWARD] fd address port address port …`.
fn parse_usernet(table: &str, guest: u16) -> Option<u16> {
    table.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        if words.next()? != "TCP[HOST_FORWARD]" {
            return None;
        }
        let words: Vec<&str> = words.collect();
        let [_fd, _source, port, _destination, to, ..] = words.as_slice() else { return None };
        (to.parse::<u16>().ok()? == guest).then(|| port.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    /// A monitor that plays a script: what it reads is checked, what it writes is given.
    fn fake(script: Vec<(&'static str, &'static str)>) -> (tempfile::TempDir, std::thread::JoinHandle<()>) {
        let dir = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(dir.path().join("qmp")).unwrap();
        let thread = std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream);
            reader.get_mut().write_all(b"{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n").unwrap();
            for (expected, answer) in script {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                assert!(line.contains(expected), "{line} lacks {expected}");
                reader.get_mut().write_all(answer.as_bytes()).unwrap();
            }
        });
        (dir, thread)
    }

    #[test]
    fn events_between_answers_are_kept() {
        let (dir, thread) = fake(vec![
            ("qmp_capabilities", "{\"return\": {}}\n"),
            ("query-status", "{\"event\": \"RESET\", \"timestamp\": {}}\n{\"return\": {\"status\": \"running\"}}\n"),
        ]);
        let mut qmp = Qmp::connect(&dir.path().join("qmp"), Duration::from_secs(5)).unwrap();
        assert_eq!(qmp.status().unwrap(), "running");
        assert_eq!(qmp.take_events()[0]["event"], "RESET");
        thread.join().unwrap();
    }

    #[test]
    fn a_refusal_names_the_command() {
        let (dir, thread) = fake(vec![
            ("qmp_capabilities", "{\"return\": {}}\n"),
            ("\"size\":1", "{\"error\": {\"class\": \"GenericError\", \"desc\": \"Cannot find node\"}}\n"),
        ]);
        let mut qmp = Qmp::connect(&dir.path().join("qmp"), Duration::from_secs(5)).unwrap();
        let error = qmp.resize_disk("nowhere", 1).unwrap_err();
        assert_eq!(error.to_string(), "qemu's monitor: `block_resize` was refused: Cannot find node");
        thread.join().unwrap();
    }

    #[test]
    fn the_forwarded_port_is_read_from_the_table() {
        let table = "Hub -1 (net0):\r\n  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ\r\n  \
                     TCP[HOST_FORWARD]  17       127.0.0.1 40123       10.0.2.15    22     0     0\r\n";
        assert_eq!(parse_usernet(table, 22), Some(40123));
        assert_eq!(parse_usernet(table, 80), None);
    }
}
