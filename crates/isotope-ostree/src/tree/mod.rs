//! From a tree that packages made to the tree that ostree commits, and back.
//!
//! | what | becomes | because |
//! |---|---|---|
//! | `/etc` | `/usr/etc` | ostree merges it with the machine's own at each deployment |
//! | `/var` | empty; lines in `/usr/lib/tmpfiles.d`, copies in `/usr/share/factory/var` | a commit's /var is not deployed |
//! | `/home /root /srv /mnt /opt /usr/local` | links into `/var`; what was in them likewise | they are the machine's |
//! | `/var/lib/dpkg`, `/var/lib/rpm` and what else package managers remember | `/usr/lib/sysimage`, links in /var | it belongs to what is in /usr |
//! | `/boot` | empty | kernels are in `/usr/lib/modules` |
//! | machine-id, host keys, host name, iSCSI name, seeds, backups of passwd | removed or empty | they are a machine's own |
//! | contexts of a SELinux policy | know `/usr/etc`, `/var/home`, `/usr/lib/opt` | labels follow what a file means, not where it is |
//! | device nodes, sockets, attributes `user.*` | removed | neither commits nor composefs carry them |
//!
//! In: an open tree and the plan's settings. Out: the same tree. It must not know package managers' programs, repositories or
//! the sandbox. All writing goes through [`TargetDir`].

mod clean;
mod selinux;
mod tmpfiles;
mod users;
mod var;

pub use users::Users;

use isotope_plan::OstreeTree;
use isotope_sys::target::{TargetDir, TargetError};
use rustix::fs::FileType;
use tmpfiles::Makes;
use var::Lines;

/// Why a tree cannot be laid out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TreeError {
    /// The tree refuses.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// A name that a line of tmpfiles.d cannot have.
    #[error("a name in {dir} is not text, so no tmpfiles.d line can make it at boot; let a script remove it")]
    Name {
        /// Its directory.
        dir: String,
    },
    /// `/bin` and the like are no links into /usr.
    #[error("/{name} is not a link to usr/{name}: ostree deploys only trees whose /usr is merged")]
    NotMerged {
        /// Which one.
        name: &'static str,
    },
    /// It has been laid out already.
    #[error("the tree has /usr/etc already: it is laid out, or a package ships /usr/etc")]
    UsrEtc,
    /// A place that must be a link is something else.
    #[error("{path} cannot become a link: it is neither a directory nor the link {link}")]
    NoRoomForLink {
        /// The place.
        path: String,
        /// What it should be.
        link: String,
    },
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Laid {
    /// Lines of tmpfiles.d.
    pub lines: usize,
    /// Device nodes and sockets that were removed.
    pub special: u64,
    /// Whether users moved to /usr/lib (nss-altfiles).
    pub altfiles: bool,
}

/// Directories at the top that become links into /var: place, link, where it leads, mode.
const LINKS: [(&str, &str, &str, u32); 6] = [
    ("/home", "var/home", "/var/home", 0o755),
    ("/root", "var/roothome", "/var/roothome", 0o700),
    ("/srv", "var/srv", "/var/srv", 0o755),
    ("/mnt", "var/mnt", "/var/mnt", 0o755),
    ("/opt", "var/opt", "/var/opt", 0o755),
    ("/usr/local", "../var/usrlocal", "/var/usrlocal", 0o755),
];

/// What of package managers' memory moves to /usr/lib/sysimage: path in /var, name there.
const PACKAGE_STATE: [(&str, &str); 10] = [
    ("lib/dpkg", "dpkg"),
    ("lib/apt/extended_states", "apt-extended-states"),
    ("lib/rpm", "rpm"),
    ("lib/ucf", "ucf"),
    ("lib/pam", "pam"),
    ("cache/debconf", "debconf"),
    ("lib/systemd/deb-systemd-helper-enabled", "deb-systemd-helper-enabled"),
    ("lib/systemd/deb-systemd-helper-masked", "deb-systemd-helper-masked"),
    ("lib/systemd/deb-systemd-user-helper-enabled", "deb-systemd-user-helper-enabled"),
    ("lib/systemd/deb-systemd-user-helper-masked", "deb-systemd-user-helper-masked"),
];

