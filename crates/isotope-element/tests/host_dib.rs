//! Elements compared with diskimage-builder itself, which stands in a virtualenv of its own: `ISOTOPE_TEST_DIB` names it
//! (`cargo xtask test host` makes one with version 3.43.0). All of its own elements, unmodified, are the input.

use isotope_element::Severity;
use isotope_element::dib::lint::Linter;
use isotope_element::dib::pkg_map::{self, Mapped};
use isotope_element::dib::run_parts::SCRIPT;
use isotope_element::dib::{
    Catalogue, ElementsPath, HookTree, Kind, PackageInstalls, PkgMap, SvcMap, load, resolve, source_repository, squash,
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// diskimage-builder as pip installed it.
struct Upstream {
    python: PathBuf,
    package: PathBuf,
}

impl Upstream {
    fn new() -> Self {
        let venv = std::env::var_os("ISOTOPE_TEST_DIB").map(PathBuf::from).unwrap_or_default();
        let libraries = std::fs::read_dir(venv.join("lib")).into_iter().flatten().flatten();
        let package = libraries
            .map(|entry| entry.path().join("site-packages/diskimage_builder"))
            .find(|package| package.is_dir())
            .expect("ISOTOPE_TEST_DIB names no virtualenv with diskimage-builder; `cargo xtask test host` makes one");
        Self { python: venv.join("bin/python"), package }
    }

    fn elements(&self) -> PathBuf {
        self.package.join("elements")
    }

    fn catalogue(&self) -> Catalogue {
        load(&ElementsPath { entries: vec![self.elements()] }).unwrap()
    }

    /// All elements, in no order that means anything.
    fn names(&self) -> Vec<String> {
        self.catalogue().elements.keys().filter(|name| !name.starts_with("__")).cloned().collect()
    }

    #[expect(clippy::disallowed_methods, reason = "the oracle")]
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env("LC_ALL", "C").env("PYTHONDONTWRITEBYTECODE", "1").env_remove("RUN_PARTS_REGEX");
        command
    }

    /// Runs a Python program that reads and prints JSON.
    fn ask(&self, program: &str, seed: u32, question: &Value) -> Value {
        let mut child = self
            .command(&self.python)
            .args(["-c", program])
            .env("PYTHONHASHSEED", seed.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(question.to_string().as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

#[test]
fn host_dib_every_element_loads() {
    let upstream = Upstream::new();
    let catalogue = upstream.catalogue();
    assert_eq!(upstream.names().len(), 128);
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut problems = Vec::new();
    for element in catalogue.elements.values() {
        let contents = element.contents().unwrap();
        for file in contents.sources() {
            let (kind, read) = match file.kind {
                Kind::PackageInstalls => {
                    ("package-installs", PackageInstalls::read(&file.path).map(|file| file.warnings))
                }
                Kind::PkgMap => ("pkg-map", PkgMap::read(&file.path).map(|map| map.warnings)),
                Kind::SvcMap => ("svc-map", SvcMap::read(&file.path).map(|map| map.warnings)),
                Kind::SourceRepository(_) => ("source", source_repository::read(&file.path).map(|_| Vec::new())),
                _ => continue,
            };
            *counts.entry(kind).or_default() += 1;
            problems.extend(read.unwrap_or_else(|errors| errors));
        }
        if !element.name.starts_with("__") {
            assert!(element.summary().is_some(), "{} has no summary", element.name);
        }
    }
    // What is said of its own files is true, and no error.
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert!(problems.iter().all(|problem| problem.severity == Severity::Warning), "{told:#?}");
    assert!(counts["package-installs"] > 60 && counts["pkg-map"] > 30 && counts["source"] > 8, "{counts:?}");
}

const RESOLVE: &str = r"
import json, logging, sys
from diskimage_builder import element_dependencies as deps
logging.disable(logging.CRITICAL)
question = json.load(sys.stdin)
elements = deps._find_all_elements(question['path'])
answers = []
for names in question['names']:
    try:
        answers.append(sorted(e.name for e in deps._expand_element_dependencies(names, elements)))
    except Exception as error:
        answers.append('%s: %s' % (type(error).__name__, error))
json.dump(answers, sys.stdout)
";

#[test]
fn host_dib_closures_and_errors_are_the_same() {
    let upstream = Upstream::new();
    let catalogue = upstream.catalogue();
    let names = upstream.names();
    let mut questions: Vec<Vec<String>> = names.iter().map(|name| vec![name.clone()]).collect();
    for name in &names {
        questions.push(vec!["base".to_owned(), "debian-minimal".to_owned(), name.clone()]);
        questions.push(vec![name.clone(), "fedora-minimal".to_owned(), "vm".to_owned(), "block-device-gpt".to_owned()]);
    }
    questions.push(vec!["debian-minimal".to_owned(), "operating-system".to_owned()]);
    questions.push(vec!["no-such-element".to_owned()]);
    // A user who names one twice is told that it provides its names already; ours takes it once.
    questions.retain(|names| names.iter().collect::<BTreeSet<_>>().len() == names.len());
    let question = json!({"path": upstream.elements(), "names": questions});
    let answers: Vec<Value> = [0, 1, 2].map(|seed| upstream.ask(RESOLVE, seed, &question)).into();
    let mut wrong = Vec::new();
    for (index, names) in questions.iter().enumerate() {
        let theirs: Vec<&Value> = answers.iter().map(|answer| &answer[index]).collect();
        let same = match resolve(&catalogue, names) {
            Ok(set) => {
                let mut ours = set.names();
                ours.sort_unstable();
                theirs.iter().any(|theirs| **theirs == json!(ours))
            }
            Err(errors) => theirs.iter().all(|theirs| {
                let theirs = theirs.as_str().unwrap_or_default();
                let (class, message) = theirs.split_once(": ").unwrap_or_default();
                // That a user names what is provided is in its log, not in its exception.
                errors.errors.iter().any(|ours| {
                    ours.to_string() == message || (message.is_empty() && class == "AlreadyProvidedException")
                })
            }),
        };
        if !same {
            wrong.push(format!("{names:?}: {:?} and {theirs:?}", resolve(&catalogue, names).map(|set| set.line())));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn host_dib_package_installs_give_the_same_json() {
    let upstream = Upstream::new();
    let catalogue = upstream.catalogue();
    let names = upstream.names();
    let set = isotope_element::dib::closure(&catalogue, &names);
    let mut order = set.names();
    order.retain(|name| catalogue.elements.contains_key(*name));
    let files = set.elements.iter().flat_map(|element| element.contents().unwrap().sources().collect::<Vec<_>>());
    let files =
        files.filter(|file| file.kind == Kind::PackageInstalls).map(|file| PackageInstalls::read(&file.path).unwrap());
    let whens = files.flat_map(|file| file.entries).flat_map(|entry| entry.when);
    let whens: BTreeSet<(String, String)> = whens.map(|when| (when.variable, when.value)).collect();
    assert!(whens.len() > 10);
    let program = upstream.elements().join("package-installs/bin/package-installs-squash");
    let dir = tempfile::tempdir().unwrap();
    for (arch, kind, python, matching) in
        [("amd64", "source", "3", true), ("arm64", "package", "2", false), ("s390x", "repo", "3", false)]
    {
        let mut env: BTreeMap<String, String> =
            [("ARCH", arch), ("DIB_DEFAULT_INSTALLTYPE", kind), ("DIB_PYTHON_VERSION", python)]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into();
        for (variable, value) in &whens {
            let value = if matching { value.clone() } else { format!("not-{value}") };
            env.insert(variable.clone(), value);
        }
        let out = dir.path().join(arch);
        let output = upstream
            .command(&upstream.python)
            .arg(&program)
            .arg(format!("--elements={}", order.join(" ")))
            .arg(format!("--path={}", upstream.elements().display()))
            .arg(&out)
            .envs(&env)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let mut theirs: Value = serde_json::from_slice(&std::fs::read(&out).unwrap()).unwrap();
        // It writes empty lists too.
        for phase in theirs.as_object_mut().unwrap().values_mut() {
            phase.as_object_mut().unwrap().retain(|_, list| list != &json!([]));
        }
        theirs.as_object_mut().unwrap().retain(|_, phase| phase != &json!({}));
        let ours: Value = serde_json::from_str(&squash(&catalogue, &set, &env).unwrap().json()).unwrap();
        assert_eq!(ours, theirs, "{arch}");
    }
}

#[test]
fn host_dib_pkg_maps_give_the_same_names() {
    let upstream = Upstream::new();
    let program = upstream.elements().join("pkg-map/bin/pkg-map");
    let releases = [
        ("debian", "trixie"),
        ("ubuntu", "noble"),
        ("fedora", "37"),
        ("centos", "8-stream"),
        ("opensuse", "15.3"),
        ("gentoo", ""),
    ];
    let mut asked = 0;
    for element in upstream.catalogue().elements.values() {
        let Some(file) = element.contents().unwrap().sources().find(|file| file.kind == Kind::PkgMap) else { continue };
        let map = PkgMap::read(&file.path).unwrap();
        // Each map for three distributions, by turns.
        for (distro, release) in releases.iter().cycle().skip(asked).take(3) {
            let mut names: Vec<String> =
                map.default.keys().chain(map.family.values().flat_map(BTreeMap::keys)).cloned().collect();
            names.extend(map.distro.values().flat_map(BTreeMap::keys).cloned());
            names.push("not-in-the-map".to_owned());
            let output = upstream
                .command(&upstream.python)
                .arg(&program)
                .arg("--pkg-map")
                .arg(&file.path)
                .args(["--distro", distro, "--release", release, "--missing-ok", "--prefix=-"])
                .args(&names)
                .output()
                .unwrap();
            let theirs = String::from_utf8(output.stdout).unwrap();
            let theirs: Vec<&str> = theirs.lines().map(|line| line.trim_start_matches('-')).collect();
            let ours = names.iter().filter_map(|name| match map.map(name, distro, release) {
                Mapped::Packages(names) => Some(names.join(" ")),
                Mapped::Skip => None,
                Mapped::Missing => Some(name.clone()),
            });
            assert_eq!(ours.collect::<Vec<_>>(), theirs, "{} {distro}", element.name);
            asked += 1;
        }
    }
    assert!(asked > 90, "{asked}");
    assert_eq!(pkg_map::family("rocky"), Some("redhat"));
}

const SYSTEM: [&str; 4] = ["base", "debian-minimal", "vm", "block-device-mbr"];

#[test]
fn host_dib_element_info_is_the_same() {
    let upstream = Upstream::new();
    let output = upstream
        .command(&upstream.python)
        .arg(upstream.package.join("lib/element-info.py"))
        .arg("--env")
        .args(SYSTEM)
        .env("ELEMENTS_PATH", upstream.elements())
        .output()
        .unwrap();
    let theirs = String::from_utf8(output.stdout).unwrap();
    let set = resolve(&upstream.catalogue(), &SYSTEM.map(str::to_owned)).unwrap();
    let ours = set.env();
    let parts = |text: &str| {
        let (names, rest) = text.split_once('\n').unwrap();
        let (yaml, function) = rest.split_once("function").unwrap();
        let words = |text: &str| -> BTreeSet<String> {
            text.split(|char: char| char.is_whitespace() || "'\"".contains(char)).map(str::to_owned).collect()
        };
        (words(names), yaml.to_owned(), words(function))
    };
    assert_eq!(parts(&ours), parts(&theirs));
}

#[test]
fn host_dib_the_merged_tree_is_the_same() {
    let upstream = Upstream::new();
    let set = resolve(&upstream.catalogue(), &SYSTEM.map(str::to_owned)).unwrap();
    let tree = HookTree::merge(&set).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let script = format!("set -eE\n{}\nsource $_LIB/common-functions\ngenerate_hooks", set.env());
    let output = upstream
        .command(Path::new("bash"))
        .args(["-c", &script])
        .env("_LIB", upstream.package.join("lib"))
        .env("TMP_HOOKS_PATH", dir.path().join("hooks"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (mut theirs, mut stack) = (BTreeMap::new(), vec![dir.path().join("hooks")]);
    while let Some(next) = stack.pop() {
        for entry in std::fs::read_dir(next).unwrap().flatten() {
            let meta = entry.path().symlink_metadata().unwrap();
            if meta.is_dir() {
                stack.push(entry.path());
            } else {
                let path = entry.path().strip_prefix(dir.path().join("hooks")).unwrap().to_owned();
                theirs.insert(path, meta.permissions().mode() & 0o111 != 0);
            }
        }
    }
    let compiled = |path: &Path| path.components().any(|part| part.as_os_str() == "__pycache__");
    theirs.retain(|path, _| !compiled(path));
    // Of top-level files of one name it keeps any; which of them may be executed is chance.
    let lost: BTreeSet<&PathBuf> = tree.overwritten.iter().map(|(dest, _)| dest).collect();
    let ours = tree.files.iter().filter(|(dest, _)| !compiled(dest));
    let ours: BTreeMap<PathBuf, bool> = ours.map(|(dest, file)| (dest.clone(), file.executable)).collect();
    assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>());
    for (path, executable) in theirs.iter().filter(|(path, _)| !lost.contains(path)) {
        assert_eq!(ours[path], *executable, "{}", path.display());
    }
    assert!(ours.len() > 60, "{}", ours.len());
}

#[test]
fn host_dib_run_parts_prints_the_same() {
    let upstream = Upstream::new();
    let dir = tempfile::tempdir().unwrap();
    let write = |path: &str, mode: u32, text: &str| {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    write("dib-run-parts", 0o755, "");
    for name in ["10-a", "9-b", "100-c", "a", "Z", "20.sh", ".hidden", "05-x"] {
        write(&format!("x.d/{name}"), 0o755, "#!/bin/sh\necho \"$0 $A ${B-none}\"\n");
        write(&format!("environment.d/{name}"), 0o644, &format!("export A=\"${{A-}} {name}\"\nB='not exported'\n"));
    }
    write("x.d/30-plain", 0o644, "");
    write("fails.d/10-x", 0o755, "#!/bin/sh\nexit 9\n");
    let seconds = regex::Regex::new(r"[0-9]+\.[0-9]{3}\n").unwrap();
    for (args, trace) in [
        (&["x.d"][..], "0"),
        (&["x.d"], "1"),
        (&["--list", "x.d"], "0"),
        (&["fails.d"], "0"),
        (&["none.d"], "0"),
        (&[], "0"),
    ] {
        let mut outputs = Vec::new();
        let theirs = upstream.package.join("lib/dib-run-parts");
        for script in [SCRIPT.to_owned(), std::fs::read_to_string(theirs).unwrap()] {
            std::fs::write(dir.path().join("dib-run-parts"), script).unwrap();
            let program = dir.path().join("dib-run-parts");
            // Not by its name: a process that another test is just starting may still have it open for writing (ETXTBSY).
            let mut command = upstream.command(Path::new("bash"));
            let output = command
                .arg(&program)
                .args(args)
                .env("DIB_DEBUG_TRACE", trace)
                .current_dir(dir.path())
                .output()
                .unwrap();
            let told = String::from_utf8(output.stderr).unwrap();
            // It finds files to be told of in the order of the disk.
            let told: Vec<String> = seconds
                .replace_all(&told, "0.000\n")
                .lines()
                .filter(|line| !line.contains("Ignoring"))
                .map(str::to_owned)
                .collect();
            outputs.push((output.status.code(), String::from_utf8(output.stdout).unwrap(), told));
        }
        assert_eq!(outputs[0], outputs[1], "{args:?}");
    }
}

/// What `isotope check` says of diskimage-builder's own elements: errors where a build ends, and there only.
#[test]
fn host_dib_lint_of_its_own_elements() {
    let upstream = Upstream::new();
    let catalogue = upstream.catalogue();
    let native = BTreeSet::new();
    let linter = Linter::new(&catalogue, &native);
    let mut errors = BTreeSet::new();
    let mut counts: BTreeMap<Severity, usize> = BTreeMap::new();
    for element in catalogue.elements.values() {
        for one in linter.check(element) {
            *counts.entry(one.severity).or_default() += 1;
            if one.severity == Severity::Error {
                errors.insert(format!("{}: {}", element.name, one.message));
            }
        }
    }
    let expected = ["deploy-kexec: Element 'deploy' not found"];
    assert_eq!(errors.iter().map(String::as_str).collect::<Vec<_>>(), expected, "{counts:?}");
    assert!(counts[&Severity::Warning] < 80, "{counts:?}");
}

#[test]
fn host_dib_run_parts_is_good_bash() {
    let upstream = Upstream::new();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/dib/dib-run-parts.bash");
    let output = upstream.command(Path::new("shellcheck")).arg(&path).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
