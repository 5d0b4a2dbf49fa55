//! `[ostree.compose]`: the plan that makes the commit which this build deploys. It goes before the image's own steps.

use super::ostree::Composed;
use crate::compose::{self, ComposeOptions};
use crate::scope::Scope;
use crate::treefile::{self, Disk, Request};
use crate::{HostFacts, Plan, Problem, SignKey, StepAction};
use isotope_element::{Element, OstreeComposeSection, Tree};
use std::path::{Path, PathBuf};

/// The plan of the one compose of a build, if an element has one. The treefile and what it includes are read.
pub(super) fn plan(scope: &mut Scope<'_>, facts: &HostFacts) -> Option<(Composed, Plan)> {
    let sections: Vec<(&Element, &OstreeComposeSection)> = scope
        .set
        .elements
        .iter()
        .filter_map(|element| Some((element, element.manifest.ostree.as_ref()?.compose.as_ref()?)))
        .filter(|(element, section)| scope.holds(element, &section.when))
        .collect();
    let (element, section) = *sections.first()?;
    for (other, section) in sections.iter().skip(1) {
        let message = format!("element {} composes a commit, and {} does, too", other.name, element.name);
        let problem = Problem::configuration(message).at(&other.origin(section.line));
        scope.problem(problem.remedy("leave one of the two elements out"));
    }
    if scope.target.tree != Tree::Ostree {
        let problem =
            Problem::configuration(format!("element {} composes a commit that nothing deploys", element.name));
        scope.problem(problem.at(&element.origin(section.line)).remedy("add the element ostree-deploy"));
        return None;
    }
    compose(scope, facts, element, section)
}

fn compose(
    scope: &mut Scope<'_>,
    facts: &HostFacts,
    element: &Element,
    section: &OstreeComposeSection,
) -> Option<(Composed, Plan)> {
    let OstreeComposeSection { treefile, release, variables, reference, repo, sign_keys, delta, when: _, line } =
        section;
    let before = scope.problems.len();
    let filled = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
    let request = Request {
        arch: scope.target.arch,
        release: filled(scope.maybe(element, release.as_ref(), "a release")),
        variables: variables
            .iter()
            .filter_map(|(name, template)| {
                Some((name.clone(), scope.public(element, template, "a treefile's variable")?))
            })
            .collect(),
    };
    let reference = filled(scope.maybe(element, reference.as_ref(), "a ref"));
    let repo = filled(scope.maybe(element, repo.as_ref(), "a repository")).map(PathBuf::from);
    let repo = repo.unwrap_or_else(|| facts.cache_dir.join("ostree").join(&element.name));
    if !repo.is_absolute() {
        let problem = Problem::configuration(format!("the repository {} is no absolute path", repo.display()));
        scope.problem(problem.at(&element.origin(*line)));
    }
    let sign =
        scope.list(element, sign_keys, "a key file").into_iter().map(|file| SignKey::Ed25519 { file: file.into() });
    let options = ComposeOptions {
        repo: repo.clone(),
        reference,
        sign: sign.collect(),
        delta: scope.truth(element, delta.as_ref(), "delta").unwrap_or(false),
        ..ComposeOptions::default()
    };
    if scope.problems.len() > before {
        return None;
    }
    let treefile = match treefile::load(treefile, &Disk, &request) {
        Ok(treefile) => treefile,
        Err(errors) => {
            scope.problems.extend(errors.errors.into_iter().map(Problem::from));
            return None;
        }
    };
    if treefile.family != scope.target.family {
        let message = format!(
            "the treefile is one of {}, and element {} makes {}",
            treefile.family, element.name, scope.target.family
        );
        scope.problem(Problem::configuration(message).at(&element.origin(*line)));
    }
    match compose::plan(&treefile, &options, facts) {
        Ok(plan) => {
            let composed =
                Composed { element: element.name.clone(), url: file_url(&repo), reference: reference_of(&plan)? };
            Some((composed, plan))
        }
        Err(errors) => {
            scope.problems.extend(errors.problems);
            None
        }
    }
}

/// The ref that a compose moves.
fn reference_of(plan: &Plan) -> Option<String> {
    plan.steps.iter().find_map(|step| match &step.action {
        StepAction::OstreeCommit(commit) => Some(commit.reference.clone()),
        _ => None,
    })
}

/// `file://` and the path, as libostree decodes it.
fn file_url(path: &Path) -> String {
    let mut url = "file://".to_owned();
    for char in path.to_string_lossy().chars() {
        match char {
            '%' | '#' | '?' | ' ' => url.push_str(&format!("%{:02X}", u32::from(char))),
            other => url.push(other),
        }
    }
    url
}
