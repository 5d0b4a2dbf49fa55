//! Layers of a build: which of its steps an earlier build has done, and how what this one does is kept.
//!
//! In: a plan. Before the first step its archives are resolved and the key of every step is made ([`chain`]). The layers of the
//! longest run of steps that the store has are mounted, and the build goes on behind them. What a run of steps writes is a layer of
//! its own, stored as soon as the run is done: so a build that fails, or is killed, goes on there the next time.
//!
//! The whole work directory of the plan is what is layered: the tree, the sandbox's `/tmp` and `/run`, the directory of hooks on the
//! host, package managers' notes; and what the engine itself remembers ([`state`]).

mod archive;
mod chain;
pub(crate) mod composed;
pub(crate) mod disk;
pub(crate) mod forecast;
pub(crate) mod image;
mod inherit;
mod inputs;
mod shared;
mod side_outputs;
pub(crate) mod sources;
pub(crate) mod state;
mod story;

use crate::build::Build;
use crate::cache::Cache;
use crate::engine::Orders;
use crate::error::StepError;
use crate::event::Events;
use crate::options::Refresh;
use crate::work::Work;
pub(crate) use archive::Outside;
use chain::Link;
use isotope_cache::{CacheError, Held, Key, Layer, LayerStep, Stack, Store};
use isotope_plan::{Plan, Step, StepAction};
pub(crate) use shared::Shared;
use sources::Sources;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

impl From<CacheError> for StepError {
    fn from(error: CacheError) -> Self {
        Self::Layers(Box::new(error))
    }
}

/// The layers of a plan that is being carried out.
#[derive(Debug)]
pub(crate) struct Layers {
    store: Store,
    shared: Arc<Shared>,
    links: Vec<Link>,
    /// Digests of elements, for what comes after the tree, too.
    sources: Sources,
    /// How many steps of the plan are among them: the seal is none.
    steps: usize,
    /// `None` until it is mounted, and while one layer is put under the next.
    stack: Option<Stack>,
    /// How many links layers of earlier builds stand for.
    reused: usize,
    /// The first link that no layer stands for yet.
    next: usize,
    /// When its steps began.
    since: Instant,
}

/// Whether a plan is built in layers. A compose that derives from a commit begins with that.
fn layered(plan: &Plan) -> bool {
    !plan.steps.iter().any(|step| matches!(step.action, StepAction::OstreeCheckout(_)))
}

/// What a plan that is built in layers takes from outside: its archives are resolved, once a build.
pub(crate) fn outside(
    plan: &Plan,
    orders: Orders<'_>,
    work: &Work,
    events: &Events,
) -> Result<Option<Outside>, StepError> {
    if !orders.options.layers || !layered(plan) {
        return Ok(None);
    }
    archive::identity(plan, orders.options, orders.cache, work.room(), events).map(Some)
}

impl Layers {
    /// Makes the keys of a plan's steps. Nothing is mounted yet.
    pub(crate) fn of(
        plan: &Plan,
        outside: &Outside,
        orders: Orders<'_>,
        shared: &Arc<Shared>,
    ) -> Result<Self, StepError> {
        let store = Store::open(&orders.cache.layers())?;
        let mut sources = Sources::default();
        let links = chain::of(plan, outside, orders.options.fixed_clock, &program()?, &mut sources)?;
        Ok(Self {
            store,
            shared: Arc::clone(shared),
            links,
            sources,
            steps: chain::tree_steps(plan),
            stack: None,
            reused: 0,
            next: 0,
            since: Instant::now(),
        })
    }

