//! A release archive: the binary, elements, recipes, manual pages, completions, licences; with its SHA-256.

use crate::{Xtask, host};
use std::process::ExitCode;
use xshell::cmd;

/// `cargo xtask dist`.
pub fn run(xtask: &Xtask) -> anyhow::Result<ExitCode> {
    host::setup(xtask, host::Need::Build)?;
    let isotope = host::compile(xtask, host::Profile::Release)?;
    let shell = &xtask.shell;
    let name = format!("isotope-{}-{}", env!("CARGO_PKG_VERSION"), std::env::consts::ARCH);
    let dist = xtask.root.join("target/dist");
    let tree = dist.join(&name);
    shell.remove_path(&tree)?;
    let share = tree.join("share/isotope");
    let man = tree.join("share/man/man1");
    let (bin, completions) = (tree.join("bin"), tree.join("share/completions"));
    for dir in [&bin, &share, &man, &completions] {
        shell.create_dir(dir)?;
    }
    shell.copy_file(&isotope, bin.join("isotope"))?;
    let root = &xtask.root;
    // diskimage-builder's programs are this binary by their names.
    for program in shell.read_file(root.join("docs/generated/programs"))?.lines() {
        let link = bin.join(program);
        cmd!(shell, "ln -s isotope {link}").run()?;
    }
    cmd!(shell, "cp -a {root}/elements {root}/elements-dib {root}/recipes {share}/").run()?;
    cmd!(shell, "cp -a {root}/README.md {root}/LICENSE-MIT {root}/LICENSE-APACHE {tree}/").run()?;
    cmd!(shell, "cp -aT {root}/docs/generated/man {man}").run()?;
    cmd!(shell, "cp -aT {root}/docs/generated/completions {completions}").run()?;
    let archive = format!("{name}.tar.gz");
    let _dir = shell.push_dir(&dist);
    cmd!(shell, "tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -czf {archive} {name}").run()?;
    let digest = cmd!(shell, "sha256sum {archive}").read()?;
    shell.write_file(format!("{archive}.sha256"), format!("{digest}\n"))?;
    host::say(&format!("{}", dist.join(&archive).display()));
    Ok(ExitCode::SUCCESS)
}
