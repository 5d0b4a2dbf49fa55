//! The files of a commit, read from its dirtree objects: `(a(say) files, a(sayay) directories with tree and meta)`.

use crate::{Checksum, OstreeError, Repo};
use ostree::ObjectType;
use ostree::glib::Variant;

impl Repo {
    /// The names in a directory of a commit, sorted; `None`: the commit has no such directory. Links are not followed.
    ///
    /// # Errors
    /// The commit or one of its directories is not in the repository.
    pub fn list_dir(&self, commit: &Checksum, path: &str) -> Result<Option<Vec<String>>, OstreeError> {
        let Some(tree) = self.dir_tree(commit, path)? else { return Ok(None) };
        let names =
            |list: Variant| list.iter().filter_map(|one| one.child_value(0).get::<String>()).collect::<Vec<_>>();
        let mut all = names(tree.child_value(0));
        all.extend(names(tree.child_value(1)));
        all.sort();
        Ok(Some(all))
    }

    /// The dirtree object of a directory of a commit.
    fn dir_tree(&self, commit: &Checksum, path: &str) -> Result<Option<Variant>, OstreeError> {
        let unreadable = |what: &str| self.refused(format!("read {what} of commit {commit}"));
        let (variant, _) = self.inner.load_commit(commit.as_str()).map_err(unreadable("the object"))?;
        let mut sum = variant.child_value(6);
        for name in path.split('/').filter(|name| !name.is_empty()) {
            let tree = self.load_tree(&sum).map_err(unreadable(path))?;
            let dirs = tree.child_value(1);
            match dirs.iter().find(|dir| dir.child_value(0).str() == Some(name)) {
                Some(dir) => sum = dir.child_value(1),
                None => return Ok(None),
            }
        }
        self.load_tree(&sum).map(Some).map_err(unreadable(path))
    }

    fn load_tree(&self, sum: &Variant) -> Result<Variant, ostree::glib::Error> {
        self.inner.load_variant(ObjectType::DirTree, &ostree::checksum_from_bytes_v(sum))
    }
}
