//! Digests of files in the cache, on all cores.

use super::PackageError;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Which files have none of the digests given for them.
///
/// # Errors
/// A file cannot be read.
pub fn mismatched(files: &[(PathBuf, Vec<String>)]) -> Result<Vec<PathBuf>, PackageError> {
    let next = AtomicUsize::new(0);
    let found = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get).min(files.len());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((file, digests)) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let outcome = match digest(file) {
                        Ok(digest) if digests.contains(&digest) => continue,
                        Ok(_) => Ok(file.clone()),
                        Err(source) => Err(PackageError::Io { what: "read", path: file.clone(), source }),
                    };
                    found.lock().unwrap_or_else(PoisonError::into_inner).push(outcome);
                }
            });
        }
    });
    found.into_inner().unwrap_or_else(PoisonError::into_inner).into_iter().collect()
}

/// The SHA-256 of a file, in hexadecimal.
///
/// # Errors
/// It cannot be read.
pub fn digest(path: &Path) -> std::io::Result<String> {
    let mut hash = Sha256::new();
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 1 << 17];
    loop {
        match std::io::Read::read(&mut file, &mut buffer)? {
            0 => return Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            n => hash.update(&buffer[..n]),
        }
    }
}
