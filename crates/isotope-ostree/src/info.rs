//! What a commit says of itself.

use crate::repo::NEVER;
use crate::{Checksum, OstreeError, Repo};
use isotope_plan::Bytes;
use ostree::glib::prelude::ToVariant as _;
use ostree::glib::{Variant, VariantDict, VariantTy};
use serde::Serialize;
use std::collections::BTreeMap;

/// Commit metadata key of the package list that Isotope writes: `a(sss)`, each name, version, architecture.
pub(crate) const PACKAGES: &str = "isotope.packages";
/// That of rpm-ostree: `a(sssss)`, each name, epoch, version, release, architecture.
const RPM_PACKAGES: &str = "rpmostree.rpmdb.pkglist";

/// One package of a tree.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version, for RPMs `[EPOCH:]VERSION-RELEASE`.
    pub version: String,
    /// Its architecture, as its package manager spells it.
    pub arch: String,
}

/// What a commit says of itself.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CommitInfo {
    /// Its name.
    pub checksum: Checksum,
    /// The commit before it.
    pub parent: Option<Checksum>,
    /// The line that describes it.
    pub subject: String,
    /// More lines.
    pub body: String,
    /// Seconds since 1970.
    pub timestamp: u64,
    /// Metadata `version`.
    pub version: Option<String>,
    /// The kernel's version, of a bootable commit (metadata `ostree.linux`).
    pub linux: Option<String>,
    /// Checksum of the tree alone, without times and metadata: the same for the same files.
    pub content: Option<String>,
    /// Bytes of all its objects unpacked, as they take room in a deployment; `None`: it does not say (`ostree.sizes`).
    pub unpacked: Option<Bytes>,
    /// Bytes of all its objects as they are downloaded.
    pub archived: Option<Bytes>,
    /// The packages in it, if it lists them; sorted.
    pub packages: Vec<Package>,
    /// All metadata, in GVariant's text form, but package lists and sizes.
    pub metadata: BTreeMap<String, String>,
    /// Some of its files are not in the repository (a pull that broke off).
    pub partial: bool,
    /// Whether the repository holds GPG or ed25519 signatures of it.
    pub signed: Vec<String>,
}

impl Repo {
    /// What a commit says of itself.
    ///
    /// # Errors
    /// It is not in the repository.
    pub fn metadata(&self, commit: &Checksum) -> Result<CommitInfo, OstreeError> {
        let (variant, state) = self.inner.load_commit(commit.as_str()).map_err(|_| OstreeError::UnknownCommit {
            commit: commit.to_string(),
            place: self.path().display().to_string(),
            partial: false,
        })?;
        let mut info = parse(commit, &variant);
        info.partial = state.contains(ostree::RepoCommitState::PARTIAL);
        let detached = self
            .inner
            .read_commit_detached_metadata(commit.as_str(), NEVER)
            .map_err(self.refused("read signatures"))?;
        info.signed = detached.map(|detached| signatures(&detached)).unwrap_or_default();
        Ok(info)
    }

    /// A commit and its ancestors, newest first, as far as the repository has them.
    ///
    /// # Errors
    /// `rev` is not in the repository.
    pub fn log(&self, rev: &str) -> Result<Vec<CommitInfo>, OstreeError> {
        let mut infos = vec![self.metadata(&self.resolve(rev)?)?];
        while let Some(parent) = infos.last().and_then(|info| info.parent.clone()) {
            // History may be cut: a depth was pulled, or older commits were pruned.
            let Ok(info) = self.metadata(&parent) else { break };
            infos.push(info);
        }
        Ok(infos)
    }

    /// One metadata value of a commit.
    ///
    /// # Errors
    /// The commit is not in the repository.
    pub fn metadata_value(&self, commit: &Checksum, key: &str) -> Result<Option<Variant>, OstreeError> {
        let (variant, _) =
            self.inner.load_commit(commit.as_str()).map_err(self.refused(format!("read commit {commit}")))?;
        Ok(VariantDict::new(Some(&variant.child_value(0))).lookup_value(key, None))
    }
}

