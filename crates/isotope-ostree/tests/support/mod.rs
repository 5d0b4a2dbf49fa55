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

/// Gives the calling thread, and those it starts, a mount namespace of its own, as the engine has one.
pub fn private_mounts() {
    assert!(nix::unistd::geteuid().is_root(), "host tests need root");
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).expect("a private mount namespace (run as root)");
    let flags = nix::mount::MsFlags::MS_REC | nix::mount::MsFlags::MS_PRIVATE;
    nix::mount::mount(None::<&str>, "/", None::<&str>, flags, None::<&str>).expect("private mounts");
}

/// A GPG home directory with a signing key for `user`; its fingerprint, and a file with its public key.
pub fn gpg_key(home: &Path, user: &str) -> (String, std::path::PathBuf) {
    fs::create_dir_all(home).unwrap();
    fs::set_permissions(home, fs::Permissions::from_mode(0o700)).unwrap();
    let gpg = |args: &[&str]| run("gpg", &[&["--homedir", home.to_str().unwrap(), "--batch"], args].concat());
    gpg(&["--passphrase", "", "--quick-gen-key", user, "ed25519", "sign", "never"]);
    let list = gpg(&["--with-colons", "--list-keys", user]);
    let fingerprint = list.lines().find_map(|line| line.strip_prefix("fpr:")).unwrap().split(':').nth(8).unwrap();
    let file = home.join(format!("{user}.asc"));
    fs::write(&file, gpg(&["--armor", "--export", user]) + "\n").unwrap();
    (fingerprint.to_owned(), file)
}
