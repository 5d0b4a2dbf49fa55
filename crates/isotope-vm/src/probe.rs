//! One guest, started only to hear whether its kernel speaks.

use crate::accel::{Accel, Probe};
use crate::cancel::Cancel;
use crate::command_line::{self, Paths};
use crate::console::{EventKind, Watch};
use crate::disk;
use crate::error::VmError;
use crate::firmware::Firmware;
use crate::spec::{DirectKernel, VmSpec};
use crate::workdir::WorkDir;
use isotope_sys::command::Tool;
use std::fs::File;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Seconds until the kernel's first words, or why they did not come.
pub fn first_words(
    candidate: &Probe,
    accel: Accel,
    patience: Duration,
    cancel: &Cancel,
) -> Result<Result<f64, String>, VmError> {
    let mut spec = VmSpec::new("", Firmware::Bios, accel);
    (spec.cpus, spec.memory_mib) = (1, 512);
    let work = WorkDir::new(&spec.work_parent)?;
    let mut disks = Vec::new();
    match candidate {
        Probe::Kernel(kernel) => {
            spec.disks.clear();
            let cmdline = "console=ttyS0 earlyprintk=ttyS0 panic=-1".to_owned();
            spec.kernel = Some(DirectKernel { kernel: kernel.clone(), initrd: None, cmdline });
        }
        Probe::Image(image) => {
            spec.disks[0].image = Some(image.clone());
            disks.push(disk::prepare(&spec.disks[0], work.path(), "probe")?);
        }
    }
    let paths = Paths {
        disks,
        seed: None,
        ovmf: None,
        qmp: work.join("qmp.sock"),
        console: work.join("console.sock"),
        console_log: work.join("console.log"),
    };
    let log = work.join("qemu.log");
    let stderr = File::create(&log).map_err(VmError::io("make qemu's log"))?;
    let tool = Tool::new("qemu-system-x86_64").args(command_line::args(&spec, &paths)).arg("-no-reboot");
    let started = Instant::now();
    let mut qemu = tool.spawn(Stdio::null(), Stdio::null(), Stdio::from(stderr))?;
    let watch = Watch::start(&paths.console_log);
    let verdict = loop {
        // A kernel that is told to be quiet shows only what comes after it.
        let spoke = |kind| matches!(kind, EventKind::Kernel | EventKind::Init | EventKind::Login | EventKind::Panic);
        if watch.since(0).iter().any(|(_, event)| spoke(event.kind)) {
            break Ok(Ok(started.elapsed().as_secs_f64()));
        }
        if cancel.is_set() {
            break Err(VmError::Interrupted);
        }
        if let Ok(Some(status)) = qemu.try_wait() {
            let text = std::fs::read_to_string(&log).unwrap_or_default();
            let last = text.lines().last().unwrap_or("it said nothing").to_owned();
            break Ok(Err(format!("qemu ended ({status}): {last}")));
        }
        if started.elapsed() > patience {
            break Ok(Err(format!("no word of its kernel within {} s ({})", patience.as_secs(), watch.last_seen())));
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    // Both only fail when it is gone already.
    drop(qemu.kill());
    drop(qemu.wait());
    verdict
}
