//! One machine: its disks, seed, keys and logs, and the QEMU that runs it now.
//!
//! A [`Vm`] outlives its QEMU: it may be started again, by another firmware, with what the guest wrote still there. All of it
//! is gone when the value goes. QEMU dies with the *thread* that started it (see `isotope_sys::command`), so a machine
//! belongs to one thread.

mod power;

use crate::cancel::Cancel;
use crate::command_line::{self, Paths};
use crate::console::{Event, EventKind, Watch};
use crate::disk::{self, PreparedDisk};
use crate::error::VmError;
use crate::firmware::{self, Firmware, Ovmf};
use crate::qmp::Qmp;
use crate::spec::VmSpec;
use crate::ssh::{self, Ssh};
use crate::workdir::WorkDir;
use isotope_sys::command::{CommandError, Tool};
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// How often a waiting loop looks around.
const TICK: Duration = Duration::from_millis(200);

/// A machine.
#[derive(Debug)]
pub struct Vm {
    // Dropped in this order: QEMU and ssh end before their files go.
    running: Option<Running>,
    watch: Watch,
    spec: VmSpec,
    paths: Paths,
    key: PathBuf,
    public_key: String,
    cancel: Cancel,
    work: WorkDir,
}

#[derive(Debug)]
struct Running {
    ssh: Ssh,
    qmp: Qmp,
    child: Child,
    started: Instant,
    /// The console's events before this one belong to an earlier boot.
    cursor: usize,
    line: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both only fail when it is gone already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Vm {
    /// Prepares a machine: overlays, variable store, key, seed. Nothing runs yet.
    ///
    /// # Errors
    /// An image, a firmware or a tool is missing, or the spec makes no sense.
    pub fn create(spec: VmSpec, cancel: &Cancel) -> Result<Self, VmError> {
        if !Tool::exists("qemu-system-x86_64") {
            return Err(CommandError::Missing { program: "qemu-system-x86_64".to_owned() }.into());
        }
        check(&spec)?;
        let work = WorkDir::new(&spec.work_parent)?;
        let ovmf = variables(spec.firmware, &work)?;
        let mut disks = Vec::new();
        for (index, disk) in spec.disks.iter().enumerate() {
            disks.push(disk::prepare(disk, work.path(), &format!("disk{index}"))?);
        }
        let (key, public_key) = match &spec.login.key {
            Some(key) => {
                let public = Tool::new("ssh-keygen").args(["-y", "-f"]).arg(key).run()?.text();
                (key.clone(), public)
            }
            None => {
                let pair = ssh::generate_key(work.path())?;
                (pair.private, pair.public)
            }
        };
        let mut seed = None;
        if let Some(wanted) = &spec.seed {
            let path = work.join("seed.img");
            wanted.write(&path, &spec.login.user, &public_key)?;
            seed = Some(path);
        }
        let paths = Paths {
            disks,
            seed,
            ovmf,
            qmp: work.join("qmp.sock"),
            console: work.join("console.sock"),
            console_log: work.join("console.log"),
        };
        let watch = Watch::start(&paths.console_log);
        Ok(Self { running: None, watch, spec, paths, key, public_key, cancel: cancel.clone(), work })
    }

    /// What it was made from.
    #[must_use]
    pub fn spec(&self) -> &VmSpec {
        &self.spec
    }

    /// The disks as QEMU opens them.
    #[must_use]
    pub fn disks(&self) -> &[PreparedDisk] {
        &self.paths.disks
    }

    /// The public key that the seed carries.
    #[must_use]
    pub fn public_key(&self) -> &str {
        &self.public_key
    }

    /// The serial console's socket, for one client at a time.
    #[must_use]
    pub fn console_socket(&self) -> &Path {
        &self.paths.console
    }

    /// The serial console's log, of all boots.
    #[must_use]
    pub fn console_log(&self) -> &Path {
        &self.paths.console_log
    }

    /// Its directory, which goes with it.
    pub(crate) fn work(&self) -> &Path {
        self.work.path()
    }

    pub(crate) fn qemu_log(&self) -> PathBuf {
        self.work.join("qemu.log")
    }

    /// QEMU's command line, once started.
    #[must_use]
    pub fn line(&self) -> Option<&str> {
        self.running.as_ref().map(|running| running.line.as_str())
    }

    /// Takes another firmware for the next start, with a fresh variable store.
    ///
    /// # Errors
    /// The machine runs, or the host has no such firmware.
    pub fn set_firmware(&mut self, firmware: Firmware) -> Result<(), VmError> {
        if self.running.is_some() {
            return Err(VmError::Spec(
                "the firmware of a running machine cannot be changed; power it off first".to_owned(),
            ));
        }
        self.paths.ovmf = variables(firmware, &self.work)?;
        self.spec.firmware = firmware;
        Ok(())
    }

    /// Starts QEMU.
    ///
    /// # Errors
    /// It runs already, or QEMU did not start.
    pub fn start(&mut self) -> Result<(), VmError> {
        if self.running.is_some() {
            return Err(VmError::Spec("the machine runs already".to_owned()));
        }
        for socket in [&self.paths.qmp, &self.paths.console] {
            // Left by the QEMU before.
            drop(std::fs::remove_file(socket));
        }
        let tool = Tool::new("qemu-system-x86_64").args(command_line::args(&self.spec, &self.paths));
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.qemu_log())
            .map_err(VmError::io("make qemu's log"))?;
        let cursor = self.watch.cursor();
        let child = tool.spawn(Stdio::null(), Stdio::null(), Stdio::from(log))?;
        let mut child = Reaper { child: Some(child), since: Instant::now() };
        let mut qmp = loop {
            match Qmp::connect(&self.paths.qmp, Duration::from_millis(500)) {
                Ok(qmp) => break qmp,
                Err(error) => {
                    if let Some(status) = child.ended() {
                        return Err(VmError::QemuEnded { status, tail: tail(&self.qemu_log(), 10) });
                    }
                    if child.since.elapsed() > Duration::from_secs(30) {
                        return Err(error);
                    }
                    self.go_on()?;
                }
            }
        };
        let port = qmp.forwarded_port(22)?;
        let ssh = Ssh::new(&self.spec.login.user, &self.key, port, self.work.join("ssh.sock"), self.cancel.clone());
        let Some(child) = child.child.take() else { return Err(VmError::Interrupted) };
        self.running = Some(Running { ssh, qmp, child, started: Instant::now(), cursor, line: tool.line() });
        Ok(())
    }

