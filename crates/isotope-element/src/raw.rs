//! `element.toml` as it is written: what serde reads and what the JSON Schema describes. [`crate::validate`] makes a manifest of it.

mod forms;
mod ostree;

pub(crate) use forms::{OneOrMany, Scalar};
pub(crate) use ostree::{RawOstree, RawOstreeCompose, RawOstreeDeploy};

use crate::document::At;
use crate::keep::RawHook;
use crate::{CheckKind, Family, Phase, VarType};
use forms::{any_value, arches, bool_or_template, families, int_or_template, trees, values_by_name};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Text that may be a template.
pub(crate) type Text = At<String>;

/// An element: what it is, what it needs, what it does.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "element.toml", rename = "Element")]
pub(crate) struct RawManifest {
    /// One line about the element.
    pub summary: At<String>,
    /// Elements or provided names that must be there; they come first.
    #[serde(default)]
    pub requires: Vec<At<String>>,
    /// Names it stands for, beside its own.
    #[serde(default)]
    pub provides: Vec<At<String>>,
    /// Order only: it comes after these, if they are there.
    #[serde(default)]
    pub after: Vec<At<String>>,
    /// Elements or provided names that must not be there.
    #[serde(default)]
    pub conflicts: Vec<At<String>>,
    /// Typed variables.
    #[serde(default)]
    pub vars: BTreeMap<String, At<RawVar>>,
    /// What distribution this is; only elements that provide an operating system.
    pub distro: Option<At<RawDistro>>,
    /// How the base tree is made; only elements that provide an operating system.
    pub bootstrap: Option<At<RawBootstrap>>,
    /// Packages to install and remove.
    #[serde(default)]
    pub packages: Vec<At<RawPackages>>,
    /// Files and directories to copy into the target.
    #[serde(default)]
    pub files: Vec<At<RawFiles>>,
    /// Templates to render into the target.
    #[serde(default)]
    pub templates: Vec<At<RawTemplate>>,
    /// Units to enable, disable, mask.
    #[serde(default)]
    pub services: Vec<At<RawServices>>,
    /// Clean the tree before it becomes a disk.
    pub sysprep: Option<At<RawSysprep>>,
    /// The disk.
    pub layout: Option<At<RawLayout>>,
    /// The boot loader. Several elements may have this: lists are joined, scalars must agree.
    pub bootloader: Option<At<RawBootloader>>,
    /// A root that is a deployment of an ostree commit.
    pub ostree: Option<At<RawOstree>>,
    /// Combinations of values that make no image.
    #[serde(default)]
    pub rules: Vec<At<RawRule>>,
    /// What layers may do with hooks.
    #[serde(default)]
    pub hooks: Vec<At<RawHook>>,
    /// Facts about the image for publishers (Glance properties). Values may be templates.
    #[serde(default)]
    pub properties: BTreeMap<String, Text>,
    /// What a booted guest must show.
    #[serde(default)]
    pub checks: Vec<At<RawCheck>>,
}

/// A variable.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Variable")]
pub(crate) struct RawVar {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: At<VarType>,
    /// What an enum accepts.
    pub values: Option<At<Vec<String>>>,
    /// Its value when nobody gives one; text may be a template. Without it somebody must give one.
    #[serde(default)]
    #[schemars(schema_with = "any_value")]
    pub default: Option<At<toml::Value>>,
    /// Regular expression (of Rust's crate regex) that the whole text, or each item of a list, must match.
    pub pattern: Option<At<String>>,
    /// The pattern in words, as `a size like 10G or 40%FREE`; goes with `pattern`.
    pub expects: Option<At<String>>,
    /// Environment variable (or a list of them) that gives the value.
    pub env: Option<At<OneOrMany>>,
    /// For people.
    #[serde(default)]
    pub help: String,
    /// Never shown in plans, logs and manifests.
    #[serde(default)]
    pub secret: bool,
}

/// The distribution.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Distro")]
pub(crate) struct RawDistro {
    /// Its name: `debian`, `fedora`, …; may be a template.
    pub name: Text,
    /// Its package family.
    pub family: Family,
    /// Its release: `trixie`, `42`, …; may be a template.
    pub release: Text,
}