    /// Mounts what there is of a plan's steps at the work directory.
    pub(crate) fn begin(
        &mut self,
        plan: &Plan,
        orders: Orders<'_>,
        work: &Work,
        events: &Events,
    ) -> Result<(), StepError> {
        let (store, links) = (&self.store, &self.links);
        // A shell in the state behind a step: what comes later must not be there.
        let stop = orders.options.shell_at.as_ref().and_then(|id| plan.steps.iter().position(|step| step.id == *id));
        let limit = match &orders.options.refresh {
            Refresh::Nothing => links.len(),
            Refresh::Everything => 0,
            Refresh::Elements(names) => {
                let named = |step: &Step| names.contains(&step.origin.element);
                plan.steps.iter().take(links.len()).position(named).unwrap_or(links.len())
            }
        };
        let stop = stop.map_or(links.len(), |stop| links.len().min(stop + 1));
        for key in links[limit..].iter().filter_map(|link| link.key.as_ref()) {
            store.remove(key)?;
        }
        let (held, reused) = longest(&links[..limit.min(stop)], store, &self.shared)?;
        story::tell(plan, store, links, reused, events)?;
        let staging = store.stage()?;
        let begins = plan.steps.get(reused).filter(|step| matches!(step.action, StepAction::OstreeDeploy(_)));
        // What is to be done again is done without what was done before.
        if let Some(step) = begins.filter(|_| held.is_empty() && reused < limit) {
            inherit::objects(step, work, store, &staging)?;
        }
        self.stack = Some(Stack::mount(work.dir(), held, staging)?);
        (self.reused, self.next) = (reused, reused);
        self.since = Instant::now();
        Ok(())
    }

    /// Whether an earlier build has done the step at `index`.
    pub(crate) fn has(&self, index: usize) -> bool {
        // The seal is no step of the plan.
        index < self.reused.min(self.steps)
    }

    /// Whether any layer of an earlier build is there.
    pub(crate) const fn is_resumed(&self) -> bool {
        self.reused > 0
    }

    /// The layers, the first one at the bottom.
    pub(crate) fn held(&self) -> &[Held] {
        self.stack.as_ref().map(Stack::layers).unwrap_or_default()
    }

    /// What has been written since the last layer.
    pub(crate) fn written(&self) -> Option<std::path::PathBuf> {
        self.stack.as_ref().map(Stack::written)
    }

    pub(crate) const fn store(&self) -> &Store {
        &self.store
    }

    /// Gives the layers that the store has to the registry that wants them.
    pub(crate) fn give(&self) -> Result<(), StepError> {
        if self.shared.gives() {
            let (mut held, _) = find(&|key| Ok(self.store.get(key)?), &self.links)?;
            self.shared.give_layers(&mut held, &self.store);
        }
        Ok(())
    }

    /// The key of the whole tree, if it can be known.
    pub(crate) fn last_key(&self) -> Option<&Key> {
        self.links.last()?.key.as_ref()
    }

    /// The key of the layer that a step of an earlier build is in.
    pub(crate) fn name(&self, index: usize) -> Option<String> {
        Some(self.links.get(index)?.key.as_ref()?.short().to_owned())
    }

    /// Whether the step at `index` works on the tree.
    pub(crate) const fn is_of_tree(&self, index: usize) -> bool {
        index < self.steps
    }

    /// Whether the tree is to be sealed before the step at `index`.
    pub(crate) fn seals(&self, plan: &Plan, index: usize) -> bool {
        index == self.steps && self.links.len() > self.steps && self.next <= self.steps && plan.steps.len() > index
    }
}

/// The step at `index` (or the seal) is done: if a layer ends with it, what was written since the last one becomes a layer.
pub(crate) fn done(build: &mut Build<'_>, index: usize) -> Result<(), StepError> {
    let Some(mut layers) = build.layers.take() else { return Ok(()) };
    let result = keep(&mut layers, build, index);
    build.layers = Some(layers);
    result
}

fn keep(layers: &mut Layers, build: &mut Build<'_>, index: usize) -> Result<(), StepError> {
    let Some(Link { key: Some(key), ends_layer: true, .. }) = layers.links.get(index) else { return Ok(()) };
    let key = key.clone();
    let Some(stack) = layers.stack.take() else { return Err(StepError::Plan("a layer under a layer")) };
    if !leave(build)? {
        build.events.note("no layer ends here: hooks have mounted something in the tree");
        layers.stack = Some(stack);
        return Ok(());
    }
    // With what is to be mounted again.
    state::save(build)?;
    if let Err(error) = stack.unmount() {
        // Something is still open there. What follows goes into the same layer.
        build.events.note(format!("no layer ends here: {error}"));
        layers.stack = Some(stack);
        return enter(build);
    }
    let (mut held, staging) = stack.into_parts();
    // Here, not when the tree is sealed: a file of a lower layer would be copied for it.
    if let Some(own) = build.work.layered_tree(build.dib.as_ref()).filter(|own| staging.upper().join(own).is_dir()) {
        build.clamp_below(&staging.upper().join(own))?;
    }
    let layer = describe(layers, build.plan, key, held.last(), index);
    held.push(staging.commit(layer, &layers.store)?);
    layers.stack = Some(Stack::mount(build.work.dir(), held, layers.store.stage()?)?);
    layers.next = index + 1;
    layers.since = Instant::now();
    enter(build)
}

