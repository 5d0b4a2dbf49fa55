//! The article that this project started from, step by step: `isotope build fedora-atomic` with the URL and ref of a tree served over HTTP
//! on 127.0.0.1, and for each of its nine steps what became of it, in the image and in the guest.

use crate::bench::{Report, with_hint};
use anyhow::{Context, bail, ensure};
use isotope_sys::command::Tool;
use isotope_vm::http::FileServer;
use isotope_vm::{Firmware, Seed, SeedKind, Vm};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;

const SHORT: Duration = Duration::from_secs(120);
/// The volume of the article's docker storage.
const POOL: &str = "docker-docker--pool";

/// What the build said and made.
struct Made {
    image: PathBuf,
    found: Value,
    manifest: Value,
    commit: String,
}

pub fn article(report: &mut Report<'_>) {
    let scratch = isotope_tests::scratch("article-");
    let Some((server, reference)) = report.step("a tree is served over HTTP on 127.0.0.1", |_| serve(scratch.path()))
    else {
        return;
    };
    let Some(made) = report.step("FEDORA_ATOMIC_TREE_URL and _REF set, `isotope build fedora-atomic`", |_| {
        build(scratch.path(), &server.url(), &reference)
    }) else {
        return;
    };
    let seed = Seed::new(SeedKind::NoCloud, "article");
    let Some(mut vm) = report.step("the machine is made", |bench| {
        Vm::create(bench.spec(&made.image, Firmware::Uefi, seed)?, &bench.cancel).map_err(with_hint)
    }) else {
        return;
    };
    let timeout = report.bench.boot_timeout();
    let up = report.vm_step("the image boots", &mut vm, |vm| {
        vm.start().map_err(with_hint)?;
        vm.wait_for_ssh(timeout).map_err(with_hint)?;
        vm.ssh()?.root("cloud-init status --wait >/dev/null; systemctl is-system-running --wait || true", timeout)?;
        Ok(())
    });
    if up.is_none() {
        return;
    }
    for (name, step) in STEPS {
        report.vm_step(name, &mut vm, |vm| step(&made, vm));
    }
    report.vm_step("switches itself off", &mut vm, |vm| Ok(vm.power_off(Duration::from_secs(240))?));
}

type Step = fn(&Made, &Vm) -> anyhow::Result<()>;

const STEPS: &[(&str, Step)] = &[
    ("1: os-init, remote add, pull, admin deploy: the stateroot fedora-atomic runs the commit", deployed),
    ("2: fstab is in the deployment, and preserves the mounts", fstab),
    ("3: the deployed directory and its initramfs are where the boot entry says", found),
    ("4: the boot entry: root by label, both consoles, ostree=/ostree/boot.N/fedora-atomic/ID/0", entry),
    ("5: cloud-init's four units are enabled in the deployment", cloud_init),
    ("6: docker's storage is the thin pool that is named", docker_storage),
    ("7: docker-storage-setup does not run", docker_storage_setup),
    ("8: GRUB boots the tree and nothing else", grub),
    ("9: no base image and no package of one is left over", nothing_else),
];

/// A repository with a Debian 12 tree, whose docker still has devicemapper: given, or composed here.
fn serve(scratch: &Path) -> anyhow::Result<(FileServer, String)> {
    let (repo, reference) = tree(scratch)?;
    Ok((FileServer::start(&repo)?, reference))
}

/// The repository, and the reference of the tree in it.
pub fn tree(scratch: &Path) -> anyhow::Result<(PathBuf, String)> {
    let repo = match std::env::var_os("ISOTOPE_TEST_ARTICLE_REPO") {
        Some(given) => PathBuf::from(given),
        None => {
            let repo = scratch.join("repo");
            Tool::new(isotope_tests::isotope())
                .args(["compose", "--release", "bookworm", "--log-format", "text", "--repo"])
                .arg(&repo)
                .arg(isotope_tests::root().join("elements/debian-atomic/treefile.yaml"))
                .run()
                .context("composing the tree failed")?;
            repo
        }
    };
    let refs = Tool::new("ostree").args(["refs", "--repo"]).arg(&repo).run()?.text();
    let reference = refs.lines().find(|line| line.contains("bookworm")).context("there is no tree of bookworm")?;
    Ok((repo, reference.to_owned()))
}

fn build(scratch: &Path, url: &str, reference: &str) -> anyhow::Result<Made> {
    let root = isotope_tests::root();
    Tool::new(isotope_tests::isotope())
        .args(["build", "fedora-atomic", "docker-storage", "--log-format", "text"])
        .args(["--set", "ostree-deploy.verify=false", "--set", &format!("docker-storage.pool={POOL}")])
        .args(["--set", "docker-storage.storage_driver=devicemapper", "--output-dir"])
        .arg(scratch)
        .env("FEDORA_ATOMIC_TREE_URL", url)
        .env("FEDORA_ATOMIC_TREE_REF", reference)
        .env("DIB_RELEASE", "27")
        .current_dir(&root)
        .run()
        .context("the build failed")?;
    let image = scratch.join("fedora-atomic.qcow2");
    let inspected = Tool::new(isotope_tests::isotope()).args(["--json", "inspect"]).arg(&image).run()?;
    let found: Value = serde_json::from_slice(&inspected.stdout)?;
    let manifest: Value = serde_json::from_slice(&std::fs::read(scratch.join("fedora-atomic.manifest.json"))?)?;
    let commit = manifest["ostree"]["commit"].as_str().context("the manifest names no commit")?.to_owned();
    Ok(Made { image, found, manifest, commit })
}

fn root(vm: &Vm, script: &str) -> anyhow::Result<String> {
    Ok(vm.ssh()?.root(&format!("set -eu\n{script}"), SHORT)?.text())
}

