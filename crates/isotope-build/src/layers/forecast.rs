//! What a build would find in the cache, without building.

use super::{archive, chain, find, program, story};
use crate::archives;
use crate::cache::Cache;
use crate::error::StepError;
use crate::event::Events;
use crate::options::BuildOptions;
use crate::report::BuildError;
use isotope_cache::{Key, Store};
use isotope_plan::Plan;
use serde::Serialize;

/// What the cache has of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Forecast {
    /// Each step of the tree, in order.
    pub steps: Vec<StepForecast>,
    /// Why the first step that would be done again would be; `None`: none would.
    pub why: Option<String>,
}

/// What the cache has of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepForecast {
    /// The step's id.
    pub id: String,
    /// Its key; `None`: it depends on what cannot be known before.
    pub key: Option<String>,
    /// Whether it would be taken from the cache.
    pub hit: bool,
}

/// Looks up the steps of a plan's tree in the cache. Asks the package archives for their state, as a build does.
///
/// # Errors
/// An archive cannot be reached, or the cache not be read.
pub fn forecast(plan: &Plan, options: &BuildOptions) -> Result<Forecast, BuildError> {
    let cache = Cache::open(&options.cache_dir)?;
    let failed = |error: StepError| BuildError::Failed(Box::new(crate::engine::outside(&error, &cache.logs())));
    let scratch = archives::scratch()?;
    let look = || {
        let store = Store::open(&cache.layers())?;
        let outside = archive::identity(plan, options, &cache, scratch.path(), &Events::none())?;
        let links = chain::of(plan, &outside, options.fixed_clock, &program()?, &mut super::Sources::default())?;
        let get = |key: &Key| Ok(store.look(key)?);
        let (_, reused) = find(&get, &links)?;
        let steps = plan.steps.iter().zip(&links).take(chain::tree_steps(plan)).enumerate();
        let steps = steps.map(|(number, (step, link))| StepForecast {
            id: step.id.clone(),
            key: link.key.as_ref().map(|key| key.short().to_owned()),
            hit: number < reused,
        });
        let steps = steps.collect();
        let why = (reused < links.len()).then(|| story::why(plan, &store, &links, reused)).transpose()?;
        Ok(Forecast { steps, why })
    };
    look().map_err(failed)
}
