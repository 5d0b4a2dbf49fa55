//! Composes that need not be done: the repository has the commit that the same inputs gave, or a registry has it.
//!
//! `CACHE/composes/KEY` names the commit; the key is made of all that the compose is made of, with the state of the package archives
//! in place of the packages that would be chosen from them. In registries it is without the repository's path: what stands there is
//! a repository with that commit alone.

use super::{Layers, Outside, program};
use crate::compose;
use crate::engine::Orders;
use crate::error::StepError;
use crate::options::Refresh;
use isotope_cache::{Inputs, Key};
use isotope_ostree::{Checksum, Mode, Repo};
use isotope_plan::{OstreeCommit, Plan, StepAction};
use isotope_registry::{Directory, Kind};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What is known of a commit before it comes: its checksum, and that of the commit before it.
const COMMIT: &str = "commit";
const PARENT: &str = "parent";

/// A compose whose inputs are known.
#[derive(Debug)]
pub(crate) struct Composed<'a> {
    commit: &'a OstreeCommit,
    /// Where what it gave is written down.
    place: PathBuf,
    /// In registries; `None`: it is this host's own.
    key: Option<Key>,
}

/// What a compose gave.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    reference: String,
    commit: String,
}

impl<'a> Composed<'a> {
    /// `None`: it cannot be known beforehand what it will be made of.
    pub(crate) fn of(plan: &'a Plan, orders: Orders<'_>, outside: Option<&Outside>) -> Result<Option<Self>, StepError> {
        let chosen = |action: &StepAction| matches!(action, StepAction::OstreeParent(parent) if parent.force || parent.parent.is_some());
        let outside = outside.filter(|_| !plan.steps.iter().any(|step| chosen(&step.action)));
        let Some((outside, commit)) = outside.zip(compose::commit_of(plan)) else { return Ok(None) };
        let suites = outside.suites.iter();
        let mut inputs: Inputs = suites.map(|(suite, state)| (format!("archive {suite}"), state.clone())).collect();
        inputs.insert("isotope".to_owned(), program()?);
        inputs.insert("compose".to_owned(), compose::inputs(plan, &[])?);
        let key = (commit.sign.is_empty() && !commit.delta).then(|| Key::of(None, &inputs, &[]));
        inputs.insert("repository".to_owned(), commit.repo.display().to_string());
        let place = orders.cache.composes()?.join(Key::of(None, &inputs, &[]).as_str());
        Ok(Some(Self { commit, place, key }))
    }

    /// What it is called where it is passed over.
    pub(crate) fn name(&self) -> String {
        self.place.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Whether the commit that was made of the same inputs is still what its ref points at.
    pub(crate) fn is_current(&self) -> Result<bool, StepError> {
        let Ok(text) = std::fs::read(&self.place) else { return Ok(false) };
        Ok(serde_json::from_slice(&text).ok() == self.head()?.map(|head| self.say(&head)))
    }

    /// Notes what it has given.
    pub(crate) fn note(&self) -> Result<(), StepError> {
        let Some(head) = self.head()? else { return Ok(()) };
        let text = serde_json::to_vec(&self.say(&head)).map_err(std::io::Error::from);
        let text = text.map_err(StepError::io("write", &self.place))?;
        isotope_image::output::write_file(&self.place, &text).map_err(StepError::Manifest)
    }

    /// Takes the commit from a registry, if it is the next one of this repository, or its first. Says whether that was so.
    pub(crate) fn take(&self, orders: Orders<'_>, layers: &Layers) -> Result<bool, StepError> {
        let Some(key) = self.key.as_ref().filter(|_| orders.options.refresh == Refresh::Nothing) else {
            return Ok(false);
        };
        let head = self.head()?;
        let follows = |what: &Directory| {
            let is_head = |name: &str| what.facts.get(name).map(String::as_str) == head.as_ref().map(Checksum::as_str);
            head.is_none() || is_head(COMMIT) || is_head(PARENT)
        };
        let take = |what: &Directory, dir: &Path| self.take_from(dir, &what.facts);
        let taken = layers.shared.bring((Kind::Compose, key), &layers.store, &follows, &take);
        if taken.is_some() {
            self.note()?;
        }
        Ok(taken.is_some())
    }

    /// Takes the commit from a repository that has it alone; else why it is not what it should be.
    fn take_from(&self, dir: &Path, facts: &BTreeMap<String, String>) -> Result<(), String> {
        let said = |error: isotope_ostree::OstreeError| error.to_string();
        let OstreeCommit { repo, reference, .. } = self.commit;
        let source = Repo::open(dir).map_err(said)?;
        let commit = source.resolve(reference).map_err(said)?;
        let info = source.metadata(&commit).map_err(said)?;
        let told = self.facts(&commit, info.parent.as_ref());
        if told != *facts {
            return Err(format!("its commit is {commit}, and its description says another one"));
        }
        // As the first step of a compose makes it.
        let repo = Repo::create(repo, Mode::Archive).map_err(said)?;
        repo.take(&source, &commit).map_err(said)?;
        repo.set_ref(reference, Some(&commit)).map_err(said)?;
        repo.update_summary().map_err(said)
    }

    /// Gives the commit to the registry that wants it.
    pub(crate) fn give(&self, layers: &Layers) -> Result<(), StepError> {
        let OstreeCommit { repo, reference, .. } = self.commit;
        let Some((key, head)) = self.key.as_ref().zip(self.head()?) else { return Ok(()) };
        layers.shared.give((Kind::Compose, key, reference), &layers.store, |dir| {
            let source = Repo::open(repo)?;
            let alone = Repo::create(dir, Mode::Archive)?;
            alone.set_fsync(false);
            alone.take(&source, &head)?;
            alone.set_ref(reference, Some(&head))?;
            Ok(self.facts(&head, alone.metadata(&head)?.parent.as_ref()))
        });
        Ok(())
    }

    fn facts(&self, commit: &Checksum, parent: Option<&Checksum>) -> BTreeMap<String, String> {
        let facts = [("ref", Some(self.commit.reference.clone())), (COMMIT, Some(commit.to_string()))];
        let parent = (PARENT, parent.map(ToString::to_string));
        facts.into_iter().chain([parent]).filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }

    fn say(&self, commit: &Checksum) -> Note {
        Note { reference: self.commit.reference.clone(), commit: commit.to_string() }
    }

    fn head(&self) -> Result<Option<Checksum>, StepError> {
        let OstreeCommit { repo, reference, .. } = self.commit;
        if !repo.join("config").is_file() {
            return Ok(None);
        }
        Ok(Repo::open(repo)?.find(reference))
    }
}
