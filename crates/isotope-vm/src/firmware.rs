//! Firmware: SeaBIOS is QEMU's own; UEFI is OVMF, a code file and a copy of a variable store.

use crate::error::VmError;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// What starts the boot loader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Firmware {
    /// SeaBIOS.
    Bios,
    /// OVMF.
    Uefi,
    /// OVMF with Microsoft's keys that enforces Secure Boot.
    UefiSecureBoot,
}

impl Firmware {
    /// Its name for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Bios => "BIOS",
            Self::Uefi => "UEFI",
            Self::UefiSecureBoot => "UEFI with Secure Boot",
        }
    }
}

/// A pair of OVMF files on the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ovmf {
    /// The code, read-only.
    pub code: PathBuf,
    /// The variable store to copy.
    pub vars: PathBuf,
    /// QEMU's name of their format.
    pub format: &'static str,
}

/// Directory, code, variables without keys; Debian and Ubuntu, Fedora (old and new), Arch, in order of preference.
const UEFI: &[(&str, &str, &str)] = &[
    ("/usr/share/OVMF", "OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd"),
    ("/usr/share/edk2/ovmf", "OVMF_CODE_4M.qcow2", "OVMF_VARS_4M.qcow2"),
    ("/usr/share/edk2/ovmf", "OVMF_CODE.fd", "OVMF_VARS.fd"),
    ("/usr/share/edk2/x64", "OVMF_CODE.4m.fd", "OVMF_VARS.4m.fd"),
    ("/usr/share/OVMF", "OVMF_CODE.fd", "OVMF_VARS.fd"),
];

/// The same with system management mode and Microsoft's keys enrolled.
const SECURE_BOOT: &[(&str, &str, &str)] = &[
    ("/usr/share/OVMF", "OVMF_CODE_4M.secboot.fd", "OVMF_VARS_4M.ms.fd"),
    ("/usr/share/edk2/ovmf", "OVMF_CODE_4M.secboot.qcow2", "OVMF_VARS_4M.secboot.qcow2"),
    ("/usr/share/edk2/ovmf", "OVMF_CODE.secboot.fd", "OVMF_VARS.secboot.fd"),
    ("/usr/share/OVMF", "OVMF_CODE.secboot.fd", "OVMF_VARS.ms.fd"),
];

/// Finds OVMF for `firmware`; `None` for BIOS, which needs no file.
///
/// # Errors
/// The host has none.
pub fn find(firmware: Firmware) -> Result<Option<Ovmf>, VmError> {
    find_with(firmware, Path::exists)
}

fn find_with(firmware: Firmware, exists: impl Fn(&Path) -> bool) -> Result<Option<Ovmf>, VmError> {
    let table = match firmware {
        Firmware::Bios => return Ok(None),
        Firmware::Uefi => UEFI,
        Firmware::UefiSecureBoot => SECURE_BOOT,
    };
    let mut searched = Vec::new();
    for (dir, code, vars) in table {
        let (code, vars) = (Path::new(dir).join(code), Path::new(dir).join(vars));
        if exists(&code) && exists(&vars) {
            let format = if code.extension().is_some_and(|extension| extension == "qcow2") { "qcow2" } else { "raw" };
            return Ok(Some(Ovmf { code, vars, format }));
        }
        searched.push(code);
    }
    Err(VmError::NoFirmware { firmware: firmware.name(), searched })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bios_needs_no_file() {
        assert_eq!(find_with(Firmware::Bios, |_| false).unwrap(), None);
    }

    #[test]
    fn the_code_of_one_size_never_meets_the_variables_of_another() {
        let only = |path: &Path| {
            path.ends_with("OVMF_CODE_4M.fd")
                || path == Path::new("/usr/share/OVMF/OVMF_CODE.fd")
                || path == Path::new("/usr/share/OVMF/OVMF_VARS.fd")
        };
        let found = find_with(Firmware::Uefi, only).unwrap().unwrap();
        assert_eq!(found.code, Path::new("/usr/share/OVMF/OVMF_CODE.fd"));
    }

    #[test]
    fn fedora_ships_qcow2() {
        let found =
            find_with(Firmware::UefiSecureBoot, |path| path.starts_with("/usr/share/edk2/ovmf")).unwrap().unwrap();
        assert_eq!(
            (found.format, found.vars.to_str().unwrap()),
            ("qcow2", "/usr/share/edk2/ovmf/OVMF_VARS_4M.secboot.qcow2")
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = find_with(Firmware::UefiSecureBoot, |_| false).unwrap_err();
        assert!(error.to_string().contains("/usr/share/OVMF/OVMF_CODE_4M.secboot.fd"), "{error}");
        assert!(error.hint().unwrap().contains("ovmf"));
    }
}
