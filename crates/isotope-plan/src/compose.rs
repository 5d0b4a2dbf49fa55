//! From a treefile to a [`Plan`] whose last step commits to an ostree repository. Pure, as the planner of images.
//!
//! The order is rpm-ostree's: packages; what is removed; files that are added; units; scripts; the initramfs; the layout; the commit.

mod derive;
mod steps;

pub use derive::{Base, Derived, derive};
pub(crate) use steps::slug;

use crate::treefile::{Archive, Check, Placed, Treefile, subst_dated};
use crate::{
    CommitVersion, EnvValue, HostFacts, OstreeCommit, OstreeKernel, OstreeTree, PLAN_FORMAT, Plan, PlanErrors, Problem,
    SignKey, Source, Step, Target, UserCheck, ids,
};
use isotope_element::{Family, Origin};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// The version of what a compose makes of its inputs: raised when the same inputs give another tree.
pub const COMPOSE_FORMAT: u32 = 1;

/// Metadata of a commit: a JSON [`Layout`], by which commits are derived from it.
pub const LAYOUT_KEY: &str = "isotope.layout";

/// Where a compose goes, and what is the caller's own of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ComposeOptions {
    /// The archive repository; made if it is not there.
    pub repo: PathBuf,
    /// The ref, instead of the treefile's.
    pub reference: Option<String>,
    /// The version, instead of one that counts itself.
    pub version: Option<String>,
    /// The commit to follow, instead of the ref's own.
    pub parent: Option<String>,
    /// One line about the commit.
    pub subject: Option<String>,
    /// Who signs.
    pub sign: Vec<SignKey>,
    /// Make a static delta from the parent.
    pub delta: bool,
    /// Compose even if nothing has changed.
    pub force: bool,
}

/// What a later compose must know of a commit to derive from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// What it is.
    pub target: Target,
    /// How its kernels were made.
    pub kernel: OstreeKernel,
    /// How it was laid out.
    pub tree: OstreeTree,
}

/// Plans a compose.
///
/// # Errors
/// Everything that is wrong with the treefile or the options, at once.
pub fn plan(treefile: &Treefile, options: &ComposeOptions, facts: &HostFacts) -> Result<Plan, PlanErrors> {
    let mut problems = Vec::new();
    let reference = reference(treefile, options, &mut problems);
    let sources = sources(treefile, facts, &mut problems);
    contradictions(treefile, &mut problems);
    let version = version(treefile, options, facts, &mut problems);
    let target = Target {
        arch: treefile.arch,
        distro: treefile.distro.clone(),
        family: treefile.family,
        release: treefile.release.clone(),
    };
    let layout = Layout {
        target: target.clone(),
        kernel: OstreeKernel {
            initramfs: treefile.initramfs.clone(),
            keep_existing: false,
            boot_location: treefile.boot_location,
        },
        tree: tree(treefile),
    };
    let mut metadata = treefile.commit_metadata.clone();
    let file = treefile.file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    metadata.insert("isotope.source".to_owned(), file.clone());
    metadata.insert(LAYOUT_KEY.to_owned(), json(&layout));
    let commit = OstreeCommit {
        repo: options.repo.clone(),
        reference: reference.clone(),
        parent: options.parent.clone(),
        subject: options.subject.clone().unwrap_or_else(|| format!("{reference} from {file}")),
        version,
        metadata,
        selinux: treefile.selinux.as_ref().map_or(treefile.family == Family::Redhat, |selinux| selinux.value),
        sign: options.sign.clone(),
        delta: options.delta,
    };
    let steps = steps::plan(treefile, options, sources, layout, commit);
    if !problems.is_empty() {
        return Err(PlanErrors { problems });
    }
    let mut warnings: Vec<String> = treefile.warnings.iter().map(ToString::to_string).collect();
    warnings.extend(unverified(&steps));
    Ok(assemble(&reference, target, steps, warnings, facts))
}

/// A plan of these steps.
fn assemble(reference: &str, target: Target, steps: Vec<Step>, warnings: Vec<String>, facts: &HostFacts) -> Plan {
    let name = reference.replace(|char: char| !char.is_ascii_alphanumeric() && !"-_.".contains(char), "-");
    Plan {
        format: PLAN_FORMAT,
        seed: ids::seed(None, &name),
        name,
        target,
        elements: Vec::new(),
        inputs: Vec::new(),
        steps,
        layout: None,
        boot: None,
        exports: Vec::new(),
        source_date_epoch: facts.source_date_epoch,
        properties: BTreeMap::new(),
        checks: Vec::new(),
        warnings,
    }
}

fn json(value: &impl Serialize) -> String {
    // Plain data with text keys has a JSON form.
    serde_json::to_string(value).unwrap_or_default()
}

/// A value that is no secret.
fn public(value: String) -> EnvValue {
    EnvValue { value, secret: false }
}

/// Whether a text is a ref, as libostree has it.
pub(crate) fn is_reference(text: &str) -> bool {
    let part = |part: &str| {
        part.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '_')
            && part.chars().all(|char| char.is_ascii_alphanumeric() || "-_.".contains(char))
    };
    text.split('/').all(part)
}

