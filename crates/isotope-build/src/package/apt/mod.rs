//! Debian's packages: the host's apt chooses and downloads, we unpack, the target's dpkg configures.
//!
//! A base tree is all Essential packages and apt. What the plan's later steps install is chosen and downloaded together
//! with it, in one go; when such a step comes and nothing has changed in between, apt is not asked again. A transaction
//! that removes or replaces packages, or one in a target whose sources an element has changed, is done by the target's
//! own apt.

mod choice;
mod config;
mod fetch;
mod index;
mod install;
mod lists;
mod locked;
mod memo;
mod resolution;
mod tidy;
mod within;
mod words;

use super::deb::Deb;
use super::dpkg::database;
use super::dpkg::rounds::closure;
use super::{
    ArchiveCtx, InstalledPackage, Keep, PackageCtx, PackageError, PackageManager, Resolution, ResolvedPackage,
};
use fetch::{Fetcher, Request, describe};
use isotope_plan::{Bootstrap, Packages};
use isotope_sys::target::TargetDir;
use memo::Memo;
use std::collections::{BTreeMap, BTreeSet};

/// apt and dpkg.
#[derive(Debug, Clone, Copy)]
pub struct Apt;

/// What every tree has, beside the packages marked Essential.
const ALWAYS: [&str; 2] = ["?essential", "apt"];

impl PackageManager for Apt {
    fn resolve(&self, what: &Bootstrap, ctx: &ArchiveCtx<'_>) -> Result<Vec<ResolvedPackage>, PackageError> {
        let fetcher = Fetcher::open(ctx)?;
        fetcher.update()?;
        let resolved = fetcher.resolve(&everything(what, ctx));
        let resolved = resolved.map_err(|error| explain(error, &fetcher, ctx, |name| wanted_by(ctx, name)))?;
        let mut packages: Vec<ResolvedPackage> = resolved
            .into_iter()
            .map(|(file, digest)| ResolvedPackage {
                name: file.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
                digest,
            })
            .collect();
        packages.sort();
        Ok(packages)
    }

    fn lock(&self, what: &Bootstrap, ctx: &ArchiveCtx<'_>, keep: Keep<'_>) -> Result<Resolution, PackageError> {
        let fetcher = Fetcher::open(ctx)?;
        fetcher.update()?;
        let resolved = resolution::resolve(&fetcher, ctx, &everything(what, ctx), keep);
        resolved.map_err(|error| explain(error, &fetcher, ctx, |name| wanted_by(ctx, name)))
    }

    fn fetch(&self, ctx: &ArchiveCtx<'_>) -> Result<(), PackageError> {
        Fetcher::open(ctx)?.update()
    }

    fn archive(&self, ctx: &ArchiveCtx<'_>) -> Result<BTreeMap<String, String>, PackageError> {
        let fetcher = Fetcher::open(ctx)?;
        fetcher.update()?;
        index::releases(&fetcher.places().index.join("lists"))
    }

    fn bootstrap(&self, what: &Bootstrap, ctx: &PackageCtx<'_>) -> Result<(), PackageError> {
        if what.sources.is_empty() {
            return Err(PackageError::Unsupported(
                "a base tree needs at least one package source; the operating-system element lists none".into(),
            ));
        }
        let fetcher = Fetcher::open(ctx)?;
        fetcher.update()?;
        let wanted: Vec<String> =
            ALWAYS.iter().map(|name| (*name).to_owned()).chain(what.packages.iter().cloned()).collect();
        // What will be wanted later is chosen and downloaded now, too. If it cannot be had, the step that wants it says so:
        // its element may add a source first.
        let later =
            ctx.upcoming.iter().filter(|packages| !packages.recommends).flat_map(|packages| packages.install.keys());
        let all: Vec<String> = wanted.iter().cloned().chain(later.cloned()).collect();
        let choose = |install: &[String]| fetcher.choose(&Request { install: install.to_vec(), ..Request::default() });
        let chosen = match choose(&all) {
            Err(PackageError::NotFound(_) | PackageError::Unsupported(_))
                if all.len() > wanted.len() && ctx.lock.is_none() =>
            {
                choose(&wanted)
            }
            result => result,
        };
        let chosen = chosen.map_err(|error| explain(error, &fetcher, ctx, |name| wanted_by(ctx, name)))?;
        let debs = install::open_all(ctx, &chosen.fresh().unwrap_or_default())?;
        let marks = fetcher.marks()?;
        let archives = fetcher.places().archives.clone();
        // Other builds may have the cache from here on; files in it are only ever added.
        drop(fetcher);
        let roots = debs.iter().filter(|deb| deb.control.yes("Essential")).map(Deb::name);
        let roots: Vec<&str> = roots.chain(["apt"]).chain(what.packages.iter().map(String::as_str)).collect();
        let needed = closure(debs.iter().map(|deb| &deb.control), &roots);
        let (base, rest) = split(debs, &needed);
        install::base(ctx, &base, &rest, &archives)?;
        let tree = ctx.target.tree();
        within::write_sources(tree, &ctx.spec.distro, &what.sources)?;
        // The base counts as wanted for itself, as with every bootstrapper: `apt autoremove` leaves it alone.
        let marks = memo::unmark(&marks, &base.iter().map(Deb::name).collect());
        Memo { debs: rest.into_iter().map(|deb| deb.path).collect(), archives, marks, seen: memo::fingerprint(tree)? }
            .save(ctx)
    }

