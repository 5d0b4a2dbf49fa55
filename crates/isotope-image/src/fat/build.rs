//! The FAT builder.

use super::dots;
use super::pages::Pages;
use isotope_plan::calendar::Moment;
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
    #[error(
        "a FAT filesystem has {min} to {max} bytes with sectors of {sector_size} bytes, not {size}; change the size of the partition"
    )]
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
    #[error(
        "`{0}` cannot be a path on FAT: relative, 255 characters a name at most, none of \" * / : < > ? \\ | in it"
    )]
    Name(String),
    /// Two names differ only in case.
    #[error("`{0}` and `{1}` differ only in case, which FAT does not tell apart; rename one")]
    Case(String, String),
    /// The files do not fit.
    #[error(
        "the files need {needed} bytes of clusters, but the FAT filesystem has room for {room}; make the partition larger"
    )]
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

/// Clusters that FAT32 must have, so that every reader takes it for FAT32 (Microsoft, fatgen103: FAT type determination).
const FAT32_CLUSTERS: u64 = 65_525;
/// Clusters that FAT16 must have.
const FAT16_CLUSTERS: u64 = 4_085;

/// Makes a FAT filesystem with `files` at the start of `target`, which must read as zeros. Paths are relative, `/`-separated.
///
/// # Errors
/// Sizes, names or labels that FAT cannot have, files that do not fit, or an I/O error.
pub fn build<T: Read + Write + Seek>(
    target: &mut T,
    options: &FatOptions,
    files: &BTreeMap<String, Content>,
) -> Result<FatSummary, FatError> {
    let (bits, cluster_size) = kind_for(options.size, options.sector_size)?;
    check_names(files)?;
    let mut pages = Pages::new(options.size);
    format(&mut pages, options, bits, cluster_size)?;
    let summary = fill(&mut pages, options, files, bits)?;
    let mending = |source| FatError::Write { what: "directories".to_owned(), source };
    dots::mend(&mut pages, bits == 32).map_err(mending)?;
    if bits == 32 {
        note_free(&mut pages, options, summary.free_clusters)?;
    }
    let failed = |source| FatError::Write { what: "copying it to its place".to_owned(), source };
    pages
        .for_each(|offset, page| {
            target.seek(SeekFrom::Start(offset))?;
            target.write_all(page)
        })
        .map_err(failed)?;
    Ok(summary)
}

fn format(pages: &mut Pages, options: &FatOptions, bits: u8, cluster_size: u32) -> Result<(), FatError> {
    let failed = |what: &str| {
        let what = what.to_owned();
        move |source| FatError::Write { what, source }
    };
    let mut format = fatfs::FormatVolumeOptions::new()
        .bytes_per_sector(u16::try_from(options.sector_size).map_err(|_| FatError::SectorSize(options.sector_size))?)
        .total_sectors(u32::try_from(options.size / u64::from(options.sector_size)).unwrap_or(u32::MAX))
        .bytes_per_cluster(cluster_size)
        .fat_type(if bits == 32 { fatfs::FatType::Fat32 } else { fatfs::FatType::Fat16 })
        .volume_id(options.volume_id)
        .drive_num(0x80)
        .heads(255)
        .sectors_per_track(63);
    if let Some(label) = &options.label {
        format = format.volume_label(label_bytes(label)?);
    }
    fatfs::format_volume(&mut *pages, format).map_err(failed("formatting"))?;
    // fatfs writes no hidden sectors; firmware that boots by BIOS adds them to every address (offset 0x1c of the boot sector).
    let sector = u64::from(options.sector_size);
    let copies: &[u64] = if bits == 32 { &[0, 6] } else { &[0] };
    for copy in copies {
        pages.seek(SeekFrom::Start(copy * sector + 0x1c)).map_err(failed("the boot sector"))?;
        pages.write_all(&options.hidden_sectors.to_le_bytes()).map_err(failed("the boot sector"))?;
    }
    // fatfs opens a filesystem at the position of its disk.
    pages.rewind().map_err(failed("the boot sector"))
}

