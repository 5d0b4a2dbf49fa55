//! The host's apt with a configuration of our own: it fetches and verifies indexes, chooses packages, downloads and
//! verifies their files into the cache. It installs nothing.
//!
//! The cache directory is shared by builds that run at the same time; one at a time works in it (`flock`). Its layout
//! has a version in its name. apt itself keeps unfinished downloads in `partial` and resumes them, and moves a file out
//! only when its length and hash are those that the archive has signed.

use super::choice::Choice;
use super::config::{self, HostSettings, Places};
use super::locked::{self, Cached};
use super::{index, lists, words};
use crate::package::{ArchiveCtx, PackageError, hold};
use isotope_element::Arch;
use isotope_plan::lock::{LockedPackage, without_credentials};
use isotope_sys::command::{CommandError, Tool};
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::fs::File;
use std::path::{Path, PathBuf};

/// Version of the cache's layout.
const LAYOUT: &str = "apt-1";

/// What to install.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Names (or patterns) for apt.
    pub install: Vec<String>,
    /// Names to remove with their configuration.
    pub remove: Vec<String>,
    /// Whether recommended packages come along.
    pub recommends: bool,
}

impl Request {
    /// apt-get's words for it.
    fn args(&self) -> Vec<String> {
        let recommends = format!("APT::Install-Recommends={}", self.recommends);
        let mut args: Vec<String> = vec!["install".into(), "--purge".into(), "-o".into(), recommends, "--".into()];
        args.extend(self.install.iter().cloned());
        args.extend(self.remove.iter().map(|name| format!("{name}-")));
        args
    }
}

/// A private apt, and the only one that works in the cache as long as it lives.
#[derive(Debug)]
pub struct Fetcher<'a> {
    ctx: &'a ArchiveCtx<'a>,
    places: Places,
    host: HostSettings,
    _lock: File,
}

/// Debian's name of an architecture.
#[must_use]
pub const fn deb_arch(arch: Arch) -> &'static str {
    match arch {
        Arch::X86_64 => "amd64",
        Arch::Aarch64 => "arm64",
    }
}

impl<'a> Fetcher<'a> {
    /// Writes the private configuration for `ctx.sources` (or the lock), with an empty package state, and waits for the cache.
    ///
    /// # Errors
    /// A keyring is not there, the host has no apt, or a directory cannot be made.
    pub fn open(ctx: &'a ArchiveCtx<'a>) -> Result<Self, PackageError> {
        for keyring in ctx.sources.iter().filter_map(|source| source.keyring.as_ref()) {
            if !keyring.is_file() {
                return Err(PackageError::Unsupported(format!(
                    "keyring {} is not on this host; install the package that has it (for Debian: debian-archive-keyring), \
                     or set the element's `keyring` variable",
                    keyring.display()
                )));
            }
        }
        let host = HostSettings::read().map_err(|source| PackageError::Command {
            what: "cannot ask the host's apt for its settings".into(),
            source,
        })?;
        let arch = deb_arch(ctx.spec.arch);
        let sources = sources(ctx);
        // apt takes a relative path as relative to another one of its paths.
        let absolute = |path: &Path| {
            std::path::absolute(path).map_err(|source| PackageError::Io { what: "find", path: path.to_owned(), source })
        };
        let cache = absolute(ctx.cache_dir)?.join(LAYOUT);
        let places = Places {
            work: absolute(ctx.scratch)?.join("apt"),
            index: cache.join("index").join(key(&[
                &sources,
                arch,
                &ctx.lock.map_or_else(String::new, locked::identity),
            ])),
            archives: cache.join("archives"),
        };
        for dir in places.dirs() {
            make_dir(&dir)?;
        }
        let lock = hold(&cache.join("lock"), ctx.events)?;
        let pins = config::pins(&ctx.policy.exclude);
        write(&places.config_file(), &config::text(&places, arch, &host, pins.is_some()))?;
        if let Some(pins) = pins {
            write(&places.work.join("preferences"), &pins)?;
        }
        write(&places.work.join("sources.list.d/isotope.sources"), &sources)?;
        let fetcher = Self { ctx, places, host, _lock: lock };
        fetcher.set_state("", "")?;
        // Other builds' packages take no part, and those of this one may have been chosen by another process.
        if ctx.lock.is_some() && !locked::list(&fetcher.lists()).is_file() {
            fetcher.update()?;
        }
        Ok(fetcher)
    }

