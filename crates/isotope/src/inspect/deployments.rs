//! The deployments of an atomic image, by ostree's own files: origins, boot entries. Nothing is mounted and no library is asked.

use super::files::Files;
use isotope_boot::bls::Entry;
use serde::Serialize;
use std::path::{Component, Path, PathBuf};

/// One deployment.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct Deployment {
    /// Its place in the boot menu; 0 is booted by default. `None`: nothing boots it.
    pub index: Option<usize>,
    /// Its stateroot.
    pub stateroot: String,
    /// Its commit.
    pub commit: String,
    /// 0, or more where the same commit is deployed again.
    pub serial: String,
    /// Its directory, from the physical root.
    pub path: String,
    /// What upgrades follow: `REMOTE:REF`.
    pub origin: Option<String>,
    /// Title of its boot entry.
    pub title: Option<String>,
    /// Its kernel arguments.
    pub kernel_args: Option<String>,
}

/// Whether a filesystem is the physical root of an atomic system.
pub fn is_physical_root(files: &dyn Files) -> bool {
    files.read("/ostree/repo/config").is_ok()
}

/// All deployments, in the order of the boot menu.
pub fn read(files: &dyn Files) -> Vec<Deployment> {
    let entries = entries(files);
    let booted: Vec<Option<String>> = entries.iter().map(|entry| target(files, &entry.options())).collect();
    let mut found = Vec::new();
    for stateroot in files.list("/ostree/deploy").unwrap_or_default() {
        let dir = format!("/ostree/deploy/{stateroot}/deploy");
        for name in files.list(&dir).unwrap_or_default() {
            let Some(deployment) = name.strip_suffix(".origin") else { continue };
            let (commit, serial) = deployment.rsplit_once('.').unwrap_or((deployment, "0"));
            let path = format!("{dir}/{deployment}");
            let index = booted.iter().position(|target| target.as_deref() == Some(path.as_str()));
            let entry = index.and_then(|index| entries.get(index));
            let origin = files.read(&format!("{dir}/{name}")).unwrap_or_default();
            found.push(Deployment {
                index,
                stateroot: stateroot.clone(),
                commit: commit.to_owned(),
                serial: serial.to_owned(),
                path,
                origin: value(&String::from_utf8_lossy(&origin), "refspec"),
                title: entry.map(Entry::title),
                kernel_args: entry.map(Entry::options),
            });
        }
    }
    found.sort_by_key(|one| (one.index.unwrap_or(usize::MAX), one.path.clone()));
    found
}

/// The boot entries, the default first: ostree numbers them by `version`, the highest is the default.
pub fn entries(files: &dyn Files) -> Vec<Entry> {
    const DIR: &str = "/boot/loader/entries";
    let names = files.list(DIR).unwrap_or_default();
    let mut entries: Vec<Entry> = names
        .iter()
        .filter(|name| name.ends_with(".conf"))
        .filter_map(|name| {
            let text = files.read(&format!("{DIR}/{name}")).ok()?;
            Entry::parse(name, &String::from_utf8_lossy(&text)).ok()
        })
        .collect();
    let number = |entry: &Entry| entry.get("version").and_then(|text| text.parse::<u32>().ok()).unwrap_or(0);
    entries.sort_by_key(|entry| std::cmp::Reverse(number(entry)));
    entries
}

/// Where the links behind `ostree=` lead.
fn target(files: &dyn Files, options: &str) -> Option<String> {
    let mut place = PathBuf::from(options.split(' ').find_map(|word| word.strip_prefix("ostree="))?);
    // /ostree/boot.1 → boot.1.1; …/0 → ../../../deploy/STATEROOT/deploy/COMMIT.0
    for _ in 0..8 {
        let mut walked = PathBuf::from("/");
        let mut followed = false;
        for part in place.components() {
            match part {
                Component::RootDir | Component::CurDir => {}
                Component::ParentDir => {
                    walked.pop();
                }
                part => walked.push(part),
            }
            if let Ok(content) = files.link(&walked.display().to_string())
                && !followed
            {
                walked.pop();
                walked.push(Path::new(&content));
                followed = true;
            }
        }
        place = walked;
        if !followed {
            return Some(place.display().to_string());
        }
    }
    None
}

fn value(text: &str, key: &str) -> Option<String> {
    text.lines()
        .find_map(|line| line.strip_prefix(key)?.trim_start().strip_prefix('='))
        .map(|value| value.trim().to_owned())
}

/// A deployment as a root filesystem: paths begin in its directory, and those below `/var` and `/boot` where the booted system has them.
pub struct Booted<'f> {
    files: &'f dyn Files,
    root: String,
    var: String,
}

