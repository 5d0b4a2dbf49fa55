//! What other machines have made: taken from registries where the own cache has none, and given to one when a build is done.
//!
//! Whatever a registry does, the build goes on: what cannot be had is built.

use crate::error::StepError;
use crate::event::Events;
use crate::options::BuildOptions;
use isotope_cache::{Held, Key, Store};
use isotope_registry::{Directory, Kind, Pushed, Registry, RegistryError};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The registries of a build.
#[derive(Debug)]
pub(crate) struct Shared {
    from: Vec<Source>,
    to: Option<Arc<Registry>>,
    events: Events,
}

/// A registry that things are taken from.
#[derive(Debug)]
struct Source {
    registry: Arc<Registry>,
    /// It has failed, and is not asked any more.
    lost: AtomicBool,
}

impl From<RegistryError> for StepError {
    fn from(error: RegistryError) -> Self {
        Self::Registry(Box::new(error))
    }
}

impl Source {
    /// What an answer has brought; what is wrong with it is told.
    fn heard<T>(&self, kind: Kind, key: &Key, answer: Result<Option<T>, StepError>, events: &Events) -> Option<T> {
        answer.unwrap_or_else(|error| {
            let refused = matches!(&error, StepError::Registry(error) if error.is_refusal());
            self.lost.store(!refused, Ordering::Relaxed);
            events.warning(format!("{} {} is not taken, and built instead: {error}", kind.name(), key.short()));
            None
        })
    }
}

impl Shared {
    /// Reads what the options name; nothing is asked yet.
    pub(crate) fn of(options: &BuildOptions, events: &Events) -> Result<Self, StepError> {
        let events = events.clone();
        if options.offline {
            return Ok(Self { from: Vec::new(), to: None, events });
        }
        let parse = |text: &String| Registry::parse(text, &options.credentials).map(Arc::new).map_err(StepError::from);
        let source =
            |text: &String| Ok::<_, StepError>(Source { registry: parse(text)?, lost: AtomicBool::new(false) });
        let from = options.cache_from.iter().map(source).collect::<Result<Vec<_>, _>>()?;
        let to = options.cache_to.as_ref().map(parse).transpose()?;
        // What was refused is replaced: that must be known where it is given.
        let same = |to: &Arc<Registry>| from.iter().find(|it| it.registry.place() == to.place());
        let to = to.map(|to| same(&to).map_or(to, |source| Arc::clone(&source.registry)));
        Ok(Self { from, to, events })
    }

    /// Whether anything is given.
    pub(crate) const fn gives(&self) -> bool {
        self.to.is_some()
    }

    fn sources(&self) -> impl Iterator<Item = &Source> {
        self.from.iter().filter(|source| !source.lost.load(Ordering::Relaxed))
    }

    /// Whether some registry says that it has a layer.
    pub(super) fn has_layer(&self, key: &Key) -> bool {
        self.sources().any(|source| {
            let answer = source.registry.has(key).map(|has| has.then_some(()));
            source.heard(Kind::Layer, key, answer.map_err(StepError::from), &self.events).is_some()
        })
    }

    /// Brings those layers into the store that it does not have, each from the first registry that has it and whose layer is what it
    /// says it is.
    pub(super) fn bring_layers(&self, keys: &[Key], store: &Store) -> Result<(), StepError> {
        for source in self.sources() {
            let mut absent = Vec::new();
            for key in keys {
                if store.look(key)?.is_none() {
                    absent.push(key.clone());
                }
            }
            for (key, answer) in absent.iter().zip(source.registry.pull_all(&absent, store)) {
                if let Some(held) = source.heard(Kind::Layer, key, answer.map_err(StepError::from), &self.events) {
                    let what = held.layer.steps.last().map_or("", |step| step.id.as_str());
                    self.events.note(format!("pulled layer {} ({what}, {} bytes)", key.short(), held.layer.bytes));
                }
            }
        }
        Ok(())
    }

    /// Gives the layers of a build that is done.
    pub(super) fn give_layers(&self, layers: &mut [Held], store: &Store) {
        let Some(registry) = &self.to else { return };
        for held in layers {
            let key = held.layer.key.clone();
            told(Kind::Layer, &key, registry.push(held, store), &self.events);
        }
    }

    /// Brings a directory, if a registry has it under a key and it is `wanted`: what `take` makes of it. If `take` says why it is none,
    /// it is refused. Room for it is taken in the store.
    pub(super) fn bring<T>(
        &self,
        (kind, key): (Kind, &Key),
        store: &Store,
        wanted: &dyn Fn(&Directory) -> bool,
        take: &dyn Fn(&Directory, &Path) -> Result<T, String>,
    ) -> Option<T> {
        self.sources().find_map(|source| {
            let registry = &source.registry;
            let bring = || {
                let Some((what, found)) = registry.find_directory(kind, key)?.filter(|(what, _)| wanted(what)) else {
                    return Ok(None);
                };
                // It vanishes with the build, also with one that is killed.
                let staging = store.stage()?;
                registry.take(&found, &staging.upper())?;
                let taken = take(&what, &staging.upper()).map_err(|why| registry.refuse(key, why))?;
                self.events.note(format!("pulled {} {} ({})", kind.name(), key.short(), what.name));
                Ok::<_, StepError>(Some(taken))
            };
            source.heard(kind, key, bring(), &self.events)
        })
    }

    /// Gives a directory, unless it is there. `fill` makes it, and says what can be known of it before it comes.
    pub(super) fn give(
        &self,
        (kind, key, name): (Kind, &Key, &str),
        store: &Store,
        fill: impl FnOnce(&Path) -> Result<BTreeMap<String, String>, StepError>,
    ) {
        let Some(registry) = &self.to else { return };
        let give = || {
            if registry.has_good(kind, key)? {
                return Ok(Pushed::AlreadyThere);
            }
            let staging = store.stage()?;
            let facts = fill(&staging.upper())?;
            let what = Directory { kind, key: key.clone(), name: name.to_owned(), facts };
            Ok::<_, StepError>(registry.put_directory(&what, &staging.upper(), store.dir())?)
        };
        match give() {
            Err(StepError::Registry(error)) => told(kind, key, Err(*error), &self.events),
            Err(error) => self.events.warning(format!("{} {} is not pushed: {error}", kind.name(), key.short())),
            Ok(pushed) => told(kind, key, Ok(pushed), &self.events),
        }
    }
}

fn told(kind: Kind, key: &Key, pushed: Result<Pushed, RegistryError>, events: &Events) {
    let (kind, key) = (kind.name(), key.short());
    match pushed {
        Ok(Pushed::Sent { bytes }) => events.note(format!("pushed {kind} {key}: {bytes} bytes")),
        Ok(Pushed::AlreadyThere) => events.note(format!("{kind} {key} is there already")),
        Err(error) => events.warning(format!("{kind} {key} is not pushed: {error}; {}", error.hint())),
    }
}
