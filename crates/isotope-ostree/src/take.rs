//! Commits from another repository on this host that is trusted: no remote is needed, and no signature.

use crate::repo::NEVER;
use crate::{Checksum, OstreeError, Repo, worker};
use ostree::glib::VariantDict;
use ostree::glib::prelude::ToVariant as _;

impl Repo {
    /// Takes a commit with all that it needs, by hard links where both repositories are on one file system and of one mode. No ref
    /// moves; ancestors are not taken.
    ///
    /// # Errors
    /// The other one does not have all of it, or this one cannot be written.
    pub fn take(&self, source: &Self, commit: &Checksum) -> Result<(), OstreeError> {
        let (path, url) = (self.path().to_owned(), super::pull::file_url(source.path()));
        worker::run::<(), _>(
            move |_| {
                let repo = Self::open(path)?;
                let options = VariantDict::new(None);
                options.insert_value("refs", &[commit.as_str()].to_variant());
                options.insert_value("depth", &0_i32.to_variant());
                let deed = format!("take commit {} from {url} into", commit.short());
                repo.inner.pull_with_options(&url, &options.end(), None, NEVER).map_err(repo.refused(deed))
            },
            &mut |()| {},
        )
    }
}
