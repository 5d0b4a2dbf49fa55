//! A validated `element.toml`: every value has its type, every template is parsed, every section knows its line.

mod ostree;

pub use ostree::{OstreeComposeSection, OstreeDeploySection, OstreeSection};

use crate::{Condition, Family, Keep, Phase, Template, VarDecl, VarDefault};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A value and the line of the manifest it stands on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Its line, from 1.
    pub line: u32,
}

/// A validated manifest.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// The file.
    pub file: PathBuf,
    /// One line about the element.
    pub summary: String,
    /// Elements or provided names that must be there.
    pub requires: Vec<Located<String>>,
    /// Names it stands for, beside its own.
    pub provides: Vec<Located<String>>,
    /// Order only: comes after these, if they are there.
    pub after: Vec<Located<String>>,
    /// Elements or provided names that must not be there.
    pub conflicts: Vec<Located<String>>,
    /// Its variables.
    pub vars: BTreeMap<String, VarDecl>,
    /// Only operating systems.
    pub distro: Option<DistroSection>,
    /// Only operating systems.
    pub bootstrap: Option<BootstrapSection>,
    /// In the manifest's order.
    pub packages: Vec<PackagesSection>,
    /// In the manifest's order.
    pub files: Vec<FilesSection>,
    /// In the manifest's order.
    pub templates: Vec<TemplateSection>,
    /// In the manifest's order.
    pub services: Vec<ServicesSection>,
    /// Clean the tree before it becomes a disk.
    pub sysprep: Option<SysprepSection>,
    /// The disk.
    pub layout: Option<LayoutSection>,
    /// The boot loader.
    pub bootloader: Option<BootloaderSection>,
    /// A root that is a deployment of an ostree commit.
    pub ostree: Option<OstreeSection>,
    /// Combinations of values that make no image.
    pub rules: Vec<RuleSection>,
    /// Facts for publishers.
    pub properties: BTreeMap<String, Template>,
    /// Hooks of which layers are told something, by their files.
    pub keep: BTreeMap<PathBuf, Keep>,
    /// Proofs, run in the booted guest.
    pub checks: Vec<CheckSection>,
}

impl Manifest {
    /// Every `when`.
    pub fn conditions(&self) -> impl Iterator<Item = &Condition> {
        let Self { bootstrap, packages, files, templates, services, layout, ostree, rules, checks, .. } = self;
        let sources = bootstrap.iter().flat_map(|bootstrap| &bootstrap.sources).map(|one| &one.when);
        let partitions = layout.iter().flat_map(|layout| &layout.partitions).map(|one| &one.when);
        let actions = packages.iter().map(|one| &one.when).chain(files.iter().map(|one| &one.when));
        let more = templates.iter().map(|one| &one.when).chain(services.iter().map(|one| &one.when));
        let composes = ostree.iter().filter_map(|ostree| ostree.compose.as_ref()).map(|one| &one.when);
        let proofs = rules.iter().map(|one| &one.when).chain(checks.iter().map(|one| &one.when));
        sources.chain(partitions).chain(actions).chain(more).chain(composes).chain(proofs)
    }

    /// Every `when`, to be changed.
    pub(crate) fn conditions_mut(&mut self) -> impl Iterator<Item = &mut Condition> {
        let Self { bootstrap, packages, files, templates, services, layout, ostree, rules, checks, .. } = self;
        let sources = bootstrap.iter_mut().flat_map(|bootstrap| &mut bootstrap.sources).map(|one| &mut one.when);
        let partitions = layout.iter_mut().flat_map(|layout| &mut layout.partitions).map(|one| &mut one.when);
        let actions = packages.iter_mut().map(|one| &mut one.when).chain(files.iter_mut().map(|one| &mut one.when));
        let more = templates.iter_mut().map(|one| &mut one.when).chain(services.iter_mut().map(|one| &mut one.when));
        let composes = ostree.iter_mut().filter_map(|ostree| ostree.compose.as_mut()).map(|one| &mut one.when);
        let proofs = rules.iter_mut().map(|one| &mut one.when).chain(checks.iter_mut().map(|one| &mut one.when));
        sources.chain(partitions).chain(actions).chain(more).chain(composes).chain(proofs)
    }

