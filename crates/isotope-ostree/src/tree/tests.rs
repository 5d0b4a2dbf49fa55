//! Small trees, laid out and undone.

use super::*;
use isotope_plan::UserCheck;
use std::os::unix::fs::PermissionsExt;

fn settings() -> OstreeTree {
    OstreeTree {
        tmp_is_dir: true,
        machineid_compat: true,
        etc_group_members: Vec::new(),
        check_users: UserCheck::Previous,
        check_groups: UserCheck::Previous,
        ignore_removed_users: Vec::new(),
        ignore_removed_groups: Vec::new(),
    }
}

/// A tree as packages of Debian leave it.
fn tree() -> (tempfile::TempDir, TargetDir) {
    let dir = tempfile::tempdir().unwrap();
    let tree = TargetDir::open(dir.path()).unwrap();
    for name in ["bin", "sbin", "lib"] {
        tree.create_dir_all(format!("/usr/{name}"), 0o755).unwrap();
        tree.symlink(format!("usr/{name}"), format!("/{name}")).unwrap();
    }
    for (path, mode) in [
        ("/etc/passwd", 0o644),
        ("/etc/passwd-", 0o644),
        ("/etc/hostname", 0o644),
        ("/etc/machine-id", 0o444),
        ("/etc/ssh/ssh_host_rsa_key", 0o600),
        ("/etc/ssh/sshd_config", 0o644),
        ("/etc/iscsi/initiatorname.iscsi", 0o600),
        ("/root/.profile", 0o644),
        ("/opt/vendor/bin/tool", 0o755),
        ("/usr/local/share/man/x", 0o644),
        ("/boot/config-6.1", 0o644),
        ("/run/lock/x", 0o644),
        ("/tmp/x", 0o644),
        ("/var/cache/app/data", 0o644),
        ("/var/cache/debconf/config.dat", 0o644),
        ("/var/lib/app/secret file%", 0o600),
        ("/var/lib/dpkg/status", 0o644),
        ("/var/lib/systemd/deb-systemd-helper-enabled/a.service", 0o644),
        ("/var/log/app.log", 0o640),
        ("/var/log/dpkg.log", 0o644),
        ("/usr/lib/tmpfiles.d/var.conf", 0o644),
    ] {
        let content = match path {
            "/etc/hostname" => "localhost\n",
            "/usr/lib/tmpfiles.d/var.conf" => "d /var/log 0755 - - -\nL /var/run - - - - ../run\n",
            _ => "content\n",
        };
        tree.write(path, content, mode).unwrap();
    }
    tree.symlink("/run", "/var/run").unwrap();
    tree.symlink("/run/lock", "/var/lock").unwrap();
    tree.symlink("boot/vmlinuz", "/vmlinuz").unwrap();
    tree.create_dir_all("/var/spool/mail", 0o755).unwrap();
    tree.set_mode("/var/spool/mail", 0o2775).unwrap();
    (dir, tree)
}

fn names(tree: &TargetDir, dir: &str) -> Vec<String> {
    tree.read_dir(dir).unwrap().into_iter().map(|entry| entry.name.to_string_lossy().into_owned()).collect()
}

fn link(tree: &TargetDir, path: &str) -> String {
    tree.read_link(path).unwrap().map(|content| content.to_string_lossy().into_owned()).unwrap_or_default()
}

#[test]
fn a_tree_of_packages_becomes_an_ostree_tree() {
    let (_dir, tree) = tree();
    let laid = postprocess(&tree, &settings()).unwrap();
    assert_eq!(
        names(&tree, "/"),
        [
            "bin", "boot", "dev", "home", "lib", "media", "mnt", "opt", "ostree", "proc", "root", "run", "sbin", "srv",
            "sys", "sysroot", "tmp", "usr", "var"
        ]
    );
    for (path, content) in [
        ("/home", "var/home"),
        ("/root", "var/roothome"),
        ("/opt", "var/opt"),
        ("/media", "run/media"),
        ("/ostree", "sysroot/ostree"),
        ("/usr/local", "../var/usrlocal"),
    ] {
        assert_eq!(link(&tree, path), content, "{path}");
    }
    for empty in ["/boot", "/dev", "/run", "/sysroot", "/tmp", "/var"] {
        assert!(names(&tree, empty).is_empty(), "{empty}");
    }
    assert_eq!(names(&tree, "/usr/etc"), ["hosts", "iscsi", "machine-id", "passwd", "ssh"]);
    assert_eq!(tree.read("/usr/etc/machine-id").unwrap(), b"");
    assert!(tree.read_text("/usr/etc/iscsi/initiatorname.iscsi").unwrap().contains("GenerateName=yes"));
    assert_eq!(names(&tree, "/usr/etc/ssh"), ["sshd_config"]);
    assert_eq!(tree.read_text("/usr/lib/sysimage/dpkg/status").unwrap(), "content\n");
    assert_eq!(tree.read_text("/usr/lib/opt/vendor/bin/tool").unwrap(), "content\n");
    assert_eq!(tree.read_text("/usr/share/factory/var/roothome/.profile").unwrap(), "content\n");
    assert_eq!(tree.read_text("/usr/share/factory/var/usrlocal/share/man/x").unwrap(), "content\n");
    let conf = tree.read_text(var::CONF).unwrap();
    for line in [
        "d /var/roothome 0700 0 0 -",
        "C /var/roothome/.profile 0644 0 0 - /usr/share/factory/var/roothome/.profile",
        "L /var/opt/vendor - - - - ../../usr/lib/opt/vendor",
        "d /var/cache/app 0755 0 0 -",
        "C /var/lib/app/secret\\x20file%% 0600 0 0 - /usr/share/factory/var/lib/app/secret file%%",
        "L /var/lib/dpkg - - - - ../../usr/lib/sysimage/dpkg",
        "L /var/cache/debconf - - - - ../../usr/lib/sysimage/debconf",
        "L /var/lib/systemd/deb-systemd-helper-enabled - - - - ../../../usr/lib/sysimage/deb-systemd-helper-enabled",
        "f /var/log/app.log 0640 0 0 -",
        "L /var/lock - - - - /run/lock",
        "d /var/spool/mail 2775 0 0 -",
        "d /run/lock 0755 0 0 -",
    ] {
        assert!(conf.lines().any(|own| own == line), "{line} in\n{conf}");
    }
    for absent in ["/var/log ", "/var/run ", "cache/app/data", "dpkg.log"] {
        assert!(!conf.contains(absent), "{absent} in\n{conf}");
    }
    assert_eq!(laid.lines, conf.lines().count() - 1);
    assert!(matches!(postprocess(&tree, &settings()), Err(TreeError::UsrEtc)));
}