/// The base tree.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Bootstrap")]
pub(crate) struct RawBootstrap {
    /// Packages beside the family's minimal set; may be templates.
    #[serde(default)]
    pub packages: Vec<Text>,
    /// Package archives, in order.
    #[serde(default)]
    pub sources: Vec<At<RawSource>>,
}

/// A package archive.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Source")]
pub(crate) struct RawSource {
    /// URL; `host:debian`, `host:debian-security`, `host:fedora` are the host's own mirrors. May be a template.
    pub uri: Text,
    /// Suite (Debian) or repository id (dnf); may be a template.
    pub suite: Text,
    /// Components (Debian); may be templates.
    #[serde(default)]
    pub components: Vec<Text>,
    /// Key file on the host; may be a template.
    pub keyring: Option<Text>,
    /// Whether signatures are checked: true (default), false, or a template.
    #[serde(default)]
    #[schemars(schema_with = "bool_or_template")]
    pub verify: Option<At<Scalar>>,
    /// Only if this holds.
    pub when: Option<At<RawCondition>>,
}

/// Packages.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Packages")]
pub(crate) struct RawPackages {
    /// To install; may be templates.
    #[serde(default)]
    pub names: Vec<Text>,
    /// A list variable with more to install.
    pub names_from: Option<At<String>>,
    /// To remove; may be templates.
    #[serde(default)]
    pub remove: Vec<Text>,
    /// When; `install` by default.
    pub phase: Option<At<Phase>>,
    /// Also what packages merely recommend: false (default), true, or a template.
    #[serde(default)]
    #[schemars(schema_with = "bool_or_template")]
    pub recommends: Option<At<Scalar>>,
    /// Only if this holds.
    pub when: Option<At<RawCondition>>,
}

/// A copy into the target.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Files")]
pub(crate) struct RawFiles {
    /// File or directory in the element.
    pub source: At<String>,
    /// Absolute path in the target; may be a template. The content of a directory goes below it.
    pub dest: Text,
    /// Permission bits of files, octal: "0644".
    pub mode: Option<At<String>>,
    /// When; `post-install` by default.
    pub phase: Option<At<Phase>>,
    /// Only if this holds.
    pub when: Option<At<RawCondition>>,
}

/// A rendered file.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Template")]
pub(crate) struct RawTemplate {
    /// Template file in the element.
    pub source: At<String>,
    /// Absolute path in the target; may be a template.
    pub dest: Text,
    /// Permission bits, octal; "0644" by default.
    pub mode: Option<At<String>>,
    /// When; `post-install` by default.
    pub phase: Option<At<Phase>>,
    /// Only if this holds.
    pub when: Option<At<RawCondition>>,
}

/// Units of systemd.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Services")]
pub(crate) struct RawServices {
    /// To enable; may be templates.
    #[serde(default)]
    pub enable: Vec<Text>,
    /// To disable; may be templates.
    #[serde(default)]
    pub disable: Vec<Text>,
    /// To mask; may be templates.
    #[serde(default)]
    pub mask: Vec<Text>,
    /// When; `post-install` by default.
    pub phase: Option<At<Phase>>,
    /// Only if this holds.
    pub when: Option<At<RawCondition>>,
}

/// Cleanup of the tree.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Sysprep")]
pub(crate) struct RawSysprep {
    /// More absolute paths in the target to remove.
    #[serde(default)]
    pub remove: Vec<At<String>>,
}

/// The disk.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Layout")]
pub(crate) struct RawLayout {
    /// `gpt` (default) or `mbr`; may be a template.
    pub table: Option<Text>,
    /// 512 (default), 4096, or a template.
    #[serde(default)]
    #[schemars(schema_with = "int_or_template")]
    pub sector_size: Option<At<Scalar>>,
    /// `auto` (default), a size, or a template.
    pub size: Option<Text>,
    /// In disk order.
    pub partitions: Vec<At<RawPartition>>,
}