/// Where it moves.
const SYSIMAGE: &str = "/usr/lib/sysimage";

/// Lays a tree out.
///
/// # Errors
/// The tree is none that ostree deploys, or cannot be written.
pub fn postprocess(tree: &TargetDir, settings: &OstreeTree) -> Result<Laid, TreeError> {
    for name in ["bin", "sbin", "lib"] {
        let path = format!("/{name}");
        if tree.exists(path.as_str()) && tree.read_link(path.as_str())?.is_none() {
            return Err(TreeError::NotMerged { name });
        }
    }
    if !tree.read_dir("/usr/etc")?.is_empty() {
        return Err(TreeError::UsrEtc);
    }
    clean::identity(tree, settings.machineid_compat)?;
    selinux::substitute(tree)?;
    users::settle(tree)?;
    let altfiles = users::split(tree, &settings.etc_group_members)?;
    let mut lines = Lines::of(tree)?;
    package_state(tree, &mut lines)?;
    options(tree, &mut lines)?;
    for (place, link, leads, mode) in LINKS {
        lines.dir(leads, mode);
        into_var(tree, &mut lines, place, link, leads)?;
    }
    for dir in ["bin", "etc", "games", "include", "lib", "sbin", "share", "src"] {
        lines.dir(&format!("/var/usrlocal/{dir}"), 0o755);
    }
    lines.dir("/run/media", 0o755);
    lines.take(tree, "/media", "/run/media")?;
    lines.take(tree, "/run", "/run")?;
    lines.take(tree, "/var", "/var")?;
    top_level(tree, settings.tmp_is_dir)?;
    let count = lines.len();
    tree.write(var::CONF, lines.text(), 0o644)?;
    let scrubbed = tree.scrub()?;
    // The last of all: until here, the tree is one that programs can run in.
    tree.remove("/usr/etc")?;
    if tree.exists("/etc") {
        tree.rename("/etc", "/usr/etc")?;
    }
    Ok(Laid { lines: count, special: scrubbed.special, altfiles })
}

/// Makes of a checked out commit a tree that package managers can work in. [`postprocess`] turns it back.
///
/// # Errors
/// The tree cannot be written.
pub fn undo(tree: &TargetDir) -> Result<(), TreeError> {
    if !tree.exists("/etc") {
        tree.rename("/usr/etc", "/etc")?;
    }
    tree.create_dir_all("/var", 0o755)?;
    var::restore(tree)?;
    for (path, name) in PACKAGE_STATE {
        let (from, to) = (format!("{SYSIMAGE}/{name}"), format!("/var/{path}"));
        // rpm's own place is there.
        if name != "rpm" && tree.symlink_metadata(from.as_str())?.is_some() {
            if let Some((parent, _)) = to.rsplit_once('/') {
                tree.create_dir_all(parent, 0o755)?;
            }
            tree.remove(to.as_str())?;
            tree.rename(from.as_str(), to.as_str())?;
        }
    }
    for (_, _, leads, mode) in LINKS {
        if !tree.exists(leads) {
            tree.create_dir_all(leads, mode)?;
        }
    }
    // Packages that come now bring what they have in /opt to where the others' is.
    if tree.read_link("/opt")?.is_some() {
        for entry in tree.read_dir("/usr/lib/opt")? {
            tree.remove(format!("/var/opt/{}", entry.name.to_string_lossy()))?;
        }
        tree.remove("/opt")?;
        if tree.exists("/usr/lib/opt") {
            tree.rename("/usr/lib/opt", "/opt")?;
        } else {
            tree.create_dir_all("/opt", 0o755)?;
        }
    }
    // The sandbox mounts on it.
    if tree.read_link("/tmp")?.is_some() {
        tree.remove("/tmp")?;
        tree.create_dir_all("/tmp", 0o1777)?;
    }
    Ok(())
}

