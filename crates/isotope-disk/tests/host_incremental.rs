//! Disks that begin with an earlier one hold what a disk made at once holds, are sound, and waste no room.

mod support;

use isotope_disk::populate::{Changes, Copied, Extent};
use isotope_disk::{Assembly, Geometry, Incremental, MountedDisk};
use isotope_plan::Bytes;
use isotope_plan::layout::{FilesystemKind, Layout, PartitionSize, SectorSize, Table};
use nix::mount::MsFlags;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use support::compare::{Facts, compare, facts};

/// A directory with a tree, disks, and overlays over the tree.
struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for name in ["tree", "mnt", "merged"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Lays an empty upper directory over others (the top one first) and shows it all at `merged`.
    fn overlay(&self, upper: &str, lower: &[&str]) -> Merged {
        fs::create_dir_all(self.path(upper)).unwrap();
        fs::create_dir_all(self.path(&format!("{upper}.work"))).unwrap();
        let lower: Vec<_> = lower.iter().map(|lower| self.path(lower).display().to_string()).collect();
        let (upper, work) = (self.path(upper), self.path(&format!("{upper}.work")));
        let data = format!("lowerdir={},upperdir={},workdir={}", lower.join(":"), upper.display(), work.display());
        let merged = self.path("merged");
        nix::mount::mount(Some("overlay"), &merged, Some("overlay"), MsFlags::empty(), Some(data.as_str())).unwrap();
        Merged { path: merged }
    }

    fn changes(&self, uppers: &[&str]) -> Changes {
        let mut changes = Changes::new();
        uppers.iter().for_each(|upper| changes.add_upper(&self.path(upper)).unwrap());
        changes
    }

    /// Makes a disk; what is in it, what was copied, what was noted.
    fn make(&self, layout: &Layout, tree: &Path, how: &Incremental<'_>) -> Made {
        let (raw, mountpoint) = (self.path("disk.raw"), self.path("mnt"));
        let (options, progress) = (support::options(), &mut support::quiet);
        let mut assembly = Assembly { layout, tree, raw: &raw, mountpoint: &mountpoint, options: &options, progress };
        let made = how.make(&mut assembly).unwrap();
        let facts = facts(&mountpoint, &[]);
        let free = free(&made.disk, layout);
        let geometry = made.disk.finish(&mut support::quiet).unwrap();
        check(layout, &raw, &geometry);
        Made { facts, free, copied: made.copied, notes: made.notes }
    }
}

/// An overlay; unmounted when dropped.
struct Merged {
    path: PathBuf,
}

impl Drop for Merged {
    fn drop(&mut self) {
        nix::mount::umount(&self.path).unwrap();
    }
}

struct Made {
    facts: BTreeMap<PathBuf, Facts>,
    /// Bytes free in each filesystem of the disk.
    free: Vec<u64>,
    copied: Option<Copied>,
    notes: Vec<String>,
}

impl Made {
    /// It was made from an earlier disk, and is what `full` is.
    fn is_like(&self, full: &Self, case: &str) {
        assert!(self.copied.is_some() && self.notes.is_empty(), "{case}: {:?}", self.notes);
        let found = compare(&self.facts, &full.facts);
        assert!(found.is_empty(), "{case}: another disk than one made at once:\n{}", found.join("\n"));
        for (own, other) in self.free.iter().zip(&full.free) {
            // Directories do not shrink, and trees of metadata split elsewhere.
            assert!(own.abs_diff(*other) < 4 << 20, "{case}: free: {own}, made at once: {other}");
        }
    }
}

fn free(disk: &MountedDisk, layout: &Layout) -> Vec<u64> {
    let filesystems = layout.partitions.iter().filter_map(|partition| partition.filesystem.as_ref());
    let on_disk = filesystems.filter(|f| !matches!(f.kind, FilesystemKind::Fat | FilesystemKind::Swap));
    let of = |path: &str| {
        let path = disk.root().join(path.trim_start_matches('/'));
        rustix::fs::syncfs(File::open(&path).unwrap()).unwrap();
        let stat = rustix::fs::statvfs(&path).unwrap();
        stat.f_bfree * stat.f_frsize
    };
    on_disk.filter_map(|filesystem| filesystem.mount.as_ref()).map(|mount| of(&mount.path)).collect()
}

