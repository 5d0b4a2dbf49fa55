//! Unpacks packages that are not installed yet: all at once, on all processors.
//!
//! In: opened packages and a target. Out: for each the list of its paths, or the reason to leave it to dpkg. What it
//! leaves in the tree is what `dpkg --unpack` leaves: configuration files as `NAME.dpkg-new`, everything else in its
//! place with owner, mode and time of the archive; directories that are there stay as they are. The database is not
//! touched here, and no script runs.

use super::claims::{Claims, DirClaim, is_dir};
use crate::package::deb::inflate::inflate;
use crate::package::deb::{Deb, DebError};
use isotope_sys::target::{TargetDir, TargetError, TargetPath};
use rustix::fs::{self, AtFlags, CWD, FileType, Gid, Mode, OFlags, Timespec, Timestamps, Uid};
use rustix::io::Errno;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZero;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use tar::EntryType;

/// Directories a thread keeps open.
const OPEN_DIRS: usize = 128;

/// Why unpacking stopped.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// A package file is damaged.
    #[error(transparent)]
    Deb(#[from] DebError),
    /// The target refuses.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The target's file system refuses.
    #[error("cannot unpack {path} of package {package}")]
    Write {
        /// The package.
        package: String,
        /// The path in the target.
        path: String,
        /// The cause.
        source: std::io::Error,
    },
    /// A path in a package leads out of its archive.
    #[error("package {package} contains the path `{path}`, which no package may")]
    Path {
        /// The package.
        package: String,
        /// The path.
        path: String,
    },
}

/// What became of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unpacked {
    /// Its paths, in the order of its archive, as dpkg lists them.
    Done(Vec<Vec<u8>>),
    /// It is left to dpkg, and why.
    Refused(String),
}

/// The paths of an unpacked package.
type Listed = Result<Vec<Vec<u8>>, UnpackError>;

/// What to unpack.
pub struct Work<'a> {
    /// Packages, in the order in which dpkg would unpack them.
    pub debs: &'a [&'a Deb],
    /// Packages that dpkg will unpack, to be made easy for it in this directory meanwhile.
    pub for_dpkg: (&'a [&'a Deb], &'a Path),
    /// Hears of each unpacked package.
    pub on_package: &'a (dyn Fn(&Deb) + Sync),
}

/// Unpacks packages.
///
/// # Errors
/// A package is damaged or the target refuses; the tree is then of no use.
pub fn unpack_all(target: &TargetDir, work: &Work<'_>) -> Result<Vec<Unpacked>, UnpackError> {
    let Work { debs, for_dpkg: (for_dpkg, dir), on_package } = *work;
    let claims = Claims::of(target)?;
    let owners = Owners::of(target)?;
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get).min(debs.len() + for_dpkg.len());
    // The biggest first: the last to end should be small.
    let mut order: Vec<usize> = (0..debs.len() + for_dpkg.len()).collect();
    let all = |index: usize| debs.get(index).copied().unwrap_or_else(|| for_dpkg[index - debs.len()]);
    order.sort_by_key(|index| std::cmp::Reverse(all(*index).data_size()));
    let next = AtomicUsize::new(0);
    let stop = AtomicBool::new(false);
    let results: Mutex<BTreeMap<usize, Listed>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut dirs = Dirs { target, open: HashMap::new() };
                while let Some(index) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let deb = all(*index);
                    if *index >= debs.len() {
                        // Without a copy, dpkg takes the package as it is.
                        inflate(deb, dir, &stop).ok();
                        continue;
                    }
                    let mut one =
                        One { dirs: &mut dirs, claims: &claims, owners: &owners, index: *index, deb, list: Vec::new() };
                    let result = one.unpack().map(|()| one.list);
                    stop.fetch_or(result.is_err(), Ordering::Relaxed);
                    results.lock().unwrap_or_else(PoisonError::into_inner).insert(*index, result);
                    on_package(deb);
                }
            });
        }
    });
    let mut refused = claims.refused();
    let results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results
        .into_iter()
        .map(|(index, result)| {
            result.map(|list| refused.remove(&index).map_or(Unpacked::Done(list), Unpacked::Refused))
        })
        .collect()
}

