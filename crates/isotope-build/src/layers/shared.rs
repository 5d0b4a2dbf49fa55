//! Layers of other machines: taken from registries where the own store has none, and given to one when a build is done.
//!
//! Whatever a registry does, the build goes on: a layer that cannot be had is built.

use crate::error::StepError;
use crate::event::Events;
use crate::options::BuildOptions;
use isotope_cache::{Held, Key, Store};
use isotope_registry::{Pushed, Registry, RegistryError};

/// The registries of a build.
#[derive(Debug, Default)]
pub(super) struct Shared {
    from: Vec<Registry>,
    to: Option<Registry>,
}

impl From<RegistryError> for StepError {
    fn from(error: RegistryError) -> Self {
        Self::Registry(Box::new(error))
    }
}

impl Shared {
    /// Reads what the options name; nothing is asked yet.
    pub(super) fn of(options: &BuildOptions) -> Result<Self, StepError> {
        if options.offline {
            return Ok(Self::default());
        }
        let parse = |text: &String| Registry::parse(text, &options.credentials).map_err(StepError::from);
        Ok(Self {
            from: options.cache_from.iter().map(parse).collect::<Result<_, _>>()?,
            to: options.cache_to.as_ref().map(parse).transpose()?,
        })
    }

    /// A layer from the own store, else from the first registry that has it and whose layer is what it says it is.
    pub(super) fn get(&self, key: &Key, store: &Store, events: &Events) -> Result<Option<Held>, StepError> {
        if let Some(held) = store.get(key)? {
            return Ok(Some(held));
        }
        for registry in &self.from {
            match registry.pull(key, store) {
                Ok(Some(held)) => {
                    let what = held.layer.steps.last().map_or("", |step| step.id.as_str());
                    events.note(format!("pulled layer {} ({what}, {} bytes)", key.short(), held.layer.bytes));
                    return Ok(Some(held));
                }
                Ok(None) => {}
                Err(error) => events.warning(format!("layer {} is not taken, and built instead: {error}", key.short())),
            }
        }
        Ok(None)
    }

    /// Gives the layers of a build that is done.
    pub(super) fn give(&self, layers: &mut [Held], store: &Store, events: &Events) {
        let Some(registry) = &self.to else { return };
        for held in layers {
            let key = held.layer.key.short().to_owned();
            match registry.push(held, store) {
                Ok(Pushed::Sent { bytes }) => events.note(format!("pushed layer {key}: {bytes} bytes")),
                Ok(Pushed::AlreadyThere) => events.note(format!("layer {key} is there already")),
                Err(error) => events.warning(format!("layer {key} is not pushed: {error}; {}", error.hint())),
            }
        }
    }
}
