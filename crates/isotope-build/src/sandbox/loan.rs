//! A file lent to the tree while programs run in it, and taken back without a trace.
//!
//! What stood there before is put aside and comes back, unless a program has put something else in the place of the
//! loan meanwhile (a package that takes over `/etc/resolv.conf` with a link, say): then that stays.

use isotope_sys::target::{TargetDir, TargetError, TargetPath, TargetPathBuf};

/// One file on loan.
#[derive(Debug)]
pub(super) struct Loan {
    path: TargetPathBuf,
    saved: Option<TargetPathBuf>,
    content: String,
    inode: u64,
}

impl Loan {
    /// Puts a file at `dir`/`name`. The directory must exist.
    pub(super) fn place(
        tree: &TargetDir,
        dir: &str,
        name: &str,
        content: &str,
        mode: u32,
    ) -> Result<Self, TargetError> {
        let path = TargetPath::new(dir).join(name);
        let aside = TargetPath::new(dir).join(format!(".{name}.isotope-saved"));
        let saved = if tree.symlink_metadata(&path)?.is_some() {
            tree.rename(&path, &aside)?;
            Some(aside)
        } else {
            None
        };
        tree.write(&path, content, mode)?;
        let inode = tree.symlink_metadata(&path)?.map_or(0, |stat| stat.st_ino);
        Ok(Self { path, saved, content: content.to_owned(), inode })
    }

    /// Takes it back.
    pub(super) fn take_back(self, tree: &TargetDir) -> Result<(), TargetError> {
        let ours = match tree.symlink_metadata(&self.path)? {
            Some(stat) if stat.st_ino == self.inode => tree.read(&self.path)? == self.content.as_bytes(),
            Some(_) => false,
            // Removed: so somebody did not want what was there. What was put aside is not theirs to remove, though.
            None => true,
        };
        match self.saved {
            Some(saved) if ours => tree.rename(&saved, &self.path),
            Some(saved) => tree.remove(&saved).map(drop),
            None if ours => tree.remove(&self.path).map(drop),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> (tempfile::TempDir, TargetDir) {
        let dir = tempfile::tempdir().unwrap();
        let tree = TargetDir::open(dir.path()).unwrap();
        tree.create_dir_all("/etc", 0o755).unwrap();
        (dir, tree)
    }

    fn lend(tree: &TargetDir) -> Loan {
        Loan::place(tree, "/etc", "resolv.conf", "lent", 0o644).unwrap()
    }

    fn names(tree: &TargetDir) -> Vec<String> {
        tree.read_dir("/etc").unwrap().iter().map(|entry| entry.name.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn nothing_before_nothing_after() {
        let (_dir, tree) = tree();
        let loan = lend(&tree);
        assert_eq!(tree.read("/etc/resolv.conf").unwrap(), b"lent");
        loan.take_back(&tree).unwrap();
        assert!(names(&tree).is_empty());
    }

    #[test]
    fn what_stood_there_comes_back_also_a_link() {
        let (_dir, tree) = tree();
        tree.symlink("/nowhere", "/etc/resolv.conf").unwrap();
        let loan = lend(&tree);
        loan.take_back(&tree).unwrap();
        assert_eq!(tree.read_link("/etc/resolv.conf").unwrap().unwrap(), "/nowhere");
        assert_eq!(names(&tree), ["resolv.conf"]);
    }

    #[test]
    fn what_a_package_puts_there_meanwhile_stays() {
        for edited in [false, true] {
            let (_dir, tree) = tree();
            tree.write("/etc/resolv.conf", "old", 0o644).unwrap();
            let loan = lend(&tree);
            if edited {
                std::io::Write::write_all(&mut tree.append("/etc/resolv.conf", 0o644).unwrap(), b" and edited")
                    .unwrap();
            } else {
                tree.symlink("../run/stub", "/etc/resolv.conf").unwrap();
            }
            loan.take_back(&tree).unwrap();
            assert_eq!(names(&tree), ["resolv.conf"]);
            if edited {
                assert_eq!(tree.read("/etc/resolv.conf").unwrap(), b"lent and edited");
            } else {
                assert_eq!(tree.read_link("/etc/resolv.conf").unwrap().unwrap(), "../run/stub");
            }
        }
    }
}
