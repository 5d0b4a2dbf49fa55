//! Where layers are kept.

mod staging;

pub use staging::Staging;

use crate::{CacheError, FORMAT, Key, Layer, content};
use rustix::fs::{FlockOperation, flock};
use std::fs::{DirBuilder, File};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// The description's file.
const DESCRIPTION: &str = "layer.json";
/// What layers that are being made begin with.
const NEW: &str = ".new-";
/// Seconds after which the kernel has most likely written everything (vm.dirty_expire_centisecs is 30 s): syncfs(2) is cheap then.
const AGED: u64 = 60;

/// A directory of layers.
#[derive(Debug, Clone)]
pub struct Store {
    dir: PathBuf,
    boot: String,
}

/// A layer that is in use: nobody removes it meanwhile.
#[derive(Debug)]
pub struct Held {
    /// Its description.
    pub layer: Layer,
    dir: PathBuf,
    _lock: File,
}

impl Held {
    /// What its steps left.
    #[must_use]
    pub fn upper(&self) -> PathBuf {
        self.dir.join("upper")
    }
}

fn make(path: &Path, mode: u32) -> Result<(), CacheError> {
    DirBuilder::new().recursive(true).mode(mode).create(path).map_err(CacheError::io("make directory", path))
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Which start of the host this is.
fn boot() -> Result<String, CacheError> {
    let id = Path::new("/proc/sys/kernel/random/boot_id");
    Ok(std::fs::read_to_string(id).map_err(CacheError::io("read", id))?.trim().to_owned())
}

impl Store {
    /// Opens the directory; makes it, if it is not there, and removes what dead builds have left in it.
    ///
    /// # Errors
    /// It cannot be made or read.
    pub fn open(dir: &Path) -> Result<Self, CacheError> {
        make(dir, 0o700)?;
        let store = Self { dir: dir.to_owned(), boot: boot()? };
        store.sweep()?;
        Ok(store)
    }

    /// The directory as it is, for who looks after it: nothing is made, and nothing swept. `None`: it is not there.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn existing(dir: &Path) -> Result<Option<Self>, CacheError> {
        match dir.try_exists() {
            Ok(true) => Ok(Some(Self { dir: dir.to_owned(), boot: boot()? })),
            Ok(false) => Ok(None),
            Err(error) => Err(CacheError::io("look at", dir)(error)),
        }
    }

    /// The directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The layer of that key, if it is there and fit for use; it counts as used now.
    ///
    /// # Errors
    /// It is there, and cannot be read.
    pub fn get(&self, key: &Key) -> Result<Option<Held>, CacheError> {
        let held = self.look(key)?;
        if let Some(held) = &held {
            let used = held.dir.join("used");
            File::create(&used)
                .and_then(|file| file.set_modified(SystemTime::now()))
                .map_err(CacheError::io("note the use in", &used))?;
        }
        Ok(held)
    }

    /// The same, and it does not count as used.
    ///
    /// # Errors
    /// It is there, and cannot be read.
    pub fn look(&self, key: &Key) -> Result<Option<Held>, CacheError> {
        // Someone may be removing it.
        let Some(lock) = self.share(key)? else { return Ok(None) };
        let Some(layer) = self.described(key)? else { return Ok(None) };
        let fit = layer.format == FORMAT && layer.key == *key && self.is_settled(&layer);
        Ok(fit.then(|| self.held(layer, lock)))
    }

    pub(crate) fn described(&self, key: &Key) -> Result<Option<Layer>, CacheError> {
        describe(&self.place(key))
    }

    /// Whether a layer's bytes are on the disk, or in the memory of this host.
    pub(crate) fn is_settled(&self, layer: &Layer) -> bool {
        layer.boot_id.as_ref().is_none_or(|boot| *boot == self.boot)
    }

    pub(crate) fn held(&self, layer: Layer, lock: File) -> Held {
        Held { dir: self.place(&layer.key), layer, _lock: lock }
    }

    /// Locks a layer's directory for use, whatever is in it. `None`: it is not there, or being removed.
    pub(crate) fn share(&self, key: &Key) -> Result<Option<File>, CacheError> {
        self.lock(key, FlockOperation::NonBlockingLockShared)
    }

    fn lock(&self, key: &Key, operation: FlockOperation) -> Result<Option<File>, CacheError> {
        let dir = self.place(key);
        loop {
            let lock = match File::open(&dir) {
                Ok(lock) => lock,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(CacheError::io("open", &dir)(error)),
            };
            match flock(&lock, operation) {
                Ok(()) => {}
                Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
                Err(errno) => return Err(CacheError::errno("lock", &dir)(errno)),
            }
            // Between the two it may have gone, and another one come in its place.
            let own = lock.metadata().map_err(CacheError::io("look at", &dir))?;
            match dir.metadata() {
                Ok(meta) if (meta.dev(), meta.ino()) == (own.dev(), own.ino()) => return Ok(Some(lock)),
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(CacheError::io("look at", &dir)(error)),
            }
        }
    }

    /// When a layer was last used.
    #[must_use]
    pub fn used(&self, key: &Key) -> Option<SystemTime> {
        self.place(key).join("used").metadata().ok()?.modified().ok()
    }

    /// Begins a layer.
    ///
    /// # Errors
    /// Its directory cannot be made.
    pub fn stage(&self) -> Result<Staging, CacheError> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let _one_at_a_time = self.exclusive()?;
        let lock = loop {
            let name = format!("{NEW}{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
            let dir = self.dir.join(name);
            match DirBuilder::new().mode(0o711).create(&dir) {
                Ok(()) => {
                    break File::open(&dir).map(|lock| (dir.clone(), lock)).map_err(CacheError::io("open", &dir))?;
                }
                // Process numbers are those of a namespace: another build has the same.
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(CacheError::io("make directory", &dir)(error)),
            }
        };
        let (dir, lock) = lock;
        flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(CacheError::errno("lock", &dir))?;
        let staging = Staging { dir, lock: Some(lock) };
        make(&staging.upper(), 0o755)?;
        make(&staging.work(), 0o700)?;
        make(&staging.nothing(), 0o755)?;
        Ok(staging)
    }

    /// All layers that are fit for use, in no order.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn list(&self) -> Result<Vec<Held>, CacheError> {
        let mut found = Vec::new();
        for key in self.keys()? {
            found.extend(self.look(&key)?);
        }
        Ok(found)
    }

    /// All keys that have a directory, whatever is in it.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn keys(&self) -> Result<Vec<Key>, CacheError> {
        let mut found = Vec::new();
        for entry in self.dir.read_dir().map_err(CacheError::io("list", &self.dir))? {
            let entry = entry.map_err(CacheError::io("list", &self.dir))?;
            found.extend(entry.file_name().to_str().and_then(|name| name.parse::<Key>().ok()));
        }
        found.sort();
        Ok(found)
    }

    /// Removes a layer. `false`: it is in use, or not there.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn remove(&self, key: &Key) -> Result<bool, CacheError> {
        self.remove_if(key, || Ok(true))
    }

    /// Removes a layer, if `may_go` agrees once it is locked. `false`: it is not, or the layer is in use, or not there.
    pub(crate) fn remove_if(
        &self,
        key: &Key,
        may_go: impl FnOnce() -> Result<bool, CacheError>,
    ) -> Result<bool, CacheError> {
        let dir = self.place(key);
        let Some(_lock) = self.lock(key, FlockOperation::NonBlockingLockExclusive)? else { return Ok(false) };
        if !may_go()? {
            return Ok(false);
        }
        // Under another name first: half a layer never has a key.
        let gone = {
            let _one_at_a_time = self.exclusive()?;
            let gone = (0_u32..)
                .map(|number| self.dir.join(format!("{NEW}gone-{}-{number}", key.short())))
                .find(|gone| !gone.exists())
                .unwrap_or_else(|| self.dir.join(format!("{NEW}gone")));
            std::fs::rename(&dir, &gone).map_err(CacheError::io("rename", &dir))?;
            gone
        };
        std::fs::remove_dir_all(&gone).map_err(CacheError::io("remove", &gone))?;
        Ok(true)
    }

    /// Writes down what a layer's content is.
    ///
    /// # Errors
    /// It cannot be read, or its description not be written.
    pub fn with_digest(&self, held: &mut Held) -> Result<String, CacheError> {
        if let Some(digest) = &held.layer.digest {
            return Ok(digest.clone());
        }
        let digest = content::digest(&held.upper())?;
        held.layer.digest = Some(digest.clone());
        write(&held.dir, &held.layer)?;
        Ok(digest)
    }

    /// Layers whose bytes have had time to reach the disk are made to have, and outlive a crash of the host from then on.
    ///
    /// # Errors
    /// The disk or the directory cannot be written.
    pub fn settle(&self) -> Result<(), CacheError> {
        let aged = |held: &Held| held.layer.boot_id.is_some() && held.layer.created + AGED < now();
        let mut young: Vec<Held> = self.list()?.into_iter().filter(aged).collect();
        if young.is_empty() {
            return Ok(());
        }
        let dir = File::open(&self.dir).map_err(CacheError::io("open", &self.dir))?;
        rustix::fs::syncfs(&dir).map_err(CacheError::errno("sync", &self.dir))?;
        for held in &mut young {
            held.layer.boot_id = None;
            write(&held.dir, &held.layer)?;
        }
        Ok(())
    }

    pub(crate) fn place(&self, key: &Key) -> PathBuf {
        self.dir.join(key.as_str())
    }

    /// Removes what dead builds left, and layers of which nobody knows whether their bytes reached the disk.
    fn sweep(&self) -> Result<(), CacheError> {
        let left = {
            let _one_at_a_time = self.exclusive()?;
            let mut left = Vec::new();
            for entry in self.dir.read_dir().map_err(CacheError::io("list", &self.dir))? {
                let path = entry.map_err(CacheError::io("list", &self.dir))?.path();
                if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(NEW))
                    && let Ok(lock) = File::open(&path)
                    && flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok()
                    && is_at(&lock, &path)
                {
                    left.push((path, lock));
                }
            }
            left
        };
        for (path, _lock) in left {
            std::fs::remove_dir_all(&path).map_err(CacheError::io("remove", &path))?;
        }
        for key in self.keys()? {
            // A layer comes with its description. After a crash of the host that may be gone, or empty.
            let lost = match self.described(&key) {
                Ok(Some(layer)) => !self.is_settled(&layer),
                Ok(None) | Err(CacheError::Description { .. }) => true,
                Err(error) => return Err(error),
            };
            if lost {
                self.remove(&key)?;
            }
        }
        Ok(())
    }

    /// Held while directories appear and vanish: none is seen between the two and its lock.
    fn exclusive(&self) -> Result<File, CacheError> {
        let path = self.dir.join(".lock");
        let file = File::create(&path).map_err(CacheError::io("create", &path))?;
        flock(&file, FlockOperation::LockExclusive).map_err(CacheError::errno("lock", &path))?;
        Ok(file)
    }
}

/// Whether a path still is the directory that was opened: between that and its lock, who had the lock may have removed it.
fn is_at(file: &File, path: &Path) -> bool {
    let id = |meta: std::fs::Metadata| (meta.dev(), meta.ino());
    file.metadata().is_ok_and(|open| path.metadata().is_ok_and(|now| id(open) == id(now)))
}

fn describe(dir: &Path) -> Result<Option<Layer>, CacheError> {
    let path = dir.join(DESCRIPTION);
    match std::fs::read(&path) {
        Ok(text) => serde_json::from_slice(&text)
            .map(Some)
            .map_err(|error| CacheError::Description { path, message: error.to_string() }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(CacheError::io("read", &path)(error)),
    }
}

/// The whole description or none.
fn write(dir: &Path, layer: &Layer) -> Result<(), CacheError> {
    let (path, new) = (dir.join(DESCRIPTION), dir.join(".layer.json.new"));
    let text =
        serde_json::to_vec_pretty(layer).map_err(std::io::Error::from).map_err(CacheError::io("write", &path))?;
    std::fs::write(&new, text).map_err(CacheError::io("write", &new))?;
    std::fs::rename(&new, &path).map_err(CacheError::io("write", &path))
}

#[cfg(test)]
pub(crate) mod tests;
