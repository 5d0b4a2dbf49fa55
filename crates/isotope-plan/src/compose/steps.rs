//! The steps of a compose, in the order in which they are done.

use super::{ComposeOptions, Layout, public};
use crate::treefile::{AddFile, Check, Placed, RemoveFrom, Treefile};
use crate::{
    Bootstrap, Files, Hook, OstreeCommit, OstreeParent, OstreeTrim, PackagePolicy, Packages, RemoveFromPackage, Script,
    Services, Source, Step, StepAction, Write,
};
use isotope_element::{Family, Keep, Origin, Phase, Place};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What the enabled units are written to, so that `systemctl preset-all` in the booted tree agrees.
const PRESET: &str = "/usr/lib/systemd/system-preset/40-isotope-compose.preset";

pub(super) fn plan(
    treefile: &Treefile,
    options: &ComposeOptions,
    sources: Vec<Source>,
    layout: Layout,
    commit: OstreeCommit,
) -> Vec<Step> {
    let mut steps = Steps { treefile, steps: Vec::new() };
    steps.add(
        Phase::Root,
        "look at the commit before this one",
        StepAction::OstreeParent(parent(treefile, options, &commit)),
    );
    steps.packages(sources);
    let trim = trim(treefile);
    if trim != OstreeTrim::default() {
        steps.add(Phase::Install, "remove and set what the treefile says", StepAction::OstreeTrim(trim));
    }
    steps.contents();
    steps.scripts();
    let Layout { target: _, kernel, tree } = layout;
    let title = if kernel.initramfs.is_some() { "kernels, and their initramfs by dracut" } else { "kernels" };
    steps.add(Phase::PostInstall, title, StepAction::OstreeKernel(kernel));
    steps.add(Phase::PostRoot, "turn the tree into an ostree tree", StepAction::OstreeTree(tree));
    let title = format!("commit to {}", commit.reference);
    steps.add(Phase::Export, &title, StepAction::OstreeCommit(commit));
    number(steps.steps)
}

/// Gives steps their ids.
pub(super) fn number(mut steps: Vec<Step>) -> Vec<Step> {
    let mut counts: BTreeMap<Phase, usize> = BTreeMap::new();
    for step in &mut steps {
        let count = counts.entry(step.phase).or_default();
        *count += 1;
        step.id = format!("{}/{count:02}-{}", step.phase, slug(&step.action));
    }
    steps
}

/// The word that names a step of a compose within its phase.
pub(crate) const fn slug(action: &StepAction) -> &'static str {
    match action {
        StepAction::Bootstrap(_) => "bootstrap",
        StepAction::Packages(_) => "packages",
        StepAction::Files(_) => "files",
        StepAction::Write(_) => "write",
        StepAction::Services(_) => "services",
        StepAction::Hook(_) => "hook",
        StepAction::Script(_) => "script",
        StepAction::OstreeParent(_) => "parent",
        StepAction::OstreeCheckout(_) => "checkout",
        StepAction::OstreeTrim(_) => "trim",
        StepAction::OstreeKernel(_) => "kernel",
        StepAction::OstreeTree(_) => "tree",
        StepAction::OstreeCommit(_) => "commit",
        _ => "step",
    }
}

struct Steps<'t> {
    treefile: &'t Treefile,
    steps: Vec<Step>,
}

