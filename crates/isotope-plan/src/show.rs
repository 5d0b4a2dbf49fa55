//! A plan as text for people: what is made, by which steps, on which disk, to which files.

use crate::layout::{DiskSize, Layout, Partition, PartitionKind, PartitionSize, Table};
use crate::{BootSpec, OstreeDeploy, OstreeVerify, Packages, Plan, Step, StepAction};
use isotope_element::{Origin, Phase};
use std::collections::BTreeMap;
use std::path::Path;

/// Columns of text that names of packages are wrapped at.
const WIDTH: usize = 110;

/// The plan as text.
#[must_use]
pub fn show(plan: &Plan) -> String {
    let mut out = String::new();
    for input in &plan.inputs {
        out.push_str(&show(input));
        out.push('\n');
    }
    header(plan, &mut out);
    steps(plan, &mut out);
    if let Some(layout) = &plan.layout {
        disk(layout, &mut out);
    }
    if let Some(boot) = &plan.boot {
        loader(boot, &mut out);
    }
    if !plan.exports.is_empty() {
        exports(plan, &mut out);
    }
    if !plan.properties.is_empty() {
        out.push_str("\nproperties\n");
        table(plan.properties.iter().map(|(name, value)| vec![name.clone(), value.clone()]).collect(), &mut out);
    }
    if !plan.warnings.is_empty() {
        out.push_str("\nwarnings\n");
        for warning in &plan.warnings {
            out.push_str(&format!("  {warning}\n"));
        }
    }
    out
}

fn header(plan: &Plan, out: &mut String) {
    let target = &plan.target;
    let elements: Vec<String> = plan.elements.iter().map(|element| element.name.clone()).collect();
    out.push_str(&format!("{}\n", plan.name));
    out.push_str(&format!("  target    {} {} ({}), {}\n", target.distro, target.release, target.family, target.arch));
    if !elements.is_empty() {
        out.push_str("  elements  ");
        wrap(&elements, 12, out);
    }
    let checks = match plan.checks.len() {
        0 if elements.is_empty() => String::new(),
        count => format!(", and {count} checks of the booted image"),
    };
    out.push_str(&format!("  steps     {}{checks}\n", plan.steps.len()));
    out.push_str(&format!("  seed      {}\n", plan.seed));
}

fn steps(plan: &Plan, out: &mut String) {
    let number = |step: &Step| {
        step.id.split_once('/').map_or(step.id.clone(), |(_, rest)| rest.split('-').next().unwrap_or(rest).to_owned())
    };
    let width = plan.steps.iter().map(|step| step.title.chars().count()).max().unwrap_or(0).min(88);
    for phase in Phase::ALL {
        let of_phase: Vec<&Step> = plan.steps.iter().filter(|step| step.phase == phase).collect();
        if of_phase.is_empty() {
            continue;
        }
        out.push_str(&format!("\n{phase}\n"));
        for step in of_phase {
            let line = format!("  {}  {:<width$}  {}", number(step), step.title, origin(&step.origin));
            out.push_str(line.trim_end());
            out.push('\n');
            detail(&step.action, out);
        }
    }
}

/// `element, element.toml:12`; nothing for what Isotope adds itself.
fn origin(origin: &Origin) -> String {
    let file = origin.file.as_deref().map(|file| within(file, &origin.element));
    match (file, origin.line) {
        (Some(file), Some(line)) => format!("{file}:{line}"),
        (Some(file), None) => file,
        (None, _) if origin.element == "isotope" => String::new(),
        (None, _) => origin.element.clone(),
    }
}

/// The end of a path, from the element's directory on.
fn within(file: &Path, element: &str) -> String {
    let parts: Vec<_> = file.components().map(|part| part.as_os_str().to_string_lossy()).collect();
    let from = parts.iter().rposition(|part| part == element).unwrap_or_else(|| parts.len().saturating_sub(2));
    parts.get(from..).unwrap_or_default().join("/")
}

fn detail(action: &StepAction, out: &mut String) {
    match action {
        StepAction::Bootstrap(bootstrap) => {
            for source in &bootstrap.sources {
                let unverified = if source.verify { "" } else { "  (not verified)" };
                let line = format!("        {} {} {}", source.uri, source.suite, source.components.join(" "));
                out.push_str(line.trim_end());
                out.push_str(&format!("{unverified}\n"));
            }
        }
        StepAction::Packages(packages) => wishes(packages, out),
        StepAction::OstreeDeploy(deploy) => deployment(deploy, out),
        _ => {}
    }
}

fn deployment(deploy: &OstreeDeploy, out: &mut String) {
    let verified = |verify: &OstreeVerify| match verify {
        OstreeVerify::Gpg { .. } => "signed by GPG",
        OstreeVerify::Ed25519 { .. } => "signed by ed25519",
        OstreeVerify::None => "not verified",
    };
    let by = if deploy.composed { "composed by this build" } else { verified(&deploy.verify) };
    out.push_str(&format!("        {} from {} ({by})\n", deploy.rev, deploy.url));
    out.push_str(&format!("        kernel arguments: {}\n", deploy.kernel_args.join(" ")));
    let upgrade = &deploy.upgrade;
    let follows = upgrade.reference.as_deref().unwrap_or("nothing");
    let url = upgrade.url.as_deref().unwrap_or("a URL that is not known yet");
    out.push_str(&format!("        upgrades: follows {follows} at {url} ({})\n", verified(&upgrade.verify)));
}

