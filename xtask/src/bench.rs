//! Benchmarks against peers, alternating in one run: qemu-img (export), cp and mke2fs (population), mmdebstrap (cold build), mmdebstrap
//! with `ostree commit` and `ostree pull` (atomic), diskimage-builder (dib), diskimage-builder and mkosi
//! where little or nothing has changed (layers).
//!
//! Each writes a table to `target/bench/<name>.md` and prints it. Figures are wall-clock and CPU seconds of this machine in
//! this run; only their ratios mean something elsewhere.

mod atomic;
mod dib;
mod layers;

use crate::{Xtask, host};
use anyhow::{Context, bail};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use xshell::cmd;

/// How often each contender runs; the best of them counts.
const ROUNDS: usize = 2;

/// The benchmarks.
const NAMES: [&str; 6] = ["build", "export", "populate", "atomic", "dib", "layers"];

/// `cargo xtask bench [build|export|populate|atomic|dib|layers]…`; what follows `layers` is what is built: `debian-cloud`, `debian-atomic` or
/// `dib`.
pub fn run(xtask: &Xtask, args: &[String]) -> anyhow::Result<ExitCode> {
    host::setup(xtask, host::Need::Everything)?;
    if !host::is_root() {
        bail!("the benchmarks build images: run them as root (sudo -E cargo xtask bench)");
    }
    let end = args.iter().position(|arg| arg == "layers").map_or(args.len(), |index| index + 1);
    let (names, subject) = args.split_at(end);
    let unknown = names.iter().find(|name| !NAMES.contains(&name.as_str()));
    if let Some(name) = unknown.or(subject.get(1)) {
        bail!("there is no benchmark `{name}`; there are {}", NAMES.join(", "));
    }
    let wanted = |name: &str| names.is_empty() || names.iter().any(|one| one == name);
    let isotope = host::compile(xtask, host::Profile::Release)?;
    let out = xtask.root.join("target/bench");
    xtask.shell.create_dir(&out)?;
    if wanted("build") {
        build(xtask, &isotope, &out)?;
    }
    if wanted("export") {
        let dir = out.join("image");
        let raw = dir.join("debian-cloud.raw");
        cmd!(xtask.shell, "{isotope} build debian-cloud -t raw --output-dir {dir}").run()?;
        let work = subdir(xtask, &out, "export")?;
        example(xtask, "isotope-image", "bench_export", &[&raw, &work], &out)?;
        xtask.shell.remove_path(&raw)?;
    }
    if wanted("populate") || wanted("atomic") {
        let tree = gigabyte(xtask, &isotope, &out)?;
        if wanted("populate") {
            let work = subdir(xtask, &out, "populate")?;
            example(xtask, "isotope-disk", "bench_populate", &[&tree, &work], &out)?;
        }
        if wanted("atomic") {
            atomic::pull(xtask, &tree, &out)?;
        }
        remove_tree(xtask, &tree)?;
    }
    if wanted("atomic") {
        atomic::run(xtask, &isotope, &out)?;
    }
    if wanted("dib") {
        dib::run(xtask, &isotope, &out)?;
    }
    if wanted("layers") {
        layers::run(xtask, &isotope, &out, subject.first().map(String::as_str))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Packages that make a tree of about 1 GB with files of all sizes: compilers, their libraries, documentation-free.
const GIGABYTE: &str = "build-essential golang-go git docker.io python3-numpy linux-headers-amd64 vim-nox";

/// A tree of about 1 GB, as a package manager makes it.
fn gigabyte(xtask: &Xtask, isotope: &Path, out: &Path) -> anyhow::Result<PathBuf> {
    let (shell, tree) = (&xtask.shell, out.join("gigabyte"));
    remove_tree(xtask, &tree)?;
    let set = format!("package-install.packages={GIGABYTE}");
    cmd!(shell, "{isotope} build debian-minimal package-install --set {set} -o gigabyte -t tar --output-dir {out}")
        .run()?;
    shell.create_dir(&tree)?;
    let tar = out.join("gigabyte.tar.zst");
    cmd!(shell, "tar -C {tree} -xpf {tar} --xattrs --xattrs-include=*").run()?;
    shell.remove_path(tar)?;
    Ok(tree)
}

fn subdir(xtask: &Xtask, out: &Path, name: &str) -> anyhow::Result<PathBuf> {
    Ok(xtask.shell.create_dir(out.join(name))?)
}

/// Runs a crate's benchmark example, which prints its table.
fn example(xtask: &Xtask, package: &str, name: &str, args: &[&Path], out: &Path) -> anyhow::Result<()> {
    let shell = &xtask.shell;
    let _dir = shell.push_dir(&xtask.root);
    let json = cmd!(shell, "cargo run --locked --release -p {package} --example {name} -- {args...}").read()?;
    shell.write_file(out.join(format!("{name}.json")), &json)?;
    host::say(&format!("## {name}\n{json}"));
    Ok(())
}

/// Wall-clock and CPU seconds of one run.
#[derive(Debug, Clone, Copy)]
struct Time {
    wall: f64,
    cpu: f64,
}

/// Times a command line by bash's own clock; its output goes to a log.
fn time(xtask: &Xtask, line: &str, log: &Path) -> anyhow::Result<Time> {
    let shell = &xtask.shell;
    let script = format!(
        "set -o pipefail; TIMEFORMAT='%R %U %S'; exec 3>&2; {{ time {{ {line}; }} >{0} 2>&1; }} 2>&1",
        log.display()
    );
    let text = cmd!(shell, "bash -c {script}")
        .quiet()
        .read()
        .with_context(|| format!("`{line}` failed; see {}", log.display()))?;
    let figures: Vec<f64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [wall, user, system] = figures[..] else { bail!("bash's time printed `{text}`") };
    Ok(Time { wall, cpu: user + system })
}

/// The cold build of debian-cloud to a qcow2, beside mmdebstrap making a directory of the same packages.
fn build(xtask: &Xtask, isotope: &Path, out: &Path) -> anyhow::Result<()> {
    let shell = &xtask.shell;
    let (dir, cache, tree) = (out.join("image"), out.join("cache"), out.join("mmdebstrap"));
    let log = out.join("build.log");
    let mut ours = Vec::new();
    let mut theirs = Vec::new();
    let mut packages = None;
    for _ in 0..ROUNDS {
        shell.remove_path(&cache)?;
        let line = format!(
            "{} build debian-cloud -t qcow2 --cache-dir {} --output-dir {}",
            isotope.display(),
            cache.display(),
            dir.display()
        );
        ours.push(time(xtask, &line, &log)?);
        if packages.is_none() {
            packages = Some(mmdebstrap_input(xtask, isotope, &dir)?);
        }
        let Some((include, sources)) = &packages else { bail!("no package list") };
        remove_tree(xtask, &tree)?;
        let line = format!(
            "mmdebstrap --mode=root --variant=apt --include={include} trixie {} - < {}",
            tree.display(),
            sources.display()
        );
        theirs.push(time(xtask, &line, &log)?);
        remove_tree(xtask, &tree)?;
    }
    let (our, their) = (best(&ours)?, best(&theirs)?);
    let mut table = String::from("| contender | wall s | CPU s |\n|---|---|---|\n");
    writeln!(table, "| isotope build debian-cloud -t qcow2 (cold) | {:.1} | {:.1} |", our.wall, our.cpu)?;
    writeln!(table, "| mmdebstrap, the same packages, to a directory (cold) | {:.1} | {:.1} |", their.wall, their.cpu)?;
    writeln!(table, "\nratio {:.2} (target: at most 1.15); best of {ROUNDS}, alternating", our.wall / their.wall)?;
    writeln!(table, "all: {ours:?} {theirs:?}")?;
    shell.write_file(out.join("build.md"), &table)?;
    host::say(&table);
    Ok(())
}

/// The fastest run.
fn best(times: &[Time]) -> anyhow::Result<Time> {
    times.iter().copied().min_by(|a, b| a.wall.total_cmp(&b.wall)).context("nothing was timed")
}

fn remove_tree(xtask: &Xtask, tree: &Path) -> anyhow::Result<()> {
    let shell = &xtask.shell;
    cmd!(shell, "rm -rf --one-file-system {tree}").quiet().run()?;
    Ok(())
}

/// The packages of the image just built, and a sources.list of the archives that it was built from.
fn mmdebstrap_input(xtask: &Xtask, isotope: &Path, dir: &Path) -> anyhow::Result<(String, PathBuf)> {
    let shell = &xtask.shell;
    let image = dir.join("debian-cloud.qcow2");
    // python3 is on the list of host packages; xtask itself parses no JSON, so that it compiles in seconds.
    let names = "import json,sys; m=json.load(sys.stdin); print(','.join(sorted(p['name'] for p in m['packages'])))";
    let manifest = shell
        .read_file(dir.join("debian-cloud.qcow2.manifest.json"))
        .or_else(|_| shell.read_file(dir.join("debian-cloud.manifest.json")));
    let manifest = manifest.with_context(|| format!("{} has no manifest beside it", image.display()))?;
    let include = cmd!(shell, "python3 -c {names}").stdin(&manifest).quiet().read()?;
    Ok((include, sources_list(xtask, isotope, dir)?))
}

/// A sources.list of the archives that debian-cloud is built from.
fn sources_list(xtask: &Xtask, isotope: &Path, dir: &Path) -> anyhow::Result<PathBuf> {
    let shell = &xtask.shell;
    let lines = "import json,sys
p=json.load(sys.stdin)
for s in p['steps']:
    if s['action']['kind']=='bootstrap':
        for x in s['action']['sources']:
            print('deb [signed-by=%s] %s %s %s' % (x['keyring'], x['uri'], x['suite'], ' '.join(x['components'])))";
    let plan = cmd!(shell, "{isotope} plan debian-cloud --json").quiet().read()?;
    let sources = cmd!(shell, "python3 -c {lines}").stdin(&plan).quiet().read()?;
    let file = dir.join("sources.list");
    shell.write_file(&file, sources + "\n")?;
    Ok(file)
}
