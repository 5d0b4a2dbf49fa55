//! The boot loader: `[bootloader]` sections of all elements merged. Lists are joined in element order; a scalar that two elements set
//! differently is an error. Elements that only add consoles or kernel arguments ask for no boot loader.

use super::scalar::Scalar;
use crate::layout::{Layout, SectorSize, rules};
use crate::problem::suggest;
use crate::scope::Scope;
use crate::{BootSpec, Problem, SecureBoot};
use isotope_element::{BootloaderSection, Element, Origin, Template};
use std::fmt::Display;

/// What became of the boot loader.
pub(super) struct Boot {
    pub spec: Option<BootSpec>,
    pub warnings: Vec<String>,
}

pub(super) fn plan(scope: &mut Scope<'_>, layout: Option<&Layout>, layout_declared: bool) -> Boot {
    let sections: Vec<(&Element, &BootloaderSection)> = scope
        .set
        .elements
        .iter()
        .filter_map(|element| Some((element, element.manifest.bootloader.as_ref()?)))
        .collect();
    let (mut bios, mut uefi) = (Scalar::new("[bootloader] bios"), Scalar::new("[bootloader] uefi"));
    let (mut secure_boot, mut timeout) = (Scalar::new("[bootloader] secure_boot"), Scalar::new("[bootloader] timeout"));
    let (mut kernel_args, mut consoles) = (Vec::new(), Vec::new());
    let mut main: Option<Origin> = None;
    for (element, section) in &sections {
        let BootloaderSection {
            bios: by_bios,
            uefi: by_uefi,
            secure_boot: signed,
            timeout: wait,
            kernel_args: args,
            consoles: lines,
            line,
        } = section;
        let origin = element.origin(*line);
        if by_bios.is_some() || by_uefi.is_some() {
            main.get_or_insert_with(|| origin.clone());
        }
        let value = parsed(scope, element, by_bios.as_ref(), ("bios", "true or false"));
        bios.set(value, &origin, &mut scope.problems);
        let value = parsed(scope, element, by_uefi.as_ref(), ("uefi", "true or false"));
        uefi.set(value, &origin, &mut scope.problems);
        let value = secure(scope, element, signed.as_ref());
        secure_boot.set(value, &origin, &mut scope.problems);
        let value = parsed(scope, element, wait.as_ref(), ("timeout", "a number of seconds"));
        timeout.set(value, &origin, &mut scope.problems);
        kernel_args.extend(scope.list(element, args, "a kernel argument"));
        consoles.extend(scope.list(element, lines, "a console"));
    }
    let Some(origin) = main else {
        let useless = layout_declared && !sections.is_empty();
        let names: Vec<&str> = sections.iter().map(|(element, _)| element.name.as_str()).collect();
        let warning = format!(
            "no element installs a boot loader: consoles and kernel arguments of {} have no effect",
            names.join(", ")
        );
        return Boot { spec: None, warnings: if useless { vec![warning] } else { Vec::new() } };
    };
    let spec = BootSpec {
        bios: bios.into_value().unwrap_or(false),
        uefi: uefi.into_value().unwrap_or(false),
        secure_boot: secure_boot.into_value().unwrap_or(SecureBoot::Auto),
        timeout: timeout.into_value().unwrap_or(1),
        kernel_args,
        consoles,
        origin,
    };
    let mut warnings = Vec::new();
    judge(scope, &spec, (layout, layout_declared), &mut warnings);
    Boot { spec: Some(spec), warnings }
}

/// Whether the disk and the machine can boot this way.
fn judge(
    scope: &mut Scope<'_>,
    spec: &BootSpec,
    (layout, declared): (Option<&Layout>, bool),
    warnings: &mut Vec<String>,
) {
    if !spec.bios && !spec.uefi {
        let problem = Problem::configuration("the boot loader boots neither by BIOS nor by UEFI").at(&spec.origin);
        scope.problem(problem.remedy("set bios or uefi to true, or leave the boot loader out"));
    }
    if !declared {
        let problem = Problem::configuration("a boot loader needs a disk, and no element of this build has a [layout]")
            .at(&spec.origin);
        scope.problem(problem.remedy("add the element `vm`, or leave the boot loader out"));
    }
    if let Some(layout) = layout {
        let arch = scope.target.arch;
        scope.problems.extend(rules::check_boot(layout, spec, arch));
        if spec.bios && layout.sector_size == SectorSize::B4096 {
            warnings.push("the disk has sectors of 4096 bytes: no usual BIOS boots it".to_owned());
        }
    }
    let odd = spec.kernel_args.iter().chain(&spec.consoles).find(|arg| arg.contains(['\n', '\0']));
    if let Some(arg) = odd {
        let problem = Problem::configuration(format!("the kernel argument `{}` has a line break", arg.escape_debug()))
            .at(&spec.origin);
        scope.problem(problem.remedy("give each argument on its own"));
    }
}

/// A template that must give a value of this type.
fn parsed<T: std::str::FromStr>(
    scope: &mut Scope<'_>,
    element: &Element,
    template: Option<&Template>,
    (name, expected): (&str, &str),
) -> Option<T> {
    let template = template?;
    let text = scope.public(element, template, "[bootloader]")?;
    let value = text.trim().parse().ok();
    if value.is_none() {
        scope.problem(
            Problem::configuration(format!("[bootloader] {name} is {expected}, not `{text}`"))
                .at(&element.origin(template.line)),
        );
    }
    value
}

fn secure(scope: &mut Scope<'_>, element: &Element, template: Option<&Template>) -> Option<SecureBoot> {
    let template = template?;
    let text = scope.public(element, template, "[bootloader]")?;
    match text.trim() {
        "auto" => Some(SecureBoot::Auto),
        "required" => Some(SecureBoot::Required),
        "off" => Some(SecureBoot::Off),
        other => {
            let remedy = suggest(other, &["auto", "required", "off"]);
            let problem = Problem::configuration(format!("[bootloader] unknown secure_boot `{other}`"));
            scope.problem(problem.at(&element.origin(template.line)).remedy(remedy));
            None
        }
    }
}

impl Display for SecureBoot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Required => "required",
            Self::Off => "off",
        })
    }
}