/// A partition.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Partition")]
pub(crate) struct RawPartition {
    /// Its name.
    pub name: At<String>,
    /// `bios-boot`, `esp`, `swap`, `root`, `boot`, `linux`, or a template.
    pub kind: Text,
    /// `rest`, `auto`, a size, a percentage, or a template.
    pub size: Text,
    /// What is in it.
    pub filesystem: Option<At<RawFilesystem>>,
    /// Only if this holds.
    pub when: Option<At<RawCondition>>,
}

/// A filesystem.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Filesystem")]
pub(crate) struct RawFilesystem {
    /// `ext4`, `xfs`, `btrfs`, `fat`, `swap`, or a template.
    #[serde(rename = "type")]
    pub kind: Text,
    /// Label; may be a template.
    pub label: Option<Text>,
    /// Absolute path in the target; may be a template.
    pub mount: Option<Text>,
    /// Mount options; may be a template.
    pub options: Option<Text>,
    /// fsck pass.
    #[schemars(range(min = 0, max = 2))]
    pub passno: Option<u8>,
    /// More arguments for mkfs; may be templates.
    #[serde(default)]
    pub mkfs_options: Vec<Text>,
}

/// The boot loader.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Bootloader")]
pub(crate) struct RawBootloader {
    /// Boots by BIOS: a bool or a template.
    #[serde(default)]
    #[schemars(schema_with = "bool_or_template")]
    pub bios: Option<At<Scalar>>,
    /// Boots by UEFI: a bool or a template.
    #[serde(default)]
    #[schemars(schema_with = "bool_or_template")]
    pub uefi: Option<At<Scalar>>,
    /// `auto`, `required`, `off`, or a template.
    pub secure_boot: Option<Text>,
    /// Seconds the menu waits: a number or a template.
    #[serde(default)]
    #[schemars(schema_with = "int_or_template")]
    pub timeout: Option<At<Scalar>>,
    /// Kernel arguments; may be templates.
    #[serde(default)]
    pub kernel_args: Vec<Text>,
    /// Consoles in the kernel's syntax, the last one is /dev/console; may be templates.
    #[serde(default)]
    pub consoles: Vec<Text>,
}

/// A combination of values that makes no image.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Rule")]
pub(crate) struct RawRule {
    /// A template that gives `true` where the build must be refused: `"{{and pool devs}}"`. Without it `when` decides alone.
    pub refuse: Option<Text>,
    /// What is wrong then, in words; may be a template.
    pub message: Text,
    /// What to do; may be a template.
    pub help: Option<Text>,
    /// Only if this holds.
    pub when: Option<At<RawCondition>>,
}

/// A check.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Check")]
pub(crate) struct RawCheck {
    /// What it proves, in words; may be a template.
    pub name: Text,
    /// Shell text; may be a template. Either this, or `script`, or `kind`.
    pub run: Option<Text>,
    /// A script of the element, as it is.
    pub script: Option<At<String>>,
    /// What the harness knows to do by itself: `ostree-life` serves new commits of the image's tree to the guest, which upgrades, rolls
    /// back, rebases and takes a package layer, restarting in between.
    pub kind: Option<At<CheckKind>>,
    /// Seconds; 60 by default.
    #[schemars(range(min = 1))]
    pub timeout: Option<u32>,
    /// Only if this holds.
    pub when: Option<At<RawCondition>>,
}

/// All parts must hold.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Condition")]
pub(crate) struct RawCondition {
    /// Name of the distribution, or a list of names.
    pub distro: Option<At<OneOrMany>>,
    /// Package family, or a list.
    #[serde(default)]
    #[schemars(schema_with = "families")]
    pub family: Option<At<OneOrMany>>,
    /// Release, or a list.
    pub release: Option<At<OneOrMany>>,
    /// Architecture, or a list.
    #[serde(default)]
    #[schemars(schema_with = "arches")]
    pub arch: Option<At<OneOrMany>>,
    /// What the root is made of: `package`, or `ostree` (a deployment, whose `/usr` cannot be written), or a list.
    #[serde(default)]
    #[schemars(schema_with = "trees")]
    pub tree: Option<At<OneOrMany>>,
    /// Variable (`name`, or `"element.name"` in quotes) to value, or to a list of values.
    #[serde(default)]
    #[schemars(schema_with = "values_by_name")]
    pub vars: BTreeMap<String, At<toml::Value>>,
}
