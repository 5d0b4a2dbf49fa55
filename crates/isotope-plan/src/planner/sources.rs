//! The base tree: `[bootstrap]` of the operating system, its archives as they are used on this host.

use crate::scope::Scope;
use crate::{Bootstrap, HostFacts, PackagePolicy, Problem, Source, Step, StepAction};
use isotope_element::{BootstrapSection, Element, Phase, SourceSection};
use std::path::PathBuf;

/// The step that makes the base tree, if an element makes one.
pub(super) fn bootstrap(scope: &mut Scope<'_>, facts: &HostFacts, warnings: &mut Vec<String>) -> Option<Step> {
    let mut found =
        scope.set.elements.iter().filter_map(|element| Some((element, element.manifest.bootstrap.as_ref()?)));
    let (element, section) = found.next()?;
    let others: Vec<Problem> = found
        .map(|(other, section)| {
            let message = format!("element {} has a [bootstrap], but {} has one too", other.name, element.name);
            Problem::configuration(message).at(&other.origin(section.line)).remedy("leave one of the two elements out")
        })
        .collect();
    scope.problems.extend(others);
    let BootstrapSection { packages, sources, line } = section;
    let packages = scope.list(element, packages, "a package");
    let before = scope.problems.len();
    let planned: Vec<Source> = sources.iter().filter_map(|section| source(scope, facts, element, section)).collect();
    let origin = element.origin(*line);
    if planned.is_empty() && scope.problems.len() == before {
        let problem = Problem::configuration(
            "there is no archive to make the base tree from: all [[bootstrap.sources]] are empty",
        );
        scope.problem(problem.at(&origin).remedy("give one a uri"));
    }
    for source in planned.iter().filter(|source| !source.verify) {
        warnings.push(format!("the signatures of {} ({}) are not verified", source.uri, source.suite));
    }
    let title = format!("make the base tree of {} {}", scope.target.distro, scope.target.release);
    Some(Step {
        id: String::new(),
        phase: Phase::Root,
        origin,
        title,
        action: StepAction::Bootstrap(Bootstrap { packages, sources: planned, policy: PackagePolicy::default() }),
    })
}

/// One archive; an empty uri means none.
fn source(scope: &mut Scope<'_>, facts: &HostFacts, element: &Element, section: &SourceSection) -> Option<Source> {
    let SourceSection { uri, suite, components, keyring, verify, when, line } = section;
    if !scope.holds(element, when) {
        return None;
    }
    let origin = element.origin(*line);
    let uri = scope.public(element, uri, "an archive's uri").filter(|uri| !uri.trim().is_empty())?;
    let uri = match uri.trim().strip_prefix("host:") {
        None => uri.trim().to_owned(),
        Some(name) => {
            let Some(mirror) = facts.mirrors.get(name) else {
                let message = format!("`host:{name}`: this host has no archive of that kind configured");
                let remedy = "name one: --set ELEMENT.mirror=URL (see `isotope elements show`)"
                    .replace("ELEMENT", &element.name);
                scope.problem(Problem::environment(message).at(&origin).remedy(remedy));
                return None;
            };
            mirror.clone()
        }
    };
    let keyring =
        scope.maybe(element, keyring.as_ref(), "a key file").filter(|path| !path.is_empty()).map(PathBuf::from);
    let verify = scope.truth(element, verify.as_ref(), "verify").unwrap_or(true);
    if verify && keyring.is_none() {
        let problem =
            Problem::configuration(format!("the archive {uri} has no key file to verify it with")).at(&origin);
        scope.problem(problem.remedy("give a keyring, or verify = false"));
    }
    Some(Source {
        uri,
        suite: scope.public(element, suite, "a suite")?,
        components: scope.list(element, components, "a component"),
        keyring,
        verify,
    })
}
