//! Users and groups keep their numbers from one commit to the next: files on machines belong to numbers.
//!
//! [`Users::seed`] gives a new tree the parent's users before packages make theirs; [`Users::changes`] says what differs.

use super::TreeError;
use isotope_sys::target::TargetDir;
use rustix::fs::FileType;
use std::collections::BTreeMap;

/// The files, their modes, and whether they belong to group `shadow`.
const FILES: [(&str, u32, bool); 4] =
    [("passwd", 0o644, false), ("group", 0o644, false), ("shadow", 0o640, true), ("gshadow", 0o640, true)];

/// The texts of `/etc/passwd` and its kin.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Users {
    texts: BTreeMap<&'static str, String>,
}

/// A user's or group's numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Numbers {
    uid: String,
    gid: String,
}

impl Users {
    /// Those of a tree: in `/etc` (or `/usr/etc`), and in `/usr/lib` where nss-altfiles reads.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn of_tree(tree: &TargetDir) -> Result<Self, TreeError> {
        let mut users = Self::default();
        for (name, _, _) in FILES {
            for dir in ["/etc", "/usr/etc", "/usr/lib"] {
                let path = format!("{dir}/{name}");
                let stat = tree.symlink_metadata(path.as_str())?;
                if stat.is_some_and(|stat| FileType::from_raw_mode(stat.st_mode).is_file()) {
                    users.add(name, &tree.read_text(path.as_str())?);
                }
            }
        }
        Ok(users)
    }

    /// Adds the lines of a file, those of names that are not there yet. Other files than `passwd` and its kin are ignored.
    pub fn add(&mut self, name: &str, text: &str) {
        let Some((name, _, _)) = FILES.iter().find(|(own, _, _)| *own == name) else { return };
        let own = self.texts.entry(name).or_default();
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let user = line.split(':').next().unwrap_or_default();
            if !own.lines().any(|other| other.split(':').next() == Some(user)) {
                own.push_str(line);
                own.push('\n');
            }
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.texts.values().all(String::is_empty)
    }

    /// How many users there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.texts.get("passwd").map_or(0, |text| text.lines().count())
    }

    /// The files that a new tree begins with, and what is in them: users and groups by their numbers, none of whom can log in with a
    /// password. What packages wrote into shadow files is of the day on which they did.
    #[must_use]
    pub fn seeds(&self) -> BTreeMap<&'static str, String> {
        let lines = |file: &str| {
            let mut lines: Vec<&str> = self.texts.get(file).map(|text| text.lines().collect()).unwrap_or_default();
            lines.sort_by_key(|line| {
                let mut fields = line.split(':');
                let name = fields.next().unwrap_or_default();
                (fields.nth(1).and_then(|number| number.parse::<u32>().ok()).unwrap_or(u32::MAX), name)
            });
            lines
        };
        let file = |own: &str, line: &dyn Fn(&str) -> String| lines(own).into_iter().map(line).collect::<String>();
        let name = |line: &str| line.split(':').next().unwrap_or_default().to_owned();
        [
            ("passwd", file("passwd", &|line| format!("{line}\n"))),
            ("group", file("group", &|line| format!("{line}\n"))),
            ("shadow", file("passwd", &|line| format!("{}:*:::::::\n", name(line)))),
            (
                "gshadow",
                file("group", &|line| format!("{}:*::{}\n", name(line), line.split(':').nth(3).unwrap_or_default())),
            ),
        ]
        .into_iter()
        .filter(|(_, text)| !text.is_empty())
        .collect()
    }

    /// Writes them into a tree that has none yet.
    ///
    /// # Errors
    /// The tree refuses.
    pub fn seed(&self, tree: &TargetDir) -> Result<(), TreeError> {
        let shadow = self.numbers("group").get("shadow").and_then(|numbers| numbers.gid.parse().ok());
        let seeds = self.seeds();
        for (name, mode, secret) in FILES {
            let Some(text) = seeds.get(name) else { continue };
            let path = format!("/etc/{name}");
            tree.write(path.as_str(), text, mode)?;
            if let (true, Some(gid)) = (secret, shadow) {
                tree.set_owner(path.as_str(), 0, gid)?;
                tree.set_mode(path.as_str(), mode)?;
            }
        }
        Ok(())
    }

    /// Name → numbers, of `passwd` or `group`.
    fn numbers(&self, file: &str) -> BTreeMap<&str, Numbers> {
        let text = self.texts.get(file).map(String::as_str).unwrap_or_default();
        text.lines()
            .filter_map(|line| {
                let mut fields = line.split(':');
                let name = fields.next()?;
                let uid = fields.nth(1)?.to_owned();
                // The group of a user; a group has its own number in the third field.
                let gid = if file == "passwd" { fields.next()?.to_owned() } else { uid.clone() };
                Some((name, Numbers { uid, gid }))
            })
            .collect()
    }

    /// What stands against following `before` with these users: numbers that differ, names that are gone. `ignored` may go;
    /// `*` stands for all.
    #[must_use]
    pub fn changes(&self, before: &Self, file: &str, ignored: &[String]) -> Vec<String> {
        let (old, new) = (before.numbers(file), self.numbers(file));
        let what = if file == "passwd" { "user" } else { "group" };
        let mut changes = Vec::new();
        for (name, numbers) in old {
            match new.get(name) {
                Some(now) if *now == numbers => {}
                Some(now) if file == "passwd" => changes
                    .push(format!("{what} {name} was {}:{} and is {}:{}", numbers.uid, numbers.gid, now.uid, now.gid)),
                Some(now) => changes.push(format!("{what} {name} was {} and is {}", numbers.gid, now.gid)),
                None if ignored.iter().any(|ignored| ignored == name || ignored == "*") => {}
                None => changes.push(format!("{what} {name} ({}) is gone", numbers.uid)),
            }
        }
        changes
    }
}

