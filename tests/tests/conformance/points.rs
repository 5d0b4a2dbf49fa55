//! The points, one test each or several; each names its number.

use crate::world::{INSIDE, PHASES, World};
use std::collections::BTreeSet;

/// Point 1: elements are found along ELEMENTS_PATH, what they depend on comes with them, and the four errors have their words.
#[test]
fn host_point_1_elements_and_errors() {
    let world = World::isotope();
    let world = world.element("needs", &[("element-deps", "tiny-os\nordered\n")]);
    let world = world.element("second-os", &[("element-provides", "operating-system\n")]);
    let world = world.element("lacks", &[("element-deps", "nowhere\n")]);
    let built = world.create(&["-n", "-t", "tar", "-o", "deps", "needs", "probe"]).well();
    let names = built.variable("install", "IMAGE_ELEMENT").unwrap();
    let names: BTreeSet<&str> = names.split(' ').collect();
    assert_eq!(names, BTreeSet::from(["needs", "ordered", "probe", "tiny-os"]));
    assert!(
        built
            .variable("install", "IMAGE_ELEMENT_YAML")
            .unwrap()
            .contains(&format!("needs: {}", world.path("own/needs").display()))
    );

    world.create(&["-n", "-t", "tar", "tiny-os", "nope"]).badly(1, &["Element 'nope' not found"]);
    world.create(&["-n", "-t", "tar", "tiny-os", "lacks"]).badly(1, &["Element 'nowhere' not found", "lacks"]);
    world.create(&["-n", "-t", "tar", "ordered"]).badly(1, &["Please include an operating system element"]);
    world.create(&["-n", "-t", "tar", "tiny-os", "second-os"]).badly(1, &["operating-system: already provided by"]);
    world.create(&["-n", "-t", "tar"]).badly(1, &["At least one distribution root element must be specified"]);
    let wrong = world.env("ELEMENTS_PATH", "/not/a/dir");
    wrong.create(&["-n", "tiny-os"]).badly(1, &["ELEMENTS_PATH entry '/not/a/dir' is not a directory"]);
}

/// Point 2: one tree of hooks, with all directories of all elements; the same file of two elements is an error.
#[test]
fn host_point_2_the_hook_tree() {
    let world = World::isotope();
    let look = "#!/bin/bash\nset -eu\nfind /tmp/in_target.d -mindepth 1 -printf '%P\\n' | LC_ALL=C sort >/tree\nif touch /tmp/in_target.d/x 2>/dev/null; then exit 1; fi\n";
    let world = world.element(
        "looks",
        &[
            ("install.d/60-look", look),
            ("static/etc/thing", "x\n"),
            ("data/50-thing", "x\n"),
            ("own-file", "x\n"),
            ("tests/not-copied", "x\n"),
        ],
    );
    let world = world.element("same", &[("install.d/60-look", look)]);
    let built = world.create(&["-n", "-t", "tar", "-o", "tree", "tiny-os", "looks", "ordered"]).well();
    let tree = built.file("tree.tar", "tree");
    for name in [
        "static/etc/thing",
        "data/50-thing",
        "own-file",
        "install.d/60-look",
        "install.d/010-lead",
        "dib-run-parts",
        "environment.d",
    ] {
        assert!(tree.lines().any(|line| line == name), "{name} is not in\n{tree}");
    }
    assert!(!tree.contains("not-copied"), "{tree}");
    world.create(&["-n", "-t", "tar", "tiny-os", "looks", "same"]).badly(1, &["duplicated hook", "60-look"]);
}

/// Point 3: which scripts run, in which order; the environment by another order.
#[test]
fn host_point_3_order_of_scripts_and_environment() {
    let world = World::isotope();
    let built = world.create(&["-n", "-t", "tar", "-o", "order", "tiny-os", "ordered", "probe"]).well();
    let ran = built.file("order.tar", "ordered");
    assert_eq!(ran.lines().collect::<Vec<_>>(), ["Zz-nonum", "a-nonum", "9-a", "010-lead", "10-a", "10-b", "100-c"]);
    for phase in PHASES {
        let files = built.variable(phase, "PROBE_ENVIRONMENT_FILES").unwrap();
        assert_eq!(files.trim(), "5-probe 50-probe with.dot", "{phase}");
    }
    // What is left out is told.
    assert!(built.log().contains("with.dot") && built.log().contains("no-exec"), "{}", built.log());
}

