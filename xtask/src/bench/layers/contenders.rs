//! Who builds what, and how each is told of the changes.

use super::{Ask, Change, Contender, Prepare, Registry, measure, mkosi};
use crate::bench::{dib, remove_tree, subdir};
use crate::{Xtask, host};
use anyhow::{Context, bail};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use xshell::cmd;

/// The element whose hook changes.
const HOOK: &str = "bench-hook";
/// What both lists have, and what the longer one has, too.
const PACKAGES: [&str; 2] = ["tree", "htop"];

pub(super) fn packages(ask: Ask) -> &'static [&'static str] {
    if ask.more_packages { &PACKAGES } else { &PACKAGES[..1] }
}

/// A script that leaves its number in the target, whose root it sees at `root`: those of `finalise.d` run in it.
pub(super) fn hook(xtask: &Xtask, file: &Path, root: &str, ask: Ask) -> anyhow::Result<()> {
    let script = format!("#!/bin/sh\nset -e\necho {} >\"{root}/etc/bench-layers\"\n", ask.hook);
    xtask.shell.write_file(file, script)?;
    let mode = "755";
    cmd!(xtask.shell, "chmod {mode} {file}").quiet().run()?;
    Ok(())
}

/// One of our recipes.
pub(super) fn recipe(xtask: &Xtask, isotope: &Path, work: &Path, recipe: &str) -> anyhow::Result<Contender> {
    let dir = subdir(xtask, work, recipe)?;
    let (cache, images, elements) = (dir.join("cache"), dir.join("images"), dir.join("elements"));
    let element = elements.join(HOOK);
    xtask.shell.write_file(element.join("element.toml"), "summary = \"A hook that changes\"\n")?;
    let atomic = recipe == "debian-atomic";
    if atomic {
        let (from, to) = (xtask.root.join("elements").join(recipe), elements.join(recipe));
        remove_tree(xtask, &to)?;
        cmd!(xtask.shell, "cp -a {from} {to}").quiet().run()?;
        // What is installed beside its own packages stands in a treefile that includes its own.
        let (own, renamed) = (to.join("treefile.yaml"), to.join("treefile-own.yaml"));
        cmd!(xtask.shell, "mv {own} {renamed}").quiet().run()?;
    }
    let file = element.join("finalise.d/90-bench");
    let treefile = elements.join(recipe).join("treefile.yaml");
    let prepare: Prepare = Box::new(move |xtask, ask| {
        hook(xtask, &file, "", ask)?;
        if atomic {
            let list = packages(ask).join(" ");
            xtask.shell.write_file(&treefile, format!("include: treefile-own.yaml\npackages:\n  - {list}\n"))?;
        }
        Ok(())
    });
    let (isotope, recipe) = (isotope.to_owned(), recipe.to_owned());
    let kept = ["layers", "images", "ostree"].map(|name| cache.join(name)).to_vec();
    let machine = vec![cache.clone(), images.clone()];
    let own_cache = cache.clone();
    let line = move |ask: Ask| {
        let more = if atomic {
            String::new()
        } else {
            format!("package-install --set 'package-install.packages={}'", packages(ask).join(" "))
        };
        let shared = match ask.registry {
            None => String::new(),
            Some(Registry::To(port)) => format!("--cache-to 127.0.0.1:{port}/bench"),
            Some(Registry::From(port)) => format!("--cache-from 127.0.0.1:{port}/bench"),
        };
        format!(
            "{} build {recipe} {HOOK} {more} -o image -t qcow2 {shared} --elements-path {} --cache-dir {} --output-dir {}",
            isotope.display(),
            elements.display(),
            cache.display(),
            images.display()
        )
    };
    Ok(Contender {
        name: "isotope build".to_owned(),
        ours: true,
        prepare,
        line: Box::new(line),
        kept,
        machine,
        cache: own_cache,
        samples: BTreeMap::new(),
        disk: 0,
    })
}