/// Directories of the target, held open by their path.
struct Dirs<'a> {
    target: &'a TargetDir,
    open: HashMap<Vec<u8>, OwnedFd>,
}

impl Dirs<'_> {
    fn open(&mut self, path: &[u8]) -> Result<BorrowedFd<'_>, TargetError> {
        if !self.open.contains_key(path) {
            if self.open.len() >= OPEN_DIRS {
                self.open.clear();
            }
            let name = TargetPath::new(OsStr::from_bytes(if path.is_empty() { b"/" } else { path }));
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let fd = match self.target.open_at(name, flags, 0) {
                Err(error) if error.source.kind() == std::io::ErrorKind::NotFound => {
                    self.target.create_dir_all(name, 0o755)?;
                    self.target.open_at(name, flags, 0)?
                }
                result => result?,
            };
            self.open.insert(path.to_vec(), fd);
        }
        Ok(self.open.get(path).map_or(CWD, AsFd::as_fd))
    }
}

/// Numbers of the users and groups that the target knows by name; dpkg prefers names to numbers.
#[derive(Debug, Default)]
struct Owners {
    users: BTreeMap<Vec<u8>, u32>,
    groups: BTreeMap<Vec<u8>, u32>,
}

impl Owners {
    fn of(target: &TargetDir) -> Result<Self, TargetError> {
        let table = |path: &str| -> Result<BTreeMap<Vec<u8>, u32>, TargetError> {
            let text = if target.exists(path) { target.read_text(path)? } else { String::new() };
            let line = |line: &str| {
                let mut fields = line.split(':');
                let name = fields.next()?.as_bytes().to_vec();
                Some((name, fields.nth(1)?.parse().ok()?))
            };
            Ok(text.lines().filter_map(line).collect())
        };
        Ok(Self { users: table("/etc/passwd")?, groups: table("/etc/group")? })
    }

    fn of_header(&self, header: &tar::Header) -> std::io::Result<(Uid, Gid)> {
        let number = |table: &BTreeMap<Vec<u8>, u32>, name: Option<&[u8]>, number: u64| match name
            .and_then(|name| table.get(name))
        {
            Some(number) => Ok(*number),
            None => u32::try_from(number).map_err(|_| std::io::Error::other("an owner's number is out of range")),
        };
        let user = number(&self.users, header.username_bytes(), header.uid()?)?;
        let group = number(&self.groups, header.groupname_bytes(), header.gid()?)?;
        Ok((Uid::from_raw(user), Gid::from_raw(group)))
    }
}

/// What every entry has.
struct Attributes {
    user: Uid,
    group: Gid,
    mode: Mode,
    times: Timestamps,
}

impl Attributes {
    fn of(header: &tar::Header, owners: &Owners) -> std::io::Result<Self> {
        let (user, group) = owners.of_header(header)?;
        let time = Timespec { tv_sec: i64::try_from(header.mtime()?).unwrap_or(0), tv_nsec: 0 };
        let times = Timestamps { last_access: time, last_modification: time };
        Ok(Self { user, group, mode: Mode::from_raw_mode(header.mode()? & 0o7777), times })
    }

    fn apply_to_fd(&self, fd: BorrowedFd<'_>) -> Result<(), Errno> {
        fs::fchown(fd, Some(self.user), Some(self.group))?;
        fs::fchmod(fd, self.mode)?;
        fs::futimens(fd, &self.times)
    }

    fn apply_to_name(&self, dir: BorrowedFd<'_>, name: &OsStr, with_mode: bool) -> Result<(), Errno> {
        fs::chownat(dir, name, Some(self.user), Some(self.group), AtFlags::SYMLINK_NOFOLLOW)?;
        if with_mode {
            fs::chmodat(dir, name, self.mode, AtFlags::empty())?;
        }
        fs::utimensat(dir, name, &self.times, AtFlags::SYMLINK_NOFOLLOW)
    }
}