    /// Every template, of all sections.
    #[must_use]
    pub fn all_templates(&self) -> Vec<&Template> {
        let Self {
            file: _,
            summary: _,
            requires: _,
            provides: _,
            after: _,
            conflicts: _,
            vars,
            distro,
            bootstrap,
            packages,
            files,
            templates,
            services,
            sysprep: _,
            layout,
            bootloader,
            ostree,
            rules,
            properties,
            keep: _,
            checks,
        } = self;
        let mut all: Vec<&Template> = Vec::new();
        all.extend(vars.values().filter_map(|decl| match &decl.default {
            Some(VarDefault::Template(template)) => Some(template),
            _ => None,
        }));
        if let Some(DistroSection { name, family: _, release, line: _ }) = distro {
            all.extend([name, release]);
        }
        if let Some(BootstrapSection { packages, sources, line: _ }) = bootstrap {
            all.extend(packages);
            for SourceSection { uri, suite, components, keyring, verify, when: _, line: _ } in sources {
                all.extend([uri, suite]);
                all.extend(components.iter().chain(keyring).chain(verify));
            }
        }
        for PackagesSection { names, names_from: _, remove, phase: _, recommends, when: _, line: _ } in packages {
            all.extend(names.iter().chain(remove).chain(recommends));
        }
        all.extend(files.iter().map(|files| &files.dest));
        all.extend(templates.iter().flat_map(|section| [&section.template, &section.dest]));
        for ServicesSection { enable, disable, mask, phase: _, when: _, line: _ } in services {
            all.extend(enable.iter().chain(disable).chain(mask));
        }
        if let Some(LayoutSection { table, sector_size, size, partitions, line: _ }) = layout {
            all.extend(table.iter().chain(sector_size).chain(size));
            for PartitionSection { name: _, kind, size, filesystem, when: _, line: _ } in partitions {
                all.extend([kind, size]);
                if let Some(FilesystemSection { kind, label, mount, options, passno: _, mkfs_options, line: _ }) =
                    filesystem
                {
                    all.push(kind);
                    all.extend(label.iter().chain(mount).chain(options).chain(mkfs_options));
                }
            }
        }
        if let Some(BootloaderSection { bios, uefi, secure_boot, timeout, kernel_args, consoles, line: _ }) = bootloader
        {
            all.extend(bios.iter().chain(uefi).chain(secure_boot).chain(timeout).chain(kernel_args).chain(consoles));
        }
        if let Some(section) = ostree {
            section.templates(&mut all);
        }
        for RuleSection { refuse, message, help, when: _, line: _ } in rules {
            all.extend(refuse.iter().chain([message]).chain(help));
        }
        all.extend(properties.values());
        for CheckSection { name, body, timeout: _, when: _, line: _ } in checks {
            all.push(name);
            if let CheckBody::Text(text) = body {
                all.push(text);
            }
        }
        all
    }
}

/// `[distro]`.
#[derive(Debug, Clone, PartialEq)]
pub struct DistroSection {
    /// `debian`, `fedora`, …
    pub name: Template,
    /// Decides the package manager.
    pub family: Family,
    /// `trixie`, `42`, …
    pub release: Template,
    /// Line.
    pub line: u32,
}

/// `[bootstrap]`.
#[derive(Debug, Clone, PartialEq)]
pub struct BootstrapSection {
    /// Beside the family's minimal set.
    pub packages: Vec<Template>,
    /// Archives, in order.
    pub sources: Vec<SourceSection>,
    /// Line.
    pub line: u32,
}

/// `[[bootstrap.sources]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceSection {
    /// URL, or `host:debian`, `host:debian-security`, `host:fedora`.
    pub uri: Template,
    /// Suite, or repository id.
    pub suite: Template,
    /// Debian's components.
    pub components: Vec<Template>,
    /// Key file on the host.
    pub keyring: Option<Template>,
    /// Whether signatures are checked, a bool; `None`: yes.
    pub verify: Option<Template>,
    /// Condition.
    pub when: Condition,
    /// Line.
    pub line: u32,
}

/// `[[packages]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct PackagesSection {
    /// To install.
    pub names: Vec<Template>,
    /// A list variable with more to install.
    pub names_from: Option<String>,
    /// To remove.
    pub remove: Vec<Template>,
    /// When.
    pub phase: Phase,
    /// Also what packages merely recommend, a bool; `None`: no.
    pub recommends: Option<Template>,
    /// Condition.
    pub when: Condition,
    /// Line.
    pub line: u32,
}

/// `[[files]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct FilesSection {
    /// The file or directory, absolute, inside the element.
    pub source: PathBuf,
    /// Absolute path in the target.
    pub dest: Template,
    /// Permission bits of files.
    pub mode: Option<u32>,
    /// When.
    pub phase: Phase,
    /// Condition.
    pub when: Condition,
    /// Line.
    pub line: u32,
}

