//! What is asked of a guest that let us in: the harness's own checks, then those of the image's elements.

mod builtin;
mod run;

pub use run::{Progress, examine};
pub(crate) use run::{ask_root, chain, result_of};

use crate::firmware::Firmware;
use crate::life::Life;
use isotope_plan::Check;

/// What is to be asked.
#[derive(Debug, Clone, Default)]
pub struct CheckSet {
    /// The elements' checks.
    pub elements: Vec<Check>,
    /// What the harness itself wants to know; `None` asks nothing.
    pub builtin: Option<Expectations>,
    /// Where checks of kind `ostree-life` get their commits from; without it they are skipped.
    pub life: Option<Life>,
}

/// What the harness expects of the guest.
#[derive(Debug, Clone)]
pub struct Expectations {
    /// How it must have been booted.
    pub firmware: Firmware,
    /// The name that the seed gave it.
    pub hostname: Option<String>,
    /// It was never booted before: what is unique to a machine must have been made now.
    pub first_boot: bool,
    /// The machine-id inside the image, if it has one: the guest's must differ.
    pub image_machine_id: Option<String>,
    /// The root filesystem must fill its disk.
    pub grown: bool,
    /// cloud-init must have finished without an error.
    pub cloud_init: bool,
}
