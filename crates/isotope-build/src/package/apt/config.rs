//! The private configuration of the host's apt: nothing of the host's packages, sources or state takes part.
//!
//! Pure text, but for [`HostSettings::read`]: how this host reaches the network (proxies, certificates, the age an
//! index may have) is the administrator's business and is taken over.

use isotope_plan::Source;
use isotope_plan::lock::LockedPackage;
use isotope_sys::command::{CommandError, Tool};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// What of the host's own apt configuration is taken over, by the beginning of its lines.
const TAKEN_OVER: [&str; 8] = [
    "Acquire::http::",
    "Acquire::https::",
    "Acquire::Check-Valid-Until",
    "Acquire::Check-Date",
    "Acquire::Max-ValidTime",
    "Acquire::ForceIPv4",
    "Acquire::ForceIPv6",
    "Acquire::By-Hash",
];

/// Lines of the host's apt configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostSettings(String);

impl HostSettings {
    /// Asks the host's apt.
    ///
    /// # Errors
    /// There is no apt on the host, or its configuration is broken.
    pub fn read() -> Result<Self, CommandError> {
        Ok(Self::parse(&Tool::new("apt-config").arg("dump").run()?.text()))
    }

    fn parse(dump: &str) -> Self {
        let mut lines = String::new();
        for line in dump.lines() {
            if TAKEN_OVER
                .iter()
                .any(|start| line.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start)))
            {
                lines.push_str(line);
                lines.push('\n');
            }
        }
        Self(lines)
    }

    /// The same, for the target: whether an index may be old is a fact of the mirror, proxies are this host's own.
    #[must_use]
    pub fn lines(&self) -> &str {
        &self.0
    }
}

/// Where a private apt keeps what it works with.
#[derive(Debug, Clone)]
pub struct Places {
    /// Configuration, sources, package states of the target; this build's own.
    pub work: PathBuf,
    /// Index files and the tables made of them; shared by builds from the same sources.
    pub index: PathBuf,
    /// Package files; shared by all builds.
    pub archives: PathBuf,
}

impl Places {
    /// The configuration file; apt is pointed to it by `APT_CONFIG`.
    #[must_use]
    pub fn config_file(&self) -> PathBuf {
        self.work.join("apt.conf")
    }

    /// What apt's choice is written to: see `fetch`.
    #[must_use]
    pub fn choice_file(&self) -> PathBuf {
        self.work.join("choice")
    }

    /// The directories that must exist.
    #[must_use]
    pub fn dirs(&self) -> [PathBuf; 5] {
        [
            self.work.join("sources.list.d"),
            self.work.join("empty"),
            self.index.join("lists/partial"),
            self.archives.join("partial"),
            self.work.join("log"),
        ]
    }
}

/// Pins by which packages are never chosen; `None` where there are none to exclude.
#[must_use]
pub fn pins(exclude: &[String]) -> Option<String> {
    let pin = |name: &String| format!("Package: {name}\nPin: release *\nPin-Priority: -1\n");
    (!exclude.is_empty()).then(|| exclude.iter().map(pin).collect::<Vec<_>>().join("\n"))
}

/// Pins by which packages are of no other version than these, where it is there.
#[must_use]
pub fn versions(packages: &[LockedPackage]) -> String {
    let pin = |package: &LockedPackage| {
        format!("Package: {}\nPin: version {}\nPin-Priority: 1001\n", package.name, package.version)
    };
    packages.iter().map(pin).collect::<Vec<_>>().join("\n")
}