/// `[[templates]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct TemplateSection {
    /// The template file, absolute.
    pub source: PathBuf,
    /// Its content.
    pub template: Template,
    /// Absolute path in the target.
    pub dest: Template,
    /// Permission bits, 0644 by default.
    pub mode: u32,
    /// When.
    pub phase: Phase,
    /// Condition.
    pub when: Condition,
    /// Line.
    pub line: u32,
}

/// `[[services]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct ServicesSection {
    /// Units to enable.
    pub enable: Vec<Template>,
    /// Units to disable.
    pub disable: Vec<Template>,
    /// Units to mask.
    pub mask: Vec<Template>,
    /// When.
    pub phase: Phase,
    /// Condition.
    pub when: Condition,
    /// Line.
    pub line: u32,
}

/// `[sysprep]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SysprepSection {
    /// More absolute paths in the target to remove.
    pub remove: Vec<String>,
    /// Line.
    pub line: u32,
}

/// `[layout]`. Numbers and sizes are templates too: what they render to is parsed by the planner.
#[derive(Debug, Clone, PartialEq)]
pub struct LayoutSection {
    /// `gpt` (default) or `mbr`.
    pub table: Option<Template>,
    /// 512 (default) or 4096.
    pub sector_size: Option<Template>,
    /// `auto` (default) or a size.
    pub size: Option<Template>,
    /// In disk order.
    pub partitions: Vec<PartitionSection>,
    /// Line.
    pub line: u32,
}

/// `[[layout.partitions]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct PartitionSection {
    /// Name.
    pub name: String,
    /// `bios-boot`, `esp`, `swap`, `root`, `boot`, `linux`.
    pub kind: Template,
    /// `rest`, `auto`, a size, a percentage.
    pub size: Template,
    /// What is in it.
    pub filesystem: Option<FilesystemSection>,
    /// Condition.
    pub when: Condition,
    /// Line.
    pub line: u32,
}

/// `filesystem` of a partition.
#[derive(Debug, Clone, PartialEq)]
pub struct FilesystemSection {
    /// `ext4`, `xfs`, `btrfs`, `fat`, `swap`.
    pub kind: Template,
    /// Label.
    pub label: Option<Template>,
    /// Absolute path in the target.
    pub mount: Option<Template>,
    /// Mount options.
    pub options: Option<Template>,
    /// fsck pass: 0, 1, 2.
    pub passno: Option<u8>,
    /// More arguments for mkfs.
    pub mkfs_options: Vec<Template>,
    /// Line.
    pub line: u32,
}

/// `[bootloader]`. Several elements may have one: the planner joins lists and refuses differing scalars.
#[derive(Debug, Clone, PartialEq)]
pub struct BootloaderSection {
    /// Boots by BIOS: a bool.
    pub bios: Option<Template>,
    /// Boots by UEFI: a bool.
    pub uefi: Option<Template>,
    /// `auto`, `required`, `off`.
    pub secure_boot: Option<Template>,
    /// Seconds: a number.
    pub timeout: Option<Template>,
    /// Kernel arguments.
    pub kernel_args: Vec<Template>,
    /// Consoles, the last one is /dev/console.
    pub consoles: Vec<Template>,
    /// Line.
    pub line: u32,
}

/// `[[rules]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleSection {
    /// Gives `true` where the build is refused, a bool; `None`: always, where `when` holds.
    pub refuse: Option<Template>,
    /// What is wrong then.
    pub message: Template,
    /// What to do.
    pub help: Option<Template>,
    /// Condition.
    pub when: Condition,
    /// Line.
    pub line: u32,
}

/// `[[checks]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckSection {
    /// What it proves.
    pub name: Template,
    /// How.
    pub body: CheckBody,
    /// Seconds, 60 by default.
    pub timeout: u32,
    /// Condition.
    pub when: Condition,
    /// Line.
    pub line: u32,
}

/// What a harness does for a check.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CheckKind {
    /// Runs a script in the guest.
    #[default]
    Script,
    /// Serves new commits of the image's tree; the guest upgrades, rolls back, rebases and takes a package layer.
    OstreeLife,
}

/// What a check runs.
#[derive(Debug, Clone, PartialEq)]
pub enum CheckBody {
    /// `run`: shell text.
    Text(Template),
    /// `kind`: what the harness knows to do.
    Known(CheckKind),
    /// `script`: a file of the element, as it is.
    Script {
        /// The file, absolute.
        path: PathBuf,
        /// Its content.
        content: String,
    },
}
