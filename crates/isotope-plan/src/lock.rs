//! The lock file: exactly which packages, archives, commits and downloads a recipe was resolved to. Data, its text, its checks; pure.
//!
//! In: what the engine resolved, or the text of a file. Out: the text of a file, or a [`Lock`] whose names are fit to be file names. It
//! must not know how packages are resolved or fetched. The text is sorted and has a package a line, so that git shows what changed.

mod diff;
mod text;

pub use diff::{Change, LockDiff};

use crate::{DibAction, DibFetch, DibFetchKind, EnvValue, OstreeDeploy, Plan, Problem, Source, StepAction};
use isotope_element::{Arch, Diagnostic, document};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Version of the file's format. A file of another version is not read.
pub const LOCK_FORMAT: u32 = 1;

/// A lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// Version of the format.
    pub format: u32,
    /// The image's name.
    pub name: String,
    /// The package-made trees: the image's, and those of composes that it deploys.
    #[serde(default, rename = "tree")]
    pub trees: Vec<LockedTree>,
    /// ostree commits that are pulled.
    #[serde(default, rename = "commit")]
    pub commits: Vec<LockedCommit>,
    /// Git repositories that elements fetch.
    #[serde(default, rename = "git")]
    pub gits: Vec<LockedGit>,
    /// Files and archives that elements fetch.
    #[serde(default, rename = "download")]
    pub downloads: Vec<LockedDownload>,
}

/// The packages of a tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LockedTree {
    /// The name of the plan that makes it.
    pub name: String,
    /// Its architecture.
    pub arch: Arch,
    /// Its distribution.
    pub distro: String,
    /// Its release.
    pub release: String,
    /// The packages, by name and architecture.
    #[serde(default)]
    pub packages: Vec<LockedPackage>,
    /// The archives that they come from, in the plan's order.
    #[serde(default, rename = "archive")]
    pub archives: Vec<LockedArchive>,
}

/// A package archive as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LockedArchive {
    /// What packages call it by in this file.
    pub id: String,
    /// Its URL when the lock was written, without credentials. A build uses its own mirror of the same suite.
    pub uri: String,
    /// Its suite, or the repository's id.
    pub suite: String,
    /// Its components.
    #[serde(default)]
    pub components: Vec<String>,
    /// SHA-256 of the text that was signed: `InRelease` (or `Release`), `repomd.xml`. None: it has no such text.
    #[serde(default)]
    pub release: Option<String>,
    /// What that text says of its date.
    #[serde(default)]
    pub date: Option<String>,
}

/// A package.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LockedPackage {
    /// Its name.
    pub name: String,
    /// Its version, as its distribution writes it.
    pub version: String,
    /// Its architecture, in its distribution's words.
    pub arch: String,
    /// The archive that has it.
    pub archive: String,
    /// Its file there, relative to the archive's URL.
    pub path: String,
    /// The file's length in bytes.
    pub size: u64,
    /// The file's SHA-256, in hexadecimal.
    pub sha256: String,
}

/// A commit that is pulled from a remote.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LockedCommit {
    /// The ref (or commit) that the recipe asks for.
    #[serde(rename = "ref")]
    pub reference: String,
    /// Where it was pulled from, without credentials.
    pub url: String,
    /// The commit.
    pub commit: String,
    /// Its version, if it says one.
    #[serde(default)]
    pub version: Option<String>,
}

/// A git repository at a commit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LockedGit {
    /// The name that the element gives it.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// The branch, tag or commit that is asked for.
    #[serde(rename = "ref")]
    pub reference: String,
    /// The commit.
    pub commit: String,
}

/// A file or archive with its digest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LockedDownload {
    /// The name that the element gives it.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// Its length in bytes.
    pub size: u64,
    /// Its SHA-256, in hexadecimal.
    pub sha256: String,
}

