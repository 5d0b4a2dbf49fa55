//! `[ostree]`: a root that is a deployment of an ostree commit, and where that commit comes from.

use crate::{Condition, Template};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// `[ostree]`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OstreeSection {
    /// `[ostree.deploy]`.
    pub deploy: Option<OstreeDeploySection>,
    /// `[ostree.compose]`.
    pub compose: Option<OstreeComposeSection>,
}

/// `[ostree.deploy]`. Several elements may have one: the planner joins lists and refuses differing scalars; text that renders empty
/// is not set.
#[derive(Debug, Clone, PartialEq)]
pub struct OstreeDeploySection {
    /// Name of the directory below `/ostree/deploy`.
    pub stateroot: Option<Template>,
    /// Name of the remote; `None`: that of the stateroot.
    pub remote: Option<Template>,
    /// Where the commit is pulled from; `None`: composed by the set's `[ostree.compose]`.
    pub url: Option<Template>,
    /// A branch or a commit; `None`: the composed one.
    pub reference: Option<Template>,
    /// Where the booted system looks for upgrades; `None`: at `url`.
    pub upgrade_url: Option<Template>,
    /// The branch that it follows; `None`: `reference`, where that is a branch.
    pub upgrade_ref: Option<Template>,
    /// Whether signatures are wanted, a bool; `None`: yes.
    pub verify: Option<Template>,
    /// Files on this host with GPG keys of which one must have signed.
    pub gpg_keys: Vec<Template>,
    /// Where the booted system has such keys itself.
    pub gpg_keypath: Option<Template>,
    /// Public ed25519 keys, in base64.
    pub ed25519_keys: Vec<Template>,
    /// How the root filesystem is found: `uuid` (default) or `label`.
    pub root: Option<Template>,
    /// Kernel arguments of the deployment, beside `root=`, `ostree=` and those of `[bootloader]`.
    pub kernel_args: Vec<Template>,
    /// Line.
    pub line: u32,
}

/// `[ostree.compose]`.
#[derive(Debug, Clone, PartialEq)]
pub struct OstreeComposeSection {
    /// The treefile, absolute, inside the element.
    pub treefile: PathBuf,
    /// `${releasever}` in it.
    pub release: Option<Template>,
    /// Variables that it sees as `${NAME}`.
    pub variables: BTreeMap<String, Template>,
    /// The ref, instead of the treefile's.
    pub reference: Option<Template>,
    /// The repository, a directory on this host; `None`: one in the cache.
    pub repo: Option<Template>,
    /// Files on this host with secret ed25519 keys that sign the commit.
    pub sign_keys: Vec<Template>,
    /// Make a static delta from the commit before, a bool; `None`: no.
    pub delta: Option<Template>,
    /// Condition.
    pub when: Condition,
    /// Line.
    pub line: u32,
}

impl OstreeSection {
    /// Every template.
    pub(super) fn templates<'t>(&'t self, all: &mut Vec<&'t Template>) {
        let Self { deploy, compose } = self;
        if let Some(OstreeDeploySection {
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
            line: _,
        }) = deploy
        {
            let scalars = [stateroot, remote, url, reference, upgrade_url, upgrade_ref, verify, gpg_keypath, root];
            all.extend(scalars.into_iter().flatten().chain(gpg_keys).chain(ed25519_keys).chain(kernel_args));
        }
        if let Some(OstreeComposeSection {
            treefile: _,
            release,
            variables,
            reference,
            repo,
            sign_keys,
            delta,
            when: _,
            line: _,
        }) = compose
        {
            let scalars = [release, reference, repo, delta];
            all.extend(scalars.into_iter().flatten().chain(variables.values()).chain(sign_keys));
        }
    }
}
