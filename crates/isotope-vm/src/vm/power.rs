//! Restarting, switching off; disks that grow and disks that come later.

use super::{TICK, Vm};
use crate::disk;
use crate::error::VmError;
use crate::spec::Disk;
use isotope_sys::command::Tool;
use std::time::{Duration, Instant};

impl Vm {
    /// The kernel's identity of this boot.
    ///
    /// # Errors
    /// The guest does not answer.
    pub fn boot_id(&self) -> Result<String, VmError> {
        Ok(self.ssh()?.root("cat /proc/sys/kernel/random/boot_id", Duration::from_secs(60))?.text())
    }

    /// Restarts the guest by its own means and waits until the new boot lets us in; gives the time it took.
    ///
    /// # Errors
    /// As [`Vm::wait_for_ssh`].
    pub fn reboot(&mut self, timeout: Duration) -> Result<Duration, VmError> {
        let before = self.boot_id()?;
        let started = Instant::now();
        let cursor = self.watch.cursor();
        self.ask_to_go("systemctl reboot")?;
        let running = self.now_mut()?;
        running.cursor = cursor;
        self.wait("a login after the reboot", timeout, |vm| {
            let running = vm.now_mut()?;
            if !running.ssh.answers() || !running.ssh.try_login(Duration::from_secs(60))? {
                return Ok(false);
            }
            // The old system may let us in once more on its way down.
            let fresh = vm.boot_id().is_ok_and(|now| now != before);
            if !fresh {
                vm.now_mut()?.ssh.disconnect();
                std::thread::sleep(Duration::from_secs(2));
            }
            Ok(fresh)
        })?;
        Ok(started.elapsed())
    }

    /// Switches the guest off by its own means and waits until QEMU has ended; gives the time it took.
    ///
    /// # Errors
    /// The guest did not go in time; QEMU still runs then.
    pub fn power_off(&mut self, timeout: Duration) -> Result<Duration, VmError> {
        let started = Instant::now();
        if self.now_mut()?.ssh.is_connected() {
            self.ask_to_go("systemctl poweroff")?;
        } else {
            self.qmp()?.power_button()?;
        }
        while self.is_running() {
            self.go_on()?;
            if started.elapsed() > timeout {
                let last_seen = self.watch.last_seen();
                return Err(VmError::Timeout {
                    waiting_for: "the guest to switch itself off".to_owned(),
                    after: timeout,
                    last_seen,
                });
            }
            std::thread::sleep(TICK);
        }
        self.running = None;
        Ok(started.elapsed())
    }

    /// The command may lose its own connection, so its status says nothing.
    fn ask_to_go(&mut self, command: &str) -> Result<(), VmError> {
        if let Err(VmError::Interrupted) = self.ssh()?.root_script(command, Duration::from_secs(30)) {
            return Err(VmError::Interrupted);
        }
        self.now_mut()?.ssh.disconnect();
        Ok(())
    }

    /// Ends QEMU at once, as a power cut would.
    pub fn kill(&mut self) {
        self.running = None;
    }

    /// Makes a disk bigger: in the running guest, or for the next start.
    ///
    /// # Errors
    /// There is no such disk, or it would shrink.
    pub fn grow_disk(&mut self, index: usize, bytes: u64) -> Result<(), VmError> {
        let disk = self
            .paths
            .disks
            .get(index)
            .ok_or_else(|| VmError::Spec(format!("the machine has no disk {index}")))?
            .clone();
        if bytes < disk.size {
            return Err(VmError::Spec(format!("disk {index} has {} bytes and cannot shrink to {bytes}", disk.size)));
        }
        if self.is_running() {
            self.qmp()?.resize_disk(&format!("disk{index}"), bytes)?;
        } else {
            Tool::new("qemu-img")
                .args(["resize", "-q", "-f", disk.format])
                .arg(&disk.path)
                .arg(bytes.to_string())
                .run()?;
        }
        self.paths.disks[index].size = bytes;
        Ok(())
    }

    /// Plugs an empty disk of `bytes` into the running guest, which sees `name` as its serial number. One at a time.
    ///
    /// # Errors
    /// The machine does not run, or has a disk of that name or a plugged disk already.
    pub fn attach_empty_disk(&mut self, name: &str, bytes: u64) -> Result<(), VmError> {
        let prepared = disk::prepare(&Disk::empty(bytes), self.work.path(), &plugged(name))?;
        self.qmp()?.attach_disk(name, &prepared.path, prepared.format)
    }

    /// Plugs a disk of [`Vm::attach_empty_disk`] in again, with what is on it: a start of QEMU begins without it.
    ///
    /// # Errors
    /// As [`Vm::attach_empty_disk`]; there never was such a disk.
    pub fn attach_disk_again(&mut self, name: &str) -> Result<(), VmError> {
        let path = self.work.join(&format!("{}.qcow2", plugged(name)));
        if !path.is_file() {
            return Err(VmError::Spec(format!("no disk {name} was ever plugged in")));
        }
        self.qmp()?.attach_disk(name, &path, "qcow2")
    }
}

/// The name of a plugged disk's file.
fn plugged(name: &str) -> String {
    format!("plugged-{name}")
}
