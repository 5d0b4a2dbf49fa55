//! A user who is not root builds with sudo, as nodepool does: the environment comes through, and the image belongs to the user.

use crate::world::World;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

/// Debian's `nobody` and `nogroup`.
const NOBODY: u32 = 65534;

#[test]
#[expect(clippy::disallowed_methods, reason = "the subject under test, started by another user")]
fn host_a_user_with_sudo_builds_and_owns_the_image() {
    let world = World::isotope().env("DIB_WORDS", "two  words; $HOME").env("DIB_DEV_USER_PASSWORD", "hidden-word");
    for name in ["", "home", "probe"] {
        std::fs::set_permissions(world.path(name), std::fs::Permissions::from_mode(0o777)).unwrap();
    }
    // sudoers of this machine stay as they are: the file stands in their place in a mount namespace.
    let sudoers = world.path("own/sudoers");
    std::fs::write(&sudoers, "nobody ALL=(ALL) NOPASSWD: ALL\n").unwrap();
    std::fs::set_permissions(&sudoers, std::fs::Permissions::from_mode(0o440)).unwrap();
    let subject = world.program("disk-image-create");
    let script =
        "mount --bind \"$1\" /etc/sudoers && shift && exec setpriv --reuid=65534 --regid=65534 --clear-groups \"$@\"";
    let mut command = std::process::Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-c", script, "sh"]).arg(&sudoers);
    command.arg(subject.get_program()).args([
        "-n",
        "-t",
        "raw",
        "--checksum",
        "--image-size",
        "0.5",
        "tiny-os",
        "probe",
    ]);
    command.env_clear().current_dir(world.dir.path());
    for (name, value) in subject.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    let output = command.output().unwrap();
    let log = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{log}");
    for name in ["image.raw", "image.raw.sha256"] {
        assert_eq!(world.path(name).metadata().unwrap().uid(), NOBODY, "{name}");
    }
    let env = std::fs::read_to_string(world.path("probe/install.env")).unwrap();
    assert!(env.contains("DIB_WORDS=two  words; $HOME\n"), "{env}");
    assert!(!env.contains("ISOTOPE_CALLER"), "{env}");
    assert!(!log.contains("hidden-word"), "{log}");
}