fn reference(treefile: &Treefile, options: &ComposeOptions, problems: &mut Vec<Problem>) -> String {
    let origin = Origin { element: "treefile".to_owned(), file: Some(treefile.file.clone()), line: None };
    let (text, origin) = match (&options.reference, &treefile.reference) {
        (Some(given), _) => (given.clone(), None),
        (None, Some(Placed { value, origin })) => (value.clone(), Some(origin.clone())),
        (None, None) => {
            let problem = Problem::configuration("the treefile names no ref").at(&origin);
            problems.push(problem.remedy("write `ref: …`, or give one with --ref"));
            return String::new();
        }
    };
    if !is_reference(&text) {
        let problem = Problem::configuration(format!("`{text}` is no ref"));
        let problem = origin.into_iter().fold(problem, |problem, origin| problem.at(&origin));
        problems.push(
            problem.remedy("parts between slashes have letters, digits and `-_.`, and begin with a letter or digit"),
        );
    }
    text
}

fn sources(treefile: &Treefile, facts: &HostFacts, problems: &mut Vec<Problem>) -> Vec<Source> {
    let mut sources = Vec::new();
    for Placed { value: archive, origin } in &treefile.archives {
        let Archive { uri, suite, components, keyring, verify } = archive.clone();
        let uri = match uri.trim().strip_prefix("host:") {
            None => uri.trim().to_owned(),
            Some(name) => match facts.mirrors.get(name) {
                Some(mirror) => mirror.clone(),
                None => {
                    let message = format!("`host:{name}`: this host has no archive of that kind configured");
                    problems.push(Problem::environment(message).at(origin).remedy("write the archive's URL instead"));
                    continue;
                }
            },
        };
        if verify && keyring.is_none() {
            let message = format!("the archive {uri} has no key file to verify it with");
            problems.push(Problem::configuration(message).at(origin).remedy("give one, or switch verification off"));
        }
        sources.push(Source { uri, suite, components, keyring, verify });
    }
    sources
}

fn contradictions(treefile: &Treefile, problems: &mut Vec<Problem>) {
    let excluded: BTreeSet<&str> = treefile.exclude_packages.iter().map(|name| name.value.as_str()).collect();
    for name in treefile.bootstrap_packages.iter().chain(&treefile.packages) {
        if excluded.contains(name.value.as_str()) {
            let message = format!("the package {} is wanted and excluded", name.value);
            problems
                .push(Problem::configuration(message).at(&name.origin).remedy("leave it out of one of the two lists"));
        }
        if !is_package_name(&name.value) {
            let problem = Problem::configuration(format!("`{}` is no package name", name.value)).at(&name.origin);
            problems.push(problem.remedy("names have letters, digits and `+ - . _ : = ~ @ /`, no blanks"));
        }
    }
    if treefile.packages.is_empty() && treefile.bootstrap_packages.is_empty() {
        let origin = Origin { element: "treefile".to_owned(), file: Some(treefile.file.clone()), line: None };
        let problem = Problem::configuration("the treefile lists no packages").at(&origin);
        problems.push(problem.remedy("write `packages: […]`"));
    }
}

/// `name`, `name:arch`, `name=version`, `@group`, `name.arch`, a file.
fn is_package_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '@' || first == '/')
        && name.chars().all(|char| char.is_ascii_alphanumeric() || "+-._:=~@/^".contains(char))
}

fn version(
    treefile: &Treefile,
    options: &ComposeOptions,
    facts: &HostFacts,
    problems: &mut Vec<Problem>,
) -> CommitVersion {
    match (&options.version, &treefile.version) {
        (Some(version), _) => CommitVersion::Given { version: version.clone() },
        (None, Some((prefix, suffix))) => match subst_dated(prefix, facts.source_date_epoch) {
            Ok(prefix) => CommitVersion::Automatic { prefix, suffix: suffix.clone() },
            Err(part) => {
                let message = format!("`{part}` in automatic-version-prefix `{prefix}` is no part of a date");
                problems.push(Problem::configuration(message).remedy("use %Y %m %d %H %M %S, as in <date:%Y%m%d>"));
                CommitVersion::None
            }
        },
        (None, None) => CommitVersion::None,
    }
}

fn tree(treefile: &Treefile) -> OstreeTree {
    let check = |check: &Check| if *check == Check::None { UserCheck::None } else { UserCheck::Previous };
    OstreeTree {
        tmp_is_dir: treefile.tmp_is_dir,
        machineid_compat: treefile.machineid_compat,
        etc_group_members: treefile.etc_group_members.clone(),
        check_users: check(&treefile.check_passwd),
        check_groups: check(&treefile.check_groups),
        ignore_removed_users: treefile.ignore_removed_users.clone(),
        ignore_removed_groups: treefile.ignore_removed_groups.clone(),
    }
}

fn unverified(steps: &[Step]) -> Vec<String> {
    let sources = steps.iter().filter_map(|step| match &step.action {
        crate::StepAction::Bootstrap(bootstrap) => Some(&bootstrap.sources),
        _ => None,
    });
    let unverified = sources.flatten().filter(|source| !source.verify);
    unverified.map(|source| format!("the signatures of {} ({}) are not verified", source.uri, source.suite)).collect()
}
