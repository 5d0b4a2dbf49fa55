//! In which order packages are unpacked and configured: in rounds.
//!
//! Debian's policy lets a package be unpacked only when its Pre-Depends are configured. So a round unpacks, at once,
//! every package of which that is true, then configures what the others wait for; the last round configures all. Pure.

use crate::package::deb::control::{Paragraph, Relation, relations};
use std::collections::{BTreeMap, BTreeSet};

/// Where a package is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Not yet unpacked.
    Waiting,
    /// Unpacked.
    Unpacked,
    /// Configured.
    Configured,
}

/// The packages of a transaction and what they wait for.
#[derive(Debug)]
pub struct Rounds {
    progress: Vec<Progress>,
    /// For each package its Pre-Depends, as positions of those that meet them.
    before_unpack: Vec<Vec<usize>>,
    /// For each package its Depends and Pre-Depends.
    before_configure: Vec<Vec<usize>>,
}

impl Rounds {
    /// Looks at the packages of a transaction. What none of them provides is taken as installed already, or apt would
    /// not have chosen this set.
    #[must_use]
    pub fn new<'a>(packages: impl Iterator<Item = &'a Paragraph> + Clone) -> Self {
        let providers = Providers::of(packages.clone());
        let before_unpack: Vec<_> =
            packages.clone().map(|package| providers.of_field(package, "Pre-Depends")).collect();
        let before_configure = packages
            .zip(&before_unpack)
            .map(|(package, pre)| {
                providers.of_field(package, "Depends").into_iter().chain(pre.iter().copied()).collect()
            })
            .collect();
        Self { progress: vec![Progress::Waiting; before_unpack.len()], before_unpack, before_configure }
    }

    /// The packages that can be unpacked now.
    #[must_use]
    pub fn unpackable(&self) -> Vec<usize> {
        let met = |index: &usize| {
            self.before_unpack[*index]
                .iter()
                .all(|other| other == index || self.progress[*other] == Progress::Configured)
        };
        self.waiting().filter(met).collect()
    }

    /// The packages not yet unpacked.
    pub fn waiting(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.progress.len()).filter(|index| self.progress[*index] == Progress::Waiting)
    }

    /// The unpacked packages to configure so that more can be unpacked: those that others wait for, with all that they
    /// need themselves.
    #[must_use]
    pub fn to_configure(&self) -> Vec<usize> {
        let mut chosen = BTreeSet::new();
        for index in self.waiting().flat_map(|index| &self.before_unpack[index]) {
            let mut closure = BTreeSet::new();
            if self.progress[*index] == Progress::Unpacked && self.close(*index, &mut closure) {
                chosen.extend(closure);
            }
        }
        chosen.into_iter().collect()
    }

    /// Notes how far packages are.
    pub fn set(&mut self, indices: &[usize], progress: Progress) {
        for index in indices {
            self.progress[*index] = progress;
        }
    }

    /// Collects what must be configured with `index`; false if some of it is not unpacked yet.
    fn close(&self, index: usize, closure: &mut BTreeSet<usize>) -> bool {
        match self.progress[index] {
            Progress::Configured => true,
            Progress::Waiting => false,
            Progress::Unpacked => {
                !closure.insert(index) || self.before_configure[index].iter().all(|other| self.close(*other, closure))
            }
        }
    }
}

