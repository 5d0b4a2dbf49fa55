//! What scenarios share: the accelerator, the images, verdicts, and reports of steps.

use crate::images::Images;
use anyhow::{Context, bail, ensure};
use isotope_vm::accel::{self, Choice, Probe};
use isotope_vm::{
    Accel, Cancel, CheckSet, Disk, Expectations, Firmware, Seed, Verdict, Vm, VmSpec, disk, examine, firmware, junit,
    manifest, table,
};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How much bigger than its image a guest's disk is. The pool of a disk of 3 TiB has metadata of 3 GiB, which are written.
const GROWTH: u64 = 6 << 30;

/// What one machine has that no other may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub case: &'static str,
    pub machine_id: String,
    pub host_keys: Vec<String>,
}

/// The shared workbench.
pub struct Bench {
    pub accel: Choice,
    pub lanes: usize,
    pub images: Images,
    pub out: PathBuf,
    pub identities: Mutex<Vec<Identity>>,
    verdicts: Mutex<Vec<Verdict>>,
    pub cancel: Cancel,
}

impl Bench {
    pub fn new() -> anyhow::Result<Self> {
        for kind in [Firmware::Uefi, Firmware::UefiSecureBoot] {
            firmware::find(kind).map_err(with_hint)?;
        }
        let out = isotope_tests::root().join("target/vm-tests");
        std::fs::create_dir_all(&out).with_context(|| format!("cannot make {}", out.display()))?;
        let cancel = Cancel::default();
        let accel = match std::env::var("ISOTOPE_TEST_ACCEL").as_deref() {
            Ok("kvm") => Choice { accel: Accel::Kvm, reason: "ISOTOPE_TEST_ACCEL says so".to_owned() },
            Ok("tcg") => Choice { accel: Accel::Tcg, reason: "ISOTOPE_TEST_ACCEL says so".to_owned() },
            _ => {
                let image = std::env::var_os("ISOTOPE_TEST_IMAGE").map(|image| Probe::Image(PathBuf::from(image)));
                accel::choose(&out, image.as_slice(), &cancel).map_err(with_hint)?
            }
        };
        let lanes = std::env::var("ISOTOPE_TEST_LANES").ok().and_then(|text| text.parse().ok()).unwrap_or(2).max(1);
        let images = Images::new(out.join("images"));
        Ok(Self { accel, lanes, images, out, identities: Mutex::default(), verdicts: Mutex::default(), cancel })
    }

    /// A machine with the image on a disk that is bigger than it.
    pub fn spec(&self, image: &Path, firmware: Firmware, seed: Seed) -> anyhow::Result<VmSpec> {
        let mut spec = VmSpec::new(image, firmware, self.accel.accel);
        let size = disk::virtual_size(image).map_err(with_hint)? + GROWTH;
        spec.disks = vec![Disk { size: Some(size), ..Disk::new(image) }];
        spec.seed = Some(seed);
        Ok(spec)
    }

    pub fn boot_timeout(&self) -> Duration {
        Duration::from_secs(if self.accel.accel == Accel::Kvm { 180 } else { 600 })
    }

    pub fn command_timeout(&self) -> Duration {
        Duration::from_secs(if self.accel.accel == Accel::Kvm { 300 } else { 1500 })
    }

    pub fn write_junit(&self) {
        std::fs::write(self.out.join("junit.xml"), junit(&self.verdicts.lock().unwrap())).unwrap();
    }
}

/// One step's end.
pub struct Step {
    pub case: &'static str,
    pub name: String,
    pub seconds: f64,
    pub error: Option<String>,
}

/// The steps of one scenario; after a failure the rest of the scenario is left out.
pub struct Report<'a> {
    pub bench: &'a Bench,
    pub case: &'static str,
    steps: Vec<Step>,
}

impl<'a> Report<'a> {
    pub fn new(bench: &'a Bench, case: &'static str) -> Self {
        Self { bench, case, steps: Vec::new() }
    }

    pub fn into_steps(self) -> Vec<Step> {
        self.steps
    }

