//! Images of diskimage-builder's own elements, unmodified, from its package, through our `disk-image-create`: one that is compared with what
//! diskimage-builder itself makes and boots to a login, and one of many elements, each of which must do what it promises.

use crate::bench::{Report, with_hint};
use crate::{article, storage};
use anyhow::{Context, ensure};
use isotope_sys::command::Tool;
use isotope_vm::http::FileServer;
use isotope_vm::{Disk, Firmware, Seed, SeedKind, Vm, VmSpec};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

const SHORT: Duration = Duration::from_secs(120);

/// Elements of diskimage-builder's, and what shows from inside a booted image that they did their work.
const PROMISES: &[(&str, &str)] = &[
    ("debian-minimal", "grep -q VERSION_CODENAME=bookworm /etc/os-release && ls /boot/vmlinuz-*"),
    ("debootstrap", "test \"$(dpkg -l | grep -c ^ii)\" -gt 150 && test -s /etc/default/locale"),
    (
        "dpkg",
        "test -s /etc/dib-manifests/dib-manifest-dpkg-many && ! test -e /usr/sbin/policy-rc.d && test -z \"$(dpkg --audit)\"",
    ),
    ("base", "dpkg -s apt-transport-https >/dev/null"),
    ("package-installs", "dpkg -s sudo >/dev/null"),
    ("pkg-map", "test -d /usr/share/pkg-map"),
    ("svc-map", "test -s /usr/share/svc-map/services"),
    ("install-bin", "test -x /usr/local/bin/install-packages"),
    ("install-static", "test -x /usr/local/bin/dynamic-login"),
    ("dib-init-system", "test -e /usr/lib/systemd/system/dynamic-login.service"),
    (
        "manifests",
        "test \"$(stat -c %a /etc/dib-manifests/dib_environment)\" = 600 && grep -q many /etc/dib-manifests/dib_arguments",
    ),
    ("element-manifest", "grep -qx growroot /etc/dib-manifests/dib-element-manifest"),
    ("sysprep", "test \"$(wc -c </etc/machine-id)\" = 33"),
    ("sysctl", "test -x /usr/local/bin/sysctl-set-value"),
    ("modprobe", "grep -qs pcspkr /etc/modprobe.d/*.conf && ! lsmod | grep -q pcspkr"),
    ("disable-nouveau", "grep -qs 'blacklist nouveau' /etc/modprobe.d/*.conf"),
    ("vm", "findmnt -no SOURCE / | grep -q 1$"),
    (
        "block-device-mbr",
        "blkid -o value -s PTTYPE /dev/vda | grep -qx dos && grep -q '^LABEL=cloudimg-rootfs / ' /etc/fstab",
    ),
    ("bootloader", "grep -q console=ttyS0,115200 /proc/cmdline && grep -q root=LABEL=cloudimg-rootfs /proc/cmdline"),
    ("growroot", "test \"$(df --output=size -B1M / | tail -n 1)\" -gt 3500"),
    ("growvols", "/usr/local/sbin/growvols --help >/dev/null && dpkg -s lvm2 >/dev/null"),
    ("cloud-init", "cloud-init status --wait | grep -q done"),
    ("cloud-init-datasources", "grep -rqs 'NoCloud' /etc/cloud/cloud.cfg.d/"),
    (
        "devuser",
        "id deployer && sudo -lU deployer | grep -q NOPASSWD && grep -q deployer-key ~deployer/.ssh/authorized_keys",
    ),
    ("openssh-server", "systemctl is-active ssh"),
    ("runtime-ssh-host-keys", "test -s /etc/ssh/ssh_host_ed25519_key"),
    ("dynamic-login", "systemctl is-enabled dynamic-login"),
    ("enable-serial-console", "systemctl is-active serial-getty@ttyS0"),
    ("journal-to-console", "grep -rqs 'ForwardToConsole=true' /etc/systemd/journald.conf.d"),
    ("autoupdates", "dpkg -s unattended-upgrades >/dev/null"),
    ("apt-conf", "grep -q isotope-test /etc/apt/apt.conf"),
    ("apt-sources", "grep -q '# isotope-test' /etc/apt/sources.list"),
    ("ensure-venv", "python3 -m venv --help >/dev/null"),
    ("dhcp-all-interfaces", "test -x /usr/local/sbin/dhcp-all-interfaces.sh"),
    ("local-config", "grep -q builder-key /root/.ssh/authorized_keys"),
    ("cleanup-kernel-initrd", "test \"$(ls /boot/vmlinuz-* | wc -l)\" = 1"),
];

