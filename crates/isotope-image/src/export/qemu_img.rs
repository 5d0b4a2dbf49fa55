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
    // Only with options of the user's; without them these two are our own.
    (Format::Qcow2, "qcow2", ""),
    (Format::Raw, "raw", ""),
];

/// Whether qemu-img makes this format.
pub(super) fn makes(export: &Export) -> bool {
    export.qemu_img_options.is_some()
        || !matches!(export.format, Format::Qcow2 | Format::Raw)
            && FORMATS.iter().any(|(known, _, _)| *known == export.format)
}

/// Refuses a compression that these formats do not have.
pub(super) fn check(export: &Export) -> Result<(), ExportError> {
    match (export.format, export.compression) {
        // streamOptimized VMDK is compressed by deflate, always.
        (_, Compression::None) | (Format::Vmdk, Compression::Zlib) => Ok(()),
        // With options of the user's: qemu-img decides, by `compression_type` for one.
        (Format::Qcow2, _) => Ok(()),
        (_, compression) => {
            let (format, file_name) = (export.format, export.file_name.clone());
            Err(ExportError::Compression { format, compression, file_name, takes: "none" })
        }
    }
}

fn args(export: &Export, name: &str, options: &str, input: &Path, output: &Path) -> Vec<std::ffi::OsString> {
    let mut args: Vec<std::ffi::OsString> = ["convert", "-f", "raw", "-O", name].map(Into::into).into();
    if export.format == Format::Qcow2 && export.compression != Compression::None {
        args.push("-c".into());
    }
    // Of an option that stands twice, qemu-img takes the later one: the user's.
    let given = export.qemu_img_options.as_deref().unwrap_or_default();
    for options in [options, given].into_iter().filter(|options| !options.is_empty()) {
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
        Tool::new("qemu-img")
            .args(args(export, name, options, Path::new(&input_path), tool_path.as_ref()))
            .run()
            .map_err(|source| ExportError::Tool {
                format: export.format,
                file_name: export.file_name.clone(),
                source,
            })?;
    }
    drop(tool_path);
    Ok(output)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments() {
        let text = |export: &Export| {
            let (_, name, options) = FORMATS.iter().find(|(known, _, _)| *known == export.format).unwrap();
            let args = args(export, name, options, Path::new("in"), Path::new("out"));
            args.iter().map(|arg| arg.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
        };
        let mut export = Export::new(Format::Vhd, Compression::None, Vec::new(), "x".to_owned());
        assert!(makes(&export));
        assert_eq!(text(&export), "convert -f raw -O vpc -o subformat=dynamic,force_size=on in out");
        export.qemu_img_options = Some("subformat=fixed".to_owned());
        assert_eq!(text(&export), "convert -f raw -O vpc -o subformat=dynamic,force_size=on -o subformat=fixed in out");
        assert_eq!(
            text(&Export::new(Format::Vdi, Compression::None, Vec::new(), "x".to_owned())),
            "convert -f raw -O vdi in out"
        );
        let mut qcow2 = Export::new(Format::Qcow2, Compression::Zlib, Vec::new(), "x".to_owned());
        assert!(!makes(&qcow2));
        qcow2.qemu_img_options = Some("compat=0.10".to_owned());
        assert!(makes(&qcow2));
        assert_eq!(text(&qcow2), "convert -f raw -O qcow2 -c -o compat=0.10 in out");
    }
}
