//! The counter-check of Secure Boot: what Microsoft's keys did not sign does not start, and does without enforcement.

use crate::bench::{Report, with_hint};
use anyhow::{bail, ensure};
use isotope_image::fat::{self, Content, FatOptions};
use isotope_vm::console::EventKind;
use isotope_vm::{Cancel, Firmware, Vm, VmError, VmSpec};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

/// A kernel is an EFI program that the distribution signed, not Microsoft: put where the firmware looks for a loader.
pub fn unsigned_loader(report: &mut Report<'_>, kernel: Vec<u8>) {
    let scratch = isotope_tests::scratch("refusal-");
    let disk = scratch.path().join("loader.raw");
    let made = report.step("a disk with a loader that Microsoft did not sign is made", |_| make_disk(&disk, kernel));
    if made.is_none() {
        return;
    }
    for (firmware, expected) in [(Firmware::UefiSecureBoot, false), (Firmware::Uefi, true)] {
        let step = format!("{} {} it", firmware.name(), if expected { "starts" } else { "refuses" });
        report.step(&step, |bench| {
            let spec = VmSpec::new(&disk, firmware, bench.accel.accel);
            let mut vm = Vm::create(spec, &Cancel::default()).map_err(with_hint)?;
            vm.start().map_err(with_hint)?;
            let started = started(&mut vm, Duration::from_secs(180))?;
            ensure!(started == expected, "{}", vm.console().last_seen());
            Ok(())
        });
    }
}

/// Whether the firmware started it (`true`) or refused it.
fn started(vm: &mut Vm, timeout: Duration) -> anyhow::Result<bool> {
    let deadline = Instant::now() + timeout;
    while Instant::now() < deadline && vm.is_running() {
        for event in vm.events() {
            match event.kind {
                // The firmware's own word: without console= the kernel is silent here.
                EventKind::BootLoader => return Ok(true),
                EventKind::SecureBootRefusal => return Ok(false),
                EventKind::NoBootDevice => bail!("the firmware did not even try: {}", event.line),
                _ => {}
            }
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    let last_seen = vm.console().last_seen();
    Err(VmError::Timeout {
        waiting_for: "the firmware to start or refuse the loader".to_owned(),
        after: timeout,
        last_seen,
    }
    .into())
}

fn make_disk(disk: &Path, kernel: Vec<u8>) -> anyhow::Result<()> {
    let size = 64 << 20;
    let mut file = File::options().read(true).write(true).create_new(true).open(disk)?;
    file.set_len(size)?;
    let options =
        FatOptions { size, sector_size: 512, hidden_sectors: 0, volume_id: 1, label: None, epoch: 1_767_225_600 };
    let files = BTreeMap::from([("EFI/BOOT/BOOTX64.EFI".to_owned(), Content::Bytes(kernel))]);
    fat::build(&mut file, &options, &files)?;
    Ok(())
}