impl<'f> Booted<'f> {
    /// The view of one deployment.
    pub fn new(files: &'f dyn Files, deployment: &Deployment) -> Self {
        let var = format!("/ostree/deploy/{}/var", deployment.stateroot);
        Self { files, root: deployment.path.clone(), var }
    }

    fn place(&self, path: &str) -> String {
        let below = |dir: &str| path.strip_prefix(dir).filter(|rest| rest.is_empty() || rest.starts_with('/'));
        match (below("/var"), below("/boot")) {
            (Some(rest), _) => format!("{}{rest}", self.var),
            (_, Some(_)) => path.to_owned(),
            _ => format!("{}{}", self.root, path.trim_end_matches('/')),
        }
    }
}

impl Files for Booted<'_> {
    fn read(&self, path: &str) -> anyhow::Result<Vec<u8>> {
        self.files.read(&self.place(path))
    }

    fn list(&self, path: &str) -> anyhow::Result<Vec<String>> {
        self.files.list(&self.place(path))
    }

    fn facts(&self, path: &str) -> anyhow::Result<super::files::FileFacts> {
        self.files.facts(&self.place(path))
    }

    fn link(&self, path: &str) -> anyhow::Result<String> {
        self.files.link(&self.place(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::files::FileFacts;
    use std::collections::BTreeMap;

    /// Files and links by path; a link's text begins with `->`.
    struct Small(BTreeMap<String, String>);

    impl Files for Small {
        fn read(&self, path: &str) -> anyhow::Result<Vec<u8>> {
            self.0
                .get(path)
                .filter(|text| !text.starts_with("->"))
                .map(|text| text.clone().into_bytes())
                .ok_or_else(|| anyhow::anyhow!("no {path}"))
        }
        fn list(&self, path: &str) -> anyhow::Result<Vec<String>> {
            let below = format!("{}/", path.trim_end_matches('/'));
            let mut names: Vec<String> = self
                .0
                .keys()
                .filter_map(|key| key.strip_prefix(&below)?.split('/').next().map(str::to_owned))
                .collect();
            names.dedup();
            Ok(names)
        }
        fn facts(&self, path: &str) -> anyhow::Result<FileFacts> {
            anyhow::bail!("{path}")
        }
        fn link(&self, path: &str) -> anyhow::Result<String> {
            self.0
                .get(path)
                .and_then(|text| text.strip_prefix("->"))
                .map(str::to_owned)
                .ok_or_else(|| anyhow::anyhow!("no link"))
        }
    }

    #[test]
    fn two_deployments_the_default_first() {
        let files = [
            ("/ostree/repo/config", "[core]\n"),
            ("/ostree/deploy/os/deploy/aaa.0.origin", "[origin]\nrefspec=remote:os/1\n"),
            ("/ostree/deploy/os/deploy/aaa.0/etc/os-release", "ID=old\n"),
            ("/ostree/deploy/os/deploy/bbb.0.origin", "[origin]\nrefspec=remote:os/1\n"),
            ("/ostree/deploy/os/deploy/bbb.0/etc/os-release", "ID=new\n"),
            ("/ostree/deploy/os/deploy/ccc.0.origin", ""),
            ("/ostree/deploy/os/var/lib/x", "x"),
            ("/ostree/boot.1", "->boot.1.1"),
            ("/ostree/boot.1.1/os/k1/0", "->../../../deploy/os/deploy/bbb.0"),
            ("/ostree/boot.1.1/os/k2/0", "->../../../deploy/os/deploy/aaa.0"),
            (
                "/boot/loader/entries/ostree-1-os.conf",
                "title Old\nversion 1\nlinux /k\noptions rw ostree=/ostree/boot.1/os/k2/0\n",
            ),
            (
                "/boot/loader/entries/ostree-2-os.conf",
                "title New\nversion 2\nlinux /k\noptions rw ostree=/ostree/boot.1/os/k1/0\n",
            ),
        ];
        let files = Small(files.map(|(path, text)| (path.to_owned(), text.to_owned())).into());
        assert!(is_physical_root(&files));
        let found = read(&files);
        let told: Vec<_> = found.iter().map(|one| (one.index, one.commit.as_str(), one.origin.as_deref())).collect();
        assert_eq!(
            told,
            [(Some(0), "bbb", Some("remote:os/1")), (Some(1), "aaa", Some("remote:os/1")), (None, "ccc", None)]
        );
        let booted = Booted::new(&files, &found[0]);
        assert_eq!(booted.read("/etc/os-release").unwrap(), b"ID=new\n");
        assert_eq!(booted.read("/var/lib/x").unwrap(), b"x");
    }
}
