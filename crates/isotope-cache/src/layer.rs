//! The description of a layer.

use crate::Key;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// Version of the description and of what it describes. A layer of another version is not there.
pub const FORMAT: u32 = 1;

/// What a key is made of: the name of each input (`file of element vm: install.d/10-x`, `variable vm.size`) and its value or digest.
pub type Inputs = BTreeMap<String, String>;

/// What is known of a layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// [`FORMAT`].
    pub format: u32,
    /// Its name.
    pub key: Key,
    /// The layer below it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Key>,
    /// The plan that made it first.
    pub name: String,
    /// Its steps, in order.
    pub steps: Vec<LayerStep>,
    /// What its key is made of. Secrets are not among them.
    pub inputs: Inputs,
    /// When it was made, in seconds since 1970.
    pub created: u64,
    /// How long its steps took.
    pub cost: Duration,
    /// Allocated bytes of its files.
    pub bytes: u64,
    /// How many names it has.
    pub files: u64,
    /// The boot of the host in which it was made (/proc/sys/kernel/random/boot_id), until its bytes are known to be on the disk: after a
    /// crash of the host, a layer of another boot is not trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_id: Option<String>,
    /// [`crate::content::digest`] of `upper`, once someone has asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// A step of a layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerStep {
    /// `install/03-packages`.
    pub id: String,
    /// For people.
    pub title: String,
    /// Whose step it is.
    pub element: String,
}
