//! A commit with more packages: checked out, unlaid, installed into by the target's own package manager, laid out and committed again.

use super::{ComposeOptions, LAYOUT_KEY, Layout, assemble, is_package_name, is_reference, json, steps};
use crate::{
    CommitVersion, HostFacts, OstreeCheckout, OstreeCommit, OstreeKernel, OstreeParent, Packages, Plan, PlanErrors,
    Problem, Step, StepAction,
};
use isotope_element::{Origin, Phase};
use std::collections::BTreeMap;

/// The commit that another one is derived from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// Its checksum.
    pub checksum: String,
    /// Its version.
    pub version: Option<String>,
    /// What its metadata says under [`LAYOUT_KEY`].
    pub layout: Layout,
}

/// What is derived.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Derived {
    /// Packages to add.
    pub add: Vec<String>,
    /// Also what they recommend.
    pub recommends: bool,
}

/// Plans a derived compose; `options.reference` is needed.
///
/// # Errors
/// Everything that is wrong with the options, at once.
pub fn derive(base: &Base, what: &Derived, options: &ComposeOptions, facts: &HostFacts) -> Result<Plan, PlanErrors> {
    let mut problems = Vec::new();
    let reference = options.reference.clone().unwrap_or_default();
    if !is_reference(&reference) {
        let problem = Problem::usage("a derived commit needs a ref of its own");
        problems.push(problem.remedy("give one with --ref, such as the base's with a word added"));
    }
    if what.add.is_empty() {
        problems.push(Problem::usage("there is nothing to add").remedy("name packages with --add"));
    }
    for name in what.add.iter().filter(|name| !is_package_name(name)) {
        problems.push(Problem::usage(format!("`{name}` is no package name")));
    }
    if !problems.is_empty() {
        return Err(PlanErrors { problems });
    }
    let Layout { target, kernel, tree } = base.layout.clone();
    let kernel = OstreeKernel { keep_existing: true, ..kernel };
    let layout = Layout {
        target: target.clone(),
        kernel: OstreeKernel { keep_existing: false, ..kernel.clone() },
        tree: tree.clone(),
    };
    let metadata = [
        ("isotope.base".to_owned(), base.checksum.clone()),
        ("isotope.source".to_owned(), format!("{} + {}", base.checksum, what.add.join(" "))),
        (LAYOUT_KEY.to_owned(), json(&layout)),
    ];
    let version = match (&options.version, &base.version) {
        (Some(version), _) => CommitVersion::Given { version: version.clone() },
        (None, Some(version)) => CommitVersion::Automatic { prefix: format!("{version}+add"), suffix: ".".to_owned() },
        (None, None) => CommitVersion::None,
    };
    let commit = OstreeCommit {
        repo: options.repo.clone(),
        reference: reference.clone(),
        parent: options.parent.clone(),
        subject: options.subject.clone().unwrap_or_else(|| format!("{reference}: with {}", what.add.join(", "))),
        version,
        metadata: metadata.into(),
        selinux: target.family == isotope_element::Family::Redhat,
        sign: options.sign.clone(),
        delta: options.delta,
    };
    let install = what.add.iter().map(|name| (name.clone(), vec!["--add".to_owned()])).collect();
    let packages = Packages { install, remove: BTreeMap::new(), recommends: what.recommends };
    let parent = OstreeParent {
        repo: options.repo.clone(),
        reference: reference.clone(),
        parent: options.parent.clone(),
        // Those of the base are in its tree.
        keep_users: false,
        user_files: Vec::new(),
        force: options.force,
    };
    let checkout = OstreeCheckout { repo: options.repo.clone(), rev: base.checksum.clone() };
    let short = base.checksum.get(..12).unwrap_or(&base.checksum);
    let step = |phase, title: String, action| Step {
        id: String::new(),
        phase,
        origin: Origin { element: "compose".to_owned(), file: None, line: None },
        title,
        action,
    };
    let steps = steps::number(vec![
        step(Phase::Root, "look at the commit before this one".to_owned(), StepAction::OstreeParent(parent)),
        step(Phase::Root, format!("check out {short} as a tree for packages"), StepAction::OstreeCheckout(checkout)),
        step(Phase::Install, format!("install {}", what.add.join(", ")), StepAction::Packages(packages)),
        step(
            Phase::PostInstall,
            "kernels that are new, and their initramfs".to_owned(),
            StepAction::OstreeKernel(kernel),
        ),
        step(Phase::PostRoot, "turn the tree into an ostree tree".to_owned(), StepAction::OstreeTree(tree)),
        step(Phase::Export, format!("commit to {reference}"), StepAction::OstreeCommit(commit)),
    ]);
    Ok(assemble(&reference, target, steps, Vec::new(), facts))
}
