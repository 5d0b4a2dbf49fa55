//! Files of a filesystem that only the kernel reads (XFS, Btrfs), or that libostree is to read: mounted read-only in a mount namespace of this process, from a
//! sparse copy without a name. Needs root. When the process ends, nothing is left.

use super::files::{FileFacts, Files};
use crate::exit::{Class, Failure};
use anyhow::Context as _;
use isotope_image::reader::ReadAt;
use isotope_sys::loop_device::{LoopDevice, Part};
use isotope_sys::target::TargetDir;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

/// A mounted copy.
pub struct Mounted {
    root: PathBuf,
    tree: TargetDir,
    _device: LoopDevice,
}

impl Mounted {
    /// Copies a part of the disk and mounts it.
    pub fn new(disk: &dyn ReadAt, kind: &str, start: u64, length: u64) -> anyhow::Result<Self> {
        if !nix::unistd::geteuid().is_root() {
            let message = format!("{kind} is read by the kernel, which takes root");
            return Err(Failure::new(Class::Environment, message).hint("run it with sudo").into());
        }
        let copy = tempfile::tempfile().context("cannot make a temporary file")?;
        copy.set_len(length)?;
        let mut offset = start;
        while let Some(data) = disk.next_data(offset)?.filter(|data| data.start < start + length) {
            let end = data.end.min(start + length);
            let mut at = data.start.max(start);
            while at < end {
                let mut buffer = vec![0; usize::try_from((end - at).min(1 << 20))?];
                disk.read_exact_at(&mut buffer, at)?;
                copy.write_all_at(&buffer, at - start)?;
                at += buffer.len() as u64;
            }
            offset = end;
        }
        let device = LoopDevice::attach(&copy, Part { offset: 0, length, block_size: 512, read_only: false })?;
        unshare(CloneFlags::CLONE_NEWNS).context("cannot make a mount namespace")?;
        let none: Option<&str> = None;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).context("cannot make mounts private")?;
        // Any directory does: the mount is seen by this process only.
        let root = PathBuf::from("/mnt");
        mount(Some(device.path()), &root, Some(kind), MsFlags::MS_RDONLY, none)
            .with_context(|| format!("cannot mount the {kind} filesystem"))?;
        let tree = TargetDir::open(&root)?;
        Ok(Self { root, tree, _device: device })
    }

    /// Where its root is, in this process.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn host(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }
}

impl Files for Mounted {
    fn read(&self, path: &str) -> anyhow::Result<Vec<u8>> {
        Ok(self.tree.read(path)?)
    }

    fn list(&self, path: &str) -> anyhow::Result<Vec<String>> {
        let mut names = std::fs::read_dir(self.host(path))?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect::<anyhow::Result<Vec<_>>>()?;
        names.sort();
        Ok(names)
    }

    fn facts(&self, path: &str) -> anyhow::Result<FileFacts> {
        let meta = self.host(path).symlink_metadata()?;
        let kind = match (meta.is_dir(), meta.is_file(), meta.is_symlink()) {
            (true, _, _) => "directory",
            (_, true, _) => "file",
            (_, _, true) => "symlink",
            _ => "other",
        };
        let size = if kind == "file" { meta.len() } else { 0 };
        Ok(FileFacts { kind, mode: meta.mode() & 0o7777, uid: meta.uid(), gid: meta.gid(), size })
    }

    fn link(&self, path: &str) -> anyhow::Result<String> {
        Ok(std::fs::read_link(self.host(path))?.display().to_string())
    }
}