    /// Runs a step and prints its time. `None` when it failed.
    pub fn step<T>(&mut self, name: &str, work: impl FnOnce(&'a Bench) -> anyhow::Result<T>) -> Option<T> {
        let started = Instant::now();
        let outcome = work(self.bench);
        let seconds = started.elapsed().as_secs_f64();
        let error = outcome.as_ref().err().map(|error| format!("{error:#}"));
        let word = if error.is_none() { "ok    " } else { "FAILED" };
        println!("{word} {seconds:>6.1} s  {}: {name}", self.case);
        if let Some(error) = &error {
            println!("{error}");
        }
        self.steps.push(Step { case: self.case, name: name.to_owned(), seconds, error });
        outcome.ok()
    }

    /// A step about a machine: if it fails, console, journal and screenshot are kept.
    pub fn vm_step<T>(
        &mut self,
        name: &str,
        vm: &mut Vm,
        work: impl FnOnce(&mut Vm) -> anyhow::Result<T>,
    ) -> Option<T> {
        let case = self.case;
        self.step(name, |bench| {
            work(vm).map_err(|error| {
                let dir = bench.out.join("evidence").join(case);
                match vm.keep_evidence(&dir) {
                    Ok(_) => error.context(format!("kept in {}", dir.display())),
                    Err(second) => error.context(format!("and nothing could be kept: {second}")),
                }
            })
        })
    }

    /// Creates a machine, boots it, runs the elements' checks and the harness's own; the machine stays up.
    pub fn boot_and_check(&mut self, image: &Path, firmware: Firmware, seed: Seed) -> Option<Vm> {
        let bench = self.bench;
        let mut vm = self.step("the machine is made", |bench| {
            Vm::create(bench.spec(image, firmware, seed)?, &bench.cancel).map_err(with_hint)
        })?;
        self.vm_step(&format!("boots by {}, grows, passes all checks", firmware.name()), &mut vm, |vm| {
            let verdict = check(bench, image, vm)?;
            ensure!(verdict.passed(), "{}", table(&verdict));
            Ok(())
        })?;
        let case = self.case;
        self.vm_step("tells who it is", &mut vm, |vm| {
            let identity = identity(case, vm)?;
            bench.identities.lock().unwrap().push(identity);
            Ok(())
        })?;
        Some(vm)
    }
}

fn check(bench: &Bench, image: &Path, vm: &mut Vm) -> anyhow::Result<Verdict> {
    let Some(manifest) = manifest::beside(image).map_err(with_hint)? else {
        bail!("there is no manifest beside {}: the checks of its elements are unknown", image.display());
    };
    let expectations = Expectations {
        firmware: vm.spec().firmware,
        hostname: vm.spec().seed.as_ref().map(|seed| seed.hostname.clone()),
        first_boot: true,
        image_machine_id: None,
        grown: true,
        cloud_init: true,
    };
    let set = CheckSet { elements: manifest.checks, builtin: Some(expectations), life: None };
    let verdict = examine(vm, &set, bench.boot_timeout(), &mut |_| {}).map_err(with_hint)?;
    bench.verdicts.lock().unwrap().push(verdict.clone());
    Ok(verdict)
}

fn identity(case: &'static str, vm: &Vm) -> anyhow::Result<Identity> {
    let limit = Duration::from_secs(120);
    let machine_id = vm.ssh()?.root("cat /etc/machine-id", limit)?.text();
    let keys = vm.ssh()?.root("cat /etc/ssh/ssh_host_*_key.pub | cut -d ' ' -f 2", limit)?.text();
    Ok(Identity { case, machine_id, host_keys: keys.lines().map(str::to_owned).collect() })
}

/// The harness's error with its remedy in the text.
pub fn with_hint(error: isotope_vm::VmError) -> anyhow::Error {
    let hint = error.hint();
    let error = anyhow::Error::new(error);
    match hint {
        Some(hint) => error.context(format!("help: {hint}")),
        None => error,
    }
}
