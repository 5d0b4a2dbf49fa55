//! Objects of an earlier deployment, for one that is about to be made: commits of one tree differ little, and what is not in a repository
//! is pulled, decompressed and written.
//!
//! Hard links between layers, which nobody writes to. What an object is, its name says; those that the commit does not have are pruned
//! once it is deployed ([`crate::step`]).

use crate::error::StepError;
use crate::work::Work;
use isotope_cache::{Staging, Store};
use isotope_plan::Step;
use std::ffi::OsStr;
use std::fs::DirBuilder;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

/// A repository's objects, from where a tree begins.
const OBJECTS: &str = "ostree/repo/objects";
/// Kinds of objects that say of themselves what they are; a commit that is there is not asked for again.
const KINDS: [&str; 3] = ["file", "dirtree", "dirmeta"];

/// Links into `staging` what the latest layer with the same step has, where the step finds it ([`Work::inherited`]).
pub(super) fn objects(step: &Step, work: &Work, store: &Store, staging: &Staging) -> Result<(), StepError> {
    let Some((tree, inherited)) = work.layered_tree(None).zip(work.layered(&work.inherited())) else { return Ok(()) };
    let mut earlier = store.list()?;
    earlier.retain(|held| held.layer.steps.iter().any(|it| it.id == step.id && it.element == step.origin.element));
    earlier.sort_by_key(|held| std::cmp::Reverse(held.layer.created));
    let Some(from) = earlier.iter().map(|held| held.upper().join(&tree).join(OBJECTS)).find(|objects| objects.is_dir())
    else {
        return Ok(());
    };
    let to = staging.upper().join(inherited);
    make(&to, 0o755)?;
    for entry in list(&from)? {
        let mode = entry.metadata().map_err(StepError::io("look at", &entry.path()))?.permissions().mode();
        let dir = to.join(entry.file_name());
        make(&dir, mode & 0o7777)?;
        for object in list(&entry.path())? {
            let is_one = |kind: &OsStr| KINDS.iter().any(|known| kind == *known);
            if Path::new(&object.file_name()).extension().is_some_and(is_one) {
                // One that has as many names as its filesystem allows is pulled, as all were.
                drop(std::fs::hard_link(object.path(), dir.join(object.file_name())));
            }
        }
    }
    Ok(())
}

fn make(dir: &Path, mode: u32) -> Result<(), StepError> {
    DirBuilder::new().mode(mode).create(dir).map_err(StepError::io("make", dir))
}

fn list(dir: &Path) -> Result<Vec<std::fs::DirEntry>, StepError> {
    let entries = dir.read_dir().map_err(StepError::io("list", dir))?;
    entries.collect::<Result<_, _>>().map_err(StepError::io("list", dir))
}