#[test]
fn undone_it_is_a_tree_for_packages_again_and_lays_out_alike() {
    let (dir, tree) = tree();
    postprocess(&tree, &settings()).unwrap();
    let before = tree.read_text(var::CONF).unwrap();
    undo(&tree).unwrap();
    assert_eq!(tree.read_text("/var/lib/dpkg/status").unwrap(), "content\n");
    assert_eq!(tree.read_text("/var/cache/debconf/config.dat").unwrap(), "content\n");
    assert_eq!(tree.read_text("/var/lib/app/secret file%").unwrap(), "content\n");
    assert_eq!(dir.path().join("var/lib/app/secret file%").metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(tree.read_text("/root/.profile").unwrap(), "content\n");
    assert_eq!(tree.read_text("/opt/vendor/bin/tool").unwrap(), "content\n");
    assert!(tree.read_link("/opt").unwrap().is_none() && names(&tree, "/var/opt").is_empty());
    assert!(tree.exists("/etc/ssh/sshd_config") && !tree.exists("/usr/etc") && !tree.exists(var::CONF));
    postprocess(&tree, &settings()).unwrap();
    assert_eq!(tree.read_text(var::CONF).unwrap(), before);
}

#[test]
fn tmp_and_machine_id_as_settings_say() {
    let (_dir, tree) = tree();
    let settings = OstreeTree { tmp_is_dir: false, machineid_compat: false, ..settings() };
    postprocess(&tree, &settings).unwrap();
    assert_eq!(link(&tree, "/tmp"), "sysroot/tmp");
    assert!(!tree.exists("/usr/etc/machine-id"));
    undo(&tree).unwrap();
    assert!(tree.read_link("/tmp").unwrap().is_none() && tree.exists("/tmp"), "the sandbox mounts there");
}

#[test]
fn a_chosen_hostname_stays() {
    let (_dir, tree) = tree();
    tree.write("/etc/hostname", "appliance\n", 0o644).unwrap();
    tree.write("/etc/hosts", "own\n", 0o644).unwrap();
    postprocess(&tree, &settings()).unwrap();
    assert_eq!(tree.read_text("/usr/etc/hostname").unwrap(), "appliance\n");
    assert_eq!(tree.read_text("/usr/etc/hosts").unwrap(), "own\n");
}

#[test]
fn trees_that_cannot_be_deployed_are_refused() {
    let (_dir, unmerged) = tree();
    unmerged.remove("/bin").unwrap();
    unmerged.create_dir_all("/bin", 0o755).unwrap();
    assert!(matches!(postprocess(&unmerged, &settings()), Err(TreeError::NotMerged { name: "bin" })));
    let (_dir, taken) = tree();
    taken.write("/srv", "a file", 0o644).unwrap();
    assert!(matches!(postprocess(&taken, &settings()), Err(TreeError::NoRoomForLink { .. })));
}

#[test]
fn links_of_a_hostile_tree_lead_nowhere() {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("precious"), "kept").unwrap();
    let (_dir, tree) = tree();
    for place in ["/var/cache", "/run", "/usr/share/factory", "/usr/lib/sysimage", "/media"] {
        tree.remove_tree(place).unwrap();
        tree.symlink(outside.path(), place).unwrap();
    }
    // Whether it can be laid out does not matter; what it writes does.
    drop(postprocess(&tree, &settings()));
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 1);
    assert_eq!(std::fs::read_to_string(outside.path().join("precious")).unwrap(), "kept");
}