/// Point 4: ten phases, where each runs, TARGET_ROOT in two of them.
#[test]
fn host_point_4_phases() {
    let world = World::isotope();
    let built = world.create(&["-n", "-t", "raw", "--image-size", "0.5", "tiny-os", "probe"]).well();
    for phase in PHASES {
        let facts = built.values(phase, "facts");
        let inside = INSIDE.contains(&phase);
        assert_eq!(facts["where"], if inside { "target" } else { "host" }, "{phase}");
        let cwd = if inside { "/".to_owned() } else { world.dir.path().display().to_string() };
        assert_eq!(facts["cwd"], cwd, "{phase}");
        assert_eq!((facts["arguments"].as_str(), facts["user"].as_str()), ("0", "0"), "{phase}");
        let target_root = ["root", "cleanup"].contains(&phase);
        assert_eq!(built.variable(phase, "TARGET_ROOT").is_some(), target_root, "{phase}");
    }
    let log = built.log();
    let starts: Vec<usize> = PHASES
        .iter()
        .map(|phase| log.find(&format!("{phase}.d/50-probe")).unwrap_or_else(|| panic!("{phase}\n{log}")))
        .collect();
    assert!(starts.is_sorted(), "{starts:?}\n{log}");
}

/// Point 4: `block-device.d` may name the device itself.
#[test]
fn host_point_4_what_block_device_hooks_print() {
    let world = World::isotope();
    let world = world.element(
        "prints",
        &[
            ("block-device.d/50-print", "#!/bin/bash\necho some words\n"),
            ("pre-finalise.d/10-x", "#!/bin/bash\ntrue\n"),
        ],
    );
    world.create(&["-n", "-t", "raw", "--image-size", "0.5", "tiny-os", "prints"]).well();
}

/// Point 5: what a program in the target finds.
#[test]
fn host_point_5_the_target() {
    let world =
        World::isotope().env("TMPDIR", "/var/tmp").env("VIRTUAL_ENV", "/nowhere").env("http_proxy_like", "leaks");
    let built = world.create(&["-n", "-t", "tar", "tiny-os", "probe"]).well();
    for phase in INSIDE {
        let env = built.values(phase, "env");
        assert_eq!(env["HOME"], "/root", "{phase}");
        for dir in ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"] {
            assert!(env["PATH"].split(':').any(|one| one == dir), "{phase}: {}", env["PATH"]);
        }
        assert_eq!((env.get("TMPDIR"), env.get("VIRTUAL_ENV")), (None, None), "{phase}");
        // Proxies reach programs in the target, and so does everything.
        assert_eq!(env["http_proxy_like"], "leaks", "{phase}");
        let mounts = built.record(phase, "mounts");
        for mount in ["/proc proc", "/dev/pts devpts", "/sys sysfs ro", "/dev "] {
            assert!(mounts.lines().any(|line| line.starts_with(mount)), "{phase}: {mount}\n{mounts}");
        }
        let hooks = mounts.lines().find(|line| line.starts_with("/tmp/in_target.d ")).unwrap_or_default();
        assert!(hooks.contains(" ro"), "{phase}: {mounts}");
    }
}

