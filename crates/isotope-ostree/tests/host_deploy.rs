//! From a directory to a deployment: commit, serve, pull, deploy; the `ostree` command says whether it is right.

mod support;

use isotope_ostree::{
    Bootloader, Commit, Deploy, Mode, OstreeError, Pull, Remote, Repo, Sysroot, SysrootOptions, Verify,
};
use std::fs;
use std::path::{Path, PathBuf};
use support::server::Server;
use support::{KVER, ostree};

struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// An archive with one commit of a small tree, at `test/os`.
    fn archive(&self, version: &str) -> Repo {
        let repo = Repo::create(self.path("archive"), Mode::Archive).unwrap();
        self.commit(&repo, version);
        repo
    }

    fn commit(&self, repo: &Repo, version: &str) {
        let tree = self.path(&format!("tree-{version}"));
        fs::create_dir(&tree).unwrap();
        support::tree(&tree, version);
        let mut commit = Commit::new(&tree, "test/os");
        commit.subject = format!("Version {version}");
        commit.version = Some(version.to_owned());
        commit.timestamp = Some(1_700_000_000);
        repo.commit(&commit, &mut |_| {}).unwrap();
        repo.update_summary().unwrap();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Deployments are immutable directories.
        for dir in glob(self.dir.path()) {
            isotope_sys::command::Tool::new("chattr").arg("-i").arg(dir).run().ok();
        }
    }
}

fn glob(root: &Path) -> Vec<PathBuf> {
    let find = isotope_sys::command::Tool::new("find").arg(root).args([
        "-path",
        "*/ostree/deploy/*/deploy/*",
        "-maxdepth",
        "8",
        "-type",
        "d",
        "-name",
        "*.[0-9]",
    ]);
    find.run().unwrap().text().lines().map(PathBuf::from).collect()
}

fn deploy(sysroot: &Sysroot, rev: &str) -> isotope_ostree::Deployment {
    let kernel_args = ["root=LABEL=atomic-root", "console=tty0", "rw", "console=ttyS0,115200n8"];
    sysroot
        .deploy(&Deploy {
            stateroot: "test-os".to_owned(),
            rev: rev.to_owned(),
            origin: None,
            kernel_args: kernel_args.map(str::to_owned).to_vec(),
            keep_older: false,
        })
        .unwrap()
}

#[test]
fn host_a_directory_becomes_a_deployment_over_http() {
    let place = Place::new();
    let archive = place.archive("1");
    let server = Server::start(place.path("archive"));
    let root = place.path("root");
    fs::create_dir(&root).unwrap();
    let sysroot = Sysroot::init(&root, &SysrootOptions::default()).unwrap();
    sysroot.add_stateroot("test-os").unwrap();
    let repo = sysroot.repo().unwrap();
    repo.set_remote(&Remote::new("test", server.url(), Verify::None)).unwrap();
    let mut heard = 0;
    let pulled = repo.pull(&Pull::new("test", ["test/os"]), &mut |progress| heard = progress.objects).unwrap();
    let commit = archive.resolve("test/os").unwrap();
    assert_eq!(pulled.commits["test/os"], commit);
    assert!(pulled.bytes > 0 && pulled.objects > 5, "{pulled:?}");
    let made = deploy(&sysroot, "test:test/os");
    assert_eq!((made.checksum.clone(), made.serial, made.index), (commit.clone(), 0, 0));
    assert_eq!(made.origin.as_deref(), Some("test:test/os"));
    assert_eq!(made.version.as_deref(), Some("1"));
    let consoles: Vec<&String> = made.kargs.iter().filter(|arg| arg.starts_with("console=")).collect();
    assert_eq!(consoles, ["console=tty0", "console=ttyS0,115200n8"]);
    assert!(made.kargs.iter().any(|arg| arg.starts_with("ostree=/ostree/boot.")), "{:?}", made.kargs);
    assert_eq!(fs::read_to_string(made.dir.join("etc/hostname")).unwrap(), "test\n");
    let entries = fs::read_to_string(root.join("boot/loader/syslinux.cfg")).unwrap();
    assert!(entries.contains("PROMPT 1") && entries.contains("console=ttyS0,115200n8"), "{entries}");
    let kernel = format!("boot/ostree/test-os-{}/vmlinuz-{KVER}", made.bootcsum);
    assert_eq!(fs::read_to_string(root.join(&kernel)).unwrap(), "a kernel", "{kernel}");
    // As libostree writes it: relative to /boot, which /boot/boot leads to.
    assert_eq!(made.linux.as_deref(), kernel.strip_prefix("boot"));
    assert!(entries.contains(&format!("KERNEL /{kernel}")), "{entries}");
    assert_eq!(fs::read_link(root.join("boot/boot")).unwrap(), Path::new("."));
    // The oracle.
    let status = ostree(&["admin", "status", &format!("--sysroot={}", root.display())]);
    assert!(
        status.contains(&format!("test-os {commit}.0")) && status.contains("origin refspec: test:test/os"),
        "{status}"
    );
    let at = format!("--repo={}", root.join("ostree/repo").display());
    // Its exit status says it.
    ostree(&["fsck", &at]);
    assert!(ostree(&["refs", &at]).contains("test:test/os"));
    assert_eq!(sysroot.status().unwrap(), [made]);
}