/// Names of the kinds of signatures in detached metadata.
fn signatures(detached: &Variant) -> Vec<String> {
    let dict = VariantDict::new(Some(detached));
    [("ostree.gpgsigs", "gpg"), (crate::sign::ED25519_KEY, "ed25519")]
        .into_iter()
        .filter(|(key, _)| dict.lookup_value(key, None).is_some_and(|list| list.n_children() > 0))
        .map(|(_, name)| name.to_owned())
        .collect()
}

/// Reads a commit object: `(a{sv} metadata, ay parent, a(say) related, s subject, s body, t time, ay tree, ay meta)`.
pub(crate) fn parse(checksum: &Checksum, commit: &Variant) -> CommitInfo {
    let metadata = commit.child_value(0);
    let text = |index| commit.child_value(index).str().unwrap_or_default().to_owned();
    let dict = VariantDict::new(Some(&metadata));
    let string = |key: &str| dict.lookup_value(key, Some(VariantTy::STRING)).and_then(|value| value.get::<String>());
    let sizes = ostree::commit_get_object_sizes(commit).unwrap_or_default();
    let sum = |bytes: &dyn Fn(&ostree::CommitSizesEntry) -> u64| {
        (!sizes.is_empty()).then(|| Bytes(sizes.iter().map(bytes).sum()))
    };
    CommitInfo {
        checksum: checksum.clone(),
        parent: ostree::commit_get_parent(commit).and_then(|parent| parent.parse().ok()),
        subject: text(3),
        body: text(4),
        timestamp: ostree::commit_get_timestamp(commit),
        version: string("version"),
        linux: string("ostree.linux"),
        content: ostree::commit_get_content_checksum(commit).map(Into::into),
        unpacked: sum(&|entry| entry.unpacked()),
        archived: sum(&|entry| entry.archived()),
        packages: packages(&dict),
        metadata: printable(&metadata),
        partial: false,
        signed: Vec::new(),
    }
}

fn printable(metadata: &Variant) -> BTreeMap<String, String> {
    let left_out = ["ostree.sizes", PACKAGES, RPM_PACKAGES];
    metadata
        .iter()
        .filter_map(|entry| Some((entry.child_value(0).get::<String>()?, entry.child_value(1).as_variant()?)))
        .filter(|(key, _)| !left_out.contains(&key.as_str()))
        .map(|(key, value)| (key, value.str().map_or_else(|| value.print(false).into(), str::to_owned)))
        .collect()
}

fn packages(dict: &VariantDict) -> Vec<Package> {
    let mut found = Vec::new();
    if let Some(list) = dict.lookup_value(PACKAGES, None).and_then(|list| list.get::<Vec<(String, String, String)>>()) {
        found.extend(list.into_iter().map(|(name, version, arch)| Package { name, version, arch }));
    }
    type Rpm = (String, String, String, String, String);
    if let Some(list) = dict.lookup_value(RPM_PACKAGES, None).and_then(|list| list.get::<Vec<Rpm>>()) {
        found.extend(list.into_iter().map(|(name, epoch, version, release, arch)| {
            let epoch = if matches!(epoch.as_str(), "" | "0") { String::new() } else { format!("{epoch}:") };
            Package { name, version: format!("{epoch}{version}-{release}"), arch }
        }));
    }
    found.sort();
    found
}

/// The package list as [`PACKAGES`] keeps it.
pub(crate) fn packages_variant(packages: &[Package]) -> Variant {
    let mut sorted: Vec<&Package> = packages.iter().collect();
    sorted.sort();
    let list: Vec<(&str, &str, &str)> =
        sorted.into_iter().map(|one| (one.name.as_str(), one.version.as_str(), one.arch.as_str())).collect();
    list.to_variant()
}