fn deployed(made: &Made, vm: &Vm) -> anyhow::Result<()> {
    let told = &made.manifest["ostree"];
    ensure!(told["stateroot"] == "fedora-atomic" && told["verified"] == "none", "the manifest says {told}");
    ensure!(made.manifest["target"]["release"] == "27", "DIB_RELEASE is not honoured: {}", made.manifest["target"]);
    let status = root(vm, "ostree admin status")?;
    let marked = format!("* fedora-atomic {}.0", made.commit);
    ensure!(status.lines().next().is_some_and(|line| line.trim() == marked), "expected `{marked}`:\n{status}");
    // The article deletes its remote, so its hosts cannot upgrade; here it stays.
    let url = root(vm, "ostree remote show-url fedora-atomic")?;
    ensure!(told["upgrade_url"] == url.as_str() && url.starts_with("http://127.0.0.1:"), "the remote is at {url}");
    Ok(())
}

fn fstab(made: &Made, vm: &Vm) -> anyhow::Result<()> {
    let fstab = root(vm, "grep -v '^#' /etc/fstab")?;
    let lines: Vec<Vec<&str>> = fstab.lines().map(|line| line.split_whitespace().collect()).collect();
    ensure!(lines.iter().any(|words| words[..3] == ["LABEL=root", "/", "ext4"]), "{fstab}");
    ensure!(lines.iter().filter(|words| words[1] == "/").count() == 1 && lines.len() == 2, "{fstab}");
    let path = format!("/sysroot/ostree/deploy/fedora-atomic/deploy/{}.0/etc/fstab", made.commit);
    root(vm, &format!("cmp /etc/fstab {path}; findmnt /boot/efi")).map(drop)
}

fn found(_: &Made, vm: &Vm) -> anyhow::Result<()> {
    let script = "dir=$(find /boot/ostree -maxdepth 1 -name 'fedora-atomic-*' -type d)\ntest \"$(echo \"$dir\" | wc -l)\" = 1\n\
                  ls $dir/vmlinuz* $dir/initramfs*.img\ngrep -q \"${dir#/boot}/vmlinuz\" /boot/loader/entries/*.conf";
    root(vm, script).map(drop)
}

fn entry(made: &Made, vm: &Vm) -> anyhow::Result<()> {
    let line = root(vm, "cat /proc/cmdline")?;
    let words: Vec<&str> = line.split_whitespace().collect();
    for word in ["root=LABEL=root", "console=tty0", "console=ttyS0,115200n8", "no_timer_check", "selinux=0"] {
        ensure!(words.contains(&word), "{word} is not in {line}");
    }
    let ostree = words.iter().find_map(|word| word.strip_prefix("ostree=")).context("there is no ostree=")?;
    let parts: Vec<&str> = ostree.split('/').collect();
    let ["", "ostree", boot, "fedora-atomic", id, "0"] = parts.as_slice() else { bail!("ostree={ostree}") };
    ensure!(boot.starts_with("boot.") && id.len() == 64, "ostree={ostree}");
    let shown = made.found["deployments"][0]["kernel_args"].as_str().unwrap_or_default();
    ensure!(line.ends_with(shown), "the image's entry says {shown}, the kernel {line}");
    Ok(())
}

fn cloud_init(_: &Made, vm: &Vm) -> anyhow::Result<()> {
    let script = "for unit in cloud-init-local cloud-init cloud-config cloud-final; do systemctl is-enabled $unit.service; done\n\
                  cloud-init status | grep -qx 'status: done'; test \"$(hostname)\" = article";
    root(vm, script).map(drop)
}

fn docker_storage(_: &Made, vm: &Vm) -> anyhow::Result<()> {
    let options = root(vm, "cat /etc/sysconfig/docker-storage")?;
    ensure!(options.contains(&format!("--storage-opt dm.thinpooldev=/dev/mapper/{POOL}")), "{options}");
    ensure!(options.lines().any(|line| line.starts_with("DOCKER_STORAGE_OPTIONS=")), "{options}");
    Ok(())
}

fn docker_storage_setup(_: &Made, vm: &Vm) -> anyhow::Result<()> {
    let script = "for unit in docker-storage-setup container-storage-setup; do\n\
                  test ! -e /etc/systemd/system/multi-user.target.wants/$unit.service\n\
                  ! systemctl is-active --quiet $unit.service; done";
    root(vm, script).map(drop)
}

fn grub(made: &Made, vm: &Vm) -> anyhow::Result<()> {
    let boot = &made.found["boot"];
    ensure!(boot["bios"]["loader"] == "grub", "{boot}");
    ensure!(boot["efi"].as_array().is_some_and(|efi| !efi.is_empty()), "{boot}");
    let titles =
        root(vm, "grep -c '^LABEL' /boot/loader/syslinux.cfg; grep -h '^title' /boot/loader/entries/*.conf | wc -l")?;
    ensure!(titles == "1\n1", "one deployment, one entry: {titles}");
    root(vm, "if grep vmlinuz /boot/grub/grub.cfg; then exit 1; fi").map(drop)
}

fn nothing_else(made: &Made, vm: &Vm) -> anyhow::Result<()> {
    root(
        vm,
        "test -z \"$(ls /boot/vmlinuz* /boot/initramfs* /boot/initrd* 2>/dev/null)\"; test ! -e /sysroot/usr; test ! -e /sysroot/etc",
    )?;
    let elements = made.manifest["elements"].to_string();
    ensure!(!elements.contains("fedora-minimal") && !elements.contains("debian-minimal"), "{elements}");
    let deployments = made.found["deployments"].as_array().map_or(0, Vec::len);
    ensure!(deployments == 1, "{deployments} deployments");
    Ok(())
}
