//! Whether a repository is what it says: every object of every commit is there and is what its name says.

use crate::repo::NEVER;
use crate::{OstreeError, Repo};
use ostree::ObjectType;
use serde::Serialize;
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// A ref, or an object as `CHECKSUM.TYPE`.
    pub what: String,
    /// What is wrong with it.
    pub problem: String,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FsckReport {
    /// Commits that were checked.
    pub commits: usize,
    /// Objects that were read and digested.
    pub objects: usize,
    /// Commits of which only a part was pulled; they were left out.
    pub partial: Vec<String>,
    /// What is wrong.
    pub problems: Vec<Problem>,
}

type Object = (String, ObjectType);

impl Repo {
    /// Reads and digests every object of every commit, on all cores, and changes nothing. `progress` hears how many
    /// objects of how many are done.
    ///
    /// # Errors
    /// The repository cannot be read at all. What is wrong with single objects is in the report.
    pub fn fsck(&self, progress: &mut dyn FnMut(usize, usize)) -> Result<FsckReport, OstreeError> {
        let mut report = FsckReport { commits: 0, objects: 0, partial: Vec::new(), problems: Vec::new() };
        let commits =
            self.inner.list_commit_objects_starting_with(None, NEVER).map_err(self.refused("list the commits"))?;
        let commits: BTreeSet<String> = commits.into_iter().map(Into::into).collect();
        for (name, commit) in self.refs()? {
            if !commits.contains(commit.as_str()) {
                let problem = format!("its commit {commit} is not there");
                report.problems.push(Problem { what: name, problem });
            }
        }
        let mut objects: BTreeSet<(String, i32)> = BTreeSet::new();
        for commit in commits {
            match self.inner.load_commit(&commit) {
                Ok((_, state)) if state.contains(ostree::RepoCommitState::PARTIAL) => report.partial.push(commit),
                Ok(_) => {
                    report.commits += 1;
                    match self.inner.traverse_commit(&commit, 0, NEVER) {
                        Ok(found) => objects.extend(
                            found.iter().map(|one| (one.checksum().to_owned(), kind_number(one.object_type()))),
                        ),
                        Err(error) => report
                            .problems
                            .push(Problem { what: format!("{commit}.commit"), problem: error.message().to_owned() }),
                    }
                }
                Err(error) => report
                    .problems
                    .push(Problem { what: format!("{commit}.commit"), problem: error.message().to_owned() }),
            }
        }
        let objects: Vec<Object> = objects.into_iter().map(|(sum, kind)| (sum, kind_of(kind))).collect();
        report.objects = objects.len();
        report.problems.extend(self.check_objects(&objects, progress)?);
        report.problems.sort();
        report.problems.dedup();
        Ok(report)
    }

    fn check_objects(
        &self,
        objects: &[Object],
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Vec<Problem>, OstreeError> {
        let (next, problems) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let path = self.path();
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..cores)
                .map(|_| {
                    scope.spawn(|| -> Result<(), OstreeError> {
                        let repo = Self::open(path)?;
                        while let Some((sum, kind)) = objects.get(next.fetch_add(1, Ordering::Relaxed)) {
                            if let Err(error) = repo.inner.fsck_object(*kind, sum, NEVER) {
                                let what = ostree::object_to_string(sum, *kind).to_string();
                                let problem = error.message().to_owned();
                                problems
                                    .lock()
                                    .unwrap_or_else(std::sync::PoisonError::into_inner)
                                    .push(Problem { what, problem });
                            }
                        }
                        Ok(())
                    })
                })
                .collect();
            while workers.iter().any(|worker| !worker.is_finished()) {
                progress(next.load(Ordering::Relaxed).min(objects.len()), objects.len());
                std::thread::park_timeout(std::time::Duration::from_millis(50));
            }
            for worker in workers {
                worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            }
            Ok::<(), OstreeError>(())
        })?;
        Ok(problems.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

/// Object kinds have no order of their own; these have.
const KINDS: [ObjectType; 5] =
    [ObjectType::Commit, ObjectType::DirTree, ObjectType::DirMeta, ObjectType::File, ObjectType::FileXattrs];

fn kind_number(kind: ObjectType) -> i32 {
    KINDS.iter().position(|known| *known == kind).and_then(|index| i32::try_from(index).ok()).unwrap_or(3)
}

fn kind_of(number: i32) -> ObjectType {
    usize::try_from(number).ok().and_then(|index| KINDS.get(index).copied()).unwrap_or(ObjectType::File)
}
