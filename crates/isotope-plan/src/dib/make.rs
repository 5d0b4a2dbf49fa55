//! From a request and its elements to a [`Plan`]: everything that can be wrong before work begins is told here, at once.

use super::steps::{self, Parts};
use super::variables::{self, Disk};
use super::{Program, Request, checks};
use crate::blockdev::{self, Config, Graph, ImageSize, LayoutPlan, Params, Values};
use crate::{
    Arch, DibBuild, DibGather, DibHookFile, DibImage, DibSource, Export, Family, HostFacts, PLAN_FORMAT, Plan,
    PlanErrors, PlannedElement, Problem, Target, ids,
};
use isotope_element::dib::run_parts::NameFilter;
use isotope_element::dib::{ElementSet, ElementsPath, HookTree};
use std::collections::BTreeMap;
use std::path::PathBuf;
use uuid::Uuid;

/// What a build is made of.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// What is asked for.
    pub request: &'a Request,
    /// Where the elements come from.
    pub path: &'a ElementsPath,
    /// The elements, in order.
    pub set: &'a ElementSet,
    /// Their hooks.
    pub tree: &'a HookTree,
    /// The block device configuration, and where it is from; none: the whole disk is one filesystem.
    pub block_devices: Option<&'a (PathBuf, String)>,
    /// The host.
    pub facts: &'a HostFacts,
    /// The `isotope` binary.
    pub binary: Option<&'a PathBuf>,
    /// A Python for hooks on the host (`DIB_PYTHON_EXEC`).
    pub python: &'a String,
}

/// Plans a build.
///
/// # Errors
/// Everything that is wrong with the request, its elements and its block devices, at once.
pub fn plan(input: &Input<'_>) -> Result<Plan, PlanErrors> {
    let request = input.request;
    let mut problems = Vec::new();
    let filter = NameFilter::new(request.run_parts_regex.as_deref()).unwrap_or_else(|message| {
        problems.push(Problem::usage(message));
        NameFilter::default()
    });
    let seed = seed(input);
    let mut warnings: Vec<String> = input.tree.ignored.iter().map(ToString::to_string).collect();
    let devices = devices(input, seed).map_err(|errors| problems.extend(errors.problems)).ok();
    problems.extend(checks::environment(input));
    let exports = exports(request, input.set);
    let Some((layout, values)) = devices.filter(|_| problems.is_empty()) else {
        return Err(PlanErrors { problems });
    };
    warnings.extend(layout.warnings.iter().map(ToString::to_string));
    warnings.extend(checks::ignored(input, &filter));
    let size = size(request, input.set, &values.root_fstype);
    let parts = Parts {
        build: build(input, &values, &layout),
        gather: DibGather { size, show_usage: request.show_usage },
        image: image(input, layout, &exports),
    };
    let name = request.stem().to_owned();
    Ok(Plan {
        format: PLAN_FORMAT,
        target: target(input),
        elements: input.set.elements.iter().map(planned).collect(),
        inputs: Vec::new(),
        steps: steps::steps(input, &filter, parts, &exports),
        layout: None,
        boot: None,
        exports,
        seed,
        source_date_epoch: input.facts.source_date_epoch,
        properties: BTreeMap::new(),
        checks: Vec::new(),
        warnings,
        name,
    })
}

/// UUIDs are random, as upstream's, unless the clock is set: then the same build gives the same ones.
fn seed(input: &Input<'_>) -> Uuid {
    let request = input.request;
    // Identifiers are in the tree: where the tree may be an earlier build's, they are too.
    let layers = request.environment.get("ISOTOPE_LAYERS").is_some_and(|value| value == "1");
    let fixed = layers || request.environment.contains_key("SOURCE_DATE_EPOCH");
    let clock = if fixed { 0 } else { input.facts.source_date_epoch };
    ids::seed(Some(&format!("dib {} {} {clock}", request.name, input.set.line())), &request.name)
}

fn target(input: &Input<'_>) -> Target {
    let arch = match input.request.arch.as_str() {
        "amd64" | "x86_64" => Arch::X86_64,
        "arm64" | "aarch64" => Arch::Aarch64,
        _ => input.facts.arch,
    };
    let distro = input.set.providers.get("operating-system").cloned().unwrap_or_default();
    let release = input.request.environment.get("DIB_RELEASE").cloned().unwrap_or_default();
    Target { arch, distro, family: input.facts.family.unwrap_or(Family::Debian), release }
}

pub(super) fn planned(element: &isotope_element::dib::DibElement) -> PlannedElement {
    PlannedElement {
        name: element.name.clone(),
        dir: element.dir.clone(),
        summary: element.summary().unwrap_or_default(),
        requires: element.depends.iter().map(|need| need.value.clone()).collect(),
        vars: BTreeMap::new(),
    }
}

