//! QEMU's command line, made purely from the spec and the paths of what was prepared.

use crate::accel::Accel;
use crate::disk::PreparedDisk;
use crate::firmware::{Firmware, Ovmf};
use crate::spec::{DiskBus, VmSpec};
use std::path::{Path, PathBuf};

/// What was prepared for a machine.
#[derive(Debug, Clone)]
pub struct Paths {
    /// The disks, in the order of the spec.
    pub disks: Vec<PreparedDisk>,
    /// The seed's image.
    pub seed: Option<PathBuf>,
    /// OVMF with the machine's own copy of the variables.
    pub ovmf: Option<Ovmf>,
    /// Socket of the monitor.
    pub qmp: PathBuf,
    /// Socket of the serial console.
    pub console: PathBuf,
    /// Log of the serial console.
    pub console_log: PathBuf,
}

/// The arguments.
#[must_use]
pub fn args(spec: &VmSpec, paths: &Paths) -> Vec<String> {
    let mut args = Args(Vec::new());
    args.add("-nodefaults", None).add("-no-user-config", None);
    machine(&mut args, spec, paths.ovmf.as_ref());
    args.add("-smp", Some(spec.cpus.to_string())).add("-m", Some(spec.memory_mib.to_string()));
    args.add("-display", Some("none".to_owned())).add("-vga", Some("std".to_owned()));
    args.add("-chardev", Some(format!("socket,id=qmp,path={},server=on,wait=off", path(&paths.qmp))));
    args.add("-mon", Some("chardev=qmp,mode=control".to_owned()));
    let console = format!(
        "socket,id=console,path={},server=on,wait=off,logfile={},logappend=on",
        path(&paths.console),
        path(&paths.console_log)
    );
    args.add("-chardev", Some(console)).add("-serial", Some("chardev:console".to_owned()));
    args.add("-device", Some("virtio-rng-pci".to_owned()));
    // Where `Qmp::attach_disk` plugs in.
    args.add("-device", Some("pcie-root-port,id=hotplug0,chassis=1".to_owned()));
    network(&mut args, spec);
    disks(&mut args, spec, paths);
    if let Some(kernel) = &spec.kernel {
        args.add("-kernel", Some(kernel.kernel.display().to_string()));
        if let Some(initrd) = &kernel.initrd {
            args.add("-initrd", Some(initrd.display().to_string()));
        }
        args.add("-append", Some(kernel.cmdline.clone()));
    }
    args.0
}

struct Args(Vec<String>);

impl Args {
    fn add(&mut self, flag: &str, value: Option<String>) -> &mut Self {
        self.0.push(flag.to_owned());
        self.0.extend(value);
        self
    }
}

/// QEMU splits values at commas; a comma in a path is doubled.
fn path(path: &Path) -> String {
    path.display().to_string().replace(',', ",,")
}

fn machine(args: &mut Args, spec: &VmSpec, ovmf: Option<&Ovmf>) {
    let secure = spec.firmware == Firmware::UefiSecureBoot;
    args.add("-machine", Some(if secure { "q35,smm=on" } else { "q35" }.to_owned()));
    let (accel, cpu) = match spec.accel {
        Accel::Kvm => ("kvm", "host"),
        // Fewer features are less work to emulate: qemu64 boots in 60 s what takes `max` 75 s.
        Accel::Tcg => ("tcg,thread=multi,tb-size=1024", "qemu64"),
    };
    args.add("-accel", Some(accel.to_owned()));
    args.add("-cpu", Some(spec.cpu.clone().unwrap_or_else(|| cpu.to_owned())));
    if let Some(ovmf) = ovmf {
        if secure {
            args.add("-global", Some("driver=cfi.pflash01,property=secure,value=on".to_owned()));
        }
        let code = format!("if=pflash,unit=0,format={},readonly=on,file={}", ovmf.format, path(&ovmf.code));
        let vars = format!("if=pflash,unit=1,format={},file={}", ovmf.format, path(&ovmf.vars));
        args.add("-drive", Some(code)).add("-drive", Some(vars));
    }
}

fn network(args: &mut Args, spec: &VmSpec) {
    let network = &spec.network;
    let mut user = format!("user,id=net0,hostfwd=tcp:127.0.0.1:{}-:22", network.ssh_port.unwrap_or(0));
    for (host, guest) in &network.forwards {
        user.push_str(&format!(",hostfwd=tcp:127.0.0.1:{host}-:{guest}"));
    }
    if !network.online {
        user.push_str(",restrict=on");
    }
    let mut device = "virtio-net-pci,netdev=net0,id=nic0".to_owned();
    match &network.boot {
        Some(boot) => {
            user.push_str(&format!(",tftp={},bootfile={}", path(&boot.tftp), boot.file));
            device.push_str(",bootindex=0");
        }
        // No option ROM: the firmware loses no time with the network.
        None => device.push_str(",romfile="),
    }
    args.add("-netdev", Some(user)).add("-device", Some(device));
}

