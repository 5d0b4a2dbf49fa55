//! The steps: the ten phases, and what stands between them (facts/diskimage-builder.md §1.4).

use super::Input;
use crate::{DibAction, DibBuild, DibGather, DibHooks, DibImage, DibPackages, Export, Step, StepAction};
use isotope_element::dib::HookTree;
use isotope_element::dib::run_parts::NameFilter;
use isotope_element::{Origin, Phase, Place};
use std::collections::BTreeMap;

/// What the steps carry.
pub(super) struct Parts {
    pub build: DibBuild,
    pub gather: DibGather,
    pub image: DibImage,
}

pub(super) fn steps(input: &Input<'_>, filter: &NameFilter, parts: Parts, exports: &[Export]) -> Vec<Step> {
    let mut steps = Steps { input, filter, steps: Vec::new(), counts: BTreeMap::new() };
    let elements = input.set.elements.len();
    let title = format!("merge the hooks of {elements} elements");
    steps.own(Phase::Root, &title, DibAction::Begin(Box::new(parts.build)));
    steps.hooks(Phase::Root);
    steps.own(Phase::Root, "look at the tree, lend it a resolv.conf, mount /proc, /dev and /sys", DibAction::Base);
    steps.hooks(Phase::ExtraData);
    steps.hooks(Phase::PreInstall);
    steps.hooks(Phase::Install);
    let names = input.request.packages.clone();
    if !names.is_empty() {
        let title = format!("install {}", names.join(" "));
        steps.own(Phase::Install, &title, DibAction::Packages(DibPackages { names }));
    }
    steps.hooks(Phase::PostInstall);
    steps.hooks(Phase::PostRoot);
    steps.own(Phase::PostRoot, "put the finished tree aside", DibAction::Gather(parts.gather));
    steps.hooks(Phase::BlockDevice);
    let title = match &parts.image.layout {
        Some(_) => "make the disk, and put the tree onto it",
        None => "write /etc/fstab; no disk is made",
    };
    steps.own(Phase::BlockDevice, title, DibAction::Disk(Box::new(parts.image)));
    steps.hooks(Phase::PreFinalise);
    steps.hooks(Phase::Finalise);
    steps.hooks(Phase::Cleanup);
    steps.own(Phase::Cleanup, "take the build's dirt out of the tree", DibAction::CleanUp);
    for (index, export) in exports.iter().enumerate() {
        let origin = own();
        let id = format!("export/{:02}-{}", index + 1, export.format.name());
        let title = format!("write {}", export.file_name);
        steps.steps.push(Step { id, phase: Phase::Export, origin, title, action: StepAction::Export { index } });
    }
    steps.steps
}

fn own() -> Origin {
    Origin { element: "isotope".to_owned(), file: None, line: None }
}

struct Steps<'i> {
    input: &'i Input<'i>,
    filter: &'i NameFilter,
    steps: Vec<Step>,
    counts: BTreeMap<Phase, usize>,
}

impl Steps<'_> {
    fn own(&mut self, phase: Phase, title: &str, action: DibAction) {
        let count = self.counts.entry(phase).or_default();
        *count += 1;
        let id = format!("{phase}/{count:02}-{}", action.slug());
        let (origin, title) = (own(), title.to_owned());
        self.steps.push(Step { id, phase, origin, title, action: StepAction::Dib(action) });
    }

    /// The hooks of a phase. The step is there also where no element has any: hooks of `extra-data.d` may add some.
    fn hooks(&mut self, phase: Phase) {
        let (title, hooks) = hooks(self.input.tree, self.filter, phase);
        self.own(phase, &title, DibAction::Hooks(hooks));
    }
}

/// The step that runs the hooks of a phase, with its title.
pub(super) fn hooks(tree: &HookTree, filter: &NameFilter, phase: Phase) -> (String, DibHooks) {
    let listing = tree.scripts(&format!("{phase}.d"), filter);
    let scripts: Vec<String> = listing.scripts.into_iter().map(|script| script.name).collect();
    let place = phase.place();
    let title = match (scripts.len(), place) {
        (0, _) => format!("{phase}.d: no hooks"),
        (1, Place::Host) => format!("{phase}.d: 1 hook on the host"),
        (1, Place::Target) => format!("{phase}.d: 1 hook in the target"),
        (count, Place::Host) => format!("{phase}.d: {count} hooks on the host"),
        (count, Place::Target) => format!("{phase}.d: {count} hooks in the target"),
    };
    let target_root = matches!(phase, Phase::Root | Phase::Cleanup);
    (title, DibHooks { phase: phase.to_string(), place, target_root, scripts })
}
