//! Directories that are no layers: outputs of builds, and commits of composes. Their description is made here.

use crate::{Found, Kind, Pushed, Registry, RegistryError};
use isotope_cache::{Key, content};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// What a directory is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory {
    /// Image or compose.
    pub kind: Kind,
    /// What it is made of.
    pub key: Key,
    /// What people call it.
    pub name: String,
    /// What can be known of it before it comes.
    pub facts: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
struct Description {
    format: u32,
    key: Key,
    name: String,
    #[serde(default)]
    facts: BTreeMap<String, String>,
    digest: String,
}

impl Registry {
    /// Gives the registry a directory. What stands there under its key is replaced: ask [`Registry::has_good`] before.
    ///
    /// # Errors
    /// It cannot be read, or the registry does not take it.
    pub fn put_directory(&self, what: &Directory, dir: &Path, scratch: &Path) -> Result<Pushed, RegistryError> {
        let Directory { kind, key, name, facts } = what.clone();
        let digest = content::digest(dir)?;
        let description = Description { format: kind.format(), key, name, facts, digest };
        self.put((kind, &what.key), &description, dir, scratch)
    }

    /// Looks for a directory; `None` if there is none of that key.
    ///
    /// # Errors
    /// As [`Registry::find`].
    pub fn find_directory(&self, kind: Kind, key: &Key) -> Result<Option<(Directory, Found)>, RegistryError> {
        let Some(found) = self.find(kind, key)? else { return Ok(None) };
        let read = serde_json::from_slice(found.description())
            .map_err(|error| self.refusal(key, format!("its description is none of {}s: {error}", kind.name())));
        let Description { format: _, key, name, facts, digest: _ } = self.noted(key, read)?;
        Ok(Some((Directory { kind, key, name, facts }, found)))
    }
}
