//! The state directory of `dib-block-device`: what was made, and the seed of its ids.

use crate::exit::{Class, Failure};
use anyhow::Context as _;
use isotope_disk::dib::DibState;
use std::io::ErrorKind;
use std::path::Path;

/// What is known of the disks; nothing before they are made.
pub struct State(pub Option<DibState>);

impl State {
    pub fn load(directory: &Path) -> anyhow::Result<Self> {
        let read = DibState::load(directory);
        read.map(Self).with_context(|| format!("cannot read the state of the disks in {}", directory.display()))
    }

    /// Whether disks were made.
    pub const fn is_there(&self) -> bool {
        self.0.is_some()
    }

    /// The state of disks that were made.
    pub fn made(self) -> anyhow::Result<DibState> {
        let failure = || Failure::new(Class::Verdict, "State dump not found: no disk was made yet");
        Ok(self.0.ok_or_else(|| failure().hint("`dib-block-device create` makes them"))?)
    }
}

/// The seed of this build's ids: random, and the same in every call.
pub fn seed(directory: &Path) -> anyhow::Result<uuid::Uuid> {
    let file = directory.join("seed");
    let parse = |text: &str| uuid::Uuid::try_parse(text.trim());
    match std::fs::read_to_string(&file) {
        Ok(text) => parse(&text).with_context(|| format!("{} holds no UUID", file.display())),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let random = std::fs::read_to_string("/proc/sys/kernel/random/uuid").context("cannot get a random UUID")?;
            write(directory, "seed", random.as_bytes())?;
            Ok(parse(&random)?)
        }
        Err(error) => Err(error).with_context(|| format!("cannot read {}", file.display())),
    }
}

/// Writes a file of the directory, which is made.
pub fn write(directory: &Path, name: &str, text: &[u8]) -> anyhow::Result<()> {
    let write = || {
        std::fs::create_dir_all(directory)?;
        std::fs::write(directory.join(name), text)
    };
    write().with_context(|| format!("cannot write {}", directory.join(name).display()))
}

/// Removes the directory, which is empty but for what is written here.
pub fn remove(directory: &Path) -> anyhow::Result<()> {
    for name in ["state.json", "config.json", "seed", "fstab"] {
        remove_file(&directory.join(name))?;
    }
    match std::fs::remove_dir(directory) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", directory.display()))
        }
        _ => Ok(()),
    }
}

/// Removes a file, if it is there.
pub fn remove_file(file: &Path) -> anyhow::Result<()> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", file.display()))
        }
        _ => Ok(()),
    }
}
