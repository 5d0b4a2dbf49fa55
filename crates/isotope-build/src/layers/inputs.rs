//! What can change the result of a step: the inputs of its key, each with a name that people understand.

mod dib;

use super::archive::Outside;
use super::sources::Sources;
use crate::error::StepError;
use isotope_cache::Inputs;
use isotope_element::Keep;
use isotope_plan::{DibAction, EnvValue, Plan, Step, StepAction};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// The inputs of one step, and the secrets among them.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub inputs: Inputs,
    pub secrets: Vec<String>,
}

impl Gathered {
    fn add(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.inputs.insert(name.into(), value.into());
    }

    fn variables(&mut self, env: &BTreeMap<String, EnvValue>, but: impl Fn(&str) -> bool) {
        for (name, value) in env.iter().filter(|(name, _)| !but(name)) {
            if value.secret {
                self.secrets.push(format!("{name}={}", value.value));
                self.add(format!("variable {name}"), "(secret)");
            } else {
                self.add(format!("variable {name}"), value.value.clone());
            }
        }
    }

    /// A file or directory of an element, file by file.
    fn files(
        &mut self,
        element: &str,
        dir: &Path,
        sources: &mut Sources,
        but: impl Fn(&Path) -> bool,
    ) -> Result<(), StepError> {
        for (path, digest) in sources.of(dir)? {
            if !but(&path) {
                self.file(element, &path, digest);
            }
        }
        Ok(())
    }

    /// A file of an element, by its path there.
    fn file(&mut self, element: &str, path: &Path, digest: String) {
        self.add(format!("file of element {element}: {}", path.display()), digest);
    }

    /// Notes until when a layer may stand for hooks. `false`: none may.
    fn may_be_kept(&mut self, hooks: impl IntoIterator<Item = Keep>) -> bool {
        let mut least: Option<u64> = None;
        for keep in hooks {
            match keep {
                Keep::Always => {}
                Keep::For(seconds) => least = Some(least.map_or(seconds, |least| least.min(seconds))),
                Keep::Never => return false,
            }
        }
        if let Some(seconds) = least {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
            // Time in pieces as long as it may be kept: so a layer is never older than that.
            self.add("max_age", format!("{} s, the {}th time since 1970", seconds, now / seconds));
        }
        true
    }
}

/// Variables of the caller that say nothing about what is built: which terminal, which session, which directory before.
fn of_the_session(name: &str) -> bool {
    const NAMES: [&str; 14] = [
        "_",
        "OLDPWD",
        "SHLVL",
        "TERM",
        "COLUMNS",
        "LINES",
        "PWD",
        "WINDOWID",
        "INVOCATION_ID",
        "JOURNAL_STREAM",
        "LS_COLORS",
        "MAIL",
        "DBUS_SESSION_BUS_ADDRESS",
        "DISPLAY",
    ];
    const PREFIXES: [&str; 6] = ["SSH_", "XDG_SESSION", "XDG_RUNTIME", "XDG_SEAT", "XDG_VTNR", "ISOTOPE_"];
    NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// How this host reaches the network; the value may have credentials.
fn is_proxy(name: &str) -> bool {
    name.to_ascii_lowercase().ends_with("_proxy")
}

/// What holds for every step of a plan.
pub(super) fn of_plan(plan: &Plan, fixed_clock: bool, program: &str) -> Inputs {
    let mut gathered = Gathered::default();
    gathered.add("isotope", program);
    gathered.add("target", json(&plan.target));
    if fixed_clock {
        gathered.add("SOURCE_DATE_EPOCH", plan.source_date_epoch.to_string());
    }
    gathered.inputs
}

/// What a step's result depends on, beside the step before it. `None`: on something that cannot be known, so it is never a hit.
pub(super) fn of_step(
    plan: &Plan,
    step: &Step,
    outside: &Outside,
    sources: &mut Sources,
    fixed_clock: bool,
) -> Result<Option<Gathered>, StepError> {
    let mut gathered = Gathered::default();
    let element = &step.origin.element;
    let mut shown = step.action.clone();
    let clock = |name: &str| name == "SOURCE_DATE_EPOCH" && !fixed_clock;
    match (&step.action, &mut shown) {
        (StepAction::Bootstrap(_), _) => {
            for (suite, state) in &outside.suites {
                gathered.add(format!("archive {suite}"), state.clone());
            }
        }
        (StepAction::Packages(packages), _) => {
            for name in packages.install.keys() {
                gathered.add(format!("package {name}"), "install");
            }
            for name in packages.remove.keys() {
                gathered.add(format!("package {name}"), "remove");
            }
        }
        (StepAction::OstreeDeploy(deploy), StepAction::OstreeDeploy(own)) => {
            gathered.add(format!("ref {}", deploy.rev), outside.commits.get(&deploy.rev).cloned().unwrap_or_default());
            if deploy.composed {
                // Where this host's repository is says nothing of the commit.
                own.url = String::new();
            }
        }
        (StepAction::OstreeParent(_), StepAction::OstreeParent(own)) => {
            gathered.add("users of the commit before and of files", outside.users.clone().unwrap_or_default());
            // Where commits are, and which is followed, changes nothing else in the tree.
            own.repo = Path::new("").into();
            own.reference = String::new();
            own.parent = None;
            own.user_files.clear();
            own.force = false;
        }
        (StepAction::Files(files), StepAction::Files(own)) => {
            gathered.files(element, &files.source, sources, |_| false)?;
            own.source = Path::new("").into();
        }
        (StepAction::Write(write), _) => {
            gathered.secrets.extend(write.content.secret.then(|| write.content.value.clone()));
        }
        (StepAction::Hook(hook), StepAction::Hook(own)) => {
            if !gathered.may_be_kept([hook.keep]) {
                return Ok(None);
            }
            gathered.files(element, &hook.element_dir, sources, |_| false)?;
            gathered.variables(&hook.env, |name| clock(name) || name == "ISOTOPE_ELEMENT");
            own.script = hook.script.strip_prefix(&hook.element_dir).unwrap_or(&hook.script).to_owned();
            own.element_dir = Path::new("").into();
            own.env.clear();
            own.keep = Keep::Always;
        }
        (StepAction::Dib(DibAction::Begin(begin)), StepAction::Dib(DibAction::Begin(own))) => {
            dib::of_begin(&mut gathered, begin, own, sources, clock)?;
        }
        (StepAction::Dib(DibAction::Hooks(hooks)), _) => {
            let kept = dib::of_hooks(&mut gathered, plan, hooks, sources)?;
            if !kept {
                return Ok(None);
            }
        }
        _ => {}
    }
    // Its digest: sources may name credentials, and descriptions of layers are shared.
    gathered.add("step", digest(&shown));
    gathered.add("phase", step.phase.to_string());
    let to_come = plan.steps.iter().skip_while(|other| other.id != step.id).skip(1);
    let initramfs =
        to_come.into_iter().any(|step| matches!(step.action, StepAction::Initramfs | StepAction::OstreeKernel(_)));
    gathered.add("initramfs", if initramfs { "by a later step" } else { "now" });
    Ok(Some(gathered))
}

/// SHA-256 of its JSON form.
pub(super) fn digest(value: &impl Serialize) -> String {
    Sha256::digest(json(value)).iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn json(value: &impl Serialize) -> String {
    // A plan has a JSON form: `isotope plan --json` prints it.
    serde_json::to_string(value).unwrap_or_default()
}
