//! Outputs of earlier builds: given back where nothing has changed, and a source of clusters where something has.
//!
//! ```text
//! CACHE/images/KEY/   outputs with their digests (`isotope_image::export::kept`)
//!             /beside/      what hooks put beside them ([`super::side_outputs`])
//!             /build.json   what else the build told, and its manifest
//! ```
//! The key is made of the last layer's key and of all that comes after the tree. Of each image's name the newest two are kept.

use super::archive::Outside;
use super::inputs;
use super::{Layers, chain, side_outputs};
use crate::build::{Build, Products};
use crate::dib;
use crate::engine::Orders;
use crate::error::StepError;
use crate::options::Refresh;
use crate::package::InstalledPackage;
use crate::report::{DeployedCommit, Report};
use isotope_cache::{Inputs, Key};
use isotope_image::export::{Exported, kept};
use isotope_plan::{DibBreaks, Plan};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// How many images of a name are kept.
const KEPT: usize = 2;
const FACTS: &str = "build.json";
const BESIDE: &str = "beside";

/// The place of this build's image.
#[derive(Debug)]
pub(crate) struct Image {
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
    pub(crate) fn of(build: &Build<'_>, layers: &mut Layers, orders: Orders<'_>) -> Result<Option<Self>, StepError> {
        let plan = build.plan;
        // Who wants a shell between two hooks wants them run.
        let stops = plan.dib().is_some_and(|dib| dib.breaks != DibBreaks::default());
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
        let dir = images.join(Key::of(Some(&tree), &all, &secrets).as_str());
        let before = earlier(&images, &plan.name)?.into_iter().map(|(path, _)| path).find(|path| *path != dir);
        let before = if dir.is_dir() { Some(dir.clone()) } else { before };
        Ok(Some(Self { dir, before, since: SystemTime::now() }))
    }

    /// An earlier image, whose clusters may be the same.
    pub(crate) fn before(&self) -> Option<&Path> {
        self.before.as_deref()
    }

    /// Puts the outputs of an earlier build where they are wanted, if it was the same build. Says under which key.
    pub(crate) fn restore(&self, build: &mut Build<'_>, orders: Orders<'_>) -> Result<Option<String>, StepError> {
        if orders.options.refresh != Refresh::Nothing || !kept::has(&self.dir, &build.plan.exports) {
            return Ok(None);
        }
        let Some(facts) = self.facts() else { return Ok(None) };
        let out_dir = &orders.options.out_dir;
        if !kept::stand(&self.dir, &build.plan.exports, out_dir) {
            dib::make_way(build)?;
        }
        let restored = match kept::restore(&self.dir, &build.plan.exports, out_dir) {
            Ok(restored) => restored,
            Err(error) => {
                build.events.note(format!("the image is made again: {error}"));
                return Ok(None);
            }
        };
        side_outputs::restore(&self.dir.join(BESIDE), out_dir)?;
        if let Some(text) = &facts.manifest {
            let path = out_dir.join(format!("{}.manifest.json", build.plan.name));
            if std::fs::read_to_string(&path).ok().as_ref() != Some(text) {
                isotope_image::output::write_file(&path, text.as_bytes())?;
            }
        }
        build.products = Products {
            packages: facts.packages,
            warnings: facts.warnings,
            deployed: facts.deployed,
            outputs: restored.outputs,
            ..Products::default()
        };
        self.used();
        build.events.note(match restored.untouched == build.products.outputs.len() {
            true => "nothing has changed, and the outputs are what they were",
            false => "nothing has changed: the outputs are copied from the cache",
        });
        Ok(Some(self.dir.file_name().unwrap_or_default().to_string_lossy().into_owned()))
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
        let images = self.dir.parent().unwrap_or(&self.dir);
        for (path, _) in earlier(images, &plan.name)?.into_iter().skip(KEPT) {
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
