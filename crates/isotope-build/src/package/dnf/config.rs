//! The private configuration of the host's dnf and rpm.

use crate::package::{ArchiveCtx, PackageError};
use isotope_plan::lock::LockedTree;
use isotope_plan::{PackagePolicy, Source, Target};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Where programs of packages look for programs: the sandbox's stand-ins first.
const SCRIPT_PATH: &str = "/run/isotope/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Where things are.
#[derive(Debug)]
pub struct Settings {
    work: PathBuf,
    /// Downloads; shared by builds.
    pub cache: PathBuf,
}

impl Settings {
    /// Makes the directories.
    ///
    /// # Errors
    /// One of them cannot be made.
    pub fn new(ctx: &ArchiveCtx<'_>, layout: &str) -> Result<Self, PackageError> {
        let absolute = |path: &Path| {
            std::path::absolute(path).map_err(|source| PackageError::Io { what: "find", path: path.to_owned(), source })
        };
        let settings = Self { work: absolute(ctx.scratch)?.join("dnf"), cache: absolute(ctx.cache_dir)?.join(layout) };
        for path in [settings.home(), settings.work.join("log"), settings.work.join("state"), settings.cache.clone()] {
            std::fs::create_dir_all(&path).map_err(|source| PackageError::Io {
                what: "make directory",
                path,
                source,
            })?;
        }
        Ok(settings)
    }

    /// dnf's configuration file.
    #[must_use]
    pub fn config_file(&self) -> PathBuf {
        self.work.join("dnf.conf")
    }

    /// A home directory of rpm's own, with its macros.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.work.join("home")
    }

    /// Paths that dnf would take as inside the root if it read them from its configuration.
    #[must_use]
    pub fn options(&self) -> Vec<String> {
        [("cachedir", self.cache.clone()), ("logdir", self.work.join("log")), ("persistdir", self.work.join("state"))]
            .into_iter()
            .map(|(name, path)| format!("--setopt={name}={}", path.display()))
            .collect()
    }

    /// Writes the configuration.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn write(&self, ctx: &ArchiveCtx<'_>, sources: &[Source], recommends: bool) -> Result<(), PackageError> {
        let (policy, target) = (ctx.policy, ctx.spec);
        let write = |path: PathBuf, text: String| {
            std::fs::write(&path, text).map_err(|source| PackageError::Io { what: "write", path, source })
        };
        let mut conf = dnf_conf(sources, recommends, policy, target);
        if let Some(tree) = ctx.lock {
            // After the heading of its section: the order of keys means nothing.
            conf = conf.replacen("[main]\n", &format!("[main]\n{}", only(tree)), 1);
        }
        write(self.config_file(), conf)?;
        write(self.home().join(".rpmmacros"), macros(policy, target))
    }
}

/// The packages of a lock are the only ones.
fn only(tree: &LockedTree) -> String {
    format!("includepkgs={}\n", tree.packages.iter().map(super::lock::nevra).collect::<Vec<_>>().join(" "))
}

fn dnf_conf(sources: &[Source], recommends: bool, policy: &PackagePolicy, target: &Target) -> String {
    let yes = |value: bool| u8::from(value);
    let mut text = format!(
        "# Written by Isotope for one build.\n[main]\nreposdir=/dev/null\nvarsdir=/dev/null\nplugins=0\nkeepcache=1\nbest=1\n\
         install_weak_deps={}\nmodule_platform_id=platform:{}{}\nretries=3\ntimeout=30\nskip_if_unavailable=0\ngpgcheck=1\n",
        yes(recommends),
        if target.distro == "fedora" { "f" } else { "el" },
        target.release.split('.').next().unwrap_or_default(),
    );
    if !policy.exclude.is_empty() {
        text.push_str(&format!("excludepkgs={}\n", policy.exclude.join(" ")));
    }
    if policy.no_documentation {
        text.push_str("tsflags=nodocs\n");
    }
    for Source { uri, suite, components: _, keyring, verify } in sources {
        let lists = ["metalink", "mirrorlist"].iter();
        let list = lists.copied().find_map(|kind| Some((kind, uri.strip_prefix(kind)?.strip_prefix(':')?)));
        let (kind, uri) = list.unwrap_or(("baseurl", uri.as_str()));
        // Writing to a String cannot fail. `repo_gpgcheck`: what signs is the package, not the index.
        let _infallible = write!(
            text,
            "\n[{suite}]\nname={suite}\n{kind}={uri}\nenabled=1\ngpgcheck={}\nrepo_gpgcheck=0\n",
            yes(*verify)
        );
        if let Some(keyring) = keyring {
            let _infallible = writeln!(text, "gpgkey=file://{}", keyring.display());
        }
    }
    text
}

