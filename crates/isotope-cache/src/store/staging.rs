//! A layer that is being made, and how it gets its name: at once and complete.

use super::{Held, Store, now, write};
use crate::{CacheError, FORMAT, Layer, content};
use rustix::fs::{FlockOperation, flock};
use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

/// How often a layer is given its name at most, while something else that is no layer has it.
const ATTEMPTS: usize = 100;

/// A layer that is being made. Dropping it removes it.
#[derive(Debug)]
pub struct Staging {
    pub(super) dir: PathBuf,
    pub(super) lock: Option<File>,
}

/// Whether a directory could not be renamed because there is one of that name.
fn is_taken(error: &std::io::Error) -> bool {
    let taken = [rustix::io::Errno::NOTEMPTY, rustix::io::Errno::EXIST];
    taken.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

impl Staging {
    /// What the steps leave.
    #[must_use]
    pub fn upper(&self) -> PathBuf {
        self.dir.join("upper")
    }

    /// overlayfs' own.
    pub(crate) fn work(&self) -> PathBuf {
        self.dir.join("work")
    }

    /// An empty directory.
    pub(crate) fn nothing(&self) -> PathBuf {
        self.dir.join("nothing")
    }

    /// The layer is complete: it gets its name. If another build has made the same meanwhile, that one is taken. Format, time, size and
    /// boot are filled in.
    ///
    /// # Errors
    /// A file of the store cannot be written.
    pub fn commit(mut self, mut layer: Layer, store: &Store) -> Result<Held, CacheError> {
        for dir in [self.work(), self.nothing()] {
            std::fs::remove_dir_all(&dir).map_err(CacheError::io("remove", &dir))?;
        }
        let size = content::size(&self.upper())?;
        layer.format = FORMAT;
        layer.created = now();
        layer.bytes = size.bytes;
        layer.files = size.files;
        layer.boot_id = Some(store.boot.clone());
        write(&self.dir, &layer)?;
        let used = self.dir.join("used");
        File::create(&used).map_err(CacheError::io("create", &used))?;
        let place = store.place(&layer.key);
        let mut left = ATTEMPTS;
        loop {
            let renamed = {
                let _one_at_a_time = store.exclusive()?;
                std::fs::rename(&self.dir, &place)
            };
            match renamed {
                Ok(()) => break,
                Err(error) if !is_taken(&error) || left == 0 => {
                    return Err(CacheError::io("name the layer", &place)(error));
                }
                Err(_) => {
                    if let Some(held) = store.get(&layer.key)? {
                        return Ok(held);
                    }
                    // What has the name is of no use, or just being removed.
                    store.remove(&layer.key)?;
                    std::thread::sleep(Duration::from_millis(20));
                    left -= 1;
                }
            }
        }
        let Some(lock) = self.lock.take() else {
            return Err(CacheError::io("lock", &place)(std::io::ErrorKind::NotFound.into()));
        };
        flock(&lock, FlockOperation::LockShared).map_err(CacheError::errno("lock", &place))?;
        self.dir = PathBuf::new();
        Ok(Held { layer, dir: place, _lock: lock })
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next build's sweep.
        if !self.dir.as_os_str().is_empty() {
            drop(std::fs::remove_dir_all(&self.dir));
        }
    }
}