/// Of those, which the others do not bring along.
const NAMED: &[&str] = &[
    "debian-minimal",
    "vm",
    "growroot",
    "growvols",
    "cloud-init",
    "cloud-init-datasources",
    "devuser",
    "openssh-server",
    "runtime-ssh-host-keys",
    "dynamic-login",
    "enable-serial-console",
    "journal-to-console",
    "autoupdates",
    "apt-conf",
    "apt-sources",
    "ensure-venv",
    "dhcp-all-interfaces",
    "local-config",
    "cleanup-kernel-initrd",
    "disable-nouveau",
    "sysctl",
    "element-manifest",
    "svc-map",
    "baremetal",
];

/// `debian-minimal vm` by both programs: the same packages; ours boots to a login.
pub fn plain(report: &mut Report<'_>) {
    let scratch = isotope_tests::scratch("dib-plain-");
    let Some(kit) = report.step("diskimage-builder's elements are there", |_| Kit::new(scratch.path())) else { return };
    let Some(ours) = report.step("our disk-image-create builds debian-minimal vm of them", |_| {
        kit.build("ours", true, "image", &["-t", "qcow2", "debian-minimal", "vm"], &[])
    }) else {
        return;
    };
    report.step("diskimage-builder builds the same, and it has the same packages", |_| {
        let theirs = kit.build("theirs", false, "image", &["-t", "tar", "debian-minimal", "vm"], &[])?;
        let (our, their) = (packages(&ours, "image")?, packages(&theirs, "image")?);
        ensure!(our.len() > 150, "only {} packages", our.len());
        let only =
            |one: &BTreeSet<String>, other: &BTreeSet<String>| one.difference(other).cloned().collect::<Vec<_>>();
        ensure!(our == their, "only ours: {:?}; only theirs: {:?}", only(&our, &their), only(&their, &our));
        Ok(())
    });
    let Some(mut vm) = report.step("the machine is made", |bench| {
        let spec = VmSpec::new(ours.join("image.qcow2"), Firmware::Bios, bench.accel.accel);
        Vm::create(spec, &bench.cancel).map_err(with_hint)
    }) else {
        return;
    };
    report.vm_step("boots to a login", &mut vm, |vm| {
        vm.start()?;
        storage::wait_on_console(vm, 0, "login:", Duration::from_secs(600))
    });
}

/// Many elements in one image; each is asked from inside.
pub fn many(report: &mut Report<'_>) {
    let scratch = isotope_tests::scratch("dib-many-");
    let Some(kit) = report.step("diskimage-builder's elements are there", |_| Kit::new(scratch.path())) else { return };
    let step = format!("our disk-image-create builds an image of {} of them", NAMED.len());
    let Some(made) = report.step(&step, |_| {
        let env = kit.of_many()?;
        // What local-config takes from whoever builds.
        let ssh = scratch.path().join("many/home/.ssh");
        std::fs::create_dir_all(&ssh)?;
        std::fs::write(ssh.join("authorized_keys"), "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEJ1aWxkZXI builder-key\n")?;
        let env: Vec<(&str, &str)> = env.iter().map(|(name, value)| (*name, value.as_str())).collect();
        kit.build("many", true, "many", &[&["-t", "qcow2"], NAMED].concat(), &env)
    }) else {
        return;
    };
    report.step("baremetal: kernel and initramfs stand beside the image", |_| {
        for name in ["many.vmlinuz", "many.initrd"] {
            ensure!(made.join(name).metadata().is_ok_and(|meta| meta.len() > 1 << 20), "there is no {name}");
        }
        Ok(())
    });
    let Some(mut vm) = report.step("the machine is made", |bench| {
        let image = made.join("many.qcow2");
        let mut spec = VmSpec::new(&image, Firmware::Bios, bench.accel.accel);
        spec.disks = vec![Disk { size: Some(5 << 30), ..Disk::new(&image) }];
        spec.seed = Some(Seed::new(SeedKind::NoCloud, "many"));
        Vm::create(spec, &bench.cancel).map_err(with_hint)
    }) else {
        return;
    };
    let timeout = report.bench.boot_timeout();
    let booted = report.vm_step("boots, and cloud-init lets us in", &mut vm, |vm| {
        vm.start()?;
        vm.wait_for_ssh(timeout)?;
        Ok(())
    });
    if booted.is_none() {
        return;
    }
    for (element, script) in PROMISES {
        report.vm_step(element, &mut vm, |vm| {
            vm.ssh()?.root(&format!("set -e; {script}"), SHORT)?;
            Ok(())
        });
    }
}

