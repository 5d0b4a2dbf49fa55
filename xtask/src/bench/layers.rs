//! Layers: how much of a build is done again when nothing has changed, when the last hook has, and when the list of packages has; and
//! what a machine that has nothing does, where a registry has what another one has built.
//!
//! Contenders take turns, build by build: our recipes, then diskimage-builder's elements through our `disk-image-create`, through
//! diskimage-builder itself, beside mkosi with the same packages. Downloads are warm for all: each has
//! built both lists of packages before anything is timed.

mod contenders;
mod measure;
mod mkosi;
mod registry;

use super::{ROUNDS, remove_tree, subdir};
use crate::{Xtask, host};
use anyhow::{Context, bail};
use measure::Sample;
use registry::Server;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// What has happened since the build before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Change {
    /// All is new but downloads.
    Cold,
    /// Nothing.
    Nothing,
    /// A hook of the last phase has other bytes.
    LastHook,
    /// One more package is wanted.
    Packages,
    /// Everything this machine had has gone, downloads too; a registry has what was built.
    Machine,
}

impl Change {
    /// Those that contenders take turns in.
    const IN_TURNS: [Self; 4] = [Self::Cold, Self::Nothing, Self::LastHook, Self::Packages];

    fn name(self) -> &'static str {
        match self {
            Self::Cold => "cold, downloads warm",
            Self::Nothing => "nothing changed",
            Self::LastHook => "last hook changed",
            Self::Packages => "package list changed",
            Self::Machine => "warm start from a registry",
        }
    }

    /// What ours must keep to: a share of the cold build's time, or seconds.
    fn target(self, seconds: f64, cold: f64) -> Option<(String, bool)> {
        let share = seconds / cold;
        match self {
            Self::Cold => None,
            Self::Nothing => Some(("under 1 s".to_owned(), seconds < 1.0)),
            Self::LastHook => Some(("at most 8 %".to_owned(), share <= 0.08)),
            Self::Packages => Some(("at most 40 %".to_owned(), share <= 0.40)),
            Self::Machine => Some(("at most 25 %".to_owned(), share <= 0.25)),
        }
    }
}

/// What a build is asked for.
#[derive(Debug, Clone, Copy)]
struct Ask {
    change: Change,
    /// No two hooks are the same.
    hook: usize,
    more_packages: bool,
    registry: Option<Registry>,
}

/// What a build does with a registry on this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Registry {
    /// Gives it what it has built. Its port.
    To(u16),
    /// Takes what it has.
    From(u16),
}

/// Makes ready for a build: the hook's bytes, and other files that say what is wanted.
type Prepare = Box<dyn Fn(&Xtask, Ask) -> anyhow::Result<()>>;

/// Who builds.
struct Contender {
    name: String,
    /// Whether the targets are its.
    ours: bool,
    prepare: Prepare,
    /// The command line.
    line: Box<dyn Fn(Ask) -> String>,
    /// What is removed before a cold build: everything it keeps but downloads.
    kept: Vec<PathBuf>,
    /// What is removed to make this an empty machine; nothing: it knows of no registry.
    machine: Vec<PathBuf>,
    /// Where it keeps everything.
    cache: PathBuf,
    samples: BTreeMap<Change, Vec<Sample>>,
    /// Of the cache, in MiB, after the last build.
    disk: u64,
}