    /// Where index files are.
    #[must_use]
    pub fn lists(&self) -> PathBuf {
        self.places.index.join("lists")
    }

    /// Where things are.
    #[must_use]
    pub const fn places(&self) -> &Places {
        &self.places
    }

    /// How this host reaches the network.
    #[must_use]
    pub const fn host(&self) -> &HostSettings {
        &self.host
    }

    /// What apt is to take as installed: dpkg's status and apt's own marks.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn set_state(&self, status: &str, marks: &str) -> Result<(), PackageError> {
        write(&self.places.work.join("status"), status)?;
        write(&self.places.work.join("extended_states"), marks)
    }

    /// apt's marks of what was installed only because something else needs it, as they are after its last choice.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn marks(&self) -> Result<String, PackageError> {
        let path = self.places.work.join("extended_states");
        std::fs::read_to_string(&path).map_err(|source| PackageError::Io { what: "read", path, source })
    }

    /// Brings the index files up to date; what has not changed on the mirror is not fetched again. Of a lock: takes what is missing of
    /// its packages into the cache.
    ///
    /// # Errors
    /// A mirror cannot be reached, or its signature cannot be verified. Offline: an index file is not there. Of a lock: packages are gone.
    pub fn update(&self) -> Result<(), PackageError> {
        if let Some(tree) = self.ctx.lock {
            locked::complete(self, self.ctx, tree)?;
            let list = locked::list(&self.lists());
            if list.is_file() {
                return Ok(());
            }
            let (packages, _) = locked::look(tree.packages.iter(), &self.places.archives)?;
            return replace(&list, &locked::index_of(&packages)?);
        }
        if self.ctx.offline {
            let absent = lists::absent(&self.lists(), self.ctx.sources)?;
            let told = |source: &&isotope_plan::Source| format!("the index of {} {}", source.uri, source.suite);
            let absent: Vec<String> = absent.iter().map(told).collect();
            return if absent.is_empty() { Ok(()) } else { Err(PackageError::Offline(absent)) };
        }
        // Its tables of the index are made by the first choice, which a build where nothing has changed has none of.
        let args = ["-o", "pkgCacheFile::Generate=false", "update"];
        self.apt("cannot fetch the index of the package archives", &args, "fetching package lists")
    }

    /// Lets apt choose what `request` needs, and download it. Files that were in the cache are verified like new ones;
    /// a damaged one is fetched again.
    ///
    /// # Errors
    /// An unknown package, packages that exclude each other, or a failed download.
    pub fn choose(&self, request: &Request) -> Result<Choice, PackageError> {
        if self.ctx.offline {
            let missing = self.would_fetch(request, false)?;
            if !missing.is_empty() {
                return Err(PackageError::Offline(
                    missing.into_iter().map(|(url, _)| without_credentials(&url)).collect(),
                ));
            }
        }
        let choice = self.choose_once(request)?;
        let damaged = index::damaged(&self.lists(), &choice.files())?;
        if damaged.is_empty() {
            return Ok(choice);
        }
        if self.ctx.offline {
            let told = |file: &PathBuf| format!("{} undamaged", file.display());
            return Err(PackageError::Offline(damaged.iter().map(told).collect()));
        }
        for file in damaged {
            self.ctx.events.warning(format!("{} is damaged and is downloaded again", file.display()));
            std::fs::remove_file(&file).map_err(|source| PackageError::Io { what: "remove", path: file, source })?;
        }
        if self.ctx.lock.is_some() {
            self.update()?;
        }
        self.choose_once(request)
    }

    /// What `request` needs and is not in the cache (or, with `all`, whether or not it is there): URLs, and the names that files get in
    /// the cache. Fetches nothing.
    ///
    /// # Errors
    /// An unknown package, or packages that exclude each other.
    pub fn would_fetch(&self, request: &Request, all: bool) -> Result<Vec<(String, String)>, PackageError> {
        let empty = self.places.work.join("empty-archives");
        make_dir(&empty.join("partial"))?;
        let archives = format!("Dir::Cache::archives={}", if all { &empty } else { &self.places.archives }.display());
        let mut args = vec!["--print-uris".to_owned(), "-o".to_owned(), archives];
        args.extend(request.args());
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let lines = self.apt_lines("cannot choose packages", &args, "")?;
        Ok(lines.iter().filter_map(|line| parse_uri(line)).collect())
    }

    /// Packages keep these versions from now on; `there` are in the cache, and can be chosen from it.
    ///
    /// # Errors
    /// A file cannot be written, or a package file is damaged.
    pub fn keep(&self, versions: &[LockedPackage], there: &[Cached<'_>]) -> Result<(), PackageError> {
        if versions.is_empty() {
            return Ok(());
        }
        let pins = [config::pins(&self.ctx.policy.exclude).unwrap_or_default(), config::versions(versions)];
        write(&self.places.work.join("preferences"), &pins.join("\n"))?;
        let arch = deb_arch(self.ctx.spec.arch);
        write(&self.places.config_file(), &config::text(&self.places, arch, &self.host, true))?;
        let source = config::sources(&[locked::source()], Some(arch), |_| String::new());
        write(&self.places.work.join("sources.list.d/isotope-lock.sources"), &source)?;
        replace(&locked::list(&self.lists()), &locked::index_of(there)?)
    }

    /// Undoes what [`Fetcher::keep`] has left beside the archives' own index files, which other builds use.
    ///
    /// # Errors
    /// A file cannot be removed.
    pub fn let_go(&self) -> Result<(), PackageError> {
        let path = locked::list(&self.lists());
        match std::fs::remove_file(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                Err(PackageError::Io { what: "remove", path, source })
            }
            _ => Ok(()),
        }
    }

    fn choose_once(&self, request: &Request) -> Result<Choice, PackageError> {
        let path = self.places.choice_file();
        match std::fs::remove_file(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(PackageError::Io { what: "remove", path, source });
            }
            _ => {}
        }
        let args = request.args();
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        self.apt("cannot choose and download packages", &args, "downloading packages")?;
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(Choice::parse(&text)),
            // apt had nothing to do.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Choice::default()),
            Err(source) => Err(PackageError::Io { what: "read", path, source }),
        }
    }

    /// What `request` needs, as apt chooses and downloads it: each file with its digest in the signed index, or its own
    /// where the index has none.
    ///
    /// # Errors
    /// As [`Fetcher::choose`].
    pub fn resolve(&self, request: &Request) -> Result<Vec<(PathBuf, String)>, PackageError> {
        let files = self.choose(request)?.files();
        index::digests(&self.places.index.join("lists"), &files)
    }

    /// Names in the index that are most like `name`.
    #[must_use]
    pub fn nearest(&self, name: &str) -> Vec<String> {
        let names = self.tool("apt-cache").arg("pkgnames").run().map(|output| output.text()).unwrap_or_default();
        words::nearest(name, names.lines()).into_iter().map(str::to_owned).collect()
    }

    /// A program with the private configuration.
    pub fn tool(&self, program: &str) -> Tool {
        let tool = Tool::new(program).env("APT_CONFIG", self.places.config_file());
        // The filter takes privileges; a lock can be written without.
        let tool = if rustix::process::geteuid().is_root() { tool.without_sync() } else { tool };
        self.ctx.proxy.iter().fold(tool, |tool, (name, value)| tool.env(name, value))
    }

    fn apt(&self, what: &str, args: &[&str], counting: &str) -> Result<(), PackageError> {
        self.apt_lines(what, args, counting).map(drop)
    }

    fn apt_lines(&self, what: &str, args: &[&str], counting: &str) -> Result<Vec<String>, PackageError> {
        let tool = self.tool("apt-get").args(["-q", "-o", "APT::Status-Fd=2"]).args(args);
        let (lines, ended) = self.run(&tool, counting);
        match ended {
            Ok(()) => Ok(lines),
            Err(source) => Err(match words::unknown_packages(&lines) {
                names if names.is_empty() => words::explain(what, &lines, self.ctx.sources, source),
                names => PackageError::NotFound(names),
            }),
        }
    }

    /// Runs a tool of apt's; what it prints, and how it ended.
    pub fn run(&self, tool: &Tool, counting: &str) -> (Vec<String>, Result<(), CommandError>) {
        let events = self.ctx.events;
        events.command(&tool.line());
        let mut lines = Vec::new();
        let mut total = None;
        let result = tool.run_merged(&mut |line| {
            if let Some(percent) = percentage(line) {
                // apt counts in percent; without its total there is nothing to show.
                if let Some(total) = total {
                    events.progress(counting, part_of(total, percent), Some(total));
                }
            } else if !is_noise(line) {
                total = total.or_else(|| needed(line));
                events.output(line);
                lines.push(line.to_owned());
            }
        });
        (lines, result.map(drop))
    }
}