impl Lock {
    /// A lock of nothing.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        let (trees, commits, gits, downloads) = Default::default();
        Self { format: LOCK_FORMAT, name: name.into(), trees, commits, gits, downloads }
    }

    /// Reads a file's text; `path` is for messages.
    ///
    /// # Errors
    /// It is of another format, no TOML, has unknown or lacks known keys, or a value that is not what it should be.
    pub fn parse(path: &Path, text: &str) -> Result<Self, Vec<Diagnostic>> {
        let format = text.parse::<toml::Table>().ok().and_then(|table| table.get("format").cloned());
        if let Some(format) = format.filter(|format| format.as_integer() != Some(LOCK_FORMAT.into())) {
            let message = format!("this lock file is of format {format}, and this Isotope knows format {LOCK_FORMAT}");
            let hint = "use the Isotope that wrote it, or remove it and write it anew with `isotope lock`";
            return Err(vec![Diagnostic::error(path, message).hint(hint.to_owned())]);
        }
        let lock: Self = document::parse(path, text)?;
        let wrong: Vec<_> = lock.wrong().into_iter().map(|message| Diagnostic::error(path, message)).collect();
        if wrong.is_empty() { Ok(lock) } else { Err(wrong) }
    }

    /// What is wrong with its values. They become file names, URLs and lines of configuration files.
    fn wrong(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut check = |good: bool, what: &str, value: &str| {
            if !good {
                wrong.push(format!("{value:?} is no {what}"));
            }
        };
        for tree in &self.trees {
            for package in &tree.packages {
                let LockedPackage { name, version, arch, archive, path, size: _, sha256 } = package;
                check(is_word(name), "package name", name);
                check(is_word(version), "version", version);
                check(is_word(arch), "architecture", arch);
                check(is_path(path), "path in an archive", path);
                check(is_hex(sha256), "SHA-256", sha256);
                check(tree.archives.iter().any(|known| known.id == *archive), "archive of this lock", archive);
            }
            for archive in &tree.archives {
                check(
                    archive.release.as_deref().is_none_or(is_hex),
                    "SHA-256",
                    archive.release.as_deref().unwrap_or(""),
                );
                check(is_line(&archive.uri), "URL", &archive.uri);
            }
        }
        for commit in &self.commits {
            check(is_hex(&commit.commit), "commit", &commit.commit);
        }
        for git in &self.gits {
            check(is_hex_of(&git.commit, 40) || is_hex(&git.commit), "commit", &git.commit);
        }
        for download in &self.downloads {
            check(is_hex(&download.sha256), "SHA-256", &download.sha256);
        }
        let twice = self.trees.iter().find_map(|tree| {
            let pair = tree.packages.windows(2).find(|pair| pair[0].key() >= pair[1].key())?;
            Some(format!("package {} of tree {} is there twice or out of order", pair[1].name, tree.name))
        });
        wrong.extend(twice);
        wrong
    }

    /// The packages of the tree that this plan makes.
    #[must_use]
    pub fn tree(&self, plan: &Plan) -> Option<&LockedTree> {
        self.trees.iter().find(|tree| tree.name == plan.name)
    }

    /// Why a plan cannot be carried out with this lock, as far as that can be seen without looking at an archive.
    #[must_use]
    pub fn problems(&self, plan: &Plan) -> Vec<Problem> {
        const REMEDY: &str = "write the lock anew: isotope lock --update";
        let mut problems = Vec::new();
        for plan in plan.with_inputs() {
            if installs(plan) {
                match self.tree(plan) {
                    None => problems.push(format!("the lock has no packages for {}", plan.name)),
                    Some(tree) => problems.extend(tree.misfit(plan)),
                }
            }
            let unknown = pulled(plan).filter(|deploy| self.commit(&deploy.rev).is_none());
            problems.extend(unknown.map(|deploy| format!("the lock has no commit of {} ({})", deploy.rev, deploy.url)));
            let fetches = plan.dib().into_iter().flat_map(|dib| &dib.fetches);
            for fetch in fetches.filter(|fetch| fetch.url.is_some() && self.pinned(fetch).is_none()) {
                let DibFetch { name, element, url, reference, .. } = fetch;
                let url = without_credentials(url.as_deref().unwrap_or_default());
                problems.push(format!(
                    "the lock has no {name} of element {element} ({})",
                    format!("{url} {reference}").trim_end()
                ));
            }
        }
        problems.into_iter().map(|message| Problem::configuration(message).remedy(REMEDY)).collect()
    }

    /// The commit of a ref.
    #[must_use]
    pub fn commit(&self, reference: &str) -> Option<&LockedCommit> {
        self.commits.iter().find(|commit| commit.reference == reference)
    }

    /// The commit or digest that a source has.
    #[must_use]
    pub fn pinned(&self, fetch: &DibFetch) -> Option<&str> {
        let url = without_credentials(fetch.url.as_deref()?);
        match fetch.kind {
            DibFetchKind::Git => {
                let same =
                    |git: &&LockedGit| git.name == fetch.name && git.url == url && git.reference == fetch.reference;
                self.gits.iter().find(same).map(|git| git.commit.as_str())
            }
            DibFetchKind::File => {
                let same = |file: &&LockedDownload| file.name == fetch.name && file.url == url;
                self.downloads.iter().find(same).map(|file| file.sha256.as_str())
            }
        }
    }

    /// Whether it has something of this name that can be brought up to date: a package, a ref, a source.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.trees.iter().flat_map(|tree| &tree.packages).any(|package| package.name == name)
            || self.commit(name).is_some()
            || self.gits.iter().any(|git| git.name == name)
            || self.downloads.iter().any(|file| file.name == name)
    }

    /// The plan with commits in place of the refs that it pulls, and with what pins the sources that hooks fetch.
    #[must_use]
    pub fn pin(&self, mut plan: Plan) -> Plan {
        plan.inputs = std::mem::take(&mut plan.inputs).into_iter().map(|input| self.pin(input)).collect();
        for step in &mut plan.steps {
            if let StepAction::OstreeDeploy(deploy) = &mut step.action
                && !deploy.composed
                && let Some(locked) = self.commit(&deploy.rev)
            {
                deploy.rev.clone_from(&locked.commit);
            }
            if let StepAction::Dib(DibAction::Begin(begin)) = &mut step.action {
                for fetch in &begin.fetches {
                    let pinned = self.pinned(fetch).map(|pinned| EnvValue::from(pinned.to_owned()));
                    begin.environment.extend(pinned.map(|pinned| (fetch.variable.clone(), pinned)));
                }
            }
        }
        plan
    }

    /// Sorts what has no order of its own.
    pub fn sort(&mut self) {
        self.trees.iter_mut().for_each(|tree| tree.packages.sort());
        self.commits.sort();
        self.gits.sort();
        self.downloads.sort();
    }
}

