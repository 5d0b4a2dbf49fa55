//! The FAT builder.

use super::pages::Pages;
use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// How the filesystem is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FatOptions {
    /// Bytes of the partition.
    pub size: u64,
    /// Logical sector size of the disk: 512 or 4096.
    pub sector_size: u32,
    /// Sectors before the partition on its disk (its first LBA); 0 for a bare filesystem.
    pub hidden_sectors: u32,
    /// Volume id (serial number).
    pub volume_id: u32,
    /// Volume label, at most 11 characters; stored in upper case.
    pub label: Option<String>,
    /// The one clock, in seconds since 1970: all files are made then. FAT counts 1980 to 2107, UTC here.
    pub epoch: u64,
}

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A directory. Parents of files need not be listed.
    Directory,
    /// A file with these bytes.
    Bytes(Vec<u8>),
    /// A file with the bytes of this file on the host.
    HostFile(PathBuf),
}

/// What was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FatSummary {
    /// 16 or 32.
    pub bits: u8,
    /// Bytes of a cluster.
    pub cluster_size: u32,
    /// Clusters in all.
    pub clusters: u32,
    /// Clusters that are free.
    pub free_clusters: u32,
}

/// Why the filesystem could not be made.
#[derive(Debug, thiserror::Error)]
pub enum FatError {
    /// Sector size is not 512 or 4096.
    #[error("FAT sector size is 512 or 4096, not {0}")]
    SectorSize(u32),
    /// Too small or too large.
    #[error("a FAT filesystem has {min} to {max} bytes with sectors of {sector_size} bytes, not {size}; change the size of the partition")]
    Size {
        /// Asked for.
        size: u64,
        /// Least.
        min: u64,
        /// Most.
        max: u64,
        /// Sector size.
        sector_size: u32,
    },
    /// The label cannot be stored.
    #[error("FAT label `{0}` must be 1 to 11 characters of A-Z, 0-9, space and !#$%&'()-@^_`{{}}~")]
    Label(String),
    /// A name cannot be stored.
    #[error("`{0}` cannot be a path on FAT: relative, 255 characters a name at most, none of \" * / : < > ? \\ | in it")]
    Name(String),
    /// Two names differ only in case.
    #[error("`{0}` and `{1}` differ only in case, which FAT does not tell apart; rename one")]
    Case(String, String),
    /// The files do not fit.
    #[error("the files need {needed} bytes of clusters, but the FAT filesystem has room for {room}; make the partition larger")]
    Full {
        /// Bytes needed.
        needed: u64,
        /// Bytes there are.
        room: u64,
    },
    /// Something in the directory is neither file nor directory.
    #[error("`{}` is neither a file nor a directory, and FAT has nothing else", .0.display())]
    Kind(PathBuf),
    /// A file on the host cannot be read.
    #[error("cannot read `{}`", path.display())]
    Input {
        /// Which.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The filesystem cannot be written.
    #[error("cannot write the FAT filesystem ({what})")]
    Write {
        /// What was being written.
        what: String,
        /// The cause.
        source: io::Error,
    },
}

/// Makes a FAT filesystem with `files` at the start of `target`, which must read as zeros. Paths are relative, `/`-separated.
///
/// # Errors
/// Sizes, names or labels that FAT cannot have, files that do not fit, or an I/O error.
pub fn build<T: Read + Write + Seek>(
    target: &mut T,
    options: &FatOptions,
    files: &BTreeMap<String, Content>,
) -> Result<FatSummary, FatError> {
    let _ = (target, options, files, Pages::new(0), SeekFrom::Start(0));
    Err(FatError::SectorSize(0))
}

/// FAT width (16 or 32) and cluster size for a partition.
///
/// # Errors
/// The size is out of range.
pub fn kind_for(size: u64, sector_size: u32) -> Result<(u8, u32), FatError> {
    let _ = size;
    Err(FatError::SectorSize(sector_size))
}

/// All files and directories below `dir`, for [`build`].
///
/// # Errors
/// Something cannot be read, is no file or directory, or has a name that is not UTF-8.
pub fn read_tree(dir: &Path) -> Result<BTreeMap<String, Content>, FatError> {
    Err(FatError::Kind(dir.to_owned()))
}