/// diskimage-builder, ours in its place, and mkosi; and what is to be said of mkosi.
pub(super) fn dib(
    xtask: &Xtask,
    isotope: &Path,
    (out, work): (&Path, &Path),
) -> anyhow::Result<(Vec<Contender>, String)> {
    let shell = &xtask.shell;
    let venv = host::dib(xtask)?;
    let work = subdir(xtask, work, "dib")?;
    let elements = work.join("elements");
    let link = work.join("disk-image-create");
    cmd!(shell, "ln -sfn {isotope} {link}").quiet().run()?;
    let path = format!("{}:{}", elements.display(), dib::elements(xtask, &venv)?.display());
    let environment = format!("{} DIB_RELEASE=bookworm ELEMENTS_PATH={path}", dib::mirrors(xtask, isotope)?);
    let shims = xtask.root.join("tests/dib/shims");
    let upstream = Program {
        name: "diskimage-builder 3.43",
        program: venv.join("bin/disk-image-create"),
        env: format!("PATH={}:$PATH", shims.display()),
        ours: false,
    };
    let ours = Program {
        name: "isotope as disk-image-create",
        program: link,
        env: format!("ISOTOPE_LAYERS=1 ISOTOPE_DATA_DIR={}", xtask.root.display()),
        ours: true,
    };
    let file = elements.join(HOOK).join("finalise.d/99-bench");
    let mut contenders =
        vec![upstream.contender(&work, &environment, &file), ours.contender(&work, &environment, &file)];
    let packages = installed(xtask, &work, &contenders[1])?;
    let mkosi = mkosi::contender(xtask, isotope, (out, &work), &packages).and_then(|mkosi| {
        let ask = Ask { change: Change::Cold, hook: 0, more_packages: false, registry: None };
        measure::one(xtask, &mkosi, ask, &out.join("layers-mkosi.log")).map(|_| mkosi)
    });
    let note = match mkosi {
        Ok(mkosi) => {
            contenders.push(mkosi);
            "mkosi installs the packages that diskimage-builder's image has, and no boot loader.".to_owned()
        }
        // Not every container allows what it does.
        Err(error) => format!("mkosi cannot build here, and was not compared: {error:#}"),
    };
    Ok((contenders, note))
}

/// The packages in an image of diskimage-builder's elements.
fn installed(xtask: &Xtask, work: &Path, ours: &Contender) -> anyhow::Result<Vec<String>> {
    let shell = &xtask.shell;
    let ask = Ask { change: Change::Cold, hook: 0, more_packages: false, registry: None };
    measure::one(xtask, ours, ask, &work.join("packages.log")).context("the image whose packages mkosi gets")?;
    // The element `dpkg` writes it.
    let names = "import json,sys; print(*(p['package'] for p in json.load(sys.stdin)['packages']))";
    let manifest = work.join("ours/image.d/dib-manifests/dib-manifest-dpkg-image");
    let manifest = shell.read_file(&manifest).context("the image of diskimage-builder's elements lists no packages")?;
    let list = cmd!(shell, "python3 -c {names}").stdin(&manifest).quiet().read()?;
    if list.trim().is_empty() {
        bail!("the image of diskimage-builder's elements lists no packages");
    }
    Ok(list.split_whitespace().map(str::to_owned).collect())
}

/// A program that takes the options of `disk-image-create`.
struct Program {
    name: &'static str,
    program: PathBuf,
    env: String,
    ours: bool,
}

impl Program {
    fn contender(self, work: &Path, environment: &str, file: &Path) -> Contender {
        let Self { name, program, env, ours } = self;
        let dir = work.join(if ours { "ours" } else { "theirs" });
        let cache = dir.join("cache");
        let line = {
            let (dir, cache, environment) = (dir.clone(), cache.clone(), environment.to_owned());
            move |ask: Ask| {
                format!(
                    "mkdir -p {0} && cd {0} && env {env} {environment} DIB_IMAGE_CACHE={1}/downloads ISOTOPE_CACHE_DIR={1}/isotope \
                     OVERWRITE_OLD_IMAGE=1 {2} -o image -t qcow2 -p {3} debian-minimal vm {HOOK}",
                    dir.display(),
                    cache.display(),
                    program.display(),
                    packages(ask).join(",")
                )
            }
        };
        let file = file.to_owned();
        let prepare: Prepare = Box::new(move |xtask, ask| hook(xtask, &file, "", ask));
        let kept = ["isotope/layers", "isotope/images"].map(|name| cache.join(name)).to_vec();
        let samples = BTreeMap::new();
        let (name, line, machine) = (name.to_owned(), Box::new(line), Vec::new());
        Contender { name, ours, prepare, line, kept, machine, cache, samples, disk: 0 }
    }
}