fn macros(policy: &PackagePolicy, target: &Target) -> String {
    let langs = policy.languages.as_ref().map(|langs| format!("%_install_langs {}\n", langs.join(":")));
    // The sandbox's own mounts are not the packages' to change. Debian's rpm keeps its database in the home directory.
    format!(
        "%_dbpath {}\n%_db_backend sqlite\n%_install_script_path {SCRIPT_PATH}\n%_netsharedpath /proc:/sys:/dev\n{}",
        database(target),
        langs.unwrap_or_default()
    )
}

/// Where a distribution keeps its rpm database.
fn database(target: &Target) -> &'static str {
    let release = target.release.split('.').next().and_then(|number| number.parse().ok()).unwrap_or(u32::MAX);
    match target.distro.as_str() {
        "centos" | "rhel" | "almalinux" | "rocky" if release < 10 => "/var/lib/rpm",
        "fedora" if release < 36 => "/var/lib/rpm",
        _ => "/usr/lib/sysimage/rpm",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use isotope_element::{Arch, Family};

    fn target(distro: &str, release: &str) -> Target {
        Target { arch: Arch::X86_64, distro: distro.into(), family: Family::Redhat, release: release.into() }
    }

    #[test]
    fn each_source_is_a_repository() {
        let source = Source {
            uri: "http://127.0.0.1:1/".into(),
            suite: "base".into(),
            components: vec![],
            keyring: Some("/k".into()),
            verify: true,
        };
        let unsigned = Source { suite: "own".into(), keyring: None, verify: false, ..source.clone() };
        let listed =
            Source { uri: "metalink:http://m.example/?a=b".into(), suite: "listed".into(), ..unsigned.clone() };
        let policy = PackagePolicy { exclude: vec!["a".into(), "b".into()], no_documentation: true, languages: None };
        let text = dnf_conf(&[listed], false, &policy, &target("fedora", "42"));
        assert!(text.contains("\nexcludepkgs=a b\ntsflags=nodocs\n"), "{text}");
        assert!(text.contains("\n[listed]\nname=listed\nmetalink=http://m.example/?a=b\nenabled=1\n"), "{text}");
        let text = dnf_conf(&[source, unsigned], false, &PackagePolicy::default(), &target("fedora", "42"));
        assert!(text.contains("platform:f42\n") && text.contains("install_weak_deps=0\n"), "{text}");
        assert!(text.contains("\n[base]\nname=base\nbaseurl=http://127.0.0.1:1/\nenabled=1\ngpgcheck=1\nrepo_gpgcheck=0\ngpgkey=file:///k\n"), "{text}");
        assert!(
            text.ends_with("\n[own]\nname=own\nbaseurl=http://127.0.0.1:1/\nenabled=1\ngpgcheck=0\nrepo_gpgcheck=0\n"),
            "{text}"
        );
    }

    #[test]
    fn the_database_is_where_the_distribution_looks_for_it() {
        assert_eq!(database(&target("fedora", "42")), "/usr/lib/sysimage/rpm");
        assert_eq!(database(&target("fedora", "35")), "/var/lib/rpm");
        assert_eq!(database(&target("rocky", "9.4")), "/var/lib/rpm");
        assert_eq!(database(&target("centos", "10")), "/usr/lib/sysimage/rpm");
    }
}