/// Packages by the elements that want them.
fn wishes(packages: &Packages, out: &mut String) {
    for (map, sign) in [(&packages.install, "+"), (&packages.remove, "-")] {
        let mut by_element: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (name, elements) in map {
            for element in elements {
                by_element.entry(element).or_default().push(name.clone());
            }
        }
        for (element, names) in by_element {
            let head = format!("      {sign} {element}: ");
            out.push_str(&head);
            wrap(&names, 8, out);
        }
    }
}

/// Names separated by commas, broken at [`WIDTH`]; the cursor stands in the last line of `out`.
fn wrap(names: &[String], indent: usize, out: &mut String) {
    let mut column = out.len() - out.rfind('\n').map_or(0, |at| at + 1);
    for (index, name) in names.iter().enumerate() {
        let comma = if index + 1 < names.len() { "," } else { "" };
        if index > 0 {
            if column + name.len() + 2 > WIDTH {
                out.push('\n');
                out.push_str(&" ".repeat(indent));
                column = indent;
            } else {
                out.push(' ');
                column += 1;
            }
        }
        out.push_str(name);
        out.push_str(comma);
        column += name.len() + comma.len();
    }
    out.push('\n');
}

fn disk(layout: &Layout, out: &mut String) {
    let name = match layout.table {
        Table::Gpt => "GPT",
        Table::Mbr => "MBR",
    };
    let size = match layout.size {
        DiskSize::Auto => "as large as its content needs".to_owned(),
        DiskSize::Fixed(size) => size.to_string(),
    };
    out.push_str(&format!(
        "\ndisk: {name}, {size}, sectors of {} bytes, id {}\n",
        layout.sector_size.bytes(),
        layout.disk_id
    ));
    let head = ["", "name", "kind", "size", "filesystem", "label", "mount", "options", "uuid of the filesystem"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(layout.partitions.iter().map(partition));
    table(rows, out);
}

fn partition(partition: &Partition) -> Vec<String> {
    let filesystem = partition.filesystem.as_ref();
    let mount = filesystem.and_then(|filesystem| filesystem.mount.as_ref());
    let text = |text: Option<String>| text.filter(|text| !text.is_empty()).unwrap_or_else(|| "-".to_owned());
    vec![
        partition.number.to_string(),
        partition.name.clone(),
        partition.kind.name().to_owned(),
        partition.size.to_string(),
        text(filesystem.map(|filesystem| filesystem.kind.name().to_owned())),
        text(filesystem.and_then(|filesystem| filesystem.label.clone())),
        text(mount.map(|mount| mount.path.clone())),
        text(mount.map(|mount| mount.options.clone())),
        text(filesystem.map(|filesystem| filesystem.uuid.to_string())),
    ]
}

impl PartitionKind {
    /// As written in elements.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BiosBoot => "bios-boot",
            Self::Esp => "esp",
            Self::Swap => "swap",
            Self::Root => "root",
            Self::Boot => "boot",
            Self::Linux => "linux",
        }
    }
}

impl std::fmt::Display for PartitionSize {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Fixed(size) => write!(f, "{size}"),
            Self::Percent(share) if share % 100 == 0 => write!(f, "{}%", share / 100),
            Self::Percent(share) => write!(f, "{}.{:02}%", share / 100, share % 100),
            Self::Rest => f.write_str("rest"),
            Self::Auto => f.write_str("auto"),
        }
    }
}

fn loader(boot: &BootSpec, out: &mut String) {
    let firmware: Vec<&str> =
        [(boot.bios, "BIOS"), (boot.uefi, "UEFI")].iter().filter(|(on, _)| *on).map(|(_, name)| *name).collect();
    out.push_str(&format!(
        "\nboot: {}, Secure Boot {}, menu for {} s\n",
        firmware.join(" and "),
        boot.secure_boot,
        boot.timeout
    ));
    for (what, words) in [("kernel arguments", &boot.kernel_args), ("consoles", &boot.consoles)] {
        if !words.is_empty() {
            out.push_str(&format!("  {what}: {}\n", words.join(" ")));
        }
    }
}

fn exports(plan: &Plan, out: &mut String) {
    out.push_str("\noutputs\n");
    let row = |export: &crate::Export| {
        let checksums: Vec<&str> = export.checksums.iter().map(|checksum| checksum.name()).collect();
        vec![
            export.file_name.clone(),
            export.format.name().to_owned(),
            export.compression.name().to_owned(),
            checksums.join(", "),
        ]
    };
    table(plan.exports.iter().map(row).collect(), out);
}

/// Rows with aligned columns, indented by two.
pub(crate) fn table(rows: Vec<Vec<String>>, out: &mut String) {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for row in &rows {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        out.push_str(format!("  {}", cells.join("  ")).trim_end());
        out.push('\n');
    }
}
