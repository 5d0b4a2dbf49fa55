//! One treefile as it is written, and how an included one is laid below it.
//!
//! The file that includes wins over the one that is included in single values; lists are joined, those of the included
//! file first; a file that is included later comes before one that is included earlier, as in rpm-ostree.

use isotope_element::Origin;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A value and who asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed<T> {
    /// The value.
    pub value: T,
    /// File and line.
    pub origin: Origin,
}

/// A file that a treefile adds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddFile {
    /// On this host.
    pub source: PathBuf,
    /// Absolute, in the tree.
    pub dest: String,
}

/// `[package, pattern, …]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoveFrom {
    /// The package.
    pub package: String,
    /// Regular expressions.
    pub patterns: Vec<String>,
}

/// `check-passwd` and `check-groups`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    /// Nothing is compared.
    None,
    /// The parent commit counts.
    Previous,
    /// This file counts, beside the parent commit.
    File(PathBuf),
}

/// An archive of `apt.sources`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AptSource {
    /// URL or `host:NAME`.
    pub mirror: Option<String>,
    /// Suite; `None`: the release.
    pub suite: Option<String>,
    /// Components; `None`: main.
    pub components: Option<Vec<String>>,
    /// Key file on this host; `None`: Debian's.
    pub keyring: Option<PathBuf>,
    /// Whether signatures are checked.
    pub verify: bool,
}

/// The section `apt`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Apt {
    /// `debian` by default.
    pub distro: Option<Placed<String>>,
    /// `trixie`, …
    pub release: Option<Placed<String>>,
    /// Archives.
    pub sources: Vec<Placed<AptSource>>,
    /// Packages, where packages come by apt.
    pub packages: Vec<Placed<String>>,
    /// `packages-RELEASE`.
    pub release_packages: BTreeMap<String, Vec<Placed<String>>>,
}

/// A treefile as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Layer {
    pub edition: Option<Placed<u32>>,
    pub reference: Option<Placed<String>>,
    pub releasever: Option<Placed<String>>,
    pub selinux: Option<Placed<bool>>,
    pub recommends: Option<Placed<bool>>,
    pub documentation: Option<Placed<bool>>,
    pub default_target: Option<Placed<String>>,
    pub no_initramfs: Option<Placed<bool>>,
    pub boot_location: Option<Placed<crate::BootLocation>>,
    pub tmp_is_dir: Option<Placed<bool>>,
    pub machineid_compat: Option<Placed<bool>>,
    pub preserve_passwd: Option<Placed<bool>>,
    pub check_passwd: Option<Placed<Check>>,
    pub check_groups: Option<Placed<Check>>,
    pub version_prefix: Option<Placed<String>>,
    pub version_suffix: Option<Placed<String>>,
    pub mutate_os_release: Option<Placed<String>>,
    pub postprocess_script: Option<Placed<PathBuf>>,
    pub repos: Vec<Placed<String>>,
    pub packages: Vec<Placed<String>>,
    pub bootstrap_packages: Vec<Placed<String>>,
    pub exclude_packages: Vec<Placed<String>>,
    pub units: Vec<Placed<String>>,
    pub install_langs: Option<Vec<Placed<String>>>,
    pub initramfs_args: Vec<Placed<String>>,
    pub etc_group_members: Vec<Placed<String>>,
    pub ignore_removed_users: Vec<Placed<String>>,
    pub ignore_removed_groups: Vec<Placed<String>>,
    pub add_files: Vec<Placed<AddFile>>,
    pub remove_files: Vec<Placed<String>>,
    pub remove_from_packages: Vec<Placed<RemoveFrom>>,
    pub postprocess: Vec<Placed<String>>,
    pub variables: BTreeMap<String, String>,
    pub commit_metadata: BTreeMap<String, String>,
    pub apt: Option<Apt>,
    /// Directories of the treefiles that name `repos`, where the .repo files are.
    pub repo_dirs: Vec<PathBuf>,
}

/// The one above wins.
macro_rules! scalars {
    ($above:ident, $below:ident: $($field:ident),+ $(,)?) => { $( $above.$field = $above.$field.take().or($below.$field); )+ };
}

/// Those below come first.
macro_rules! lists {
    ($above:ident, $below:ident: $($field:ident),+ $(,)?) => { $( {
        let mut joined = $below.$field;
        joined.append(&mut $above.$field);
        $above.$field = joined;
    } )+ };
}

impl Layer {
    /// Lays an included file below this one.
    pub fn lay_over(&mut self, below: Self) {
        let above = self;
        scalars!(above, below: edition, reference, releasever, selinux, recommends, documentation, default_target, no_initramfs,
            boot_location, tmp_is_dir, machineid_compat, preserve_passwd, check_passwd, check_groups, version_prefix,
            version_suffix, mutate_os_release, postprocess_script);
        lists!(above, below: repos, packages, bootstrap_packages, exclude_packages, units, initramfs_args, etc_group_members,
            ignore_removed_users, ignore_removed_groups, add_files, remove_files, remove_from_packages, postprocess, repo_dirs);
        above.install_langs = match (above.install_langs.take(), below.install_langs) {
            (Some(mut own), Some(mut joined)) => {
                joined.append(&mut own);
                Some(joined)
            }
            (own, joined) => own.or(joined),
        };
        for (name, value) in below.variables {
            above.variables.entry(name).or_insert(value);
        }
        for (name, value) in below.commit_metadata {
            above.commit_metadata.entry(name).or_insert(value);
        }
        above.apt = match (above.apt.take(), below.apt) {
            (Some(mut own), Some(below)) => {
                own.lay_over(below);
                Some(own)
            }
            (own, below) => own.or(below),
        };
    }
}

impl Apt {
    fn lay_over(&mut self, mut below: Self) {
        let above = self;
        for (release, own) in std::mem::take(&mut above.release_packages) {
            below.release_packages.entry(release).or_default().extend(own);
        }
        above.release_packages = below.release_packages;
        scalars!(above, below: distro, release);
        lists!(above, below: sources, packages);
    }
}