/// The sources in apt's form: the plan's, or the lock alone.
fn sources(ctx: &ArchiveCtx<'_>) -> String {
    let arch = Some(deb_arch(ctx.spec.arch));
    match ctx.lock {
        Some(_) => config::sources(&[locked::source()], arch, |_| String::new()),
        None => config::sources(ctx.sources, arch, |keyring| keyring.display().to_string()),
    }
}

/// `'URL' FILE SIZE HASH`, as `--print-uris` has it.
fn parse_uri(line: &str) -> Option<(String, String)> {
    let (url, rest) = line.strip_prefix('\'')?.split_once("' ")?;
    Some((url.to_owned(), rest.split(' ').next()?.to_owned()))
}

/// Makes a text of each of `names` for [`PackageError::NotFound`]: who wants it, and what it may have been meant to be.
#[must_use]
pub fn describe(
    names: Vec<String>,
    wanted_by: impl Fn(&str) -> Vec<String>,
    nearest: impl Fn(&str) -> Vec<String>,
) -> Vec<String> {
    let described = |name: String| {
        let mut notes = Vec::new();
        let elements = wanted_by(&name);
        if !elements.is_empty() {
            notes.push(format!("wanted by {}", elements.join(", ")));
        }
        let similar = nearest(&name);
        if !similar.is_empty() {
            notes.push(format!("there is {}", similar.join(", ")));
        }
        if notes.is_empty() { format!("`{name}`") } else { format!("`{name}` ({})", notes.join("; ")) }
    };
    names.into_iter().map(described).collect()
}

