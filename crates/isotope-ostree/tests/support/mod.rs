//! A small tree that can be deployed, the `ostree` command as oracle, keys.

#![allow(dead_code, reason = "each test binary uses a part")]

pub mod server;

use isotope_sys::command::Tool;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

/// The kernel's version in [`tree`].
pub const KVER: &str = "6.1.0-test";

/// Runs the `ostree` command; its standard output.
pub fn ostree(args: &[&str]) -> String {
    Tool::new("ostree").args(args).run().unwrap().text()
}

/// Runs any tool.
pub fn run(program: &str, args: &[&str]) -> String {
    Tool::new(program).args(args).run().unwrap().text()
}

/// A tree in the layout that ostree deploys: kernel, initramfs, /usr/etc, links, some files of all kinds.
pub fn tree(root: &Path, version: &str) {
    let write = |path: &str, text: &str| {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write(&format!("usr/lib/modules/{KVER}/vmlinuz"), "a kernel");
    write(&format!("usr/lib/modules/{KVER}/initramfs.img"), "an initramfs");
    write("usr/lib/os-release", &format!("ID=test\nNAME=Test\nVERSION_ID={version}\nPRETTY_NAME=\"Test {version}\"\n"));
    write("usr/etc/hostname", "test\n");
    write("usr/etc/deep/er/file.conf", "x=1\n");
    write("usr/bin/tool", &format!("#!/bin/sh\necho {version}\n"));
    fs::set_permissions(root.join("usr/bin/tool"), fs::Permissions::from_mode(0o4755)).unwrap();
    std::os::unix::fs::chown(root.join("usr/etc/hostname"), Some(12), Some(34)).unwrap();
    symlink("../usr/lib/os-release", root.join("usr/etc/os-release")).unwrap();
    for dir in ["boot", "dev", "proc", "run", "sys", "sysroot", "tmp", "var"] {
        fs::create_dir_all(root.join(dir)).unwrap();
    }
    for (link, to) in [("bin", "usr/bin"), ("lib", "usr/lib"), ("home", "var/home"), ("ostree", "sysroot/ostree")] {
        symlink(to, root.join(link)).unwrap();
    }
}

/// Many files of changing sizes, the same for the same seed: something to transfer.
pub fn many_files(root: &Path, count: usize, seed: u64) {
    let dir = root.join("usr/share/many");
    fs::create_dir_all(&dir).unwrap();
    let mut state = seed | 1;
    for number in 0..count {
        let mut data = Vec::new();
        for _ in 0..(512 + number % 7 * 300) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            data.extend(state.to_le_bytes());
        }
        fs::write(dir.join(format!("file{number}")), data).unwrap();
    }
}