/// Point 5: the host's resolv.conf is there while programs run, and the tree's own comes back; /tmp and logs are cleaned.
#[test]
fn host_point_5_resolv_conf_and_cleaning() {
    let world = World::isotope();
    let install = "#!/bin/bash\nset -eu\ncp /etc/resolv.conf /seen\ntest -e /etc/resolv.conf.ORIG\necho x >/var/log/a.log\necho x >/tmp/left\nmkdir -p /root/sub\necho x >/root/sub/b.log\n";
    let root = "#!/bin/bash\nset -eu\necho 'nameserver 192.0.2.1' >$TARGET_ROOT/etc/resolv.conf\n";
    let world = world.element("resolves", &[("install.d/60-look", install), ("root.d/60-own", root)]);
    let built = world.create(&["-n", "-t", "tar", "-o", "x", "tiny-os", "resolves"]).well();
    assert_eq!(built.file("x.tar", "seen").trim(), std::fs::read_to_string("/etc/resolv.conf").unwrap().trim());
    assert_eq!(built.file("x.tar", "etc/resolv.conf").trim(), "nameserver 192.0.2.1");
    let listed = built.listed("x.tar");
    for gone in ["etc/resolv.conf.ORIG", "tmp/left", "root/sub/b.log", "tmp/in_target.d"] {
        assert!(!listed.iter().any(|name| name == gone), "{gone} is left");
    }
    assert_eq!(built.file("x.tar", "var/log/a.log"), "");
}

/// Point 6: functions outside, `$_LIB` to source.
#[test]
fn host_point_6_functions_and_the_library() {
    let world = World::isotope();
    let hook = "#!/bin/bash\nset -eu\neval declare -A elements=($(get_image_element_array))\necho \"library=$_LIB\"\nsource $_LIB/die\nsource $_LIB/common-functions\nsource $_LIB/img-functions\ntype -t run_in_target select_boot_kernel_initrd die\ntest -d \"${elements[tiny-os]}\"\n";
    let world = world.element("sources", &[("extra-data.d/60-look", hook)]);
    let built = world.create(&["-n", "-t", "tar", "-o", "x", "tiny-os", "sources", "probe"]).well();
    let functions = built.record("extra-data", "functions");
    assert!(functions.lines().any(|name| name == "get_image_element_array"), "{functions}");
    assert!(!built.record("install", "functions").contains("get_image_element_array"));
}

/// Point 7: sudo, and the interpreter with what package-installs-squash imports.
#[test]
fn host_point_7_sudo_and_python() {
    let world = World::isotope();
    let hook = "#!/bin/bash\nset -eu\nsudo -E mkdir -p $TARGET_ROOT/made\nsudo NAME=value sh -c 'echo $NAME' | sudo dd of=$TARGET_ROOT/made/by-sudo status=none\nsudo -E $DIB_PYTHON_EXEC -c 'import yaml; import diskimage_builder.logging_config as l; l.setup()'\n";
    let world = world.element("sudoes", &[("root.d/60-sudo", hook)]);
    let built = world.create(&["-n", "-t", "tar", "-o", "x", "tiny-os", "sudoes"]).well();
    assert_eq!(built.file("x.tar", "made/by-sudo"), "value\n");
}

/// Point 8: the disk, in variables; fstab before finalise.d, which runs in the final filesystem.
#[test]
fn host_point_8_the_disk() {
    let world = World::isotope();
    let finalise = "#!/bin/bash\nset -eu\ncp /etc/fstab /seen-fstab\nblock=$(stat -c %F $IMAGE_BLOCK_DEVICE)\necho \"$block\" >/seen-block\n";
    let world = world.element("looks", &[("finalise.d/60-look", finalise)]);
    let layout = "- local_loop:\n    name: image0\n- partitioning:\n    base: image0\n    label: gpt\n    partitions:\n      - name: root\n        size: 100%\n        mkfs:\n          type: ext4\n          label: the-root\n          mount:\n            mount_point: /\n            fstab:\n              options: defaults\n              fsck-passno: 1\n";
    let world = world.env("DIB_BLOCK_DEVICE_CONFIG", layout);
    let built =
        world.create(&["-n", "-t", "raw,tar", "-o", "x", "--image-size", "0.5", "tiny-os", "looks", "probe"]).well();
    assert_eq!(built.file("x.tar", "seen-fstab").trim(), "LABEL=the-root / ext4 defaults 0 1");
    assert_eq!(built.file("x.tar", "seen-block").trim(), "block special file");
    for phase in ["pre-finalise", "finalise", "cleanup"] {
        let device = built.variable(phase, "IMAGE_BLOCK_DEVICE").unwrap();
        let devices = built.variable(phase, "IMAGE_BLOCK_DEVICES").unwrap();
        assert!(devices.contains(&format!("[image0]={device}")) && devices.contains("[root]="), "{phase}: {devices}");
    }
    for phase in PHASES {
        assert_eq!(built.variable(phase, "DIB_ROOT_FSTYPE").as_deref(), Some("ext4"), "{phase}");
        assert_eq!(built.variable(phase, "DIB_ROOT_LABEL").as_deref(), Some("the-root"), "{phase}");
        assert_eq!(built.variable(phase, "DIB_MOUNTPOINTS").as_deref(), Some("/"), "{phase}");
    }
    assert_eq!(built.variable("root", "IMAGE_BLOCK_DEVICE"), None);
    let mounts = built.record("finalise", "mounts");
    assert!(
        mounts.lines().any(|line| line.trim_start().starts_with("/ ext4") || line.starts_with(" ext4")),
        "{mounts}"
    );
}

