//! Access inside a target tree, hostile ones included.

use isotope_sys::target::{FileMode, TargetDir, TargetPath};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use tempfile::TempDir;

struct Trees {
    outside: TempDir,
    _inside: TempDir,
    tree: TargetDir,
}

fn trees() -> Trees {
    let (outside, inside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::write(outside.path().join("precious"), "kept").unwrap();
    let tree = TargetDir::open(inside.path()).unwrap();
    Trees { outside, _inside: inside, tree }
}

impl Trees {
    fn untouched(&self) {
        assert_eq!(std::fs::read_to_string(self.outside.path().join("precious")).unwrap(), "kept");
        assert_eq!(self.outside.path().read_dir().unwrap().count(), 1);
        assert_eq!(self.outside.path().join("precious").metadata().unwrap().permissions().mode() & 0o777, 0o644);
    }
}

#[test]
fn absolute_links_resolve_inside() {
    let trees = trees();
    trees.tree.create_dir_all("/real", 0o755).unwrap();
    trees.tree.symlink("/real", "/alias").unwrap();
    trees.tree.write("/alias/file", "text", 0o640).unwrap();
    assert_eq!(trees.tree.read("/real/file").unwrap(), b"text");
    assert_eq!(trees.tree.metadata("/alias/file").unwrap().unwrap().st_mode & 0o7777, 0o640);
}

#[test]
fn no_deed_leaves_the_tree() {
    let trees = trees();
    let (tree, outside) = (&trees.tree, trees.outside.path());
    let host = |name: &str| tree.host_path_of(name);
    symlink(outside, host("/dir")).unwrap();
    symlink(outside.join("precious"), host("/file")).unwrap();
    symlink(Path::new("../../../../../../../..").join(outside.strip_prefix("/").unwrap()), host("/up")).unwrap();
    for name in ["/dir", "/up"] {
        let inner = TargetPath::new(name).join("precious");
        assert!(tree.read(&inner).is_err());
        assert!(tree.write(&inner, "x", 0o600).is_err(), "{name} leads nowhere inside");
        assert!(tree.append(&inner, 0o600).is_err());
        assert!(tree.create_dir_all(&*TargetPath::new(name).join("new"), 0o755).is_err());
        assert!(!tree.remove(&inner).unwrap());
        assert!(!tree.remove_tree(&inner).unwrap());
        assert!(tree.set_mode(&inner, 0o777).is_err());
        assert!(tree.set_owner(&inner, 1, 1).is_err());
        assert!(tree.set_times(&inner, 0).is_err());
        assert!(tree.read_dir(name).unwrap().is_empty());
        assert!(tree.open_mount_point(name).is_err());
    }
    assert!(tree.read("/file").is_err());
    assert!(tree.read("/../../../../../../../../etc/passwd").is_err());
    trees.untouched();
    tree.write("/file", "mine", 0o600).unwrap();
    assert_eq!(tree.read("/file").unwrap(), b"mine");
    assert!(tree.remove_tree("/dir").unwrap());
    trees.untouched();
}

#[test]
fn kernel_links_are_not_followed() {
    let trees = trees();
    trees.tree.create_dir_all("/proc", 0o755).unwrap();
    let proc = TargetDir::open("/").unwrap();
    assert!(proc.read("/proc/self/cwd/Cargo.toml").is_err());
    assert!(proc.open_at("/proc/self/root", rustix::fs::OFlags::PATH, 0).is_err());
}

#[test]
fn special_files_are_not_read() {
    let trees = trees();
    let fifo = trees.tree.host_path_of("/fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let error = trees.tree.read("/fifo").unwrap_err();
    assert!(error.source.to_string().contains("not a regular file"), "{error:?}");
    assert!(trees.tree.append("/fifo", 0o600).is_err());
}

#[test]
fn writing_replaces_at_once_and_makes_directories() {
    let Trees { tree, .. } = &trees();
    tree.write("/a/b/c", "one", 0o4755).unwrap();
    let first = tree.metadata("/a/b/c").unwrap().unwrap();
    assert_eq!(first.st_mode & 0o7777, 0o4755);
    tree.write("/a/b/c", "two", 0o600).unwrap();
    assert_ne!(tree.metadata("/a/b/c").unwrap().unwrap().st_ino, first.st_ino);
    assert_eq!(tree.read_dir("/a/b").unwrap().len(), 1, "no temporary file is left");
    let error = tree.write("/a/b", "x", 0o600).unwrap_err();
    assert!(error.to_string().starts_with("cannot write /a/b in the target tree /"), "{error}");
    assert_eq!(tree.read_dir("/a").unwrap().len(), 1, "no temporary file is left after an error");
}

#[test]
fn trees_are_copied_with_what_belongs_to_files() {
    let Trees { tree, outside, .. } = &trees();
    let source = outside.path();
    std::fs::create_dir_all(source.join("d/e")).unwrap();
    std::fs::write(source.join("d/script"), "#!/bin/sh\n").unwrap();
    std::fs::set_permissions(source.join("d/script"), PermissionsExt::from_mode(0o770)).unwrap();
    symlink("../script", source.join("d/e/link")).unwrap();
    tree.create_dir_all("/opt", 0o700).unwrap();
    tree.copy_in(source, "/opt", FileMode::Checkout).unwrap();
    let mode = |path: &str| tree.metadata(path).unwrap().unwrap().st_mode & 0o7777;
    assert_eq!(
        (mode("/opt"), mode("/opt/d"), mode("/opt/d/script"), mode("/opt/precious")),
        (0o700, 0o755, 0o755, 0o644)
    );
    assert_eq!(tree.read_link("/opt/d/e/link").unwrap().unwrap(), "../script");
    tree.copy_in(&source.join("d/script"), "/exact", FileMode::Source).unwrap();
    tree.copy_in(&source.join("d/script"), "/fixed", FileMode::Fixed(0o640)).unwrap();
    assert_eq!((mode("/exact"), mode("/fixed")), (0o770, 0o640));
}

#[test]
fn younger_times_are_clamped_and_older_stay() {
    let Trees { tree, .. } = &trees();
    tree.write("/new/file", "", 0o644).unwrap();
    tree.symlink("file", "/new/link").unwrap();
    tree.write("/old", "", 0o644).unwrap();
    tree.set_times("/old", 1_000_000_000).unwrap();
    tree.clamp_times(1_700_000_000).unwrap();
    let time = |path: &str| tree.host_path_of(path).symlink_metadata().unwrap().mtime();
    for path in ["/", "/new", "/new/file", "/new/link"] {
        assert_eq!(time(path), 1_700_000_000, "{path}");
    }
    assert_eq!(time("/old"), 1_000_000_000);
}

#[test]
fn logs_are_emptied_in_place() {
    let Trees { tree, .. } = &trees();
    tree.write("/log", "text", 0o640).unwrap();
    let before = tree.metadata("/log").unwrap().unwrap();
    tree.truncate("/log").unwrap();
    let after = tree.metadata("/log").unwrap().unwrap();
    assert_eq!((after.st_ino, after.st_size, after.st_mode), (before.st_ino, 0, before.st_mode));
    tree.truncate("/absent").unwrap();
}
