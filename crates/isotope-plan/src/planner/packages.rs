//! Packages of a phase, merged over all elements into one transaction (and one more for those with recommended packages).

use super::implicit;
use crate::scope::Scope;
use crate::{Packages, Problem, Step, StepAction};
use isotope_element::{Element, Origin, PackagesSection, Phase, Tree, Value};
use std::collections::BTreeMap;

/// Who wants what, in the order of the elements.
#[derive(Default)]
struct Wanted {
    packages: Packages,
    origin: Option<Origin>,
    elements: usize,
    removed_at: BTreeMap<String, Origin>,
}

/// The package steps of a phase.
pub(super) fn plan(scope: &mut Scope<'_>, phase: Phase) -> Vec<Step> {
    let (mut plain, mut with_recommends) = (Wanted::default(), Wanted::default());
    with_recommends.packages.recommends = true;
    for element in &scope.set.elements {
        for section in element.manifest.packages.iter().filter(|section| section.phase == phase) {
            if !scope.holds(element, &section.when) {
                continue;
            }
            let recommends = scope.truth(element, section.recommends.as_ref(), "recommends").unwrap_or(false);
            let wanted = if recommends { &mut with_recommends } else { &mut plain };
            collect(scope, element, section, wanted);
        }
    }
    // What is installed with its recommended packages need not be installed without them first.
    plain.packages.install.retain(|name, wanting| match with_recommends.packages.install.get_mut(name) {
        Some(others) => {
            merge(others, wanting.as_slice());
            false
        }
        None => true,
    });
    for (name, removing) in with_recommends.packages.remove.split_off("") {
        merge(plain.packages.remove.entry(name).or_default(), &removing);
    }
    plain.removed_at.append(&mut with_recommends.removed_at);
    contradictions(scope, &plain, &with_recommends);
    [plain, with_recommends].into_iter().filter_map(|wanted| step(wanted, phase)).collect()
}

fn collect(scope: &mut Scope<'_>, element: &Element, section: &PackagesSection, wanted: &mut Wanted) {
    let PackagesSection { names, names_from, remove, phase: _, recommends: _, when: _, line } = section;
    let mut install = scope.list(element, names, "a package");
    if let Some(Value::List(items)) = names_from.as_ref().and_then(|name| scope.values.get(&element.name, name)) {
        install.extend(items.iter().filter(|item| !item.trim().is_empty()).cloned());
    }
    let remove = scope.list(element, remove, "a package");
    let origin = element.origin(*line);
    for name in install.iter().chain(&remove).filter(|name| !is_package_name(name)) {
        let problem = Problem::configuration(format!("`{name}` is no package name")).at(&origin);
        scope.problem(problem.remedy("names have letters, digits and `+ - . _ : = ~ @ /`, no blanks"));
    }
    if install.is_empty() && remove.is_empty() {
        return;
    }
    if scope.target.tree == Tree::Ostree {
        let names = install.iter().chain(&remove).map(String::as_str).collect::<Vec<_>>().join(", ");
        let message = format!(
            "element {} wants packages ({names}), and the root is a deployment of an ostree commit",
            element.name
        );
        scope.problem(Problem::configuration(message).at(&origin).remedy(
            "put them into the treefile or a layer (isotope compose --from COMMIT --add …); the section itself may say when = { tree = \"package\" }",
        ));
        return;
    }
    let own = std::slice::from_ref(&element.name);
    if !wanted
        .packages
        .install
        .values()
        .chain(wanted.packages.remove.values())
        .flatten()
        .any(|other| *other == element.name)
    {
        wanted.elements += 1;
    }
    for name in install {
        merge(wanted.packages.install.entry(name).or_default(), own);
    }
    for name in remove {
        wanted.removed_at.insert(name.clone(), origin.clone());
        merge(wanted.packages.remove.entry(name).or_default(), own);
    }
    wanted.origin.get_or_insert(origin);
}

/// `name`, `name:arch`, `name=version`, `@group`, `name.arch`.
fn is_package_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '@' || first == '/')
        && name.chars().all(|char| char.is_ascii_alphanumeric() || "+-._:=~@/^".contains(char))
}

fn merge(into: &mut Vec<String>, more: &[String]) {
    for name in more {
        if !into.contains(name) {
            into.push(name.clone());
        }
    }
}

fn contradictions(scope: &mut Scope<'_>, plain: &Wanted, with_recommends: &Wanted) {
    for (name, removing) in &plain.packages.remove {
        let wanting = plain.packages.install.get(name).or_else(|| with_recommends.packages.install.get(name));
        if let Some(wanting) = wanting {
            let message = format!(
                "the package {name} is wanted by {} and removed by {} in the same phase",
                wanting.join(", "),
                removing.join(", ")
            );
            let origin = plain.removed_at.get(name).cloned().unwrap_or_else(implicit);
            scope.problem(
                Problem::configuration(message)
                    .at(&origin)
                    .remedy("leave one of the elements out, or remove it in a later phase"),
            );
        }
    }
}

fn step(wanted: Wanted, phase: Phase) -> Option<Step> {
    let Wanted { packages, origin, elements, removed_at: _ } = wanted;
    let (install, remove) = (packages.install.len(), packages.remove.len());
    let mut parts = Vec::new();
    if install > 0 {
        parts.push(format!("install {install} package{}", plural(install)));
    }
    if remove > 0 {
        parts.push(format!("remove {remove} package{}", plural(remove)));
    }
    if parts.is_empty() {
        return None;
    }
    let mut title = parts.join(", ");
    if packages.recommends {
        title.push_str(" with what they recommend");
    }
    if elements > 1 {
        title.push_str(&format!(" for {elements} elements"));
    }
    let origin = if elements == 1 { origin.unwrap_or_else(implicit) } else { implicit() };
    Some(Step { id: String::new(), phase, origin, title, action: StepAction::Packages(packages) })
}

const fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}