/// Point 9: what hooks mount below the tree is unmounted before it becomes an image.
#[test]
fn host_point_9_mounts_of_hooks() {
    let world = World::isotope();
    let built = world.create(&["-n", "-t", "raw", "--image-size", "0.5", "tiny-os", "leaves-mounts"]).well();
    assert_eq!(built.outputs(), ["image.raw"]);
    assert!(isotope_tests::leaks::mounts(world.dir.path()).is_empty());
}

/// Point 10: outputs by their names; one of an earlier build is renamed, or overwritten when that is wanted.
#[test]
fn host_point_10_names_of_outputs() {
    let world = World::isotope();
    let args = ["-n", "-t", "qcow2,raw,tar,tgz", "-o", "out", "--checksum", "--image-size", "0.5", "tiny-os", "probe"];
    let built = world.create(&args).well();
    let first: Vec<String> = built.outputs().into_iter().filter(|name| !name.ends_with("manifest.json")).collect();
    for name in ["out.qcow2", "out.qcow2.md5", "out.qcow2.sha256", "out.raw", "out.raw.sha256", "out.tar", "out.tgz"] {
        assert!(first.iter().any(|one| one == name), "{name} is not in {first:?}");
    }
    let built = world.create(&["-n", "-t", "raw", "-o", "out", "--image-size", "0.5", "tiny-os", "probe"]).well();
    let renamed = built.outputs().into_iter().find(|name| name.starts_with("out-2") && name.ends_with(".raw"));
    assert!(renamed.is_some(), "{:?}", built.outputs());
    let before = built.outputs();
    let world = world.env("OVERWRITE_OLD_IMAGE", "1");
    let built = world.create(&["-n", "-t", "raw", "-o", "out", "--image-size", "0.5", "tiny-os", "probe"]).well();
    assert_eq!(built.outputs(), before);
    // The contracts of caches.
    assert!(built.variable("root", "DIB_IMAGE_CACHE").unwrap().ends_with("home/.cache/image-create"));
    assert!(built.variable("root", "DIB_LOCKFILES").unwrap().ends_with("home/.cache/dib/lockfiles"));
    assert_eq!(built.variable("root", "DIB_OFFLINE").as_deref(), Some(""));
    let offline = world.create(&["-n", "-t", "tar", "--offline", "tiny-os", "probe"]).well();
    assert!(!offline.variable("install", "DIB_OFFLINE").unwrap().is_empty());
}

/// Point 11: `no-final-image` keeps disks from being made, archives are made all the same.
#[test]
fn host_point_11_no_final_image() {
    let world = World::isotope();
    let built = world.create(&["-n", "-t", "qcow2,tar", "tiny-os", "no-final-image", "probe"]).well();
    let outputs = built.outputs();
    assert!(outputs.contains(&"image.tar".to_owned()), "{outputs:?}");
    assert!(!outputs.contains(&"image.qcow2".to_owned()), "{outputs:?}");
}

