//! A directory in which images are built from the elements of `tests/dib/elements`, by either program.

use isotope_tests::{isotope, put, root, scratch};
use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// Who builds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Builder {
    /// `disk-image-create` of this project.
    Isotope,
    /// diskimage-builder's, from the virtualenv that `ISOTOPE_TEST_DIB` names.
    Upstream,
}

/// A directory of its own, which is home and working directory.
pub struct World {
    pub dir: tempfile::TempDir,
    builder: Builder,
    env: BTreeMap<String, String>,
}

impl World {
    pub fn new(builder: Builder) -> Self {
        let dir = scratch("conformance");
        for name in ["home", "probe", "bin", "own"] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
        }
        let world = Self { dir, builder, env: BTreeMap::new() };
        let shims = root().join("tests/dib/shims");
        let path = std::env::var("PATH").unwrap();
        let path = match builder {
            Builder::Isotope => path,
            Builder::Upstream => format!("{}:{path}", shims.display()),
        };
        let place = |name: &str| world.path(name).display().to_string();
        let (home, probe, cache) = (place("home"), place("probe"), place("isotope"));
        let elements = format!("{}:{}", place("own"), root().join("tests/dib/elements").display());
        world
            .env("PATH", &path)
            .env("HOME", &home)
            .env("TERM", "dumb")
            .env("ELEMENTS_PATH", &elements)
            .env("DIB_PROBE_DIR", &probe)
            .env("ISOTOPE_CACHE_DIR", &cache)
            .env("ISOTOPE_DATA_DIR", &root().display().to_string())
    }

    pub fn isotope() -> Self {
        Self::new(Builder::Isotope)
    }

    /// Sets a variable for the program.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Writes an element; files that begin with `#!` can be executed.
    pub fn element(self, name: &str, files: &[(&str, &str)]) -> Self {
        for (path, text) in files {
            let mode = if text.starts_with("#!") { 0o755 } else { 0o644 };
            put(&self.path("own").join(name).join(path), mode, text);
        }
        self
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The program, in an environment of its own.
    #[expect(clippy::disallowed_methods, reason = "the subject under test, with an environment of its own")]
    pub fn program(&self, name: &str) -> Command {
        let mut command = match self.builder {
            Builder::Isotope => {
                let link = self.path("bin").join(name);
                if !link.exists() {
                    symlink(isotope(), &link).unwrap();
                }
                Command::new(link)
            }
            // What it leaves mounted when it fails goes with the namespace.
            Builder::Upstream => {
                let mut command = Command::new("unshare");
                command.args(["--mount", "--propagation", "private"]).arg(upstream().join("bin").join(name));
                command
            }
        };
        command.current_dir(self.dir.path()).env_clear().envs(&self.env).stdin(Stdio::null());
        command
    }

    /// `disk-image-create`.
    pub fn create(&self, args: &[&str]) -> Built<'_> {
        let output = self.program("disk-image-create").args(args).output().unwrap();
        Built { world: self, output }
    }
}

/// The virtualenv with diskimage-builder; without it nothing could be compared, which is a failure.
pub fn upstream() -> PathBuf {
    let dir = std::env::var_os("ISOTOPE_TEST_DIB").map(PathBuf::from).unwrap_or_default();
    assert!(
        dir.join("bin/disk-image-create").exists(),
        "ISOTOPE_TEST_DIB names no virtualenv with diskimage-builder; `cargo xtask test host` makes one"
    );
    dir
}

/// A run that has ended.
pub struct Built<'w> {
    world: &'w World,
    pub output: Output,
}

impl Built<'_> {
    /// Everything that it printed.
    pub fn log(&self) -> String {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        text(&self.output.stdout) + &text(&self.output.stderr)
    }

    pub fn code(&self) -> Option<i32> {
        self.output.status.code()
    }

    /// Panics with the log unless it ended well.
    pub fn well(self) -> Self {
        assert!(self.output.status.success(), "{:?}\n{}", self.output.status, self.log());
        self
    }

    /// Panics unless it failed with this exit code and said these words.
    pub fn badly(self, code: i32, words: &[&str]) -> Self {
        let log = self.log();
        assert_eq!(self.code(), Some(code), "{log}");
        for word in words {
            assert!(log.contains(word), "`{word}` is not in\n{log}");
        }
        self
    }

    /// The record of a phase: `env`, `facts`, `mounts`, `functions`.
    pub fn record(&self, phase: &str, kind: &str) -> String {
        let path = self.world.path("probe").join(format!("{phase}.{kind}"));
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}\n{}", path.display(), self.log()))
    }

    /// `NAME=value` lines of a record.
    pub fn values(&self, phase: &str, kind: &str) -> BTreeMap<String, String> {
        let pairs = self.record(phase, kind);
        pairs.lines().filter_map(|line| line.split_once('=')).map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
    }

    /// A variable of a phase.
    pub fn variable(&self, phase: &str, name: &str) -> Option<String> {
        self.values(phase, "env").remove(name)
    }

    /// What `tar` lists of an output.
    pub fn listed(&self, archive: &str) -> Vec<String> {
        let text = self.tar(&["-tf", archive]);
        text.lines().map(|line| line.trim_start_matches("./").trim_end_matches('/').to_owned()).collect()
    }

    /// A file of a tar output.
    pub fn file(&self, archive: &str, path: &str) -> String {
        let found = self.listed_as(archive, path);
        self.tar(&["-O", "-xf", archive, &found])
    }

    /// The name of a file as the archive spells it.
    fn listed_as(&self, archive: &str, path: &str) -> String {
        let text = self.tar(&["-tf", archive]);
        let found = text.lines().find(|line| line.trim_start_matches("./").trim_end_matches('/') == path);
        found.unwrap_or_else(|| panic!("{archive} has no {path}\n{text}")).to_owned()
    }

    #[expect(clippy::disallowed_methods, reason = "an outside oracle")]
    fn tar(&self, args: &[&str]) -> String {
        let output = Command::new("tar").current_dir(self.world.dir.path()).args(args).output().unwrap();
        assert!(output.status.success(), "tar {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Outputs, by name.
    pub fn outputs(&self) -> Vec<String> {
        let known = ["bin", "home", "isotope", "own", "probe"];
        let names = std::fs::read_dir(self.world.dir.path()).unwrap().flatten();
        let mut names: Vec<String> = names.map(|entry| entry.file_name().into_string().unwrap()).collect();
        names.retain(|name| !known.contains(&name.as_str()));
        names.sort();
        names
    }
}

/// The phases that an image goes through, in order.
pub const PHASES: [&str; 10] = [
    "root",
    "extra-data",
    "pre-install",
    "install",
    "post-install",
    "post-root",
    "block-device",
    "pre-finalise",
    "finalise",
    "cleanup",
];

/// Those that run in the target.
pub const INSIDE: [&str; 4] = ["pre-install", "install", "post-install", "finalise"];
