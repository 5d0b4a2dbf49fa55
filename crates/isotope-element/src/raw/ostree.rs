//! `[ostree]` as it is written.

use super::forms::bool_or_template;
use super::{RawCondition, Scalar, Text};
use crate::document::At;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A root that is a deployment of an ostree commit.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Ostree")]
pub(crate) struct RawOstree {
    /// Deploy a commit. Several elements may have this: lists are joined, scalars must agree, empty ones are not set.
    pub deploy: Option<At<RawOstreeDeploy>>,
    /// Compose the commit from packages first.
    pub compose: Option<At<RawOstreeCompose>>,
}

/// A deployment.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "OstreeDeploy")]
pub(crate) struct RawOstreeDeploy {
    /// Name of the directory below /ostree/deploy; may be a template.
    pub stateroot: Option<Text>,
    /// Name of the remote, that of the stateroot by default; may be a template.
    pub remote: Option<Text>,
    /// Where the commit is pulled from, as http://, https:// or file://; may be a template. Without it the build composes the commit.
    pub url: Option<Text>,
    /// A branch or a commit; may be a template. Without it, what the build composed.
    #[serde(rename = "ref")]
    pub reference: Option<Text>,
    /// Where the booted system looks for upgrades, `url` by default; may be a template.
    pub upgrade_url: Option<Text>,
    /// The branch that the booted system follows, `ref` by default; may be a template.
    pub upgrade_ref: Option<Text>,
    /// Whether a signature is wanted: true (default), false, or a template.
    #[serde(default)]
    #[schemars(schema_with = "bool_or_template")]
    pub verify: Option<At<Scalar>>,
    /// Files on this host with GPG keys of which one must have signed; may be templates.
    #[serde(default)]
    pub gpg_keys: Vec<Text>,
    /// File or directory of GPG keys in the booted system; may be a template.
    pub gpg_keypath: Option<Text>,
    /// Public ed25519 keys in base64, of which one must have signed; may be templates.
    #[serde(default)]
    pub ed25519_keys: Vec<Text>,
    /// How the root filesystem is found: `uuid` (default), `label`, or a template.
    pub root: Option<Text>,
    /// Kernel arguments beside `root=`, `ostree=` and those of `bootloader`; may be templates.
    #[serde(default)]
    pub kernel_args: Vec<Text>,
}

/// A compose.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "OstreeCompose")]
pub(crate) struct RawOstreeCompose {
    /// Treefile in the element.
    pub treefile: At<String>,
    /// What the treefile sees as `${releasever}`; may be a template.
    pub release: Option<Text>,
    /// What it sees as `${NAME}`; may be templates.
    #[serde(default)]
    pub variables: BTreeMap<String, Text>,
    /// The ref, instead of the treefile's; may be a template.
    #[serde(rename = "ref")]
    pub reference: Option<Text>,
    /// Repository on this host, one in the cache by default; may be a template.
    pub repo: Option<Text>,
    /// Files on this host with secret ed25519 keys that sign the commit; may be templates.
    #[serde(default)]
    pub sign_keys: Vec<Text>,
    /// Make a static delta from the commit before: false (default), true, or a template.
    #[serde(default)]
    #[schemars(schema_with = "bool_or_template")]
    pub delta: Option<At<Scalar>>,
    /// Only if this holds.
    pub when: Option<At<RawCondition>>,
}
