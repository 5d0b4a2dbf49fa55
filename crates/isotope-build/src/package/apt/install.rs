//! Installs package files into a target: native unpacking where a package has no say in it, dpkg for all the rest.
//!
//! A package without a preinst script is unpacked and entered in dpkg's database by [`crate::package::dpkg`]; one with
//! a preinst, one without checksums (dpkg makes them), or one that shares a file with another, is unpacked by the
//! target's dpkg. All are configured by the target's dpkg, which cannot tell the difference.

use crate::package::deb::Deb;
use crate::package::deb::inflate::Ahead;
use crate::package::dpkg::database;
use crate::package::dpkg::rounds::{Progress, Rounds};
use crate::package::dpkg::unpack::{Unpacked, Work, unpack_all};
use crate::package::{PackageCtx, PackageError};
use crate::sandbox::{Access, Purpose, Sandbox};
use isotope_sys::command::Tool;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Where the target's dpkg sees the package files.
const ARCHIVES: &str = "/run/isotope/archives";
/// Where it sees those of them that have been made easy for it.
const PLAIN: &str = "/run/isotope/plain";

/// Options of every dpkg: a changed configuration file stays as it is, an unchanged one is replaced; nobody is asked.
const OPTIONS: [&str; 3] = ["--force-confdef", "--force-confold", "--force-unsafe-io"];

/// Links that make `/usr` merged, and the architectures that have the last one.
const MERGED: [&str; 4] = ["bin", "sbin", "lib", "lib64"];

/// Opens package files, or their plain copies where there are some.
///
/// # Errors
/// One of them is damaged.
pub fn open_all(ctx: &PackageCtx<'_>, files: &[PathBuf]) -> Result<Vec<Deb>, PackageError> {
    let dir = plain_dir(ctx)?;
    files.iter().map(|file| Ok(Deb::open(plain(file, &dir).as_ref().unwrap_or(file))?)).collect()
}

/// This build's directory of package files that need no decompression.
fn plain_dir(ctx: &PackageCtx<'_>) -> Result<PathBuf, PackageError> {
    let path = ctx.scratch.join("apt-plain");
    match std::fs::create_dir_all(&path) {
        Ok(()) => Ok(path),
        Err(source) => Err(PackageError::Io { what: "make directory", path, source }),
    }
}

/// The plain copy of a package file, if there is one.
fn plain(file: &Path, dir: &Path) -> Option<PathBuf> {
    Some(dir.join(file.file_name()?)).filter(|path| path.exists())
}

/// Makes a tree of the packages that a Debian cannot be without, in an empty directory. Those of `later` are made easy to
/// unpack while scripts run.
///
/// # Errors
/// A package is damaged, its scripts fail, or the tree refuses.
pub fn base(ctx: &PackageCtx<'_>, debs: &[Deb], later: &[Deb], archives: &Path) -> Result<(), PackageError> {
    let arch = super::fetch::deb_arch(ctx.spec.arch);
    let dir = plain_dir(ctx)?;
    let tree = ctx.target.tree();
    for name in MERGED {
        if name == "lib64" && arch != "amd64" {
            continue;
        }
        tree.create_dir_all(format!("/usr/{name}"), 0o755)?;
        tree.symlink(format!("usr/{name}"), format!("/{name}"))?;
    }
    let all: Vec<&Deb> = debs.iter().collect();
    let progress = Counter::new(ctx, &all);
    // Every file first: no script could run before. Those with scripts are unpacked once more by dpkg.
    let for_dpkg: Vec<&Deb> = all.iter().copied().filter(|deb| is_for_dpkg(deb)).collect();
    let unpacked =
        unpack_all(tree, &Work { debs: &all, for_dpkg: (&for_dpkg, &dir), on_package: &|deb| progress.add(deb) })?;
    database::create(tree, arch)?;
    let ahead = Ahead::start(later.iter().map(|deb| deb.path.clone()).collect(), &dir);
    let by_dpkg = register(ctx, debs, &(0..debs.len()).collect::<Vec<_>>(), unpacked)?;
    let run = Run::new(ctx, archives)?;
    run.unpack(&by_dpkg, &["--force-depends"])?;
    run.dpkg("cannot configure the base packages", &["--configure", "--pending"])?;
    drop(ahead);
    run.leave()
}