fn fill(
    pages: &mut Pages,
    options: &FatOptions,
    files: &BTreeMap<String, Content>,
    bits: u8,
) -> Result<FatSummary, FatError> {
    let failed = |what: &str| {
        let what = what.to_owned();
        move |source| FatError::Write { what, source }
    };
    let clock: &'static Clock = Box::leak(Box::new(Clock(date_time(options.epoch)))); // fatfs wants it for ever: 16 bytes a call
    let fs_options = fatfs::FsOptions::new().time_provider(clock).update_accessed_date(false);
    let fs = fatfs::FileSystem::new(&mut *pages, fs_options).map_err(failed("opening it"))?;
    let room =
        u64::from(fs.stats().map_err(failed("counting clusters"))?.free_clusters()) * u64::from(fs.cluster_size());
    let needed = needed(files, u64::from(fs.cluster_size()))?;
    if needed > room {
        return Err(FatError::Full { needed, room });
    }
    let root = fs.root_dir();
    for (path, content) in files {
        let mut parent = String::new();
        for part in path.split('/').rev().skip(1).collect::<Vec<_>>().into_iter().rev() {
            parent = if parent.is_empty() { part.to_owned() } else { format!("{parent}/{part}") };
            root.create_dir(&parent).map_err(failed(&parent))?;
        }
        let data = match content {
            Content::Directory => {
                root.create_dir(path).map_err(failed(path))?;
                continue;
            }
            Content::Bytes(data) => data.clone(),
            Content::HostFile(host) => {
                std::fs::read(host).map_err(|source| FatError::Input { path: host.clone(), source })?
            }
        };
        let mut file = root.create_file(path).map_err(failed(path))?;
        file.write_all(&data).map_err(failed(path))?;
        file.flush().map_err(failed(path))?;
    }
    let stats = fs.stats().map_err(failed("counting clusters"))?;
    let summary = FatSummary {
        bits,
        cluster_size: stats.cluster_size(),
        clusters: stats.total_clusters(),
        free_clusters: stats.free_clusters(),
    };
    drop(root);
    fs.unmount().map_err(failed("closing it"))?;
    Ok(summary)
}

/// Writes the true number of free clusters into the FSInfo sector, in both copies.
fn note_free(pages: &mut Pages, options: &FatOptions, free: u32) -> Result<(), FatError> {
    let failed = |source| FatError::Write { what: "the FSInfo sector".to_owned(), source };
    for sector in [1_u64, 7] {
        let offset = sector * u64::from(options.sector_size);
        let mut lead = [0; 4];
        pages.seek(SeekFrom::Start(offset)).map_err(failed)?;
        pages.read_exact(&mut lead).map_err(failed)?;
        if lead == *b"RRaA" {
            pages.seek(SeekFrom::Start(offset + 488)).map_err(failed)?;
            pages.write_all(&free.to_le_bytes()).map_err(failed)?;
        }
    }
    Ok(())
}

/// FAT width (16 or 32) and cluster size for a partition: FAT32 with the largest clusters up to 4 KiB that leave enough of them,
/// else FAT16.
///
/// # Errors
/// The size is out of range.
pub fn kind_for(size: u64, sector_size: u32) -> Result<(u8, u32), FatError> {
    if !matches!(sector_size, 512 | 4096) {
        return Err(FatError::SectorSize(sector_size));
    }
    let sector = u64::from(sector_size);
    let (min, max) = (FAT16_CLUSTERS * sector * 11 / 10, u64::from(u32::MAX) * sector);
    // Two FATs of four bytes an entry, the reserved sectors, and some slack.
    let clusters = |cluster: u64| size.saturating_sub(64 * sector) / (cluster + 8);
    let mut cluster = 4096.max(sector);
    while cluster >= sector {
        if clusters(cluster) >= FAT32_CLUSTERS + 32 {
            let large = size / (cluster << 21);
            return Ok((32, u32::try_from(cluster << large.min(3)).unwrap_or(32768)));
        }
        cluster /= 2;
    }
    let mut cluster = sector;
    while cluster <= 32768 {
        let count = size.saturating_sub(64 * sector) / (cluster + 4);
        if (FAT16_CLUSTERS + 16..65_500).contains(&count) {
            return Ok((16, u32::try_from(cluster).unwrap_or(32768)));
        }
        cluster *= 2;
    }
    Err(FatError::Size { size, min, max, sector_size })
}

