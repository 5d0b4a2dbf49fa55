//! Making room: which layers go, and in what order.
//!
//! The least recently used goes first, and never before the layers that stand on it: those could not be mounted any more. A layer is as
//! young as the youngest that stands on it. What is in use stays, and all below it. Builds may run meanwhile: each layer is locked and
//! looked at once more before it goes.

use crate::upkeep::{Entry, Family};
use crate::{CacheError, Key, Store};
use std::collections::{HashMap, HashSet};
use std::time::SystemTime;

/// What may stay.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bounds {
    /// At most so many bytes in all.
    pub bytes: Option<u64>,
    /// Only what was used since.
    pub used_since: Option<SystemTime>,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evicted {
    /// What is gone.
    pub removed: Vec<Key>,
    /// Bytes that were allocated by it.
    pub bytes: u64,
    /// Names that it had.
    pub files: u64,
    /// What should have gone, and is in use, or below what is.
    pub kept: Vec<Key>,
    /// Allocated bytes of what is left.
    pub left: u64,
}

impl Store {
    /// Removes what the bounds do not allow.
    ///
    /// # Errors
    /// The store cannot be read, or a layer not be removed.
    pub fn evict(&self, bounds: &Bounds) -> Result<Evicted, CacheError> {
        let entries = self.entries()?;
        let mut removal = Removal::new(self, &entries);
        let over = |left: u64| bounds.bytes.is_some_and(|most| left > most);
        for (entry, used) in removal.order() {
            let old = bounds.used_since.is_some_and(|since| used < since);
            if old || over(removal.evicted.left) {
                removal.remove(entry, true)?;
            }
        }
        Ok(removal.evicted)
    }

    /// Removes these layers and all that stand on them, whenever they were used.
    ///
    /// # Errors
    /// As [`Store::evict`].
    pub fn remove_with_descendants(&self, keys: &[Key]) -> Result<Evicted, CacheError> {
        let entries = self.entries()?;
        let mut removal = Removal::new(self, &entries);
        let doomed: HashSet<Key> = keys.iter().flat_map(|key| removal.family.descendants(key)).collect();
        for (entry, _) in removal.order() {
            if doomed.contains(&entry.key) {
                removal.remove(entry, false)?;
            }
        }
        Ok(removal.evicted)
    }
}

struct Removal<'a> {
    store: &'a Store,
    entries: &'a [Entry],
    family: Family,
    /// How many layers stand directly on each.
    children: HashMap<Key, usize>,
    evicted: Evicted,
}

impl<'a> Removal<'a> {
    fn new(store: &'a Store, entries: &'a [Entry]) -> Self {
        let family = Family::of(entries);
        let children = entries.iter().map(|entry| (entry.key.clone(), family.children(&entry.key).len())).collect();
        let left = entries.iter().map(|entry| entry.bytes).sum();
        Self { store, entries, family, children, evicted: Evicted { left, ..Evicted::default() } }
    }

    /// The layers in the order in which they go, each with when it or one that stands on it was last used.
    fn order(&self) -> Vec<(&'a Entry, SystemTime)> {
        let own: HashMap<&Key, SystemTime> = self.entries.iter().map(|entry| (&entry.key, entry.used)).collect();
        let last = |entry: &Entry| {
            let with_all_above = self.family.descendants(&entry.key);
            let times = with_all_above.iter().filter_map(|key| own.get(key).copied());
            // What is of no use goes first.
            if entry.damage.is_some() { SystemTime::UNIX_EPOCH } else { times.fold(entry.used, SystemTime::max) }
        };
        let mut order: Vec<_> = self.entries.iter().map(|entry| (entry, last(entry))).collect();
        order.sort_by_cached_key(|(entry, used)| {
            (*used, std::cmp::Reverse(self.family.depth(&entry.key)), entry.key.clone())
        });
        order
    }

    /// Removes a layer, unless it is in use; `if_unused`: nor if it was used since it was looked at.
    fn remove(&mut self, entry: &Entry, if_unused: bool) -> Result<(), CacheError> {
        let key = &entry.key;
        let may_go = || {
            // Who makes a layer on this one holds this one. So now that it is locked, all that stand on it are there to be seen.
            let unused = !if_unused || self.store.used(key).is_none_or(|used| used <= entry.used);
            Ok(unused && !self.stands_on(key)?)
        };
        let has_children = self.children.get(key).is_some_and(|count| *count > 0);
        if has_children || !self.store.remove_if(key, may_go)? && self.store.place(key).exists() {
            self.evicted.kept.push(key.clone());
            return Ok(());
        }
        if let Some(count) = self.family.parent(key).and_then(|parent| self.children.get_mut(parent)) {
            *count -= 1;
        }
        self.evicted.left = self.evicted.left.saturating_sub(entry.bytes);
        self.evicted.bytes += entry.bytes;
        self.evicted.files += entry.layer.as_ref().map_or(0, |layer| layer.files);
        self.evicted.removed.push(key.clone());
        Ok(())
    }

    /// Whether a layer that came since the store was read stands on one.
    fn stands_on(&self, key: &Key) -> Result<bool, CacheError> {
        for new in self.store.keys()?.into_iter().filter(|new| !self.children.contains_key(new)) {
            let layer = self.store.entry(&new)?.and_then(|entry| entry.layer);
            if layer.is_some_and(|layer| layer.parent.as_ref() == Some(key)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

#[cfg(test)]
#[path = "evict_tests.rs"]
mod tests;
