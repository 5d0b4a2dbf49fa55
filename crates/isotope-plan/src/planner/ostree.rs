//! `[ostree.deploy]` of all elements merged, and the compose that it takes its commit from. Lists are joined in element order; a scalar
//! that two elements set differently is an error, and text that renders empty is not set.

mod writable;

use super::scalar::Scalar;
use crate::layout::Layout;
use crate::problem::suggest;
use crate::scope::Scope;
use crate::{BootSpec, OstreeDeploy, OstreeUpgrade, OstreeVerify, Problem, Step, StepAction};
use isotope_element::{Element, Origin, OstreeDeploySection, Phase, Template, Tree};
use std::collections::BTreeSet;
use std::path::PathBuf;

pub(super) use writable::{check_layout, check_steps};

/// What an `[ostree.compose]` of the build makes.
pub(super) struct Composed {
    /// Its element.
    pub element: String,
    /// `file://` of the repository.
    pub url: String,
    /// The ref that it moves.
    pub reference: String,
}

/// All `[ostree.deploy]` together.
struct Merged {
    stateroot: Scalar<String>,
    remote: Scalar<String>,
    url: Scalar<String>,
    reference: Scalar<String>,
    upgrade_url: Scalar<String>,
    upgrade_ref: Scalar<String>,
    verify: Scalar<bool>,
    gpg_keypath: Scalar<String>,
    root: Scalar<String>,
    gpg_keys: Vec<PathBuf>,
    ed25519_keys: Vec<String>,
    kernel_args: Vec<String>,
    origin: Origin,
}

/// The step that makes the root, if elements want a deployment.
pub(super) fn deploy(
    scope: &mut Scope<'_>,
    (layout, boot): (Option<&Layout>, Option<&BootSpec>),
    composed: Option<&Composed>,
    warnings: &mut Vec<String>,
) -> Option<Step> {
    let sections: Vec<(&Element, &OstreeDeploySection)> = scope
        .set
        .elements
        .iter()
        .filter_map(|element| Some((element, element.manifest.ostree.as_ref()?.deploy.as_ref()?)))
        .collect();
    let (first, section) = sections.first()?;
    let mut merged = Merged::new(first.origin(section.line));
    for (element, section) in &sections {
        merged.add(scope, element, section);
    }
    let before = scope.problems.len();
    let deploy = merged.settle(scope, layout, boot, composed);
    if scope.problems.len() > before {
        return None;
    }
    if deploy.verify == OstreeVerify::None && composed.is_none() {
        warnings.push(format!("the signature of {} from {} is not verified", deploy.rev, deploy.url));
    }
    match (&deploy.upgrade.url, &deploy.upgrade.verify) {
        (None, _) => warnings.push(
            "no URL for upgrades is given (ostree-deploy.upgrade_url): the image upgrades once its remote has one"
                .to_owned(),
        ),
        (Some(url), OstreeVerify::None) => {
            warnings.push(format!("the image upgrades from {url} without verifying signatures"))
        }
        (Some(_), _) => {}
    }
    let title = format!("deploy {} into the stateroot {}", deploy.rev, deploy.stateroot);
    let action = StepAction::OstreeDeploy(deploy);
    Some(Step { id: String::new(), phase: Phase::Root, origin: merged.origin, title, action })
}

impl Merged {
    fn new(origin: Origin) -> Self {
        Self {
            stateroot: Scalar::new("[ostree.deploy] stateroot"),
            remote: Scalar::new("[ostree.deploy] remote"),
            url: Scalar::new("[ostree.deploy] url"),
            reference: Scalar::new("[ostree.deploy] ref"),
            upgrade_url: Scalar::new("[ostree.deploy] upgrade_url"),
            upgrade_ref: Scalar::new("[ostree.deploy] upgrade_ref"),
            verify: Scalar::new("[ostree.deploy] verify"),
            gpg_keypath: Scalar::new("[ostree.deploy] gpg_keypath"),
            root: Scalar::new("[ostree.deploy] root"),
            gpg_keys: Vec::new(),
            ed25519_keys: Vec::new(),
            kernel_args: Vec::new(),
            origin,
        }
    }

