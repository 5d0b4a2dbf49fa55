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
    pub(super) fn place(tree: &TargetDir, dir: &str, name: &str, content: &str, mode: u32) -> Result<Self, TargetError> {
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