/// Puts users and groups into the order of their numbers, and takes from shadow files what says only when packages made them: what a
/// tree begins with ([`Users::seed`]) and what it ends with are the same then. Passwords that somebody has set stay.
pub(super) fn settle(tree: &TargetDir) -> Result<(), TreeError> {
    let mut users = Users::default();
    let mut found = Vec::new();
    for (name, _, _) in FILES {
        let path = format!("/etc/{name}");
        let stat = tree.symlink_metadata(path.as_str())?;
        if let Some(stat) = stat.filter(|stat| FileType::from_raw_mode(stat.st_mode).is_file()) {
            users.add(name, &tree.read_text(path.as_str())?);
            found.push((name, path, stat));
        }
    }
    let seeds = users.seeds();
    for (name, path, stat) in found {
        let Some(seed) = seeds.get(name) else { continue };
        let own: BTreeMap<&str, &str> =
            users.texts[name].lines().filter_map(|line| Some((line.split(':').next()?, line))).collect();
        let text: String = seed
            .lines()
            .map(|line| {
                let own = own.get(line.split(':').next().unwrap_or_default()).copied();
                let kept = own.filter(|own| !own.split(':').nth(1).is_some_and(is_locked));
                format!("{}\n", kept.unwrap_or(line))
            })
            .collect();
        tree.write(path.as_str(), text, stat.st_mode & 0o7777)?;
        tree.set_owner(path.as_str(), stat.st_uid, stat.st_gid)?;
        tree.set_mode(path.as_str(), stat.st_mode & 0o7777)?;
    }
    Ok(())
}

/// Whether no password is this one; `x` in passwd and group says that shadow files know.
fn is_locked(password: &str) -> bool {
    ["x", "*", "!", "!*", "!!"].contains(&password)
}