    fn add(&mut self, scope: &mut Scope<'_>, element: &Element, section: &OstreeDeploySection) {
        let OstreeDeploySection {
            stateroot,
            remote,
            url,
            reference,
            upgrade_url,
            upgrade_ref,
            verify,
            gpg_keys,
            gpg_keypath,
            ed25519_keys,
            root,
            kernel_args,
            line,
        } = section;
        let origin = element.origin(*line);
        let texts: [(&mut Scalar<String>, &Option<Template>); 8] = [
            (&mut self.stateroot, stateroot),
            (&mut self.remote, remote),
            (&mut self.url, url),
            (&mut self.reference, reference),
            (&mut self.upgrade_url, upgrade_url),
            (&mut self.upgrade_ref, upgrade_ref),
            (&mut self.gpg_keypath, gpg_keypath),
            (&mut self.root, root),
        ];
        for (scalar, template) in texts {
            let value = scope.maybe(element, template.as_ref(), scalar.name);
            let value = value.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
            scalar.set(value, &origin, &mut scope.problems);
        }
        // The one that says where the commit comes from is whose deployment it is.
        if [&self.url, &self.reference, &self.stateroot].iter().any(|scalar| scalar.origin() == Some(&origin)) {
            self.origin = origin.clone();
        }
        let value = scope.truth(element, verify.as_ref(), "[ostree.deploy] verify");
        self.verify.set(value, &origin, &mut scope.problems);
        self.gpg_keys.extend(scope.list(element, gpg_keys, "a key file").into_iter().map(PathBuf::from));
        self.ed25519_keys.extend(scope.list(element, ed25519_keys, "a public key"));
        self.kernel_args.extend(scope.list(element, kernel_args, "a kernel argument"));
    }

    /// The whole step, or problems.
    fn settle(
        &self,
        scope: &mut Scope<'_>,
        layout: Option<&Layout>,
        boot: Option<&BootSpec>,
        composed: Option<&Composed>,
    ) -> OstreeDeploy {
        let (url, rev) = self.source(scope, composed);
        let stateroot = self.stateroot.value().cloned().unwrap_or_else(|| self.origin.element.clone());
        let remote = self.remote.value().cloned().unwrap_or_else(|| stateroot.clone());
        for (name, what) in [(&stateroot, "stateroot"), (&remote, "remote")] {
            if !is_name(name) {
                self.refuse(
                    scope,
                    format!("`{name}` is no name of a {what}"),
                    "letters, digits and `-_.`, a letter or digit first",
                );
            }
        }
        let keys = self.keys(scope);
        let upgrade_url = self.upgrade_url.value().cloned().or_else(|| composed.is_none().then(|| url.clone()));
        let urls: BTreeSet<&String> = [Some(&url), upgrade_url.as_ref()].into_iter().flatten().collect();
        for url in urls.into_iter().filter(|url| !url.is_empty() && !is_url(url)) {
            let remedy = "http://…, https:// or file:///…, or one of these behind `mirrorlist=`";
            self.refuse(scope, format!("`{url}` is no URL of an ostree repository"), remedy);
        }
        let is_branch = !is_commit(&rev);
        let reference = self.upgrade_ref.value().cloned().or_else(|| is_branch.then(|| rev.clone()));
        let (verify, upgrade_verify) = match (composed, keys) {
            // Composed here: nobody else has had it in hands. What comes later must be signed, if it can come at all.
            (Some(_), keys) => (OstreeVerify::None, keys.unwrap_or(OstreeVerify::None)),
            (None, Some(keys)) => (keys.clone(), keys),
            (None, None) => (OstreeVerify::None, OstreeVerify::None),
        };
        let wanted = self.verify.value() != Some(&false);
        let foreign = composed.is_none() || upgrade_url.is_some();
        if wanted && foreign && !rev.is_empty() && upgrade_verify == OstreeVerify::None {
            let what = if composed.is_none() { &url } else { upgrade_url.as_ref().unwrap_or(&url) };
            let message = format!("commits of {what} are to be verified, but no key is given");
            self.refuse(
                scope,
                message,
                "set ostree-deploy.gpg_keys, gpg_keypath or ed25519_keys; or ostree-deploy.verify=false",
            );
        }
        let root = self.root_of(scope, layout);
        let kernel_args = self.kernel_arguments(scope, &root, boot);
        let upgrade = OstreeUpgrade { url: upgrade_url, reference, verify: upgrade_verify };
        let composed = composed.is_some();
        OstreeDeploy { stateroot, remote, url, rev, composed, verify, upgrade, root, kernel_args }
    }

    fn source(&self, scope: &mut Scope<'_>, composed: Option<&Composed>) -> (String, String) {
        match (self.url.value(), self.reference.value(), composed) {
            (Some(url), _, Some(composed)) => {
                let message =
                    format!("the commit is composed by element {}, and to be pulled from {url}", composed.element);
                self.refuse(scope, message, "leave the url out, or the element with [ostree.compose]");
                (url.clone(), String::new())
            }
            (None, reference, Some(composed)) => {
                if reference.is_some_and(|reference| *reference != composed.reference) {
                    let message = format!(
                        "element {} composes {}, and {} is to be deployed",
                        composed.element,
                        composed.reference,
                        reference.map_or("", String::as_str)
                    );
                    self.refuse(scope, message, "leave the ref out");
                }
                (composed.url.clone(), composed.reference.clone())
            }
            (Some(url), Some(rev), None) => (url.clone(), rev.clone()),
            (url, _, None) => {
                let what = if url.is_some() {
                    "which ref or commit is deployed"
                } else {
                    "from which url the deployment is pulled"
                };
                let message = format!("it is not said {what}");
                let remedy = "set ostree-deploy.url and ostree-deploy.ref, or take an element that has them (fedora-atomic, debian-atomic)";
                self.refuse(scope, message, remedy);
                (String::new(), String::new())
            }
        }
    }

