//! Outputs of earlier builds: given back where nothing has changed, and a source of clusters where something has.
//!
//! ```text
//! CACHE/images/KEY/   outputs with their digests (`isotope_image::export::kept`)
//!             /beside/      what hooks put beside them ([`super::side_outputs`])
//!             /build.json   what else the build told, and its manifest
//! ```
//! The key is made of the last layer's key and of all that comes after the tree. Of each image's name the newest two are kept. In
//! registries the same directory stands under its key, without what is of this host.

use super::archive::Outside;
use super::inputs;
use super::{Layers, chain, side_outputs};
use crate::build::Products;
use crate::dib;
use crate::engine::Orders;
use crate::error::StepError;
use crate::event::Events;
use crate::options::Refresh;
use crate::package::InstalledPackage;
use crate::report::{DeployedCommit, Report};
use isotope_cache::{Inputs, Key};
use isotope_image::export::{Exported, kept};
use isotope_plan::{DibBreaks, Plan};
use isotope_registry::{Directory, Kind};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// How many images of a name are kept.
const KEPT: usize = 2;
const FACTS: &str = "build.json";
const BESIDE: &str = "beside";

/// The place of this build's image.
#[derive(Debug)]
pub(crate) struct Image {
    key: Key,
    dir: PathBuf,
    /// An earlier image of the same name.
    before: Option<PathBuf>,
    /// When this build began.
    since: SystemTime,
}

/// What a build told beside its outputs.
#[derive(Debug, Serialize, Deserialize)]
struct Facts {
    name: String,
    packages: Vec<InstalledPackage>,
    warnings: Vec<String>,
    deployed: Option<DeployedCommit>,
    manifest: Option<String>,
}

impl Image {
    /// Where the outputs of this plan are kept. `None`: some of its inputs cannot be known, or it has no outputs that are kept.
    pub(crate) fn of(layers: &mut Layers, orders: Orders<'_>) -> Result<Option<Self>, StepError> {
        let plan = orders.plan;
        // Who wants a shell between two hooks wants them run; a shell behind a step is no build.
        let stops =
            orders.options.shell_at.is_some() || plan.dib().is_some_and(|dib| dib.breaks != DibBreaks::default());
        let Some(tree) = layers.last_key().filter(|_| !plan.exports.is_empty() && !stops).cloned() else {
            return Ok(None);
        };
        let fixed = orders.options.fixed_clock;
        let mut all = Inputs::new();
        let mut secrets = Vec::new();
        for step in &plan.steps[chain::tree_steps(plan)..] {
            let Some(gathered) = inputs::of_step(plan, step, &Outside::default(), &mut layers.sources, fixed)? else {
                return Ok(None);
            };
            secrets.extend(gathered.secrets);
            all.extend(gathered.inputs.into_iter().map(|(name, value)| (format!("{}: {name}", step.id), value)));
        }
        all.insert("image".to_owned(), inputs::json(&essence(plan, fixed)));
        secrets.extend(secret_variables(plan));
        let images = orders.cache.images()?;
        let key = Key::of(Some(&tree), &all, &secrets);
        let dir = images.join(key.as_str());
        let before = earlier(&images, &plan.name)?.into_iter().map(|(path, _)| path).find(|path| *path != dir);
        let before = if dir.is_dir() { Some(dir.clone()) } else { before };
        Ok(Some(Self { key, dir, before, since: SystemTime::now() }))
    }

    /// An earlier image, whose clusters may be the same.
    pub(crate) fn before(&self) -> Option<&Path> {
        self.before.as_deref()
    }

    pub(crate) fn key(&self) -> &Key {
        &self.key
    }

    /// Puts the outputs of an earlier build where they are wanted, if it was the same build, here or elsewhere. Says what they are.
    pub(crate) fn restore(
        &self,
        layers: &Layers,
        orders: Orders<'_>,
        events: &Events,
    ) -> Result<Option<Products>, StepError> {
        let exports = &orders.plan.exports;
        if orders.options.refresh != Refresh::Nothing {
            return Ok(None);
        }
        if !kept::has(&self.dir, exports) {
            self.bring(layers, orders)?;
        }
        let Some(facts) = self.facts().filter(|_| kept::has(&self.dir, exports)) else { return Ok(None) };
        let out_dir = &orders.options.out_dir;
        if !kept::stand(&self.dir, exports, out_dir) {
            dib::make_way(orders.plan, orders.options, events)?;
        }
        let restored = match kept::restore(&self.dir, exports, out_dir) {
            Ok(restored) => restored,
            Err(error) => {
                events.note(format!("the image is made again: {error}"));
                return Ok(None);
            }
        };
        side_outputs::restore(orders.plan, &self.dir.join(BESIDE), out_dir)?;
        if let Some(text) = &facts.manifest {
            let path = out_dir.join(format!("{}.manifest.json", orders.plan.name));
            if std::fs::read_to_string(&path).ok().as_ref() != Some(text) {
                isotope_image::output::write_file(&path, text.as_bytes())?;
            }
        }
        self.used();
        events.note(match restored.untouched == restored.outputs.len() {
            true => "nothing has changed, and the outputs are what they were",
            false => "nothing has changed: the outputs are copied from the cache",
        });
        Ok(Some(Products {
            packages: facts.packages,
            warnings: facts.warnings,
            deployed: facts.deployed,
            outputs: restored.outputs,
            ..Products::default()
        }))
    }

