//! What boots in an image that is already there: for `isotope inspect`, on bytes that the caller has read.
//!
//! Must not know: how sectors and files of the image are reached.

use crate::bios::{KERNEL_SECTOR, u16_at, u64_at};
use serde::Serialize;

/// The code in sector 0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "loader", rename_all = "kebab-case")]
pub enum BootCode {
    /// No code: a BIOS does not boot this disk.
    None,
    /// GRUB 2.
    Grub {
        /// Where its core image begins, in sectors of 512 bytes.
        core_sector: u64,
    },
    /// SYSLINUX's mbr.bin or gptmbr.bin.
    Syslinux,
    /// Something else.
    Other,
}

/// What an EFI program is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EfiProgram {
    /// shim: checks what it starts against the machine's and the distribution's keys.
    Shim,
    /// GRUB 2.
    Grub,
    /// systemd-boot.
    SystemdBoot,
    /// A kernel and its initramfs in one file.
    UnifiedKernel,
    /// A kernel with an EFI stub.
    Kernel,
    /// Something else.
    Other,
}

/// An EFI program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EfiImage {
    /// What it is.
    pub program: EfiProgram,
    /// Whether it carries a signature (it is not verified).
    pub signed: bool,
    /// `x86_64`, `aarch64`, …
    pub machine: &'static str,
    /// GRUB: the directory below `/EFI/` whose grub.cfg it reads.
    pub grub_prefix: Option<String>,
}

/// Looks at sector 0.
#[must_use]
pub fn boot_code(sector: &[u8]) -> BootCode {
    let code = sector.get(..440).unwrap_or(sector);
    let has = |text: &[u8]| code.windows(text.len()).any(|w| w == text);
    if code.iter().all(|b| *b == 0) {
        BootCode::None
    } else if has(b"GRUB \0Geom\0Hard Disk\0Read\0") {
        BootCode::Grub { core_sector: u64_at(code, KERNEL_SECTOR) }
    } else if has(b"Missing operating system.") || has(b"Missing OS\r\n") {
        BootCode::Syslinux
    } else {
        BootCode::Other
    }
}

/// Whether what lies at a GRUB boot sector's `core_sector` is a core image: its first sector, and that of its own block list.
#[must_use]
pub fn is_grub_core(first_sector: &[u8], core_sector: u64) -> bool {
    let at = crate::bios::BLOCK_LIST;
    first_sector.len() >= 512 && u64_at(first_sector, at) == core_sector + 1 && u16_at(first_sector, at + 8) > 0
}

/// Looks at a file of the EFI system partition; `None` if it is no EFI program.
#[must_use]
pub fn efi_image(bytes: &[u8]) -> Option<EfiImage> {
    let pe = usize::try_from(u64::from(u16_at(bytes, 0x3c)) | u64::from(u16_at(bytes, 0x3e)) << 16).ok()?;
    if bytes.get(..2)? != b"MZ" || bytes.get(pe..pe + 4)? != b"PE\0\0" {
        return None;
    }
    let machine = match u16_at(bytes, pe + 4) {
        0x8664 => "x86_64",
        0xaa64 => "aarch64",
        0x014c => "x86",
        0x5064 => "riscv64",
        _ => "unknown",
    };
    // The certificate table is entry 4 of the data directories, which follow 96 (PE32) or 112 (PE32+) bytes of header.
    let optional = pe + 24;
    let directories = optional + if u16_at(bytes, optional) == 0x20b { 112 } else { 96 };
    let signed = u64_at(bytes, directories + 4 * 8) >> 32 != 0;
    let sections: Vec<&[u8]> = (0..usize::from(u16_at(bytes, pe + 6)))
        .filter_map(|i| {
            let at = optional + usize::from(u16_at(bytes, pe + 20)) + 40 * i;
            bytes.get(at..at + 8)
        })
        .collect();
    let section =
        |name: &[u8]| sections.iter().any(|s| s.strip_prefix(name).is_some_and(|rest| rest.iter().all(|b| *b == 0)));
    let has = |text: &[u8]| bytes.windows(text.len()).any(|w| w == text);
    let program = if section(b".vendor_") || section(b".vendor_cert") || has(b"UEFI SHIM\n") {
        EfiProgram::Shim
    } else if section(b".linux") {
        EfiProgram::UnifiedKernel
    } else if section(b"mods") {
        EfiProgram::Grub
    } else if has(b"#### LoaderInfo: systemd-boot") {
        EfiProgram::SystemdBoot
    } else if bytes.get(0x202..0x206) == Some(b"HdrS") || bytes.get(0x38..0x3c) == Some(b"ARMd") {
        EfiProgram::Kernel
    } else {
        EfiProgram::Other
    };
    let grub_prefix = (program == EfiProgram::Grub).then(|| crate::uefi::compiled_prefix(bytes)).flatten();
    Some(EfiImage { program, signed, machine, grub_prefix })
}

