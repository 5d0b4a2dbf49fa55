//! Whether layers are still what they were when they were made.

use crate::upkeep::{Damage, Family};
use crate::{CacheError, Key, Layer, Store, content};
use std::collections::HashSet;

/// What is found out about a layer.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// Its name.
    pub key: Key,
    /// Its description, if that can be read.
    pub layer: Option<Layer>,
    /// What is wrong with it.
    pub damage: Option<Damage>,
    /// Its content had no digest yet to be compared with; now it has.
    pub first: bool,
}

impl Store {
    /// Reads these layers (all, if none is named) and compares them with their descriptions; a layer that has no digest yet gets one.
    /// `tell` hears of each before it is read. Those that are being removed are left out. Parents come before those that stand on them.
    ///
    /// # Errors
    /// The store cannot be read or written.
    pub fn verify(&self, keys: &[Key], tell: &mut dyn FnMut(&Key)) -> Result<Vec<Verdict>, CacheError> {
        let entries = self.entries()?;
        let family = Family::of(&entries);
        let wanted: Vec<Key> = match keys {
            [] => entries.iter().map(|entry| entry.key.clone()).collect(),
            keys => keys.to_vec(),
        };
        let mut order = wanted;
        order.sort_by_cached_key(|key| (family.depth(key), key.clone()));
        order.dedup();
        let there: HashSet<Key> = entries.iter().map(|entry| entry.key.clone()).collect();
        let unfit = entries.iter().filter(|entry| entry.damage.is_some()).map(|entry| entry.key.clone());
        let mut damaged: HashSet<Key> = unfit.collect();
        let mut verdicts = Vec::new();
        for key in order {
            tell(&key);
            let Some(mut verdict) = self.verify_one(&key)? else { continue };
            let below = family.parent(&key).filter(|parent| !there.contains(*parent) || damaged.contains(*parent));
            if let (None, Some(below)) = (&verdict.damage, below) {
                verdict.damage = Some(Damage::Orphan(below.clone()));
            }
            if verdict.damage.is_some() {
                damaged.insert(key);
            }
            verdicts.push(verdict);
        }
        Ok(verdicts)
    }

    /// `None`: it is not there.
    fn verify_one(&self, key: &Key) -> Result<Option<Verdict>, CacheError> {
        // Nobody removes it meanwhile.
        let Some(lock) = self.share(key)? else { return Ok(None) };
        let Some(entry) = self.entry(key)? else { return Ok(None) };
        let mut verdict = Verdict { key: key.clone(), layer: entry.layer, damage: entry.damage, first: false };
        let Some(layer) = verdict.layer.clone().filter(|_| verdict.damage.is_none()) else { return Ok(Some(verdict)) };
        let mut held = self.held(layer, lock);
        if !held.upper().is_dir() {
            verdict.damage = Some(Damage::NoContent);
            return Ok(Some(verdict));
        }
        let found = content::size(&held.upper())?.files;
        if found != held.layer.files {
            verdict.damage = Some(Damage::Names { recorded: held.layer.files, found });
            return Ok(Some(verdict));
        }
        match held.layer.digest.clone() {
            Some(recorded) => {
                let found = content::digest(&held.upper())?;
                verdict.damage = (found != recorded).then_some(Damage::Content { recorded, found });
            }
            None => {
                self.with_digest(&mut held)?;
                (verdict.first, verdict.layer) = (true, Some(held.layer.clone()));
            }
        }
        Ok(Some(verdict))
    }
}

#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;