    /// Whose signatures are wanted; `None`: no key is given, or none is wanted.
    fn keys(&self, scope: &mut Scope<'_>) -> Option<OstreeVerify> {
        let gpg = !self.gpg_keys.is_empty() || self.gpg_keypath.value().is_some();
        let ed25519 = !self.ed25519_keys.is_empty();
        if self.verify.value() == Some(&false) {
            return None;
        }
        if gpg && ed25519 {
            self.refuse(
                scope,
                "both GPG and ed25519 keys are given".to_owned(),
                "a remote wants one kind of signature",
            );
        }
        if ed25519 {
            return Some(OstreeVerify::Ed25519 { keys: self.ed25519_keys.clone() });
        }
        gpg.then(|| OstreeVerify::Gpg { keys: self.gpg_keys.clone(), keypath: self.gpg_keypath.value().cloned() })
    }

    /// `UUID=…` or `LABEL=…` of the filesystem at `/`.
    fn root_of(&self, scope: &mut Scope<'_>, layout: Option<&Layout>) -> String {
        let by = self.root.value().map_or("uuid", String::as_str);
        let Some(root) = layout.and_then(Layout::root) else {
            // A layout without a root is a problem of its own; no layout at all makes a tree that nothing boots.
            return String::new();
        };
        match (by, &root.label) {
            ("uuid", _) => format!("UUID={}", root.uuid),
            ("label", Some(label)) => format!("LABEL={label}"),
            ("label", None) => {
                let message = "the root filesystem is to be found by its label, and has none".to_owned();
                self.refuse(scope, message, "give it one (vm.root_label), or root = \"uuid\"");
                String::new()
            }
            (other, _) => {
                self.refuse(
                    scope,
                    format!("unknown way `{other}` to find the root filesystem"),
                    &suggest(other, &["uuid", "label"]),
                );
                String::new()
            }
        }
    }

    fn kernel_arguments(&self, scope: &mut Scope<'_>, root: &str, boot: Option<&BootSpec>) -> Vec<String> {
        let mut arguments = Vec::new();
        if !root.is_empty() {
            arguments.extend([format!("root={root}"), "rw".to_owned()]);
        }
        arguments.extend(boot.iter().flat_map(|boot| &boot.kernel_args).cloned());
        arguments.extend(self.kernel_args.iter().cloned());
        arguments.extend(boot.iter().flat_map(|boot| &boot.consoles).map(|console| format!("console={console}")));
        for argument in &arguments {
            if let Some(fault) = fault(argument) {
                self.refuse(
                    scope,
                    format!("the kernel argument `{}` {fault}", argument.escape_debug()),
                    "give each argument on its own",
                );
            }
        }
        arguments
    }

    fn refuse(&self, scope: &mut Scope<'_>, message: String, remedy: &str) {
        scope.problem(Problem::configuration(message).at(&self.origin).remedy(remedy));
    }
}

/// What keeps a text from being a kernel argument in a boot entry.
fn fault(argument: &str) -> Option<&'static str> {
    if argument.chars().any(char::is_control) {
        return Some("has a line break or another control character");
    }
    if argument == "ostree" || argument.starts_with("ostree=") {
        return Some("is written by the deployment itself");
    }
    let mut quoted = false;
    for char in argument.chars() {
        quoted ^= char == '"';
        if char == ' ' && !quoted {
            return Some("has a blank outside of double quotes");
        }
    }
    quoted.then_some("has a double quote that is not closed")
}

/// Whether a text can name a stateroot or remote.
fn is_name(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.chars().all(|char| char.is_ascii_alphanumeric() || "-_.".contains(char))
}

fn is_url(text: &str) -> bool {
    let text = text.strip_prefix("mirrorlist=").unwrap_or(text);
    let known = ["http://", "https://", "file:///"];
    known.iter().any(|scheme| text.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty()))
        && !text.contains(char::is_whitespace)
}

/// A whole checksum, and not a branch.
fn is_commit(rev: &str) -> bool {
    rev.len() == 64 && rev.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// What cannot be had together with a deployment.
pub(super) fn contradictions(scope: &mut Scope<'_>) {
    if scope.target.tree != Tree::Ostree {
        return;
    }
    for element in &scope.set.elements {
        if let Some(section) = &element.manifest.bootstrap {
            let message = format!(
                "element {} makes a base tree of packages, and the root is a deployment of an ostree commit",
                element.name
            );
            let problem = Problem::configuration(message).at(&element.origin(section.line));
            scope.problem(problem.remedy(
                "leave it out: nothing is installed to be deleted afterwards, the commit is the operating system",
            ));
        }
    }
}