/// All files and directories below `dir`, for [`build`].
///
/// # Errors
/// Something cannot be read, is no file or directory, or has a name that is not UTF-8.
pub fn read_tree(dir: &Path) -> Result<BTreeMap<String, Content>, FatError> {
    let mut files = BTreeMap::new();
    let mut stack = vec![(dir.to_owned(), String::new())];
    while let Some((dir, prefix)) = stack.pop() {
        let failed = |source| FatError::Input { path: dir.clone(), source };
        for entry in std::fs::read_dir(&dir).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name =
                entry.file_name().into_string().map_err(|name| FatError::Name(name.to_string_lossy().into_owned()))?;
            let path = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
            let kind = entry.file_type().map_err(failed)?;
            if kind.is_dir() {
                stack.push((entry.path(), path.clone()));
                files.insert(path, Content::Directory);
            } else if kind.is_file() {
                files.insert(path, Content::HostFile(entry.path()));
            } else {
                return Err(FatError::Kind(entry.path()));
            }
        }
    }
    Ok(files)
}

/// Bytes of clusters that the files and directories take, directories by a generous guess.
fn needed(files: &BTreeMap<String, Content>, cluster: u64) -> Result<u64, FatError> {
    let mut sum = 0;
    for content in files.values() {
        sum += match content {
            Content::Directory => cluster,
            Content::Bytes(data) => (data.len() as u64).next_multiple_of(cluster),
            Content::HostFile(path) => {
                let meta = path.metadata().map_err(|source| FatError::Input { path: path.clone(), source })?;
                meta.len().next_multiple_of(cluster)
            }
        };
    }
    Ok(sum)
}

fn check_names(files: &BTreeMap<String, Content>) -> Result<(), FatError> {
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    for path in files.keys() {
        let odd = |c: char| c.is_control() || "\"*:<>?\\|".contains(c);
        if path.split('/').any(|part| {
            part.is_empty() || part == "." || part == ".." || part.chars().count() > 255 || part.contains(odd)
        }) {
            return Err(FatError::Name(path.clone()));
        }
        if let Some(other) = seen.insert(path.to_uppercase(), path) {
            return Err(FatError::Case(other.to_owned(), path.clone()));
        }
    }
    Ok(())
}

fn label_bytes(label: &str) -> Result<[u8; 11], FatError> {
    let upper = label.to_ascii_uppercase();
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b" !#$%&'()-@^_`{}~".contains(&byte);
    if upper.is_empty() || upper.len() > 11 || !upper.bytes().all(fits) {
        return Err(FatError::Label(label.to_owned()));
    }
    let mut bytes = [b' '; 11];
    bytes[..upper.len()].copy_from_slice(upper.as_bytes());
    Ok(bytes)
}

/// The one clock.
#[derive(Debug)]
struct Clock(fatfs::DateTime);

impl fatfs::TimeProvider for Clock {
    fn get_current_date(&self) -> fatfs::Date {
        self.0.date
    }

    fn get_current_date_time(&self) -> fatfs::DateTime {
        self.0
    }
}

