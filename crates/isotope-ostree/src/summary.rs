//! The summary: what a web server tells of the repository's refs.

use crate::repo::NEVER;
use crate::{OstreeError, Repo};

impl Repo {
    /// Writes the `summary` anew: all refs with their commits. To be called after each commit; it is not signed.
    ///
    /// # Errors
    /// The repository cannot be written.
    pub fn update_summary(&self) -> Result<(), OstreeError> {
        self.inner.regenerate_summary(None, NEVER).map_err(self.refused("write the summary"))
    }
}