/// Point 12: quirks that elements depend on.
#[test]
fn host_point_12_quirks() {
    let world = World::isotope();
    let early = "#!/bin/bash\nset -eu\necho kept >$TMP_MOUNT_PATH/tmp/kept\ncat >$TMP_HOOKS_PATH/install.d/70-added <<'X'\n#!/bin/bash\ncp /tmp/kept /was-kept\nX\nchmod +x $TMP_HOOKS_PATH/install.d/70-added\n";
    let world = world
        .element("adds", &[("extra-data.d/60-add", early), ("install.d/10-x", "#!/bin/bash\ntest \"$LC_ALL\" = C\n")]);
    let built = world.create(&["-n", "-t", "tar", "-o", "x", "tiny-os", "adds", "keeps-dotfiles"]).well();
    // A hook of extra-data.d may add hooks, and /tmp lasts from phase to phase.
    assert_eq!(built.file("x.tar", "was-kept"), "kept\n");
}

/// Bad input: hooks that fail or hang end the build with their status, and nothing is left of it.
#[test]
fn host_bad_hooks_that_fail_or_hang() {
    for (name, phase) in
        [("fails", "root"), ("fails", "install"), ("hangs", "install"), ("hangs", "finalise"), ("fails", "cleanup")]
    {
        // Longer than any hook that does not hang takes on a busy machine.
        let world =
            World::isotope().env("DIB_HOOK_TIMEOUT", "20").env("DIB_TEST_PHASE", phase).env("DIB_TEST_CODE", "7");
        let built = world.create(&["-n", "-t", "raw", "--image-size", "0.5", "tiny-os", name]);
        assert!(!built.output.status.success(), "{name} in {phase}\n{}", built.log());
        if name == "fails" {
            assert_eq!(built.code(), Some(7), "{phase}\n{}", built.log());
        }
        assert!(built.log().contains(&format!("60-{name}")), "{}", built.log());
        assert!(built.outputs().is_empty(), "{:?}", built.outputs());
        clean(&world);
    }
}

/// Bad input: what a hook leaves running, mounted, or full.
#[test]
fn host_bad_hooks_that_leave_things() {
    for phase in ["root", "install", "finalise"] {
        let world = World::isotope().env("DIB_TEST_PHASE", phase).env("DIB_TEST_SECONDS", "54321");
        let built = world.create(&["-n", "-t", "raw", "--image-size", "0.5", "tiny-os", "leaves-a-daemon"]).well();
        assert_eq!(built.outputs(), ["image.raw"]);
        clean(&world);
    }
    assert!(!running("sleep 54321"));
    let world = World::isotope();
    let built = world.create(&["-n", "-t", "raw", "--image-size", "0.5", "tiny-os", "fills-the-disk"]);
    assert!(built.outputs().iter().all(|name| name == "image.raw"), "{:?}", built.outputs());
    clean(&world);
}

/// Bad input: files that the build writes are links to a file of the host.
#[test]
fn host_bad_links_lead_nowhere() {
    let world = World::isotope();
    let victim = world.path("home/victim");
    std::fs::write(&victim, "as it was\n").unwrap();
    let world = world.env("DIB_TEST_VICTIM", &victim.display().to_string());
    world.create(&["-n", "-t", "raw", "--image-size", "0.5", "tiny-os", "links-out"]);
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "as it was\n");
    clean(&world);
}

/// Top-level dotfiles, holes, hard links and extended attributes come through, which is more than diskimage-builder does.
#[test]
fn host_the_tree_comes_through_whole() {
    let world = World::isotope();
    let built =
        world.create(&["-n", "-t", "tar", "-o", "x", "--image-size", "0.5", "tiny-os", "keeps-dotfiles"]).well();
    assert!(built.listed("x.tar").iter().any(|name| name == ".hidden-top"));
}

/// Whether a process with this command line runs anywhere.
fn running(line: &str) -> bool {
    let words: Vec<u8> = line.split(' ').flat_map(|word| word.bytes().chain([0])).collect();
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes.into_iter().any(|entry| std::fs::read(entry.path().join("cmdline")).is_ok_and(|found| found == words))
}

/// The kernel detaches a loop device some moments after its last holder is gone.
fn clean(world: &World) {
    let dir = world.dir.path();
    assert!(isotope_tests::leaks::mounts(dir).is_empty());
    let begun = std::time::Instant::now();
    while !isotope_tests::leaks::loops(dir).is_empty() {
        assert!(begun.elapsed().as_secs() < 20, "{:?}", isotope_tests::leaks::loops(dir));
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
}
