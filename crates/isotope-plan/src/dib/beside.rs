//! Elements of diskimage-builder's beside those of a recipe: their packages, hooks and environment, as steps of its phases.
//!
//! The tree and the disk are those of Isotope's elements. So what these bring for either is refused; the packages that they list are
//! installed like all others, in a transaction of their own; and their hooks of a phase run when those of Isotope's elements have.

use super::make::{of_build, planned};
use super::steps::hooks;
use super::variables::Disk;
use super::{Input, Options, Request, checks, fetches};
use crate::blockdev::Values;
use crate::layout::{Filesystem, Layout};
use crate::scope::Scope;
use crate::{
    DibAction, DibBuild, DibHooks, EnvValue, HostFacts, Packages, PlannedElement, Problem, Recipe, Step, StepAction,
};
use isotope_element::dib::environment::{plain_default, set_by};
use isotope_element::dib::pkg_map::Mapped;
use isotope_element::dib::run_parts::NameFilter;
use isotope_element::dib::{Catalogue, ElementSet, ElementsPath, HookTree, PkgMap, squash};
use isotope_element::{Origin, Phase, Tree};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The elements, and what planning them needs.
#[derive(Debug, Clone, Copy)]
pub struct Beside<'a> {
    /// Where they come from.
    pub path: &'a ElementsPath,
    /// All of that path.
    pub catalogue: &'a Catalogue,
    /// Those of the image, in order.
    pub set: &'a ElementSet,
    /// Their hooks.
    pub tree: &'a HookTree,
    /// The caller's environment. Hooks see of it what is theirs (`DIB_…`) and what no program does without.
    pub environment: &'a BTreeMap<String, String>,
    /// The working directory of hooks on the host.
    pub directory: &'a Path,
    /// The `isotope` binary.
    pub binary: Option<&'a PathBuf>,
    /// A Python for hooks on the host (`DIB_PYTHON_EXEC`).
    pub python: &'a String,
}

/// Variables of the caller that hooks see beside `DIB_…` and those of proxies.
const KEPT: [&str; 9] =
    ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "break", "break_cmd", "break_outside_target"];
/// Phases whose hooks run where there is no disk of diskimage-builder's.
const PHASES: [Phase; 9] = [
    Phase::Root,
    Phase::ExtraData,
    Phase::PreInstall,
    Phase::Install,
    Phase::PostInstall,
    Phase::PostRoot,
    Phase::PreFinalise,
    Phase::Finalise,
    Phase::Cleanup,
];

/// What they add to a plan.
pub(crate) struct Planned {
    /// For the plan's list.
    pub elements: Vec<PlannedElement>,
    begin: Box<DibBuild>,
    hooks: BTreeMap<Phase, (String, DibHooks)>,
    /// Before the hooks of a phase, and behind them.
    install: BTreeMap<Phase, Packages>,
    remove: BTreeMap<Phase, Packages>,
}

/// What is decided of the image already.
pub(crate) struct Around<'a> {
    pub recipe: &'a Recipe,
    pub layout: Option<&'a Layout>,
    pub facts: &'a HostFacts,
}

/// Plans them. Problems and warnings are left with the caller.
pub(crate) fn plan(
    beside: &Beside<'_>,
    around: &Around<'_>,
    scope: &mut Scope<'_>,
    warnings: &mut Vec<String>,
) -> Option<Planned> {
    let Around { recipe, layout, facts } = *around;
    let mut problems = Vec::new();
    let settled = Request::settle(
        &options(beside, recipe, scope),
        &environment(beside, recipe, scope),
        beside.directory,
        scope.target.arch.deb_name(),
    );
    let request = settled.map_err(|found| problems.extend(found)).ok();
    problems.extend(refused(beside, scope));
    let filter = request.as_ref().and_then(|request| request.run_parts_regex.as_deref());
    let filter = NameFilter::new(filter).map_err(|message| problems.push(Problem::usage(message))).unwrap_or_default();
    let Some(request) = request.filter(|_| problems.is_empty()) else {
        scope.problems.extend(problems);
        return None;
    };
    let Beside { path, set, tree, binary, python, .. } = *beside;
    let input = Input { request: &request, path, set, tree, block_devices: None, facts, binary, python };
    problems.extend(checks::environment(&input));
    warnings.extend(tree.ignored.iter().map(ToString::to_string));
    warnings.extend(checks::ignored(&input, &filter));
    if tree.mentions(&["pre-finalise.d", "finalise.d", "cleanup.d"], "IMAGE_BLOCK_DEVICE") {
        warnings.push(
            "a hook of diskimage-builder's elements names IMAGE_BLOCK_DEVICE, which is not set in a recipe: partitions have loop devices of their own, and the boot loader is that of `bootloader`"
                .to_owned(),
        );
    }
    let mut begin = of_build(&input, &disk(layout));
    for name in secrets(scope) {
        if let Some(variable) = begin.environment.get_mut(name) {
            variable.secret = true;
        }
    }
    begin.beside = true;
    begin.clamp_times = true;
    begin.keep_old = false;
    let known = known(beside, &begin);
    begin.fetches = fetches::of(beside, &known, &mut problems);
    let (install, remove) = packages(beside, &known, scope, &mut problems, warnings);
    scope.problems.extend(problems);
    Some(Planned {
        elements: set.elements.iter().map(planned).collect(),
        begin: Box::new(begin),
        hooks: of_phases(tree, &filter),
        install,
        remove,
    })
}

