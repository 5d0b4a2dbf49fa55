//! The plan: everything a build will do, decided before it does anything. Data only.

use crate::layout::Layout;
use isotope_element::{Arch, CheckKind, Family, Keep, Origin, Phase, Place};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use uuid::Uuid;

mod deploy;
mod dib;
mod ostree;

pub use deploy::*;
pub use dib::*;
pub use ostree::*;

/// A whole build.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Version of this structure.
    pub format: u32,
    /// The image's name; outputs are `NAME.EXT`.
    pub name: String,
    /// What is being made.
    pub target: Target,
    /// Elements in the order of their resolution.
    pub elements: Vec<PlannedElement>,
    /// Plans that are carried out first, each in a tree of its own: what they make, this one uses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<Plan>,
    /// What to do, in order.
    pub steps: Vec<Step>,
    /// The disk, when there is one.
    pub layout: Option<Layout>,
    /// The boot loader, when there is one.
    pub boot: Option<BootSpec>,
    /// Output files.
    pub exports: Vec<Export>,
    /// Source of all identifiers (partition GUIDs, filesystem UUIDs, …).
    pub seed: Uuid,
    /// The one clock, in seconds since 1970 (SOURCE_DATE_EPOCH).
    pub source_date_epoch: u64,
    /// Facts about the image that publishers want (Glance properties and the like).
    pub properties: BTreeMap<String, String>,
    /// What a booted guest must show; the harness runs them, `manifest.json` carries them.
    pub checks: Vec<Check>,
    /// What the user should know, not fatal.
    pub warnings: Vec<String>,
}

impl Plan {
    /// The deployment that is the root of what is made, if it is one.
    #[must_use]
    pub fn deployment(&self) -> Option<&OstreeDeploy> {
        self.steps.iter().find_map(|step| match &step.action {
            StepAction::OstreeDeploy(deploy) => Some(deploy),
            _ => None,
        })
    }

    /// What holds for all hooks of diskimage-builder's elements, if there are any.
    #[must_use]
    pub fn dib(&self) -> Option<&DibBuild> {
        self.steps.iter().find_map(|step| match &step.action {
            StepAction::Dib(DibAction::Begin(begin)) => Some(&**begin),
            _ => None,
        })
    }

    /// Whether the tree and the disk are made by hooks of diskimage-builder's elements alone.
    #[must_use]
    pub fn is_of_hooks_alone(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.action, StepAction::Dib(DibAction::Gather(_))))
    }

    /// This plan and all whose results it uses, those first.
    pub fn with_inputs(&self) -> impl Iterator<Item = &Self> {
        self.inputs.iter().chain([self])
    }
}

/// A check that an element makes of the booted guest: a shell script, run as root, that must exit with 0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Whose it is.
    pub element: String,
    /// What it proves, in words.
    pub name: String,
    /// What the harness does: runs the script, or something that it knows by itself.
    #[serde(default, skip_serializing_if = "is_script")]
    pub kind: CheckKind,
    /// The script (`/bin/sh` unless it begins with `#!`).
    pub run: String,
    /// Seconds.
    pub timeout: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_script(kind: &CheckKind) -> bool {
    *kind == CheckKind::Script
}

/// What is being made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Architecture.
    pub arch: Arch,
    /// `debian`, `fedora`, …
    pub distro: String,
    /// Its package family.
    pub family: Family,
    /// Its release: `trixie`, `42`, …
    pub release: String,
}

/// An element in a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedElement {
    /// Its name.
    pub name: String,
    /// Its directory.
    pub dir: PathBuf,
    /// One line about it.
    pub summary: String,
    /// Its direct dependencies, by element name.
    pub requires: Vec<String>,
    /// Values of its variables.
    pub vars: BTreeMap<String, EnvValue>,
}

/// A value that may be a secret. Secrets are masked when serialised: plans, logs and manifests carry none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct EnvValue {
    /// The value itself.
    pub value: String,
    /// Never shown.
    pub secret: bool,
}

impl From<String> for EnvValue {
    fn from(value: String) -> Self {
        Self { value, secret: false }
    }
}