    fn go_on(&self) -> Result<(), VmError> {
        if self.cancel.is_set() { Err(VmError::Interrupted) } else { Ok(()) }
    }

    fn now(&self) -> Result<&Running, VmError> {
        self.running.as_ref().ok_or_else(|| VmError::Spec("the machine does not run".to_owned()))
    }

    fn now_mut(&mut self) -> Result<&mut Running, VmError> {
        self.running.as_mut().ok_or_else(|| VmError::Spec("the machine does not run".to_owned()))
    }

    /// The way in. [`Vm::wait_for_ssh`] first.
    ///
    /// # Errors
    /// The machine does not run.
    pub fn ssh(&self) -> Result<&Ssh, VmError> {
        self.now().map(|running| &running.ssh)
    }

    /// The monitor.
    ///
    /// # Errors
    /// The machine does not run.
    pub fn qmp(&mut self) -> Result<&mut Qmp, VmError> {
        self.now_mut().map(|running| &mut running.qmp)
    }

    /// The console's watcher.
    #[must_use]
    pub fn console(&self) -> &Watch {
        &self.watch
    }

    /// What this boot's console told.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        let cursor = self.running.as_ref().map_or(0, |running| running.cursor);
        self.watch.since(cursor).into_iter().map(|(_, event)| event).collect()
    }

    /// Whether QEMU runs; when the guest switched itself off, it no longer does.
    pub fn is_running(&mut self) -> bool {
        self.running.as_mut().is_some_and(|running| matches!(running.child.try_wait(), Ok(None)))
    }

    /// What everybody who waits for the guest must look at: signals, QEMU's death, a guest that is stuck.
    pub(crate) fn look_around(&mut self) -> Result<(), VmError> {
        self.go_on()?;
        let log = self.qemu_log();
        let running = self.now_mut()?;
        let cursor = running.cursor;
        let ended = running.child.try_wait().map_err(VmError::io("wait for qemu"))?;
        if let Some(event) = self.watch.stuck_since(cursor) {
            return Err(VmError::Stuck { event });
        }
        if let Some(status) = ended {
            self.running = None;
            return Err(VmError::QemuEnded { status: status.to_string(), tail: tail(&log, 10) });
        }
        Ok(())
    }

    fn wait(
        &mut self,
        what: &str,
        timeout: Duration,
        mut done: impl FnMut(&mut Self) -> Result<bool, VmError>,
    ) -> Result<(), VmError> {
        let started = Instant::now();
        loop {
            self.look_around()?;
            if done(self)? {
                return Ok(());
            }
            if started.elapsed() > timeout {
                let last_seen = self.watch.last_seen();
                return Err(VmError::Timeout { waiting_for: what.to_owned(), after: timeout, last_seen });
            }
            std::thread::sleep(TICK);
        }
    }

    /// Waits until the guest lets us in by SSH; gives the time since the machine was started.
    ///
    /// # Errors
    /// It got stuck, the time is up, QEMU ended, or somebody asked to stop.
    pub fn wait_for_ssh(&mut self, timeout: Duration) -> Result<Duration, VmError> {
        let started = self.now()?.started;
        self.wait("a login by ssh", timeout, |vm| {
            let running = vm.now_mut()?;
            Ok(running.ssh.answers() && running.ssh.try_login(Duration::from_secs(60))?)
        })?;
        Ok(started.elapsed())
    }

    /// Waits until the console offers a login, for images without SSH.
    ///
    /// # Errors
    /// As [`Vm::wait_for_ssh`].
    pub fn wait_for_console_login(&mut self, timeout: Duration) -> Result<Duration, VmError> {
        let started = self.now()?.started;
        self.wait("a login prompt on the serial console", timeout, |vm| {
            Ok(vm.events().iter().any(|event| event.kind == EventKind::Login))
        })?;
        Ok(started.elapsed())
    }

    /// Waits, without limit, until the guest switches itself off or somebody asks to stop.
    ///
    /// # Errors
    /// Somebody asked to stop.
    pub fn wait_until_off(&mut self) -> Result<(), VmError> {
        while self.is_running() {
            self.go_on()?;
            std::thread::sleep(TICK);
        }
        self.running = None;
        Ok(())
    }
}