    fn transaction(&self, what: &Packages, ctx: &PackageCtx<'_>) -> Result<(), PackageError> {
        let tree = ctx.target.tree();
        let memo = Memo::load(ctx)?;
        let seen = memo::fingerprint(tree)?;
        let unchanged = memo.as_ref().is_some_and(|memo| memo.seen.sources == seen.sources);
        if !unchanged || !what.remove.is_empty() {
            return within::apt(what, ctx, unchanged);
        }
        if let Some(memo) = memo.filter(|memo| memo.seen == seen && !what.recommends) {
            let debs = install::open_all(ctx, &memo.debs)?;
            let names: Vec<&str> = what.install.keys().map(String::as_str).collect();
            let known = names
                .iter()
                .all(|name| debs.iter().any(|deb| deb.name() == *name) || is_installed(tree, name).unwrap_or(false));
            if known {
                let needed = closure(debs.iter().map(|deb| &deb.control), &names);
                let (now, rest) = split(debs, &needed);
                install::fresh(ctx, &now, &memo.archives)?;
                memo::write_marks(tree, &memo.marks)?;
                let debs = rest.iter().filter_map(|deb| Some(memo.archives.join(deb.path.file_name()?))).collect();
                return Memo { debs, seen: memo::fingerprint(tree)?, ..memo }.save(ctx);
            }
        }
        let fetcher = Fetcher::open(ctx)?;
        fetcher.set_state(&memo::read(tree, memo::STATUS)?, &memo::read(tree, memo::MARKS)?)?;
        let request = Request {
            install: what.install.keys().cloned().collect(),
            remove: Vec::new(),
            recommends: what.recommends,
        };
        let chosen = fetcher.choose(&request).map_err(|error| {
            explain(error, &fetcher, ctx, |name| what.install.get(name).cloned().unwrap_or_default())
        })?;
        let Some(files) = chosen.fresh() else {
            drop(fetcher);
            return within::apt(what, ctx, unchanged);
        };
        let debs = install::open_all(ctx, &files)?;
        let marks = fetcher.marks()?;
        let archives = fetcher.places().archives.clone();
        drop(fetcher);
        install::fresh(ctx, &debs, &archives)?;
        memo::write_marks(tree, &marks)
    }

    fn installed(&self, tree: &TargetDir) -> Result<Vec<InstalledPackage>, PackageError> {
        let mut found: Vec<_> = database::status(tree)?
            .iter()
            .filter(|package| database::state(package) == "installed")
            .map(|package| InstalledPackage {
                name: package.text("Package").to_owned(),
                version: package.text("Version").to_owned(),
                arch: package.text("Architecture").to_owned(),
                // `Source: name` or `Source: name (version)`; absent if it has the package's name.
                source: Some(package.text("Source").split(' ').next().unwrap_or_default())
                    .map(|name| if name.is_empty() { package.text("Package") } else { name }.to_owned()),
            })
            .collect();
        found.sort();
        Ok(found)
    }

    fn files(&self, tree: &TargetDir, package: &str) -> Result<Option<Vec<String>>, PackageError> {
        let lists = tree.read_dir("/var/lib/dpkg/info")?;
        // `name.list`, or `name:arch.list` of a package that can be there for several architectures.
        let own = |name: &str| {
            let stem = name.strip_suffix(".list")?;
            (stem.split(':').next() == Some(package)).then(|| format!("/var/lib/dpkg/info/{name}"))
        };
        let Some(list) = lists.iter().find_map(|entry| own(&entry.name.to_string_lossy())) else { return Ok(None) };
        let mut files: Vec<String> = tree.read_text(list)?.lines().map(str::to_owned).collect();
        files.sort();
        Ok(Some(files))
    }

    fn clean(&self, ctx: &PackageCtx<'_>) -> Result<(), PackageError> {
        Ok(tidy::tidy(ctx.target.tree(), ctx.epoch)?)
    }
}

/// Parts packages into those at the places `needed` and the others. Both keep their order.
fn split(debs: Vec<Deb>, needed: &BTreeSet<usize>) -> (Vec<Deb>, Vec<Deb>) {
    let mut places = 0..debs.len();
    debs.into_iter().partition(|_| places.next().is_some_and(|place| needed.contains(&place)))
}

fn is_installed(tree: &TargetDir, name: &str) -> Result<bool, PackageError> {
    Ok(database::status(tree)?
        .iter()
        .any(|package| package.text("Package") == name && database::state(package) == "installed"))
}

/// All that a plan installs, in one request.
fn everything(what: &Bootstrap, ctx: &ArchiveCtx<'_>) -> Request {
    let first = ALWAYS.iter().map(|name| (*name).to_owned()).chain(what.packages.iter().cloned());
    let later = ctx.upcoming.iter().flat_map(|packages| packages.install.keys().cloned());
    Request {
        install: first.chain(later).collect(),
        remove: Vec::new(),
        recommends: ctx.upcoming.iter().any(|packages| packages.recommends),
    }
}

/// The elements that want a package in the steps to come.
fn wanted_by(ctx: &ArchiveCtx<'_>, name: &str) -> Vec<String> {
    ctx.upcoming.iter().filter_map(|packages| packages.install.get(name)).flatten().cloned().collect()
}

fn explain(
    error: PackageError,
    fetcher: &Fetcher<'_>,
    ctx: &ArchiveCtx<'_>,
    wanted_by: impl Fn(&str) -> Vec<String>,
) -> PackageError {
    match error {
        PackageError::NotFound(names) if ctx.lock.is_some() => {
            PackageError::NotLocked(describe(names, wanted_by, |_| Vec::new()))
        }
        PackageError::NotFound(names) => {
            PackageError::NotFound(describe(names, wanted_by, |name| fetcher.nearest(name)))
        }
        PackageError::Unsupported(text) if ctx.lock.is_some() => {
            PackageError::NotLocked(vec![format!("what these packages need: {text}")])
        }
        other => other,
    }
}
