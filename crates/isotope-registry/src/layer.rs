//! Layers of a [`Store`] as artifacts: the description is `layer.json`, the archive is `upper/`.
//!
//! What comes is unpacked in a staging directory, which becomes a layer at the end or vanishes.

use crate::{Kind, Pushed, Registry, RegistryError};
use isotope_cache::{Held, Key, Layer, Store};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Layers that come at the same time: one is unpacked while the other one's bytes are under way.
const AT_ONCE: usize = 2;

impl Registry {
    /// Brings a layer into the store, if it is not there; `None` if the registry has none of that key. Layers below it are not brought:
    /// see [`Registry::pull_all`].
    ///
    /// # Errors
    /// The registry cannot be asked; what it holds is refused ([`RegistryError::is_refusal`]): build the layer, then; or this machine cannot
    /// keep it.
    pub fn pull(&self, key: &Key, into: &Store) -> Result<Option<Held>, RegistryError> {
        if let Some(held) = into.get(key)? {
            return Ok(Some(held));
        }
        let Some(found) = self.find(Kind::Layer, key)? else { return Ok(None) };
        let read = serde_json::from_slice(found.description())
            .map_err(|error| self.refusal(key, format!("its description is none of layers: {error}")));
        let layer: Layer = self.noted(key, read)?;
        let staging = into.stage()?;
        self.take(&found, &staging.upper())?;
        Ok(Some(staging.commit(layer, into)?))
    }

    /// Brings several layers, two at a time: one result for each key, in the order of the keys.
    pub fn pull_all(&self, keys: &[Key], into: &Store) -> Vec<Result<Option<Held>, RegistryError>> {
        let next = AtomicUsize::new(0);
        let work = || {
            let mut own = Vec::new();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(key) = keys.get(index) else { return own };
                own.push((index, self.pull(key, into)));
            }
        };
        let mut results: Vec<_> = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..AT_ONCE.min(keys.len())).map(|_| scope.spawn(work)).collect();
            let joined =
                workers.into_iter().map(|it| it.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            joined.flatten().collect()
        });
        results.sort_by_key(|(index, _)| *index);
        results.into_iter().map(|(_, result)| result).collect()
    }

    /// Gives the registry a layer, which gets its content digest on the way, if it has none. What stands there under its key stays,
    /// unless it was refused or is not complete.
    ///
    /// # Errors
    /// The registry does not take it; or it has what an archive cannot carry ([`RegistryError::Pack`]).
    pub fn push(&self, held: &mut Held, of: &Store) -> Result<Pushed, RegistryError> {
        if self.has_good(Kind::Layer, &held.layer.key)? {
            return Ok(Pushed::AlreadyThere);
        }
        of.with_digest(held)?;
        // When and where it was made is this machine's business, and so is whether its disk has it.
        let layer = Layer { boot_id: None, ..held.layer.clone() };
        self.put((Kind::Layer, &layer.key), &layer, &held.upper(), of.dir())
    }
}
