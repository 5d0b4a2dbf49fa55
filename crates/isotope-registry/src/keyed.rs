//! Artifacts that stand under keys: their tag is the key, and their description says key, form and content.
//!
//! What comes is taken only if its description is that of the key asked for, its blobs are what their digests say, and what is
//! unpacked has the content digest of the description.

use crate::{Artifact, Kind, Pushed, Registry, RegistryError};
use isotope_cache::{Key, content};
use std::path::Path;
use std::sync::PoisonError;

/// What a registry has under a key; its content has not come yet.
#[derive(Debug)]
pub struct Found {
    key: Key,
    artifact: Artifact,
    digest: String,
}

impl Found {
    /// What it says of itself.
    #[must_use]
    pub fn description(&self) -> &[u8] {
        &self.artifact.description
    }
}

/// What the description of each kind says, whatever else is in it.
#[derive(serde::Deserialize)]
struct Said {
    format: u32,
    key: Key,
    digest: Option<String>,
}

impl Registry {
    /// Whether there is something under a key. It may still be refused when it is taken.
    ///
    /// # Errors
    /// The registry cannot be asked.
    pub fn has(&self, key: &Key) -> Result<bool, RegistryError> {
        self.has_tag(key.as_str())
    }

    /// Looks for what a key stands for; `None` if there is nothing.
    ///
    /// # Errors
    /// The registry cannot be asked; what it holds is refused ([`RegistryError::is_refusal`]): make it, then.
    pub fn find(&self, kind: Kind, key: &Key) -> Result<Option<Found>, RegistryError> {
        self.noted(key, self.look(kind, key))
    }

    /// Unpacks what was found into `into`, an empty directory. After an error what is there is of no use.
    ///
    /// # Errors
    /// As [`Registry::find`]; or this machine cannot keep it.
    pub fn take(&self, found: &Found, into: &Path) -> Result<(), RegistryError> {
        let Found { key, artifact, digest: said } = found;
        let unpacked = self.unpack(artifact, into).and_then(|()| match content::digest(into)? {
            digest if digest == *said => Ok(()),
            digest => {
                Err(self.refusal(key, format!("its content has the digest {digest}, and its description says {said}")))
            }
        });
        self.noted(key, unpacked)
    }

    /// Whether what stands under a key may stay: nothing of it was refused, and it is complete. Its bytes are not read.
    ///
    /// # Errors
    /// The registry cannot be asked.
    pub fn has_good(&self, kind: Kind, key: &Key) -> Result<bool, RegistryError> {
        if self.refused.lock().unwrap_or_else(PoisonError::into_inner).contains(key.as_str()) {
            return Ok(false);
        }
        match self.look(kind, key) {
            Ok(Some(found)) => self.is_complete(&found.artifact),
            Ok(None) => Ok(false),
            Err(error) if error.is_refusal() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Puts a directory under a key, whatever stands there. `description` is of the kind's form, and says the directory's content
    /// digest. Room for the archive is taken in `scratch`.
    ///
    /// # Errors
    /// The registry does not take it; or it has what an archive cannot carry ([`RegistryError::Pack`]).
    pub fn put(
        &self,
        (kind, key): (Kind, &Key),
        description: &impl serde::Serialize,
        dir: &Path,
        scratch: &Path,
    ) -> Result<Pushed, RegistryError> {
        let description = serde_json::to_vec(description).map_err(|error| RegistryError::Local {
            what: "describe",
            path: dir.to_owned(),
            source: error.into(),
        })?;
        let pushed = self.store((kind, key.as_str()), &description, dir, scratch)?;
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).remove(key.as_str());
        Ok(pushed)
    }

    fn look(&self, kind: Kind, key: &Key) -> Result<Option<Found>, RegistryError> {
        let Some(artifact) = self.fetch(kind, key.as_str())? else { return Ok(None) };
        let digest = described(&artifact.description, kind, key).map_err(|why| self.refusal(key, why))?;
        Ok(Some(Found { key: key.clone(), artifact, digest }))
    }

    /// What came was what its digests say, and is of no use all the same: it is refused, and a push replaces it.
    pub fn refuse(&self, key: &Key, why: String) -> RegistryError {
        self.remember(key);
        self.refusal(key, why)
    }

    /// The error that refuses what stands under a key.
    pub(crate) fn refusal(&self, key: &Key, why: String) -> RegistryError {
        RegistryError::Refused { at: self.client.at(key.as_str()), why }
    }

    fn remember(&self, key: &Key) {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).insert(key.as_str().to_owned());
    }

    /// Remembers if what stands under a key was refused.
    pub(crate) fn noted<T>(&self, key: &Key, result: Result<T, RegistryError>) -> Result<T, RegistryError> {
        if matches!(&result, Err(error) if error.is_refusal()) {
            self.remember(key);
        }
        result
    }
}

/// The content digest that a description says, which must be that of `key`.
fn described(bytes: &[u8], kind: Kind, key: &Key) -> Result<String, String> {
    let (name, known) = (kind.name(), kind.format());
    let said: Said =
        serde_json::from_slice(bytes).map_err(|error| format!("its description is none of {name}s: {error}"))?;
    if said.key != *key {
        return Err(format!("it is the {name} {}", said.key));
    }
    if said.format != known {
        return Err(format!("it is of format {}, and this Isotope's is {known}", said.format));
    }
    said.digest.ok_or_else(|| "its description does not say what its content is".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_is_that_of_its_key() {
        let (one, two) = (Key::of(None, &[].into(), &[]), Key::of(None, &[].into(), &["x".to_owned()]));
        for kind in [Kind::Layer, Kind::Image, Kind::Compose] {
            let mut value = serde_json::json!({ "format": kind.format(), "key": one, "name": "n", "digest": "d" });
            let read = |value: &serde_json::Value, key| described(value.to_string().as_bytes(), kind, key);
            assert_eq!(read(&value, &one).unwrap(), "d");
            assert!(read(&value, &two).unwrap_err().contains(&format!("it is the {}", kind.name())));
            value["format"] = (kind.format() + 1).into();
            assert!(read(&value, &one).unwrap_err().contains("format"));
            value["format"] = kind.format().into();
            value["digest"] = serde_json::Value::Null;
            assert!(read(&value, &one).unwrap_err().contains("does not say"));
            let why = described(b"{}", kind, &one).unwrap_err();
            assert!(why.contains(&format!("none of {}s", kind.name())), "{why}");
        }
    }
}
