//! A transaction of libostree's, with a handle of its own.

use crate::repo::NEVER;
use crate::{OstreeError, Repo};
use ostree::gio;
use std::path::Path;

/// Others that write at the same time can make a beginning fail; never so many of them one after the other.
const TRIES: usize = 100;

/// Writes to the repository at `path`; what is written is there when all of it is.
///
/// A transaction begins with a look at the staging directories of others, whether one was left behind, and fails with "not found" if one
/// of them ends meanwhile. Then it is begun once more, with a new handle: libostree takes the old one to be in the transaction.
pub(super) fn within<T>(
    path: &Path,
    fsync: bool,
    write: impl FnOnce(&Repo) -> Result<T, OstreeError>,
) -> Result<T, OstreeError> {
    let mut tries = 0;
    loop {
        let repo = Repo::open(path)?;
        repo.set_fsync(fsync);
        tries += 1;
        let transaction = match repo.inner.auto_transaction(NEVER) {
            Ok(transaction) => transaction,
            Err(error) if tries < TRIES && error.matches(gio::IOErrorEnum::NotFound) => continue,
            Err(error) => return Err(repo.refused("begin to write to")(error)),
        };
        let written = write(&repo)?;
        transaction.commit(NEVER).map_err(repo.refused("end writing to"))?;
        return Ok(written);
    }
}
