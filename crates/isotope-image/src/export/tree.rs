//! Archives of a tree.

use super::{ExportError, ExportOptions, ExportProgress, Exported, aci, archive, disk, oci, squashfs};
use isotope_plan::{Export, Format};
use std::path::Path;

/// Makes all outputs of the tree at `root` in `out_dir`.
///
/// # Errors
/// The first output that failed; it does not remain, those before it do.
pub fn tree(
    root: &Path,
    exports: &[Export],
    out_dir: &Path,
    options: &ExportOptions,
    progress: &(dyn Fn(ExportProgress) + Sync),
) -> Result<Vec<Exported>, ExportError> {
    let mut made = Vec::new();
    for export in exports {
        let path = out_dir.join(&export.file_name);
        let output = match export.format {
            Format::Tar => archive::make(root, export, &path, options, progress)?,
            Format::Squashfs => squashfs::make(root, export, &path, options)?,
            Format::Oci => oci::make(root, export, &path, options, progress)?,
            Format::Aci => aci::make(root, export, &path, options, progress)?,
            format => return Err(ExportError::Kind { format, needs: "a disk", file_name: export.file_name.clone() }),
        };
        made.push(disk::name(output, export)?);
    }
    Ok(made)
}