impl From<EnvValue> for String {
    fn from(value: EnvValue) -> Self {
        if value.secret { "***".to_owned() } else { value.value }
    }
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Unique, stable, readable: `install/03-packages`.
    pub id: String,
    /// When.
    pub phase: Phase,
    /// Who asked for it.
    pub origin: Origin,
    /// For people: "install 14 packages".
    pub title: String,
    /// What.
    pub action: StepAction,
}

impl Step {
    /// Its package transaction, if it is one.
    #[must_use]
    pub const fn packages(&self) -> Option<&Packages> {
        if let StepAction::Packages(packages) = &self.action { Some(packages) } else { None }
    }
}

/// What a step does. One variant a kind; the engine has one module for each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum StepAction {
    /// Make the base tree from a package archive.
    Bootstrap(Bootstrap),
    /// Install and remove packages in the target.
    Packages(Packages),
    /// Copy a directory or file of an element into the target.
    Files(Files),
    /// Write a rendered template (or generated text) into the target.
    Write(Write),
    /// Enable, disable, mask units.
    Services(Services),
    /// Run a hook.
    Hook(Hook),
    /// Run a script that stands in the plan itself, in the target.
    Script(Script),
    /// Make a physical root from nothing and deploy an ostree commit into it; the deployment is the target from then on.
    OstreeDeploy(OstreeDeploy),
    /// A step of a build from diskimage-builder's elements.
    Dib(DibAction),
    /// Make the initramfs of every installed kernel, once.
    Initramfs,
    /// Begin a compose: look at the commit before it, and end if nothing would change.
    OstreeParent(OstreeParent),
    /// Begin a derived compose: check a commit out as a tree that package managers understand.
    OstreeCheckout(OstreeCheckout),
    /// Remove and set what a treefile wants removed and set before its own files come.
    OstreeTrim(OstreeTrim),
    /// Kernels and their initramfs where ostree looks for them.
    OstreeKernel(OstreeKernel),
    /// Turn the package-made tree into the layout that ostree commits.
    OstreeTree(OstreeTree),
    /// Commit the tree to an archive repository.
    OstreeCommit(OstreeCommit),
    /// Reset what must be unique per machine or is only dirt of the build (native sysprep).
    Sysprep(Sysprep),
    /// Size the disk, write the table, make filesystems, copy the tree onto it, write fstab (uses `Plan::layout`).
    Disk,
    /// Install the boot loader (uses `Plan::boot`).
    Bootloader,
    /// Write one output (index into `Plan::exports`).
    Export {
        /// Index into `Plan::exports`.
        index: usize,
    },
}

/// A base tree from a package archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bootstrap {
    /// Debian: Essential packages and apt. Redhat: what is listed.
    pub packages: Vec<String>,
    /// Archives, in order.
    pub sources: Vec<Source>,
    /// What no package transaction of the plan may do.
    #[serde(default, skip_serializing_if = "PackagePolicy::is_default")]
    pub policy: PackagePolicy,
}

/// What holds for all package transactions of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PackagePolicy {
    /// Packages that are never installed, whatever recommends them; one that is needed is an error.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
    /// Leave out documentation.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_documentation: bool,
    /// Translations of these languages only; `None`: of all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub languages: Option<Vec<String>>,
}

impl PackagePolicy {
    /// Whether it forbids nothing.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// A package archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Base URL, as used during the build.
    pub uri: String,
    /// Debian: suite (`trixie`). Redhat: repository id.
    pub suite: String,
    /// Debian: components. Redhat: empty.
    pub components: Vec<String>,
    /// Key file on the host that verifies it; `None` only where the recipe says `verify = false`.
    pub keyring: Option<PathBuf>,
    /// Whether signatures are checked.
    pub verify: bool,
}

/// Packages to install and remove, in one transaction.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Packages {
    /// To install, each with the elements that want it.
    pub install: BTreeMap<String, Vec<String>>,
    /// To remove (purge).
    pub remove: BTreeMap<String, Vec<String>>,
    /// Also install what packages merely recommend.
    pub recommends: bool,
}

