//! The one `[layout]` of a build, rendered and checked.

use crate::layout::{
    DiskSize, Filesystem, FilesystemKind, Layout, Mount, Partition, PartitionKind, PartitionSize, SectorSize, Table,
    rules,
};
use crate::problem::suggest;
use crate::scope::Scope;
use crate::{Problem, Recipe, ids, sizes};
use isotope_element::{Bytes, Element, FilesystemSection, LayoutSection, PartitionSection, Template};
use uuid::Uuid;

/// What became of the layout.
pub(super) struct Disk {
    /// The layout, if it has no fault.
    pub layout: Option<Layout>,
    /// Whether there is one at all, sound or not.
    pub declared: bool,
    pub warnings: Vec<String>,
}

pub(super) fn plan(scope: &mut Scope<'_>, recipe: &Recipe, seed: Uuid) -> Disk {
    let mut found = scope.set.elements.iter().filter_map(|element| Some((element, element.manifest.layout.as_ref()?)));
    let Some((element, section)) = found.next() else {
        let mut warnings = Vec::new();
        if recipe.size.is_some() {
            warnings.push("the recipe gives a disk size, but no element has a [layout]".to_owned());
        }
        return Disk { layout: None, declared: false, warnings };
    };
    let others: Vec<Problem> = found.map(|(other, section)| twice(element, other, section)).collect();
    let alone = others.is_empty();
    scope.problems.extend(others);
    let before = scope.problems.len();
    let layout = render(scope, element, section, recipe, seed);
    if scope.problems.len() == before {
        scope.problems.extend(rules::check(&layout, &element.origin(section.line)));
    }
    let sound = alone && scope.problems.len() == before;
    Disk { layout: sound.then_some(layout), declared: true, warnings: Vec::new() }
}

fn twice(first: &Element, second: &Element, section: &LayoutSection) -> Problem {
    Problem::configuration(format!(
        "element {} has a [layout], but {} has one too; a build has one disk",
        second.name, first.name
    ))
    .at(&second.origin(section.line))
    .remedy("leave one of the two elements out")
}

fn render(scope: &mut Scope<'_>, element: &Element, section: &LayoutSection, recipe: &Recipe, seed: Uuid) -> Layout {
    let LayoutSection { table, sector_size, size, partitions, line } = section;
    let origin = element.origin(*line);
    let table = word(scope, element, table.as_ref(), "table", TABLES).unwrap_or(Table::Gpt);
    let sector_size = word(scope, element, sector_size.as_ref(), "sector_size", SECTORS).unwrap_or(SectorSize::B512);
    let declared = scope.maybe(element, size.as_ref(), "the layout's size").map(|text| sizes::disk(&text));
    let declared = match declared {
        Some(Err(fault)) => {
            scope
                .problem(Problem::configuration(format!("the layout's size: {fault}")).at(&origin).remedy("or `auto`"));
            None
        }
        Some(Ok(size)) => Some(size),
        None => None,
    };
    let mut planned = Vec::new();
    for section in partitions {
        if scope.holds(element, &section.when) {
            let number = u32::try_from(planned.len() + 1).unwrap_or(u32::MAX);
            planned.push(partition(scope, element, section, number, seed));
        }
    }
    Layout {
        table,
        sector_size,
        size: recipe.size.or(declared).unwrap_or(DiskSize::Auto),
        align: Bytes::mib(1),
        disk_id: ids::disk(seed),
        partitions: planned,
    }
}

const TABLES: &[(&str, Table)] = &[("gpt", Table::Gpt), ("mbr", Table::Mbr)];
const SECTORS: &[(&str, SectorSize)] = &[("512", SectorSize::B512), ("4096", SectorSize::B4096)];
const KINDS: &[(&str, PartitionKind)] = &[
    ("bios-boot", PartitionKind::BiosBoot),
    ("esp", PartitionKind::Esp),
    ("swap", PartitionKind::Swap),
    ("root", PartitionKind::Root),
    ("boot", PartitionKind::Boot),
    ("linux", PartitionKind::Linux),
];
/// One of a few known words; an unknown one is reported with the nearest.
fn word<T: Copy>(
    scope: &mut Scope<'_>,
    element: &Element,
    template: Option<&Template>,
    what: &str,
    known: &[(&str, T)],
) -> Option<T> {
    let template = template?;
    let text = scope.public(element, template, what)?;
    let found = known.iter().find(|(name, _)| *name == text.trim()).map(|(_, value)| *value);
    if found.is_none() {
        let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
        let problem = Problem::configuration(format!("unknown {what} `{text}`")).at(&element.origin(template.line));
        scope.problem(problem.remedy(suggest(&text, &names)));
    }
    found
}

fn partition(
    scope: &mut Scope<'_>,
    element: &Element,
    section: &PartitionSection,
    number: u32,
    seed: Uuid,
) -> Partition {
    let PartitionSection { name, kind, size, filesystem, when: _, line } = section;
    let origin = element.origin(*line);
    let kind = word(scope, element, Some(kind), "kind of partition", KINDS).unwrap_or(PartitionKind::Linux);
    let size = match scope.public(element, size, "a partition's size").map(|text| sizes::partition(&text)) {
        Some(Err(fault)) => {
            scope.problem(Problem::configuration(format!("partition `{name}`: {fault}")).at(&origin));
            None
        }
        Some(Ok(size)) => Some(size),
        None => None,
    };
    let filesystem = match filesystem {
        Some(section) => filesystem_of(scope, element, section, (name, kind), seed),
        None if kind == PartitionKind::Swap => Some(swap(name, seed)),
        None => None,
    };
    Partition {
        name: name.clone(),
        number,
        kind,
        size: size.unwrap_or(PartitionSize::Auto),
        uuid: ids::partition(seed, name),
        filesystem,
        origin,
    }
}

/// A swap partition needs nothing said about its swap area.
fn swap(name: &str, seed: Uuid) -> Filesystem {
    let uuid = ids::filesystem(seed, name);
    Filesystem { kind: FilesystemKind::Swap, label: None, uuid, mount: None, mkfs_options: Vec::new() }
}

fn filesystem_of(
    scope: &mut Scope<'_>,
    element: &Element,
    section: &FilesystemSection,
    (name, partition): (&str, PartitionKind),
    seed: Uuid,
) -> Option<Filesystem> {
    let FilesystemSection { kind, label, mount, options, passno, mkfs_options, line: _ } = section;
    let kind = word(scope, element, Some(kind), "filesystem", &FilesystemKind::ALL.map(|kind| (kind.name(), kind)))?;
    let options = scope.maybe(element, options.as_ref(), "mount options");
    let mount =
        scope.maybe(element, mount.as_ref(), "a mount point").filter(|path| !path.is_empty()).map(|path| Mount {
            options: options
                .unwrap_or_else(|| if partition == PartitionKind::Esp { "umask=0077" } else { "defaults" }.to_owned()),
            passno: passno.unwrap_or_else(|| kind.usual_passno(&path)),
            path,
        });
    Some(Filesystem {
        kind,
        label: scope.maybe(element, label.as_ref(), "a label"),
        uuid: ids::filesystem(seed, name),
        mount,
        mkfs_options: scope.list(element, mkfs_options, "an option of mkfs"),
    })
}
