//! Packages of Fedora and its kin: the host's dnf with `--installroot`.
//!
//! dnf gets a configuration of our own (no repository, plugin or variable of the host takes part); downloads are kept
//! in the cache, logs and state in the build's scratch directory. Nothing is left in the tree but the rpm database. Scripts
//! of packages run in the sandbox: dnf is given the entered tree.

mod config;
mod lock;
mod query;
mod table;
mod words;

use super::{
    ArchiveCtx, InstalledPackage, Keep, PackageCtx, PackageError, PackageManager, Resolution, ResolvedPackage, hold,
};
use crate::sandbox::Purpose;
use config::Settings;
use isotope_element::Arch;
use isotope_plan::{Bootstrap, Packages, Source};
use isotope_sys::command::Tool;
use isotope_sys::target::{TargetDir, TargetPath};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

/// dnf and rpm.
#[derive(Debug, Clone, Copy)]
pub struct Dnf;

/// Version of the cache's layout.
const LAYOUT: &str = "dnf-1";

/// What dnf leaves in a tree in spite of its settings, and what packages' scripts leave.
const LEFT: [&str; 9] = [
    "/var/cache/dnf",
    "/var/cache/libdnf5",
    "/var/lib/dnf",
    "/var/log/dnf.log",
    "/var/log/dnf.librepo.log",
    "/var/log/dnf.rpm.log",
    "/var/log/hawkey.log",
    "/var/cache/ldconfig/aux-cache",
    "/root/.rpmdb",
];

impl PackageManager for Dnf {
    fn resolve(&self, what: &Bootstrap, ctx: &ArchiveCtx<'_>) -> Result<Vec<ResolvedPackage>, PackageError> {
        let (settings, _lock) = prepare(ctx, &what.sources, recommends(ctx))?;
        let names = everything(what, ctx);
        let io = |source| PackageError::Io { what: "make a directory in", path: ctx.scratch.to_owned(), source };
        let root = tempfile::tempdir_in(ctx.scratch).map_err(io)?;
        // It shows what it would do, is told not to do it, and ends with status 1.
        let tool = dnf(ctx, &settings, root.path()).arg("--assumeno").arg("install").args(names.keys());
        let lines = drive(ctx, &tool.ok_codes(&[0, 1]), &names)?;
        let packages = table::parse(&lines);
        if packages.is_empty() {
            return Err(not_locked(ctx, words::refused(&lines, &names)));
        }
        Ok(packages)
    }

    fn lock(&self, what: &Bootstrap, ctx: &ArchiveCtx<'_>, keep: Keep<'_>) -> Result<Resolution, PackageError> {
        lock::lock(what, ctx, keep)
    }

    fn fetch(&self, ctx: &ArchiveCtx<'_>) -> Result<(), PackageError> {
        lock::fetch(ctx)
    }

    fn archive(&self, ctx: &ArchiveCtx<'_>) -> Result<BTreeMap<String, String>, PackageError> {
        let (settings, _lock) = prepare(ctx, ctx.sources, false)?;
        let io = |source| PackageError::Io { what: "make a directory in", path: ctx.scratch.to_owned(), source };
        let root = tempfile::tempdir_in(ctx.scratch).map_err(io)?;
        drive(ctx, &dnf(ctx, &settings, root.path()).args(["makecache", "--refresh"]), &BTreeMap::new())?;
        query::releases(&ctx.cache_dir.join(LAYOUT), ctx.sources)
    }

    fn bootstrap(&self, what: &Bootstrap, ctx: &PackageCtx<'_>) -> Result<(), PackageError> {
        if what.sources.is_empty() || what.packages.is_empty() {
            return Err(PackageError::Unsupported(
                "a base tree needs at least one package source and one package; the operating-system element lists none".into(),
            ));
        }
        if ctx.lock.is_some() {
            lock::fetch(ctx)?;
        }
        let names = what.packages.iter().map(|name| (name.clone(), Vec::new())).collect();
        run(ctx, &Request { sources: &what.sources, recommends: false, verb: "install", names: &names })
    }

    fn transaction(&self, what: &Packages, ctx: &PackageCtx<'_>) -> Result<(), PackageError> {
        for (verb, names) in [("install", &what.install), ("remove", &what.remove)] {
            if !names.is_empty() {
                run(ctx, &Request { sources: ctx.sources, recommends: what.recommends, verb, names })?;
            }
        }
        Ok(())
    }

    fn installed(&self, tree: &TargetDir) -> Result<Vec<InstalledPackage>, PackageError> {
        query::installed(tree)
    }

    fn files(&self, tree: &TargetDir, package: &str) -> Result<Option<Vec<String>>, PackageError> {
        query::files(tree, package)
    }

    fn clean(&self, ctx: &PackageCtx<'_>) -> Result<(), PackageError> {
        for path in LEFT {
            ctx.target.tree().remove_tree(TargetPath::new(path))?;
        }
        Ok(())
    }
}

