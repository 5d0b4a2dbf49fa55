//! The harness's own checks, each a shell script: values first, then the text of a `.sh` file.

use super::Expectations;
use crate::firmware::Firmware;
use isotope_plan::{Check, CheckKind};
use isotope_sys::command::shell_quote;
use std::ffi::OsStr;

/// Name under which they are reported.
pub const ELEMENT: &str = "isotope-vm";

/// The checks that `expect` asks for, in the order they run: first what waits for the guest to settle.
pub fn checks(expect: &Expectations) -> Vec<Check> {
    let mut list = vec![check("the system has settled and is running", 600, &[], include_str!("settled.sh"))];
    if expect.cloud_init {
        list.push(check("cloud-init is done", 600, &[], include_str!("cloud_init.sh")));
    }
    list.push(check("no unit has failed", 60, &[], include_str!("failed_units.sh")));
    let firmware = match expect.firmware {
        Firmware::Bios => ("booted by BIOS", "bios"),
        Firmware::Uefi => ("booted by UEFI", "uefi"),
        Firmware::UefiSecureBoot => ("Secure Boot is enforced", "secure-boot"),
    };
    list.push(check(firmware.0, 60, &[("firmware", firmware.1)], include_str!("firmware.sh")));
    let first_boot = if expect.first_boot { "1" } else { "0" };
    let image_id = expect.image_machine_id.as_deref().unwrap_or_default();
    let values = [("first_boot", first_boot), ("image_id", image_id)];
    list.push(check("the machine-id is fresh", 60, &values, include_str!("machine_id.sh")));
    list.push(check("the SSH host keys are fresh", 60, &[("first_boot", first_boot)], include_str!("host_keys.sh")));
    if let Some(hostname) = &expect.hostname {
        list.push(check("the host name is the seed's", 60, &[("expected", hostname)], include_str!("hostname.sh")));
    }
    if expect.grown {
        list.push(check("root fills the disk", 60, &[], include_str!("root_grown.sh")));
    }
    list
}

fn check(name: &str, timeout: u32, values: &[(&str, &str)], script: &str) -> Check {
    let mut run = String::new();
    for (key, value) in values {
        run.push_str(&format!("{key}={}\n", shell_quote(OsStr::new(value))));
    }
    run.push_str(script);
    Check { element: ELEMENT.to_owned(), name: name.to_owned(), kind: CheckKind::Script, run, timeout }
}

#[cfg(test)]
mod tests {
    use super::*;
    use isotope_sys::command::Tool;

    fn all() -> Expectations {
        Expectations {
            firmware: Firmware::UefiSecureBoot,
            hostname: Some("it's".to_owned()),
            first_boot: true,
            image_machine_id: None,
            grown: true,
            cloud_init: true,
        }
    }

    #[test]
    fn every_script_is_good_shell() {
        for check in checks(&all()) {
            Tool::new("sh").arg("-n").stdin(check.run.as_bytes()).run().unwrap();
        }
    }

    #[test]
    fn values_are_quoted() {
        let list = checks(&all());
        let hostname = list.iter().find(|check| check.name.contains("host name")).unwrap();
        assert!(hostname.run.starts_with("expected='it'\\''s'\n"), "{}", hostname.run);
    }

    #[test]
    fn what_is_not_expected_is_not_asked() {
        let none = Expectations { hostname: None, grown: false, cloud_init: false, ..all() };
        assert_eq!(checks(&none).len(), checks(&all()).len() - 3);
    }
}