/// `cargo xtask bench layers [debian-cloud|debian-atomic|dib]`.
pub(super) fn run(xtask: &Xtask, isotope: &Path, out: &Path, which: Option<&str>) -> anyhow::Result<()> {
    let shell = &xtask.shell;
    let work = subdir(xtask, out, "layers")?;
    let mut table = String::from(
        "| build | contender | change | wall s | of its cold build | CPU s | peak memory MiB | cache MiB | target |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    if let Some(which) = which
        && !["debian-cloud", "debian-atomic", "dib"].contains(&which)
    {
        bail!("bench layers has no `{which}`; it has debian-cloud, debian-atomic, dib");
    }
    let wanted = |name: &str| which.is_none_or(|which| which == name);
    for recipe in ["debian-cloud", "debian-atomic"].into_iter().filter(|recipe| wanted(recipe)) {
        let mut contenders = [contenders::recipe(xtask, isotope, &work, recipe)?];
        compete(xtask, recipe, &mut contenders, out, &mut table)?;
    }
    if wanted("dib") {
        let (mut contenders, note) = contenders::dib(xtask, isotope, (out, &work))?;
        compete(xtask, "debian-minimal vm", &mut contenders, out, &mut table)?;
        writeln!(table, "\n{note}")?;
    }
    writeln!(
        table,
        "\nbest of {ROUNDS} by wall time (peers: one); memory is what the host had less of, tmpfs among it"
    )?;
    shell.write_file(out.join("layers.md"), &table)?;
    host::say(&table);
    remove_tree(xtask, &work)
}

/// All builds of all contenders, in turns.
fn compete(
    xtask: &Xtask,
    build: &str,
    contenders: &mut [Contender],
    out: &Path,
    table: &mut String,
) -> anyhow::Result<()> {
    let log = |contender: &Contender| out.join(format!("layers-{}.log", contender.name.replace([' ', '/'], "-")));
    for contender in contenders.iter() {
        for more_packages in [true, false] {
            let ask = Ask { change: Change::Cold, hook: 0, more_packages, registry: None };
            measure::one(xtask, contender, ask, &log(contender)).context("the build that fills the downloads")?;
        }
    }
    for round in 1..=ROUNDS {
        for change in Change::IN_TURNS {
            // Peers keep nothing, or one image: their second round would be as long as the first, which is minutes.
            for contender in contenders.iter_mut().filter(|contender| contender.ours || round == 1) {
                let hook = round * 2 + usize::from(change >= Change::LastHook);
                let ask = Ask { change, hook, more_packages: change == Change::Packages, registry: None };
                if change == Change::Cold {
                    for kept in &contender.kept {
                        remove_tree(xtask, kept)?;
                    }
                }
                let sample = measure::one(xtask, contender, ask, &log(contender))?;
                contender.samples.entry(change).or_default().push(sample);
                contender.disk = measure::disk(xtask, &contender.cache)?;
            }
        }
    }
    for contender in contenders.iter_mut().filter(|contender| !contender.machine.is_empty()) {
        let log = log(contender);
        warm_starts(xtask, contender, out, &log)?;
    }
    for contender in contenders.iter() {
        rows(build, contender, table)?;
    }
    Ok(())
}

/// Starts on an empty machine, with a registry beside it that has what was built.
fn warm_starts(xtask: &Xtask, contender: &mut Contender, out: &Path, log: &Path) -> anyhow::Result<()> {
    let server = Server::start(xtask, &subdir(xtask, out, "registry")?)?;
    let ask = |registry| Ask {
        change: Change::Machine,
        hook: ROUNDS * 2 + 2,
        more_packages: false,
        registry: Some(registry),
    };
    let given = measure::one(xtask, contender, ask(Registry::To(server.port)), log);
    given.context("the build that fills the registry")?;
    for _ in 0..ROUNDS {
        for path in &contender.machine {
            remove_tree(xtask, path)?;
        }
        let sample = measure::one(xtask, contender, ask(Registry::From(server.port)), log)?;
        contender.samples.entry(Change::Machine).or_default().push(sample);
    }
    Ok(())
}

fn rows(build: &str, contender: &Contender, table: &mut String) -> anyhow::Result<()> {
    let best = |change: &Change| {
        let samples = contender.samples.get(change).into_iter().flatten();
        samples.min_by(|a, b| a.wall.total_cmp(&b.wall)).copied().context("nothing was timed")
    };
    let cold = best(&Change::Cold)?.wall;
    for change in contender.samples.keys().copied() {
        let Sample { wall, cpu, memory } = best(&change)?;
        let target = match change.target(wall, cold) {
            Some((target, met)) if contender.ours => format!("{target}: {}", if met { "met" } else { "missed" }),
            _ => String::new(),
        };
        writeln!(
            table,
            "| {build} | {} | {} | {wall:.2} | {:.1} % | {cpu:.1} | {memory} | {} | {target} |",
            contender.name,
            change.name(),
            wall / cold * 100.0,
            contender.disk
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_says_what_is_met_and_what_is_missed() {
        let walls = [
            (Change::Cold, 20.0),
            (Change::Nothing, 0.4),
            (Change::LastHook, 2.0),
            (Change::Packages, 8.0),
            (Change::Machine, 4.0),
        ];
        let sample = |wall| Sample { wall, cpu: 1.0, memory: 300 };
        let samples = walls.map(|(change, wall)| (change, vec![sample(wall * 2.0), sample(wall)])).into();
        let mut contender = Contender {
            name: "isotope build".to_owned(),
            ours: true,
            prepare: Box::new(|_, _| Ok(())),
            line: Box::new(|_| String::new()),
            kept: Vec::new(),
            machine: Vec::new(),
            cache: PathBuf::new(),
            samples,
            disk: 900,
        };
        let mut table = String::new();
        rows("debian-cloud", &contender, &mut table).unwrap();
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(
            lines[0],
            "| debian-cloud | isotope build | cold, downloads warm | 20.00 | 100.0 % | 1.0 | 300 | 900 |  |"
        );
        assert!(lines[1].ends_with("| nothing changed | 0.40 | 2.0 % | 1.0 | 300 | 900 | under 1 s: met |"), "{table}");
        assert!(lines[2].ends_with("10.0 % | 1.0 | 300 | 900 | at most 8 %: missed |"), "{table}");
        assert!(lines[3].ends_with("at most 40 %: met |"), "{table}");
        assert!(lines[4].contains("| warm start from a registry | 4.00 | 20.0 % |"), "{table}");
        assert!(lines[4].ends_with("at most 25 %: met |"), "{table}");
        contender.ours = false;
        table.clear();
        rows("debian-cloud", &contender, &mut table).unwrap();
        assert!(!table.contains("met") && !table.contains("missed"), "targets are ours");
        // Who knows of no registry has no such row.
        contender.samples.remove(&Change::Machine);
        table.clear();
        rows("debian-minimal vm", &contender, &mut table).unwrap();
        assert!(table.lines().count() == 4 && !table.contains("registry"), "{table}");
    }
}
