//! `isotope boot` as people use it: its verdicts, its errors, and that it leaves nothing behind however it ends.

use crate::bench::{Report, with_hint};
use crate::images::Kind;
use anyhow::{Context, ensure};
use isotope_sys::command::{CommandError, Tool};
use isotope_tests::leaks;
use isotope_vm::accel::{self, Probe};
use isotope_vm::{Accel, Cancel};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// Secure Boot, through the command that people use.
pub fn secure_boot(report: &mut Report<'_>) {
    let Some(image) = report.step("the image is there", |bench| bench.images.get(Kind::Cloud)) else { return };
    report.step("`isotope boot --secure-boot --test` passes all checks", |bench| {
        let scratch = isotope_tests::scratch("secure-boot-");
        let xml = scratch.path().join("junit.xml");
        let run = Tool::new(isotope_tests::isotope())
            .args(["--json", "--cache-dir"])
            .arg(bench.out.join("cache"))
            .arg("boot")
            .arg(&image)
            .args(["--secure-boot", "--test", "--hostname", "secure-boot", "--junit"])
            .arg(&xml)
            .args(["--accel", if bench.accel.accel == isotope_vm::Accel::Kvm { "kvm" } else { "tcg" }])
            .arg("--keep")
            .arg(bench.out.join("evidence/secure-boot"))
            .args(["--timeout", &bench.boot_timeout().as_secs().to_string()])
            .ok_codes(&[0, 1])
            .run()?;
        let verdict: serde_json::Value = serde_json::from_slice(&run.stdout).context("it printed no JSON")?;
        let results = verdict["results"].as_array().context("the verdict has no results")?;
        let failed: Vec<String> =
            results.iter().filter(|result| result["status"] == "failed").map(ToString::to_string).collect();
        ensure!(failed.is_empty(), "{}", failed.join("\n"));
        let asked =
            results.iter().any(|result| result["name"] == "Secure Boot is enforced" && result["status"] == "passed");
        ensure!(asked, "nobody asked whether Secure Boot is enforced: {verdict}");
        let xml = std::fs::read_to_string(&xml)?;
        ensure!(xml.matches("<testcase ").count() == results.len(), "junit.xml and the verdict differ:\n{xml}");
        Ok(())
    });
    report.step("`isotope boot` says what is wrong with its arguments", |_| {
        let run = Tool::new(isotope_tests::isotope())
            .arg("boot")
            .arg(&image)
            .args(["--disk-size", "1MiB", "--accel", "tcg"])
            .run();
        let Err(CommandError::Failed { status, tail, .. }) = run else {
            anyhow::bail!("a disk smaller than its image was accepted")
        };
        ensure!(status.code() == Some(2) && tail.contains("cannot be smaller"), "{status}: {tail}");
        Ok(())
    });
}

/// However the command ends, QEMU ends with it and its files go, at the latest when the next machine is made.
pub fn leftovers(report: &mut Report<'_>) {
    let Some(image) = report.step("the image is there", |bench| bench.images.get(Kind::Cloud)) else { return };
    report.step("the probe hears the image's kernel speak", |_| {
        let found =
            accel::try_guest(&Probe::Image(image.clone()), Accel::Tcg, &Cancel::default()).map_err(with_hint)?;
        found.map_err(anyhow::Error::msg)
    });
    for (signal, code) in [("INT", Some(130)), ("TERM", Some(143))] {
        report.step(&format!("SIG{signal} ends the guest and removes its files"), |_| {
            let mut guest = Running::start(&image)?;
            guest.signal(signal)?;
            let status = guest.ended()?;
            ensure!(status == code, "exit status {status:?}, expected {code:?}");
            guest.nothing_runs()?;
            ensure!(!guest.dir.exists(), "{} is still there", guest.dir.display());
            Ok(())
        });
    }
    report.step("after SIGKILL nothing runs, and the next machine sweeps the files", |_| {
        let mut guest = Running::start(&image)?;
        guest.signal("KILL")?;
        ensure!(guest.ended()?.is_none(), "it was not killed");
        guest.nothing_runs()?;
        // It gets as far as making its own directory.
        drop(
            Tool::new(isotope_tests::isotope())
                .arg("boot")
                .arg(&image)
                .args(["--disk-size", "1MiB", "--accel", "tcg"])
                .run(),
        );
        ensure!(!guest.dir.exists(), "{} is still there", guest.dir.display());
        Ok(())
    });
}

/// A running `isotope boot` with its QEMU.
struct Running {
    child: Child,
    family: leaks::Processes,
    dir: PathBuf,
}

impl Running {
    /// Starts it and waits until QEMU runs.
    fn start(image: &Path) -> anyhow::Result<Self> {
        let tool =
            Tool::new(isotope_tests::isotope()).arg("boot").arg(image).args(["--accel", "tcg", "--memory", "512"]);
        let mut child = tool.spawn(Stdio::null(), Stdio::null(), Stdio::null())?;
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let family = leaks::family(child.id());
            if let Some(dir) = family.keys().find_map(|pid| work_dir(*pid)) {
                return Ok(Self { child, family, dir });
            }
            let ended = child.try_wait()?;
            if ended.is_some() || Instant::now() > deadline {
                child.kill()?;
                child.wait()?;
                anyhow::bail!("no qemu was started: {ended:?}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn signal(&self, name: &str) -> anyhow::Result<()> {
        Tool::new("kill").args(["-s", name, &self.child.id().to_string()]).run()?;
        Ok(())
    }

    fn ended(&mut self) -> anyhow::Result<Option<i32>> {
        let deadline = Instant::now() + Duration::from_secs(15);
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status.code());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        anyhow::bail!("it still runs 15 s after the signal")
    }

    fn nothing_runs(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + Duration::from_secs(5);
        while !leaks::alive(&self.family).is_empty() {
            ensure!(Instant::now() < deadline, "processes {:?} still run", leaks::alive(&self.family));
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both only fail when it is gone already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The machine's directory, from QEMU's command line.
fn work_dir(pid: u32) -> Option<PathBuf> {
    let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let line = String::from_utf8_lossy(&line);
    if !line.contains("qemu-system") {
        return None;
    }
    let start = line.find("/var/tmp/isotope-vm-")?;
    let end = line[start..].find("/qmp.sock")?;
    Some(PathBuf::from(&line[start..start + end]))
}
