//! Outputs that qemu-img makes: VMDK (streamOptimized), VHD (dynamic, exact size), VHDX (dynamic), VDI.

use super::ExportError;
use crate::output::PendingOutput;
use isotope_plan::{Compression, Export, Format};
use isotope_sys::command::Tool;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::Path;

/// qemu-img's name of a format and its options; qemu-img(1), "Notes" and `qemu-img create -f FORMAT -o help`.
const FORMATS: &[(Format, &str, &str)] = &[
    (Format::Vmdk, "vmdk", "subformat=streamOptimized"),
    (Format::Vhd, "vpc", "subformat=dynamic,force_size=on"),
    (Format::Vhdx, "vhdx", "subformat=dynamic"),
    (Format::Vdi, "vdi", ""),
];

/// Whether qemu-img makes this format.
pub(super) fn makes(format: Format) -> bool {
    FORMATS.iter().any(|(known, _, _)| *known == format)
}

/// Refuses a compression that these formats do not have.
pub(super) fn check(export: &Export) -> Result<(), ExportError> {
    match (export.format, export.compression) {
        // streamOptimized VMDK is compressed by deflate, always.
        (_, Compression::None) | (Format::Vmdk, Compression::Zlib) => Ok(()),
        (_, compression) => {
            let (format, file_name) = (export.format, export.file_name.clone());
            Err(ExportError::Compression { format, compression, file_name, takes: "none" })
        }
    }
}

fn args(name: &str, options: &str, input: &Path, output: &Path) -> Vec<std::ffi::OsString> {
    let mut args: Vec<std::ffi::OsString> = ["convert", "-f", "raw", "-O", name].map(Into::into).into();
    if !options.is_empty() {
        args.extend(["-o".into(), options.into()]);
    }
    args.extend([input.into(), output.into()]);
    args
}

/// Converts the raw disk.
pub(super) fn convert(raw: &File, export: &Export, path: &Path) -> Result<PendingOutput, ExportError> {
    let output = PendingOutput::create(path)?;
    let input = rustix::io::dup(raw).map_err(|error| output.error("read the disk for", error.into()))?;
    rustix::io::fcntl_setfd(&input, rustix::io::FdFlags::empty())
        .map_err(|error| output.error("read the disk for", error.into()))?;
    let tool_path = output.tool_path()?;
    let input_path = format!("/proc/self/fd/{}", input.as_raw_fd());
    for (_, name, options) in FORMATS.iter().filter(|(format, _, _)| *format == export.format) {
        Tool::new("qemu-img").args(args(name, options, Path::new(&input_path), tool_path.as_ref())).run().map_err(
            |source| ExportError::Tool { format: export.format, file_name: export.file_name.clone(), source },
        )?;
    }
    drop(tool_path);
    Ok(output)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments() {
        let text = |format: Format| {
            let (_, name, options) = FORMATS.iter().find(|(known, _, _)| *known == format).unwrap();
            let args = args(name, options, Path::new("in"), Path::new("out"));
            args.iter().map(|arg| arg.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(text(Format::Vhd), "convert -f raw -O vpc -o subformat=dynamic,force_size=on in out");
        assert_eq!(text(Format::Vdi), "convert -f raw -O vdi in out");
    }
}
