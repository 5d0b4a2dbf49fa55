//! Hooks of a phase with their environment.

use super::variables;
use crate::layout::Layout;
use crate::scope::Scope;
use crate::{EnvValue, Hook, HostFacts, Step, StepAction};
use isotope_element::{Element, HookFile, Origin, Phase, Place};
use std::collections::BTreeMap;

/// Where a hook in the target sees its element.
const ELEMENT_IN_TARGET: &str = "/run/isotope/element";

/// What the tools a hook calls rely on: a variable may be called `path`, but `PATH` stays what it is.
const RESERVED: &[&str] = &[
    "BASH_ENV",
    "CDPATH",
    "ENV",
    "GLOBIGNORE",
    "HOME",
    "IFS",
    "LANG",
    "OLDPWD",
    "PATH",
    "PS4",
    "PWD",
    "SHELLOPTS",
    "TERM",
    "TMPDIR",
    "TZ",
    "TARGET_ROOT",
];

/// The hooks of a phase, in the order in which they run.
pub(super) fn plan(scope: &Scope<'_>, phase: Phase, facts: &HostFacts, layout: Option<&Layout>) -> Vec<Step> {
    let hooks = scope.set.hooks(phase).into_iter();
    let surroundings = surroundings(scope, facts, layout);
    hooks
        .filter_map(|file| {
            let element = scope.set.get(&file.element)?;
            let origin = Origin { element: element.name.clone(), file: Some(file.path.clone()), line: None };
            let place = phase.place();
            let side = match place {
                Place::Host => "on the host",
                Place::Target => "in the target",
            };
            let title = format!("run {phase}.d/{} of {} {side}", file.name, element.name);
            Some(Step {
                id: String::new(),
                phase,
                origin,
                title,
                action: StepAction::Hook(hook(scope, element, file, place, surroundings.clone())),
            })
        })
        .collect()
}

fn hook(
    scope: &Scope<'_>,
    element: &Element,
    file: &HookFile,
    place: Place,
    mut env: BTreeMap<String, EnvValue>,
) -> Hook {
    let seen = match place {
        Place::Host => element.dir.to_string_lossy().into_owned(),
        Place::Target => ELEMENT_IN_TARGET.to_owned(),
    };
    env.insert("ISOTOPE_ELEMENT".to_owned(), EnvValue::from(seen));
    let prefix = upper(&element.name);
    for (name, value) in variables(element, scope) {
        let bare = upper(name);
        env.insert(format!("ISOTOPE_{prefix}_{bare}"), value.clone());
        let aliases = element.manifest.vars.get(name).map(|decl| decl.env.as_slice()).unwrap_or_default();
        for name in std::iter::once(&bare).chain(aliases).filter(|name| !is_reserved(name)) {
            env.insert(name.clone(), value.clone());
        }
    }
    let own = file.path.strip_prefix(&element.dir).unwrap_or(&file.path);
    let keep = element.manifest.keep.get(own).copied().unwrap_or_default();
    Hook { script: file.path.clone(), element_dir: element.dir.clone(), place, env, keep }
}

/// What every hook sees.
fn surroundings(scope: &Scope<'_>, facts: &HostFacts, layout: Option<&Layout>) -> BTreeMap<String, EnvValue> {
    let target = scope.target;
    let label = layout.and_then(Layout::root).and_then(|root| root.label.clone());
    let known = [
        ("ARCH", Some(target.arch.deb_name().to_owned())),
        ("DISTRO_NAME", Some(target.distro.clone())),
        ("DIB_RELEASE", Some(target.release.clone())),
        ("DIB_ROOT_LABEL", label),
        ("ISOTOPE_TREE", Some(target.tree.name().to_owned())),
        ("SOURCE_DATE_EPOCH", Some(facts.source_date_epoch.to_string())),
    ];
    known.into_iter().filter_map(|(name, value)| Some((name.to_owned(), EnvValue::from(value?)))).collect()
}

fn upper(name: &str) -> String {
    name.chars().map(|char| if char.is_ascii_alphanumeric() { char.to_ascii_uppercase() } else { '_' }).collect()
}

fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name) || name.starts_with("LD_") || name.starts_with("LC_")
}
