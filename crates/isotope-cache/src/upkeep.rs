//! What is in a store, for who looks after it: also what is damaged, of another format or another boot, and without touching any of it.
//!
//! Nothing here locks: a layer that is locked exclusively is one that is being removed, for everybody else.

use crate::{CacheError, FORMAT, Key, Layer, Store, content};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::time::SystemTime;

/// A directory that bears a key.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its name.
    pub key: Key,
    /// Its description, if that can be read.
    pub layer: Option<Layer>,
    /// Why it is of no use, as far as its description tells.
    pub damage: Option<Damage>,
    /// When it was last used, or made.
    pub used: SystemTime,
    /// Allocated bytes.
    pub bytes: u64,
}

/// Why a layer is of no use, or not to be trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Damage {
    /// There is no description.
    NoDescription,
    /// The description cannot be read.
    Description(String),
    /// It is of another format.
    Format(u32),
    /// It lies under a name that is not its own.
    Name(Key),
    /// It was made before the host was last started, and nobody knows whether its bytes reached the disk.
    Unsettled,
    /// There is no content.
    NoContent,
    /// The layer below it is not there, or damaged itself.
    Orphan(Key),
    /// It has another number of names than when it was made.
    Names {
        /// In the description.
        recorded: u64,
        /// In the directory.
        found: u64,
    },
    /// Its content has another digest than when it was first asked for.
    Content {
        /// In the description.
        recorded: String,
        /// Of the directory.
        found: String,
    },
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoDescription => f.write_str("it has no layer.json"),
            Self::Description(error) => write!(f, "its layer.json cannot be read: {error}"),
            Self::Format(format) => write!(f, "it is of format {format}; this Isotope makes format {FORMAT}"),
            Self::Name(key) => write!(f, "its layer.json is that of {}", key.short()),
            Self::Unsettled => f.write_str("the host was started anew before its bytes were known to be on the disk"),
            Self::NoContent => f.write_str("it has no content"),
            Self::Orphan(key) => write!(f, "the layer below it, {}, is missing or damaged", key.short()),
            Self::Names { recorded, found } => write!(f, "it has {found} names where it had {recorded}"),
            Self::Content { recorded, found } => {
                write!(
                    f,
                    "its content is not what it was: digest {} where {} is recorded",
                    short(found),
                    short(recorded)
                )
            }
        }
    }
}

fn short(digest: &str) -> &str {
    digest.get(..16).unwrap_or(digest)
}

impl Store {
    /// All that bears a key, sorted by key.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn entries(&self) -> Result<Vec<Entry>, CacheError> {
        let mut found = Vec::new();
        for key in self.keys()? {
            found.extend(self.entry(&key)?);
        }
        Ok(found)
    }

    /// One of them; `None`: it is not there.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn entry(&self, key: &Key) -> Result<Option<Entry>, CacheError> {
        let dir = self.place(key);
        let Ok(made) = dir.metadata().and_then(|meta| meta.modified()) else { return Ok(None) };
        let used = self.used(key).unwrap_or(made);
        let (layer, damage) = match self.described(key) {
            Ok(Some(layer)) => {
                let damage = self.unfit(key, &layer);
                (Some(layer), damage)
            }
            Ok(None) => (None, Some(Damage::NoDescription)),
            Err(CacheError::Description { message, .. }) => (None, Some(Damage::Description(message))),
            Err(error) => return Err(error),
        };
        let bytes = match &layer {
            Some(layer) => layer.bytes,
            // It may be vanishing.
            None => content::size(&dir).map_or(0, |size| size.bytes),
        };
        Ok(Some(Entry { key: key.clone(), layer, damage, used, bytes }))
    }

    fn unfit(&self, key: &Key, layer: &Layer) -> Option<Damage> {
        if layer.format != FORMAT {
            return Some(Damage::Format(layer.format));
        }
        if layer.key != *key {
            return Some(Damage::Name(layer.key.clone()));
        }
        (!self.is_settled(layer)).then_some(Damage::Unsettled)
    }

    /// The keys that begin with these digits.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn find(&self, digits: &str) -> Result<Vec<Key>, CacheError> {
        Ok(self.keys()?.into_iter().filter(|key| key.as_str().starts_with(digits)).collect())
    }
}

/// How layers stand on one another.
#[derive(Debug)]
pub(crate) struct Family {
    parents: HashMap<Key, Key>,
    children: BTreeMap<Key, Vec<Key>>,
}

impl Family {
    pub(crate) fn of(entries: &[Entry]) -> Self {
        let mut family = Self { parents: HashMap::new(), children: BTreeMap::new() };
        for entry in entries {
            if let Some(parent) = entry.layer.as_ref().and_then(|layer| layer.parent.clone()) {
                family.children.entry(parent.clone()).or_default().push(entry.key.clone());
                family.parents.insert(entry.key.clone(), parent);
            }
        }
        family
    }

    pub(crate) fn parent(&self, key: &Key) -> Option<&Key> {
        self.parents.get(key)
    }

    /// How many layers are below one. A damaged store might have a ring: that ends, too.
    pub(crate) fn depth(&self, key: &Key) -> usize {
        std::iter::successors(self.parents.get(key), |key| self.parents.get(*key)).take(self.parents.len() + 1).count()
    }

    /// The layers that stand on one, directly or not, and itself.
    pub(crate) fn descendants(&self, key: &Key) -> Vec<Key> {
        let mut found = vec![key.clone()];
        let mut next = 0;
        while let Some(key) = found.get(next) {
            let children = self.children.get(key).into_iter().flatten();
            let new: Vec<Key> = children.filter(|child| !found.contains(child)).cloned().collect();
            found.extend(new);
            next += 1;
        }
        found
    }

    pub(crate) fn children(&self, key: &Key) -> &[Key] {
        self.children.get(key).map_or(&[], Vec::as_slice)
    }
}
