//! One build at a time works in a download cache.

use super::PackageError;
use crate::event::Events;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use std::fs::File;
use std::path::Path;

/// Takes the lock file at `path`, and waits if another build has it. Dropping the file lets go; so does dying.
///
/// # Errors
/// The file cannot be made or locked.
pub fn hold(path: &Path, events: &Events) -> Result<File, PackageError> {
    let failed = |source| PackageError::Io { what: "lock", path: path.to_owned(), source };
    let file = File::options().create(true).truncate(false).write(true).open(path).map_err(failed)?;
    if let Err(errno) = flock(&file, FlockOperation::NonBlockingLockExclusive) {
        if errno != Errno::WOULDBLOCK {
            return Err(failed(errno.into()));
        }
        events.output("waiting for another build that is downloading packages");
        while let Err(errno) = flock(&file, FlockOperation::LockExclusive) {
            if errno != Errno::INTR {
                return Err(failed(errno.into()));
            }
        }
    }
    Ok(file)
}
