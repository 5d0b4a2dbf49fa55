//! The steps, in the order in which they are done.
//!
//! In each phase: packages of all elements in one step; then, element by element, files and templates; then services, when every unit
//! is there; then the hooks of all elements. What Isotope adds itself has its fixed place: the base tree first of all, the initramfs
//! after the hooks of post-install, sysprep after those of post-root, the disk after those of block-device, the boot loader after those
//! of finalise, the outputs last.

use super::{hooks, implicit, packages, sources};
use crate::layout::{Layout, Table};
use crate::scope::Scope;
use crate::{
    BootSpec, Compression, EnvValue, Export, Files, HostFacts, Problem, Services, Step, StepAction, Sysprep, Write, dib,
};
use isotope_element::{Element, FilesSection, Origin, Phase, ServicesSection, Template, TemplateSection, Tree};
use std::path::Path;

/// What stands around the steps and is decided already.
pub(super) struct Around<'a> {
    pub facts: &'a HostFacts,
    /// The deployment that is the root, in place of a base tree.
    pub root: Option<Step>,
    pub layout: Option<&'a Layout>,
    pub boot: Option<&'a BootSpec>,
    pub exports: &'a [(Export, Origin)],
    /// Elements in diskimage-builder's format.
    pub beside: Option<&'a dib::Planned>,
}

pub(super) fn plan(scope: &mut Scope<'_>, around: &Around<'_>, warnings: &mut Vec<String>) -> Vec<Step> {
    let mut steps = Vec::new();
    for phase in Phase::ALL {
        let mut of_phase = Vec::new();
        if phase == Phase::Root {
            match scope.target.tree {
                Tree::Ostree => of_phase.extend(around.root.clone()),
                Tree::Package => of_phase.extend(sources::bootstrap(scope, around.facts, warnings)),
            }
        }
        of_phase.extend(packages::plan(scope, phase));
        of_phase.extend(contents(scope, phase));
        of_phase.extend(services(scope, phase));
        of_phase.extend(hooks::plan(scope, phase, around.facts, around.layout));
        of_phase.extend(around.beside.iter().flat_map(|beside| beside.steps(phase)));
        of_phase.extend(own(scope, around, phase, &steps));
        for (index, step) in of_phase.iter_mut().enumerate() {
            step.id = format!("{phase}/{:02}-{}", index + 1, slug(step));
        }
        steps.append(&mut of_phase);
    }
    steps
}

/// What Isotope adds at the end of a phase.
fn own(scope: &Scope<'_>, around: &Around<'_>, phase: Phase, before: &[Step]) -> Vec<Step> {
    let step = |origin: Origin, title: String, action: StepAction| {
        vec![Step { id: String::new(), phase, origin, title, action }]
    };
    match phase {
        // A commit has its initramfs.
        Phase::PostInstall if scope.target.tree == Tree::Ostree => Vec::new(),
        Phase::PostInstall if around.layout.is_some() || has_kernel(before) => {
            step(implicit(), "make the initramfs of every kernel".to_owned(), StepAction::Initramfs)
        }
        Phase::PostRoot => sysprep(scope)
            .map(|(origin, sysprep)| step(origin, "reset what must be unique".to_owned(), StepAction::Sysprep(sysprep)))
            .unwrap_or_default(),
        Phase::BlockDevice => match around.layout {
            Some(layout) => step(layout_origin(layout), disk_title(layout), StepAction::Disk),
            None => Vec::new(),
        },
        Phase::Finalise => match (around.layout, around.boot) {
            (Some(_), Some(boot)) => step(boot.origin.clone(), boot_title(boot), StepAction::Bootloader),
            _ => Vec::new(),
        },
        Phase::Export => {
            let exports = around.exports.iter().enumerate();
            exports
                .flat_map(|(index, (export, origin))| {
                    step(origin.clone(), export_title(export), StepAction::Export { index })
                })
                .collect()
        }
        _ => Vec::new(),
    }
}

/// Files and templates, element by element: a later element may replace what an earlier one brings.
fn contents(scope: &mut Scope<'_>, phase: Phase) -> Vec<Step> {
    let mut steps = Vec::new();
    for element in &scope.set.elements {
        for section in element.manifest.files.iter().filter(|section| section.phase == phase) {
            if scope.holds(element, &section.when) {
                steps.extend(files(scope, element, section));
            }
        }
        for section in element.manifest.templates.iter().filter(|section| section.phase == phase) {
            if scope.holds(element, &section.when) {
                steps.extend(write(scope, element, section));
            }
        }
    }
    steps
}

fn files(scope: &mut Scope<'_>, element: &Element, section: &FilesSection) -> Option<Step> {
    let FilesSection { source, dest, mode, phase, when: _, line } = section;
    let origin = element.origin(*line);
    let dest = destination(scope, element, dest, &origin)?;
    let shown = source.strip_prefix(&element.dir).unwrap_or(source);
    let title = format!("copy {} to {dest}", shown.display());
    let action = StepAction::Files(Files { source: source.clone(), dest, mode: *mode });
    Some(Step { id: String::new(), phase: *phase, origin, title, action })
}