fn disks(args: &mut Args, spec: &VmSpec, paths: &Paths) {
    if spec.disks.iter().any(|disk| disk.bus == DiskBus::VirtioScsi) {
        args.add("-device", Some("virtio-scsi-pci,id=scsi0".to_owned()));
    }
    let mut sata_port = 0;
    for (index, (disk, prepared)) in spec.disks.iter().zip(&paths.disks).enumerate() {
        args.add("-blockdev", Some(blockdev(&format!("disk{index}"), prepared, false)));
        let device = match disk.bus {
            DiskBus::VirtioBlk => format!("virtio-blk-pci,serial=disk{index}"),
            DiskBus::VirtioScsi => format!("scsi-hd,bus=scsi0.0,serial=disk{index}"),
            DiskBus::Sata => {
                sata_port += 1;
                format!("ide-hd,bus=ide.{},serial=disk{index}", sata_port - 1)
            }
            DiskBus::Nvme => format!("nvme,serial=disk{index}"),
        };
        let sector = disk.sector_size;
        let sectors = if sector == 512 {
            String::new()
        } else {
            format!(",logical_block_size={sector},physical_block_size={sector}")
        };
        // QEMU gives the first place to a kernel of its own.
        let second = spec.network.boot.is_some() || spec.kernel.is_some();
        let boot = if second { index + 1 } else { index };
        args.add("-device", Some(format!("{device},id=dev-disk{index},drive=disk{index},bootindex={boot}{sectors}")));
    }
    if let Some(seed) = &paths.seed {
        let prepared = PreparedDisk { path: seed.clone(), format: "raw", disposable: true, size: 0 };
        args.add("-blockdev", Some(blockdev("seed", &prepared, true)));
        args.add("-device", Some("virtio-blk-pci,serial=seed,id=dev-seed,drive=seed".to_owned()));
    }
}

fn blockdev(name: &str, disk: &PreparedDisk, read_only: bool) -> String {
    let mut text = format!(
        "driver={},node-name={name},file.driver=file,file.filename={},discard=unmap",
        disk.format,
        path(&disk.path)
    );
    if disk.disposable {
        text.push_str(",cache.no-flush=on,file.cache.no-flush=on");
    }
    if read_only {
        text.push_str(",read-only=on");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Disk, NetworkBoot};

    fn paths(spec: &VmSpec) -> Paths {
        let disk = |_| PreparedDisk { path: "/w/disk0.qcow2".into(), format: "qcow2", disposable: true, size: 1 };
        Paths {
            disks: spec.disks.iter().map(disk).collect(),
            seed: Some("/w/seed.img".into()),
            ovmf: (spec.firmware != Firmware::Bios).then(|| Ovmf {
                code: "/o/CODE.fd".into(),
                vars: "/w/vars.fd".into(),
                format: "raw",
            }),
            qmp: "/w/qmp".into(),
            console: "/w/console".into(),
            console_log: "/w/console.log".into(),
        }
    }

    #[test]
    fn bios_under_tcg() {
        let spec = VmSpec::new("/image.qcow2", Firmware::Bios, Accel::Tcg);
        let line = args(&spec, &paths(&spec)).join(" ");
        assert!(line.contains("-accel tcg,thread=multi,tb-size=1024 -cpu qemu64 -smp 1 -m 2048"), "{line}");
        assert!(line.contains("virtio-blk-pci,serial=disk0,id=dev-disk0,drive=disk0,bootindex=0 -blockdev"), "{line}");
        assert!(line.contains("hostfwd=tcp:127.0.0.1:0-:22,restrict=on"), "{line}");
        assert!(!line.contains("pflash"), "{line}");
    }

    #[test]
    fn secure_boot_needs_system_management_mode_and_secure_flash() {
        let spec = VmSpec::new("/image.qcow2", Firmware::UefiSecureBoot, Accel::Kvm);
        let line = args(&spec, &paths(&spec)).join(" ");
        for part in
            ["q35,smm=on", "property=secure,value=on", "unit=0,format=raw,readonly=on,file=/o/CODE.fd", "-cpu host"]
        {
            assert!(line.contains(part), "{part} is not in {line}");
        }
    }

    #[test]
    fn big_sectors_other_buses_and_commas_in_paths() {
        let mut spec = VmSpec::new("/image.qcow2", Firmware::Uefi, Accel::Tcg);
        spec.disks[0].sector_size = 4096;
        spec.disks.push(Disk { bus: DiskBus::VirtioScsi, ..Disk::empty(1) });
        spec.disks.push(Disk { bus: DiskBus::Sata, ..Disk::empty(1) });
        spec.disks.push(Disk { bus: DiskBus::Nvme, ..Disk::empty(1) });
        let mut paths = paths(&spec);
        paths.disks[0].path = "/w/a,b.qcow2".into();
        let line = args(&spec, &paths).join(" ");
        for part in [
            "logical_block_size=4096",
            "/w/a,,b.qcow2",
            "virtio-scsi-pci,id=scsi0",
            "ide-hd,bus=ide.0",
            "nvme,serial=disk3",
        ] {
            assert!(line.contains(part), "{part} is not in {line}");
        }
    }

    #[test]
    fn a_network_boot_comes_before_the_disks() {
        let mut spec = VmSpec::new("/image.qcow2", Firmware::Bios, Accel::Tcg);
        spec.network.boot = Some(NetworkBoot { tftp: "/srv".into(), file: "boot.ipxe".into() });
        let line = args(&spec, &paths(&spec)).join(" ");
        assert!(line.contains("tftp=/srv,bootfile=boot.ipxe") && line.contains("id=nic0,bootindex=0"), "{line}");
        assert!(line.contains("drive=disk0,bootindex=1"), "{line}");
    }
}