fn devices(input: &Input<'_>, seed: Uuid) -> Result<(LayoutPlan, Values), PlanErrors> {
    let request = input.request;
    let params = Params {
        root_fs_type: request.fs_type.clone(),
        root_fs_opts: size(request, input.set, &request.fs_type).root_fs_opts(),
        root_label: request.root_label.clone(),
        block_size: request.block_size.clone(),
        seed,
        ..Params::default()
    };
    let (file, text) = match input.block_devices {
        Some((file, text)) => (file.clone(), text.as_str()),
        None => (PathBuf::from("the built-in block device configuration"), blockdev::DEFAULT),
    };
    let config = Config::parse(&file, text)?.with_params(&params);
    let graph = Graph::new(&config, &params)?;
    let layout = blockdev::layout(&graph, &params)?;
    let Some(values) = graph.values() else {
        let message = format!("nothing is mounted at / by {}", file.display());
        let remedy = "give a filesystem `mount: {mount_point: /}`";
        return Err(PlanErrors { problems: vec![Problem::configuration(message).remedy(remedy)] });
    };
    Ok((layout, values))
}

fn size(request: &Request, set: &ElementSet, root_fs_type: &str) -> ImageSize {
    ImageSize {
        size: request.image_size,
        extra: request.image_extra_size,
        journal: request.journal_size,
        max_online_resize: request.max_online_resize.clone(),
        mkfs_options: request.mkfs_options.clone(),
        root_fs_type: root_fs_type.to_owned(),
        efi: set.line().contains("block-device-efi"),
        without_metadata_csum: request.environment.get("DIB_RELEASE").is_some_and(|release| release == "trusty"),
    }
}

fn build(input: &Input<'_>, values: &Values, layout: &LayoutPlan) -> DibBuild {
    let root_uuid = layout.mounted("/").map(|(root, _)| root.filesystem.uuid);
    of_build(input, &Disk { values: values.clone(), root_uuid })
}

/// What holds for a whole build.
pub(super) fn of_build(input: &Input<'_>, disk: &Disk) -> DibBuild {
    let (request, values) = (input.request, &disk.values);
    let side = |name: &str| input.set.elements.iter().find(|element| element.name == name).map(|element| &element.side);
    let files = input.tree.files.iter().map(|(dest, file)| {
        let (element, source, link) = (file.element.clone(), file.source.clone(), file.link.clone());
        let keep = side(&element).and_then(|side| side.keep.get(dest)).copied().unwrap_or_default();
        (dest.clone(), DibHookFile { element, source, link, keep })
    });
    let sources = input.set.elements.iter().map(|element| {
        let source = DibSource { dir: element.dir.clone(), reads: element.side.reads.clone() };
        (element.name.clone(), source)
    });
    let variables: Option<Vec<Vec<String>>> =
        input.set.elements.iter().map(|element| element.side.env.clone()).collect();
    let parameters = [("root-fs-type", &request.fs_type), ("root-label", &values.root_label)];
    DibBuild {
        fetches: Vec::new(),
        environment: variables::environment(input, disk),
        functions: variables::functions(input.set),
        hook_dirs: input.tree.dirs.clone(),
        hooks: files.collect(),
        sources: sources.collect(),
        reads_variables: variables.map(|lists| lists.concat()),
        install_type: request.install_type.clone(),
        block_devices: input.block_devices.map_or(blockdev::DEFAULT, |(_, text)| text.as_str()).to_owned(),
        parameters: parameters.into_iter().map(|(name, value)| (name.to_owned(), value.clone())).collect(),
        breaks: request.breaks.clone(),
        directory: request.directory.clone(),
        binary: input.binary.cloned(),
        hook_timeout: request.environment.get("DIB_HOOK_TIMEOUT").and_then(|seconds| seconds.parse().ok()),
        clamp_times: request.environment.contains_key("SOURCE_DATE_EPOCH"),
        keep_old: !request.overwrite,
        beside: false,
    }
}

/// A disk is made where an output holds one, and where a hook may want one: with a layout of its own, or one that names the device.
fn image(input: &Input<'_>, layout: LayoutPlan, exports: &[Export]) -> DibImage {
    let wanted = || {
        let dirs = ["pre-finalise.d", "finalise.d", "cleanup.d"];
        input.block_devices.is_some() || input.tree.mentions(&dirs, "IMAGE_BLOCK_DEVICE")
    };
    let is_made =
        exports.iter().any(|export| export.format.is_disk()) || (input.request.program == Program::Disk && wanted());
    DibImage { fstab: layout.fstab(), layout: is_made.then_some(layout) }
}

/// The output files. An element `no-final-image`, and a ramdisk, leave out those of the disk.
fn exports(request: &Request, set: &ElementSet) -> Vec<Export> {
    let no_disk = request.program == Program::Ramdisk || set.line().contains("no-final-image");
    request.exports().into_iter().filter(|export| !(no_disk && export.format.is_disk())).collect()
}
