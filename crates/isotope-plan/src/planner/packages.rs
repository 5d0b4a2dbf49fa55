//! Packages of a phase, merged over all elements into one transaction; one more for those with recommended packages; and last one for
//! those that variables list. Whoever tries things out changes the last, and what is before it stays as an earlier build left it.

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

impl Wanted {
    /// Leaves to `other` what that installs, too.
    fn yield_to(&mut self, other: &mut Self) {
        self.packages.install.retain(|name, wanting| match other.packages.install.get_mut(name) {
            Some(others) => {
                merge(others, wanting.as_slice());
                false
            }
            None => true,
        });
    }

    fn note(&mut self, element: &Element, origin: &Origin) {
        let known = self.packages.install.values().chain(self.packages.remove.values()).flatten();
        if known.into_iter().all(|other| *other != element.name) {
            self.elements += 1;
        }
        self.origin.get_or_insert_with(|| origin.clone());
    }

    fn install(&mut self, names: Vec<String>, element: &Element, origin: &Origin) {
        if !names.is_empty() {
            self.note(element, origin);
        }
        for name in names {
            merge(self.packages.install.entry(name).or_default(), std::slice::from_ref(&element.name));
        }
    }
}

/// The transactions of a phase, in their order.
#[derive(Default)]
struct Transactions {
    plain: Wanted,
    with_recommends: Wanted,
    listed: Wanted,
}

/// The package steps of a phase.
pub(super) fn plan(scope: &mut Scope<'_>, phase: Phase) -> Vec<Step> {
    let mut all = Transactions::default();
    all.with_recommends.packages.recommends = true;
    for element in &scope.set.elements {
        for section in element.manifest.packages.iter().filter(|section| section.phase == phase) {
            if scope.holds(element, &section.when) {
                collect(scope, element, section, &mut all);
            }
        }
    }
    let Transactions { mut plain, mut with_recommends, mut listed } = all;
    // What is installed with its recommended packages need not be installed without them first.
    plain.yield_to(&mut with_recommends);
    listed.yield_to(&mut plain);
    listed.yield_to(&mut with_recommends);
    contradictions(scope, &plain, [&plain, &with_recommends, &listed]);
    [plain, with_recommends, listed].into_iter().filter_map(|wanted| step(wanted, phase)).collect()
}

fn collect(scope: &mut Scope<'_>, element: &Element, section: &PackagesSection, all: &mut Transactions) {
    let PackagesSection { names, names_from, remove, phase: _, recommends, when: _, line } = section;
    let recommends = scope.truth(element, recommends.as_ref(), "recommends").unwrap_or(false);
    let install = scope.list(element, names, "a package");
    let listed: Vec<String> = match names_from.as_ref().and_then(|name| scope.values.get(&element.name, name)) {
        Some(Value::List(items)) => items.iter().filter(|item| !item.trim().is_empty()).cloned().collect(),
        _ => Vec::new(),
    };
    let remove = scope.list(element, remove, "a package");
    let origin = element.origin(*line);
    let names = || install.iter().chain(&listed).chain(&remove);
    for name in names().filter(|name| !is_package_name(name)) {
        let problem = Problem::configuration(format!("`{name}` is no package name")).at(&origin);
        scope.problem(problem.remedy("names have letters, digits and `+ - . _ : = ~ @ /`, no blanks"));
    }
    if names().next().is_none() {
        return;
    }
    if scope.target.tree == Tree::Ostree {
        let names = names().map(String::as_str).collect::<Vec<_>>().join(", ");
        let message = format!(
            "element {} wants packages ({names}), and the root is a deployment of an ostree commit",
            element.name
        );
        scope.problem(Problem::configuration(message).at(&origin).remedy(
            "put them into the treefile or a layer (isotope compose --from COMMIT --add …); the section itself may say when = { tree = \"package\" }",
        ));
        return;
    }
    let Transactions { plain, with_recommends, listed: by_variables } = all;
    if !remove.is_empty() {
        plain.note(element, &origin);
    }
    for name in remove {
        plain.removed_at.insert(name.clone(), origin.clone());
        merge(plain.packages.remove.entry(name).or_default(), std::slice::from_ref(&element.name));
    }
    let (of_section, of_variable) = if recommends { (with_recommends, None) } else { (plain, Some(by_variables)) };
    of_section.install(install, element, &origin);
    of_variable.unwrap_or(of_section).install(listed, element, &origin);
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

/// What `removing` removes, nobody may want.
fn contradictions(scope: &mut Scope<'_>, removing: &Wanted, wanting: [&Wanted; 3]) {
    let Wanted { packages, removed_at, .. } = removing;
    for (name, removing) in &packages.remove {
        if let Some(wanting) = wanting.iter().find_map(|wanted| wanted.packages.install.get(name)) {
            let message = format!(
                "the package {name} is wanted by {} and removed by {} in the same phase",
                wanting.join(", "),
                removing.join(", ")
            );
            let origin = removed_at.get(name).cloned().unwrap_or_else(implicit);
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