fn check(layout: &Layout, raw: &Path, geometry: &Geometry) {
    let file = File::open(raw).unwrap();
    for (partition, placed) in layout.partitions.iter().zip(&geometry.partitions) {
        let Some(filesystem) = &partition.filesystem else { continue };
        let device = support::attach(&file, geometry, placed);
        let (program, args): (_, &[&str]) = match filesystem.kind {
            FilesystemKind::Ext4 | FilesystemKind::Ext3 | FilesystemKind::Ext2 => ("e2fsck", &["-fn"]),
            FilesystemKind::Xfs => ("xfs_repair", &["-n"]),
            FilesystemKind::Btrfs => ("btrfs", &["check"]),
            FilesystemKind::Fat => ("fsck.fat", &["-nv"]),
            FilesystemKind::Swap => ("swaplabel", &[]),
        };
        let said = support::run(program, &[args, &[device.path().to_str().unwrap()]].concat());
        assert!(!said.contains("WARNING") && !said.contains("errors found"), "{program}: {said}");
    }
}

/// What a hook may do, and more.
fn edit(tree: &Path) {
    let path = |name: &str| tree.join(name);
    fs::write(path("etc/hostname"), "another\n").unwrap();
    fs::write(path("etc/new"), "new").unwrap();
    fs::remove_file(path("usr/lib/empty")).unwrap();
    fs::remove_dir_all(path("usr/lib/deep/er")).unwrap();
    // A directory replaced by one of the same name, by a file, by a link; a file by a directory.
    fs::remove_dir_all(path("srv/many")).unwrap();
    fs::create_dir(path("srv/many")).unwrap();
    fs::write(path("srv/many/700"), "one of seven hundred").unwrap();
    fs::remove_dir(path("tmp")).unwrap();
    symlink("var/tmp", path("tmp")).unwrap();
    fs::remove_dir(path("proc")).unwrap();
    fs::write(path("proc"), "a file").unwrap();
    fs::remove_file(path("usr/bin/su")).unwrap();
    fs::create_dir_all(path("usr/bin/su/deep")).unwrap();
    fs::write(path("usr/bin/su/deep/file"), "x").unwrap();
    // What belongs to names.
    fs::set_permissions(path("usr/bin/ping"), fs::Permissions::from_mode(0o4711)).unwrap();
    fs::write(path("srv/fresh"), "in a directory that hands on its group").unwrap();
    fs::create_dir(path("srv/fresh-dir")).unwrap();
    std::os::unix::fs::chown(path("srv/fresh"), Some(0), Some(0)).unwrap();
    fs::set_permissions(path("srv"), fs::Permissions::from_mode(0o700)).unwrap();
    std::os::unix::fs::chown(path("usr/lib"), Some(5), Some(6)).unwrap();
    rustix::fs::removexattr(path("var/log"), "trusted.note").unwrap();
    support::run("setfacl", &["-k", path("var/log").to_str().unwrap()]);
    support::run("setfacl", &["-b", path("etc/hostname").to_str().unwrap()]);
    support::xattr(&path("boot"), "user.note", b"on a mount point");
    // Two names of one file.
    fs::write(path("var/one"), "linked").unwrap();
    fs::hard_link(path("var/one"), path("usr/two")).unwrap();
    fs::rename(path("etc/long-link"), path("var/long-link")).unwrap();
    let sparse = File::create(path("var/log/sparse")).unwrap();
    sparse.write_all_at(b"data", 3 << 20).unwrap();
    sparse.set_len(9 << 20).unwrap();
    nix::unistd::mkfifo(&path("var/fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    fs::remove_file(path("etc/block")).unwrap();
    // On other filesystems of the disk.
    fs::write(path("boot/vmlinuz"), vec![3; 300_000]).unwrap();
    fs::remove_file(path("boot/grub/grub.cfg")).unwrap();
    fs::write(path("boot/efi/EFI/BOOT/BOOTX64.EFI"), vec![9; 50_000]).unwrap();
    fs::write(path("boot/efi/new"), "new").unwrap();
}

#[test]
fn host_incremental_ext4() {
    incremental(FilesystemKind::Ext4);
}

#[test]
fn host_incremental_xfs() {
    incremental(FilesystemKind::Xfs);
}

#[test]
fn host_incremental_btrfs() {
    incremental(FilesystemKind::Btrfs);
}

fn layout_of(root: FilesystemKind) -> Layout {
    let mut layout = support::usual(Table::Gpt, SectorSize::B512, root, true, true);
    // So that the tree of the test may grow and shrink.
    layout.partitions.last_mut().unwrap().size = PartitionSize::Fixed(Bytes::mib(400));
    layout
}

fn incremental(root: FilesystemKind) {
    support::private_mounts();
    let (place, layout) = (Place::new(), layout_of(root));
    support::make_tree(&place.path("tree"));
    let kept = place.path("kept");
    let keep = Incremental { keep: Some(&kept), earlier: None };
    let first = place.make(&layout, &place.path("tree"), &keep);
    assert!(first.copied.is_none() && first.notes.is_empty(), "{:?}", first.notes);

    // Nothing changed.
    let none = Changes::new();
    let same = place.make(&layout, &place.path("tree"), &Incremental { earlier: Some((&kept, &none)), keep: None });
    same.is_like(&first, &format!("{root:?}: nothing changed"));

    // A layer more; kept again.
    let merged = place.overlay("one", &["tree"]);
    edit(&merged.path);
    let full = place.make(&layout, &merged.path, &Incremental::default());
    let (changes, kept_one) = (place.changes(&["one"]), place.path("kept-one"));
    let how = Incremental { earlier: Some((&kept, &changes)), keep: Some(&kept_one) };
    place.make(&layout, &merged.path, &how).is_like(&full, &format!("{root:?}: one layer"));
    drop(merged);

    // The next layer, from both kept disks.
    let merged = place.overlay("two", &["one", "tree"]);
    fs::write(merged.path.join("etc/new"), "newer").unwrap();
    // One of three names is written; the others stay as they were.
    fs::write(merged.path.join("usr/bin/big-too"), "no longer the same").unwrap();
    fs::remove_dir_all(merged.path.join("usr/bin/su")).unwrap();
    fs::write(merged.path.join("usr/bin/su"), "set-id again").unwrap();
    fs::remove_file(merged.path.join("tmp")).unwrap();
    fs::create_dir(merged.path.join("tmp")).unwrap();
    let full = place.make(&layout, &merged.path, &Incremental::default());
    let changes = place.changes(&["two"]);
    let how = Incremental { earlier: Some((&kept_one, &changes)), keep: None };
    place.make(&layout, &merged.path, &how).is_like(&full, &format!("{root:?}: the second layer"));
    let changes = place.changes(&["one", "two"]);
    let how = Incremental { earlier: Some((&kept, &changes)), keep: None };
    place.make(&layout, &merged.path, &how).is_like(&full, &format!("{root:?}: both layers"));
    drop(merged);

    // Back: the layer that was there is gone.
    let changes = place.changes(&["one"]);
    let how = Incremental { earlier: Some((&kept_one, &changes)), keep: None };
    place.make(&layout, &place.path("tree"), &how).is_like(&first, &format!("{root:?}: back"));
}

/// Random names, random deeds.
struct Random(u64);

impl Random {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }

    fn name(&mut self) -> PathBuf {
        (0..=self.next(3)).map(|_| ["a", "b", "c", "boot", "etc"][self.next(5) as usize]).collect()
    }

    /// What fails (a parent that is a file, a mount point that is none) is left undone.
    fn deed(&mut self, tree: &Path) {
        let (path, other) = (tree.join(self.name()), tree.join(self.name()));
        let is_kept = ["boot", "etc", "boot/efi"].iter().any(|kept| tree.join(kept) == path);
        match self.next(8) {
            0 | 1 if !is_kept => fs::write(&path, vec![b'x'; self.next(9000) as usize]).unwrap_or(()),
            2 | 3 => fs::create_dir_all(&path).unwrap_or(()),
            4 if !is_kept => {
                fs::remove_dir_all(&path).or_else(|_| fs::remove_file(&path)).unwrap_or(());
            }
            5 if !is_kept => symlink(&other, &path).unwrap_or(()),
            6 => fs::set_permissions(&path, fs::Permissions::from_mode(0o700 + self.next(64) as u32)).unwrap_or(()),
            7 if !is_kept && path.is_dir() => {
                fs::remove_dir_all(&path).unwrap();
                fs::create_dir(&path).unwrap();
            }
            _ => {}
        }
    }
}

#[test]
fn host_incremental_random() {
    support::private_mounts();
    let layout = layout_of(FilesystemKind::Ext4);
    let mut random = Random(20);
    for round in 0..8 {
        let place = Place::new();
        fs::create_dir_all(place.path("tree/boot/efi")).unwrap();
        fs::create_dir_all(place.path("tree/etc")).unwrap();
        (0..60).for_each(|_| random.deed(&place.path("tree")));
        let layers = ["one", "two", "three"];
        let mut below = vec!["tree"];
        let kept = place.path("kept");
        place.make(&layout, &place.path("tree"), &Incremental { keep: Some(&kept), earlier: None });
        for (number, layer) in layers.iter().enumerate() {
            let merged = place.overlay(layer, &below);
            (0..25).for_each(|_| random.deed(&merged.path));
            let full = place.make(&layout, &merged.path, &Incremental::default());
            let changes = place.changes(&layers[..=number]);
            let how = Incremental { earlier: Some((&kept, &changes)), keep: None };
            place.make(&layout, &merged.path, &how).is_like(&full, &format!("round {round}, layer {layer}"));
            drop(merged);
            below.insert(0, layer);
        }
        // And back by all three.
        let all = place.changes(&layers);
        let merged = place.overlay("top", &below);
        let how = Incremental { keep: Some(&kept), earlier: None };
        place.make(&layout, &merged.path, &how);
        drop(merged);
        let full = place.make(&layout, &place.path("tree"), &Incremental::default());
        let how = Incremental { earlier: Some((&kept, &all)), keep: None };
        place.make(&layout, &place.path("tree"), &how).is_like(&full, &format!("round {round}, back"));
    }
}

/// A deployment as it lies in a layer: objects, and the names that a commit gives them.
fn deployment(dir: &Path, commit: &str, objects: &[&str], earlier: Option<&Path>) {
    for sub in ["etc", "objects", "boot/efi", commit] {
        fs::create_dir_all(dir.join(sub)).unwrap();
    }
    for name in objects {
        let (object, taken) =
            (dir.join("objects").join(name), earlier.map(|earlier| earlier.join("objects").join(name)));
        match taken.filter(|taken| taken.symlink_metadata().is_ok()) {
            Some(taken) => fs::hard_link(taken, &object).unwrap(),
            None if name.starts_with("link") => symlink("somewhere", &object).unwrap(),
            None => fs::write(&object, name.repeat(40_000)).unwrap(),
        }
        fs::hard_link(&object, dir.join(commit).join(name)).unwrap();
    }
    support::xattr(&dir.join("objects"), "trusted.overlay.opaque", b"y");
}

#[test]
fn host_incremental_shared() {
    support::private_mounts();
    for root in [FilesystemKind::Ext4, FilesystemKind::Xfs] {
        let (place, layout) = (Place::new(), layout_of(root));
        let at = |name: &str| place.path(name);
        let objects = ["a", "b", "c", "link"];
        deployment(&at("one"), "1111", &objects, None);
        deployment(&at("two"), "2222", &["a", "c", "d", "link"], Some(&at("one")));
        deployment(&at("three"), "3333", &["a", "d", "e", "link"], Some(&at("two")));
        // Two names of one file in a commit.
        fs::hard_link(at("three/3333/e"), at("three/3333/e-too")).unwrap();
        let kept = at("kept");
        place.make(&layout, &at("one"), &Incremental { keep: Some(&kept), earlier: None });
        for (layer, new) in [("two", 1), ("three", 2)] {
            let full = place.make(&layout, &at(layer), &Incremental::default());
            let mut changes = Changes::of_whole_trees();
            changes.add_earlier_upper(&at("one")).unwrap();
            changes.add_upper(&at(layer)).unwrap();
            let how = Incremental { earlier: Some((&kept, &changes)), keep: None };
            let made = place.make(&layout, &at(layer), &how);
            made.is_like(&full, &format!("{root:?}: {layer}"));
            assert_eq!(made.copied.unwrap().bytes, new * 40_000, "{layer}: what both have is copied again");
        }
        // A disk that has something else under the name gets it anew.
        fs::remove_file(at("one/objects/a")).unwrap();
        fs::write(at("one/objects/a"), "other").unwrap();
        let again = at("kept-again");
        place.make(&layout, &at("one"), &Incremental { keep: Some(&again), earlier: None });
        fs::remove_file(at("one/objects/a")).unwrap();
        fs::hard_link(at("two/objects/a"), at("one/objects/a")).unwrap();
        let full = place.make(&layout, &at("two"), &Incremental::default());
        let mut changes = Changes::of_whole_trees();
        changes.add_earlier_upper(&at("one")).unwrap();
        changes.add_upper(&at("two")).unwrap();
        let how = Incremental { earlier: Some((&again, &changes)), keep: None };
        place.make(&layout, &at("two"), &how).is_like(&full, "another file");
    }
}

#[test]
fn host_incremental_refused() {
    support::private_mounts();
    let place = Place::new();
    let tree = place.path("tree");
    support::make_tree(&tree);
    let (kept, none) = (place.path("kept"), Changes::new());
    let layout = support::usual(Table::Gpt, SectorSize::B512, FilesystemKind::Ext4, true, true);
    place.make(&layout, &tree, &Incremental { keep: Some(&kept), earlier: None });
    let refused = |layout: &Layout, changes: &Changes, word: &str| {
        let made = place.make(layout, &tree, &Incremental { earlier: Some((&kept, changes)), keep: None });
        assert!(
            made.copied.is_none() && made.notes.len() == 1 && made.notes[0].contains(word),
            "{word}: {:?}",
            made.notes
        );
        let full = place.make(layout, &tree, &Incremental::default());
        assert_eq!(compare(&made.facts, &full.facts), Vec::<String>::new(), "{word}");
    };
    // One of three names.
    let mut one = Changes::new();
    one.add(Path::new("usr/bin/big-too"), Extent::Whole);
    refused(&layout, &one, "names");
    // Another layout.
    let mut other = layout.clone();
    other.partitions[1].uuid = support::uuid(77);
    refused(&other, &none, "layout");
    // A tree that needs a larger disk.
    fs::write(tree.join("large"), vec![5; 60 << 20]).unwrap();
    let mut large = Changes::new();
    large.add(Path::new("large"), Extent::Whole);
    refused(&layout, &large, "partitions");
    fs::remove_file(tree.join("large")).unwrap();
    // Where a filesystem is mounted, no directory may go.
    fs::rename(tree.join("boot"), tree.join("away")).unwrap();
    let mut boot = Changes::new();
    boot.add(Path::new("boot"), Extent::Whole);
    boot.add(Path::new("away"), Extent::Whole);
    let made = place.make(&layout, &tree, &Incremental { earlier: Some((&kept, &boot)), keep: None });
    assert!(made.copied.is_none() && made.notes.len() == 1, "{:?}", made.notes);
    fs::rename(tree.join("away"), tree.join("boot")).unwrap();
    // Damage.
    let raw = File::options().write(true).open(kept.join("disk.raw")).unwrap();
    raw.write_all_at(b"damage", 30 << 20).unwrap();
    refused(&layout, &none, "damaged");
    fs::remove_file(kept.join("disk.json")).unwrap();
    refused(&layout, &none, "disk.json");
}
