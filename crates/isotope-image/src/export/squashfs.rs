//! The squashfs output, by mksquashfs: reproducible, without what is only mounted in a running tree.

use super::archive::MOUNT_POINTS;
use super::{ExportError, ExportOptions};
use crate::output::PendingOutput;
use isotope_plan::{Compression, Export};
use isotope_sys::command::Tool;
use std::path::Path;

/// Makes it.
pub(super) fn make(
    root: &Path,
    export: &Export,
    path: &Path,
    options: &ExportOptions,
) -> Result<PendingOutput, ExportError> {
    let compressor: &[&str] = match export.compression {
        Compression::None => &["-no-compression"],
        Compression::Zlib | Compression::Gzip => &["-comp", "gzip"],
        Compression::Zstd => &["-comp", "zstd"],
        Compression::Xz => &["-comp", "xz"],
    };
    let output = PendingOutput::create(path)?;
    let tool_path = output.tool_path()?;
    // The pattern list is the last argument.
    Tool::new("mksquashfs")
        .arg(root)
        .arg(&tool_path)
        .args(["-noappend", "-no-progress", "-quiet", "-reproducible", "-xattrs", "-mkfs-time"])
        .arg(options.epoch.min(u64::from(u32::MAX)).to_string())
        .args(compressor)
        .args(["-wildcards", "-e"])
        .args(MOUNT_POINTS.iter().map(|dir| format!("{dir}/*")))
        .run()
        .map_err(|source| ExportError::Tool { format: export.format, file_name: export.file_name.clone(), source })?;
    drop(tool_path);
    Ok(output)
}
