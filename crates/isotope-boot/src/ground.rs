//! What every grub.cfg of ours needs to know: where `/boot` is, and on which consoles the menu shows.

use crate::flavour::Flavour;
use crate::place::Place;
use isotope_plan::BootSpec;
use serde::Serialize;

/// For templates.
#[derive(Debug, Serialize)]
pub(crate) struct Ground<'a> {
    bls: bool,
    boot_uuid: &'a str,
    boot_path: &'a str,
    grub_path: String,
    boot_partition: &'a str,
    table_module: &'a str,
    filesystem_module: &'a str,
    serial: Option<String>,
    terminals: &'static str,
    timeout: u32,
}

impl<'a> Ground<'a> {
    /// `bls`: the menu reads BLS entries.
    pub(crate) fn new(spec: &BootSpec, flavour: &Flavour, place: &'a Place, bls: bool) -> Self {
        let serial = serial_command(&spec.consoles);
        let screen = spec.consoles.iter().any(|console| console.starts_with("tty") && !console.starts_with("ttyS"));
        let terminals = match (&serial, screen || spec.consoles.is_empty()) {
            (Some(_), true) => "console serial",
            (Some(_), false) => "serial",
            (None, _) => "console",
        };
        let Place { boot_uuid, boot_partition, filesystem_module, table_module, boot_path, .. } = place;
        let (grub_path, timeout) = (format!("{boot_path}/{}", flavour.directory), spec.timeout);
        Self {
            bls,
            boot_uuid,
            boot_path,
            grub_path,
            boot_partition,
            table_module,
            filesystem_module,
            serial,
            terminals,
            timeout,
        }
    }
}

/// GRUB's command for the last serial console: `ttyS1,9600n8` → `serial --unit=1 --speed=9600`.
fn serial_command(consoles: &[String]) -> Option<String> {
    let console = consoles.iter().rev().find_map(|console| console.strip_prefix("ttyS"))?;
    let (unit, mode) = console.split_once(',').unwrap_or((console, ""));
    let unit: u32 = unit.parse().ok()?;
    let digits: String = mode.chars().take_while(char::is_ascii_digit).collect();
    let speed: u32 = digits.parse().unwrap_or(9600);
    Some(format!("serial --unit={unit} --speed={speed}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serial_consoles_in_grub_s_words() {
        let command = |consoles: &[&str]| serial_command(&consoles.iter().map(|c| (*c).to_owned()).collect::<Vec<_>>());
        assert_eq!(command(&["tty0", "ttyS1,9600n8"]).as_deref(), Some("serial --unit=1 --speed=9600"));
        assert_eq!(command(&["ttyS0"]).as_deref(), Some("serial --unit=0 --speed=9600"));
        assert_eq!(command(&["tty0", "ttyAMA0", "hvc0"]), None);
    }
}