/// `dlstatus:3:41.5:Retrieving file 3 of 7`.
fn percentage(line: &str) -> Option<f64> {
    let rest = line.strip_prefix("dlstatus:")?;
    rest.split(':').nth(1)?.parse().ok()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a progress bar's number"
)]
fn part_of(total: u64, percent: f64) -> u64 {
    (total as f64 * (percent / 100.0).clamp(0.0, 1.0)) as u64
}

/// `Need to get 84.5 MB/115 MB of archives.` → 84500000.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a progress bar's number")]
fn needed(line: &str) -> Option<u64> {
    let rest = line.strip_prefix("Need to get ")?;
    let (number, rest) = rest.split_once(' ')?;
    let unit = rest.split(['/', ' ']).next()?;
    let factor = match unit {
        "B" => 1.0,
        "kB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        _ => return None,
    };
    Some((number.replace(',', "").parse::<f64>().ok()? * factor) as u64)
}

/// That the private apt's dpkg did nothing is no news.
fn is_noise(line: &str) -> bool {
    line.starts_with("pmstatus:")
        || line.starts_with("W: APT had planned for dpkg")
        || line.starts_with("   Affected packages:")
        || line.trim().is_empty()
}

fn key(parts: &[&str]) -> String {
    let digest = Sha256::digest(parts.join("\n"));
    digest.iter().take(8).fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

fn make_dir(path: &Path) -> Result<(), PackageError> {
    std::fs::create_dir_all(path).map_err(|source| PackageError::Io {
        what: "make directory",
        path: path.to_owned(),
        source,
    })
}

/// Writes a file that is complete or not there.
fn replace(path: &Path, text: &str) -> Result<(), PackageError> {
    let new = path.with_extension("new");
    write(&new, text)?;
    std::fs::rename(&new, path).map_err(|source| PackageError::Io { what: "rename", path: new, source })
}

fn write(path: &PathBuf, text: &str) -> Result<(), PackageError> {
    std::fs::write(path, text).map_err(|source| PackageError::Io { what: "write", path: path.clone(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_lines_are_numbers() {
        assert_eq!(percentage("dlstatus:12:41.5:Retrieving file 12 of 20"), Some(41.5));
        assert_eq!(percentage("Get:1 http://x"), None);
        assert_eq!(needed("Need to get 84.5 MB/115 MB of archives."), Some(84_500_000));
        assert_eq!(needed("Need to get 1,024 B of archives."), Some(1024));
        assert_eq!(part_of(1000, 50.0), 500);
    }

    #[test]
    fn unknown_names_say_who_wants_them() {
        let names = vec!["foo".to_owned(), "bar".to_owned()];
        let text =
            describe(names, |name| if name == "foo" { vec!["x".into()] } else { vec![] }, |_| vec!["food".into()]);
        assert_eq!(text, ["`foo` (wanted by x; there is food)", "`bar` (there is food)"]);
    }
}
