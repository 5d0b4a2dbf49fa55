//! A SELinux policy learns where ostree keeps things: `file_contexts.subs_dist` says which path is labelled like which other.

use super::TreeError;
use isotope_sys::target::TargetDir;

/// Lines of rpm-ostree. Homes are known by the place where they are, so users' homes are below /var/home.
const SUBSTITUTIONS: [(&str, &str); 3] = [("/home", "/var/home"), ("/usr/etc", "/etc"), ("/usr/lib/opt", "/opt")];

/// Adds them to every policy of the tree.
pub(super) fn substitute(tree: &TargetDir) -> Result<(), TreeError> {
    let mut found = false;
    for policy in tree.read_dir("/etc/selinux")?.into_iter().filter(|entry| entry.is_dir) {
        let path = format!("/etc/selinux/{}/contexts/files/file_contexts.subs_dist", policy.name.to_string_lossy());
        if tree.exists(path.as_str()) {
            let text = tree.read_text(path.as_str())?;
            tree.write(path.as_str(), substituted(&text), 0o644)?;
            found = true;
        }
    }
    // New users' homes are where the policy's contexts are made for.
    if found && tree.exists("/etc/default/useradd") {
        let text = tree.read_text("/etc/default/useradd")?;
        let line =
            |line: &str| if line.starts_with("HOME=") { "HOME=/var/home\n".to_owned() } else { format!("{line}\n") };
        tree.write("/etc/default/useradd", text.lines().map(line).collect::<String>(), 0o644)?;
    }
    Ok(())
}

fn substituted(text: &str) -> String {
    // The opposite of one of ours would make a circle.
    let ours = |line: &str| {
        let mut words = line.split_whitespace();
        let (from, to) = (words.next(), words.next());
        SUBSTITUTIONS.iter().any(|(a, b)| (from == Some(*a) && to == Some(*b)) || (from == Some(*b) && to == Some(*a)))
    };
    let kept: String = text.lines().filter(|line| !ours(line)).map(|line| format!("{line}\n")).collect();
    let added: String = SUBSTITUTIONS.iter().map(|(from, to)| format!("{from} {to}\n")).collect();
    kept + &added
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn substitutions_are_added_once_and_their_opposites_go() {
        let text = "/run /var/run\n/var/home /home\n";
        let once = substituted(text);
        assert_eq!(once, "/run /var/run\n/home /var/home\n/usr/etc /etc\n/usr/lib/opt /opt\n");
        assert_eq!(substituted(&once), once);
    }

    #[test]
    fn homes_follow_the_policy_where_there_is_one() {
        let dir = tempfile::tempdir().unwrap();
        let tree = TargetDir::open(dir.path()).unwrap();
        tree.write("/etc/default/useradd", "# x\nHOME=/home\nSHELL=/bin/bash\n", 0o644).unwrap();
        substitute(&tree).unwrap();
        assert!(tree.read_text("/etc/default/useradd").unwrap().contains("HOME=/home\n"));
        tree.write("/etc/selinux/targeted/contexts/files/file_contexts.subs_dist", "", 0o644).unwrap();
        substitute(&tree).unwrap();
        assert_eq!(tree.read_text("/etc/default/useradd").unwrap(), "# x\nHOME=/var/home\nSHELL=/bin/bash\n");
    }
}