    /// Takes the image from a registry, if one has it.
    fn bring(&self, layers: &Layers, orders: Orders<'_>) -> Result<(), StepError> {
        let take = |_: &Directory, dir: &Path| {
            if !kept::has(dir, &orders.plan.exports) || !dir.join(FACTS).is_file() {
                return Err("it does not hold the outputs of its key".to_owned());
            }
            // What stands there is not complete.
            match std::fs::remove_dir_all(&self.dir) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
                _ => std::fs::rename(dir, &self.dir),
            }
            // Another build may have put the same one there meanwhile.
            .or_else(|error| if kept::has(&self.dir, &orders.plan.exports) { Ok(()) } else { Err(error) })
            .map_err(|error| format!("it cannot be put at {}: {error}", self.dir.display()))
        };
        let brought = layers.shared.bring((Kind::Image, &self.key), &layers.store, &|_| true, &take);
        if brought.is_some() {
            self.used();
            self.forget_old(&orders.plan.name)?;
        }
        Ok(())
    }

    /// Gives the image to the registry that wants it.
    pub(crate) fn give(&self, layers: &Layers, plan: &Plan) {
        layers.shared.give((Kind::Image, &self.key, &plan.name), &layers.store, |dir| {
            kept::share(&self.dir, dir).map_err(|error| StepError::Kept(Box::new(error)))?;
            side_outputs::link(&self.dir.join(BESIDE), &dir.join(BESIDE))?;
            let facts = self.dir.join(FACTS);
            std::fs::hard_link(&facts, dir.join(FACTS)).map_err(StepError::io("link", &facts))?;
            Ok(BTreeMap::new())
        });
    }

    /// Keeps what this build has made.
    pub(crate) fn keep(&self, orders: Orders<'_>, outputs: &[Exported], report: &Report) -> Result<(), StepError> {
        let plan = orders.plan;
        let manifest = report.manifest.as_ref().map(std::fs::read_to_string).transpose();
        let facts = Facts {
            name: plan.name.clone(),
            packages: report.packages.clone(),
            warnings: report.warnings.clone(),
            deployed: report.deployed.clone(),
            manifest: manifest.map_err(StepError::io("read the manifest beside", &self.dir))?,
        };
        kept::keep(&self.dir, &plan.exports, outputs).map_err(|error| StepError::Kept(Box::new(error)))?;
        side_outputs::keep(plan, &orders.options.out_dir, self.since, &self.dir.join(BESIDE))?;
        let path = self.dir.join(FACTS);
        let text = serde_json::to_vec(&facts).map_err(std::io::Error::from).map_err(StepError::io("write", &path))?;
        isotope_image::output::write_file(&path, &text)?;
        self.used();
        self.forget_old(&plan.name)
    }

    /// Removes all but the newest images of a name.
    fn forget_old(&self, name: &str) -> Result<(), StepError> {
        let images = self.dir.parent().unwrap_or(&self.dir);
        for (path, _) in earlier(images, name)?.into_iter().skip(KEPT) {
            std::fs::remove_dir_all(&path).map_err(StepError::io("remove", &path))?;
        }
        Ok(())
    }

    fn facts(&self) -> Option<Facts> {
        serde_json::from_slice(&std::fs::read(self.dir.join(FACTS)).ok()?).ok()
    }

    /// For least-recently-used eviction; one that cannot be touched is only evicted earlier.
    fn used(&self) {
        let touch = std::fs::File::create(self.dir.join("used")).and_then(|file| file.set_modified(SystemTime::now()));
        drop(touch);
    }
}

/// Images of a name, the newest first.
fn earlier(images: &Path, name: &str) -> Result<Vec<(PathBuf, SystemTime)>, StepError> {
    let mut found = Vec::new();
    for entry in images.read_dir().map_err(StepError::io("list", images))? {
        let path = entry.map_err(StepError::io("list", images))?.path();
        let facts = std::fs::read(path.join(FACTS)).ok().and_then(|text| serde_json::from_slice::<Facts>(&text).ok());
        let used = path.join("used").metadata().and_then(|meta| meta.modified());
        if let (true, Ok(used)) = (facts.is_some_and(|facts| facts.name == name), used) {
            found.push((path, used));
        }
    }
    found.sort_by_key(|(_, used)| std::cmp::Reverse(*used));
    Ok(found)
}

/// All of a plan that outputs and manifest depend on beside its steps.
fn essence(plan: &Plan, fixed_clock: bool) -> Plan {
    let mut plan = plan.clone();
    plan.steps.clear();
    plan.inputs.clear();
    for element in &mut plan.elements {
        element.dir = PathBuf::new();
    }
    if !fixed_clock {
        plan.source_date_epoch = 0;
    }
    plan
}

fn secret_variables(plan: &Plan) -> Vec<String> {
    let all =
        plan.elements.iter().flat_map(|element| element.vars.iter().map(|(name, value)| (&element.name, name, value)));
    all.filter(|(_, _, value)| value.secret)
        .map(|(element, name, value)| format!("{element}.{name}={}", value.value))
        .collect()
}