/// UTC, held between 1980 and 2107.
fn date_time(epoch: u64) -> fatfs::DateTime {
    let Moment { year, month, day, hour, minute, second } = Moment::of(epoch.clamp(315_532_800, 4_354_819_198));
    let small = |value: u64| u16::try_from(value).unwrap_or(0);
    fatfs::DateTime {
        date: fatfs::Date { year: small(year), month: small(month), day: small(day) },
        time: fatfs::Time { hour: small(hour), min: small(minute), sec: small(second), millis: 0 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use isotope_sys::command::Tool;

    fn options(size: u64, sector_size: u32) -> FatOptions {
        FatOptions {
            size,
            sector_size,
            hidden_sectors: 2048,
            volume_id: 0x1234_abcd,
            label: Some("esp".to_owned()),
            epoch: 1_700_000_000,
        }
    }

    fn made(size: u64, sector_size: u32) -> (Vec<u8>, FatSummary) {
        let files = BTreeMap::from([
            ("EFI/BOOT/BOOTX64.EFI".to_owned(), Content::Bytes(vec![7; 100_000])),
            ("EFI/debian/a rather long name.cfg".to_owned(), Content::Bytes(b"hello".to_vec())),
            ("empty".to_owned(), Content::Directory),
        ]);
        let mut target = io::Cursor::new(vec![0; usize::try_from(size).unwrap()]);
        let summary = build(&mut target, &options(size, sector_size), &files).unwrap();
        (target.into_inner(), summary)
    }

    #[test]
    fn fsck_agrees_and_bytes_repeat() {
        for (size, sector, bits) in [
            (128 << 20, 512, 32),
            (40 << 20, 512, 32),
            (16 << 20, 512, 16),
            (300 << 20, 4096, 32),
            (64 << 20, 4096, 16),
        ] {
            let (bytes, summary) = made(size, sector);
            assert_eq!(summary.bits, bits, "{size} {sector}");
            assert!(bytes == made(size, sector).0, "the same files give other bytes");
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("fat.img");
            std::fs::write(&path, &bytes).unwrap();
            let output = Tool::new("fsck.fat").arg("-n").arg("-v").arg(&path).run().unwrap().text();
            assert!(
                output.lines().last().is_some_and(|line| line.contains("files,")) && !output.contains("rong"),
                "{size} {sector}: {output}"
            );
            assert_eq!(&bytes[0x1c..0x20], &2048_u32.to_le_bytes());
        }
    }

    #[test]
    fn names_labels_and_sizes_that_cannot_be_are_refused() {
        let one = |name: &str| BTreeMap::from([(name.to_owned(), Content::Bytes(Vec::new()))]);
        let run = |files: &BTreeMap<String, Content>, options: &FatOptions| {
            build(&mut io::Cursor::new(vec![0; 16 << 20]), options, files).unwrap_err().to_string()
        };
        assert!(run(&one("a:b"), &options(16 << 20, 512)).contains("a:b"));
        let mut two = one("README");
        two.insert("readme".to_owned(), Content::Bytes(Vec::new()));
        assert!(run(&two, &options(16 << 20, 512)).contains("differ only in case"));
        let large = BTreeMap::from([("x".to_owned(), Content::Bytes(vec![1; 17 << 20]))]);
        assert!(run(&large, &options(16 << 20, 512)).contains("larger"));
        assert!(
            run(&one("a"), &FatOptions { label: Some("twelve chars".into()), ..options(16 << 20, 512) })
                .contains("11 characters")
        );
        assert!(kind_for(1 << 20, 512).is_err());
    }

    #[test]
    fn the_clock_is_utc() {
        let at = date_time(1_700_000_000);
        assert_eq!(
            (at.date.year, at.date.month, at.date.day, at.time.hour, at.time.min, at.time.sec),
            (2023, 11, 14, 22, 13, 20)
        );
        assert_eq!(date_time(0).date.year, 1980);
        assert_eq!((date_time(951_782_400).date.month, date_time(951_782_400).date.day), (2, 29));
    }
}