/// Magnum's element of 2016 to 2018 as it was, through our `disk-image-create`, against a tree on 127.0.0.1; and the image boots that tree.
pub fn fedora_atomic(report: &mut Report<'_>) {
    let scratch = isotope_tests::scratch("dib-atomic-");
    let Some(kit) = report.step("diskimage-builder's elements are there", |_| Kit::new(scratch.path())) else { return };
    let Some((server, commit)) = report.step("a tree is served as Fedora's was", |_| {
        let (source, reference) = article::tree(scratch.path())?;
        let ostree = |args: &[&str]| Ok::<_, anyhow::Error>(Tool::new("ostree").args(args).run()?.text());
        // A copy, because it gets the reference that the element asks for.
        let repo = scratch.path().join("served");
        let (from, to) = (source.display().to_string(), repo.display().to_string());
        ostree(&["init", "--mode=archive", "--repo", &to])?;
        ostree(&["pull-local", "--repo", &to, &from, &reference])?;
        let commit = ostree(&["rev-parse", "--repo", &to, &reference])?;
        ostree(&["refs", "--repo", &to, &commit, "--create=fedora-atomic/27/x86_64/docker-host"])?;
        Ok((FileServer::start(&repo)?, commit))
    }) else {
        return;
    };
    let Some(made) = report.step("our disk-image-create runs the element", |_| {
        let ours = isotope_tests::root().join("tests/dib/elements").display().to_string();
        let url = server.url();
        let env = [("ELEMENTS_PATH", ours.as_str()), ("FEDORA_ATOMIC_TREE_URL", url.as_str()), ("DIB_RELEASE", "27")];
        kit.build("atomic", true, "fedora-atomic", &["--image-size", "6", "fedora-atomic"], &env)
    }) else {
        return;
    };
    report.step("the deployment is there, with its entry, the image's fstab and cloud-init", |_| {
        let image = made.join("fedora-atomic.qcow2");
        let inspected = Tool::new(isotope_tests::isotope()).args(["--json", "inspect"]).arg(&image).run()?.text();
        ensure!(inspected.contains(&commit), "`isotope inspect` shows no deployment of {commit}: {inspected}");
        Ok(())
    });
    let Some(mut vm) = report.step("the machine is made", |bench| {
        let image = made.join("fedora-atomic.qcow2");
        let mut spec = VmSpec::new(&image, Firmware::Bios, bench.accel.accel);
        spec.seed = Some(Seed::new(SeedKind::NoCloud, "atomic"));
        Vm::create(spec, &bench.cancel).map_err(with_hint)
    }) else {
        return;
    };
    let timeout = report.bench.boot_timeout();
    report.vm_step("boots the tree, and cloud-init lets us in", &mut vm, |vm| {
        vm.start()?;
        vm.wait_for_ssh(timeout)?;
        let script = format!(
            "ostree admin status | grep -q '^\\* fedora-atomic {commit}' && grep -q LABEL=cloudimg-rootfs /etc/fstab"
        );
        vm.ssh()?.root(&script, SHORT)?;
        Ok(())
    });
}

/// What images are built with.
struct Kit {
    dir: PathBuf,
    venv: PathBuf,
    elements: PathBuf,
    mirrors: Vec<(String, String)>,
}

impl Kit {
    fn new(dir: &Path) -> anyhow::Result<Self> {
        let venv = std::env::var_os("ISOTOPE_TEST_DIB").map(PathBuf::from).unwrap_or_default();
        let python = venv.join("bin/python3");
        ensure!(
            python.exists(),
            "ISOTOPE_TEST_DIB names no virtualenv with diskimage-builder; `cargo xtask test vm` makes one"
        );
        let ask = "import diskimage_builder; print(diskimage_builder.__path__[0])";
        let package = Tool::new(python.display().to_string()).args(["-c", ask]).run()?.text();
        let link = dir.join("disk-image-create");
        std::os::unix::fs::symlink(isotope_tests::isotope(), &link)?;
        Ok(Self {
            dir: dir.to_owned(),
            venv,
            elements: Path::new(package.trim()).join("elements"),
            mirrors: mirrors()?,
        })
    }

