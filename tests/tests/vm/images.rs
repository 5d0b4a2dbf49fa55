//! The images under test: given by the environment, or built once by the `isotope` binary.

use anyhow::{Context, ensure};
use isotope_sys::command::Tool;
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock};
use std::time::Instant;

/// An image that scenarios boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The default recipe, ext4.
    Cloud,
    /// Its root on xfs.
    Xfs,
    /// Its root on btrfs.
    Btrfs,
    /// Docker on a thin pool, of Debian 12.
    Storage,
    /// The default of `cargo xtask build`: a deployment of a tree composed here.
    Atomic,
    /// The same as a deployment.
    StorageAtomic,
    /// A deployment of Debian 13 with docker on a root volume.
    StorageTrixie,
    /// What Magnum boots.
    Magnum,
}

impl Kind {
    /// Its recipe's name and directory.
    fn recipe(self) -> (&'static str, &'static str) {
        match self {
            Self::Cloud => ("recipes", "debian-cloud"),
            Self::Xfs => ("recipes", "debian-cloud-xfs"),
            Self::Btrfs => ("recipes", "debian-cloud-btrfs"),
            Self::Storage => ("tests/recipes", "storage"),
            Self::Atomic => ("recipes", "debian-atomic"),
            Self::StorageAtomic => ("tests/recipes", "storage-atomic"),
            Self::StorageTrixie => ("tests/recipes", "storage-atomic-trixie"),
            Self::Magnum => ("recipes", "magnum-atomic"),
        }
    }

    fn variable(self) -> &'static str {
        match self {
            Self::Cloud => "ISOTOPE_TEST_IMAGE",
            Self::Xfs => "ISOTOPE_TEST_IMAGE_XFS",
            Self::Btrfs => "ISOTOPE_TEST_IMAGE_BTRFS",
            Self::Storage => "ISOTOPE_TEST_IMAGE_STORAGE",
            Self::Atomic => "ISOTOPE_TEST_IMAGE_ATOMIC",
            Self::StorageAtomic => "ISOTOPE_TEST_IMAGE_STORAGE_ATOMIC",
            Self::StorageTrixie => "ISOTOPE_TEST_IMAGE_STORAGE_TRIXIE",
            Self::Magnum => "ISOTOPE_TEST_IMAGE_MAGNUM",
        }
    }
}

/// Images, each made when it is first asked for.
pub struct Images {
    dir: PathBuf,
    made: [OnceLock<Result<PathBuf, String>>; 8],
    /// Two builds at once would only be slower.
    building: Mutex<()>,
}

impl Images {
    pub fn new(dir: PathBuf) -> Self {
        Self { dir, made: Default::default(), building: Mutex::new(()) }
    }

    /// The image; everybody else who asks waits while it is built.
    pub fn get(&self, kind: Kind) -> anyhow::Result<PathBuf> {
        let made = self.made[kind as usize].get_or_init(|| self.make(kind).map_err(|error| format!("{error:#}")));
        made.clone().map_err(anyhow::Error::msg)
    }

    fn make(&self, kind: Kind) -> anyhow::Result<PathBuf> {
        if let Some(given) = std::env::var_os(kind.variable()) {
            let path = PathBuf::from(given);
            return path.canonicalize().with_context(|| format!("{} names {}", kind.variable(), path.display()));
        }
        let _one_at_a_time = self.building.lock().unwrap();
        let started = Instant::now();
        let (dir, name) = kind.recipe();
        let root = isotope_tests::root();
        std::fs::create_dir_all(&self.dir)?;
        Tool::new(isotope_tests::isotope())
            .args(["build", "--log-format", "text", "--recipe"])
            .arg(root.join(dir).join(format!("{name}.toml")))
            .arg("--output-dir")
            .arg(&self.dir)
            .current_dir(&root)
            .run()
            .with_context(|| format!("building {name} failed"))?;
        let image = self.dir.join(format!("{name}.qcow2"));
        ensure!(image.is_file(), "the build made no {}", image.display());
        println!("built  {:>6.1} s  {}", started.elapsed().as_secs_f64(), image.display());
        Ok(image)
    }
}
