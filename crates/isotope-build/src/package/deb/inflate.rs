//! Copies of package files that need no decompression any more: made on idle processors, ahead of the one dpkg that
//! would decompress them one after the other.
//!
//! A copy is a convenience. Where one cannot be made (no room), the package itself serves.

use super::{Deb, ar};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

/// Writes a copy of a package with plain data to `dir`, under the package's own file name, unless it is there.
/// `stop` breaks it off.
///
/// # Errors
/// The package is damaged, or there is no room.
pub fn inflate(deb: &Deb, dir: &Path, stop: &AtomicBool) -> io::Result<()> {
    let name = deb.path.file_name().unwrap_or_default();
    let to = dir.join(name);
    if to.exists() {
        return Ok(());
    }
    let mut temporary = name.to_owned();
    temporary.push(".new");
    let temporary = dir.join(temporary);
    let written = write(deb, &temporary, stop);
    match written {
        Ok(true) => std::fs::rename(&temporary, &to),
        Ok(false) => std::fs::remove_file(&temporary),
        Err(error) => {
            // What is left of the copy is of no use; the error is.
            std::fs::remove_file(&temporary).ok();
            Err(error)
        }
    }
}

fn write(deb: &Deb, to: &Path, stop: &AtomicBool) -> io::Result<bool> {
    let mut from = File::open(&deb.path)?;
    let members = ar::members(&mut from).map_err(io::Error::other)?;
    let mut file = File::create(to)?;
    file.write_all(ar::MAGIC)?;
    for member in members
        .iter()
        .filter(|member| !member.name.starts_with('_'))
        .take_while(|member| !member.name.starts_with("data.tar"))
    {
        file.write_all(&ar::header(&member.name, member.size))?;
        from.seek(SeekFrom::Start(member.offset))?;
        io::copy(&mut (&mut from).take(member.size), &mut file)?;
        if member.size % 2 == 1 {
            file.write_all(b"\n")?;
        }
    }
    let head = file.stream_position()?;
    file.write_all(&ar::header("data.tar", 0))?;
    let mut data = deb.data().map_err(io::Error::other)?;
    let mut buffer = vec![0; 1 << 17];
    let mut size = 0_u64;
    loop {
        if stop.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let n = data.read(&mut buffer)?;
        if n == 0 {
            break;
        }
        file.write_all(&buffer[..n])?;
        size += n as u64;
    }
    if size % 2 == 1 {
        file.write_all(b"\n")?;
    }
    file.seek(SeekFrom::Start(head))?;
    file.write_all(&ar::header("data.tar", size))?;
    Ok(true)
}

/// Threads that make copies until they are done or told to stop.
#[derive(Debug)]
pub struct Ahead {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Ahead {
    /// Starts making copies of `files` in `dir`, the biggest first, on all processors but one: that one is dpkg's.
    #[must_use]
    pub fn start(mut files: Vec<PathBuf>, dir: &Path) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let idle = std::thread::available_parallelism().map_or(1, NonZero::get) - 1;
        files.sort_by_cached_key(|file| std::cmp::Reverse(file.metadata().map_or(0, |metadata| metadata.len())));
        let (files, next) = (Arc::new(files), Arc::new(AtomicUsize::new(0)));
        let thread = |_| {
            let (stop, files, next, dir) = (Arc::clone(&stop), Arc::clone(&files), Arc::clone(&next), dir.to_owned());
            std::thread::spawn(move || {
                while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    // A package that cannot be copied will tell why when it is installed.
                    if stop.load(Ordering::Relaxed)
                        || Deb::open(file).is_ok_and(|deb| inflate(&deb, &dir, &stop).is_err())
                    {
                        return;
                    }
                }
            })
        };
        Self { threads: (0..idle.min(files.len())).map(thread).collect(), stop }
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A thread that panicked has made no copy; there is nothing else to it.
            thread.join().ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compressed_deb(dir: &Path) -> PathBuf {
        let tar = |entries: &[(&str, &[u8])]| {
            let mut builder = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
            for (path, data) in entries {
                let mut header = tar::Header::new_gnu();
                header.set_size(data.len() as u64);
                header.set_mode(0o644);
                builder.append_data(&mut header, path, *data).unwrap();
            }
            builder.into_inner().unwrap().finish().unwrap()
        };
        let control = tar(&[("control", b"Package: a\nVersion: 1\nArchitecture: all\n".as_slice()), ("md5sums", b"x")]);
        let data = tar(&[("usr/share/a", b"content".as_slice())]);
        let mut bytes = ar::MAGIC.to_vec();
        for (name, content) in
            [("debian-binary", b"2.0\n".to_vec()), ("control.tar.gz", control), ("data.tar.gz", data)]
        {
            bytes.extend(ar::header(name, content.len() as u64));
            bytes.extend(&content);
            bytes.resize(bytes.len().next_multiple_of(2), b'\n');
        }
        let path = dir.join("a_1_all.deb");
        std::fs::write(&path, bytes).unwrap();
        path
    }

    #[test]
    fn a_copy_is_the_same_package() {
        let dir = tempfile::tempdir().unwrap();
        let out = tempfile::tempdir().unwrap();
        let deb = Deb::open(compressed_deb(dir.path())).unwrap();
        assert!(deb.is_compressed());
        inflate(&deb, out.path(), &AtomicBool::new(true)).unwrap();
        assert_eq!(out.path().read_dir().unwrap().count(), 0, "a stopped copy is not left");
        inflate(&deb, out.path(), &AtomicBool::new(false)).unwrap();
        let copy = Deb::open(out.path().join("a_1_all.deb")).unwrap();
        assert!(!copy.is_compressed());
        assert_eq!((copy.control.clone(), copy.files.clone()), (deb.control.clone(), deb.files.clone()));
        let read = |deb: &Deb| {
            let mut bytes = Vec::new();
            deb.data().unwrap().read_to_end(&mut bytes).unwrap();
            bytes
        };
        assert_eq!(read(&copy), read(&deb));
    }
}