fn write(scope: &mut Scope<'_>, element: &Element, section: &TemplateSection) -> Option<Step> {
    let TemplateSection { source: _, template, dest, mode, phase, when: _, line } = section;
    let origin = element.origin(*line);
    let dest = destination(scope, element, dest, &origin)?;
    let secret = scope.secret_in(element, template).is_some();
    let content = EnvValue { value: scope.text(element, template)?, secret };
    let title = format!("write {dest}");
    let action = StepAction::Write(Write { dest, content, mode: *mode });
    Some(Step { id: String::new(), phase: *phase, origin, title, action })
}

/// An absolute path in the target, as it is written in no other way.
fn destination(scope: &mut Scope<'_>, element: &Element, template: &Template, origin: &Origin) -> Option<String> {
    let dest = scope.public(element, template, "a destination")?;
    let clean =
        dest.starts_with('/') && !dest.contains('\0') && !dest.split('/').any(|part| part == ".." || part == ".");
    if !clean {
        let problem =
            Problem::configuration(format!("the destination `{dest}` is no absolute path in the target")).at(origin);
        scope.problem(problem.remedy("begin with `/`, without `.` and `..`"));
        return None;
    }
    Some(dest)
}

/// One step for each element that has units.
fn services(scope: &mut Scope<'_>, phase: Phase) -> Vec<Step> {
    let mut steps = Vec::new();
    for element in &scope.set.elements {
        let mut units = Services::default();
        let mut origin = None;
        for section in element.manifest.services.iter().filter(|section| section.phase == phase) {
            if !scope.holds(element, &section.when) {
                continue;
            }
            let ServicesSection { enable, disable, mask, phase: _, when: _, line } = section;
            units.enable.extend(scope.list(element, enable, "a unit"));
            units.disable.extend(scope.list(element, disable, "a unit"));
            units.mask.extend(scope.list(element, mask, "a unit"));
            origin.get_or_insert(element.origin(*line));
        }
        let Some(origin) = origin.filter(|_| units != Services::default()) else { continue };
        steps.push(Step {
            id: String::new(),
            phase,
            origin,
            title: services_title(&units),
            action: StepAction::Services(units),
        });
    }
    steps
}

/// The reset of all elements that ask for one.
fn sysprep(scope: &Scope<'_>) -> Option<(Origin, Sysprep)> {
    let sections: Vec<_> =
        scope.set.elements.iter().filter_map(|element| Some((element, element.manifest.sysprep.as_ref()?))).collect();
    let (element, section) = sections.first()?;
    let mut remove: Vec<String> = Vec::new();
    for path in sections.iter().flat_map(|(_, section)| &section.remove) {
        if !remove.contains(path) {
            remove.push(path.clone());
        }
    }
    Some((element.origin(section.line), Sysprep { remove }))
}

fn has_kernel(steps: &[Step]) -> bool {
    steps.iter().any(|step| match &step.action {
        StepAction::Packages(packages) => packages
            .install
            .keys()
            .any(|name| name.starts_with("linux-image") || name == "kernel" || name.starts_with("kernel-core")),
        _ => false,
    })
}

/// The word that names a step within its phase.
fn slug(step: &Step) -> String {
    let element = &step.origin.element;
    match &step.action {
        StepAction::Bootstrap(_) => "bootstrap".to_owned(),
        StepAction::Packages(packages) if packages.recommends => "packages-recommends".to_owned(),
        StepAction::Packages(_) => "packages".to_owned(),
        StepAction::Files(_) => format!("files-{element}"),
        StepAction::Write(write) => {
            format!("write-{}", Path::new(&write.dest).file_name().unwrap_or_default().to_string_lossy())
        }
        StepAction::Services(_) => format!("services-{element}"),
        StepAction::Hook(hook) => format!("hook-{}", hook.script.file_name().unwrap_or_default().to_string_lossy()),
        StepAction::Dib(action) => format!("dib-{}", action.slug()),
        StepAction::OstreeDeploy(_) => "ostree-deploy".to_owned(),
        StepAction::Initramfs => "initramfs".to_owned(),
        StepAction::Sysprep(_) => "sysprep".to_owned(),
        StepAction::Disk => "disk".to_owned(),
        StepAction::Bootloader => "bootloader".to_owned(),
        StepAction::Export { .. } => "export".to_owned(),
        other => crate::compose::slug(other).to_owned(),
    }
}

fn services_title(units: &Services) -> String {
    let part = |verb: &str, units: &[String]| (!units.is_empty()).then(|| format!("{verb} {}", units.join(", ")));
    let parts = [part("enable", &units.enable), part("disable", &units.disable), part("mask", &units.mask)];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

fn layout_origin(layout: &Layout) -> Origin {
    layout.partitions.first().map_or_else(implicit, |partition| partition.origin.clone())
}

fn disk_title(layout: &Layout) -> String {
    let table = match layout.table {
        Table::Gpt => "GPT",
        Table::Mbr => "MBR",
    };
    let count = layout.partitions.len();
    format!("make the disk: {table}, {count} partition{}, and copy the tree onto it", if count == 1 { "" } else { "s" })
}

fn boot_title(boot: &BootSpec) -> String {
    let by = match (boot.bios, boot.uefi) {
        (true, true) => "BIOS and UEFI",
        (true, false) => "BIOS",
        _ => "UEFI",
    };
    format!("install the boot loader for {by}")
}

fn export_title(export: &Export) -> String {
    match export.compression {
        Compression::None => format!("write {}", export.file_name),
        compression => format!("write {} ({})", export.file_name, compression.name()),
    }
}