/// Databases of package managers.
fn package_state(tree: &TargetDir, lines: &mut Lines) -> Result<(), TreeError> {
    for (path, name) in PACKAGE_STATE {
        let (from, to) = (format!("/var/{path}"), format!("{SYSIMAGE}/{name}"));
        let up = "../".repeat(path.matches('/').count() + 1);
        let there = tree.symlink_metadata(from.as_str())?;
        // A link is what some distributions have there themselves.
        let is_link = there.is_some_and(|stat| FileType::from_raw_mode(stat.st_mode).is_symlink());
        if there.is_none() || is_link {
            continue;
        }
        tree.create_dir_all(SYSIMAGE, 0o755)?;
        tree.rename(from.as_str(), to.as_str())?;
        lines.add(from, Makes::Link(format!("{up}usr/lib/sysimage/{name}")));
    }
    // Where rpm-ostree's and bootc's programs look.
    if tree.exists("/usr/lib/sysimage/rpm") && !tree.exists("/usr/share/rpm") {
        tree.symlink("../lib/sysimage/rpm", "/usr/share/rpm")?;
    }
    Ok(())
}

/// What packages have in /opt is theirs, so it stays with /usr; the machine finds it by links.
fn options(tree: &TargetDir, lines: &mut Lines) -> Result<(), TreeError> {
    if tree.read_link("/opt")?.is_some() {
        return Ok(());
    }
    for entry in tree.read_dir("/opt")? {
        let name = entry.name.to_string_lossy().into_owned();
        tree.create_dir_all("/usr/lib/opt", 0o755)?;
        tree.rename(format!("/opt/{name}"), format!("/usr/lib/opt/{name}"))?;
        lines.add(format!("/var/opt/{name}"), Makes::Link(format!("../../usr/lib/opt/{name}")));
    }
    Ok(())
}

/// A directory becomes a link; what was in it is made at boot where the link leads.
fn into_var(tree: &TargetDir, lines: &mut Lines, place: &str, link: &str, leads: &str) -> Result<(), TreeError> {
    match tree.symlink_metadata(place)? {
        None => {}
        Some(stat) if FileType::from_raw_mode(stat.st_mode).is_dir() => {
            lines.take(tree, place, leads)?;
            tree.remove(place)?;
        }
        Some(_) if tree.read_link(place)?.is_some_and(|content| content == link) => return Ok(()),
        Some(_) => return Err(TreeError::NoRoomForLink { path: place.to_owned(), link: link.to_owned() }),
    }
    Ok(tree.symlink(link, place)?)
}

/// Directories and links that every tree has.
fn top_level(tree: &TargetDir, tmp_is_dir: bool) -> Result<(), TreeError> {
    for dir in ["/boot", "/dev", "/proc", "/run", "/sys", "/sysroot", "/var"] {
        for entry in tree.read_dir(dir)? {
            tree.remove_tree(format!("{dir}/{}", entry.name.to_string_lossy()))?;
        }
        tree.create_dir_all(dir, 0o755)?;
        tree.set_owner(dir, 0, 0)?;
        tree.set_mode(dir, 0o755)?;
    }
    tree.remove_tree("/tmp")?;
    if tmp_is_dir {
        tree.create_dir_all("/tmp", 0o1777)?;
    } else {
        tree.symlink("sysroot/tmp", "/tmp")?;
    }
    for (link, place) in [("run/media", "/media"), ("sysroot/ostree", "/ostree")] {
        if tree.read_link(place)?.is_none() {
            tree.remove_tree(place)?;
            tree.symlink(link, place)?;
        }
    }
    // Debian's links to the newest kernel in /boot, which is empty now.
    for link in ["/vmlinuz", "/vmlinuz.old", "/initrd.img", "/initrd.img.old"] {
        tree.remove(link)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