fn options(beside: &Beside<'_>, recipe: &Recipe, scope: &Scope<'_>) -> Options {
    Options {
        elements: beside.set.names().into_iter().map(str::to_owned).collect(),
        arch: Some(scope.target.arch.deb_name().to_owned()),
        output: Some(recipe.name.clone()),
        skip_base: true,
        ..Options::default()
    }
}

/// The caller's part, what elements of Isotope's have for a variable of diskimage-builder's, the recipe's own.
fn environment(beside: &Beside<'_>, recipe: &Recipe, scope: &Scope<'_>) -> BTreeMap<String, String> {
    let is_theirs =
        |name: &str| name.starts_with("DIB_") || KEPT.contains(&name) || name.to_ascii_lowercase().ends_with("_proxy");
    let mut env: BTreeMap<String, String> = beside
        .environment
        .iter()
        .filter(|(name, _)| is_theirs(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    for element in &scope.set.elements {
        for (name, declared) in &element.manifest.vars {
            let value = scope.values.get(&element.name, name).map(ToString::to_string).unwrap_or_default();
            // What is said in words of ours means nothing there.
            if !value.starts_with("host:") {
                env.extend(declared.env.iter().map(|alias| (alias.clone(), value.clone())));
            }
        }
    }
    let target = scope.target;
    env.insert("DISTRO_NAME".to_owned(), target.distro.clone());
    env.insert("DIB_RELEASE".to_owned(), target.release.clone());
    env.entry("DIB_PYTHON_VERSION".to_owned()).or_insert_with(|| "3".to_owned());
    env.entry("DIB_INIT_SYSTEM".to_owned()).or_insert_with(|| "systemd".to_owned());
    env.entry("EFI_BOOT_DIR".to_owned()).or_insert_with(|| format!("EFI/{}", target.distro));
    env.extend(recipe.environment.clone());
    env
}

/// Names by which hooks see what elements of Isotope's declare as a secret; the names themselves need not tell it.
fn secrets<'a>(scope: &Scope<'a>) -> impl Iterator<Item = &'a String> {
    let declared = scope.set.elements.iter().flat_map(|element| element.manifest.vars.values());
    declared.filter(|variable| variable.secret).flat_map(|variable| &variable.env)
}

/// What cannot be beside elements of Isotope's.
fn refused(beside: &Beside<'_>, scope: &Scope<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let blocks = "leave it out, or build the image with disk-image-create";
    if scope.target.tree == Tree::Ostree {
        let names = beside.set.names().join(", ");
        let message = format!(
            "elements in diskimage-builder's format ({names}) act on a tree of packages, and the root is a deployment of an ostree commit"
        );
        let remedy = "do what they do when the tree is composed (a postprocess-script of its treefile)";
        problems.push(Problem::configuration(message).remedy(remedy));
    }
    if let Some((element, file)) = beside.set.block_device(scope.target.arch.deb_name()) {
        let message = format!("element {element} has block devices, and the disk is the layout of Isotope's elements");
        let origin = Origin { element: element.to_owned(), file: Some(file.clone()), line: None };
        problems.push(Problem::configuration(message).at(&origin).remedy(blocks));
    }
    for (dest, file) in &beside.tree.files {
        if dest.parent() == Some(Path::new("block-device.d")) {
            let message = format!("element {} makes block devices, and the disk is Isotope's", file.element);
            let origin = Origin { element: file.element.clone(), file: Some(file.source.clone()), line: None };
            problems.push(Problem::configuration(message).at(&origin).remedy(blocks));
        }
    }
    problems
}

fn disk(layout: Option<&Layout>) -> Disk {
    let mounted: Vec<(&str, &Filesystem)> = layout
        .iter()
        .flat_map(|layout| &layout.partitions)
        .filter_map(|partition| partition.filesystem.as_ref())
        .filter_map(|filesystem| Some((filesystem.mount.as_ref()?.path.as_str(), filesystem)))
        .collect();
    let root = layout.and_then(Layout::root);
    let boot = mounted.iter().find(|(mount, _)| *mount == "/boot").map(|(_, filesystem)| *filesystem);
    let label = |of: Option<&Filesystem>| of.and_then(|filesystem| filesystem.label.clone()).unwrap_or_default();
    let values = Values {
        root_label: label(root),
        root_fstype: root.map_or("ext4", |root| root.kind.name()).to_owned(),
        boot_label: label(boot),
        mount_points: mounted.iter().map(|(mount, _)| *mount).collect::<Vec<_>>().join("|"),
    };
    Disk { values, root_uuid: root.map(|root| root.uuid) }
}