/// Who in a set of packages is or provides a name, with its version; the package of that name comes first.
struct Providers<'a>(BTreeMap<&'a str, Vec<(usize, Option<&'a str>)>>);

impl<'a> Providers<'a> {
    fn of(packages: impl Iterator<Item = &'a Paragraph>) -> Self {
        let mut providers: BTreeMap<&str, Vec<_>> = BTreeMap::new();
        for (index, package) in packages.enumerate() {
            providers.entry(package.text("Package")).or_default().insert(0, (index, Some(package.text("Version"))));
            for provided in relations(package.text("Provides")).into_iter().flatten() {
                let version = provided.constraint.map(|(_, version)| version);
                providers.entry(provided.name).or_default().push((index, version));
            }
        }
        Self(providers)
    }

    fn meeting(&self, relation: &Relation<'_>) -> Option<usize> {
        let candidates = self.0.get(relation.name)?;
        candidates.iter().find(|(_, version)| relation.is_met_by(*version)).map(|(index, _)| *index)
    }

    /// For each relation of a field, the first alternative that is in the set.
    fn of_field(&self, package: &Paragraph, field: &str) -> Vec<usize> {
        relations(package.text(field))
            .iter()
            .filter_map(|group| group.iter().find_map(|one| self.meeting(one)))
            .collect()
    }
}

/// The packages called `roots`, and all that they need of the others.
#[must_use]
pub fn closure<'a>(packages: impl Iterator<Item = &'a Paragraph> + Clone, roots: &[&str]) -> BTreeSet<usize> {
    let list: Vec<&Paragraph> = packages.clone().collect();
    let providers = Providers::of(packages);
    let mut found = BTreeSet::new();
    let mut open: Vec<usize> =
        roots.iter().filter_map(|name| providers.meeting(&Relation { name, constraint: None })).collect();
    while let Some(index) = open.pop() {
        if found.insert(index) {
            open.extend(["Pre-Depends", "Depends"].iter().flat_map(|field| providers.of_field(list[index], field)));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::deb::control::paragraphs;

    fn run(text: &str) -> Vec<String> {
        let packages: Vec<_> = paragraphs(text).collect();
        let name =
            |indices: &[usize]| indices.iter().map(|i| packages[*i].text("Package")).collect::<Vec<_>>().join(" ");
        let mut rounds = Rounds::new(packages.iter());
        let mut log = Vec::new();
        while rounds.waiting().next().is_some() {
            let now = rounds.unpackable();
            if now.is_empty() {
                log.push("stuck".to_owned());
                break;
            }
            rounds.set(&now, Progress::Unpacked);
            let configure = rounds.to_configure();
            rounds.set(&configure, Progress::Configured);
            log.push(format!("{} | {}", name(&now), name(&configure)));
        }
        log
    }

    #[test]
    fn without_pre_depends_there_is_one_round() {
        assert_eq!(
            run("Package: a\nDepends: b\n\nPackage: b\nDepends: a\n\nPackage: c\nPre-Depends: libc6 (>= 2)\n"),
            ["a b c | "]
        );
    }

    #[test]
    fn pre_depends_wait_for_their_packages_and_theirs() {
        let text = "Package: sysv\nPre-Depends: systemd\n\nPackage: systemd\nPre-Depends: shared\nDepends: mount\n\n\
            Package: libshared\nProvides: shared (= 1)\nDepends: libc\n\nPackage: libc\n\nPackage: mount\n\nPackage: other\nDepends: sysv\n";
        assert_eq!(run(text), ["libshared libc mount other | libshared libc", "systemd | systemd mount", "sysv | "]);
    }

    #[test]
    fn a_closure_takes_the_first_alternative_that_is_there_in_the_right_version() {
        let text = "Package: apt\nDepends: keyring | other (>= 1), libc (>= 3) | newlibc | editor\n\nPackage: other\nVersion: 1\nDepends: awk (>= 1)\n\n\
            Package: libc\nVersion: 2\n\nPackage: mawk\nVersion: 1\nProvides: awk (= 1)\n\nPackage: editor\n\nPackage: newlibc\n";
        let packages: Vec<_> = paragraphs(text).collect();
        assert_eq!(closure(packages.iter(), &["apt", "absent"]).into_iter().collect::<Vec<_>>(), [0, 1, 3, 5]);
    }

    #[test]
    fn a_cycle_is_noticed() {
        assert_eq!(run("Package: a\nPre-Depends: b\n\nPackage: b\nPre-Depends: a\n"), ["stuck"]);
        assert_eq!(run("Package: a\nPre-Depends: a\n"), ["a | "]);
    }
}