/// Installs packages none of which is installed in any version.
///
/// # Errors
/// As [`base`].
pub fn fresh(ctx: &PackageCtx<'_>, debs: &[Deb], archives: &Path) -> Result<(), PackageError> {
    let tree = ctx.target.tree();
    let mut rounds = Rounds::new(debs.iter().map(|deb| &deb.control));
    let all: Vec<&Deb> = debs.iter().collect();
    let progress = Counter::new(ctx, &all);
    let run = Run::new(ctx, archives)?;
    let dir = plain_dir(ctx)?;
    // In the first round, all that dpkg will have to unpack in any round.
    let mut for_dpkg: Vec<&Deb> = all.iter().copied().filter(|deb| is_for_dpkg(deb) && deb.is_compressed()).collect();
    while rounds.waiting().next().is_some() {
        let now = rounds.unpackable();
        if now.is_empty() {
            // Packages that wait for each other: how to break the circle is dpkg's business.
            let rest: Vec<&Deb> = rounds.waiting().map(|index| &debs[index]).collect();
            run.unpack(&rest, &["--force-depends"])?;
            break;
        }
        let plain: Vec<usize> = now.iter().copied().filter(|index| !is_for_dpkg(&debs[*index])).collect();
        let natively: Vec<&Deb> = plain.iter().map(|index| &debs[*index]).collect();
        let unpacked = unpack_all(
            tree,
            &Work { debs: &natively, for_dpkg: (&for_dpkg, &dir), on_package: &|deb| progress.add(deb) },
        )?;
        for_dpkg.clear();
        natively.iter().try_for_each(|deb| forget(deb, &dir))?;
        let refused = register(ctx, debs, &plain, unpacked)?;
        let by_dpkg: BTreeSet<&str> = refused.iter().map(|deb| deb.name()).collect();
        // In apt's order.
        let by_dpkg = |deb: &&Deb| by_dpkg.contains(deb.name()) || is_for_dpkg(deb);
        let by_dpkg: Vec<&Deb> = now.iter().map(|index| &debs[*index]).filter(by_dpkg).collect();
        run.unpack(&by_dpkg, &[])?;
        rounds.set(&now, Progress::Unpacked);
        let configure = rounds.to_configure();
        if !configure.is_empty() {
            let mut args = vec!["--no-triggers".to_owned(), "--configure".to_owned()];
            args.extend(configure.iter().map(|index| database::qualified_name(&debs[*index])));
            run.dpkg("cannot configure packages that others need before they are unpacked", &args)?;
            rounds.set(&configure, Progress::Configured);
        }
    }
    run.dpkg("cannot configure the packages", &["--configure", "--pending"])?;
    run.leave()
}

/// Enters what was unpacked (packages `indices` of `debs`) in the database. Returns what is left to dpkg: the refused
/// packages, and those that are dpkg's from the start.
fn register<'a>(
    ctx: &PackageCtx<'_>,
    debs: &'a [Deb],
    indices: &[usize],
    unpacked: Vec<Unpacked>,
) -> Result<Vec<&'a Deb>, PackageError> {
    let mut done = Vec::new();
    let mut left = Vec::new();
    for (deb, outcome) in indices.iter().map(|index| &debs[*index]).zip(unpacked) {
        match outcome {
            Unpacked::Done(list) if !is_for_dpkg(deb) => done.push((deb, list)),
            Unpacked::Done(_) => left.push(deb),
            Unpacked::Refused(why) => {
                ctx.events.output(&format!("package {} is left to dpkg: {why}", deb.name()));
                left.push(deb);
            }
        }
    }
    let done: Vec<(&Deb, &[Vec<u8>])> = done.iter().map(|(deb, list)| (*deb, list.as_slice())).collect();
    database::register(ctx.target.tree(), &done)?;
    Ok(left)
}