/// The configuration file's text. `pinned`: the file `preferences` beside it counts.
#[must_use]
pub fn text(places: &Places, arch: &str, host: &HostSettings, pinned: bool) -> String {
    let mut text = String::from("// Written by Isotope for one build.\n");
    let mut set = |key: &str, value: &str| {
        // Writing to a String cannot fail.
        let _infallible = writeln!(text, "{key} \"{value}\";");
    };
    let path = |path: &Path| path.display().to_string();
    let work = |name: &str| path(&places.work.join(name));
    set("Dir", &work(""));
    set("Dir::Etc", &work(""));
    for key in ["main", "trusted", "sourcelist"] {
        set(&format!("Dir::Etc::{key}"), "/dev/null");
    }
    set("Dir::Etc::preferences", if pinned { work("preferences") } else { "/dev/null".to_owned() }.as_str());
    for key in ["parts", "preferencesparts", "trustedparts"] {
        set(&format!("Dir::Etc::{key}"), &work("empty"));
    }
    set("Dir::Etc::sourceparts", &work("sources.list.d"));
    set("Dir::Etc::netrc", "/etc/apt/auth.conf");
    set("Dir::Etc::netrcparts", "/etc/apt/auth.conf.d");
    set("Dir::State", &path(&places.index));
    set("Dir::State::lists", &path(&places.index.join("lists")));
    set("Dir::State::status", &work("status"));
    set("Dir::State::extended_states", &work("extended_states"));
    set("Dir::Cache", &path(&places.index));
    set("Dir::Cache::archives", &path(&places.archives));
    set("Dir::Log", &work("log"));
    for key in ["Planner", "Solver", "Terminal", "History"] {
        set(&format!("Dir::Log::{key}"), "/dev/null");
    }
    set("APT::Architecture", arch);
    set("APT::Architectures", arch);
    set("APT::Sandbox::User", "root");
    set("APT::Get::Assume-Yes", "true");
    set("APT::Get::List-Cleanup", "true");
    set("APT::Update::Error-Mode", "any");
    // The tables that apt makes of the index are kept, so that the next build need not make them.
    set("APT::Cache-Start", "67108864");
    set("Acquire::Languages", "none");
    set("Acquire::PDiffs", "false");
    set("Acquire::GzipIndexes", "false");
    set("Acquire::Retries", "3");
    set("Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled", "false");
    // apt chooses and downloads; it installs nothing. What it would do, it tells to the hook (apt.conf(5)).
    set("Dir::Bin::dpkg", "/bin/true");
    set("DPkg::Lock::Timeout", "600");
    set("DPkg::Tools::Options::cat::Version", "2");
    set("DPkg::Pre-Install-Pkgs::", &format!("cat > '{}'", path(&places.choice_file())));
    text.push_str(host.lines());
    text
}

/// The sources in deb822 form. `signed_by` says where the reader of the file finds a keyring.
#[must_use]
pub fn sources(sources: &[Source], arch: Option<&str>, signed_by: impl Fn(&Path) -> String) -> String {
    let mut text = String::new();
    for source in sources {
        let Source { uri, suite, components, keyring, verify } = source;
        if !text.is_empty() {
            text.push('\n');
        }
        let mut line = |name: &str, value: &str| {
            // Writing to a String cannot fail.
            let _infallible = writeln!(text, "{name}: {value}");
        };
        line("Types", "deb");
        line("URIs", uri);
        line("Suites", suite);
        // A suite that ends with a slash is a directory, and has no components.
        if !suite.ends_with('/') {
            line("Components", &components.join(" "));
        }
        if let Some(arch) = arch {
            line("Architectures", arch);
        }
        if let Some(keyring) = keyring {
            line("Signed-By", &signed_by(keyring));
        }
        if !verify {
            line("Trusted", "yes");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(verify: bool) -> Source {
        Source {
            uri: "http://mirror.test/debian".into(),
            suite: "trixie".into(),
            components: vec!["main".into(), "contrib".into()],
            keyring: verify.then(|| "/usr/share/keyrings/k.gpg".into()),
            verify,
        }
    }

    #[test]
    fn unverified_sources_say_so() {
        let text = sources(&[source(true), source(false)], None, |path| path.display().to_string());
        assert_eq!(
            text,
            "Types: deb\nURIs: http://mirror.test/debian\nSuites: trixie\nComponents: main contrib\n\
             Signed-By: /usr/share/keyrings/k.gpg\n\nTypes: deb\nURIs: http://mirror.test/debian\nSuites: trixie\n\
             Components: main contrib\nTrusted: yes\n"
        );
    }

    #[test]
    fn excluded_packages_are_pinned_away() {
        assert_eq!(pins(&[]), None);
        assert_eq!(
            pins(&["a".into(), "b".into()]).unwrap(),
            "Package: a\nPin: release *\nPin-Priority: -1\n\nPackage: b\nPin: release *\nPin-Priority: -1\n"
        );
    }

    #[test]
    fn only_the_hosts_network_is_taken() {
        let dump = "APT::Architecture \"armel\";\nAcquire::http::Proxy \"http://proxy.test:3128\";\n\
            acquire::check-valid-until \"false\";\nDir \"/\";\nAcquire::Languages:: \"de\";\n";
        let host = HostSettings::parse(dump);
        assert_eq!(
            host.lines(),
            "Acquire::http::Proxy \"http://proxy.test:3128\";\nacquire::check-valid-until \"false\";\n"
        );
        let places = Places { work: "/w".into(), index: "/i".into(), archives: "/a".into() };
        let text = text(&places, "amd64", &host, false);
        assert!(text.contains("Dir::State::status \"/w/status\";\n") && text.ends_with(host.lines()), "{text}");
    }
}
