//! Image files as QEMU wants them: format by content, overlays, sizes.

use crate::error::VmError;
use crate::spec::Disk;
use isotope_sys::command::Tool;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// A disk that is ready for QEMU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreparedDisk {
    /// The file that QEMU opens.
    pub path: PathBuf,
    /// QEMU's name of its format.
    pub format: &'static str,
    /// Nobody will miss it after a power cut.
    pub disposable: bool,
    /// Size as the guest sees it, in bytes.
    pub size: u64,
}

/// Tells the format of an image by its first bytes; what has no magic number is raw.
///
/// # Errors
/// The file cannot be read.
pub fn format_of(image: &Path) -> Result<&'static str, VmError> {
    let failed = |source| VmError::Io { what: format!("read the image {}", image.display()), source };
    let file = File::open(image).map_err(failed)?;
    let mut head = [0_u8; 512];
    let length = Read::read(&mut &file, &mut head).map_err(failed)?;
    Ok(format_of_head(&head[..length]))
}

fn format_of_head(head: &[u8]) -> &'static str {
    if head.starts_with(b"QFI\xfb") {
        "qcow2"
    } else if head.starts_with(b"KDMV") {
        "vmdk"
    } else if head.starts_with(b"vhdxfile") {
        "vhdx"
    } else if head.starts_with(b"conectix") {
        "vpc"
    } else if head.get(0x40..0x44) == Some(&[0x7f, 0x10, 0xda, 0xbe]) {
        "vdi"
    } else {
        "raw"
    }
}

/// Size of an image as a guest sees it.
///
/// # Errors
/// The file cannot be read or is damaged.
pub fn virtual_size(image: &Path) -> Result<u64, VmError> {
    let failed = |source| VmError::Io { what: format!("read the image {}", image.display()), source };
    match format_of(image)? {
        "raw" => std::fs::metadata(image).map(|meta| meta.len()).map_err(failed),
        "qcow2" => {
            let mut size = [0_u8; 8];
            File::open(image).and_then(|file| file.read_exact_at(&mut size, 24)).map_err(failed)?;
            Ok(u64::from_be_bytes(size))
        }
        _ => {
            let output = Tool::new("qemu-img").args(["info", "--output=json"]).arg(image).run()?;
            serde_json::from_slice::<serde_json::Value>(&output.stdout)
                .ok()
                .and_then(|info| info.get("virtual-size")?.as_u64())
                .ok_or_else(|| {
                    VmError::Spec(format!("qemu-img tells no size of {}; is the image whole?", image.display()))
                })
        }
    }
}

/// Makes a disk ready: an overlay named after `name` in `dir`, or the image itself when it persists.
///
/// # Errors
/// The image is missing, or bigger than the size asked for, or qemu-img failed.
pub fn prepare(disk: &Disk, dir: &Path, name: &str) -> Result<PreparedDisk, VmError> {
    let overlay = dir.join(format!("{name}.qcow2"));
    let Some(image) = &disk.image else {
        let size = disk.size.ok_or_else(|| VmError::Spec(format!("the empty disk {name} needs a size")))?;
        Tool::new("qemu-img").args(["create", "-q", "-f", "qcow2"]).arg(&overlay).arg(size.to_string()).run()?;
        return Ok(PreparedDisk { path: overlay, format: "qcow2", disposable: true, size });
    };
    let image = image.canonicalize().map_err(VmError::io(format!("find the image {}", image.display())))?;
    let format = format_of(&image)?;
    let own = virtual_size(&image)?;
    let size = disk.size.unwrap_or(own);
    if size < own {
        return Err(VmError::Spec(format!(
            "the disk cannot be smaller than its image: {} has {own} bytes, {size} were asked for",
            image.display()
        )));
    }
    if disk.persist {
        if size > own {
            Tool::new("qemu-img").args(["resize", "-q", "-f", format]).arg(&image).arg(size.to_string()).run()?;
        }
        return Ok(PreparedDisk { path: image, format, disposable: false, size });
    }
    Tool::new("qemu-img")
        .args(["create", "-q", "-f", "qcow2", "-F", format, "-b"])
        .arg(&image)
        .arg(&overlay)
        .arg(size.to_string())
        .run()?;
    Ok(PreparedDisk { path: overlay, format: "qcow2", disposable: true, size })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_told_by_their_magic_numbers() {
        let mut vdi = vec![0_u8; 512];
        vdi[0x40..0x44].copy_from_slice(&0xbeda_107f_u32.to_le_bytes());
        let table: [(&[u8], &str); 6] = [
            (b"QFI\xfb....", "qcow2"),
            (b"KDMV", "vmdk"),
            (b"vhdxfile", "vhdx"),
            (b"conectix", "vpc"),
            (&vdi, "vdi"),
            (b"", "raw"),
        ];
        for (head, format) in table {
            assert_eq!(format_of_head(head), format);
        }
    }

    #[test]
    fn an_overlay_grows_and_never_shrinks() {
        let dir = tempfile::tempdir().unwrap();
        let image = dir.path().join("image.raw");
        File::create(&image).unwrap().set_len(1 << 20).unwrap();
        let mut disk = Disk::new(&image);
        disk.size = Some(3 << 20);
        let prepared = prepare(&disk, dir.path(), "disk0").unwrap();
        assert_eq!(
            (prepared.size, virtual_size(&prepared.path).unwrap(), prepared.format),
            (3 << 20, 3 << 20, "qcow2")
        );
        assert_eq!(std::fs::metadata(&image).unwrap().len(), 1 << 20);
        disk.size = Some(1 << 19);
        let error = prepare(&disk, dir.path(), "disk1").unwrap_err();
        assert!(error.to_string().contains("cannot be smaller"), "{error}");
    }

    #[test]
    fn a_disk_that_persists_is_the_image_itself() {
        let dir = tempfile::tempdir().unwrap();
        let image = dir.path().join("image.raw");
        File::create(&image).unwrap().set_len(1 << 20).unwrap();
        let disk = Disk { persist: true, size: Some(2 << 20), ..Disk::new(&image) };
        let prepared = prepare(&disk, dir.path(), "disk0").unwrap();
        assert_eq!((prepared.path, prepared.format), (image.canonicalize().unwrap(), "raw"));
        assert_eq!(std::fs::metadata(&image).unwrap().len(), 2 << 20);
    }
}
