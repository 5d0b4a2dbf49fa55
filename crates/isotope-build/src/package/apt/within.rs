//! The target's own apt: the sources it is left with, and the transactions that are its own business.

use super::config;
use super::fetch::{Fetcher, describe};
use super::{install, locked, words};
use crate::package::{PackageCtx, PackageError};
use crate::sandbox::{Access, Purpose};
use isotope_plan::{Packages, Source};
use isotope_sys::target::{FileMode, TargetDir, TargetPath, TargetPathBuf};
use std::path::Path;

const SETTINGS: &str = "/run/isotope/apt.conf";
const SOURCES_DIR: &str = "/run/isotope/sources.list.d";
const SOURCES: &str = "/run/isotope/sources.list.d/isotope.sources";
const PINS: &str = "/run/isotope/preferences";

/// Leaves the target with the archives it was made from, and the keys that verify them.
///
/// # Errors
/// A key cannot be copied, or the tree refuses.
pub fn write_sources(tree: &TargetDir, distro: &str, sources: &[Source]) -> Result<(), PackageError> {
    let place = |keyring: &Path| -> TargetPathBuf {
        // A distribution's keyring package has it at the same place as on the host.
        let same = TargetPath::new(keyring.as_os_str());
        if tree.exists(same) {
            return same.to_owned();
        }
        TargetPath::new("/etc/apt/keyrings").join(keyring.file_name().unwrap_or(keyring.as_os_str()))
    };
    for keyring in sources.iter().filter_map(|source| source.keyring.as_deref()) {
        let at = place(keyring);
        if !tree.exists(&*at) {
            tree.copy_in(keyring, &*at, FileMode::Fixed(0o644))?;
        }
    }
    let text = config::sources(sources, None, |keyring| place(keyring).to_string());
    Ok(tree.write(format!("/etc/apt/sources.list.d/{distro}.sources"), text, 0o644)?)
}

/// Installs and removes by the target's apt, with the shared package files. `host_index`: the target's sources are
/// those that the host's index was fetched from, so it need not be fetched again.
///
/// # Errors
/// apt fails, or the sandbox.
pub fn apt(what: &Packages, ctx: &PackageCtx<'_>, host_index: bool) -> Result<(), PackageError> {
    // It holds the cache: the target's apt writes into it.
    let fetcher = Fetcher::open(ctx)?;
    let sandbox =
        ctx.target.enter(&Purpose { packages: true, defer_initramfs: ctx.defer_initramfs, ..Purpose::default() })?;
    let places = fetcher.places();
    sandbox.bind(&places.archives, "/var/cache/apt/archives", Access::ReadWrite)?;
    let mut settings = fetcher.host().lines().to_owned();
    if ctx.lock.is_some() {
        // Whatever the target's sources are by now, there are the packages of the lock and no others.
        let text = config::sources(&[locked::source()], None, |_| String::new());
        sandbox.dir().write(SOURCES, text, 0o644)?;
        settings.push_str(&format!("Dir::Etc::sourcelist \"/dev/null\";\nDir::Etc::sourceparts \"{SOURCES_DIR}\";\n"));
    }
    if let Some(pins) = config::pins(&ctx.policy.exclude) {
        sandbox.dir().write(PINS, pins, 0o644)?;
        settings.push_str(&format!("Dir::Etc::preferences \"{PINS}\";\n"));
    }
    sandbox.dir().write(SETTINGS, settings, 0o644)?;
    let run = |args: &[String]| -> Result<(), PackageError> {
        let tool = install::environment(sandbox.tool("apt-get")?).env("APT_CONFIG", SETTINGS);
        let tool = tool.args([
            "-q",
            "-y",
            "-o",
            "APT::Sandbox::User=root",
            "-o",
            "Acquire::Languages=none",
            "-o",
            "Acquire::Retries=3",
        ]);
        let tool = tool.args([
            "-o",
            "Dpkg::Use-Pty=0",
            "-o",
            "Dpkg::Options::=--force-confdef",
            "-o",
            "Dpkg::Options::=--force-confold",
        ]);
        // Package files stay in the cache.
        let tool =
            tool.args(["-o", "APT::Keep-Downloaded-Packages=true", "-o", "APT::Update::Error-Mode=any"]).args(args);
        ctx.events.command(&tool.line());
        let mut lines = Vec::new();
        let result = tool.run_merged(&mut |line| {
            // The host's index is read-only here, and meant to be.
            if line.starts_with("W: chmod") && line.contains("/var/lib/apt/lists") {
                return;
            }
            ctx.events.output(line);
            lines.push(line.to_owned());
        });
        result.map_err(|source| match words::unknown_packages(&lines) {
            names if names.is_empty() => {
                words::explain("cannot install or remove packages", &lines, ctx.sources, source)
            }
            names => {
                let wanted_by =
                    |name: &str| what.install.get(name).or_else(|| what.remove.get(name)).cloned().unwrap_or_default();
                match ctx.lock {
                    Some(_) => PackageError::NotLocked(describe(names, wanted_by, |_| Vec::new())),
                    None => PackageError::NotFound(describe(names, wanted_by, |name| fetcher.nearest(name))),
                }
            }
        })
    };
    if host_index || ctx.lock.is_some() {
        sandbox.bind(&places.index.join("lists"), "/var/lib/apt/lists", Access::ReadOnly)?;
    } else if !what.install.is_empty() && ctx.offline {
        let names: Vec<&str> = what.install.keys().map(String::as_str).collect();
        let text =
            format!("the index of the archives that an element has added to the target, for {}", names.join(", "));
        return Err(PackageError::Offline(vec![text]));
    } else if !what.install.is_empty() {
        run(&["update".to_owned()])?;
    }
    let mut args = vec!["--purge".to_owned(), "-o".to_owned(), format!("APT::Install-Recommends={}", what.recommends)];
    args.extend(["install".to_owned(), "--".to_owned()]);
    args.extend(what.install.keys().cloned());
    args.extend(what.remove.keys().map(|name| format!("{name}-")));
    run(&args)?;
    Ok(sandbox.leave()?)
}