    /// Runs a program in a directory of its own, which comes back.
    #[expect(clippy::too_many_arguments, reason = "a command line in its parts")]
    fn build(
        &self,
        name: &str,
        ours: bool,
        image: &str,
        args: &[&str],
        env: &[(&str, &str)],
    ) -> anyhow::Result<PathBuf> {
        let dir = self.dir.join(name);
        std::fs::create_dir_all(dir.join("home"))?;
        let path = std::env::var("PATH")?;
        let shims = isotope_tests::root().join("tests/dib/shims");
        let (program, path) = if ours {
            (self.dir.join("disk-image-create"), path)
        } else {
            (self.venv.join("bin/disk-image-create"), format!("{}:{path}", shims.display()))
        };
        let mut tool =
            Tool::new("env").arg("-i").arg(format!("PATH={path}")).arg(format!("HOME={}/home", dir.display()));
        for (name, value) in &self.mirrors {
            tool = tool.arg(format!("{name}={value}"));
        }
        tool = tool
            .arg(format!("ELEMENTS_PATH={}", self.elements.display()))
            .arg(format!("ISOTOPE_DATA_DIR={}", isotope_tests::root().display()))
            // Downloads are the same for both programs.
            .arg(format!("DIB_IMAGE_CACHE={}/cache", self.dir.display()))
            .args(["DIB_RELEASE=bookworm", "LC_ALL=C", "TERM=dumb"]);
        for (name, value) in env {
            tool = tool.arg(format!("{name}={value}"));
        }
        let log = dir.join("log");
        tool.arg(program).args(["-o", image, "--logfile"]).arg(&log).args(args).current_dir(&dir).run().with_context(
            || {
                let text = std::fs::read_to_string(&log).unwrap_or_default();
                let tail: Vec<&str> = text.lines().rev().take(40).collect();
                tail.into_iter().rev().collect::<Vec<_>>().join("\n")
            },
        )?;
        Ok(dir)
    }

    /// Variables, and the files that they name.
    fn of_many(&self) -> anyhow::Result<Vec<(&'static str, String)>> {
        let file = |name: &str, text: &str| -> anyhow::Result<String> {
            let path = self.dir.join(name);
            std::fs::write(&path, text)?;
            Ok(path.display().to_string())
        };
        let mirror =
            |name: &str| self.mirrors.iter().find(|(one, _)| one == name).map_or("", |(_, value)| value.as_str());
        let sources = format!("# isotope-test\ndeb {} bookworm main\n", mirror("DIB_DISTRIBUTION_MIRROR"));
        Ok(vec![
            ("DIB_PYTHON_VERSION", "3".to_owned()),
            ("DIB_CLOUD_INIT_DATASOURCES", "NoCloud, ConfigDrive".to_owned()),
            ("DIB_DEV_USER_USERNAME", "deployer".to_owned()),
            ("DIB_DEV_USER_PWDLESS_SUDO", "yes".to_owned()),
            (
                "DIB_DEV_USER_AUTHORIZED_KEYS",
                file(
                    "deployer.pub",
                    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBZhbGlkLWVub3VnaC1mb3ItYS10ZXN0LWtleS0xMjM0 deployer-key\n",
                )?,
            ),
            ("DIB_LOCAL_CONFIG_USERNAME", "root".to_owned()),
            ("DIB_MODPROBE_BLACKLIST", "pcspkr".to_owned()),
            ("DIB_APT_CONF", file("apt.conf", "// isotope-test\nAPT::Install-Suggests \"false\";\n")?),
            ("DIB_APT_SOURCES", file("sources.list", &sources)?),
        ])
    }
}

/// The archives of our own builds, in the elements' variables.
fn mirrors() -> anyhow::Result<Vec<(String, String)>> {
    let plan = Tool::new(isotope_tests::isotope())
        .args(["plan", "debian-cloud", "--set", "debian-minimal.release=bookworm", "--json"])
        .current_dir(isotope_tests::root())
        .run()?
        .text();
    let plan: serde_json::Value = serde_json::from_str(&plan)?;
    let steps = plan["steps"].as_array().cloned().unwrap_or_default();
    let sources =
        steps.iter().find(|step| step["action"]["kind"] == "bootstrap").map(|step| &step["action"]["sources"]);
    let sources = sources.and_then(|sources| sources.as_array()).cloned().unwrap_or_default();
    let uri = |wanted: &dyn Fn(&str) -> bool| {
        let found = sources.iter().find(|source| source["suite"].as_str().is_some_and(wanted));
        found.and_then(|source| source["uri"].as_str()).map(str::to_owned)
    };
    let main = uri(&|suite| suite == "bookworm").context("the plan of debian-cloud names no archive of bookworm")?;
    let security = uri(&|suite| suite.contains("security")).unwrap_or_else(|| main.clone());
    Ok(vec![("DIB_DISTRIBUTION_MIRROR".to_owned(), main), ("DIB_DEBIAN_SECURITY_MIRROR".to_owned(), security)])
}

/// Name, version and architecture of each, as the dpkg element writes them down.
fn packages(dir: &Path, image: &str) -> anyhow::Result<BTreeSet<String>> {
    let file = dir.join(format!("{image}.d/dib-manifests/dib-manifest-dpkg-{image}"));
    let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let list: serde_json::Value = serde_json::from_str(&text)?;
    let list = list["packages"].as_array().cloned().unwrap_or_default();
    Ok(list.iter().map(|one| format!("{} {} {}", one["package"], one["version"], one["arch"])).collect())
}
