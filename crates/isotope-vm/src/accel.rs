//! KVM or TCG: decided by running a guest, not by the presence of `/dev/kvm`.
//!
//! There are hosts whose `/dev/kvm` opens and then runs a stock kernel a thousand times slower, or not at all. So KVM is
//! taken only after a kernel has spoken under it. The verdict is cached until the host boots again.

use crate::cancel::Cancel;
use crate::error::VmError;
use crate::probe;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How a guest's processors are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Accel {
    /// By the host's processors.
    Kvm,
    /// By translation, anywhere.
    Tcg,
}

impl Accel {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Kvm => "KVM",
            Self::Tcg => "TCG",
        }
    }

    /// How many processors a guest gets by default. One under TCG: with more, a kernel that patches its own text (static keys) now and
    /// then stops with `Oops: int3`, because a translating thread still runs what another one has just rewritten.
    #[must_use]
    pub fn default_cpus(self) -> u32 {
        match self {
            Self::Kvm => 2,
            Self::Tcg => 1,
        }
    }
}

/// An accelerator and why it was chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// Which.
    pub accel: Accel,
    /// Why.
    pub reason: String,
}

/// What the probe may boot; the first that exists is taken.
#[derive(Debug, Clone)]
pub enum Probe {
    /// A kernel (bzImage) that QEMU loads itself.
    Kernel(PathBuf),
    /// A disk image, from a throw-away overlay.
    Image(PathBuf),
}

/// What the host says of itself, read once.
#[derive(Debug, Clone, PartialEq, Eq)]
struct KvmFacts {
    device: Result<(), String>,
    pvm: bool,
    virtualisation: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct Cached {
    boot_id: String,
    choice: Choice,
}

const CACHE_FORMAT: &str = "accelerator-1.json";

/// How long a kernel may take to say its first word under KVM, and a whole image to get there.
const KERNEL_PATIENCE: Duration = Duration::from_secs(10);
const IMAGE_PATIENCE: Duration = Duration::from_secs(40);

/// Chooses. `images` are what may be booted to find out, beside the kernels in `/boot`.
///
/// # Errors
/// QEMU is missing, or somebody asked to stop. A failing probe is no error but a reason for TCG.
pub fn choose(cache_dir: &Path, images: &[Probe], cancel: &Cancel) -> Result<Choice, VmError> {
    let tcg = |reason: String| Choice { accel: Accel::Tcg, reason };
    if let Some(reason) = refusal(&facts()) {
        return Ok(tcg(reason));
    }
    let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned();
    let cache = cache_dir.join(CACHE_FORMAT);
    if let Some(choice) = cached(&cache, &boot_id) {
        return Ok(choice);
    }
    let candidates: Vec<Probe> = host_kernels().into_iter().map(Probe::Kernel).chain(images.iter().cloned()).collect();
    let Some(candidate) = candidates.first() else {
        return Ok(tcg("/dev/kvm is there, but no kernel or image to try it with".to_owned()));
    };
    let choice = match try_guest(candidate, Accel::Kvm, cancel)? {
        Ok(seconds) => Choice { accel: Accel::Kvm, reason: format!("a kernel spoke after {seconds:.1} s under KVM") },
        Err(reason) => tcg(format!("a guest does not run under KVM: {reason}")),
    };
    let record = Cached { boot_id, choice: choice.clone() };
    if let Ok(text) = serde_json::to_string(&record) {
        // A cache that cannot be written costs the next run a probe, nothing else.
        drop(std::fs::create_dir_all(cache_dir).and_then(|()| std::fs::write(&cache, text)));
    }
    Ok(choice)
}

/// Boots a candidate under `accel` until its kernel speaks: the seconds it took, or why it did not.
///
/// # Errors
/// QEMU is missing, or somebody asked to stop.
pub fn try_guest(candidate: &Probe, accel: Accel, cancel: &Cancel) -> Result<Result<f64, String>, VmError> {
    let patience = match (candidate, accel) {
        (Probe::Kernel(_), Accel::Kvm) => KERNEL_PATIENCE,
        (Probe::Image(_), Accel::Kvm) => IMAGE_PATIENCE,
        (_, Accel::Tcg) => IMAGE_PATIENCE * 3,
    };
    probe::first_words(candidate, accel, patience, cancel)
}

fn cached(cache: &Path, boot_id: &str) -> Option<Choice> {
    let text = std::fs::read_to_string(cache).ok()?;
    let cached: Cached = serde_json::from_str(&text).ok()?;
    (cached.boot_id == boot_id && !boot_id.is_empty()).then_some(cached.choice)
}

fn facts() -> KvmFacts {
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    KvmFacts {
        device: std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/kvm")
            .map(drop)
            .map_err(|error| format!("/dev/kvm cannot be opened: {error}")),
        pvm: Path::new("/sys/module/kvm_pvm").exists(),
        virtualisation: has_virtualisation(&cpuinfo),
    }
}

fn has_virtualisation(cpuinfo: &str) -> bool {
    cpuinfo
        .lines()
        .find(|line| line.starts_with("flags"))
        .is_some_and(|line| line.split_whitespace().any(|flag| flag == "vmx" || flag == "svm"))
}

/// Why KVM need not even be tried.
fn refusal(facts: &KvmFacts) -> Option<String> {
    if let Err(reason) = &facts.device {
        return Some(reason.clone());
    }
    if facts.pvm {
        return Some("/dev/kvm is kvm_pvm, which does not run stock kernels".to_owned());
    }
    (!facts.virtualisation).then(|| "the processor has neither vmx nor svm".to_owned())
}

fn host_kernels() -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir("/boot") else { return Vec::new() };
    let mut kernels: Vec<PathBuf> = entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("vmlinuz"))
        .map(|entry| entry.path())
        .filter(|path| std::fs::File::open(path).is_ok())
        .collect();
    kernels.sort();
    kernels.reverse();
    kernels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acceleration_is_refused_without_a_probe_where_it_cannot_work() {
        let good = KvmFacts { device: Ok(()), pvm: false, virtualisation: true };
        assert_eq!(refusal(&good), None);
        let pvm = KvmFacts { pvm: true, ..good.clone() };
        assert!(refusal(&pvm).unwrap().contains("kvm_pvm"));
        let none = KvmFacts { device: Err("/dev/kvm cannot be opened: no such file".to_owned()), ..good.clone() };
        assert!(refusal(&none).unwrap().contains("/dev/kvm"));
        assert!(refusal(&KvmFacts { virtualisation: false, ..good }).unwrap().contains("vmx"));
    }

    #[test]
    fn flags_are_whole_words() {
        assert!(has_virtualisation("processor : 0\nflags\t\t: fpu vmx sse\n"));
        assert!(!has_virtualisation("flags\t\t: fpu vmx_unrelated sse\nvmx flags : x\n"));
    }

    #[test]
    fn a_cached_verdict_dies_with_the_hosts_boot() {
        let dir = tempfile::tempdir().unwrap();
        let cache = dir.path().join(CACHE_FORMAT);
        let choice = Choice { accel: Accel::Kvm, reason: "spoke".to_owned() };
        let record = Cached { boot_id: "one".to_owned(), choice: choice.clone() };
        std::fs::write(&cache, serde_json::to_string(&record).unwrap()).unwrap();
        assert_eq!(cached(&cache, "one"), Some(choice));
        assert_eq!(cached(&cache, "two"), None);
        std::fs::write(&cache, "rubbish").unwrap();
        assert_eq!(cached(&cache, "one"), None);
    }
}