/// Moves users and groups to `/usr/lib` where the tree's C library reads them there (nss-altfiles), as rpm-ostree does:
/// `/etc` has only root then, and groups that people add themselves to. Says whether it did.
pub(super) fn split(tree: &TargetDir, etc_group_members: &[String]) -> Result<bool, TreeError> {
    let library = "libnss_altfiles.so.2";
    let dirs = ["/usr/lib64", "/usr/lib", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"];
    if !dirs.iter().any(|dir| tree.exists(format!("{dir}/{library}"))) || !tree.exists("/etc/passwd") {
        return Ok(false);
    }
    for file in ["passwd", "group"] {
        let text = tree.read_text(format!("/etc/{file}"))?;
        let (mut own, mut system) = (String::new(), String::new());
        for line in text.lines() {
            let mut fields = line.split(':');
            let (name, number) = (fields.next().unwrap_or_default(), fields.nth(1));
            let in_both = file == "group" && etc_group_members.iter().any(|group| group == name);
            if number == Some("0") || in_both {
                own.push_str(line);
                own.push('\n');
            }
            if number != Some("0") {
                system.push_str(line);
                system.push('\n');
            }
        }
        tree.write(format!("/etc/{file}"), own, 0o644)?;
        tree.write(format!("/usr/lib/{file}"), system, 0o644)?;
    }
    if tree.exists("/etc/nsswitch.conf") {
        let text = tree.read_text("/etc/nsswitch.conf")?;
        tree.write("/etc/nsswitch.conf", with_altfiles(&text), 0o644)?;
    }
    Ok(true)
}

/// nsswitch.conf with `altfiles` after `files` for users and groups.
fn with_altfiles(text: &str) -> String {
    let line = |line: &str| {
        let Some((database, services)) = line.split_once(':') else { return format!("{line}\n") };
        let wanted = ["passwd", "group"].contains(&database.trim());
        if !wanted || services.split_whitespace().any(|service| service == "altfiles") {
            return format!("{line}\n");
        }
        format!("{database}:{}\n", services.replacen("files", "files altfiles", 1))
    };
    text.lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn users(passwd: &str, group: &str) -> Users {
        let mut users = Users::default();
        users.add("passwd", passwd);
        users.add("group", group);
        users
    }

    #[test]
    fn changed_numbers_and_lost_names_are_told() {
        let before = users("root:x:0:0:::\nsshd:x:101:65534:::\nold:x:102:102:::\n", "shadow:x:42:\ngone:x:9:\n");
        let after = users("root:x:0:0:::\nsshd:x:105:65534:::\nnew:x:101:101:::\n", "shadow:x:43:\n");
        assert_eq!(
            after.changes(&before, "passwd", &[]),
            ["user old (102) is gone", "user sshd was 101:65534 and is 105:65534"]
        );
        assert_eq!(after.changes(&before, "passwd", &["old".into()]).len(), 1);
        assert_eq!(after.changes(&before, "group", &["*".into()]), ["group shadow was 42 and is 43"]);
        assert!(before.changes(&before, "passwd", &[]).is_empty());
    }

    #[test]
    fn a_new_tree_gets_the_users_of_the_old_one() {
        let dir = tempfile::tempdir().unwrap();
        let tree = TargetDir::open(dir.path()).unwrap();
        let mut before = users("root:x:0:0:::\nsshd:x:101:65534:::\n", "root:x:0:\nshadow:x:42:\n");
        before.add("shadow", "root:*:1::::::\n");
        // A second file with the same names changes nothing.
        before.add("passwd", "sshd:x:999:1:::\nmore:x:103:103:::\n");
        before.add("passwd", "low:x:3:3:::\n");
        before.seed(&tree).unwrap();
        let text = |name: &str| tree.read_text(format!("/etc/{name}")).unwrap();
        // By their numbers, whoever came first.
        assert_eq!(text("passwd"), "root:x:0:0:::\nlow:x:3:3:::\nsshd:x:101:65534:::\nmore:x:103:103:::\n");
        assert_eq!(text("group"), "root:x:0:\nshadow:x:42:\n");
        assert_eq!(text("shadow"), "root:*:::::::\nlow:*:::::::\nsshd:*:::::::\nmore:*:::::::\n");
        assert_eq!(text("gshadow"), "root:*::\nshadow:*::\n");
        assert!(Users::of_tree(&tree).unwrap().changes(&before, "passwd", &[]).is_empty());
        let mode = dir.path().join("etc/shadow").metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o640);
    }

    #[test]
    fn what_a_tree_ends_with_is_what_the_next_one_begins_with() {
        let dir = tempfile::tempdir().unwrap();
        let tree = TargetDir::open(dir.path()).unwrap();
        tree.write("/etc/passwd", "root:x:0:0:::\nnew:x:990:990:::\nold:x:101:1:::\n", 0o644).unwrap();
        tree.write("/etc/group", "root:x:0:\nnew:x:990:old,root\n", 0o644).unwrap();
        tree.write("/etc/shadow", "new:!*:20778::::::\nroot:$y$j9T:20778:0:99999:7:::\nold:!:20001::::::\n", 0o600)
            .unwrap();
        tree.write("/etc/gshadow", "root:*::\nnew:!::old,root\n", 0o600).unwrap();
        settle(&tree).unwrap();
        let text = |name: &str| tree.read_text(format!("/etc/{name}")).unwrap();
        assert_eq!(text("passwd"), "root:x:0:0:::\nold:x:101:1:::\nnew:x:990:990:::\n");
        assert_eq!(text("shadow"), "root:$y$j9T:20778:0:99999:7:::\nold:*:::::::\nnew:*:::::::\n");
        assert_eq!(text("gshadow"), "root:*::\nnew:*::old,root\n");
        let before = Users::of_tree(&tree).unwrap();
        let next = tempfile::tempdir().unwrap();
        let next = TargetDir::open(next.path()).unwrap();
        before.seed(&next).unwrap();
        settle(&next).unwrap();
        let again = |name: &str| next.read_text(format!("/etc/{name}")).unwrap();
        assert!(["passwd", "group", "gshadow"].iter().all(|name| again(name) == text(name)));
        assert_eq!(again("shadow"), "root:*:::::::\nold:*:::::::\nnew:*:::::::\n", "passwords are not handed on");
    }

    #[test]
    fn with_altfiles_only_root_and_chosen_groups_stay_in_etc() {
        let dir = tempfile::tempdir().unwrap();
        let tree = TargetDir::open(dir.path()).unwrap();
        tree.write("/etc/passwd", "root:x:0:0:::\ndbus:x:81:81:::\n", 0o644).unwrap();
        tree.write("/etc/group", "root:x:0:\nwheel:x:10:\ndbus:x:81:\n", 0o644).unwrap();
        tree.write("/etc/nsswitch.conf", "# c\npasswd:     files systemd\nhosts: files dns\n", 0o644).unwrap();
        assert!(!split(&tree, &[]).unwrap(), "nothing is moved where nothing would read it");
        tree.write("/usr/lib64/libnss_altfiles.so.2", "", 0o755).unwrap();
        assert!(split(&tree, &["wheel".into()]).unwrap());
        assert_eq!(tree.read_text("/etc/group").unwrap(), "root:x:0:\nwheel:x:10:\n");
        assert_eq!(tree.read_text("/usr/lib/group").unwrap(), "wheel:x:10:\ndbus:x:81:\n");
        assert_eq!(tree.read_text("/usr/lib/passwd").unwrap(), "dbus:x:81:81:::\n");
        assert_eq!(
            tree.read_text("/etc/nsswitch.conf").unwrap(),
            "# c\npasswd:     files altfiles systemd\nhosts: files dns\n"
        );
    }
}
