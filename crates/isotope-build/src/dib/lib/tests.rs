//! The functions do what hooks expect of them.

use super::{FILES, PROGRAMS, write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

fn library() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    write(&dir.path().join("lib"), Path::new("/bin/true")).unwrap();
    dir
}

/// Runs a script in the directory, which has the library; gives standard output, or standard error and what it ended with.
#[expect(clippy::disallowed_methods, reason = "bash, as hooks use it")]
fn bash(dir: &tempfile::TempDir, script: &str) -> Result<String, String> {
    let output = std::process::Command::new("bash")
        .args(["-eu", "-o", "pipefail", "-c", script])
        .current_dir(dir.path())
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("_LIB", dir.path().join("lib"))
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(format!("{}{:?}", text(&output.stderr), output.status.code()))
    }
}

#[test]
fn every_file_and_program_is_there() {
    let dir = library();
    for (name, mode, _) in FILES {
        let metadata = std::fs::metadata(dir.path().join("lib").join(name)).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, *mode, "{name}");
    }
    for name in PROGRAMS {
        assert_eq!(std::fs::read_link(dir.path().join("lib/bin").join(name)).unwrap(), Path::new("/bin/true"));
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "shellcheck, over the project's own files")]
fn they_pass_shellcheck() {
    let dir = library();
    let shell = FILES.iter().filter(|(name, ..)| !name.contains("python"));
    let checked = std::process::Command::new("shellcheck")
        .args(["--severity=warning", "--shell=bash", "--format=gcc"])
        .args(shell.map(|(name, ..)| dir.path().join("lib").join(name)))
        .output()
        .expect("shellcheck runs (Debian's package shellcheck)");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
}

#[test]
fn die_ends_the_build_and_tells_why() {
    let error = bash(&library(), "source $_LIB/die; die no disk; echo never").unwrap_err();
    assert_eq!(error, "ERROR: no disk\nSome(1)");
}

#[test]
fn the_newest_kernel_with_a_ramdisk_is_selected() {
    let dir = library();
    let script = |files: &str, more: &str| {
        format!(
            "rm -rf boot; mkdir boot; for f in {files}; do touch boot/$f; done; source $_LIB/img-functions; {more}\n\
             select_boot_kernel_initrd .; echo $BOOTDIR $KERNEL $RAMDISK"
        )
    };
    for (files, expected) in [
        (
            "vmlinuz-6.1.0-9-amd64 vmlinuz-6.1.0-10-amd64 initrd.img-6.1.0-{9,10}-amd64",
            "vmlinuz-6.1.0-10-amd64 initrd.img-6.1.0-10-amd64",
        ),
        ("vmlinuz-6.2 vmlinuz-6.1 initrd.img-6.1", "vmlinuz-6.1 initrd.img-6.1"),
        (
            "vmlinuz-5-debug vmlinuz-4.fc40.x86_64 initramfs-{5-debug,4.fc40.x86_64}.img",
            "vmlinuz-4.fc40.x86_64 initramfs-4.fc40.x86_64.img",
        ),
        ("vmlinuz-0-rescue-f vmlinuz-3 initramfs-0-rescue-f.img initramfs-3.img", "vmlinuz-3 initramfs-3.img"),
        ("vmlinux-6-default initrd-6-default", "vmlinux-6-default initrd-6-default"),
    ] {
        assert_eq!(bash(&dir, &script(files, "")).unwrap(), format!("./boot {expected}\n"), "{files}");
    }
    let patterns = "DIB_BAREMETAL_KERNEL_PATTERN='my*' DIB_BAREMETAL_INITRD_PATTERN='rd*'";
    let files = "vmlinuz-1 initrd.img-1 my-2 my-10 rd-2 rd-10";
    assert_eq!(bash(&dir, &script(files, patterns)).unwrap(), "./boot my-10 rd-10\n");
    let error = bash(&dir, &script("vmlinuz-1", "")).unwrap_err();
    assert!(error.contains("./boot has not a kernel and its initial ramdisk"), "{error}");
}

#[test]
fn an_image_gets_its_name_and_an_old_one_is_kept() {
    let dir = library();
    let script = "source $_LIB/common-functions; echo new > tmp; touch -d '2020-02-03 04:05:06' out.qcow2; TMP_IMAGE_PATH=tmp\n\
                  DIB_CHECKSUM=both TZ=UTC finish_image out.qcow2 >&2; cat out.qcow2; ls";
    let listed = bash(&dir, script).unwrap();
    assert!(listed.starts_with("new\n"), "{listed}");
    for name in ["out-2020.02.03-04.05.06.qcow2", "out.qcow2.md5", "out.qcow2.sha256"] {
        assert!(listed.lines().any(|line| line == name), "{listed}");
    }
}

#[test]
fn elements_and_break_points() {
    let dir = library();
    let script = "source $_LIB/common-functions; IMAGE_ELEMENT='base vm'; check_element vm && echo has; check_element v || echo not\n\
                  break=before-x,after-y check_break after-y echo there; break=before-x check_break after-x echo never";
    assert_eq!(bash(&dir, script).unwrap(), "has\nnot\nthere\n");
}

#[test]
fn a_phase_runs_by_run_d() {
    let dir = library();
    let script = "source $_LIB/common-functions; export TMP_HOOKS_PATH=$PWD/hooks; mkdir -p hooks/one.d\n\
                  printf '#!/bin/sh\\necho ran\\n' > hooks/one.d/10-x; chmod +x hooks/one.d/10-x; run_d one; run_d none";
    assert_eq!(bash(&dir, script).unwrap(), "Running one\nran\n");
}

#[test]
fn sudo_takes_what_hooks_give_it() {
    let dir = library();
    for (args, expected) in [
        ("-E -H -n env printf %s x", "x"),
        ("-EHn A=1 B='2 3' sh -c 'printf \"%s|%s\" $A \"$B\"'", "1|2 3"),
        ("-- printf %s -u", "-u"),
        ("-u root printf %s y", "y"),
        ("sh -c 'printf %s $SUDO_USER'", "root"),
        ("-n true", ""),
    ] {
        assert_eq!(bash(&dir, &format!("$_LIB/bin/sudo {args}")).unwrap(), expected, "{args}");
    }
    let error = bash(&dir, "$_LIB/bin/sudo -Z true").unwrap_err();
    assert!(error.contains("unknown option -Z"), "{error}");
}
