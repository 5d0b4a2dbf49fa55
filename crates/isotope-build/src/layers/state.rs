//! What the engine itself remembers from one step to the next, beside files: kept with a layer, taken up with it.

use crate::build::{Build, Products};
use crate::deployment::Deployment;
use crate::dib::DibState;
use crate::error::StepError;
use crate::package::InstalledPackage;
use crate::report::DeployedCommit;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    sealed: bool,
    packages: Vec<InstalledPackage>,
    warnings: Vec<String>,
    deployed: Option<DeployedCommit>,
    deployment: Option<DeploymentState>,
    dib: Option<DibState>,
}

/// Where a deployment is in its physical root.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct DeploymentState {
    pub path: PathBuf,
    pub stateroot: String,
    pub root: String,
}

/// Writes it down.
pub(super) fn save(build: &Build<'_>) -> Result<(), StepError> {
    let state = State {
        sealed: build.sealed,
        packages: build.products.packages.clone(),
        warnings: build.products.warnings.clone(),
        deployed: build.products.deployed.clone(),
        deployment: build.deployment.as_ref().map(Deployment::state),
        dib: build.dib.as_ref().map(crate::dib::Dib::state),
    };
    let path = build.work.state();
    let text = serde_json::to_vec(&state).map_err(std::io::Error::from).map_err(StepError::io("write", &path))?;
    std::fs::write(&path, text).map_err(StepError::io("write", &path))
}

/// Takes up what a layer has, after which `build` is as it was when the layer's last step had run.
pub(crate) fn load(build: &mut Build<'_>) -> Result<(), StepError> {
    let path = build.work.state();
    let text = std::fs::read(&path).map_err(StepError::io("read", &path))?;
    let state: State =
        serde_json::from_slice(&text).map_err(std::io::Error::from).map_err(StepError::io("read", &path))?;
    build.sealed = state.sealed;
    for warning in &state.warnings {
        build.events.warning(warning.clone());
    }
    build.products = Products {
        packages: state.packages,
        warnings: state.warnings,
        deployed: state.deployed,
        ..Products::default()
    };
    build.deployment = state
        .deployment
        .map(|DeploymentState { path, stateroot, root }| Deployment::new(&path, &stateroot, &root, build.work.view()));
    if let Some(state) = state.dib {
        crate::dib::resume(state, build)?;
    }
    Ok(())
}
