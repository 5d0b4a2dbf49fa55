//! The disk of an earlier build of the same image, from which this one's disk may begin.
//!
//! `CACHE/disks/KEY/` has a disk as it was with its tree on it and nothing else ([`Incremental`]), and `chain.json`, the
//! layers of that tree and the names that were written behind the last one. The names that may differ are these, those in layers that
//! only one of the two trees has, and those that this build has written behind its last.

use super::{Layers, inputs};
use crate::build::Build;
use crate::dib::Dib;
use crate::error::StepError;
use crate::event::Events;
use isotope_cache::{Inputs, Key};
use isotope_disk::populate::{Changes, Extent};
use isotope_disk::{DiskError, Incremental, Making};
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::path::{Path, PathBuf};

const CHAIN: &str = "chain.json";
/// The name of the image.
const NAME: &str = "name";

/// Where a disk begins and is kept.
#[derive(Debug)]
pub(crate) struct Begin {
    dir: PathBuf,
    /// What may differ, if there is an earlier disk.
    changes: Option<Changes>,
    chain: Chain,
    name: String,
    _lock: File,
}

/// What a tree is made of.
#[derive(Debug, Serialize, Deserialize)]
struct Chain {
    layers: Vec<Key>,
    /// Behind the last layer.
    written: Vec<(PathBuf, Extent)>,
}

impl Begin {
    /// For the disk of that layout which is about to be made, of a tree that may be that of hooks. `None`: without layers, or while another
    /// build of this image uses the place.
    pub(crate) fn of(build: &Build<'_>, dib: Option<&Dib>, layout: &impl Serialize) -> Result<Option<Self>, StepError> {
        let Some(layers) = &build.layers else { return Ok(None) };
        let mut what = Inputs::new();
        what.insert("name".to_owned(), build.plan.name.clone());
        what.insert("layout".to_owned(), inputs::json(layout));
        let dir = build.cache.disks()?.join(Key::of(None, &what, &[]).as_str());
        std::fs::create_dir_all(&dir).map_err(StepError::io("make", &dir))?;
        let lock = File::open(&dir).map_err(StepError::io("open", &dir))?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Ok(None);
        }
        let Some((tree, written)) = written(layers, build, dib)? else { return Ok(None) };
        let layers_now = layers.held().iter().map(|held| held.layer.key.clone()).collect();
        let names = written.iter().map(|(path, extent)| (path.to_owned(), extent)).collect();
        let chain = Chain { layers: layers_now, written: names };
        let text = std::fs::read(dir.join(CHAIN)).ok();
        let before: Option<Chain> = text.and_then(|text| serde_json::from_slice(&text).ok());
        let changes = before.map(|before| changes(layers, &tree, &before, &chain)).transpose()?.flatten();
        Ok(Some(Self { dir, changes, chain, name: build.plan.name.clone(), _lock: lock }))
    }

    /// The disk of this build with its tree on it, and what becomes of the one that is kept.
    pub(crate) fn make<M>(begin: Option<&Self>, making: &mut M, events: &Events) -> Result<M::Disk, StepError>
    where
        M: Making,
        StepError: From<M::Error>,
    {
        let how = match begin {
            Some(Self { dir, changes: Some(changes), .. }) => Incremental { earlier: Some((dir, changes)), keep: None },
            Some(Self { dir, changes: None, .. }) => Incremental { earlier: None, keep: Some(dir) },
            None => Incremental::default(),
        };
        // What is kept is overwritten.
        if let Some(begin) = begin.filter(|_| how.keep.is_some()) {
            begin.forget()?;
        }
        let made = how.make(making)?;
        made.notes.iter().for_each(|note| events.output(note));
        if let (Some((_, changes)), Some(copied)) = (how.earlier, made.copied) {
            let (names, bytes) = (copied.names, copied.bytes);
            events.output(&format!("{} names may differ: copied {names}, {bytes} bytes", changes.len()));
        }
        match begin {
            Some(begin) if how.keep.is_some() && made.notes.is_empty() => begin.note()?,
            // The next build makes its disk at once, and keeps that.
            Some(begin) if made.copied.is_none() => begin.forget()?,
            _ => {}
        }
        Ok(made.disk)
    }

    /// The disk that was kept before cannot be used: it is none any more.
    fn forget(&self) -> Result<(), StepError> {
        let path = self.dir.join(CHAIN);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(StepError::io("remove", &path)(error)),
            _ => Ok(()),
        }
    }

    /// This build's disk is kept; that of another layout of the same image is not needed any more.
    fn note(&self) -> Result<(), StepError> {
        isotope_image::output::write_file(&self.dir.join(NAME), self.name.as_bytes())?;
        isotope_image::output::write_file(&self.dir.join(CHAIN), inputs::json(&self.chain).as_bytes())?;
        let disks = self.dir.parent().unwrap_or(&self.dir);
        for entry in disks.read_dir().map_err(StepError::io("list", disks))? {
            let path = entry.map_err(StepError::io("list", disks))?.path();
            let same = std::fs::read_to_string(path.join(NAME)).is_ok_and(|name| name == self.name);
            if path != self.dir
                && same
                && let Ok(lock) = File::open(&path)
                && flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok()
            {
                std::fs::remove_dir_all(&path).map_err(StepError::io("remove", &path))?;
            }
        }
        Ok(())
    }
}

/// The tree's path from where layers are mounted, and the names of it that this build has written behind its last layer. `None`: it is in
/// no layer.
fn written(layers: &Layers, build: &Build<'_>, dib: Option<&Dib>) -> Result<Option<(PathBuf, Changes)>, StepError> {
    let Some(tree) = build.work.layered_tree(dib) else { return Ok(None) };
    let mut names = Changes::new();
    let Some(written) = layers.written() else { return Ok(Some((tree, names))) };
    match dib.and_then(Dib::put_aside).and_then(|built| build.work.layered(&built)) {
        Some(built) => names.add_moved_upper(&written.join(built)).map_err(DiskError::from)?,
        None => names.add_upper(&written.join(&tree)).map_err(DiskError::from)?,
    }
    Ok(Some((tree, names)))
}

/// The names that may differ between two trees. `None`: a layer of the earlier one has gone.
fn changes(layers: &Layers, tree: &Path, before: &Chain, now: &Chain) -> Result<Option<Changes>, StepError> {
    // A key is made of the key below: two chains that do not begin alike have no layer in common.
    let apart = before.layers.first() != now.layers.first();
    let mut changes = if apart { Changes::of_whole_trees() } else { Changes::new() };
    let gone = before.layers.iter().filter(|key| !now.layers.contains(key));
    for key in gone {
        let Some(held) = layers.store().look(key)? else { return Ok(None) };
        changes.add_earlier_upper(&held.upper().join(tree)).map_err(DiskError::from)?;
    }
    for held in layers.held().iter().filter(|held| !before.layers.contains(&held.layer.key)) {
        changes.add_upper(&held.upper().join(tree)).map_err(DiskError::from)?;
    }
    for (path, extent) in before.written.iter().chain(&now.written) {
        changes.add(path, *extent);
    }
    Ok(Some(changes))
}
