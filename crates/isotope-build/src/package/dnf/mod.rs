//! Packages of Fedora and its kin: the host's dnf with `--installroot`.
//!
//! dnf gets a configuration of our own (no repository, plugin or variable of the host takes part); downloads are kept
//! in the cache, logs and state in the build's scratch directory. Nothing is left in the tree but the rpm database. Scripts
//! of packages run in the sandbox: dnf is given the entered tree.

mod config;
mod query;
mod words;

use super::{InstalledPackage, PackageCtx, PackageError, PackageManager, hold};
use crate::sandbox::Purpose;
use config::Settings;
use isotope_element::Arch;
use isotope_plan::{Bootstrap, Packages, Source};
use isotope_sys::command::Tool;
use isotope_sys::target::{TargetDir, TargetPath};
use std::collections::BTreeMap;

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
    fn bootstrap(&self, what: &Bootstrap, ctx: &PackageCtx<'_>) -> Result<(), PackageError> {
        if what.sources.is_empty() || what.packages.is_empty() {
            return Err(PackageError::Unsupported(
                "a base tree needs at least one package source and one package; the operating-system element lists none".into(),
            ));
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

fn run(ctx: &PackageCtx<'_>, request: &Request<'_>) -> Result<(), PackageError> {
    let Request { sources, recommends, verb, names } = *request;
    if let Some(keyring) = sources.iter().filter_map(|source| source.keyring.as_ref()).find(|path| !path.is_file()) {
        return Err(PackageError::Unsupported(format!(
            "key file {} is not on this host; set the element's `keyring` variable to the distribution's public key, \
             or, where packages are really unsigned, `verify` to false",
            keyring.display()
        )));
    }
    let settings = Settings::new(ctx, LAYOUT)?;
    // dnf's own locks hold process ids, which mean nothing to a build in another PID namespace.
    let _lock = hold(&settings.cache.join("lock"), ctx.events)?;
    settings.write(sources, recommends, ctx.spec)?;
    let sandbox =
        ctx.target.enter(&Purpose { packages: true, defer_initramfs: ctx.defer_initramfs, ..Purpose::default() })?;
    let mut tool = Tool::new("dnf")
        .args(["--assumeyes", "--config"])
        .arg(settings.config_file())
        .arg("--installroot")
        .arg(sandbox.dir().host_path())
        .arg(format!("--releasever={}", ctx.spec.release))
        .arg(format!("--forcearch={}", rpm_arch(ctx.spec.arch)))
        .args(settings.options())
        .env("HOME", settings.home())
        .env("SYSTEMD_OFFLINE", "1")
        .without_sync();
    for (name, value) in ctx.proxy {
        tool = tool.env(name, value);
    }
    let tool = tool.arg(verb).args(names.keys());
    ctx.events.command(&tool.line());
    let mut lines = Vec::new();
    let ended = tool.run_merged(&mut |line| {
        ctx.events.output(line);
        lines.push(line.to_owned());
    });
    ended.map_err(|source| words::explain(&lines, names, source))?;
    sandbox.leave()?;
    // Whatever dnf thinks of its settings: logs and caches of this host's dnf are none of the target's.
    for path in LEFT {
        ctx.target.tree().remove_tree(TargetPath::new(path))?;
    }
    Ok(())
}