impl Steps<'_> {
    fn add(&mut self, phase: Phase, title: &str, action: StepAction) {
        let origin = Origin { element: "treefile".to_owned(), file: Some(self.treefile.file.clone()), line: None };
        self.add_at(phase, origin, title, action);
    }

    fn add_at(&mut self, phase: Phase, origin: Origin, title: &str, action: StepAction) {
        self.steps.push(Step { id: String::new(), phase, origin, title: title.to_owned(), action });
    }

    fn packages(&mut self, sources: Vec<Source>) {
        let treefile = self.treefile;
        let plain = |names: &[Placed<String>]| names.iter().map(|name| name.value.clone()).collect::<Vec<_>>();
        let mut first = plain(&treefile.bootstrap_packages);
        if first.is_empty() && treefile.family == Family::Redhat {
            // What all others unpack into.
            first.push("filesystem".to_owned());
        }
        let policy = PackagePolicy {
            exclude: plain(&treefile.exclude_packages),
            no_documentation: !treefile.documentation,
            languages: treefile.install_langs.clone(),
        };
        let title = format!("make the base tree of {} {}", treefile.distro, treefile.release);
        self.add(Phase::Root, &title, StepAction::Bootstrap(Bootstrap { packages: first, sources, policy }));
        // What a treefile lists beside those that it includes is installed after theirs: it is what changes, and a change does not
        // install theirs again.
        let top = treefile.files.first();
        let (own, included): (Vec<_>, Vec<_>) =
            treefile.packages.iter().partition(|name| name.origin.file.as_ref() == top);
        self.transaction(&included, &[]);
        self.transaction(&own, &included);
    }

    /// Installs packages that `before` has not installed.
    fn transaction(&mut self, names: &[&Placed<String>], before: &[&Placed<String>]) {
        let names = names.iter().filter(|name| before.iter().all(|other| other.value != name.value));
        let install: BTreeMap<String, Vec<String>> =
            names.clone().map(|name| (name.value.clone(), vec![whose(&name.origin)])).collect();
        let Some(origin) = names.map(|name| name.origin.clone()).next() else { return };
        let recommends = self.treefile.recommends;
        let more = if recommends { " with what they recommend" } else { "" };
        let title = format!("install {} package{}{more}", install.len(), if install.len() == 1 { "" } else { "s" });
        let packages = Packages { install, remove: BTreeMap::new(), recommends };
        self.add_at(Phase::Install, origin, &title, StepAction::Packages(packages));
    }

    fn contents(&mut self) {
        for Placed { value: AddFile { source, dest }, origin } in &self.treefile.add_files {
            let files = Files { source: source.clone(), dest: dest.clone(), mode: None };
            let title = format!("copy {} to {dest}", name_of(source));
            self.add_at(Phase::Install, origin.clone(), &title, StepAction::Files(files));
        }
        let units: Vec<String> = self.treefile.units.iter().map(|unit| unit.value.clone()).collect();
        let Some(origin) = self.treefile.units.first().map(|unit| unit.origin.clone()) else { return };
        let preset: String = units.iter().map(|unit| format!("enable {unit}\n")).collect();
        let content = public(format!("# Written by isotope compose.\n{preset}"));
        let write = StepAction::Write(Write { dest: PRESET.to_owned(), content, mode: 0o644 });
        self.add_at(Phase::Install, origin.clone(), &format!("write {PRESET}"), write);
        let title = format!("enable {}", units.join(", "));
        let services = Services { enable: units, disable: Vec::new(), mask: Vec::new() };
        self.add_at(Phase::Install, origin, &title, StepAction::Services(services));
    }

    fn scripts(&mut self) {
        for (index, Placed { value, origin }) in self.treefile.postprocess.iter().enumerate() {
            let name = format!("postprocess {}", index + 1);
            let script = Script { name: name.clone(), content: value.clone() };
            self.add_at(Phase::PostInstall, origin.clone(), &format!("run {name}"), StepAction::Script(script));
        }
        if let Some(Placed { value, origin }) = &self.treefile.postprocess_script {
            let element_dir = value.parent().map_or_else(PathBuf::new, Path::to_owned);
            let hook = Hook {
                script: value.clone(),
                element_dir,
                place: Place::Target,
                env: BTreeMap::new(),
                keep: Keep::Always,
            };
            let title = format!("run {}", name_of(value));
            self.add_at(Phase::PostInstall, origin.clone(), &title, StepAction::Hook(hook));
        }
    }
}

fn parent(treefile: &Treefile, options: &ComposeOptions, commit: &OstreeCommit) -> OstreeParent {
    let files = [&treefile.check_passwd, &treefile.check_groups].into_iter();
    OstreeParent {
        repo: commit.repo.clone(),
        reference: commit.reference.clone(),
        parent: commit.parent.clone(),
        keep_users: treefile.preserve_passwd,
        user_files: files
            .filter_map(|check| if let Check::File(file) = check { Some(file.clone()) } else { None })
            .collect(),
        force: options.force,
    }
}

fn trim(treefile: &Treefile) -> OstreeTrim {
    // RPM leaves both out by itself.
    let debian = treefile.family == Family::Debian;
    OstreeTrim {
        remove_files: treefile.remove_files.iter().map(|path| path.value.clone()).collect(),
        remove_from_packages: treefile
            .remove_from_packages
            .iter()
            .map(|Placed { value: RemoveFrom { package, patterns }, origin: _ }| RemoveFromPackage {
                package: package.clone(),
                patterns: patterns.clone(),
            })
            .collect(),
        default_target: treefile.default_target.as_ref().map(|unit| unit.value.clone()),
        mutate_os_release: treefile.mutate_os_release.clone(),
        no_documentation: debian && !treefile.documentation,
        languages: treefile.install_langs.clone().filter(|_| debian),
    }
}

/// The treefile that wants a package, for messages.
fn whose(origin: &Origin) -> String {
    origin.file.as_deref().map_or_else(|| origin.element.clone(), name_of)
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
