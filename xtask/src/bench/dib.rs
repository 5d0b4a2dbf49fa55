//! diskimage-builder's elements through its own program and through ours, alternating: the same elements (those of its package), the
//! same options, each with a download cache of its own. The first round fills the caches, the best round counts.

use super::{ROUNDS, Time, best, remove_tree, subdir, time};
use crate::{Xtask, host};
use anyhow::{Context, bail};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use xshell::cmd;

/// Who builds.
struct Contender {
    name: &'static str,
    /// The program.
    program: PathBuf,
    /// What is set for it, before the rest.
    env: String,
    times: Vec<Time>,
}

pub(super) fn run(xtask: &Xtask, isotope: &Path, out: &Path) -> anyhow::Result<()> {
    let shell = &xtask.shell;
    let venv = host::dib(xtask)?;
    let work = subdir(xtask, out, "dib")?;
    let mut table = String::from("| build | contender | wall s | CPU s |\n|---|---|---|---|\n");
    let elements = elements(xtask, &venv)?;
    let own = xtask.root.join("tests/dib/elements");
    let debian = format!("{} {}", mirrors(xtask, isotope)?, "DIB_RELEASE=bookworm");
    for (name, path, env, arguments, targets) in [
        ("no-op, raw", &own, "", "-n -t raw noop-os", (0.25, None)),
        ("debian-minimal vm, qcow2", &elements, debian.as_str(), "-t qcow2 debian-minimal vm", (0.6, Some(0.7))),
    ] {
        let mut contenders = contenders(xtask, isotope, &venv, &work)?;
        for _ in 0..ROUNDS {
            for contender in &mut contenders {
                let dir = work.join(contender.name);
                shell.create_dir(&dir)?;
                let line = format!(
                    "cd {} && env {} {env} ELEMENTS_PATH={} DIB_IMAGE_CACHE={}/cache OVERWRITE_OLD_IMAGE=1 {} -o image {arguments}",
                    dir.display(),
                    contender.env,
                    path.display(),
                    dir.display(),
                    contender.program.display()
                );
                contender.times.push(time(xtask, &line, &out.join(format!("dib-{}.log", contender.name)))?);
            }
        }
        let [theirs, ours] = &contenders[..] else { bail!("two contenders") };
        let (their, our) = (best(&theirs.times)?, best(&ours.times)?);
        for (contender, time) in [(theirs, their), (ours, our)] {
            writeln!(table, "| {name} | {} | {:.1} | {:.1} |", contender.name, time.wall, time.cpu)?;
        }
        let (wall, cpu) = targets;
        let cpu = cpu.map_or_else(String::new, |most: f64| format!(", CPU {:.2} (target {most})", our.cpu / their.cpu));
        writeln!(table, "| {name} | ratio | {:.2} (target {wall}){cpu} | |", our.wall / their.wall)?;
    }
    shell.write_file(out.join("dib.md"), &table)?;
    host::say(&table);
    remove_tree(xtask, &work)
}

fn contenders(xtask: &Xtask, isotope: &Path, venv: &Path, work: &Path) -> anyhow::Result<[Contender; 2]> {
    let shell = &xtask.shell;
    let link = work.join("disk-image-create");
    cmd!(shell, "ln -sfn {isotope} {link}").quiet().run()?;
    let shims = xtask.root.join("tests/dib/shims");
    Ok([
        Contender {
            name: "diskimage-builder",
            program: venv.join("bin/disk-image-create"),
            env: format!("PATH={}:$PATH", shims.display()),
            times: Vec::new(),
        },
        Contender {
            name: "isotope",
            program: link,
            env: format!("ISOTOPE_DATA_DIR={}", xtask.root.display()),
            times: Vec::new(),
        },
    ])
}

/// The elements of diskimage-builder's package.
pub(super) fn elements(xtask: &Xtask, venv: &Path) -> anyhow::Result<PathBuf> {
    let python = venv.join("bin/python3");
    let ask = "import diskimage_builder; print(diskimage_builder.__path__[0])";
    let package =
        cmd!(xtask.shell, "{python} -c {ask}").quiet().read().context("the virtualenv has no diskimage-builder")?;
    Ok(PathBuf::from(package).join("elements"))
}

/// The archives that our own builds use, in the elements' variables.
pub(super) fn mirrors(xtask: &Xtask, isotope: &Path) -> anyhow::Result<String> {
    let shell = &xtask.shell;
    let variables = "import json,sys
p=json.load(sys.stdin)
s=[x for t in p['steps'] if t['action']['kind']=='bootstrap' for x in t['action']['sources']]
print('DIB_DISTRIBUTION_MIRROR='+next(x['uri'] for x in s if x['suite']=='bookworm'))
print('DIB_DEBIAN_SECURITY_MIRROR='+next((x['uri'] for x in s if 'security' in x['suite']), s[0]['uri']))";
    let plan =
        cmd!(shell, "{isotope} plan debian-cloud --set debian-minimal.release=bookworm --json").quiet().read()?;
    Ok(cmd!(shell, "python3 -c {variables}").stdin(&plan).quiet().read()?.replace('\n', " "))
}