/// The unpacking of one package.
struct One<'a, 'b> {
    dirs: &'a mut Dirs<'b>,
    claims: &'a Claims,
    owners: &'a Owners,
    index: usize,
    deb: &'a Deb,
    list: Vec<Vec<u8>>,
}

impl One<'_, '_> {
    /// Ends early, without an error, when the package has been refused.
    fn unpack(&mut self) -> Result<(), UnpackError> {
        let deb = self.deb;
        let conffiles = conffiles(&deb.file_text("conffiles"));
        let mut archive = tar::Archive::new(deb.data()?);
        for entry in archive.entries().map_err(|source| deb.damaged(source))? {
            let mut entry = entry.map_err(|source| deb.damaged(source))?;
            let kind = entry.header().entry_type();
            if kind == EntryType::XGlobalHeader {
                continue;
            }
            let path = self.clean(&entry.path_bytes())?;
            self.list.push(if path.is_empty() { b"/.".to_vec() } else { path.clone() });
            if path.is_empty() {
                continue;
            }
            let attributes = Attributes::of(entry.header(), self.owners).map_err(|source| deb.damaged(source))?;
            let go_on = if kind.is_dir() {
                self.directory(&path, &attributes)?
            } else {
                self.claims.file(&path, self.index) && self.leaf(&path, &mut entry, &attributes, &conffiles)?
            };
            if !go_on {
                break;
            }
        }
        Ok(())
    }

