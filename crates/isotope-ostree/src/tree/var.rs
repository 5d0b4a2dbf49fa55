//! The content of directories that live in /var: every entry becomes a line of tmpfiles.d, every file a factory copy.

use super::TreeError;
use super::tmpfiles::{Line, Makes, Owned, made_by};
use isotope_sys::target::TargetDir;
use rustix::fs::FileType;
use std::collections::BTreeSet;

/// The file that our lines go to: the first of all in /usr/lib/tmpfiles.d, so that its owners and modes count.
pub(super) const CONF: &str = "/usr/lib/tmpfiles.d/000-isotope-compose.conf";
/// Where factory copies are.
pub(super) const FACTORY: &str = "/usr/share/factory";

/// Directories whose files are made anew by whoever wants them.
const CACHES: [&str; 4] = ["/run/", "/var/cache/", "/var/tmp/", "/var/lib/apt/lists/"];

/// Lines that have been collected.
#[derive(Debug, Default)]
pub(super) struct Lines {
    lines: Vec<Line>,
    /// Paths that other files of tmpfiles.d make.
    elsewhere: BTreeSet<String>,
}

impl Lines {
    /// None yet; what the tree's own tmpfiles.d makes is known.
    pub(super) fn of(tree: &TargetDir) -> Result<Self, TreeError> {
        let mut elsewhere = BTreeSet::new();
        for entry in tree.read_dir("/usr/lib/tmpfiles.d")? {
            let path = format!("/usr/lib/tmpfiles.d/{}", entry.name.to_string_lossy());
            if path.ends_with(".conf") && path != CONF && !entry.is_dir && !entry.is_symlink {
                elsewhere.extend(made_by(&tree.read_text(path.as_str())?));
            }
        }
        Ok(Self { lines: Vec::new(), elsewhere })
    }

    /// Adds a line, unless another file makes the same path or it is there already.
    pub(super) fn add(&mut self, path: impl Into<String>, makes: Makes) {
        let path = path.into();
        if !self.elsewhere.contains(&path) && !self.lines.iter().any(|line| line.path == path) {
            self.lines.push(Line { path, makes });
        }
    }

    /// Adds a directory that nothing may be missing of.
    pub(super) fn dir(&mut self, path: &str, mode: u32) {
        self.add(path, Makes::Dir(Owned { mode, uid: 0, gid: 0 }));
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    /// The file's text: directories before what is in them.
    pub(super) fn text(mut self) -> String {
        self.lines.sort_by(|a, b| a.path.cmp(&b.path));
        let mut text = String::from("# Written by isotope compose: what packages brought in /var, made at boot.\n");
        for line in &self.lines {
            text.push_str(&line.text());
            text.push('\n');
        }
        text
    }

    /// Moves all that is in `dir` of the tree to where it will be at boot, `to`: lines here, files to the factory.
    /// The directory itself is left empty.
    pub(super) fn take(&mut self, tree: &TargetDir, dir: &str, to: &str) -> Result<(), TreeError> {
        for entry in tree.read_dir(dir)? {
            let name = entry.name.to_str().ok_or_else(|| TreeError::Name { dir: dir.to_owned() })?;
            if name.contains('\n') {
                return Err(TreeError::Name { dir: dir.to_owned() });
            }
            let (from, to) = (format!("{dir}/{name}"), format!("{to}/{name}"));
            let Some(stat) = tree.symlink_metadata(from.as_str())? else { continue };
            let owned = Owned { mode: stat.st_mode & 0o7777, uid: stat.st_uid, gid: stat.st_gid };
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => {
                    self.add(to.as_str(), Makes::Dir(owned));
                    self.take(tree, &from, &to)?;
                }
                FileType::Symlink => {
                    let content = tree.read_link(from.as_str())?.unwrap_or_default();
                    self.add(to.as_str(), Makes::Link(content.to_string_lossy().into_owned()));
                }
                FileType::RegularFile if CACHES.iter().any(|cache| to.starts_with(cache)) => {}
                // What a log has said while the tree was made says nothing about the machine.
                FileType::RegularFile if to.starts_with("/var/log/") => self.add(to.as_str(), Makes::Empty(owned)),
                FileType::RegularFile => {
                    let factory = format!("{FACTORY}{to}");
                    if let Some((parent, _)) = factory.rsplit_once('/') {
                        tree.create_dir_all(parent, 0o755)?;
                    }
                    tree.rename(from.as_str(), factory.as_str())?;
                    self.add(to.as_str(), Makes::Copy(owned, factory));
                    continue;
                }
                _ => {}
            }
            tree.remove_tree(from.as_str())?;
        }
        Ok(())
    }
}

/// Does at once what our lines would do at boot, and takes lines and copies away: package managers find their /var.
pub(super) fn restore(tree: &TargetDir) -> Result<(), TreeError> {
    if !tree.exists(CONF) {
        return Ok(());
    }
    for line in tree.read_text(CONF)?.lines().filter_map(Line::parse) {
        let path = line.path.as_str();
        // What is there already is left, as at boot.
        if tree.symlink_metadata(path)?.is_some() {
            continue;
        }
        match line.makes {
            Makes::Dir(Owned { mode, uid, gid }) => {
                tree.create_dir_all(path, 0o755)?;
                tree.set_owner(path, uid, gid)?;
                tree.set_mode(path, mode)?;
            }
            Makes::Empty(Owned { mode, uid, gid }) => {
                tree.write(path, "", mode)?;
                tree.set_owner(path, uid, gid)?;
                tree.set_mode(path, mode)?;
            }
            Makes::Link(content) => tree.symlink(content, path)?,
            Makes::Copy(Owned { mode, uid, gid }, from) => {
                if let Some((parent, _)) = path.rsplit_once('/') {
                    tree.create_dir_all(parent, 0o755)?;
                }
                tree.rename(from.as_str(), path)?;
                tree.set_owner(path, uid, gid)?;
                tree.set_mode(path, mode)?;
            }
        }
    }
    tree.remove(CONF)?;
    // The factory of other packages (systemd's /usr/share/factory/etc) stays.
    tree.remove_tree(format!("{FACTORY}/var"))?;
    Ok(())
}