/// Removes the plain copy of a package that has been unpacked.
fn forget(deb: &Deb, dir: &Path) -> Result<(), PackageError> {
    let Some(path) = plain(&deb.path, dir) else { return Ok(()) };
    std::fs::remove_file(&path).map_err(|source| PackageError::Io { what: "remove", path, source })
}

/// Whether unpacking takes more than writing files.
fn is_for_dpkg(deb: &Deb) -> bool {
    deb.file("preinst").is_some() || deb.file("md5sums").is_none()
}

/// dpkg in the entered target.
struct Run<'a> {
    ctx: &'a PackageCtx<'a>,
    sandbox: Sandbox<'a>,
    plain: PathBuf,
}

impl<'a> Run<'a> {
    fn new(ctx: &'a PackageCtx<'a>, archives: &Path) -> Result<Self, PackageError> {
        let purpose = Purpose { packages: true, defer_initramfs: ctx.defer_initramfs, ..Purpose::default() };
        let sandbox = ctx.target.enter(&purpose)?;
        sandbox.dir().create_dir_all(ARCHIVES, 0o755)?;
        sandbox.bind(archives, ARCHIVES, Access::ReadOnly)?;
        let plain = plain_dir(ctx)?;
        sandbox.dir().create_dir_all(PLAIN, 0o755)?;
        sandbox.bind(&plain, PLAIN, Access::ReadOnly)?;
        Ok(Self { ctx, sandbox, plain })
    }

    fn unpack(&self, debs: &[&Deb], options: &[&str]) -> Result<(), PackageError> {
        if debs.is_empty() {
            return Ok(());
        }
        let mut args: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
        args.extend(["--no-triggers".to_owned(), "--unpack".to_owned()]);
        for deb in debs {
            let name = deb.path.file_name().unwrap_or_default().to_string_lossy();
            let dir = if plain(&deb.path, &self.plain).is_some() { PLAIN } else { ARCHIVES };
            args.push(format!("{dir}/{name}"));
        }
        self.dpkg("cannot unpack packages", &args)?;
        debs.iter().try_for_each(|deb| forget(deb, &self.plain))
    }

    fn dpkg(&self, what: &str, args: &[impl AsRef<std::ffi::OsStr>]) -> Result<(), PackageError> {
        let tool = environment(self.sandbox.tool("dpkg")?).args(OPTIONS).args(args);
        self.sandbox
            .run(&tool, self.ctx.events)
            .map_err(|source| PackageError::Command { what: what.to_owned(), source })
    }

    fn leave(self) -> Result<(), PackageError> {
        Ok(self.sandbox.leave()?)
    }
}

/// What maintainer scripts see: nobody answers questions. `SOURCE_DATE_EPOCH` is not set: Python would compile modules
/// whose source it reads and hashes at every start.
#[must_use]
pub fn environment(tool: Tool) -> Tool {
    tool.env("DEBIAN_FRONTEND", "noninteractive").env("DEBCONF_NONINTERACTIVE_SEEN", "true")
}

/// Counts unpacked bytes (compressed ones: their sum is known beforehand).
struct Counter<'a> {
    ctx: &'a PackageCtx<'a>,
    done: AtomicU64,
    total: u64,
}

impl<'a> Counter<'a> {
    fn new(ctx: &'a PackageCtx<'a>, debs: &[&Deb]) -> Self {
        Self { ctx, done: AtomicU64::new(0), total: debs.iter().map(|deb| deb.data_size()).sum() }
    }

    fn add(&self, deb: &Deb) {
        let done = self.done.fetch_add(deb.data_size(), Ordering::Relaxed) + deb.data_size();
        self.ctx.events.progress("unpacking packages", done, Some(self.total));
    }
}