fn describe(layers: &Layers, plan: &Plan, key: Key, below: Option<&Held>, index: usize) -> Layer {
    let range = layers.next..=index;
    let mut inputs = isotope_cache::Inputs::new();
    let mut steps = Vec::new();
    for number in range {
        let link = &layers.links[number];
        let (id, title, element) = match plan.steps.get(number).filter(|_| number < layers.steps) {
            Some(step) => (step.id.clone(), step.title.clone(), step.origin.element.clone()),
            None => ("seal".to_owned(), "clean the tree".to_owned(), "isotope".to_owned()),
        };
        inputs.extend(link.inputs.iter().map(|(name, value)| (format!("{id}: {name}"), value.clone())));
        steps.push(LayerStep { id, title, element });
    }
    Layer {
        format: 0,
        key,
        parent: below.map(|below| below.layer.key.clone()),
        name: plan.name.clone(),
        steps,
        inputs,
        created: 0,
        cost: layers.since.elapsed(),
        bytes: 0,
        files: 0,
        boot_id: None,
        digest: None,
    }
}

/// Nothing of the work directory is held open or mounted over. `false`: something is, and stays so.
fn leave(build: &mut Build<'_>) -> Result<bool, StepError> {
    if let Some(dib) = &mut build.dib
        && !crate::dib::leave(dib, &build.events)?
    {
        return Ok(false);
    }
    build.target.move_to(build.work.room())?;
    if let Some(deployment) = &mut build.deployment {
        deployment.hide()?;
    }
    Ok(true)
}

/// As it was before.
pub(crate) fn enter(build: &mut Build<'_>) -> Result<(), StepError> {
    let tree = build.work.tree();
    build.move_to(&tree)?;
    build.dib.as_ref().map_or(Ok(()), crate::dib::enter)
}

/// Where layers come from.
type Get<'a> = dyn Fn(&Key) -> Result<Option<Held>, StepError> + 'a;

/// The layers of the longest run of links, the first at the bottom, and how many links that is.
fn find(get: &Get<'_>, links: &[Link]) -> Result<(Vec<Held>, usize), StepError> {
    for (number, link) in links.iter().enumerate().rev().filter(|(_, link)| link.ends_layer) {
        let Some(key) = &link.key else { continue };
        if let Some(held) = pile(get, key)? {
            return Ok((held, number + 1));
        }
    }
    Ok((Vec::new(), 0))
}

/// The same, with what registries have: if one has a longer run than the store, its layers are brought.
fn longest(links: &[Link], store: &Store, shared: &Shared) -> Result<(Vec<Held>, usize), StepError> {
    let get = |key: &Key| Ok(store.get(key)?);
    let own = find(&get, links)?;
    let keys = |links: &[Link]| -> Vec<Key> {
        links.iter().filter(|link| link.ends_layer).filter_map(|link| link.key.clone()).collect()
    };
    let (mut run, longer) = (keys(&links[..own.1]), keys(&links[own.1..]));
    let Some(last) = longer.iter().rposition(|key| shared.has_layer(key)) else { return Ok(own) };
    run.extend_from_slice(&longer[..=last]);
    shared.bring_layers(&run, store)?;
    find(&get, links)
}

/// A layer and all below it, if they are all there.
fn pile(get: &Get<'_>, key: &Key) -> Result<Option<Vec<Held>>, StepError> {
    let (mut held, mut next) = (Vec::new(), Some(key.clone()));
    while let Some(key) = next.take() {
        let Some(layer) = get(&key)? else { return Ok(None) };
        next.clone_from(&layer.layer.parent);
        held.push(layer);
    }
    held.reverse();
    Ok(Some(held))
}

/// What this program is: another one may do another thing for the same step.
fn program() -> Result<String, StepError> {
    let path = Path::new("/proc/self/exe");
    let real = path.canonicalize().map_err(StepError::io("find", path))?;
    Ok(isotope_cache::content::file(&real)?)
}

/// Layers that have had time to reach the disk are made to, so that they outlive a crash of the host.
pub(crate) fn settle(cache: &Cache) -> Result<(), StepError> {
    Ok(Store::open(&cache.layers())?.settle()?)
}
