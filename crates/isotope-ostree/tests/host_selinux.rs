//! Files of a commit are labelled by the tree's own SELinux policy.

mod support;

use isotope_ostree::tree;
use isotope_ostree::{Commit, Mode, Repo};
use isotope_plan::{OstreeTree, UserCheck};
use isotope_sys::target::TargetDir;

#[test]
fn host_labels_follow_the_trees_policy_also_below_usr_etc() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("tree");
    std::fs::create_dir(&root).unwrap();
    let target = TargetDir::open(&root).unwrap();
    for name in ["bin", "sbin", "lib"] {
        target.create_dir_all(format!("/usr/{name}"), 0o755).unwrap();
        target.symlink(format!("usr/{name}"), format!("/{name}")).unwrap();
    }
    let contexts = "/.*\tsystem_u:object_r:default_t:s0\n/etc(/.*)?\tsystem_u:object_r:etc_t:s0\n/etc/shadow\t--\tsystem_u:object_r:shadow_t:s0\n";
    for (path, text) in [
        ("/etc/selinux/config", "SELINUX=enforcing\nSELINUXTYPE=targeted\n"),
        ("/etc/selinux/targeted/contexts/files/file_contexts", contexts),
        ("/etc/selinux/targeted/contexts/files/file_contexts.subs_dist", ""),
        ("/etc/selinux/targeted/policy/policy.33", "a policy\n"),
        ("/etc/shadow", "root:*:1::::::\n"),
        ("/etc/conf", "x\n"),
        ("/usr/bin/tool", "x\n"),
    ] {
        target.write(path, text, 0o644).unwrap();
    }
    let settings = OstreeTree {
        tmp_is_dir: true,
        machineid_compat: true,
        etc_group_members: Vec::new(),
        check_users: UserCheck::None,
        check_groups: UserCheck::None,
        ignore_removed_users: Vec::new(),
        ignore_removed_groups: Vec::new(),
    };
    tree::postprocess(&target, &settings).unwrap();
    let repo = Repo::create(dir.path().join("repo"), Mode::Archive).unwrap();
    assert!(repo.has_policy(&root).unwrap());
    let commit = Commit { bootable: false, selinux: true, ..Commit::new(&root, "test/os") };
    repo.commit(&commit, &mut |_| {}).unwrap();
    let listed =
        support::ostree(&[&format!("--repo={}", dir.path().join("repo").display()), "ls", "-R", "-X", "test/os"]);
    for (path, label) in [("/usr/etc/shadow", "shadow_t"), ("/usr/etc/conf", ":etc_t"), ("/usr/bin/tool", "default_t")]
    {
        let line = listed
            .lines()
            .find(|line| line.trim_end().ends_with(path))
            .unwrap_or_else(|| panic!("{path} in\n{listed}"));
        assert!(line.contains(label), "{line}");
    }
    let bare = dir.path().join("bare");
    std::fs::create_dir_all(bare.join("usr")).unwrap();
    assert!(!repo.has_policy(&bare).unwrap());
}