#[test]
fn host_an_upgrade_keeps_the_old_one_second_and_merges_etc() {
    let place = Place::new();
    let archive = place.archive("1");
    let root = place.path("root");
    fs::create_dir(&root).unwrap();
    let options = SysrootOptions { bootloader: Bootloader::None, ..SysrootOptions::default() };
    let sysroot = Sysroot::init(&root, &options).unwrap();
    sysroot.add_stateroot("test-os").unwrap();
    let repo = sysroot.repo().unwrap();
    repo.set_remote(&Remote::new("test", "http://127.0.0.1:1/", Verify::None)).unwrap();
    let pull = Pull::new("test", ["test/os"]);
    repo.pull_local(&archive, &pull, &mut |_| {}).unwrap();
    let first = deploy(&sysroot, "test:test/os");
    fs::write(first.dir.join("etc/hostname"), "edited\n").unwrap();
    place.commit(&archive, "2");
    repo.pull_local(&archive, &pull, &mut |_| {}).unwrap();
    let second = deploy(&sysroot, "test:test/os");
    assert_eq!(fs::read_to_string(second.dir.join("etc/hostname")).unwrap(), "edited\n");
    let status = sysroot.status().unwrap();
    let versions: Vec<_> = status.iter().map(|one| one.version.as_deref().unwrap()).collect();
    assert_eq!(versions, ["2", "1"]);
    assert_eq!(fs::read_dir(root.join("boot/loader/entries")).unwrap().count(), 2);
}

#[test]
fn host_what_cannot_boot_is_refused_before_anything_is_deployed() {
    let place = Place::new();
    let archive = place.archive("1");
    let root = place.path("root");
    fs::create_dir(&root).unwrap();
    let sysroot = Sysroot::init(&root, &SysrootOptions::default()).unwrap();
    sysroot.add_stateroot("test-os").unwrap();
    let repo = sysroot.repo().unwrap();
    repo.set_remote(&Remote::new("test", "http://127.0.0.1:1/", Verify::None)).unwrap();
    let attempt = |change: &dyn Fn(&Path)| {
        let tree = tempfile::tempdir().unwrap();
        support::tree(tree.path(), "9");
        change(tree.path());
        let mut commit = Commit::new(tree.path(), "bad");
        commit.bootable = false;
        archive.commit(&commit, &mut |_| {}).unwrap();
        repo.pull_local(&archive, &Pull::new("test", ["bad"]), &mut |_| {}).unwrap();
        let deploy = Deploy {
            stateroot: "test-os".to_owned(),
            rev: "test:bad".to_owned(),
            origin: None,
            kernel_args: Vec::new(),
            keep_older: false,
        };
        let error = sysroot.deploy(&deploy).unwrap_err();
        assert_eq!(sysroot.status().unwrap(), []);
        assert!(!root.join("ostree/deploy/test-os/deploy").exists());
        error
    };
    let kernel = format!("usr/lib/modules/{KVER}/vmlinuz");
    let initramfs = format!("usr/lib/modules/{KVER}/initramfs.img");
    let error = attempt(&|tree| fs::remove_file(tree.join(&kernel)).unwrap());
    assert!(matches!(error, OstreeError::NoKernel { .. }), "{error}");
    let error = attempt(&|tree| fs::remove_file(tree.join(&initramfs)).unwrap());
    assert!(error.to_string().contains(&format!("/{initramfs} is expected")), "{error}");
}

#[test]
fn host_kernel_arguments_change_and_deployments_go() {
    let place = Place::new();
    let archive = place.archive("1");
    let root = place.path("root");
    fs::create_dir(&root).unwrap();
    let sysroot = Sysroot::init(&root, &SysrootOptions::default()).unwrap();
    sysroot.add_stateroot("test-os").unwrap();
    // A second time changes nothing.
    sysroot.add_stateroot("test-os").unwrap();
    let repo = sysroot.repo().unwrap();
    repo.set_remote(&Remote::new("test", "http://127.0.0.1:1/", Verify::None)).unwrap();
    repo.pull_local(&archive, &Pull::new("test", ["test/os"]), &mut |_| {}).unwrap();
    let made = deploy(&sysroot, "test:test/os");
    let changed = sysroot.set_kernel_args(&made, &["quiet".to_owned(), "console=ttyS1".to_owned()]).unwrap();
    assert_eq!(&changed.kargs[..2], ["quiet", "console=ttyS1"]);
    assert!(changed.kargs[2].starts_with("ostree=/ostree/boot.") && changed.kargs.len() == 3, "{:?}", changed.kargs);
    let entries = fs::read_to_string(root.join("boot/loader/syslinux.cfg")).unwrap();
    assert!(entries.contains("APPEND quiet console=ttyS1 ostree=") && !entries.contains("tty0"), "{entries}");
    assert!(sysroot.set_kernel_args(&made, &["a\nb".to_owned()]).is_err());
    sysroot.undeploy(&changed).unwrap();
    assert_eq!(sysroot.status().unwrap(), []);
    assert!(!made.dir.exists());
    assert!(sysroot.undeploy(&changed).unwrap_err().to_string().contains("has no deployment"));
}