/// rpm's name of an architecture.
const fn rpm_arch(arch: Arch) -> &'static str {
    match arch {
        Arch::X86_64 => "x86_64",
        Arch::Aarch64 => "aarch64",
    }
}

/// What dnf is to do.
struct Request<'a> {
    sources: &'a [Source],
    recommends: bool,
    verb: &'a str,
    /// Names, each with the elements that want it.
    names: &'a BTreeMap<String, Vec<String>>,
}

/// dnf's settings for a request, and the lock of its cache.
fn prepare(ctx: &ArchiveCtx<'_>, sources: &[Source], recommends: bool) -> Result<(Settings, File), PackageError> {
    if let Some(keyring) = sources.iter().filter_map(|source| source.keyring.as_ref()).find(|path| !path.is_file()) {
        return Err(PackageError::Unsupported(format!(
            "key file {} is not on this host; set the element's `keyring` variable to the distribution's public key, \
             or, where packages are really unsigned, `verify` to false",
            keyring.display()
        )));
    }
    let settings = Settings::new(ctx, LAYOUT)?;
    // dnf's own locks hold process ids, which mean nothing to a build in another PID namespace.
    let lock = hold(&settings.cache.join("lock"), ctx.events)?;
    settings.write(ctx, sources, recommends)?;
    Ok((settings, lock))
}

/// dnf, working on `root`.
fn dnf(ctx: &ArchiveCtx<'_>, settings: &Settings, root: &Path) -> Tool {
    let mut tool = Tool::new("dnf")
        .arg("--config")
        .arg(settings.config_file())
        .arg("--installroot")
        .arg(root)
        .arg(format!("--releasever={}", ctx.spec.release))
        .arg(format!("--forcearch={}", rpm_arch(ctx.spec.arch)))
        .args(settings.options())
        .env("HOME", settings.home())
        .env("SYSTEMD_OFFLINE", "1")
        .without_sync();
    if ctx.offline {
        tool = tool.arg("--cacheonly");
    }
    for (name, value) in ctx.proxy {
        tool = tool.env(name, value);
    }
    tool
}

/// Runs it to its end; what it prints.
fn drive(
    ctx: &ArchiveCtx<'_>,
    tool: &Tool,
    names: &BTreeMap<String, Vec<String>>,
) -> Result<Vec<String>, PackageError> {
    ctx.events.command(&tool.line());
    let mut lines = Vec::new();
    let ended = tool.run_merged(&mut |line| {
        ctx.events.output(line);
        lines.push(line.to_owned());
    });
    ended.map_err(|source| not_cached(ctx, not_locked(ctx, words::explain(&lines, names, source))))?;
    Ok(lines)
}

/// In a locked build, what no archive has is what the lock does not have.
fn not_locked(ctx: &ArchiveCtx<'_>, error: PackageError) -> PackageError {
    match error {
        PackageError::NotFound(names) if ctx.lock.is_some() => PackageError::NotLocked(names),
        other => other,
    }
}

/// Offline, what cannot be reached is what the cache does not have.
fn not_cached(ctx: &ArchiveCtx<'_>, error: PackageError) -> PackageError {
    match error {
        PackageError::Remote(text) if ctx.offline => PackageError::Offline(vec![text]),
        other => other,
    }
}

/// Whether a step of the plan takes what packages recommend, too.
fn recommends(ctx: &ArchiveCtx<'_>) -> bool {
    ctx.upcoming.iter().any(|packages| packages.recommends)
}

/// All that a plan installs, each with the elements that want it.
fn everything(what: &Bootstrap, ctx: &ArchiveCtx<'_>) -> BTreeMap<String, Vec<String>> {
    let mut names: BTreeMap<String, Vec<String>> =
        what.packages.iter().map(|name| (name.clone(), Vec::new())).collect();
    for (name, wanting) in ctx.upcoming.iter().flat_map(|packages| &packages.install) {
        names.entry(name.clone()).or_default().extend(wanting.iter().cloned());
    }
    names
}

fn run(ctx: &PackageCtx<'_>, request: &Request<'_>) -> Result<(), PackageError> {
    let Request { sources, recommends, verb, names } = *request;
    let (settings, _lock) = prepare(ctx, sources, recommends)?;
    let sandbox =
        ctx.target.enter(&Purpose { packages: true, defer_initramfs: ctx.defer_initramfs, ..Purpose::default() })?;
    let tool = dnf(ctx, &settings, sandbox.dir().host_path()).arg("--assumeyes").arg(verb).args(names.keys());
    drive(ctx, &tool, names)?;
    sandbox.leave()?;
    // Whatever dnf thinks of its settings: logs and caches of this host's dnf are none of the target's.
    for path in LEFT {
        ctx.target.tree().remove_tree(TargetPath::new(path))?;
    }
    Ok(())
}
