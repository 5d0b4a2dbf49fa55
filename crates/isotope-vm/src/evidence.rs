//! What is kept of a guest that failed: console, journal, screenshot, QEMU's own words.

use crate::error::VmError;
use crate::png;
use crate::vm::Vm;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

impl Vm {
    /// Writes `console.log`, `qemu.log`, `qemu-command`, and as far as the guest allows `screenshot.png` and `journal.txt`
    /// into `dir`, which is made. Gives the files it wrote.
    ///
    /// # Errors
    /// The directory cannot be written; a guest that does not answer is no error.
    pub fn keep_evidence(&mut self, dir: &Path) -> Result<Vec<PathBuf>, VmError> {
        let failed = |source| VmError::Io { what: format!("keep evidence in {}", dir.display()), source };
        fs::create_dir_all(dir).map_err(failed)?;
        let mut kept = Vec::new();
        for (from, name) in [(self.console_log().to_owned(), "console.log"), (self.qemu_log(), "qemu.log")] {
            if fs::metadata(&from).is_ok_and(|meta| meta.len() > 0) {
                fs::copy(&from, dir.join(name)).map_err(failed)?;
                kept.push(dir.join(name));
            }
        }
        if let Some(line) = self.line() {
            fs::write(dir.join("qemu-command"), format!("{line}\n")).map_err(failed)?;
            kept.push(dir.join("qemu-command"));
        }
        if self.is_running() {
            kept.extend(self.screenshot(&dir.join("screenshot.png")));
            kept.extend(self.journal(&dir.join("journal.txt")));
        }
        Ok(kept)
    }

    fn screenshot(&mut self, file: &Path) -> Option<PathBuf> {
        let qmp = self.qmp().ok()?;
        if qmp.screendump(file, true).is_err() {
            let ppm = file.with_extension("ppm");
            qmp.screendump(&ppm, false).ok()?;
            let picture = png::from_ppm(&fs::read(&ppm).ok()?)?;
            fs::write(file, picture).ok()?;
            fs::remove_file(&ppm).ok()?;
        }
        Some(file.to_owned())
    }

    fn journal(&self, file: &Path) -> Option<PathBuf> {
        let ssh = self.ssh().ok()?;
        if !ssh.answers() {
            return None;
        }
        let script = "journalctl -b -o short-monotonic --no-pager; echo; systemctl --failed --no-pager; \
                      for f in /var/log/cloud-init-output.log /var/log/cloud-init.log; do [ -f $f ] && { echo \"== $f\"; cat $f; }; done";
        let output = ssh.root_script(script, Duration::from_secs(120)).ok()?;
        fs::write(file, output.stdout).ok()?;
        Some(file.to_owned())
    }
}