#[test]
fn host_bad_names_and_arguments_are_refused_first() {
    let place = Place::new();
    let root = place.path("root");
    fs::create_dir(&root).unwrap();
    assert!(Sysroot::open(&root).unwrap_err().to_string().contains("is no root of an atomic system"));
    let sysroot = Sysroot::init(&root, &SysrootOptions::default()).unwrap();
    assert!(matches!(sysroot.add_stateroot("../up").unwrap_err(), OstreeError::BadStateroot { .. }));
    sysroot.add_stateroot("one").unwrap();
    let attempt = |stateroot: &str, arg: &str| {
        let deploy = Deploy {
            stateroot: stateroot.to_owned(),
            rev: "test:nothing".to_owned(),
            origin: None,
            kernel_args: vec![arg.to_owned()],
            keep_older: false,
        };
        sysroot.deploy(&deploy).unwrap_err()
    };
    assert!(matches!(attempt("one", "quiet\nrw"), OstreeError::BadKernelArg { .. }));
    assert!(attempt("two", "quiet").to_string().ends_with("has no stateroot \"two\"; it has: one"));
    assert!(matches!(attempt("one", "quiet"), OstreeError::UnknownRef { .. }));
}

#[test]
fn host_a_root_that_is_full_keeps_nothing_half_deployed() {
    support::private_mounts();
    let place = Place::new();
    let tree = place.path("tree-big");
    fs::create_dir(&tree).unwrap();
    support::tree(&tree, "1");
    // Configuration is copied at each deployment: 3 MB of it, in a root that has room for it once.
    fs::write(tree.join("usr/etc/large"), vec![7_u8; 3 << 20]).unwrap();
    let archive = Repo::create(place.path("archive"), Mode::Archive).unwrap();
    archive.commit(&Commit::new(&tree, "test/os"), &mut |_| {}).unwrap();
    let root = place.path("root");
    fs::create_dir(&root).unwrap();
    let flags = nix::mount::MsFlags::empty();
    nix::mount::mount(Some("tmpfs"), &root, Some("tmpfs"), flags, Some("size=5m")).unwrap();
    let sysroot = Sysroot::init(&root, &SysrootOptions::default()).unwrap();
    sysroot.add_stateroot("test-os").unwrap();
    let repo = sysroot.repo().unwrap();
    repo.set_remote(&Remote::new("test", "http://127.0.0.1:1/", Verify::None)).unwrap();
    repo.pull_local(&archive, &Pull::new("test", ["test/os"]), &mut |_| {}).unwrap();
    let kernel_args = Vec::new();
    let rev = "test:test/os".to_owned();
    let deploy = Deploy { stateroot: "test-os".to_owned(), rev, origin: None, kernel_args, keep_older: false };
    let error = sysroot.deploy(&deploy).unwrap_err();
    assert!(matches!(error, OstreeError::NoSpace { .. }), "{error}: {:?}", std::error::Error::source(&error));
    assert_eq!(sysroot.status().unwrap(), []);
    assert_eq!(fs::read_dir(root.join("ostree/deploy/test-os/deploy")).unwrap().count(), 0);
    drop(repo);
    nix::mount::umount2(&root, nix::mount::MntFlags::MNT_DETACH).unwrap();
}

#[test]
fn host_a_tmpfs_can_be_deployed_to() {
    support::private_mounts();
    let place = Place::new();
    let archive = place.archive("1");
    let root = place.path("root");
    fs::create_dir(&root).unwrap();
    nix::mount::mount(Some("tmpfs"), &root, Some("tmpfs"), nix::mount::MsFlags::empty(), Some("size=64m")).unwrap();
    let sysroot = Sysroot::init(&root, &SysrootOptions::default()).unwrap();
    sysroot.add_stateroot("test-os").unwrap();
    let repo = sysroot.repo().unwrap();
    repo.set_remote(&Remote::new("test", "http://127.0.0.1:1/", Verify::None)).unwrap();
    repo.pull_local(&archive, &Pull::new("test", ["test/os"]), &mut |_| {}).unwrap();
    let made = deploy(&sysroot, "test:test/os");
    fs::write(made.dir.join("etc/fstab"), "x").unwrap();
    drop(repo);
    nix::mount::umount2(&root, nix::mount::MntFlags::MNT_DETACH).unwrap();
}