/// Kills a QEMU that did not get as far as having a monitor.
struct Reaper {
    child: Option<Child>,
    since: Instant,
}

impl Reaper {
    fn ended(&mut self) -> Option<String> {
        self.child.as_mut()?.try_wait().ok()?.map(|status| status.to_string())
    }
}

impl Drop for Reaper {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Both only fail when it is gone already.
            drop(child.kill());
            drop(child.wait());
        }
    }
}

fn check(spec: &VmSpec) -> Result<(), VmError> {
    if spec.cpus == 0 || spec.memory_mib < 64 {
        return Err(VmError::Spec("a machine needs at least one processor and 64 MiB of memory".to_owned()));
    }
    for disk in &spec.disks {
        if ![512, 4096].contains(&disk.sector_size) {
            return Err(VmError::Spec(format!("a disk's sectors have 512 or 4096 bytes, not {}", disk.sector_size)));
        }
    }
    if spec.disks.is_empty() && spec.kernel.is_none() && spec.network.boot.is_none() {
        return Err(VmError::Spec("there is nothing to boot: no disk, no kernel, no network boot".to_owned()));
    }
    Ok(())
}

/// Finds OVMF and copies its variables; the code is used where it is.
fn variables(firmware: Firmware, work: &WorkDir) -> Result<Option<Ovmf>, VmError> {
    let Some(found) = firmware::find(firmware)? else { return Ok(None) };
    let copy = work.join("vars.fd");
    // Not fs::copy: the host's file may be read-only, its copy must not be.
    let mut from = File::open(&found.vars).map_err(VmError::io(format!("read {}", found.vars.display())))?;
    let mut to = File::create(&copy).map_err(VmError::io("copy the firmware's variables"))?;
    std::io::copy(&mut from, &mut to).map_err(VmError::io("copy the firmware's variables"))?;
    Ok(Some(Ovmf { vars: copy, ..found }))
}

fn tail(file: &Path, lines: usize) -> String {
    let text = std::fs::read(file).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}