    /// `./usr/bin/` → `/usr/bin`; the archive's root → nothing.
    fn clean(&self, path: &[u8]) -> Result<Vec<u8>, UnpackError> {
        let mut clean = Vec::with_capacity(path.len() + 1);
        for part in path.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".") {
            if part == b".." {
                let path = String::from_utf8_lossy(path).into_owned();
                return Err(UnpackError::Path { package: self.deb.name().to_owned(), path });
            }
            clean.push(b'/');
            clean.extend(part);
        }
        Ok(clean)
    }

    fn directory(&mut self, path: &[u8], attributes: &Attributes) -> Result<bool, UnpackError> {
        let mut claim = self.claims.dir(path, self.index);
        let (parent, name) = split(path);
        let name = OsStr::from_bytes(name);
        let deb = self.deb;
        let failed = |errno: Errno| write_error(deb, path, errno);
        if claim == DirClaim::Taken {
            return Ok(true);
        }
        let target = self.dirs.target;
        let parent = self.dirs.open(parent)?;
        let mut blocked = false;
        if claim == DirClaim::New {
            let made = self.claims.make_dir(path, self.index, || {
                match fs::mkdirat(parent, name, Mode::from_raw_mode(0o700)) {
                    Ok(()) => attributes.apply_to_name(parent, name, true).map(|()| true),
                    Err(Errno::EXIST) => {
                        let is = target.metadata(TargetPath::new(OsStr::from_bytes(path)));
                        blocked = !matches!(is, Ok(Some(stat)) if is_dir(stat.st_mode));
                        Ok(false)
                    }
                    Err(errno) => Err(errno),
                }
            });
            claim = made.map_err(failed)?;
        }
        if blocked {
            self.claims.refuse(self.index, format!("{} is there and not a directory", String::from_utf8_lossy(path)));
            return Ok(false);
        }
        if claim == DirClaim::Earlier {
            let dir = fs::openat(parent, name, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
            dir.and_then(|dir| attributes.apply_to_fd(dir.as_fd())).map_err(failed)?;
        }
        Ok(true)
    }

    /// A file, link, FIFO or device. False if something is in its place.
    fn leaf<R: Read>(
        &mut self,
        path: &[u8],
        entry: &mut tar::Entry<'_, R>,
        attributes: &Attributes,
        conffiles: &BTreeSet<Vec<u8>>,
    ) -> Result<bool, UnpackError> {
        let kind = entry.header().entry_type();
        let link = entry.link_name_bytes().map(|link| link.into_owned()).unwrap_or_default();
        let device = (entry.header().device_major().ok().flatten(), entry.header().device_minor().ok().flatten());
        let on_disk =
            |path: &[u8]| if conffiles.contains(path) { [path, b".dpkg-new"].concat() } else { path.to_vec() };
        let place = on_disk(path);
        let (parent, name) = split(&place);
        let name = OsStr::from_bytes(name);
        let made = match kind {
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let made = fs::openat(self.dirs.open(parent)?, name, flags, Mode::from_raw_mode(0o600));
                match made {
                    Ok(file) => {
                        self.fill(File::from(file), path, entry, attributes)?;
                        Ok(())
                    }
                    Err(errno) => Err(errno),
                }
            }
            EntryType::Symlink => {
                let dir = self.dirs.open(parent)?;
                match fs::symlinkat(OsStr::from_bytes(&link), dir, name) {
                    // Made before the first package, as a bootstrap makes the links of a merged /usr.
                    Err(Errno::EXIST)
                        if fs::readlinkat(dir, name, Vec::new()).is_ok_and(|is| is.as_bytes() == link) =>
                    {
                        Ok(())
                    }
                    result => result,
                }
                .and_then(|()| attributes.apply_to_name(dir, name, false))
            }
            EntryType::Link => {
                let from = on_disk(&self.clean(&link)?);
                let (from_parent, from_name) = split(&from);
                let from_dir = rustix::io::fcntl_dupfd_cloexec(self.dirs.open(from_parent)?, 3)
                    .map_err(|errno| write_error(self.deb, path, errno))?;
                fs::linkat(from_dir, OsStr::from_bytes(from_name), self.dirs.open(parent)?, name, AtFlags::empty())
            }
            EntryType::Fifo | EntryType::Char | EntryType::Block => {
                let dir = self.dirs.open(parent)?;
                let file_type = match kind {
                    EntryType::Fifo => FileType::Fifo,
                    EntryType::Char => FileType::CharacterDevice,
                    _ => FileType::BlockDevice,
                };
                let number = fs::makedev(device.0.unwrap_or(0), device.1.unwrap_or(0));
                fs::mknodat(dir, name, file_type, Mode::from_raw_mode(0o600), number)
                    .and_then(|()| attributes.apply_to_name(dir, name, true))
            }
            _ => {
                self.claims.refuse(self.index, format!("{} is of an unusual type", String::from_utf8_lossy(path)));
                return Ok(false);
            }
        };
        match made {
            Ok(()) => Ok(true),
            Err(Errno::EXIST) => {
                self.claims.refuse(self.index, format!("{} is there already", String::from_utf8_lossy(path)));
                Ok(false)
            }
            Err(errno) => Err(write_error(self.deb, path, errno)),
        }
    }

    fn fill(
        &self,
        mut file: File,
        path: &[u8],
        entry: &mut impl Read,
        attributes: &Attributes,
    ) -> Result<(), UnpackError> {
        let mut buffer = vec![0; 1 << 16];
        loop {
            // A damaged package and a full disk are different things to the user.
            match entry.read(&mut buffer).map_err(|source| self.deb.damaged(source))? {
                0 => break,
                n => file.write_all(&buffer[..n]).map_err(|source| write_error(self.deb, path, source))?,
            }
        }
        attributes.apply_to_fd(file.as_fd()).map_err(|errno| write_error(self.deb, path, errno))
    }
}

/// The paths that the control file `conffiles` names and the package ships.
#[must_use]
pub fn conffiles(text: &str) -> BTreeSet<Vec<u8>> {
    text.lines().map(str::trim_end).filter(|line| line.starts_with('/')).map(|line| line.as_bytes().to_vec()).collect()
}

fn write_error(deb: &Deb, path: &[u8], source: impl Into<std::io::Error>) -> UnpackError {
    let path = String::from_utf8_lossy(path).into_owned();
    UnpackError::Write { package: deb.name().to_owned(), path, source: source.into() }
}

fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (b"", path),
    }
}