/// A phase without hooks has a step all the same where hooks of `extra-data.d` may put some.
fn of_phases(tree: &HookTree, filter: &NameFilter) -> BTreeMap<Phase, (String, DibHooks)> {
    let mut found = BTreeMap::new();
    let mut adds = false;
    for phase in PHASES {
        let (title, hooks) = hooks(tree, filter, phase);
        if adds || !hooks.scripts.is_empty() {
            adds |= phase == Phase::ExtraData;
            found.insert(phase, (title, hooks));
        }
    }
    found
}

type Wishes = BTreeMap<Phase, Packages>;

/// Variables that conditions and places of sources name: those of the build, and defaults that `environment.d` says in one plain line.
/// Bash is not run here.
fn known(beside: &Beside<'_>, begin: &DibBuild) -> BTreeMap<String, String> {
    let mut env: BTreeMap<String, String> =
        begin.environment.iter().map(|(name, EnvValue { value, .. })| (name.clone(), value.clone())).collect();
    env.entry("DIB_DEFAULT_INSTALLTYPE".to_owned()).or_insert_with(|| begin.install_type.clone());
    let files = beside.tree.environment_files();
    for name in set_by(&files) {
        if let Some(value) = plain_default(&files, &name).filter(|_| !env.contains_key(&name)) {
            env.insert(name, value);
        }
    }
    env
}

/// What elements list in `package-installs`, by the names that the distribution has.
fn packages(
    beside: &Beside<'_>,
    known: &BTreeMap<String, String>,
    scope: &Scope<'_>,
    problems: &mut Vec<Problem>,
    warnings: &mut Vec<String>,
) -> (Wishes, Wishes) {
    let (mut install, mut remove) = (Wishes::new(), Wishes::new());
    let squashed = match squash(beside.catalogue, beside.set, known) {
        Ok(squashed) => squashed,
        Err(errors) => {
            let remedy = "say its value in [environment] of the recipe";
            problems
                .extend(errors.0.into_iter().map(|error| Problem::from(error).maybe_remedy(Some(remedy.to_owned()))));
            return (install, remove);
        }
    };
    warnings.extend(squashed.warnings.iter().map(ToString::to_string));
    let mut maps: BTreeMap<&str, PkgMap> = BTreeMap::new();
    for element in &beside.set.elements {
        let file = element.dir.join("pkg-map");
        match file.is_file().then(|| PkgMap::read(&file)).transpose() {
            Ok(map) => maps.extend(map.map(|map| (element.name.as_str(), map))),
            Err(errors) => problems.extend(errors.into_iter().map(Problem::from)),
        }
    }
    let named = |package: &str, element: &str| {
        let map = maps.get(element).map(|map| map.map(package, &scope.target.distro, &scope.target.release));
        match map {
            Some(Mapped::Packages(names)) => names,
            Some(Mapped::Skip) => Vec::new(),
            Some(Mapped::Missing) | None => vec![package.to_owned()],
        }
    };
    for (dir, wishes) in &squashed.phases {
        let Some(phase) = PHASES.into_iter().find(|phase| format!("{phase}.d") == *dir) else { continue };
        for (package, element) in &wishes.install {
            for name in named(package, element) {
                wish(&mut install.entry(phase).or_default().install, name, element);
            }
        }
        for (package, element) in &wishes.uninstall {
            for name in named(package, element) {
                wish(&mut remove.entry(phase).or_default().remove, name, element);
            }
        }
    }
    (install, remove)
}

fn wish(into: &mut BTreeMap<String, Vec<String>>, name: String, element: &str) {
    let who = into.entry(name).or_default();
    if !who.iter().any(|other| other == element) {
        who.push(element.to_owned());
    }
}

impl Planned {
    /// Their steps of a phase, in order.
    pub(crate) fn steps(&self, phase: Phase) -> Vec<Step> {
        let mut steps = Vec::new();
        if phase == Phase::Root {
            let title = format!("merge the hooks of {} elements of diskimage-builder's", self.elements.len());
            steps.push(step(phase, title, StepAction::Dib(DibAction::Begin(self.begin.clone()))));
        }
        let transaction = |what: &str, packages: &Packages| {
            let names = packages.install.len() + packages.remove.len();
            let title =
                format!("{what} {names} package{} for diskimage-builder's elements", if names == 1 { "" } else { "s" });
            step(phase, title, StepAction::Packages(packages.clone()))
        };
        steps.extend(self.install.get(&phase).map(|packages| transaction("install", packages)));
        if let Some((title, hooks)) = self.hooks.get(&phase) {
            let title = format!("{title} of diskimage-builder's elements");
            steps.push(step(phase, title, StepAction::Dib(DibAction::Hooks(hooks.clone()))));
        }
        steps.extend(self.remove.get(&phase).map(|packages| transaction("remove", packages)));
        steps
    }
}

fn step(phase: Phase, title: String, action: StepAction) -> Step {
    let origin = Origin { element: "isotope".to_owned(), file: None, line: None };
    Step { id: String::new(), phase, origin, title, action }
}
