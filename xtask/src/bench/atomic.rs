//! Atomic images: composing a tree, pulling one, building the image cold and with the tree in the cache.

use super::{ROUNDS, Time, best, example, remove_tree, sources_list, subdir, time};
use crate::Xtask;
use anyhow::bail;
use std::fmt::Write as _;
use std::path::Path;
use xshell::cmd;

/// The tree's ref in the repository that is made here.
const REF: &str = "bench";

pub(super) fn run(xtask: &Xtask, isotope: &Path, out: &Path) -> anyhow::Result<()> {
    let shell = &xtask.shell;
    let work = subdir(xtask, out, "atomic")?;
    let mut table = String::from("| contender | wall s | CPU s |\n|---|---|---|\n");
    compose(xtask, isotope, (out, &work), &mut table)?;
    build(xtask, isotope, (out, &work), &mut table)?;
    shell.write_file(out.join("atomic.md"), &table)?;
    crate::host::say(&table);
    remove_tree(xtask, &work)
}

/// A tree of about 1 GB, committed to an archive by `ostree`, and pulled over HTTP from 127.0.0.1 by us and by `ostree pull`.
pub(super) fn pull(xtask: &Xtask, tree: &Path, out: &Path) -> anyhow::Result<()> {
    let (shell, work) = (&xtask.shell, subdir(xtask, out, "pull")?);
    let repo = work.join("repo");
    remove_tree(xtask, &repo)?;
    cmd!(shell, "ostree init --mode=archive --repo={repo}").quiet().run()?;
    // Device nodes are no part of a commit.
    cmd!(shell, "find {tree} -not -type f -not -type d -not -type l -delete").quiet().run()?;
    cmd!(shell, "ostree commit --repo={repo} --branch={REF} --tree=dir={tree}").quiet().ignore_stdout().run()?;
    cmd!(shell, "ostree summary -u --repo={repo}").quiet().run()?;
    example(xtask, "isotope", "bench_pull", &[&repo, Path::new(REF), &work], out)?;
    remove_tree(xtask, &work)
}

fn row(table: &mut String, name: &str, time: Time) -> anyhow::Result<()> {
    Ok(writeln!(table, "| {name} | {:.1} | {:.1} |", time.wall, time.cpu)?)
}

/// Packages to a commit in an archive repository, beside mmdebstrap and `ostree commit` with the same packages. By hand no ostree layout
/// is made: what mmdebstrap leaves is committed as it is, without its device nodes.
fn compose(xtask: &Xtask, isotope: &Path, (out, work): (&Path, &Path), table: &mut String) -> anyhow::Result<()> {
    let shell = &xtask.shell;
    let log = out.join("atomic.log");
    let (repo, cache) = (work.join("repo"), work.join("cache"));
    let (tree, by_hand) = (work.join("tree"), work.join("by-hand"));
    let treefile = xtask.root.join("elements/debian-atomic/treefile.yaml");
    if !treefile.exists() {
        bail!("{} is not there: this benchmark comes with the element debian-atomic", treefile.display());
    }
    let sources = sources_list(xtask, isotope, work)?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        for path in [&repo, &cache, &by_hand] {
            remove_tree(xtask, path)?;
        }
        let [isotope, treefile, repo_path, cache_path] =
            [isotope, &treefile, &repo, &cache].map(|path| path.display().to_string());
        let line = format!("{isotope} compose {treefile} --repo {repo_path} --ref {REF} --cache-dir {cache_path}");
        ours.push(time(xtask, &line, &log)?);
        let status = cmd!(shell, "ostree cat --repo={repo} {REF} /usr/lib/sysimage/dpkg/status").quiet().read()?;
        let include: Vec<&str> = status.lines().filter_map(|line| line.strip_prefix("Package: ")).collect();
        if include.is_empty() {
            bail!("the commit lists no packages");
        }
        let [tree_path, by_hand_path, sources] = [&tree, &by_hand, &sources].map(|path| path.display().to_string());
        let include = include.join(",");
        // The steps of the tree's layout that a person could not leave out: no device nodes, a repository.
        let line = format!(
            "mmdebstrap --mode=root --variant=apt --include={include} trixie {tree_path} - < {sources} && \
             rm -rf {tree_path}/dev/* {tree_path}/run/* && ostree init --mode=archive --repo={by_hand_path} && \
             ostree commit --repo={by_hand_path} --branch={REF} --tree=dir={tree_path}"
        );
        theirs.push(time(xtask, &line, &log)?);
        remove_tree(xtask, &tree)?;
    }
    let (our, their) = (best(&ours)?, best(&theirs)?);
    row(table, "isotope compose (cold, with the ostree layout)", our)?;
    row(table, "mmdebstrap + ostree commit by hand, the same packages", their)?;
    remove_tree(xtask, &by_hand)
}

/// debian-atomic to a qcow2: everything from nothing, then again with the tree in the cache, then where nothing has changed.
fn build(xtask: &Xtask, isotope: &Path, (out, work): (&Path, &Path), table: &mut String) -> anyhow::Result<()> {
    let log = out.join("atomic.log");
    let (cache, images) = (work.join("cache"), work.join("images"));
    remove_tree(xtask, &cache)?;
    let [isotope, cache, images] = [isotope, &cache, &images].map(|path| path.display().to_string());
    let line = format!("{isotope} build debian-atomic -t qcow2 --cache-dir {cache} --output-dir {images}");
    row(table, "isotope build debian-atomic -t qcow2 (cold)", time(xtask, &line, &log)?)?;
    // The compose and its commit stay.
    for kept in ["layers", "images", "disks"] {
        remove_tree(xtask, &Path::new(&cache).join(kept))?;
    }
    row(table, "the same, the tree in the cache", time(xtask, &line, &log)?)?;
    row(table, "the same, nothing has changed", time(xtask, &line, &log)?)
}
