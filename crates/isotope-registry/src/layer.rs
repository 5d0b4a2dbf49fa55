//! Layers of a [`Store`] as artifacts: the tag is the key, the description is `layer.json`, the archive is `upper/`.
//!
//! What comes is kept only if its description is that of the key asked for, its blobs are what their digests say, and what is
//! unpacked has the content digest of the description. It is made in a staging directory, which becomes a layer at the end or vanishes.

use crate::{Pushed, Registry, RegistryError};
use isotope_cache::{FORMAT, Held, Key, Layer, Store, content};
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Layers that come at the same time: one is unpacked while the other one's bytes are under way.
const AT_ONCE: usize = 2;

impl Registry {
    /// Whether there is something under a key. It may still be refused when it is pulled.
    ///
    /// # Errors
    /// The registry cannot be asked.
    pub fn has(&self, key: &Key) -> Result<bool, RegistryError> {
        self.has_tag(key.as_str())
    }

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
        let pulled = self.fetch_layer(key, into);
        if matches!(&pulled, Err(error) if error.is_refusal()) {
            self.refused.lock().unwrap_or_else(PoisonError::into_inner).insert(key.as_str().to_owned());
        }
        pulled
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

    fn fetch_layer(&self, key: &Key, into: &Store) -> Result<Option<Held>, RegistryError> {
        let Some(artifact) = self.fetch(key.as_str())? else { return Ok(None) };
        let refused = |why: String| RegistryError::Refused { at: self.client.at(key.as_str()), why };
        let layer = described(&artifact.description, key).map_err(refused)?;
        let staging = into.stage()?;
        self.unpack(&artifact, &staging.upper())?;
        let digest = content::digest(&staging.upper())?;
        if layer.digest.as_ref() != Some(&digest) {
            let said = layer.digest.as_deref().unwrap_or("none");
            return Err(refused(format!("its content has the digest {digest}, and its description says {said}")));
        }
        Ok(Some(staging.commit(layer, into)?))
    }

    /// Gives the registry a layer, which gets its content digest on the way, if it has none. What stands there under its key stays,
    /// unless it was refused or is not complete.
    ///
    /// # Errors
    /// The registry does not take it; or it has what an archive cannot carry ([`RegistryError::Pack`]).
    pub fn push(&self, held: &mut Held, of: &Store) -> Result<Pushed, RegistryError> {
        let key = held.layer.key.clone();
        if self.is_good(&key)? {
            return Ok(Pushed::AlreadyThere);
        }
        of.with_digest(held)?;
        // When and where it was made is this machine's business, and so is whether its disk has it.
        let layer = Layer { boot_id: None, ..held.layer.clone() };
        let description = serde_json::to_vec(&layer).map_err(|error| RegistryError::Local {
            what: "describe",
            path: held.upper(),
            source: error.into(),
        })?;
        let pushed = self.store(key.as_str(), &description, &held.upper(), of.dir())?;
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).remove(key.as_str());
        Ok(pushed)
    }

    /// Whether what stands under a key may stay. Its bytes are not read.
    fn is_good(&self, key: &Key) -> Result<bool, RegistryError> {
        if self.refused.lock().unwrap_or_else(PoisonError::into_inner).contains(key.as_str()) {
            return Ok(false);
        }
        match self.fetch(key.as_str()) {
            Ok(Some(artifact)) => Ok(described(&artifact.description, key).is_ok() && self.is_complete(&artifact)?),
            Ok(None) => Ok(false),
            Err(error) if error.is_refusal() => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// Reads a description, which must be that of `key`.
fn described(bytes: &[u8], key: &Key) -> Result<Layer, String> {
    let layer: Layer =
        serde_json::from_slice(bytes).map_err(|error| format!("its description is none of a layer: {error}"))?;
    if layer.key != *key {
        return Err(format!("it is the layer {}", layer.key));
    }
    if layer.format != FORMAT {
        return Err(format!("it is of format {}, and this Isotope's is {FORMAT}", layer.format));
    }
    if layer.digest.is_none() {
        return Err("its description does not say what its content is".to_owned());
    }
    Ok(layer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_is_that_of_its_key() {
        let (one, two) = (Key::of(None, &[].into(), &[]), Key::of(None, &[].into(), &["x".to_owned()]));
        let mut value = serde_json::json!({
            "format": FORMAT, "key": one, "name": "n", "steps": [], "inputs": {}, "created": 0,
            "cost": {"secs": 0, "nanos": 0}, "bytes": 0, "files": 0, "digest": "d",
        });
        let read = |value: &serde_json::Value, key| described(value.to_string().as_bytes(), key);
        assert_eq!(read(&value, &one).unwrap().key, one);
        assert!(read(&value, &two).unwrap_err().contains("it is the layer"));
        value["format"] = (FORMAT + 1).into();
        assert!(read(&value, &one).unwrap_err().contains("format"));
        value["format"] = FORMAT.into();
        value["digest"] = serde_json::Value::Null;
        assert!(read(&value, &one).unwrap_err().contains("does not say"));
        assert!(described(b"{}", &one).unwrap_err().contains("none of a layer"));
    }
}
