//! Static deltas: all that one commit has and another has not, in a few large files instead of many small ones.

use crate::repo::NEVER;
use crate::{Checksum, OstreeError, Repo, worker};
use isotope_plan::Bytes;
use ostree::glib::VariantDict;
use serde::Serialize;
use std::path::Path;

/// A static delta of a repository.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct StaticDelta {
    /// What a client must have; `None`: nothing.
    pub from: Option<Checksum>,
    /// What a client will have.
    pub to: Checksum,
}

/// What a pruning removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Pruned {
    /// Objects before.
    pub total: u64,
    /// Objects removed.
    pub removed: u64,
    /// Bytes freed.
    pub bytes: u64,
}

impl Repo {
    /// Makes a static delta from `from` (or from nothing) to `to`; clients use it by themselves when the summary names it
    /// ([`Repo::update_summary`] after it). One that is there is not made again. Returns its size.
    ///
    /// # Errors
    /// A commit is not there in full, or the repository cannot be written.
    pub fn static_delta(&self, from: Option<&Checksum>, to: &Checksum) -> Result<Bytes, OstreeError> {
        let size = || Bytes(files_below(&self.path().join("deltas").join(delta_dir(from, to))));
        if self.static_deltas()?.iter().any(|delta| delta.from.as_ref() == from && delta.to == *to) {
            return Ok(size());
        }
        let path = self.path().to_owned();
        // Not in the caller's main context: generation compresses in threads of its own.
        worker::run::<(), _>(
            move |_| {
                let repo = Self::open(path)?;
                let kind = ostree::StaticDeltaGenerateOpt::Major;
                // Not optional, whatever its documentation says: libostree 2022.7 reads through the null pointer.
                let parameters = VariantDict::new(None).end();
                let refused = repo.refused(format!("make the static delta to {to}"));
                repo.inner
                    .static_delta_generate(
                        kind,
                        from.map(Checksum::as_str),
                        to.as_str(),
                        None,
                        Some(&parameters),
                        NEVER,
                    )
                    .map_err(refused)
            },
            &mut |()| {},
        )?;
        Ok(size())
    }

    /// The static deltas there are.
    ///
    /// # Errors
    /// The repository cannot be read.
    pub fn static_deltas(&self) -> Result<Vec<StaticDelta>, OstreeError> {
        let names = self.inner.list_static_delta_names(NEVER).map_err(self.refused("list the static deltas"))?;
        let mut deltas: Vec<StaticDelta> = names.iter().filter_map(|name| parse(name)).collect();
        deltas.sort();
        Ok(deltas)
    }

    /// Removes the objects that no ref needs any more, and static deltas to commits that are gone. `depth`: how many
    /// ancestors of each ref stay; `None`: all.
    ///
    /// # Errors
    /// The repository cannot be written.
    pub fn prune(&self, depth: Option<u16>) -> Result<Pruned, OstreeError> {
        let depth = depth.map_or(-1, i32::from);
        let (total, removed, bytes) = self
            .inner
            .prune(ostree::RepoPruneFlags::REFS_ONLY, depth, NEVER)
            .map_err(self.refused("remove what no ref needs"))?;
        self.inner.prune_static_deltas(None, NEVER).map_err(self.refused("remove old static deltas"))?;
        let count = |number: i32| u64::from(number.unsigned_abs());
        Ok(Pruned { total: count(total), removed: count(removed), bytes })
    }
}

/// `FROM-TO` or `TO`.
fn parse(name: &str) -> Option<StaticDelta> {
    let (from, to) = match name.split_once('-') {
        Some((from, to)) => (Some(from.parse().ok()?), to),
        None => (None, name),
    };
    Some(StaticDelta { from, to: to.parse().ok()? })
}

/// Where a delta is, below `deltas/`: the checksums in libostree's base64, the first two characters a directory.
fn delta_dir(from: Option<&Checksum>, to: &Checksum) -> String {
    let name = |checksum: &Checksum| ostree::checksum_to_bytes_v(checksum.as_str()).data().to_vec();
    let base64 = |bytes: &[u8]| {
        let text = ostree::glib::base64_encode(bytes).to_string();
        text.trim_end_matches('=').replace('/', "_")
    };
    let whole = match from {
        Some(from) => format!("{}-{}", base64(&name(from)), base64(&name(to))),
        None => base64(&name(to)),
    };
    let (start, rest) = whole.split_at(2);
    format!("{start}/{rest}")
}

fn files_below(dir: &Path) -> u64 {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.metadata().ok()).filter(std::fs::Metadata::is_file).map(|meta| meta.len()).sum()
}