/// Titles of the entries of a grub.cfg, in order; those of submenus with `> ` before them. An entry whose title is a variable is made
/// of a list elsewhere, and left out.
#[must_use]
pub fn grub_titles(cfg: &str) -> Vec<String> {
    let title = |line: &str| {
        let rest = line.trim_start().strip_prefix("menuentry ")?.trim_start();
        let quote = rest.chars().next().filter(|c| "'\"".contains(*c));
        let title = match quote {
            Some(quote) => rest[1..].split(quote).next()?,
            None => rest.split_whitespace().next()?,
        };
        if title.starts_with('$') {
            return None;
        }
        let indent = if line.starts_with([' ', '\t']) { "> " } else { "" };
        Some(format!("{indent}{title}"))
    };
    cfg.lines().filter_map(title).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sector_0_tells_its_loader() {
        let mut sector = [0u8; 512];
        assert_eq!(boot_code(&sector), BootCode::None);
        sector[0x180..0x19a].copy_from_slice(b"GRUB \0Geom\0Hard Disk\0Read\0");
        sector[KERNEL_SECTOR..KERNEL_SECTOR + 8].copy_from_slice(&2048u64.to_le_bytes());
        assert_eq!(boot_code(&sector), BootCode::Grub { core_sector: 2048 });
        assert_eq!(boot_code(&[0xeb; 512]), BootCode::Other);
        assert_eq!(boot_code(&[]), BootCode::None);
    }

    fn pe(section: &[u8], signed: bool) -> Vec<u8> {
        let mut image = vec![0u8; 1024];
        image[..2].copy_from_slice(b"MZ");
        image[0x3c] = 0x80;
        image[0x80..0x84].copy_from_slice(b"PE\0\0");
        image[0x84..0x86].copy_from_slice(&0x8664u16.to_le_bytes());
        image[0x86] = 1;
        image[0x94] = 240;
        image[0x98..0x9a].copy_from_slice(&0x20bu16.to_le_bytes());
        if signed {
            image[0x98 + 112 + 32 + 4] = 9;
        }
        image[0x98 + 240..0x98 + 240 + section.len()].copy_from_slice(section);
        image
    }

    #[test]
    fn efi_programs_are_told_by_their_sections() {
        let mut grub = pe(b"mods", true);
        grub[900..912].copy_from_slice(b"/EFI/debian\0");
        let found = efi_image(&grub).unwrap();
        assert_eq!((found.program, found.signed, found.machine), (EfiProgram::Grub, true, "x86_64"));
        assert_eq!(found.grub_prefix.as_deref(), Some("debian"));
        assert_eq!(efi_image(&pe(b".linux", false)).unwrap().program, EfiProgram::UnifiedKernel);
        assert!(!efi_image(&pe(b".text", false)).unwrap().signed);
        assert_eq!(efi_image(b"MZ"), None);
        assert_eq!(efi_image(&[0; 600]), None);
    }

    #[test]
    fn titles_of_a_menu() {
        let cfg = "menuentry 'Debian' --class x {\n linux /k\n}\n  menuentry \"$title\" {\n linux /k\n}\nsubmenu 'More' {\n\tmenuentry \"Debian, old\" {\n}\n";
        assert_eq!(grub_titles(cfg), ["Debian", "> Debian, old"]);
    }
}