impl LockedTree {
    /// What it was resolved for, if that is not what the plan is for.
    fn misfit(&self, plan: &Plan) -> Option<String> {
        let wanted = (plan.target.arch, plan.target.distro.as_str(), plan.target.release.as_str());
        let locked = (self.arch, self.distro.as_str(), self.release.as_str());
        let words = |(arch, distro, release): (Arch, &str, &str)| format!("{distro} {release} on {arch}");
        (wanted != locked).then(|| {
            format!("the lock of {} is for {}, and this build is of {}", self.name, words(locked), words(wanted))
        })
    }

    /// The archive that packages call by this id.
    #[must_use]
    pub fn archive(&self, id: &str) -> Option<&LockedArchive> {
        self.archives.iter().find(|archive| archive.id == id)
    }

    /// Where a package's file is: at this build's own mirror of the archive that had it, or where the lock saw it.
    #[must_use]
    pub fn url(&self, package: &LockedPackage, sources: &[Source]) -> String {
        let archive = self.archive(&package.archive);
        let same = archive.and_then(|archive| {
            let fits = |source: &&Source| {
                source.suite == archive.suite && archive.components.iter().all(|part| source.components.contains(part))
            };
            let exact = sources.iter().find(|source| fits(source) && without_credentials(&source.uri) == archive.uri);
            // Of several archives with the same suite (flat ones have none), it is the one in the same place.
            let rank =
                self.archives.iter().filter(|other| other.suite == archive.suite).position(|other| other == archive);
            exact.or_else(|| sources.iter().filter(fits).nth(rank.unwrap_or(0)))
        });
        let uri = same.map_or_else(|| archive.map_or("", |archive| archive.uri.as_str()), |source| source.uri.as_str());
        format!("{}/{}", uri.trim().trim_end_matches('/'), package.path)
    }
}

impl LockedPackage {
    /// What there is one of in a tree.
    #[must_use]
    pub fn key(&self) -> (&str, &str, &str) {
        (&self.name, &self.version, &self.arch)
    }
}

/// A URL without user name and password, and without a slash at its end: what may stand in a file that others see.
#[must_use]
pub fn without_credentials(url: &str) -> String {
    let url = url.trim().trim_end_matches('/');
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
            format!("{scheme}://{host}{path}")
        }
        None => url.to_owned(),
    }
}

/// Whether a plan makes its tree of packages from archives.
#[must_use]
pub fn installs(plan: &Plan) -> bool {
    plan.steps.iter().any(|step| matches!(step.action, StepAction::Bootstrap(_)))
}

/// The commits that a plan pulls from elsewhere.
pub fn pulled(plan: &Plan) -> impl Iterator<Item = &OstreeDeploy> {
    plan.steps.iter().filter_map(|step| match &step.action {
        StepAction::OstreeDeploy(deploy) if !deploy.composed => Some(deploy),
        _ => None,
    })
}

fn is_word(text: &str) -> bool {
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || b"+-._~:^%{}()".contains(&byte);
    text.bytes().all(fine) && text.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric() || first == b'_')
}

fn is_hex(text: &str) -> bool {
    is_hex_of(text, 64)
}

fn is_hex_of(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_line(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(|char| char.is_control() || char == ' ')
}

fn is_path(text: &str) -> bool {
    is_line(text) && !text.starts_with('/') && text.split('/').all(|part| part != "..")
}

#[cfg(test)]
mod tests;
