//! Rules about top-level files: their names, and what is in them.

use super::{Subject, told};
use crate::dib::{Kind, PackageInstalls, PkgMap, SvcMap, source_repository, text_of};
use crate::nearest::distance;
use crate::yaml::{Kind as Value, Text};
use crate::{Diagnostic, Severity};

const KNOWN: [&str; 7] = [
    "element-deps",
    "element-provides",
    "package-installs.yaml",
    "package-installs.json",
    "pkg-map",
    "svc-map",
    "README.rst",
];

/// Files that nobody reads, with names that are nearly those of files that are read.
pub(super) fn near_names(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    for entry in subject.contents.files.iter().filter(|entry| Kind::of(&entry.name) == Kind::Other) {
        let name = &entry.name;
        let near = KNOWN.iter().find(|known| **known != "README.rst" && distance(name, known) <= 2);
        let extra = |known: &&&str| name.strip_suffix(".json").or_else(|| name.strip_suffix(".yaml")) == Some(**known);
        if let Some(near) = near.or_else(|| KNOWN.iter().find(extra)) {
            let message = format!("nothing reads `{name}`");
            found.push(told(&entry.path, Severity::Warning, message, format!("did you mean `{near}`?")));
        }
    }
}

/// Files of the merged tree that stand in the place of another element's.
pub(super) fn overwritten(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    let Ok(tree) = &subject.tree else { return };
    for (dest, lost) in &tree.overwritten {
        // These have a meaning in their own directories only.
        let top = dest.components().count() == 1;
        let name = dest.to_string_lossy();
        if top && (!matches!(Kind::of(&name), Kind::Other | Kind::SourceRepository(_)) || name.starts_with(['.', '_']))
        {
            continue;
        }
        let Some(kept) = tree.files.get(dest).filter(|kept| subject.is_mine(&kept.source)) else { continue };
        let message = format!("{} takes the place of that of `{}`", dest.display(), lost.element);
        let hint = "diskimage-builder keeps either of them, by chance; rename one";
        found.push(told(&kept.source, Severity::Warning, message, hint));
    }
}

/// What is in the files.
pub(super) fn formats(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    for file in subject.contents.sources() {
        let path = &file.path;
        let read = match file.kind {
            Kind::PackageInstalls => PackageInstalls::read(path).map(|file| file.warnings),
            Kind::PkgMap => PkgMap::read(path).map(|map| map.warnings),
            Kind::SvcMap => SvcMap::read(path).map(|map| map.warnings),
            Kind::SourceRepository(_) => source_repository::read(path).map(|_| Vec::new()),
            Kind::BlockDevice(_) => block_device(path),
            Kind::Depends | Kind::Provides | Kind::Readme | Kind::Other => continue,
        };
        found.extend(read.unwrap_or_else(|errors| errors));
    }
}

/// A list of maps; what is in them is for who plans the disk.
fn block_device(path: &std::path::Path) -> Result<Vec<Diagnostic>, Vec<Diagnostic>> {
    let text = text_of(path).map_err(|error| vec![error])?;
    let text = Text { path, text: &text };
    let mut warnings = Vec::new();
    match text.parse_as_python(&mut warnings).map_err(|error| vec![error])? {
        Some(root) if matches!(root.kind, Value::List(_)) => Ok(warnings),
        Some(root) => {
            Err(vec![text.error(root.at, format!("a list of devices is expected here, and this is {}", root.what()))])
        }
        None => Err(vec![Diagnostic::error(path, "the file is empty; a list of devices is expected")]),
    }
}