/// A copy into the target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Files {
    /// File or directory in the element.
    pub source: PathBuf,
    /// Absolute path in the target. A directory's content goes below it.
    pub dest: String,
    /// Permission bits for files; by default those of the source, 0644 or 0755.
    pub mode: Option<u32>,
}

/// A text file in the target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Write {
    /// Absolute path in the target.
    pub dest: String,
    /// The whole content.
    pub content: EnvValue,
    /// Permission bits.
    pub mode: u32,
}

/// Units of systemd.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Services {
    /// `systemctl enable`.
    pub enable: Vec<String>,
    /// `systemctl disable`.
    pub disable: Vec<String>,
    /// `systemctl mask`.
    pub mask: Vec<String>,
}

/// A script of a phase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    /// The script on the host.
    pub script: PathBuf,
    /// Its element's directory (a hook in the target sees it read-only at `/run/isotope/element`).
    pub element_dir: PathBuf,
    /// Where it runs.
    pub place: Place,
    /// Its environment, beside the engine's own (`TARGET_ROOT`, `ISOTOPE_*`).
    pub env: BTreeMap<String, EnvValue>,
    /// Whether a layer of an earlier build may stand for it.
    #[serde(default, skip_serializing_if = "Keep::is_always")]
    pub keep: Keep,
}

/// What sysprep resets.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Sysprep {
    /// More absolute paths in the target to remove.
    pub remove: Vec<String>,
}

/// The boot loader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BootSpec {
    /// Boots by BIOS.
    pub bios: bool,
    /// Boots by UEFI.
    pub uefi: bool,
    /// Use the distribution's signed shim and GRUB.
    pub secure_boot: SecureBoot,
    /// Menu timeout in seconds.
    pub timeout: u32,
    /// Kernel arguments, beside `root=` and consoles.
    pub kernel_args: Vec<String>,
    /// Consoles in kernel syntax; the last one is /dev/console.
    pub consoles: Vec<String>,
    /// Who declared it.
    pub origin: Origin,
}

/// Whether signed boot files are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SecureBoot {
    /// Where the distribution ships them.
    Auto,
    /// Fail without.
    Required,
    /// Never.
    Off,
}

/// One output file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Export {
    /// Format.
    pub format: Format,
    /// How it is compressed.
    pub compression: Compression,
    /// Digests written beside it.
    pub checksums: Vec<Checksum>,
    /// Final file name.
    pub file_name: String,
    /// What a container image says of itself; for those formats only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<Container>,
    /// Options for `qemu-img convert -o`. A disk format that has some is made by qemu-img, whatever it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qemu_img_options: Option<String>,
}

impl Export {
    /// Without what only some formats have.
    #[must_use]
    pub const fn new(format: Format, compression: Compression, checksums: Vec<Checksum>, file_name: String) -> Self {
        Self { format, compression, checksums, file_name, container: None, qemu_img_options: None }
    }
}

/// What a container image says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// Its name: `REPOSITORY:TAG`.
    pub name: String,
    /// Its architecture in the words of Go and Debian (`amd64`, `arm64`).
    pub arch: String,
    /// For App Container Images: the manifest on the host; without one it is made.
    pub manifest: Option<PathBuf>,
}

/// Output formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Sparse disk image.
    Raw,
    /// QEMU copy on write, version 3.
    Qcow2,
    /// VMware, streamOptimized.
    Vmdk,
    /// Virtual PC (fixed or dynamic).
    Vhd,
    /// Hyper-V.
    Vhdx,
    /// VirtualBox.
    Vdi,
    /// The tree as a tar archive.
    Tar,
    /// The tree as a squashfs.
    Squashfs,
    /// The tree as an OCI image of one layer, in an archive that `docker load` and `podman load` take.
    Oci,
    /// The tree as an App Container Image (appc).
    Aci,
}

/// Compression of an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// None.
    None,
    /// Deflate.
    Zlib,
    /// Zstandard.
    Zstd,
    /// xz (tar, squashfs).
    Xz,
    /// gzip (tar, squashfs, raw).
    Gzip,
}

/// Digest algorithms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Checksum {
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
    /// MD5 (Glance's `checksum`).
    Md5,
}
